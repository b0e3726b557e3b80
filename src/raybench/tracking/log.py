"""Write a tree of entries into the tracking store: what is there already stays, what was begun is completed."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from raybench.tracking.entry import Entry

KEY, RUN, CONTENT, NOT_FINITE = "raybench.key", "raybench.run", "raybench.content", "raybench.not_finite"
RUNNING, FINISHED = "RUNNING", "FINISHED"
PAGE = 1000  # runs in one answer
MOST_VALUES, MOST_PARAMS = 800, 100  # in one request, by MLflow's limits
T = TypeVar("T")


class Log:
    """Writes the entries of one run of raybench.

    run : its key. counts : entries that were `new`, `completed` (begun before, or grown since) or `unchanged`.
    """

    def __init__(self, client: MlflowClient, experiment: str, run: str) -> None:
        self.client, self.run = client, run
        found = client.get_experiment_by_name(experiment)
        self.experiment_id = found.experiment_id if found else client.create_experiment(experiment)
        self.known = {tracked.data.tags[KEY]: tracked for tracked in self.tracked()}
        self.counts: Counter[str] = Counter(new=0, completed=0, unchanged=0)

    def write(self, entry: Entry, parent: str = "") -> None:
        """Write an entry and all below it; it is finished once its children are, so that an interruption shows."""
        known = self.known.get(entry.key)
        same = known is not None and known.data.tags.get(CONTENT) == entry.content and known.info.status == FINISHED
        self.counts["unchanged" if same else "completed" if known else "new"] += 1
        run_id = known.info.run_id if known else self._create(entry, parent)
        if not same:
            if known:
                self.client.update_run(run_id, status=RUNNING)
                self.client.set_tag(run_id, CONTENT, entry.content)
            self._fill(run_id, entry)
        for child in entry.children:
            self.write(child, run_id)
        if not same:
            self.client.set_terminated(run_id, FINISHED, end_time=entry.ended_ms)

    def tracked(self) -> Iterator[Run]:
        """Read what the store holds of this run."""
        token = None
        while True:
            page = self.client.search_runs(
                [self.experiment_id], f"tags.`{RUN}` = '{self.run}'", max_results=PAGE, page_token=token
            )
            yield from (tracked for tracked in page if KEY in tracked.data.tags)
            token = page.token
            if not token:
                return

    def _create(self, entry: Entry, parent: str) -> str:
        tags = {**entry.tags, KEY: entry.key, RUN: self.run, CONTENT: entry.content}
        tags |= {NOT_FINITE: ", ".join(entry.not_finite)} if entry.not_finite else {}
        tags |= {MLFLOW_PARENT_RUN_ID: parent} if parent else {}
        run = self.client.create_run(self.experiment_id, entry.began_ms, tags, run_name=entry.name)
        return str(run.info.run_id)

    def _fill(self, run_id: str, entry: Entry) -> None:
        metrics = [Metric(value.name, value.value, value.at_ms, value.step) for value in entry.finite]
        params = [Param(name, value) for name, value in entry.params.items()]
        batches = zip_longest(_pieces(metrics, MOST_VALUES), _pieces(params, MOST_PARAMS), fillvalue=())
        for some_metrics, some_params in batches:
            self.client.log_batch(run_id, some_metrics, some_params)
        if entry.files:
            with tempfile.TemporaryDirectory() as folder:
                for name, content in entry.files.items():
                    path = Path(folder, name)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content)
                self.client.log_artifacts(run_id, folder)


def _pieces(items: Sequence[T], most: int) -> list[Sequence[T]]:
    return [items[at : at + most] for at in range(0, len(items), most)]
