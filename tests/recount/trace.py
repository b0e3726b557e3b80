"""RESULTS.md traced number by number: every table and sentence, against what `recount.numbers` gives."""

import hashlib
import html
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from raybench.analysis.held_out import HeldOut, LeftOut
from raybench.analysis.kinds import Kind
from raybench.claims.claim import Claim, Part
from raybench.claims.quantities import QUANTITIES
from raybench.claims.words import WORDS
from raybench.report.texts import SOURCES
from raybench.store import store
from recount import decided
from recount.decided import DISTRIBUTE, WARM_ONLY, Advised
from recount.numbers import BAND, LEVELS, Numbers, warm
from recount.reading import NUMBER, Ledger, Untraced, hold, rows
from recount.statistics import E

MODELS = {"full search": "tuned", "early stopping": "asha"}
KEPT = BAND[0]
ANY = rf"{NUMBER}(?:x| %| µs| ms| min| s| h)?(?: \[[^\]]*\])?(?:, n=\d+)?"
CONSTANTS = (
    "95 %", "1x", "5 %", "70 % efficiency", "S0", "S1", "S2", "S3", "S4", "0.7 to 0.8", "50 %", "70 %", "80 %",
    "should give 1", "Gain: 1 - mean", "measured time - 1", "(0.8 P)", "at most 10 %", "above 25 %", "80 % of the 90 %",
    "within 5 % of the best", *SOURCES.values(),
)  # fmt: skip


def trace(
    run: Numbers, text: str, claims: Sequence[Claim], doubted: set[str], *, reports: Path, held: HeldOut
) -> list[str]:
    """Return what is wrong with a RESULTS.md: numbers that are not the data's, and digits that nobody declared."""
    ledger = Ledger(text)
    if "advised" not in run.kept:
        run.kept["advised"] = decided.advise(run, doubted)
    advised = run.kept["advised"]
    try:
        _predictions(run, ledger, held)
    except Untraced as error:
        ledger.faults.append(str(error))
    _tables(run, ledger, advised, claims, doubted)
    _replay(ledger, reports)
    _head(run, ledger, advised)
    _answers(run, ledger, advised, claims, doubted)
    _harness(run, ledger)
    _threats(run, ledger)
    _sources(ledger, claims)
    _provenance(run, ledger, reports)
    ledger.declare([*CONSTANTS, *_names(run, claims)])
    return [*ledger.faults, *(f"not traced: {line}" for line in ledger.left())]


# --- tables ---------------------------------------------------------------------------------------


def _tables(run: Numbers, ledger: Ledger, advised: list[Advised], claims: Sequence[Claim], doubted: set[str]) -> None:
    text = ledger.text
    checks = (
        ("## Should this work be distributed?", lambda found: _kinds(run, advised, found)),
        ("## Claims under test", lambda found: _claims(run, claims, doubted, found)),
        ("## Does the 0.7 to 0.8 rule hold", lambda found: _metg(run, found)),
        ("## Start-up", lambda found: _starts(run, found)),
        ("## Did tuning lower the error?", lambda found: _deltas(run, claims, found)),
    )
    for heading, check in checks:
        try:
            check(rows(text, heading))
        except (Untraced, KeyError, AttributeError, ValueError) as error:
            ledger.faults.append(f"{heading}: {error!r}")
    ledger.take(r"^\|.*\|$", lambda match: None, least=0)


def _equal(told: object, expected: object, where: str) -> None:
    if told != expected:
        raise Untraced(f"{where}: {told!r}, recomputed {expected!r}")


def _kinds(run: Numbers, advised: list[Advised], found: list[dict[str, str]]) -> None:
    mine = {kind: [one for one in advised if one.kind is kind] for kind in Kind}
    mine = {str(kind): group for kind, group in mine.items() if group}
    _equal([row["kind of work"] for row in found], list(mine), "kinds of work")
    for row in found:
        group = mine[row["kind of work"]]
        counts = Counter(one.advice for one in sorted(group, key=lambda one: -run.base_seconds(one.cell)))
        told = "; ".join(f"{name} ({count} of {len(group)})" for name, count in counts.most_common())
        _equal(row["advice"], told, row["kind of work"])
        shown = max(group, key=lambda one: run.base_seconds(one.cell))
        cell = run.cells.loc[shown.cell]
        _equal((row["example"], row["backend"]), (shown.workload, cell["backend"]), row["kind of work"])
        _equal(row["P"], _cores(cell), shown.workload)
        hold(row["speedup, warm"], shown.gain, where=shown.workload)
        hold(row["with start-up"], shown.started, where=f"{shown.workload}, with start-up")
        _marked(row["shortest task"], _shortest(run, cell["backend"], cell["P"]), shown.workload)


