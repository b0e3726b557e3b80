"""The tracking store: how it is reached, and what its troubles mean in one sentence each."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from requests.exceptions import RequestException
from sqlalchemy.exc import SQLAlchemyError

from raybench.model.errors import BadSettings, RaybenchError, one_line

DEFAULT = "sqlite:///mlflow.db"
SERVERS, DATABASES = ("http", "https"), ("sqlite", "postgresql", "mysql", "mssql")
EXPECTED = "expected sqlite:///FILE, http://HOST:PORT of an MLflow server, or the URI of a database"
SQLITE = "sqlite:///"
MAGIC = b"SQLite format 3\x00"
# What MLflow or the database says -> what it means, and what to do.
TROUBLES = {
    "database is locked": "locked by another process; end it or wait, then run the same command again",
    "out-of-date database schema": "written by an older MLflow; back it up, then run `mlflow db upgrade {uri}`",
    "Can't locate revision": "written by a newer MLflow than the one installed here; install that one",
    "database or disk is full": "no room on its disk; make room (df -h), then run the same command again",
    "disk I/O error": "its disk refuses to write; make room (df -h, ulimit -f), then run the same command again",
    "readonly database": "may not be written to; give this user the permission, or choose another file",
    "unable to open database file": "cannot be opened; name a file in a folder that exists and can be written to",
    "Connection refused": "no server answers there; start it with `mlflow server`, or mend the URI",
    "Max retries exceeded": "no server answers there; start it with `mlflow server`, or mend the URI",
    "Failed to establish a new connection": "no server answers there; start it with `mlflow server`, or mend the URI",
    "API request to": "what answers there is no MLflow server, or not in time; mend the URI",
}


class TrackingFailed(RaybenchError):
    """The tracking store could not be read or written; what is measured is not touched."""


def connect(uri: str) -> MlflowClient:
    """Return a client of a store that has answered; TrackingFailed or BadSettings say in one line why it cannot be."""
    for name in ("mlflow", "alembic"):  # they tell of migrations and of URLs
        logging.getLogger(name).setLevel(logging.ERROR)
    kind = urlsplit(uri).scheme.partition("+")[0]
    if kind not in SERVERS + DATABASES:
        raise BadSettings(f"--tracking-uri {shown(uri)}: no tracking store; {EXPECTED}")
    if kind == "sqlite":
        _check_file(uri)
    with explained(uri):
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        client.search_experiments(max_results=1)
    return client


def shown(uri: str) -> str:
    """Return the URI without a password."""
    parts = urlsplit(uri)
    return uri.replace(f":{parts.password}@", ":***@") if parts.password else uri


@contextmanager
def explained(uri: str) -> Iterator[None]:
    """Turn what MLflow, a database or a connection raises into TrackingFailed with one line."""
    try:
        yield
    except (MlflowException, SQLAlchemyError, RequestException) as error:
        text = str(error)
        known = (meaning for said, meaning in TROUBLES.items() if said in text)
        meaning = next(known, f"{one_line(error)}; nothing measured is lost")
        raise TrackingFailed(f"{shown(uri)}: {meaning.format(uri=shown(uri))}") from error


def _check_file(uri: str) -> None:
    """Refuse a file that SQLite would take many tries to refuse, or would not: MLflow tries again for minutes."""
    if not uri.startswith(SQLITE) or uri == SQLITE:
        raise BadSettings(f"--tracking-uri {uri}: names no file; expected {DEFAULT}, or {SQLITE}/absolute/path")
    path = Path(uri.removeprefix(SQLITE).partition("?")[0])
    if not path.parent.is_dir():
        raise BadSettings(f"--tracking-uri {uri}: no folder {path.parent}; name a file in a folder that exists")
    if path.exists():
        with path.open("rb") as file:
            begin = file.read(len(MAGIC))
        if begin not in (b"", MAGIC):
            raise BadSettings(f"--tracking-uri {uri}: {path} is no SQLite database; name another file")
