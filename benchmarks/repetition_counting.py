"""How well repetitions are counted and cut. Prints markdown tables; takes about a minute.

    python benchmarks/repetition_counting.py [--subjects s05 s06 s07 s08] [--protocol positions]

UI-PRMD (`../shared/data` or GONIO_DATA) holds each repetition in a file of its own. Per subject, movement and sensor
its ten are joined into one recording whose seams are known:

1. Each repetition's joints (Kinect: its 22, Vicon: the joint centres) are centred on the middle of the hips, frame by
   frame. Turning is left as it is.
2. The truth is taken from the segment alone, from positions and not from angles, before anything is joined: the path of
   the twelve evaluation joints, low-passed at 6 Hz, as the root mean square distance (over joints) from the pose of the
   first frame; the movement begins where it first passes `STILL` (5 %) of its largest value, and it ends where the
   distance from the LAST frame's pose passes it for the last time. What lies outside is the still part.
3. The order is shuffled, and a pause of 0 to 2 s (uniform) comes before the first, between all, and after the last. In
   a pause the pose fades from the last frame before it to the first after it by a raised cosine, with a sway of 2 mm
   per joint coordinate (three sines of 0.2 to 0.7 Hz, faded in and out). Where the pause is shorter than 0.3 s it is
   0.3 s, so that nothing jumps.
4. `joint_angles` of the joined recording, nothing else.

Robustness, on the angles of the same recordings: a drift of 10 degrees over the recording, each repetition scaled about
its seam's level by 0.5 to 1, white noise of 3 degrees.

Everything is seeded by movement and subject. s01 to s04 were looked at while the method was made; s05 to s08 were not.
"""

from __future__ import annotations

import argparse
import os
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gonio.core.arrays import FloatArray
from gonio.core.sequence import EVALUATION_JOINTS, AngleSeries, PoseSequence
from gonio.motion.angles import joint_angles
from gonio.motion.cleaning import lowpass
from gonio.motion.markers import joint_centres
from gonio.motion.repetitions import Repetitions, find_repetitions
from gonio.sources import ui_prmd

STILL = 0.1
HALF = 0.5
MOSTLY = 0.8
PAUSE_S = (0.0, 2.0)
SHORTEST_PAUSE_S = 0.3
SWAY_M = 0.002
WITHIN_S = 0.2
MOVEMENTS = {
    1: "deep squat",
    2: "hurdle step",
    3: "inline lunge",
    4: "side lunge",
    5: "sit to stand",
    6: "straight leg raise",
    7: "shoulder abduction",
    8: "shoulder extension",
    9: "shoulder rotation",
    10: "shoulder scaption",
}


@dataclass(frozen=True, eq=False)
class Joined:
    """One recording made of repetitions: its angles, and (repetition, 2) true starts and ends in seconds."""

    angles: AngleSeries
    truth_s: FloatArray
    seams_s: FloatArray


