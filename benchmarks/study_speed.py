"""How long a whole study takes with two processes, as a share of what it takes with one.

    python benchmarks/study_speed.py "Segmented Movements" [--repeats 3]

`gonio study --ui-prmd` on the command line, tables and report included, each run into a new folder; one and two
processes by turns. Prints the times and the ratio of the medians.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def seconds(folder: Path, processes: int) -> float:
    with tempfile.TemporaryDirectory() as place:
        began = time.perf_counter()
        command = ["study", "--ui-prmd", str(folder), "-o", f"{place}/out", "--processes", str(processes)]
        subprocess.run([sys.executable, "-m", "gonio", *command], check=True, capture_output=True)
        return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    times: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(options.repeats):
        for processes, found in times.items():
            found.append(seconds(options.folder, processes))
            print(f"{processes} process{'es' if processes > 1 else ''}: {found[-1]:.1f} s", flush=True)
    one, two = (statistics.median(times[processes]) for processes in (1, 2))
    print(f"two processes take {two / one:.2f} of the time of one ({platform.machine()}, {os.cpu_count()} cores)")


if __name__ == "__main__":
    main()
