"""Groups: one workload's processes together, bounded in number and memory, with A/A in half of them."""

from collections import Counter
from dataclasses import replace
from itertools import groupby

import pytest

from raybench.model.plan import Cell, Cluster, Job, Requires, Role, Spec, Tag
from raybench.planning.groups import BYTES_PER_WORKER, MOST_PROCESSES, draw_block, runs_once

BASELINE = Spec(name="sequential", target="x.A", role=Role.BASELINE, tags=(Tag.SERIAL,))
RAY = Spec(name="ray", target="x.R", tags=(Tag.PARALLEL,), requires=Requires(packages=("ray",)))


def cells(workload: str, count: int, *, tags: tuple[Tag, ...] = (), workers: int = 2) -> list[Cell]:
    spec = Spec(name=workload, target="y.W", tags=tags)
    pools = [Spec(name=f"pool{i}", target="x.B", tags=(Tag.PARALLEL,)) for i in range(count)]
    return [
        Cell(workload=spec, backend=BASELINE, workers=1),
        *(Cell(workload=spec, backend=p, workers=workers) for p in pools),
    ]


def pattern(*workloads: list[Cell]) -> list[Job]:
    return [Job(cell=cell, block=0, order=0, seed=1) for family in workloads for cell in family]


def groups(jobs: list[Job]) -> list[list[Job]]:
    return [list(members) for _, members in groupby(jobs, key=lambda job: job.group)]


def test_a_group_holds_one_workload_with_its_baseline_and_groups_follow_each_other() -> None:
    drawn = draw_block(pattern(cells("a", 3), cells("b", 2)), seed=1, block=0, aa=False)
    found = groups(drawn)
    assert len(found) == 2
    assert [job.order for job in drawn] == list(range(7))
    for members in found:
        assert len({job.cell.workload.name for job in members}) == 1
        assert sum(job.cell.backend.role is Role.BASELINE for job in members) == 1


def test_orders_are_drawn_from_seed_and_block() -> None:
    jobs = pattern(cells("a", 5), cells("b", 5), cells("c", 5))
    once, again, other = (draw_block(jobs, seed=s, block=b) for s, b in ((1, 0), (1, 0), (1, 1)))
    assert once == again
    assert [j.cell.key for j in once] != [j.cell.key for j in other]


def test_the_core_workload_begins_the_first_block_only() -> None:
    jobs = pattern(*(cells(name, 1) for name in "abcdef"))
    assert all(draw_block(jobs, seed=s, block=0, first="e")[0].cell.workload.name == "e" for s in range(8))
    assert len({draw_block(jobs, seed=s, block=1, first="e")[0].cell.workload.name for s in range(8)}) > 1


def test_large_groups_are_split_with_a_baseline_of_its_own_in_each() -> None:
    drawn = draw_block(pattern(cells("a", 15)), seed=1, block=0)
    found = groups(drawn)
    assert all(len(members) <= MOST_PROCESSES for members in found)
    assert sum(len(members) for members in found) >= 15 + len(found)
    baselines = [job.replica for job in drawn if job.cell.backend.role is Role.BASELINE and job.replica % 2]
    assert baselines == [2 * i + 1 for i in range(len(found))]
    assert len({job.key for job in drawn}) == len(drawn)


def test_groups_fit_into_the_memory() -> None:
    drawn = draw_block(pattern(cells("a", 4)), seed=1, block=0, aa=False, memory_bytes=8 * BYTES_PER_WORKER)
    assert [len(members) for members in groups(drawn)] == [3, 3]
    tight = draw_block(pattern(cells("a", 2)), seed=1, block=0, aa=False, memory_bytes=1)
    assert [len(members) for members in groups(tight)] == [2, 2]


@pytest.mark.rule(16)
def test_half_of_the_groups_have_a_second_baseline_and_every_workload_one_in_two_blocks() -> None:
    jobs = pattern(*(cells(name, 2) for name in "abcdefgh"))
    counts: Counter[str] = Counter()
    for block in range(6):
        second = {j.cell.workload.name for j in draw_block(jobs, seed=3, block=block) if j.replica == 2}
        counts.update((name, block // 2) for name in second)  # type: ignore[arg-type]
    assert set(counts.values()) == {1}
    assert len(counts) == 8 * 3


@pytest.mark.parametrize("tag", [Tag.SLEEP, Tag.GRANULARITY_SWEEP])
def test_controls_of_a_known_ideal_and_sweeps_have_none(tag: Tag) -> None:
    jobs = pattern(cells("a", 2, tags=(tag,)))
    assert {job.replica for block in range(4) for job in draw_block(jobs, seed=1, block=block)} == {1}


def test_sweeps_and_planted_faults_run_once_in_a_process() -> None:
    assert runs_once(cells("a", 0, tags=(Tag.FAULTS,))[0])
    assert runs_once(cells("a", 0, tags=(Tag.GRANULARITY_SWEEP,))[0])
    assert not runs_once(cells("a", 0, tags=(Tag.COMPUTE,))[0])


def test_two_cells_on_one_cluster_are_never_alive_together() -> None:
    nodes = Cluster(name="two", nodes=(1, 1))
    family = cells("a", 2) + [
        Cell(workload=cells("a", 0)[0].workload, backend=replace(RAY, name=name), workers=2) for name in ("r0", "r1")
    ]
    jobs = [replace(job, cluster=nodes) for job in pattern(family)]
    found = groups(draw_block(jobs, seed=1, block=0, aa=False))
    assert all(sum("ray" in job.cell.backend.requires.packages for job in members) <= 1 for members in found)
    assert all(sum(job.cell.backend.role is Role.BASELINE for job in members) == 1 for members in found)
    assert {job.cell.backend.name for members in found for job in members} == {
        *("sequential", "pool0", "pool1", "r0", "r1")
    }
