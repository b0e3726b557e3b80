"""The rules of a quiet machine, on counters worked out by hand, and once on the real machine."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from raybench.model.clock import pause
from raybench.system import interference
from raybench.system.interference import Reading, Span, Watch, judge
from raybench.system.kernel import Host


def reading(at: float, *, busy: float = 0.0, own: float = 0.0, steal: float = 0.0, **more: int) -> Reading:
    return Reading(at=at, cpus=2, busy_s=busy, own_s=own, steal_s=steal, **more)


def span(seconds: float, *, busy: float = 0.0, own: float = 0.0, steal: float = 0.0, **more: int) -> Span:
    first = reading(10.0, busy=100.0, own=50.0, steal=5.0, **dict.fromkeys(more, 7))
    last = reading(
        10.0 + seconds, busy=100.0 + busy, own=50.0 + own, steal=5.0 + steal, **{k: 7 + v for k, v in more.items()}
    )
    return Span(first=first, last=last)


def test_foreign_time_is_the_machines_busy_time_less_the_studys_own() -> None:
    """10 s on 2 CPUs give 20 CPU seconds; busy 12, own 11: others had 1 of 20."""
    found = judge(span(10.0, busy=12.0, own=11.0))
    assert found.background_during == 0.05
    assert found.background_before is None
    assert found.reason == ""


@pytest.mark.rule(15)
def test_more_than_ten_percent_of_background_load_disturbs() -> None:
    assert judge(span(10.0, busy=13.0, own=11.0)).reason == ""
    found = judge(span(10.0, busy=13.2, own=11.0))
    assert found.background_during == 0.11
    assert found.reason == "background load took 11.0% of the CPU time, allowed are 10% (limits.background_share)"


@pytest.mark.rule(15)
def test_steal_is_recorded_and_never_a_reason() -> None:
    found = judge(span(10.0, steal=6.0))
    assert found.steal == 0.3
    assert found.reason == ""


@pytest.mark.parametrize(("used_s", "disturbed"), [(0.04, False), (0.05, False), (0.06, True)])
def test_a_short_sample_needs_more_than_its_tick_error(used_s: float, disturbed: bool) -> None:
    """0.2 s on 2 CPUs: 0.05 of 0.4 CPU seconds is 12.5 %, but five ticks may be noise."""
    assert bool(judge(span(0.2, busy=0.2 + used_s, own=0.2)).reason) is disturbed


def test_own_time_beyond_the_machines_is_a_reading_apart_and_never_negative() -> None:
    assert judge(span(1.0, busy=0.99, own=1.0)).background_during == 0.0


def test_a_study_may_allow_more_background_load() -> None:
    busy = span(10.0, busy=15.0, own=11.0)
    assert judge(busy, background_share=0.2).reason == ""
    assert judge(busy).reason.startswith("background load took 20.0%")


def test_no_share_is_above_the_whole_machine() -> None:
    assert judge(span(0.2, busy=0.55)).background_during == 1.0


@pytest.mark.rule(15)
@pytest.mark.parametrize(
    ("counter", "words"),
    [
        ("throttled", "the CPU quota stopped the study in 3 periods"),
        ("swapped_in", "3 pages were swapped in"),
        ("overheated", "3 thermal throttle events"),
    ],
)
def test_any_throttling_swap_or_heat_disturbs(counter: str, words: str) -> None:
    assert judge(span(10.0, **{counter: 3})).reason == words
    assert judge(span(10.0, **{counter: 0})).reason == ""


def test_all_reasons_are_given() -> None:
    found = judge(span(10.0, busy=4.0, throttled=1))
    assert [part.split()[0] for part in found.reason.split("; ")] == ["background", "the"]


def test_what_cannot_be_read_is_unknown_and_disturbs_nothing(tmp_path: Path) -> None:
    watch = Watch(lambda: 0.0, Host(root=tmp_path))
    found = watch.after()
    assert (found.background_during, found.steal, found.throttled, found.swapped_in, found.reason) == (
        None,
        None,
        None,
        None,
        "",
    )


def test_busy_time_is_user_nice_and_system_without_guest_iowait_and_interrupts(tmp_path: Path) -> None:
    """user 1000 (900 of them guest), nice 20, system 300, idle, iowait 77, irq 5, softirq 6, steal 44."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/stat").write_text("cpu  1000 20 300 9999 77 5 6 44 900 0\ncpu0 1 1 1\ncpu1 1 1 1\nintr 1\n")
    (tmp_path / "proc/vmstat").write_text("pgpgin 5\npswpin 12\n")
    found = interference.read(lambda: 2.5, Host(root=tmp_path))
    assert found.busy_s == pytest.approx(13.2)
    assert found.steal_s == pytest.approx(0.44)
    assert found.cpus == 2
    assert found.swapped_in == 12
    assert found.own_s > 2.5  # this process's own time comes on top


def test_throttled_periods_of_all_groups_above_us_are_summed(tmp_path: Path) -> None:
    for name, text in {
        "proc/self/cgroup": "0::/a/b\n",
        "proc/self/mountinfo": "1 1 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw",
        "sys/fs/cgroup/a/cpu.stat": "usage_usec 5\nnr_throttled 2\n",
        "sys/fs/cgroup/a/b/cpu.stat": "nr_throttled 40\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert interference.read(lambda: 0.0, Host(root=tmp_path)).throttled == 42


def test_a_busy_loop_beside_the_study_is_seen_and_disappears_when_it_is_ours() -> None:
    loop = "print(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", loop], stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None
            child.stdout.readline()
            times = psutil.Process(child.pid).cpu_times
            stranger, ours = Watch(lambda: 0.0), Watch(lambda: sum(times()[:2]))
            pause(0.5)
            alone, counted = stranger.after(), ours.after()
        finally:
            child.kill()
    assert alone.background_during is not None
    assert counted.background_during is not None
    assert alone.background_during > counted.background_during
