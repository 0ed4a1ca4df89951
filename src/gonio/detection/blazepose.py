"""BlazePose: 33 joints of a person from one picture, in pixels and as an estimate in metres.

Two networks (Bazarevsky et al. 2020, "BlazePose: On-device real-time body pose tracking"; Grishchenko et al. 2022,
"BlazePose GHUM Holistic" for the metres). The person network looks at the whole picture, squared by black borders and
shrunk to 224 x 224, and gives for each person the mid-hip and a point straight up the body whose distance is the radius
of a circle round the whole person. The landmark network looks at the square round that circle, turned so that the body
stands upright, at 256 x 256. It gives 33 joints and again the two points, which make the square of the next frame: the
person network runs only while fewer people are followed than asked for. A landmark's position is read from its heatmap
(the mean of a 7 x 7 window, weighted by the sigmoid) where that is sure, otherwise from the network's own regression.

Pixel (0, 0) is the centre of the top left pixel. A square of side s px round c maps the crop's coordinate u (0 to its
size, pixel i from i to i + 1) to c + s/size * R(angle) (u - size/2). Column i of a heatmap stands for u = 4i, not
4i + 2: of a mirrored crop the networks give mirrored landmarks exactly so (measured, heatmap centre 32.00).

Confidence is the sigmoid of the visibility logit: on the sample trial the median error is 9 px above 0.9, 16 px at
0.5-0.7 and 26 px below 0.3; the presence logit says nothing of it (above 0.99 for every joint). `world_m` are the
network's metres, hip-centred, turned by the square's angle to camera axes: x right, y down, z away from the camera.
They are an estimate from one picture: on the trial 8 to 13 cm from the joints triangulated by four cameras.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from gonio import assets
from gonio.core.arrays import FloatArray
from gonio.core.images import VideoFrame
from gonio.core.sequence import Detections, Source
from gonio.core.side_by_side import ahead
from gonio.core.skeleton import BLAZEPOSE_33, Skeleton
from gonio.detection.detector import Choice, of_one_size
from gonio.errors import AssetError

if TYPE_CHECKING:
    from collections.abc import Iterator

Image = NDArray[np.uint8]

PERSON_INPUT_PX = 224
LANDMARK_INPUT_PX = 256
REGION_SCALE = 1.25  # side of the square over the diameter of the circle
MIN_PERSON_SCORE = 0.5
MIN_PRESENCE = 0.5
NMS_IOU = 0.3
HEATMAP_WINDOW = 7
MIN_HEATMAP = 0.5
SAME_PERSON_IOU = 0.5
SAME_PERSON_DISTANCE = 0.1  # between mid-hips, over the larger square's side
_WINDOW_Y, _WINDOW_X = (d.ravel() - HEATMAP_WINDOW // 2 for d in np.indices((HEATMAP_WINDOW, HEATMAP_WINDOW)))
JOINTS = len(BLAZEPOSE_33)
MID_HIP, BODY_TOP = 33, 34  # the two extra landmarks that make the next region


PERSON_NETWORK = "blazepose-detector"


@dataclass(frozen=True, eq=False)
class Region:
    """A square of the picture: centre (2,) px, side in px, and the angle by which its up is turned clockwise."""

    center_px: FloatArray
    side_px: float
    angle_rad: float = 0.0

    @property
    def rotation(self) -> FloatArray:
        """(2, 2) crop axes -> image axes."""
        c, s = np.cos(self.angle_rad), np.sin(self.angle_rad)
        return np.array([[c, -s], [s, c]])

    @property
    def box_px(self) -> FloatArray:
        """(4,) x1, y1, x2, y2 of the axis-aligned square of the same centre and side."""
        half = self.side_px / 2
        return np.concatenate([self.center_px - half, self.center_px + half])

    def to_image(self, points: FloatArray, size: int) -> FloatArray:
        """(..., 2) crop coordinates 0..size -> (..., 2) px of the picture."""
        return self.center_px + self.side_px / size * (points - size / 2) @ self.rotation.T

    def to_crop(self, points_px: FloatArray, size: int) -> FloatArray:
        """(..., 2) px of the picture -> (..., 2) crop coordinates 0..size."""
        return (points_px - self.center_px) @ self.rotation * (size / self.side_px) + size / 2


def person_region(mid_hip_px: FloatArray, top_px: FloatArray) -> Region | None:
    """The square round a person, whose up is mid-hip -> top. None where the two points make none."""
    dx, dy = top_px - mid_hip_px
    radius = float(np.hypot(dx, dy))
    if not np.isfinite(radius) or radius < 1.0:
        return None
    return Region(np.asarray(mid_hip_px, dtype=float), 2 * radius * REGION_SCALE, float(np.arctan2(dx, -dy)))


def crop(image: Image, region: Region, size: int) -> Image:
    """The region as a picture of (size, size); black where it leaves the image."""
    linear = region.rotation * (region.side_px / size)
    first_pixel = region.to_image(np.array([0.5, 0.5]), size)
    warp = np.column_stack([linear, first_pixel])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(image, warp, (size, size), flags=flags), dtype=np.uint8)


def person_anchors() -> FloatArray:
    """(2254, 2) centres of the person network's anchors in 0..1: strides 8, 16, 32, 32, 32 px, two on each cell."""
    layers = []
    for stride, per_cell in ((8, 2), (16, 2), (32, 6)):
        cells = (np.arange(PERSON_INPUT_PX // stride) + 0.5) * stride / PERSON_INPUT_PX
        y, x = np.meshgrid(cells, cells, indexing="ij")
        layers.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), per_cell, axis=0))
    return np.concatenate(layers)


