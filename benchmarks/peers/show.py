"""Print the newest run of the benchmark of peers on this machine: backends beside the ideal, settings, targets.

python benchmarks/peers/show.py [REPORTS]      the folder of reports, default: reports
"""

import sys
from pathlib import Path

from raybench.report import build, overheads
from raybench.report.tables import markdown
from raybench.system import machine


def main(reports: Path) -> int:
    found = build.newest_peers(reports, machine.machine_key())
    if found is None:
        print(f"{reports}: no run of the benchmark of peers on this machine; take one with `nox -s peers`")
        return 1
    for table in overheads.section(build.costs(found, reports)).tables:
        print(f"## {table.name}\n\n{table.caption}\n\n{markdown(table)}\n")
    print("`raybench report` puts these tables into RESULTS.md.")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(*sys.argv[1:2] or ["reports"])))