def _cores(cell: pd.Series) -> str:
    parts = [str(cell["P"])]
    if cell["workers"] != cell["P"]:
        parts.append(f"{cell['workers']} worker{'s' if cell['workers'] > 1 else ''}")
    return ", ".join([*parts, f"{cell['gpus']:g} GPU"] if cell["gpus"] else parts)


def _curves(run: Numbers) -> Iterator[tuple[str, pd.Series]]:
    """Yield the cells with a granularity sweep that is believed, in reading order."""
    for cell in dict.fromkeys(cell for cell, _ in run.metg):
        if run.peak(cell) < 1.5:
            yield cell, run.cells.loc[cell]


def _shortest(run: Numbers, backend: str, cpus: int) -> tuple[str, E] | None:
    mine = [cell for cell, of in _curves(run) if (of["backend"], of["P"]) == (backend, cpus)]
    return run.metg[mine[0], KEPT] if mine else None


def _marked(text: str, expected: tuple[str, E] | None, where: str) -> None:
    mark, e = expected or ("", None)
    if mark:
        _equal(text[:2], f"{mark} ", where)
        text = text[2:]
    hold(text, e, where=where)


def _metg(run: Numbers, found: list[dict[str, str]]) -> None:
    most = max((of["P"] for _, of in _curves(run)), default=0)
    mine = [(cell, of["backend"]) for cell, of in _curves(run) if of["P"] == most]
    _equal([row["backend"] for row in found], [backend for _, backend in mine], "METG")
    for row, (cell, backend) in zip(found, mine, strict=True):
        for level in LEVELS:
            _marked(row[f"{100 * level:.0f} %"], run.metg[cell, level], f"METG of {backend} at {level}")


def _starts(run: Numbers, found: list[dict[str, str]]) -> None:
    _equal({(row["backend"], int(row["P"])) for row in found}, set(run.starts), "start-up")
    for row in found:
        hold(row["start-up"], run.starts[row["backend"], int(row["P"])], where=f"start-up of {row['backend']}")


def _deltas(run: Numbers, claims: Sequence[Claim], found: list[dict[str, str]]) -> None:
    for row in found:
        variant = MODELS[row["model"]]
        for name, e in zip(
            ("baseline error", "tuned error", "gain"), run.deltas[row["workload"], variant], strict=True
        ):
            hold(row[name], e, where=f"{name} of {row['workload']}")
        published = _published(claims, row["workload"]) if variant == "tuned" else None
        hold(
            row["documented"],
            None if published is None else E(published, 0, 0, 0),
            where=f"documented of {row['workload']}",
        )


def _published(claims: Sequence[Claim], workload: str) -> float | None:
    """Return the gain in error that a source publishes for a workload."""
    parts = [part for claim in claims for part in claim.parts if part.quantity == "rmse_delta"]
    mine = [p.low for p in parts if p.given["variant"] == "tuned" and workload in p.select.workloads]
    return mine[-1] if mine and math.isfinite(mine[-1]) else None


def _claims(run: Numbers, claims: Sequence[Claim], doubted: set[str], found: list[dict[str, str]]) -> None:
    by_id = {claim.id: claim for claim in claims}
    for row in found:
        name = row["claim"].partition(":")[0]
        claim = by_id[name]
        _equal((row["claim"], row["source"]), (f"{name}: {claim.statement}", claim.source), name)
        demands, measured = row["required"].split("; and "), row["measured"].split("; ")
        _equal((len(demands), len(measured)), (len(claim.parts), len(claim.parts)), f"parts of {name}")
        for part, demand, number in zip(claim.parts, demands, measured, strict=True):
            told = re.findall(r"\d+(?:\.\d+)?", demand.replace(",", ""))
            expected = _numbers_of(part)
            if sorted(map(float, told)) != sorted(round(one, 9) for one in expected):
                raise Untraced(f"required of {name}: {demand!r}, declared {expected}")
            hold(number, decided.claim_value(run, claim, part, doubted), where=f"{name}, {part.quantity}")


