"""What a joined cluster's workers are given, as Ray's runtime environment: raybench, the user's modules, variables.

A node needs the packages of the lock file, but neither raybench nor the user's code. Imports no ray.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from raybench.backends.node_probe import JOB
from raybench.backends.worker_session import JOINED
from raybench.model.paths import PACKAGE
from raybench.system.process_tree import TAG

PASSED_ON = "RAYBENCH_PASSED_ON"  # names of the driver's variables that its workers get too, joined by commas
COMPILED = ["**/__pycache__/"]


def runtime_env(environ: Mapping[str, str], modules: Iterable[str] = ()) -> dict[str, Any]:
    """Build the environment of a job. modules : paths of files and packages of the user's."""
    names = filter(None, environ.get(PASSED_ON, "").split(","))
    variables = {name: environ[name] for name in names if name in environ}
    return {
        "py_modules": [str(PACKAGE), *modules],
        "env_vars": variables | {JOINED: "1", JOB: environ.get(TAG, "")},
        "excludes": COMPILED,
    }
