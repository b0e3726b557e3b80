"""Primes: small counts known by hand, the published count at the source's size."""

from raybench.backends.base import execute
from raybench.workloads.primes import Primes, _sieve


def test_ranges_of_fifty_up_to_two_hundred_hold_15_10_10_and_11_primes() -> None:
    workload = Primes(n=200, chunk=50)
    assert [execute(workload, task, None).answer for task in workload.tasks(1)] == [15, 10, 10, 11]


def test_the_range_includes_n() -> None:
    workload = Primes(n=7, chunk=7)
    assert [execute(workload, task, None).answer for task in workload.tasks(1)] == [4]


def test_the_sieve_counts_the_published_17984_primes_up_to_200000() -> None:
    assert int(_sieve(200_000).sum()) == 17_984


def test_the_source_size_answers_17984_in_all() -> None:
    workload = Primes(n=200_000, chunk=20_000)
    tasks = workload.tasks(1)
    results = [execute(workload, task, None) for task in tasks]
    workload.check(tasks, results, 1)
    assert workload.score(tasks, results, 1) == {"primes": 17_984.0}
