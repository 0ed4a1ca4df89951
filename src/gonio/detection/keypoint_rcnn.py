"""Keypoint R-CNN: all people in an image, with COCO's 17 keypoints.

The network of Detectron and Mask R-CNN (He et al. 2017, section 5; ResNet-50 with a feature pyramid), as implemented in
torchvision. It first finds the people's boxes. In each box it computes a map of 56 x 56 for every keypoint; the maximum
of the map is the keypoint. Each image is processed by itself: people are not followed (`detection.tracking` follows
them), and two people in one box become one person.

    positions   as torchvision returns them, px of the image
    confidence  the logistic function of the map's maximum, 1 / (1 + exp(-logit)): 0.5 for a logit of 0. It orders
                keypoints as the logit does, and the logit can be computed from it. It is not a calibrated probability.
                (Detectron also returns the softmax over the map; torchvision does not.)
    boxes_px, scores  of the person, as the network returns them; people below `min_score` are left out

Weights: torchvision's own (59,137,258 parameters, trained on COCO; published with torchvision, which is BSD-3-Clause;
the terms of the training data may apply too), from the cache of torch's hub or from its server; or a file
with the same tensors. From a file only tensors are read; nothing in it is executed.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gonio.core.arrays import FloatArray, VideoFrame
from gonio.core.detections import Detections
from gonio.core.errors import AssetError, ConfigError, InputError, MissingExtraError, one_line
from gonio.core.files import sha256_of
from gonio.core.sequence import Source
from gonio.core.skeleton import COCO_17, Skeleton
from gonio.core.threads import prefetched
from gonio.detection.detector import FramePeople, assemble, of_one_size

NAME = "keypoint-rcnn"
MIN_SCORE = 0.5
WEIGHTS_URL = "https://download.pytorch.org/models/keypointrcnn_resnet50_fpn_coco-fc266e95.pth"
"""torchvision's weights (box AP 54.6, keypoint AP 65.0 on COCO val2017, as torchvision states)."""
WEIGHTS_SHA256 = "fc266e95"  # beginning of that file's checksum; torch's hub checks it against the file name
EPSILON, PUBLISHED_EPSILON = (
    1e-5,
    0.0,
)  # of the normalisation: torchvision's default, and the value for the published weights


@dataclass(frozen=True)
class KeypointRCNNOptions:
    """Options of Keypoint R-CNN. Raises `ConfigError` if a value is impossible."""

    weights: Path | None = None
    """A torchvision state dict (.pth); default: torchvision's own weights."""
    min_score: float | None = None
    """People whose box has a lower score are left out; default: 0.5."""

    def __post_init__(self) -> None:
        if self.min_score is not None and not 0 <= self.min_score <= 1:
            raise ConfigError(f"min_score = {self.min_score:g} must lie in 0..1")


@dataclass(frozen=True, eq=False)
class People:
    """The people of one image, best first: keypoints_px (person, 17, 2), logits (person, 17), boxes_px (person, 4)
    x1, y1, x2, y2, scores (person,) 0..1."""

    keypoints_px: FloatArray
    logits: FloatArray
    boxes_px: FloatArray
    scores: FloatArray

    def __len__(self) -> int:
        return len(self.scores)

    def select(self, kept: NDArray[np.bool_]) -> People:
        """The people for whom `kept` (person,) is true."""
        return People(self.keypoints_px[kept], self.logits[kept], self.boxes_px[kept], self.scores[kept])


Network = Callable[[NDArray[np.uint8]], People]
"""An image (height, width, 3) uint8 RGB -> its people."""


