"""Whether a job's nodes are watched, and by what: probes of a cluster that is joined, else nothing."""

import importlib
import os

from raybench.backends.nodes import Nodes
from raybench.model.plan import Job
from raybench.system.process_tree import TAG

WATCHER = "raybench.backends.ray_nodes"  # imported only where a cluster is joined: importing Ray takes 0.7 s


def watch_nodes(job: Job) -> Nodes | None:
    """Start to watch the nodes of a job's cluster; None where it joins none. Its backend must have joined it."""
    if not job.on_cluster:
        return None
    tag = os.environ.get(TAG, "")
    study = tag.partition(":")[0] + ":" if ":" in tag else tag  # of the runner: `process_tree.runner_tag`
    nodes: Nodes = importlib.import_module(WATCHER).RayNodes(cpus=job.cell.cpus, job=tag, study=study)
    return nodes
