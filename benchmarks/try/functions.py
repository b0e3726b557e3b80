"""Twelve functions that users bring, from those that any backend speeds up to those that none does."""

import hashlib
import time

import numpy as np
import pandas as pd
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

STRAGGLER = 600  # as long as so many other items
TABLE = make_classification(n_samples=400, n_features=12, random_state=0)


def compute(item):
    """Hash in C, which releases the interpreter's lock."""
    return hashlib.pbkdf2_hmac("sha256", b"%d" % item, b"salt", 40_000).hex()


def gil_bound(item):
    """Count in Python."""
    return sum(i % 7 for i in range(200_000)) + item


def numpy_threads(item):
    """Multiply matrices, which the library spreads over all cores."""
    a = np.random.default_rng(item).random((500, 500))
    return float((a @ a).trace())


def sklearn_fit(item):
    """Fit a small forest."""
    return float(RandomForestClassifier(n_estimators=10, random_state=item).fit(*TABLE).score(*TABLE))


def pandas_groups(item):
    """Group and aggregate a table."""
    rng = np.random.default_rng(item)
    frame = pd.DataFrame({"key": rng.integers(0, 500, 50_000), "value": rng.random(50_000)})
    return float(frame.groupby("key")["value"].agg(["mean", "std"]).sum().sum())


def waiting(item):
    """Wait for an answer from elsewhere."""
    time.sleep(0.03)
    return item


def tiny(item):
    """Do next to nothing."""
    return item + 1


def uneven(item):
    """Count in Python, for one item very long."""
    return sum(i % 7 for i in range(20_000 * (STRAGGLER if item == 1500 else 1)))


def large_inputs(item):
    """Add up 8 MB that come with the item."""
    return float(item.sum())


def large_outputs(item):
    """Draw and return 8 MB."""
    return np.random.default_rng(item).random(1_000_000)


def memory_bound(item):
    """Walk through 64 MB."""
    return float(np.arange(8_000_000, dtype=np.float64)[::7].sum()) + item


def random_walk(item):
    """Draw at random, anew at each call."""
    return float(np.random.default_rng().standard_normal(200_000).cumsum().max())


def arrays():
    """Return the items of `large_inputs`; their pages are shared until a worker gets its own."""
    return [np.full(1_000_000, float(i)) for i in range(40)]


COUNT = 2_000  # of items: a loop over them takes so long that a start-up of seconds may pay
ITEMS = {large_inputs: arrays, tiny: lambda: range(20_000)}
ALL = (
    compute,
    gil_bound,
    numpy_threads,
    sklearn_fit,
    pandas_groups,
    waiting,
    tiny,
    uneven,
    large_inputs,
    large_outputs,
    memory_bound,
    random_walk,
)


def items_of(function):
    """Return the items on which a function is tried."""
    return list(ITEMS.get(function, lambda: range(COUNT))())
