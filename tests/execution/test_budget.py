"""Which groups a budget still has room for, and what it says after the first block."""

from dataclasses import replace

from raybench.config import settings
from raybench.execution.budget import Budget
from raybench.execution.run_folder import plan_study
from raybench.model.plan import Job


def groups(block: int = 1) -> list[list[Job]]:
    """One group of each of three workloads."""
    words = ["study=smoke", "workloads=[primes,noop,sleep]", "backends=[sequential]", "cpus=[1]"]
    jobs = [job for job in plan_study(settings.load(words)).jobs if job.block == 0]
    return [[replace(job, block=block)] for job in jobs]


def names(chosen: list[list[Job]]) -> set[str]:
    return {group[0].cell.workload.name for group in chosen}


def budget(seconds: float, *, expected: float | None = None, took: float = 10.0) -> Budget:
    core = [group[0].cell.key for group in groups() if group[0].cell.workload.name == "primes"]
    known = None if expected is None else (lambda n: expected / n**0.5)
    made = Budget(seconds=seconds, core=core, target=0.05, expected=known)
    for group in groups():
        made.note(group, took)
    return made


def test_all_of_a_block_is_measured_where_it_fits():
    assert budget(1000.0).choose(groups()) == groups()


def test_the_core_rows_go_first_and_others_fill_the_time_that_is_left():
    assert names(budget(15.0).choose(groups())) == {"primes"}
    chosen = names(budget(25.0).choose(groups()))
    assert "primes" in chosen and len(chosen) == 2


def test_nothing_is_begun_that_does_not_fit():
    assert budget(5.0).choose(groups()) == []
    assert budget(-5.0, took=0.0).choose(groups()) == []


def test_a_longer_group_is_remembered_by_its_longest():
    made = budget(15.0, took=10.0)
    made.note(groups()[0], 1.0)
    assert made.estimate_s(groups()) == 30.0


def test_where_the_target_is_out_of_reach_rows_with_an_interval_leave_the_time_to_the_core():
    made = budget(100.0, expected=1.0)  # +-5 % in 400 groups
    assert names(made.choose(groups(block=2))) == {"primes", "noop", "sleep"}
    assert names(made.choose(groups(block=3))) == {"primes"}
    assert names(budget(100.0, expected=0.05).choose(groups(block=3))) == {"primes", "noop", "sleep"}


def test_the_first_block_tells_how_long_the_asked_intervals_take():
    said = budget(60.0, expected=0.10, took=20.0).words(groups())  # a block of 60 s; four give +-5 %
    assert "a block takes 1.0 min, so 1 min hold 1" in said
    assert "intervals of +-5 % in all rows need 4 min, the core rows go first" in said
    assert "need" not in budget(600.0, expected=0.10, took=20.0).words(groups())
    assert budget(600.0).words(groups()) == ""
