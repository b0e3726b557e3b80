"""Every workload on every backend once, answers checked, nothing timed; the child's side and the comparison."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from raybench.backends.base import Backend, Resources
from raybench.execution.measure import load_backend, load_workload
from raybench.execution.series import check_order
from raybench.execution.task_set import ask, draw_sweep, draw_tasks, hash_answers, scores
from raybench.model.errors import one_line
from raybench.model.plan import Role, Spec, Status

SCORE_BOUND = 1e-9  # between backends that run the same tasks in full


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What became of one workload on one backend."""

    workload: str
    backend: str
    status: Status
    reason: str = ""
    baseline: bool = False  # is the sequential baseline that the others are compared with
    adaptive: bool = False  # may stop tasks early, so that answers may differ
    tasks: int = 0
    workers: int = 0
    answers_hash: str = ""
    scores: dict[str, float] = field(default_factory=dict)


def verify_backend(
    backend_spec: Spec, workloads: Sequence[Spec], resources: Resources, *, seed: int
) -> Iterator[Verified]:
    """Start a backend once and run each workload's tasks on it; a failure is a result, and the rest goes on."""
    done: set[str] = set()
    try:
        with load_backend(backend_spec, resources) as backend:
            for spec in workloads:
                try:
                    verified = _verify(spec, backend_spec, backend, seed)
                except BaseException as error:  # noqa: BLE001 - as in measure: whatever user code raises becomes data
                    verified = _failed(spec, backend_spec, error)
                done.add(spec.name)
                yield verified
    except BaseException as error:
        if isinstance(error, GeneratorExit):
            raise
        yield from (_failed(spec, backend_spec, error) for spec in workloads if spec.name not in done)


def _failed(spec: Spec, backend_spec: Spec, error: BaseException) -> Verified:
    return Verified(workload=spec.name, backend=backend_spec.name, status=Status.FAILED, reason=one_line(error))


def _verify(spec: Spec, backend_spec: Spec, backend: Backend, seed: int) -> Verified:
    workload = load_workload(spec)
    with workload.services():
        tasks = draw_tasks(workload, seed)
        sets = draw_sweep(workload, seed)[-2:] or [(0, tasks)]  # the shortest tasks show whether results get lost
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
        adaptive=backend_spec.stepped,
        baseline=backend_spec.role is Role.BASELINE,
        tasks=len(tasks),
        workers=len({r.worker for r in results}),
        answers_hash=hash_answers((r.index, r.answer) for r in results),
        scores=scored,
    )


def disagreements(verified: Iterable[Verified]) -> list[str]:
    """Name each score of a backend that runs all tasks in full and differs from the sequential baseline's.

    Where the baseline was not verified, the first other backend stands in for it.
    """
    found = []
    by_workload: dict[str, list[Verified]] = {}
    for one in verified:
        if one.status is Status.OK and not one.adaptive:
            by_workload.setdefault(one.workload, []).append(one)
    for every in by_workload.values():
        base = next((one for one in every if one.baseline), every[0])
        names = sorted({name for one in every for name in one.scores})
        found += [_difference(name, one, base) for name in names for one in every if not _agree(name, one, base)]
    return found


def _agree(name: str, one: Verified, base: Verified) -> bool:
    value, expected = one.scores.get(name, math.nan), base.scores.get(name, math.nan)
    return math.isclose(value, expected, rel_tol=SCORE_BOUND, abs_tol=SCORE_BOUND)


def _difference(name: str, one: Verified, base: Verified) -> str:
    value, expected = (of.scores.get(name, "not there") for of in (one, base))
    return (
        f"{one.workload}: {name} is {value!r} on {one.backend}, {expected!r} on {base.backend}; expected equal scores"
    )
