"""A workload whose task with index 2 turns on the process that runs it; `how` says in which way."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from raybench import Progress, Task, TaskResult, Workload, WrongAnswer


class Hostile(Workload):
    """Answer each task's own number, after the mischief."""

    def __init__(self, *, how: str = "nothing", count: int = 4) -> None:
        self.how = how
        self.count = count

    def tasks(self, seed: int) -> list[Task]:
        return [Task(index=i, params={"i": i}) for i in range(self.count)]

    def run(self, task: Task, context: Any) -> Iterator[Progress]:
        if task.index == 2 and self.how != "nothing":
            getattr(self, self.how)()
        yield Progress(answer=str(Path.cwd()) if self.how == "tells_its_folder" else task.index)

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        for task, result in zip(tasks, results, strict=True):
            if result.answer != task.index:
                raise WrongAnswer(f"task {task.index} answered {result.answer!r}")

    def writes_garbage(self) -> None:
        """Begin the result line with something else."""
        os.write(int(os.environ["RAYBENCH_RESULT_FD"]), b"garbage")

    def writes_another_line(self) -> None:
        """Answer in the place of another cell, and go."""
        line = b'{"cell":"zzzz","block":0,"replica":1,"attempt":1,"status":"ok"}\n'
        os.write(int(os.environ["RAYBENCH_RESULT_FD"]), line)
        os._exit(0)

    def floods(self) -> None:
        """Write without an end."""
        while True:
            os.write(int(os.environ["RAYBENCH_RESULT_FD"]), b"x" * 1000 + b"\n")
            time.sleep(0.01)

    def forks(self) -> None:
        """Leave a process behind that holds every pipe."""
        if os.fork() == 0:
            time.sleep(3600)
            os._exit(0)

    def leaves_a_daemon(self) -> None:
        """Leave a process behind that has neither our environment nor our session."""
        subprocess.Popen(["/bin/sleep", "3601"], env={}, start_new_session=True)

    def removes_its_folder(self) -> None:
        """Remove the working folder."""
        shutil.rmtree(os.getcwd(), ignore_errors=True)

    def reads_a_file(self) -> None:
        """Read a file that lies in the folder of the user's shell."""
        Path("quirk.txt").read_text(encoding="utf-8")

    def exits(self) -> None:
        """End the process without a word."""
        os._exit(5)

    def kills_its_parent(self) -> None:
        """End the driver of a pool from one of its workers."""
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(3600)

    def allocates(self) -> None:
        """Hold 600 MB at once."""
        hoard = bytearray(os.urandom(1000) * 600_000)
        time.sleep(3600)
        del hoard
