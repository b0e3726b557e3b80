"""The section on emulated scale-out, its figure, and an emulated run beside a study without logical CPUs."""

from dataclasses import replace

from made_claims import loop_and
from made_emulation import LONG_LEASE, SHORT_LEASE, emulated_run, logical
from raybench.analysis.analyze import analyse
from raybench.analysis.results import ClaimLine, Findings
from raybench.model.estimate import VerdictKind
from raybench.model.plan import Cluster
from raybench.report import beside, scaleout
from raybench.report.document import document
from raybench.report.plots import scaleout as figure
from raybench.report.plots.canvas import svg
from raybench.report.results_md import results

NODES = {"four": Cluster(name="four", nodes=(4, 2, 1, 1))}
LONG, SHORT = (logical(backend=b, cpus=8, cluster="four") for b in (LONG_LEASE, SHORT_LEASE))
ONE = logical(cpus=1)


def found(**changes: float) -> Findings:
    return analyse(emulated_run(ONE, LONG, SHORT, clusters=NODES, **changes))


def test_the_table_has_a_line_per_topology_and_a_column_per_lease():
    section = scaleout.section(found())

    assert section is not None
    (table,) = section.tables
    assert table.columns == ("CPUs of each node", "task", "lease 500 ms", "predicted", "lease 60 s", "predicted")
    assert [row[0].text for row in table.rows] == ["1", "4+2+1+1"]
    assert table.rows[1][2].text.startswith("0.97")


def test_the_lease_is_told_in_a_sentence_with_its_reason():
    said = " ".join(entry.text for bullet in scaleout.section(found()).bullets for entry in bullet)

    assert "On 4+2+1+1 CPUs, tasks of 500 ms reach an efficiency of 0.97" in said
    assert "RAY_worker_lease_timeout_milliseconds" in said
    assert "Anchor: " in said


def test_an_invalid_cell_is_listed_with_its_reason_and_no_number():
    section = scaleout.section(found(ratio=1.3))

    assert section.tables == ()
    rows = section.details[0].rows
    assert all(row[6].text == "–" and "invalid: anchor" in row[-1].text for row in rows)


def test_the_figure_tells_emulated_and_predicted_points_apart():
    data = figure.series(found())
    drawn = svg(figure.PLOT, data)

    for words in ("EMULATED, several nodes, lease 500 ms", "EMULATED, one node, lease 60 s", "PREDICTED"):
        assert words in drawn


def test_a_study_without_logical_cpus_has_no_such_section():
    run = loop_and()

    assert scaleout.section(analyse(run)) is None
    assert figure.series(analyse(run)) is None


def test_an_emulated_run_stands_beside_another_study_in_words_of_its_own():
    run = loop_and()
    open_line = ClaimLine(id="C23", source="S3", statement="s", band="b", verdict=VerdictKind.UNTESTABLE)
    judged = ClaimLine(id="C10", source="S2", statement="s", band="b", verdict=VerdictKind.SUPPORTED)
    findings = replace(analyse(run), claims=(open_line, judged))

    whole = beside.add(findings, replace(emulated_run(ONE, LONG, SHORT, clusters=NODES), folder="raw/m/emulated/r"))
    text = results(document(run, whole, {}), reports="reports", others=[])

    assert "newest emulated run, raw/m/emulated/r" in text
    assert [line.verdict for line in whole.claims][1] is VerdictKind.SUPPORTED
    assert results(document(run, findings, {}), reports="reports", others=[]).count("emulated") == 0
