"""Write reports/gate/calibration.md from recorded gates alone: replay, runs of equal code, planted slow-downs.

`python benchmarks/gate --calibrate`; the folder holds aaN.json, confirmN.json and plant-*.json.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gate.judge import Calibration, Rounds, replay
from gate.planted import PLANTS
from gate.trees import ROOT, SIDES
from raybench.model.errors import RaybenchError

PASSED, FOUND, RESAMPLES, RUNS = 0.98, 0.9, 1_000, 5  # what the gate must keep to

Record = Mapping[str, Any]


def records(folder: Path, pattern: str) -> dict[str, Record]:
    """Read the records by name, in the order of their numbers."""
    paths = sorted(folder.glob(pattern), key=lambda path: (len(path.stem), path.stem))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def rounds_of(found: Mapping[str, Record]) -> list[list[Rounds]]:
    """Rebuild the rounds of each recorded run."""
    return [
        [
            Rounds(benchmark=one["benchmark"], unit=one["unit"], **{side: tuple(one[side]) for side in SIDES})
            for one in record["rounds"]
        ]
        for record in found.values()
    ]


def show_replay(calibration: Calibration, runs: int) -> list[str]:
    """Tell what the replay gave."""
    lines = [
        f"{calibration.resamples:,} resamples of {runs} recorded runs of equal code, both looks: "
        f"{calibration.passed:.1%} passed (wanted: {PASSED:.0%}).",
        "A slow-down of twice the detectable effect, planted into one benchmark per resample:",
        "",
        "| benchmark | planted ratio (median) | named |",
        "|---|---:|---:|",
    ]
    lines += [
        f"| {name} | {calibration.planted[name]:.3f} | {share:.1%} |" for name, share in calibration.found.items()
    ]
    return [*lines, "", f"Least share: {min(calibration.found.values()):.1%} (wanted: {FOUND:.0%})."]


def show_runs(found: Mapping[str, Record]) -> list[str]:
    """Show each run's own outcome, one row per run."""
    lines = ["| run | benchmarks | suspected at first | slower, twice | outcome |", "|---|---:|---|---|---|"]
    for name, record in found.items():
        suspects = [one["benchmark"] for one in record["again"]]
        outcome = "fails" if record["failed"] else "passes"
        lines.append(
            f"| {name} | {len(record['first'])} | {', '.join(suspects) or 'none'} "
            f"| {', '.join(record['failed']) or 'none'} | {outcome} |"
        )
    return lines


def show_plants(found: Mapping[str, Record]) -> list[str]:
    """Show what the gate said of each planted slow-down."""
    lines = ["| plant | expected | named | ratio, detectable | outcome |", "|---|---|---|---:|---|"]
    for record in found.values():
        plant = PLANTS[record["plant"]]
        (judged,) = [one for one in record["first"] if one["benchmark"] == plant.named]
        lines.append(
            f"| {plant.about} | {plant.named} | {', '.join(record['failed']) or 'none'} "
            f"| {judged['ratio']:.3f}, {judged['detectable']:.3f} "
            f"| {'found' if plant.named in record['failed'] else 'missed'} |"
        )
    return lines


def is_as_promised(calibration: Calibration, runs: int, confirmed: Sequence[Record], plants: Sequence[Record]) -> bool:
    """Say whether the gate may stand in CI: replay, real runs and planted regressions all as promised."""
    return (
        runs >= RUNS
        and calibration.resamples >= RESAMPLES
        and calibration.passed >= PASSED
        and min(calibration.found.values()) >= FOUND
        and not any(record["failed"] for record in confirmed)
        and {record["plant"] for record in plants if PLANTS[record["plant"]].named in record["failed"]} == set(PLANTS)
    )


def page(folder: Path) -> tuple[str, bool]:
    """Return the page and whether all is as promised."""
    equal, confirmed, plants = (records(folder, pattern) for pattern in ("aa*.json", "confirm*.json", "plant-*.json"))
    if not equal:
        raise RaybenchError(f"no aa*.json in {folder}; record with --equal --times 5 --record")
    calibration = replay(rounds_of(equal), resamples=RESAMPLES)
    good = is_as_promised(calibration, len(equal), list(confirmed.values()), list(plants.values()))
    lines = [
        "# Calibration of the gate",
        "",
        "Written by `python benchmarks/gate --calibrate` from the records beside it.",
        f"Everything as promised: {'yes' if good else 'no'}.",
        "",
        "## Replay",
        "",
        *show_replay(calibration, len(equal)),
        "",
        "## Real runs of equal code",
        "",
        "The runs `aa` were resampled above; the runs `confirm` came later and were not.",
        "",
        *show_runs({**equal, **confirmed}),
        "",
        "## Planted regressions",
        "",
        *show_plants(plants),
    ]
    return "\n".join(lines) + "\n", good


def main() -> int:
    """Write and show the page; 1 where a promise is missed."""
    folder = ROOT / "reports" / "gate"
    text, good = page(folder)
    (folder / "calibration.md").write_text(text, encoding="utf-8")
    print(text)
    return 0 if good else 1
