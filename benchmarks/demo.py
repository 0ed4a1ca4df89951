"""The demo's measured results, as the README shows them. Prints markdown; takes about a minute.

    python benchmarks/demo.py

Protocol: docs/conventions.md, "Reference of the demo trial". The demo is development data: one person, one movement.
"""

from __future__ import annotations

import platform

import numpy as np

import gonio
from gonio.core.sequence import EVALUATION_JOINTS
from gonio.trials.samples import demo_trial


def cell(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def main() -> None:
    measurement = gonio.measure(demo_trial())
    result = gonio.evaluate(measurement)

    print("| method | MPJPE mm | root MPJPE mm | N-MPJPE mm | PA-MPJPE mm | MPJVE mm/s | knee flexion RMSE ° L, R |")
    print("|---|---|---|---|---|---|---|")
    for name, method in result.methods.items():
        if method.is_reference:
            continue
        knees = [method.angles[f"{side}_knee_flexion"].rmse_deg for side in ("left", "right")]
        errors = [method.mpjpe_mm, method.root_mpjpe_mm, method.n_mpjpe_mm, method.pa_mpjpe_mm, method.mpjve_mm_per_s]
        print(f"| `{name}` | " + " | ".join(map(cell, errors)) + f" | {', '.join(cell(k, 1) for k in knees)} |")
    frames = result.protocol["frames"]
    shared = [method.angles[f"{side}_knee_flexion"].n_samples for side in ("left", "right")]
    print(f"\nknee flexion: {shared[0]} and {shared[1]} samples that all methods have")
    print(f"{frames['compared']} of {frames['in_all']} frames, {len(EVALUATION_JOINTS)} joints, no filter.")

    print("\n| method | angle RMSE °: mean, worst | joint positions missing |")
    print("|---|---|---|")
    for name, method in result.methods.items():
        if method.is_reference:
            continue
        rmse = {angle: a.rmse_deg for angle, a in method.angles.items() if a.rmse_deg is not None}
        worst = max(rmse, key=lambda angle: rmse[angle])
        missing = 100 * (1 - measurement[name].select(EVALUATION_JOINTS).valid.mean())
        mean = np.mean(list(rmse.values()))
        print(f"| `{name}` | {mean:.1f}, {rmse[worst]:.1f} ({worst.replace('_', ' ')}) | {missing:.0f} % |")

    for kind in ("blazepose-world", "lifting"):
        single = [result.methods[f"{kind}-cam0{i}"] for i in range(1, 5)]
        print(
            f"\n{kind}, mean of four cameras: N-MPJPE {np.mean([m.n_mpjpe_mm for m in single]):.1f} mm, "
            f"PA-MPJPE {np.mean([m.pa_mpjpe_mm for m in single]):.1f} mm"
        )
    errors_px = measurement.reprojection_px("multiview")
    print(
        f"reprojection of the reference: median {np.nanmedian(errors_px):.1f} px, "
        f"90 % within {np.nanpercentile(errors_px, 90):.1f} px"
    )
    each = measurement.reprojection_px_median()
    print("  " + ", ".join(f"{name} {value:.1f} px" for name, value in each.items()))
    reference = measurement["multiview"]
    shares = reference.select(EVALUATION_JOINTS).valid.mean(axis=0)
    print(f"triangulated: at least {100 * shares.min():.0f} % of frames for each joint from shoulders to ankles")
    for upper, lower in (("hip", "knee"), ("knee", "ankle")):
        for side in ("left", "right"):
            length = np.linalg.norm(reference[f"{side}_{upper}"] - reference[f"{side}_{lower}"], axis=1)
            print(
                f"{side} {upper}-{lower}: {1000 * length.mean():.0f} mm, "
                f"standard deviation {100 * length.std() / length.mean():.1f} %"
            )
    versions = result.protocol["versions"]
    print(f"\n{platform.machine()}: " + ", ".join(f"{name} {version}" for name, version in versions.items()))


if __name__ == "__main__":
    main()
