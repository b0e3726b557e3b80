"""The grammar of the command line: verbs, their options, and overrides between them."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from raybench import __version__

VERBS = {
    "plan": "print every cell, why a cell will be skipped, and the estimated time; run nothing",
    "run": "measure what is missing, in whole blocks up to the budget, then report",
    "verify": "run every workload on every backend once, check the answers, time nothing",
    "report": "rebuild RESULTS.md, figures and page from raw data alone",
    "doctor": "look at this machine: cores, quota, load, memory, GPUs, data; start, check and stop a Ray cluster",
    "check": "print the verdict of every claim; exit 1 where a document and the data disagree",
    "export": "write a run's raw data as parquet or csv, and the JSON schema of a raw line",
    "trace": "write a cell's measurement as a Chrome trace, for Perfetto",
    "cell": "take one measurement in this process and print it as JSON",
}

WORDLESS = ("report", "check", "export", "doctor")  # they work on a run's folder or the machine, not on a study


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse; overrides may stand before, between and after the options."""
    parser = _parser()
    arguments, rest = parser.parse_known_args(argv)
    if unknown := [word for word in rest if word.startswith("-")]:
        parser.error(f"unknown option {unknown[0]}; see raybench {arguments.verb} --help")
    arguments.overrides += rest
    if arguments.verb in WORDLESS and arguments.overrides:
        hint = "" if arguments.verb == "doctor" else "; a run's folder is given with --run"
        parser.error(f"{arguments.verb} takes no words, got {arguments.overrides[0]}{hint}")
    return arguments


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="raybench",
        description="Measure whether distributing machine-learning work pays, and report it with evidence.",
        epilog="overrides, e.g.: study=quick workloads=[xgb_hpo] backends=[sequential,ray_tasks] cpus=[1,2]",
    )
    parser.add_argument("--version", action="version", version=f"raybench {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb, about in VERBS.items():
        sub = verbs.add_parser(verb, help=about, description=about)
        what = "key of a cell" if verb == "trace" else "Hydra overrides: study=NAME, workloads=[...], cpus=[...] ..."
        sub.add_argument("overrides", nargs="*", help=argparse.SUPPRESS if verb in WORDLESS else what)
        sub.add_argument("--conf", action="append", default=[], type=Path, help="a further configuration folder")
        if verb in ("report", "check", "export", "trace"):
            sub.add_argument("--run", type=Path, help="a run's folder; without it the one named in reports/current")
        if verb in ("run", "report", "check"):
            sub.add_argument("--root", type=Path, default=Path(), help="where RESULTS.md and README.md are")
        if verb == "run":
            sub.add_argument("--no-report", action="store_true", help="measure only")
        if verb == "export":
            sub.add_argument("--format", choices=("parquet", "csv"), default="parquet")
            sub.add_argument("--out", type=Path, default=Path(), help="folder to write to")
        if verb == "trace":
            sub.add_argument("--block", type=int, help="block; without it the one nearest to the median makespan")
            sub.add_argument("--out", type=Path, help="file to write; without it trace-CELL.json")
        if verb == "doctor":
            sub.add_argument("--no-ray", action="store_true", help="do not start a Ray cluster")
            sub.add_argument("--address", help="show the status of this existing cluster instead of starting one")
            sub.add_argument("--clean", action="store_true", help="remove generated files and leftovers")
    return parser
