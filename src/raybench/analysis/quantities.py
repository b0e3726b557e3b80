"""What two runs are compared by: one series of logs per quantity of each cell, and facts of the run beside them.

No comparison here. Cells of two runs meet by name, sizes and shape, since keys differ between schemas of raw data.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from raybench.analysis.dataset import CellData, Dataset, Floats, RunData, cold, makespan
from raybench.analysis.metg import common_sweep
from raybench.analysis.pairs import pair_cells, priors
from raybench.analysis.speedup import BAND, FULL_WORK
from raybench.model.log_ratio import LogRatio, Prior, log_ratio
from raybench.model.measurement import Environment
from raybench.model.plan import Cell, Status

UNKNOWN = "not recorded"
LEVEL = BAND[0]  # the efficiency down to which METG is compared


class Quantity(StrEnum):
    """What is compared of a cell."""

    TIME = "time"
    COLD = "time with start-up"
    SPEEDUP = "speedup"
    SPEEDUP_COLD = "speedup with start-up"
    SOONER = "baseline time / time at less work"  # of early stopping: no speedup
    METG = f"METG({LEVEL})"
    OVERHEAD = "overhead per task"

    @property
    def is_seconds(self) -> bool:
        """Return whether it only means something on one machine."""
        return self in (Quantity.TIME, Quantity.COLD)

    @property
    def more_is_worse(self) -> bool:
        """Return the direction: seconds are better small, speedups large."""
        return self not in (Quantity.SPEEDUP, Quantity.SPEEDUP_COLD, Quantity.SOONER)

    @property
    def unit(self) -> str:
        """Return the unit, as `units.by_unit` knows it."""
        return "s" if self.more_is_worse else "x"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class CellName:
    """A cell as both runs know it: by name, sizes and shape. sizes : the workload's parameters as JSON."""

    workload: str
    backend: str
    cpus: int
    workers: int
    gpus: float
    oversubscribed: bool
    sizes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One quantity of one cell: logs, one per block. seconds : the cell's time, at which the prior is read."""

    logs: tuple[float, ...]
    seconds: float = 1.0
    prior: Prior | None = None

    def estimate(self) -> LogRatio:
        """Return the mean log with its standard error; without one below 3 blocks."""
        return log_ratio(self.logs, seconds=self.seconds, prior=self.prior)


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """What a run has to compare.

    series : by cell and quantity, in reading order. broken : why a cell has no good measurement, where it failed.
    facts : what may differ between runs, in words.
    spin : logs of the seconds that fixed work took, one per block: how fast the machine was; () before schema 2.
    """

    run: str
    series: Mapping[tuple[CellName, Quantity], Series]
    broken: Mapping[CellName, str]
    facts: Mapping[str, str]
    spin: tuple[float, ...] = ()


def read(run: RunData, data: Dataset) -> Readings:
    """Read from a run what may be compared."""
    series: dict[tuple[CellName, Quantity], Series] = {}
    broken = {}
    for of in data.cells:
        if of.cell.backend.is_control:
            continue
        name = name_cell(of.cell)
        series |= {(name, quantity): one for quantity, one in _quantities(of, data) if one.logs}
        if not of.good and any(m.status in (Status.FAILED, Status.TIMED_OUT) for m in of.lines):
            broken[name] = of.reason()
    facts = _facts(run.environment, data)
    return Readings(run=run.folder, series=series, broken=broken, facts=facts, spin=_spin(run))


def name_cell(cell: Cell) -> CellName:
    """Name a cell independently of its key."""
    return CellName(
        workload=cell.workload.name,
        backend=cell.backend.name,
        cpus=cell.cpus,
        workers=cell.workers,
        gpus=float(cell.gpus),
        oversubscribed=cell.oversubscribed,
        sizes=json.dumps(cell.workload.params, sort_keys=True),
    )


