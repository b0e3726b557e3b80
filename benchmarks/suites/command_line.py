"""What a user of the command line waits for."""

import tempfile
from pathlib import Path

from suites.measured import raybench, study


class CommandLine:
    """Seconds of whole commands in fresh processes; the least of five."""

    timeout = 300
    unit = "seconds"

    def setup(self) -> None:
        raybench("--help")  # writes the compiled files

    def track_help(self) -> float:
        return min(raybench("--help") for _ in range(5))

    def track_plan(self) -> float:
        return min(raybench("plan", "study=quick") for _ in range(5))


class Resume:
    """Seconds of `raybench run` where everything is measured already."""

    timeout = 300
    unit = "seconds"

    def setup(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="raybench-asv-")
        self.words = study(Path(self.folder.name), ["noop"], ["sequential"], blocks=2)
        raybench(*self.words)

    def teardown(self) -> None:
        self.folder.cleanup()

    def track_resume(self) -> float:
        return min(raybench(*self.words) for _ in range(3))


for _suite in (CommandLine, Resume):
    for _name in [name for name in vars(_suite) if name.startswith("track_")]:
        getattr(_suite, _name).unit = _suite.unit
