"""The rules of a quiet machine, on counters worked out by hand, and once on the real machine."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from raybench.model.plan import BACKGROUND_SHARE
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
    found = judge(None, span(10.0, busy=12.0, own=11.0))
    assert found.background_during == 0.05
    assert found.background_before is None
    assert found.reason == ""


@pytest.mark.rule(15)
def test_more_than_five_percent_of_foreign_time_disturbs() -> None:
    found = judge(None, span(10.0, busy=12.2, own=11.0))
    assert found.background_during == 0.06
    assert found.reason.startswith(
        "background load took 6.0% of the CPU time during the measurement, allowed are 5% (limits.background_share,"
    )


def test_the_idle_window_before_the_start_counts_too() -> None:
    """0.2 s on 2 CPUs: 0.04 of 0.4 CPU seconds is 10 %."""
    found = judge(span(0.2, busy=0.04), span(10.0, busy=10.0, own=10.0))
    assert found.background_before == 0.1
    assert found.reason.startswith(
        "background load took 10.0% of the CPU time before the start, allowed are 5% (limits.background_share,"
    )


@pytest.mark.parametrize(("ticks", "disturbed"), [(0, False), (1, False), (2, False), (3, True)])
def test_two_ticks_of_noise_do_not_disturb_an_idle_window(ticks: int, disturbed: bool) -> None:
    found = judge(span(0.2, busy=ticks * 0.01), span(10.0))
    assert bool(found.reason) is disturbed


def test_one_tick_does_not_disturb_the_window_of_a_single_cpu() -> None:
    """0.2 s on 1 CPU: one tick is 5 %, two are 10 %, which are still within the allowance."""
    first = Reading(at=0.0, cpus=1, busy_s=0.0)
    for ticks, disturbed in [(1, False), (2, False), (3, True)]:
        last = Reading(at=0.2, cpus=1, busy_s=ticks * 0.01)
        assert bool(judge(Span(first=first, last=last), span(10.0)).reason) is disturbed


@pytest.mark.parametrize(("foreign_s", "disturbed"), [(0.04, False), (0.05, False), (0.06, True)])
def test_a_short_measurement_needs_more_than_its_tick_error(foreign_s: float, disturbed: bool) -> None:
    """0.3 s on 2 CPUs: 0.04 of 0.6 CPU seconds is 6.7 %, but four ticks may be noise."""
    found = judge(None, span(0.3, busy=0.3 + foreign_s, own=0.3))
    assert bool(found.reason) is disturbed


def test_own_time_beyond_the_machines_is_a_reading_apart_and_never_negative() -> None:
    assert judge(None, span(1.0, busy=0.99, own=1.0)).background_during == 0.0


@pytest.mark.rule(15)
@pytest.mark.parametrize(("steal_s", "disturbed"), [(0.2, False), (0.22, True)])
def test_more_than_one_percent_of_steal_disturbs(steal_s: float, disturbed: bool) -> None:
    found = judge(None, span(10.0, steal=steal_s))
    assert found.steal == round(steal_s / 20, 4)
    assert ("hypervisor" in found.reason) is disturbed


def test_a_study_may_allow_more_background_load() -> None:
    busy = span(10.0, busy=13.0, own=11.0)
    assert judge(None, busy, background_share=0.1).reason == ""
    assert judge(None, busy).reason.startswith("background load took 10.0%")


def test_no_share_is_above_the_whole_machine() -> None:
    assert judge(None, span(0.2, busy=0.55)).background_during == 1.0


def test_a_study_may_allow_more_steal() -> None:
    assert judge(None, span(10.0, steal=0.9), steal_share=0.05).reason == ""
    found = judge(None, span(10.0, steal=1.1), steal_share=0.05)
    assert found.reason == "the hypervisor kept back 5.5% of the CPU time, allowed are 5.0% (limits.steal_share)"


def test_one_stolen_tick_does_not_disturb_a_short_measurement() -> None:
    assert judge(None, span(0.2, steal=0.01)).reason == ""


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
    assert judge(None, span(10.0, **{counter: 3})).reason == words
    assert judge(None, span(10.0, **{counter: 0})).reason == ""


def test_swap_in_the_idle_window_counts_for_the_measurement() -> None:
    first, between, last = reading(0.0, swapped_in=1), reading(0.2, swapped_in=5), reading(9.0, swapped_in=5)
    found = judge(Span(first=first, last=between), Span(first=between, last=last))
    assert found.swapped_in == 4
    assert found.reason == "4 pages were swapped in"


def test_all_reasons_are_given() -> None:
    found = judge(None, span(10.0, busy=4.0, steal=1.0, throttled=1))
    assert [part.split()[0] for part in found.reason.split("; ")] == ["background", "the", "the"]


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
            first, again = stranger.before(), ours.before()
        finally:
            child.kill()
    assert stranger.after().background_before > BACKGROUND_SHARE  # type: ignore[operator]
    assert "before the start" in judge(first, first).reason
    counted = again.last.own_s - again.first.own_s
    assert counted > 0.02  # the loop's own time is taken off the machine's
    assert again.background_s == pytest.approx(
        max(0.0, (again.last.busy_s or 0) - (again.first.busy_s or 0) - counted), abs=1e-9
    )
