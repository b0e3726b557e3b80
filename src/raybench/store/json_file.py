"""Small JSON files beside the raw lines: written whole or not at all, read with the file's name in every refusal."""

import json
import os
from pathlib import Path
from typing import Any

from raybench.model.errors import BadStore, remedy
from raybench.model.plan import SCHEMA
from raybench.store.schema_1 import SCHEMA_1


def write_text(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old one or the new one, never half of it."""
    draft = path.with_name(path.name + ".draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, path)
    except OSError as error:
        raise unwritable(path, error) from error


def read_text(path: Path) -> str:
    """Read a small text file; BadStore where that cannot be done."""
    try:
        if not path.is_file():  # a pipe would keep the reader waiting
            raise BadStore(
                f"{path}: does not exist, or is no file; a run's folder holds plan, environment and raw lines"
            )
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BadStore(f"{path}: not UTF-8 ({error.reason}); restore the file from version control") from error
    except OSError as error:
        raise BadStore(f"{path}: cannot be read ({error.strerror}); restore the file or its permissions") from error


def pretty(document: Any) -> str:
    """Return JSON for people: sorted, indented by one."""
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def read_document(path: Path) -> dict[str, Any]:
    """Read a JSON object with a schema that is understood; BadStore for anything else."""
    try:
        document = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        said = str(error) if isinstance(error, ValueError) else "nested too deeply"
        raise BadStore(f"{path}: not JSON ({said}); restore the file from version control") from error
    found = document.get("schema") if isinstance(document, dict) else None
    if not isinstance(document, dict) or isinstance(found, bool) or found not in (SCHEMA_1, SCHEMA):
        raise BadStore(f"{path}: schema {found!r}, expected {SCHEMA}; read it with the raybench that wrote it")
    return document


def unwritable(path: Path, error: OSError) -> BadStore:
    """Say in one line why nothing can be written there, and what to do."""
    return BadStore(
        f"{path}: cannot be written ({error.strerror or error}); {remedy(error) or 'make it writable'}, or give "
        "another folder with reports=FOLDER, and run the same command again: what is there is kept"
    )
