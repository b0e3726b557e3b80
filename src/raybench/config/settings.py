"""From a composed configuration to a frozen Study."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from raybench.config.hydra_compose import TUNED, Composed, compose_study, explain_missing, search_path
from raybench.config.schema import (
    AXES,
    BackendFile,
    ClusterFile,
    Configuration,
    GridRowFile,
    LimitsFile,
    Refused,
    WorkloadFile,
    fit,
)
from raybench.model.plan import Cluster, GridRow, Limits, Requires, Spec, Study
from raybench.model.yaml_file import Keys, nearest

GIB = 2**30
EMBEDDED = Cluster().name  # of the cluster that is neither joined nor started
EXISTING = "existing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the command line asked for."""

    study: Study
    reports: Path
    conf: tuple[Path, ...]  # configuration folders, the project's own last


def load(overrides: Sequence[str] = (), *, conf: Sequence[Path] = ()) -> Settings:
    """Compose the configuration and freeze it.

    overrides : Hydra overrides, e.g. `study=quick`, `cpus=[1,2]`, `workload.map_array.n=1000`.
    conf : further configuration folders, searched before the project's own.
    Raises BadSettings with one line that names the file and line, or the override, and the nearest right name.
    """
    folders = search_path(conf)
    composed = compose_study(overrides, folders)
    tree = composed.tree
    _make_lists(tree)
    whole = {key: value for key, value in tree.items() if key not in ("workload", "backend")}
    config: Configuration = _fit(composed, Configuration, whole, ())
    workloads = {name: _workload(composed, name, node, config) for name, node in tree["workload"].items()}
    backends = {name: _backend(composed, name, node, config) for name, node in tree["backend"].items()}
    return Settings(study=_study(composed, config, workloads, backends), reports=Path(config.reports), conf=folders)


def _fit(composed: Composed, kind: type[Any], value: Any, keys: Keys) -> Any:
    try:
        return fit(kind, value)
    except Refused as error:
        raise composed.fault((*keys, *error.keys), error.text) from error


def _make_lists(tree: dict[str, Any]) -> None:
    """Let a single value of an axis stand for a list of one: `cpus: 2`."""
    study = tree["study"]
    grid = study.get("grid") if isinstance(study, dict) else None
    rows = [row for row in grid if isinstance(row, dict)] if isinstance(grid, list) else []
    for node in (tree, *rows):
        for axis in AXES:
            if isinstance(node.get(axis), str | int | float):
                node[axis] = [node[axis]]


# --- workloads and backends -----------------------------------------------------------------------


def _workload(composed: Composed, name: str, node: Any, config: Configuration) -> Spec:
    file: WorkloadFile = _fit(composed, WorkloadFile, node, ("workload", name))
    size = config.size or config.study.size
    return _spec(name, file, _sized(composed, name, file, size))


def _sized(composed: Composed, name: str, file: WorkloadFile, size: str) -> dict[str, Any]:
    """Lay the parameters of a size over those that hold for all; what was asked for by override comes first."""
    params = dict(file.params or {})
    sizes = msgspec.structs.asdict(file.sizes) if file.sizes else {}
    given = {one: values for one, values in sizes.items() if values is not None}
    always = set.intersection(*map(set, given.values())) if len(given) == len(sizes) and given else set()
    for one, values in given.items():
        for key in values:
            if key not in params and key not in always:
                known = {*params, *always}
                text = f"size '{one}' sets '{key}', which is no parameter; {nearest(key, known)}"
                raise composed.fault(("workload", name, "sizes", one, key), f"{text}, or give it in all four sizes")
    _check_asked(composed, ("workload", name), {*_written(composed, "workload", name), *always})
    asked = {keys[3] for keys, _ in composed.overrides if keys[:3] == ("workload", name, "params") and len(keys) > 3}
    overlay = given.get(size, {})
    return {**params, **{key: value for key, value in overlay.items() if key not in asked or key not in params}}


def _written(composed: Composed, group: str, name: str) -> set[str]:
    """Name the parameters that a file has."""
    params = composed.files[group][name].value.get("params")
    return set(params) if isinstance(params, dict) else set()


def _check_asked(composed: Composed, at: tuple[str, str], known: set[str]) -> None:
    """Refuse an override of a parameter that the file does not have, unless it was added with `+`."""
    for keys, override in composed.overrides:
        if keys[:3] == (*at, "params") and len(keys) > 3 and keys[3] not in known and not override.adds:
            path = composed.files[at[0]][at[1]].path
            raise override.fault(f"{path.name} has no parameter '{keys[3]}'; {nearest(keys[3], known)}")


def _backend(composed: Composed, name: str, node: Any, config: Configuration) -> Spec:
    file: BackendFile = _fit(composed, BackendFile, node, ("backend", name))
    _check_asked(composed, ("backend", name), _written(composed, "backend", name))
    params = dict(file.params or {})
    if file.flags is not None:
        changes = {} if file.flags == TUNED else file.flags
        assert not isinstance(changes, str)
        merged = {**config.ray_flags, **changes}
        params["flags"] = {key: str(value) for key, value in merged.items() if value is not None}
    spec = _spec(name, file, params)
    if file.variant_of and file.variant_of not in composed.files["backend"]:
        said = explain_missing("backend", file.variant_of, composed.files["backend"])
        raise composed.fault(("backend", name, "variant_of"), said)
    return replace(spec, role=file.role, variant_of=file.variant_of, disables=file.disables)


