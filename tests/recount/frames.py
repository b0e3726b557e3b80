"""A run's raw lines as pandas tables. Reading is raybench's; no arithmetic is, and nothing comes from its analysis."""

import json
import math
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from raybench.model.plan import reading_order
from raybench.store import store

ROUNDS = 3  # groups with quiet rounds from which on others are left out


class Frames:
    """cells by key; lines, one per process; samples, one per makespan; qualities, one per split and model."""

    def __init__(self, folder: Path) -> None:
        self.plan, self.loaded = store.read_run(folder)
        self.environment = store.read_environment(folder)
        ordered = sorted({cell.key: cell for cell in self.plan.cells}.values(), key=reading_order)
        self.cells = pd.DataFrame(
            {
                "key": cell.key,
                "workload": cell.workload.name,
                "work": json.dumps([cell.workload.name, cell.workload.target, cell.workload.params], sort_keys=True,
                                   default=dict),
                "tags": frozenset(map(str, cell.workload.tags)),
                "source": cell.workload.source,
                "params": cell.workload.params,
                "backend": cell.backend.name,
                "backend_tags": frozenset(map(str, cell.backend.tags)),
                "backend_params": cell.backend.params,
                "role": str(cell.backend.role),
                "control": cell.backend.is_control,
                "P": cell.cpus,
                "workers": cell.workers,
                "per_task": cell.cpus_per_task,
                "gpus": cell.gpus,
            }
            for cell in ordered
        ).set_index("key", drop=False)  # fmt: skip
        self.lines = pd.DataFrame([_line(m) for m in self.loaded.measurements])
        columns = ["cell", "block", "replica", "attempt", "round", "seconds", "loops", "began", "reason", "cpu_s",
                   "steal"]  # fmt: skip
        self.samples = pd.DataFrame(
            [{**asdict(s), "reason": s.disturbance.reason, "steal": s.disturbance.steal} for s in self.loaded.samples],
            columns=columns,
        )
        self.qualities = pd.DataFrame([asdict(q) for q in self.loaded.qualities])

    # --- which lines count ------------------------------------------------------------------------

    def good(self, cell: str, *, second: bool = False) -> dict[int, dict[str, Any]]:
        """Return the last good process of each block; of the even replicas for an A/A pair."""
        return self._good[second].get(cell, {})

    @cached_property
    def _good(self) -> list[dict[str, dict[int, dict[str, Any]]]]:
        ok = self.lines[self.lines["status"] == "ok"].sort_values(["replica", "block", "attempt"], kind="stable")
        found = []
        for second in (False, True):
            mine = ok[(ok["replica"] % 2 == 0) == second]
            mine = mine[mine["replica"] == mine.groupby(["cell", "block"])["replica"].transform("min")]
            last = mine.groupby(["cell", "block"], sort=False).tail(1)
            by_cell: dict[str, dict[int, dict[str, Any]]] = {}
            for line in last.to_dict("records"):
                by_cell.setdefault(line["cell"], {})[line["block"]] = self._with_samples(line)
            found.append(by_cell)
        return found

    def _with_samples(self, line: dict[str, Any]) -> dict[str, Any]:
        line = {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in line.items()}  # pandas has no None
        key = _process(line)
        used = self._taken.get(key, {}) if line["cell"] in self.busy else self._quiet(line)
        line["rounds"] = {number: s["seconds"] for number, s in used.items()}
        line["sample_cpu"] = [s["cpu_s"] for s in used.values()]
        beside = self._beside.get((line["block"], line["group"], line["attempt"]), ("", {}))
        line["beside_cell"], line["beside"] = beside[0], {r: s["seconds"] for r, s in beside[1].items()}
        if used:
            line["seconds"] = math.exp(np.mean(np.log(list(line["rounds"].values()))))
        return line

    @cached_property
    def _taken(self) -> dict[tuple[Any, ...], dict[int, dict[str, Any]]]:
        ended = set(map(_process, self.lines.to_dict("records")))
        taken: dict[tuple[Any, ...], dict[int, dict[str, Any]]] = {}
        for sample in self.samples.sort_values("round", kind="stable").to_dict("records"):
            if _process(sample) in ended:
                taken.setdefault(_process(sample), {})[sample["round"]] = sample
        return taken

    @cached_property
    def _beside(self) -> dict[tuple[int, int, int], tuple[str, dict[int, dict[str, Any]]]]:
        """Return, by block, group and attempt, the baseline of the group with its samples."""
        bases = self.cells.index[(self.cells["role"] == "baseline") & (self.cells["P"] == 1)]
        mine = self.lines[self.lines["cell"].isin(bases) & (self.lines["replica"] % 2 == 1)]
        mine = mine[mine["status"] == "ok"]
        return {
            (line["block"], line["group"], line["attempt"]): (line["cell"], self._taken.get(_process(line), {}))
            for line in mine.to_dict("records")
        }

    def _quiet(self, line: dict[str, Any]) -> dict[int, dict[str, Any]]:
        """Return the samples of quiet rounds: neither they nor the baselines before and after were disturbed."""
        _, beside = self._beside.get((line["block"], line["group"], line["attempt"]), ("", {}))
        loud = {number for number, sample in beside.items() if sample["reason"]}
        taken = self._taken.get(_process(line), {})
        return {r: s for r, s in taken.items() if not s["reason"] and not loud & {r, r + 1}}

    @cached_property
    def busy(self) -> set[str]:
        """Return the cells with fewer than three processes that had a quiet round."""
        quiet: dict[str, int] = {}
        ok = self.lines[self.lines["status"] == "ok"].to_dict("records")
        for line in ok:
            quiet[line["cell"]] = quiet.get(line["cell"], 0) + bool(self._quiet(line))
        return {line["cell"] for line in self.lines.to_dict("records")
                if self._taken.get(_process(line)) and quiet.get(line["cell"], 0) < ROUNDS}  # fmt: skip

    # --- which cells belong together --------------------------------------------------------------

    def beside_cell(self, cell: str) -> pd.DataFrame:
        """Return the cells of the same workload, itself among them."""
        return self.cells[self.cells["work"] == self.cells.loc[cell, "work"]]

    def baseline(self, cell: str) -> str | None:
        mine = self.beside_cell(cell)
        mine = mine[(mine["role"] == "baseline") & (mine["P"] == 1)]
        if mine.empty:
            return None
        rank = pd.DataFrame(
            {"gpus": mine["gpus"] != self.cells.loc[cell, "gpus"], "name": mine["backend"] != "sequential"}
        )
        return str(rank.sort_values(["gpus", "name"], kind="stable").index[0])

    def threaded(self, cell: str) -> str | None:
        mine = self.beside_cell(cell)
        mine = mine[(mine["role"] == "threaded_baseline") & (mine["P"] == self.cells.loc[cell, "P"])]
        return next(iter(mine.index.drop(cell, errors="ignore")), None)

    def is_sweep(self, cell: str) -> bool:
        if "granularity_sweep" in self.cells.loc[cell, "tags"]:
            return True
        return any(line["sweep"] for other in self.beside_cell(cell).index for line in self.good(other).values())


def _process(line: dict[str, Any]) -> tuple[Any, ...]:
    return line["cell"], line["block"], line["replica"], line["attempt"]


def _line(m: Any) -> dict[str, Any]:
    phases = {name: getattr(m.phases, name) for name in
              ("interpreter", "imports", "data", "start_up", "warm_up", "makespan", "shutdown", "check")}  # fmt: skip
    shared = m.head is not None and str(m.head.use) == "shared"
    cold = sum(phases[name] for name in ("interpreter", "imports", "start_up", "warm_up", "makespan", "shutdown"))
    return {
        **{name: getattr(m, name) for name in ("cell", "block", "replica", "attempt", "group", "began", "extra",
           "cpu_makespan_s", "steps_asked", "steps_done", "answers_hash", "nodes_seen", "tasks", "sweep", "details")},
        **phases,
        "status": str(m.status),
        "cold": None if shared else cold,
        "from_nothing": cold,
        "seconds": phases["makespan"] or None,
        "steal": m.disturbance.steal,
        "background": m.disturbance.background_during,
    }  # fmt: skip