_ANCHORS = person_anchors()


def sigmoid(logits: FloatArray) -> FloatArray:
    """1 / (1 + exp(-x))."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * np.asarray(logits, dtype=float))))


def decode_people(raw: FloatArray, logits: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The person network's output as people.

    raw (2254, 12), logits (2254,) -> points (n, 6, 2): the box's two corners and four keypoints in 0..1 of the squared
    picture, best first; scores (n,). Overlapping ones are merged.
    """
    scores = sigmoid(logits)
    sure = np.flatnonzero(scores >= MIN_PERSON_SCORE)
    values = raw[sure].reshape(-1, 6, 2) / PERSON_INPUT_PX  # centre, size, four keypoints
    centers, keypoints = _ANCHORS[sure] + values[:, 0], _ANCHORS[sure][:, None] + values[:, 2:]
    corners = np.stack([centers - values[:, 1] / 2, centers + values[:, 1] / 2], axis=1)
    return merge_overlapping(np.concatenate([corners, keypoints], axis=1), scores[sure])


def merge_overlapping(points: FloatArray, scores: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Score-weighted non-maximum suppression (Bazarevsky et al. 2019, "BlazeFace").

    points (n, k, 2), of which the first two are the box's corners; scores (n,). The best one, and all whose box
    overlaps it by more than `NMS_IOU`, become their score-weighted mean with the best one's score; and so on.
    """
    order = np.argsort(-scores, kind="stable")
    points, scores = points[order], scores[order]
    merged, best = [], []
    while len(scores):
        same = np.array(overlap(points[0, :2].ravel(), points[:, :2].reshape(-1, 4)) > NMS_IOU, dtype=np.bool_)
        same[0] = True
        merged.append(np.average(points[same], axis=0, weights=scores[same]))
        best.append(scores[0])
        points, scores = points[~same], scores[~same]
    return np.array(merged).reshape(-1, *points.shape[1:]), np.array(best)


def overlap(box: FloatArray, boxes: FloatArray) -> FloatArray:
    """(n,) intersection over union of one box (4,) with boxes (n, 4), each x1, y1, x2, y2."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    shared = np.prod(np.maximum(sides, 0), axis=1)
    union = np.prod(box[2:] - box[:2]) + np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) - shared
    return np.asarray(shared / np.maximum(union, 1e-12))


def refine_by_heatmap(points: FloatArray, heatmaps: NDArray[np.floating]) -> FloatArray:
    """Landmarks moved to the centroid of their heatmap near them.

    points (n, 2) in 0..1 of the crop, heatmaps (h, w, n) logits -> (n, 2). A landmark stays where it is if it lies
    outside the crop, or if the heatmap nowhere in the window reaches `MIN_HEATMAP`.
    """
    height, width, n = heatmaps.shape
    cell = np.floor(points * [width, height]).astype(int)
    inside = np.all((cell >= 0) & (cell < [width, height]), axis=1, keepdims=True)
    column, row = cell[:, :1] + _WINDOW_X, cell[:, 1:] + _WINDOW_Y
    there = (column >= 0) & (column < width) & (row >= 0) & (row < height) & inside
    index = np.where(there, (row * width + column) * n + np.arange(n)[:, None], 0)
    weight = sigmoid(heatmaps.ravel()[index].astype(float)) * there
    total = np.maximum(weight.sum(axis=1), 1e-12)
    centroid = np.stack([(weight * column).sum(axis=1), (weight * row).sum(axis=1)], axis=1) / total[:, None]
    sure = weight.max(axis=1) >= MIN_HEATMAP
    return np.asarray(np.where(sure[:, None], centroid / [width, height], points))


@dataclass(frozen=True, eq=False)
class LandmarkOutput:
    """What the landmark network says of one crop.

    landmarks (39, 5)     x, y, z in crop px, visibility logit, presence logit
    presence              0..1: a person is there
    heatmaps  (64, 64, 39) logits, in the network's single precision
    world_m   (39, 3)     hip-centred, in the crop's axes
    """

    landmarks: FloatArray
    presence: float
    heatmaps: NDArray[np.float32]
    world_m: FloatArray


