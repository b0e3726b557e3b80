"""What comes from raw data can neither break a table nor become markup."""

import pytest

from raybench.report.tables import Table, code, code_span, escape, markdown, number, one_line, word


@pytest.mark.parametrize(
    ("raw", "safe"),
    [
        ("a | b", "a \\| b"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("first\nsecond\r\n  third", "first second third"),
        ("line\u2028separator", "line separator"),
        ("`tick` *star* ~~gone~~", "\\`tick\\` \\*star\\* \\~\\~gone\\~\\~"),
        ("[click](javascript:alert(1))", "[click]\\(javascript:alert(1))"),
        ("snake_case __init__", "snake_case \\_\\_init\\_\\_"),
        ("back\\slash &amp;", "back\\\\slash &amp;amp;"),
        ("\x00bell\x07", "\ufffdbell\ufffd"),
        ("\x1b[31mred\x1b[0m txt\u202eexe", "red txt\ufffdexe"),
        ("1.90x [1.87, 1.94]", "1.90x [1.87, 1.94]"),
    ],
)
def test_raw_text_is_harmless_in_markdown(raw, safe):
    assert escape(raw) == safe


@pytest.mark.parametrize(
    ("raw", "span"),
    [("ray_tasks", "`ray_tasks`"), ("a|b", "`a\\|b`"), ("`x`", "`` `x` ``"), ("a``b", "```a``b```"), ("", "` `")],
)
def test_a_name_stays_inside_its_code_span(raw, span):
    assert code_span(raw) == span


def test_a_table_has_one_line_per_row_whatever_its_cells_hold():
    table = Table(
        name="t",
        columns=("name", "x", "why"),
        rows=((code("a|b"), number("2.0", 2.0), word("x\n|y")),),
        numeric=frozenset({"x"}),
    )
    assert markdown(table) == "| name | x | why |\n|---|---:|---|\n| `a\\|b` | 2.0 | x \\|y |"


def test_a_row_with_a_missing_cell_is_our_own_mistake():
    with pytest.raises(AssertionError, match="2 cells for 3 columns"):
        Table(name="t", columns=("a", "b", "c"), rows=((word(1), word(2)),))


def test_absent_numbers_sort_last():
    assert number("–", None).sort == number("undefined", float("nan")).sort == float("inf")
    assert number("1", 1.0).sort == 1.0


def test_a_number_sorts_by_nine_digits_so_that_processors_agree():
    assert number("3.83 us", 3.834467622802674e-06).sort == number("3.83 us", 3.834467622802683e-06).sort
    assert number("1", 1.00000001).sort != number("1", 1.00000002).sort


def test_one_line_keeps_inner_spaces():
    assert one_line("  a  b \n\n c ") == "a  b c"
