"""Read a large CSV in chunks with pandas: derive a column, filter, return aggregates.

The file is made once from whole-number formulas, so that what every chunk holds is known without reading it.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from raybench.model.errors import BadSettings, WrongAnswer
from raybench.model.measurement import Progress, Task, TaskResult
from raybench.workloads.answers import demand_equal
from raybench.workloads.base import Workload
from raybench.workloads.files import generate_file
from raybench.workloads.ranges import range_tasks

COLUMNS = ("row", "region", "quantity", "price_cents", "weight")
REGIONS = ("north", "east", "south", "west")
KEEP_ABOVE_CENTS = 250_000
WRITE_ROWS = 100_000
SCAN_BYTES = 1 << 24


@dataclass(frozen=True, kw_only=True)
class CsvChunks(Workload):
    """Process `rows` rows, `chunk` per task.

    reading : `bytes`: each task reads its own range of bytes, found once by an index of line ends;
        `skiprows`: as documented, `read_csv(skiprows=, nrows=)`: each task scans the file from its beginning
        and takes a row of data for the header, so the names have to be put back by position.
    """

    rows: int
    chunk: int
    reading: str = "bytes"

    def __post_init__(self) -> None:
        if self.reading not in ("bytes", "skiprows"):
            raise BadSettings(f"csv_chunks: reading {self.reading!r} does not exist; choose bytes or skiprows")

    def tasks(self, seed: int) -> list[Task]:
        return range_tasks(self.rows, self.chunk)

    def data(self, seed: int) -> dict[str, Any]:
        """Return the file's path and, by chunk, the byte at which it begins. (chunks + 1,) int64."""
        path = generate_file(f"table-rows-{self.rows}.csv", self._write)
        with generate_file(f"table-rows-{self.rows}-every-{self.chunk}.npy", self._index).open("rb") as handle:
            return {"path": str(path), "begins": np.load(handle, allow_pickle=False)}

    def run(self, task: Task, context: Mapping[str, Any]) -> Iterator[Progress]:
        start, stop = task.params["start"], task.params["stop"]
        if self.reading == "bytes":
            begin, end = (int(context["begins"][i]) for i in (start // self.chunk, -(-stop // self.chunk)))
            with open(context["path"], "rb") as handle:
                handle.seek(begin)
                raw = io.BytesIO(handle.read(end - begin))
            frame = pd.read_csv(raw, header=None, names=list(COLUMNS), nrows=stop - start)
        else:
            frame = pd.read_csv(context["path"], skiprows=start, nrows=stop - start)
            frame.columns = pd.Index(COLUMNS)
        frame["total_cents"] = frame["quantity"] * frame["price_cents"]
        kept = frame[(frame["total_cents"] > KEEP_ABOVE_CENTS) & (frame["region"] != "west")]
        yield Progress(answer=_aggregates(frame, kept))

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        """Compare every chunk with the formulas; whole numbers and eighths, so all sums are exact."""
        demand_equal("csv_chunks", results, [_expectation(t.params["start"], t.params["stop"]) for t in tasks])
        rows = sum(r.answer["rows"] for r in results)
        if rows != self.rows:
            raise WrongAnswer(f"csv_chunks: {rows} rows were read, the file has {self.rows}")

    def warm_up(self, seed: int) -> list[Task]:
        return [Task(index=0, params={"start": 0, "stop": min(10, self.chunk, self.rows)})]

    def facts(self, tasks: Sequence[Task], results: Sequence[TaskResult]) -> dict[str, Any]:
        path = generate_file(f"table-rows-{self.rows}.csv", self._write)
        return {"file_bytes": path.stat().st_size, "rows_per_task": self.chunk, "reading": self.reading}

    def _write(self, path: Path) -> None:
        for start in range(0, self.rows, WRITE_ROWS):
            columns = columns_of(np.arange(start, min(start + WRITE_ROWS, self.rows)))
            columns["region"] = np.array(REGIONS)[columns["region"]]
            pd.DataFrame(columns).to_csv(path, mode="a" if start else "w", header=not start, index=False)

    def _index(self, path: Path) -> None:
        """Find where each chunk begins by the line ends; the last entry is the end of the file."""
        table = generate_file(f"table-rows-{self.rows}.csv", self._write)
        begins, lines, offset = [], -1, 0  # the header's end begins line 0
        with table.open("rb") as handle:
            while block := handle.read(SCAN_BYTES):
                ends = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == ord("\n"))
                numbers = lines + 1 + np.arange(len(ends))  # of the line that begins after each end
                begins.append(offset + ends[(numbers % self.chunk == 0) & (numbers < self.rows)] + 1)
                lines, offset = lines + len(ends), offset + len(block)
        with path.open("wb") as handle:
            np.save(handle, np.concatenate([*begins, [offset]]).astype(np.int64), allow_pickle=False)


def columns_of(row: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[Any]]:
    """Return the table's columns for the numbers of its rows; the region as its number.

    Every multiplier is prime to its modulus: over a full period each value appears equally often.
    """
    return {
        "row": row,
        "region": row % len(REGIONS),
        "quantity": row * 31 % 97 + 1,
        "price_cents": row * 7919 % 10_000,
        "weight": row * 13 % 800 / 8,
    }


def _aggregates(frame: pd.DataFrame, kept: pd.DataFrame) -> dict[str, float]:
    return {
        "rows": len(frame),
        "price_cents": int(frame["price_cents"].sum()),
        "weight": float(frame["weight"].sum()),
        "kept": len(kept),
        "kept_cents": int(kept["total_cents"].sum()),
    }


def _expectation(start: int, stop: int) -> dict[str, float]:
    columns = columns_of(np.arange(start, stop))
    total = columns["quantity"] * columns["price_cents"]
    kept = (total > KEEP_ABOVE_CENTS) & (columns["region"] != REGIONS.index("west"))
    return {
        "rows": stop - start,
        "price_cents": int(columns["price_cents"].sum()),
        "weight": float(columns["weight"].sum()),
        "kept": int(np.count_nonzero(kept)),
        "kept_cents": int(total[kept].sum()),
    }
