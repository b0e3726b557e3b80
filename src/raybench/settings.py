"""From YAML and overrides to a frozen Study; the only module that knows Hydra."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from raybench.errors import BadSettings
from raybench.model import Cluster, GridRow, Limits, Requires, Spec, Study

SPEC_KEYS = ("_target_", "about", "source", "tags", "stepped", "requires", "params", "sizes", "flags")
DEFAULTS = {"study": "quick", "cluster": "local"}
GIB = 2**30
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one is ten times faster, where it was built
HYDRA_ERRORS = (HydraException, OmegaConfBaseException, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the command line asked for."""

    study: Study
    reports: Path
    conf: tuple[Path, ...]  # configuration folders, the project's own last


def own_conf() -> Path:
    """Find the project's conf/: beside src/ in a checkout, inside the package in an installed wheel."""
    here = Path(__file__).resolve()
    for candidate in (here.parents[2] / "conf", here.parent / "conf"):
        if (candidate / "config.yaml").is_file():
            return candidate
    raise BadSettings(f"no conf/config.yaml beside {here.parent}; reinstall raybench")


def names(conf: Sequence[Path], group: str) -> dict[str, Path]:
    """List a configuration group: name -> file; a user's folder comes before the project's own."""
    found: dict[str, Path] = {}
    for folder in conf:
        for path in sorted((folder / group).glob("*.yaml")):
            found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def load(overrides: Sequence[str] = (), *, conf: Sequence[Path] = ()) -> Settings:
    """Compose the configuration and freeze it.

    overrides : Hydra overrides, e.g. `study=quick`, `cpus=[1,2]`, `workload.map_array.n=1000`.
    conf : further configuration folders, searched before the project's own.
    Raises BadSettings with one line that names the file or override and the nearest right name.
    """
    folders = (*(_folder(path) for path in conf), own_conf())
    asked = [_spelled_out(override) for override in overrides]
    whole = _composed(asked, folders)
    workloads = {
        name: _spec(name, node, folders, "workload", size=whole["size"] or whole["study"]["size"], asked=asked)
        for name, node in whole["workload"].items()
    }
    backends = {
        name: _spec(name, node, folders, "backend", size=None, asked=asked) for name, node in whole["backend"].items()
    }
    return Settings(
        study=_study(whole, workloads, backends, name=_choice("study", asked)),
        reports=Path(whole["reports"]),
        conf=folders,
    )


# --- composing ------------------------------------------------------------------------------------


def _folder(path: Path) -> Path:
    folder = Path(path).resolve()
    if not folder.is_dir():
        raise BadSettings(f"--conf {path}: no such folder; expected one that holds workload/, backend/ or claim/")
    return folder


def _spelled_out(override: str) -> str:
    """Let `workload.map_array.n=5` mean `workload.map_array.params.n=5`."""
    match = re.match(r"^(\+{0,2}~?)(workload|backend)\.(\w+)\.([\w.]+)(=.*)?$", override)
    if match is None or match[4].split(".")[0] in SPEC_KEYS:
        return override
    return f"{match[1]}{match[2]}.{match[3]}.params.{match[4]}{match[5] or ''}"


def _composed(overrides: Sequence[str], folders: Sequence[Path]) -> dict[str, Any]:
    root = folders[-1]
    # Hydra would read each of these files with the slow loader, so they go in as one node (30 ms instead of 500).
    groups = {g: {name: _yaml(path) for name, path in names(folders, g).items()} for g in ("workload", "backend")}
    defaults = [{group: name} for group, name in DEFAULTS.items()]
    ConfigStore.instance().store(
        name="raybench", node={"defaults": [*defaults, "_self_"], **_yaml(root / "config.yaml"), **groups}
    )
    search = ",".join(f"file://{folder}" for folder in folders[:-1])
    extra = [f"hydra.searchpath=[{search}]"] if search else []
    try:
        return _container(root, [*extra, *overrides])
    except yaml.MarkedYAMLError as error:
        raise BadSettings(_not_yaml(error)) from error
    except HYDRA_ERRORS as error:
        for count in range(len(overrides)):  # the shortest failing prefix ends with the culprit
            try:
                _container(root, [*extra, *overrides[: count + 1]])
            except HYDRA_ERRORS as narrower:
                raise BadSettings(_explained(str(narrower), overrides[count], folders)) from narrower
        raise BadSettings(" ".join(str(error).split())[:400]) from error


def _container(root: Path, overrides: Sequence[str]) -> dict[str, Any]:
    GlobalHydra.instance().clear()
    with initialize_config_dir(config_dir=str(root), version_base="1.3"):
        node = compose(config_name="raybench", overrides=list(overrides))
    whole = OmegaConf.to_container(node, resolve=True, throw_on_missing=True)
    assert isinstance(whole, dict)
    return {str(key): value for key, value in whole.items()}


