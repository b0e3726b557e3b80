"""From a composed configuration to a frozen Study."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from raybench.config.hydra_compose import (
    SPEC_KEYS,
    choice,
    compose_study,
    explain_missing,
    names,
    nearest,
    search_path,
    spelled_out,
)
from raybench.model.errors import BadSettings
from raybench.model.plan import Cluster, GridRow, Limits, Requires, Role, Spec, Study, Tag

GIB = 2**30


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
    Raises BadSettings with one line that names the file or override and the nearest right name.
    """
    folders = search_path(conf)
    asked = [spelled_out(override) for override in overrides]
    whole = compose_study(asked, folders)
    workloads = {
        name: _spec(name, node, folders, "workload", size=whole["size"] or whole["study"]["size"], asked=asked)
        for name, node in whole["workload"].items()
    }
    backends = {
        name: _spec(name, node, folders, "backend", size=None, asked=asked) for name, node in whole["backend"].items()
    }
    return Settings(
        study=_study(whole, workloads, backends, name=choice("study", asked)),
        reports=Path(whole["reports"]),
        conf=folders,
    )


def _spec(
    name: str, node: Mapping[str, Any], folders: Sequence[Path], group: str, *, size: str | None, asked: Sequence[str]
) -> Spec:
    path = names(folders, group).get(name, Path(f"conf/{group}/{name}.yaml"))
    unknown = sorted(set(node) - set(SPEC_KEYS))
    if unknown:
        raise BadSettings(f"{path}: unknown key '{unknown[0]}'; {nearest(unknown[0], SPEC_KEYS)}")
    if "_target_" not in node:
        raise BadSettings(f"{path}: `_target_` is missing; expected an importable class, e.g. package.module.Class")
    params = dict(node.get("params") or {})
    if size is not None:
        explicit = {m[1] for o in asked if (m := re.match(rf"^\+*{group}\.{name}\.params\.(\w+)", o))}
        overlay = (node.get("sizes") or {}).get(size) or {}
        unknown = sorted(set(overlay) - set(params))
        if unknown:
            raise BadSettings(
                f"{path}: size '{size}' sets '{unknown[0]}', which is no parameter; {nearest(unknown[0], params)}"
            )
        params |= {key: value for key, value in overlay.items() if key not in explicit}
    if node.get("flags"):
        params["flags"] = {str(key): str(value) for key, value in node["flags"].items()}
    try:
        return Spec(
            name=str(name),
            target=str(node["_target_"]),
            params=params,
            tags=_tags(node.get("tags") or (), path),
            requires=_requires(node.get("requires") or {}),
            stepped=bool(node.get("stepped", False)),
            source=str(node.get("source") or ""),
            about=str(node.get("about") or ""),
            role=_role(node.get("role", Role.CANDIDATE), path),
            variant_of=str(node.get("variant_of") or ""),
            disables=str(node.get("disables") or ""),
            environment=tuple(node.get("environment") or ()),
        )
    except TypeError as error:
        raise BadSettings(f"{path}: {error}; see conf/{group} for examples") from error


def _tags(asked: Any, path: Path) -> tuple[Tag, ...]:
    if not isinstance(asked, list | tuple):
        raise BadSettings(f"{path}: tags is {asked!r}; expected a list such as [compute]")
    for tag in asked:
        if tag not in list(Tag):
            raise BadSettings(f"{path}: no tag {tag!r}; {nearest(str(tag), Tag)}")
    return tuple(map(Tag, asked))


def _role(asked: Any, path: Path) -> Role:
    if asked not in list(Role):
        raise BadSettings(f"{path}: no role {asked!r}; {nearest(str(asked), Role)}")
    return Role(asked)


def _requires(node: Mapping[str, Any]) -> Requires:
    lists: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in node.items()}
    return Requires(**lists)


