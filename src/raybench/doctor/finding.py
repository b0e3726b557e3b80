"""What the doctor says of one thing it looked at."""

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """How a finding bears on a study."""

    OK = "ok"
    WARN = "warn"  # figures will be wider, or cells will be skipped
    BAD = "bad"  # a study will fail


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at. `advice` is a sentence wherever the verdict is not ok, else ''."""

    name: str
    value: str
    verdict: Health = Health.OK
    advice: str = ""
