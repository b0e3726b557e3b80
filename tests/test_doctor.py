"""Findings and their advice, from made facts; and one real look at a Ray cluster."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from raybench.backends import ray_probe
from raybench.doctor import examination, ray_cluster
from raybench.doctor.finding import Finding, Health
from raybench.system import machine, process_tree
from raybench.system.host_state import HostState
from raybench.system.kernel import Host
from raybench.workloads import files


def text_file(root: Path, name: str, text: str) -> Host:
    path = root / name.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return Host(root=root)


GOOD_RAY = {
    "version": "2.60.0",
    "error": "",
    "start_s": 8.0,
    "nodes": [{"alive": True, "cpus": 2.0}],
    "resources": {"CPU": 2.0},
    "answer": 42,
    "task_s": 0.8,
    "dashboard": "",
    "stop_s": 1.4,
    "left": 0,
}


def test_a_machine_of_several_whole_cores_is_fit() -> None:
    found = examination.cores(usable=4, physical=4, logical=8, quota=None)
    assert (found.verdict, found.value) == (Health.OK, "4 usable, 4 physical, 8 logical, no quota")


@pytest.mark.parametrize(
    "found",
    [
        examination.cores(usable=1, physical=1, logical=1, quota=None),
        examination.cores(usable=2, physical=8, logical=8, quota=2.5),
        examination.smt(logical=8, shared=2),
        examination.load(2.1, logical=8),
        examination.others(0.11, ["python 40%"]),
        examination.at_least("memory", 1.9, 2.0, "free", "end other programs, or choose a smaller study"),
        examination.judge_swap(0.5, 2.0),
        examination.governor("powersave"),
        ray_cluster.ray_findings(GOOD_RAY | {"left": 3}, joined=False)[-1],
        ray_cluster.ray_findings(GOOD_RAY | {"dashboard": "HTTP 401"}, joined=False)[3],
        ray_cluster.ray_findings(GOOD_RAY | {"nodes": [{"alive": False}, {"alive": True}]}, joined=True)[1],
    ],
    ids=lambda found: found.name,
)
def test_a_doubtful_machine_is_told_what_to_do(found: Finding) -> None:
    assert found.verdict is Health.WARN
    assert len(found.advice.split()) >= 5


@pytest.mark.parametrize(
    "found",
    [
        examination.smt(logical=4, shared=1),
        examination.load(1.9, logical=8),
        examination.others(0.05, []),
        examination.others(None, []),
        examination.at_least("memory", 2.0, 2.0, "free", "end other programs, or choose a smaller study"),
        examination.judge_swap(0.0, 2.0),
        examination.governor("performance"),
        examination.governor(None),
        examination.gpus(()),
        examination.judge_leftovers([], []),
    ],
    ids=lambda found: found.name,
)
def test_a_good_machine_is_left_in_peace(found: Finding) -> None:
    assert found.verdict is Health.OK
    assert found.advice == ""


def test_far_too_little_memory_is_bad() -> None:
    assert (
        examination.at_least("memory", 0.4, 2.0, "free", "end other programs, or choose a smaller study").verdict
        is Health.BAD
    )


def test_shares_of_programs_are_of_all_cpus_and_add_up_their_processes() -> None:
    before = {(1, "make"): 5.0, (2, "cc"): 1.0, (3, "cc"): 1.0, (4, "sh"): 2.0}
    after = {(1, "make"): 5.5, (2, "cc"): 1.9, (3, "cc"): 2.0, (4, "sh"): 2.001, (5, "new"): 9.0}
    assert examination.busiest(before, after, capacity_s=2.0) == ["cc 95%", "make 25%"]
    assert examination.busiest(before, after, capacity_s=1.0)[0] == "cc 100%"


def test_the_busiest_others_are_named() -> None:
    assert examination.others(0.3, ["chrome 40%", "make 20%"]).value == "30.0% of all CPUs (chrome 40%, make 20%)"


@pytest.mark.parametrize(
    ("path", "text", "value", "verdict"),
    [
        ("/sys/devices/system/cpu/intel_pstate/no_turbo", "1", "off", Health.OK),
        ("/sys/devices/system/cpu/intel_pstate/no_turbo", "0", "on", Health.WARN),
        ("/sys/devices/system/cpu/cpufreq/boost", "1", "on", Health.WARN),
        ("/sys/devices/system/cpu/cpufreq/boost", "0", "off", Health.OK),
        ("/proc/stat", "", "not shown by this machine", Health.OK),
    ],
)
def test_turbo_is_read_from_either_driver(tmp_path: Path, path: str, text: str, value: str, verdict: Health) -> None:
    found = examination.turbo(text_file(tmp_path, path, text))
    assert (found.value, found.verdict) == (value, verdict)


def test_a_folder_that_cannot_be_written_is_bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write where others may not
    found = examination.space(str(tmp_path), 0.0, "give the container more")
    assert (found.value, found.verdict) == ("cannot be written", Health.BAD)


QUIET = HostState(speed=100.0, spread=0.01, step=0.005, correlation=None, asymmetry=0.0, slowdown=0.02, cores=(0, 1))


def test_a_quiet_host_is_told_the_precision_to_expect() -> None:
    found = examination.steadiness(QUIET, groups=3)
    width = QUIET.half_width(groups=3, rounds=2)
    assert (found.verdict, found.advice) == (Health.OK, "")
    assert found.value.startswith("quiet host: speed varies by 1.0 % within seconds")
    assert found.value.endswith(f"known to +-{width:.1%}")


def test_a_contended_host_is_warned_of_wider_intervals() -> None:
    found = examination.steadiness(replace(QUIET, spread=0.12, step=0.1), groups=3)
    assert found.verdict is Health.WARN
    assert "contended host" in found.value
    assert "blocks=N" in found.advice


def test_a_missing_folder_is_a_warning(tmp_path: Path) -> None:
    found = examination.space("/dev/shm", 2.0, "give the container more", host=Host(root=tmp_path))
    assert (found.value, found.verdict) == ("not there", Health.WARN)


def test_a_missing_data_file_is_a_warning_with_both_remedies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYBENCH_DATA", str(tmp_path))
    monkeypatch.setenv("RAYBENCH_CACHE", str(tmp_path / "cache"))
    found = examination.data("insurance.csv")
    assert found.verdict is Health.WARN
    assert found.value.startswith("insurance.csv is not in ")
    assert "RAYBENCH_DATA" in found.advice
    assert "network" in found.advice


def test_generated_files_are_removed_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYBENCH_CACHE", str(tmp_path))
    made = files.generate_file("table-10.csv", lambda path: path.write_text("x\n") and None)
    assert str(made) in examination.clean()
    assert not made.exists()


def test_what_killed_runners_left_is_listed_with_the_way_to_remove_it() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        found = examination.judge_leftovers([psutil.Process(child.pid)], [Path("/dev/shm/x")])
        child.kill()
    assert found.verdict is Health.WARN
    assert found.value == f"process {child.pid}, /dev/shm/x"
    assert "raybench doctor --clean" in found.advice


def test_an_examination_gives_advice_for_all_that_is_not_ok() -> None:
    found = examination.examine(start_ray=False)
    assert len({finding.name for finding in found}) == len(found)
    assert {"cores", "others' CPU time", "memory", "/dev/shm", "GPUs", "data insurance.csv"} <= {f.name for f in found}
    assert not [finding for finding in found if (finding.verdict is Health.OK) == bool(finding.advice)]


# --- Ray ------------------------------------------------------------------------------------------


def test_a_good_cluster_gives_one_finding_for_each_step() -> None:
    found = ray_cluster.ray_findings(GOOD_RAY, joined=False)
    assert [finding.name for finding in found] == ["Ray", "Ray cluster", "Ray task", "Ray dashboard", "Ray stop"]
    assert {finding.verdict for finding in found} == {Health.OK}
    assert found[1].value == "1 of 1 nodes alive, 2 CPUs, 0 GPUs"


def test_a_cluster_that_was_there_before_is_not_stopped() -> None:
    found = ray_cluster.ray_findings(GOOD_RAY, joined=True)
    assert found[0].value == "2.60.0, joined in 8.0 s"
    assert "Ray stop" not in [finding.name for finding in found]


def test_a_missing_dashboard_is_a_fault_of_our_own_cluster_only() -> None:
    facts = GOOD_RAY | {"dashboard": ray_probe.NO_DASHBOARD}
    assert ray_cluster.ray_findings(facts, joined=True)[3].verdict is Health.OK
    assert ray_cluster.ray_findings(facts, joined=False)[3].verdict is Health.WARN


@pytest.mark.parametrize("joined", [True, False])
def test_a_ray_that_fails_is_bad_and_says_why(joined: bool) -> None:
    facts = {"version": "2.60.0", "error": "ConnectionError: no head at 10.0.0.1:6379", "left": 0}
    found = next(f for f in ray_cluster.ray_findings(facts, joined=joined) if f.name == "Ray error")
    assert (found.value, found.verdict) == (facts["error"], Health.BAD)
    assert found.advice


def test_a_wrong_answer_of_ray_is_bad() -> None:
    assert ray_cluster.ray_findings(GOOD_RAY | {"answer": 41}, joined=False)[2].verdict is Health.BAD


def test_a_cluster_of_our_own_gets_its_own_token_and_no_proxy() -> None:
    user = {
        "RAY_ADDRESS": "10.0.0.1:6379",
        "RAY_AUTH_TOKEN": "mine",
        "https_proxy": "p",
        "HTTP_PROXY": "p",
        "HOME": "h",
    }
    ours = ray_probe.environ_of(user, tag="t", folder="f", joins=False)
    assert "RAY_ADDRESS" not in ours
    assert ours["RAY_AUTH_TOKEN"] not in ("", "mine")
    assert not {"https_proxy", "HTTP_PROXY"} & set(ours)
    assert (ours["no_proxy"], ours[process_tree.TAG], ours["HOME"]) == ("*", "t", "h")
    theirs = ray_probe.environ_of(user, tag="t", folder="f", joins=True)
    assert (theirs["RAY_AUTH_TOKEN"], theirs["RAY_ADDRESS"]) == ("mine", "10.0.0.1:6379")


def test_a_look_that_says_nothing_or_never_ends_is_an_error_and_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_probe, "LEAVE_S", 0.0)
    monkeypatch.syspath_prepend(str(tmp_path))
    cases = [("breaks", "raise SystemExit('no ray here')", 60.0, "no ray here")]
    cases += [("hangs", "while True: pass", 0.5, "no answer within 0.5 s")]
    for name, code, limit_s, said in cases:
        (tmp_path / f"{name}.py").write_text(code)
        monkeypatch.setattr(ray_probe, "MODULE", name)
        monkeypatch.setattr(ray_probe, "LIMIT_S", limit_s)
        assert ray_probe.ask(None)["error"] == said
        assert not process_tree.list_tagged(f"raybench-doctor-{os.getpid()}")


@pytest.mark.ray
def test_a_loopback_cluster_starts_with_its_dashboard_answers_and_stops() -> None:
    facts = ray_probe.ask(None)
    assert facts["error"] == ""
    found = {finding.name: finding for finding in ray_cluster.ray_findings(facts, joined=False)}
    assert found["Ray task"].value.startswith("right answer")
    assert found["Ray dashboard"].value == "answers HTTP 200"
    assert facts["nodes"] == [{"alive": True, "cpus": float(machine.usable_cpus())}]
    assert found["Ray stop"].verdict is Health.OK
    assert not process_tree.list_tagged("raybench-doctor-")
