"""One schema of the configuration: files and overrides read alike; what is wrong is one line naming the culprit."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, seed
from hypothesis import settings as bounded
from hypothesis import strategies as st

from raybench import cli
from raybench.config import settings
from raybench.model.errors import BadSettings
from raybench.model.plan import Spec

OK = "_target_: toys.quirks:Quirk\nabout: toy\ntags: [compute]\nparams: {mode: ok, count: 8, rate: 0.5}\n"


def write(conf: Path, text: str = OK, *, name: str = "q_ok", group: str = "workload") -> Path:
    path = conf / group / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def load(conf: Path, *overrides: str) -> settings.Settings:
    return settings.load(["study=smoke", *overrides], conf=[conf])


def q_ok(conf: Path, *overrides: str) -> Spec:
    return load(conf, *overrides).study.workloads["q_ok"]


def refusal(conf: Path, *overrides: str) -> str:
    with pytest.raises(BadSettings) as caught:
        load(conf, *overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("1e-3", 0.001), ("1e3", 1000.0), ("1E5", 1e5), ("1.5e3", 1500.0), (".5", 0.5), ("-1", -1), ("1_000", 1000)),
        *(
            ("yes", "yes"),
            ("off", "off"),
            ("12:30", "12:30"),
            ("010", "010"),
            ("0x1F", "0x1F"),
            ("nan", "nan"),
            ("-inf", "-inf"),
        ),
        *(("true", True), ("False", False), ("null", None), ("[1, a]", [1, "a"]), ("{a: 1e-3}", {"a": 0.001})),
        *(("'2024-01-01'", "2024-01-01"), ("'1e3'", "1e3"), ("a b", "a b")),
    ],
)
def test_a_value_means_the_same_in_a_file_and_as_an_override(tmp_path: Path, text: str, value: object):
    write(tmp_path, OK.replace("rate: 0.5", f"rate: {text}"))
    from_file = q_ok(tmp_path).params["rate"]
    write(tmp_path)

    from_override = q_ok(tmp_path, f"workload.q_ok.rate={text}").params["rate"]

    assert [(type(one), one) for one in (from_file, from_override)] == 2 * [(type(value), value)]


@pytest.mark.parametrize(
    ("wrong", "line", "said"),
    [
        (OK + "params: {mode: other}\n", 5, "'params' appears twice"),
        (OK.replace("count: 8", "count: 8, count: 9"), 4, "'count' appears twice"),
        (OK.replace("[compute]", "compute"), 3, "tags: compute: expected a list"),
        (OK.replace("[compute]", "[comput]"), 3, "did you mean 'compute'?"),
        (OK.replace("0.5", "2024-01-01"), 4, "2024-01-01 is a date"),
        (OK.replace("0.5", ".nan"), 4, ".nan is no text and no finite number"),
        (OK.replace("0.5", "1e999"), 4, "1e999 is no text and no finite number"),
        (OK.replace("0.5", "!!python/object:os.system x"), 4, "is no text"),
        (OK.replace("0.5", "'${x}'"), 4, "'${x}' cannot be replaced"),
        (OK.replace(": toy\n", ": costs ${x}\n"), 2, "'costs ${x}' cannot be replaced"),
        (OK.replace(": toy\n", ": costs ${\n"), 2, "is no interpolation"),
        (OK.replace("0.5", "'???'"), 4, "workload.q_ok.params.rate=... must be given too"),
        (OK + "stepped: maybe\n", 5, "stepped: maybe: expected true or false"),
        (OK + "size: {tiny: {count: 1}}\n", 5, "did you mean 'sizes'?"),
        (OK + "sizes: {tiny: {cuont: 1}}\n", 5, "did you mean 'count'?"),
        (OK + "sizes: {tinny: {count: 1}}\n", 5, "did you mean 'tiny'?"),
        (OK + "requires:\n  gpus: -1\n", 6, "expected a whole number of at least 0"),
        (OK + "environment: [A B]\n", 5, "expected the name of an environment variable"),
        (OK + "role: peer\n", 5, "unknown key 'role'"),
        ("about: toy\n", 1, "'_target_' is missing"),
        ("- a\n", 1, "expected keys with values at the top"),
        ("", 1, "expected keys with values at the top"),
        ("a: &a [*a]\n", 1, "contains itself"),
        ("? [1]\n: 2\n", 1, "a key that is no text"),
        (OK + "\tx: 1\n", 5, "not YAML"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_its_line(tmp_path: Path, wrong: str, line: int, said: str):
    path = write(tmp_path, wrong)

    assert refusal(tmp_path).startswith(f"{path}:{line}: ")
    assert said in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a: \x00", b"[" * 5000])
def test_a_file_that_is_no_text_is_named(tmp_path: Path, content: bytes):
    path = write(tmp_path)
    path.write_bytes(content)

    assert refusal(tmp_path).startswith(f"{path}")


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("size=nosuch", "choose from full, quick, source, tiny"),
        ("size=[tiny]", "expected a text"),
        ("oversubscribe=maybe", "expected true or false"),
        ("study.controls=abc", "expected true or false"),
        ("study.grid.0.cpu=[1]", "did you mean 'cpus'?"),
        ("study.grid.0.cpus_per_task=[0]", "expected a whole number of at least 1"),
        ("study.grid.9.cpus=[1]", "a list of 2 has no '9'"),
        ("study.grid=abc", "expected a list of at least one row"),
        ("cpus=[]", "expected a list of at least one number of cores"),
        ("cpus=[some]", "expected a positive number, `all` or `powers`"),
        ("gpus=[-1]", "expected a number of GPUs"),
        ("gpus=[abc]", "expected a number of GPUs"),
        ("budget_min=nan", "expected a number above 0"),
        ("budget_min=1e400", "inf is no finite number"),
        ("workload.q_ok.rate=.inf", ".inf is a date or no finite number"),
        ("limits.memory_gib=inf", "expected a number above 0"),
        ("limits=1", "expected keys with values"),
        ("~limits", "'limits' is missing"),
        ("workloads=[null]", "expected a name"),
        ("workload.noop=1", "expected workload.noop.parameter=value"),
        ("workload=noop", "expected workloads=[names]"),
        ("reports=null", "expected a text"),
        ("seed=true", "expected a whole number"),
        ("workload.q_ok.tags=compute", "expected a list"),
        ("workload.q_ok.rate=2024-01-01", "2024-01-01 is a date"),
        ("workload.q_ok.about='${x}'", "cannot be replaced"),
        ("blocks=1,2", "one value for a key"),
        ("study@x=quick", "expected an override"),
        ("cluster=null", "choose from driver_node, existing, local"),
    ],
)
def test_an_override_that_is_wrong_is_named(tmp_path: Path, override: str, said: str):
    write(tmp_path)

    assert refusal(tmp_path, override).startswith(f"{override}: ")
    assert said in refusal(tmp_path, override)


@pytest.mark.parametrize("folder", ["Meßdaten (2)", "a,b", "with space", "$x {y}", "[z]", "50%20@+:"])
def test_a_conf_folder_may_have_any_name(tmp_path: Path, folder: str):
    conf = tmp_path / folder / "conf"
    write(conf)
    write(conf, "defaults: [smoke, _self_]\nblocks: 2\n", name="mine", group="study")

    found = settings.load(["study=mine", "workloads=[q_ok]"], conf=[conf]).study

    assert (found.name, found.blocks, found.grid[0].workloads) == ("mine", 2, ("q_ok",))


@pytest.mark.parametrize("name", ["my-workload", "dot.ted", "dot.ted.more-1"])
def test_names_with_dashes_and_dots_can_be_overridden(tmp_path: Path, name: str):
    write(tmp_path, name=name)

    found = load(tmp_path, f"workload.{name}.count=4", f"workloads=[{name}]").study

    assert found.workloads[name].params["count"] == 4


@pytest.mark.parametrize("name", ["1st", "null", "all", "größe", "a b"])
def test_a_name_that_no_override_can_say_is_refused_when_the_file_is_read(tmp_path: Path, name: str):
    path = write(tmp_path, name=name)

    assert refusal(tmp_path).startswith(f"{path}: ")


def test_names_of_environment_variables_reach_every_job(tmp_path: Path):
    write(tmp_path, OK + "environment: [TOKEN]\n")

    study = load(tmp_path, "study.environment=[PROXY]").study

    assert (study.environment, study.workloads["q_ok"].environment) == (("PROXY",), ("TOKEN",))


def test_sizes_give_parameters_that_are_nowhere_else(tmp_path: Path):
    sizes = "".join(f"  {size}: {{count: {n}}}\n" for n, size in enumerate(("tiny", "quick", "full", "source"), 1))
    write(tmp_path, OK.replace("count: 8, ", "") + "sizes:\n" + sizes)

    assert q_ok(tmp_path).params == {"mode": "ok", "rate": 0.5, "count": 1}
    assert q_ok(tmp_path, "size=full").params["count"] == 3
    assert q_ok(tmp_path, "size=full", "workload.q_ok.count=9").params["count"] == 9


DAMAGE = [b"", b"\n", b": ", b"[", b"&a ", b"*a", b"\xff", b"'", b"!!x "]
KEYS = ["size", "cpus", "gpus", "blocks", "budget_min", "limits", "limits.memory_gib", "study", "study.grid", "cluster"]
KEYS += ["workloads", "backends", "workload.noop", "workload.noop.n", "workload.noop.tags", "backend.ray_tasks.flags"]
KEYS += ["study.grid.0.cpus", "reports", "retry", "seed", "ray_flags", "workload.noop.sizes", "x", "study.environment"]
VALUES = ["", "1", "-1", "0", "nan", "inf", "1e400", "null", "true", "abc", "[]", "[1]", "[null]", "{}", "{a: [1]}"]
VALUES += ["'x'", "${x}", "${", "2024-01-01", "1,2", "range(1,3)", "[[1]]", "9" * 30, "tiny", "quick", "all", "\u202e"]
WORDS = st.one_of(
    st.builds("{}{}={}".format, st.sampled_from(["", "+", "++", "~"]), st.sampled_from(KEYS), st.sampled_from(VALUES)),
    st.builds("{}={}".format, st.sampled_from(KEYS), st.text(max_size=12)),
    st.text(max_size=20),
)


def outcome(words: list[str], conf: Sequence[Path] = ()) -> str:
    """Return the refusal, or `read`; whatever else is raised is a fault of the harness."""
    try:
        settings.load(words, conf=conf)
    except BadSettings as error:
        return str(error)
    return "read"


@seed(20260131)
@bounded(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(words=st.lists(WORDS, min_size=1, max_size=3))
def test_no_command_line_ends_with_a_traceback(words: list[str]):
    """Whatever stands behind the verb is a study, or one line and exit code 2."""
    said = outcome(words)

    assert said.isprintable()


@pytest.mark.parametrize("number", range(40))
def test_no_damaged_file_ends_with_a_traceback(tmp_path: Path, number: int):
    """Bytes of a good file are dropped, doubled or replaced."""
    draw, data = random.Random(number), bytearray(OK.encode())
    for _ in range(draw.randint(1, 6)):
        at = draw.randrange(len(data))
        data[at : at + draw.randint(0, 3)] = draw.choice(
            [b"", b"\n", b": ", b"[", b"&a ", b"*a", b"\xff", b"'", b"!!x "]
        )
    write(tmp_path).write_bytes(bytes(data))

    assert outcome([], [tmp_path]).startswith((f"{tmp_path}/workload/q_ok.yaml:", "read"))


@pytest.mark.parametrize(("word", "code"), [("size=nosuch", 2), ("~limits", 2), ("blocks=1", 0)])
def test_the_command_line_ends_with_2_for_a_wrong_override(word: str, code: int, capsys: pytest.CaptureFixture[str]):
    words = ["plan", "study=smoke", "workloads=[noop]", "backends=[sequential]", word]

    assert cli.main(words) == code

    assert len(capsys.readouterr().err.splitlines()) == (1 if code else 0)
