"""The Kinect against Vicon over UI-PRMD, by the protocol of its published figures: ours beside them.

    python benchmarks/ui_prmd_agreement.py "Segmented Movements"

The published figures are of ten subjects, the folder has as many as it has. How far a median can move with the choice
of subjects is told by leaving out every pair of them in turn.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from gonio.comparison.agreement_table import agreement_table
from gonio.studies.config import ui_prmd_study
from gonio.studies.measure import joints_of_angles, measure_recording, study_work

QUOTED: Sequence[tuple[str, str, str, str, float, float]] = (
    ("squat", "m01", "knee_flexion", "left", 7.0, 6.8),
    ("squat", "m01", "knee_flexion", "right", 6.2, 5.9),
    ("hurdle step", "m02", "knee_flexion", "right", 7.9, 5.6),
    ("inline lunge", "m03", "knee_flexion", "right", 16.0, 8.5),
    ("sit to stand", "m05", "knee_flexion", "left", 6.8, 5.0),
    ("sit to stand", "m05", "knee_flexion", "right", 5.2, 4.5),
    ("straight leg raise", "m06", "thigh_trunk_angle", "right", 5.3, 4.5),
    ("shoulder abduction", "m07", "shoulder_elevation", "right", 8.3, 6.2),
    ("scaption", "m10", "shoulder_elevation", "right", 7.3, 5.2),
)
"""Movement, angle, side, RMSE and bias-free RMSE in degrees."""
QUOTED_POSITION_MM = (61.8, 55.7, 75.2)  # median and quartiles
TOLERANCE_DEG, TOLERANCE_MM = 0.5, 3.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    work, failures = study_work(ui_prmd_study(arguments.folder))
    began = time.perf_counter()
    if arguments.processes == 1:
        results = [measure_recording(each) for each in work]
    else:
        os.environ["OPENBLAS_NUM_THREADS"] = "1"
        with ProcessPoolExecutor(arguments.processes) as pool:
            results = list(pool.map(measure_recording, work, chunksize=8))
    print(
        f"{len(results)} repetitions in {time.perf_counter() - began:.1f} s; without both recordings: {len(failures)}"
    )
    tables = {
        definitions: agreement_table(results, definitions, joints_of_angles()) for definitions in ("protocol", "gonio")
    }
    rows = {name: {_key(row): row for row in table} for name, table in tables.items()}
    print("\nbias-free RMSE, degrees (RMSE)    ours           quoted        off   two subjects left out   gonio's own")
    within = 0
    for words, movement, quantity, side, rmse, bias_free in QUOTED:
        ours, own = (rows[name][movement, quantity, side, False] for name in ("protocol", "gonio"))
        off = ours["rmse_bias_free"] - bias_free
        within += abs(off) <= TOLERANCE_DEG
        low, high = _without_two(results, movement, quantity, side)
        print(
            f"{words:19} {side:6} {quantity.split('_')[0]:8} {ours['rmse_bias_free']:5.2f} ({ours['rmse']:5.2f})  "
            f"{bias_free:5.1f} ({rmse:4.1f})   {off:+5.2f}      {low:5.2f} .. {high:5.2f}     "
            f"{own['rmse_bias_free']:5.2f} ({own['rmse']:5.2f})"
        )
    print(f"{within} of {len(QUOTED)} within {TOLERANCE_DEG:g} degrees of the quoted bias-free RMSE")
    body, own = (rows[name]["all", "position", "", True] for name in ("protocol", "gonio"))
    median, low, high = QUOTED_POSITION_MM
    words = [f"{row['rmse']:.1f} mm ({row['rmse_q25']:.1f}-{row['rmse_q75']:.1f})" for row in (body, own)]
    print(f"\n13 joints, one rigid alignment per frame: {words[0]}, quoted {median} ({low}-{high}); gonio {words[1]}")
    return 0 if within == len(QUOTED) and abs(body["rmse"] - median) <= TOLERANCE_MM else 1


def _key(row: Mapping[str, Any]) -> tuple[str, str, str, bool]:
    return row["movement"], row["quantity"], row["side"], not row["joint"]


def _without_two(results: Sequence[Any], movement: str, quantity: str, side: str) -> tuple[float, float]:
    """The lowest and the highest median with two subjects left out."""
    errors: dict[str, list[float]] = {}
    for values, _ in results:
        if values["movement"] == movement:
            for angle in values["angles"]:
                if (angle["definitions"], angle["quantity"], angle["side"]) == ("protocol", quantity, side):
                    errors.setdefault(values["subject"], []).append(angle["rmse_bias_free"])
    medians = [
        float(np.median([error for subject, of in errors.items() if subject not in pair for error in of]))
        for pair in combinations(errors, 2)
    ]
    return min(medians), max(medians)


if __name__ == "__main__":
    sys.exit(main())
