"""Published figures that stand beside measured ones, read from the claims."""

import math
from collections.abc import Sequence
from pathlib import Path

from raybench.claims import reading

QUANTITY, VARIANT = "rmse_delta", "tuned"


def deltas(conf: Sequence[Path] = ()) -> dict[str, float]:
    """Return by workload the documented gain in error of its tuned model, as a fraction."""
    found: dict[str, float] = {}
    for claim in reading.read(conf):
        for part in claim.parts:
            if part.quantity == QUANTITY and part.given.get("variant") == VARIANT and math.isfinite(part.low):
                found |= dict.fromkeys(part.select.workloads, part.low)
    return found
