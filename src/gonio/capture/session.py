"""The folder of a recording: its trial file and the facts of each camera. `gonio.capture.record` fills it."""

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
    "The offsets come from the arrival of frames at one computer. The time that a camera takes to expose, encode and "
    "send a frame is not in them. It differs little between cameras of one model and setting, by a tenth of a second "
    "and more between others. A clap in view of all cameras shows it."
)
UNFINISHED = "The recording was interrupted: the files end there, and the offsets are those of shortly before."


@dataclass(frozen=True)
class RecordedCamera:
    """One camera of a recording.

    address           without a password
    codec             the camera's own
    copied            whether its packets are in the file unchanged; else they were encoded
    rate_hz           as stated by the stream
    missed            number of missing frames, from the gaps between recorded ones
    before_key_frame  frames after the start that were left out: a stream begins at a key frame
    unusable          packets without a time stamp, damaged, or shown before the key frame that they depend on
    clock_jumps       how often the stream's clock was reset; times then continue by the arrival of frames
    has_clock         False for bare images, whose times are those of arrival
    first_frame_s     time of the file's first frame, on the computer's clock from the start on
    scatter_s         its uncertainty, from the arrivals
    drift             relative difference in speed: computer's clock faster than the camera's if positive
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
        """One line about the recording."""
        width, height = self.size_px
        how = "copied" if self.copied else "encoded"
        left_out = f", {self.before_key_frame} before the first key frame left out" if self.before_key_frame else ""
        return (
            f"{self.name}: {self.frames} frames in {self.duration_s:.2f} s, {self.missed} missed{left_out}; "
            f"{width} x {height} px, {self.codec}, {how}"
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about problems that matter to a measurement with this camera."""
        found = [] if self.dropped_out is None else [f"{self.dropped_out}."]
        if not self.frames and self.dropped_out is None:
            why = " no key frame came; set the camera to send one every second." if self.before_key_frame else ""
            found.append(f"{self.name}: no frame was recorded{';' if why else '.'}{why}")
        if self.frames and not self.has_clock:
            found.append(f"{self.name}: its stream has no clock; its frames have the times of their arrival.")
        if self.clock_jumps:
            found.append(f"{self.name}: its clock was reset {self.clock_jumps} times; times continue by arrival.")
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
        """Time in s by which the clock of each camera with frames is ahead of the common one.

        The common clock's 0 is the first moment with frames of all of them: common time = own time - offset.
        """
        first_s = {c.name: c.first_frame_s for c in self.cameras if c.frames and c.first_frame_s is not None}
        latest_s = max(first_s.values(), default=0.0)
        return {name: latest_s - own_s for name, own_s in first_s.items()}

    @property
    def caveats(self) -> tuple[str, ...]:
        """Sentences about the recording, for the trial file and so for the report."""
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
    """Check before recording that its folder and trial can be written.

    Raises `InputError` for a folder that holds files or cannot be made, and a calibration that cannot be read or lacks
    a camera; `ConfigError` for a name that two cameras share or that is no file name.
    """
    check_writable(folder, [])
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; a recording needs a new folder, choose another name with -o")
    Trial(tuple(CameraConfig(name, video=Path(f"{name}.mkv")) for name in names))
    if calibration is not None:
        if calibration.name in ("trial.toml", "recording.json"):
            raise InputError(f"{calibration}: the recording writes a file of this name; rename it")
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
            temporary.write_text(_trial_text(session, calibration), encoding="utf-8", newline="\n")


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
