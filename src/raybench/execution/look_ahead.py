"""Draw task sets in a child process, so that a workload whose task set is refused costs no start of a Ray head."""

import json
from collections.abc import Sequence

from raybench.execution.child import Bounds, Child
from raybench.execution.environment import environment
from raybench.execution.sandbox import Home, Sandbox
from raybench.execution.take import UNREADABLE, memory_limit
from raybench.model.measurement import Measurement
from raybench.model.plan import Job, Spec
from raybench.model.serialize import digest, to_json


class LookAhead:
    """What this runner knows of task sets; asks a child where it knows nothing."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._known: dict[str, str] = {}  # '' or why it is refused, by the workload's digest

    def note(self, workload: Spec, measurement: Measurement) -> None:
        """Remember that a measurement has drawn this workload's tasks."""
        if measurement.tasks_hash:
            self._known[digest(workload)] = ""

    def refusal(self, job: Job) -> str:
        """Return why the job's task set is refused, or '' where it is not, or where the child ended without a word."""
        return self._known.get(digest(job.cell.workload), "")

    def draw(self, jobs: Sequence[Job]) -> None:
        """Have the task sets drawn that are not known yet."""
        unknown = {key: job for job in jobs if (key := digest(job.cell.workload)) not in self._known}
        if not unknown:
            return
        first = jobs[0]
        with Sandbox(self._home, "l") as box:
            env = environment(first.cell.backend, threads=first.cell.cpus_per_task) | box.variables
            bounds = Bounds(
                timeout_s=first.limits.cell_timeout_s,
                memory_bytes=memory_limit(first.limits.memory_bytes),
                held_bytes=box.held_bytes,
            )
            with Child("raybench.execution.worker", env=env, cwd=box.scratch) as child:
                box.add(child.process.pid)
                specs = [to_json(job.cell.workload) for job in unknown.values()]
                child.send({"task_sets": specs, "seed": first.seed})
                for key, text in zip(unknown, child.lines(bounds), strict=False):
                    try:
                        self._known[key] = str(json.loads(text)["refusal"])
                    except UNREADABLE:
                        return
