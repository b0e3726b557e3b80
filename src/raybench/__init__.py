"""raybench: measure whether distributing machine-learning work pays, and report it with evidence."""

__version__ = "0.1.0"
