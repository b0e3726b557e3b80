"""The only reader of clocks: seconds since an arbitrary origin, and the calendar for names of runs."""

import time
from datetime import UTC, datetime


def now() -> float:
    """Read CLOCK_MONOTONIC in seconds; stamps of all processes of one machine share its origin."""
    return time.monotonic()


def calendar_stamp() -> str:
    """Read the calendar as `20260131T235959Z`, for names and provenance, never for durations."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")


def pause(seconds: float) -> None:
    """Wait; the one place that sleeps, so that tests can stand in for it."""
    time.sleep(seconds)
