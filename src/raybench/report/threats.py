"""Threats to validity under fixed headings, with the actual limits of the run."""

from statistics import median

from raybench.analysis.dataset import RunData
from raybench.analysis.results import Findings
from raybench.model import units
from raybench.model.plan import STEAL_SHARE

HEADINGS = ("Internal", "Construct", "Statistical", "External", "Extrapolation")


def threats(run: RunData, findings: Findings) -> tuple[tuple[str, str], ...]:
    """Return one line per heading; a number in it comes from the run."""
    plan = run.plan
    counted = [row.n for row in findings.rows if row.n]
    fewest, most = (min(counted), max(counted)) if counted else (0, 0)
    blocks = str(most) if fewest == most else f"{fewest} to {most}"
    hosts = {node for m in run.measurements for node in m.nodes_seen}
    most_cores = max((row.cell.cpus for row in findings.rows if row.n), default=0)
    disturbed = sum(1 for m in run.measurements if m.status == "disturbed")
    steal = _allowed_steal(run)
    begun = len({m.block for m in run.measurements})
    texts = (
        f"Drift, neighbours on the same machine, caches and the order of cells; met by {begun} blocks in freshly "
        f"drawn order, one process per measurement, pinned threads and A/A pairs. {disturbed} measurements were "
        f"disturbed and are not used.{steal}"
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


def _allowed_steal(run: RunData) -> str:
    """Say how much steal the measurements had where the study allowed more than the rule does; '' elsewhere."""
    allowed = max((job.limits.steal_share for job in run.plan.jobs), default=STEAL_SHARE)
    seen = sorted(m.disturbance.steal or 0.0 for m in run.measurements if m.status == "ok")
    if allowed <= STEAL_SHARE or not seen:
        return ""
    over = sum(share > STEAL_SHARE for share in seen)
    rule = _percent(STEAL_SHARE)
    return (
        f" The hypervisor might keep back up to {_percent(allowed)} of the CPU time (the rule says {rule}): {over} of "
        f"{len(seen)} measurements used had more than {rule}, their median is {_percent(median(seen))}, the largest "
        f"{_percent(seen[-1])}. Cells of a block share it in random order, and no ratio is corrected for it."
    )


def _percent(share: float) -> str:
    return f"{units.plain(100 * share)} %"
