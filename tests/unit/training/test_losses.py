import cv2
import numpy as np
import pytest

from gonio.core.errors import InputError
from gonio.core.skeleton import BODY_12, COCO_17, H36M_17, Skeleton

torch = pytest.importorskip("torch", reason="training needs torch: pip install gonio[train]")

from gonio.training import losses  # noqa: E402

CAMERA = (2.29, 2.28, 0.025, 0.028, -0.207, 0.247, -0.003, -0.0009, -0.0016)


def random(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def half_seen(*shape):
    return torch.from_numpy(np.random.default_rng(9).random(shape) < 0.5)


@pytest.fixture
def pair():
    return random(4, 10, 17, 3, seed=1), random(4, 10, 17, 3, seed=2)


def test_mpjpe_of_a_known_shift(pair):
    predicted = pair[0]
    assert losses.mpjpe(predicted + torch.tensor([3.0, 0, 4.0]), predicted).item() == pytest.approx(5)
    assert losses.mpjpe(predicted, pair[1]).item() == pytest.approx(
        np.linalg.norm(predicted.numpy() - pair[1].numpy(), axis=-1).mean()
    )


def test_weight_is_one_over_depth():
    target = torch.tensor([[[1.0, 0, 2]], [[0, 1, 4]]])  # (frame, root, 3)
    predicted = target + torch.tensor([0.0, 0, 1])
    weight = 1 / target[..., 2]
    expected = (1 / 2 + 1 / 4) / 2
    assert losses.weighted_mpjpe(predicted, target, weight).item() == pytest.approx(expected)
    assert losses.weighted_mpjpe(predicted, target, weight[:, 0]).item() == pytest.approx(expected)
    mask = torch.tensor([[True], [False]])
    target[1], weight[1] = torch.nan, torch.nan
    assert losses.weighted_mpjpe(predicted, target, weight, mask).item() == pytest.approx(1 / 2)


def test_n_mpjpe_forgives_scale_and_finds_the_best(pair):
    predicted, target = pair
    sizes = torch.linspace(0.2, 3, 40).double().reshape(4, 10, 1, 1)
    assert losses.n_mpjpe(target * sizes, target).item() == pytest.approx(0, abs=1e-12)
    value = losses.n_mpjpe(predicted, target)
    torch.testing.assert_close(losses.n_mpjpe(predicted * sizes, target), value)
    p, t = predicted.numpy(), target.numpy()
    scale = (p * t).sum((2, 3), keepdims=True) / (p * p).sum((2, 3), keepdims=True)
    assert value.item() == pytest.approx(np.linalg.norm(scale * p - t, axis=-1).mean())


def test_velocity_error():
    time = torch.arange(5.0).reshape(1, 5, 1, 1)
    walking = time * torch.tensor([0.3, 0, 0.4]) + torch.zeros(2, 5, 17, 3)
    assert losses.mpjve(walking + 7, walking).item() == pytest.approx(0, abs=1e-6)
    assert losses.mpjve(walking, torch.zeros_like(walking)).item() == pytest.approx(0.5)
    with pytest.raises(InputError, match="frames"):
        losses.mpjve(walking[:, :1], walking[:, :1])


@pytest.mark.parametrize("loss", [losses.mpjpe, losses.n_mpjpe, losses.mpjve])
def test_masked_joints_do_not_count(loss, pair):
    predicted, target = pair
    mask = half_seen(4, 10, 17)
    gone = torch.where(mask[..., None], target, torch.nan)
    predicted.requires_grad_()
    value = loss(predicted, gone, mask)
    value.backward()
    assert torch.isfinite(predicted.grad).all()
    assert (predicted.grad[~mask] == 0).all()
    zeros = torch.where(mask[..., None], target, 1e3)
    torch.testing.assert_close(loss(predicted, zeros, mask), value)
    torch.testing.assert_close(loss(predicted, target, torch.ones_like(mask)), loss(predicted, target))
    nothing = loss(predicted, gone, torch.zeros_like(mask))
    assert nothing.item() == 0


def test_mpjpe_of_half_the_joints(pair):
    mask = half_seen(4, 10, 17)
    distances = np.linalg.norm((pair[0] - pair[1]).numpy(), axis=-1)
    assert losses.mpjpe(*pair, mask).item() == pytest.approx(distances[mask.numpy()].mean())


def test_gradient_is_there_at_a_perfect_answer(pair):
    predicted = pair[0].clone().requires_grad_()
    (losses.mpjpe(predicted, pair[0]) + losses.n_mpjpe(predicted, pair[0])).backward()
    assert torch.isfinite(predicted.grad).all()
    still = torch.zeros(1, 3, 17, 3, requires_grad=True)
    losses.n_mpjpe(still, torch.ones(1, 3, 17, 3)).backward()
    assert torch.isfinite(still.grad).all()


def test_bone_lengths():
    leg = Skeleton("leg", ("hip", "knee", "ankle"), (-1, 0, 1))
    straight = torch.tensor([[0.0, 0, 0], [0, 3, 4], [0, 3, 5]]).expand(2, 6, 3, 3)
    lengths, seen = losses.mean_bone_lengths(straight, leg)
    assert (lengths.tolist(), seen.tolist()) == ([5, 1], [True, True])
    sizes = torch.tensor([0.5, 1.5]).reshape(2, 1, 1, 1)  # a small and a large person: the same in the mean
    assert losses.bone_length_loss(straight, straight * sizes, leg).item() == pytest.approx(0)
    assert losses.bone_length_loss(straight, straight * 2, leg).item() == pytest.approx((5 + 1) / 2)
    mask = torch.ones(2, 6, 3, dtype=torch.bool)
    mask[..., 2] = False
    gone = torch.where(mask[..., None], straight * 2, torch.nan)
    assert losses.bone_length_loss(straight, gone, leg, None, mask).item() == pytest.approx(5)


def test_projection_without_tangential_part_is_opencvs():
    points = random(5, 17, 3, seed=3) * 0.5 + torch.tensor([0, 0, 4.0])
    camera = torch.tensor([*CAMERA[:7], 0, 0], dtype=torch.float64)
    fx, fy, cx, cy, k1, k2, k3 = CAMERA[:7]
    matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    expected, _ = cv2.projectPoints(
        points.numpy().reshape(-1, 3), np.zeros(3), np.zeros(3), matrix, np.array([k1, k2, 0, 0, k3])
    )
    seen = losses.project(points, camera.expand(5, 9))
    np.testing.assert_allclose(seen.numpy().reshape(-1, 2), expected[:, 0], atol=1e-12)


def test_tangential_part_is_human36ms():
    point, camera = torch.tensor([[0.4, -0.2, 2.0]]), torch.tensor([1.0, 1, 0, 0, 0, 0, 0, 0.01, -0.02])
    x, y, p1, p2 = 0.2, -0.1, 0.01, -0.02
    r2, tangential = x * x + y * y, p1 * x + p2 * y
    expected = [x * (1 + tangential) + p1 * r2, y * (1 + tangential) + p2 * r2]
    np.testing.assert_allclose(losses.project(point, camera).numpy()[0], expected, rtol=1e-6)


def test_rays_are_clamped():
    camera = torch.tensor([2.0, 3.0, 0.1, 0.2, 0, 0, 0, 0, 0])
    aside = torch.tensor([[50.0, -50.0, 1.0]], requires_grad=True)
    seen = losses.project(aside, camera)
    np.testing.assert_allclose(seen.detach().numpy(), [[2.1, -2.8]], rtol=1e-6)
    seen.sum().backward()
    assert (aside.grad == 0).all()


def test_joints_are_mapped_by_name():
    positions = random(2, 4, 17, 3, seed=5)
    mapped, kept = losses.map_joints(positions, H36M_17, COCO_17)
    names = [COCO_17.joints[i] for i in kept]
    assert sorted(names) == sorted(BODY_12.joints)  # nose, eyes and ears are not Human3.6M's
    for i, name in enumerate(names):
        torch.testing.assert_close(mapped[..., i, :], positions[..., H36M_17.index(name), :])
    mapped, kept = losses.map_joints(positions, COCO_17, H36M_17)
    root = kept.index(H36M_17.index("mid_hip"))
    hips = [COCO_17.index("left_hip"), COCO_17.index("right_hip")]
    torch.testing.assert_close(mapped[..., root, :], positions[..., hips, :].mean(dim=-2))
    assert H36M_17.index("head_top") not in kept


def test_counterparts_are_not_taught():
    from gonio.core.skeleton import KINECT_V1_20

    _, kept = losses.map_joints(random(1, 20, 3), KINECT_V1_20, H36M_17)
    assert H36M_17.index("head_top") not in kept  # the Kinect's head is the middle of the head
    with pytest.raises(InputError, match="joint"):
        losses.map_joints(random(1, 2, 3), Skeleton("a", ("x", "y"), (-1, 0)), COCO_17)


def test_reprojection_of_the_truth_is_zero_in_another_layout():
    pose = random(3, 6, 17, 3, seed=6) * 0.4 + torch.tensor([0, 0, 4.0])
    camera = torch.tensor(CAMERA, dtype=torch.float64).expand(3, 9)
    keypoints = torch.full((3, 6, 17, 2), 77.0, dtype=torch.float64)
    for name in BODY_12.joints:
        keypoints[..., COCO_17.index(name), :] = losses.project(pose, camera)[..., H36M_17.index(name), :]
    assert losses.reprojection_loss(pose, camera, keypoints, H36M_17, COCO_17).item() == pytest.approx(0, abs=1e-12)
    keypoints[..., COCO_17.index("left_knee"), :] += torch.tensor([3.0, 4.0])
    value = losses.reprojection_loss(pose, camera, keypoints, H36M_17, COCO_17)
    assert value.item() == pytest.approx(5 / 12)


def test_reprojection_of_missing_keypoints():
    pose = random(3, 6, 17, 3, seed=6) * 0.4 + torch.tensor([0, 0, 4.0])
    pose[0, 0, H36M_17.index("left_knee")] = 0  # in the camera's very centre
    pose.requires_grad_()
    keypoints = random(3, 6, 17, 2)
    mask = half_seen(3, 6, 17)
    mask[0, 0, COCO_17.index("left_knee")] = False
    keypoints[~mask] = torch.nan
    camera = torch.tensor(CAMERA, dtype=torch.float64).expand(3, 9)
    value = losses.reprojection_loss(pose, camera, keypoints, H36M_17, COCO_17, mask)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(pose.grad).all()


def test_wrong_shapes(pair):
    with pytest.raises(InputError, match="shape"):
        losses.mpjpe(pair[0], pair[1][:, 1:])
    with pytest.raises(InputError, match="mask"):
        losses.mpjpe(*pair, torch.ones(4, 10, dtype=torch.bool))
    with pytest.raises(InputError, match="9 numbers"):
        losses.project(pair[0], torch.zeros(4, 8))
    with pytest.raises(InputError, match="'body-12' has 12 joints"):
        losses.map_joints(pair[0], BODY_12, COCO_17)


def test_a_joint_in_the_plane_of_the_camera_has_a_finite_gradient():
    positions = torch.tensor([[[0.0, 0.0, 0.0], [0.3, -0.2, 0.0], [0.1, 0.1, 4.0]]], requires_grad=True)
    camera = torch.tensor([[1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]])
    losses.project(positions, camera).sum().backward()
    assert torch.isfinite(positions.grad).all()
    torch.testing.assert_close(positions.grad[0, 2], torch.tensor([0.25, 0.25, -0.0125]))
