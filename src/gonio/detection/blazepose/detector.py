"""BlazePose: 33 joints of a person from one image, in pixels and as an estimate in metres.

Two networks (Bazarevsky et al. 2020, "BlazePose: On-device real-time body pose tracking"; Grishchenko et al. 2022,
"BlazePose GHUM Holistic" for the metres). The person network takes the whole image, made square by black borders and
scaled to 224 x 224. For each person it returns the mid-hip and a point above it along the body, at the radius of a
circle around the whole person. The landmark network takes the square around that circle, turned so that the body is
upright, at 256 x 256. It returns 33 joints and again the two points, which define the square for the next frame. The
person network therefore runs only while fewer people are followed than requested. A landmark's position comes from its
heatmap (the mean of a 7 x 7 window, weighted by the sigmoid) if the heatmap is confident, otherwise taken from the
network's own regression.

Pixel (0, 0) is the centre of the top left pixel. A square of side s px around c maps the crop's coordinate u (0 to its
size, pixel i from i to i + 1) to c + s/size * R(angle) (u - size/2). Column i of a heatmap stands for u = 4i, not
4i + 2: only then do the networks answer a mirrored crop with mirrored landmarks (measured, heatmap centre 32.00).

Confidence is the sigmoid of the visibility logit: on the sample trial the median error is 9 px above 0.9, 16 px at
0.5-0.7 and 26 px below 0.3. The presence logit does not predict the error (above 0.99 for every joint). `world_m` are
the network's metres, hip-centred, turned by the square's angle to camera axes: x right, y down, z away from the camera.
They are an estimate from one image: on the trial 8 to 13 cm from the joints triangulated by four cameras.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from gonio.core.arrays import FloatArray, VideoFrame
from gonio.core.detections import Box, Detections, inside_box
from gonio.core.sequence import Source
from gonio.core.skeleton import BLAZEPOSE_33, Skeleton
from gonio.core.threads import prefetched
from gonio.detection import weights as assets
from gonio.detection.blazepose.decoding import PERSON_INPUT_PX, decode_people, refine_by_heatmap, sigmoid
from gonio.detection.blazepose.networks import PERSON_NETWORK, Networks, load_networks
from gonio.detection.blazepose.regions import (
    Image,
    Region,
    closer_squares,
    crop,
    person_region,
    same_person,
    square_around,
)
from gonio.detection.detector import Choice, FramePeople, assemble, of_one_size

LANDMARK_INPUT_PX = 256
MIN_PRESENCE = 0.5
JOINTS = len(BLAZEPOSE_33)
MID_HIP, BODY_TOP = 33, 34  # the two extra landmarks that make the next region


@dataclass(frozen=True, eq=False)
class Person:
    """One person in one frame. joints_px (33, 2), confidence (33,), world_m (33, 3), score 0..1; the next region."""

    joints_px: FloatArray
    confidence: FloatArray
    world_m: FloatArray
    score: float
    mid_hip_px: FloatArray
    next_region: Region

    @property
    def box_px(self) -> FloatArray:
        """(4,) x1, y1, x2, y2 around the joints."""
        return np.concatenate([self.joints_px.min(axis=0), self.joints_px.max(axis=0)])


def find_people(image: Image, square: Region, networks: Networks) -> list[Region]:
    """The regions of all people that the person network finds in an upright square of the image."""
    values = crop(image, square, PERSON_INPUT_PX).astype(np.float32)
    values /= 127.5
    values -= 1.0
    points, _ = decode_people(*networks.people(values))
    keypoints_px = square.to_image(points[:, 2:4] * PERSON_INPUT_PX, PERSON_INPUT_PX)
    regions = (person_region(mid_hip, top) for mid_hip, top in keypoints_px)
    return [region for region in regions if region is not None]


def find_landmarks(image: Image, region: Region, networks: Networks) -> Person | None:
    """The person in a region; None if the landmark network finds no person in it."""
    size = LANDMARK_INPUT_PX
    values = crop(image, region, size).astype(np.float32)
    values /= 255.0  # in place: allocating memory takes longer than the division
    output = networks.landmarks(values)
    if not output.presence >= MIN_PRESENCE:
        return None
    points = refine_by_heatmap(output.landmarks[:, :2] / size, output.heatmaps) * size
    points_px = region.to_image(points, size)
    next_region = person_region(points_px[MID_HIP], points_px[BODY_TOP])
    if next_region is None or not np.isfinite(points_px).all():
        return None
    world_m = output.world_m[:JOINTS].copy()
    world_m[:, :2] = world_m[:, :2] @ region.rotation.T
    return Person(
        joints_px=points_px[:JOINTS],
        confidence=sigmoid(output.landmarks[:JOINTS, 3]),
        world_m=world_m,
        score=min(float(output.presence), 1.0),
        mid_hip_px=points_px[MID_HIP],
        next_region=next_region,
    )


@dataclass(frozen=True)
class BlazePose:
    """The detector: one of the models blazepose-heavy, blazepose-full and blazepose-lite.

    people     the most people that are followed at once
    choose     who comes first if there are more
    region_px  only people whose mid-hip lies inside
    load       gives the networks of a model; for tests
    """

    name: str
    people: int = 1
    choose: Choice = "largest"
    region_px: Box | None = None
    load: Callable[[str], Networks] = field(default=load_networks, repr=False, compare=False)

    finds_everybody = False
    has_3d_estimate = True

    @property
    def skeleton(self) -> Skeleton:
        """BlazePose's 33 joints."""
        return BLAZEPOSE_33

    @property
    def source(self) -> Source:
        """The model, with the checksum of its landmark network."""
        asset = assets.CATALOGUE[self.name]
        file = asset.files[0]
        return Source(method="blazepose", model=self.name, version=f"{file.name} sha256 {file.sha256}")

    @property
    def weights(self) -> tuple[str, ...]:
        """The landmark network and the one that finds people."""
        return (self.name, PERSON_NETWORK)

    def detect(
        self,
        frames: Iterable[VideoFrame],
        *,
        camera: str,
        image_size_px: tuple[int, int],
        on_frame: Callable[[], None] | None = None,
    ) -> Detections:
        """The people of every frame; a person keeps the same number while followed.

        Raises `InputError` if a frame has another size, and `AssetError` if the weights cannot be fetched.
        """
        networks = self.load(self.name)
        regions: dict[int, Region] = {}
        times_s: list[float] = []
        seen_by_frame: list[dict[int, Person]] = []
        searches = losses = 0
        with contextlib.closing(prefetched(of_one_size(frames, camera, image_size_px))) as decoded:
            for frame in decoded:
                seen: dict[int, Person] = {}
                for number, region in regions.items():
                    self._admit(find_landmarks(frame.image, region, networks), seen, number)
                losses += len(regions) - len(seen)
                if len(seen) < self.people:
                    searches += 1
                    self._search(frame.image, networks, seen)
                regions = {number: person.next_region for number, person in seen.items()}
                times_s.append(frame.time_s)
                seen_by_frame.append(seen)
                if on_frame is not None:
                    on_frame()
        places = max((number + 1 for seen in seen_by_frame for number in seen), default=0)
        return assemble(
            [_frame_people(seen, places) for seen in seen_by_frame],
            times_s,
            skeleton=BLAZEPOSE_33,
            image_size_px=image_size_px,
            camera=camera,
            source=self.source,
            history=[self._summary(seen_by_frame, searches, losses)],
        )

    def _admit(self, person: Person | None, seen: dict[int, Person], number: int) -> None:
        """Add a person who is inside the region and not among those already added."""
        if person is None or not (self.region_px is None or inside_box(person.mid_hip_px, self.region_px)):
            return
        if not any(same_person(person.next_region, other.next_region) for other in seen.values()):
            seen[number] = person

    def _search(self, image: Image, networks: Networks, seen: dict[int, Person]) -> None:
        """Fill `seen` up to `people` with the people that the person network finds, in order of choice."""
        height, width = image.shape[:2]
        whole = [square_around(-0.5, -0.5, width - 0.5, height - 0.5)]
        if (
            self.region_px is not None
        ):  # the region is searched too: people who are small in the image are found only there
            whole.append(square_around(*self.region_px))
        center = whole[0].center_px
        order: dict[Choice, Callable[[Region], float]] = {
            "largest": lambda region: -region.side_px,
            "center": lambda region: float(np.hypot(*(region.center_px - center))),
        }
        for squares in (closer_squares(width, height), whole) if self.people > 1 else (whole,):
            found = [region for square in squares for region in find_people(image, square, networks)]
            for region in sorted(found, key=order[self.choose]):
                if len(seen) == self.people:
                    return
                if any(same_person(region, other.next_region) for other in seen.values()):
                    continue
                free = next(number for number in range(self.people) if number not in seen)
                self._admit(find_landmarks(image, region, networks), seen, free)

    def _summary(self, seen_by_frame: Sequence[dict[int, Person]], searches: int, losses: int) -> str:
        """The counts, for the history."""
        frames = len(seen_by_frame)
        empty = sum(not seen for seen in seen_by_frame)
        if empty == frames:
            return f"{self.name}: no person in any of {frames} frames"
        most = max(len(seen) for seen in seen_by_frame)
        return (
            f"{self.name}: at most {most} {'person' if most == 1 else 'people'} at once in {frames} frames "
            f"(up to {self.people} followed, {self.choose} first"
            + (f", mid-hip inside {self.region_px}" if self.region_px else "")
            + f"); {empty} frames without people; searched in {searches} frames, lost {losses} times"
        )


def _frame_people(seen: dict[int, Person], places: int) -> FramePeople:
    """The people of a frame, each at the place of their number."""
    positions, world_m = np.full((places, JOINTS, 2), np.nan), np.full((places, JOINTS, 3), np.nan)
    confidence, scores, boxes_px = np.zeros((places, JOINTS)), np.zeros(places), np.full((places, 4), np.nan)
    for number, person in seen.items():
        positions[number], world_m[number] = person.joints_px, person.world_m
        confidence[number], scores[number], boxes_px[number] = person.confidence, person.score, person.box_px
    return FramePeople(positions, confidence, scores, boxes_px, world_m)
