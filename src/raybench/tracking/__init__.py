"""Runs, trials and models in MLflow, from stored lines and after measuring; the only place that imports it."""
