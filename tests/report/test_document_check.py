"""Numbers in our documents: generated, referred to, or code; and what is generated is what the data give."""

import re

import pytest

from checkout import ROOT
from raybench.report import build, document_check
from report import made_run


def faults(text: str) -> list[str]:
    return document_check.faults(text, where="README.md", known={"C13"})


@pytest.mark.parametrize(
    "text",
    [
        "It is `2.1x` faster, ``1 ` 2``, and `P = 2`.",
        "Efficiency is as documented [C13], see C13.",
        "<!-- raybench:headline -->\n17 is a number\n<!-- /raybench:headline -->",
        "```bash\nnox -s bench -- budget_min=120\n```",
        "~~~\n1\n~~~",
        "1. first\n2) second\n  3. third",
        "## 3.1 Title",
        "## 4 Title",
        "2026-11-20 decided",
        "See [the log](https://keepachangelog.com/en/1.1.0/) and https://example.org/1.",
        "<!-- 17 is not shown -->",
        "no number at all",
    ],
)
def test_numbers_that_something_keeps_true_pass(text):
    assert faults(text) == []


@pytest.mark.parametrize(
    ("text", "number", "token"),
    [
        ("Ray is 2.1x faster.", 1, "2.1x"),
        ("fine\n\nabout 17-20x on many cores", 3, "17-20x"),
        ("| a | 0.75 |", 1, "0.75"),
        ("# Twice as fast on 25 CPUs", 1, "25"),
        ("`code` and 3 more", 1, "3"),
        ("[5 minutes](x.md)", 1, "5"),
        ("<!-- raybench:x -->\n1\n<!-- /raybench:x -->\n2", 4, "2"),
        ("```\n1\n```\n2", 4, "2"),
        ("in 2026 it was", 1, "2026"),
        ("an unfinished `span of 7", 1, "7"),
    ],
)
def test_any_other_number_is_named_with_its_line(text, number, token):
    (fault,) = faults(text)

    assert fault.startswith(f"README.md:{number}: the number {token} stands in the prose")


def test_a_reference_to_no_claim_is_a_fault():
    (fault,) = faults("See [C77].")

    assert fault.startswith("README.md:1: refers to C77, which is no claim")


def test_our_own_documents_pass():
    found = document_check.check(ROOT / "reports", None, ROOT)

    assert (found.claims, [f for f in found.faults if not f.startswith("RESULTS.md")]) == ((), [])


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """Report the made run once, claims included."""
    root = tmp_path_factory.mktemp("made")
    (root / "README.md").write_text("# r\n\n<!-- raybench:headline -->\n<!-- /raybench:headline -->\n")
    folder = made_run.write(root / "reports")
    build.rebuild(root / "reports", folder, root)
    return root, folder


def test_a_fresh_report_has_no_fault_and_every_claim(reported):
    root, folder = reported
    found = document_check.check(root / "reports", folder, root)

    assert found.faults == ()
    assert len(found.claims) == 38
    assert all(f"`{line.id}`" in (root / "RESULTS.md").read_text() for line in found.claims)


@pytest.mark.parametrize("name", ["RESULTS.md", "README.md"])
def test_a_number_that_the_data_do_not_bear_out_is_named_with_both_lines(reported, name):
    root, folder = reported
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


def test_many_differences_are_counted_and_a_missing_file_is_named(tmp_path):
    (tmp_path / "RESULTS.md").write_text("".join(f"a{i}\nsame{i}\n" for i in range(9)))
    given = {tmp_path / "RESULTS.md": "".join(f"b{i}\nsame{i}\n" for i in range(9)), tmp_path / "README.md": "x"}

    found = document_check.stale(given)
    assert len(found) == 5 + 1 + 1
    assert found[5:] == [
        "RESULTS.md: 4 further differences",
        "README.md: does not exist; write it with `raybench report`",
    ]
