"""How well repetitions are counted and cut. Prints markdown tables; takes about a minute.

    python benchmarks/repetition_counting.py

UI-PRMD (`../shared/data` or GONIO_DATA; s01 to s08) holds each repetition in a file of its own. Per subject, movement
and sensor they are joined into one recording whose seams are known:

1. Each repetition's joints (Kinect: its 22; Vicon: the joint centres) are centred on the middle of the hips, frame by
   frame. Which way the person faces stays.
2. The pose distance is the root mean square over the twelve evaluation joints, low-passed at 6 Hz, of their distance
   from where they are in the segment's first frame, or in its last. Segments that do not hold a whole repetition are
   left out and counted: those whose first and last poses differ by half or more of the largest distance (cut in
   motion, or a limb that the sensor lost), and those that miss one of the joints in 20 % of the frames or more.
3. The truth is taken from the segment alone, from positions and not from angles, before anything is joined: the
   movement begins where the distance from the first pose passes `STILL` of its largest value for the first time, and
   ends where the distance from the last pose does so for the last time. What lies outside is the still part. `STILL` is
   10 %; at 5 %, also reported, the Kinect's noise in small movements begins to count as movement.
4. The order is shuffled. A pause of 0 to 2 s (uniform; at least 0.3 s, so that nothing
   jumps) comes before the first, between all and after the last. In it the pose fades from that before to that after
   by a raised cosine, with a sway of 2 mm RMS per coordinate (three sines of 0.2 to 0.7 Hz, themselves faded in and
   out). A joint that is missing in the pose is taken from where it was last or first seen.
5. `joint_angles` of the joined recording. `find_repetitions` gets nothing else.

Robustness, on the angles of the same recordings: a drift of 10 degrees over the recording; each repetition's
departure from the straight line through its first and last value scaled by 0.5 to 1; white noise of 3 degrees.

How far the truth itself is one: at the end, that of the Kinect is compared with that of the Vicon, in which the same
repetitions were recorded at the same time.

All is seeded by movement and subject. The method was made on s01 to s04; s05 to s08 are reported apart. A recording is
right where the number of repetitions is; boundary errors are those of the recordings that are right.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gonio.comparison.time_lag import best_lag
from gonio.core.angle_series import AngleSeries
from gonio.core.arrays import FloatArray
from gonio.core.sequence import EVALUATION_JOINTS, PoseSequence
from gonio.io.motion_capture import ui_prmd
from gonio.kinematics.angles import joint_angles
from gonio.kinematics.cleaning import lowpass
from gonio.kinematics.markers import joint_centres
from gonio.kinematics.repetitions import find_repetitions

STILL, FINER_STILL = 0.1, 0.05
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


DEVELOPMENT, HELD_OUT = (1, 2, 3, 4), (5, 6, 7, 8)
SENSORS = ("Kinect", "Vicon")
Key = tuple[str, int, int]


def main() -> None:
    recordings: dict[Key, Joined] = {}
    every: dict[Key, Joined] = {}
    left_out = dict.fromkeys(SENSORS, 0)
    for sensor in SENSORS:
        for movement in MOVEMENTS:
            for subject in (*DEVELOPMENT, *HELD_OUT):
                parts = segments(sensor, movement, subject)
                kept = [part for part in parts if whole(part)]
                left_out[sensor] += len(parts) - len(kept)
                if parts:
                    every[sensor, movement, subject] = join(parts, [movement, subject])
                if kept:
                    recordings[sensor, movement, subject] = join(kept, [movement, subject])
    print(f"{len(recordings)} recordings; segments left out: {left_out}\n")
    heading = "recordings right | median error s | 95th percentile s | within 0.2 s"
    print(f"| subjects | sensor | variant | {heading} | within 0.2 s of the 5 % truth |")
    print("|---|---|---|---|---|---|---|---|")
    for subjects in (DEVELOPMENT, HELD_OUT):
        for sensor in SENSORS:
            for variant in ("as joined", "drift", "amplitudes", "noise"):
                chosen = {k: r for k, r in recordings.items() if k[0] == sensor and k[2] in subjects}
                right, errors, finer = measure(chosen, variant)
                fine = np.mean(finer <= WITHIN_S)
                print(f"| {span(subjects)} | {sensor} | {variant} | {row(right, errors)} | {fine:.1%} |")
    for subjects in (DEVELOPMENT, HELD_OUT):
        right, _, _ = measure({k: r for k, r in every.items() if k[2] in subjects}, "as joined", say=True)
        print(f"\n{span(subjects)}, no segment left out: {sum(right)} of {len(right)} recordings right\n")
    print(f"\n{span(HELD_OUT)}, as joined:\n\n| movement | sensor | {heading} |")
    print("|---|---|---|---|---|---|")
    for movement, name in MOVEMENTS.items():
        for sensor in SENSORS:
            chosen = {k: r for k, r in recordings.items() if k[:2] == (sensor, movement) and k[2] in HELD_OUT}
            right, errors, _ = measure(chosen, "as joined", say=True)
            print(f"| {name} | {sensor} | {row(right, errors)} |")
    apart = np.concatenate([sensors_apart(movement, subject) for movement in MOVEMENTS for subject in HELD_OUT])
    middle, high = np.percentile(apart, [50, 95])
    print(f"\n{span(HELD_OUT)}, truth of the Kinect against truth of the Vicon, {len(apart)} boundaries: ", end="")
    print(f"median {middle:.3f} s, 95th percentile {high:.3f} s, within 0.2 s {np.mean(apart <= WITHIN_S):.1%}")


def sensors_apart(movement: int, subject: int) -> FloatArray:
    """(boundary,) seconds between the truth of the Kinect and that of the Vicon, of the repetitions that both hold.

    Their clocks are brought together by the lag, of at most half a second, at which the distances from the first pose
    agree best.
    """
    found = {sensor: dict(named_segments(sensor, movement, subject)) for sensor in SENSORS}
    apart = []
    for name in found["Kinect"].keys() & found["Vicon"].keys():
        both = [found[sensor][name] for sensor in SENSORS]
        if not all(whole(segment) for segment in both):
            continue
        grid_s = np.arange(0, max(segment.times_s[-1] for segment in both), 0.01)
        curves = []
        for segment in both:
            begin, _, times_s = distances(segment)
            curves.append(np.interp(grid_s, times_s, begin, left=np.nan, right=np.nan))
        lag_s = best_lag(*curves, max_lag=50).frames * 0.01
        kinect, vicon = (true_movement(segment, STILL) for segment in both)
        apart += [abs(a - b - lag_s) for a, b in zip(kinect, vicon, strict=True)]
    return np.array(apart)


def span(subjects: tuple[int, ...]) -> str:
    return f"s{subjects[0]:02d}-s{subjects[-1]:02d}"


def row(right: list[bool], errors: FloatArray) -> str:
    if not len(errors):
        return f"{sum(right)} of {len(right)} | - | - | -"
    middle, high = np.percentile(errors, [50, 95])
    return f"{sum(right)} of {len(right)} | {middle:.3f} | {high:.3f} | {np.mean(errors <= WITHIN_S):.1%}"


def measure(
    recordings: dict[Key, Joined], variant: str, say: bool = False
) -> tuple[list[bool], FloatArray, FloatArray]:
    """Whether each recording's count is right, and the boundary errors, seconds, against both truths."""
    right, errors, finer = [], [np.empty((0, 2))], [np.empty((0, 2))]
    for key, recording in recordings.items():
        found = find_repetitions(varied(recording, variant, list(key[1:])))
        right.append(len(found) == len(recording.truth_s))
        if right[-1]:
            bounds = np.stack([found.starts_s, found.ends_s], axis=1)
            errors.append(np.abs(bounds - recording.truth_s))
            finer.append(np.abs(bounds - recording.finer_truth_s))
        elif say:
            print(f"({key[0]} m{key[1]:02d} s{key[2]:02d}, {len(recording.truth_s)} true: {found.description})")
    return right, np.concatenate(errors), np.concatenate(finer)


