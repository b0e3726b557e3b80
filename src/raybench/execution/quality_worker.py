"""The child process of the quality pass; apart from `worker`, so that no measurement pays for its imports."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from raybench.execution.measure import load_workload
from raybench.execution.quality_pass import quality_pass
from raybench.execution.worker import serve
from raybench.model.measurement import Quality
from raybench.model.plan import Spec
from raybench.model.serialize import from_json


def main() -> int:
    """Serve one request of the runner: the quality pass of one workload."""
    return serve(_answers)


def _answers(request: Mapping[str, Any], began: float) -> Iterator[Quality]:
    spec = from_json(Spec, request["quality"])
    share = request["pairs"]
    yield from quality_pass(spec.name, load_workload(spec), max(share) + 1, request["seed"], only=share)


if __name__ == "__main__":
    sys.exit(main())
