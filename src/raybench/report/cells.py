"""Rows as tables: every planned cell, warm and cold apart, each kind of ratio in a table of its own."""

from collections.abc import Callable, Sequence

from raybench.analysis.speedup import BAND
from raybench.model import units
from raybench.model.estimate import Estimate, Row, VerdictKind
from raybench.model.plan import Cell, Role, Status
from raybench.report.tables import Entry, Table, number, one_line, word

REASON_CHARS = 160  # of a reason in RESULTS.md; the HTML page has all of it
NAMES = ("workload", "backend", "P")
STRONG = "Scaling: strong (the same work on any P)."  # weak scaling is not measured
Column = tuple[str, Callable[[Row], Estimate | None], Callable[..., str]]  # heading, number, how it is written


def anchor(cell: Cell) -> str:
    """Name a cell in the HTML page."""
    return f"cell-{cell.key}"


def cores(cell: Cell) -> str:
    """Write P, and what differs from one worker per core."""
    parts = [str(cell.cpus)]
    if cell.workers != cell.cpus:
        parts.append(f"{cell.workers} worker{'s' if cell.workers > 1 else ''}")
    if cell.gpus:
        parts.append(f"{units.plain(cell.gpus)} GPU")
    return ", ".join(parts)


def status(row: Row) -> str:
    """Say how a cell ended: `ok`, or the counts of what is not."""
    told = (Status.OK, Status.DISTURBED) if row.n else (Status.OK,)  # the flags tell of disturbed ones
    bad = {name: count for name, count in row.counts.items() if count and name not in told}
    if not bad:
        return "ok" if row.n else "not measured yet"
    if set(bad) == {Status.SKIPPED}:
        return "skipped"
    return ", ".join(f"{count} {str(name).replace('_', ' ')}" for name, count in bad.items())


def note(row: Row, *, chars: int = REASON_CHARS) -> str:
    """Say what a reader must know beside the numbers: how the cell ended, why, and its flags."""
    reason, ended = clip(row.reason, chars), status(row)
    said = [f"{ended}: {reason}" if reason and ended != "ok" else reason or ended]
    if row.time_to_score is not None:
        said.append(f"{units.plain(100 * row.work_ratio)} % of the steps: a time to score, no speedup")
    said += row.flags
    if row.doubts:
        said.append(f"not believed: {', '.join(row.doubts)}")
    return "; ".join(said if len(said) == 1 or said[0] != "ok" else said[1:])


def clip(reason: str, chars: int = REASON_CHARS) -> str:
    """Shorten a reason to one line that a table can hold."""
    reason = one_line(reason)
    return reason if len(reason) <= chars else reason[: chars - 1] + "…"


def names(row: Row) -> tuple[Entry, ...]:
    """Return the first entries of every line about a cell."""
    cell = row.cell
    return (
        Entry(cell.workload.name, code=True, ref=anchor(cell)),
        Entry(cell.backend.name, code=True),
        number(cores(cell), cell.cpus + cell.gpus / 1000),
    )


def warm(rows: Sequence[Row], *, verdicts: bool) -> Table:
    """List every planned cell: base, time, speedup, efficiency, verdict on the documented band."""
    columns = (*NAMES, "n", "base", "base time", "time", "speedup", "efficiency", "0.7–0.8", "notes")
    lines = [
        (
            *names(row),
            number(str(row.n), row.n),
            word(row.base_kind or units.ABSENT),
            _entry(row.base, units.seconds, row.n),
            _entry(row.makespan, units.seconds, row.n),
            _entry(row.speedup, units.ratio, row.n),
            _entry(row.efficiency, units.share, row.n),
            word(judge_efficiency(row) if verdicts else units.ABSENT),
            word(note(row)),
        )
        for row in rows
    ]
    caption = (
        "Every planned cell, warm: from the first dispatch to the last result, workers started and data with them. "
        "Median [95 % interval]; n blocks; speedup and efficiency only against the base named in the row. "
        f"{STRONG} 0.7–0.8: the verdict on the documented efficiency. "
        "–: a loop or a control has no base of its own, a search that stopped early no speedup."
    )
    return _table("warm", columns, lines, caption)


def judge_efficiency(row: Row) -> str:
    """Write the verdict on the documented band, and on which side of it a refuted efficiency lies."""
    if row.band is None or row.efficiency is None:
        return units.ABSENT
    side = ", above" if row.efficiency.low > BAND[1] else ", below"
    return f"{row.band}{side if row.band is VerdictKind.REFUTED else ''}"


def cold(rows: Sequence[Row]) -> Table:
    """List the parts of a cold start, for cells that were measured."""
    columns: tuple[Column, ...] = (
        ("start-up", lambda row: row.start_up, units.seconds),
        ("warm-up", lambda row: row.warm_up, units.seconds),
        ("shutdown", lambda row: row.shutdown, units.seconds),
        ("cold time", lambda row: row.cold, units.seconds),
        ("base, cold", lambda row: row.base_cold, units.seconds),
        ("speedup, cold", lambda row: row.speedup_cold, units.ratio),
    )
    caption = (
        "Cold: interpreter, imports, start-up, warm-up, work and shutdown; loading the data is in no ratio. "
        f"Base: the one-thread loop, cold too. No cold time (–): the cell joined a Ray head that was up. {STRONG}"
    )
    return _estimates("cold", [row for row in rows if row.n], columns, caption)


