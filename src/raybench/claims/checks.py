"""Quantities from stamps, counts and CPU seconds: how busy, how many, what became of planted failures."""

import math
from collections.abc import Iterator

import numpy as np

from raybench.analysis.dataset import makespan
from raybench.claims.selection import Sample, Selection, exactly
from raybench.model import units
from raybench.model.measurement import Measurement, TaskStamp
from raybench.model.plan import Status
from raybench.model.stats import Floats, geometric_mean, median_rank_ci, ratio

ENDED = (Status.OK, Status.FAILED, Status.TIMED_OUT)  # disturbed and skipped ones say nothing about an outcome
GROWTH_FROM = 4  # tasks: the first few ends tell about single tasks, not about growth


def utilisation(selection: Selection) -> Iterator[Sample]:
    """Return CPU seconds of the process tree in the makespan / (P x makespan)."""
    for of in selection.cells:
        found = selection.row(of).utilisation
        if found is not None:
            yield selection.sample(of, found)


def utilisation_ratio(selection: Selection) -> Iterator[Sample]:
    """Return the cores that the cell keeps busy / those that the sequential baseline does."""
    for of in selection.cells:
        base = of.baseline
        found = selection.ratio(of, base, _busy_cores) if base is not of else None
        if found:
            yield selection.sample(of, found.estimate(), other=base)


def seconds_per_task(selection: Selection) -> Iterator[Sample]:
    """Return the time of all tasks / their number: what an empty task costs."""
    for of in selection.cells:
        found = [seconds / len(m.tasks) for m in of.in_order if m.tasks and (seconds := selection.seconds(m))]
        if found:
            yield selection.sample(of, geometric_mean(found, selection.material.draws))


def tasks(selection: Selection) -> Iterator[Sample]:
    """Count the tasks of the workload."""
    for of in selection.cells:
        row = selection.row(of)
        if row.tasks:
            yield selection.sample(of, exactly(row.tasks, row.n))


def search_share(selection: Selection) -> Iterator[Sample]:
    """Return the search's share of all that the sequential baseline does, loading of libraries and data included."""
    for of in selection.baselines:
        good = [m for m in of.in_order if makespan(m)]
        if good:
            search = np.array([m.phases.makespan for m in good])
            whole = np.array([m.phases.cold + m.phases.data for m in good])
            yield selection.sample(of, ratio(search, whole, selection.material.draws).estimate())


def gpu_share_at_once(selection: Selection) -> Iterator[Sample]:
    """Return the most GPUs that tasks held at once / the GPUs there are; the tasks' stamps say so."""
    for of in selection.cells:
        params, good = of.cell.workload.params, of.good
        if good and "gpus_per_task" in params and params.get("gpus"):
            held = max(_most_at_once(m.tasks) for m in good.values()) * params["gpus_per_task"]
            kinds = {m.details.gpu.devices for m in good.values() if m.details.gpu}
            note = f"{', '.join(sorted(kinds))} GPUs" if kinds else ""
            yield selection.sample(of, exactly(held / params["gpus"], len(good)), note=note)


def tasks_at_once(selection: Selection) -> Iterator[Sample]:
    """Return the most tasks that ran at once / as many as there are cores and tasks, by the stamps."""
    for of in selection.cells:
        stamped = [m for m in of.in_order if m.tasks]
        if stamped:
            possible = min(len(stamped[0].tasks), of.cell.workers)
            least = min(_most_at_once(m.tasks) for m in stamped)
            yield selection.sample(of, exactly(least / possible, len(stamped)))


def task_ratio(selection: Selection) -> Iterator[Sample]:
    """Return the median task of the sequential baseline / that of the cell, for the same tasks."""
    for of in selection.cells:
        base = of.baseline
        found = selection.ratio(base, of, _median_task_s) if base is not of else None
        if found:
            yield selection.sample(of, found.estimate(), other=base)


def _median_task_s(m: Measurement) -> float | None:
    """Return the median seconds of a task; where a search pauses tasks, of the time that each was at work."""
    if m.details.search:
        return m.details.search.busy_s / len(m.tasks) if m.tasks else None
    return float(np.median([t.ended - t.started for t in m.tasks])) if m.tasks else None


def same_answers(selection: Selection) -> Iterator[Sample]:
    """Return the share of the cell's measurements with the answers of the sequential baseline, over all blocks."""
    for of in selection.cells:
        known = {m.answers_hash for m in of.baseline.good.values()} - {""} if of.baseline else set()
        mine = [m.answers_hash for m in of.good.values()]
        if known and mine:
            same = sum(answers in known for answers in mine) / len(mine) if len(known) == 1 else 0.0
            yield selection.sample(of, exactly(same, len(mine)))


