"""The XGBoost search: the same models in rungs or at once, paused or not, with one thread or two; lies are seen."""

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raybench.backends.base import execute
from raybench.model.errors import BackendFailed, BadSettings, WrongAnswer
from raybench.model.measurement import Task, TaskResult
from raybench.workloads import tuning, xgb_hpo
from raybench.workloads.base import drawn
from raybench.workloads.xgb_hpo import XgbHpo

SEED = 7
SPACE = {"n_estimators": [10, 60], "max_depth": [2, 4], "learning_rate": [0.05, 0.1], "subsample": [0.5, 0.9]}
WORKLOAD = XgbHpo(configurations=4, space=SPACE, rungs=[5, 15, 45], source="friedman", rows=400, test_rows=50)
TASKS = WORKLOAD.tasks(SEED)


@pytest.fixture(scope="module")
def ran() -> list[TaskResult]:
    context = WORKLOAD.prepare(WORKLOAD.data(SEED))
    return [execute(WORKLOAD, task, context) for task in TASKS]


@pytest.mark.rule(25)
def test_configurations_depend_on_seed_and_index_only() -> None:
    longer = replace(WORKLOAD, configurations=9)
    assert longer.tasks(SEED)[:4] == TASKS
    assert WORKLOAD.tasks(SEED + 1) != TASKS


def test_every_configuration_lies_in_the_space_and_its_steps_are_its_rounds() -> None:
    for task in replace(WORKLOAD, configurations=200).tasks(SEED):
        assert task.steps == task.params["n_estimators"]
        for name, (low, high) in SPACE.items():
            assert low <= task.params[name] <= high


def test_learning_rates_are_log_uniform() -> None:
    space = {**SPACE, "learning_rate": [0.001, 0.1]}
    drawn = [t.params["learning_rate"] for t in replace(WORKLOAD, configurations=400, space=space).tasks(SEED)]
    assert 0.4 < np.mean(np.array(drawn) < 0.01) < 0.6, "the middle of 0.001 and 0.1 is 0.01"


@pytest.mark.rule(39)
def test_a_worker_gets_no_test_labels_and_every_row_once() -> None:
    split = WORKLOAD.split(SEED)
    rows = split.rows
    assert [len(x) for x in (rows.x_train, rows.x_validation, rows.x_test)] == [280, 70, 50]
    assert len({x.tobytes() for part in (rows.x_train, rows.x_validation, rows.x_test) for x in part}) == 400
    sent = np.concatenate([rows.y_train, rows.y_validation])
    assert not np.isin(split.y_test, sent).any()


def test_a_split_is_64_16_20_and_depends_on_the_seed() -> None:
    x, y = np.arange(1000.0).reshape(-1, 1), np.arange(1000.0)
    split = tuning.divide(x, y, 1)
    assert [len(part) for part in (split.rows.y_train, split.rows.y_validation, split.y_test)] == [640, 160, 200]
    assert np.array_equal(split.rows.x_test[:, 0], split.y_test)
    assert np.array_equal(split.y_test, tuning.divide(x, y, 1).y_test)
    assert not np.array_equal(split.y_test, tuning.divide(x, y, 2).y_test)


def test_tasks_report_at_the_common_rungs_and_at_their_end(ran: list[TaskResult]) -> None:
    for task, result in zip(TASKS, ran, strict=True):
        assert [p.steps for p in result.points] == [r for r in (5, 15, 45) if r < task.steps] + [task.steps]
        assert result.answer["validation"].shape == (70,)
        assert result.answer["test"].shape == (50,)


def test_training_in_rungs_equals_training_at_once(ran: list[TaskResult]) -> None:
    rows = WORKLOAD.data(SEED)
    for task, result in zip(TASKS, ran, strict=True):
        again = WORKLOAD.train_at_once(task, rows)
        assert np.array_equal(result.answer["validation"], again["validation"])
        assert np.array_equal(result.answer["test"], again["test"])


def test_a_trial_paused_between_others_gives_the_same_model(ran: list[TaskResult]) -> None:
    context = WORKLOAD.prepare(WORKLOAD.data(SEED))
    last: dict[int, Any] = {}
    waiting = {task.index: WORKLOAD.run(task, context) for task in TASKS}
    while waiting:
        for index, progress in list(waiting.items()):
            step = next(progress, None)
            if step is None:
                del waiting[index]
            else:
                last[index] = step
    for result in ran:
        assert np.array_equal(last[result.index].answer["test"], result.answer["test"])


