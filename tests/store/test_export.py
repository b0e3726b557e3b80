"""The export, its documented columns, the JSON schema and the raw lines say the same."""

import dataclasses
import json

import jsonschema
import msgspec
import pandas as pd
import pytest

from raybench.model.errors import BadSettings
from raybench.model.measurement import Measurement, Quality, SweepTiming, TaskStamp
from raybench.model.plan import Status
from raybench.store import export, store
from report import made_run

QUALITY = Quality(
    workload="w", variant="tuned", pair=0, metric="rmse", baseline="default", baseline_test=2.0, tuned_validation=1.0,
    tuned_test=1.5, baseline_errors=(4.0,), tuned_errors=(2.25,), chosen={"depth": 3},
)  # fmt: skip


@pytest.fixture(scope="module")
def lines() -> list[Measurement]:
    return [made_run.measurement(job, index) for index, job in enumerate(made_run.plan().jobs)]


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(export.schema())
    return jsonschema.Draft202012Validator(export.schema())


def test_every_raw_line_that_the_store_writes_fits_the_schema(tmp_path, lines, validator):
    writer = store.Store(tmp_path / "m.jsonl")
    for line in [*lines, QUALITY]:
        writer.append(line)
    written = [json.loads(text) for text in (tmp_path / "m.jsonl").read_text().splitlines()]
    assert len(written) == len(lines) + 1
    for record in written:
        validator.validate(record)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 3},
        {"kind": "verdict"},
        {"status": "okay"},
        {"block": "0"},
        {"colour": "red"},
        {"tasks": [[0, 0.1, 0.2]]},
        {"tasks": [[0, 0.1, 0.2, 7, 0, None, [[1, 0.5]]]]},
        {"tasks": [[0, 0.1, 0.2, 7, 0, None, [], "", 1, "too much"]]},
        {"sweep": [{"work": 1}]},
        {"phases": {"makespan": "1"}},
    ],
)
def test_a_line_that_is_none_breaks_the_schema(tmp_path, lines, validator, change):
    store.Store(tmp_path / "m.jsonl").append(lines[0])
    record = json.loads((tmp_path / "m.jsonl").read_text())
    validator.validate(record)
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(record | change)


def test_the_schema_knows_every_field_of_the_model():
    parts = export.schema()["$defs"]
    for kind in (Measurement, Quality):
        assert set(parts[kind.__name__]["properties"]) == {f.name for f in dataclasses.fields(kind)} | {
            "kind",
            "schema",
        }
    assert len(parts["TaskStamp"]["prefixItems"]) == len(msgspec.structs.fields(TaskStamp))
    assert set(parts["SweepTiming"]["properties"]) == {f.name for f in dataclasses.fields(SweepTiming)}


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_file_holds_every_line_with_documented_columns(tmp_path, lines, suffix):
    path = export.write(made_run.plan(), lines, tmp_path / "out" / f"runs{suffix}")
    read = pd.read_parquet(path) if suffix == ".parquet" else pd.read_csv(path, keep_default_na=False)
    documented = json.loads((path.parent / "columns.json").read_text())
    assert list(read.columns) == [column["name"] for column in documented]
    assert all(column["about"] for column in documented)
    assert list(read["makespan_s"].astype(float)) == [m.phases.makespan for m in lines]
    assert list(read["reason"]) == [m.reason for m in lines]
    assert json.loads((path.parent / "schema.json").read_text()) == json.loads(json.dumps(export.schema()))


def test_every_number_of_a_line_is_in_its_row(lines):
    table = export.frame(made_run.plan(), lines)
    index = next(i for i, job in enumerate(made_run.plan().jobs) if job.cell.backend.name == "ray_tune_asha")
    row, m = table.iloc[index], lines[index]
    assert (row["workload"], row["backend"], row["cpus"], row["status"]) == ("friedman", "ray_tune_asha", 2, "ok")
    # 0.05 interpreter + 0.5 imports + 6.5 start-up + 0.3 warm-up + 0.2 shutdown, data and check left out
    assert row["cold_s"] == pytest.approx(m.phases.makespan + 7.55)
    assert row["busy_s"] == pytest.approx(2 * 0.9 * m.phases.makespan, rel=1e-5)  # two workers, 90 % busy
    assert (row["steps_done"], row["steps_asked"], row["tasks"]) == (560, 800, 8)
    assert json.loads(row["scores"]) == m.scores
    assert row["peak_rss_bytes"] == 380 * 2**20


def test_what_was_not_measured_is_missing_not_zero(lines):
    table = export.frame(made_run.plan(), lines)
    failed = table[table["status"] == Status.FAILED].iloc[0]
    assert pd.isna(failed["peak_rss_bytes"])
    assert pd.isna(failed["cpu_s"])


def test_no_lines_give_a_table_with_all_columns():
    table = export.frame(made_run.plan(), [])
    assert len(table) == 0
    assert list(table.columns) == [column.name for column in export.COLUMNS]


def test_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(BadSettings, match=r"'\.xlsx'; choose from parquet, csv"):
        export.write(made_run.plan(), [], tmp_path / "x.xlsx")
