"""What is known of a measurement while it is taken; a failure keeps it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from raybench.execution.task_set import plain, plain_mapping
from raybench.model.clock import now
from raybench.model.errors import BackendFailed
from raybench.model.measurement import Details
from raybench.model.serialize import from_json


@dataclass
class Draft:
    """What is known of a measurement so far; a failure keeps it."""

    seconds: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    details: Details = field(default_factory=Details)
    start_parts: dict[str, Any] = field(default_factory=dict)

    def make_plain(self) -> str:
        """Drop what is no JSON from what a workload or a backend told, and name the first such value ('': none)."""
        self.start_parts, bad_part = plain_mapping(self.start_parts, "start_parts")
        self.facts["facts"], bad_fact = plain_mapping(self.facts.get("facts", {}), "facts")
        try:
            self.details = from_json(Details, plain(self.details, "details"))
        except (BackendFailed, ValueError) as error:
            self.details = Details()
            return f"details: {error}"
        return bad_fact or bad_part

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a phase; also one that ends in an error."""
        began = now()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + now() - began
