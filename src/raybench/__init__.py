"""raybench: measure whether distributing machine-learning work pays, and report it with evidence.

What a workload or a backend of your own imports; each name is loaded when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from raybench.backends.base import Backend, Resources
    from raybench.model.errors import BackendFailed, WrongAnswer
    from raybench.model.measurement import Progress, Task, TaskResult
    from raybench.trial.trial import Trial, try_
    from raybench.workloads.base import Workload

__version__ = "0.1.0"
__all__ = [
    "Backend",
    "BackendFailed",
    "Progress",
    "Resources",
    "Task",
    "TaskResult",
    "Trial",
    "Workload",
    "WrongAnswer",
    "try_",
]

_HOMES = {
    "Backend": "backends.base",
    "BackendFailed": "model.errors",
    "Progress": "model.measurement",
    "Resources": "backends.base",
    "Task": "model.measurement",
    "TaskResult": "model.measurement",
    "Trial": "trial.trial",
    "Workload": "workloads.base",
    "WrongAnswer": "model.errors",
    "try_": "trial.trial",
}


def __getattr__(name: str) -> Any:
    """Load a public name from its module (PEP 562), so that `import raybench` stays cheap."""
    if name not in _HOMES:
        raise AttributeError(f"module 'raybench' has no attribute '{name}'")
    return getattr(importlib.import_module(f"raybench.{_HOMES[name]}"), name)
