"""The records that the suites read and make, wherever the measured commit keeps them."""

try:
    from raybench.records import Environment, Measurement, Phases, TaskStamp
except ImportError:  # commits before raybench.records
    from raybench.model import Environment, Measurement, Phases, TaskStamp

__all__ = ["Environment", "Measurement", "Phases", "TaskStamp"]
