"""Data files are found, refused or downloaded by checksum; generated files are whole or absent."""

import functools
import hashlib
import http.server
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import pytest

import made_data
from raybench.model.errors import MissingData
from raybench.workloads import download, files
from raybench.workloads.files import Known

TABLE = b"age,charges\n19,16884.924\n"
CREDIT = b"A11 6 A34 1\n"
SUM = hashlib.sha256(TABLE).hexdigest()


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Replace the two known files by tiny ones, and every folder by one of the test's own."""
    entries = [
        Known(name="insurance.csv", sha256=SUM, origin="https://origin.invalid/a/insurance.csv"),
        Known(
            name="german.data",
            sha256=hashlib.sha256(CREDIT).hexdigest(),
            origin="https://origin.invalid/b/statlog+german+credit+data.zip",
            zipped=True,
        ),
    ]
    table = MappingProxyType({entry.name: entry for entry in entries})
    monkeypatch.setattr(files, "KNOWN", table)
    monkeypatch.setattr(download, "KNOWN", table)
    for name in ("RAYBENCH_DATA", "RAYBENCH_DATA_UNCHECKED", "RAYBENCH_DATA_ORIGIN", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("RAYBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        return None


@pytest.fixture
def origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Serve a folder on the loopback and make it the origin of every download."""
    folder = tmp_path / "origin"
    folder.mkdir()
    (folder / "insurance.csv").write_bytes(TABLE)
    with zipfile.ZipFile(folder / "statlog+german+credit+data.zip", "w") as archive:
        archive.writestr("german.data", CREDIT)
        archive.writestr("german.doc", "about")
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("RAYBENCH_DATA_ORIGIN", f"http://127.0.0.1:{server.server_port}/mirror/../")
        yield folder
        server.shutdown()
        thread.join()


def test_the_data_folder_comes_before_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in (tmp_path / "mine", files.data_cache()):
        folder.mkdir(parents=True)
        (folder / "insurance.csv").write_bytes(TABLE)
    assert files.path("insurance.csv") == files.data_cache() / "insurance.csv"
    monkeypatch.setenv("RAYBENCH_DATA", str(tmp_path / "mine"))
    assert files.path("insurance.csv") == tmp_path / "mine" / "insurance.csv"
    assert files.unavailable("insurance.csv") == ""
    assert files.provenance("insurance.csv") == files.CHECKED


def test_a_missing_file_names_both_remedies() -> None:
    reason = files.unavailable("german.data")
    assert "set RAYBENCH_DATA to a folder that holds it" in reason
    assert "run once with a network" in reason
    with pytest.raises(MissingData, match=r"german\.data is not in"):
        files.path("german.data")


def test_an_unknown_file_names_the_known_ones() -> None:
    assert "choose from insurance.csv, german.data" in files.unavailable("iris.csv")
    assert download.fetch("iris.csv") == files.unavailable("iris.csv")


def test_a_damaged_file_is_refused_with_its_name_and_the_expected_sum(tmp_path: Path) -> None:
    files.data_cache().mkdir(parents=True)
    (files.data_cache() / "insurance.csv").write_bytes(TABLE + b"\n")
    reason = files.unavailable("insurance.csv")
    assert str(files.data_cache() / "insurance.csv") in reason
    assert f"expected {SUM}" in reason
    assert "remove it" in reason
    assert download.fetch("insurance.csv") == reason, "a file of the user's is not replaced"


def test_a_made_table_passes_only_when_asked_for_and_is_called_one(monkeypatch: pytest.MonkeyPatch) -> None:
    files.data_cache().mkdir(parents=True)
    monkeypatch.setenv("RAYBENCH_DATA_UNCHECKED", "0")
    made_data.write(files.data_cache())
    assert files.unavailable("insurance.csv") == ""
    assert files.provenance("insurance.csv") == files.MADE
    monkeypatch.setenv("RAYBENCH_DATA_UNCHECKED", "0")
    assert "expected" in files.unavailable("insurance.csv")


def test_a_table_is_downloaded_checked_and_kept(origin: Path) -> None:
    assert download.fetch("insurance.csv") == ""
    assert files.path("insurance.csv").read_bytes() == TABLE
    (origin / "insurance.csv").unlink()
    assert download.fetch("insurance.csv") == "", "the second time it is there"


def test_a_zipped_table_is_unpacked_and_the_file_within_is_checked(origin: Path) -> None:
    assert download.fetch("german.data") == ""
    assert files.path("german.data").read_bytes() == CREDIT
    assert [file.name for file in files.data_cache().iterdir()] == ["german.data"]


@pytest.mark.parametrize("name", ["insurance.csv", "german.data"])
def test_a_damaged_download_is_refused_and_leaves_nothing(origin: Path, name: str) -> None:
    (origin / "insurance.csv").write_bytes(b"404: not found")
    with zipfile.ZipFile(origin / "statlog+german+credit+data.zip", "w") as archive:
        archive.writestr("german.data", b"A11 7 A34 1\n")
    assert download.fetch(name)
    assert files.unavailable(name)
    assert not list(files.data_cache().iterdir())


@pytest.mark.parametrize("content", [b"no archive", b"", "without the member"])
def test_a_broken_archive_is_a_reason_not_a_traceback(origin: Path, content: bytes | str) -> None:
    file = origin / "statlog+german+credit+data.zip"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("other.data", content)
    assert "failed" in download.fetch("german.data")


def test_without_a_network_the_reason_has_both_remedies_and_the_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYBENCH_DATA_ORIGIN", "http://127.0.0.1:9")  # discard: nothing listens
    reason = download.fetch("insurance.csv")
    assert "set RAYBENCH_DATA" in reason
    assert "the download from http://127.0.0.1:9/insurance.csv failed" in reason


def test_the_real_files_are_known_by_their_published_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert files.KNOWN["insurance.csv"].sha256.startswith("505c1cbc2e63d036")
    assert files.KNOWN["german.data"].sha256.startswith("b21f3d81db807125")


def test_a_generated_file_is_written_once() -> None:
    calls: list[Path] = []

    def write(file: Path) -> None:
        calls.append(file)
        file.write_text("content")

    first = files.generate_file("table-rows-3.csv", write)
    assert files.generate_file("table-rows-3.csv", write) == first
    assert first.read_text() == "content"
    assert len(calls) == 1
    assert calls[0] != first, "a reader must never meet a half-written file under the final name"


def test_a_writer_that_fails_leaves_no_file_behind() -> None:
    def write(file: Path) -> None:
        file.write_text("half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        files.generate_file("table.csv", write)
    assert files.clean() == []


def test_clean_removes_generated_files_and_keeps_data() -> None:
    files.data_cache().mkdir(parents=True)
    (files.data_cache() / "insurance.csv").write_bytes(TABLE)
    made = files.generate_file("a.csv", lambda file: file.touch())
    killed = made.with_name(f"b.csv-x{files.PARTIAL}")
    killed.touch()
    assert files.clean() == [made, killed]
    assert not made.exists()
    assert files.unavailable("insurance.csv") == ""


@pytest.mark.parametrize(
    ("cache", "xdg", "expected"), [("/a", "/b", "/a"), ("", "/b", "/b/raybench"), ("", "", "/h/.cache/raybench")]
)
def test_the_cache_folder_is_ours_then_the_users(
    monkeypatch: pytest.MonkeyPatch, cache: str, xdg: str, expected: str
) -> None:
    monkeypatch.setenv("RAYBENCH_CACHE", cache)
    monkeypatch.setenv("XDG_CACHE_HOME", xdg)
    monkeypatch.setenv("HOME", "/h")
    assert files.cache() == Path(expected)


def test_a_user_without_a_home_is_told_to_name_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    for name in ("RAYBENCH_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert "RAYBENCH_CACHE" in files.unavailable("insurance.csv")
    assert "RAYBENCH_CACHE" in download.fetch("insurance.csv")
    monkeypatch.setenv("RAYBENCH_DATA", str(tmp_path))
    (tmp_path / "insurance.csv").write_bytes(TABLE)
    assert files.unavailable("insurance.csv") == ""


def test_a_cache_that_cannot_be_written_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("RAYBENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(MissingData, match=r"cannot be written .*RAYBENCH_CACHE"):
        files.generate_file("x", lambda path: path.touch())
