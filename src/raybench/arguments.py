"""The grammar of the command line: verbs, their options and examples, with overrides between them."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from raybench import __version__
from raybench.model.visible import visible

Parser = argparse.ArgumentParser


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One verb of the command line.

    words : what it takes besides options, as its help says it; '' where it refuses words.
    options : add the verb's options. needs_linux : it pins processes or looks at the machine.
    examples : what `--help` shows, without `raybench`.
    """

    about: str
    examples: tuple[str, ...]
    words: str = ""
    options: tuple[Callable[[Parser], object], ...] = ()
    needs_linux: bool = False


OVERRIDES = "Hydra overrides: study=NAME, workloads=[...], backends=[...], cpus=[...] ..."


def _conf(parser: Parser) -> None:
    parser.add_argument("--conf", action="append", default=[], type=Path, help="a further configuration folder")


def _run(parser: Parser) -> None:
    parser.add_argument("--run", type=Path, help="a run's folder; default: the one named in reports/current")


def _root(parser: Parser) -> None:
    parser.add_argument("--root", type=Path, default=Path(), help="the folder of RESULTS.md and README.md")


def _no_report(parser: Parser) -> None:
    parser.add_argument("--no-report", action="store_true", help="measure only")
    parser.add_argument("--json", action="store_true", help="print the table at the end as JSON, all else to stderr")


def _export(parser: Parser) -> None:
    parser.add_argument("--format", choices=("parquet", "csv"), default="parquet")
    parser.add_argument("--out", type=Path, default=Path(), help="folder to write to")


def _trace(parser: Parser) -> None:
    parser.add_argument("--block", type=int, help="default: the block nearest to the median makespan")
    parser.add_argument("--out", type=Path, help="file to write; default: trace-CELL.json")


def _doctor(parser: Parser) -> None:
    parser.add_argument("--no-ray", action="store_true", help="do not start a Ray cluster")
    parser.add_argument("--address", help="look at this existing cluster instead of starting one")
    parser.add_argument("--clean", action="store_true", help="remove generated files and leftovers")


def _keep_logs(parser: Parser) -> None:
    parser.add_argument(
        "--keep-logs", action="store_true", help="keep what Ray Tune's loggers write, for `view tensorboard`"
    )


def _view(parser: Parser) -> None:
    parser.add_argument("--start", action="store_true", help="start it here instead of printing the command")
    parser.add_argument("--port", type=int, default=0, help="port of loopback; default: the program's own")


def _try(parser: Parser) -> None:
    parser.add_argument(
        "--inputs",
        metavar="SPEC",
        default="",
        help="Python expression, file (json, jsonl, csv, parquet, npy: an item per row) or module:callable",
    )
    parser.add_argument("--setup", default="", help="function called once per worker; its result is the first argument")
    parser.add_argument("--star", action="store_true", help="an item is a tuple of arguments")
    parser.add_argument("--cpus", default="", help="numbers of cores to try, as 1,2,4; default: all usable ones")
    parser.add_argument("--on", default="", help="numbers of cores of other machines, as 25: predicted only")
    parser.add_argument(
        "--backends", default="", help="threads, joblib, ray, ray_batched, library_threads; default: all"
    )
    parser.add_argument("--budget", default="60s", help="time for it, as 60s or 2m; a first calibration comes on top")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--save", type=Path, metavar="DIR", help="write the workload class and YAML for a study there")


def _calibrate(parser: Parser) -> None:
    parser.add_argument("--json", action="store_true", help="print the costs as JSON")


def _store(parser: Parser) -> None:
    parser.add_argument(
        "--tracking-uri",
        metavar="URI",
        default="sqlite:///mlflow.db",
        help="sqlite:///FILE or http://HOST:PORT of an MLflow server; default: mlflow.db in this folder",
    )


def _promote(parser: Parser) -> None:
    parser.add_argument("--alias", default="champion", help="of the model that is to be served; default: champion")
    parser.add_argument("--force", action="store_true", help="set the alias even where the model is no better")


def _compare(parser: Parser) -> None:
    parser.add_argument("--same", type=_share, default=0.05, metavar="5%", help="smaller changes are no change")
    parser.add_argument("--only-changed", action="store_true", help="show only what is better or worse")
    parser.add_argument("--format", choices=("text", "md", "json", "html"), default="text")
    parser.add_argument("--strict", action="store_true", help="exit 1 where anything is undecided, too")


def _share(text: str) -> float:
    """Read `5%` or `0.05`."""
    try:
        value = float(text.removesuffix("%").strip()) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share; expected a number above 0 % and below 100 %, e.g. 5%")
    return value


