"""Threats to validity under fixed headings, with the actual limits of the run."""

from raybench.report.findings import Findings, Run

HEADINGS = ("Internal", "Construct", "Statistical", "External", "Extrapolation")


def threats(run: Run, findings: Findings) -> tuple[tuple[str, str], ...]:
    """Give one line per heading; a number in it comes from the run."""
    plan = run.plan
    counted = [row.n for row in findings.rows if row.n]
    fewest, most = (min(counted), max(counted)) if counted else (0, 0)
    blocks = str(most) if fewest == most else f"{fewest} to {most}"
    hosts = {node for m in run.measurements for node in m.nodes_seen}
    most_cores = max((row.cell.cpus for row in findings.rows if row.n), default=0)
    disturbed = sum(1 for m in run.measurements if m.status == "disturbed")
    texts = (
        f"Drift, neighbours on the same machine, caches and the order of cells; met by {plan.blocks} blocks in freshly "
        f"drawn order, one process per measurement, pinned threads and A/A pairs. {disturbed} measurements were "
        "disturbed and are not used."
        + ("" if plan.controls else " This study has no controls, so that none of this was checked."),
        "Warm ratios leave out start-up, cold ones include it; loading the data is in neither. Errors are on untouched "
        "test rows, while tuning sees validation rows. Cells tagged I/O wait on a loopback server or on local files.",
        f"n = {blocks} blocks per cell; intervals are 95 % each, not for all cells together; blocks share "
        "the state of the machine. Mini-blocks were added by the width of intervals, never by their verdict.",
        f"One machine ({run.environment.machine}), {len(hosts) or 1} host, {plan.usable_cpus} usable cores, one set of "
        "library versions, data sets of the sizes given. Other processors, networks and versions may differ.",
        f"No cell ran on more than {most_cores} cores. What is said about more cores is PREDICTED or UNTESTABLE.",
    )
    return tuple(zip(HEADINGS, texts, strict=True))
