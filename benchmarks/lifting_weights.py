"""How well the weights that come with gonio lift: subject s08 of UI-PRMD, which they never saw, and the demo's video.

    python benchmarks/lifting_weights.py --data PATH_OF_UI_PRMD

UI-PRMD: protocol L1 (four virtual cameras, fixed noise, 50 Hz), 12 joints relative to the mid-hip, all frames, flip
averaged. The demo: BlazePose heavy's keypoints, each camera alone, no smoothing of anything, against the four cameras
triangulated; frames and joints that all methods have; beside it BlazePose's own 3D estimate on the same frames. The
demo is development data. Prints markdown.
"""

from __future__ import annotations

import argparse
import platform
from dataclasses import replace
from pathlib import Path

import numpy as np

import gonio
from gonio.core.provenance import versions
from gonio.lifting.weights import shipped_weights
from gonio.training.evaluate_lifting import evaluate, evaluation_set, network_lifts, read_weights
from gonio.trials.config import LiftingConfig
from gonio.trials.samples import demo_trial


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, required=True, help='the folder that holds UI-PRMD\'s "Segmented Movements"'
    )
    parser.add_argument("--weights", type=Path, nargs="*", help="files or names; all that come with gonio")
    parser.add_argument("--subjects", nargs="*", default=["s08"])
    options = parser.parse_args()
    chosen = options.weights or [Path(name) for name in shipped_weights()]

    print("| weights | keypoints | N-MPJPE mm | PA-MPJPE mm | MPJVE mm/frame |\n|---|---|---|---|---|")
    for name in chosen:
        weights = read_weights(name)
        for noisy in (True, False):
            test = evaluation_set(options.data, subjects=set(options.subjects), noisy=noisy)
            lifts = {"flip_averaged": network_lifts(weights, test)["flip_averaged"]}
            errors = evaluate(test, lifts).scores["flip_averaged"].all_frames
            print(
                f"| `{name}` | {'noisy' if noisy else 'clean'} | {errors.n_mpjpe_mm:.1f} | {errors.pa_mpjpe_mm:.1f} | "
                f"{errors.mpjve_mm_per_frame:.2f} |",
                flush=True,
            )

    trial = demo_trial()
    print(
        "\n| demo, mean of four cameras | N-MPJPE mm | PA-MPJPE mm | MPJVE mm/s | PA-MPJPE of each camera |\n"
        "|---|---|---|---|---|"
    )
    for name in chosen:
        settings = LiftingConfig(weights=name, causal=read_weights(name).architecture.causal)
        result = gonio.compare(replace(trial, methods=("multiview", "blazepose-world", "lifting"), lifting=settings))
        for kind in ("blazepose-world", "lifting"):
            single = [result.methods[f"{kind}-cam0{i}"] for i in range(1, 5)]
            means = [np.mean([getattr(m, e) for m in single]) for e in ("n_mpjpe_mm", "pa_mpjpe_mm", "mpjve_mm_per_s")]
            each = ", ".join(f"{m.pa_mpjpe_mm:.0f}" for m in single)
            label = f"`{name}`" if kind == "lifting" else "`blazepose-world`"
            print(f"| {label} | {means[0]:.1f} | {means[1]:.1f} | {means[2]:.0f} | {each} |", flush=True)
    frames = result.protocol["frames"]
    print(f"\n{frames['compared']} of {frames['in_all']} frames, 12 joints")
    print(f"{platform.machine()}: " + ", ".join(f"{name} {version}" for name, version in versions().items()))


if __name__ == "__main__":
    main()
