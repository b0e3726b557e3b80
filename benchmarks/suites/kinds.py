"""The records that the suites read and make, wherever the measured commit keeps them."""

try:
    from raybench.model.measurement import Environment, Measurement, Phases, TaskStamp
except ImportError:  # commits before raybench.model.measurement
    from raybench.model.plan import Environment, Measurement, Phases, TaskStamp

__all__ = ["Environment", "Measurement", "Phases", "TaskStamp"]
