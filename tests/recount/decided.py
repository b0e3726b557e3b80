"""What follows from the numbers: advice by kind of work, and the number that stands for each claim."""

import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pandas as pd

from raybench.analysis.kinds import Kind, kind_of
from raybench.claims.claim import Claim, Part
from recount.numbers import FULL, WORTH, Line, Numbers, cold, warm
from recount.statistics import E, moderated, random_effects, rank_interval

CONDITION = re.compile(r"(>=|<=|>|<|)\s*(\d+)")
SIGNS = {"": operator.eq, ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
DISTRIBUTE, WARM_ONLY, UNDECIDED, DO_NOT = (
    "distribute", "only where workers stay warm", "undecided", "do not distribute",
)  # fmt: skip
ADVICE = (DISTRIBUTE, WARM_ONLY, UNDECIDED, DO_NOT)
NO_CHOICE = {"control", "ceiling", "cold_start", "baseline", "threaded_baseline"}
Found = tuple[str, E]  # cell, number


@dataclass(frozen=True)
class Advised:
    """A workload with its kind, advice and the cell that the advice is about."""

    workload: str
    kind: Kind | None
    advice: str
    cell: str
    gain: E
    started: E | None


def advise(run: Numbers, doubted: set[str]) -> list[Advised]:
    """Return the advice for each workload with a parallel cell of the same work. doubted : cells not believed."""
    floor = max(WORTH, run.floor)
    specs = {cell.workload.name: cell.workload for cell in run.plan.cells}
    found = []
    for workload, cells in run.cells.groupby("workload", sort=False):
        if "sleep" in cells["tags"].iloc[0] or run.is_sweep(cells.index[0]):
            continue
        ranked = []
        for key, cell in cells.iterrows():
            gains = _gains(run, key) if _is_choice(cell) and cell["P"] > 1 and key not in doubted else []
            if not gains:
                continue
            started = run.speedup(key, cold) or _cold_variant(run, cells, cell, doubted)
            advice = _advice(gains, started, floor)
            lesser = min(gains, key=lambda e: e.point)
            sure = started.low if advice == DISTRIBUTE and started else lesser.low
            ranked.append(((ADVICE.index(advice), -sure, cell["P"], cell["backend"]), advice, key, lesser, started))
        if ranked:
            _, advice, key, gain, started = min(ranked, key=lambda one: one[0])
            found.append(Advised(str(workload), kind_of(specs[workload]), advice, key, gain, started))
    return found


def _is_choice(cell: pd.Series) -> bool:
    return cell["role"] not in NO_CHOICE and "serial" not in cell["backend_tags"]


def _gains(run: Numbers, cell: str) -> list[E]:
    speedup, threads = run.speedup(cell), run.threaded(cell)
    gain = run.ratio(threads, cell) if speedup and threads else None
    return [e for e in (speedup, gain) if e is not None]


def _cold_variant(run: Numbers, cells: pd.DataFrame, cell: pd.Series, doubted: set[str]) -> E | None:
    variants = {c.key: c.backend.variant_of for c in run.plan.cells}
    mine = cells[(cells["role"] == "cold_start") & (cells["P"] == cell["P"])]
    keys = [key for key in mine.index if variants[key] == cell["backend"] and key not in doubted]
    return run.speedup(keys[-1], cold) if keys else None


def _advice(gains: list[E], started: E | None, floor: float) -> str:
    if any(e.high < 1 + floor for e in gains):
        return DO_NOT
    if any(e.low <= 1 + floor for e in gains):
        return UNDECIDED
    return DISTRIBUTE if started is not None and started.low > 1 + floor else WARM_ONLY


# --- claims ---------------------------------------------------------------------------------------


def claim_value(run: Numbers, claim: Claim, part: Part, doubted: set[str]) -> E | None:
    """Return the number that stands for a part: a mean, or that of the cell which decides; None without any."""
    key = (claim.id, claim.parts.index(part))
    if key not in run.kept:
        run.kept[key] = _claim_value(run, claim, part, doubted)
    return run.kept[key]


def _claim_value(run: Numbers, claim: Claim, part: Part, doubted: set[str]) -> E | None:
    found = list(QUANTITY[part.quantity](run, part))
    if claim.kind == "typical":
        mean = _mean_over_workloads(run, part, [one for one in found if one[0] not in doubted])
        if mean is not None:
            return mean
    if not found:
        return None
    edges = _edges(claim, part)
    judged = [(cell, e, _verdict(claim, part, e, edges, weak=cell in doubted), _margin(e, edges)) for cell, e in found]
    if claim.kind == "existence":
        return min(judged, key=lambda one: (one[2] != "SUPPORTED", -one[3]))[1]
    order = ["REFUTED", "INCONCLUSIVE", "SUPPORTED", "ANSWERED", "PREDICTED"]
    return min(judged, key=lambda one: (order.index(one[2]), one[3]))[1]


def selected(run: Numbers, part: Part) -> list[tuple[str, pd.Series]]:
    """Return the cells that a part is about, in reading order."""
    if id(part) not in run.kept:
        run.kept[id(part)] = list(_selected(run, part))
    return run.kept[id(part)]


def _selected(run: Numbers, part: Part) -> Iterator[tuple[str, pd.Series]]:
    select = part.select
    most = max((run.cells.loc[c, "P"] for c in run.cells.index if run.good(c) or run.good(c, second=True)), default=0)
    for key, cell in run.cells.iterrows():
        chosen = (
            not cell["control"]
            and _named(cell["workload"], select.workloads)
            and _named(cell["backend"], select.backends)
            and set(map(str, select.tags)) <= cell["tags"]
            and set(map(str, select.backend_tags)) <= cell["backend_tags"]
            and not set(map(str, select.without)) & cell["tags"]
            and _holds(select.cpus.replace("max", str(most)), cell["P"])
            and _holds(select.tasks, run.tasks(key))
            and (not select.seconds or _holds(select.seconds, _baseline_s(run, key)))
            and (not select.compute_bound or _is_compute_bound(run, key))
        )
        if chosen:
            yield key, cell


def _named(name: str, patterns: Iterable[str]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _holds(condition: str, value: float) -> bool:
    if not condition:
        return True
    sign, bound = CONDITION.fullmatch(condition.strip()).groups()
    return SIGNS[sign](value, float(bound))


def _baseline_s(run: Numbers, cell: str) -> float:
    base = run.baseline(cell)
    seconds = run.values(base, warm) if base else []
    return float(np.median(seconds)) if len(seconds) else math.inf


def _is_compute_bound(run: Numbers, cell: str) -> bool:
    base = run.baseline(cell)
    if base is None or "compute" not in run.cells.loc[base, "tags"]:
        return False
    lines = [line for line in run.good(base).values() if line["seconds"] and line["tasks"]]
    if not lines:
        return not run.good(base)
    spans = [t.ended - t.started for line in lines for t in line["tasks"]]
    busy = [line["cpu_makespan_s"] / line["makespan"] for line in lines if line["cpu_makespan_s"] is not None]
    whole = np.median([line["makespan"] for line in lines])
    return bool(np.median(busy or [0]) >= 0.9 and np.median(spans) >= 0.1 and whole >= 0.3)


def _edges(claim: Claim, part: Part) -> tuple[float, float]:
    if claim.kind == "question" or part.quantity in PREDICTED:
        return (-math.inf, math.inf) if claim.kind == "question" else (part.low, part.high)
    edges = []
    for edge, sign in ((part.low, -1), (part.high, 1)):
        if part.figure:
            edges.append(edge + sign * 0.1 * abs(edge))
        elif part.quantity in RATIOS and edge == 1:
            edges.append(edge + sign * WORTH * (-1 if claim.kind == "existence" else 1))
        else:
            edges.append(edge)
    return edges[0], edges[1]


def _verdict(claim: Claim, part: Part, e: E, edges: tuple[float, float], *, weak: bool) -> str:
    if part.quantity in PREDICTED:
        return "PREDICTED"
    if weak or e.weak or math.isnan(e.point):
        return "INCONCLUSIVE"
    if claim.kind == "question":
        return "ANSWERED" if math.isfinite(e.low) else "INCONCLUSIVE"
    if edges[0] <= e.low and e.high <= edges[1]:
        return "SUPPORTED"
    outer = (part.low, part.high) if claim.kind == "existence" and not part.figure else edges
    return "REFUTED" if e.high < outer[0] or e.low > outer[1] else "INCONCLUSIVE"


def _margin(e: E, edges: tuple[float, float]) -> float:
    rooms = [
        room for edge, room in ((edges[0], e.low - edges[0]), (edges[1], edges[1] - e.high)) if math.isfinite(edge)
    ]
    return min((room for room in rooms if not math.isnan(room)), default=0.0)


def _mean_over_workloads(run: Numbers, part: Part, found: list[Found]) -> E | None:
    """Pool the log efficiencies over workloads; the interval is the 90 % one. Several cells of one count once."""
    by_workload: dict[str, list[Any]] = {}
    for cell, e in found:
        if not e.weak:
            logs = run.log_ratio(run.baseline(cell), cell, warm)
            by_workload.setdefault(run.cells.loc[cell, "workload"], []).append(
                logs._replace(mean=logs.mean - math.log(_divisor(run, cell, part)))
            )
    means = [
        mine[0]._replace(mean=float(np.mean([t.mean for t in mine])), error=float(np.mean([t.error for t in mine])))
        for mine in by_workload.values()
    ]
    both = random_effects(means)
    if both is None:
        return None
    shift = -1.0 if part.quantity == "estimate_error" else 0.0
    low, high = both[0].interval(0.90)
    return E(*(math.exp(x) + shift for x in (both[0].mean, low, high)), len(means))


def _divisor(run: Numbers, cell: str, part: Part) -> float:
    return run.cells.loc[cell, "P"] * run.cap(cell) * part.given.get("assumed", 1.0)


# --- the quantities of claims ---------------------------------------------------------------------


def _speedup(run: Numbers, part: Part, metric: Callable[[Line], float | None] = warm) -> Iterator[Found]:
    for cell, _ in selected(run, part):
        e = run.speedup(cell, cold if part.cold else metric)
        if e:
            yield cell, e


def _efficiency(run: Numbers, part: Part) -> Iterator[Found]:
    for cell, e in _speedup(run, part):
        divisor, shift = _divisor(run, cell, part), -1.0 if part.quantity == "estimate_error" else 0.0
        yield cell, e.map(lambda x, divisor=divisor, shift=shift: x / divisor + shift)


def _search_speedup(run: Numbers, part: Part) -> Iterator[Found]:
    for cell, _ in selected(run, part):
        base = run.baseline(cell)
        if base not in (None, cell) and (e := run.ratio(base, cell)):
            yield cell, e


def _rmse_delta(run: Numbers, part: Part) -> Iterator[Found]:
    workloads = {cell["workload"] for _, cell in selected(run, part)}
    for (workload, variant), (_, _, gain) in run.deltas.items():
        if variant == part.given["variant"] and workload in workloads:
            yield workload, gain


def _of_lines(pick: Callable[[Line], float | None]) -> Callable[[Numbers, Part], Iterator[Found]]:
    def quantity(run: Numbers, part: Part) -> Iterator[Found]:
        for cell, _ in selected(run, part):
            if len(values := run.values(cell, pick)):
                yield cell, rank_interval(values)

    return quantity


def _steps_saved(line: Line) -> float | None:
    return 1 - line["steps_done"] / line["steps_asked"] if line["steps_asked"] else None


def _growth(line: Line) -> float | None:
    """Return the slope of log time over log number of finished tasks, from the fourth on."""
    if len(line["tasks"]) < 8:
        return None
    ends = np.log(np.sort([t.ended for t in line["tasks"]])[3:])
    counts = np.log(np.arange(4, 4 + len(ends)))
    return float(np.cov(counts, ends)[0, 1] / np.var(counts, ddof=1))


def _search_share(run: Numbers, part: Part) -> Iterator[Found]:
    for base in dict.fromkeys(run.baseline(cell) for cell, _ in selected(run, part)):
        lines = [line for _, line in sorted(run.good(base).items()) if line["seconds"]] if base else []
        if lines:
            logs = np.log([line["makespan"] / (line["from_nothing"] + line["data"]) for line in lines])
            yield base, moderated(logs).ratio()


def _gpu_share(run: Numbers, part: Part) -> Iterator[Found]:
    for cell, of in selected(run, part):
        lines, params = run.good(cell), of["params"]
        if lines and "gpus_per_task" in params and params.get("gpus"):
            held = max(_at_once(line["tasks"]) for line in lines.values()) * params["gpus_per_task"] / params["gpus"]
            yield cell, E(held, held, held, len(lines))


def _tasks_at_once(run: Numbers, part: Part) -> Iterator[Found]:
    for cell, of in selected(run, part):
        lines = [line for _, line in sorted(run.good(cell).items()) if line["tasks"]]
        if lines:
            least = min(_at_once(line["tasks"]) for line in lines) / min(len(lines[0]["tasks"]), of["workers"])
            yield cell, E(least, least, least, len(lines))


def _at_once(tasks: Iterable[Any]) -> int:
    edges = pd.DataFrame([(t.started, 1) for t in tasks] + [(t.ended, -1) for t in tasks], columns=["at", "step"])
    return int(edges.sort_values(["at", "step"])["step"].cumsum().max())


def _seconds_per_task(run: Numbers, part: Part) -> Iterator[Found]:
    for cell, _ in selected(run, part):
        time = cold if part.cold else warm
        each = run.values(
            cell, lambda line, time=time: time(line) / len(line["tasks"]) if line["tasks"] and time(line) else None
        )
        if len(each):
            yield cell, moderated(np.log(each)).ratio()


def _workload_ratio(run: Numbers, part: Part) -> Iterator[Found]:
    metric = _brought if part.given["with_data"] else cold if part.cold else warm
    for cell, of in selected(run, part):
        name = part.given["against"].format(name=of["workload"])
        same = run.cells[(run.cells["workload"] == name) & (run.cells["backend"] == of["backend"])]
        same = same[(same["P"] == of["P"]) & (same["workers"] == of["workers"])]
        for other in same.index.drop(cell, errors="ignore"):
            if e := run.ratio(other, cell, metric):
                yield cell, e


def _brought(line: Line) -> float | None:
    return line["warm_up"] + line["makespan"] or None


def _failures(run: Numbers, part: Part) -> Iterator[Found]:
    for cell, of in selected(run, part):
        ended = run.lines[(run.lines["cell"] == cell) & run.lines["status"].isin(["ok", "failed", "timed_out"])]
        told = [line["details"].failures for line in ended.to_dict("records")]
        if any(f and f.planted for f in told):
            retries = int(of["params"].get("retries", 0))
            good = [f is not None and status == "ok" and _is_handled(f, retries, len(tasks))
                    for f, status, tasks in zip(told, ended["status"], ended["tasks"], strict=True)]  # fmt: skip
            yield cell, E(*[sum(good) / len(good)] * 3, len(good))


def _is_handled(failures: Any, retries: int, tasks: int) -> bool:
    planted = sum(failures.planted.values())
    return failures.errors == planted if not retries else failures.errors == 0 and failures.tries >= tasks + planted


def _same_answers(run: Numbers, part: Part) -> Iterator[Found]:
    for cell, _ in selected(run, part):
        base = run.baseline(cell)
        known = {line["answers_hash"] for line in run.good(base).values()} - {""} if base else set()
        mine = [line["answers_hash"] for line in run.good(cell).values()]
        if known and mine:
            share = sum(one in known for one in mine) / len(mine) if len(known) == 1 else 0.0
            yield cell, E(share, share, share, len(mine))


def _utilisation_ratio(run: Numbers, part: Part) -> Iterator[Found]:
    for cell, _ in selected(run, part):
        base = run.baseline(cell)
        if base not in (None, cell) and (e := run.ratio(cell, base, _busy_cores)):
            yield cell, e


def _busy_cores(line: Line) -> float | None:
    return line["cpu_makespan_s"] / line["makespan"] if line["cpu_makespan_s"] and line["seconds"] else None


def _metg_work(run: Numbers, part: Part) -> Iterator[Found]:
    for cell, _ in selected(run, part):
        if (cell, part.given["level"]) in run.metg:
            mark, e = run.metg[cell, part.given["level"]]
            least, most = run.sweep_work_s(cell)
            if mark == ">" or math.isinf(e.low):
                e = E(most, min(e.low, most), math.inf, e.n, e.weak)
            elif mark == "<":
                e = E(least, 0.0, max(e.high, least), e.n, e.weak)
            yield cell, e


def _outside(line: Line) -> float | None:
    return None if cold(line) is None else cold(line) - line["makespan"]


def _start_up(run: Numbers, part: Part) -> Iterator[tuple[str, int, E]]:
    """Yield what a cell spends outside its makespan beyond what the baseline spends there."""
    for cell, of in selected(run, part):
        base = run.baseline(cell)
        if of["P"] == 1 or base in (None, cell):
            continue
        mine, theirs = run.good(cell), run.good(base)
        extra = [_outside(mine[b]) - _outside(theirs[b]) for b in sorted(mine.keys() & theirs.keys())
                 if None not in (_outside(mine[b]), _outside(theirs[b]))]  # fmt: skip
        if extra:
            yield cell, int(of["P"]), rank_interval(np.maximum(0.0, extra))


def _break_even(run: Numbers, part: Part) -> Iterator[Found]:
    for cell, cpus, extra in _start_up(run, part):
        yield cell, extra.map(lambda s, cpus=cpus: s / (1 - 1 / cpus))


def _start_up_share(run: Numbers, part: Part) -> Iterator[Found]:
    for cell, cpus, extra in _start_up(run, part):
        rest = part.given["sequential_s"] / cpus
        yield cell, extra.map(lambda s, rest=rest: s / (s + rest))


def _alternative(run: Numbers, part: Part) -> Iterator[Found]:
    """Compare with the best of other backends, chosen on every other block and compared on the rest."""
    for cell, of in selected(run, part):
        mates = run.beside_cell(cell)
        mates = mates[(mates["P"] == of["P"]) & ~mates["control"]].drop(cell)
        others = [o for o, c in mates.iterrows() if _named(c["backend"], part.given["against"])
                  and run.good(o) and run.work(o) >= FULL]  # fmt: skip
        if not others or run.work(cell) < FULL:
            continue
        pairs = {o: run.both(o, cell, warm) for o in others}
        blocks = sorted(set.intersection(*(set(p.index) for p in pairs.values())))
        logs, seconds = {}, []
        for parity in (0, 1):
            seen = blocks[1 - parity :: 2] or blocks
            best = min(others, key=lambda o, seen=seen: np.log(pairs[o].loc[seen, "top"]).sum())
            for block in blocks[parity::2]:
                row = pairs[best].loc[block]
                logs[block] = math.log(row["top"] / row["bottom"])
                seconds.append(row["bottom"])
        if blocks:
            ordered = np.array([logs[b] for b in blocks])
            yield cell, moderated(ordered, math.exp(np.mean(np.log(seconds))), run.prior(warm)).ratio()


def _task_ratio(run: Numbers, part: Part) -> Iterator[Found]:
    for cell, _ in selected(run, part):
        base = run.baseline(cell)
        if base not in (None, cell) and (e := run.ratio(base, cell, _median_task)):
            yield cell, e


def _median_task(line: Line) -> float | None:
    if line["details"].search:
        return line["details"].search.busy_s / len(line["tasks"]) if line["tasks"] else None
    return float(np.median([t.ended - t.started for t in line["tasks"]])) if line["tasks"] else None


def _cpu_ratio(run: Numbers, part: Part) -> Iterator[Found]:
    for cell, of in selected(run, part):
        mates = run.beside_cell(cell)
        for other, mate in mates[mates["backend"] == part.given["against"]].iterrows():
            same = mate["P"] == of["P"] or other == run.baseline(cell)
            if same and (e := run.ratio(other, cell, lambda line: line["cpu_makespan_s"] or None)):
                yield cell, e


def _utilisation(run: Numbers, part: Part) -> Iterator[Found]:
    for cell, of in selected(run, part):
        if len(busy := run.values(cell, _busy_cores)):
            yield cell, moderated(np.log(busy)).ratio().map(lambda x, cpus=of["P"]: x / cpus)


def _tasks(run: Numbers, part: Part) -> Iterator[Found]:
    for cell, _ in selected(run, part):
        if count := run.tasks(cell):
            yield cell, E(count, count, count, len(run.good(cell)))


QUANTITY: dict[str, Callable[[Numbers, Part], Iterator[Found]]] = {
    "speedup": _speedup,
    "efficiency": _efficiency,
    "estimate_error": _efficiency,
    "search_speedup": _search_speedup,
    "speedup_with_data": lambda run, part: _speedup(run, part, _brought),
    "alternative_ratio": _alternative,
    "rmse_delta": _rmse_delta,
    "steps_saved": _of_lines(_steps_saved),
    "growth": _of_lines(_growth),
    "search_share": _search_share,
    "gpu_share_at_once": _gpu_share,
    "tasks_at_once": _tasks_at_once,
    "seconds_per_task": _seconds_per_task,
    "workload_ratio": _workload_ratio,
    "failures_handled": _failures,
    "same_answers": _same_answers,
    "utilisation_ratio": _utilisation_ratio,
    "metg_work": _metg_work,
    "break_even_s": _break_even,
    "start_up_share": _start_up_share,
    "task_ratio": _task_ratio,
    "cpu_ratio": _cpu_ratio,
    "utilisation": _utilisation,
    "tasks": _tasks,
}
PREDICTED = {"break_even_s", "start_up_share"}
RATIOS = {"speedup", "search_speedup", "speedup_with_data", "workload_ratio", "alternative_ratio", "utilisation_ratio",
          "task_ratio", "cpu_ratio"}  # fmt: skip
