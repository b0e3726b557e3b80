"""A comparison of two runs as a reader sees it: sentences and tables, Markdown or JSON."""

import json
import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from raybench.analysis.compare import Change, Comparison, Outcome
from raybench.analysis.quantities import PACKAGE, SETTINGS, CellName, Quantity
from raybench.model import units
from raybench.model.estimate import Estimate
from raybench.model.serialize import encode
from raybench.report import texts_compare
from raybench.report.cells import clip
from raybench.report.tables import Entry, Table, code, escape, markdown, number, word

SHOWN = 60  # characters of a fact's value
HASH, COMMIT = 40, 12  # digits of a whole hash, and of one that is shown
COLUMNS = ("workload", "backend", "P", "A", "B", "B against A", "verdict", "finds")
NUMERIC = frozenset({"P", "A", "B", "B against A", "finds"})
CHANGED = (Outcome.WORSE, Outcome.BETTER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What is shown: lines above the tables, tables, and lines below."""

    above: tuple[str, ...]
    tables: tuple[Table, ...]
    below: tuple[str, ...]


def page(found: Comparison, *, only_changed: bool = False) -> Page:
    """Lay a comparison out. only_changed : leave out what is the same or undecided; the last lines count it."""
    tables = [_table(found, quantity, only_changed=only_changed) for quantity in Quantity]
    return Page(
        above=_above(found), tables=tuple(t for t in tables if t.rows), below=(*_aside(found), *_closing(found))
    )


def as_markdown(shown: Page) -> str:
    """Write a page as Markdown."""
    above = "\n".join(f"- {escape(line)}" for line in shown.above)
    tables = [f"**{escape(table.name)}** {escape(table.caption)}\n\n{markdown(table)}" for table in shown.tables]
    return "\n\n".join([above, *tables, *map(escape, shown.below)])


def as_json(found: Comparison) -> str:
    """Write a comparison as JSON for scripts; what has no number (an unbounded interval) is null."""

    def by_cell(reasons: dict[CellName, str]) -> list[object]:
        return [{"cell": cell, "reason": reason} for cell, reason in reasons.items()]

    document = {
        "outcome": found.outcome if found.comparable else "NOT COMPARABLE",
        "a": found.a,
        "b": found.b,
        "same": found.same,
        "ratios_only": found.ratios_only,
        "differing": found.differing,
        "equal": found.equal,
        "changes": found.changes,
        "geometric_means": found.means,
        "broken": by_cell(dict(found.broken)),
        "mended": by_cell(dict(found.mended)),
        "only_a": [{"cell": cell, "quantity": quantity} for cell, quantity in found.only_a],
        "only_b": [{"cell": cell, "quantity": quantity} for cell, quantity in found.only_b],
        "claims": [{"id": line.id, "a": before, "b": line.verdict} for line, before in found.changed_claims],
        "claims_tested_once": found.tested_once,
    }
    return json.dumps(json.loads(encode(document)), indent=1)


def claims_table(found: Comparison) -> Table:
    """List the claims that both runs test with both verdicts, those that change first."""
    changed = {line.id for line, _ in found.changed_claims}
    return Table(
        name="claims that both runs test",
        columns=("claim", "in A", "in B", "carries over"),
        rows=tuple(
            (
                word(f"{line.id}: {line.statement}"),
                word(before),
                word(line.verdict),
                word("no" if line.id in changed else "yes"),
            )
            for line, before in sorted(found.claims, key=lambda both: both[0].id not in changed)
        ),
    )


def _above(found: Comparison) -> tuple[str, ...]:
    listed = [_differs(name, a, b) for name, (a, b) in found.differing.items()]
    equal = [name for name in found.equal if not name.startswith((PACKAGE, SETTINGS))]
    for prefix, what in ((PACKAGE, "packages"), (SETTINGS, "backends' settings")):
        if alike := sum(name.startswith(prefix) for name in found.equal):
            equal.append(f"{alike} {what}")
    return (
        f"A: {found.a}",
        f"B: {found.b}",
        f"Different: {'; '.join(listed) or 'nothing recorded'}.",
        f"The same: {', '.join(equal) or 'nothing recorded'}.",
        texts_compare.comparable(found.ratios_only),
    )


def _differs(name: str, a: str, b: str) -> str:
    if name.startswith(SETTINGS):
        return name
    a, b = ((v[:COMMIT] if len(v) >= HASH and " " not in v else clip(v, SHOWN)) for v in (a, b))
    return texts_compare.differs(name.removeprefix(PACKAGE), a, b)


def _table(found: Comparison, quantity: Quantity, *, only_changed: bool) -> Table:
    mine = [one for one in found.changes if one.quantity is quantity]
    if only_changed:
        mine = [one for one in mine if one.judged and one.outcome in CHANGED]
    mean = next((one.change for one in found.means if one.quantity is quantity), None)
    judged = all(one.judged for one in mine)
    rows = [_row(one) for one in mine]
    columns = COLUMNS if judged else COLUMNS[:-2]
    return Table(
        name=quantity if judged else f"{quantity} (not judged)",
        columns=columns,
        rows=tuple(row[: len(columns)] for row in rows),
        caption=f"geometric mean {units.percent(_relative(mean), with_n=False)}, {mean.n} cells" if mean else "",
        numeric=NUMERIC & set(columns),
    )


def _row(one: Change) -> tuple[Entry, ...]:
    cell, unit = one.cell, one.quantity.unit
    known = math.isfinite(one.detectable)
    return (
        code(cell.workload),
        code(cell.backend),
        number(_cores(cell), cell.cpus),
        number(_point(one.a, unit), one.a.point),
        number(_point(one.b, unit), one.b.point),
        number(units.percent(_relative(one.change), with_n=False), one.change.point),
        word(one.outcome),
        number(f"{100 * one.detectable:.0f} %" if known else units.ABSENT, one.detectable if known else None),
    )


def _cores(cell: CellName) -> str:
    parts = [str(cell.cpus)]
    if cell.workers > cell.cpus:
        parts.append(f"{cell.workers} workers")
    if cell.gpus:
        parts.append(f"{units.plain(cell.gpus)} GPU")
    return ", ".join(parts)


def _point(estimate: Estimate, unit: str) -> str:
    return units.duration(estimate.point) if unit == "s" else f"{units.plain(estimate.point)}{unit}"


def _relative(estimate: Estimate) -> Estimate:
    """Return a ratio as a relative change; without an interval where it has no end."""
    low = estimate.low - 1 if math.isfinite(estimate.high) else -math.inf
    return replace(estimate, point=estimate.point - 1, low=low, high=estimate.high - 1)


def _aside(found: Comparison) -> tuple[str, ...]:
    lines = [f"WORSE: {_name(cell)} fails in B: {clip(why)}" for cell, why in found.broken.items()]
    lines += [f"BETTER: {_name(cell)} failed in A: {clip(why)}" for cell, why in found.mended.items()]
    for side, only in (("A", found.only_a), ("B", found.only_b)):
        if only:
            cells = list(dict.fromkeys(_name(cell) for cell, _ in only))
            more = f" and {len(cells) - 3} more" if len(cells) > 3 else ""
            lines.append(f"Only in {side}: {len(only)} numbers of {', '.join(cells[:3])}{more}.")
    lines += [
        f"Claim {line.id}: {before} -> {line.verdict}. {clip(line.statement)}" for line, before in found.changed_claims
    ]
    if found.tested_once:
        lines.append(texts_compare.tested_once(found.tested_once))
    return tuple(lines)


def _name(cell: CellName) -> str:
    return f"{cell.workload} x {cell.backend} at P={cell.cpus}"


def _closing(found: Comparison) -> tuple[str, ...]:
    judged = [one for one in found.changes if one.judged]
    if not judged:
        return ()
    counts = Counter(one.outcome for one in judged)
    lines = [texts_compare.compared([(str(outcome), counts[outcome]) for outcome in Outcome], found.same)]
    open_ones = [one.detectable for one in judged if one.outcome is Outcome.UNDECIDED]
    known: Sequence[float] = [one for one in open_ones if math.isfinite(one)]
    if known:
        lines.append(texts_compare.undecided(statistics.median(known)))
    if len(known) < len(open_ones):
        lines.append(texts_compare.ONLY_FEW)
    return (*lines, f"Verdict: {found.outcome}")
