"""What each quantity is called where a reader meets it: a noun phrase, with what the claim gives filled in."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from raybench.claims.claim import Part

WORDS: Mapping[str, str] = MappingProxyType(
    {
        "speedup": "speedup over the sequential baseline",
        "search_speedup": "sequential time of the full search / time of this search",
        "gain": "gain over the threaded baseline",
        "relative": "speedup over the same backend on one core",
        "speedup_with_data": "speedup with the journey of the data counted",
        "alternative_ratio": "time of the fastest of {against} / time of the cell",
        "workload_ratio": "time of {against} / time of the workload",
        "graham_limit": "largest speedup that any schedule of these tasks allows",
        "scheduled_speedup": "speedup predicted for {cpus} cores",
        "first_tasks_speedup": "speedup over the first {tasks} tasks",
        "backend_ratio": "time of {against} / time of the cell",
        "target_ratio": "time of {against} to the same score / time of the cell",
        "busy_share": "share of the granted core-seconds in which tasks ran",
        "ceiling_share": "time of bare processes for these tasks / time of the cell",
        "steady_share": "the same share without start and tail",
        "workers_used": "share of the workers that ran tasks",
        "start_beyond_head_s": "start-up without the head's own",
        "utilisation_ratio": "cores kept busy / cores that the sequential baseline keeps busy",
        "fit_ratio": "time of one task / time of another with fewer steps",
        "variant_ratio": "test error of the {variant} model / that of the {against} model",
        "task_ratio": "median task of the sequential baseline / that of the cell",
        "cpu_ratio": "CPU time of {against} / that of the cell",
        "tasks_at_once": "tasks that ran at once / cores or tasks that there are",
        "same_answers": "share of the measurements with the answers of the sequential baseline",
        "efficiency": "parallel efficiency",
        "serial_fraction": "serial fraction after Karp and Flatt",
        "utilisation": "share of the granted CPU time that was used",
        "search_share": "share of the whole sequential time that the search takes",
        "gpu_share_at_once": "GPUs held at once / GPUs that there are",
        "failures_handled": "share of the measurements in which no planted failure lost anything",
        "start_up_share": "start-up's predicted share of {sequential_s} s of sequential work",
        "steps_saved": "share of the training steps saved",
        "tracked_share": "entries found in the tracker / entries expected",
        "promoted_loads": "share of rows that the promoted model, loaded again, predicts alike",
        "estimate_error": "error of the estimate T_seq / (P x {assumed})",
        "prediction_error": "error of raybench's own prediction",
        "rmse_delta": "reduction of the test error by the {variant} model",
        "seconds_per_task": "time per task",
        "start_up_s": "time outside the work, beyond the sequential baseline's",
        "break_even_s": "sequential time from which a cold start pays",
        "sequential_s_for": "sequential time from which a cold start keeps an efficiency of {level}",
        "metg_work": "shortest task that keeps an efficiency of {level}",
        "bytes_per_second": "bytes worked on per second",
        "tasks": "number of tasks",
        "emulated_speedup": "speedup that scheduling alone leaves",
        "emulated_efficiency": "efficiency that scheduling alone leaves",
        "emulated_estimate_error": "error of the estimate T_seq / (P x {assumed}), where tasks wait",
        "emulated_serial_fraction": "serial fraction after Karp and Flatt, where tasks wait instead of computing",
        "emulated_alternative_ratio": "time of {against} / time of the cell, where tasks wait instead of computing",
        "growth": "power with which time grows with the number of tasks",
        "variant_error": "test error of the {variant} model",
    }
)
ANOTHER = "its counterpart"  # where the claim derives a name from each cell's own


def describe(part: Part) -> str:
    """Name a part's quantity for a reader; `say` goes first."""
    if part.say:
        return part.say
    words = WORDS.get(part.quantity, part.quantity.replace("_", " "))
    given = _Given({name: _text(value) for name, value in part.given.items()})
    return words.format_map(given) + (", cold" if part.cold else "")


class _Given(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return ANOTHER


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return ANOTHER if "{" in str(value) else str(value)
