"""`raybench try` between the command line's words and a trial."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from raybench.model.errors import BadSettings
from raybench.trial import inputs, target
from raybench.trial.save import save
from raybench.trial.trial import Trial, Wish, run
from raybench.trial.work import Observer, Work

SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The words of the command line as they were written."""

    words: Sequence[str]
    inputs: str
    setup: str = ""
    star: bool = False
    cpus: str = ""
    on: str = ""
    backends: str = ""
    budget: str = "60s"


def try_function(asked: Asked, observe: Observer, *, folder: Path | None = None) -> tuple[Trial, list[str]]:
    """Try the function that is asked for; return the trial, and what was saved to `folder`, a sentence each."""
    if len(asked.words) != 1:
        raise BadSettings(f"expected one MODULE:FUNCTION or FILE.py:FUNCTION, got {len(asked.words)}")
    (name,) = asked.words
    if not asked.inputs:
        raise BadSettings(f"--inputs is missing: the items that {name} is called with, e.g. --inputs 'range(200)'")
    wish = Wish(
        cpus=numbers("--cpus", asked.cpus),
        elsewhere=numbers("--on", asked.on),
        backends=tuple(word for word in asked.backends.split(",") if word),
        budget_s=seconds(asked.budget),
    )
    work = Work(
        target=target.find(name),
        items=inputs.read(asked.inputs),
        star=asked.star,
        setup=target.find(_beside(asked.setup, name)) if asked.setup else None,
    )
    trial = run(work, wish, observe)
    if folder is None or trial.look.failure:
        return trial, []
    setup = _beside(asked.setup, name) if asked.setup else ""
    return trial, save(folder, trial, function=name, setup=setup, spec=asked.inputs, star=asked.star)


def numbers(option: str, text: str) -> tuple[int, ...]:
    """Read `1,2,4`."""
    try:
        return tuple(int(word) for word in text.split(",") if word.strip())
    except ValueError as error:
        raise BadSettings(f"{option} {text}: expected whole numbers such as 1,2,4") from error


def seconds(text: str) -> float:
    """Read `60s`, `2m` or `90`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip())
    if found is None or found.group(2) not in SECONDS:
        raise BadSettings(f"--budget {text}: expected a time such as 60s or 2m")
    return float(found.group(1)) * SECONDS[found.group(2)]


def _beside(setup: str, function: str) -> str:
    """Return where the set-up is found: a bare name lies beside the function."""
    return setup if ":" in setup else f"{function.rpartition(':')[0]}:{setup}"
