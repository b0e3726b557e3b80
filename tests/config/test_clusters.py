"""conf/cluster: three kinds of cluster, and one line for what is none of them."""

from pathlib import Path

import pytest

from raybench.config import settings
from raybench.model.errors import BadSettings
from raybench.model.paths import own_conf
from raybench.model.plan import Cluster

OWN = own_conf()
assert OWN is not None
FILES = sorted(path.stem for path in (OWN / "cluster").glob("*.yaml"))


def cluster(*overrides: str, conf: tuple[Path, ...] = ()) -> Cluster:
    return settings.load(["study=smoke", *overrides], conf=conf).study.cluster


@pytest.mark.parametrize("name", [name for name in FILES if name != "existing"])
def test_every_file_is_a_cluster_of_its_own_name(name: str) -> None:
    assert cluster(f"cluster={name}").name == name


def test_the_topologies_of_the_study_are_there() -> None:
    found = {cluster(f"cluster={name}").nodes for name in FILES if name != "existing"}
    assert {(1, 1), (0, 1, 1), (2, 2), (8,), (25,), (50,), (11, 8, 4, 2), (*[3] * 7, 2, 2)} <= found


def test_link_and_lease_are_overrides() -> None:
    found = cluster("cluster=two_nodes", "cluster.bandwidth_mbit=1000", "cluster.lease_timeout_ms=60000")
    assert (found.nodes, found.bandwidth_mbit, found.lease_timeout_ms) == ((1, 1), 1000.0, 60_000)


def test_a_file_of_the_users_own_needs_name_address_and_nodes_only(tmp_path: Path) -> None:
    (tmp_path / "cluster").mkdir()
    (tmp_path / "cluster" / "lab.yaml").write_text("name: lab\naddress: 10.0.0.1:6379\nnodes: []\n")
    assert cluster("cluster=lab", conf=(tmp_path,)) == Cluster(name="lab", address="10.0.0.1:6379")


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["cluster=two_nodes", "cluster.nodes=[]"], "cluster 'two_nodes' has neither nodes nor an address"),
        (["cluster=two_nodes", "cluster.nodes=[2,-1]"], "expected a whole number of at least 0"),
        (["cluster=two_nodes", "cluster.nodes=[0,0]"], "no node has a CPU"),
        (["cluster=two_nodes", "cluster.nodes=[1.5]"], "expected a whole number of at least 0"),
        (["cluster=two_nodes", "cluster.nodes=2"], "expected a list of at most 250 numbers of CPUs"),
        (["cluster=two_nodes", f"cluster.nodes={[1] * 251}"], "expected a list of at most 250 numbers of CPUs"),
        (["cluster=two_nodes", "cluster.address=10.0.0.1:6379"], "give address or nodes"),
        (["cluster=local", "cluster.nodes=[1,1]"], "give a cluster of several nodes another name"),
        (["cluster=local", "cluster.name=mine"], "cluster 'mine' has neither nodes nor an address"),
        (["cluster=local", "cluster.bandwidth_mbit=100"], "only links between `nodes` can be limited"),
        (["cluster=two_nodes", "cluster.bandwidth_mbit=0"], "expected a number above 0"),
        (["cluster=two_nodes", "cluster.bandwidth_mbit=fast"], "expected a number above 0"),
        (["cluster=two_nodes", "cluster.bandwidth_mbit=nan"], "expected a number above 0"),
        (["cluster=two_nodes", "cluster.lease_timeout_ms=-5"], "expected a whole number of at least 1"),
        (["cluster=two_nodes", "cluster.object_store_mib=1"], "expected a whole number of MiB, at least 80"),
        (["cluster=two_nodes", "cluster.bandwith_mbit=100"], "did you mean 'bandwidth_mbit'?"),
        (["cluster=two_node"], "did you mean 'two_nodes'?"),
    ],
)
def test_a_cluster_that_cannot_be_is_one_line(overrides: list[str], said: str) -> None:
    with pytest.raises(BadSettings) as caught:
        cluster(*overrides)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_key_in_a_file_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "cluster").mkdir()
    (tmp_path / "cluster" / "mine.yaml").write_text("name: mine\naddress: null\nnodes: [1, 1]\nbandwith_mbit: 100\n")
    with pytest.raises(BadSettings, match=r"mine\.yaml:4: .*did you mean 'bandwidth_mbit'\?"):
        cluster("cluster=mine", conf=(tmp_path,))