def _numbers_of(part: Part) -> list[float]:
    """Return the numbers that a part's demand must show: of its name, its arguments and its band."""
    name = part.say or WORDS[part.quantity]
    given = [part.given[key] for key in re.findall(r"\{(\w+)\}", name) if key in part.given]
    texts = [name, *(str(value) for value in given if "{" not in str(value))]
    found = [float(one) for text in texts for one in re.findall(r"\d+(?:\.\d+)?", text.replace(",", ""))]
    unit = QUANTITIES[part.quantity].unit
    edges = [edge for edge in dict.fromkeys((part.low, part.high)) if math.isfinite(edge)]
    return [*found, *(_in_words(edge, unit) for edge in edges), *[10.0] * bool(part.figure)]


def _in_words(edge: float, unit: str) -> float:
    if unit == "%":
        return abs(100 * edge)
    if unit == "s":
        return edge / 60 if edge >= 120 else edge * 1000 if edge < 1 else edge
    return edge


def _predictions(run: Numbers, ledger: Ledger, held: HeldOut) -> None:
    """Recompute the errors of predictions. The predicted seconds are those of the simulation, which is not repeated."""
    found = rows(ledger.text, "## Can these times be predicted?")
    names = [f"raybench, without {part}" for part in LeftOut]
    for row in found:
        parts = [p for p, name in zip(LeftOut, names, strict=True) if row["prediction"] == name]
        mine = [one for one in held.held if one.left_out is (parts or [LeftOut.CELL])[0]]
        both = [run.both(run.baseline(one.cell.key), one.cell.key, warm) for one in mine]
        took = np.array([math.exp(np.log(b["bottom"]).mean()) for b in both])
        base = np.array([math.exp(np.log(b["top"]).mean()) for b in both])
        spans = np.array([(one.span.seconds, one.span.low, one.span.high, one.cell.cpus) for one in mine]).reshape(
            -1, 4
        )
        errors = (spans[:, 0] if parts else base / 0.8 / spans[:, 3]) / took - 1
        _equal(row["cells"], str(len(mine)), row["prediction"])
        if len(mine):
            for name, value in (
                ("mean error", abs(errors).mean()),
                ("worst", abs(errors).max()),
                ("bias", errors.mean()),
            ):
                hold(row[name], float(value), where=f"{name}, {row['prediction']}")
            covered = ((spans[:, 1] <= took) & (took <= spans[:, 2])).mean() if parts else None
            hold(row["90 % interval holds"], None if covered is None else float(covered), where=row["prediction"])
    losses = [(one.loss, one.joblib_loss) for one in held.choices]

    def chosen(match: re.Match[str]) -> None:
        for at, mine in ((0, [a for a, _ in losses]), (3, [b for _, b in losses])):
            near = sum(loss <= 0.05 for loss in mine)
            _equal((int(match[at + 1]), int(match[at + 2])), (near, len(losses)), "choices")
            hold(match[at + 3], 100 * max(mine), where="choices")

    ledger.take(
        r"(\d+) of (\d+) workloads, and (\S+) % slower at worst; always joblib for (\d+) of (\d+), and (\S+) % slower",
        chosen,
        least=int(bool(losses)),
    )


def _replay(ledger: Ledger, reports: Path) -> None:
    """Hold the verdicts that carry over against the table of the page that compares the runs."""

    def counted(match: re.Match[str]) -> None:
        page = (reports / "replay.html").read_text(encoding="utf-8")
        yes, no = (page.count(f'<td class="text">{word}</td>') for word in ("yes", "no"))
        _equal((int(match[1]), int(match[2])), (yes, yes + no), "verdicts that carry over")

    ledger.take(r"^On another machine \(.*\), (\d+) of the (\d+) claims", counted, least=0)


# --- sentences ------------------------------------------------------------------------------------


