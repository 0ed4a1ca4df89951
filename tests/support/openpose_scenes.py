"""Pictures of people as a faultless network would see them: real bodies in random places, and the maps it is trained
to give.

Bodies in metres are seen by a camera 1.1 m above the floor, f = 560 px, in pictures of 368 x 656 px; people stand 3 to
9 m away, turned at random. A joint is erased outside the picture, and where the body of somebody nearer hides it.
The maps have cells of 8 px: for each part Gaussians (sigma 7 px; the highest of all people), for each limb whose two
joints are there unit vectors within 8 px of it (the mean of all people there). All of it is seeded.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from gonio.core.errors import InputError
from gonio.detection.openpose.layouts import PartLayout
from gonio.io.motion_capture import cmu_positions, ui_prmd
from gonio.kinematics.markers import joint_centres
from gonio.training.bodies import BODY_22, training_body

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
    """The joints of people in one image, by parts of a layout.

    joints_px   (person, part, 2)  where it is; NaN where it cannot be seen
    alone       (person, part)     it is seen, and nobody else's of the same kind lies within 3 cells
    enough      (person, limb)     the limb hangs together with others that have three seen joints at least, feet not
                                   counted; of less OpenPose makes no person
    """

    layout: PartLayout
    joints_px: np.ndarray
    alone: np.ndarray
    enough: np.ndarray

    @property
    def resolvable(self) -> np.ndarray:
        """(person, limb) both joints are seen, and alone."""
        starts, ends = (list(parts) for parts in zip(*self.layout.limbs, strict=True))
        return self.alone[:, starts] & self.alone[:, ends]


def bodies_of(data: Path) -> list[np.ndarray]:
    """(frame, joint of `BODY_22`, 3) m, z up, real motion of UI-PRMD and CMU, about ten frames a second."""
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
    seen = ~np.isnan(joints_px[..., 0])
    alone = seen & ~(apart <= CLOSE_PX).any(axis=1)
    return Scene(layout, joints_px, alone, np.array([_enough(layout, of_one) for of_one in seen]))


def _enough(layout: PartLayout, seen: np.ndarray) -> list[bool]:
    """For each limb whether the piece of the body that it belongs to has three joints that count."""
    piece = [{part} for part in range(layout.n_parts)]
    for a, b in layout.limbs:
        if seen[a] and seen[b]:
            piece[a] |= piece[b]
            for part in piece[a]:
                piece[part] = piece[a]
    return [bool(seen[a] and seen[b] and len(piece[a] - set(layout.feet)) >= 3) for a, b in layout.limbs]


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
    """Of points (..., 2): the distance to the line from start to end; how far inside the perpendiculars at its ends."""
    length = np.linalg.norm(end - start)
    along = (points - start) @ (end - start) / max(length, 1e-9)
    nearest = start + (along.clip(0, length) / max(length, 1e-9))[..., None] * (end - start)
    return np.linalg.norm(points - nearest, axis=-1), np.minimum(along, length - along)


def draw(scene: Scene, capped: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Heatmaps and part affinity fields, (channel, row, column), float32.

    A limb's field covers the cells whose centres lie within 8 px of it; `capped`: and between the perpendiculars
    through its two ends, as the paper writes, where a limb shorter than a cell may cover none.
    """
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
            distance, inwards = _to_line(grid, start, end)
            on = (distance <= HALF_WIDTH_PX) & (inwards >= 0 if capped else True)
            count += on
            pafs[list(channels)] += on * ((end - start) / length)[:, None, None]
        pafs[list(channels)] /= np.maximum(count, 1)
    return heatmaps.astype(np.float32), pafs.astype(np.float32)


@dataclass(frozen=True)
class Recovery:
    """Limbs of scenes, and what was found.

    resolvable  limbs that can be told apart, of pieces that are enough of a body
    recovered   of these: one person found has both joints within 8 px of where they are
    found       limbs of all people found
    mixed       of these: nobody has both joints there
    invented    of the mixed: a joint is nobody's, or both joints belong to people of whom they could be told apart
    """

    resolvable: int = 0
    recovered: int = 0
    found: int = 0
    mixed: int = 0
    invented: int = 0

    def __add__(self, other: Recovery) -> Recovery:
        return Recovery(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


def recovery(scene: Scene, keypoints: np.ndarray) -> Recovery:
    """What became of a scene's limbs among the people found (person, part, 3)."""
    near = np.linalg.norm(keypoints[:, None, :, :2] - scene.joints_px[None], axis=-1) <= STRIDE  # NaN is not near
    somebodys, alones = near.any(axis=1), (near & scene.alone).any(axis=1)
    counted = scene.resolvable & scene.enough
    total = Recovery()
    for number, (a, b) in enumerate(scene.layout.limbs):
        whole = near[:, :, a] & near[:, :, b]
        there = ~np.isnan(keypoints[:, [a, b], 0]).any(axis=1)
        mixed = there & ~whole.any(axis=1)
        of_nobody = ~somebodys[:, a] | ~somebodys[:, b]
        numbers = (
            counted[:, number],
            counted[:, number] & whole.any(axis=0),
            there,
            mixed,
            mixed & (of_nobody | (alones[:, a] & alones[:, b])),
        )
        total += Recovery(*(int(limbs.sum()) for limbs in numbers))
    return total
