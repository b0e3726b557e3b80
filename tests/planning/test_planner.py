"""The plan: every cell accounted for, blocks drawn from the seed, nothing skipped without a reason."""

from dataclasses import replace

import pytest

from raybench.model.plan import Cell, GridRow, Job, Limits, Requires, Role, Spec, Study, Tag
from raybench.planning.planner import Machine, cpu_counts, estimate_s, limit_note, plan, top_up_block

LOOP = Spec(name="sequential", target="x.A", role=Role.BASELINE, tags=(Tag.SERIAL,))
THREADS = Spec(name="sequential_threads", target="x.A", role=Role.THREADED_BASELINE)
POOL = Spec(name="pool", target="x.B", tags=("parallel",))
TUNER = Spec(name="tuner", target="x.D", tags=("parallel",), stepped=True, requires=Requires(tags=("hpo",)))
SUM = Spec(name="sum", target="y.S", tags=("compute",))
HPO = Spec(name="hpo", target="y.H", tags=("compute", "hpo"), stepped=True)


def machine(**changes: object) -> Machine:
    facts = {
        "usable_cpus": 4,
        "cpus_for": lambda count: tuple(range(count)),
        "gpus": 0,
        "missing_data": lambda name: "",
        "missing_package": lambda name: False,
    }
    return Machine(**(facts | changes))  # type: ignore[arg-type]


def study(*rows: GridRow, **changes: object) -> Study:
    specs = {"sum": SUM, "hpo": HPO}
    backends = {spec.name: spec for spec in (LOOP, THREADS, POOL, TUNER)}
    facts = {"name": "s", "grid": rows, "workloads": specs, "backends": backends, "blocks": 3, "seed": 1}
    return Study(**(facts | {"budget_min": 1.0, "controls": False, "quality_pairs": 0} | changes))  # type: ignore[arg-type]


def row(
    workloads: tuple[str, ...] = ("sum",), backends: tuple[str, ...] = ("sequential", "pool"), **axes: object
) -> GridRow:
    return GridRow(workloads=workloads, backends=backends, **axes)  # type: ignore[arg-type]


@pytest.mark.rule("HB2")
def test_every_cell_of_the_grid_runs_or_is_skipped_with_a_reason():
    made = plan(study(row(("sum", "hpo"), ("sequential", "pool", "tuner"), cpus=(1, 2, 8))), machine())

    ran = {(job.cell.workload.name, job.cell.backend.name, job.cell.cpus) for job in made.jobs}
    skipped = {(s.cell.workload.name, s.cell.backend.name, s.cell.cpus) for s in made.skips}
    assert ran == {
        *((w, "sequential", 1) for w in ("sum", "hpo")),
        *((w, "pool", p) for w in ("sum", "hpo") for p in (1, 2)),
        ("hpo", "tuner", 1),
        ("hpo", "tuner", 2),
    }
    unsuitable = {("sum", "tuner", p) for p in (1, 2, 8)}
    assert skipped == {("sum", "pool", 8), ("hpo", "pool", 8), ("hpo", "tuner", 8)} | unsuitable
    assert all(s.reason for s in made.skips)


def test_an_unsuitable_pair_says_why_before_anything_else():
    made = plan(study(row(("sum",), ("tuner",), cpus=(2,))), machine())

    assert [s.reason for s in made.skips] == ["tuner needs a workload tagged hpo; sum is none"]


@pytest.mark.rule(36)
def test_more_cores_than_usable_run_only_when_asked_for_by_name_and_are_labelled():
    asked = study(row(cpus=(8,)), oversubscribe=True)

    cells = {job.cell.backend.name: job.cell for job in plan(asked, machine()).jobs}

    assert cells["pool"].oversubscribed
    assert cells["pool"].workers == 8
    assert not cells["sequential"].oversubscribed


def test_a_missing_package_names_the_extra_that_brings_it():
    dask = replace(POOL, requires=Requires(packages=("distributed",)))
    asked = study(row(cpus=(2,)), backends={"sequential": LOOP, "pool": dask})

    made = plan(asked, machine(missing_package=lambda name: name == "distributed"))

    assert [s.reason for s in made.skips] == ["package distributed is not installed; pip install 'raybench[dask]'"]


def test_cells_with_gpus_are_planned_and_skipped_where_there_is_none():
    made = plan(study(row(("sum",), ("pool",), cpus=(2,), gpus=(0, 1))), machine())

    assert [s.reason for s in made.skips] == ["asks for 1 GPU, this machine has 0"]
    assert len(made.cells) == 2


def test_halves_and_whole_gpus_are_cells_of_their_own_where_there_is_one():
    asked = study(row(("sum",), ("pool",), cpus=(2,), gpus=(0, 0.5, 1, 2)))

    made = plan(asked, machine(gpus=1))

    assert {job.cell.gpus for job in made.jobs} == {0, 0.5, 1}
    assert [s.reason for s in made.skips] == ["asks for 2 GPU, this machine has 1"]


def test_the_threaded_loop_exists_above_one_core_only():
    made = plan(study(row(("sum",), ("sequential", "sequential_threads"), cpus=(1, 4))), machine())

    assert {(c.backend.name, c.workers, c.cpus_per_task) for c in made.cells} == {
        ("sequential", 1, 1),
        ("sequential_threads", 1, 4),
    }


