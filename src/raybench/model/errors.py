"""The errors a user can cause; each message is one line: what, where, expected, what to do."""

import errno
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager


class RaybenchError(Exception):
    """The user asked for something that cannot be done; `cli` prints the message and exits with 2."""


class BadSettings(RaybenchError):
    """A configuration file or an override is wrong."""


class BadStore(RaybenchError):
    """A raw-data file cannot be trusted: foreign schema, duplicate key, damaged line."""


class StoreInUse(RaybenchError):
    """Another `raybench run` holds this run's folder."""


class MissingData(RaybenchError):
    """A data file is neither in the data folder nor downloadable, or its checksum is wrong."""


class WrongAnswer(RaybenchError):
    """A workload's results are not the known right ones; the measurement is failed."""


class ClusterRefused(RaybenchError):
    """A cluster cannot be joined; the message names the cause."""


class BackendFailed(RaybenchError):
    """A backend could not run the tasks: not what was asked for, workers lost, results missing."""


class TaskTimedOut(RaybenchError):
    """One task ran longer than its own time-out, and the backend ended it."""


MOST_CHARACTERS = 500  # of a reason: it stands in a table


def one_line(error: BaseException) -> str:
    """Return what was raised as one printable line: `ValueError: the text`; a text too long is cut."""
    try:
        text = str(error)
    except Exception as broken:  # noqa: BLE001 - an exception of the user's own may not even have a text
        text = f"its text cannot be read ({type(broken).__name__})"
    words = " ".join(text[: 8 * MOST_CHARACTERS].split())[:MOST_CHARACTERS]
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)
    return f"{type(error).__name__}: {shown}" if shown else type(error).__name__


REMEDIES = {
    errno.ENOSPC: "make room on that disk (df -h, df -i)",
    errno.EDQUOT: "make room within your quota",
    errno.EROFS: "choose a folder that can be written to",
    errno.EACCES: "give this user the permission, or choose another folder",
    errno.EPERM: "give this user the permission, or choose another folder",
    errno.ENOENT: "name a path that exists, or run the command in a folder that does",
    errno.ENOTDIR: "name a folder where a file is named",
    errno.EISDIR: "name a file where a folder is named",
    errno.EEXIST: "name a path that is free, or remove what lies there",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "end programs that hold many files open",
    errno.EAGAIN: "raise the limit on processes (ulimit -u), or end other programs",
    errno.ENOMEM: "end other programs, or choose a smaller study",
    errno.ENAMETOOLONG: "choose a shorter name",
}


def remedy(error: OSError) -> str:
    """Return what to do about what the system refused, or ''."""
    return REMEDIES.get(error.errno or 0, "")


def explain(error: Exception) -> str:
    """Return one line for an error that no module expected: what the system refused and what to do, or our fault."""
    if isinstance(error, OSError) and error.errno is not None:
        path = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        if isinstance(error, FileNotFoundError) and not path:
            path = "the working folder: "
        reason = error.strerror or os.strerror(error.errno)
        reason = reason[:1].lower() + reason[1:]
        return f"{path}{reason}; {remedy(error) or 'set RAYBENCH_TRACEBACK=1 to see where'}"
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({os.path.basename(frames[-1].filename)}:{frames[-1].lineno})" if frames else ""
    return f"unexpected {one_line(error)}{place}; please report it, with what RAYBENCH_TRACEBACK=1 shows"


@contextmanager
def raised_by(what: str) -> Iterator[None]:
    """Turn whatever the user's code raises in the block, SystemExit and its kin too, into one line that names `what`.

    Only the line is kept: the exception itself may be one that pickle cannot rebuild in another process.
    Errors of our own pass through.
    """
    try:
        yield
        return
    except RaybenchError:
        raise
    except BaseException as error:  # noqa: BLE001 - user code may raise anything
        line = one_line(error)
    raise BackendFailed(f"{what} raised {line}")
