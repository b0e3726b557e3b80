"""Every workload on every backend once, answers checked, nothing timed; the child's side and the comparison."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from raybench.backends.base import Resources
from raybench.execution.measure import load_backend, load_workload
from raybench.model.errors import WrongAnswer
from raybench.model.plan import Spec, Status
from raybench.workloads.base import answer_hash

SCORE_BOUND = 1e-9  # between backends that run the same tasks in full


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What became of one workload on one backend."""

    workload: str
    backend: str
    status: Status
    reason: str = ""
    adaptive: bool = False  # may stop tasks early, so that answers may differ
    tasks: int = 0
    workers: int = 0
    answers_hash: str = ""
    scores: dict[str, float] = field(default_factory=dict)


def verify_backend(
    backend_spec: Spec, workloads: Sequence[Spec], resources: Resources, *, seed: int
) -> Iterator[Verified]:
    """Start a backend once and run each workload's bag on it; a failure is a result, and the rest goes on."""
    backend = load_backend(backend_spec, resources)
    with backend:
        for spec in workloads:
            try:
                yield _verify(spec, backend_spec, backend, seed)
            except Exception as error:  # noqa: BLE001 - as in measure: a failure becomes data
                reason = " ".join(f"{type(error).__name__}: {error}".split())[:400]
                yield Verified(workload=spec.name, backend=backend_spec.name, status=Status.FAILED, reason=reason)


def _verify(spec: Spec, backend_spec: Spec, backend, seed: int) -> Verified:  # type: ignore[no-untyped-def]
    workload = load_workload(spec)
    with workload.services():
        data = workload.data(seed)
        bags = workload.ladder(seed) or [(0, workload.tasks(seed))]
        if len(bags) > 1:
            bags = bags[-2:]  # the shortest tasks of a ladder show whether results get lost
        for _, tasks in bags:
            results = backend.run(workload, tasks, data)
            if [r.index for r in results] != [t.index for t in tasks]:
                raise WrongAnswer(f"{spec.name}: results are not one per task, in order")
            workload.check(tasks, results, seed)
        scores = workload.score(tasks, results, seed)
    return Verified(
        workload=spec.name,
        backend=backend_spec.name,
        status=Status.OK,
        adaptive=backend.adaptive,
        tasks=len(tasks),
        workers=len({r.pid for r in results}),
        answers_hash=answer_hash([r.answer for r in results]),
        scores={name: float(value) for name, value in scores.items()},
    )


def disagreements(verified: Iterable[Verified]) -> list[str]:
    """Name every pair of non-adaptive backends whose scores differ by more than the bound, against the first one."""
    found = []
    first: dict[str, Verified] = {}
    for one in verified:
        if one.status is not Status.OK or one.adaptive:
            continue
        base = first.setdefault(one.workload, one)
        for name, value in one.scores.items():
            expected = base.scores.get(name, math.nan)
            if not math.isclose(value, expected, rel_tol=SCORE_BOUND, abs_tol=SCORE_BOUND):
                found.append(
                    f"{one.workload}: {name} is {value!r} on {one.backend}, {expected!r} on {base.backend}; "
                    "expected equal scores"
                )
    return found