def _head(run: Numbers, ledger: Ledger, advised: list[Advised]) -> None:
    facts, counts = run.environment.facts, run.lines
    counted = [len(run.good(cell)) for cell in run.cells.index if run.good(cell)]
    fewest, most = min(counted, default=0), max(counted, default=0)
    begun = counts["block"].nunique()
    planned = {job.block for job in run.plan.jobs}
    memory = facts["memory"]["total_bytes"]

    def status(match: re.Match[str]) -> None:
        _equal(match["model"], facts["cpu"]["model"], "CPU")
        _equal(int(match["cores"]), run.plan.usable_cpus, "cores")
        hold(match["memory"], E(memory, memory, memory, 0), where="memory")
        _equal(match["date"].replace("-", ""), run.environment.began[:8], "date")
        told = [int(one) for one in re.findall(r"\d+", match["blocks"] or "")]
        _equal(told, sorted({fewest, most}), "blocks")
        if match["spread"]:
            hold(match["spread"], 100 * facts["host_state"]["spread"], where="host state")
        _controls(run, match["controls"] or "")

    ledger.take(
        r"^(?P<model>.+?), (?P<cores>\d+) cores, (?P<memory>[\d.]+ [KMG]iB)"
        r"(?:, core speed varied by (?P<spread>[\d.]+) % within seconds)?, measured (?P<date>[\d-]+)"
        r"(?:, n = (?P<blocks>[\d to]+) blocks?)?(?:, controls: (?P<controls>.*))?\.$",
        status,
    )
    ledger.take(
        r"A/A (\S+) \[(\S+), (\S+)\]",
        lambda m: [_near(m[i + 1], run.pooled[i], "A/A") for i in range(3)],
        least=0,
    )
    ledger.take(
        r"A/A: (\d+) blocks, needs 3",
        lambda m: _equal(int(m[1]), run.same[0].n, "A/A blocks"),
        least=0,
    )
    ledger.take(
        r"difference of less than (\S+) % between",
        lambda m: hold(m[1], 100 * run.floor, where="bias"),
        least=0,
    )
    ledger.take(r"lies outside of (\S+) to (\S+?)\*", lambda m: _equal((m[1], m[2]), _region(run), "region"), least=0)
    ledger.take(
        r"Partial run: (\d+) of (\d+) planned",
        lambda m: _equal((int(m[1]), int(m[2])), (begun, len(planned)), "blocks"),
        least=int(begun < len(planned)),
    )
    ledger.take(
        r"^> \*\*.*?(\d+) of (\d+) (?:cells have no good|measurements of)",
        lambda m: _equal((int(m[1]), int(m[2])), _missing(run, "cells" in m[0]), "missing"),
        least=0,
    )
    ledger.take(
        r"\+-(\S+) % for every cell (?:needs about (\d+) min more|is out of reach).*; (\d+) of (\d+) cells have it",
        lambda m: _needs(run, m),
        least=0,
    )
    del advised


def _controls(run: Numbers, told: str) -> None:
    counts = {word: int(count) for count, word in re.findall(r"(\d+) (\w+)", told)}
    expected = {"passed": run.controls["passed"], "undecided": run.controls["open"], "missed": run.controls["missed"]}
    _equal(counts, {word: count for word, count in expected.items() if count}, "controls")


def _near(text: str, value: float, where: str) -> None:
    """Hold a number that is printed with three significant digits."""
    if f"{value:.3g}" != text:
        raise Untraced(f"{where}: {text}, recomputed {value:.6g}")


def _region(run: Numbers) -> tuple[str, str]:
    return ("0.95", "1.05") if run.contended else ("0.98", "1.02")


def _missing(run: Numbers, cells: bool) -> tuple[int, int]:
    if cells:
        ended = set(run.lines["cell"])
        return sum(not run.good(cell) for cell in run.cells.index if cell in ended), len(run.cells)
    begun = set(run.lines["block"])
    planned = {job.key[:3] for job in run.plan.jobs if job.block in begun}
    have = set(zip(run.lines["cell"], run.lines["block"], run.lines["replica"], strict=True))
    return len(planned - have), len(planned)