def varied(recording: Joined, variant: str, seed: list[int]) -> AngleSeries:
    """The recording's angles made harder."""
    rng = np.random.default_rng([*seed, 1])
    angles, times = recording.angles.angles_rad.copy(), recording.angles.times_s
    if variant == "drift":
        angles += np.deg2rad(10) * (times / times[-1])[:, None]
    elif variant == "noise":
        angles += rng.normal(0, np.deg2rad(3), angles.shape)
    elif variant == "amplitudes":
        for start_s, end_s in recording.seams_s:
            inside = (times >= start_s - 1e-6) & (times <= end_s + 1e-6)
            part = angles[inside]
            seen = np.isfinite(part)
            first, last = seen.argmax(axis=0), len(part) - 1 - seen[::-1].argmax(axis=0)
            line = np.linspace(part[first, np.arange(len(first))], part[last, np.arange(len(last))], len(part))
            angles[inside] = line + rng.uniform(0.5, 1) * (part - line)
    return replace(recording.angles, angles_rad=angles)


@dataclass(frozen=True, eq=False)
class Joined:
    """One recording made of repetitions. (repetition, 2) starts and ends in seconds: true ones, at two values of
    `STILL`, and the seams."""

    angles: AngleSeries
    truth_s: FloatArray
    finer_truth_s: FloatArray
    seams_s: FloatArray


