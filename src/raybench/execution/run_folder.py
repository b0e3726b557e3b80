"""Open the run of a study: the plan, its folder, and whether an earlier run goes on or a new one begins."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from raybench.config.settings import Settings
from raybench.model.errors import BadStore
from raybench.model.measurement import Environment
from raybench.model.plan import Plan, Stop
from raybench.model.serialize import digest
from raybench.planning.planner import Machine, plan
from raybench.store import store
from raybench.system import fingerprint, machine
from raybench.workloads import files

STOPPED = "stopped.json"
PARTS = {
    "source": "the code that measures",
    "lock": "the lock file",
    "data": "a data file",
    "machine": "the machine",
    "plan": "the plan (study, overrides or sizes)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of a study by one state of code, lock file, data and machine."""

    folder: Path
    plan: Plan
    resumed: bool
    note: str  # one line: what is continued, or what changed since the last run of this study


def read_machine() -> Machine:
    """Read what planning must know of this machine; cheap, imports nothing heavy."""
    return Machine(
        usable_cpus=machine.usable_cpus(),
        cpus_for=machine.cpus_for,
        gpus=len(machine.gpus()),
        missing_data=files.unavailable,
    )


def note_stop(run: Run, reason: str, *, budget_min: float) -> None:
    """Record beside the raw data why a pass ended, with which budget, and how many lines there were then."""
    told = {"reason": reason, "budget_min": budget_min, "lines": _lines(run.folder)}
    (run.folder / STOPPED).write_text(json.dumps(told) + "\n", encoding="utf-8")


def why_finished(run: Run, *, budget_min: float) -> str:
    """Say why nothing is left to measure, or '' where something may be.

    A study whose planned blocks are all there goes on with mini-blocks only for a larger budget than it had.
    """
    path = run.folder / STOPPED
    if not path.is_file():
        return ""
    stopped = json.loads(path.read_text(encoding="utf-8"))
    if stopped["lines"] != _lines(run.folder) or stopped["reason"] in (Stop.BUDGET, ""):
        return ""
    if stopped["reason"] == Stop.PLANNED:
        if budget_min > stopped["budget_min"]:
            return ""
        return f"all planned blocks are there; a budget_min above {stopped['budget_min']:g} narrows wide intervals"
    return str(stopped["reason"])


def _lines(folder: Path) -> int:
    path = folder / store.MEASUREMENTS
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def identity(made: Plan) -> dict[str, str]:
    """Hash everything that must be equal for two measurements to belong to one run."""
    return machine.identity(digest({"plan": replace(made, about="")}))


def open_run(
    settings: Settings, made: Plan, *, command: str, collect: Callable[[str, str], Environment] = fingerprint.collect
) -> Run:
    """Continue the newest run of this study with the same identity, or begin a new one and say why.

    collect : takes the machine's fingerprint for a new run; it takes seconds.
    """
    wanted = identity(made)
    study_folder = settings.reports / "raw" / machine.machine_key() / made.study
    earlier = sorted(path.parent for path in study_folder.glob("*/environment.json"))
    reason = f"first run of study {made.study} on this machine"
    for folder in reversed(earlier):
        try:
            known = store.read_environment(folder)
        except BadStore:
            continue
        changed = _changes(known.identity, wanted)
        if not changed:
            return Run(folder=folder, plan=store.read_plan(folder), resumed=True, note=f"continuing {folder.name}")
        if folder == earlier[-1]:
            reason = f"{' and '.join(changed)} changed since {folder.name}: a new run begins"
    return _begin(study_folder, made, collect(wanted["plan"], command), reason)


def _begin(study_folder: Path, made: Plan, facts: Environment, reason: str) -> Run:
    folder = study_folder / f"{facts.began}-{digest(facts.identity)[:6]}"
    folder.mkdir(parents=True)
    store.write_plan(folder, made)
    store.write_environment(folder, facts)
    return Run(folder=folder, plan=made, resumed=False, note=reason)


def _changes(known: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    return [words for part, words in PARTS.items() if known.get(part) != wanted.get(part)]


def known_seconds(reports: Path, made: Plan) -> dict[str, float]:
    """Look up how long cells took in earlier runs, in seconds per measurement; for estimates only."""
    keys = {cell.key for cell in made.cells}
    seconds: dict[str, list[float]] = {}
    for folder in _recent(reports):
        for line in store.Store(folder / "measurements.jsonl").load().measurements:
            if line.cell in keys:
                seconds.setdefault(line.cell, []).append(line.phases.cold + line.phases.data + line.phases.check)
    return {key: sorted(values)[len(values) // 2] for key, values in seconds.items()}


def _recent(reports: Path, count: int = 3) -> Sequence[Path]:
    found = store.runs(reports)
    here = [path for path in found if path.parent.parent.name == machine.machine_key()]
    return sorted(here, key=lambda path: path.name)[-count:]


def missing_data(settings: Settings) -> list[str]:
    """List the data files that the study's workloads read and that are not on this machine."""
    names = {name for row in settings.study.grid for name in row.workloads}
    wanted = {data for name in names for data in settings.study.workloads[name].requires.data}
    return [name for name in sorted(wanted) if files.unavailable(name)]


def plan_study(settings: Settings) -> Plan:
    """Plan the study of these settings on this machine."""
    return plan(settings.study, read_machine())
