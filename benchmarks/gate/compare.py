"""Take the gate's rounds: reference, twin and candidate side by side in one run, and judge them.

python benchmarks/gate                      this tree against its parent
python benchmarks/gate --short              fewer rounds, no Ray: for CI
python benchmarks/gate --equal --record F   this tree on all sides, kept for the calibration; --times K for more
python benchmarks/gate --plant NAME         this tree against itself with a slow-down (planted.py): must fail
python benchmarks/gate --calibrate          what the recorded runs say, in reports/gate/calibration.md
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from gate import calibration
from gate.judge import Judgement, Outcome, Rounds, judge
from gate.planted import PLANTS
from gate.trees import SIDES, default_base, lay_out, nothing_to_compare
from raybench.model.errors import RaybenchError

PROBES = Path(__file__).parent / "probes.py"
LIMIT_S = 300
QUICK, ALL = ("command_line", "analysis", "runner"), ("command_line", "analysis", "runner", "ray")
ROUNDS = {"ray": 6}  # of the long gate; a head takes ten seconds to come and go
LONG, SHORT = 8, 6

Seconds = Mapping[str, float] | str  # seconds by benchmark, or why there are none


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What the rounds gave. `left_out`: probe -> why there is nothing to compare with."""

    rounds: tuple[Rounds, ...]
    probes: Mapping[str, str]  # benchmark -> its probe
    left_out: Mapping[str, str]


# --- rounds ---------------------------------------------------------------------------------------


def environment(tree: Path) -> dict[str, str]:
    """Build a probe's environment: the tree's own raybench, and bytecode kept, else every process compiles anew."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    path = os.pathsep.join([str(tree / "src"), str(PROBES.parents[1])])
    return kept | {"PYTHONPATH": path, "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}


def run_probe(probe: str, tree: Path) -> Seconds:
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


def take(probes: Mapping[str, int], laid: Mapping[str, Path], seed: int) -> Taken:
    """Run each probe's rounds, the three sides of each adjacent and in random order.

    A probe that a reference cannot run is left out, with the reason; one that only the candidate cannot run, twice,
    is a regression and raises.
    """
    rng = np.random.default_rng(seed)
    values: dict[str, list[dict[str, Mapping[str, float]]]] = {probe: [] for probe in probes}
    left_out: dict[str, str] = {}
    for number in range(max(probes.values())):
        for probe in [p for p, rounds in probes.items() if number < rounds and p not in left_out]:
            found = {side: run_probe(probe, laid[side]) for side in map(str, rng.permutation(SIDES))}
            if any(isinstance(one, str) for one in found.values()):  # a failure may be the machine's: once more
                found = {side: run_probe(probe, laid[side]) for side in found}
            bad = {side: one for side, one in found.items() if isinstance(one, str)}
            if set(bad) == {"candidate"}:
                raise SystemExit(f"gate: {probe} runs on the reference and not on this tree: {bad['candidate']}")
            if bad:
                left_out[probe] = next(iter(bad.values()))
            values[probe].append({side: one for side, one in found.items() if not isinstance(one, str)})
        print(f"gate: round {number + 1} of {max(probes.values())}", file=sys.stderr, flush=True)
    kept = {probe: rounds for probe, rounds in values.items() if probe not in left_out}
    return Taken(
        rounds=tuple(one for rounds in kept.values() for one in series(rounds)),
        probes={name: probe for probe, rounds in kept.items() for name in rounds[0]["reference"]},
        left_out=left_out,
    )


def series(found: Sequence[Mapping[str, Mapping[str, float]]]) -> Iterator[Rounds]:
    """Turn a probe's rounds around: one series per benchmark and side. New benchmarks have no reference yet."""
    shared = [name for name in found[0]["reference"] if all(name in side for one in found for side in one.values())]
    for name in shared:
        sides = {side: tuple(one[side][name] for one in found) for side in SIDES}
        yield Rounds(benchmark=name, unit="s", **sides)


