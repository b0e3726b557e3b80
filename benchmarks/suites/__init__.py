"""ASV's suites, and what they share with the gate and the micro-benchmarks."""
