"""The check of a run's tracker beside its raw data: tracking.json, which the claims about tracking are judged from."""

from dataclasses import replace
from pathlib import Path

from raybench.model.errors import BadStore
from raybench.model.plan import SCHEMA
from raybench.model.serialize import from_json, to_json
from raybench.model.tracking import Counted, LoadedModel, TrackingCheck
from raybench.store import json_file

TRACKING = "tracking.json"


def read_tracking(folder: Path) -> TrackingCheck | None:
    """Read the check of a run; None where it was never tracked, BadStore where the file is no check."""
    path = folder / TRACKING
    if not path.exists():
        return None
    document = json_file.read_document(path)
    try:
        return from_json(TrackingCheck, document | {"schema": SCHEMA})
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise BadStore(
            f"{path}: not a check of the tracking store ({error}); remove it and run `raybench track` again"
        ) from error


def record_counts(folder: Path, counted: tuple[Counted, ...], *, checked: str, tracker: str) -> None:
    """Write what `raybench track` found in the store, in the place of an earlier check; promoted models stay."""
    before = read_tracking(folder)
    loaded = before.loaded if before else ()
    _write(folder, TrackingCheck(checked=checked, tracker=tracker, counted=counted, loaded=loaded))


def record_loaded(folder: Path, model: LoadedModel, *, checked: str, tracker: str) -> None:
    """Write what `raybench promote` loaded again, in the place of an earlier model of the same workload."""
    before = read_tracking(folder) or TrackingCheck(checked=checked, tracker=tracker)
    others = tuple(one for one in before.loaded if one.workload != model.workload)
    _write(folder, replace(before, checked=checked, tracker=tracker, loaded=(*others, model)))


def _write(folder: Path, check: TrackingCheck) -> None:
    json_file.write_text(folder / TRACKING, json_file.pretty(to_json(check)))
