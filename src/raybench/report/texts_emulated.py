"""Sentences about emulated scale-out, in one place: plain English, numbers from the findings."""

from collections.abc import Sequence

from raybench.model import units
from raybench.model.estimate import Estimate
from raybench.model.laws import Fit, Laws

TITLE = "Beyond this machine: emulated scale-out"
WHAT = (
    "EMULATED: tasks wait as long as they would compute, on more logical CPUs than there are cores. Ray's scheduling, "
    "leases, transfers and collection are real, computing is not, so each number is what scheduling alone leaves; "
    "contention of real cores comes on top. A cell that breaks a rule of validity is invalid and shows no number."
)
LENGTHS = (
    "Efficiency: ideal list schedule of the waits / makespan, 95 % interval, n blocks; ten tasks for each CPU. Lease: "
    "how long the driver keeps a leased worker. Predicted: list schedule, cost of a task at P = 1, and leases; the "
    "predictor saw none of these cells."
)
RECORDED = (
    "Lengths recorded in this run on one core, ten for each CPU. Speedup: sum of the lengths / makespan. With "
    "contention: divided by the factor by which the same tasks took longer on 2 real cores at once."
)
ALL = (
    "Every emulated cell. Error: predicted / measured makespan - 1. A search that stops trials early is compared with "
    "the list schedule of what it ran; its share of the work stands beside."
)


def of_run(run: str) -> str:
    """Name the run that a number beside the report's own comes from."""
    return f"measured in {run}"


def whose(run: str) -> str:
    """Say that the section shows another run."""
    return f"From the machine's newest emulated run, {run}; nothing is pooled with the study above."


def lease(topology: str, task_s: float, short: tuple[float, Estimate], long: tuple[float, Estimate]) -> str:
    """Say what keeping leased workers gains. short, long : lease in seconds with the efficiency."""
    return (
        f"On {topology} CPUs, tasks of {units.duration(task_s)} reach an efficiency of {units.share(short[1])} where "
        f"the driver gives workers back after {units.duration(short[0])}, and {units.share(long[1])} where it keeps "
        f"them for {units.duration(long[0])}."
    )


LEASE_WHY = (
    "Why: Ray's driver gives a leased worker back after 500 ms, and its next lease on another node waits for that "
    "node's next resource report, up to 100 ms. A larger RAY_worker_lease_timeout_milliseconds in the driver's "
    "environment keeps the worker; on a shared cluster other drivers then wait longer for it."
)


def anchors(found: Sequence[tuple[str, Estimate]]) -> str:
    """Say how well the emulation meets what it emulates. found : real workload, replay / real makespan."""
    told = ", ".join(f"{name} {units.ratio(estimate)}" for name, estimate in found)
    return f"Anchor: the lengths seen on 2 real cores, waited for on 2 logical CPUs, take of the real makespan: {told}."


def errors(worst: float, bias: float, count: int) -> str:
    """Say how far the predictor was off. worst : largest absolute relative error; bias : mean error."""
    return (
        f"The predictor's makespans are off by at most {units.plain(100 * worst)} % at {count} emulated points, "
        f"{units.plain(100 * bias)} % on average."
    )


def laws(workload: str, found: Laws) -> str:
    """Give the fitted laws of one workload."""
    counts = ", ".join(map(str, found.counts))
    return (
        f"Strong scaling of {workload} over {counts} CPUs, n={found.n}: Amdahl's serial share {_fit(found.serial)} "
        f"(largest error {units.plain(100 * found.errors['Amdahl'])} %); USL contention {_fit(found.contention)}, "
        f"coherency {_fit(found.coherency)} (largest error {units.plain(100 * found.errors['USL'])} %)."
    )


def _fit(fit: Fit) -> str:
    if fit.point <= 1e-9:
        return f"below {units.plain(fit.high)}"
    return f"{units.plain(fit.point)} [{units.plain(fit.low)}, {units.plain(fit.high)}]"
