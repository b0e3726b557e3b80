"""The script that compares two reports: words may change, numbers may not."""

import json
from pathlib import Path

import same_numbers

PAGE = "# Cells\n| `a_2` | 1.95x [1.90, 1.99], n=10 |\n| b | 3.00x |\n\n## Controls\nall 4 found\n"


def test_other_words_are_the_same_numbers(tmp_path: Path):
    assert compare(tmp_path, PAGE, PAGE.replace("all 4 found", "4 of them passed")) == 0


def test_a_changed_number_is_named_with_its_section(tmp_path: Path, capsys):
    assert compare(tmp_path, PAGE, PAGE.replace("1.90", "1.91")) == 1
    assert "differs: Cells" in (said := capsys.readouterr().out)
    assert "Controls" not in said


def test_numbers_that_change_rows_differ(tmp_path: Path):
    swapped = PAGE.replace("1.95x", "?").replace("3.00x", "1.95x").replace("?", "3.00x")
    assert compare(tmp_path, PAGE, swapped) == 1


def test_a_section_of_one_side_is_named_and_no_difference(tmp_path: Path, capsys):
    assert compare(tmp_path, PAGE, PAGE.split("##")[0]) == 0
    assert "only before: Controls" in capsys.readouterr().out


def test_unrounded_numbers_agree_to_nine_digits(tmp_path: Path):
    assert compare(tmp_path, *(json.dumps({"rows": [{"x": x}]}) for x in (0.1 + 0.2, 0.3)), suffix="json") == 0
    assert compare(tmp_path, *(json.dumps({"rows": [{"x": x}]}) for x in (0.3001, 0.3)), suffix="json") == 1


def compare(folder: Path, old: str, new: str, suffix: str = "md") -> int:
    paths = [folder / f"{name}.{suffix}" for name in ("old", "new")]
    for path, text in zip(paths, (old, new), strict=True):
        path.write_text(text, encoding="utf-8")
    return same_numbers.main(["compare", *map(str, paths)])
