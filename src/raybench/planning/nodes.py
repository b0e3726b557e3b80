"""What a cell on several nodes needs of them, before any of them is started."""

from collections.abc import Callable

from raybench.model.plan import Cell, Cluster, needs_ray


def lacks(cell: Cell, cluster: Cluster, refused: Callable[[Cluster], str]) -> str:
    """Say why a cell cannot run on the nodes of its cluster, or ''; a cell without Ray, or without nodes, lacks none.

    refused : says why this machine cannot start such nodes, or ''.
    """
    if not cluster.nodes or not needs_ray(cell):
        return ""
    slots = sum(cpus // cell.cpus_per_task for cpus in cluster.nodes)
    if slots < cell.workers:
        each = f"tasks of {cell.cpus_per_task} CPU{'s' * (cell.cpus_per_task > 1)}"
        return f"asks for {cell.workers} {each} at once, the nodes of cluster {cluster.name} have room for {slots}"
    return refused(cluster)