VERBS = {
    "try": Verb(
        about="tell in a minute whether a function of yours should be distributed, and with what",
        words="MODULE:FUNCTION or FILE.py:FUNCTION",
        options=(_try,),
        needs_linux=True,
        examples=(
            'try work.py:simulate --inputs "range(200)"',
            "try package.module:score --inputs rows.csv --on 25 --save mine",
        ),
    ),
    "calibrate": Verb(
        about="measure what each backend costs on this machine, for the predictions of `try`; half a minute",
        options=(_calibrate,),
        needs_linux=True,
        examples=("calibrate", "calibrate --json"),
    ),
    "plan": Verb(
        about="print every cell, why a cell will be skipped, and the estimated time; run nothing",
        words=OVERRIDES,
        options=(_conf,),
        needs_linux=True,
        examples=("plan study=quick", 'plan study=full "workloads=[xgb_hpo]" "cpus=[1,2]"'),
    ),
    "run": Verb(
        about="measure what is missing, in whole blocks up to the budget, then write the report",
        words=OVERRIDES,
        options=(_conf, _root, _no_report, _keep_logs),
        needs_linux=True,
        examples=("run study=quick", 'run --conf mine/conf study=quick "workloads=[collatz]" budget_min=5'),
    ),
    "verify": Verb(
        about="run every workload on every backend once and check the answers; time nothing",
        words=OVERRIDES,
        options=(_conf,),
        needs_linux=True,
        examples=('verify "workloads=[primes]"', 'verify --conf mine/conf "workloads=[collatz]" "backends=[joblib]"'),
    ),
    "report": Verb(
        about="rebuild RESULTS.md, the figures and the HTML report from raw data alone",
        options=(_conf, _run, _root),
        examples=("report", "report --root results --run results/reports/raw/MACHINE/quick/RUN"),
    ),
    "check": Verb(
        about="print the verdict of every claim; exit 1 where a document and the data disagree",
        options=(_conf, _run, _root),
        examples=("check", "check --conf mine/conf --root results"),
    ),
    "compare": Verb(
        about="compare two runs: what became better or worse; exit 1 where anything is worse",
        words="two runs: their folders, or folders of reports whose current runs are meant",
        options=(_conf, _compare),
        examples=(
            "compare reports/raw/MACHINE/quick/RUN reports",
            "compare A B --same 10% --only-changed --format html",
        ),
    ),
    "doctor": Verb(
        about="look at this machine: cores, load, memory, GPUs, data, steadiness; start, check and stop a Ray cluster",
        options=(_doctor,),
        needs_linux=True,
        examples=("doctor --no-ray", "doctor --address 10.0.0.5:6379"),
    ),
    "export": Verb(
        about="write a run's raw data as parquet or csv, with the JSON schema of a raw line",
        options=(_run, _export),
        examples=("export --format csv --out exported", "export --run reports/raw/MACHINE/quick/RUN"),
    ),
    "trace": Verb(
        about="write one measurement of a cell as a Chrome trace, for Perfetto",
        words="key of a cell, as `raybench plan` prints it",
        options=(_run, _trace),
        examples=("trace 0a1b2c3d4e5f", "trace 0a1b2c3d4e5f --block 2 --out trace.json"),
    ),
    "view": Verb(
        about="print the command that shows a run in MLflow, TensorBoard or Ray's dashboard, or start it on loopback",
        words="mlflow, tensorboard or ray, then a run's folder; default: the one named in reports/current",
        options=(_view, _store),
        examples=("view mlflow", "view tensorboard reports/raw/MACHINE/quick/RUN --start"),
    ),
    "track": Verb(
        about="write a recorded run into MLflow: its cells, trials and models; twice adds nothing",
        words="a run's folder; default: the one named in reports/current",
        options=(_store, _root),
        examples=("track", "track reports/raw/MACHINE/full/RUN --tracking-uri http://127.0.0.1:5000"),
    ),
    "promote": Verb(
        about="register the best model of a workload in MLflow; champion if it beats the present one",
        words="name of a workload",
        options=(_run, _store, _promote, _root),
        examples=("promote rf_hpo", "promote german_credit --run reports/raw/MACHINE/full/RUN --alias challenger"),
    ),
    "cell": Verb(
        about="take one measurement in this process and print it as JSON, for debugging",
        words=OVERRIDES,
        options=(_conf,),
        needs_linux=True,
        examples=(
            'cell study=smoke "workloads=[primes]" "backends=[sequential]" "cpus=[1]"',
            'cell --conf mine/conf study=smoke "workloads=[collatz]" "backends=[joblib]" "cpus=[2]"',
        ),
    ),
}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse; overrides may be given before, between and after the options. Exits with 2 and one line if it cannot."""
    parser = _parser()
    arguments, rest = parser.parse_known_args(argv)
    verb = arguments.verb
    if unknown := [word for word in rest if word.startswith("-")]:
        parser.error(f"unknown option {unknown[0]}; see raybench {verb} --help")
    arguments.overrides += rest
    if arguments.overrides and not VERBS[verb].words:
        hint = "; give a run's folder with --run" if _run in VERBS[verb].options else ""
        parser.error(f"{verb} takes no words, got {arguments.overrides[0]}{hint}")
    return arguments


class _OneLine(Parser):
    """A parser whose complaint is one line, and harmless to look at."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, visible(f"{self.prog}: {' '.join(message.split())}\n"))


def _parser() -> Parser:
    parser = _OneLine(
        prog="raybench",
        description="Measure whether distributing machine-learning work pays, and report it with evidence.",
        epilog="raybench VERB --help shows examples.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"raybench {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, verb in VERBS.items():
        sub = verbs.add_parser(
            name,
            help=verb.about,
            description=verb.about,
            epilog="\n".join(["examples:", *(f"  raybench {example}" for example in verb.examples)]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        sub.add_argument("overrides", nargs="*", help=verb.words or argparse.SUPPRESS)
        for add in verb.options:
            add(sub)
    return parser
