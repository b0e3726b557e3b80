"""Run the quality pass of a workload in child processes, one per core; nothing is timed, so they may run at once."""

import os
from collections.abc import Set
from contextlib import ExitStack
from dataclasses import dataclass

from raybench.execution.child import Bounds, Child, Cut
from raybench.execution.classify import UNREADABLE, memory_limit
from raybench.execution.environment import NO_GPU, environment
from raybench.execution.sandbox import Home, Sandbox
from raybench.model.measurement import Quality
from raybench.model.plan import Spec
from raybench.model.serialize import decode, to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What came of a pass. fault: '' or which pairs are missing, with the last words of a child."""

    lines: tuple[Quality, ...]  # by pair
    fault: str = ""


def complete(keys: Set[tuple[str, str, int]], workload: str, pairs: int) -> bool:
    """Return whether every pair has the same variants; a pass that was cut off is taken again, and only completed."""
    variants = [{variant for name, variant, pair in keys if name == workload and pair == n} for n in range(pairs)]
    return bool(variants) and bool(variants[0]) and all(found == variants[0] for found in variants)


def take(spec: Spec, home: Home, *, pairs: int, seed: int, timeout_s: float) -> Taken:
    """Take all pairs of a workload; whatever happens, no process and no file is left.

    timeout_s : for each pair. A child that takes longer, and a tree that holds more than the memory allowed, is ended.
    """
    cores = min(pairs, len(os.sched_getaffinity(0)))
    shares = [list(range(pairs))[core::cores] for core in range(cores)]
    lines: list[Quality] = []
    why = ""
    with Sandbox(home, "q") as box, ExitStack() as stack:
        env = environment(spec, threads=1) | NO_GPU | box.variables
        bounds = Bounds(timeout_s=timeout_s, memory_bytes=memory_limit(None), held_bytes=box.held_bytes)
        children = []
        for share in shares:
            child = stack.enter_context(Child("raybench.execution.quality_worker", env=env, cwd=box.scratch))
            box.add(child.process.pid)
            child.send({"quality": to_json(spec), "pairs": share, "seed": seed})
            children.append(child)
        for child in children:
            found, fault = _read(child, bounds)
            lines += found
            why = why or fault
    came = len({line.pair for line in lines})
    fault = f"quality pass of {spec.name}: {came} of {pairs} pairs came: {why}" if came < pairs or why else ""
    return Taken(lines=tuple(sorted(lines, key=lambda line: line.pair)), fault=fault)


def _read(child: Child, bounds: Bounds) -> tuple[list[Quality], str]:
    """Read one child's lines, and why there are no more, or ''."""
    lines = []
    for text in child.lines(bounds):
        try:
            lines.append(decode(Quality, text))
        except UNREADABLE as error:
            return lines, f"an answer cannot be read: {type(error).__name__}: {error}"
    ending = child.end()
    if ending.cut is Cut.TIME:
        return lines, f"no pair within {bounds.timeout_s:g} s; raise limits.cell_timeout_s if it needs longer"
    if ending.cut is Cut.MEMORY:
        return lines, f"out of memory: the process tree held {ending.most_bytes / 2**30:.2f} GiB"
    return lines, "" if ending.returncode == 0 else f"a process {ending.how}: {ending.last_words}"
