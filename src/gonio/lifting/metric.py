"""Lifting in one call: joints, their size, their place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from gonio.core.camera import Camera
from gonio.core.sequence import PoseSequence
from gonio.errors import ConfigError, InputError
from gonio.lifting.body_lifting import assumed_camera
from gonio.lifting.checkpoints import Weights
from gonio.lifting.lifter import lift_all, root_trajectories, takes_bodies
from gonio.lifting.placing import at_places, placed, with_segment

Place = Literal["root", "geometry", "network"]


def lift_in_metres(
    weights: Weights,
    keypoints: Mapping[str, PoseSequence],
    *,
    cameras: Mapping[str, Camera] | None = None,
    min_confidence: float = 0.0,
    flip: bool = True,
    stature_m: float | None = None,
    segment: tuple[str, float] | None = None,
    place: Place = "root",
) -> dict[str, PoseSequence]:
    """`lift_all`, and then the size by a measured segment and the place.

    segment  name and metres, in place of the stature (`placing.with_segment`)
    place    "root": relative to the mid-hip. "geometry": where the joints fall on the keypoints (`placing.placed`).
             "network": where the weights' second network puts them

    Raises `ConfigError` where stature and segment are both given, and `InputError` where the parts do.
    """
    if stature_m is not None and segment is not None:
        raise ConfigError("the size is told twice, by a stature and by a segment; give one")
    if place == "network" and stature_m is not None and not takes_bodies(weights):
        raise InputError("these weights give the place in the metres they were trained in; a stature needs geometry")
    cameras = cameras or {}
    lifted = lift_all(
        weights, keypoints, cameras=cameras, min_confidence=min_confidence, flip=flip, stature_m=stature_m
    )
    if place == "network":
        roots = root_trajectories(
            weights, keypoints, cameras=cameras, min_confidence=min_confidence, flip=flip, stature_m=stature_m
        )
        step = "placed by the network of the trajectory"
        lifted = {name: at_places(joints, roots[name], step) for name, joints in lifted.items()}
    elif place == "geometry":
        for name, joints in lifted.items():
            seen = keypoints[name]
            camera = cameras.get(name)
            if camera is None:
                assert seen.image_size_px is not None  # lifting asked for it
                camera = assumed_camera(seen.image_size_px, name=seen.frame_name)
            lifted[name] = placed(joints, seen, camera, min_confidence=min_confidence)
    if segment is not None:
        lifted = {name: with_segment(joints, *segment) for name, joints in lifted.items()}
    return lifted