@dataclass(frozen=True)
class Networks:
    """The two networks as functions.

    people     (224, 224, 3) float32 in -1..1 -> raw (2254, 12), logits (2254,)
    landmarks  (256, 256, 3) float32 in 0..1 -> `LandmarkOutput`
    """

    people: Callable[[NDArray[np.float32]], tuple[FloatArray, FloatArray]]
    landmarks: Callable[[NDArray[np.float32]], LandmarkOutput]


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
        """(4,) x1, y1, x2, y2 round the joints."""
        return np.concatenate([self.joints_px.min(axis=0), self.joints_px.max(axis=0)])


def square_round(x1: float, y1: float, x2: float, y2: float) -> Region:
    """The upright square round a rectangle of the picture, px."""
    return Region(np.array([(x1 + x2) / 2, (y1 + y2) / 2]), float(max(x2 - x1, y2 - y1)))


def closer_squares(width: int, height: int) -> list[Region]:
    """Squares as wide as the picture's shorter side, that overlap by half or more along the longer one. People side by
    side, whom the person network takes for one in the whole picture, are told apart in them."""
    side, longer = min(width, height), max(width, height)
    n = 1 if side == longer else int(np.ceil(2 * (longer - side) / side)) + 1
    starts = np.linspace(0, longer - side, n) - 0.5
    corners = [(start, -0.5) if width > height else (-0.5, start) for start in starts]
    return [square_round(x, y, x + side, y + side) for x, y in corners]


def find_people(image: Image, square: Region, networks: Networks) -> list[Region]:
    """The regions of all people that the person network sees in an upright square of the picture."""
    picture = crop(image, square, PERSON_INPUT_PX).astype(np.float32)
    picture /= 127.5
    picture -= 1.0
    points, _ = decode_people(*networks.people(picture))
    keypoints_px = square.to_image(points[:, 2:4] * PERSON_INPUT_PX, PERSON_INPUT_PX)
    regions = (person_region(mid_hip, top) for mid_hip, top in keypoints_px)
    return [region for region in regions if region is not None]


def find_landmarks(image: Image, region: Region, networks: Networks) -> Person | None:
    """The person in a region; None where the landmark network says that nobody is there."""
    size = LANDMARK_INPUT_PX
    picture = crop(image, region, size).astype(np.float32)
    picture /= 255.0  # in place: fresh memory costs more than the division
    output = networks.landmarks(picture)
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


def same_person(a: Region, b: Region) -> bool:
    """Two regions hold the same person: their squares overlap, or their mid-hips nearly coincide."""
    distance = float(np.hypot(*(a.center_px - b.center_px)))
    if distance < SAME_PERSON_DISTANCE * max(a.side_px, b.side_px):
        return True
    return bool(overlap(a.box_px, b.box_px[None])[0] > SAME_PERSON_IOU)


def load_networks(name: str) -> Networks:
    """The networks of a model such as "blazepose-heavy". Raises `AssetError` where its weights cannot be had."""
    people = _interpreter(_only_file(PERSON_NETWORK), outputs=(0, 1))
    landmarks = _interpreter(_only_file(name), outputs=(0, 1, 3, 4))  # 2 is the person's outline

    def find(picture: NDArray[np.float32]) -> tuple[FloatArray, FloatArray]:
        raw, logits = people(picture)
        return raw.reshape(-1, 12).astype(float), logits.ravel().astype(float)

    def locate(picture: NDArray[np.float32]) -> LandmarkOutput:
        points, presence, heatmaps, world = landmarks(picture)
        places, world_m = points.reshape(-1, 5).astype(float), world.reshape(-1, 3).astype(float)
        return LandmarkOutput(places, float(presence.item()), heatmaps[0], world_m)

    return Networks(find, locate)


def _only_file(asset: str) -> Path:
    return assets.fetch(asset) / assets.CATALOGUE[asset].files[0].name


def _interpreter(path: Path, outputs: Sequence[int]) -> Callable[[NDArray[np.float32]], Sequence[NDArray[np.float32]]]:
    """A network in one thread, of whose outputs some are wanted. It gives up Python's lock while it computes: cameras
    run side by side in threads.
    """
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415

    try:
        with _without_notices():
            interpreter = Interpreter(str(path), num_threads=1)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise AssetError(f"{path}: litert cannot run it ({str(error).splitlines()[0]})") from None
    entry = interpreter.get_input_details()[0]["index"]
    details = interpreter.get_output_details()
    wanted = [details[output]["index"] for output in outputs]

    def run(picture: NDArray[np.float32]) -> Sequence[NDArray[np.float32]]:
        interpreter.set_tensor(entry, picture[None])
        interpreter.invoke()
        return [interpreter.get_tensor(index) for index in wanted]

    return run


