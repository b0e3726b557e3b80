"""Sentences of a comparison of two runs; those of the report are in `texts`."""

from collections.abc import Sequence

from raybench.model import units
from raybench.report.texts import join


def differs(name: str, a: str, b: str) -> str:
    """Say how a fact differs between two runs."""
    return f"{name} {a} -> {b}"


def comparable(ratios_only: str) -> str:
    """Say whether seconds are judged."""
    if ratios_only:
        return f"Comparable in ratios only; seconds are shown and not judged ({ratios_only})."
    return "Comparable in seconds and in ratios: the same machine."


def compared(counts: Sequence[tuple[str, int]], same: float) -> str:
    """Close a comparison. counts : outcomes of all that was judged."""
    total = sum(count for _, count in counts)
    listed = join([f"{count} {word.lower()}" for word, count in counts if count])
    return f"{total} comparisons, same means within +-{units.plain(100 * same)} %: {listed}."


def undecided(middle: float) -> str:
    """Say what the undecided comparisons could have found."""
    return (
        f"Undecided: half of these comparisons find changes only from {100 * middle:.0f} % on (power 0.8). "
        "More blocks narrow them."
    )


def tested_once(claims: int) -> str:
    """Count the claims that only one of the runs can test."""
    return f"{claims} claim{'s are' if claims > 1 else ' is'} tested by one of the two runs only."


def carried(kept: int, total: int) -> str:
    """Say how many verdicts are the same in both runs."""
    return f"{kept} of the {total} claims that both runs test have the same verdict."


def replayed(machine: str, study: str, kept: int, total: int) -> str:
    """Say how many verdicts a run on another machine confirms."""
    return f"On another machine ({machine}, study {study}), {carried(kept, total)[:-1]}:"


def no_replay(run: str, reason: str) -> str:
    """Say why a run of another machine is not compared."""
    return f"The run of another machine ({run}) cannot be compared: {reason}."


REPLAY_LINK = "the two runs compared"
NOT_COMPARABLE = "no cell was measured in both runs (the same workload, sizes, backend and cores)"
ONLY_FEW = "A comparison needs 3 blocks in both runs."
