"""What makes a run another run, and in which words a change is told."""

import sys
from pathlib import Path

import pytest

from made_hosts import made
from raybench.model.measurement import Environment
from raybench.model.plan import Spec
from raybench.system import identity
from raybench.system.user_code import ABSENT, code_hash

NOBODYS = Spec(name="sequential", target="raybench.backends.sequential.Sequential")


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder on the path with a user's module that imports two others of that folder, and one elsewhere."""
    folder, other = tmp_path / "mine", tmp_path / "other"
    for path, text in {
        folder / "quirks.py": "import numpy\nfrom parts import sizes\nimport far\n\nclass Quirk: ...\n",
        folder / "parts" / "__init__.py": "from . import tools\n",
        folder / "parts" / "sizes.py": "N = 1\n",
        folder / "parts" / "tools.py": "M = 1\n",
        folder / "unused.py": "U = 1\n",
        other / "far.py": "F = 1\n",
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(other)
    monkeypatch.syspath_prepend(folder)
    return folder


def known(environ: dict[str, str], *specs: Spec, packages: dict[str, str] | None = None) -> Environment:
    parts = identity.identity("p", specs, environ)
    facts = {"packages": identity.packages() if packages is None else packages}
    return Environment(machine="m", identity=parts, began="b", facts=facts)


@pytest.mark.parametrize("name", ["quirks.py", "parts/__init__.py", "parts/sizes.py", "parts/tools.py"])
def test_a_users_class_and_what_it_imports_from_its_folder_are_its_code(mine: Path, name: str) -> None:
    before = code_hash("quirks:Quirk")
    (mine / name).write_text((mine / name).read_text() + "x = 2\n")
    assert code_hash("quirks:Quirk") not in (before, "", ABSENT)


def test_what_the_class_does_not_import_is_not_its_code(mine: Path) -> None:
    before = code_hash("quirks.Quirk")
    (mine / "unused.py").write_text("U = 2\n")
    (mine.parent / "other" / "far.py").write_text("F = 2\n")
    assert code_hash("quirks.Quirk") == before


def test_code_that_is_broken_or_absent_has_an_identity_too(mine: Path) -> None:
    (mine / "quirks.py").write_text("class Quirk(:\n")
    assert code_hash("quirks:Quirk")
    assert code_hash("no_such_module:Quirk") == ABSENT


@pytest.mark.parametrize("target", [NOBODYS.target, "numpy.linalg:norm", "json.decoder.JSONDecoder"])
def test_raybenchs_own_and_installed_code_counts_by_source_and_version(target: str) -> None:
    assert code_hash(target) == ""


def test_edited_user_code_is_told_by_the_name_of_its_workload(mine: Path) -> None:
    spec = Spec(name="q_ok", target="quirks:Quirk")
    before = known({}, spec, NOBODYS)
    assert identity.changes(before, identity.identity("p", [spec, NOBODYS], {})) == []
    (mine / "quirks.py").write_text("class Quirk: slow = True\n")
    assert identity.changes(before, identity.identity("p", [spec, NOBODYS], {})) == ["code of q_ok"]


def test_another_version_of_a_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "packages", lambda: {"joblib": "1.6.0", "numpy": "2.0", "gone": "1"})
    before = known({})
    monkeypatch.setattr(identity, "packages", lambda: {"joblib": "1.4.2", "numpy": "2.0"})
    assert identity.changes(before, identity.identity("p", [], {})) == [
        "packages: gone 1 -> absent, joblib 1.6.0 -> 1.4.2"
    ]


def test_many_packages_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    before = known({}, packages={f"p{i}": "1" for i in range(9)})
    monkeypatch.setattr(identity, "packages", lambda: {f"p{i}": "2" for i in range(9)})
    (told,) = identity.changes(before, identity.identity("p", [], {}))
    assert told.endswith("p5 1 -> 2 and 3 more")


def test_switches_of_the_interpreter_and_the_allocator_are_told() -> None:
    before = known({"HOME": "/h", "PYTHONPATH": "/a", "PYTHONHASHSEED": "1"})
    shell = {"PYTHONMALLOC": "debug", "MALLOC_PERTURB_": "7", "PYTHONPATH": "/b", "PYTHONHASHSEED": "2"}
    assert identity.changes(before, identity.identity("p", [], shell)) == [
        "switches: none -> MALLOC_PERTURB_=7 PYTHONMALLOC=debug"
    ]


def test_the_value_of_a_switch_that_may_be_a_path_is_a_hash() -> None:
    one, other = (identity.switches({"LD_PRELOAD": f"/home/ann/{name}.so"}) for name in "ab")
    assert "ann" not in one
    assert one != other


def test_variables_that_a_users_code_needs_are_named_and_their_values_hashed() -> None:
    def told(**environ: str) -> str:
        return identity.identity("p", [], environ, named=("MODE", "API_KEY"))["environment"]

    assert told(MODE="fast", API_KEY="x") != told(MODE="slow", API_KEY="x")
    assert told(MODE="fast", API_KEY="x") == told(MODE="fast", API_KEY="y")
    assert "fast" not in told(MODE="fast")
    assert told() == "API_KEY MODE=absent"


def test_the_state_of_the_machine_is_told(tmp_path: Path) -> None:
    path = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
    slow, fast = (made(tmp_path / name, {path: name + "\n"}) for name in ("powersave", "performance"))
    before = Environment(machine="m", identity=identity.identity("p", [], {}, host=slow), began="b", facts={})
    assert identity.changes(before, identity.identity("p", [], {}, host=fast)) == [
        "clock governor: powersave -> performance"
    ]


def test_an_identity_of_an_older_raybench_differs_in_what_it_did_not_know() -> None:
    parts = identity.identity("p", [], {})
    old = Environment(machine="m", identity={**parts, "lock": "1" * 64, "packages": "none"}, began="b", facts={})
    assert identity.changes(old, parts) == ["packages", "lock"]


def test_python_itself_is_part_of_it() -> None:
    assert sys.version.split()[0] in identity.identity("p", [], {})["python"]
