"""The recipes for clusters: their form, offline. Nobody has run them here, and each of them says so."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray
import yaml

from checkout import ROOT
from raybench.arguments import parse
from raybench.config import settings
from raybench.model.errors import BadSettings

DEPLOY = ROOT / "deploy"
SCRIPTS = ("ray-job-submit.sh", "slurm.sbatch")
RECIPES = (*SCRIPTS, "kuberay-rayjob.yaml", "ray-up.yaml", "Dockerfile")
SAID = "form checked, never run"
ASKED = {"HEAD": "192.0.2.1", "REPORTS": "/data/reports"}
SLURM = {"SLURM_JOB_NODELIST": "n[1-4]", "SLURM_JOB_NUM_NODES": "4", "SLURM_CPUS_PER_TASK": "8"}
STANDS_IN = """#!/bin/sh
name=${0##*/}
case "$name" in
  scontrol) echo n1; echo n2; exit ;;
  hostname) echo "192.0.2.1 192.0.2.9"; exit ;;
esac
for word in "$name" "$@"; do printf '%s\\0' "$word"; done >> "$CALLS"
printf '\\n' >> "$CALLS"
if [ "$name" = srun ]; then
  while [ "${1#--}" != "$1" ]; do shift; done
  exec "$@"
fi
"""


def read(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def locked_ray() -> str:
    (found,) = re.findall(r"^ray==(\S+)", (ROOT / "requirements" / "run.lock").read_text(), flags=re.MULTILINE)
    return found


# --- what each of them says -----------------------------------------------------------------------


@pytest.mark.parametrize("name", [*RECIPES, "README.md"])
def test_every_recipe_says_that_only_its_form_was_checked(name: str) -> None:
    assert SAID in read(name).lower()


def test_the_readme_names_every_recipe_and_no_other() -> None:
    named = set(re.findall(r"\]\(([^)/]+)\)", read("README.md")))
    assert named == set(RECIPES) == {path.name for path in DEPLOY.iterdir()} - {"README.md"}


# --- the command line of raybench -----------------------------------------------------------------


def command_lines(text: str) -> Iterator[list[str]]:
    """Yield the words of each `raybench run` in a text, to the end of its line or quotation."""
    for found in re.findall(r"raybench (run [^\n']*)", text.replace("\\\n", " ")):
        words = [word.replace("$REPORTS", ASKED["REPORTS"]) for word in shlex.split(found)]
        yield [word for word in words if word != "$@"]


def accept(words: list[str]) -> settings.Settings:
    """Read a command line as raybench does: its verb, its options, and its overrides as a study."""
    return settings.load(parse(words).overrides)


@pytest.mark.parametrize("name", ["ray-job-submit.sh", "slurm.sbatch", "kuberay-rayjob.yaml", "ray-up.yaml"])
def test_raybench_takes_the_command_line_of_the_recipe_and_joins_the_cluster(name: str) -> None:
    lines = list(command_lines(read(name)))
    assert lines
    for words in lines:
        cluster = accept(words).study.cluster
        assert (cluster.name, cluster.address) == ("existing", "auto")


@pytest.mark.parametrize("typo", ["run study=quik", "run clustr=existing", "run --no-reprot", "rum"])
def test_a_command_line_with_a_typing_error_is_refused(typo: str) -> None:
    with pytest.raises((SystemExit, BadSettings)):
        accept(typo.split())


# --- scripts --------------------------------------------------------------------------------------


def syntax_fault(script: str) -> str:
    """Return what `bash -n` says of a script."""
    return subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False).stderr


@pytest.mark.parametrize("name", SCRIPTS)
def test_bash_reads_the_script(name: str) -> None:
    assert syntax_fault(read(name)) == ""


@pytest.mark.parametrize("name", SCRIPTS)
def test_bash_does_not_read_a_script_with_an_open_quotation(name: str) -> None:
    assert syntax_fault(read(name).replace('"$@"', '"$@', 1)) != ""


@cache
def flags(*command: str) -> frozenset[str]:
    """Return the long options in the help of a command of Ray's."""
    words = [sys.executable, "-m", "ray.scripts.scripts", *command, "--help"]
    said = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout
    return frozenset(re.findall(r"--[a-z][-a-z]*", said))


def unknown_flags(words: list[str], *commands: tuple[str, ...]) -> set[str]:
    """Return the long options in front of `--` that the help of none of these commands has."""
    mine = words[: words.index("--")] if "--" in words else words
    asked = {word.partition("=")[0] for word in mine if word.startswith("--")}
    return asked - frozenset().union(*(flags(*command) for command in commands))


def calls(name: str, folder: Path, *words: str) -> list[list[str]]:
    """Run a script with programs that only note how they are called, and return their command lines."""
    for program in ("ray", "srun", "scontrol", "hostname"):
        (folder / program).write_text(STANDS_IN)
        (folder / program).chmod(0o755)
    noted = folder / "calls"
    env = {**ASKED, **SLURM, "PATH": f"{folder}:{os.environ['PATH']}", "CALLS": str(noted)}
    subprocess.run(["bash", str(DEPLOY / name), *words], env=env, check=True, timeout=30)
    return [line.removesuffix("\0").split("\0") for line in noted.read_text().splitlines()]


def test_the_job_is_submitted_with_flags_that_ray_has_and_a_command_that_raybench_has(tmp_path: Path) -> None:
    (call,) = calls("ray-job-submit.sh", tmp_path, "cpus=[1,2]")
    assert call[:3] == ["ray", "job", "submit"]
    assert unknown_flags(call, ("job", "submit")) == set()
    asked = call[call.index("--") + 1 :]
    assert asked[0] == "raybench"
    loaded = accept(asked[1:])
    assert (loaded.study.grid[0].cpus, str(loaded.reports)) == ((1, 2), ASKED["REPORTS"])


