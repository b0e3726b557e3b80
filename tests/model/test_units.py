"""Numbers as text: a unit, an interval and n, rounded outwards, never tighter than computed."""

import math

import pytest

from raybench.model import units
from raybench.model.estimate import Estimate


def estimate(point: float, low: float, high: float, n: int = 10) -> Estimate:
    return Estimate(point=point, low=low, high=high, n=n)


@pytest.mark.rule(13)
@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (units.ratio, estimate(3.0999, 2.8049, 3.3001, 15), "3.10x [2.80, 3.31], n=15"),
        (units.ratio, estimate(25.34, 24.0, 26.0), "25.3x [24.0, 26.0], n=10"),
        (units.ratio, estimate(1.9995, 1.998, 2.001), "2.000x [1.998, 2.001], n=10"),
        (units.share, estimate(0.29, 0.29, 0.29), "0.290 [0.290, 0.290], n=10"),
        (units.share, estimate(6e-17, 0.0, 1e-16), "0.0000 [0.0000, 0.0000], n=10"),
        (units.seconds, estimate(0.0000503, 0.0000497, 0.0000511), "50.3 µs [49.7, 51.1], n=10"),
        (units.seconds, estimate(0.25, 0.2, 0.3), "250 ms [200, 300], n=10"),
        (units.seconds, estimate(119.0, 118.0, 121.0), "119 s [118, 121], n=10"),
        (units.seconds, estimate(180.0, 120.0, 240.0), "3.00 min [2.00, 4.00], n=10"),
        (units.seconds, estimate(9000.0, 9000.0, 9000.0), "2.50 h [2.50, 2.50], n=10"),
        (units.seconds, estimate(0.0, 0.0, 0.0), "0 s, n=10"),
        (units.seconds, estimate(math.inf, 3.0, math.inf), "∞, n=10"),
        (units.size, estimate(512 * 2**20, 500 * 2**20, 530 * 2**20), "512 MiB [500, 530], n=10"),
        (units.percent, estimate(0.0853, 0.0791, 0.0921), "+8.53 % [+7.91, +9.21], n=10"),
        (units.percent, estimate(-0.1, -0.25, 0.05), "-10.0 % [-25.0, +5.0], n=10"),
        (units.number, estimate(4394.81, 4300.0, 4500.0), "4395 [4300, 4500], n=10"),
        (units.number, estimate(math.nan, math.nan, math.nan, 2), "undefined, n=2"),
        (units.ratio, estimate(1.5, -math.inf, math.inf, 3), "1.50x [no interval], n=3"),
        (units.ratio, estimate(1.5, 1.2, math.inf, 3), "1.50x [1.20, ∞], n=3"),
    ],
)
def test_a_number_has_its_unit_its_interval_and_its_n(write, value, text):
    assert write(value) == text


def test_an_interval_is_never_printed_tighter_than_it_is():
    text = units.ratio(estimate(1.2349, 1.2349, 1.2341), with_n=False)
    assert text == "1.23x [1.23, 1.24]"


def test_n_may_stand_in_a_column_of_its_own():
    assert units.ratio(estimate(2.0, 1.5, 2.5), with_n=False) == "2.00x [1.50, 2.50]"


def test_what_is_absent_is_said_not_left_blank():
    assert units.seconds(None) == units.ratio(None) == units.size(None) == "–"


@pytest.mark.parametrize(
    ("unit", "text"),
    [("x", "2.00x [1.00, 3.00]"), ("s", "2.00 s [1.00, 3.00]"), ("tasks/s", "2.00 tasks/s [1.00, 3.00]")],
)
def test_a_unit_may_come_as_data(unit, text):
    assert units.by_unit(estimate(2.0, 1.0, 3.0), unit, with_n=False) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.7, "0.7"), (100.0, "100"), (0.0103, "0.0103"), (12345.0, "12345"), (math.inf, "unbounded"), (-0.0, "0")],
)
def test_an_exact_number_carries_no_needless_zeros(value, text):
    assert units.plain(value) == text


@pytest.mark.rule(13)
def test_exact_times_and_bytes_have_units():
    assert units.duration(0.01) == "10 ms"
    assert units.duration(300) == "5 min"
    assert units.amount(8 * 2**30) == "8 GiB"
    assert units.amount(0) == "0 B"