def _needs(run: Numbers, match: re.Match[str]) -> None:
    """Recompute for how much longer the study would have to run: the widest interval, by the square root of n."""
    hold(match[1], 100 * run.plan.target_half_width, where="target")
    counted = [c for c, of in run.cells.iterrows() if run.good(c) and not of["control"] and not run.is_sweep(c)
               and "serial" not in of["backend_tags"]]  # fmt: skip
    found = [
        (run.speedup(c) or run.ratio(run.baseline(c), c)) if run.baseline(c) not in (None, c) else None for c in counted
    ]
    half = [math.log(e.high / e.low) / 2 for e in found if e is not None and not e.weak]
    _equal((int(match[3]), int(match[4])), (sum(h <= run.plan.target_half_width for h in half), len(counted)), "narrow")
    if match[2] and half:
        done = max(len(run.good(c)) for c in counted)
        more = max(1, math.ceil(done * (max(half) / run.plan.target_half_width) ** 2 - done))
        ok = run.lines[run.lines["status"] == "ok"]
        block_s = ((ok["began"] + ok["from_nothing"] + ok["data"]).max() - ok["began"].min()) / ok["block"].nunique()
        _equal(match[2], f"{more * block_s / 60:.0f}", "minutes")


def _answers(run: Numbers, ledger: Ledger, advised: list[Advised], claims: Sequence[Claim], doubted: set[str]) -> None:
    by_id = {claim.id: claim for claim in claims}
    main = [one for one in advised if one.kind is not None]
    warm = sum(one.advice in (DISTRIBUTE, WARM_ONLY) for one in main)
    cold = sum(one.advice == DISTRIBUTE for one in main)
    most = max((run.cells.loc[one.cell, "P"] for one in main), default=1)
    ledger.take(
        r"Distributing pays for (\d+) of (\d+) workloads on (\d+) cores once the workers are up, "
        r"and for (\d+) of (\d+)",
        lambda m: _equal([*map(int, m.groups())], [warm, len(main), most, cold, len(main)], "gains"),
        least=int(bool(main)),
    )
    working = [one for one in main if one.kind is not Kind.WAITING]
    top = max(working, key=lambda one: one.gain.point, default=None)

    def largest(match: re.Match[str]) -> None:
        hold(match[1], top.gain, where="largest speedup")
        _equal((match[2], match[3]), (top.workload, run.cells.loc[top.cell, "backend"]), "largest speedup")

    ledger.take(rf"Largest speedup: ({ANY}), (\w+) on (\w+)\.", largest, least=int(bool(top and warm)))
    ledger.take(
        r"Starting from nothing takes (.*?)\.(?= A script|$)",
        lambda m: _listed_starts(run, m[1]),
        least=int(bool(run.starts)),
    )
    ledger.take(
        rf"takes longer than ({ANY})\.",
        lambda m: hold(
            m[1], decided.claim_value(run, by_id["C17"], by_id["C17"].parts[0], doubted), where="break-even"
        ),
        least=0,
    )
    ledger.take(
        r"To keep (\d+) % efficiency on (\d+) cores, a task must last (.*)\.$",
        lambda m: _listed_lengths(run, m),
        least=0,
    )
    ledger.take(
        rf"Early stopping \((\w+)\) ends (\w+) [^(]*?(?:only )?({NUMBER}) % of the training steps \(({ANY}), not",
        lambda m: _early(run, m),
        least=0,
    )
    ledger.take(
        rf"Tuning [a-z ]+ the test error of (\w+) \(({ANY})(?:; documented: (\S+) %)?\)",
        lambda m: _tuning(run, claims, m),
        least=0,
    )
    ledger.take(
        r"The rule of 0\.7 to 0\.8 parallel efficiency: of (\d+) compute-bound Ray cells, (\d+) lie inside, "
        r"(\d+) below, (\d+) above, and (\d+) have",
        lambda m: _equal([*map(int, m.groups())], _sides(run, by_id["C13"]), "the rule"),
        least=0,
    )
    _verdicts(run, ledger, claims)


def _listed_starts(run: Numbers, told: str) -> None:
    most = max(cpus for _, cpus in run.starts)
    for name, number in re.findall(rf"(\w+) ({ANY})", told):
        hold(number, run.starts[name, most], where=f"start-up of {name}")


def _listed_lengths(run: Numbers, match: re.Match[str]) -> None:
    most = max(of["P"] for _, of in _curves(run))
    _equal((match[1], match[2]), (f"{100 * KEPT:.0f}", str(most)), "level and cores")
    for mark, number, name in re.findall(rf"([<>] )?({ANY}) with (\w+)", html.unescape(match[3])):
        _marked(f"{mark}{number}", _shortest(run, name, most), f"shortest task of {name}")


