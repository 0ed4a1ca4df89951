"""Pictures of people as a faultless network would see them: real bodies in random places, and the maps it is trained
to give.

Bodies in metres are seen by a camera 1.1 m above the floor, f = 560 px, in pictures of 368 x 656 px; people stand 3 to
9 m away, turned at random. A joint is erased where the picture ends, and where the body of somebody nearer hides it.
The maps have cells of 8 px: for each part Gaussians (sigma 7 px; the highest of all people), for each limb whose two
joints are there unit vectors within 8 px of it (the mean of all people there). All of it is seeded.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gonio.detection.openpose.layouts import PartLayout
from gonio.errors import InputError
from gonio.lifting.bodies import BODY_22, training_body
from gonio.motion.markers import joint_centres
from gonio.sources import cmu_positions, ui_prmd

HEIGHT_PX, WIDTH_PX, STRIDE = 368, 656, 8
FOCAL_PX, CAMERA_HEIGHT_M = 560.0, 1.1
NEAREST_M, FURTHEST_M = 3.0, 9.0
SIGMA_PX, HALF_WIDTH_PX = 7.0, 8.0
THICKNESS_M = 0.08  # of a limb, to each side: what it hides
CLOSE_PX = 3 * STRIDE
FOOT_M = {"heel": (-0.05, 0.0, -0.06), "big_toe": (0.19, -0.02, -0.06), "small_toe": (0.16, 0.05, -0.06)}
"""From the ankle: forwards, outwards, up."""


@dataclass(frozen=True)
class Scene:
    """The joints of people in one picture, by parts of a layout.

    joints_px   (person, part, 2)  where it is; NaN where it cannot be seen
    resolvable  (person, limb)     both joints are seen, and nobody else's of the same kind lies within 3 cells
    """

    layout: PartLayout
    joints_px: np.ndarray
    resolvable: np.ndarray


def bodies_of(data: Path) -> list[np.ndarray]:
    """(frame, joint of `BODY_22`, 3) m, z up, real motion: UI-PRMD and CMU's eight actions, ten frames a second or so."""
    files = sorted((data / "ui-prmd/Segmented Movements/Vicon/Positions").glob("m0[1-9]_s0[24]_e03_positions.txt.gz"))
    recordings = [joint_centres(ui_prmd.read_vicon(file)) for file in files]
    recordings += cmu_positions.read(data / "cmu-mocap/eight_actions_positions.npz").values()
    bodies = []
    for recording in recordings:
        try:
            positions = training_body(recording).positions[::10]
        except InputError:
            continue
        complete = ~np.isnan(positions).any(axis=(1, 2))
        if complete.any():
            bodies.append(positions[complete][:100])
    return bodies


def made_up_bodies() -> list[np.ndarray]:
    """Twenty people in the same form who stand with arms and legs at random."""
    rng = np.random.default_rng(20261125)
    rest = {"mid_hip": (0, 0, 0.95), "spine": (0, 0, 1.2), "thorax": (0, 0, 1.45), "neck_nose": (0, 0, 1.58)}
    rest |= {"head_top": (0, 0, 1.72), "nose": (0.11, 0, 1.555)}
    for side, left in (("left", 1), ("right", -1)):
        rest[f"{side}_hip"] = (0, left * 0.11, 0.92)
        rest[f"{side}_shoulder"] = (0, left * 0.18, 1.43)
        rest[f"{side}_eye"] = (0.085, left * 0.032, 1.595)
        rest[f"{side}_ear"] = (-0.005, left * 0.078, 1.575)
    people = []
    for _ in range(20):
        joints = {name: np.array(place, dtype=float) for name, place in rest.items()}
        for side in ("left", "right"):
            for top, mid, end, lengths, spread in (
                ("hip", "knee", "ankle", (0.42, 0.40), 0.35),
                ("shoulder", "elbow", "wrist", (0.29, 0.25), 0.8),
            ):
                for start, stop, length in ((top, mid, lengths[0]), (mid, end, lengths[1])):
                    way = np.array([0, 0, -1.0]) + spread * rng.standard_normal(3)
                    joints[f"{side}_{stop}"] = joints[f"{side}_{start}"] + length * way / np.linalg.norm(way)
        people.append(np.array([[joints[name] for name in BODY_22.joints]]))
    return people


def scene(layout: PartLayout, bodies: list[np.ndarray], n_people: int, seed: int) -> Scene:
    """People drawn from the bodies, in random places."""
    rng = np.random.default_rng([20261122, seed, n_people])
    people = []
    for _ in range(n_people):
        recording = bodies[rng.integers(len(bodies))]
        people.append(_in_front(recording[rng.integers(len(recording))], rng))
    people.sort(key=lambda joints: np.nanmean(joints["mid_hip"][2]))  # the nearest first
    joints_px = np.array([[_seen(joints[part]) for part in layout.skeleton.joints] for joints in people])
    joints_px = joints_px.reshape(n_people, layout.n_parts, 2)
    joints_px[((joints_px < -0.5) | (joints_px > (WIDTH_PX - 0.5, HEIGHT_PX - 0.5))).any(axis=-1)] = np.nan
    whole = joints_px.copy()
    for near, joints in enumerate(people):
        radius_px = FOCAL_PX * THICKNESS_M / joints["mid_hip"][2]
        for a, b in layout.limbs:
            distance, _ = _to_line(whole[near + 1 :], whole[near, a], whole[near, b])
            joints_px[near + 1 :][distance < radius_px] = np.nan
    apart = np.linalg.norm(joints_px[:, None] - joints_px[None], axis=-1)
    apart[np.arange(n_people), np.arange(n_people)] = np.inf
    alone = ~(apart <= CLOSE_PX).any(axis=1) & ~np.isnan(joints_px[..., 0])
    resolvable = np.array([alone[:, a] & alone[:, b] for a, b in layout.limbs]).T
    return Scene(layout, joints_px, resolvable.reshape(n_people, len(layout.limbs)))


