"""New training clips for every epoch: changed bodies of motion capture, virtual cameras and a model of the detector.

A lifting network is limited by the number of bodies, movements and views in its training. So none is used twice. An
epoch draws recordings, cuts a piece out of each, plays it faster or slower, mirrors it, combines it with the upper half
of another, turns its limbs and changes its bone lengths. Cameras then project it. The keypoints follow another
definition of every joint and have the errors of a detector. One random generator drives all: the same seed and epoch
give the same clips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
from numpy.random import Generator

from gonio.core.errors import ConfigError, InputError
from gonio.core.sequence import PoseSequence
from gonio.training.bodies import (
    flipped,
    random_bone_lengths,
    recombined,
    resampled,
    with_bone_lengths,
    with_other_definitions,
    with_turned_limbs,
)
from gonio.training.clips import body_clip
from gonio.training.detector_noise import DetectorModel
from gonio.training.virtual_cameras import CameraPlacement, sample_camera, training_pair
from gonio.training.windows import Clip

RATE_HZ = 50.0
"""Frame rate of the clips. Faster or slower movements stand for other rates."""


@dataclass(frozen=True)
class Augmentation:
    """How clips are drawn and changed. A share is the probability that a clip is changed so."""

    length_s: float = 5.0  # longest piece that is cut out of a recording
    speed: tuple[float, float] = (0.7, 1.5)  # factor of the speed, from..to; it also covers other frame rates
    recombined_share: float = 0.4  # legs of one recording, trunk and arms of another
    turned_share: float = 0.8  # limbs are turned and bent
    turn_deg: float = 25.0  # standard deviation of the angle that a limb is turned by
    bend_deg: float = 25.0  # standard deviation of the angle that elbows and knees are bent by
    size_sd: float = 0.05  # other bodies: standard deviation of the size
    bone_sd: float = 0.05  # and of each bone's own length
    definition_sd_m: float = 0.012  # per axis: keypoints follow the joint definitions of another laboratory or detector
    views: int = 3  # cameras for each changed piece
    strength: tuple[float, float] = (0.1, 1.0)  # of the detector's errors, from..to
    placements: tuple[CameraPlacement, ...] = (
        CameraPlacement(),
        CameraPlacement(elevation_deg=(0.0, 18.0), roll_deg=(-2.0, 2.0)),
    )  # positions of cameras; each as likely
    detector: DetectorModel = field(default_factory=DetectorModel)  # the sizes and shares of its errors

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name.endswith("_share") and not 0 <= value <= 1:
                raise ConfigError(f"augmentation: {item.name} = {value:g} is a share from 0 to 1")
            if item.name.endswith(("_sd", "_sd_m", "_deg")) and not value >= 0:
                raise ConfigError(f"augmentation: {item.name} = {value:g} must be 0 or more")
        for name, least, most in (("speed", 0.0, np.inf), ("strength", 0.0, 1.0)):
            low, high = getattr(self, name)
            if not least <= low <= high <= most or (name == "speed" and low == 0):
                raise ConfigError(f"augmentation: {name} = {low:g}, {high:g} is no range that can be drawn from")
        if self.views < 1 or not self.length_s > 0 or not self.placements:
            raise ConfigError("augmentation: views and placements need at least one, length_s must be positive")


@dataclass(frozen=True, eq=False)
class Bodies:
    """Recordings (`gonio.training.bodies.training_body`) in groups, and how often each group is drawn."""

    groups: Mapping[str, Sequence[PoseSequence]]
    shares: Mapping[str, float]

    def __post_init__(self) -> None:
        if set(self.groups) != set(self.shares) or not self.groups:
            raise ConfigError(f"groups {sorted(self.groups)} and shares {sorted(self.shares)} do not agree")
        for name, group in self.groups.items():
            if not group:
                raise InputError(f"there is no recording in the group {name!r}")
            if not self.shares[name] > 0:
                raise ConfigError(f"the share {self.shares[name]:g} of {name!r} must be positive")

    def draw(self, rng: Generator) -> PoseSequence:
        """A recording: first the group by its share, then any one of it."""
        names = list(self.groups)
        shares = np.array([self.shares[name] for name in names])
        group = self.groups[names[int(rng.choice(len(names), p=shares / shares.sum()))]]
        return group[int(rng.integers(len(group)))]


def virtual_clips(
    bodies: Bodies, options: Augmentation, frames: int, rng: Generator, *, causal: bool = False
) -> list[Clip]:
    """At least `frames` frames of fresh clips, for a network of gonio's (`gonio.lifting.normalisation`).

    causal  for a causal network: its input does not use later frames

    Views with the whole body outside the image are drawn again. Raises `InputError`
    if a hundred draws in a row give nothing.
    """
    clips: list[Clip] = []
    made = failures = 0
    while made < frames:
        try:
            fresh = _clips_of(changed(bodies, options, rng), options, rng, causal)
        except InputError:
            fresh = []
        failures = 0 if fresh else failures + 1
        if failures == 100:
            raise InputError("a hundred draws in a row gave no clip; are the recordings longer than two frames?")
        clips += fresh
        made += sum(map(len, fresh))
    return clips


def changed(bodies: Bodies, options: Augmentation, rng: Generator) -> PoseSequence:
    """A drawn recording: a piece of it, at 50 Hz, changed by the options."""
    body = _piece(bodies.draw(rng), options, rng)
    if rng.random() < options.recombined_share:
        body = recombined(body, flipped(_piece(bodies.draw(rng), options, rng), rng), rng)
    body = flipped(body, rng)
    if rng.random() < options.turned_share:
        body = with_turned_limbs(body, rng, turn_deg=options.turn_deg, bend_deg=options.bend_deg)
    if options.size_sd or options.bone_sd:
        body = with_bone_lengths(body, random_bone_lengths(rng, size_sd=options.size_sd, bone_sd=options.bone_sd))
    return body


def _piece(recording: PoseSequence, options: Augmentation, rng: Generator) -> PoseSequence:
    speed = float(np.exp(rng.uniform(*np.log(options.speed))))
    start, end = recording.times_s[[0, -1]]
    span = min(options.length_s * speed, float(end - start))
    begin = float(rng.uniform(start, end - span)) if end - start > span else float(start)
    return resampled(recording.between(begin - 1e-9, begin + span + 1e-9), RATE_HZ, speed=speed)


def _clips_of(body: PoseSequence, options: Augmentation, rng: Generator, causal: bool) -> list[Clip]:
    clips = []
    for _ in range(options.views):
        placement = options.placements[int(rng.integers(len(options.placements)))]
        camera = sample_camera(body, placement, rng)
        seen = with_other_definitions(body, rng, sd_m=options.definition_sd_m) if options.definition_sd_m else None
        detector = replace(options.detector, strength=options.detector.strength * float(rng.uniform(*options.strength)))
        pair = training_pair(body, camera, detector, rng, seen=seen)
        try:
            clips.append(body_clip(pair, causal=causal))
        except InputError:  # the whole body is outside the image
            continue
    return clips