@pytest.mark.parametrize("name", ASKED)
def test_a_job_without_a_head_or_a_place_for_its_results_says_what_to_set(name: str) -> None:
    env = {key: value for key, value in ASKED.items() if key != name} | {"PATH": os.environ["PATH"]}
    script = ["bash", str(DEPLOY / "ray-job-submit.sh")]
    done = subprocess.run(script, env=env, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode != 0
    assert f"set {name} to" in done.stderr


def test_slurm_starts_ray_on_all_nodes_with_flags_that_ray_has(tmp_path: Path) -> None:
    address, start = (call for call in calls("slurm.sbatch", tmp_path, "cpus=[1,2]") if call[0] == "srun")
    assert address[-2:] == ["hostname", "--ip-address"]
    ray_words = start[start.index("ray") :]
    assert ray_words[1] == "symmetric-run"
    assert unknown_flags(ray_words, ("symmetric-run",), ("start",)) == set()
    assert ray_words[ray_words.index("--address") + 1] == "192.0.2.1:6379"
    assert ray_words[ray_words.index("--min-nodes") + 1] == SLURM["SLURM_JOB_NUM_NODES"]
    asked = ray_words[ray_words.index("--") + 1 :]
    assert accept(asked[1:]).study.grid[0].cpus == (1, 2)


def test_a_flag_with_a_typing_error_is_seen() -> None:
    assert unknown_flags(["ray", "job", "submit", "--adress", "x", "--", "--mine"], ("job", "submit")) == {"--adress"}
    assert unknown_flags(["ray", "symmetric-run", "--min-node=4"], ("symmetric-run",), ("start",)) == {"--min-node"}


# --- YAML -----------------------------------------------------------------------------------------


def rayjob_faults(text: str) -> list[str]:
    """Return what the strict schema finds in a RayJob, and where Ray's version is not the lock's."""
    schema = json.loads(Path(__file__).with_name("rayjob.schema.json").read_text())
    job = yaml.safe_load(text)
    faults = [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(job)]
    cluster = {} if faults else job["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]] if cluster else []
    containers = [group["template"]["spec"]["containers"][0] for group in groups]
    versions = {cluster.get("rayVersion")} | {container["image"].rpartition(":")[2] for container in containers}
    faults += [f"version {version}, the lock has {locked_ray()}" for version in versions - {locked_ray()} if cluster]
    faults += [
        f"{c['name']}: requests are not limits" for c in containers if len({*map(str, c["resources"].values())}) > 1
    ]
    fixed = [len({group[key] for key in ("replicas", "minReplicas", "maxReplicas")}) == 1 for group in groups[1:]]
    return faults + ["the number of workers is not fixed"] * (not all(fixed))


def test_the_rayjob_has_documented_fields_only_and_the_locks_ray() -> None:
    assert rayjob_faults(read("kuberay-rayjob.yaml")) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("backoffLimit", "backOffLimit"),
        ("enableInTreeAutoscaling", "enableInTreeAutoScaling"),
        ("authOptions", "authOption"),
        ("mode: token", "mode: tokens"),
        ("rayStartParams", "rayStartParam"),
        ("num-cpus", "num_cpus"),
        ('num-cpus: "0"', "num-cpus: 0"),
        ("replicas: 3", "replicas: 2"),
        ("volumeMounts", "volumeMount"),
        ('limits: {cpu: "8"', 'limits: {cpu: "9"'),
        ("rayVersion: 2.60.0", "rayVersion: 2.61.0"),
        ("raybench:2.60.0", "raybench:2.59.0"),
    ],
)
def test_a_rayjob_with_a_typing_error_is_refused(right: str, wrong: str) -> None:
    text = read("kuberay-rayjob.yaml")
    assert right in text
    assert rayjob_faults(text.replace(right, wrong, 1)) != []


def test_the_image_is_built_on_the_locks_ray() -> None:
    assert f"FROM rayproject/ray:{locked_ray()}-py311\n" in read("Dockerfile")
    assert f"raybench:{locked_ray()} " in read("Dockerfile")


def launcher_faults(text: str) -> list[str]:
    """Return what Ray's own schema finds in a configuration of `ray up`, and unknown flags of `ray start`."""
    schema = json.loads((Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text())
    config: dict[str, Any] = yaml.safe_load(text)
    faults = [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(config)]
    starts = [*config.get("head_start_ray_commands", []), *config.get("worker_start_ray_commands", [])]
    unknown = set().union(*(unknown_flags(shlex.split(line), ("start",)) for line in starts))
    faults += [f"ray start has no {flag}" for flag in sorted(unknown)]
    lacking = {"head_ip", "worker_ips"} - config.get("provider", {}).keys()  # Ray's schema takes any field there
    return faults + [f"the provider `local` needs {name}" for name in sorted(lacking)]


def test_ray_up_has_fields_and_flags_that_ray_has() -> None:
    assert launcher_faults(read("ray-up.yaml")) == []
    assert f"ray=={locked_ray()}" in read("ray-up.yaml")


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("cluster_name", "cluster-name"),
        ("head_ip", "head_ips"),
        ("ssh_private_key", "ssh_privatekey"),
        ("file_mounts", "file_mount"),
        ("head_start_ray_commands", "head_start_ray_command"),
        ("--num-cpus=0", "--num-cpu=0"),
    ],
)
def test_a_configuration_of_ray_up_with_a_typing_error_is_refused(right: str, wrong: str) -> None:
    text = read("ray-up.yaml")
    assert right in text
    assert launcher_faults(text.replace(right, wrong, 1)) != []