def compare(probes: Mapping[str, int], laid: Mapping[str, Path], seed: int) -> tuple[Outcome, Taken, Taken | None]:
    """Take the rounds and judge them; measure anew whatever is suspected, with the probes that hold it."""
    taken = take(probes, laid, seed)
    first = tuple(judge(one) for one in taken.rounds)
    suspects = {j.benchmark for j in first if j.suspected}
    if not suspects:
        return Outcome(first=first), taken, None
    print(f"gate: measured again: {', '.join(sorted(suspects))}", file=sys.stderr)
    again = take({p: probes[p] for p in probes if p in {taken.probes[s] for s in suspects}}, laid, seed + 1)
    if again.left_out:
        raise SystemExit(f"gate: suspected, and could not be measured again: {', '.join(again.left_out)}")
    second = tuple(judge(one) for one in again.rounds if one.benchmark in suspects)
    return Outcome(first=first, again=second), taken, again


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


def number_file(path: Path, number: int, times: int) -> Path:
    """Name the file of one of several runs: aa.json becomes aa1.json, aa2.json ..."""
    return path if times == 1 else path.with_name(f"{path.stem}{number}{path.suffix}")


def run_gate(arguments: argparse.Namespace, base: str, number: int) -> int:
    """Take one gate, show it, record it where that is asked, and return 1 where something is slower."""
    probes = arguments.probes or (QUICK if arguments.short else ALL)
    rounds = arguments.rounds or (SHORT if arguments.short else LONG)
    counts = {probe: arguments.rounds or min(rounds, ROUNDS.get(probe, rounds)) for probe in probes}
    with lay_out(base, arguments.plant) as laid:
        outcome, taken, again = compare(counts, laid, seed=10 * number)
    against = f"`{base}`" if base else "itself" + (f", with the plant `{arguments.plant}`" if arguments.plant else "")
    text = f"Gate: this tree against {against}, ratios of one run\n\n{table(outcome, taken)}\n"
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
            "rounds": [asdict(one) for one in taken.rounds],
            "rounds_again": [asdict(one) for one in again.rounds] if again else [],
        }
        path = number_file(arguments.record, number, arguments.times)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record) + "\n", encoding="utf-8")
    if outcome.failed:
        print(f"gate: slower than {against}, twice: {', '.join(outcome.failed)}", file=sys.stderr)
    return 1 if outcome.failed else 0


def parse(words: Iterable[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", help="revision to compare with; default: the parent, or HEAD where files changed")
    parser.add_argument("--short", action="store_true", help=f"{SHORT} rounds, no Ray")
    parser.add_argument(
        "--rounds", type=int, help=f"default: {LONG} ({ROUNDS['ray']} with Ray), or {SHORT} with --short"
    )
    parser.add_argument("--probes", nargs="+", choices=ALL, help="default: all, without ray with --short")
    parser.add_argument("--equal", action="store_true", help="put this tree on all three sides")
    parser.add_argument("--plant", choices=sorted(PLANTS), default="", help="put a slow-down into the candidate")
    parser.add_argument("--record", type=Path, help="keep rounds and judgements in this file")
    parser.add_argument("--times", type=int, default=1, help="so many gates after each other, files numbered")
    parser.add_argument("--calibrate", action="store_true", help="only judge the records in reports/gate")
    parser.add_argument("--first", type=int, default=1, help="number of the first of them")
    return parser.parse_args(None if words is None else list(words))


def main() -> int:
    """Run the gate; 0 no slower, 1 slower (or not as promised), 2 the user's mistake."""
    arguments = parse()
    try:
        if arguments.calibrate:
            return calibration.main()
        base = "" if arguments.equal or arguments.plant else arguments.base or default_base()
        if base and (reason := nothing_to_compare(base)):
            print(f"gate: {reason}")
            return 0
        return max([run_gate(arguments, base, arguments.first + number) for number in range(arguments.times)])
    except RaybenchError as error:
        print(f"gate: {error}", file=sys.stderr)
        return 2
