"""Kinds of work: the rows of the decision table, and the groups of the forest plot."""

from enum import StrEnum

from raybench.model.plan import Role, Spec, Tag


class Kind(StrEnum):
    """What a workload does with its time, in the order in which a reader meets it."""

    SEARCH = "hyperparameter search"
    TRAINING = "model training"
    DATA = "data in chunks"
    ARITHMETIC = "arithmetic"
    WAITING = "waiting for I/O"
    TINY = "tiny tasks"
    OTHER = "other work"  # a user's own


# By the row of the source systems: it outlives names and classes.
BY_SOURCE = {
    "S0.worker": Kind.SEARCH, "S1.tune": Kind.SEARCH,
    "S2.task4": Kind.TRAINING, "S3.grid": Kind.TRAINING, "S4.models": Kind.TRAINING,
    "S3.etl": Kind.DATA, "S3.transfer": Kind.DATA,
    "S0.primes": Kind.ARITHMETIC, "S2.task1": Kind.ARITHMETIC, "S2.task2": Kind.ARITHMETIC,
    "S3.montecarlo": Kind.ARITHMETIC,
    "S3.io": Kind.WAITING,
    "S3.overhead": Kind.TINY,
}  # fmt: skip
BY_TAG = {Tag.HPO: Kind.SEARCH, Tag.IO: Kind.WAITING, Tag.MEMORY: Kind.DATA}
# Planted failures, single quantities and logical devices: they answer questions of their own, not this one.
ASIDE_TAGS = frozenset({Tag.SLEEP, Tag.GRANULARITY_SWEEP, Tag.SIZE_SWEEP, Tag.FAULTS, Tag.GPU, Tag.STATE, Tag.REPLAY})
ASIDE_SOURCES = frozenset({"S3.granularity"})


def kind_of(workload: Spec) -> Kind | None:
    """Return the kind of work of a workload; None where it is a control or a micro-benchmark."""
    if ASIDE_TAGS & set(workload.tags) or workload.source in ASIDE_SOURCES:
        return None
    by_tag = next((kind for tag, kind in BY_TAG.items() if tag in workload.tags), Kind.OTHER)
    return BY_SOURCE.get(workload.source, by_tag)


def is_loop(backend: Spec) -> bool:
    """Return whether a backend is a plain loop: one that distributes no tasks."""
    return Tag.SERIAL in backend.tags or backend.role is Role.THREADED_BASELINE
