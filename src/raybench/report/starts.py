"""What a cold start of each backend costs before its workers answer."""

from collections.abc import Sequence

from raybench.analysis.kinds import is_loop
from raybench.model.estimate import Estimate, Row


def starts(rows: Sequence[Row]) -> dict[tuple[str, int], Estimate]:
    """Return by backend and P > 1 the start-up in seconds, of the workload where it is least.

    A cell that joined a head which others had started has none.
    """
    found: dict[tuple[str, int], Estimate] = {}
    for row in rows:
        started = row.start_up
        if row.cell.cpus == 1 or row.cell.emulated or is_loop(row.cell.backend) or row.cell.backend.is_control:
            continue
        if row.cold is None or started is None or started.point <= 0:
            continue
        key = (row.cell.backend.name, row.cell.cpus)
        if key not in found or started.point < found[key].point:
            found[key] = started
    return found
