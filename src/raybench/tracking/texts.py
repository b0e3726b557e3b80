"""The sentences of `raybench track` and `raybench promote`."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from raybench.model.units import duration, plain

Say = Callable[[str], None]
SAME = 1e-5  # relative; the least difference that another data set or library makes is far above

if TYPE_CHECKING:
    from raybench.tracking.promote import Promoted
    from raybench.tracking.track import Tracked


def tracked(found: "Tracked") -> Iterator[str]:
    """Yield what is in the store now, what was added, and what could not be told."""
    yield (
        f"{found.run}: 1 run, {found.cells} cells and {found.trials} trials in the experiment {found.experiment} of "
        f"{found.store}"
    )
    yield f"{found.new} new, {found.completed} completed, {found.unchanged} unchanged; {duration(found.seconds)}"
    yield from found.faults


def promoted(found: "Promoted") -> Iterator[str]:
    """Yield what was chosen, what it was compared with and by how much it differs, and how to load it."""
    one, error = found.candidate, found.candidate.rows.error
    params = ", ".join(f"{name} {value}" for name, value in one.task.params.items())
    yield (
        f"best of {one.of} by validation {error}: task {one.task.index} ({params}); validation {error} "
        f"{plain(one.validation)}, test {error} {plain(one.test)}"
    )
    if one.recorded is not None and abs(one.recorded - one.validation) > SAME * abs(one.recorded):
        yield (
            f"fitted again it differs from the recorded validation {error} of {plain(one.recorded)}: "
            "other data, or other versions of the libraries"
        )
    registered = "registered" if found.is_new else "already registered"
    yield f"{one.workload.name} version {found.version} {registered}; {_compared(found)}"
    if found.is_champion:
        yield f'load it with mlflow.pyfunc.load_model("{found.uri}")'


def _compared(found: "Promoted") -> str:
    before, one, error = found.before, found.candidate, found.candidate.rows.error
    if before is None:
        return f"{found.alias} now, the first one"
    if before.version == found.version:
        return f"it is the {found.alias} already"
    holder = f"version {before.version}, the {found.alias} so far,"
    if before.error is None:
        told = f"{holder} is not loaded ({before.refused})"
        return f"{told}; {found.alias} now, by --force" if found.is_champion else f"{told}; --force replaces it unseen"
    change = one.validation - before.error
    told = f"validation {error} {plain(before.error)} of {holder} is {plain(abs(change))}"
    told += " worse" if change < 0 else " better" if change > 0 else " worse or better: equal"
    if not before.same_rows:
        told += " (it was fitted on other rows, maybe on some of these)"
    if not found.is_champion:
        return f"{told}; the alias stays, --force moves it"
    return f"{told}; {found.alias} now{'' if change < 0 else ', by --force'}"
