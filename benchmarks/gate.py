"""Take the gate's rounds: reference, twin and candidate side by side in one run, and judge them (raybench.gate).

python benchmarks/gate.py                      this tree against its parent
python benchmarks/gate.py --short              fewer rounds, no Ray: for CI
python benchmarks/gate.py --equal --record F   equal code on all arms, for the calibration
python benchmarks/gate.py --calibrate F...     replay recorded runs of equal code
"""

import argparse
import compileall
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
PROBES = Path(__file__).parent / "suites" / "probes.py"
PARTS = ("src", "conf", "requirements", "pyproject.toml")  # of a tree: what decides how fast it is
ARMS = ("reference", "twin", "candidate")
LIMIT_S = 300
QUICK, ALL = ("command_line", "analysis", "runner"), ("command_line", "analysis", "runner", "ray")
Values = dict[str, dict[str, list[float]]]  # benchmark -> arm -> one value per round

sys.path.insert(0, str(ROOT / "src"))  # this script judges with this tree; the arms bring their own

from raybench.gate import Judgement, Outcome, Rounds, judge, replay  # noqa: E402


def git(*words: str) -> bytes:
    return subprocess.run(["git", "-C", str(ROOT), *words], check=True, capture_output=True).stdout


def exported(revision: str, folder: Path) -> Path:
    """Unpack a revision's parts."""
    present = [part for part in PARTS if git("ls-tree", "--name-only", revision, part)]
    with tarfile.open(fileobj=BytesIO(git("archive", revision, *present))) as archive:
        archive.extractall(folder, filter="data")
    return compiled(folder)


