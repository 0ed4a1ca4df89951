"""Recording from several cameras at once: webcams, capture devices, RTSP or HTTP streams, whatever PyAV opens.

Each camera has its own thread, so that one camera that drops out, stalls or fills its disk does not stop the others.
All cameras are opened first. When each has delivered a frame and had time to empty its buffer, recording begins for all
at one moment. A stream can be copied only from a key frame on: the frames before it are counted and left out.

    session/trial.toml       a trial for `gonio compare`, with each camera's offset
    session/recording.json   facts of each camera: codec, frames, clock, losses
    session/NAME.mkv         the unchanged packets if Matroska can hold them; else encoded (H.264)
    session/NAME.csv         one row per frame, in order of arrival: its time in the file, and its arrival

Matroska needs no index for playing, and a cluster is written several times a second: if the program is killed, its file
plays except for the last quarter of a second. The trial file is rewritten every few seconds for the same reason.
Matroska's times are whole milliseconds; NAME.csv has the stream's own. How the cameras' clocks are related:
`gonio.capture.arrival_clock`. All times are those of `time.perf_counter`.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import av
import av.error

from gonio.capture.camera import OPEN_S, STALL_S, CameraRecorder, CameraSource, CameraState, RecordingSession, now_s
from gonio.capture.session import RecordedSession, check_session, write_session
from gonio.core.errors import ConfigError, InputError

SETTLE_S = 1.0  # a stream delivers its buffer in a burst after opening; it is discarded first
SAVE_EVERY_S = 2.0
TICK_S = 0.1


def record(
    cameras: Sequence[str],
    output: str | Path,
    *,
    names: Sequence[str] | None = None,
    seconds: float | None = None,
    rig: str | Path | None = None,
    fps: float | None = None,
    size: str | tuple[int, int] | None = None,
    format: str | None = None,  # noqa: A002 - the option's name
    stop: threading.Event | None = None,
    on_tick: Callable[[Sequence[CameraState]], None] = lambda _: None,
    on_event: Callable[[str], None] = lambda _: None,
    images: bool = False,
) -> RecordedSession:
    """Record from several cameras at once, ready for `gonio.compare`; end after `seconds` or when `stop` is set.

    cameras  addresses of streams, or devices
    output   the folder, new or empty
    names    of the cameras, in their order; default: cam01, cam02, ...
    rig      the calibration of the cameras; it is copied into the folder
    fps      frames per second to request from devices
    size     (width, height) px to request from devices, or "1280x720"
    format   kind of the devices: v4l2, avfoundation or dshow
    The others are those of `record_sources`, which also says what is raised.
    """
    return record_sources(
        camera_sources(cameras, names=names, fps=fps, size=size, format=format),
        Path(output),
        seconds=seconds,
        calibration=None if rig is None else Path(rig),
        stop=stop,
        on_tick=on_tick,
        on_event=on_event,
        images=images,
    )


def camera_sources(
    cameras: Sequence[str],
    *,
    names: Sequence[str] | None = None,
    fps: float | None = None,
    size: str | tuple[int, int] | None = None,
    format: str | None = None,  # noqa: A002 - the option's name
) -> list[CameraSource]:
    """The cameras of `record`, named and checked. Raises `ConfigError` and `InputError` for what cannot be recorded."""
    if names is None:
        names = tuple(f"cam{number:02d}" for number in range(1, len(cameras) + 1))
    if len(names) != len(cameras):
        raise ConfigError(f"--names gives {len(names)} names for {len(cameras)} cameras; give one each")
    size_px = image_size(size) if isinstance(size, str) else size
    sources = [CameraSource(name, address, format, fps, size_px) for name, address in zip(names, cameras, strict=True)]
    _check_sources(sources)
    return sources


def record_sources(
    sources: Sequence[CameraSource],
    folder: Path,
    *,
    seconds: float | None = None,
    calibration: Path | None = None,
    stop: threading.Event | None = None,
    on_tick: Callable[[Sequence[CameraState]], None] = lambda _: None,
    on_event: Callable[[str], None] = lambda _: None,
    images: bool = False,
) -> RecordedSession:
    """Record until `seconds` are over, `stop` is set, or no camera is left.

    folder       new or empty; created when every camera is open
    calibration  copied into the folder and named in the trial file
    on_tick      called about ten times a second, by the caller's own thread, from the time that cameras are opened
    on_event     called with a sentence when recording begins and when a camera drops out
    images     whether `on_tick` gets images; the streams must be decoded for them

    Raises `ConfigError` for names that cannot be used, `InputError` for a folder that holds files, a calibration that
    lacks a camera, a camera that cannot be opened, and if `stop` is set before recording began: nothing is written
    then. Also if no camera gave a frame that could be recorded.
    """
    if seconds is not None and not seconds > 0:
        raise ConfigError(f"seconds = {seconds:g}; a recording must be longer than 0")
    _check_sources(sources)
    check_session(folder, [source.name for source in sources], calibration)
    stop = stop or threading.Event()
    session = RecordingSession(folder, images)
    cameras = [CameraRecorder(source, session) for source in sources]

    def tick() -> None:
        on_tick([camera.state() for camera in cameras])
        remaining = [] if seconds is None or session.start_s is None else [session.start_s + seconds - now_s()]
        stop.wait(max(0.0, min([TICK_S, *remaining])))

    try:
        for camera in cameras:
            camera.start()
        _wait_until_open(cameras, stop, tick)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{folder}: cannot be made ({error.strerror}); choose another place with -o") from None
        started = datetime.now(UTC)
        session.begin()
        on_event("recording " + ", ".join(f"{source.name} ({source.shown})" for source in sources))

        def save(finished: bool) -> RecordedSession:
            done = RecordedSession(folder, started, tuple(camera.recorded() for camera in cameras), finished)
            write_session(done, calibration)
            return done

        reported: set[str] = set()
        saved_s = now_s()
        while not stop.is_set() and (seconds is None or now_s() < session.begun_s + seconds):
            tick()
            gone = [camera for camera in cameras if camera.dropped_out is not None]
            for camera in gone:
                if camera.source.name not in reported:
                    reported.add(camera.source.name)
                    rest = "the others go on" if len(gone) < len(cameras) else "no camera is left"
                    on_event(f"{camera.dropped_out}; {rest}")
            if len(gone) == len(cameras):
                break
            if now_s() - saved_s > SAVE_EVERY_S:
                with contextlib.suppress(InputError, OSError):  # tried again; only the last save must succeed
                    save(finished=False)
                saved_s = now_s()
    finally:
        session.ended.set()
        for camera in cameras:
            if camera.ident is not None:
                camera.join(0.5 if session.start_s is None else STALL_S + 2)
    done = save(finished=True)
    if not any(camera.frames for camera in done.cameras):
        raise InputError(f"{folder}: no camera gave a frame that can be recorded: {'; '.join(done.caveats)}")
    return done


def image_size(text: str) -> tuple[int, int]:
    """(width, height) from a text such as 1280x720. Raises `ConfigError` for another."""
    numbers = text.lower().split("x")
    if len(numbers) != 2 or not all(number.isdecimal() and int(number) > 0 for number in numbers):
        raise ConfigError(f"{text!r} is no image size; write width x height, such as 1280x720")
    return int(numbers[0]), int(numbers[1])


def _check_sources(sources: Sequence[CameraSource]) -> None:
    if not sources:
        raise ConfigError("no camera is named; give an address (rtsp://..., http://...) or a device (/dev/video0) each")
    for source in sources:
        if source.is_device and Path(source.address).is_file():
            raise InputError(f"{source.address}: a file, not a camera; give videos to gonio compare")
        if source.is_device and source.format is None:
            raise InputError(
                f"{source.address}: neither an address (rtsp://..., http://...) nor a device /dev/video*; for another "
                "device give its kind with --format (v4l2, avfoundation or dshow)"
            )
        if source.format is not None and source.format not in av.formats_available and source.format != "v4l2":
            raise ConfigError(f"{source.format!r} is no kind of device that this computer's FFmpeg knows")
    if all(not source.is_device for source in sources) and any(s.rate_hz or s.size_px for s in sources):
        raise ConfigError("--fps and --size are for devices; set those of a stream in the camera itself")


def _wait_until_open(cameras: Sequence[CameraRecorder], stop: threading.Event, tick: Callable[[], None]) -> None:
    """Wait until each camera has delivered a frame, and `SETTLE_S` more."""
    deadline_s = now_s() + OPEN_S + STALL_S
    settled_s: float | None = None
    while settled_s is None or now_s() < settled_s:
        tick()
        if stop.is_set():
            raise InputError("stopped before recording began; nothing was written")
        for camera in cameras:
            if camera.dropped_out is not None:
                raise InputError(camera.dropped_out)
            if not camera.seen.is_set() and now_s() > deadline_s:
                raise InputError(f"{camera.source.name} ({camera.source.shown}): is open but sends no image")
        if settled_s is None and all(camera.seen.is_set() for camera in cameras):
            settled_s = now_s() + SETTLE_S
