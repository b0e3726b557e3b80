"""What two measurements must share to belong to one run, and in what two runs differ, in words.

A part is a hash where its content is long, and the plain text where it is short, so that a change can be told.
"""

import platform
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import distributions

from raybench.model.measurement import Environment
from raybench.model.plan import Spec
from raybench.model.serialize import digest
from raybench.system import machine
from raybench.system.kernel import THIS, Host
from raybench.system.user_code import code_hash

CODE = "code of "
WORDS = {
    "source": "the code that measures",
    "data": "a data file",
    "machine": "the machine",
    "plan": "the plan (study, overrides or sizes)",
}
# Variables that change what an interpreter or an allocator does with every line of Python.
SWITCH = re.compile(r"^(PYTHON|MALLOC_|GLIBC_|LD_|GOMP_|TCMALLOC|MIMALLOC|_RJEM_)")
SET_BY_US = ("PYTHONPATH", "PYTHONHASHSEED", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE")
SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|KEY|CREDENTIAL")
HASH = re.compile(r"^[0-9a-f]{64}$")
MOST_NAMED = 6  # packages, in one line


def identity(
    plan_digest: str,
    specs: Iterable[Spec],
    environ: Mapping[str, str],
    *,
    named: Iterable[str] = (),
    host: Host = THIS,
) -> dict[str, str]:
    """Say what a run is a run of; a stopped run goes on only if all of it is equal.

    specs : workloads and backends of the plan, for the user's own code among them.
    environ : what the measured processes get; named : those of it that the configuration lists under `environment`.
    """
    code = {CODE + spec.name: found for spec in specs if (found := code_hash(spec.target))}
    return {
        "source": machine.source_hash(),
        "packages": digest(packages()),
        "python": f"{platform.python_implementation()} {sys.version.split(' (')[0]}",
        "switches": switches(environ),
        "environment": variables(named, environ),
        "data": machine.data_hash(),
        "machine": machine.machine_key(host),
        "plan": plan_digest,
        **state(host),
        **dict(sorted(code.items())),
    }


def packages() -> dict[str, str]:
    """List every installed distribution with its version; nothing about where it came from."""
    found = {d.metadata["Name"]: d.version for d in distributions() if d.metadata["Name"]}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def switches(environ: Mapping[str, str]) -> str:
    """Write the switches of interpreter and allocator, or `none`; a value that may be a path as a hash."""
    found = {k: v for k, v in environ.items() if SWITCH.match(k) and k not in SET_BY_US}
    plain = re.compile(r"[\w.,=:+-]{0,40}")
    told = {k: v if plain.fullmatch(v) else digest(v)[:8] for k, v in found.items()}
    return " ".join(f"{name}={value}" for name, value in sorted(told.items())) or "none"


def variables(names: Iterable[str], environ: Mapping[str, str]) -> str:
    """Write the named variables with a hash of each value, or `none`; a secret's value leaves no trace at all."""
    told = (
        name if SECRET.search(name) else f"{name}={digest(environ[name])[:8] if name in environ else 'absent'}"
        for name in sorted(names)
    )
    return " ".join(told) or "none"


def state(host: Host = THIS) -> dict[str, str]:
    """Read what an administrator may change between two passes, and every measured second with it."""
    files = {
        "clock governor": "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
        "hardware threads": "/sys/devices/system/cpu/smt/control",
        "huge pages": "/sys/kernel/mm/transparent_hugepage/enabled",
    }
    found = {name: (host.text(path) or "unknown").strip() for name, path in files.items()}
    return {"kernel": platform.release(), "turbo": machine.turbo(host), **found}


def changes(known: Environment, wanted: Mapping[str, str]) -> list[str]:
    """Say in what an earlier run differs from what would be measured now; [] where it may go on."""
    parts = [part for part in {**wanted, **known.identity} if known.identity.get(part) != wanted.get(part)]
    return [_in_words(part, known, wanted) for part in parts]


def _in_words(part: str, known: Environment, wanted: Mapping[str, str]) -> str:
    if part == "packages":
        told = known.facts.get("packages")
        return "packages: " + _few(list(_moves(told, packages()))) if isinstance(told, dict) else "packages"
    before, after = known.identity.get(part, "none"), wanted.get(part, "none")
    if part in WORDS or part.startswith(CODE) or HASH.match(before) or HASH.match(after):
        return WORDS.get(part, part)
    return f"{part}: {before} -> {after}"


def _moves(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({**before, **after}, key=str.lower):
        old, new = before.get(name, "absent"), after.get(name, "absent")
        if old != new:
            yield f"{name} {old} -> {new}"


def _few(moves: list[str]) -> str:
    more = len(moves) - MOST_NAMED
    return ", ".join(moves[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
