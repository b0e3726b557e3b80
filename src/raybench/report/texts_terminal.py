"""Sentences that the terminal shows of a run; those of the report are in `texts`."""

from collections.abc import Sequence

from raybench.model import units
from raybench.model.estimate import Estimate


def heading(workload: str, tasks: int, task_s: float) -> str:
    """Name a workload with the size of its work."""
    return f"{workload}   {tasks} task{'s' * (tasks != 1)} of {units.duration(task_s)}" if tasks else workload


def sooner(gain: float, share: float, scores: Sequence[str]) -> str:
    """Say what early stopping did: other work, so never a speedup."""
    word = (
        f"finishes {units.plain(gain)}x sooner by" if gain >= 1 else f"takes {units.plain(1 / gain)}x as long, though"
    )
    return ", ".join([f"{word} doing {units.plain(100 * share)} % of the work", *scores])


def score_change(name: str, change: float) -> str:
    """Say how a score differs from the baseline's; whether higher is better depends on the score."""
    return f"{name} {units.plain(100 * abs(change))} % {'higher' if change > 0 else 'lower'}"


def distribute(backend: str, gains: tuple[Estimate, Estimate | None], against: str, *, pays_cold: bool) -> str:
    """Advise a backend that gains, at least once its workers are up. gains : warm, and from a cold start."""
    warm, cold = gains
    told = f"{units.plain(warm.point)}x against {against}"
    if pays_cold and cold is not None:
        return f"Distribute with {backend}: {told} once workers are up, {units.plain(cold.point)}x from a cold start."
    if cold is None:
        return f"Distribute with {backend} if workers stay warm ({told}); the cold start was not measured."
    loss = f"takes {units.plain(1 / cold.point)}x as long" if cold.high < 1 else "gains nothing measurable"
    return f"Distribute with {backend} only if workers stay warm ({told}); a cold start {loss}."


def no_gain(advice: str, why: str) -> str:
    """Advise against distributing, or say why there is no advice."""
    return f"{advice[:1].upper()}{advice[1:]}: {why}."


def pays_from(backend: str, seconds: float) -> str:
    """Say from how much sequential work on a backend pays that has to be started first."""
    return f"{backend} pays from {units.duration(seconds)} of sequential work when it has to be started."


def provisional(blocks: int) -> str:
    """Mark lines that further blocks will change."""
    return f"provisional: {blocks} block{'s' * (blocks != 1)} so far; intervals begin with the second or third"


def so_far(cell: str, seconds: float, count: int) -> str:
    """Say what is known of a cell whose group has not ended."""
    return f"{cell}   {units.duration(seconds)}   {count} sample{'s' * (count != 1)}"


NO_GROUP = "No group has ended: there is no comparison yet. The same command measures the interrupted group again."


def trusted(host: str, blocks: str, floor: float | None) -> str:
    """Say that the controls passed."""
    return f"TRUSTED ({', '.join(filter(None, [host, blocks, _floor(floor)]))})."


QUIET, BUSY = "quiet rounds", "busy machine"  # what others took during the samples; the host itself: `host_state`


def _floor(floor: float | None) -> str:
    return "" if floor is None else f"A/A within {units.plain(100 * floor)} %"


def on_nodes(cluster: str, nodes: Sequence[int], usable: int) -> str:
    """Say on which nodes the cells of Ray ran; more CPUs than the machine has are logical ones."""
    logical = f", logical ones on {usable} cores" if sum(nodes) > usable else ""
    cpus = " + ".join(map(str, nodes))
    return f"Cells of Ray ran on cluster {cluster}: {len(nodes)} nodes of {cpus} CPUs{logical}, all on this machine."