def folder() -> Path:
    data = Path(os.environ.get("GONIO_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    return data / "ui-prmd/Segmented Movements"


def segments(sensor: str, movement: int, subject: int) -> list[PoseSequence]:
    """The repetitions of one exercise of one person, centred on the middle of the hips."""
    return [segment for _, segment in named_segments(sensor, movement, subject)]


def named_segments(sensor: str, movement: int, subject: int) -> list[tuple[int, PoseSequence]]:
    """The same with their numbers."""
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
        found.append((repetition, sequence.derive("centred", positions=sequence.positions - root[:, None])))
    return found


def distances(segment: PoseSequence) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(time,) from the first pose and from the last, metres, and the seconds of these frames."""
    joints = [segment.skeleton.index(joint) for joint in EVALUATION_JOINTS]
    path = lowpass(segment, 6).positions[:, joints]
    path = path[:, segment.valid[:, joints].mean(axis=0) > MOSTLY]
    seen = np.isfinite(path).all(axis=(1, 2))
    path = path[seen]
    if not path.size:
        return np.zeros(1), np.zeros(1), np.zeros(1)
    begin, end = (np.sqrt(((path - pose) ** 2).sum(axis=2).mean(axis=1)) for pose in (path[0], path[-1]))
    return begin, end, segment.times_s[seen]


def whole(segment: PoseSequence) -> bool:
    """Whether the segment holds a whole repetition, seen well enough."""
    joints = [segment.skeleton.index(joint) for joint in EVALUATION_JOINTS]
    if (segment.valid[:, joints].mean(axis=0) <= MOSTLY).any():
        return False
    begin, _, _ = distances(segment)
    return bool(begin[-1] < HALF * begin.max())


def true_movement(segment: PoseSequence, still: float) -> tuple[float, float]:
    """Seconds from the segment's first frame to where the movement begins and ends."""
    begin, end, times = distances(segment)
    first = int(np.argmax(begin > still * begin.max()))
    last = len(end) - 1 - int(np.argmax(end[::-1] > still * end.max()))
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
    truth, finer, seams = [], [], []
    for i, part in enumerate(parts):
        for kept, still in ((truth, STILL), (finer, FINER_STILL)):
            begin_s, end_s = true_movement(part, still)
            kept.append((frames * step_s + begin_s, frames * step_s + end_s))
        seams.append((frames * step_s, (frames + len(part) - 1) * step_s))
        after = held(parts[i + 1], end=False) if i + 1 < len(parts) else held(part, end=True)
        pieces += [part.positions, pause(rng, step_s, held(part, end=True), after)]
        frames += len(part) + len(pieces[-1])
    recording = PoseSequence(
        np.concatenate(pieces), np.arange(frames) * step_s, parts[0].skeleton, "m", "root", up=parts[0].up
    )
    return Joined(joint_angles(recording), np.array(truth), np.array(finer), np.array(seams))


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


if __name__ == "__main__":
    main()