def _study(
    whole: Mapping[str, Any], workloads: Mapping[str, Spec], backends: Mapping[str, Spec], *, name: str
) -> Study:
    node = whole["study"]
    grid = tuple(_grid_row(row, whole, name) for row in node["grid"])
    grid = tuple(replace(r, workloads=_all(r.workloads, workloads), backends=_all(r.backends, backends)) for r in grid)
    grid = tuple(dict.fromkeys(grid))
    for row in grid:
        _check_known(row.workloads, workloads, "workload", name)
        _check_known(row.backends, backends, "backend", name)
    if not grid:
        raise BadSettings(f"study {name}: its grid is empty; expected rows of workloads, backends and cpus")
    limits = whole["limits"]
    cluster = whole["cluster"]
    if whole["retry"] not in (None, "failed"):
        raise BadSettings(f"retry={whole['retry']}: expected `failed` or nothing")
    return Study(
        name=name,
        about=str(node.get("about", "")),
        environment=tuple(node.get("environment") or ()),
        grid=grid,
        workloads=workloads,
        backends=backends,
        blocks=_positive(whole["blocks"] if whole["blocks"] is not None else node["blocks"], "blocks"),
        seed=_positive(whole["seed"], "seed"),
        budget_min=_number(
            whole["budget_min"] if whole["budget_min"] is not None else node["budget_min"], "budget_min"
        ),
        controls=bool(node["controls"]),
        verdicts=bool(node["verdicts"]),
        quality_pairs=int(node["quality_pairs"]),
        limits=Limits(
            memory_bytes=None
            if limits["memory_gib"] is None
            else int(_number(limits["memory_gib"], "limits.memory_gib") * GIB),
            task_timeout_s=_time_out(limits["task_timeout_s"], "limits.task_timeout_s"),
            cell_timeout_s=_number(limits["cell_timeout_s"], "limits.cell_timeout_s"),
            steal_share=_share(limits["steal_share"], "limits.steal_share"),
            runtime_env=limits["runtime_env"],
        ),
        cluster=Cluster(name=cluster["name"], address=cluster["address"], nodes=tuple(cluster["nodes"])),
        target_half_width=float(node["target_half_width"]),
        oversubscribe=bool(whole["oversubscribe"]),
        retry_failed=whole["retry"] == "failed",
    )


def _grid_row(row: Mapping[str, Any], whole: Mapping[str, Any], study: str) -> GridRow:
    def axis(name: str, default: Any) -> tuple[Any, ...]:
        value: Any = whole[name] if whole.get(name) is not None else row.get(name, default)
        if isinstance(value, (str, int, float)):
            value = [value]
        return tuple(value)

    for name in ("workloads", "backends"):
        if not axis(name, ()):
            raise BadSettings(f"study {study}: a grid row without {name}; expected a list of names")
    cpus = axis("cpus", ("all",))
    for value in cpus:
        if not (value in ("all", "powers") or (isinstance(value, int) and value > 0)):
            raise BadSettings(f"cpus={value}: expected a positive number, `all` or `powers`")
    return GridRow(
        workloads=axis("workloads", ()),
        backends=axis("backends", ()),
        cpus=cpus,
        gpus=axis("gpus", (0,)),
        cpus_per_task=tuple(row.get("cpus_per_task", (1,))),
        workers=tuple(row.get("workers", ())),
        task_timeout_s=_time_out(row.get("task_timeout_s"), f"study {study}: task_timeout_s"),
    )


def _all(asked: tuple[str, ...], known: Mapping[str, Spec]) -> tuple[str, ...]:
    """Spell out the word `all`: every name but the controls, which a study plans by itself or by name."""
    if "all" not in asked:
        return asked
    return tuple(name for name, spec in known.items() if not spec.is_control)


def _check_known(asked: Iterable[str], known: Mapping[str, Spec], what: str, study: str) -> None:
    for name in asked:
        if name not in known:
            raise BadSettings(f"{what}s=[{name}] (study {study}): {explain_missing(what, name, known)}")


def _positive(value: Any, name: str) -> int:
    if not isinstance(value, int) or value < 1:
        raise BadSettings(f"{name}={value}: expected a whole number of at least 1")
    return value


def _time_out(value: Any, name: str) -> float | None:
    return None if value is None else _number(value, name)


def _share(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise BadSettings(f"{name}={value}: expected a share from 0 to 1")
    return float(value)


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
        raise BadSettings(f"{name}={value}: expected a number above 0")
    return float(value)