def gain(rows: Sequence[Row]) -> Table:
    """List the gain over the threaded baseline on all P cores: what a practitioner gains, no efficiency."""
    threaded = [row for row in rows if row.cell.backend.role is Role.THREADED_BASELINE]
    loops = {(row.cell.workload.name, row.cell.cpus): row for row in threaded}

    def base(row: Row) -> Estimate | None:
        loop = loops.get((row.cell.workload.name, row.cell.cpus))
        return loop.makespan if loop else None

    columns: tuple[Column, ...] = (
        ("base time", base, units.seconds),
        ("time", lambda row: row.makespan, units.seconds),
        ("gain", lambda row: row.gain, units.ratio),
    )
    caption = f"Gain, warm: base / time; base: the sequential loop with library threads on all P cores. {STRONG}"
    return _estimates("gain", [row for row in rows if row.gain is not None], columns, caption)


def relative(rows: Sequence[Row]) -> Table:
    """List the same backend on one core against itself on P."""
    ones = {(row.cell.workload.name, row.cell.backend.name): row for row in rows if row.cell.cpus == 1}

    def base(row: Row) -> Estimate | None:
        one = ones.get((row.cell.workload.name, row.cell.backend.name))
        return one.makespan if one else None

    columns: tuple[Column, ...] = (
        ("base time", base, units.seconds),
        ("time", lambda row: row.makespan, units.seconds),
        ("S_rel", lambda row: row.relative, units.ratio),
    )
    caption = (
        "S_rel, warm: base / time; base: the same backend on one core. It hides the backend's own cost per task. "
        f"{STRONG}"
    )
    return _estimates("S_rel", [row for row in rows if row.relative is not None], columns, caption)


def time_to_score(rows: Sequence[Row]) -> Table:
    """List cells that reached their score with less work; no speedup is stated for them."""
    columns = (*NAMES, "steps done", "time", "base / time", "scores", "n")
    lines = [
        (
            *names(row),
            number(f"{units.plain(100 * row.work_ratio)} %", row.work_ratio),
            _entry(row.makespan, units.seconds, row.n),
            _entry(row.time_to_score, units.ratio, row.n),
            word(_scores(row)),
            number(str(row.n), row.n),
        )
        for row in rows
        if row.time_to_score is not None
    ]
    caption = (
        "Time to score, warm: these cells stopped tasks early and did less work than the base (the one-thread loop, "
        "all steps). The ratio mixes work saved with parallel work; it is no speedup."
    )
    return _table("time to score", columns, lines, caption)


def scores(rows: Sequence[Row]) -> Table:
    """List the scores of each cell: they must agree between backends that run every task in full."""
    columns = (*NAMES, "scores on untouched test rows", "n")
    lines = [(*names(row), word(_scores(row)), number(str(row.n), row.n)) for row in rows if row.scores]
    return _table("scores", columns, lines, "Scores over the timing blocks, median [95 % interval].")


def resources(rows: Sequence[Row]) -> Table:
    """List CPU seconds, utilisation and peak memory of the whole process tree."""
    columns: tuple[Column, ...] = (
        ("CPU time", lambda row: row.cpu, units.seconds),
        ("utilisation", lambda row: row.utilisation, units.share),
        ("peak memory", lambda row: row.peak_rss, units.size),
    )
    caption = (
        "Resources of the whole process tree, daemons included: CPU seconds of the whole measurement; "
        "utilisation: CPU seconds within the makespan / (P x makespan); peak resident memory."
    )
    return _estimates("resources", [row for row in rows if row.n], columns, caption)


def _estimates(name: str, rows: Sequence[Row], columns: Sequence[Column], caption: str) -> Table:
    """List some estimates of each row, and its n."""
    lines = [
        (
            *names(row),
            *(_entry(pick(row), write, row.n) for _, pick, write in columns),
            number(str(row.n), row.n),
        )
        for row in rows
    ]
    return _table(name, (*NAMES, *(column for column, _, _ in columns), "n"), lines, caption)


def _scores(row: Row) -> str:
    return ", ".join(f"{name} {units.number(value, with_n=False)}" for name, value in sorted(row.scores.items()))


def _entry(estimate: Estimate | None, write: Callable[..., str], n: int) -> Entry:
    """Write a number; its own n stands beside it only where it is not the row's."""
    return number(
        write(estimate, with_n=estimate is not None and estimate.n != n), estimate.point if estimate else None
    )


def _table(name: str, columns: tuple[str, ...], lines: Sequence[tuple[Entry, ...]], caption: str) -> Table:
    plain = {"workload", "backend", "base", "0.7–0.8", "notes", "scores", "scores on untouched test rows"}
    return Table(name=name, columns=columns, rows=tuple(lines), caption=caption, numeric=frozenset(columns) - plain)
