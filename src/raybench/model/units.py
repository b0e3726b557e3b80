"""Numbers as text: the only place of the report that rounds.

A point is rounded to nearest with three significant digits, or more where the interval is narrower than that;
bounds are rounded outwards, so that no printed interval is tighter than the computed one.
"""

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

from raybench.model.estimate import Estimate

ABSENT = "–"  # does not apply, or not measured: the row's last column says which
SIGNIFICANT = 3
FINER = 2  # digits added at most where an interval is narrow
SECONDS = ((1e-3, 1e6, "µs"), (1.0, 1e3, "ms"), (120.0, 1.0, "s"), (7200.0, 1 / 60, "min"), (math.inf, 1 / 3600, "h"))
BYTES = ((2**10, 1, "B"), (2**20, 2**10, "KiB"), (2**30, 2**20, "MiB"), (2**40, 2**30, "GiB"), (math.inf, 2**40, "TiB"))


def ratio(estimate: Estimate | None, *, with_n: bool = True) -> str:
    """Write a speedup or a gain: `1.95x [1.90, 1.99], n=10`."""
    return _text(estimate, 1.0, "x", with_n=with_n)


def share(estimate: Estimate | None, *, with_n: bool = True) -> str:
    """Write an efficiency or a fraction with at most four digits: `0.84 [0.80, 0.88], n=10`."""
    return _text(estimate, 1.0, "", with_n=with_n, most=4)


def seconds(estimate: Estimate | None, *, with_n: bool = True) -> str:
    """Write a time in µs, ms, s, min or h, whichever suits the point."""
    if estimate is None:
        return ABSENT
    scale, unit = _unit(estimate.point, SECONDS)
    return _text(estimate, scale, f" {unit}", with_n=with_n)


def size(estimate: Estimate | None, *, with_n: bool = True) -> str:
    """Write bytes with IEC prefixes."""
    if estimate is None:
        return ABSENT
    divisor, unit = _unit(estimate.point, BYTES)
    return _text(estimate, 1 / divisor, f" {unit}", with_n=with_n)


def percent(estimate: Estimate | None, *, with_n: bool = True) -> str:
    """Write a signed relative change: `+8.53 % [+7.90, +9.20], n=10`."""
    return _text(estimate, 100.0, " %", with_n=with_n, sign="+")


def number(estimate: Estimate | None, *, with_n: bool = True) -> str:
    """Write a quantity without a unit of its own (an RMSE is in units of its target)."""
    return _text(estimate, 1.0, "", with_n=with_n)


def by_unit(estimate: Estimate | None, unit: str, *, with_n: bool = True) -> str:
    """Write an estimate whose unit comes as data: x, s, B, %, share, or any other word behind the number."""
    known = {"x": ratio, "s": seconds, "B": size, "%": percent, "share": share, "": number}
    if unit in known:
        return known[unit](estimate, with_n=with_n)
    return _text(estimate, 1.0, f" {unit}", with_n=with_n)


def within(half: float) -> str:
    """Write the half-width of an interval in percent, rounded up: `+-1.6 %`; '' where there is no interval."""
    if not math.isfinite(half):
        return ""
    return f"+-{_round(100 * half, 1 if half < 0.1 else 0, ROUND_CEILING)} %"


def duration(value: float) -> str:
    """Write one exact or single time."""
    scale, unit = _unit(value, SECONDS)
    return f"{plain(value * scale)} {unit}"


def amount(value: float) -> str:
    """Write one exact number of bytes."""
    divisor, unit = _unit(value, BYTES)
    return f"{plain(value / divisor)} {unit}"


def plain(value: float) -> str:
    """Write one exact or single number with three significant digits, without needless zeros."""
    if not math.isfinite(value):
        return "unbounded" if math.isinf(value) else "undefined"
    text = _round(value, _decimals(value, 0.0), ROUND_HALF_EVEN)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _unit(value: float, steps: tuple[tuple[float, float, str], ...]) -> tuple[float, str]:
    """Choose scale and unit; what is not a finite number, and zero, take the plain unit."""
    if value == 0 or not math.isfinite(value):
        return (1.0, "s") if steps is SECONDS else (1.0, "B")
    return next((scale, unit) for below, scale, unit in steps if abs(value) < below)


def _text(estimate: Estimate | None, scale: float, unit: str, *, with_n: bool, sign: str = "", most: int = 9) -> str:
    if estimate is None:
        return ABSENT
    n = f", n={estimate.n}" if with_n else ""
    point, low, high = (value * scale for value in (estimate.point, estimate.low, estimate.high))
    if not math.isfinite(point):
        return f"{'undefined' if math.isnan(point) else '∞'}{n}"
    decimals = min(most, _decimals(point, high - low))
    written = _round(point, decimals, ROUND_HALF_EVEN, sign)
    if math.isinf(low) and math.isinf(high):
        return f"{written}{unit} [no interval]{n}"
    if point == low == high == 0:
        return f"0{unit}{n}"
    bounds = (_round(low, decimals, ROUND_FLOOR, sign), _round(high, decimals, ROUND_CEILING, sign))
    return f"{written}{unit} [{bounds[0]}, {bounds[1]}]{n}"


def _decimals(point: float, width: float) -> int:
    """Return digits behind the point: three significant ones, more where the interval has none of them."""
    if not math.isfinite(point):
        return 0
    size = max(abs(point), width if math.isfinite(width) else 0.0)  # a point near 0 is no finer than its interval
    whole = math.floor(math.log10(size)) if size else 0
    decimals = max(0, SIGNIFICANT - 1 - whole)
    if width > 0 and math.isfinite(width):
        decimals = max(decimals, min(decimals + FINER, math.ceil(-math.log10(width))))
    return decimals


def _round(value: float, decimals: int, rounding: str, sign: str = "") -> str:
    if math.isnan(value):
        return "undefined"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    value = 0.0 if abs(value) < 10.0 ** -(decimals + 6) else value  # the rest of a sum, not a number
    exact = Decimal(repr(float(f"{value:.12g}")))  # 0.29 * 100 is 28.999999999999996: floor would give 28
    rounded = exact.quantize(Decimal(1).scaleb(-decimals), rounding=rounding)
    return f"{abs(rounded) if rounded == 0 else rounded:{sign}f}"  # no -0.00
