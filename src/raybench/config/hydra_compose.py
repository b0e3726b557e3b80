"""From YAML files and overrides to one plain mapping; the only module that knows Hydra."""

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from raybench.model.errors import BadSettings
from raybench.model.paths import PACKAGE, own_conf

ROLE_KEYS = ("role", "variant_of", "disables")  # of a backend
SPEC_KEYS = (
    *("_target_", "about", "source", "tags", "stepped", "requires", "params", "sizes", "flags", "environment"),
    *ROLE_KEYS,
)
DEFAULTS = {"study": "quick", "cluster": "local"}
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one is ten times faster, where it was built
PEERS_CONF, PEERS_PATH = "benchmarks/peers/conf", "benchmarks"  # of the repository
PEERS = frozenset(  # backends that lie there
    ("dask_distributed", "futures_processes", "futures_threads", "joblib_asha", "optuna_parallel", "sklearn_halving")
)
HYDRA_ERRORS = (HydraException, OmegaConfBaseException, ValueError)


def names(conf: Sequence[Path], group: str) -> dict[str, Path]:
    """List a configuration group: name -> file; a user's folder comes before the project's own."""
    found: dict[str, Path] = {}
    for folder in conf:
        for path in sorted((folder / group).glob("*.yaml")):
            found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def search_path(conf: Sequence[Path]) -> tuple[Path, ...]:
    """List the configuration folders: a user's own, each checked, before the project's."""
    own = own_conf()
    if own is None:
        raise BadSettings(f"no conf/config.yaml beside {PACKAGE}; reinstall raybench")
    return (*(_folder(path) for path in conf), own)


def _folder(path: Path) -> Path:
    folder = Path(path).resolve()
    if not folder.is_dir():
        raise BadSettings(f"--conf {path}: no such folder; expected one that holds workload/, backend/ or claim/")
    return folder


def spelled_out(override: str) -> str:
    """Let `workload.map_array.n=5` mean `workload.map_array.params.n=5`."""
    match = re.match(r"^(\+{0,2}~?)(workload|backend)\.(\w+)\.([\w.]+)(=.*)?$", override)
    if match is None or match[4].split(".")[0] in SPEC_KEYS:
        return override
    return f"{match[1]}{match[2]}.{match[3]}.params.{match[4]}{match[5] or ''}"


def compose_study(overrides: Sequence[str], folders: Sequence[Path]) -> dict[str, Any]:
    """Compose everything that conf/ and the overrides say; raises BadSettings naming the override at fault."""
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
                raise BadSettings(_explain(str(narrower), overrides[count], folders)) from narrower
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


def _explain(message: str, override: str, folders: Sequence[Path]) -> str:
    """Turn Hydra's paragraphs into one line that names the override and the nearest right name."""
    key, _, value = override.lstrip("+~").partition("=")
    parts = key.split(".")
    if key in DEFAULTS and value not in (known := names(folders, key)):
        return f"{override}: {key} '{value}' does not exist; {nearest(value, known)}"
    if parts[0] in ("workload", "backend") and len(parts) > 1:
        known = names(folders, parts[0])
        if parts[1] not in known:
            return f"{override}: {explain_missing(parts[0], parts[1], known)}"
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


def choice(group: str, overrides: Sequence[str]) -> str:
    """Name the chosen file of a group; Hydra keeps it only in its own runtime configuration."""
    asked = [value for o in overrides for key, _, value in [o.lstrip("+").partition("=")] if key == group]
    return asked[-1] if asked else DEFAULTS[group]


def explain_missing(kind: str, name: str, known: Iterable[str]) -> str:
    """Say that a workload or backend does not exist, with the nearest that does, or where it has moved."""
    if kind == "backend" and name in PEERS:
        return f"backend '{name}' is one of the peers; add `--conf {PEERS_CONF}`, with PYTHONPATH={PEERS_PATH}"
    return f"{kind} '{name}' does not exist; {nearest(name, known)}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known name is meant, and which there are."""
    options = sorted(known)
    close = difflib.get_close_matches(name, options, n=1, cutoff=0.4)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"{hint}choose from {', '.join(options)}"
