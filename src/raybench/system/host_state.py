"""How steady this host is: speed of its cores alone and together, and how the speed wanders within seconds.

The same CPU name can be a quiet machine (spread 1 %) or a contended one (12 %, and 1.8 times slower). Ten seconds of
fixed work tell which, before a study believes a number.
"""

import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from raybench.model import precision
from raybench.model.errors import RaybenchError
from raybench.system.kernel import allowed_cpus

Floats = npt.NDArray[np.float64]

ALONE_S, TOGETHER_S = 3.0, 4.0
MOST_CORES = 4  # on larger machines a sample of cores, evenly spread over their numbers
QUIET = 0.03  # sd of 1-s means above which a host is called contended


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """What ten seconds of fixed work say about a host.

    speed : repetitions of the fixed work per second and core, all sampled cores busy: comparable between hosts.
    spread : sd of 1-s means of log speed. step : sd of a 1-s mean's change to the next one, over sqrt 2: what pairing
        a cell with a baseline a second away leaves.
    correlation : of 1-s means one second apart; None where they do not vary.
    asymmetry : fastest core / slowest core - 1, alone. slowdown : alone / together speed - 1.
    cores : CPU numbers sampled.
    """

    speed: float
    spread: float
    step: float
    correlation: float | None
    asymmetry: float
    slowdown: float
    cores: tuple[int, ...]

    @property
    def contended(self) -> bool:
        """Return whether the speed varies by more than 3 % within seconds."""
        return self.spread > QUIET

    def half_width(self, *, groups: int, rounds: int, seconds: float = 1.0) -> float:
        """Return the half-width to expect of a speedup's 95 % interval: see `model.precision`."""
        return precision.half_width(step=self.step, groups=groups, rounds=rounds, seconds=seconds)

    def words(self) -> str:
        """Return the state in one sentence."""
        kind = "contended host" if self.contended else "quiet host"
        return f"{kind}: speed varies by {100 * self.spread:.1f} % within seconds"


def probe(*, alone_s: float = ALONE_S, together_s: float = TOGETHER_S, cpus: Sequence[int] | None = None) -> HostState:
    """Measure the state of this host; takes about 10 s on two cores.

    alone_s : per core; together_s : all cores at once. cpus : CPU numbers to sample; default: up to 4 of those allowed.
    """
    chosen = tuple(cpus) if cpus is not None else sample_cores(allowed_cpus())
    spinners = [_Spinner(cpu) for cpu in chosen]
    try:
        alone = [spinner.run(alone_s) for spinner in spinners]
        for spinner in spinners:
            spinner.start(together_s)
        together = [spinner.answer() for spinner in spinners]
    finally:
        for spinner in spinners:
            spinner.close()
    return summarise(alone, together, chosen)


def sample_cores(cpus: Sequence[int], most: int = MOST_CORES) -> tuple[int, ...]:
    """Return at most so many of the CPU numbers, evenly spread."""
    if len(cpus) <= most:
        return tuple(cpus)
    return tuple(cpus[round(i * (len(cpus) - 1) / (most - 1))] for i in range(most))


def summarise(alone: Sequence[Floats], together: Sequence[Floats], cores: Sequence[int]) -> HostState:
    """Work out the state from durations of chunks, one array per core for each phase."""
    wandering = [second - second.mean() for chunks in (*alone, *together) if len(second := seconds_of(chunks))]
    pooled = np.concatenate([*wandering, []])
    freedom = len(pooled) - len(wandering)
    changes = np.concatenate([[], *(np.diff(second) for second in wandering)])
    pairs = [(second[:-1], second[1:]) for second in wandering if len(second) > 1]
    alone_speed = np.array([1 / chunks.mean() for chunks in alone])
    together_speed = np.array([1 / chunks.mean() for chunks in together])
    return HostState(
        speed=float(together_speed.mean()),
        spread=float(math.sqrt((pooled**2).sum() / freedom)) if freedom > 0 else 0.0,
        step=float(math.sqrt((changes**2).mean() / 2)) if len(changes) else 0.0,
        correlation=_correlation(*(np.concatenate(side) for side in zip(*pairs, strict=True))) if pairs else None,
        asymmetry=float(alone_speed.max() / alone_speed.min() - 1),
        slowdown=float(alone_speed.mean() / together_speed.mean() - 1),
        cores=tuple(cores),
    )


def seconds_of(chunks: Floats) -> Floats:
    """Return the log of the mean chunk duration of each whole second."""
    at = np.cumsum(chunks)
    whole = int(at[-1] + 0.01) if len(at) else 0
    means = [chunks[(at > second) & (at <= second + 1)].mean() for second in range(whole) if (at > second).any()]
    return np.log(np.array(means, dtype=np.float64))


def _correlation(a: Floats, b: Floats) -> float | None:
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(np.corrcoef(a, b)[0, 1])


class _Spinner:
    """A child process that does the fixed work on one core when told to."""

    def __init__(self, cpu: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "raybench.system.spin", str(cpu)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, seconds: float) -> Floats:
        self.start(seconds)
        return self.answer()

    def start(self, seconds: float) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()

    def answer(self) -> Floats:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RaybenchError("the host's probe ended before its answer; try `raybench doctor` again")
        return np.array([float(word) for word in line.split()])

    def close(self) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()
