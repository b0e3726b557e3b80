"""Stamps of workers on other machines, brought onto the driver's clock: each machine's clock begins at its own boot."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from raybench.model.measurement import NodeClock, TaskResult

MOST_ERROR_S = 0.001  # the shortest tasks worth distributing take some milliseconds

Clocks = Mapping[str, NodeClock]  # by node


def on_driver_clock(
    results: Sequence[TaskResult], clocks: Clocks | None, *, began: float, ended: float
) -> list[TaskResult] | None:
    """Return the results with their stamps on the driver's clock; None where a node's is not known to MOST_ERROR_S.

    clocks : None where all workers share the driver's. began, ended : the makespan; a stamp that lies outside by no
        more than its clock's error is moved onto its end.
    """
    if clocks is None:
        return list(results)
    if any(result.node not in clocks or clocks[result.node].error_s > MOST_ERROR_S for result in results):
        return None
    return [_moved(result, clocks[result.node], began, ended) for result in results]


def _moved(result: TaskResult, clock: NodeClock, began: float, ended: float) -> TaskResult:
    def at(stamp: float) -> float:
        here = stamp - clock.offset_s
        if began - clock.error_s <= here < began:
            return began
        return ended if ended < here <= ended + clock.error_s else here

    return replace(
        result,
        started=at(result.started),
        ended=at(result.ended),
        points=tuple(replace(point, at=at(point.at)) for point in result.points),
    )
