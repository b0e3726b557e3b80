"""Each cell's log ratio to the baseline beside it, round by round."""

import math
from collections.abc import Iterable, Mapping, Sequence

from raybench.model.measurement import Measurement, Sample

Process = tuple[str, int, int, int]  # cell, block, replica, attempt
Group = tuple[int, int]  # block, and number of the group within it


def samples_of(lines: Iterable[Measurement], samples: Iterable[Sample]) -> dict[Process, list[Sample]]:
    """Return the samples of each process that ended in order, by its key and in the order of rounds.

    Samples of a group that was cut off have no line of their process and are left out.
    """
    found: dict[tuple[str, int, int, int], list[Sample]] = {line.key: [] for line in lines}
    for sample in samples:
        if sample.process in found:
            found[sample.process].append(sample)
    return {key: sorted(taken, key=lambda s: s.round) for key, taken in found.items()}


def round_differences(baseline: Sequence[Sample], cell: Sequence[Sample], *, quiet: bool = False) -> list[float]:
    """Return log baseline - log cell for each round of a cell: the mean of the baselines before and after it.

    quiet : leave out rounds in which the cell's sample or one of its baselines was disturbed.
    """
    by_round = {sample.round: sample for sample in baseline}
    found = []
    for sample in cell:
        beside = [by_round[r] for r in (sample.round, sample.round + 1) if r in by_round]
        if not beside or (quiet and any(s.disturbance.reason for s in (sample, *beside))):
            continue
        found.append(sum(math.log(s.seconds) for s in beside) / len(beside) - math.log(sample.seconds))
    return found


def pair_rounds(
    baseline: str, lines: Sequence[Measurement], samples: Sequence[Sample]
) -> Mapping[str, Mapping[Group, list[float]]]:
    """Return, for each cell, the log ratios of each group's rounds to the baseline of the same group.

    baseline : key of the cell; its own second replicas (A/A) are left out. lines : processes that ended in order.
    """
    taken = samples_of(lines, samples)
    beside = {(line.block, line.group): taken[line.key] for line in lines if line.cell == baseline and line.replica % 2}
    found: dict[str, dict[Group, list[float]]] = {}
    for line in lines:
        group = (line.block, line.group)
        if line.cell != baseline and group in beside:
            differences = round_differences(beside[group], taken[line.key])
            if differences:
                found.setdefault(line.cell, {})[group] = differences
    return found
