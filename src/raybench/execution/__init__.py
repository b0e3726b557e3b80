"""Run a plan: the runner, its child processes, and what each of them measures."""
