"""State: held or reloaded, the answers are the same; only the number of preparations differs."""

import pytest

from raybench.backends.base import execute
from raybench.workloads import stateful
from raybench.workloads.stateful import Stateful


@pytest.mark.parametrize(("reload", "built"), [(False, 1), (True, 4)])
def test_a_held_table_is_built_once_and_a_reloaded_one_in_every_task(
    reload: bool, built: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, build = [], stateful._table

    def counted(entries: int) -> dict[int, int]:
        calls.append(entries)
        return build(entries)

    monkeypatch.setattr(stateful, "_table", counted)
    workload = Stateful(entries=3, count=4, lookups=2, reload=reload)
    context = workload.prepare(workload.data(1))
    answers = [execute(workload, task, context).answer for task in workload.tasks(1)]
    assert answers == [0 + 1, 4 + 0, 1 + 4, 0 + 1]  # squares of 0 1 | 2 0 | 1 2 | 0 1
    assert calls == [3] * built
