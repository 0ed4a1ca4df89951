"""The command for live cameras: record, with its status line and its window."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from gonio.cli.console import Output, app, print_warnings, status_line
from gonio.core.errors import ConfigError

if TYPE_CHECKING:
    from gonio.capture.camera import CameraState


@app.command
def record(
    cameras: Annotated[Positional[tuple[str, ...]], arg(metavar="CAMERAS")],
    output: Output,
    names: tuple[str, ...] | None = None,
    seconds: float | None = None,
    rig: Path | None = None,
    fps: float | None = None,
    size: Annotated[str | None, arg(metavar="WIDTHxHEIGHT")] = None,
    format: str | None = None,  # noqa: A002 - the option's name
    live: bool = True,
) -> None:
    """Record from several cameras at once, started and stopped together, ready for "gonio compare".

    As in "gonio record rtsp://10.0.0.5/stream1 http://10.0.0.6:8080/video -o session --names left right --rig
    Calib.toml", or "gonio record /dev/video0 /dev/video2 -o session --seconds 60". Recording begins when all cameras
    are open, and ends with Enter, Ctrl-C or after --seconds. A camera that drops out is reported, the others go on;
    what is written plays even if the program is killed. Then: "gonio compare session/trial.toml -o results". What the
    times are worth, and why to clap once: docs/recording.md.

    Args:
        cameras: Addresses of streams (rtsp://, http://, whatever FFmpeg opens) or devices (/dev/video0).
        output: The folder of the recording, new or empty: trial.toml, and of each camera its video and times.
        names: What the cameras are called, in their order, as the rig calls them; cam01, cam02, ... where not given.
        seconds: How long to record; until Enter or Ctrl-C where not given.
        rig: Calibration of the cameras; it goes into the folder and the trial file.
        fps: Frames per second to ask of devices; a stream tells its own.
        size: Picture size to ask of devices, as in 1280x720.
        format: Kind of the devices: v4l2 (Linux), avfoundation (macOS, cameras are 0, 1, ...), dshow (Windows, cameras
            are video=NAME).
        live: Show the pictures where there is a screen.
    """
    _record(cameras, output, names, seconds, rig, fps, size, format, live)


def _record(
    addresses: tuple[str, ...],
    output: Path,
    names: tuple[str, ...] | None,
    seconds: float | None,
    rig: Path | None,
    fps: float | None,
    size: str | None,
    device_format: str | None,
    live: bool,
) -> None:
    from gonio.capture.camera import CameraSource
    from gonio.capture.record import picture_size, record
    from gonio.core.errors import InputError

    if rig is not None and not rig.exists():
        raise InputError(f"{rig}: no such file; give the rig's calibration")
    if names is None:
        names = tuple(f"cam{number:02d}" for number in range(1, len(addresses) + 1))
    if len(names) != len(addresses):
        raise ConfigError(f"--names gives {len(names)} names for {len(addresses)} cameras; give one each")
    size_px = None if size is None else picture_size(size)
    sources = [
        CameraSource(name, address, device_format, fps, size_px) for name, address in zip(names, addresses, strict=True)
    ]
    with _stopped_by_the_user() as stop, _live_view(names, live) as show, status_line() as tell:

        def tick(states: Sequence[CameraState]) -> None:
            tell("  ".join(map(str, states)))
            show(states)

        def event(sentence: str) -> None:
            tell(None)
            print(f"gonio: {sentence}", file=sys.stderr, flush=True)

        done = record(
            sources,
            output,
            seconds=seconds,
            calibration=rig,
            stop=stop,
            on_tick=tick,
            on_event=event,
            pictures=show is not _no_view,
        )
    for camera in done.cameras:
        print(camera.summary)
    print_warnings(done.caveats)
    print(f"wrote {done.trial_path}; measure it with gonio compare {done.trial_path} -o results")
    if all(camera.dropped_out is not None for camera in done.cameras):
        raise InputError(f"{output}: all cameras dropped out; what they gave is there")


@contextlib.contextmanager
def _stopped_by_the_user() -> Iterator[threading.Event]:
    """Set by Enter, Ctrl-C or being told to end; a second Ctrl-C stops at once."""
    stop = threading.Event()

    def end(number: int, frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    if sys.stdin is not None and sys.stdin.isatty():
        threading.Thread(target=_set_by_enter, args=(stop,), daemon=True).start()
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _set_by_enter(stop: threading.Event) -> None:
    if sys.stdin.readline():
        stop.set()


def _no_view(states: Sequence[CameraState]) -> None:
    """No live view."""


@contextlib.contextmanager
def _live_view(names: Sequence[str], wanted: bool) -> Iterator[Callable[[Sequence[CameraState]], None]]:
    """Shows pictures in a window; where none can be, that is said once."""
    from gonio.capture.live_view import LiveView
    from gonio.core.errors import InputError

    view: LiveView | None = None
    if wanted:
        try:
            view = LiveView(names)
        except InputError as error:
            print(f"gonio: no live view: {error}", file=sys.stderr)
    if view is None:
        yield _no_view
        return

    def show(states: Sequence[CameraState]) -> None:
        view.show({state.name: state.picture for state in states}, {state.name: str(state) for state in states})

    try:
        yield show
    finally:
        view.close()