@pytest.mark.rule(7)
def test_blocks_hold_the_same_cells_in_different_orders_drawn_from_the_seed():
    asked = study(row(("sum", "hpo"), cpus=(1, 2, 4)), blocks=4)
    made = plan(asked, machine())

    orders = [[j.cell.key for j in made.jobs if j.block == b] for b in range(4)]
    assert len({tuple(sorted(order)) for order in orders}) == 1
    assert len({tuple(order) for order in orders}) > 1
    assert plan(asked, machine()) == made
    assert plan(replace(asked, seed=2), machine()).jobs != made.jobs


def test_one_value_per_block_of_hash_seed_and_padding_for_all_its_cells():
    made = plan(study(row(cpus=(1, 2))), machine())

    for block in range(3):
        assert len({(j.hash_seed, j.padding) for j in made.jobs if j.block == block}) == 1
    assert len({(j.hash_seed, j.padding) for j in made.jobs}) == 3
    assert all(0 <= j.padding <= 4096 for j in made.jobs)


def test_a_core_row_names_its_cells_and_its_workload_begins_the_study():
    rows = (row(("sum",), cpus=(2,)), row(("hpo",), ("sequential", "pool"), cpus=(2,), core=True))
    for seed in range(5):
        made = plan(study(*rows, seed=seed), machine())
        assert {c.workload.name for c in made.cells if c.key in made.core} == {"hpo"}
        assert made.jobs[0].cell.workload.name == "hpo"


def test_a_top_up_block_repeats_the_wanted_cell_and_its_baseline():
    made = plan(study(row(("sum", "hpo"), cpus=(2,)), controls=True), machine())
    wanted = next(c.key for c in made.cells if c.workload.name == "sum" and c.backend.name == "pool")

    jobs = [job for block in (6, 7) for job in top_up_block(made, [wanted], block=block)]

    assert sorted((j.cell.workload.name, j.cell.backend.name, j.replica) for j in jobs) == [
        ("sum", "pool", 1),
        ("sum", "pool", 1),
        ("sum", "sequential", 1),
        ("sum", "sequential", 1),
        ("sum", "sequential", 2),
    ]
    assert all(j.extra for j in jobs)


def test_words_for_core_counts_are_spelled_out():
    assert cpu_counts(["powers"], 6) == [1, 2, 4, 6]
    assert cpu_counts(["all", 1], 2) == [1, 2]


def test_affinity_is_as_wide_as_the_cell():
    made = plan(study(row(cpus=(1, 2, 4))), machine())

    assert all(len(j.affinity) == j.cell.cpus for j in made.jobs)


def test_io_cells_may_have_more_workers_than_cores_and_say_so():
    made = plan(study(row(("sum",), ("pool",), cpus=(2,), workers=(8,))), machine())

    (cell,) = made.cells
    assert (cell.workers, cell.cpus, cell.oversubscribed) == (8, 2, True)


def test_ray_has_no_slots_for_more_workers_than_cores():
    rays = replace(POOL, requires=Requires(packages=("ray",)))
    asked = study(row(("sum",), ("pool",), cpus=(2,), workers=(2, 8)))

    made = plan(replace(asked, backends={"pool": rays}), machine())

    assert {job.cell.workers for job in made.jobs} == {2}
    assert [s.reason for s in made.skips] == ["asks for 8 slots on 2 cores; Ray hands out one slot per core granted"]


@pytest.mark.parametrize(("tags", "note"), [((), "cell limit only"), (("ends_tasks",), "")])
def test_a_task_time_out_that_cannot_be_kept_is_noted(tags: tuple[str, ...], note: str):
    cell = Cell(workload=SUM, backend=replace(POOL, tags=tags), workers=2)
    job = Job(cell=cell, block=0, order=0, seed=1, limits=Limits(task_timeout_s=1.0))

    assert limit_note(job) == note


def test_an_estimate_uses_what_earlier_runs_took():
    asked = study(row(("sum",), ("pool",), cpus=(2,)), blocks=2)
    made = plan(asked, machine())

    assert estimate_s(made.jobs, {made.cells[0].key: 5.0}) == 10.0


def test_a_cell_key_changes_with_any_size():
    cell = Cell(workload=SUM, backend=POOL, workers=2)

    assert cell.key != replace(cell, workload=replace(SUM, params={"n": 1})).key
    assert cell.key == Cell(workload=SUM, backend=POOL, workers=2).key


def test_a_rows_time_out_holds_for_its_cells_only_and_yields_to_the_runs_own():
    asked = study(row(("sum",), ("pool",), task_timeout_s=3.0), row(("sum",), ("sequential",)))
    limited = replace(asked, limits=Limits(task_timeout_s=1.0))

    def time_outs(wanted: Study) -> dict[str, float | None]:
        return {job.cell.backend.name: job.limits.task_timeout_s for job in plan(wanted, machine()).jobs}

    assert time_outs(asked) == {"pool": 3.0, "sequential": None}
    assert time_outs(limited) == {"pool": 1.0, "sequential": 1.0}
