"""A made study with round numbers and the quantities of it, for the tests of claims."""

from collections.abc import Sequence
from typing import Any

from made_study import WORKLOAD, cell, planned, series, stamps
from raybench.analysis.analyze import analyse
from raybench.analysis.dataset import RunData
from raybench.claims.claim import Part, Select
from raybench.claims.quantities import QUANTITIES, Material, Sample, samples
from raybench.model.measurement import Environment, Measurement, Quality
from raybench.model.plan import Cell, Plan, Spec

RAY = Spec(name="ray_tasks", target="x:Ray", tags=("parallel",))
COLD = Spec(name="ray_tasks_cold", target="x:Ray", tags=("parallel",))
JOBLIB = Spec(name="joblib", target="x:Joblib", tags=("parallel",))
TUNED = Spec(name="search", target="x:Search", tags=("compute", "hpo"))
FOUR = ((1, 0.0, 4.0), (1, 4.0, 6.0), (1, 6.0, 7.0), (1, 7.0, 8.0))  # tasks of the loop: 4, 2, 1 and 1 s


def run(plan: Plan, lines: Sequence[Measurement], qualities: Sequence[Quality] = ()) -> RunData:
    environment = Environment(machine="made", identity={}, began="", facts={})
    return RunData(
        folder="r", data="d", plan=plan, environment=environment, measurements=tuple(lines), qualities=tuple(qualities)
    )


def loop_and(*others: tuple[Cell, float], blocks: int = 10, **changes: Any) -> RunData:
    """Make a run of the one-thread loop, 8 s in four tasks, and of other cells with their seconds."""
    base = cell()
    lines = series(base, [8.0] * blocks, tasks=stamps(FOUR))
    for where, seconds in others:
        lines += series(where, [seconds] * blocks, **({"tasks": stamps(FOUR)} | changes))
    return run(planned([base, *(where for where, _ in others)], blocks=blocks), lines)


def material(made: RunData) -> Material:
    return Material.of(made, analyse(made))


def found(
    made: RunData, quantity: str, *, cold: bool = False, select: Select | None = None, **given: Any
) -> list[Sample]:
    """Return what a quantity finds in a run."""
    assert set(given) == set(QUANTITIES[quantity].wanted)
    part = Part(quantity=quantity, cold=cold, given=given, select=select or Select())
    return list(samples(material(made), part)[1])


def named(name: str, *tags: str, **params: Any) -> Spec:
    return Spec(name=name, target="x:Work", params=params or WORKLOAD.params, tags=tags or ("compute",))


def points(found_samples: Sequence[Sample]) -> list[float]:
    return [sample.estimate.point for sample in found_samples]


def only(found_samples: Sequence[Sample]) -> Sample:
    (sample,) = found_samples
    return sample
