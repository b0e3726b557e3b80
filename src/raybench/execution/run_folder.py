"""Open the run of a study: the plan, its folder, and whether an earlier run goes on or a new one begins."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import psutil

from raybench.backends.tune_logs import LOGS
from raybench.config.settings import Settings
from raybench.execution.environment import environment
from raybench.model.errors import BadStore
from raybench.model.measurement import Environment, Measurement
from raybench.model.plan import Cluster, Plan, Spec, Stop
from raybench.model.serialize import decode, digest, encode, from_json, to_json
from raybench.planning.planner import Machine, plan
from raybench.store import json_file, store
from raybench.system import fingerprint, host_state, machine, namespaces
from raybench.system.host_state import HostState
from raybench.system.identity import changes
from raybench.system.identity import identity as parts_of_identity
from raybench.system.kernel import memory_allowed
from raybench.workloads import files

STOPPED = "stopped.json"
LOGS_FOLDER = "logs"  # of a run that keeps what Ray Tune's loggers write; not under version control
HOST_STATE = "host_state"  # among the facts of environment.json
HOST_LATER = "host_later"  # the same before later blocks, in short
LOOK_ALONE_S, LOOK_TOGETHER_S = 0.25, 1.5  # of such a look: 2 s on two cores


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """Why the last pass through a plan ended, with which budget, and how many raw lines there were then."""

    reason: str
    budget_min: float
    lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of a study by one state of code, lock file, data and machine."""

    folder: Path
    plan: Plan
    resumed: bool
    note: str  # one line: what is continued, or what changed since the last run of this study


def read_machine(cluster: Cluster | None = None) -> Machine:
    """Read what planning must know of this machine, and of a cluster that was looked at; imports nothing heavy."""
    return Machine(
        cluster=cluster or Cluster(),
        usable_cpus=machine.usable_cpus(),
        cpus_for=machine.cpus_for,
        gpus=len(machine.gpus()),
        missing_data=files.unavailable,
        memory_bytes=memory_allowed() or psutil.virtual_memory().total,
        refused_nodes=_refused_nodes,
    )


@cache
def _refused_nodes(cluster: Cluster) -> str:
    """Say why this machine cannot start such nodes, or ''; asks the kernel once."""
    return namespaces.unavailable(limited=cluster.bandwidth_mbit is not None)


def look_at_host(run: Run) -> HostState | None:
    """Measure the state of this host for a new run with verdicts and keep it in environment.json; takes 10 s, once.

    Returns the state that the run has; None for a study without verdicts.
    """
    if not run.plan.verdicts:
        return None
    recorded = store.read_environment(run.folder)
    if known := recorded.facts.get(HOST_STATE):
        return from_json(HostState, known)
    state = host_state.probe()
    facts = {**recorded.facts, HOST_STATE: to_json(state)}
    store.write_environment(run.folder, replace(recorded, facts=facts))
    return state


def look_again(run: Run, block: int) -> None:
    """Look at the host for two seconds before a block, and add its speed and spread to environment.json."""
    recorded = store.read_environment(run.folder)
    if HOST_STATE not in recorded.facts:
        return
    state = host_state.probe(alone_s=LOOK_ALONE_S, together_s=LOOK_TOGETHER_S)
    seen = {"block": block, "speed": round(state.speed, 1), "slowdown": round(state.slowdown, 4)}
    facts = {**recorded.facts, HOST_LATER: [*recorded.facts.get(HOST_LATER, []), seen]}
    store.write_environment(run.folder, replace(recorded, facts=facts))


def keep_logs(run: Run) -> None:
    """Let every process that is measured from now on leave what Ray Tune's loggers wrote in the run's folder."""
    os.environ[LOGS] = str((run.folder / LOGS_FOLDER).resolve())


def note_stop(run: Run, reason: str, *, budget_min: float) -> None:
    """Record beside the raw data why a pass ended, with which budget, and how many lines there were then."""
    told = Stopped(reason=reason, budget_min=budget_min, lines=_lines(run.folder))
    json_file.write_text(run.folder / STOPPED, encode(told).decode() + "\n")


def why_finished(run: Run, *, budget_min: float) -> str:
    """Say why nothing is left to measure, or '' where something may be.

    A study whose planned blocks are all there goes on with top-up blocks only for a larger budget than it had.
    """
    stopped = _read_stop(run.folder)
    if stopped is None or stopped.lines != _lines(run.folder) or stopped.reason in (Stop.BUDGET, ""):
        return ""
    if stopped.reason == Stop.PLANNED:
        if budget_min > stopped.budget_min:
            return ""
        return f"all planned blocks are there; a budget_min above {stopped.budget_min:g} narrows wide intervals"
    return stopped.reason


def _read_stop(folder: Path) -> Stopped | None:
    """Read why the last pass ended; None where nothing says so, or nothing that can be read (`_choose` tells it)."""
    try:
        return decode(Stopped, json_file.read_text(folder / STOPPED))
    except (BadStore, ValueError, RecursionError):
        return None


