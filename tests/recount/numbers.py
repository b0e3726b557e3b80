"""Every number of a report computed again from the raw lines: ratios, METG, start-up, deltas, controls, drift."""

import math
from collections.abc import Callable
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats as laws

from recount.frames import Frames
from recount.statistics import (
    FEWEST_RESAMPLED,
    RESAMPLES,
    SEED,
    E,
    Prior,
    T,
    blocks_drawn,
    holm,
    moderated,
    percentiles,
    random_effects,
    rank_interval,
    resampled_mean,
    smyth,
)

FULL = 0.999  # of the steps asked for: less is other work
WORTH = 0.05  # the smallest gain worth distributing for
BAND = (0.7, 0.8)
LEVELS = (0.5, *BAND)
Line = dict[str, Any]
Metric = Callable[[Line], float | None]


def warm(line: Line) -> float | None:
    return line["seconds"]


def cold(line: Line) -> float | None:
    return line["cold"]


class Numbers(Frames):
    """The numbers of one run."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.prior = cache(self._prior)
        self.speedup = cache(self._speedup)
        self.log_ratio = cache(self._log_ratio)
        self.both = cache(self._both)
        self.kept: dict[Any, Any] = {}  # what follows from the numbers, computed once

    # --- two cells side by side -------------------------------------------------------------------

    def _both(self, top: str, bottom: str, metric: Metric) -> pd.DataFrame:
        """Return a metric of two cells by block; a cell measured twice a block counts with the mean log of both."""
        found = _side_by_side(self.good(top), self.good(bottom), metric)
        for column, of, other in (("top", top, bottom), ("bottom", bottom, top)):
            if of != other and self.good(of, second=True):
                twice = _side_by_side(self.good(of), self.good(of, second=True), metric)
                for block, row in twice.iterrows():
                    together = block in self.good(other) and block in found.index
                    if together and self.good(other)[block]["group"] == self.good(of, second=True)[block]["group"]:
                        found.loc[block, column] *= math.sqrt(row["bottom"] / row["top"])
        return found.sort_index()

    def _prior(self, metric: Metric) -> Prior | None:
        differences, seconds = [], []
        for cell in self.cells.index:
            base = self.baseline(cell)
            if base not in (None, cell) and not self.is_sweep(cell):
                pair = self.both(base, cell, metric)
                differences.append(np.log(pair["top"] / pair["bottom"]).to_numpy())
                seconds.append(_geometric(pair["bottom"]) if len(pair) else 0.0)
        return smyth(differences, seconds)

    def _log_ratio(self, top: str, bottom: str, metric: Metric) -> T | None:
        pair = self.both(top, bottom, metric)
        prior = self.prior(metric) if metric in (warm, cold) else None
        if pair.empty:
            return None
        return moderated(np.log(pair["top"] / pair["bottom"]).to_numpy(), _geometric(pair["bottom"]), prior)

    def ratio(self, top: str | None, bottom: str, metric: Metric = warm) -> E | None:
        found = self.log_ratio(top, bottom, metric) if top else None
        return found.ratio() if found else None

    # --- one cell ---------------------------------------------------------------------------------

    def values(self, cell: str, pick: Metric) -> np.ndarray:
        """Return a number of each good block, in order."""
        found = [pick(line) for _, line in sorted(self.good(cell).items())]
        return np.array([value for value in found if value is not None], float)

    def tasks(self, cell: str) -> int:
        return max((len(line["tasks"]) for line in self.good(cell).values()), default=0)

    def work(self, cell: str) -> float:
        asked, done = (self.values(cell, lambda line, name=name: line[name]) for name in ("steps_asked", "steps_done"))
        return float(np.median(done) / np.median(asked)) if len(asked) and np.median(asked) else 1.0

    def _speedup(self, cell: str, metric: Metric = warm) -> E | None:
        """Return the sequential baseline / the cell; None where there is none, or where the work differs."""
        base = self.baseline(cell)
        if base in (None, cell) or self.is_sweep(cell) or self.work(cell) < FULL:
            return None
        return self.ratio(base, cell, metric)

    def base_seconds(self, cell: str) -> float:
        base = self.baseline(cell)
        return float(np.median(self.both(base, cell, warm)["top"]))

    def cap(self, cell: str) -> float:
        """Return the largest efficiency that so many equal tasks allow."""
        of, tasks = self.cells.loc[cell], self.tasks(cell)
        return min(1.0, tasks * of["per_task"] / (of["P"] * math.ceil(tasks / of["workers"]))) if tasks else 1.0

    @cached_property
    def starts(self) -> dict[tuple[str, int], E]:
        """Return by backend and P the seconds of start-up, of the workload where they are least."""
        found: dict[tuple[str, int], E] = {}
        for key, cell in self.cells.iterrows():
            lines = self.good(key)
            loop = "serial" in cell["backend_tags"] or cell["role"] == "threaded_baseline"
            if cell["P"] == 1 or loop or cell["control"] or not len(self.values(key, cold)):
                continue
            start = rank_interval([line["start_up"] for line in lines.values()])
            kept = found.get((cell["backend"], cell["P"]))
            if start.point > 0 and (kept is None or start.point < kept.point):
                found[cell["backend"], cell["P"]] = start
        return found

    # --- granularity ------------------------------------------------------------------------------

    @cached_property
    def metg(self) -> dict[tuple[str, float], tuple[str, E]]:
        """Return by cell and level the censoring mark and the useful seconds of the shortest task."""
        found = {}
        for cell in self.cells.index[~self.cells["control"]]:
            base = self.baseline(cell)
            if self.is_sweep(cell) and base not in (None, cell):
                found |= {(cell, level): one for level, one in self._metg(cell, base).items()}
        return found

    def sweep_work_s(self, cell: str) -> tuple[float, float]:
        """Return the useful seconds of the shortest and of the longest task of a sweep."""
        works, _, unit, _ = self._sweep(cell, self.baseline(cell))
        return min(works) * float(np.median(unit)), max(works) * float(np.median(unit))

    def _sweep(self, cell: str, base: str | None) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
        mine = {b: line["sweep"] for b, line in self.good(cell).items() if line["sweep"]}
        theirs = {b: line["sweep"] for b, line in self.good(base).items() if line["sweep"]}
        blocks = sorted(mine.keys() & theirs.keys())
        table = pd.DataFrame(
            [(b, p.work, p.tasks, p.wall_s) for b in blocks for p in mine[b]], columns=["b", "work", "tasks", "wall"]
        )
        walls = table.pivot_table(index="work", columns="b", values="wall", aggfunc="last").dropna()
        longest = [max(theirs[b], key=lambda p: p.work) for b in blocks]
        unit = np.array([p.wall_s / p.work / p.tasks for p in longest])
        return walls.index.to_numpy(float), walls.to_numpy(), unit, int(table["tasks"].max()) if len(table) else 0

    def _metg(self, cell: str, base: str) -> dict[float, tuple[str, E]]:
        works, walls, unit, tasks = self._sweep(cell, base)
        if not len(works):
            return {}
        scale, n = self.cells.loc[cell, "P"] / tasks, len(unit)
        medians = scale * np.median(walls, axis=1)[None, :]
        middle = np.array([np.median(unit)])
        found = {}
        for level in LEVELS:
            point = float(_crossing(works, medians, middle, level)[0])
            mark = "<" if point == 0 else ">" if math.isinf(point) else ""
            shown = {"<": medians.min(), ">": medians.max()}.get(mark, point)
            low, high = 0.0, math.inf
            if n >= FEWEST_RESAMPLED:
                chosen = blocks_drawn(n)
                drawn = scale * np.stack([np.median(wall[chosen], axis=1) for wall in walls], axis=1)
                units = np.median(unit[chosen], axis=1)
                crossed = _crossing(works, drawn, units, level)
                if mark != ">":
                    crossed = np.where(np.isinf(crossed), _fitted(works, drawn, units, level), crossed)
                low, high = percentiles(crossed)
            found[level] = mark, E(level * shown, level * low, level * high, n, n < FEWEST_RESAMPLED)
        return found

    def peak(self, cell: str) -> float:
        """Return the largest efficiency of a sweep."""
        works, walls, unit, tasks = self._sweep(cell, self.baseline(cell))
        if not len(works):
            return 0.0
        each = np.median(walls, axis=1) * self.cells.loc[cell, "P"] / tasks
        return float((works * np.median(unit) / each).max())

    # --- the run as a whole -----------------------------------------------------------------------

    @cached_property
    def timed(self) -> tuple[float, float, float]:
        """Return the wall time, its timed part (makespans and cold starts), and the makespans alone."""
        samples = self.samples.assign(whole=self.samples["seconds"] * self.samples["loops"])
        keys = ["cell", "block", "replica", "attempt"]
        sampled = set(samples[keys].itertuples(index=False, name=None))
        alone = [
            line["makespan"] for line in self.lines.to_dict("records") if tuple(line[k] for k in keys) not in sampled
        ]
        makespans = samples["whole"].sum() + sum(alone)
        outside = (self.lines["from_nothing"] - self.lines["makespan"]).sum()
        ended = self.lines["began"] + self.lines["from_nothing"] + self.lines["data"] + self.lines["check"]
        wall = max([ended.max(), *(samples["began"] + samples["whole"])])
        return wall, makespans + outside, makespans

    def all_rounds_against_quiet(self) -> pd.Series:
        """Return by cell the log speedup of all rounds less that of quiet ones."""
        every = Numbers.__new__(Numbers)
        every.__dict__ |= {k: v for k, v in self.__dict__.items() if k in ("plan", "loaded", "environment", "cells",
                                                                          "lines", "samples", "qualities")}  # fmt: skip
        every.both = cache(every._both)
        every.busy = set(self.lines["cell"])
        found = {}
        for cell in self.cells.index:
            base = self.baseline(cell)
            if base not in (None, cell) and cell not in self.busy and not self.is_sweep(cell):
                logs = [
                    np.log(p["top"] / p["bottom"]).mean()
                    for p in (every.both(base, cell, warm), self.both(base, cell, warm))
                ]
                found[cell] = logs[0] - logs[1]
        return pd.Series(found, dtype=float).dropna()

    # --- errors -----------------------------------------------------------------------------------

    @cached_property
    def deltas(self) -> dict[tuple[str, str], tuple[E, E, E]]:
        """Return by workload and model: error of the baseline, of the model, and the relative gain."""
        found = {}
        if self.qualities.empty:
            return found
        for (workload, variant), group in self.qualities.groupby(["workload", "variant"], sort=False):
            mine = group.sort_values("pair")
            base, tuned = mine["baseline_test"].to_numpy(), mine["tuned_test"].to_numpy()
            gain = 1 - tuned.mean() / base.mean()
            ends = (-math.inf, math.inf) if len(mine) < FEWEST_RESAMPLED else percentiles(self._gains(mine))
            found[workload, variant] = (resampled_mean(base), resampled_mean(tuned), E(gain, *ends, len(mine)))
        return found

    def _gains(self, mine: pd.DataFrame) -> np.ndarray:
        """Resample pairs, and anew within each drawn pair its test rows."""
        n, chosen = len(mine), blocks_drawn(len(mine))
        sizes = [min(len(a), len(b)) for a, b in zip(mine["baseline_errors"], mine["tuned_errors"], strict=True)]
        if not min(sizes):
            base, tuned = mine["baseline_test"].to_numpy()[chosen], mine["tuned_test"].to_numpy()[chosen]
            return 1 - tuned.mean(axis=1) / base.mean(axis=1)
        drawn = {"baseline_errors": np.empty((n, RESAMPLES)), "tuned_errors": np.empty((n, RESAMPLES))}
        lengths = mine["baseline_errors"].map(len).to_numpy()
        for size in dict.fromkeys(lengths):
            places = np.flatnonzero(lengths == size)
            counts, orders = _rows_drawn(int(size), len(places))
            for column, place in enumerate(places):
                for name, table in drawn.items():
                    means = (counts @ np.asarray(mine[name].iloc[place], float)) / size
                    means = means[orders[column]]
                    table[place] = np.sqrt(means) if mine["metric"].iloc[place] == "rmse" else means
        rng = np.random.default_rng([SEED, n, 2])
        where = np.stack([rng.permutation(RESAMPLES) for _ in range(n)], axis=1)
        base, tuned = (drawn[name][chosen, where].mean(axis=1) for name in ("baseline_errors", "tuned_errors"))
        return 1 - tuned / base

    # --- controls ---------------------------------------------------------------------------------

    @cached_property
    def contended(self) -> bool:
        return bool((self.environment.facts.get("host_state") or {}).get("spread", 0) > 0.03)

    @cached_property
    def same(self) -> list[T]:
        """Return the A/A ratio of every cell that was measured twice a block."""
        found = []
        for cell in self.cells.index:
            if self.good(cell, second=True):
                pair = _side_by_side(self.good(cell), self.good(cell, second=True), warm).sort_index()
                logs = np.log(pair["top"] / pair["bottom"]).to_numpy()
                found.append(moderated(logs, _geometric(pair["bottom"]) if len(pair) else 1.0, self.prior(warm)))
        return found

    @cached_property
    def pooled(self) -> E | None:
        """Return the A/A ratio over all workloads with its 90 % interval."""
        known = [t for t in self.same if math.isfinite(t.error)]
        both = random_effects(known)
        mean = both[0] if both else next(iter(known), None)
        if mean is None:
            return None
        low, high = np.exp(mean.interval(0.90))
        return E(math.exp(mean.mean), float(low), float(high), mean.n)

    @property
    def floor(self) -> float:
        return max(abs(self.pooled.low - 1), abs(self.pooled.high - 1)) if self.pooled else 0.0

    @cached_property
    def controls(self) -> dict[str, int]:
        """Count the controls by outcome."""
        rows = self._control_rows()
        judged = [row for row in rows if math.isfinite(row[0].error)]
        p = holm([min(t.p_below(low) if low > -math.inf else 1.0, t.p_above(high) if high < math.inf else 1.0)
                  for t, low, high in judged])  # fmt: skip
        counts = {"passed": 0, "missed": 0, "open": len(rows) - len(judged)}
        for (t, low, high), adjusted in zip(judged, p, strict=True):
            ends = t.interval(0.90)
            inside = low <= ends[0] and ends[1] <= high
            counts["missed" if adjusted < 0.05 else "passed" if inside else "open"] += 1
        return counts

    def _control_rows(self) -> list[tuple[T, float, float]]:
        edge = 0.05 if self.contended else 0.02
        rows = [(t, math.log1p(-edge), math.log1p(edge)) for t in self.same]
        for key, cell in self.cells.iterrows():
            lines = [line for _, line in sorted(self.good(key).items()) if line["seconds"]]
            base = self.baseline(key)
            if "sleep" in cell["tags"] and "seconds" in cell["params"] and not cell["control"]:
                stamped = [line for line in lines if line["tasks"]]
                if stamped:
                    ideal = math.ceil(len(stamped[0]["tasks"]) / cell["workers"]) * cell["params"]["seconds"]
                    logs = np.log([line["makespan"] / ideal for line in stamped])
                    rows.append((moderated(logs), math.log(0.98), math.log(1.02) if key == base else math.inf))
            if base not in (None, key) and "overhead_s" in cell["backend_params"] and not self.is_sweep(key):
                rows += self._overhead(key, base, lines)
            if base and cell["P"] > 1 and cell["role"] == "ceiling":
                mine = {b: _copies(line) for b, line in self.good(key).items()}
                alone = _side_by_side(self.good(base), mine, lambda line: line["seconds"])
                if len(alone):
                    rows.append(
                        (moderated(np.log(alone["top"] / alone["bottom"]).to_numpy()), -math.inf, math.log(1.02))
                    )
        return rows

    def _overhead(self, cell: str, base: str, lines: list[Line]) -> list[tuple[T, float, float]]:
        pair = self.both(cell, base, warm)
        counts = [len(line["tasks"]) for line in self.good(cell).values() if line["tasks"]]
        if pair.empty or not counts:
            return []
        told = [line["details"].injected_s for line in lines if line["details"].injected_s is not None]
        each = np.median(told) if told else self.cells.loc[cell, "backend_params"]["overhead_s"]
        expected = pair["bottom"] + counts[0] * each
        logs = np.log(pair["top"] / expected).to_numpy()
        return [(moderated(logs, _geometric(expected), self.prior(warm)), math.log(0.98), math.log(1.02))]

    @cached_property
    def drift(self) -> E:
        """Return by how much times grew over the run, from the slope of 400 bins of log times."""
        table = pd.DataFrame(
            [(cell, line["began"], math.log(line["makespan"])) for cell in self.cells.index
             for line in self.good(cell).values() if line["seconds"]], columns=["cell", "at", "log"],
        )  # fmt: skip
        sizes = table.groupby("cell")["log"].transform("size")
        table = table[sizes > 1].sort_values("at", kind="stable")
        if len(table) < 6:
            return E(math.nan, -math.inf, math.inf, len(table))
        table["log"] -= table.groupby("cell")["log"].transform("median")
        bins = np.arange(len(table)) * min(len(table), 400) // len(table)
        binned = table.groupby(bins)[["at", "log"]].median()
        fit = laws.theilslopes(binned["log"], binned["at"], alpha=0.95)
        length = table["at"].iloc[-1] - table["at"].iloc[0]
        return E(*(math.expm1(slope * length) for slope in (fit.slope, fit.low_slope, fit.high_slope)), len(table))


# --- pieces ---------------------------------------------------------------------------------------


def _geometric(values: pd.Series) -> float:
    return math.exp(np.log(values).mean())


def _side_by_side(top: dict[int, Line], bottom: dict[int, Line], metric: Metric) -> pd.DataFrame:
    rows = {}
    for block in sorted(top.keys() & bottom.keys()):
        a, b = top[block], bottom[block]
        together = _common_rounds(a, b) if metric is warm else None
        values = together or (metric(a), metric(b))
        if None not in values:
            rows[block] = values
    return pd.DataFrame.from_dict(rows, orient="index", columns=["top", "bottom"], dtype=float)


def _common_rounds(a: Line, b: Line) -> tuple[float, float] | None:
    """Return two makespans whose ratio is that of their common rounds: of the baseline, before and after each."""
    if not (a.get("rounds") and b.get("rounds")):
        return None
    if b["beside"] and b["beside_cell"] == a["cell"]:
        d = _over_baseline(b)
        return None if d is None else (b["seconds"] * math.exp(d), b["seconds"])
    if a["beside"] and a["beside_cell"] == b["cell"]:
        d = _over_baseline(a)
        return None if d is None else (a["seconds"], a["seconds"] * math.exp(d))
    if [a[k] for k in ("block", "group", "attempt")] != [b[k] for k in ("block", "group", "attempt")]:
        return None
    common = sorted(a["rounds"].keys() & b["rounds"].keys())
    if not common:
        return None
    return tuple(math.exp(np.mean([math.log(line["rounds"][r]) for r in common])) for line in (a, b))


def _over_baseline(line: Line) -> float | None:
    found = []
    for number, seconds in line["rounds"].items():
        near = [math.log(line["beside"][r]) for r in (number, number + 1) if r in line["beside"]]
        if near:
            found.append(np.mean(near) - math.log(seconds))
    return float(np.mean(found)) if found else None


def _copies(line: Line) -> Line:
    copies = line["details"].copies_s
    return {**line, "rounds": None, "seconds": float(np.mean(copies)) if copies else line["seconds"]}


def _crossing(works: np.ndarray, gran: np.ndarray, unit: np.ndarray, level: float) -> np.ndarray:
    """Return, per row, the granularity at which the efficiency falls to the level; works rise."""
    kept = works * unit[:, None] / gran >= level
    best = np.argmin(np.where(kept, gran, np.inf), axis=1)
    rows = np.arange(len(gran))
    at, below = gran[rows, best], gran[rows, np.maximum(best - 1, 0)]
    b = (at - below) / np.where(best > 0, works[best] - works[np.maximum(best - 1, 0)], 1)
    a = below - b * works[np.maximum(best - 1, 0)]
    with np.errstate(divide="ignore", invalid="ignore"):
        between = unit * a / (unit - level * b)
    found = np.where((best > 0) & (below < at), between, at)
    found = np.where(kept.all(axis=1), 0.0, found)
    return np.where(kept.any(axis=1), found, np.inf)


def _fitted(works: np.ndarray, gran: np.ndarray, unit: np.ndarray, level: float) -> np.ndarray:
    """Return the same from a straight line through all steps, each weighted by its relative error."""
    found = np.empty(len(gran))
    design = np.column_stack([np.ones_like(works), works])
    for i, row in enumerate(gran):
        (a, b), *_ = np.linalg.lstsq(design / row[:, None], np.ones_like(row), rcond=None)
        rest = unit[i] - level * b
        found[i] = max(0.0, a) * unit[i] / rest if rest > 0 else np.inf
    return found


@cache
def _rows_drawn(size: int, pairs: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return how often each test row is drawn in each resample, and the order in which each pair takes them."""
    rng = np.random.default_rng([SEED, size, 1])
    counts = np.zeros((RESAMPLES, size), dtype=np.float32)
    for start in range(0, RESAMPLES, 1000):
        drawn = rng.integers(0, size, size=(min(1000, RESAMPLES - start), size))
        for i, row in enumerate(drawn):
            counts[start + i] = np.bincount(row, minlength=size)
    return counts, [rng.permutation(RESAMPLES) for _ in range(pairs)]
