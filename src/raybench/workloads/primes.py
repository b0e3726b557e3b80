"""Count the primes up to n by trial division, the range split into chunks."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from raybench.model.errors import WrongAnswer
from raybench.model.measurement import Progress, Task, TaskResult
from raybench.workloads.answers import demand_equal
from raybench.workloads.base import Workload
from raybench.workloads.ranges import range_tasks

PUBLISHED = (200_000, 17_984)  # pi(200000): the source system's own answer, and number theory's


@dataclass(frozen=True, kw_only=True)
class Primes(Workload):
    """Candidates 1 .. n in equal ranges of unequal cost: the divisors tried grow with the candidate's square root.

    A task covers start + 1 .. stop.
    """

    n: int
    chunk: int

    def tasks(self, seed: int) -> list[Task]:
        return range_tasks(self.n, self.chunk)

    def run(self, task: Task, context: Any) -> Iterator[Progress]:
        candidates = range(task.params["start"] + 1, task.params["stop"] + 1)
        yield Progress(answer=sum(_is_prime(k) for k in candidates))

    def check(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> None:
        """Compare every range with a sieve, and the sieve with the published count."""
        prime = _sieve(self.n)
        top, count = PUBLISHED
        if self.n >= top and int(prime[: top + 1].sum()) != count:
            raise WrongAnswer(f"primes: the sieve disagrees with the published {count} primes up to {top}")
        demand_equal("primes", results, [int(prime[t.params["start"] + 1 : t.params["stop"] + 1].sum()) for t in tasks])

    def score(self, tasks: Sequence[Task], results: Sequence[TaskResult], seed: int) -> dict[str, float]:
        return {"primes": float(sum(r.answer for r in results))}

    def warm_up(self, seed: int) -> list[Task]:
        return range_tasks(10, 10)


def _is_prime(k: int) -> bool:
    return k > 1 and all(k % d for d in range(2, math.isqrt(k) + 1))


def _sieve(n: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Mark the primes among 0 .. n (Eratosthenes)."""
    prime = np.ones(n + 1, dtype=bool)
    prime[:2] = False
    for k in range(2, math.isqrt(n) + 1):
        if prime[k]:
            prime[k * k :: k] = False
    return prime
