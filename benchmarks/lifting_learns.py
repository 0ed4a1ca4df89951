"""Does the network learn as its paper says? UI-PRMD by protocol L1, in half an hour on a laptop.

    python benchmarks/lifting_learns.py --data PATH_OF_UI_PRMD receptive-field
    python benchmarks/lifting_learns.py --data PATH_OF_UI_PRMD semi-supervised

receptive-field: trained on s01-s06, noisy keypoints, tested on s08. The same network sees 1 frame and 27 frames (filter
widths 1,1,1 and 3,3,3), three seeds each, equal epochs. Pavllo et al. 2019, section 6.2: 51.8 mm against 46.8 (243
frames), velocity error 11.6 against 2.8 mm per frame.

semi-supervised: clean keypoints; one tenth of s01's frames is labelled (in each clip one stretch, its place drawn), the
videos of s02-s06 are not; tested on s08. Supervised and semi-supervised make equally many steps with equally many
labelled windows, and each takes the better of the same learning rates on s07. Then each term of the loss is left out.
The paper, figure 5 and section 6.3: 80.7 mm against 65.2 with 10 % of S1, ground-truth keypoints. All of s01 labelled
is shown too.

Errors: 12 joints, relative to the mid-hip, mm; velocity mm per frame at 50 Hz; flip-averaged. Screen coordinates, as
published networks take them.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import torch

from gonio.core.skeleton import COCO_17, H36M_17
from gonio.lifting.architecture import Architecture
from gonio.lifting.lifter import lift
from gonio.training.clips import unlabelled_screen_clip
from gonio.training.config import TrainingOptions
from gonio.training.datasets import LabelledPair, ui_prmd_pairs
from gonio.training.evaluate_lifting import EvaluationSet, evaluate, protocol_l1
from gonio.training.loop import LiftingTask, train
from gonio.training.windows import Clip

SEEDS = (0, 1, 2)


def pairs_of(data: Path, subjects: set[str], noisy: bool) -> list[LabelledPair]:
    """Those that published networks can take: every keypoint is seen at some time (head markers may be lost in all)."""
    pairs = ui_prmd_pairs(data, subjects, noisy=noisy)
    whole = [pair for pair in pairs if pair.keypoints.valid.any(axis=0).all()]
    print(f"  {', '.join(sorted(subjects))}: {len(whole)} views, {len(pairs) - len(whole)} left out for lost markers")
    return whole


def clip_of(pair: LabelledPair) -> Clip:
    """A pair in screen coordinates and metres; a missing keypoint is bridged as `gonio lift` does it."""
    assert pair.camera is not None
    mask = np.asarray(pair.target.valid)
    targets = np.where(mask[..., None], pair.target.positions, 0.0).astype(np.float32)
    clip = unlabelled_screen_clip(pair.keypoints, pair.camera)
    return replace(clip, targets=targets, mask=mask, root=pair.root_m.astype(np.float32))


def with_flips(clips: list[Clip]) -> list[Clip]:
    return [*clips, *(clip.flipped(COCO_17, H36M_17) for clip in clips)]


def labelled_tenth(clip: Clip, context: int, rng: np.random.Generator) -> Clip:
    """The stretch of a tenth of the clip that is labelled, with the frames around it, which are not."""
    n = len(clip)
    wanted = max(1, round(n / 10))
    start = int(rng.integers(0, n - wanted + 1))
    labelled = np.zeros(n, bool)
    labelled[start : start + wanted] = True
    assert clip.mask is not None and clip.root is not None
    partly = replace(
        clip, mask=clip.mask & labelled[:, None], root=np.where(labelled[:, None], clip.root, np.float32(np.nan))
    )
    return partly.at(slice(max(0, start - context), min(n, start + wanted + context)))


@dataclass(frozen=True)
class Result:
    mpjpe: float
    mpjve: float


def measured(architecture, options, labelled, test, noisy, unlabelled=None) -> Result:
    with tempfile.TemporaryDirectory() as folder:
        weights = train(
            LiftingTask(architecture), options, lambda _: labelled, Path(folder),
            unlabelled=None if unlabelled is None else lambda _: unlabelled,
        )  # fmt: skip
    found = evaluate(
        EvaluationSet(tuple(test), protocol_l1(noisy)), {"flip": lambda pair: lift(weights, pair.keypoints)}
    )
    errors = found.scores["flip"].all_frames
    return Result(errors.mpjpe_mm, errors.mpjve_mm_per_frame)


def told(name: str, results: list[Result], seconds: float) -> dict[str, object]:
    e, v = [r.mpjpe for r in results], [r.mpjve for r in results]
    spread = stdev(e) if len(e) > 1 else 0.0
    print(
        f"{name:44} MPJPE {mean(e):6.1f} +- {spread:4.1f} mm   MPJVE {mean(v):5.2f} mm/frame   {seconds:5.0f} s",
        flush=True,
    )
    return {"name": name, "mpjpe_mm": e, "mpjve_mm_per_frame": v, "seconds": seconds}


def receptive_field(data: Path, channels: int, epochs: int) -> list[dict[str, object]]:
    clips = with_flips([clip_of(p) for p in pairs_of(data, {f"s0{i}" for i in range(1, 7)}, True)])
    test = pairs_of(data, {"s08"}, True)
    rows = []
    for widths in ((1, 1, 1), (3, 3, 3)):
        began, results = time.perf_counter(), []
        for seed in SEEDS:
            options = TrainingOptions(epochs=epochs, decay=0.01 ** (1 / epochs), seed=seed)
            architecture = Architecture(widths, channels=channels, dropout=0.25)
            results.append(measured(architecture, options, clips, test, True))
        frames = architecture.receptive_field
        rows.append(told(f"{frames} frame{'s' if frames > 1 else ''}", results, time.perf_counter() - began))
    return rows


def semi_supervised(data: Path, channels: int, epochs: int) -> list[dict[str, object]]:
    architecture = Architecture((3, 3, 3), channels=channels, dropout=0.25)
    rng = np.random.default_rng(20261122)
    whole = [clip_of(p) for p in pairs_of(data, {"s01"}, False)]
    tenth = with_flips([labelled_tenth(clip, architecture.receptive_field // 2, rng) for clip in whole])
    others = [clip_of(p) for p in pairs_of(data, {f"s0{i}" for i in range(2, 7)}, False)]
    unlabelled = with_flips([clip.unlabelled() for clip in others])
    choosing, test = (pairs_of(data, {subject}, False) for subject in ("s07", "s08"))
    base = TrainingOptions(epochs=epochs, passes=4, frames=40, batch=32, decay=0.01 ** (1 / epochs))

    def run(name: str, labelled, others, options: TrainingOptions, tested=test, seeds=SEEDS) -> dict[str, object]:
        began = time.perf_counter()
        results = [
            measured(architecture, replace(options, seed=seed), labelled, tested, False, others) for seed in seeds
        ]
        return told(name, results, time.perf_counter() - began)

    def tuned(name: str, others) -> TrainingOptions:
        found = {
            rate: run(
                f"  s07: {name}, learning rate {rate:g}",
                tenth,
                others,
                replace(base, learning_rate=rate),
                choosing,
                (9,),
            )
            for rate in (1e-3, 3e-3)
        }
        return replace(base, learning_rate=min(found, key=lambda rate: mean(found[rate]["mpjpe_mm"])))

    supervised, semi = tuned("supervised", None), tuned("semi-supervised", unlabelled)
    return [
        run("supervised, a tenth of s01", tenth, None, supervised),
        run("semi-supervised", tenth, unlabelled, semi),
        run("  without the reprojection", tenth, unlabelled, replace(semi, reprojection_weight=0.0)),
        run("  without the bone lengths", tenth, unlabelled, replace(semi, bone_weight=0.0)),
        run("  without the trajectory's own labels", tenth, unlabelled, replace(semi, trajectory_weight=0.0)),
        run("  without a warm-up", tenth, unlabelled, replace(semi, warm_up=0)),
        run("supervised, all of s01", with_flips(whole), None, replace(supervised, passes=1)),
        run("semi-supervised, all of s01", with_flips(whole), unlabelled, replace(semi, passes=1)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("receptive-field", "semi-supervised"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--channels", type=int, default=128)
    parser.add_argument("--epochs", type=int, help="6 for receptive-field, 8 for semi-supervised where not given")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("-o", "--output", type=Path, help="the numbers as JSON")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    run, epochs = (receptive_field, 6) if options.what == "receptive-field" else (semi_supervised, 8)
    rows = run(options.data, options.channels, options.epochs or epochs)
    if options.output:
        options.output.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
