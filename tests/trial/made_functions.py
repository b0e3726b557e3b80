"""Functions to try, good and bad; found by their file, as a user's are."""

import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from raybench.trial import probes

STEPS = 20_000
HELD = []


def compute(x):
    return sum(i % 7 for i in range(STEPS)) + x  # over a global of the module


def wait(x):
    time.sleep(0.02)
    return x


def tiny(x):
    return x + 1


def add(a, b):
    return a + b


def with_state(state, x):
    return state + x


def state():
    return 100


def raise_on_six(x):
    if x == 6:
        raise ValueError("planted")
    return x


def leave(x):
    sys.exit(3)


def die(x):
    os._exit(9)


def say(x):
    print("hello")  # noqa: T201 - that is what it is for
    return x


def closure(x):
    return lambda: x


def draw(x):
    return float(np.random.default_rng().random())


def append(x):
    x.append(1)
    return len(x)


def large(x):
    return np.zeros(500 * 2**20 // 8)


def write(x):
    with Path("shared.txt").open("a") as file:
        file.write("x")
    return x


def generate(x):
    yield x


def own_pool(x):
    with ProcessPoolExecutor(2) as pool:
        return sum(pool.map(abs, range(4)))


def open_gpu(x):
    probes.GPU_FILES = ("/dev/zero",)  # stands in for the device file of a GPU
    HELD.append(Path("/dev/zero").open("rb"))  # noqa: SIM115 - a driver keeps it open, too
    return x
