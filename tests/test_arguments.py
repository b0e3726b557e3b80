"""Words that a verb would ignore are refused."""

import pytest

from raybench.arguments import WORDLESS, parse


@pytest.mark.parametrize("verb", WORDLESS)
def test_a_verb_that_plans_nothing_refuses_words(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        parse([verb, "reports/raw/nosuch"])
    assert refused.value.code == 2
    assert f"{verb} takes no words, got reports/raw/nosuch" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["plan", "study=quick"], ["trace", "0a1b"], ["run", "--no-report", "study=quick"]])
def test_overrides_and_keys_are_kept_between_options(words: list[str]) -> None:
    assert parse(words).overrides == [word for word in words[1:] if not word.startswith("-")]
