"""Training pairs from motion capture without video, by virtual cameras.

A lifting network learns from pairs of 2D keypoints and 3D joints. Motion capture has the joints; a virtual camera
projects them to keypoints. One recording gives any number of views. `CameraPlacement` holds ranges;
`sample_camera` draws a camera aimed at a body, `look_at` makes a given one. `training_pair` gives COCO's 17
keypoints in pixels, with a detector's errors (`gonio.training.detector_noise`), and Human3.6M's 17 joints in the
camera's axes. The bodies come from `gonio.training.bodies`.

The world has z up. Azimuth is counted from +x towards +y, that is counter-clockwise from above: a camera at
azimuth 0 stands on the +x side and looks along -x. A body that faces +x (UI-PRMD; CMU, after its axes are turned to z
up) is seen from the front at azimuth 0 and from its left at 90. Elevation is the camera's height as an angle, positive
above the person; a positive roll turns the camera clockwise, and the image the other way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from gonio.core.arrays import FloatArray
from gonio.core.camera import Camera
from gonio.core.errors import ConfigError, InputError
from gonio.core.geometry import rotation_matrix
from gonio.core.sequence import PoseSequence, Status
from gonio.core.skeleton import COCO_17, H36M_17
from gonio.training.bodies import COCO_IN_BODY, check_training_body, mean_place, moved
from gonio.training.detector_noise import DetectorModel, detected


@dataclass(frozen=True)
class CameraPlacement:
    """The ranges from which `sample_camera` draws, all uniformly (distances and focal lengths by their logarithm).

    azimuth_deg     round the person; 0..360 is all round
    elevation_deg   of the camera above the mid-hip: from a telephone on the ground to one above head height
    roll_deg        about the axis of the camera: a telephone that is not held quite upright
    distance_m      from the camera to the point it is aimed at
    focal           focal length over the longer side of the image: 0.7 to 0.8 in telephones, 0.9 in webcams, 1.15 in
                    Human3.6M, up to 1.6 with a lens that magnifies
    image_sizes_px  (width, height), landscape and portrait, each as likely
    aim_m           largest distance, along each axis, of the aim from the middle of the mid-hip's path
    cut_off_share   of the cameras that may have parts of the person outside the image; the others move back, beyond
                    `distance_m` if necessary, until every joint of the clip is inside

    Raises `ConfigError` if a range is empty or impossible.
    """

    azimuth_deg: tuple[float, float] = (0.0, 360.0)
    elevation_deg: tuple[float, float] = (-10.0, 35.0)
    roll_deg: tuple[float, float] = (-6.0, 6.0)
    distance_m: tuple[float, float] = (2.0, 8.0)
    focal: tuple[float, float] = (0.65, 1.6)
    image_sizes_px: tuple[tuple[int, int], ...] = (
        (1920, 1080),
        (1080, 1920),
        (1280, 720),
        (720, 1280),
        (640, 480),
        (480, 640),
        (1000, 1000),
    )
    aim_m: float = 0.3
    cut_off_share: float = 0.1

    def __post_init__(self) -> None:
        for name in ("azimuth_deg", "elevation_deg", "roll_deg", "distance_m", "focal"):
            low, high = getattr(self, name)
            if not (np.isfinite([low, high]).all() and low <= high):
                raise ConfigError(f"{name} ({low}, {high}) is no range: it must be finite and not decrease")
            if name in ("distance_m", "focal") and low <= 0:
                raise ConfigError(f"{name} ({low}, {high}) must be positive")
        if max(map(abs, self.elevation_deg)) > 85:
            raise ConfigError(f"elevation_deg {self.elevation_deg} must stay within -85..85")
        if not self.image_sizes_px or any(min(size) < 2 for size in self.image_sizes_px):
            raise ConfigError(f"image_sizes_px {self.image_sizes_px} must name at least one size of 2 px or more")
        if not self.aim_m >= 0 or not 0 <= self.cut_off_share <= 1:
            raise ConfigError(f"aim_m {self.aim_m} must be 0 or more, cut_off_share {self.cut_off_share} in 0..1")


def look_at(
    target_m: ArrayLike,
    *,
    azimuth_deg: float,
    elevation_deg: float,
    distance_m: float,
    focal_px: float,
    size_px: tuple[int, int],
    roll_deg: float = 0.0,
    name: str = "virtual",
) -> Camera:
    """The camera that has `target_m` (3,), in a world with z up, in the middle of its image. No distortion."""
    azimuth, elevation, roll = np.deg2rad([azimuth_deg, elevation_deg, roll_deg])
    outward = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    right = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
    level = np.stack([right, np.cross(-outward, right), -outward])
    rotation = rotation_matrix(np.array([0.0, 0.0, -roll])) @ level
    width, height = size_px
    return Camera(
        name,
        size_px,
        np.array([[focal_px, 0, (width - 1) / 2], [0, focal_px, (height - 1) / 2], [0, 0, 1.0]]),
        rotation=rotation,
        translation=-rotation @ (np.asarray(target_m, dtype=float) + distance_m * outward),
    )


def sample_camera(body: PoseSequence, placement: CameraPlacement, rng: Generator) -> Camera:
    """A camera drawn from `placement`. It stands still and is aimed near the mean of the body's mid-hip."""
    check_training_body(body)
    azimuth, elevation, roll = (
        rng.uniform(*span) for span in (placement.azimuth_deg, placement.elevation_deg, placement.roll_deg)
    )
    distance, focal = (np.exp(rng.uniform(*np.log(span))) for span in (placement.distance_m, placement.focal))
    size = placement.image_sizes_px[rng.integers(len(placement.image_sizes_px))]
    aim = mean_place(body) + rng.uniform(-placement.aim_m, placement.aim_m, 3)
    may_cut = rng.random() < placement.cut_off_share

    def camera(distance_m: float) -> Camera:
        return look_at(
            aim,
            azimuth_deg=azimuth,
            elevation_deg=elevation,
            roll_deg=roll,
            distance_m=distance_m,
            focal_px=focal * max(size),
            size_px=size,
        )

    if not may_cut:
        # A joint at (x, y, z) from the aim, in the camera's axes, is inside from the distance focal |x| / (w/2) - z on.
        joints = camera(distance).world_to_camera(body.positions[body.valid]) - (0.0, 0.0, distance)
        half = np.array(size) / 2 - 1
        needed = focal * max(size) * np.abs(joints[:, :2]) / half - joints[:, 2:]
        distance = max(distance, float(needed.max()))
    return camera(distance)


