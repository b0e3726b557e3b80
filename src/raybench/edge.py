"""The edge of the process: where signals, streams and errors of any kind become one line and an exit code."""

import argparse
import io
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

from raybench.arguments import VERBS, parse
from raybench.model.errors import RaybenchError, explain
from raybench.model.visible import visible

USER_ERROR = 2
INTERRUPTED = 130

Verb = Callable[[argparse.Namespace], int]


def run(verbs: Mapping[str, Verb], argv: Sequence[str] | None) -> int:
    """Parse the command line and run its verb; return the exit code.

    RAYBENCH_TRACEBACK=1 lets an unexpected error through with its traceback.
    """
    _catch_signals()
    _prepare_streams()
    try:
        arguments = parse(argv)
    except SystemExit as end:  # --help, --version, or a wrong command line; its text is written
        return _finish(int(end.code or 0))
    return _finish(_run_verb(verbs, arguments))


def say(text: str, stream: TextIO | None = None) -> None:
    """Print text on standard output, or the stream, with nothing in it that steers a terminal."""
    print(visible(text), file=stream)


def _run_verb(verbs: Mapping[str, Verb], arguments: argparse.Namespace) -> int:
    """Run the verb; the one place where an error of any kind becomes a line and an exit code."""
    name = f"raybench {arguments.verb}"
    try:
        _check_system(arguments.verb)
        return verbs[arguments.verb](arguments)
    except RaybenchError as error:
        return _refuse(name, str(error))
    except KeyboardInterrupt:
        say(f"{name}: interrupted; everything measured so far is kept", sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # `raybench plan | head`
        _drop_output()
        return 0
    except Exception as error:  # no error of the system or a library reaches the user as a traceback
        if os.environ.get("RAYBENCH_TRACEBACK"):
            raise
        return _refuse(name, explain(error))


def _refuse(name: str, reason: str) -> int:
    say(f"{name}: {' '.join(reason.split())}", sys.stderr)
    return USER_ERROR


def _finish(code: int) -> int:
    """Return the exit code once the output has been taken; a reader that has gone is no fault, a full disk is."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = 0
    except OSError as error:
        code = _refuse("raybench", f"standard output: {explain(error)}")
    else:
        return code
    _drop_output()
    return code


def _drop_output() -> None:
    """Send what is still buffered nowhere, else Python complains at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _prepare_streams() -> None:
    """Make both streams take any text: closed ones swallow it, those of a poor encoding get escapes."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the shell: `>&-`
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - as long as the process
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _catch_signals() -> None:
    """End as with Ctrl-C where the terminal closes or the process is asked to end."""
    for signum in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        if signal.getsignal(signum) is not signal.SIG_IGN:  # `nohup raybench run` goes on
            signal.signal(signum, _interrupt)


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


def _check_system(verb: str) -> None:
    """Refuse the verbs that pin processes and read /proc where the system is not Linux."""
    if VERBS[verb].needs_linux and not hasattr(os, "sched_getaffinity"):
        others = ", ".join(name for name, other in VERBS.items() if not other.needs_linux)
        raise RaybenchError(f"needs Linux, this is {sys.platform}; what works here on recorded runs: {others}")
