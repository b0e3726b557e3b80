"""A run's folder in; RESULTS.md, figures and the HTML page out: a pure function of raw data, the same bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from raybench.analysis.analyze import analyse
from raybench.analysis.dataset import RunData
from raybench.analysis.decision import decisions
from raybench.analysis.results import Findings
from raybench.claims.judge import judge
from raybench.report import beside, documented
from raybench.report.charts import charts
from raybench.report.document import Document, document, kind_table
from raybench.report.html_report import page
from raybench.report.plots import PLOTS
from raybench.report.plots.canvas import svg
from raybench.report.read_run import Reading
from raybench.report.replay import PAGE as REPLAY
from raybench.report.replay import Replay, compare_with, other_machine
from raybench.report.results_md import results
from raybench.report.section import Figure
from raybench.report.splice import splice_file
from raybench.report.stale import RESULTS, data_hash, place
from raybench.report.tables import code_span, escape, markdown
from raybench.store import store
from raybench.store.tracking_file import read_tracking

FIGURES, PAGE = "figures", "index.html"
SPLICED = ("README.md", "METHODOLOGY.md")
FOREST = "forest"


def read(run: Path, reports: Path) -> RunData:
    """Load a run's raw data; its folder is named relative to `reports` where it lies below."""
    plan, loaded = store.read_run(run)
    inside = run.resolve().is_relative_to(reports.resolve())
    return RunData(
        folder=run.resolve().relative_to(reports.resolve()).as_posix() if inside else run.name,
        data=data_hash(run),
        plan=plan,
        environment=store.read_environment(run),
        measurements=loaded.measurements,
        qualities=loaded.qualities,
        samples=loaded.samples,
        tracking=read_tracking(run),
        torn=loaded.torn,
    )


def rebuild(reports: Path, folder: Path, root: Path, *, conf: Sequence[Path] = ()) -> list[Path]:
    """Write RESULTS.md into `root`, figures and page into `reports`, and splice the headline into `root`'s documents.

    Where `reports` does not lie below `root`, RESULTS.md goes into it too, and `root` stays as it is.
    conf : further configuration folders with claims. Returns the files whose bytes changed.
    """
    run, findings, replay = analyse_beside(reports, folder, conf=conf)
    drawn = _drawn(findings)
    whole = _whole(run, findings, drawn, replay)
    pictures = {name: svg(plot, data) for name, (plot, data) in drawn.items() if plot.draw is not None}
    in_page = charts({name: data for name, (_, data) in drawn.items()})
    files = {
        **_texts(whole, run, findings, reports, root),
        reports / PAGE: page(whole, run, findings, pictures=pictures, charts=in_page),
        **{reports / name: text for name, text in (replay.pages() if replay else {}).items()},
        **{reports / FIGURES / f"{name}.svg": pictures[name] for name, (plot, _) in drawn.items() if plot.brief},
    }
    changed = [path for path, text in files.items() if _write(path, text)]
    written = [*(reports / FIGURES).glob("*.svg"), *reports.glob(REPLAY)]
    stale = sorted(path for path in written if path not in files)
    for path in stale:  # a figure of an earlier run would be taken for one of this
        path.unlink()
    return changed + stale


def analyse_beside(
    reports: Path, folder: Path, *, conf: Sequence[Path] = ()
) -> tuple[RunData, Findings, Replay | None]:
    """Analyse a run, and beside it, in a process of its own, the run of another machine where there is one."""
    run = read(folder, reports)
    place = other_machine(reports, run.folder)
    if place is None:
        return *analyse_and_judge(run, conf=conf, beside_in=reports), None
    with Reading(place, conf=conf) as reading:
        run, findings = analyse_and_judge(run, conf=conf, beside_in=reports)
        return run, findings, compare_with(reading, place, run, findings)


def analyse_and_judge(
    run: RunData, *, conf: Sequence[Path] = (), beside_in: Path | None = None
) -> tuple[RunData, Findings]:
    """Analyse a run, the documented claims included.

    beside_in : reports folder, whose newest emulated run of the same machine is shown beside a run that has none.
    """
    findings = replace(analyse(run), documented=documented.deltas(conf))
    findings = replace(findings, claims=judge(run, findings, conf))
    other = beside.newest(beside_in, run.environment.machine) if beside_in and findings.emulated is None else None
    return run, beside.add(findings, read(other, beside_in), conf) if other and beside_in else findings


def texts(
    run: RunData, findings: Findings, reports: Path, root: Path, *, replay: Replay | None = None
) -> dict[Path, str]:
    """Return what RESULTS.md and the spliced documents must say; nothing is drawn or written."""
    whole = _whole(run, findings, _drawn(findings), replay)
    return _texts(whole, run, findings, reports, root)


def _drawn(findings: Findings) -> dict[str, tuple[Any, Any]]:
    return {plot.name: (plot, data) for plot in PLOTS if (data := plot.series(findings)) is not None}


def _whole(run: RunData, findings: Findings, drawn: Mapping[str, tuple[Any, Any]], replay: Replay | None) -> Document:
    captions: dict[str, list[Figure]] = {}
    for name, (plot, data) in drawn.items():
        shown = Figure(name=name, title=plot.title, caption=plot.caption(data), brief=plot.brief)
        captions.setdefault(plot.section, []).append(shown)
    return document(run, findings, captions, replay=replay.paragraph() if replay else ())


def _texts(whole: Document, run: RunData, findings: Findings, reports: Path, root: Path) -> dict[Path, str]:
    home = place(reports, root)
    below = reports.resolve().relative_to(home.resolve()).as_posix()
    files = {home / RESULTS: results(whole, reports=below, others=others(reports, run))}
    parts = {"headline": headline(whole, findings, below)}
    for path in (root / name for name in SPLICED if home == root and (root / name).is_file()):
        if (text := splice_file(path, parts)) is not None:
            files[path] = text
    return files


def others(reports: Path, run: RunData) -> list[str]:
    """List the other runs, to be linked: their data are never pooled with this one's."""
    found = [path.resolve().relative_to(reports.resolve()).as_posix() for path in store.runs(reports)]
    return [name for name in found if name != run.folder]


def headline(whole: Document, findings: Findings, below: str) -> str:
    """Write the forest plot and the decisions by kind of work for README. below : the reports folder from there."""
    lines = [f"**{escape(line)}**\n" for line in whole.banner]
    drawn = [f for section in whole.sections for f in section.figures if f.name == FOREST]
    lines += [f"![{escape(f.title)}]({below}/{FIGURES}/{f.name}.svg)\n" for f in drawn]
    table = kind_table(decisions(findings))
    lines += [markdown(table), ""] if table.rows else ["Nothing measured yet.", ""]
    lines.append(
        f"{escape(whole.status)} Command: {code_span(whole.facts['command'])}. Brackets hold 95 % intervals, n counts "
        f"blocks. More in [{RESULTS}]({RESULTS})."
    )
    return "\n".join(lines)


def _write(path: Path, text: str) -> bool:
    """Write a file only where its bytes change, so that an unchanged report touches nothing."""
    if path.is_file() and path.read_bytes() == text.encode():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return True
