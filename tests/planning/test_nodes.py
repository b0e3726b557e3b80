"""Several nodes in the plan: cells that they have no room for, or that this machine cannot start, are skipped."""

import pytest

from raybench.model.plan import Cluster, GridRow, Plan, Requires, Role, Spec, Study, Tag
from raybench.planning.planner import Machine, plan

LOOP = Spec(name="sequential", target="x.A", role=Role.BASELINE, tags=(Tag.SERIAL,))
RAY = Spec(name="ray", target="x.R", tags=(Tag.PARALLEL,), requires=Requires(packages=("ray",)))
POOL = Spec(name="pool", target="x.B", tags=(Tag.PARALLEL,))


def planned(*nodes: int, refused: str = "", **axes: object) -> Plan:
    row = GridRow(workloads=("sum",), backends=("sequential", "ray", "pool"), **axes)  # type: ignore[arg-type]
    study = Study(
        name="s",
        grid=(row,),
        workloads={"sum": Spec(name="sum", target="y.S")},
        backends={spec.name: spec for spec in (LOOP, RAY, POOL)},
        blocks=1,
        seed=1,
        budget_min=1.0,
        controls=False,
        quality_pairs=0,
        cluster=Cluster(name="some", nodes=nodes),
    )
    machine = Machine(
        usable_cpus=4,
        cpus_for=lambda count: tuple(range(count)),
        gpus=0,
        missing_data=lambda name: "",
        missing_package=lambda name: False,
        refused_nodes=lambda cluster: refused,
    )
    return plan(study, machine)


@pytest.mark.parametrize(
    ("nodes", "axes", "reason"),
    [
        ((1, 1), {"cpus": (4,)}, "asks for 4 tasks of 1 CPU at once, the nodes of cluster some have room for 2"),
        ((3, 1), {"cpus": (4,), "cpus_per_task": (2,)}, "asks for 2 tasks of 2 CPUs at once, the nodes of"),
        ((0, 1, 1), {"cpus": (2,), "cpus_per_task": (2,)}, "have room for 0"),
    ],
)
def test_what_the_nodes_have_no_room_for_is_skipped(
    nodes: tuple[int, ...], axes: dict[str, object], reason: str
) -> None:
    made = planned(*nodes, **axes)
    (skip,) = made.skips
    assert skip.cell.backend.name == "ray"
    assert reason in skip.reason
    assert {job.cell.backend.name for job in made.jobs} == {"sequential", "pool"}


def test_nodes_that_this_machine_cannot_start_skip_the_cells_of_ray_alone() -> None:
    made = planned(1, 1, cpus=(2,), refused="network namespaces need root")
    assert [(skip.cell.backend.name, skip.reason) for skip in made.skips] == [("ray", "network namespaces need root")]
    assert {job.cell.backend.name for job in made.jobs} == {"sequential", "pool"}


def test_cells_on_nodes_may_run_on_every_core_and_are_alone_on_their_cluster() -> None:
    made = planned(2, 2, cpus=(1, 2))
    ray = [job for job in made.jobs if job.cell.backend.name == "ray"]
    assert {job.affinity for job in ray} == {(0, 1, 2, 3)}
    assert len({job.group for job in ray}) == 2
    assert {job.cell.cluster for job in ray} == {"some"}
    assert {job.cell.cluster for job in made.jobs if job.cell.backend.name != "ray"} == {""}
    local = {job.cell.key for job in planned(cpus=(1, 2)).jobs if job.cell.backend.name == "ray"}
    assert not local & {job.cell.key for job in ray}
    assert {job.affinity for job in made.jobs if job.cell.backend.name == "pool"} == {(0,), (0, 1)}
