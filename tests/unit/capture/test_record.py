"""One camera without a network: its clock reset, a full disk, a stall. Live streams: tests/integration."""

import errno
import os
import threading
import time
from fractions import Fraction

import av
import numpy as np
import pytest

from gonio.capture import record as recording
from gonio.capture.camera import CameraRecorder, CameraSource, RecordingSession
from gonio.capture.record import image_size, record_sources
from gonio.capture.writers import PacketCopier
from gonio.core.errors import ConfigError, InputError
from gonio.io import video

TICK = Fraction(1, 1000)


def make_video(path, n_frames=900):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for number in range(n_frames):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number % 200, np.uint8), format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture
def played(monkeypatch, tmp_path):
    """Addresses play a video in real time: fake://full, fake://ends/1.5 (seconds), fake://goes."""
    path = make_video(tmp_path / "played.mkv")

    class Live:
        def __init__(self, address):
            self._container = av.open(str(path))
            self.streams, self.format = self._container.streams, self._container.format
            self._seconds = float(address.rpartition("/")[2]) if "ends" in address else np.inf

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self._container.close()

        def demux(self, stream):
            began_s = time.perf_counter()
            for packet in self._container.demux(stream):
                stamp_s = float((packet.pts or 0) * packet.time_base)
                if stamp_s > self._seconds:
                    return
                time.sleep(max(0.0, began_s + stamp_s - time.perf_counter()))
                yield packet

    real = av.open

    def opened(address, mode="r", **options):
        return Live(address) if str(address).startswith("fake://") else real(address, mode, **options)

    monkeypatch.setattr(recording.av, "open", opened)
    return tmp_path / "session"


def camera(name: str, address: str) -> CameraSource:
    return CameraSource(name, address)


def test_a_full_disk_costs_one_camera_and_is_reported(played, monkeypatch):
    real = PacketCopier.write
    events: list[str] = []

    def write(self, packet, frames, origin):
        if "left" in self._container.name and packet.pts - origin > 500:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, packet, frames, origin)

    monkeypatch.setattr(PacketCopier, "write", write)
    done = record_sources(
        [camera("left", "fake://a"), camera("right", "fake://b")], played, seconds=2, on_event=events.append
    )
    left, right = done.cameras
    assert events[1].startswith("left (fake://a): ")
    assert os.strerror(errno.ENOSPC) in events[1]
    assert left.frames in (15, 16)
    assert 40 <= right.frames <= 61
    assert right.dropped_out is None
    assert len(list(video.frames(played / "right.mkv"))) == right.frames
    assert len(list(video.frames(played / "left.mkv"))) == left.frames


def test_states_and_images_during_recording(played):
    states = []
    done = record_sources(
        [camera("left", "fake://a"), camera("right", "fake://ends/2.0")],
        played,
        seconds=2,
        on_tick=states.append,
        images=True,
    )
    assert [state.name for state in states[-1]] == ["left", "right"]
    left, right = states[-1]
    assert left.image is not None
    assert left.image.shape == (48, 64, 3)
    assert str(left).startswith("left ")
    assert "frames 30.0/s" in str(left)
    assert str(right).startswith("right ")
    assert done.cameras[1].dropped_out_s == pytest.approx(1.0, abs=0.5)
    assert done.offsets_s["left"] == pytest.approx(0.0, abs=0.05)


def test_stopped_before_it_began(played):
    stop = threading.Event()
    stop.set()
    with pytest.raises(InputError, match="stopped"):
        record_sources([camera("left", "fake://a")], played, stop=stop)
    assert not played.exists()


def test_one_that_ends_before_the_start_leaves_nothing(played):
    with pytest.raises(InputError, match=r"right .*stream"):
        record_sources([camera("left", "fake://a"), camera("right", "fake://ends/0.2")], played)
    assert not played.exists()


def test_a_clock_that_is_set_anew_goes_on_by_arrival(tmp_path):
    one = CameraRecorder(camera("left", "fake://a"), RecordingSession(tmp_path, False))
    shifts = [
        one._continued(stamp, TICK, arrival_s)
        for stamp, arrival_s in (
            (1000, 10.0),
            (1100, 10.033),
            (1066, 10.066),  # shown before the one that came before it
            (3500, 12.5),  # nothing came for a while, and nothing was taken
            (20, 12.6),  # reset
            (120, 12.7),
            (9_000_000, 12.8),  # and again
        )
    ]
    assert shifts[:4] == [0, 0, 0, 0]
    assert shifts[4] == shifts[5] == 3600 - 20
    assert shifts[6] == 3800 - 9_000_000


def test_missing_frames_are_counted_by_the_gaps(tmp_path):
    one = CameraRecorder(camera("left", "fake://a"), RecordingSession(tmp_path, False))
    numbers = np.delete(np.arange(100), [10, 40, 41])
    one._times_s = list(numbers / 30)
    assert one.state().missed == 3


def test_image_sizes():
    assert image_size("1280x720") == (1280, 720)
    for text in ("1280", "0x720", "1280x", "wide"):
        with pytest.raises(ConfigError, match="1280x720"):
            image_size(text)