def _spec(name: str, file: WorkloadFile | BackendFile, params: Mapping[str, Any]) -> Spec:
    requires = Requires(**msgspec.structs.asdict(file.requires)) if file.requires else Requires()
    return Spec(
        name=name,
        target=file.target,
        params=params,
        tags=file.tags,
        requires=requires,
        stepped=file.stepped,
        source=file.source,
        about=file.about,
        environment=file.environment,
    )


# --- the study ------------------------------------------------------------------------------------


def _study(
    composed: Composed, config: Configuration, workloads: Mapping[str, Spec], backends: Mapping[str, Spec]
) -> Study:
    study = config.study
    rows = [_grid_row(composed, config, row, place) for place, row in enumerate(study.grid)]
    grid = [replace(r, workloads=_all(r.workloads, workloads), backends=_all(r.backends, backends)) for r in rows]
    return Study(
        name=composed.chosen["study"],
        about=study.about,
        environment=study.environment,
        grid=tuple(dict.fromkeys(grid)),
        workloads=workloads,
        backends=backends,
        blocks=config.blocks or study.blocks,
        seed=config.seed,
        budget_min=config.budget_min or study.budget_min,
        controls=study.controls,
        verdicts=study.verdicts,
        quality_pairs=study.quality_pairs,
        limits=_limits(config.limits),
        cluster=_cluster(composed, config.cluster),
        clusters={row.cluster: _named_cluster(composed, row.cluster) for row in grid if row.cluster},
        target_half_width=study.target_half_width,
        oversubscribe=config.oversubscribe,
        retry_failed=config.retry == "failed",
        accept_failed=config.accept_failed,
    )


def _cluster(composed: Composed, asked: ClusterFile) -> Cluster:
    """Check that a cluster is one of the three kinds, and that its name tells which."""
    embedded = asked.address is None and not asked.nodes
    if asked.nodes and asked.address is not None:
        raise composed.fault(("cluster", "address"), "raybench starts a cluster that has nodes; give address or nodes")
    if asked.nodes and not any(asked.nodes):
        raise composed.fault(("cluster", "nodes"), "no node has a CPU; expected at least one that has, e.g. [0, 1, 1]")
    if asked.nodes and asked.name == EMBEDDED:
        text = f"'{EMBEDDED}' is the embedded head; give a cluster of several nodes another name"
        raise composed.fault(("cluster", "name"), text)
    if embedded and asked.name != EMBEDDED:
        text = f"cluster '{asked.name}' has neither nodes nor an address; expected CPUs of each node, e.g. [1, 1]"
        raise composed.fault(("cluster", "nodes"), text)
    if not asked.nodes and asked.bandwidth_mbit is not None:
        raise composed.fault(("cluster", "bandwidth_mbit"), "only links between `nodes` can be limited; expected null")
    joined = asked.address is not None and asked.name == EMBEDDED  # where only the address was given
    return Cluster(**{**msgspec.structs.asdict(asked), "name": EXISTING if joined else asked.name})


def _named_cluster(composed: Composed, name: str) -> Cluster:
    """Return the cluster that a grid row names; its address, if it has one, stands in its file."""
    file: ClusterFile = _fit(composed, ClusterFile, composed.files["cluster"][name].value, ("cluster",))
    return _cluster(composed, file)


def _limits(asked: LimitsFile) -> Limits:
    return Limits(
        memory_bytes=None if asked.memory_gib is None else int(asked.memory_gib * GIB),
        task_timeout_s=asked.task_timeout_s,
        cell_timeout_s=asked.cell_timeout_s,
        background_share=asked.background_share,
        runtime_env=asked.runtime_env,
    )


def _grid_row(composed: Composed, config: Configuration, row: GridRowFile, place: int) -> GridRow:
    """Let the axes of the command line replace those of a row, and check that what it names exists."""
    for group in ("workload", "backend"):
        axis = f"{group}s"
        whole = getattr(config, axis)
        keys: Keys = (axis,) if whole else ("study", "grid", place, axis)
        known = composed.tree[group]
        for name in whole or getattr(row, axis):
            if name != "all" and name not in known:
                raise composed.fault(keys, explain_missing(group, name, known))
    if row.cluster and row.cluster not in composed.files["cluster"]:
        said = explain_missing("cluster", row.cluster, composed.files["cluster"])
        raise composed.fault(("study", "grid", place, "cluster"), said)
    return GridRow(
        workloads=config.workloads or row.workloads,
        backends=config.backends or row.backends,
        cpus=config.cpus or row.cpus,
        gpus=config.gpus or row.gpus,
        cpus_per_task=row.cpus_per_task,
        workers=row.workers,
        task_timeout_s=row.task_timeout_s,
        core=row.core,
        logical=row.logical,
        cluster=row.cluster,
    )


def _all(asked: tuple[str, ...], known: Mapping[str, Spec]) -> tuple[str, ...]:
    """Spell out the word `all`: every name but the controls, which a study plans by itself or by name."""
    if "all" not in asked:
        return asked
    return tuple(name for name, spec in known.items() if not spec.is_control)
