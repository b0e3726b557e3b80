"""Take the gate's rounds: reference, twin and candidate side by side in one run, and judge them (raybench.gate).

python benchmarks/gate.py                      this tree against its parent
python benchmarks/gate.py --short              fewer rounds, no Ray: for CI
python benchmarks/gate.py --equal --record F   this tree on all arms, kept for the calibration; --times K for more
python benchmarks/gate.py --plant NAME         this tree against itself with a slow-down (planted.py): must fail
python benchmarks/calibration.py               what the recorded runs say, in reports/gate/calibration.md
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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
PROBES = Path(__file__).parent / "suites" / "probes.py"
PARTS = ("src", "conf", "requirements", "pyproject.toml")  # of a tree: what decides how fast it is
ARMS = ("reference", "twin", "candidate")
LIMIT_S = 300
QUICK, ALL = ("command_line", "analysis", "runner"), ("command_line", "analysis", "runner", "ray")
ROUNDS = {"ray": 6}  # of the long gate; a head takes ten seconds to come and go
LONG, SHORT = 8, 6

sys.path[:0] = [str(ROOT / "src"), str(Path(__file__).parent)]  # this tree judges; the arms bring their own

from planted import PLANTS  # noqa: E402
from raybench.gate import Judgement, Outcome, Rounds, judge  # noqa: E402

Found = Mapping[str, float] | str  # seconds by benchmark, or why there are none


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What the rounds gave. `left_out`: probe -> why there is nothing to compare with."""

    rounds: tuple[Rounds, ...]
    probes: Mapping[str, str]  # benchmark -> its probe
    left_out: Mapping[str, str]


# --- trees ----------------------------------------------------------------------------------------


def git(*words: str) -> bytes:
    return subprocess.run(["git", "-C", str(ROOT), *words], check=True, capture_output=True).stdout


def exported(revision: str, folder: Path) -> None:
    """Unpack a revision's parts."""
    present = [part for part in PARTS if git("ls-tree", "--name-only", revision, part)]
    with tarfile.open(fileobj=BytesIO(git("archive", revision, *present))) as archive:
        archive.extractall(folder, filter="data")


