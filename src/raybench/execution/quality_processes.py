"""Run the quality pass of a workload in child processes, one per core; nothing is timed, so they may run at once."""

import json
import os
import shutil
import tempfile
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

from raybench.execution.child import Child, environment
from raybench.model.measurement import Quality
from raybench.model.plan import Spec
from raybench.model.serialize import from_json, to_json
from raybench.system import process_tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What came of a pass. fault: '' or which pairs are missing, with the last words of a child."""

    lines: tuple[Quality, ...]  # by pair
    fault: str = ""


def complete(keys: Set[tuple[str, str, int]], workload: str, pairs: int) -> bool:
    """Return whether every pair has the same arms; a pass that was cut off is taken again, and only completed."""
    arms = [{arm for name, arm, pair in keys if name == workload and pair == n} for n in range(pairs)]
    return bool(arms) and bool(arms[0]) and all(found == arms[0] for found in arms)


def take(spec: Spec, *, pairs: int, seed: int, tag: str) -> Taken:
    """Take all pairs of a workload; whatever happens, no process with `tag` is left."""
    folder = Path(tempfile.mkdtemp(prefix="rb"))
    env = environment(spec, threads=1, tag=tag)
    cores = min(pairs, len(os.sched_getaffinity(0)))
    shares = [list(range(pairs))[core::cores] for core in range(cores)]
    children = [Child("raybench.execution.quality_worker", env=env, cwd=folder) for _ in shares]
    lines: list[Quality] = []
    words = ""
    try:
        for child, share in zip(children, shares, strict=True):
            child.send({"quality": to_json(spec), "pairs": share, "seed": seed})
        for child in children:
            lines += [from_json(Quality, json.loads(text)) for text in child.lines()]
            words = child.last_words()
    finally:
        for child in children:
            child.close()
        process_tree.end(tag)
        shutil.rmtree(folder, ignore_errors=True)
    came = len({line.pair for line in lines})
    fault = f"quality pass of {spec.name}: {came} of {pairs} pairs came: {words}" if came < pairs else ""
    return Taken(lines=tuple(sorted(lines, key=lambda line: line.pair)), fault=fault)
