"""One measurement: what is timed, what is checked, and what turns it into a failure."""

import itertools
import os
from dataclasses import replace

import pytest

from raybench.execution.measure import load_backend, load_workload, measure, serve
from raybench.execution.series import Order
from raybench.model.errors import BackendFailed
from raybench.model.measurement import Measurement, Phases
from raybench.model.plan import Cell, Job, Role, Spec, Status, Tag
from raybench.model.serialize import from_json, to_json

CUBES = Spec(name="cubes", target="toys.workloads.Cubes", params={"n": 5})
LOOP = Spec(name="loop", target="toys.backends.Loop", role=Role.BASELINE, tags=(Tag.SERIAL,))


def job(lie: str = "none", **changes: object) -> Job:
    backend = replace(LOOP, params={"lie": lie, "flags": {"RAY_x": "1"}})
    cell = Cell(workload=CUBES, backend=backend, workers=1)
    affinity = tuple(os.sched_getaffinity(0))
    return replace(Job(cell=cell, block=3, order=1, seed=7, affinity=affinity), **changes)  # type: ignore[arg-type]


def test_a_good_measurement_carries_the_jobs_key_and_every_phase():
    *_, found = serve(job(replica=2, attempt=3), iter([Order(round=0, place=0)]), interpreter_s=0.5)
    assert isinstance(found, Measurement)

    assert found.status is Status.OK, found.reason
    assert found.key == job(replica=2, attempt=3).key
    assert found.phases.interpreter == 0.5
    assert found.phases.start_parts == {"loop": 0.25}
    assert found.details.batches == (5,)
    assert found.backend_version == "loop 1.0"
    assert [stamp.index for stamp in found.tasks] == list(range(5))


@pytest.mark.rule("HB10", 26)
def test_makespan_and_stamps_begin_with_the_same_reading_of_the_clock(monkeypatch: pytest.MonkeyPatch):
    ticks = itertools.count()
    for module in ("raybench.execution.series", "raybench.backends.worker_session"):
        monkeypatch.setattr(f"{module}.now", lambda: float(next(ticks)))
    *_, found = serve(job(), iter([Order(round=0, place=0)]))
    assert isinstance(found, Measurement)
    assert found.status is Status.OK, found.reason
    last = max(stamp.ended for stamp in found.tasks)
    assert last == pytest.approx(found.phases.makespan - 2)  # between them the worker looks at itself


@pytest.mark.rule(22)
@pytest.mark.parametrize(
    ("lie", "status", "said"),
    [
        ("loses", Status.FAILED, "4 for 5 tasks"),
        ("doubles", Status.FAILED, "6 for 5 tasks"),
        ("threads", Status.FAILED, "native pool of 7 threads, asked for 1"),
        ("affinity", Status.FAILED, "may run on 99 CPUs"),
        ("late", Status.TIMED_OUT, "task 2 ran longer"),
        ("early", Status.FAILED, "expected them in order, within a makespan of"),
        ("unknown", Status.FAILED, "returned results and never told what it is"),
        ("crowd", Status.FAILED, "2 workers ran tasks at the same time, the cell was granted 1"),
        ("widens", Status.FAILED, "may run on 99 CPUs"),
    ],
)
def test_what_was_not_asked_for_is_a_failure_with_its_reason(lie: str, status: Status, said: str):
    found = measure(job(lie))

    assert found.status is status
    assert said in found.reason


def test_a_class_that_cannot_be_imported_or_is_of_the_wrong_kind_is_named():
    with pytest.raises(BackendFailed, match=r"cannot import nowhere\.Such"):
        load_workload(replace(CUBES, target="nowhere.Such"))
    with pytest.raises(BackendFailed, match=r"is no Backend; derive it from raybench\.backends\.base"):
        load_backend(replace(LOOP, target="toys.workloads.Cubes"), None)  # type: ignore[arg-type]


def test_equal_task_lists_and_answers_have_equal_hashes_and_other_seeds_do_not_matter_to_cubes():
    first, second = measure(job()), measure(job(block=4))

    assert (first.tasks_hash, first.answers_hash) == (second.tasks_hash, second.answers_hash)
    assert (
        first.tasks_hash != measure(job(cell=replace(job().cell, workload=replace(CUBES, params={"n": 6})))).tasks_hash
    )


def test_a_line_survives_json():
    found = measure(job())

    assert from_json(Measurement, to_json(found)) == found


def test_cold_time_is_all_but_data_and_check():
    phases = Phases(interpreter=1, imports=2, data=100, start_up=4, warm_up=8, makespan=16, shutdown=32, check=100)

    assert phases.cold == 63
