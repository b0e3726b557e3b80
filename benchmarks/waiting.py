"""What processes that wait cost the baseline, and whether Ray survives being frozen: `python benchmarks/waiting.py`.

One baseline process is sampled again and again; in every second pair the other processes of a group (joblib, Ray tasks,
Ray Tune) are alive and wait as they do in a study: Ray's trees frozen, joblib's not. With `--thawed` Ray's trees wait
without being frozen. The ratio of the two should be 1 within +-1 % on a quiet host, +-3 % on a contended one. Then a
Ray process is frozen for `--frozen-s` seconds and must go on as if nothing had happened.
"""

import argparse
import math
import secrets
from contextlib import ExitStack

from raybench.config import settings
from raybench.execution.member import Member
from raybench.execution.run_folder import plan_study
from raybench.execution.sandbox import Home
from raybench.execution.series import Order
from raybench.model.clock import pause
from raybench.model.log_ratio import log_ratio
from raybench.model.plan import Job, Status
from raybench.planning.groups import is_baseline

OTHERS = ("joblib", "ray_tasks", "ray_tune_fifo")


def jobs() -> list[Job]:
    """Return the processes of a group of the compute-bound search: its baseline first."""
    words = ["study=quick", "workloads=[xgb_hpo_friedman]", f"backends=[sequential,{','.join(OTHERS)}]", "cpus=[all]"]
    block = {job.cell.key: job for job in plan_study(settings.load(words)).jobs if job.block == 0 and job.replica == 1}
    return sorted(block.values(), key=lambda job: not is_baseline(job.cell))


def take(member: Member, place: int) -> float:
    """Take one sample; return the log of its seconds."""
    sample = member.sample(Order(round=place, place=place, cores=(member.job.affinity[0],)))
    if sample is None:
        raise SystemExit(f"{member.job.cell.backend.name} failed: {member.end().measurement.reason}")
    return math.log(sample.seconds)


def compare(home: Home, *, pairs: int, thawed: bool) -> list[float]:
    """Return log(baseline with others waiting) - log(alone), one for each pair; the order within a pair alternates."""
    baseline, *others = jobs()
    token = secrets.token_hex(32)
    differences: list[float] = []
    with Member(baseline, home, name="b", token=token) as member:
        take(member, 0)
        before = take(member, 1)
        for pair in range(pairs):
            with ExitStack() as stack:
                for place, job in enumerate(others):
                    other = stack.enter_context(Member(job, home, name=f"{pair}.{place}", token=token))
                    if thawed:
                        other.thaw()
                beside = (take(member, 2) + take(member, 3)) / 2
            after = take(member, 4)
            differences.append(beside - (before + after) / 2)
            before = after
            print(f"pair {pair}: {100 * math.expm1(differences[-1]):+.2f} %", flush=True)
    return differences


def survives(home: Home, seconds: float) -> bool:
    """Freeze a Ray process for so long; return whether it then takes a sample and ends in order."""
    job = next(job for job in jobs() if job.cell.backend.name == "ray_tasks")
    with Member(job, home, name="f", token=secrets.token_hex(32)) as member:
        take(member, 0)
        pause(seconds)  # a member is frozen between its samples
        take(member, 1)
        return member.end().measurement.status is Status.OK


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--thawed", action="store_true")
    parser.add_argument("--frozen-s", type=float, default=120.0)
    asked = parser.parse_args()
    with Home() as home:
        if asked.frozen_s:
            kept = survives(home, asked.frozen_s)
            print(f"Ray frozen for {asked.frozen_s:g} s: {'goes on' if kept else 'FAILED'}")
        if asked.pairs:
            low, high = log_ratio(compare(home, pairs=asked.pairs, thawed=asked.thawed)).interval(0.90)
            how = "thawed" if asked.thawed else "frozen"
            print(f"baseline beside {', '.join(OTHERS)} that wait {how} / alone: 90 % interval [{low:.4f}, {high:.4f}]")


if __name__ == "__main__":
    main()
