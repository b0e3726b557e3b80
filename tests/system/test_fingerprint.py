"""The machine's name, GPUs, hashes and the fingerprint, read from made /proc and /sys trees."""

import hashlib
import json
import platform
import shutil
from pathlib import Path
from typing import Any

import pytest

from checkout import ROOT
from made_hosts import cpuinfo, made
from raybench.model import paths
from raybench.model.paths import mask_paths, mask_places
from raybench.model.serialize import from_json, to_json
from raybench.system import fingerprint, machine
from raybench.system.kernel import Host
from raybench.system.machine import data_hashes, machine_key, source_hash

# --- the machine's name ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "slug"),
    [
        ("AMD EPYC", "epyc-2c-24g-"),
        ("AMD EPYC 7763 64-Core Processor", "epyc-7763-2c-24g-"),
        ("Intel(R) Xeon(R) Platinum 8488C CPU @ 2.40GHz", "xeon-platinum-8488c-2c-24g-"),
        ("12th Gen Intel(R) Core(TM) i7-1260P", "core-i7-1260p-2c-24g-"),
    ],
)
def test_the_machine_is_named_by_model_cores_and_memory(tmp_path: Path, model: str, slug: str) -> None:
    host = made(tmp_path, {"/proc/cpuinfo": cpuinfo(2, model), "/proc/meminfo": "MemTotal:       24684084 kB\n"})
    key = machine_key(host)
    assert key.startswith(slug)
    assert len(key) == len(slug) + 6


def test_clock_speed_and_a_few_megabytes_do_not_rename_the_machine(tmp_path: Path) -> None:
    slow = made(
        tmp_path / "a",
        {"/proc/cpuinfo": cpuinfo(2, "Xeon @ 2.00GHz", "800.0"), "/proc/meminfo": "MemTotal: 24684084 kB\n"},
    )
    fast = made(
        tmp_path / "b",
        {"/proc/cpuinfo": cpuinfo(2, "Xeon @ 2.00GHz", "3900.0"), "/proc/meminfo": "MemTotal: 24704084 kB\n"},
    )
    more = made(
        tmp_path / "c", {"/proc/cpuinfo": cpuinfo(4, "Xeon @ 2.00GHz"), "/proc/meminfo": "MemTotal: 24684084 kB\n"}
    )
    assert machine_key(slow) == machine_key(fast)
    assert machine_key(slow) != machine_key(more)


def test_hardware_threads_of_one_core_count_as_one_physical_core(tmp_path: Path) -> None:
    entry = "processor\t: {}\nmodel name\t: X\nphysical id\t: 0\ncore id\t\t: {}\n"
    text = "\n".join(entry.format(cpu, cpu // 2) for cpu in range(4))
    assert machine.cpu_counts(made(tmp_path, {"/proc/cpuinfo": text})) == ("X", 2, 4)


# --- GPUs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, ("NVIDIA A", "NVIDIA B")),
        ("1", ("NVIDIA B",)),
        ("", ()),
        ("GPU-bb", ("NVIDIA B",)),
        ("1,7,0", ("NVIDIA B",)),
    ],
)
def test_gpus_are_those_that_cuda_would_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, visible: str | None, expected: tuple[str, ...]
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho '0, GPU-aa11, NVIDIA A'\necho '1, GPU-bb22, NVIDIA B'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert machine.gpus() == expected


@pytest.mark.parametrize("said", ["No devices were found", "NVIDIA-SMI has failed because it could not communicate"])
def test_a_driver_that_answers_in_a_sentence_has_no_gpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho '{said}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert machine.gpus() == ()


def test_a_machine_without_a_driver_has_no_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.gpus() == ()


# --- hashes ---------------------------------------------------------------------------------------