def cpu_ratio(selection: Selection, *, against: str) -> Iterator[Sample]:
    """Return another backend's CPU seconds in the makespan, its whole process tree, / the cell's.

    against : name of the other backend, on as many cores or the sequential baseline.
    """
    for of in selection.cells:
        for other in of.siblings:
            same_cpus = other.cell.cpus == of.cell.cpus or other is of.baseline
            if other.cell.backend.name == against and same_cpus:
                found = selection.ratio(other, of, _cpu_s)
                if found:
                    yield selection.sample(of, found.estimate(), other=other, note=f"against {against}")


def _cpu_s(m: Measurement) -> float | None:
    return m.cpu_makespan_s or None


def failures_handled(selection: Selection) -> Iterator[Sample]:
    """Return the share of measurements with planted failures in which nothing was lost.

    Each planted failure came back as an error that names its task; or was tried again until it was made good.
    """
    for of in selection.cells:
        params = of.cell.workload.params
        ended = [m for m in of.lines if m.status in ENDED]
        planted = [m.details.failures.planted for m in ended if m.details.failures and m.details.failures.planted]
        if planted:
            handled = sum(m.status is Status.OK and _is_handled(m, int(params.get("retries", 0))) for m in ended)
            told = ", ".join(f"{count} x {kind}" for kind, count in sorted(planted[0].items()))
            yield selection.sample(of, exactly(handled / len(ended), len(ended)), note=f"planted: {told}")


def fit_ratio(selection: Selection, *, at_least: float) -> Iterator[Sample]:
    """Return one task / another with fewer steps, both in the baseline: how far a "speedup" of two fits can go.

    The fit with the most steps / that with the fewest; the note counts the pairs of fits that differ `at_least` so.
    """
    for of in selection.baselines:
        good = [m for m in of.in_order if len({t.steps for t in m.tasks}) > 1]
        if not good:
            continue
        longest = max(good[0].tasks, key=lambda t: (t.steps, -t.index))
        shortest = min(good[0].tasks, key=lambda t: (t.steps, t.index))
        spans = np.array([[seconds[longest.index], seconds[shortest.index]] for seconds in map(_seconds, good)])
        share = float(np.mean([_pairs_that_differ(m, at_least) for m in good]))
        top, bottom = np.median(spans, axis=0)
        yield selection.sample(
            of,
            ratio(spans[:, 0], spans[:, 1], selection.material.draws).estimate(),
            note=(
                f"{longest.steps} steps in {units.duration(float(top))}, {shortest.steps} in "
                f"{units.duration(float(bottom))}; {units.plain(100 * share)} % of all pairs of two fits differ by "
                f"{units.plain(at_least)}x or more"
            ),
        )


def growth(selection: Selection) -> Iterator[Sample]:
    """Return the power of k with which the time until k tasks are finished grows; 1 is proportional."""
    for of in selection.cells:
        slopes = [_slope(m) for m in of.in_order if len(m.tasks) >= 2 * GROWTH_FROM]
        if slopes:
            yield selection.sample(of, median_rank_ci(slopes))


def _slope(m: Measurement) -> float:
    ends = np.sort([t.ended for t in m.tasks])[GROWTH_FROM - 1 :]
    count = np.arange(GROWTH_FROM, GROWTH_FROM + len(ends))
    return float(np.polyfit(np.log(count), np.log(ends), 1)[0])


def _busy_cores(m: Measurement) -> float | None:
    return m.cpu_makespan_s / m.phases.makespan if m.cpu_makespan_s and makespan(m) else None


def _most_at_once(stamps: tuple[TaskStamp, ...]) -> int:
    """Count the most tasks at the same time; one that ends as another starts is not at the same time."""
    events = sorted([(t.started, 1) for t in stamps] + [(t.ended, -1) for t in stamps])
    return int(np.max(np.cumsum([step for _, step in events]), initial=0))


def _is_handled(m: Measurement, retries: int) -> bool:
    if (told := m.details.failures) is None:
        return False
    planted = sum(told.planted.values())
    if not retries:
        return told.errors == planted
    return told.errors == 0 and told.tries >= len(m.tasks) + planted


def _seconds(m: Measurement) -> dict[int, float]:
    return {t.index: t.ended - t.started for t in m.tasks}


def _pairs_that_differ(m: Measurement, factor: float) -> float:
    """Return the share of unordered pairs of tasks whose times differ by that factor at least."""
    seconds: Floats = np.sort(list(_seconds(m).values()))
    far = sum(int(np.count_nonzero(seconds[i + 1 :] >= factor * seconds[i])) for i in range(len(seconds)))
    return far / math.comb(len(seconds), 2)
