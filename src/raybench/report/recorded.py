"""What was recorded of the machine and the versions: the status line, the section, single facts."""

from collections.abc import Iterator, Mapping
from typing import Any

from raybench.analysis.dataset import RunData
from raybench.analysis.results import Findings
from raybench.model import units
from raybench.model.measurement import Environment
from raybench.report import texts
from raybench.report.evidence import count_controls
from raybench.report.section import Section
from raybench.report.tables import Entry, Table, code, word

# What a reader needs to place a number; the page shows all of the fingerprint.
SHOWN = {
    "cpu": ("model", "physical_cores", "logical_cpus", "usable", "smt_active", "governor", "turbo"),
    "memory": ("total_bytes", "swap_total_bytes"),
    "limits": ("cpu_max", "memory_max_bytes"),
    "storage": ("/dev/shm",),
    "system": ("kernel", "distribution", "container", "virtual_machine"),
    "gpu": ("devices",),
    "python": ("version",),
    "code": ("commit", "dirty", "lock_sha256", "source_sha256"),
    "packages": ("ray", "joblib", "xgboost", "scikit-learn", "numpy", "scipy", "pandas"),
}
HASH_CHARS = 12


def status(run: RunData, findings: Findings) -> str:
    """Write machine, host state where it was probed, date, n and controls in one line."""
    facts = run.environment.facts
    parts = [fact(facts, "cpu", "model"), f"{run.plan.usable_cpus} cores", fact(facts, "memory", "total_bytes")]
    spread = _host_spread(facts)
    parts.append(texts.host_state(spread) if spread is not None else "")
    parts.append(f"measured {run.environment.began[:4]}-{run.environment.began[4:6]}-{run.environment.began[6:8]}")
    if counted := [row.n for row in findings.rows if row.n]:
        parts.append(texts.blocks(min(counted), max(counted)))
    if findings.controls.rows:
        parts.append(texts.controls(count_controls(findings.controls)))
    return ", ".join(filter(None, parts)) + "."


def _host_spread(facts: Mapping[str, Any]) -> float | None:
    """Return how much the cores' speed varied before the run, as a fraction; None where it was not probed."""
    state = facts.get("host_state")
    spread = state.get("spread") if isinstance(state, Mapping) else None
    return float(spread) if isinstance(spread, int | float) else None


def machine(run: RunData) -> Section:
    """List the machine and the versions."""
    facts = run.environment.facts
    rows = [
        (word(group), word(name.replace("_", " ")), word(value))
        for group, names in SHOWN.items()
        for name in names
        if (value := fact(facts, group, name))
    ]
    table = Table(name="machine", columns=("group", "fact", "value"), rows=tuple(rows))
    head: tuple[Entry, ...] = (
        word("Machine "),
        code(run.environment.machine),
        word(f", began {run.environment.began}."),
    )
    return Section(
        id="machine", title="Machine and versions", paragraphs=(head,), tables=(table,) if rows else (), brief=False
    )


def fact(facts: Mapping[str, Any], group: str, name: str) -> str:
    """Write one fact of the fingerprint as text; '' where it is not recorded."""
    members = facts.get(group)
    if not isinstance(members, Mapping) or name not in members:
        return ""
    value = members[name]
    if isinstance(value, int | float) and not isinstance(value, bool) and name.endswith("_bytes"):
        return units.amount(float(value))
    if name.endswith("_sha256") and isinstance(value, str) and " " not in value:
        return value[:HASH_CHARS]
    return "; ".join(f"{key}: {text}" for key, text in flat(value)) if isinstance(value, Mapping | list) else str(value)


def flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Walk nested facts in the order of their names."""
    if isinstance(value, Mapping):
        for key in sorted(value):
            label = f"{name} {key}".strip()
            amount = value[key]
            if str(key).endswith("_bytes") and isinstance(amount, int | float):
                yield label.removesuffix("_bytes"), units.amount(float(amount))
            else:
                yield from flat(amount, label)
    elif isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
        for index, item in enumerate(value):
            yield from flat(item, f"{name} {index}".strip())
    elif isinstance(value, list):
        yield name, ", ".join(map(str, value))
    else:
        yield name, str(value)


def commit(environment: Environment) -> str:
    """Name the commit that measured, and whether files differed from it."""
    facts = environment.facts.get("code", {})
    found = str(facts.get("commit", "unavailable: not recorded"))
    return f"{found} with local changes" if facts.get("dirty") is True else found
