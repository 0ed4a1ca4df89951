"""Losses of training and errors of validation, in torch.

Sections and equations are those of D. Pavllo et al., "3D human pose estimation in video with temporal convolutions and
semi-supervised training", CVPR 2019. Positions are (..., joint, 3), in the unit of the network; a mask (...,
joint) is true for the joints that count. For the others the position may have any value, also NaN, and gives no
gradient. Every loss is a mean over the joints that count, and 0 if there is none.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from gonio.core.errors import InputError
from gonio.core.skeleton import Skeleton, joint_map

_LEAST_DEPTH = 1e-6  # in the unit of the positions


def mpjpe(predicted: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean per-joint position error: the mean distance (protocol 1, section 5.1; the loss of section 3).

    Works for any number of coordinates: for the 2D reprojection error too.
    """
    return _mean(_distances(predicted, target, mask), mask)


def weighted_mpjpe(predicted: Tensor, target: Tensor, weight: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean of weight times distance: WMPJPE, equation 1, E = ||f(x) - y|| / y_z.

    weight  (...) or (..., 1) or (..., joint); for a trajectory 1 / y_z, the target's depth in the camera frame, because
            a position error matters less the further away the person is
    """
    distances = _distances(predicted, target, mask)
    if weight.ndim == distances.ndim - 1:
        weight = weight[..., None]
    if mask is not None:
        weight = torch.where(mask, weight, 0.0)
    return _mean(weight * distances, mask)


def n_mpjpe(predicted: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """MPJPE after the scale of each pose that brings it nearest (protocol 3, section 5.1; Rhodin et al., ECCV 2018).

    Both must be centred on the same root. Scale: sum(target . predicted) / sum(predicted . predicted).
    """
    if mask is not None:
        predicted = torch.where(mask[..., None], predicted, 0.0)
        target = torch.where(mask[..., None], target, 0.0)
    size = (predicted * predicted).sum(dim=(-2, -1), keepdim=True)
    product = (target * predicted).sum(dim=(-2, -1), keepdim=True)
    scale = product / size.clamp_min(torch.finfo(size.dtype).tiny)
    return mpjpe(scale * predicted, target, mask)


def mpjve(predicted: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean per-joint velocity error: MPJPE of the differences between neighbouring frames (section 5.1), per frame.

    Positions (..., time, joint, 3). A joint counts if it counts in both frames.
    """
    if predicted.shape[-3] < 2:
        raise InputError("a velocity needs two frames or more")
    if mask is not None:  # so that no NaN is subtracted from
        predicted = torch.where(mask[..., None], predicted, 0.0)
        target = torch.where(mask[..., None], target, 0.0)
        mask = mask[..., 1:, :] & mask[..., :-1, :]
    return mpjpe(predicted.diff(dim=-3), target.diff(dim=-3), mask)


def mean_bone_lengths(positions: Tensor, skeleton: Skeleton, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Mean length of every bone of `skeleton.bones` over all poses, (bone,), and whether any pose shows it, (bone,)."""
    _check_joints(positions, skeleton)
    parents, children = (list(ends) for ends in zip(*skeleton.bones, strict=True))
    both = None if mask is None else mask[..., parents] & mask[..., children]
    lengths = _distances(positions[..., children, :], positions[..., parents, :], both).flatten(0, -2)
    if both is None:
        return lengths.mean(dim=0), torch.ones(lengths.shape[1], dtype=torch.bool, device=lengths.device)
    seen = both.flatten(0, -2).sum(dim=0)
    return lengths.sum(dim=0) / seen.clamp_min(1), seen > 0


def bone_length_loss(
    labelled: Tensor,
    unlabelled: Tensor,
    skeleton: Skeleton,
    labelled_mask: Tensor | None = None,
    unlabelled_mask: Tensor | None = None,
) -> Tensor:
    """Mean difference between the mean bone lengths of labelled and of unlabelled poses (section 4).

    The term keeps the network from projecting well with impossible bodies. It compares means over the batch and so
    leaves people their differences. The absolute difference is taken, as the published training does. A bone that one
    of the two never shows is left out.
    """
    lengths_a, seen_a = mean_bone_lengths(labelled, skeleton, labelled_mask)
    lengths_b, seen_b = mean_bone_lengths(unlabelled, skeleton, unlabelled_mask)
    seen = seen_a & seen_b
    return _mean(torch.where(seen, (lengths_a - lengths_b).abs(), 0.0), seen)


def project(positions: Tensor, camera: Tensor) -> Tensor:
    """(..., joint, 3) in the camera frame to (..., joint, 2), by the camera model of Human3.6M.

    camera  (..., 9), its leading dimensions those of `positions` from the left: fx, fy, cx, cy, k1, k2, k3, p1, p2, in
            the units of the result (screen coordinates in training)

    With XX = (X / Z, Y / Z) and r2 = |XX|^2: f (XX (1 + k1 r2 + k2 r2^2 + k3 r2^3 + p . XX) + p r2) + c. The tangential
    part is that of Human3.6M's own code and differs from OpenCV's. XX is clamped to -1..1, as in the published
    training: a person at the network's first guesses may stand beside or behind the camera, and its polynomial would be
    astronomic there.
    """
    if camera.shape[-1] != 9:
        raise InputError(
            f"a camera of Human3.6M has 9 numbers (fx, fy, cx, cy, k1, k2, k3, p1, p2), not {camera.shape[-1]}"
        )
    camera = camera.reshape(*camera.shape[:-1], *(1,) * (positions.ndim - camera.ndim), 9)
    f, c, k, p = camera[..., :2], camera[..., 2:4], camera[..., 4:7], camera[..., 7:]
    depth = positions[..., 2:]
    # A depth of exactly 0, which half-precision sums do reach, would make the clamped gradient 0 times infinity.
    XX = (positions[..., :2] / torch.where(depth.abs() < _LEAST_DEPTH, _LEAST_DEPTH, depth)).clamp(-1, 1)
    r2 = XX.square().sum(dim=-1, keepdim=True)
    radial = 1 + (k * torch.cat([r2, r2**2, r2**3], dim=-1)).sum(dim=-1, keepdim=True)
    tangential = (p * XX).sum(dim=-1, keepdim=True)
    seen: Tensor = f * (XX * (radial + tangential) + p * r2) + c
    return seen


def map_joints(positions: Tensor, source: Skeleton, target: Skeleton) -> tuple[Tensor, tuple[int, ...]]:
    """Positions of the target's joints, by name, that `source` has or that are means of such; and their indices there.

    Joints without a map are left out, and so are counterparts: they lie in another place by definition, which a loss
    would teach the network. Raises `InputError` if no joint is left.
    """
    _check_joints(positions, source)
    kept, parts = _common_joints(source, target)
    if not kept:
        raise InputError(f"skeletons {source.name!r} and {target.name!r} have no joint in common")
    return torch.stack([positions[..., part, :].mean(dim=-2) for part in parts], dim=-2), kept


def reprojection_loss(
    positions: Tensor,
    camera: Tensor,
    keypoints: Tensor,
    skeleton: Skeleton,
    keypoint_skeleton: Skeleton,
    mask: Tensor | None = None,
) -> Tensor:
    """2D error of predicted joints, projected by the camera, against the keypoints (section 4).

    positions  (..., joint, 3) in the camera frame: the root-relative pose plus the predicted trajectory
    camera     (..., 9) as in `project`
    keypoints  (..., keypoint, 2), and mask (..., keypoint), in the keypoints' own skeleton

    The predicted skeleton is mapped to the keypoints' by name before it is projected, so that COCO keypoints and
    Human3.6M joints work together (the published loss compares them by number).
    """
    _check_joints(keypoints, keypoint_skeleton)
    mapped, kept = map_joints(positions, skeleton, keypoint_skeleton)
    valid = None if mask is None else mask[..., list(kept)]
    if valid is not None:  # a joint that does not count may lie in the camera's plane
        in_front = torch.tensor((0.0, 0.0, 1.0), dtype=mapped.dtype, device=mapped.device)
        mapped = torch.where(valid[..., None], mapped, in_front)
    return mpjpe(project(mapped, camera), keypoints[..., list(kept), :], valid)


@lru_cache(maxsize=64)
def _common_joints(source: Skeleton, target: Skeleton) -> tuple[tuple[int, ...], tuple[list[int], ...]]:
    found = joint_map(source, target)
    kept = tuple(i for i, kind in enumerate(found.kinds) if kind in ("same", "synthesised"))
    return kept, tuple(list(found.sources[i]) for i in kept)


def _check_joints(positions: Tensor, skeleton: Skeleton) -> None:
    if positions.ndim < 2 or positions.shape[-2] != len(skeleton):
        raise InputError(f"positions have shape {tuple(positions.shape)}; {skeleton.name!r} has {len(skeleton)} joints")


def _distances(predicted: Tensor, target: Tensor, mask: Tensor | None) -> Tensor:
    """(..., joint): distances, 0 where the mask is false. Raises `InputError` if the shapes disagree."""
    if predicted.shape != target.shape:
        raise InputError(f"predicted {tuple(predicted.shape)} and target {tuple(target.shape)} differ in shape")
    difference = predicted - target
    if mask is not None:
        if mask.shape != predicted.shape[:-1]:
            raise InputError(f"the mask has shape {tuple(mask.shape)}; positions need {tuple(predicted.shape[:-1])}")
        difference = torch.where(mask[..., None], difference, 0.0)
    distances: Tensor = torch.linalg.vector_norm(difference, dim=-1)
    return distances


def _mean(values: Tensor, mask: Tensor | None) -> Tensor:
    return values.mean() if mask is None else values.sum() / mask.sum().clamp_min(1)
