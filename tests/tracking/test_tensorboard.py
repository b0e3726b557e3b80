"""Ray Tune's own logs of a real small run: kept on request, read as TensorBoard reads them, shown by it on loopback."""

import re
from pathlib import Path

import pytest

from raybench.model.measurement import Measurement
from raybench.store import store
from tracking.started import LOOPBACK, raybench, viewed

pytestmark = [pytest.mark.mlflow, pytest.mark.ray, pytest.mark.timeout(600)]

BACKEND, LOSS, STEPS = "ray_tune_asha_documented", "ray/tune/loss", "ray/tune/steps"
WORDS = ("study=smoke", "workloads=[rf_hpo]", f"backends=[sequential,{BACKEND}]", "cpus=[2]")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Measure the documented variant once, keeping its logs."""
    return measure(tmp_path_factory.mktemp("kept"), "--keep-logs")


def measure(folder: Path, *options: str) -> Path:
    process = raybench("run", "--no-report", *options, *WORDS, "limits.background_share=1", folder=folder)
    said, _ = process.communicate(timeout=400)
    assert process.returncode == 0, said
    (found,) = store.runs(folder / "reports")
    return found


def measured(run: Path) -> Measurement:
    plan, loaded = store.read_run(run)
    documented = {cell.key for cell in plan.cells if cell.backend.name == BACKEND}
    return next(m for m in loaded.measurements if m.cell in documented)


def losses(fit: Path) -> dict[int, list[tuple[int, float]]]:
    """Read (steps, loss) of each trial of a fit, by its place in the task list, as TensorBoard does."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: PLC0415 - an extra

    found = {}
    for file in fit.rglob("events.out.tfevents.*"):
        trial = EventAccumulator(str(file.parent))
        trial.Reload()
        index = re.search(r"index=(\d+)", file.parent.name)
        assert index is not None
        steps, loss = ([event.value for event in trial.Scalars(tag)] for tag in (STEPS, LOSS))
        found[int(index[1])] = list(zip(map(int, steps), loss, strict=True))
    return found


def test_the_logs_hold_every_report_of_every_trial(run: Path) -> None:
    expected = {t.index: [(steps, loss) for steps, loss, _ in t.points] for t in measured(run).tasks}

    found = losses(run / "logs" / "rf_hpo" / f"{BACKEND}-P2" / "block-0-1-1" / "fit-0")

    assert found.keys() == expected.keys()
    for index, points in expected.items():
        assert [steps for steps, _ in found[index]] == [steps for steps, _ in points]
        assert [loss for _, loss in found[index]] == pytest.approx([loss for _, loss in points], rel=1e-6)


@pytest.mark.slow
def test_without_being_asked_a_run_keeps_no_logs(tmp_path: Path) -> None:
    assert not (measure(tmp_path) / "logs").exists()


def test_tensorboard_shows_them_on_loopback_only_and_ends_with_ctrl_c(run: Path) -> None:
    trials = len(measured(run).tasks)
    with viewed("tensorboard", run, folder=run) as started:
        tags = started.get("/data/plugin/scalars/tags")
        while len(tags) < trials:
            tags = started.get("/data/plugin/scalars/tags")
        assert started.listens_on() <= LOOPBACK
        assert started.end() == 0

    assert all(LOSS in of for of in tags.values())
    assert all(name.startswith(f"rf_hpo/{BACKEND}-P2/block-0-1-1/fit-") for name in tags)
