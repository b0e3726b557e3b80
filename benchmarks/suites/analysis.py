"""What the analysis costs on ten thousand measurements: no ray, no workload, made data."""

from pathlib import Path

from raybench.analysis import compare, speedup
from raybench.analysis.dataset import Dataset
from raybench.report import build, read_run
from raybench.store import store
from suites import made_run

MEASUREMENTS = 10_000


class Analysis:
    """Once per process: ASV neither repeats nor kills what takes seconds."""

    number = repeat = rounds = 1
    warmup_time = 0
    timeout = 300

    def setup_cache(self) -> str:
        made_run.write(Path.cwd() / "reports", MEASUREMENTS)
        return str(Path.cwd() / "reports")

    def setup(self, reports: str) -> None:
        folder = store.current(Path(reports))
        assert folder is not None
        self.folder = folder
        self.plan = store.read_plan(folder)
        self.lines = store.Store(folder / store.MEASUREMENTS).load().measurements

    def time_planning(self, reports: str) -> None:
        made_run.made_plan(MEASUREMENTS)

    def time_load(self, reports: str) -> None:
        store.Store(self.folder / store.MEASUREMENTS).load()

    def time_rows(self, reports: str) -> None:
        speedup.rows(Dataset(self.plan, self.lines))

    def time_report(self, reports: str) -> None:
        """Time the whole report. What is aimed at are 20 s; the history shows how far it is."""
        build.rebuild(Path(reports), self.folder, Path(reports).parent)

    def time_compare(self, reports: str) -> None:
        """Time `raybench compare` of the run with itself. What is aimed at are 3 s for two full studies."""
        a, b = read_run.read_both(self.folder, self.folder)
        compare.compare(a.readings, b.readings, same=0.05, claims=(a.claims, b.claims))

    def peakmem_rows(self, reports: str) -> None:
        speedup.rows(Dataset(self.plan, self.lines))