_stderr_lock = threading.Lock()


@contextmanager
def _without_notices() -> Iterator[None]:
    """Keeps litert's "INFO: Created TensorFlow Lite XNNPACK delegate" off stderr; all else written meanwhile follows.

    The library writes it from C++ to file descriptor 2 and has no switch for it that Python can reach.
    """
    with _stderr_lock, tempfile.TemporaryFile() as written:
        try:
            real = os.dup(2)
        except OSError:  # a process without stderr
            yield
            return
        try:
            os.dup2(written.fileno(), 2)
            yield
        finally:
            os.dup2(real, 2)
            os.close(real)
            written.seek(0)
            kept = b"".join(line for line in written if not line.startswith(b"INFO: "))
            if kept:
                os.write(2, kept)


@dataclass(frozen=True)
class BlazePose:
    """The detector (see `gonio.detection.detector.create` for the options). `load` gives the networks of a model."""

    name: str
    people: int = 1
    choose: Choice = "largest"
    region_px: tuple[float, float, float, float] | None = None
    load: Callable[[str], Networks] = field(default=load_networks, repr=False, compare=False)

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
        """The people of every frame; a person keeps the same number as long as they are followed.

        Raises `InputError` where a frame has another size, and `AssetError` where the weights cannot be had.
        """
        networks = self.load(self.name)
        regions: dict[int, Region] = {}
        times_s: list[float] = []
        seen_by_frame: list[dict[int, Person]] = []
        searches = losses = 0
        with contextlib.closing(ahead(of_one_size(frames, camera, image_size_px))) as decoded:
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
        step = self._account(seen_by_frame, searches, losses)
        return _assemble(seen_by_frame, times_s, image_size_px, camera, self.source, step)

    def _admit(self, person: Person | None, seen: dict[int, Person], number: int) -> None:
        """Add a person who is where people are wanted, and not there already."""
        if person is None or not self._wanted(person.mid_hip_px):
            return
        if not any(same_person(person.next_region, other.next_region) for other in seen.values()):
            seen[number] = person

    def _wanted(self, mid_hip_px: FloatArray) -> bool:
        if self.region_px is None:
            return True
        (x, y), (x1, y1, x2, y2) = mid_hip_px, self.region_px
        return bool(x1 <= x <= x2 and y1 <= y <= y2)

    def _search(self, image: Image, networks: Networks, seen: dict[int, Person]) -> None:
        """Fill `seen` up to the number wanted with the people that the person network finds, in order of choice."""
        height, width = image.shape[:2]
        whole = [square_round(-0.5, -0.5, width - 0.5, height - 0.5)]
        if self.region_px is not None:  # looked at closely too: people small in the picture are found only so
            whole.append(square_round(*self.region_px))
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

    def _account(self, seen_by_frame: Sequence[dict[int, Person]], searches: int, losses: int) -> str:
        """What was found and what was not, for the history."""
        frames = len(seen_by_frame)
        empty = sum(not seen for seen in seen_by_frame)
        if empty == frames:
            return f"{self.name}: no person in any of {frames} frames"
        most = max(len(seen) for seen in seen_by_frame)
        return (
            f"{self.name}: at most {most} {'person' if most == 1 else 'people'} at once in {frames} frames "
            f"(up to {self.people} followed, {self.choose} first"
            + (f", mid-hip inside {self.region_px}" if self.region_px else "")
            + f"); {empty} frames without anybody; searched in {searches} frames, lost {losses} times"
        )


def _assemble(
    seen_by_frame: Sequence[dict[int, Person]],
    times_s: Sequence[float],
    image_size_px: tuple[int, int],
    camera: str,
    source: Source,
    step: str,
) -> Detections:
    """Arrays from the people of each frame: NaN, and score 0, where a person is absent."""
    shape = (len(seen_by_frame), max((max(seen, default=-1) + 1 for seen in seen_by_frame), default=0))
    arrays: dict[str, FloatArray] = {
        "joints_px": np.full((*shape, JOINTS, 2), np.nan),
        "confidence": np.zeros((*shape, JOINTS)),
        "world_m": np.full((*shape, JOINTS, 3), np.nan),
        "box_px": np.full((*shape, 4), np.nan),
        "score": np.zeros(shape),
    }
    for time, seen in enumerate(seen_by_frame):
        for number, person in seen.items():
            for name, array in arrays.items():
                array[time, number] = getattr(person, name)
    return Detections(
        positions=arrays["joints_px"],
        confidence=arrays["confidence"],
        times_s=np.array(times_s, dtype=float),
        skeleton=BLAZEPOSE_33,
        image_size_px=image_size_px,
        frame_name=camera,
        boxes_px=arrays["box_px"],
        scores=arrays["score"],
        world_m=arrays["world_m"],
        source=source,
        history=(step,),
    )