def test_two_threads_give_the_same_model_as_one(ran: list[TaskResult], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    context = WORKLOAD.prepare(WORKLOAD.data(SEED))
    assert WORKLOAD._options(TASKS[0])["nthread"] == 2
    assert np.array_equal(execute(WORKLOAD, TASKS[0], context).answer["test"], ran[0].answer["test"])


def test_right_answers_pass(ran: list[TaskResult]) -> None:
    WORKLOAD.check(TASKS, ran, SEED)


def cheapest() -> int:
    return min(TASKS, key=lambda t: t.steps * 2 ** t.params["max_depth"]).index


def shifted(part: str) -> Callable[[TaskResult], TaskResult]:
    return lambda r: replace(r, answer={**r.answer, part: r.answer[part] + np.float32(0.5)})


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        (shifted("validation"), "its predictions give"),
        (shifted("test"), "test predictions differ"),
        (lambda r: replace(r, loss=r.loss * 0.999), "its predictions give"),
        (lambda r: replace(r, loss=float("nan")), "no finite number"),
        (lambda r: replace(r, loss=None), "no finite number"),
        (lambda r: replace(r, answer=None), "expected 70 finite validation predictions"),
        (lambda r: replace(r, answer={**r.answer, "test": r.answer["test"][:-1]}), "expected 50 finite test"),
        (lambda r: replace(r, steps=r.steps - 1), "expected a rung"),
    ],
)
def test_a_wrong_answer_names_its_task(
    ran: list[TaskResult], lie: Callable[[TaskResult], TaskResult], words: str
) -> None:
    index = drawn(SEED, len(TASKS))
    results = [lie(r) if r.index == index else r for r in ran]
    with pytest.raises(WrongAnswer, match=rf"task {index}: .*{words}"):
        WORKLOAD.check(TASKS, results, SEED)


def test_a_search_that_trains_only_its_cheapest_task_is_found_out_within_a_few_blocks(
    ran: list[TaskResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    y = WORKLOAD.split(SEED).rows.y_validation
    lied = [shifted("test")(shifted("validation")(r)) if r.index != cheapest() else r for r in ran]
    lied = [replace(r, loss=tuning.rmse(y, r.answer["validation"])) for r in lied]
    refused = 0
    for block in range(4):
        monkeypatch.setenv("RAYBENCH_BLOCK", str(block))
        try:
            WORKLOAD.check(TASKS, lied, SEED)
        except WrongAnswer:
            refused += 1
    assert refused >= 2


def stopped(result: TaskResult, rung: int) -> TaskResult:
    loss = next(p.loss for p in result.points if p.steps == rung)
    return replace(result, steps=rung, loss=loss, answer=None)


def test_a_task_stopped_at_a_rung_is_right(ran: list[TaskResult]) -> None:
    WORKLOAD.check(TASKS, [stopped(ran[0], 5), *ran[1:]], SEED)


def test_a_stopped_task_with_a_wrong_loss_is_seen(ran: list[TaskResult]) -> None:
    with pytest.raises(WrongAnswer, match=r"task 0: loss .* after 5 steps"):
        WORKLOAD.check(TASKS, [replace(stopped(ran[0], 5), loss=1.0), *ran[1:]], SEED)


def test_the_smallest_validation_loss_is_chosen_and_scored_on_test_rows(ran: list[TaskResult]) -> None:
    best = min(ran, key=lambda r: r.loss)
    y = WORKLOAD.split(SEED).y_test
    errors = y - best.answer["test"].astype(float)
    scores = WORKLOAD.score(TASKS, ran, SEED)
    assert scores["chosen"] == best.index
    assert scores["rmse"] == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-12)
    assert scores["r2"] == pytest.approx(1 - np.sum(errors**2) / np.sum((y - y.mean()) ** 2), rel=1e-12)
    assert scores["rmse_validation"] == pytest.approx(best.loss, rel=1e-12)
    assert np.mean(WORKLOAD.row_errors(best.answer, SEED)) == pytest.approx(scores["rmse"] ** 2, rel=1e-12)


def test_a_stopped_task_is_never_chosen_whatever_its_loss(ran: list[TaskResult]) -> None:
    best = min(ran, key=lambda r: r.loss)
    results = [replace(stopped(r, 5), loss=0.0) if r.index == best.index else r for r in ran]
    assert WORKLOAD.score(TASKS, results, SEED)["chosen"] != best.index


def test_where_all_were_stopped_the_best_at_the_deepest_rung_is_trained_in_full(ran: list[TaskResult]) -> None:
    results = [stopped(r, 5) for r in ran]
    best = min(results, key=lambda r: r.loss).index
    scores = WORKLOAD.score(TASKS, results, SEED)
    assert scores["chosen"] == best
    assert scores["rmse_validation"] == pytest.approx(ran[best].loss, rel=1e-6)


def test_the_documented_models_are_those_of_the_source_system() -> None:
    insured = XgbHpo(configurations=1, space=SPACE, rungs=[5])
    baseline, named = insured.baseline(SEED), insured.reference_models(SEED)
    assert baseline.params.items() >= {"n_estimators": 300, "learning_rate": 0.05, "max_depth": 5}.items()
    published = {"learning_rate": 0.01, "max_depth": 3, "n_estimators": 100, "subsample": 0.8}
    assert named["documented"].params.items() >= published.items()
    assert named["documented"].steps == 100
    assert list(WORKLOAD.reference_models(SEED)) == ["default"], "the published configuration is of the insurance data"


def test_words_of_the_insurance_table_are_coded_in_alphabetical_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "insurance.csv").write_text(
        "age,sex,bmi,children,smoker,region,charges\n"
        "19,female,27.9,0,yes,southwest,16884.924\n18,male,33.77,1,no,southeast,1725.5523\n"
        "28,male,33,3,no,northwest,4449.462\n33,male,22.7,0,no,northeast,21984.5\n"
    )
    monkeypatch.setenv("RAYBENCH_DATA", str(tmp_path))
    monkeypatch.setenv("RAYBENCH_DATA_UNCHECKED", "1")
    x, y = xgb_hpo.insurance()
    assert x[:2].tolist() == [[19, 27.9, 0, 0, 1, 3], [18, 33.77, 1, 1, 0, 2]]
    assert x[:, 5].tolist() == [3, 2, 1, 0]
    assert y.tolist() == [16884.924, 1725.5523, 4449.462, 21984.5]


