"""The pure pieces, timed by pytest-benchmark; not part of the tests.

pytest benchmarks/micro --benchmark-autosave
pytest benchmarks/micro --benchmark-compare --benchmark-compare-fail=min:50%
"""

from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from raybench import gate
from raybench.analysis import speedup
from raybench.analysis.dataset import Dataset
from raybench.config import settings
from raybench.model import stats
from raybench.model.measurement import Measurement
from raybench.model.plan import Plan
from raybench.report.splice import splice
from raybench.store.store import Store, read_plan, write_plan
from suites import made_run

RNG_SEED = 11


@pytest.fixture(scope="module")
def made() -> Plan:
    return made_run.made_plan(600)


@pytest.fixture(scope="module")
def lines(made: Plan) -> list[Measurement]:
    return list(made_run.made_measurements(made))


def test_planning(benchmark: BenchmarkFixture) -> None:
    assert len(benchmark(made_run.made_plan, 600).jobs) >= 600


def test_composing_the_configuration(benchmark: BenchmarkFixture) -> None:
    assert benchmark(settings.load, ["study=quick"]).study.name == "quick"


def test_plan_to_disk_and_back(benchmark: BenchmarkFixture, made: Plan, tmp_path: Path) -> None:
    def there_and_back() -> Plan:
        write_plan(tmp_path, made)
        return read_plan(tmp_path)

    assert benchmark(there_and_back) == made


def test_appending(benchmark: BenchmarkFixture, lines: list[Measurement], tmp_path: Path) -> None:
    path = tmp_path / "measurements.jsonl"

    def append_all() -> None:
        path.unlink(missing_ok=True)
        store = Store(path)
        for line in lines:
            store.append(line)

    benchmark(append_all)

    assert len(Store(path).load().measurements) == len(lines)


def test_loading(benchmark: BenchmarkFixture, lines: list[Measurement], tmp_path: Path) -> None:
    store = Store(tmp_path / "measurements.jsonl")
    for line in lines:
        store.append(line)

    assert len(benchmark(lambda: Store(store.path).load()).measurements) == len(lines)


def test_resampled_medians(benchmark: BenchmarkFixture) -> None:
    times = np.random.default_rng(RNG_SEED).lognormal(size=10)
    resampler = stats.Resampler()
    resampler.counts(10)  # drawn once per number of blocks, and kept

    assert benchmark(resampler.medians, times).shape == (stats.RESAMPLES,)


def test_rows(benchmark: BenchmarkFixture, made: Plan, lines: list[Measurement]) -> None:
    rows = benchmark.pedantic(lambda: speedup.rows(Dataset(made, lines)), rounds=5, warmup_rounds=1)

    assert len(rows) == len(made.cells)


def test_splicing(benchmark: BenchmarkFixture) -> None:
    page = "\n".join(f"line {i}\n<!-- raybench:p{i} -->\nold\n<!-- /raybench:p{i} -->" for i in range(100))
    parts = {f"p{i}": f"new {i}" for i in range(100)}

    assert "new 99" in benchmark(splice, page, parts, where="page.md")


def test_judging_a_benchmark(benchmark: BenchmarkFixture) -> None:
    variants = np.random.default_rng(RNG_SEED).lognormal(sigma=0.05, size=(3, 12))
    reference, twin, candidate = (tuple(map(float, variant)) for variant in variants)
    rounds = gate.Rounds(benchmark="x", unit="s", reference=reference, twin=twin, candidate=candidate)

    assert benchmark(gate.judge, rounds).n == 12
