"""How quiet the machine was: CPU time of others, steal, throttling and swap, judged by rules fixed in advance.

No rule looks at the time that was measured. Load averages and PSI are not used: they remember the previous cell.
"""

import os
import resource
from collections.abc import Callable
from dataclasses import dataclass

from raybench.model.clock import now, pause
from raybench.model.measurement import Disturbance
from raybench.model.plan import BACKGROUND_SHARE, STEAL_SHARE
from raybench.system.kernel import THIS, Host, own_group, parse_keyed

WINDOW_S = 0.2  # before a measurement; long enough for 20 ticks of /proc/stat on each CPU
# Machine and tree are read a moment apart, and /proc/stat counts ticks of 10 ms, cut off at both ends of the window.
# A share alone would let one tick disturb a short window: so many seconds must be passed as well.
WINDOW_ALLOWANCE_S = 0.02  # two ticks; what 5 % of 0.2 s is on two CPUs
DURING_ALLOWANCE_S = 0.05  # ticks are samples: 0.5 s on two CPUs, half busy, are uncertain by 0.02 s (one sd)
STEAL_ALLOWANCE_S = 0.02


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


def judge(
    before: Span | None,
    during: Span,
    *,
    steal_share: float = STEAL_SHARE,
    background_share: float = BACKGROUND_SHARE,
) -> Disturbance:
    """Say how quiet it was and, by the rules above, whether the measurement is disturbed.

    before : an idle window just before; None where there was none. Steal, throttling, swap and heat are taken from
    its start to the end of the measurement.
    steal_share, background_share : time that the hypervisor may keep back, and that others may use, of the machine's
    CPU time, 0 to 1.
    """
    whole = Span(first=before.first if before else during.first, last=during.last)
    steal_s = _growth(whole.first.steal_s, whole.last.steal_s)
    throttled = _count(whole.first.throttled, whole.last.throttled)
    swapped = _count(whole.first.swapped_in, whole.last.swapped_in)
    heat = _count(whole.first.overheated, whole.last.overheated)
    stolen = None if steal_s is None else round(_share(steal_s, whole), 4)  # judged as it is stored
    reasons = [
        before is not None and _background(before, background_share, WINDOW_ALLOWANCE_S, "before the start"),
        _background(during, background_share, DURING_ALLOWANCE_S, "during the measurement"),
        (stolen or 0.0) > steal_share
        and (steal_s or 0.0) > STEAL_ALLOWANCE_S
        and f"the hypervisor kept back {stolen:.1%} of the CPU time, "
        f"allowed are {steal_share:.1%} (limits.steal_share)",
        throttled and f"the CPU quota stopped the study in {throttled} periods",
        swapped and f"{swapped} pages were swapped in",
        heat and f"{heat} thermal throttle events",
    ]
    return Disturbance(
        background_before=None if before is None else _background_share(before),
        background_during=_background_share(during),
        steal=stolen,
        throttled=throttled,
        swapped_in=swapped,
        reason="; ".join(reason for reason in reasons if reason),
    )


class Watch:
    """Watch the machine over one measurement: `before` just before it starts, `after` when it has ended.

    own_cpu_s : CPU seconds so far of the measurement's tree and of shared heads; must not fall in between.
    """

    def __init__(self, own_cpu_s: Callable[[], float], host: Host = THIS) -> None:
        self._own_cpu_s = own_cpu_s
        self._host = host
        self._before: Span | None = None
        self._start = self.reading()

    def reading(self) -> Reading:
        """Read all counters now."""
        return read(self._own_cpu_s, self._host)

    def window(self, seconds: float = WINDOW_S) -> Span:
        """Watch for so long while the study does nothing."""
        first = self.reading()
        pause(seconds)
        return Span(first=first, last=self.reading())

    def before(self) -> Span:
        """Watch the idle window; the measurement counts from its end."""
        self._before = self.window()
        self._start = self._before.last
        return self._before

    def after(self, *, steal_share: float = STEAL_SHARE, background_share: float = BACKGROUND_SHARE) -> Disturbance:
        """Judge the time since `before`, or since this watch began."""
        during = Span(first=self._start, last=self.reading())
        return judge(self._before, during, steal_share=steal_share, background_share=background_share)


def _background(span: Span, allowed: float, allowance_s: float, when: str) -> str:
    used, share = span.background_s, _background_share(span)
    if used is None or share is None or share <= allowed or used <= allowance_s + 1e-9:
        return ""
    return (
        f"background load took {share:.1%} of the CPU time {when}, allowed are {allowed:.0%} "
        "(limits.background_share, and `raybench doctor` names the programs)"
    )


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