@dataclass(frozen=True, eq=False)
class TrainingPair:
    """Input and target of a network, for one clip and one camera.

    keypoints  COCO-17, px, with the detector's errors; equal to `clean` without a detector
    clean      COCO-17, px, without errors, also outside the image; missing behind the camera
    target     H36M-17, m, camera axes, relative to the mean of the hips ("root")
    root_m     (time, 3) the mean of the hips in the camera's frame; NaN if a hip is missing
    camera     the camera
    """

    keypoints: PoseSequence
    clean: PoseSequence
    target: PoseSequence
    root_m: FloatArray
    camera: Camera


def training_pair(
    body: PoseSequence,
    camera: Camera,
    detector: DetectorModel | None = None,
    rng: Generator | None = None,
    *,
    seen: PoseSequence | None = None,
) -> TrainingPair:
    """The pair of a body (`training_body`) and a camera.

    detector  with `rng`: the keypoints are those of this detector
    seen      another body of the same times: the keypoints are its joints (see `with_other_definitions`), the target
              is still `body`

    Raises `InputError` if `seen` has other times, and if a detector comes without a generator.
    """
    check_training_body(body)
    shown = body if seen is None else seen
    check_training_body(shown)
    if not np.array_equal(shown.times_s, body.times_s):
        raise InputError(f"`seen` has {len(shown)} frames of other times; the target has {len(body)}")
    in_camera = body.transformed(
        camera.rotation,
        camera.translation,
        frame="camera",
        frame_name=camera.name,
        up=None,
        step=f"in the axes of the virtual camera {camera.name}",
    )
    root_m = in_camera["mid_hip"]
    relative = in_camera.positions - root_m[:, None]
    target = moved(in_camera, relative, "made relative to the mean of the hips").derive(frame="root")
    shown_m = camera.world_to_camera(shown.positions)
    pixels = camera.camera_to_image(shown_m)[:, COCO_IN_BODY]
    missing = np.isnan(pixels).any(axis=2)
    clean = shown.derive(
        f"projected by the virtual camera {camera.name}",
        positions=pixels,
        skeleton=COCO_17,
        unit="px",
        frame="image",
        frame_name=camera.name,
        image_size_px=camera.size_px,
        up=None,
        confidence=np.where(missing, 0.0, 1.0),
        status=np.where(missing, Status.MISSING, shown.status[:, COCO_IN_BODY]),
    )
    keypoints = clean
    if detector is not None:
        if rng is None:
            raise InputError("a detector model needs a random generator")
        keypoints = detected(clean, shown_m, detector, rng)
    return TrainingPair(keypoints, clean, target.to_skeleton(H36M_17), root_m, camera)
