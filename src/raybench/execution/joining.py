"""Look at the cluster that a run joins, once, before anything is planned or measured."""

import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from raybench.backends.ray_preflight import preflight
from raybench.config.settings import Settings
from raybench.model.plan import Cluster
from raybench.model.serialize import digest
from raybench.system import machine

KEYED = ("cpu", "physical_cores", "logical_cpus", "memory_gib", "gpu", "architecture", "ray_cpus")  # of a node's facts


def join(settings: Settings) -> Settings:
    """Return settings that know the cluster they name; those of this machine come back as they are.

    Raises ClusterRefused with the one sentence that names the cause.
    """
    cluster = settings.study.cluster
    if not cluster.is_joined:
        return settings
    return replace(settings, study=replace(settings.study, cluster=named(preflight(cluster))))


def named(cluster: Cluster) -> Cluster:
    """Give a cluster that was looked at its key: name, size, a hash of its nodes' hardware and the driver's.

    The driver's machine counts too: the baseline that speedups refer to is measured there.
    """
    hardware = [{name: node.get(name) for name in KEYED} for node in cluster.found]
    place = digest([sorted(digest(node) for node in hardware), machine.machine_key()])[:6]
    slug = "-".join(re.findall(r"[a-z0-9]+", cluster.name.lower())) or "cluster"
    return replace(cluster, machine=f"{slug}-{len(cluster.found)}n-{cluster.cpus}c-{place}")


def differences(nodes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say in which versions the nodes differ from one another or from this process; [] where they do not."""
    told = []
    pythons = {str(node["python"]) for node in nodes} | {platform.python_version()}
    if len(pythons) > 1:
        told.append(f"Python {' and '.join(sorted(pythons))}")
    for name in sorted({name for node in nodes for name in node["packages"]}):
        versions = {node["packages"].get(name, "none") for node in nodes}
        if len(versions) > 1:
            told.append(f"{name} {' and '.join(sorted(versions))}")
    return told
