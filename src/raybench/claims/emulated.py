"""Quantities of emulated cells: what scheduling alone leaves on logical CPUs. None of them is a verdict for compute."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from raybench.analysis.dataset import CellData, makespan
from raybench.analysis.emulation import Point
from raybench.analysis.speedup import karp_flatt
from raybench.claims.selection import Sample, Selection
from raybench.model import units
from raybench.model.estimate import Estimate
from raybench.model.evidence import Change, OfLogRatio


def emulated_speedup(selection: Selection) -> Iterator[Sample]:
    """Return the sum of the lengths / the makespan of the tasks that wait so long."""
    yield from _changed(selection, lambda of: Change())


def emulated_efficiency(selection: Selection) -> Iterator[Sample]:
    """Return the ideal list schedule of the lengths / the makespan."""
    for of, point in _points(selection):
        assert point.efficiency is not None
        yield _sample(selection, of, point.efficiency)


def emulated_estimate_error(selection: Selection, *, assumed: float) -> Iterator[Sample]:
    """Return the relative error of the estimate T_seq / (P x assumed); above 0 it promises too long a time."""
    yield from _changed(selection, lambda of: Change(scale=1 / (of.cell.cpus * assumed), shift=-1))


def emulated_serial_fraction(selection: Selection) -> Iterator[Sample]:
    """Return the serial fraction of Karp and Flatt that the emulated speedup implies; start-up is not in it."""
    yield from _changed(selection, lambda of: karp_flatt(of.cell.cpus), least_cpus=2)


def emulated_alternative_ratio(selection: Selection, *, against: Sequence[str]) -> Iterator[Sample]:
    """Return the time of other backends with the same waits on as many logical CPUs / the cell's.

    against : names or patterns of backends.
    """
    for of, _ in _points(selection):
        for other in of.siblings:
            alike = other is not of and other.cell.cpus == of.cell.cpus and other.cell.emulated
            if alike and any(fnmatchcase(other.cell.backend.name, pattern) for pattern in against):
                found = selection.ratio(other, of, makespan)
                if found:
                    yield replace(selection.sample(of, found.estimate(), other=other), emulated=True)


def _points(selection: Selection) -> Iterator[tuple[CellData, Point]]:
    emulation = selection.material.findings.emulated
    by_key = {point.cell.key: point for point in emulation.points} if emulation else {}
    for of in selection.cells:
        point = by_key.get(of.key)
        if point is not None and point.efficiency is not None:
            yield of, point


def _changed(selection: Selection, change: Callable[[CellData], Change], *, least_cpus: int = 1) -> Iterator[Sample]:
    """Yield a function of the emulated speedup of every valid cell."""
    for of, point in _points(selection):
        assert point.speedup is not None
        if of.cell.cpus >= least_cpus:
            yield _sample(selection, of, _change(point.speedup, change(of)))


def _change(estimate: Estimate, change: Change) -> Estimate:
    ends = sorted((change(estimate.low), change(estimate.high)))
    evidence = estimate.evidence
    if isinstance(evidence, OfLogRatio):
        evidence = OfLogRatio(logs=evidence.logs, change=change)
    return replace(estimate, point=change(estimate.point), low=ends[0], high=ends[1], evidence=evidence)


def _sample(selection: Selection, of: CellData, estimate: Estimate) -> Sample:
    return replace(selection.sample(of, estimate), emulated=True)


def contention_words(low: float, high: float, found: Estimate, seen: Sequence[float]) -> str:
    """Say by which contention factor an emulated speedup must shrink to meet a documented band.

    low, high : of the band, infinite on an open side. seen : factors measured at P = 2.
    """
    ends = [found.point / edge for edge in (high, low) if 0 < edge < float("inf")]
    if not ends:
        return ""
    factors = " to ".join(f"{end:.2f}" for end in ends)
    kind = "a factor of" if len(ends) == 2 else "a factor of at most" if low > 0 else "a factor of at least"
    here = f"; measured here at P = 2: {min(seen):.2f} to {max(seen):.2f}" if seen else ""
    return f"the sentence needs {kind} {factors} of contention on top of {units.plain(found.point)}x{here}"