def _in_front(body: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A body with its feet, somewhere in front of the camera: x right, y down, z forwards, in metres."""
    joints = dict(zip(BODY_22.joints, body - (*body[0, :2], body[:, 2].min() - 0.08), strict=True))
    left = (joints["left_hip"] - joints["right_hip"]) * (1, 1, 0)
    left /= np.linalg.norm(left)
    axes = np.array([np.cross(left, (0, 0, 1)), left, (0, 0, 1)])
    for side, outwards in (("left", 1), ("right", -1)):
        for part, offset in FOOT_M.items():
            joints[f"{side}_{part}"] = joints[f"{side}_ankle"] + (np.array(offset) * (1, outwards, 1)) @ axes
    joints["neck"] = (joints["left_shoulder"] + joints["right_shoulder"]) / 2
    turn, distance_m = rng.uniform(0, 2 * np.pi), rng.uniform(NEAREST_M, FURTHEST_M)
    right_m = rng.uniform(-0.45, 0.45) * WIDTH_PX / FOCAL_PX * distance_m
    across, away = (np.cos(turn), np.sin(turn), 0), (-np.sin(turn), np.cos(turn), 0)
    world_to_camera = np.array([across, (0, 0, -1), away])
    place = (right_m, CAMERA_HEIGHT_M, distance_m)
    return {name: world_to_camera @ point + place for name, point in joints.items()}


def _seen(point_m: np.ndarray) -> np.ndarray:
    return FOCAL_PX * point_m[:2] / point_m[2] + ((WIDTH_PX - 1) / 2, (HEIGHT_PX - 1) / 2)


def _to_line(points, start, end):
    """Distance of points (..., 2) to the piece of line from start to end, and to its ends' perpendiculars (below 0)."""
    length = np.linalg.norm(end - start)
    unit = (end - start) / max(length, 1e-9)
    along = (points - start) @ unit
    nearest = start + along.clip(0, length)[..., None] * unit
    return np.linalg.norm(points - nearest, axis=-1), np.minimum(along, length - along)


def draw(scene: Scene, beyond_px: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Heatmaps and part affinity fields, (channel, row, column), float32. `beyond_px`: how far a field goes on beyond the
    limb's ends."""
    rows, columns = HEIGHT_PX // STRIDE, WIDTH_PX // STRIDE
    grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1) * STRIDE + (STRIDE - 1) / 2
    heatmaps = np.zeros((scene.layout.n_heatmaps, rows, columns))
    for joints_px in scene.joints_px:
        for part in np.flatnonzero(~np.isnan(joints_px[:, 0])):
            squared = ((grid - joints_px[part]) ** 2).sum(axis=-1)
            heatmaps[part] = np.maximum(heatmaps[part], np.exp(-squared / (2 * SIGMA_PX**2)))
    heatmaps[-1] = 1 - heatmaps[:-1].max(axis=0)
    pafs = np.zeros((scene.layout.n_pafs, rows, columns))
    for (a, b), channels in zip(scene.layout.limbs, scene.layout.paf_channels, strict=True):
        count = np.zeros((rows, columns))
        for joints_px in scene.joints_px:
            start, end = joints_px[a], joints_px[b]
            length = np.linalg.norm(end - start)
            if not length > 0:
                continue
            unit = (end - start) / length
            along = (grid - start) @ unit
            across = (grid - start) @ (-unit[1], unit[0])
            on = (along >= -beyond_px) & (along <= length + beyond_px) & (np.abs(across) <= HALF_WIDTH_PX)
            count += on
            pafs[list(channels)] += on * unit[:, None, None]
        pafs[list(channels)] /= np.maximum(count, 1)
    return heatmaps.astype(np.float32), pafs.astype(np.float32)


@dataclass(frozen=True)
class Recovery:
    """What was found of a scene's limbs, and what was made up."""

    resolvable: int
    recovered: int
    found: int
    invented: int

    def __add__(self, other: Recovery) -> Recovery:
        return Recovery(
            self.resolvable + other.resolvable,
            self.recovered + other.recovered,
            self.found + other.found,
            self.invented + other.invented,
        )


def recovery(scene: Scene, keypoints: np.ndarray, within_px: float = STRIDE) -> Recovery:
    """Limbs of a scene among those of the people found (person, part, 3).

    A limb is recovered where one person found has both its joints within `within_px` of where they are. A limb that
    somebody found has is invented where nobody in the scene has both joints there, the hidden ones included.
    """
    found = recovered = invented = 0
    for number, (a, b) in enumerate(scene.layout.limbs):
        apart = np.linalg.norm(keypoints[:, None, [a, b], :2] - scene.joints_px[None, :, [a, b]], axis=-1).max(axis=-1)
        there = ~np.isnan(keypoints[:, [a, b], 0]).any(axis=1)
        near = apart <= within_px  # (found, true); NaN is not near
        found += there.sum()
        invented += (there & ~near.any(axis=1)).sum()
        recovered += (scene.resolvable[:, number] & near.any(axis=0)).sum()
    return Recovery(int(scene.resolvable.sum()), int(recovered), int(found), int(invented))