def copied(folder: Path) -> None:
    """Copy this working tree's parts."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / part)


@contextmanager
def trees(base: str, plant: str) -> Iterator[dict[str, Path]]:
    """Lay out a compiled tree per arm; without a base all arms are this tree, the candidate with the plant."""
    with tempfile.TemporaryDirectory(prefix="raybench-gate-") as folder:
        laid = {arm: Path(folder) / letter for arm, letter in zip(ARMS, "abc", strict=True)}
        for arm, tree in laid.items():
            if base and arm != "candidate":
                exported(base, tree)
            else:
                copied(tree)
            if plant and arm == "candidate":
                PLANTS[plant].into(tree)
            compileall.compile_dir(tree / "src", quiet=1)
        yield laid


# --- rounds ---------------------------------------------------------------------------------------


def environment(tree: Path) -> dict[str, str]:
    """Build a probe's environment: the tree's own raybench, and bytecode kept, else every process compiles anew."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    path = os.pathsep.join([str(tree / "src"), str(PROBES.parents[1])])
    return kept | {"PYTHONPATH": path, "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}


def probed(probe: str, tree: Path) -> Found:
    """Run a probe on a tree in a fresh process."""
    command = [sys.executable, str(PROBES), probe]
    try:
        done = subprocess.run(
            command, env=environment(tree), cwd=tree, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"took longer than {LIMIT_S} s"
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
    said = json.loads(done.stdout.strip().splitlines()[-1])
    if not Path(said["raybench"]).is_relative_to(tree):
        raise SystemExit(f"gate: {probe} measured {said['raybench']}, expected the raybench of {tree}")
    seconds: dict[str, float] = said["seconds"]
    return seconds


def taken(probes: Mapping[str, int], laid: Mapping[str, Path], seed: int) -> Taken:
    """Run each probe's rounds, the three arms of each adjacent and in random order.

    A probe that a reference cannot run is left out, with the reason; one that only the candidate cannot run, twice,
    is a regression and raises.
    """
    rng = np.random.default_rng(seed)
    values: dict[str, list[dict[str, Mapping[str, float]]]] = {probe: [] for probe in probes}
    left_out: dict[str, str] = {}
    for number in range(max(probes.values())):
        for probe in [p for p, rounds in probes.items() if number < rounds and p not in left_out]:
            found = {arm: probed(probe, laid[arm]) for arm in map(str, rng.permutation(ARMS))}
            if any(isinstance(one, str) for one in found.values()):  # a failure may be the machine's: once more
                found = {arm: probed(probe, laid[arm]) for arm in found}
            bad = {arm: one for arm, one in found.items() if isinstance(one, str)}
            if set(bad) == {"candidate"}:
                raise SystemExit(f"gate: {probe} runs on the reference and not on this tree: {bad['candidate']}")
            if bad:
                left_out[probe] = next(iter(bad.values()))
            values[probe].append({arm: one for arm, one in found.items() if not isinstance(one, str)})
        print(f"gate: round {number + 1} of {max(probes.values())}", file=sys.stderr, flush=True)
    kept = {probe: rounds for probe, rounds in values.items() if probe not in left_out}
    return Taken(
        rounds=tuple(one for rounds in kept.values() for one in as_rounds(rounds)),
        probes={name: probe for probe, rounds in kept.items() for name in rounds[0]["reference"]},
        left_out=left_out,
    )


def as_rounds(found: Sequence[Mapping[str, Mapping[str, float]]]) -> Iterator[Rounds]:
    """Turn a probe's rounds around: one series per benchmark and arm. New benchmarks have no reference yet."""
    shared = [name for name in found[0]["reference"] if all(name in arm for one in found for arm in one.values())]
    for name in shared:
        arms = {arm: tuple(one[arm][name] for one in found) for arm in ARMS}
        yield Rounds(benchmark=name, unit="s", **arms)


def gated(probes: Mapping[str, int], laid: Mapping[str, Path], seed: int) -> tuple[Outcome, Taken, Taken | None]:
    """Take the rounds and judge them; measure anew whatever is suspected, with the probes that hold it."""
    began = taken(probes, laid, seed)
    first = tuple(judge(one) for one in began.rounds)
    suspects = {j.benchmark for j in first if j.suspected}
    if not suspects:
        return Outcome(first=first), began, None
    print(f"gate: measured again: {', '.join(sorted(suspects))}", file=sys.stderr)
    again = taken({p: probes[p] for p in probes if p in {began.probes[s] for s in suspects}}, laid, seed + 1)
    if again.left_out:
        raise SystemExit(f"gate: suspected, and could not be measured again: {', '.join(again.left_out)}")
    second = tuple(judge(one) for one in again.rounds if one.benchmark in suspects)
    return Outcome(first=first, again=second), began, again


# --- words ----------------------------------------------------------------------------------------


def table(outcome: Outcome, taken: Taken) -> str:
    """Show every benchmark with base seconds, ratio, threshold, detectable effect and n, as Markdown."""
    again = {j.benchmark: j for j in outcome.again}
    lines = [
        "| benchmark | reference (median) | ratio | suspected above | detectable | n | verdict |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    for j, of in zip(outcome.first, taken.rounds, strict=True):
        base = float(np.median(of.reference))
        lines.append(
            f"| {j.benchmark} | {base:.4g} {of.unit} | {j.ratio:.3f} | {j.threshold:.3f} | {j.detectable:.3f} "
            f"| {j.n} | {verdict(j, again.get(j.benchmark))} |"
        )
    lines += [f"| {probe} | | | | | | left out: {why} |" for probe, why in taken.left_out.items()]
    return "\n".join(lines)


def verdict(first: Judgement, again: Judgement | None) -> str:
    if again is None:
        return "pass"
    word = "**slower**" if again.suspected else "pass"
    return f"{word}; suspected, measured again: {again.ratio:.3f} against {again.threshold:.3f}, n={again.n}"


def nothing_to_compare(base: str) -> str:
    """Say why there is nothing to measure, or ''. A revision that is not here is an error."""
    try:
        git("rev-parse", "--verify", "--quiet", f"{base}^{{commit}}")
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"gate: revision {base} is not here; fetch more history, or give --base REVISION") from error
    return "" if git("diff", "--name-only", base, "--", *PARTS) else f"nothing that is measured differs from {base}"


def numbered(path: Path, number: int, times: int) -> Path:
    """Name the file of one of several runs: aa.json becomes aa1.json, aa2.json ..."""
    return path if times == 1 else path.with_name(f"{path.stem}{number}{path.suffix}")


def measured(arguments: argparse.Namespace, base: str, number: int) -> int:
    """Take one gate, show it, record it where that is asked, and return 1 where something is slower."""
    probes = arguments.probes or (QUICK if arguments.short else ALL)
    rounds = arguments.rounds or (SHORT if arguments.short else LONG)
    counts = {probe: arguments.rounds or min(rounds, ROUNDS.get(probe, rounds)) for probe in probes}
    with trees(base, arguments.plant) as laid:
        outcome, began, again = gated(counts, laid, seed=10 * number)
    against = f"`{base}`" if base else "itself" + (f", with the plant `{arguments.plant}`" if arguments.plant else "")
    text = f"Gate: this tree against {against}, ratios of one run\n\n{table(outcome, began)}\n"
    print(text, flush=True)
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with open(summary, "a", encoding="utf-8") as page:
            page.write(text)
    if arguments.record:
        record = {
            "equal": arguments.equal,
            "plant": arguments.plant,
            "failed": outcome.failed,
            "first": [asdict(one) for one in outcome.first],
            "again": [asdict(one) for one in outcome.again],
            "rounds": [asdict(one) for one in began.rounds],
            "rounds_again": [asdict(one) for one in again.rounds] if again else [],
        }
        path = numbered(arguments.record, number, arguments.times)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record) + "\n", encoding="utf-8")
    if outcome.failed:
        print(f"gate: slower than {against}, twice: {', '.join(outcome.failed)}", file=sys.stderr)
    return 1 if outcome.failed else 0


