"""The errors a user can cause; each message is one line: what, where, expected, what to do."""


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


class BackendFailed(RaybenchError):
    """A backend could not run the bag: not what was asked for, workers lost, results missing."""


class TaskTimedOut(RaybenchError):
    """One task ran longer than its own time-out, and the backend ended it."""
