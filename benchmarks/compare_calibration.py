"""How often `raybench compare` errs, on further runs drawn from the blocks of a recorded one.

python benchmarks/compare_calibration.py RUN [--pairs 1000]

Equal pairs: both runs are drawn from the recorded blocks of each cell, so that nothing differs. Planted: one of the
runs is slower by 10 % or 25 % in every second cell. At most 5 % of equal pairs may hold a false BETTER or WORSE; of the
comparisons that say they would find the planted change, at least 80 % must.
"""

import argparse
import math
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np

from raybench.analysis.compare import Comparison, Outcome, compare
from raybench.analysis.quantities import CellName, Readings
from raybench.report.read_run import find_run, read_one

SAME = 0.05
MOST_FALSE, POWER = 0.05, 0.8


def resample(
    of: Readings, rng: np.random.Generator, *, slower: float = 1.0, cells: Collection[CellName] = ()
) -> Readings:
    """Draw a further run from a run's own blocks; the chosen cells take so many times as long."""
    drawn = {}
    for key, one in of.series.items():
        shift = math.log(slower) * (1 if key[1].more_is_worse else -1) if key[0] in cells else 0.0
        drawn[key] = replace(one, logs=tuple(float(x) for x in rng.choice(one.logs, size=len(one.logs)) + shift))
    return replace(of, series=drawn)


def count_found(found: Comparison, cells: Collection[CellName], planted: float) -> tuple[int, int]:
    """Return how many comparisons promise to find the planted change, and how many of them did."""
    promised = [one for one in found.changes if one.cell in cells and one.judged and one.detectable <= planted - 1]
    return len(promised), sum(one.outcome is Outcome.WORSE for one in promised)


def main() -> int:
    """Print the rates; 1 where one of them is not as promised."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    rng, source = np.random.default_rng(asked.seed), read_one(find_run(asked.run)).readings
    source = replace(source, spin=())
    names = list(dict.fromkeys(cell for cell, _ in source.series))
    false = 0
    for _ in range(asked.pairs):
        found = compare(resample(source, rng), resample(source, rng), same=SAME)
        false += any(one.outcome in (Outcome.WORSE, Outcome.BETTER) for one in found.changes)
    print(f"{len(source.series)} comparisons a pair; false BETTER or WORSE in {false} of {asked.pairs} equal pairs")
    bad = false > MOST_FALSE * asked.pairs
    for planted in (1.10, 1.25):
        counts = np.zeros(2, dtype=int)
        for _ in range(asked.pairs // 4):
            slow = resample(source, rng, slower=planted, cells=frozenset(names[::2]))
            counts += count_found(compare(resample(source, rng), slow, same=SAME), frozenset(names[::2]), planted)
        promised, hit = (int(count) for count in counts)
        share = f"{100 * hit / promised:.1f} % of" if promised else "none promised among"
        print(f"planted {100 * (planted - 1):+.0f} %: found in {share} {promised} comparisons that promise it")
        bad |= promised > 0 and hit < POWER * promised
    return int(bad)


if __name__ == "__main__":
    raise SystemExit(main())
