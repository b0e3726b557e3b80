"""The answers that stand above all evidence: numbers picked from the findings, handed to the sentences of `texts`."""

from collections import Counter
from collections.abc import Iterator, Sequence

from raybench.analysis.decision import KEPT, Advice, Decision, decisions
from raybench.analysis.kinds import Kind
from raybench.analysis.metg import WRONG
from raybench.analysis.results import ClaimLine, Findings
from raybench.analysis.rule import sides
from raybench.analysis.speedup import BAND
from raybench.analysis.tuning import Delta
from raybench.model.estimate import Row, VerdictKind
from raybench.report import texts
from raybench.report.starts import starts

BREAK_EVEN, RULE = "C17", "C13"  # claims that hold the numbers of a sentence
PAYS_WARM = (Advice.DISTRIBUTE, Advice.WARM_ONLY)
TUNED = "tuned"
WORDS = {VerdictKind.INCONCLUSIVE: "inconclusive", VerdictKind.UNTESTABLE: "not tested by this study"}
LISTED = 3  # backends or workloads named in one sentence


def answers(findings: Findings) -> tuple[str, ...]:
    """Return the answers that this run can give, as sentences."""
    lines = {line.id: line for line in findings.claims}
    return tuple(
        " ".join(sentences)
        for sentences in (
            list(_gains(findings)),
            list(_starts(findings, lines.get(BREAK_EVEN))),
            list(_shortest(findings)),
            list(_early_stopping(findings.rows)),
            list(_tuning(findings)),
            list(_rule(findings, lines.get(RULE))),
            list(_claims(findings.claims)),
        )
        if sentences
    )


def main_lines(findings: Findings) -> list[Decision]:
    """Return the decisions with data, micro-benchmarks left out."""
    return [line for line in decisions(findings) if line.kind is not None and line.advice is not Advice.NO_DATA]


def _gains(findings: Findings) -> Iterator[str]:
    lines = main_lines(findings)
    if not lines:
        return
    warm = sum(line.advice in PAYS_WARM for line in lines)
    cold = sum(line.advice is Advice.DISTRIBUTE for line in lines)
    cores = max((line.row.cell.cpus for line in lines if line.row is not None), default=1)
    yield texts.gains(workloads=len(lines), warm=warm, cold=cold, cores=cores)
    working = [line for line in lines if line.kind is not Kind.WAITING and line.warm is not None and line.row]
    if working and warm:
        top = max(working, key=lambda line: line.warm.point if line.warm else 0.0)
        if top.row is not None and top.warm is not None:
            yield texts.best(top.workload, top.row.cell.backend.name, top.warm)


def _starts(findings: Findings, break_even: ClaimLine | None) -> Iterator[str]:
    found = starts(findings.rows)
    most = max((cpus for _, cpus in found), default=0)
    listed = sorted(((name, e) for (name, cpus), e in found.items() if cpus == most), key=lambda pair: pair[1].point)
    if listed:
        yield texts.start_up(listed[:LISTED])
    if break_even is not None and break_even.value is not None:
        yield texts.break_even(break_even.value)


def _shortest(findings: Findings) -> Iterator[str]:
    most = max((curve.cell.cpus for curve in findings.curves), default=0)
    lengths = [
        (curve.cell.backend.name, found.mark, found.work)
        for curve in findings.curves
        for found in curve.metg
        if curve.cell.cpus == most and found.level == KEPT and WRONG not in curve.flags
    ]
    if lengths:
        yield texts.shortest(KEPT, most, sorted(lengths, key=lambda one: one[2].point)[:LISTED])


def _early_stopping(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        if row.time_to_score is not None and row.cell.cpus > 1:
            cell = row.cell
            yield texts.early_stopping(cell.workload.name, cell.backend.name, row.time_to_score, row.work_ratio)


def _tuning(findings: Findings) -> Iterator[str]:
    for line in tuned(findings.deltas):
        yield texts.tuning(line.workload, line.relative, findings.documented.get(line.workload))


def tuned(deltas: Sequence[Delta]) -> list[Delta]:
    """Return one delta per workload: that of the full search's winner."""
    return [line for line in deltas if line.variant == TUNED][:LISTED]


def _rule(findings: Findings, claim: ClaimLine | None) -> Iterator[str]:
    if claim is None:
        return
    if (found := sides(findings.rows, claim.cells)).total:
        yield texts.rule(*BAND, found)


def _claims(lines: Sequence[ClaimLine]) -> Iterator[str]:
    counts = Counter(line.verdict for line in lines)
    if lines:
        yield texts.claims(len(lines), [(WORDS.get(kind, kind.lower()), counts[kind]) for kind in VerdictKind])
