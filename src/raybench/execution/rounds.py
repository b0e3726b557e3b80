"""How many rounds a group gets: two in the first blocks, then what the variances seen so far ask for."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from raybench.execution.group import Rounds
from raybench.model.log_ratio import rounds as optimal_rounds
from raybench.model.measurement import Measurement, Sample
from raybench.model.pairing import pair_rounds
from raybench.model.plan import Job, Status
from raybench.planning.groups import is_baseline

FIRST_BLOCKS = 2
FIRST = Rounds(count=2, reason="the first blocks have two")


def choose_rounds(
    jobs: Sequence[Job], lines: Iterable[Measurement], samples: Sequence[Sample], *, spare_s: float = math.inf
) -> Rounds:
    """Choose the rounds of a group from what earlier blocks of its cells showed.

    lines, samples : of the run so far. spare_s : seconds of the budget that further rounds may take.
    """
    if jobs[0].block < FIRST_BLOCKS:
        return FIRST
    keys = {job.cell.key for job in jobs}
    good = [line for line in lines if line.cell in keys and line.status is Status.OK]
    baseline = next((job.cell.key for job in jobs if is_baseline(job.cell)), "")
    differences = pair_rounds(baseline, good, samples)
    within, between = _variances([list(of.values()) for key, of in differences.items() if key != baseline])
    if between is None:
        return FIRST
    blocks = max(1, len({line.block for line in good}))
    fixed_s = sum(line.phases.cold - line.phases.makespan for line in good) / blocks
    round_s = sum(line.phases.makespan for line in good) / blocks
    count = optimal_rounds(fixed_s=fixed_s, round_s=max(round_s, 1e-6), within=within, between=between)
    affordable = FIRST.count + int(max(0.0, spare_s) / max(round_s, 1e-6)) if math.isfinite(spare_s) else count
    if count > affordable:
        return Rounds(count=affordable, reason=f"{count} would be best, the budget has no room for more")
    seconds = f"{fixed_s:.3g} s fixed, {round_s:.3g} s a round"
    return Rounds(count=count, reason=f"variance {within:.2g} within and {between:.2g} between groups, {seconds}")


def _variances(cells: Sequence[Sequence[Sequence[float]]]) -> tuple[float, float | None]:
    """Return the variance of log ratios between rounds of a group, and between groups, pooled over cells.

    cells : for each cell, the rounds of each of its groups. None where fewer than two groups have two rounds.
    """
    within, freedom = 0.0, 0
    means, sizes = [], []
    for groups in cells:
        several = [np.asarray(group) for group in groups if len(group) > 1]
        within += sum(float(((g - g.mean()) ** 2).sum()) for g in several)
        freedom += sum(len(g) - 1 for g in several)
        if len(groups) > 1:
            means.append(np.var([np.mean(group) for group in groups], ddof=1))
            sizes.append(np.mean([len(group) for group in groups]))
    if not freedom or not means:
        return 0.0, None
    s2 = within / freedom
    return s2, float(np.mean(means) - s2 / np.mean(sizes))
