"""From YAML files and overrides to plain mappings, and from a value that is refused back to its file or override.

Hydra chooses the files of study and cluster (with their `defaults` lists, if any) out of its store: what it is given
has been read by this project's own dialect, and no name or path is written in its language.
"""

import copy
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose, initialize
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from raybench.config.overrides import GROUPS, SPECS, Override, leaves, parse_overrides, put
from raybench.config.schema import BackendFile, WorkloadFile
from raybench.model.errors import BadSettings
from raybench.model.paths import PACKAGE, own_conf
from raybench.model.yaml_file import Keys, YamlFile, nearest, read_yaml

DEFAULTS = {"study": "quick", "cluster": "local"}
FILES = (*SPECS, *GROUPS)
PEERS_CONF, PEERS_PATH = "benchmarks/peers/conf", "benchmarks"  # of the repository
PEERS = frozenset(  # backends that lie there
    ("dask_distributed", "futures_processes", "futures_threads", "joblib_asha", "optuna_parallel", "sklearn_halving")
)
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
WORDS = {"all", "powers", "null", "true", "false", "nan", "inf"}  # mean something where names stand
SPEC_KEYS = {*WorkloadFile.__struct_encode_fields__, *BackendFile.__struct_encode_fields__}
TUNED = "tuned"  # the flags of conf/config.yaml
INTERPOLATION, MISSING = "${", "???"
HYDRA_ERRORS = (HydraException, OmegaConfBaseException, ValueError, TypeError, AssertionError, RecursionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """The whole configuration as one plain tree, with the files and overrides it is made of."""

    tree: dict[str, Any]
    chosen: Mapping[str, str]  # group -> name of its file
    config: YamlFile
    files: Mapping[str, Mapping[str, YamlFile]]  # group -> name -> file
    overrides: Sequence[tuple[tuple[str, ...], Override]]  # where each went

    def fault(self, keys: Keys, text: str) -> BadSettings:
        """Make an error that names the last override that had to do with this way, else file and line."""
        way = tuple(map(str, keys))
        for put_at, override in reversed(self.overrides):
            if put_at[: len(way)] == way or way[: len(put_at)] == put_at:
                return override.fault(text)
        group, *rest = keys
        if group in SPECS and rest:
            return self.files[str(group)][str(rest[0])].fault(rest[1:], f"{'.'.join(map(str, rest[1:]))}: {text}")
        if group in GROUPS:
            file = self.files[str(group)][self.chosen[str(group)]]
            return file.fault(rest, f"{'.'.join(map(str, rest))}: {text}")
        return self.config.fault(keys, f"{'.'.join(way)}: {text}")


def files_of(folders: Sequence[Path], group: str) -> dict[str, Path]:
    """List a configuration group: name -> file; a user's folder comes before the project's own."""
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted((folder / group).glob("*.yaml")):
            if not NAME.fullmatch(path.stem) or path.stem.lower() in WORDS:
                raise BadSettings(
                    f"{path}: '{path.stem}' cannot be named in an override; expected letters, digits, _ - . "
                    f"(none of the words {', '.join(sorted(WORDS))}); rename the file"
                )
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


def compose_study(texts: Sequence[str], folders: Sequence[Path]) -> Composed:
    """Compose everything that conf/ and the overrides say; raises BadSettings naming the file or override at fault."""
    overrides = parse_overrides(texts)
    files = {g: {name: read_yaml(path) for name, path in files_of(folders, g).items()} for g in FILES}
    config = read_yaml(folders[-1] / "config.yaml")
    for file in (config, *(file for group in GROUPS for file in files[group].values())):
        for keys, text in leaves(file.value):
            if isinstance(text, str) and INTERPOLATION in text and (reason := _not_replaceable(text)):
                raise file.fault(keys, reason)
    chosen = dict(DEFAULTS)
    for override in overrides:
        if override.chooses:
            chosen[override.keys[0]] = _choose(override, files[override.keys[0]])
    tree = _hydra(config, files, chosen)
    tree |= {group: {name: copy.deepcopy(file.value) for name, file in files[group].items()} for group in SPECS}
    for backend in tree["backend"].values():
        if backend.get("flags") == TUNED:
            backend["flags"] = {}  # no change to them, where an override may make one
    placed = [(_place(o, tree, files), o) for o in overrides if not o.chooses]
    composed = Composed(tree=tree, chosen=chosen, config=config, files=files, overrides=placed)
    for keys, override in placed:
        put(tree, keys, override)
    _resolve(composed)
    return composed


def explain_missing(kind: str, name: str, known: Iterable[str]) -> str:
    """Say that a workload, backend or cluster does not exist, with the nearest that does, or where it has moved."""
    if kind == "backend" and name in PEERS:
        return f"backend '{name}' is one of the peers; add `--conf {PEERS_CONF}`, with PYTHONPATH={PEERS_PATH}"
    return f"{kind} '{name}' does not exist; {nearest(name, known)}"


def _choose(override: Override, known: Mapping[str, YamlFile]) -> str:
    group, name = override.keys[0], override.value
    if override.removes or not isinstance(name, str) or name not in known:
        shown = "nothing" if override.removes or name is None else name
        raise override.fault(f"{group} '{shown}' does not exist; {nearest(str(shown), known)}")
    return name


def _hydra(config: YamlFile, files: Mapping[str, Mapping[str, YamlFile]], chosen: Mapping[str, str]) -> dict[str, Any]:
    store = ConfigStore.instance()
    GlobalHydra.instance().clear()
    try:
        for group in GROUPS:
            for name, file in files[group].items():
                store.store(group=group, name=name, node=file.value)
        defaults = [*({group: chosen[group]} for group in GROUPS), "_self_"]
        store.store(name="raybench", node={"defaults": defaults, **config.value})
        with initialize(version_base="1.3", config_path=None):
            whole = OmegaConf.to_container(compose(config_name="raybench"))
    except HYDRA_ERRORS as error:
        file = files["study"][chosen["study"]]
        raise file.fault((), " ".join(str(error).split())[:300]) from error
    assert isinstance(whole, dict)
    return {str(key): value for key, value in whole.items()}


def _place(override: Override, tree: Mapping[str, Any], files: Mapping[str, Mapping[str, YamlFile]]) -> tuple[str, ...]:
    """Say where an override goes: `workload.map_array.n` is `workload.map_array.params.n`; names must exist."""
    first, *rest = override.keys
    if first in (*SPECS, *GROUPS) and not rest:
        raise override.fault(f"expected {first}s=[names] or {first}.NAME.parameter=value")
    if first not in SPECS:
        if first not in tree:
            raise override.fault(f"no setting '{first}'; {nearest(first, tree)}")
        return override.keys
    ends = (end for end in range(len(rest), 0, -1) if ".".join(rest[:end]) in files[first])  # a name may hold dots
    end = next(ends, None)
    if end is None:
        raise override.fault(explain_missing(first, rest[0], files[first]))
    name, inner = ".".join(rest[:end]), rest[end:]
    if not inner:
        raise override.fault(f"expected {first}.{name}.parameter=value")
    return (first, name, *inner) if inner[0] in SPEC_KEYS else (first, name, "params", *inner)


def _resolve(composed: Composed) -> None:
    """Replace `${...}` in place; what is still to be given (`???`) or cannot be replaced is refused."""
    texts = [(keys, text) for keys, text in leaves(composed.tree) if isinstance(text, str)]
    for keys, text in texts:
        if text == MISSING:
            raise composed.fault(keys, f"a value is missing: {'.'.join(map(str, keys))}=... must be given too")
    found = [(keys, text) for keys, text in texts if INTERPOLATION in text]
    if not found:
        return
    for keys, text in found:
        if reason := _not_replaceable(text):
            raise composed.fault(keys, reason)
    node = OmegaConf.create(composed.tree)
    for keys, text in found:
        try:
            value = OmegaConf.select(node, "".join(f"[{key}]" for key in keys), throw_on_resolution_failure=True)
            plain = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        except HYDRA_ERRORS as error:
            raise composed.fault(keys, f"'{text}' cannot be replaced: {_first_line(error)}") from error
        _set(composed.tree, keys, plain)


def _not_replaceable(text: str) -> str:
    """Say what is wrong with the grammar of an interpolation, or ''."""
    try:
        OmegaConf.create({"text": text})
    except HYDRA_ERRORS as error:
        return f"'{text}' is no interpolation: {_first_line(error)}; write \\${{...}} for the text itself"
    return ""


def _first_line(error: BaseException) -> str:
    return " ".join(str(error).split("\n")[0].split())[:160]


def _set(tree: Any, keys: Keys, value: Any) -> None:
    for key in keys[:-1]:
        tree = tree[key]
    tree[keys[-1]] = value
