"""Generated text goes between its markers and nowhere else."""

import pytest

from raybench.model.errors import RaybenchError
from raybench.report.splice import Span, spans, splice, splice_file

TEXT = """# Title
<!-- raybench:headline -->
old
old too
<!-- /raybench:headline -->
middle
<!-- raybench:claims -->
<!-- /raybench:claims -->
end
"""


def test_only_what_stands_between_the_markers_changes():
    new = splice(TEXT, {"headline": "new", "claims": "c1\nc2\n"}, where="README.md")
    assert new == TEXT.replace("old\nold too", "new").replace(
        "<!-- raybench:claims -->\n", "<!-- raybench:claims -->\nc1\nc2\n"
    )


def test_splicing_twice_gives_the_same_text():
    once = splice(TEXT, {"headline": "new"}, where="README.md")
    assert splice(once, {"headline": "new"}, where="README.md") == once


def test_spans_name_their_lines():
    assert spans(TEXT, where="x") == [Span(name="headline", first=2, last=5), Span(name="claims", first=7, last=8)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a\n<!-- raybench:x -->\nb\n", r"f\.md:2: opens x and never closes it"),
        ("<!-- /raybench:x -->\n", r"f\.md:1: closes x, which is not open"),
        ("<!-- raybench:x -->\n<!-- raybench:y -->\n", r"f\.md:2: opens y within x"),
        ("<!-- raybench:x -->\n<!-- /raybench:y -->\n", r"f\.md:2: closes y"),
        (
            "<!-- raybench:x -->\n<!-- /raybench:x -->\n<!-- raybench:x -->\n<!-- /raybench:x -->\n",
            r"f\.md:3: .*second",
        ),
    ],
)
def test_broken_markers_are_refused_with_file_and_line(text, words):
    with pytest.raises(RaybenchError, match=words):
        spans(text, where="f.md")


def test_a_part_without_its_markers_is_refused():
    with pytest.raises(RaybenchError, match=r"f\.md: has no <!-- raybench:z -->"):
        splice(TEXT, {"z": "text"}, where="f.md")


def test_markers_in_a_code_block_are_an_example():
    fenced = "```md\n<!-- raybench:x -->\n```\n"
    assert spans(fenced, where="f.md") == []
    assert splice(fenced, {}, where="f.md") == fenced


def test_a_generated_part_may_hold_a_code_block():
    text = "<!-- raybench:x -->\n```sh\nls\n```\n<!-- /raybench:x -->\n"
    assert spans(text, where="f.md") == [Span(name="x", first=1, last=5)]


def test_a_file_gets_the_parts_whose_markers_it_has(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(TEXT)
    new = splice_file(path, {"headline": "new", "elsewhere": "text"})
    assert "\nnew\n" in new
    assert path.read_text() == TEXT


def test_a_file_without_the_markers_is_left_alone(tmp_path):
    path = tmp_path / "README.md"
    path.write_text("# mine\n\nno marker")
    assert splice_file(path, {"headline": "new"}) is None
