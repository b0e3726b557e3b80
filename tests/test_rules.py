"""METHODOLOGY's tables of rules say what the tests' markers say, and no rule is without a test or a reason."""

import rules

WRITE = "write the tables with `PYTHONPATH=tests python tests/rules.py`"


def test_every_rule_has_a_test_or_says_why_it_has_none() -> None:
    told, tests = rules.read_rules(), rules.find_tests()
    assert list(told) == [*(f"HB{number}" for number in range(1, 13)), *range(1, 51)]
    assert [rule for rule, of in told.items() if rule not in tests and not of.get("why")] == []
    assert all(("kept" in of) == ("why" in of) for of in told.values())


def test_a_marker_names_a_rule_that_exists() -> None:
    assert set(rules.find_tests()) <= set(rules.read_rules())


def test_the_methodology_has_the_tables_that_the_markers_give() -> None:
    assert rules.DOCUMENT.read_text(encoding="utf-8") == rules.document(), (
        "write them with `PYTHONPATH=tests python tests/rules.py`"
    )