def copied(folder: Path) -> Path:
    """Copy this working tree's parts."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / part)
    return compiled(folder)


def compiled(folder: Path) -> Path:
    compileall.compile_dir(folder / "src", quiet=1)
    return folder


def probed(probe: str, tree: Path) -> dict[str, float] | str:
    """Run a probe on a tree in a fresh process: named costs, or why there are none."""
    path = os.pathsep.join([str(tree / "src"), str(PROBES.parents[1])])
    environment = os.environ | {"PYTHONPATH": path, "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}
    command = [sys.executable, str(PROBES), probe]
    try:
        done = subprocess.run(
            command, env=environment, cwd=tree, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"took longer than {LIMIT_S} s"
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def taken(probes: Iterable[str], trees: dict[str, Path], rounds: int, seed: int) -> tuple[Values, dict[str, str]]:
    """Run the rounds, the three arms of each probe adjacent and in random order.

    A probe that the reference cannot run is left out, with the reason; one that only the candidate
    cannot run is a regression and raises.
    """
    rng = np.random.default_rng(seed)
    values: Values = {}
    left_out: dict[str, str] = {}
    for number in range(rounds):
        for probe in [p for p in probes if p not in left_out]:
            found = {arm: probed(probe, trees[arm]) for arm in rng.permutation(ARMS)}
            bad = {arm: why for arm, why in found.items() if isinstance(why, str)}
            if set(bad) == {"candidate"}:
                raise SystemExit(f"gate: {probe} runs on the reference and not on this tree: {bad['candidate']}")
            if bad:
                left_out[probe] = next(iter(bad.values()))
                continue
            for arm, costs in found.items():
                for name, cost in costs.items():
                    values.setdefault(name, {a: [] for a in ARMS})[arm].append(cost)
        print(f"gate: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return values, left_out


def as_rounds(values: Values) -> list[Rounds]:
    return [
        Rounds(
            benchmark=name,
            unit="s",
            reference=tuple(arms["reference"]),
            twin=tuple(arms["twin"]),
            candidate=tuple(arms["candidate"]),
        )
        for name, arms in values.items()
        if len({len(arm) for arm in arms.values()}) == 1
    ]


def table(outcome: Outcome, rounds: Sequence[Rounds], left_out: dict[str, str]) -> str:
    """Show every benchmark with base seconds, ratio, threshold, detectable effect and n, as Markdown."""
    again = {j.benchmark: j for j in outcome.again}
    lines = [
        "| benchmark | reference (median) | ratio | suspected above | detectable | n | verdict |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    for j, of in zip(outcome.first, rounds, strict=True):
        base = float(np.median(of.reference))
        lines.append(
            f"| {j.benchmark} | {base:.4g} {of.unit} | {j.ratio:.3f} | {j.threshold:.3f} | {j.detectable:.3f} "
            f"| {j.n} | {verdict(j, again.get(j.benchmark))} |"
        )
    lines += [f"| {probe} | | | | | | left out: {why} |" for probe, why in left_out.items()]
    return "\n".join(lines)


def verdict(first: Judgement, again: Judgement | None) -> str:
    if again is None:
        return "pass"
    word = "**slower**" if again.suspected else "pass"
    return f"{word}; suspected, measured again: {again.ratio:.3f} against {again.threshold:.3f}, n={again.n}"


def look_again(
    first: Sequence[Judgement], probes: Sequence[str], trees: dict[str, Path], rounds: int
) -> tuple[Judgement, ...]:
    """Measure anew whatever is suspected; only the probes that hold it run."""
    suspects = {j.benchmark for j in first if j.suspected}
    if not suspects:
        return ()
    print(f"gate: measured again: {', '.join(sorted(suspects))}", file=sys.stderr)
    holding = [probe for probe in probes if suspects & set(names_of(probe, trees["reference"]))]
    values, _ = taken(holding, trees, rounds, seed=2)
    return tuple(judge(one) for one in as_rounds(values) if one.benchmark in suspects)


def names_of(probe: str, tree: Path) -> Sequence[str]:
    found = probed(probe, tree)
    return [] if isinstance(found, str) else list(found)


def nothing_to_compare(base: str, *, equal: bool) -> str:
    """Say why there is nothing to measure, or ''. A revision that is not here is an error."""
    try:
        git("rev-parse", "--verify", "--quiet", f"{base}^{{commit}}")
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"gate: revision {base} is not here; fetch more history, or give --base REVISION") from error
    changed = git("diff", "--name-only", base, "--", *PARTS)
    return "" if equal or changed else f"nothing that is measured differs from {base}"


def measured(arguments: argparse.Namespace) -> int:
    dirty = bool(git("status", "--porcelain", "--", *PARTS).strip())
    base = arguments.base or ("HEAD" if dirty or arguments.equal else "HEAD^")
    if reason := nothing_to_compare(base, equal=arguments.equal):
        print(f"gate: {reason}")
        return 0
    probes = arguments.probes or (QUICK if arguments.short else ALL)
    rounds = arguments.rounds or (6 if arguments.short else 12)
    with tempfile.TemporaryDirectory(prefix="raybench-gate-") as folder:
        place = Path(folder)
        trees = {arm: place / letter for arm, letter in zip(ARMS, "abc", strict=True)}
        for arm, tree in trees.items():
            copied(tree) if arm == "candidate" and not arguments.equal else exported(base, tree)
        values, left_out = taken(probes, trees, rounds, seed=1)
        found = as_rounds(values)
        first = tuple(judge(one) for one in found)
        outcome = Outcome(first=first, again=look_again(first, probes, trees, rounds))
    text = f"Gate: this tree against `{base}`, ratios of one run\n\n{table(outcome, found, left_out)}\n"
    print(text)
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with open(summary, "a", encoding="utf-8") as page:
            page.write(text)
    if arguments.record:
        record = {"equal": arguments.equal, "failed": outcome.failed, "rounds": [asdict(one) for one in found]}
        arguments.record.parent.mkdir(parents=True, exist_ok=True)
        arguments.record.write_text(json.dumps(record) + "\n", encoding="utf-8")
    if outcome.failed:
        print(f"gate: slower than {base}, twice: {', '.join(outcome.failed)}", file=sys.stderr)
    return 1 if outcome.failed else 0


def recorded(one: dict[str, Any]) -> Rounds:
    """Rebuild rounds from their JSON form."""
    arms = {arm: tuple(one[arm]) for arm in ARMS}
    return Rounds(benchmark=one["benchmark"], unit=one["unit"], **arms)


def calibrated(files: Sequence[Path]) -> int:
    """Replay recorded runs of equal code: the gate must pass 98 % of them and find 90 % of what is planted."""
    runs: list[list[Rounds]] = []
    for path in files:
        record = json.loads(path.read_text(encoding="utf-8"))
        runs.append([recorded(one) for one in record["rounds"]])
    found = replay(runs)
    print(f"runs {len(runs)}, resamples {found.resamples}: passed {found.passed:.1%} of equal code\n")
    print("| benchmark | planted ratio (median) | found |\n|---|---:|---:|")
    for name, share in found.found.items():
        print(f"| {name} | {found.planted[name]:.3f} | {share:.1%} |")
    return 0 if found.passed >= 0.98 and min(found.found.values()) >= 0.9 else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", help="revision to compare with; default: the parent, or HEAD where files changed")
    parser.add_argument("--short", action="store_true", help="six rounds, no Ray")
    parser.add_argument("--rounds", type=int, help="default: 12, or 6 with --short")
    parser.add_argument("--probes", nargs="+", choices=ALL, help="default: all, without ray with --short")
    parser.add_argument("--equal", action="store_true", help="put the reference on all three arms")
    parser.add_argument("--record", type=Path, help="keep the raw rounds in this file")
    parser.add_argument("--calibrate", nargs="+", type=Path, metavar="FILE", help="replay files of --equal --record")
    arguments = parser.parse_args()
    return calibrated(arguments.calibrate) if arguments.calibrate else measured(arguments)


if __name__ == "__main__":
    sys.exit(main())