def _lines(folder: Path) -> int:
    path = folder / store.MEASUREMENTS
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def place_of(settings: Settings) -> str:
    """Return the key of where a study is measured: of this machine, or of the cluster that it joins."""
    return settings.study.cluster.machine or machine.machine_key()


def identity(made: Plan, place: str = "") -> dict[str, str]:
    """Say all that must be equal for two measurements to belong to one run. place : `place_of`, else this machine."""
    specs = {spec.name: spec for cell in made.cells for spec in (cell.workload, cell.backend)}
    named = tuple(sorted({name for job in made.jobs for name in job.environment}))
    measured_in = environment(Spec(name="", target="", environment=named), threads=1)
    found = parts_of_identity(digest({"plan": replace(made, about="")}), specs.values(), measured_in, named=named)
    return {**found, "machine": place or found["machine"]}


def open_run(
    settings: Settings,
    made: Plan,
    *,
    command: str,
    collect: Callable[[Mapping[str, str], str], Environment] = fingerprint.collect,
) -> Run:
    """Continue the newest run of this study with the same identity, or begin a new one and say why.

    The study's folder is locked meanwhile: of two that begin at the same moment, the second is refused.
    collect : takes the machine's fingerprint for a new run; it takes seconds.
    """
    place, cluster = place_of(settings), settings.study.cluster
    study_folder = settings.reports / "raw" / place / made.study

    def record(identity: Mapping[str, str], command: str) -> Environment:
        found = collect(identity, command)
        if not cluster.is_joined:
            return found
        facts = {"cluster": {"name": cluster.name, "cpus": cluster.cpus, "gpus": cluster.gpus, "nodes": cluster.found}}
        return replace(found, machine=place, facts={**found.facts, **facts})

    with store.lock(study_folder):
        return _choose(study_folder, made, command, record)


def _choose(
    study_folder: Path, made: Plan, command: str, collect: Callable[[Mapping[str, str], str], Environment]
) -> Run:
    wanted = identity(made, study_folder.parent.name)
    here = wanted["machine"] == machine.machine_key()
    reason = f"first run of study {made.study} on {'this machine' if here else wanted['machine']}"
    aside = ""
    newest = True
    for folder in sorted((path.parent for path in study_folder.glob(f"*/{store.ENVIRONMENT}")), reverse=True):
        try:
            known = store.read_environment(folder)
        except BadStore as error:
            aside += f" (set aside: {error})"
            continue
        differences = changes(known, wanted)
        if not differences:
            store.read_plan(folder)  # a plan that was edited since is refused; without an address it is `made`
            if (folder / STOPPED).exists() and _read_stop(folder) is None:
                aside += f" (set aside: {folder / STOPPED} cannot be read; measured on without it)"
            return Run(folder=folder, plan=made, resumed=True, note=f"continuing {folder.name}{aside}")
        if newest:
            reason = f"changed since {folder.name}: {'; '.join(differences)}; a new run begins"
        newest = False
    return _begin(study_folder, made, collect(wanted, command), reason + aside)


def _begin(study_folder: Path, made: Plan, facts: Environment, reason: str) -> Run:
    folder = study_folder / f"{facts.began}-{digest(facts.identity)[:6]}"
    store.write_plan(folder, made)
    store.write_environment(folder, facts)
    return Run(folder=folder, plan=made, resumed=False, note=reason)


def known_seconds(reports: Path, made: Plan, place: str = "") -> dict[str, float]:
    """Look up how long cells took in earlier runs, in seconds per measurement; for estimates only."""
    keys = {cell.key for cell in made.cells}
    seconds: dict[str, list[float]] = {}
    for folder in _recent(reports, place or machine.machine_key()):
        for line in _lines_of(folder):
            if line.cell in keys:
                seconds.setdefault(line.cell, []).append(line.phases.cold + line.phases.data + line.phases.check)
    return {key: sorted(values)[len(values) // 2] for key, values in seconds.items()}


def _lines_of(folder: Path) -> Sequence[Measurement]:
    try:
        return store.Store(folder / store.MEASUREMENTS).load().measurements
    except BadStore:  # an estimate can do without; whoever reports or continues that run is told
        return ()


def _recent(reports: Path, place: str, count: int = 3) -> Sequence[Path]:
    found = store.runs(reports)
    here = [path for path in found if path.parent.parent.name == place]
    return sorted(here, key=lambda path: path.name)[-count:]


def missing_data(settings: Settings) -> list[str]:
    """List the data files that the study's workloads read and that are not on this machine."""
    names = {name for row in settings.study.grid for name in row.workloads}
    wanted = {data for name in names for data in settings.study.workloads[name].requires.data}
    return [name for name in sorted(wanted) if files.unavailable(name)]


def plan_study(settings: Settings) -> Plan:
    """Plan the study of these settings on this machine."""
    return plan(settings.study, read_machine(settings.study.cluster))
