"""Windows over clips: every frame once, ends repeated, what was filled up does not count; clips mirrored and cut."""

import numpy as np
import pytest

from gonio.core.errors import InputError
from gonio.core.skeleton import COCO_17, H36M_17
from gonio.lifting.architecture import Architecture
from gonio.training.windows import ARRAYS, Clip, Windows

SEES_9 = Architecture((3, 3), in_joints=1, in_features=1, out_joints=1, channels=8)
CAUSAL_9 = Architecture((3, 3), in_joints=1, in_features=1, out_joints=1, channels=8, causal=True)


def counting(n, first=0):
    """A clip whose numbers identify their frame."""
    frames = np.arange(first, first + n, dtype=np.float32)
    return Clip(
        inputs=frames[:, None, None],
        targets=np.repeat(frames[:, None, None], 3, axis=2),
        mask=np.ones((n, 1), bool),
        root=np.repeat(frames[:, None], 3, axis=1),
        camera=np.repeat(frames[:, None], 9, axis=1),
        seen=np.ones((n, 1), bool),
        root_unit=frames,
    )


def full(n=4, seed=0):
    rng = np.random.default_rng(seed)
    return Clip(
        inputs=rng.normal(size=(n, 17, 2)).astype(np.float32),
        targets=rng.normal(size=(n, 17, 3)).astype(np.float32),
        mask=rng.random((n, 17)) < 0.8,
        root=rng.normal(size=(n, 3)).astype(np.float32),
        camera=rng.normal(size=(n, 9)).astype(np.float32),
        seen=rng.random((n, 17)) < 0.8,
        root_unit=rng.normal(size=n).astype(np.float32),
    )


@pytest.mark.parametrize("frames", [1, 4, 64])
@pytest.mark.parametrize("size", [1, 3])
def test_every_frame_is_predicted_once(frames, size):
    windows = Windows([counting(10), counting(1, 100), counting(7, 200)], SEES_9, frames)
    seen = []
    for batch in windows.batches(size, np.random.default_rng(0)):
        seen += batch.targets[batch.weight][:, 0, 0].tolist()
    expected = {*range(10), 100, *range(200, 207)}
    if len(windows) % size == 0:
        assert sorted(seen) == sorted(expected)
    else:  # what is left over is not given
        assert len(set(seen)) == len(seen)
        assert set(seen) < expected
    assert windows.steps(size) == len(list(windows.batches(size, np.random.default_rng(1))))


def test_a_window_spans_the_receptive_field_and_ends_are_repeated():
    windows = Windows([counting(10)], SEES_9, 5)
    batch = windows.batch(np.array([0, 1]))
    assert batch.inputs[0, :, 0, 0].tolist() == [0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert batch.inputs[1, :, 0, 0].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9, 9]
    for name in ("targets", "root", "camera", "root_unit"):
        assert getattr(batch, name).reshape(2, 5, -1)[..., 0].tolist() == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    assert batch.weight.all()


def test_a_causal_window_has_no_later_frame():
    batch = Windows([counting(6)], CAUSAL_9, 6).batch(np.array([0]))
    assert batch.inputs[0, :, 0, 0].tolist() == [0] * 8 + [0, 1, 2, 3, 4, 5]
    assert batch.targets[0, :, 0, 0].tolist() == [0, 1, 2, 3, 4, 5]


def test_filled_frames_do_not_count():
    batch = Windows([counting(7)], SEES_9, 5).batch(np.array([1]))
    assert batch.weight.tolist() == [[True, True, False, False, False]]
    assert batch.targets[0, :, 0, 0].tolist() == [5, 6, 6, 6, 6]


def test_windows_of_one_clip_hold_nothing_of_another():
    batch = Windows([counting(5), counting(5, 100)], SEES_9, 5).batch(np.array([0, 1]))
    assert batch.inputs[0].max() == 4
    assert batch.inputs[1].min() == 100


def test_fewer_windows_than_a_batch_are_repeated_to_fill_it():
    (batch,) = Windows([counting(10)], SEES_9, 5).batches(5, np.random.default_rng(0))
    assert sorted(batch.targets[:, 0, 0, 0].tolist()) in ([0, 0, 0, 5, 5], [0, 0, 5, 5, 5])


def test_the_same_generator_gives_the_same_order():
    windows = Windows([counting(50)], SEES_9, 2)
    orders = [[b.root[:, 0, 0].tolist() for b in windows.batches(4, np.random.default_rng(s))] for s in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


def test_keypoints_are_the_inputs_without_confidence():
    clip = full()
    batch = Windows([clip], Architecture((3,), channels=8), 4).batch(np.array([0]))
    assert np.array_equal(batch.keypoints[0], clip.inputs)


def test_mirrored_twice_is_the_same():
    clip = full()
    there = clip.flipped(COCO_17, H36M_17)
    back = there.flipped(COCO_17, H36M_17)
    for name in ARRAYS:
        assert np.array_equal(getattr(back, name), getattr(clip, name)), name
    assert np.array_equal(there.inputs[:, 5], clip.inputs[:, 6] * (-1, 1))  # left shoulder from the right one
    assert np.array_equal(there.targets[:, 4], clip.targets[:, 1] * (-1, 1, 1))  # left hip
    assert np.array_equal(there.mask[:, 4], clip.mask[:, 1])
    assert np.array_equal(there.seen[:, 5], clip.seen[:, 6])
    assert np.array_equal(there.root, clip.root * (-1, 1, 1))
    assert np.array_equal(there.root_unit, clip.root_unit)


def test_mirrored_without_answers():
    clip = full().unlabelled()
    assert (clip.targets, clip.mask, clip.root) == (None, None, None)
    assert clip.flipped(COCO_17, H36M_17).targets is None


def test_a_part_of_a_clip():
    clip = full(9)
    part = clip.at(slice(2, None, 3))
    for name in ARRAYS:
        assert np.array_equal(getattr(part, name), getattr(clip, name)[[2, 5, 8]]), name
    assert Clip(clip.inputs).at(slice(0, 1)).targets is None


def test_clips_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"4 frames.*3 of root"):
        Clip(full().inputs, root=full(3).root)
    with pytest.raises(InputError, match="frame"):
        Clip(full().inputs[:0])
    with pytest.raises(InputError, match="clip"):
        Windows([], SEES_9, 4)
    with pytest.raises(InputError, match="targets"):
        Windows([full(), full().unlabelled()], SEES_9, 4)
    with pytest.raises(InputError, match=r"inputs \[\(1, 1\), \(17, 2\)\]"):
        Windows([counting(3), full()], SEES_9, 4)
