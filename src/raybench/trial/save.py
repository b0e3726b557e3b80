"""Put a tried function into a study: a workload class, its YAML and the one command that runs it."""

import re
import shlex
from pathlib import Path
from string import Template

import yaml

from raybench.model.errors import BadSettings
from raybench.trial.backends import JOBLIB, SEQUENTIAL
from raybench.trial.inputs import FILES
from raybench.trial.trial import Trial

CLASS = Template('''"""$name over $count items, as a workload; written by `raybench try --save`, yours to edit."""

import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from raybench import Progress, Task, TaskResult, Workload, WrongAnswer
from raybench.trial import inputs, target
from raybench.workloads.base import drawn
from raybench.workloads.function import same

FOLDER = $folder  # where the function finds its modules and files
sys.path.insert(0, FOLDER)
function = target.find($function).function
setup = $setup


class $kind(Workload):
    """Task i calls the function with item i."""

    def tasks(self, seed: int) -> list[Task]:
        os.chdir(FOLDER)
        return [Task(index=i, params={"item": (item,)}) for i, item in enumerate(inputs.read($spec))]

    def prepare(self, data: Any) -> Any:
        os.chdir(FOLDER)
        return () if setup is None else (setup(),)

    def run(self, task: Task, context: Any) -> Iterator[Progress]:
        (item,) = task.params["item"]
        yield Progress(answer=function(*context, $item))

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        $check
''')
AGAIN = """which = drawn(seed, len(tasks))  # computed again here; compare with answers that you know, if you can
        (again,) = self.run(tasks[which], self.prepare(None))
        if not same(results[which].answer, again.answer):
            raise WrongAnswer(f"item {which} has another answer than in the sequential baseline")"""
RANDOM = """if len(results) != len(tasks):  # two calls give two answers: put here what must hold for each of them
            raise WrongAnswer(f"{len(results)} answers to {len(tasks)} items")"""


def save(folder: Path, trial: Trial, *, function: str, setup: str, spec: str, star: bool) -> list[str]:
    """Write class and YAML below a folder; return what was written and the command, a sentence each.

    function, setup, spec : as the command line names function, set-up ('' is none) and inputs.
    Nothing that lies there is replaced.
    """
    name = re.sub(r"\W", "_", trial.look.name).lower()
    code, conf = folder / f"{name}_workload.py", folder / "conf" / "workload" / f"{name}.yaml"
    for path in (code, conf):
        if path.exists():
            raise BadSettings(f"{path}: already there, and it may be edited; remove it or give another --save folder")
    repeatable = trial.look.facts is not None and trial.look.facts.repeatable is True
    kind = "".join(part.capitalize() for part in name.split("_")) or "Tried"
    text = CLASS.substitute(
        name=trial.look.name,
        count=trial.look.count,
        folder=repr(str(Path.cwd())),
        function=repr(_absolute(function)),
        setup=f"target.find({_absolute(setup)!r}).function" if setup else "None",
        kind=kind,
        spec=repr(str(Path(spec).resolve()) if Path(spec).suffix.lower() in FILES else spec),
        item="*item" if star else "item",
        check=AGAIN if repeatable else RANDOM,
    )
    about = f"{trial.look.name} over {trial.look.count} items"
    described = {"_target_": f"{code.stem}:{kind}", "about": about, "tags": ["compute"], "params": {}}
    try:
        conf.parent.mkdir(parents=True, exist_ok=True)
        code.write_text(text, encoding="utf-8")
        conf.write_text(yaml.safe_dump(described, sort_keys=False), encoding="utf-8")
    except OSError as error:
        raise BadSettings(f"{folder}: cannot be written ({error.strerror}); give another --save folder") from error
    return [f"{code}: the workload class", f"{conf}: its YAML", command(folder, name, trial)]


def command(folder: Path, name: str, trial: Trial) -> str:
    """Return the command that puts the function into a study, with the backends that were looked at."""
    tried = dict.fromkeys(one.backend for one in trial.predictions)
    backends = ",".join((SEQUENTIAL, *(tried or (JOBLIB,))))
    place = shlex.quote(str(folder))
    conf = shlex.quote(str(folder / "conf"))
    words = f'"workloads=[{name}]" "backends=[{backends}]"'
    return f"PYTHONPATH={place} raybench run --conf {conf} study=quick {words}"


def _absolute(function: str) -> str:
    place, _, name = function.rpartition(":")
    return f"{Path(place).resolve()}:{name}" if place.endswith(".py") else function