def folder() -> Path:
    data = Path(os.environ.get("GONIO_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    return data / "ui-prmd/Segmented Movements"


def segments(sensor: str, movement: int, subject: int) -> list[PoseSequence]:
    """The repetitions of one exercise of one person, centred on the middle of the hips."""
    found = []
    for repetition in range(1, 11):
        name = f"m{movement:02d}_s{subject:02d}_e{repetition:02d}"
        positions = folder() / sensor / "Positions" / f"{name}_positions.txt.gz"
        if not positions.is_file():
            continue
        if sensor == "Kinect":
            sequence = ui_prmd.read_kinect(positions, folder() / sensor / "Angles" / f"{name}_angles.txt.gz")
        else:
            sequence = joint_centres(ui_prmd.read_vicon(positions))
        root = (sequence["left_hip"] + sequence["right_hip"]) / 2
        found.append(sequence.derive("centred", positions=sequence.positions - root[:, None]))
    return found


def distances(segment: PoseSequence) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(time,) from the first pose and from the last, metres, and the seconds of these frames."""
    joints = [segment.skeleton.index(joint) for joint in EVALUATION_JOINTS]
    path = lowpass(segment, 6).positions[:, joints]
    path = path[:, segment.valid[:, joints].mean(axis=0) > MOSTLY]
    seen = np.isfinite(path).all(axis=(1, 2))
    path = path[seen]
    begin, end = (np.sqrt(((path - pose) ** 2).sum(axis=2).mean(axis=1)) for pose in (path[0], path[-1]))
    return begin, end, segment.times_s[seen]


def whole(segment: PoseSequence) -> bool:
    """Whether the segment holds a whole repetition, seen well enough."""
    joints = [segment.skeleton.index(joint) for joint in EVALUATION_JOINTS]
    if (segment.valid[:, joints].mean(axis=0) <= MOSTLY).any():
        return False
    begin, _, _ = distances(segment)
    return bool(begin[-1] < HALF * begin.max())


def true_movement(segment: PoseSequence) -> tuple[float, float]:
    """Seconds from the segment's first frame to where the movement begins and ends."""
    begin, end, times = distances(segment)
    first = int(np.argmax(begin > STILL * begin.max()))
    last = len(end) - 1 - int(np.argmax(end[::-1] > STILL * end.max()))
    return float(times[first]), float(times[last])


def held(segment: PoseSequence, end: bool) -> FloatArray:
    """(joint, 3) the first pose or the last; a joint that is missing there is where it was seen next to it."""
    frames = np.where(segment.valid, np.arange(len(segment))[:, None], -1 if end else len(segment))
    frame = np.clip(frames.max(axis=0) if end else frames.min(axis=0), 0, len(segment) - 1)
    return np.asarray(segment.positions[frame, np.arange(len(segment.skeleton))])


def join(parts: list[PoseSequence], seed: list[int]) -> Joined:
    """The repetitions in a seeded order with pauses."""
    rng = np.random.default_rng(seed)
    parts = [parts[i] for i in rng.permutation(len(parts))]
    step_s = float(np.median(np.diff(parts[0].times_s)))
    pieces = [pause(rng, step_s, held(parts[0], end=False), held(parts[0], end=False))]
    frames = len(pieces[0])
    truth, seams = [], []
    for i, part in enumerate(parts):
        begin_s, end_s = true_movement(part)
        truth.append((frames * step_s + begin_s, frames * step_s + end_s))
        seams.append((frames * step_s, (frames + len(part) - 1) * step_s))
        after = held(parts[i + 1], end=False) if i + 1 < len(parts) else held(part, end=True)
        pieces += [part.positions, pause(rng, step_s, held(part, end=True), after)]
        frames += len(part) + len(pieces[-1])
    recording = PoseSequence(
        np.concatenate(pieces), np.arange(frames) * step_s, parts[0].skeleton, "m", "root", up=parts[0].up
    )
    return Joined(joint_angles(recording), np.array(truth), np.array(seams))


def pause(rng: np.random.Generator, step_s: float, before: FloatArray, after: FloatArray) -> FloatArray:
    """(time, joint, 3) from one pose to the next, swaying."""
    n = round(max(SHORTEST_PAUSE_S, rng.uniform(*PAUSE_S)) / step_s)
    share = (np.arange(1, n + 1) / (n + 1))[:, None, None]
    fade = (1 - np.cos(np.pi * share)) / 2
    hz = rng.uniform(0.2, 0.7, (*before.shape, 3))
    phase = rng.uniform(0, 2 * np.pi, hz.shape)
    waves = np.sin(2 * np.pi * hz * np.arange(n)[:, None, None, None] * step_s + phase).sum(axis=-1)
    sway = SWAY_M * np.sqrt(2 / 3) * waves * np.sin(np.pi * share)
    return np.asarray((1 - fade) * before + fade * after + sway)