def arguments_of(words: Iterable[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", help="revision to compare with; default: the parent, or HEAD where files changed")
    parser.add_argument("--short", action="store_true", help=f"{SHORT} rounds, no Ray")
    parser.add_argument(
        "--rounds", type=int, help=f"default: {LONG} ({ROUNDS['ray']} with Ray), or {SHORT} with --short"
    )
    parser.add_argument("--probes", nargs="+", choices=ALL, help="default: all, without ray with --short")
    parser.add_argument("--equal", action="store_true", help="put this tree on all three arms")
    parser.add_argument("--plant", choices=sorted(PLANTS), default="", help="put a slow-down into the candidate")
    parser.add_argument("--record", type=Path, help="keep rounds and judgements in this file")
    parser.add_argument("--times", type=int, default=1, help="so many gates after each other, files numbered")
    parser.add_argument("--first", type=int, default=1, help="number of the first of them")
    return parser.parse_args(None if words is None else list(words))


def main() -> int:
    arguments = arguments_of()
    dirty = bool(git("status", "--porcelain", "--", *PARTS).strip())
    base = "" if arguments.equal or arguments.plant else arguments.base or ("HEAD" if dirty else "HEAD^")
    if base and (reason := nothing_to_compare(base)):
        print(f"gate: {reason}")
        return 0
    return max([measured(arguments, base, arguments.first + number) for number in range(arguments.times)])


if __name__ == "__main__":
    sys.exit(main())
