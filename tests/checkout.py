"""Where the parts of this checkout lie, for tests in any folder."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONF = ROOT / "conf"
PEERS = ROOT / "benchmarks" / "peers" / "conf"
TOYS = ROOT / "tests" / "toys"
RECORDED = ROOT / "tests" / "recorded_run"
