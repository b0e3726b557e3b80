"""The backends that a function is tried on, by the names that a user knows them under."""

from collections.abc import Sequence

from raybench.config import settings
from raybench.model.errors import BadSettings
from raybench.model.plan import Spec
from raybench.model.yaml_file import nearest

SEQUENTIAL, LIBRARY, THREADS = "sequential", "sequential_threads", "joblib_threads"
JOBLIB, RAY, RAY_BATCHED = "joblib", "ray_tasks", "ray_batched"
COSTED = (THREADS, JOBLIB, RAY, RAY_BATCHED)  # in the order of their start-up: among equals the first is chosen
WORDS = {"threads": THREADS, "ray": RAY, "library_threads": LIBRARY}
SHOWN = {THREADS: "threads", RAY: "ray", RAY_BATCHED: "ray batched", LIBRARY: "library threads"}


def specs() -> dict[str, Spec]:
    """Return the configured backends that may be tried."""
    known = settings.load(["study=smoke"]).study.backends
    return {name: known[name] for name in (SEQUENTIAL, LIBRARY, *COSTED)}


def choose(asked: Sequence[str]) -> tuple[str, ...]:
    """Return names of configured backends; all where none is asked for. Raises BadSettings with the nearest name."""
    known = (*COSTED, LIBRARY)
    for name in asked:
        if WORDS.get(name, name) not in known:
            names = (*WORDS, *(one for one in known if one not in WORDS.values()))
            raise BadSettings(f"--backends {name}: no backend of that name here; {nearest(name, names)}")
    return tuple(one for one in known if not asked or one in {WORDS.get(name, name) for name in asked})


def shown(name: str) -> str:
    """Return the name of a backend in a sentence."""
    return SHOWN.get(name, name)
