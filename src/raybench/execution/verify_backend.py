"""Every workload on every backend once, answers checked, nothing timed; the child's side and the comparison."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from raybench.backends.base import Resources
from raybench.execution.measure import check_order, load_backend, load_workload
from raybench.execution.task_set import ask, draw_ladder, draw_tasks, hash_answers, scores
from raybench.model.errors import one_line
from raybench.model.plan import Spec, Status

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
    """Start a backend once and run each workload's tasks on it; a failure is a result, and the rest goes on."""
    backend = load_backend(backend_spec, resources)
    with backend:
        for spec in workloads:
            try:
                found = _verify(spec, backend_spec, backend, seed)
            except BaseException as error:  # noqa: BLE001 - as in measure: a failure becomes data
                found = Verified(
                    workload=spec.name, backend=backend_spec.name, status=Status.FAILED, reason=one_line(error)
                )
            yield found


def _verify(spec: Spec, backend_spec: Spec, backend, seed: int) -> Verified:  # type: ignore[no-untyped-def]
    workload = load_workload(spec)
    with workload.services():
        tasks = draw_tasks(workload, seed)
        sets = draw_ladder(workload, seed)[-2:] or [(0, tasks)]  # the shortest tasks show whether results get lost
        data = ask(workload, "data", seed)
        for _, tasks in sets:
            results = backend.run(workload, tasks, data)
            check_order(tasks, results)
            ask(workload, "check", tasks, results, seed)
        scored = scores(workload, ask(workload, "score", tasks, results, seed))
    return Verified(
        workload=spec.name,
        backend=backend_spec.name,
        status=Status.OK,
        adaptive=backend.adaptive,
        tasks=len(tasks),
        workers=len({r.pid for r in results}),
        answers_hash=hash_answers((r.index, r.answer) for r in results),
        scores=scored,
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
