"""The command for live cameras: record, with its status line and its window."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gonio.cli.console import print_warnings, status_line
from gonio.cli.parser import Command, Parser, add_output, add_switch

if TYPE_CHECKING:
    from gonio.capture.camera import CameraState


def _options(parser: Parser) -> None:
    cameras = parser.add_argument_group("cameras")
    cameras.add_argument(
        "cameras",
        metavar="CAMERAS",
        nargs="+",
        help="addresses of streams (rtsp://, http://, whatever FFmpeg opens) or devices (/dev/video0)",
    )
    cameras.add_argument(
        "--names", nargs="+", metavar="NAME", help="names of the cameras, as in the rig (default: cam01, cam02, ...)"
    )
    cameras.add_argument(
        "--rig", type=Path, metavar="FILE", help="calibration of the cameras; it is copied into the folder"
    )
    devices = parser.add_argument_group("devices")
    devices.add_argument("--fps", type=float, metavar="HZ", help="frames per second to request; a stream has its own")
    devices.add_argument("--size", metavar="WxH", help="image size to request, such as 1280x720")
    devices.add_argument(
        "--format",
        metavar="NAME",
        help="kind of the devices: v4l2 (Linux), avfoundation (macOS, cameras are 0, 1, ...), dshow (Windows, cameras "
        "are video=NAME)",
    )
    output = add_output(
        parser, "the folder of the recording, new or empty: trial.toml, and each camera's video and times"
    )
    output.add_argument(
        "--seconds", type=float, metavar="S", help="length of the recording (default: until Enter or Ctrl-C)"
    )
    add_switch(output, "--live", "show the images, if there is a screen (default: yes)")


def _record(
    cameras: tuple[str, ...],
    output: Path,
    names: tuple[str, ...] | None = None,
    seconds: float | None = None,
    rig: Path | None = None,
    fps: float | None = None,
    size: str | None = None,
    format: str | None = None,  # noqa: A002 - the option's name
    live: bool = True,
) -> None:
    from gonio.capture.record import camera_sources, record_sources
    from gonio.core.errors import InputError

    if rig is not None and not rig.exists():
        raise InputError(f"{rig}: no such file; give the rig's calibration")
    sources = camera_sources(cameras, names=names, fps=fps, size=size, format=format)
    shown = [source.name for source in sources]
    with _stopped_by_the_user() as stop, _live_view(shown, live) as show, status_line() as status:

        def tick(states: Sequence[CameraState]) -> None:
            status("  ".join(map(str, states)))
            show(states)

        def event(sentence: str) -> None:
            status(None)
            print(f"gonio: {sentence}", file=sys.stderr, flush=True)

        done = record_sources(
            sources,
            output,
            seconds=seconds,
            calibration=rig,
            stop=stop,
            on_tick=tick,
            on_event=event,
            images=show is not _no_view,
        )
    for camera in done.cameras:
        print(camera.summary)
    print_warnings(done.caveats)
    print(f"wrote {done.trial_path}; measure it with gonio compare {done.trial_path} -o results")
    if all(camera.dropped_out is not None for camera in done.cameras):
        raise InputError(f"{output}: all cameras dropped out; what they gave until then is in the folder")


RECORD = Command(
    "record",
    'Record from several cameras at once, ready for "gonio compare".',
    "CAMERAS -o PATH",
    _options,
    _record,
    "Recording begins when all cameras are open. It ends with Enter, Ctrl-C or after --seconds. A camera that drops "
    "out is reported, the others go on; what is written plays even if the program is killed. docs/recording.md "
    "explains how exact the times are and why to clap once.",
    "gonio record rtsp://10.0.0.5/a rtsp://10.0.0.6/b -o session --names left right --rig Calib.toml",
)


@contextlib.contextmanager
def _stopped_by_the_user() -> Iterator[threading.Event]:
    """An event that Enter, Ctrl-C or a request to end sets; a second Ctrl-C stops at once."""
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
def _live_view(names: Sequence[str], requested: bool) -> Iterator[Callable[[Sequence[CameraState]], None]]:
    """Show images in a window; if none can be opened, print that once."""
    from gonio.capture.live_view import LiveView
    from gonio.core.errors import InputError

    view: LiveView | None = None
    if requested:
        try:
            view = LiveView(names)
        except InputError as error:
            print(f"gonio: no live view: {error}", file=sys.stderr)
    if view is None:
        yield _no_view
        return

    def show(states: Sequence[CameraState]) -> None:
        view.show({state.name: state.image for state in states}, {state.name: str(state) for state in states})

    try:
        yield show
    finally:
        view.close()