def confidence_of(logits: FloatArray) -> FloatArray:
    """The logistic function: any real number -> 0..1."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * np.asarray(logits, dtype=float))))


def check_installed() -> None:
    """Raises `MissingExtraError` if torch or torchvision is not installed."""
    for package in ("torch", "torchvision"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(f"{NAME} needs {package}, which is not installed: pip install 'gonio[detectron]'")


def load_network(file: Path | None) -> Network:
    """The network with the weights of a file, or with torchvision's own; on a graphics card if torch finds one.

    Raises `MissingExtraError` if torch or torchvision is not installed, `AssetError` if torchvision's weights cannot be
    fetched, and `InputError` if the file does not exist, is damaged, or belongs to another network.
    """
    check_installed()
    import torch  # noqa: PLC0415

    state = _own_state() if file is None else _state_of(file)
    published = file is None or (sha256_of(file) or "").startswith(WEIGHTS_SHA256)
    network = _build(PUBLISHED_EPSILON if published else EPSILON)
    _fill(network, state, WEIGHTS_URL if file is None else str(file))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device).eval()

    def run(image: NDArray[np.uint8]) -> People:
        values = torch.from_numpy(np.ascontiguousarray(image)).to(device).permute(2, 0, 1).float() / 255.0
        with torch.inference_mode():
            (found,) = network([values])
        keypoints = found["keypoints"].double().cpu().numpy()
        return People(
            keypoints_px=keypoints.reshape(-1, len(COCO_17), 3)[..., :2],
            logits=found["keypoints_scores"].double().cpu().numpy().reshape(-1, len(COCO_17)),
            boxes_px=found["boxes"].double().cpu().numpy(),
            scores=found["scores"].double().cpu().numpy(),
        )

    return run


def _build(epsilon: float) -> Any:
    """The network before its weights are loaded. The backbone's normalisation has fixed statistics; `epsilon` is added
    to the variance."""
    from torchvision.models.detection import KeypointRCNN as Architecture  # noqa: PLC0415
    from torchvision.models.detection.backbone_utils import resnet_fpn_backbone  # noqa: PLC0415
    from torchvision.ops import FrozenBatchNorm2d  # noqa: PLC0415

    backbone = resnet_fpn_backbone(
        backbone_name="resnet50", weights=None, norm_layer=partial(FrozenBatchNorm2d, eps=epsilon)
    )
    return Architecture(backbone, num_classes=2, num_keypoints=len(COCO_17))


def _own_state() -> Mapping[str, Any]:
    """torchvision's weights, from its hub's cache or its server."""
    import torch  # noqa: PLC0415

    try:
        state: Mapping[str, Any] = torch.hub.load_state_dict_from_url(
            WEIGHTS_URL, map_location="cpu", progress=False, check_hash=True, weights_only=True
        )
    except OSError as error:  # urllib's errors are OSErrors
        reason = getattr(error, "reason", None) or error
        raise AssetError(
            f"{NAME}: cannot fetch {WEIGHTS_URL} ({reason}); download it on another computer and give it with "
            f"--weights, or put it into {Path(torch.hub.get_dir()) / 'checkpoints'}"
        ) from None
    except RuntimeError as error:  # the checksum is wrong
        raise AssetError(f"{NAME}: {WEIGHTS_URL}: {error}") from None
    return state


def _state_of(file: Path) -> Mapping[str, Any]:
    """The tensors of a file, by name."""
    import torch  # noqa: PLC0415

    if not file.is_file():
        raise InputError(f"{file}: no such file")
    if file.suffix.lower() == ".pkl":
        raise InputError(
            f"{file}: gonio does not read Detectron's .pkl files; take torchvision's weights of this network: "
            f"{WEIGHTS_URL} (fetched if no weights are named)"
        )
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - what cannot be pickled may raise anything
        raise InputError(
            f"{file}: is damaged, or contains more than tensors ({one_line(error)}); nothing in it was executed. "
            f"{NAME} takes {WEIGHTS_URL}"
        ) from None
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise InputError(f"{file}: contains no named tensors; {NAME} takes {WEIGHTS_URL}")
    return state


def _fill(network: Any, state: Mapping[str, Any], where: str) -> None:
    """Load the weights into the network. Raises `InputError` if they belong to another network."""
    own = network.state_dict()
    wrong = [name for name, tensor in own.items() if name not in state or state[name].shape != tensor.shape]
    unknown = [name for name in state if name not in own and not name.endswith("num_batches_tracked")]
    if wrong or unknown:
        example = (wrong or unknown)[0]
        found = f"shape {tuple(state[example].shape)}" if example in state else "absent"
        expected = f"{tuple(own[example].shape)}" if example in own else "absent"
        raise InputError(
            f"{where}: weights of another network: {len(wrong)} of {len(own)} tensors are absent or have "
            f"another shape, {len(unknown)} are unknown ({example}: {found}, expected {expected}); {NAME} takes "
            f"{WEIGHTS_URL}"
        )
    network.load_state_dict({name: state[name] for name in own})


@dataclass(frozen=True)
class KeypointRCNN:
    """The detector.

    file       the weights; None: torchvision's own
    min_score  people whose box has a lower score are left out
    load       gives the network of a file; for tests
    """

    file: Path | None = None
    min_score: float = MIN_SCORE
    load: Callable[[Path | None], Network] = field(default=load_network, repr=False, compare=False)

    name = NAME
    finds_everybody = True
    has_3d_estimate = False

    @property
    def skeleton(self) -> Skeleton:
        """COCO's 17 keypoints."""
        return COCO_17

    @property
    def source(self) -> Source:
        """torchvision's version, and the weights file with its checksum."""
        with_version = "torchvision"
        with contextlib.suppress(metadata.PackageNotFoundError):
            with_version += f" {metadata.version('torchvision')}"
        if self.file is None:
            weights = WEIGHTS_URL.rpartition("/")[2]  # its name ends in the beginning of its checksum
        else:
            weights = f"{self.file.name} sha256 {sha256_of(self.file) or 'unknown'}"
        return Source(method="detectron", model=NAME, version=f"{with_version}, {weights}")

    @property
    def weights(self) -> tuple[str, ...]:
        """None: torchvision fetches its own weights."""
        return ()

    def detect(
        self,
        frames: Iterable[VideoFrame],
        *,
        camera: str,
        image_size_px: tuple[int, int],
        on_frame: Callable[[], None] | None = None,
    ) -> Detections:
        """All people of every frame, the highest score first; people are not followed from frame to frame.

        Raises `InputError` if a frame has another size, and as `load_network` does.
        """
        network = self.load(self.file)
        times_s: list[float] = []
        found: list[People] = []
        n_below = 0
        with contextlib.closing(prefetched(of_one_size(frames, camera, image_size_px))) as decoded:
            for frame in decoded:
                people = network(frame.image)
                confident = people.select(people.scores >= self.min_score)
                n_below += len(people) - len(confident)
                found.append(confident)
                times_s.append(frame.time_s)
                if on_frame is not None:
                    on_frame()
        return assemble(
            [
                FramePeople(people.keypoints_px, confidence_of(people.logits), people.scores, people.boxes_px)
                for people in found
            ],
            times_s,
            skeleton=COCO_17,
            image_size_px=image_size_px,
            camera=camera,
            source=self.source,
            history=[self._summary(found, n_below)],
        )

    def _summary(self, found: Sequence[People], n_below: int) -> str:
        """The counts, for the history."""
        counts = [len(people) for people in found]
        return (
            f"{NAME}: {sum(counts)} people in {len(counts)} frames, at most {max(counts, default=0)} at once; "
            f"{counts.count(0)} frames without people; {n_below} people below a score of {self.min_score:g} left out; "
            f"confidence = logistic function of the logit"
        )
