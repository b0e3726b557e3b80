"""The grammar of the command line: what a verb would ignore is refused, and every help shows examples that parse."""

import shlex

import pytest

from raybench.arguments import VERBS, parse

WORDLESS = [name for name, verb in VERBS.items() if not verb.words]
WITHOUT_CONF = ["try", "calibrate", "export", "trace", "view", "doctor", "track", "promote"]


@pytest.mark.parametrize("verb", WORDLESS)
def test_a_verb_that_plans_nothing_refuses_words(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        parse([verb, "reports/raw/nosuch"])
    assert refused.value.code == 2
    assert f"{verb} takes no words, got reports/raw/nosuch" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["plan", "study=quick"], ["trace", "0a1b"], ["run", "--no-report", "study=quick"]])
def test_overrides_and_keys_are_kept_between_options(words: list[str]) -> None:
    assert parse(words).overrides == [word for word in words[1:] if not word.startswith("-")]


@pytest.mark.parametrize("verb", VERBS)
def test_help_shows_two_examples_which_parse(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as shown:
        parse([verb, "--help"])
    assert shown.value.code == 0

    examples = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  raybench ")]
    assert len(examples) == 2
    for example in examples:
        assert parse(shlex.split(example)[1:]).verb == verb


@pytest.mark.parametrize("verb", VERBS)
def test_conf_is_honoured_or_refused(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    if verb not in WITHOUT_CONF:
        assert [str(path) for path in parse([verb, "--conf", "mine"]).conf] == ["mine"]
        return
    with pytest.raises(SystemExit) as refused:
        parse([verb, "--conf", "mine"])
    assert refused.value.code == 2
    assert "unknown option --conf" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["nosuch"], ["plan", "--nosuch"], ["export", "--format", "x\x1b[31m\u202ey\n\n"], []]
)
def test_a_wrong_command_line_is_one_harmless_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        parse(words)
    assert refused.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert not {"\x1b", "\u202e"} & set(line)
