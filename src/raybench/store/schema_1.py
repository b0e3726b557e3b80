"""The one reader of schema 1: raw lines that kept all details in `notes`, under names that everybody had to know.

It goes when the committed studies are recorded anew; until then it turns the JSON of an old file into today's.
"""

from typing import Any

SCHEMA_1 = 1


def modernise_line(record: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON object of a raw line of schema 1 in today's form, without its schema."""
    today = {name: value for name, value in record.items() if name not in ("schema", "notes")}
    if record.get("kind") != "measurement":
        return today
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
