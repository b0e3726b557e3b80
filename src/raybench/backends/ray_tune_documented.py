"""Ray Tune as its tutorials show it: a function that captures its data, a new actor per trial, default loggers."""

from types import MappingProxyType

from raybench.backends.base import Resources
from raybench.backends.ray_tune import RayTune

DEFAULTS = MappingProxyType(  # Tune's own, and storage on disk as ~/ray_results is
    {
        "trainable": "function",
        "reuse_actors": False,
        "data": "captured",
        "storage": "disk",
        "concurrency": "unbounded",
        "gate": False,
        "fail_fast": False,
    }
)


class RayTuneDocumented(RayTune):
    """Run the tasks as one `Tuner.fit()` with Tune's defaults; ASHA's rungs are the workload's.

    scheduler : `fifo` or `asha`.
    """

    def __init__(self, resources: Resources, *, scheduler: str = "fifo", reduction_factor: float = 3) -> None:
        super().__init__(resources, scheduler=scheduler, reduction_factor=reduction_factor, **DEFAULTS)