def test_only_what_can_change_a_measured_second_is_in_the_source_hash(tmp_path: Path) -> None:
    root = tmp_path / "raybench"
    shutil.copytree(paths.PACKAGE, root, ignore=shutil.ignore_patterns("__pycache__"))
    before = source_hash(root)
    for name in ("cli.py", "report/tables.py", "analysis/metg.py", "store/store.py"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("changed = 1\n")
    assert source_hash(root) == before
    for name in ("model/clock.py", "workloads/base.py", "backends/brand_new.py"):
        earlier = source_hash(root)
        (root / name).write_text("changed = 1\n")
        assert source_hash(root) != earlier, name


def test_data_files_are_hashed_and_notes_beside_them_are_not(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")
    (tmp_path / "README.md").write_text("about a.csv")
    assert data_hashes(tmp_path) == {"a.csv": hashlib.sha256(b"x\n1\n").hexdigest()}
    assert data_hashes(tmp_path / "absent") == {}


# --- fingerprint ----------------------------------------------------------------------------------


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for member in value.values() for leaf in leaves(member)]
    return [value]


def test_a_fingerprint_survives_json_and_names_nobody() -> None:
    found = fingerprint.collect({"plan": "p1"}, f"raybench run --conf {Path.home()}/mine")
    text = json.dumps(to_json(found))
    assert from_json(type(found), json.loads(text)) == found
    secret = [str(Path.home()) + "/", str(ROOT), "://"]
    assert not [word for word in [*secret, *([platform.node()] if len(platform.node()) > 4 else [])] if word in text]
    assert found.command == "raybench run --conf <path>"
    assert found.facts["packages"]["numpy"]
    assert {pool["user_api"] for pool in found.facts["python"]["thread_pools"]} == {"openmp", "blas"}


@pytest.mark.rule("HB9", 47)
def test_what_a_machine_does_not_tell_is_unavailable_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprint, "POOLS", "raise SystemExit('no numpy here')")
    monkeypatch.setenv("PATH", str(tmp_path))  # neither git nor nvidia-smi
    found = fingerprint.fingerprint(Host(root=tmp_path))
    assert not [leaf for leaf in leaves(found) if leaf in ("", None)]
    for group, name in [
        ("cpu", "governor"),
        ("cpu", "turbo"),
        ("cpu", "microcode"),
        ("cpu", "numa"),
        ("limits", "cgroup"),
        ("state", "pressure_cpu"),
        ("memory", "transparent_huge_pages"),
        ("storage", "/dev/shm"),
        ("gpu", "devices"),
        ("code", "commit"),
        ("python", "thread_pools"),
    ]:
        assert str(found[group][name]).startswith("unavailable: "), (group, name, found[group][name])
    assert found["python"]["thread_pools"] == "unavailable: no numpy here"


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("OMP_NUM_THREADS", "2", "2"),
        ("RAY_TMPDIR", "/home/ann/ray", "<path>"),
        ("RAY_AUTH_TOKEN", "abc123", "<hidden>"),
        ("RAY_ADDRESS", "10.1.2.3:6379", "<hidden>"),
        ("LOKY_MAX_CPU_COUNT", "4", "4"),
        ("PYTHONHASHSEED", "0", "0"),
        ("HOME", "/home/ann", None),
        ("AWS_SECRET", "x", None),
    ],
)
def test_only_listed_variables_are_kept_and_secrets_and_paths_are_hidden(
    name: str, value: str, kept: str | None
) -> None:
    assert fingerprint.variables({name: value}).get(name) == kept


def test_a_repository_that_git_does_not_trust_is_unavailable_in_gits_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert "dubious ownership" in fingerprint.fingerprint()["code"]["commit"]


def test_raw_data_name_no_path_and_no_address() -> None:
    told = "no head at 10.0.0.1:6379 nor ray://box:1 but 127.0.0.1:8 of /home/ann/x, 3.5 MB/s"
    assert mask_places(told) == "no head at <address> nor <address> but 127.0.0.1:8 of <path>, 3.5 MB/s"


def test_generic_places_stay_readable_and_others_are_masked() -> None:
    assert mask_paths("in /tmp and /dev/shm, not /home/ann/x or ~/y, nor /tmp/ann") == (
        "in /tmp and /dev/shm, not <path> or <path>, nor <path>"
    )
