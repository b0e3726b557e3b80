"""A small real run on logical CPUs: eight workers of one Ray node, whatever the cores."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from raybench.analysis.validity import once, own_share, workers
from raybench.config import settings
from raybench.execution.member import Member
from raybench.execution.run_folder import plan_study
from raybench.execution.sandbox import Home
from raybench.execution.series import Order
from raybench.model.errors import BadSettings
from raybench.model.plan import Job, Plan, Status, Study
from raybench.planning.planner import Machine, plan

TOKEN = "7" * 64


def study(*overrides: str) -> Study:
    return settings.load(["study=emulated", *overrides]).study


def planned(of: Study, cpus: int = 2) -> Plan:
    machine = Machine(
        usable_cpus=cpus,
        cpus_for=lambda count: tuple(range(count)),
        gpus=0,
        missing_data=lambda name: "",
        missing_package=lambda name: False,
    )
    return plan(of, machine)


@pytest.mark.ray
def test_twenty_waits_on_eight_logical_cpus_come_back_once_each_from_eight_workers() -> None:
    words = ["study=emulated", "workload.replay_fixed.seconds=0.05", "workload.replay_fixed.count=20"]
    jobs = plan_study(settings.load(words)).jobs
    (job,) = [
        j for j in jobs if (j.cell.workload.name, j.cell.cpus, j.block) == ("replay_fixed", 8, 0)
        and j.cell.backend.name == "ray_tasks"
    ]  # fmt: skip
    with Home() as home, Member(job, home, name="e", token=TOKEN) as member:
        member.sample(Order(round=0, place=0))
        found = member.end().measurement

    assert found.status is Status.OK, found.reason
    assert len(found.tasks) == len(found.details.waits_s) == 20
    assert all(t.ended - t.started >= s - 1e-4 for t, s in zip(found.tasks, found.details.waits_s, strict=True))
    assert once(job.cell, found) == workers(job.cell, found) == ""
    assert found.details.burst is not None and found.details.burst.tasks >= 100
    assert "CPU time is not known" not in own_share(job.cell, found)


def test_logical_and_real_cores_and_the_cluster_are_in_the_key_and_old_keys_stay() -> None:
    made = planned(study())
    cells = [c for c in made.cells if c.workload.name == "replay_half_second" and c.cpus == 25]

    assert {(c.cluster, c.real) for c in cells} >= {("", 2), ("nodes_11_8_4_2", 2), ("nodes_9", 2)}
    assert len({c.key for c in cells}) == len(cells)
    one = cells[0]
    assert len({one.key, replace(one, real=4).key, replace(one, real=None).key, replace(one, cluster="x").key}) == 4


def test_each_cell_without_a_baseline_is_alone_after_what_it_replays_and_clusters_come_in_one_row() -> None:
    jobs = [j for j in planned(study()).jobs if j.block == 0]
    groups: dict[int, list[Job]] = {}
    for job in jobs:
        groups.setdefault(job.group, []).append(job)
    replays = [g for g, members in groups.items() if any("replay" in j.cell.workload.tags for j in members)]
    sources = [j.group for j in jobs if j.cell.workload.name == "xgb_hpo_friedman"]

    assert all(len(groups[g]) == 1 for g in replays)
    assert max(sources) < min(replays)
    order = [groups[g][0].cell.cluster for g in sorted(replays)]
    assert len(list(dict.fromkeys(order))) == 1 + sum(a != b for a, b in pairwise(order))


def test_ten_tasks_for_each_logical_cpu() -> None:
    counts = {c.cpus: c.workload.params["count"] for c in planned(study()).cells if c.workload.name == "replay_tenth"}

    assert counts == {25: 250}


def test_tasks_that_compute_get_no_logical_cpus() -> None:
    made = planned(study("workloads=[primes]", "backends=[ray_tasks]"))

    assert "logical CPUs do for tasks that wait only" in {s.reason for s in made.skips if s.cell.emulated}.pop()


def test_a_cluster_that_does_not_exist_is_refused_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    text = "size: tiny\nblocks: 1\nbudget_min: 1\ncontrols: false\nverdicts: false\nquality_pairs: 0\n"
    text += "target_half_width: 0.05\ngrid:\n  - {workloads: [noop], backends: [joblib], cluster: nodes_11_8_4}\n"
    (tmp_path / "study" / "wrong.yaml").write_text(text)

    with pytest.raises(BadSettings, match="nodes_11_8_4_2"):
        settings.load(["study=wrong"], conf=[tmp_path])
