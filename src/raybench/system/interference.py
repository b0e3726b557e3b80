"""How quiet the machine was: CPU time of others, steal, throttling and swap, judged by rules fixed in advance.

No rule looks at the time that was measured. Load averages and PSI are not used: they remember the previous cell.
"""

import os
import resource
from collections.abc import Callable
from dataclasses import dataclass

from raybench.model.clock import now
from raybench.model.measurement import Disturbance
from raybench.model.plan import BACKGROUND_SHARE
from raybench.system.kernel import THIS, Host, own_group, parse_keyed

# Machine and tree are read a moment apart, and /proc/stat counts ticks of 10 ms, cut off at both ends of the window.
# A share alone would let one tick disturb a short window: so many seconds must be passed as well.
ALLOWANCE_S = 0.05  # ticks are samples: 0.5 s on two CPUs, half busy, are uncertain by 0.02 s (one sd)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The machine's counters at one moment; None is "not readable here".

    busy_s, steal_s : CPU seconds of all CPUs. own_s : CPU seconds of the study's own tree, runner included.
    throttled : periods in which a quota stopped us. swapped_in : pages. overheated : thermal throttle events.
    """

    at: float
    cpus: int
    busy_s: float | None = None
    steal_s: float | None = None
    own_s: float = 0.0
    throttled: int | None = None
    swapped_in: int | None = None
    overheated: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Two readings, one after the other."""

    first: Reading
    last: Reading

    @property
    def capacity_s(self) -> float:
        """CPU seconds that the machine had to give."""
        return (self.last.at - self.first.at) * self.last.cpus

    @property
    def background_s(self) -> float | None:
        """CPU seconds that others used: machine busy minus the study's own; never below 0."""
        busy = _growth(self.first.busy_s, self.last.busy_s)
        return None if busy is None else max(0.0, busy - (self.last.own_s - self.first.own_s))


def read(own_cpu_s: Callable[[], float], host: Host = THIS) -> Reading:
    """Read all counters now. `own_cpu_s` gives the tree without this process, whose own time is added.

    Busy is user, nice and system. Guest time is within user already. Waiting for a disk is idle. Interrupts are left
    out: no process pays for them, so that a study which uses the loopback network would disturb itself.
    """
    busy, steal, cpus = _stat(host)
    this = resource.getrusage(resource.RUSAGE_SELF)  # os.times would cut it to ticks
    return Reading(
        at=now(),
        cpus=cpus,
        busy_s=busy,
        steal_s=steal,
        own_s=own_cpu_s() + this.ru_utime + this.ru_stime,
        throttled=_throttled_periods(host),
        swapped_in=parse_keyed(host.text("/proc/vmstat")).get("pswpin"),
        overheated=_overheating(host),
    )


def judge(span: Span, *, background_share: float = BACKGROUND_SHARE) -> Disturbance:
    """Say how quiet it was and, by the rules above, whether the sample is disturbed.

    background_share : time that others may use, of the machine's CPU time, 0 to 1. Steal is recorded and never a
    reason: it marks a busy host, and leaving out what it touched would cut off one tail.
    """
    steal_s = _growth(span.first.steal_s, span.last.steal_s)
    throttled = _count(span.first.throttled, span.last.throttled)
    swapped = _count(span.first.swapped_in, span.last.swapped_in)
    heat = _count(span.first.overheated, span.last.overheated)
    reasons = [
        _background(span, background_share),
        throttled and f"the CPU quota stopped the study in {throttled} periods",
        swapped and f"{swapped} pages were swapped in",
        heat and f"{heat} thermal throttle events",
    ]
    return Disturbance(
        background_during=_background_share(span),
        steal=None if steal_s is None else round(_share(steal_s, span), 4),
        throttled=throttled,
        swapped_in=swapped,
        reason="; ".join(reason for reason in reasons if reason),
    )


class Watch:
    """Watch the machine over one sample, from its making to `after`.

    own_cpu_s : CPU seconds so far of the study's processes; must not fall in between.
    """

    def __init__(self, own_cpu_s: Callable[[], float], host: Host = THIS) -> None:
        self._own_cpu_s = own_cpu_s
        self._host = host
        self._start = self.reading()

    def reading(self) -> Reading:
        """Read all counters now."""
        return read(self._own_cpu_s, self._host)

    def after(self, *, background_share: float = BACKGROUND_SHARE) -> Disturbance:
        """Judge the time since this watch began."""
        return judge(Span(first=self._start, last=self.reading()), background_share=background_share)


def _background(span: Span, allowed: float) -> str:
    used, share = span.background_s, _background_share(span)
    if used is None or share is None or share <= allowed or used <= ALLOWANCE_S + 1e-9:
        return ""
    return f"background load took {share:.1%} of the CPU time, allowed are {allowed:.0%} (limits.background_share)"


def _background_share(span: Span) -> float | None:
    return None if span.background_s is None else round(_share(span.background_s, span), 4)


def _share(seconds: float, span: Span) -> float:
    # /proc/stat is cut to ticks, so that a short window may show more than the machine has to give
    return min(1.0, seconds / span.capacity_s) if span.capacity_s > 0 else 0.0


def _growth(first: float | None, last: float | None) -> float | None:
    return None if first is None or last is None else max(0.0, last - first)


def _count(first: int | None, last: int | None) -> int | None:
    return None if first is None or last is None else max(0, last - first)


def _stat(host: Host) -> tuple[float | None, float | None, int]:
    """Read busy and stolen seconds of all CPUs, and how many CPUs there are."""
    lines = (host.text("/proc/stat") or "").splitlines()
    cpus = sum(line.startswith("cpu") and line[3:4].isdigit() for line in lines)
    if not cpus:
        return None, None, os.cpu_count() or 1
    user, nice, system, _, _, _, _, steal, *_ = (int(ticks) for ticks in lines[0].split()[1:])
    tick_s = 1 / os.sysconf("SC_CLK_TCK")
    return (user + nice + system) * tick_s, steal * tick_s, cpus


def _throttled_periods(host: Host) -> int | None:
    """Sum the throttled periods of this process's group and of those above it; a quota may sit on any."""
    group = own_group("cpu", host)
    found = [parse_keyed(_text(folder / "cpu.stat")).get("nr_throttled") for folder in group.upwards()] if group else []
    known = [count for count in found if count is not None]
    return sum(known) if known else None


def _overheating(host: Host) -> int | None:
    files = host.glob("/sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/core_throttle_count")
    counts = [text for text in map(_text, files) if text.strip().isdigit()]
    return sum(int(text) for text in counts) if counts else None


def _text(path: os.PathLike[str]) -> str:
    try:
        with open(path) as stream:
            return stream.read()
    except OSError:
        return ""
