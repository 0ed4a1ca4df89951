"""Protocol L1: this project's fixed test of lifting, four cameras and noise that other code can reproduce.

Methods of lifting can only be compared on the same keypoints. The protocol fixes the views, the noise and its random
generator; `protocol_l1` lists all numbers, and the choices for what the protocol leaves open.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import COCO_17
from gonio.training.bodies import mean_place, resampled, training_body
from gonio.training.detector_noise import DROPS, autoregressive, body_length_px, bursts, kind
from gonio.training.virtual_cameras import TrainingPair, look_at, training_pair

L1_AZIMUTHS_DEG = (20.0, 110.0, 200.0, 290.0)
L1_RATE_HZ = 50.0
_L1_SEED = 20261122
_L1_SIGMA = {"elbow": 0.0125, "knee": 0.0125, "wrist": 0.015, "ankle": 0.015}  # of L; 0.01 for all others
_L1_VARIANCE = {"white": 0.3, "correlated": 0.5, "constant": 0.2}


def protocol_l1(sequence: PoseSequence, clip_number: int) -> list[TrainingPair]:
    """Protocol L1: four views of a clip at 50 Hz, `keypoints` noisy, `clean` without noise, `target` in 3D.

    1280x720, f = 1000 px, centre (639.5, 359.5); azimuth 20, 110, 200, 290 degrees, elevation 10, no roll. The noise of
    a keypoint's coordinates has the deviation k L, L from `body_length_px`; k = 1 % for hips, shoulders and face, 1.25
    % for elbows and knees, 1.5 % for wrists and ankles; its variance is 30 % white, 50 % autoregressive with a time
    constant of 0.15 s, 20 % constant. Each limb joint is missing in bursts of 0.2 s, 2 % of the time.

    Choices for what the protocol leaves open: the sequence is resampled to 50 Hz first. The camera stands still, 4 m
    from the mean of the clip's mid-hip, and is aimed at it. Azimuth is that of `gonio.training.virtual_cameras`, in the
    recording's own axes turned to z up. Limb joints are elbows, wrists, knees and ankles. Confidence is 1, and 0 if
    missing. The generator is `default_rng([20261122, clip_number, i])`, i = 0..3 in the order of the azimuths; it draws
    in this order: white (time, 17, 2), autoregressive innovations (time, 17, 2), constant (1, 17, 2), and the bursts'
    starts (time + 9, 8), in COCO's order of joints.
    """
    body = training_body(resampled(sequence, L1_RATE_HZ))
    middle = mean_place(body)
    pairs = []
    for i, azimuth in enumerate(L1_AZIMUTHS_DEG):
        camera = look_at(
            middle,
            azimuth_deg=azimuth,
            elevation_deg=10.0,
            distance_m=4.0,
            focal_px=1000.0,
            size_px=(1280, 720),
            name=f"L1-{azimuth:.0f}",
        )
        pair = training_pair(body, camera)
        noisy = _l1_noise(pair.clean, np.random.default_rng([_L1_SEED, clip_number, i]))
        pairs.append(TrainingPair(noisy, pair.clean, pair.target, pair.root_m, camera))
    return pairs


def _l1_noise(clean: PoseSequence, rng: Generator) -> PoseSequence:
    size = (len(clean), len(COCO_17), 2)
    white = rng.standard_normal(size)
    correlated = autoregressive(rng, size, L1_RATE_HZ, 0.15)
    constant = rng.standard_normal((1, *size[1:]))
    share = {name: np.sqrt(variance) for name, variance in _L1_VARIANCE.items()}
    noise = share["white"] * white + share["correlated"] * correlated + share["constant"] * constant
    sigma = body_length_px(clean) * np.array([_L1_SIGMA.get(kind(joint), 0.01) for joint in COCO_17.joints])
    gone = np.zeros(size[:2], bool)
    gone[:, DROPS] = bursts(rng, (len(clean), int(DROPS.sum())), L1_RATE_HZ, 0.2, 0.02)
    positions = np.where(gone[..., None], np.nan, clean.positions + sigma[:, None] * noise)
    return clean.derive(
        f"noise of protocol L1; {int((gone & clean.valid).sum())} positions dropped", positions=positions
    )
