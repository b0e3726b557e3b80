"""Threats to validity under fixed headings, with the actual limits of the run."""

from statistics import median

from raybench.analysis.dataset import RunData
from raybench.analysis.results import Findings
from raybench.model import units
from raybench.model.plan import Status

HEADINGS = ("Internal", "Construct", "Statistical", "External", "Extrapolation")


def threats(run: RunData, findings: Findings) -> tuple[tuple[str, str], ...]:
    """Return one line per heading; a number in it comes from the run."""
    plan = run.plan
    counted = [row.n for row in findings.rows if row.n]
    fewest, most = (min(counted), max(counted)) if counted else (0, 0)
    blocks = str(most) if fewest == most else f"{fewest} to {most}"
    hosts = {node for m in run.measurements for node in m.nodes_seen}
    most_cores = max((row.cell.cpus for row in findings.rows if row.n and not row.cell.emulated), default=0)
    aside = _set_aside(run)
    steal = _steal(run)
    begun = len({m.block for m in run.measurements})
    unchecked = "" if plan.controls else " This study has no controls, so none of this was checked."
    lines = (
        f"{begun} blocks in random order, {aside}, pinned threads.{steal}{unchecked}",
        "Warm speedups leave out start-up; loading the data is in no ratio; errors are on test rows that tuning never "
        "saw; I/O waits on a loopback server or local files.",
        f"n = {blocks} blocks per cell; each interval is 95 % by itself; top-up blocks follow the width of intervals, "
        "never a verdict.",
        f"One machine ({run.environment.machine}), {len(hosts) or 1} host, {plan.usable_cpus} usable cores, one set of "
        "library versions and data sizes.",
        f"No cell ran on more than {most_cores} cores; what is said about more is PREDICTED or not tested.",
    )
    return tuple(zip(HEADINGS, lines, strict=True))


def _set_aside(run: RunData) -> str:
    """Say how processes shared the machine, and how much of what they measured is not used."""
    if run.samples:
        loud = sum(bool(sample.disturbance.reason) for sample in run.samples)
        return f"the processes of a group in alternating rounds, {loud} disturbed samples set aside"
    loud = sum(m.status is Status.DISTURBED for m in run.measurements)
    return f"one process per measurement, {loud} disturbed measurements not used"


def _steal(run: RunData) -> str:
    """Say how much of the CPU time the hypervisor kept back; '' where it does not tell."""
    seen = [one.disturbance.steal for one in run.samples or run.measurements if one.disturbance.steal is not None]
    if not seen:
        return ""
    return f" CPU steal: median {_percent(median(seen))}, at most {_percent(max(seen))}; nothing is left out for it."


def _percent(share: float) -> str:
    return f"{units.plain(100 * share)} %"
