"""The one reader of schema 1: raw lines that kept all details in `notes`, plans whose tags and names said the roles.

It goes when the committed studies are recorded anew; until then it turns the JSON of an old file into today's.
"""

from collections.abc import Mapping
from typing import Any

from raybench.model.plan import Cell, Role, Tag
from raybench.model.serialize import digest, from_json

SCHEMA_1 = 1
ROLES = {  # tag of a backend -> role, the first that is carried
    "ceiling": Role.CEILING,
    "control": Role.CONTROL,
    "serial": Role.BASELINE,
    "threads": Role.THREADED_BASELINE,
    "peer": Role.PEER,
    "cold": Role.COLD_START,
    "documented": Role.DOCUMENTED,
}
FIELDS = {
    "ladder": "sweep",
    "arm": "variant",
    "foreign_before": "background_before",
    "foreign_during": "background_during",
}
TAGS = {"ladder": Tag.GRANULARITY_SWEEP, "ladder_of_bytes": Tag.SIZE_SWEEP}
GONE = (set(ROLES) | {"adaptive"}) - {Tag.SERIAL}


def modernise_line(kind: str, record: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a raw line of schema 1 in today's form: stamps as whole rows, notes by what they are."""
    today = {FIELDS.get(name, name): value for name, value in record.items() if name != "notes"}
    if kind != "measurement":
        return today
    today["disturbance"] = {FIELDS.get(name, name): value for name, value in today.get("disturbance", {}).items()}
    notes = dict(record.get("notes", {}))
    if use := notes.pop("head", None):
        today["head"] = {"use": use, "start_s": notes.pop("head_start_s", 0.0)}
    today["details"] = _details(notes)
    today["facts"] = notes
    return today


def _details(notes: dict[str, Any]) -> dict[str, Any]:
    """Take the details out of the notes."""
    details: dict[str, Any] = {}
    details |= {name: notes.pop(name) for name in ("copies_s", "batches", "injected_s", "fit") if name in notes}
    if "bytes_used" in notes:
        details["bytes_used"] = notes.pop("bytes_used")
    if "planted" in notes:
        details["failures"] = {name: notes.pop(name) for name in ("planted", "errors", "tries")}
    if "devices" in notes:
        details["gpu"] = {name: notes.pop(name) for name in ("devices", "most_at_once")}
    if "rounds_in_all" in notes:
        details["search"] = {
            "fits": notes.pop("fits"),
            "steps_run": notes.pop("rounds_in_all"),
            "steps_repeated": notes.pop("rounds_refit"),
            "busy_s": notes.pop("busy_s"),
        }
    return details


def modernise_cell(key: str, document: dict[str, Any]) -> Cell:
    """Rebuild a cell under the key that it was recorded with; ValueError where its content has another hash."""
    if digest(document)[:12] != key:
        raise ValueError(f"cell {key} has another content than its key says: it was edited")
    specs = {"workload": _modernise_tags(document["workload"]), "backend": _modernise_backend(document["backend"])}
    cell = from_json(Cell, document | specs)
    cell.__dict__["key"] = key  # today's hash covers fields that schema 1 had not: raw lines name the old one
    return cell


def modernise_limits(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return limits without the share of steal, which disturbed a measurement then and is a covariate today."""
    return {name: value for name, value in document.items() if name != "steal_share"}


def _modernise_tags(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {**spec, "tags": [TAGS.get(tag, tag) for tag in spec["tags"] if tag not in GONE]}


def _modernise_backend(spec: Mapping[str, Any]) -> dict[str, Any]:
    role = next((role for tag, role in ROLES.items() if tag in spec["tags"]), Role.CANDIDATE)
    whole, _, without = spec["name"].partition("_without_")
    if not without and role in (Role.COLD_START, Role.DOCUMENTED):
        whole = whole.removesuffix("_cold").removesuffix("_documented")
    variant_of = whole if whole != spec["name"] else ""
    return {**_modernise_tags(spec), "role": role, "variant_of": variant_of, "disables": without.replace("_", " ")}