def test_the_insurance_search_runs_and_its_answers_are_right() -> None:
    insured = XgbHpo(configurations=2, space=SPACE, rungs=[5, 15, 45])
    context = insured.prepare(insured.data(SEED))
    tasks = insured.tasks(SEED)
    results = [execute(insured, task, context) for task in tasks]
    insured.check(tasks, results, SEED)
    assert insured.score(tasks, results, SEED)["r2"] > 0


@pytest.mark.real_data
def test_the_published_insurance_table_has_1338_rows() -> None:
    x, y = xgb_hpo.insurance()
    assert x.shape == (1338, 6)
    assert y.mean() == pytest.approx(13_270.42, abs=0.01)


def test_an_unknown_source_names_the_known_ones() -> None:
    with pytest.raises(BadSettings, match="choose insurance, made or friedman"):
        replace(WORKLOAD, source="diabetes")


def test_the_workload_and_its_data_pickle() -> None:
    assert pickle.loads(pickle.dumps(WORKLOAD)) == WORKLOAD
    rows = WORKLOAD.data(SEED)
    assert np.array_equal(pickle.loads(pickle.dumps(rows)).x_train, rows.x_train)


def test_the_warm_up_is_a_tiny_task() -> None:
    [tiny] = WORKLOAD.warm_up(SEED)
    assert tiny.steps == 2
    assert isinstance(tiny, Task)


# --- on a GPU -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("visible", "device"), [("", "cpu"), ("0", "cuda"), ("GPU-aa11", "cuda"), (None, "cuda")])
def test_a_search_computes_on_what_its_cell_grants(
    visible: str | None, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert replace(WORKLOAD, device="granted")._options(TASKS[0])["device"] == device
    assert WORKLOAD._options(TASKS[0])["device"] == "cpu", "a search that was not told to"


@pytest.mark.filterwarnings("ignore:.*GPU.*:UserWarning", "ignore:.*CUDA.*:UserWarning")
@pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="there is a GPU here")
def test_a_fit_that_falls_back_to_the_cpu_is_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """XGBoost itself only warns: the cell would show the CPU's time as the GPU's."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    workload = replace(WORKLOAD, device="granted")
    with pytest.raises(BackendFailed, match="was to fit on cuda and fits on cpu"):
        execute(workload, TASKS[0], workload.prepare(workload.data(SEED)))


@pytest.mark.gpu
def test_a_search_on_the_gpu_passes_its_own_check() -> None:
    workload = replace(WORKLOAD, device="granted")
    context = workload.prepare(workload.data(SEED))
    workload.check(TASKS, [execute(workload, task, context) for task in TASKS], SEED)


def test_another_device_is_refused_by_name() -> None:
    with pytest.raises(BadSettings, match="device 'tpu' does not exist; choose cpu or granted"):
        replace(WORKLOAD, device="tpu")