def _cell(run: Numbers, workload: str, backend: str) -> str:
    mine = run.cells[(run.cells["workload"] == workload) & (run.cells["backend"] == backend)]
    return str(mine["P"].astype(int).idxmax())


def _early(run: Numbers, match: re.Match[str]) -> None:
    cell = _cell(run, match[2], match[1])
    hold(match[3], 100 * run.work(cell), where=f"steps of {match[2]}")
    hold(match[4], run.ratio(run.baseline(cell), cell), where=f"early stopping of {match[2]}")


def _tuning(run: Numbers, claims: Sequence[Claim], match: re.Match[str]) -> None:
    hold(match[2], run.deltas[match[1], "tuned"][2], where=f"tuning of {match[1]}")
    published = _published(claims, match[1])
    if match[3] or published is not None:
        hold(match[3] or "–", None if published is None else 100 * published, where=f"documented of {match[1]}")


def _sides(run: Numbers, claim: Claim) -> list[int]:
    """Count on which side of the band the whole interval of each compute-bound cell's efficiency lies."""
    found = Counter()
    for cell, of in decided.selected(run, claim.parts[0]):
        e = run.speedup(cell)
        if e is not None and of["P"] > 1:
            low, high = e.low / of["P"], e.high / of["P"]
            inside = BAND[0] <= low and high <= BAND[1]
            found["inside" if inside else "below" if high < BAND[0] else "above" if low > BAND[1] else "open"] += 1
    return [sum(found.values()), *(found[side] for side in ("inside", "below", "above", "open"))]


def _verdicts(run: Numbers, ledger: Ledger, claims: Sequence[Claim]) -> None:
    """Hold the counts of verdicts against the table and the line below it."""
    table = [
        line.rsplit("|", 2)[1].strip().partition(":")[0] for line in ledger.text.splitlines() if line.startswith("| C")
    ]
    words = {"supported": "SUPPORTED", "refuted": "REFUTED", "inconclusive": "INCONCLUSIVE", "answered": "ANSWERED",
             "predicted": "PREDICTED", "emulated": "EMULATED"}  # fmt: skip
    tested = Counter(table)

    def counted(match: re.Match[str]) -> None:
        _equal(int(match[1]), len(claims), "claims")
        for count, word in re.findall(r"(\d+) (not tested|[a-z]+)", match[2]):
            _equal(int(count), len(claims) - len(table) if word == "not tested" else tested[words[word]], word)

    ledger.take(r"Of (\d+) documented claims: (.*)\.$", counted, least=int(run.plan.verdicts))
    ledger.take(
        r"^(\d+) further claims",
        lambda m: _equal(int(m[1]), len(claims) - len(table), "claims that are not tested"),
        least=int(bool(table) and len(table) < len(claims)),
    )


def _harness(run: Numbers, ledger: Ledger) -> None:
    ledger.take(r"^(\d+) controls with a known answer \([^)]*\): ([^.]*)\.", lambda m: _harness_counts(run, m), least=0)
    ledger.take(r"leaves a bias of at most (\S+) %\.", lambda m: hold(m[1], 100 * run.floor, where="bias"), least=0)
    ledger.take(rf"Drift over the run: ({ANY})\.", lambda m: hold(m[1], run.drift, where="drift"), least=0)
    ledger.take(
        r"^Timed work: (\S+) % of the (\S+ \S+) that .*? alone (\S+) %\)",
        lambda m: _timed(run, m),
    )
    ledger.take(r"^Sensitivity: (\d+) of (\d+) samples were disturbed(.*)$", lambda m: _sensitivity(run, m),
                least=int(len(run.samples) > 0))  # fmt: skip


def _harness_counts(run: Numbers, match: re.Match[str]) -> None:
    _equal(int(match[1]), sum(run.controls.values()), "controls")
    _controls(run, match[2])


def _timed(run: Numbers, match: re.Match[str]) -> None:
    wall, timed, makespans = run.timed
    hold(match[1], 100 * timed / wall, where="timed share")
    hold(match[2], E(wall, wall, wall, 0), where="wall time")
    hold(match[3], 100 * makespans / wall, where="share of makespans")


