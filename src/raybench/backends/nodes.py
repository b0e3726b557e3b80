"""The nodes of a cluster that is joined, watched over one sample: their clocks, load, CPU time and memory."""

from abc import ABC, abstractmethod

from raybench.backends.clocks import Clocks
from raybench.model.measurement import Disturbance


class Nodes(ABC):
    """What is asked of the nodes just before and just after a sample, never meanwhile."""

    @abstractmethod
    def before(self) -> None:
        """Read clocks and counters; BackendFailed where the cluster has not the cell's CPUs any more."""

    @abstractmethod
    def after(self) -> None:
        """Read them again."""

    @property
    @abstractmethod
    def clocks(self) -> Clocks:
        """The nodes' clocks at the last sample, as well as they are known."""

    @property
    @abstractmethod
    def cpu_s(self) -> float | None:
        """CPU seconds that our workers and Ray's daemons used between the two; None where a node did not answer."""

    @property
    @abstractmethod
    def held_bytes(self) -> int:
        """Memory that our workers held after the last sample, all nodes together."""

    @abstractmethod
    def disturbance(self, *, background_share: float) -> Disturbance:
        """Judge each node by itself; the figures are the worst node's, the reasons name theirs."""
