"""What is generated between raybench's markers is what the data give; all other text is its author's own."""

import re

import pytest

from raybench.report import build, document_check
from report import made_run


def test_a_fresh_report_has_no_fault_and_every_claim(reported):
    root, folder = reported.root, reported.folder
    found = document_check.check(root / "reports", folder, root)

    assert found.faults == ()
    assert len(found.claims) == 50


@pytest.mark.parametrize("name", ["RESULTS.md", "README.md"])
def test_a_number_that_the_data_do_not_bear_out_is_named_with_both_lines(reported, name):
    root, folder = reported.root, reported.folder
    path = root / name
    before = path.read_text()
    lines = before.splitlines()
    changed = next(i for i, text in enumerate(lines) if re.search(r"\d\.\d+x \[", text))
    lines[changed] = re.sub(r"\d\.\d+x \[", "7.77x [", lines[changed], count=1)
    path.write_text("\n".join(lines) + "\n")
    try:
        (fault,) = document_check.check(root / "reports", folder, root).faults
    finally:
        path.write_text(before)

    assert fault.startswith(f"{name}:{changed + 1}: says ")
    assert "7.77x" in fault


def test_a_readme_without_markers_is_nobody_s_business(reported, tmp_path):
    """Not even its line ends: Windows ones, and a last line without one."""
    (tmp_path / "README.md").write_bytes(b"we ran 3 tests\r\non 25 CPUs, see C77")
    assert document_check.check(tmp_path / "reports", None, tmp_path).faults == ()

    folder = made_run.write(tmp_path / "reports")
    assert tmp_path / "README.md" not in build.rebuild(tmp_path / "reports", folder, tmp_path)
    assert document_check.check(tmp_path / "reports", folder, tmp_path).faults == ()


def test_many_differences_are_counted_and_a_missing_file_is_named(tmp_path):
    (tmp_path / "RESULTS.md").write_text("".join(f"a{i}\nsame{i}\n" for i in range(9)))
    given = {tmp_path / "RESULTS.md": "".join(f"b{i}\nsame{i}\n" for i in range(9)), tmp_path / "README.md": "x"}

    found = document_check.differences(given)
    assert len(found) == 5 + 1 + 1
    assert found[5:] == [
        "RESULTS.md: 4 further differences",
        "README.md: does not exist; write it with `raybench report`",
    ]
