"""Run a plan: one fresh child per measurement, in order, resumable, leaving no process behind.

Knows neither statistics nor any library that is measured; prints nothing: it tells an observer.
"""

import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from raybench.execution import quality_processes
from raybench.execution.child import Child, Ending, environment
from raybench.execution.ray_head_process import Head
from raybench.model.clock import now
from raybench.model.errors import BackendFailed
from raybench.model.measurement import HeadUse, HeadUsed, Measurement
from raybench.model.plan import Job, Plan, Spec, Status
from raybench.model.serialize import digest, from_json, to_json
from raybench.planning.planner import head_key
from raybench.store.store import Store
from raybench.system import interference, process_tree
from raybench.system.kernel import sweep

ATTEMPTS = 3  # of a disturbed measurement, the first one included
MEMORY_SHARE = 0.9  # of the machine's memory, where no limit is asked for: before the kernel kills at random
OBJECT_STORE_BYTES = 2 * 2**30
OPEN = (Status.DISTURBED,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What the observer is told. kind: `started`, `measured`, `quality`, `head`, `stopped`."""

    kind: str
    job: Job | None = None
    measurement: Measurement | None = None
    done: int = 0
    total: int = 0
    left_s: float = 0.0
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a pass through a plan ended."""

    measured: int
    failed: int
    stopped: str  # why no more was measured: `complete`, `budget`


Observer = Callable[[Event], None]


class Runner:
    """Measures what is missing of a plan into one run's folder.

    The caller holds the folder's lock. `retry_failed` also repeats measurements that failed or timed out.
    `quiet_only` sets a measurement aside as disturbed, and repeats it, where the machine was not quiet; without
    it (a study without verdicts) the disturbance is only recorded.
    """

    def __init__(self, folder: Path, *, observe: Observer, retry_failed: bool = False, quiet_only: bool = True) -> None:
        self._store = Store(folder / "measurements.jsonl")
        self._observe = observe
        self._retry_failed = retry_failed
        self._quiet_only = quiet_only
        self._tag = f"raybench-{digest(str(folder.resolve()))[:10]}:"
        self._durations: dict[str, float] = {}
        loaded = self._store.load()
        self._lines = {m.key: m for m in loaded.measurements}
        self._began = now() - max((m.began for m in loaded.measurements), default=0.0)  # a resumed run goes on counting
        self._qualities = {q.key for q in loaded.qualities}
        self._index = len(loaded.measurements)
        self._work = Path(tempfile.gettempdir())

    def leftovers(self) -> int:
        """End what an earlier runner of this folder left behind when it was killed; return how many there were."""
        process_tree.become_subreaper()
        ended = process_tree.end(self._tag)
        sweep(self._tag)
        return ended

    def missing(self, jobs: Iterable[Job]) -> list[Job]:
        """List what is still to measure, in order; a disturbed measurement comes back as its next attempt."""
        todo = []
        for job in jobs:
            attempt = 1
            while (line := self._lines.get((*job.key[:3], attempt))) is not None:
                again = line.status in OPEN and attempt < ATTEMPTS
                again |= self._retry_failed and line.status in (Status.FAILED, Status.TIMED_OUT)
                if not again:
                    break
                attempt += 1
            else:
                todo.append(replace(job, attempt=attempt))
        return todo

    def run(self, jobs: Sequence[Job], *, budget_s: float) -> Outcome:
        """Measure in whole blocks until all is done or the next block would pass the budget; the first always runs."""
        todo = self.missing(jobs)
        total, measured, failed = len(todo), 0, 0
        blocks: dict[int, list[Job]] = {}
        for job in todo:
            blocks.setdefault(job.block, []).append(job)
        longest = 0.0
        began = now()
        for block in sorted(blocks):
            if measured and now() - began + longest > budget_s:
                return Outcome(measured=measured, failed=failed, stopped="budget")
            block_began = now()
            queue = blocks[block]
            while queue:
                again: list[Job] = []
                for measurement, job in self._in_order(queue):
                    measured += 1
                    failed += measurement.status in (Status.FAILED, Status.TIMED_OUT)
                    if measurement.status is Status.DISTURBED and job.attempt < ATTEMPTS:
                        again.append(replace(job, attempt=job.attempt + 1))
                        total += 1
                    left = (now() - began) / measured * (total - measured)
                    self._observe(
                        Event(
                            kind="measured", job=job, measurement=measurement, done=measured, total=total, left_s=left
                        )
                    )
                queue = again
            longest = max(longest, now() - block_began)
        return Outcome(measured=measured, failed=failed, stopped="complete")

    def quality(self, specs: Iterable[Spec], *, pairs: int, seed: int) -> int:
        """Take the quality pass of each workload that has none yet, untimed; return how many lines were added."""
        added = 0
        for spec in specs:
            if quality_processes.complete(self._qualities, spec.name, pairs):
                continue
            self._observe(Event(kind="quality", text=spec.name))
            taken = quality_processes.take(spec, pairs=pairs, seed=seed, tag=f"{self._tag}quality:")
            if taken.fault:
                self._observe(Event(kind="stopped", text=taken.fault))
            fresh = [line for line in taken.lines if line.key not in self._qualities]
            for line in fresh:
                self._store.append(line)
            self._qualities |= {line.key for line in fresh}
            added += len(fresh)
        return added

    # --- one measurement --------------------------------------------------------------------------

    def _in_order(self, jobs: Sequence[Job]) -> Iterable[tuple[Measurement, Job]]:
        """Measure jobs one after the other; adjacent ones with the same head key share a head."""
        token = secrets.token_hex(32)
        place = 0
        while place < len(jobs):
            key = head_key(jobs[place].cell)
            stop = place + 1
            while key and stop < len(jobs) and head_key(jobs[stop].cell) == key:
                stop += 1
            group = jobs[place:stop]
            place = stop
            if not key or group[0].cluster.address:
                for job in group:
                    yield self._one(job, None, token), job
                continue
            yield from self._on_shared_head(group, token)

    def _on_shared_head(self, group: Sequence[Job], token: str) -> Iterable[tuple[Measurement, Job]]:
        self._observe(Event(kind="head", job=group[0]))
        cell = group[0].cell
        env = environment(
            cell.backend, threads=cell.cpus_per_task, tag=f"{self._tag}head{self._index}:", job=group[0]
        ) | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
        request = {"num_cpus": cell.cpus, "num_gpus": cell.gpus, "object_store_memory": OBJECT_STORE_BYTES}
        with ExitStack() as stack:
            try:
                head = stack.enter_context(Head(request, env=env, affinity=group[0].affinity))
            except BackendFailed as error:
                for job in group:
                    yield self._keep(Measurement.of(job, Status.FAILED, str(error))), job
                return
            for job in group:
                yield self._one(job, head, token), job

    def _one(self, job: Job, head: Head | None, token: str) -> Measurement:
        """Take one measurement in a fresh child; whatever happens, one line is stored and nothing is left running."""
        self._observe(Event(kind="started", job=job))
        tag = f"{self._tag}job{self._index}:"
        account = process_tree.Account.open(tag)
        counters = [account, *([head.account] if head else [])]
        folder = Path(tempfile.mkdtemp(prefix="rb", dir=self._work))
        env = environment(job.cell.backend, threads=job.cell.cpus_per_task, tag=tag, job=job) | {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": token,
            "RAY_TMPDIR": str(folder),
            "RAYBENCH_CPU_COUNTER": os.pathsep.join(c.cpu_reader_path for c in counters if c.cpu_reader_path),
        }
        sent = job
        if head is not None:
            sent = replace(job, cluster=replace(job.cluster, address=head.address))
        limit = job.limits.memory_bytes or int(psutil.virtual_memory().total * MEMORY_SHARE)
        watch = interference.Watch(lambda: sum(c.cpu_s() for c in counters))
        watch.before()
        cpu_before = sum(c.cpu_s() for c in counters)
        child = Child("raybench.execution.worker", env=env, cwd=folder)
        try:
            account.add(child.process.pid)
            child.send({"job": to_json(sent), "spawned": child.spawned, "affinity": list(job.affinity)})
            ending = child.wait(
                timeout_s=job.limits.cell_timeout_s,
                held_bytes=lambda: sum(c.now_bytes() for c in counters),
                memory_bytes=limit,
            )
            disturbance = watch.after(steal_share=job.limits.steal_share)
            cpu_s = sum(c.cpu_s() for c in counters) - cpu_before
        finally:
            child.close()
            process_tree.end(tag, account=account)
            process_tree.reap(keep=[head.pid] if head else ())
            peak = account.peak_bytes()
            account.close()
            shutil.rmtree(folder, ignore_errors=True)
        measured = self._read(job, ending, limit)
        used: HeadUsed | None = None
        if head is not None:
            used = HeadUsed(use=HeadUse.SHARED, start_s=head.start_s)
        elif "ray" in job.cell.backend.requires.packages:
            used = HeadUsed(use=HeadUse.JOINED if job.cluster.address else HeadUse.OWN)
        status, reason = measured.status, measured.reason
        if status is Status.OK and disturbance.reason and self._quiet_only:
            status, reason = Status.DISTURBED, disturbance.reason
        return self._keep(
            replace(
                measured,
                status=status,
                reason=reason,
                head=used,
                disturbance=disturbance,
                cpu_s=cpu_s,
                cpu_source=account.cpu_source,
                peak_rss_bytes=max(peak, ending.most_memory),
                memory_source=account.memory_source,
                began=round(child.spawned - self._began, 3),
            )
        )

    def _read(self, job: Job, ending: Ending, limit: int) -> Measurement:
        if ending.timed_out:
            return Measurement.of(
                job, Status.TIMED_OUT, f"no result within the cell's {job.limits.cell_timeout_s:g} s; tree ended"
            )
        if ending.over_memory is not None:
            held, allowed = ending.over_memory / 2**30, limit / 2**30
            reason = f"out of memory: the process tree held {held:.2f} GiB of {allowed:.2f} GiB allowed"
            return Measurement.of(job, Status.FAILED, reason)
        if not ending.lines:
            how = f"exit code {ending.returncode}"
            if ending.returncode is not None and ending.returncode < 0:
                how = f"signal {-ending.returncode}"
            return Measurement.of(
                job, Status.FAILED, f"the process ended with {how} and no result: {ending.last_words}"
            )
        return from_json(Measurement, json.loads(ending.lines[-1]))

    def _keep(self, measurement: Measurement) -> Measurement:
        measurement = replace(measurement, index=self._index)
        self._store.append(measurement)
        self._lines[measurement.key] = measurement
        self._index += 1
        return measurement


def jobs_in_order(plan: Plan) -> Sequence[Job]:
    """Return the jobs of a plan in the order of measuring."""
    return sorted(plan.jobs, key=lambda job: (job.block, job.order))
