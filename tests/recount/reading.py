"""A report's numbers read back, each traced to a recomputed value or to a constant that is declared here.

What a trace has read is taken out of the text; digits that are left must be declared. So a changed digit is found
wherever it stands: as a wrong value, or as something that nobody declared.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from recount.statistics import E

NUMBER = r"[-+]?(?:\d+(?:\.\d+)?|∞)"
ESTIMATE = re.compile(
    rf"(?P<point>{NUMBER})(?P<unit>x| %| µs| ms| min| s| h| B| KiB| MiB| GiB| tasks|)"
    rf"(?: \[(?:(?P<low>{NUMBER}), (?P<high>{NUMBER})|(?P<none>no interval))\])?(?:, n=(?P<n>\d+))?"
)
UNITS = {"x": 1, "": 1, " %": 100, " s": 1, " ms": 1e3, " µs": 1e6, " min": 1 / 60, " h": 1 / 3600, " tasks": 1,
         " B": 1, " KiB": 2**-10, " MiB": 2**-20, " GiB": 2**-30}  # fmt: skip


class Untraced(AssertionError):
    """A number that is not what the raw data give."""


def hold(text: str, expected: E | float | None, *, where: str) -> None:
    """Hold a printed number, its interval and its n against a recomputed one; `–` against none.

    A point is rounded to nearest, bounds are rounded outwards by less than a unit of the last digit.
    """
    if expected is None or text == "–":
        if (expected is None) != (text == "–"):
            raise Untraced(f"{where}: {text!r}, recomputed {expected}")
        return
    match = ESTIMATE.fullmatch(text)
    if match is None:
        raise Untraced(f"{where}: {text!r} is no number")
    e = expected if isinstance(expected, E) else E(expected, expected, expected, 0)
    scale = UNITS[match["unit"]]
    _near(match["point"], e.point * scale, (-0.5, 0.5), f"{where}: {text!r}")
    if match["low"]:
        _near(match["low"], e.low * scale, (0, 1), f"{where}: {text!r}, lower end")
        _near(match["high"], e.high * scale, (-1, 0), f"{where}: {text!r}, upper end")
    if match["none"] and max(abs(e.low), abs(e.high)) < float("inf"):
        raise Untraced(f"{where}: {text!r}, there is an interval")
    if match["n"] and int(match["n"]) != e.n:
        raise Untraced(f"{where}: {text!r}, n is {e.n}")


def _near(printed: str, value: float, reach: tuple[float, float], where: str) -> None:
    """Hold one printed number: (value - printed) / unit of the last digit must lie within reach."""
    if "∞" in printed or value in (float("inf"), float("-inf")):
        if float(printed.replace("∞", "inf")) != value:
            raise Untraced(f"{where}: recomputed {value}")
        return
    unit = 10.0 ** -len(printed.partition(".")[2])
    off = (value - float(printed)) / unit
    slack = 1e-6 + 1e-9 * abs(value) / unit
    inner = 1e-3 if reach != (-0.5, 0.5) else 0.0  # a bound on the mark itself is not rounded by a whole unit
    if not min(reach[0] + inner, 0) - slack <= off <= max(reach[1] - inner, 0) + slack:
        raise Untraced(f"{where}: recomputed {value:.9g}")


@dataclass
class Ledger:
    """A text whose numbers are taken out one trace after the other."""

    text: str
    faults: list[str] = field(default_factory=list)

    def take(self, pattern: str, check: Callable[[re.Match[str]], None], *, least: int = 1) -> None:
        """Trace every match of a pattern; fewer than `least` are a fault."""
        found = list(re.finditer(pattern, self.text, re.MULTILINE))
        if len(found) < least:
            self.faults.append(f"{len(found)} times, expected {least}: {pattern}")
        for match in reversed(found):
            try:
                check(match)
            except (Untraced, KeyError, StopIteration, TypeError, ValueError, AttributeError) as error:
                self.faults.append(f"{match.group()[:80]!r}: {error!r}")
            self.text = self.text[: match.start()] + re.sub(r"\d", "·", match.group()) + self.text[match.end() :]

    def declare(self, constants: Iterable[str]) -> None:
        """Take out constants, word by word as they are written."""
        for constant in sorted(constants, key=len, reverse=True):
            spot = rf"(?<![\d.]){re.escape(constant)}(?![\d]|\.\d)"
            self.text = re.sub(spot, lambda match: re.sub(r"\d", "·", match.group()), self.text)

    def left(self) -> list[str]:
        """Return the lines that still hold a digit, each with its place marked."""
        return [line.strip()[:200] for line in self.text.splitlines() if re.search(r"\d", line)]


def rows(text: str, heading: str) -> list[dict[str, str]]:
    """Read the first Markdown table below a heading; names without their code marks. [] where there is none."""
    if heading not in text:
        return []
    section = re.split(r"^## ", text[text.index(heading) + len(heading) :], maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    if len(lines) < 3:
        return []
    cells = [[_plain(cell) for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]


def _plain(cell: str) -> str:
    text = re.sub(r"^\[(.*)\]\(#\w+\)$", r"\1", cell.strip())
    return re.sub(r"\\(.)", r"\1", text.strip("` ")).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def mutations(text: str, *, every: int = 1) -> Sequence[str]:
    """Return copies of a text of which one digit is another one, for every so many digits."""
    places = [match.start() for match in re.finditer(r"\d", text)][::every]
    return [text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :] for at in places]
