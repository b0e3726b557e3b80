"""The nodes that a run's cells need: started when they are first needed, and ended when others are, or with the run."""

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from raybench.execution.nodes import Nodes
from raybench.execution.sandbox import Home
from raybench.model.plan import Job, needs_ray


class Clusters:
    """At most one cluster at a time: idle nodes of another would not be quiet.

    tell : is told in a sentence what a start was for.
    """

    def __init__(self, home: Home, *, token: str, tell: Callable[[str], None]) -> None:
        self._home, self._token, self._tell = home, token, tell
        self._nodes: Nodes | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def nodes_of(self, jobs: Sequence[Job]) -> Nodes | None:
        """Return the nodes that these jobs of one group run on, all of them alive; None where none is needed.

        Raises RaybenchError where they cannot be started.
        """
        wanted = next((job.cluster for job in jobs if job.cluster.nodes and needs_ray(job.cell)), None)
        if self._nodes is not None and self._nodes.cluster == wanted:
            lost = self._nodes.lost()
            if not lost:
                return self._nodes
            numbers = ", ".join(map(str, lost))
            self._tell(f"cluster '{self._nodes.cluster.name}' has lost node {numbers}; it is started again")
        self._end()
        if wanted is not None:
            self._nodes = Nodes(wanted, self._home, token=self._token).__enter__()
        return self._nodes

    def _end(self) -> None:
        nodes, self._nodes = self._nodes, None
        if nodes is not None:
            nodes.__exit__(None, None, None)