def _sensitivity(run: Numbers, match: re.Match[str]) -> None:
    loud = int((run.samples["reason"] != "").sum())
    _equal((int(match[1]), int(match[2])), (loud, len(run.samples)), "disturbed samples")
    told = re.search(r"by (\S+) % on average over (\d+) cells, and by at most (\S+) %", match[3])
    if told:
        changes = run.all_rounds_against_quiet()
        hold(told[1], 100 * (math.exp(changes.mean()) - 1), where="sensitivity")
        _equal(int(told[2]), len(changes), "cells with quiet rounds")
        hold(told[3], 100 * (math.exp(changes.abs().max()) - 1), where="largest change")


def _threats(run: Numbers, ledger: Ledger) -> None:
    lines = run.lines
    counted = [len(run.good(cell)) for cell in run.cells.index if run.good(cell)]
    steal = (run.samples if len(run.samples) else lines)["steal"].dropna().astype(float)
    hosts = {node for nodes in lines["nodes_seen"] for node in nodes}
    most = max((run.cells.loc[cell, "P"] for cell in run.cells.index if run.good(cell)), default=0)
    set_aside = (
        int((run.samples["reason"] != "").sum()) if len(run.samples) else int((lines["status"] == "disturbed").sum())
    )
    ledger.take(r"^- Internal: (\d+) blocks", lambda m: _equal(int(m[1]), lines["block"].nunique(), "blocks"))
    ledger.take(
        r"(\d+) disturbed (?:measurements|samples)", lambda m: _equal(int(m[1]), set_aside, "disturbed"), least=0
    )
    ledger.take(
        r"CPU steal: median (\S+) %, at most (\S+) %",
        lambda m: (hold(m[1], 100 * steal.median(), where="steal"), hold(m[2], 100 * steal.max(), where="steal")),
        least=int(len(steal) > 0),
    )
    ledger.take(
        r"^- Statistical: n = (\d+)(?: to (\d+))? blocks",
        lambda m: _equal({int(one) for one in m.groups() if one}, {min(counted), max(counted)}, "n"),
    )
    ledger.take(
        r"^- External: One machine \((\S+)\), (\d+) hosts?, (\d+) usable",
        lambda m: _equal(
            m.groups(), (run.environment.machine, str(len(hosts) or 1), str(run.plan.usable_cpus)), "machine"
        ),
    )
    ledger.take(r"on more than (\d+) cores", lambda m: _equal(int(m[1]), most, "cores"))


def _provenance(run: Numbers, ledger: Ledger, reports: Path) -> None:
    """Declare what names the run: paths, hashes, the command; the hash of the data is computed again."""
    environment, folder = run.environment, store.current(reports)
    sha = hashlib.sha256()
    for name in (store.PLAN, store.ENVIRONMENT, store.MEASUREMENTS):
        sha.update((folder / name).read_bytes() + name.encode())
    others = ["/".join(path.parts[-4:]) for path in store.runs(reports)]
    ledger.declare(
        [
            *others,
            sha.hexdigest()[:12],
            str(environment.facts.get("code", {}).get("commit", "")) or "-",
            str(environment.identity.get("lock", "unavailable"))[:12],
            environment.command or "-",
            (environment.command or "-").replace("--", "- -"),
            environment.machine,
        ]
    )


def _sources(ledger: Ledger, claims: Sequence[Claim]) -> None:
    """Read the ranges of each source's claims back."""

    def check(match: re.Match[str]) -> None:
        told: set[int] = set()
        for part in re.split(r", | and ", match["ids"]):
            ends = [int(name.removeprefix("C")) for name in part.split(" to ")]
            told |= set(range(ends[0], ends[-1] + 1))
        mine = {int(claim.id.removeprefix("C")) for claim in claims if claim.source == match["source"]}
        _equal(sorted(told), sorted(mine), f"claims of {match['source']}")

    ledger.take(r"^- (?P<source>S\d): .*Its sentences: (?P<ids>.*), each", check, least=0)


def _names(run: Numbers, claims: Sequence[Claim]) -> set[str]:
    """Declare names and what is said about sources and about claims that a study does not test."""
    found = set(run.cells["workload"]) | set(run.cells["backend"]) | {claim.id for claim in claims}
    for claim in claims:
        found |= {claim.needs, claim.untestable}
    return {name for name in found if re.search(r"\d", name)}
