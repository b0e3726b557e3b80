"""How wide an interval will be before there are enough groups to tell: from the state of the host alone."""

import math

import scipy.stats

BETWEEN_PROCESSES = 0.006  # sd of log seconds between equal processes; they keep it for life
MOST_GROUPS = 100  # beyond which no study goes


def half_width(*, step: float, groups: int, rounds: int, seconds: float = 1.0) -> float:
    """Return the half-width to expect of a speedup's 95 % interval, as a fraction.

    step : sd of the change of the log speed from one second to the next, over sqrt 2. groups, rounds : of the study.
    seconds : of one makespan. The part within a group falls with the rounds and with the length of a makespan; the
    part between processes (sd 0.6 %, of baseline and cell) only with the groups.
    """
    one = step**2 / min(seconds, 10.0)
    within = one + one / 2  # the cell, and the mean of two baselines beside it
    variance = (within / rounds + 2 * BETWEEN_PROCESSES**2) / groups
    degrees = 3 * (groups - 1)  # moderation adds about two cells' worth
    return float(scipy.stats.t.ppf(0.975, degrees) * math.sqrt(variance))


def groups_for(width: float, *, step: float, rounds: int) -> int | None:
    """Return with how many groups an interval of that half-width is to be expected; None beyond 100."""
    counts = range(2, MOST_GROUPS + 1)
    return next((n for n in counts if half_width(step=step, groups=n, rounds=rounds) <= width), None)
