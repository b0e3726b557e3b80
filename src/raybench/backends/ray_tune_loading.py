"""When this process began to load the trial's modules: imported before everything that takes long."""

from raybench.model.clock import now

LOADING = now()
