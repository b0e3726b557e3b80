"""The order of a block: groups of one workload's processes, which the runner keeps alive together.

A group holds the sequential baseline of its workload and some of its cells. In half of the groups a second baseline
runs among the cells (A/A): so drawn that every workload has one in every two blocks.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from raybench.model.plan import Cell, Job, Role, Tag, needs_ray
from raybench.model.serialize import digest

MOST_PROCESSES = 8  # of a group, its baselines included
BYTES_PER_WORKER = 700_000_000  # a driver or a worker with XGBoost and scikit-learn, where none was measured yet
BYTES_PER_WAITING_WORKER = 100_000_000  # of logical CPUs: raybench alone, 62 MiB of its own
PADDING_BYTES = 4096  # upper end of the environment padding drawn per block (Mytkowicz et al. 2009)
ONCE = frozenset({Tag.GRANULARITY_SWEEP, Tag.FAULTS, Tag.REPLAY})  # long, or not the same work a second time
NO_AA = frozenset({Tag.SLEEP, Tag.GRANULARITY_SWEEP})  # its ideal is known; it takes too long


def draw_block(
    pattern: Sequence[Job], *, seed: int, block: int, first: str = "", aa: bool = True, memory_bytes: int | None = None
) -> list[Job]:
    """Return the jobs of a block, group after group, each in the order in which its processes start.

    pattern : one job per cell. first : workload that begins block 0. aa : whether to plan second baselines.
    memory_bytes : what a group's processes may hold together; None is no limit.
    Drawn from SeedSequence([seed, block]): the same study always gives the same order.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, block]))
    hash_seed, padding = int(rng.integers(1, 2**32 - 1)), int(rng.integers(0, PADDING_BYTES + 1))
    families: dict[str, list[Job]] = {}
    for job in pattern:
        families.setdefault(job.cell.workload.name, []).append(job)
    names = list(families)
    order = [names[int(i)] for i in rng.permutation(len(names))]
    order.sort(key=lambda name: all(job.cell.emulated for job in families[name]))  # they replay what has been measured
    if block == 0 and first in families:
        order.sort(key=lambda name: name != first)  # stable: the others stay as drawn
    groups = [
        _with_replicas(members, part, aa=aa and _has_aa(members[0].cell, seed=seed, block=block))
        for name in order
        for part, members in enumerate(split(families[name], rng, memory_bytes=memory_bytes))
    ]
    groups.sort(key=lambda members: max(job.cell.cluster for job in members))  # a cluster is started once a block
    jobs: list[Job] = []
    for number, members in enumerate(groups):
        for place in rng.permutation(len(members)):
            job = members[int(place)]
            jobs.append(replace(job, block=block, group=number, order=len(jobs), hash_seed=hash_seed, padding=padding))
    return jobs


def _with_replicas(members: Sequence[Job], part: int, *, aa: bool) -> list[Job]:
    """Number the baselines of a workload's groups: 1, 3, 5 ... are compared with, 2, 4, 6 ... stand for A/A."""
    jobs = [replace(job, replica=2 * part + 1 if is_baseline(job.cell) else 1) for job in members]
    return jobs + [replace(job, replica=2 * part + 2) for job in jobs if aa and is_baseline(job.cell)]


def split(family: Sequence[Job], rng: np.random.Generator, *, memory_bytes: int | None = None) -> list[list[Job]]:
    """Return one workload's jobs as groups of at most 8 processes that fit into the memory, a baseline in each.

    Cells of different sizes of the workload never share a group, nor do two on one cluster: the actors of the first
    would leave the second no CPU. One process always fits.
    """
    sizes: dict[str, list[Job]] = {}
    for job in family:
        sizes.setdefault(_params(job.cell), []).append(job)
    groups = []
    for jobs in sizes.values():
        baselines = [job for job in jobs if is_baseline(job.cell)]
        cells = [job for job in jobs if not is_baseline(job.cell)]
        shuffled = [cells[int(i)] for i in rng.permutation(len(cells))]
        alone = not baselines and all(job.cell.emulated for job in cells)  # nothing to alternate with
        most = 1 if alone else MOST_PROCESSES - len(baselines) - 1  # room for the second baseline
        room = (memory_bytes or float("inf")) - sum(_bytes(job) for job in baselines)
        current: list[Job] = []
        for job in shuffled:
            full = len(current) >= most or sum(_bytes(j) for j in [*current, job]) > room
            if current and (full or (_shares(job) and any(map(_shares, current)))):
                groups.append([*baselines, *current])
                current = []
            current.append(job)
        groups.append([*baselines, *current])
    return groups


def _shares(job: Job) -> bool:
    """Return whether a job takes the CPUs of a cluster that outlives it."""
    return needs_ray(job.cell) and not job.cluster.is_embedded


def is_baseline(cell: Cell) -> bool:
    """Return whether a cell is the sequential baseline that speedups refer to."""
    return cell.backend.role is Role.BASELINE


def runs_once(cell: Cell) -> bool:
    """Return whether each process of the cell takes one sample only."""
    return bool(ONCE & set(cell.workload.tags))


def _has_aa(cell: Cell, *, seed: int, block: int) -> bool:
    """Draw in which one of each two blocks a workload has its second baseline."""
    if NO_AA & set(cell.workload.tags):
        return False
    name = int(digest(cell.workload.identity)[:8], 16)
    return bool(block % 2 == np.random.default_rng(np.random.SeedSequence([seed, name, block // 2])).integers(2))


def _bytes(job: Job) -> int:
    if job.cell.emulated:
        return BYTES_PER_WORKER + BYTES_PER_WAITING_WORKER * job.cell.workers
    alone = is_baseline(job.cell) or job.on_cluster
    return BYTES_PER_WORKER * (1 if alone else job.cell.workers + 1)


def _params(cell: Cell) -> str:
    return repr(sorted(cell.workload.params.items()))
