"""The whole configuration as types: what every file and override may say; no defaults, which stand in conf/ once."""

import re
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta, Struct, field

from raybench.model.plan import Role, Tag
from raybench.model.yaml_file import Keys, nearest

Size = Literal["tiny", "quick", "full", "source"]
Name = Annotated[str, Meta(min_length=1, description="a name")]
Names = Annotated[tuple[Name, ...], Meta(min_length=1, description="a list of at least one name")]
Count = Annotated[int, Meta(ge=1, le=2**53, description="a whole number of at least 1")]
Natural = Annotated[int, Meta(ge=0, le=2**53, description="a whole number of at least 0")]
Above0 = Annotated[float, Meta(gt=0, description="a number above 0")]
Share = Annotated[float, Meta(ge=0, le=1, description="a share from 0 to 1")]
Cores = Annotated[
    Annotated[int, Meta(ge=1, le=2**20)] | Literal["all", "powers"],
    Meta(description="a positive number, `all` or `powers`"),
]
CpuAxis = Annotated[tuple[Cores, ...], Meta(min_length=1, description="a list of at least one number of cores")]
Gpus = Annotated[float, Meta(ge=0, description="a number of GPUs, at least 0")]
GpuAxis = Annotated[tuple[Gpus, ...], Meta(min_length=1, description="a list of at least one number of GPUs")]
NodeCpus = Annotated[
    tuple[Natural, ...], Meta(max_length=250, description="a list of at most 250 numbers of CPUs, one per node")
]
Variable = Annotated[str, Meta(pattern="^[A-Za-z_][A-Za-z0-9_]*$", description="the name of an environment variable")]
Text = Annotated[str, Meta(min_length=1, description="a text")]
WORDS = {  # msgspec's names of types -> for a reader
    "bool": "true or false",
    "array": "a list",
    "object": "keys with values",
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
}
AXES = ("workloads", "backends", "cpus", "gpus", "cpus_per_task", "workers")  # a single value stands for a list of one


