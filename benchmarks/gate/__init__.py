"""The gate: is this tree slower than its reference? Rounds, their judgement, its calibration, planted regressions."""
