"""MP4 and GIF: every picture, at its own time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from gonio.core.arrays import VideoFrame
from gonio.core.errors import InputError
from gonio.report.video_writing import write_gif, write_mp4

TIMES_S = 5.0 + np.array([0.0, 0.04, 0.08, 0.2, 0.24])
BLUE, RED = (26, 133, 255), (212, 17, 89)


def picture(i: int, height: int = 48, width: int = 64) -> np.ndarray:
    """A grey slope, a blue square that moves, a red one that stays."""
    image = np.repeat(np.linspace(0, 250, width, dtype=np.uint8)[None, :, None], height, axis=0).repeat(3, axis=2)
    image[20:30, 5 + 8 * i : 15 + 8 * i] = BLUE
    image[2:10, 50:60] = RED
    return image


def frames(times_s: np.ndarray = TIMES_S) -> Iterator[VideoFrame]:
    for i, t in enumerate(times_s):
        yield VideoFrame(i, float(t), picture(i % 5))


def decoded(path: Path) -> tuple[list[np.ndarray], np.ndarray, float]:
    with av.open(str(path)) as container:
        shown = list(container.decode(video=0))
        duration_s = container.duration / av.time_base
    return [f.to_ndarray(format="rgb24") for f in shown], np.array([float(f.time) for f in shown]), duration_s


def test_mp4_keeps_uneven_times_and_even_sizes(tmp_path: Path) -> None:
    odd = (VideoFrame(f.index, f.time_s, picture(f.index, 49, 65)) for f in frames())
    write_mp4(tmp_path / "v.mp4", odd)
    images, times_s, _ = decoded(tmp_path / "v.mp4")
    np.testing.assert_allclose(times_s, TIMES_S - 5, atol=1e-4)
    assert images[0].shape == (48, 64, 3)
    assert np.abs(images[3].astype(int) - picture(3, 49, 65)[:48, :64]).mean() < 8


def test_gif_keeps_times_in_hundredths_and_given_colours_exactly(tmp_path: Path) -> None:
    write_gif(tmp_path / "v.gif", frames(), [BLUE, RED])
    images, times_s, duration_s = decoded(tmp_path / "v.gif")
    np.testing.assert_allclose(times_s, TIMES_S - 5, atol=1e-6)
    assert duration_s == pytest.approx(0.28, abs=0.011)
    for i, image in enumerate(images):
        np.testing.assert_array_equal(image[22:28, 7 + 8 * i : 13 + 8 * i], np.broadcast_to(BLUE, (6, 6, 3)))
        np.testing.assert_array_equal(image[4:8, 52:58], np.broadcast_to(RED, (4, 6, 3)))
        assert np.abs(image.astype(int) - picture(i)).max() <= 16  # nothing is left of the pictures before
    assert b"NETSCAPE2.0" in (tmp_path / "v.gif").read_bytes()[:1000]  # it repeats


def test_gif_of_more_images_than_choose_its_colours(tmp_path: Path) -> None:
    times_s = np.arange(40) / 15
    write_gif(tmp_path / "v.gif", frames(times_s), [BLUE])
    images, shown_s, duration_s = decoded(tmp_path / "v.gif")
    assert len(images) == 40
    np.testing.assert_allclose(shown_s, times_s, atol=0.0051)
    assert duration_s == pytest.approx(40 / 15, abs=0.02)
    np.testing.assert_array_equal(images[38][25, 34], BLUE)


@pytest.mark.parametrize("write", [write_mp4, write_gif])
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "frame"),
        ([VideoFrame(0, 0.0, picture(0)), VideoFrame(1, 0.0, picture(0))], r"frame 1.*0.0000 s"),
        ([VideoFrame(0, 0.0, picture(0)), VideoFrame(1, 1.0, picture(0)[:20])], r"share.*size"),
    ],
)
def test_what_cannot_be_is_refused_and_the_old_file_stays(
    tmp_path: Path, write: object, given: list[VideoFrame], message: str
) -> None:
    path = tmp_path / ("v.mp4" if write is write_mp4 else "v.gif")
    path.write_bytes(b"old")
    with pytest.raises(InputError, match=message):
        write(path, given)  # type: ignore[operator]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_gif_cannot_be_faster_than_its_clock(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="later"):
        write_gif(tmp_path / "v.gif", frames(np.array([0.0, 0.006, 0.012])))


@pytest.mark.parametrize(("write", "name"), [(write_mp4, "v.mp4"), (write_gif, "v.gif")])
def test_frames_are_not_kept(tmp_path: Path, write: object, name: str) -> None:
    """While they are taken, no more than a bounded number of pictures is alive."""
    import weakref

    alive: list[weakref.ref[VideoFrame]] = []
    most = 0

    def counted() -> Iterator[VideoFrame]:
        nonlocal most
        for i in range(120):
            frame = VideoFrame(i, i / 15, picture(i % 5))
            alive.append(weakref.ref(frame))
            yield frame
            del frame
            most = max(most, sum(ref() is not None for ref in alive))

    write(tmp_path / name, counted())  # type: ignore[operator]
    assert most <= 20