class Strict(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A mapping whose keys are all known."""


class RequiresFile(Strict, frozen=True, kw_only=True):
    """`requires` of a workload or a backend."""

    packages: tuple[Name, ...] = ()
    absent: tuple[Name, ...] = ()
    data: tuple[Name, ...] = ()
    gpus: Natural = 0
    tags: tuple[Tag, ...] = ()


class SizesFile(Strict, frozen=True, kw_only=True):
    """`sizes` of a workload: parameters by named size."""

    tiny: dict[str, Any] | None = None
    quick: dict[str, Any] | None = None
    full: dict[str, Any] | None = None
    source: dict[str, Any] | None = None


class SpecFile(Strict, frozen=True, kw_only=True):
    """What workloads and backends have in common."""

    target: Text = field(name="_target_")
    about: str = ""
    source: str = ""
    tags: tuple[Tag, ...] = ()
    stepped: bool = False
    requires: RequiresFile | None = None
    params: dict[str, Any] | None = None
    environment: tuple[Variable, ...] = ()


class WorkloadFile(SpecFile, frozen=True, kw_only=True):
    """A file of conf/workload."""

    sizes: SizesFile | None = None


class BackendFile(SpecFile, frozen=True, kw_only=True):
    """A file of conf/backend. flags : `tuned`, or changes to the tuned ones, null takes one away."""

    role: Role = Role.CANDIDATE
    variant_of: str = ""
    disables: str = ""
    flags: Literal["tuned"] | dict[str, str | int | float | None] | None = None


class GridRowFile(Strict, frozen=True, kw_only=True):
    """A row of a study's grid."""

    workloads: Names
    backends: Names
    cpus: CpuAxis = ("all",)
    gpus: GpuAxis = (0.0,)
    cpus_per_task: Annotated[tuple[Count, ...], Meta(min_length=1)] = (1,)
    workers: tuple[Count, ...] = ()
    task_timeout_s: Above0 | None = None
    core: bool = False
    logical: bool = False
    cluster: str = ""


class StudyFile(Strict, frozen=True, kw_only=True):
    """A file of conf/study."""

    about: str = ""
    size: Size
    blocks: Count
    budget_min: Above0
    controls: bool
    verdicts: bool
    quality_pairs: Natural
    target_half_width: Above0
    environment: tuple[Variable, ...] = ()
    grid: Annotated[tuple[GridRowFile, ...], Meta(min_length=1, description="a list of at least one row")]


class ClusterFile(Strict, frozen=True, kw_only=True):
    """A file of conf/cluster: an address, or nodes that raybench starts, or neither (an embedded head)."""

    name: Text
    address: Text | None
    nodes: NodeCpus
    bandwidth_mbit: Above0 | None = None
    lease_timeout_ms: Count | None = None
    object_store_mib: Annotated[int, Meta(ge=80, le=2**20, description="a whole number of MiB, at least 80")] = 200


class LimitsFile(Strict, frozen=True, kw_only=True):
    """`limits` of conf/config.yaml."""

    memory_gib: Above0 | None
    task_timeout_s: Above0 | None
    cell_timeout_s: Above0
    background_share: Share
    runtime_env: dict[str, Any] | None


class Configuration(Strict, frozen=True, kw_only=True):
    """conf/config.yaml with the chosen study and cluster."""

    workloads: Names | None
    backends: Names | None
    cpus: CpuAxis | None
    gpus: GpuAxis | None
    blocks: Count | None
    budget_min: Above0 | None
    size: Size | None
    seed: Natural
    oversubscribe: bool
    accept_failed: bool
    retry: Annotated[Literal["failed"] | None, Meta(description="`failed` or nothing")]
    reports: Text
    limits: LimitsFile
    ray_flags: dict[str, str | int | float]
    study: StudyFile
    cluster: ClusterFile


class Refused(Exception):
    """A value does not fit: where it stands, and in words why."""

    def __init__(self, keys: Keys, text: str) -> None:
        super().__init__(text)
        self.keys, self.text = keys, text


def fit(kind: type[Any], value: Any) -> Any:
    """Convert plain values to a type of this module; raises Refused with the way to the culprit."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$")
        keys = _keys(where.rstrip("`"))
        raise _refused(kind, value, keys, message) from error


def _keys(path: str) -> Keys:
    return tuple(int(m[1]) if m[1] else m[2] for m in re.finditer(r"\[(\d+)\]|\.([^.\[]+)", path))


def _refused(kind: Any, value: Any, keys: Keys, message: str) -> Refused:
    if (unknown := re.search(r"unknown field `(.*)`", message)) is not None:
        fields = [one.encode_name for one in msgspec.structs.fields(_struct(_type_at(kind, keys)))]
        return Refused((*keys, unknown[1]), f"unknown key '{unknown[1]}'; {nearest(unknown[1], fields)}")
    if (missing := re.search(r"required field `(.*)`", message)) is not None:
        return Refused((*keys, missing[1]), f"'{missing[1]}' is missing")
    wanted = _type_at(kind, keys)
    return Refused(keys, f"{_show(_value_at(value, keys))}: {_expected(wanted, _value_at(value, keys), message)}")


def _expected(kind: Any, value: Any, message: str) -> str:
    for option in _options(kind):
        if get_origin(option) is Annotated and (words := _description(option)):
            return f"expected {words}"
    names = [name for option in _options(kind) for name in _names(option)]
    if names and isinstance(value, str):
        return nearest(value, names)
    types = re.findall(r"\w+", message.split(",")[0])
    wanted = [words for name, words in WORDS.items() if name in types]
    return f"expected {' or '.join(wanted)}" if wanted else message[0].lower() + message[1:]


def _type_at(kind: Any, keys: Keys) -> Any:
    for key in keys:
        for option in _options(kind):
            inner = get_args(option)[0] if get_origin(option) is Annotated else option
            if isinstance(key, int) and get_origin(inner) is tuple:
                kind = get_args(inner)[0]
                break
            if isinstance(inner, type) and issubclass(inner, Struct):
                kind = next(one.type for one in msgspec.structs.fields(inner) if one.encode_name == key)
                break
        else:
            return Any
    return kind


def _options(kind: Any) -> Iterator[Any]:
    if (
        get_origin(kind) is Annotated
        or isinstance(kind, type)
        or not get_args(kind)
        or get_origin(kind) in (tuple, dict, Literal)
    ):
        yield kind
    else:
        for option in get_args(kind):
            yield from _options(option)


def _names(kind: Any) -> list[str]:
    if get_origin(kind) is Literal:
        return [str(one) for one in get_args(kind)]
    return [str(one.value) for one in kind] if isinstance(kind, type) and issubclass(kind, Enum) else []


def _struct(kind: Any) -> type[Struct]:
    return next(one for one in _options(kind) if isinstance(one, type) and issubclass(one, Struct))


def _description(kind: Any) -> str:
    return next((one.description for one in kind.__metadata__ if isinstance(one, Meta) and one.description), "")


def _value_at(value: Any, keys: Keys) -> Any:
    for key in keys:
        value = value[key] if isinstance(key, str) and isinstance(value, Mapping) else value[int(key)]
    return value


def _show(value: Any) -> str:
    text = "null" if value is None else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
