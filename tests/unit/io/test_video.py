"""Videos made here with PyAV, each frame a grey level that tells its number: order, times, rotation, damage."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gonio.core.errors import InputError
from gonio.io import video

MILLISECOND = Fraction(1, 1000)
QUARTER = 65536  # 1.0 in a display matrix' 16.16 fixed point
WIDTH, HEIGHT = 64, 48


def grey(index: int) -> int:
    return 20 + 5 * (index % 40)


def picture(index: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> np.ndarray:
    """A grey level that counts; the top left corner is red, so that turns show."""
    image = np.full((size[1], size[0], 3), grey(index), np.uint8)
    image[: size[1] // 4, : size[0] // 4] = (255, 0, 0)
    return image


def make(
    path: Path,
    stamps: Sequence[int],
    *,
    time_base: Fraction = MILLISECOND,
    codec: str = "mpeg4",
    rotation_deg: int | None = None,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    options: dict[str, str] | None = None,
    noise: bool = False,
) -> Path:
    """A video with one frame at each time stamp, in units of `time_base`."""
    rng = np.random.default_rng(7)
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=30)
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.time_base = stream.codec_context.time_base = time_base
        stream.bit_rate = 4_000_000
        if rotation_deg is not None:
            stream.set_display_rotation(rotation_deg)
        for index, stamp in enumerate(stamps):
            image = picture(index, size)
            if noise:
                image = rng.integers(0, 255, image.shape).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = stamp, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def make_sound(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        for i in range(20):
            samples = np.zeros((1, 1024), np.float32)
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44100, 1024 * i
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def number(image: np.ndarray) -> int:
    """Which frame a picture is, by the grey of its middle."""
    return round((float(np.median(image[20:-20, 20:-20])) - 20) / 5)


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("video") / "steady.mp4", [40 * i for i in range(30)])


# ----------------------------------------------------------------------------------------------- order and times


def test_frames_come_in_order_in_colour_at_their_times(steady: Path) -> None:
    stream = video.frames(steady)
    seen = list(stream)
    assert [frame.index for frame in seen] == list(range(30))
    assert [number(frame.image) for frame in seen] == list(range(30))
    np.testing.assert_allclose([frame.time_s for frame in seen], 0.04 * np.arange(30), rtol=0, atol=1e-12)
    for frame in seen:
        assert frame.image.shape == (HEIGHT, WIDTH, 3)
        assert frame.image.dtype == np.uint8
        assert frame.image.flags["C_CONTIGUOUS"]
        red, green, blue = (int(c) for c in frame.image[4, 4])
        assert red > 200
        assert max(green, blue) < 60
    assert stream.notes == ()


@pytest.mark.skipif(int(av.__version__.split(".")[0]) < 17, reason="PyAV before 17 passes over a picture's own space")
@pytest.mark.parametrize("pixels", ["yuv420p", "yuvj420p", "yuv422p10le", "yuv444p", "nv12", "gray", "rgb24", "gbrp"])
def test_colours_are_those_of_the_space_and_range_that_an_image_states(pixels: str) -> None:
    rng = np.random.default_rng(3)
    mixed = av.VideoFrame.from_ndarray(rng.integers(0, 256, (46, 54, 3), dtype=np.uint8), format="rgb24")
    converter = video.Converter()
    seen = []
    for space, span in itertools.product((1, 2, 5, 9), (0, 1, 2)):  # BT.709, none said, BT.601, BT.2020; limited, full
        frame = mixed.reformat(format=pixels)
        frame.colorspace, frame.color_range, frame.pts, frame.time_base = space, span, 0, MILLISECOND
        seen.append(converter.rgb(frame))
        np.testing.assert_array_equal(seen[-1], frame.to_ndarray(format="rgb24"))
    different = {image.tobytes() for image in seen}
    assert len(different) == (1 if pixels in ("rgb24", "gbrp") else len(different))
    assert len(different) > (3 if pixels in ("yuv420p", "nv12") else 0)


def test_pixels_may_change_their_format(tmp_path: Path) -> None:
    converter = video.Converter()
    image = np.random.default_rng(4).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    kept = []
    for pixels in ("rgb24", "bgr24", "gbrp", "rgb24"):
        frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixels)
        frame.pts, frame.time_base = 0, MILLISECOND
        kept.append(converter.rgb(frame))
    for each in kept:
        np.testing.assert_array_equal(each, image)


def test_a_varying_frame_rate_is_honoured(tmp_path: Path) -> None:
    stamps = np.cumsum([1500, *np.random.default_rng(1).integers(7, 120, 39)])
    path = make(tmp_path / "phone.mp4", stamps.tolist())
    times = [frame.time_s for frame in video.frames(path)]
    np.testing.assert_allclose(times, (stamps - stamps[0]) / 1000, rtol=0, atol=1e-12)


def test_b_frames_come_in_display_order(tmp_path: Path) -> None:
    path = make(tmp_path / "h264.mp4", [33 * i for i in range(40)], codec="libx264")
    seen = list(video.frames(path))
    assert [number(frame.image) for frame in seen] == list(range(40))
    np.testing.assert_allclose([frame.time_s for frame in seen], 0.033 * np.arange(40), rtol=0, atol=1e-9)


@pytest.mark.parametrize(("start", "stop"), [(0, 5), (7, 12), (25, None), (28, 99), (0, 0), (5, 5), (40, None)])
def test_a_part_is_that_part_of_the_whole(steady: Path, start: int, stop: int | None) -> None:
    whole = list(video.frames(steady))[start:stop]
    part = list(video.frames(steady, start=start, stop=stop))
    assert [(f.index, f.time_s) for f in part] == [(f.index, f.time_s) for f in whole]
    for a, b in zip(part, whole, strict=True):
        np.testing.assert_array_equal(a.image, b.image)


@pytest.mark.parametrize(("start", "stop"), [(-1, None), (5, 4)])
def test_bounds_that_make_no_range_are_refused(steady: Path, start: int, stop: int) -> None:
    with pytest.raises(InputError, match="give 0 <= start <= stop"):
        video.frames(steady, start=start, stop=stop)


def test_what_probe_says(steady: Path) -> None:
    info = video.probe(steady)
    assert info.path == steady
    assert (info.size_px, info.rotation_deg, info.n_frames, info.codec) == ((WIDTH, HEIGHT), 0, 30, "mpeg4")
    assert info.rate_hz == pytest.approx(25, rel=0.02)
    assert info.duration_s == pytest.approx(1.2, abs=0.05)


def test_a_container_that_counts_no_frames_says_so(tmp_path: Path) -> None:
    path = make(tmp_path / "steady.mkv", [40 * i for i in range(30)])
    assert video.probe(path).n_frames is None
    assert len(list(video.frames(path))) == 30


def test_memory_does_not_grow_with_the_video(tmp_path: Path) -> None:
    path = make(tmp_path / "long.mp4", [40 * i for i in range(120)], size=(320, 240))
    tracemalloc.start()
    for _ in video.frames(path):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 320 * 240 * 3


# ------------------------------------------------------------------------------------------- doubtful time stamps


def test_a_raw_stream_without_time_stamps_is_timed_and_says_so(tmp_path: Path) -> None:
    path = make(tmp_path / "raw.h264", [40 * i for i in range(12)], codec="libx264")
    stream = video.frames(path)
    seen = list(stream)
    assert [number(frame.image) for frame in seen] == list(range(12))
    rate_hz = video.probe(path).rate_hz
    np.testing.assert_allclose([frame.time_s for frame in seen], np.arange(12) / rate_hz)
    (note,) = stream.notes
    assert note.startswith("raw.h264: ")
    assert note.endswith(": 12")


def test_stamps_that_do_not_rise_are_dropped_and_missing_ones_estimated() -> None:
    clock = video.Clock()
    stamps = [Fraction(5), Fraction(6), Fraction(6), None, Fraction(8), Fraction(4), Fraction(10)]
    assert [clock.tell(stamp, Fraction(1)) for stamp in stamps] == [0, 1, None, 2, 3, None, 5]
    assert (clock.dropped, clock.guessed) == (2, 1)


def test_a_first_frame_without_a_stamp_is_time_zero() -> None:
    clock = video.Clock()
    assert [clock.tell(s, Fraction(1, 2)) for s in (None, None, Fraction(9), Fraction(10))] == [0, 0.5, 1, 2]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.none() | st.integers(-50, 50), min_size=1, max_size=40))
def test_times_always_start_at_zero_and_rise(stamps: list[int | None]) -> None:
    clock = video.Clock()
    found = [clock.tell(None if s is None else Fraction(s), Fraction(1)) for s in stamps]
    times = [t for t in found if t is not None]
    assert times[0] == 0
    assert all(a < b for a, b in itertools.pairwise(times))
    assert (clock.dropped, clock.guessed) == (found.count(None), stamps.count(None))


# ------------------------------------------------------------------------------------------------------- rotation


def corner(image: np.ndarray) -> tuple[str, str]:
    """Where the red patch lies."""
    height, width = image.shape[:2]
    rows, columns = np.nonzero((image[..., 0] > 180) & (image[..., 1] < 100))
    return ("top" if rows.mean() < height / 2 else "bottom", "left" if columns.mean() < width / 2 else "right")


@pytest.mark.parametrize(
    ("counterclockwise_deg", "clockwise_deg", "where"),
    [
        (0, 0, ("top", "left")),
        (-90, 90, ("top", "right")),
        (180, 180, ("bottom", "right")),
        (90, 270, ("bottom", "left")),
    ],
)
def test_a_phones_rotation_is_applied(
    tmp_path: Path, counterclockwise_deg: int, clockwise_deg: int, where: tuple[str, str]
) -> None:
    path = make(tmp_path / "phone.mp4", [0, 40, 80], rotation_deg=counterclockwise_deg)
    size = (WIDTH, HEIGHT) if clockwise_deg % 180 == 0 else (HEIGHT, WIDTH)
    info = video.probe(path)
    assert (info.rotation_deg, info.size_px) == (clockwise_deg, size)
    for frame in video.frames(path):
        assert frame.image.shape == (size[1], size[0], 3)
        assert frame.image.flags["C_CONTIGUOUS"]
        assert corner(frame.image) == where


@pytest.mark.parametrize("turns", range(4))
def test_quarter_turns_move_pixels_as_the_matrix_says(turns: int) -> None:
    cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[turns]
    matrix = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1 << 14]]) * QUARTER
    assert video.quarter_turns(matrix) == turns
    image = np.arange(15).reshape(3, 5)
    turned = np.rot90(image, -turns)
    for y, x in np.ndindex(image.shape):
        to = np.array([x - 2.0, y - 1.0]) @ (matrix[:2, :2] / QUARTER)  # about the middles of both pictures
        row, column = to[1] + (turned.shape[0] - 1) / 2, to[0] + (turned.shape[1] - 1) / 2
        assert turned[round(row), round(column)] == image[y, x]


@pytest.mark.parametrize(
    ("matrix", "match"),
    [
        ([[-1, 0, 0], [0, 1, 0], [0, 0, 1]], "mirrored"),
        ([[0, 1, 0], [1, 0, 0], [0, 0, 1]], "mirrored"),
        ([[0, 0, 0], [0, 0, 0], [0, 0, 1]], "mirrored"),
        ([[0.7, 0.7, 0], [-0.7, 0.7, 0], [0, 0, 1]], r"45\.0"),
    ],
)
def test_mirrors_and_odd_angles_are_refused(matrix: list[list[float]], match: str) -> None:
    with pytest.raises(InputError, match=match):
        video.quarter_turns(matrix)


def test_a_mirrored_file_is_refused_by_name(tmp_path: Path) -> None:
    path = make(tmp_path / "selfie.mov", [0, 40, 80], rotation_deg=180)
    turned, mirrored = (
        np.array(m, ">i4").tobytes() for m in ([-QUARTER, 0, 0, 0, -QUARTER], [-QUARTER, 0, 0, 0, QUARTER])
    )
    content = path.read_bytes()
    assert turned in content
    path.write_bytes(content.replace(turned, mirrored))
    with pytest.raises(InputError, match=r"selfie\.mov.*mirrored"):
        video.probe(path)
    with pytest.raises(InputError, match=r"selfie\.mov.*mirrored"):
        next(video.frames(path))


# ---------------------------------------------------------------------------------------------------------- damage


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("cut.mp4", "mpeg4", {"movflags": "faststart"}),
        ("cut.mov", "mjpeg", {"movflags": "faststart"}),
        ("cut.avi", "mpeg4", {}),
        ("cut.avi", "mjpeg", {}),
        ("cut.mkv", "mpeg4", {}),
    ],
)
@pytest.mark.parametrize("share", [0.35, 0.8])
def test_a_cut_off_video_gives_what_it_has_and_then_one_clear_line(
    tmp_path: Path, name: str, codec: str, options: dict[str, str], share: float
) -> None:
    n = 40
    avi = name.endswith("avi")
    stamps, time_base = ([*range(n)], Fraction(1, 25)) if avi else ([40 * i for i in range(n)], MILLISECOND)
    path = make(tmp_path / name, stamps, time_base=time_base, codec=codec, options=options, noise=True)
    assert len(list(video.frames(path))) == n
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    seen = []
    with pytest.raises(InputError, match=rf"{name}.* after \d+ frames") as raised:
        seen.extend(video.frames(path))  # extend takes what comes before the error
    assert "\n" not in str(raised.value)
    assert f"after {len(seen)} frames" in str(raised.value)
    assert share * n * 0.6 < len(seen) < n
    np.testing.assert_allclose([f.time_s for f in seen], 0.04 * np.arange(len(seen)), rtol=0, atol=1e-9)


def test_a_part_before_the_cut_is_read_without_complaint(tmp_path: Path) -> None:
    path = make(tmp_path / "cut.mp4", [40 * i for i in range(40)], options={"movflags": "faststart"}, noise=True)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert len(list(video.frames(path, stop=10))) == 10


def test_a_damaged_video_never_passes_for_a_whole_one(tmp_path: Path) -> None:
    path = make(tmp_path / "hit.mov", [40 * i for i in range(40)], codec="mjpeg", noise=True)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + len(content) // 20] = bytes(len(content) // 20)
    path.write_bytes(content)
    stream = video.frames(path)
    try:
        complete = len(list(stream)) == 40 and not stream.notes
    except InputError as error:
        assert "hit.mov" in str(error)
    else:
        assert not complete


def test_a_video_cut_by_an_edit_list_is_whole(tmp_path: Path) -> None:
    """Phones trim by telling the player what to leave out; fewer pictures than the container counts are no damage."""
    source = make(tmp_path / "source.mp4", [40 * i for i in range(40)])
    with av.open(str(source)) as old, av.open(str(tmp_path / "trimmed.mp4"), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                shift = round(0.2 / packet.time_base)  # five frames before time 0
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, stream
                new.mux(packet)
    seen = list(video.frames(tmp_path / "trimmed.mp4"))
    assert [number(frame.image) for frame in seen] == list(range(5, 40))
    assert seen[0].time_s == 0


def test_an_index_at_the_end_that_is_cut_off(tmp_path: Path) -> None:
    path = make(tmp_path / "phone.mp4", [40 * i for i in range(40)], noise=True)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"phone\.mp4.*index"):
        video.probe(path)


def test_an_image_size_that_changes_is_refused(tmp_path: Path) -> None:
    small = make(tmp_path / "small.h264", [40 * i for i in range(5)], codec="libx264")
    large = make(tmp_path / "large.h264", [40 * i for i in range(5)], codec="libx264", size=(128, 96))
    (tmp_path / "both.h264").write_bytes(small.read_bytes() + large.read_bytes())
    with pytest.raises(InputError, match=r"64 x 48 px.*128 x 96 px.* 5 frames"):
        list(video.frames(tmp_path / "both.h264"))


# --------------------------------------------------------------------------------------------------- other files


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("none.mp4", None, "file"),
        ("empty.mp4", b"", "empty"),
        ("text.mp4", b"hello\n" * 100, "video"),
        ("text.txt", b"hello\n" * 100, "text"),
        ("pose.json", b'{"people": []}', "video"),
        ("noise.mp4", bytes(range(256)) * 20, "video"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, content: bytes | None, word: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    for attempt in (video.probe, lambda path: list(video.frames(path))):
        with pytest.raises(InputError, match=f"{name}: .*{word}") as raised:
            attempt(tmp_path / name)
        assert "\n" not in str(raised.value)


def test_sound_alone_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"voice\.m4a.*audio"):
        video.probe(make_sound(tmp_path / "voice.m4a"))
    with pytest.raises(InputError, match="file"):
        video.probe(tmp_path)


def test_a_playlist_does_not_open_other_places(tmp_path: Path) -> None:
    path = tmp_path / "list.mp4"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(InputError, match=r"list\.mp4"):
        video.probe(path)