def _quantities(of: CellData, data: Dataset) -> Iterator[tuple[Quantity, Series]]:
    if of.is_sweep:
        if not of.is_baseline and (sweep := common_sweep(of)) is not None:
            yield Quantity.METG, Series(logs=_logs(sweep.metg_by_block(LEVEL)))
            yield Quantity.OVERHEAD, Series(logs=_logs(sweep.overhead_by_block()))
        return
    times = of.values(makespan)
    seconds = float(np.exp(np.log(times).mean())) if len(times) else 1.0
    yield Quantity.TIME, Series(logs=_logs(times))
    yield Quantity.COLD, Series(logs=_logs(of.values(cold)))
    if of.baseline is None or of.is_baseline:
        return
    warm = Series(logs=_ratios(of, makespan), seconds=seconds, prior=priors(data, makespan))
    if _share_of_work(of) < FULL_WORK:
        yield Quantity.SOONER, warm
        return
    yield Quantity.SPEEDUP, warm
    yield Quantity.SPEEDUP_COLD, Series(logs=_ratios(of, cold))


def _ratios(of: CellData, metric: Callable[..., float | None]) -> tuple[float, ...]:
    assert of.baseline is not None
    top, bottom = pair_cells(of.baseline, of, metric)
    return _logs(top / bottom)


def _logs(values: Floats) -> tuple[float, ...]:
    """Return the logs of positive finite values; a series with any other (METG beyond the sweep) has none."""
    if not np.all(np.isfinite(values) & (values > 0)):
        return ()
    return tuple(float(v) for v in np.log(values))


def _share_of_work(of: CellData) -> float:
    asked = sum(m.steps_asked for m in of.good.values())
    return sum(m.steps_done for m in of.good.values()) / asked if asked else 1.0


def _spin(run: RunData) -> tuple[float, ...]:
    """Return the mean log of the fixed work's seconds in each block."""
    found: dict[int, list[float]] = {}
    for sample in run.samples:
        if sample.spin_s:
            found.setdefault(sample.block, []).append(float(np.log(sample.spin_s)))
    return tuple(float(np.mean(logs)) for _, logs in sorted(found.items()))


# --- facts ----------------------------------------------------------------------------------------

MACHINE = ("machine", "CPU", "CPU family, model, stepping", "usable cores", "GPUs")  # else seconds mean nothing
PACKAGE, SETTINGS = "package ", "settings of "  # how facts about one package, one backend, begin
_PLACES = {
    "CPU": ("cpu", "model"),
    "CPU family, model, stepping": ("cpu", "family_model_stepping"),
    "usable cores": ("cpu", "usable"),
    "GPUs": ("gpu", "devices"),
    "kernel": ("system", "kernel"),
    "Python": ("python", "version"),
    "commit": ("code", "commit"),
    "uncommitted changes": ("code", "diff_sha256"),
    "data": ("code", "data_sha256"),
}


def _facts(environment: Environment, data: Dataset) -> dict[str, str]:
    """Return, by name, what may differ between two runs."""
    found = {"machine": environment.machine}
    for name, place in _PLACES.items():
        found[name] = _words(environment.facts, place)
    if _words(environment.facts, ("code", "dirty")) == "False":
        found["uncommitted changes"] = "none"
    found |= {"study": data.plan.study, "seed": str(data.plan.seed)}
    packages = environment.facts.get("packages")
    found |= {f"{PACKAGE}{name}": str(v) for name, v in (packages if isinstance(packages, Mapping) else {}).items()}
    backends = {of.cell.backend.name: json.dumps(of.cell.backend.params, sort_keys=True) for of in data.cells}
    return found | {f"{SETTINGS}{name}": text for name, text in sorted(backends.items())}


def _words(facts: Mapping[str, object], place: tuple[str, ...]) -> str:
    value: object = facts
    for name in place:
        value = value.get(name) if isinstance(value, Mapping) else None
    if isinstance(value, Mapping):
        return json.dumps(value, sort_keys=True)
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value))
    return UNKNOWN if value is None or str(value).startswith("unavailable") else str(value)