def _yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_bytes(), Loader=LOADER)
    except yaml.MarkedYAMLError as error:
        raise BadSettings(_not_yaml(error, path)) from error
    if not isinstance(content, dict):
        raise BadSettings(f"{path}: expected a mapping at the top, found {type(content).__name__}")
    return content


def _not_yaml(error: yaml.MarkedYAMLError, path: Path | None = None) -> str:
    mark = error.problem_mark
    where = f"{path or (mark and mark.name)}:{mark.line + 1 if mark else 1}"
    return f"{where}: not YAML: {error.problem}; put text that holds `: ` into quotes"


def _explained(message: str, override: str, folders: Sequence[Path]) -> str:
    """Turn Hydra's paragraphs into one line that names the override and the nearest right name."""
    key, _, value = override.lstrip("+~").partition("=")
    parts = key.split(".")
    if key in DEFAULTS and value not in (known := names(folders, key)):
        return f"{override}: {key} '{value}' does not exist; {nearest(value, known)}"
    if parts[0] in ("workload", "backend") and len(parts) > 1:
        known = names(folders, parts[0])
        if parts[1] not in known:
            return f"{override}: {parts[0]} '{parts[1]}' does not exist; {nearest(parts[1], known)}"
        params = _yaml(known[parts[1]]).get("params") or {}
        if parts[-1] not in params:
            there = nearest(parts[-1], params) if params else "it has none"
            return f"{override}: {known[parts[1]].name} has no parameter '{parts[-1]}'; {there}"
    top = [*_yaml(folders[-1] / "config.yaml"), *DEFAULTS]
    if key and parts[0] not in top:
        return f"{override}: no setting '{parts[0]}'; {nearest(parts[0], top)}"
    if "Missing mandatory value" in message:
        return f"{override}: a value is missing: {message.split('full_key:')[-1].split()[0]}=... must be given too"
    if len(parts) > 1 and "not in struct" in message:
        return f"{override}: no setting '{key}'; see conf/config.yaml, conf/study and conf/cluster"
    return f"{override}: expected an override such as key=value or key=[a,b]: {' '.join(message.split())[:200]}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known name is meant, and which there are."""
    options = sorted(known)
    close = difflib.get_close_matches(name, options, n=1, cutoff=0.4)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"{hint}choose from {', '.join(options)}"


# --- freezing -------------------------------------------------------------------------------------


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
            tags=tuple(node.get("tags") or ()),
            requires=_requires(node.get("requires") or {}),
            stepped=bool(node.get("stepped", False)),
            source=str(node.get("source") or ""),
            about=str(node.get("about") or ""),
        )
    except TypeError as error:
        raise BadSettings(f"{path}: {error}; see conf/{group} for examples") from error


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
        _known(row.workloads, workloads, "workload", name)
        _known(row.backends, backends, "backend", name)
    if not grid:
        raise BadSettings(f"study {name}: its grid is empty; expected rows of workloads, backends and cpus")
    limits = whole["limits"]
    cluster = whole["cluster"]
    if whole["retry"] not in (None, "failed"):
        raise BadSettings(f"retry={whole['retry']}: expected `failed` or nothing")
    return Study(
        name=name,
        about=str(node.get("about", "")),
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
            task_timeout_s=None
            if limits["task_timeout_s"] is None
            else _number(limits["task_timeout_s"], "limits.task_timeout_s"),
            cell_timeout_s=_number(limits["cell_timeout_s"], "limits.cell_timeout_s"),
            runtime_env=limits["runtime_env"],
        ),
        cluster=Cluster(name=cluster["name"], address=cluster["address"], nodes=tuple(cluster["nodes"])),
        target_half_width=float(node["target_half_width"]),
        oversubscribe=bool(whole["oversubscribe"]),
        retry_failed=whole["retry"] == "failed",
    )


def _choice(group: str, overrides: Sequence[str]) -> str:
    """Name the chosen file of a group; Hydra keeps it only in its own runtime configuration."""
    asked = [value for o in overrides for key, _, value in [o.lstrip("+").partition("=")] if key == group]
    return asked[-1] if asked else DEFAULTS[group]


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
    )


def _all(asked: tuple[str, ...], known: Mapping[str, Spec]) -> tuple[str, ...]:
    """Spell out the word `all`: every name but the controls, which a study plans by itself or by name."""
    if "all" not in asked:
        return asked
    return tuple(name for name, spec in known.items() if "control" not in spec.tags)


def _known(asked: Iterable[str], known: Mapping[str, Spec], what: str, study: str) -> None:
    for name in asked:
        if name not in known:
            raise BadSettings(
                f"{what}s=[{name}] (study {study}): {what} '{name}' does not exist; {nearest(name, known)}"
            )


def _positive(value: Any, name: str) -> int:
    if not isinstance(value, int) or value < 1:
        raise BadSettings(f"{name}={value}: expected a whole number of at least 1")
    return value


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
        raise BadSettings(f"{name}={value}: expected a number above 0")
    return float(value)
