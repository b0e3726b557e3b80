"""Sentences about predictions that a reader sees; numbers from the findings, none typed by hand."""

from raybench.analysis.predictor import LEAST_COVERAGE, MOST_MEAN, MOST_WORST
from raybench.model import units

NO_PREDICTIONS = "Nothing to predict from: no cell does useful work on a backend whose empty tasks were measured too."
PREDICTIONS = (
    "A model of driver and workers predicts each cell's warm time from the sequential baseline's task times, from the "
    "cost of an empty task on that backend, and from what tasks of the rest of the study lose side by side."
)
PREDICTION_ERRORS = (
    "Error: predicted / measured time - 1. Mean error and worst: of its size; bias: its mean, + promises too long a "
    "time. Without its P or its workload: no cell with that P, or with that workload, lent the model a number."
)
FORMULA = "T / (0.8 P), the documented formula"


def without(left_out: str) -> str:
    """Name the predictions that were made without a part of the study."""
    return f"raybench, without {left_out}"


def gate(*, passes: bool) -> str:
    """Say whether predictions may be shown."""
    limits = (
        f"a mean error of at most {100 * MOST_MEAN:.0f} %, none above {100 * MOST_WORST:.0f} %, and "
        f"{100 * LEAST_COVERAGE:.0f} % of the 90 % intervals holding"
    )
    if passes:
        return f"These errors keep the limits for showing predictions ({limits})."
    return f"No prediction is shown in claims: that needs {limits}."


def choices(total: int, near: int, worst: float, joblib_near: int, joblib_worst: float) -> str:
    """Compare choosing by prediction with always choosing joblib. worst : time lost against the best measured one."""
    return (
        f"Choosing by a prediction without the workload is within 5 % of the best measured backend for {near} of "
        f"{total} workloads, and {units.plain(100 * worst)} % slower at worst; always joblib for {joblib_near} of "
        f"{total}, and {units.plain(100 * joblib_worst)} % slower at worst."
    )
