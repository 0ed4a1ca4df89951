"""The folder of a recording: its trial file and what is known of each camera. `gonio.capture.record` fills it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from gonio.core.errors import InputError
from gonio.core.files import check_writable, replacing, write_json
from gonio.core.settings import to_toml
from gonio.io.rigs import files as rig_files
from gonio.trials.config import CameraConfig, Trial

UNKNOWN_DELAY = (
    "The offsets come from when frames arrived at one computer. What each camera takes to expose, encode and send a "
    "frame is not in them: little between cameras of one model and setting, a tenth of a second and more between "
    "others. A clap that all cameras see shows it."
)
UNFINISHED = "The recording was not ended in order: files end where it was cut off, offsets are those shortly before."


@dataclass(frozen=True)
class RecordedCamera:
    """One camera of a recording.

    address           without a password
    codec             the camera's own; copied: whether its packets are in the file, else they were encoded
    rate_hz           as the stream says
    missed            frames that are not there, by the gaps between those that are
    before_key_frame  frames after the start that were left out: a stream begins at a key frame
    unusable          packets without a time stamp, damaged, or shown before the key frame that they hang on
    clock_jumps       how often the stream's clock was set anew; time goes on by the arrival of frames
    has_clock         False for bare pictures: their times are those of arrival
    first_frame_s     when the file's first frame happened, on the computer's clock from the start on; scatter_s: what
                      that is worth, by the arrivals
    drift             how much faster the computer's clock runs than the camera's, a share
    """

    name: str
    address: str
    codec: str
    copied: bool
    size_px: tuple[int, int]
    rate_hz: float
    frames: int
    duration_s: float
    missed: int
    before_key_frame: int
    unusable: int
    clock_jumps: int
    has_clock: bool
    first_frame_s: float | None
    scatter_s: float | None
    drift: float | None
    dropped_out: str | None
    dropped_out_s: float | None

    @property
    def summary(self) -> str:
        """A line on what was recorded."""
        width, height = self.size_px
        how = "as it came" if self.copied else "encoded"
        left_out = f", {self.before_key_frame} before the first key frame left out" if self.before_key_frame else ""
        return (
            f"{self.name}: {self.frames} frames in {self.duration_s:.2f} s, {self.missed} missed{left_out}; "
            f"{width} x {height} px, {self.codec}, {how}"
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What somebody who measures this camera should know."""
        found = [] if self.dropped_out is None else [f"{self.dropped_out}."]
        if not self.frames and self.dropped_out is None:
            why = " no key frame came; have the camera send one every second." if self.before_key_frame else ""
            found.append(f"{self.name}: no frame was recorded{';' if why else '.'}{why}")
        if self.frames and not self.has_clock:
            found.append(f"{self.name}: its stream has no clock; its frames are timed by their arrival.")
        if self.clock_jumps:
            found.append(f"{self.name}: its clock was set anew {self.clock_jumps} times; time goes on by arrival.")
        if self.missed:
            found.append(f"{self.name}: {self.missed} frames are missing between those recorded.")
        if self.unusable:
            found.append(f"{self.name}: {self.unusable} frames could not be used.")
        bent_s = abs(self.drift or 0.0) * self.duration_s / 2
        if self.rate_hz and bent_s > 0.5 / self.rate_hz and self.duration_s > 20:
            found.append(
                f"{self.name}: its clock and the computer's differ by {1e6 * (self.drift or 0):+.0f} ppm: "
                f"{1e3 * bent_s:.0f} ms at either end of the recording."
            )
        return tuple(found)


@dataclass(frozen=True)
class RecordedSession:
    """A recording; `started` is the wall clock's time of its start, UTC."""

    folder: Path
    started: datetime
    cameras: tuple[RecordedCamera, ...]
    finished: bool

    @property
    def trial_path(self) -> Path:
        return self.folder / "trial.toml"

    @property
    def offsets_s(self) -> dict[str, float]:
        """Of each camera that has frames, how far its own clock is ahead of the common one.

        The common clock's 0 is the first moment that all of them have seen: common time = own time - offset.
        """
        first_s = {c.name: c.first_frame_s for c in self.cameras if c.frames and c.first_frame_s is not None}
        latest_s = max(first_s.values(), default=0.0)
        return {name: latest_s - own_s for name, own_s in first_s.items()}

    @property
    def caveats(self) -> tuple[str, ...]:
        """What the trial file, and so the report, says of the recording."""
        found = [note for camera in self.cameras for note in camera.notes]
        scatters_ms = [f"{c.name} {1e3 * c.scatter_s:.1f} ms" for c in self.cameras if c.scatter_s is not None]
        if len(scatters_ms) > 1:
            found.append(f"{UNKNOWN_DELAY} The arrivals themselves scatter by {', '.join(scatters_ms)}.")
        return (*found, *([] if self.finished else [UNFINISHED]))


def hidden_password(address: str) -> str:
    """An address with ***:*** for a name and password in it, and *** for the values of its query."""
    address = re.sub(r"(?<=://)[^/@?#]*@", "***:***@", address)
    return re.sub(r"((?:password|passwd|pwd|token|key|auth)\w*=)[^&]*", r"\1***", address, flags=re.IGNORECASE)


def check_session(folder: Path, names: Sequence[str], calibration: Path | None) -> None:
    """Ask before recording whether its folder and trial can be written.

    Raises `InputError` for a folder that holds files or cannot be made, and a calibration that cannot be read or lacks
    a camera; `ConfigError` for names that two cameras share or that make no file name.
    """
    check_writable(folder, [])
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; a recording needs a new folder, choose another name with -o")
    Trial(tuple(CameraConfig(name, video=Path(f"{name}.mkv")) for name in names))
    if calibration is not None:
        if calibration.name in ("trial.toml", "recording.json"):
            raise InputError(f"{calibration}: a recording writes a file of this name; rename it")
        rig_files.match_cameras(rig_files.read(calibration), names)


def write_session(session: RecordedSession, calibration: Path | None) -> None:
    """trial.toml and recording.json, and the calibration beside them. Cameras without a frame are not in the trial."""
    if calibration is not None and not (session.folder / calibration.name).exists():
        shutil.copyfile(calibration, session.folder / calibration.name)
    offsets_s = session.offsets_s
    content = {
        "started": session.started.isoformat(),
        "finished": session.finished,
        "cameras": [asdict(camera) | {"offset_s": offsets_s.get(camera.name)} for camera in session.cameras],
    }
    with replacing(session.folder / "recording.json") as temporary:
        write_json(temporary, content, indent=2)
    if offsets_s:
        with replacing(session.trial_path) as temporary:
            temporary.write_text(_trial_text(session, calibration), encoding="utf-8")


def _trial_text(session: RecordedSession, calibration: Path | None) -> str:
    lines = [
        f"# Recorded by gonio record, {session.started:%Y-%m-%d %H:%M:%S} UTC. Measure it: gonio compare trial.toml"
    ]
    lines += ["", f"name = {to_toml(session.folder.resolve().name)}", "caveats = ["]
    lines += [f"    {to_toml(caveat)}," for caveat in session.caveats] + ["]"]
    if calibration is not None:
        lines += ["", "[rig]", f"calibration = {to_toml(calibration.name)}"]
    for name, offset_s in session.offsets_s.items():
        lines += ["", "[[cameras]]", f"name = {to_toml(name)}", f"video = {to_toml(name + '.mkv')}"]
        lines += [f"offset_s = {offset_s:.4f}"]
    return "\n".join(lines) + "\n"
