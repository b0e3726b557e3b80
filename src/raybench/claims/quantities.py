"""The quantities that a claim may name. Each is a pure function of selected cells; its keyword-only parameters are
what the claim gives behind `with`."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from raybench.claims import checks, emulated, models, quality, times, tracked, tuned
from raybench.claims.claim import Part
from raybench.claims.selection import Material as Material  # what `samples` needs, for callers
from raybench.claims.selection import Sample, Selection, select_cells
from raybench.model.stats import IMPLAUSIBLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A function from selected cells to samples. unit : of its numbers, as `model.units.by_unit` knows it."""

    function: Callable[..., Iterator[Sample]]
    unit: str

    @property
    def wanted(self) -> Mapping[str, Any]:
        """Return the type of each parameter, by name; all of them are required."""
        parameters = inspect.signature(self.function).parameters.values()
        return {p.name: p.annotation for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}


def _by_name(unit: str, *functions: Callable[..., Iterator[Sample]]) -> dict[str, Quantity]:
    return {function.__name__: Quantity(function=function, unit=unit) for function in functions}


QUANTITIES: Mapping[str, Quantity] = MappingProxyType(
    {
        **_by_name("x", times.speedup, times.search_speedup, times.gain, times.relative, times.speedup_with_data),
        **_by_name("x", times.alternative_ratio, times.workload_ratio, times.graham_limit),
        **_by_name("x", emulated.emulated_speedup, emulated.emulated_alternative_ratio),
        **_by_name("share", emulated.emulated_efficiency, emulated.emulated_serial_fraction),
        **_by_name("%", emulated.emulated_estimate_error),
        **_by_name("x", models.scheduled_speedup, times.first_tasks_speedup),
        **_by_name("x", tuned.backend_ratio, tuned.target_ratio),
        **_by_name("share", tuned.busy_share, tuned.ceiling_share, tuned.steady_share, tuned.workers_used),
        **_by_name("s", tuned.start_beyond_head_s),
        **_by_name(
            "x", checks.utilisation_ratio, checks.fit_ratio, quality.variant_ratio, checks.task_ratio, checks.cpu_ratio
        ),
        **_by_name("share", checks.tasks_at_once, checks.same_answers),
        **_by_name("share", times.efficiency, times.serial_fraction, checks.utilisation, checks.search_share),
        **_by_name("share", checks.gpu_share_at_once, checks.failures_handled, models.start_up_share),
        **_by_name("share", quality.steps_saved),
        **_by_name("share", tracked.tracked_share, tracked.promoted_loads),
        **_by_name("%", times.estimate_error, models.prediction_error, quality.rmse_delta),
        **_by_name("s", checks.seconds_per_task, models.start_up_s, models.break_even_s, models.sequential_s_for),
        **_by_name("s", models.metg_work),
        **_by_name("B", models.bytes_per_second),
        **_by_name("tasks", checks.tasks),
        **_by_name("", checks.growth, quality.variant_error),
    }
)


def samples(material: Material, part: Part) -> tuple[Selection, tuple[Sample, ...]]:
    """Select a part's cells and find its numbers."""
    selection = select_cells(material, part)
    found = QUANTITIES[part.quantity].function(selection, **part.given)
    return selection, tuple(_doubt(material, sample) for sample in found)


def _doubt(material: Material, sample: Sample) -> Sample:
    """Take from a number the power to decide where a cell behind it is not believed; its note says why."""
    doubts = dict.fromkeys(doubt for of in sample.cells for doubt in material.rows[of.key].doubts)
    if not doubts:
        return sample
    note = "; ".join(filter(None, [sample.note, f"not believed: {', '.join(doubts)}"]))
    return replace(sample, estimate=replace(sample.estimate, flag=IMPLAUSIBLE), note=note)
