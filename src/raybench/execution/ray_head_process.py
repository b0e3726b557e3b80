"""A Ray head that serves adjacent cells of one block, in a child process: the runner itself never imports ray."""

import json
import os
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any, Self

from raybench.execution.child import Bounds, Child, Cut
from raybench.execution.sandbox import Home, Sandbox
from raybench.model.errors import BackendFailed

MODULE = "raybench.backends.ray_head"
START_LIMIT_S = 120.0  # a head takes 3 s on two quiet cores, 20 s on busy ones


class Head:
    """Start a head with this environment and affinity; end it, and all its daemons, on exit.

    `address` is where drivers join, `parts` names the seconds of its start, `sandbox` is where it lives.
    """

    def __init__(
        self, request: Mapping[str, Any], *, home: Home, name: str, env: Mapping[str, str], affinity: tuple[int, ...]
    ) -> None:
        self._request = dict(request)
        self._affinity = affinity
        self._env = dict(env)
        self.sandbox = Sandbox(home, name)
        self.address = ""
        self.parts: dict[str, float] = {}
        self.start_s = 0.0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            box = stack.enter_context(self.sandbox)
            child = stack.enter_context(Child(MODULE, env=self._env | box.variables, cwd=box.scratch))
            box.add(child.process.pid)
            with suppress(ProcessLookupError):  # before it imports anything: its threads and daemons take it over
                os.sched_setaffinity(child.process.pid, self._affinity or os.sched_getaffinity(0))
            child.send({**self._request, "temp_dir": str(box.memory)})
            self._greet(child)
            stack.callback(child.leave)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _greet(self, child: Child) -> None:
        for line in child.lines(Bounds(timeout_s=START_LIMIT_S)):
            try:
                answer = json.loads(line)
                self.address, self.start_s = str(answer["address"]), float(answer["start_s"])
                self.parts = {str(k): float(v) for k, v in answer["parts"].items()}
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise BackendFailed(f"the Ray head's answer cannot be read: {line[:80]!r}") from error
            return
        ending = child.end()
        if ending.cut is Cut.TIME:
            raise BackendFailed(f"the Ray head did not start within {START_LIMIT_S:g} s: {ending.last_words}")
        raise BackendFailed(f"the Ray head did not start: it {ending.how}: {ending.last_words or 'it printed nothing'}")
