"""3D recordings of other systems, made comparable: markers become joint centres, on one clock, with one vertical.

A recording is one person's 3D joints or markers in a file, of a depth camera or a motion capture system. Each keeps its
own frame unless the trial declares that frames are shared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from gonio.comparison.clock_offset import ClockOffset, clock_offset
from gonio.core.assumptions import Assumption
from gonio.core.camera import Rig
from gonio.core.errors import ConfigError, InputError
from gonio.core.sequence import Axis, PoseSequence
from gonio.io import formats
from gonio.kinematics.angles import joint_angles
from gonio.kinematics.markers import joint_centres, plug_in_gait_names
from gonio.trials.config import RecordingConfig

NOTICED_S = 0.1  # a smaller offset between two clocks gives no warning


def read_recordings(
    configs: Sequence[RecordingConfig], rig: Rig | None, reference: str | None
) -> dict[str, PoseSequence]:
    """name -> joints in metres, on one clock, with one vertical for recordings that share a frame.

    A recording with the offset "auto" is brought to the clock of the reference, if this is a recording, or else of the
    first recording with a declared offset. Raises `InputError` naming the file that cannot be used or whose offset
    cannot be found from its joint angles, and `ConfigError` if all offsets are "auto".
    """
    read = {config.name: _read(config, rig) for config in configs}
    return _one_vertical(_one_clock(configs, read, reference))


def clock_warnings(
    configs: Sequence[RecordingConfig], sequences: Mapping[str, PoseSequence], reference: str | None
) -> list[str]:
    """Sentences on recordings that would agree clearly better with another offset; their times are not changed.

    sequences  every method, each at its own times, on the clock as declared
    """
    against = _against(configs, sequences, reference)
    warnings: list[str] = []
    for config in configs:
        if config.name == against or against is None or config.offset_s == "auto":
            continue
        found = clock_offset(joint_angles(sequences[config.name]), joint_angles(sequences[against]))
        if found.clearly_better and abs(found.offset_s) > NOTICED_S:
            total = config.offset_s + found.offset_s
            as_is = "no overlap" if found.rms_as_is_deg is None else f"{found.rms_as_is_deg:.1f}"
            where = "ahead" if found.offset_s > 0 else "behind"
            warnings.append(
                f"the joint angles of {config.name} and {against} agree better if the clock of {config.name} is "
                f"{abs(found.offset_s):.2f} s {where}: they then differ by {found.rms_deg:.1f} degrees instead of "
                f"{as_is} (RMS without bias). The times were not changed. To change them, give offset_s = {total:.2f} "
                f"of {config.name!r} in a trial file, or --align-clocks auto"
            )
    return warnings


def _against(
    configs: Sequence[RecordingConfig], sequences: Mapping[str, PoseSequence], reference: str | None
) -> str | None:
    """The method whose clock the others are compared with: the reference, or else the first, recordings last."""
    if reference is not None:
        return reference if reference in sequences else None
    recorded = {config.name for config in configs}
    return next((name for name in sequences if name not in recorded), next(iter(sequences), None))


def read_joints(
    file: Path, *, layout: str | None, fps: float | None, unit: str | None, offset_s: float, up: Axis | None
) -> PoseSequence:
    """One person's joints or markers in metres, as the file holds them, on the common clock.

    The options are those of `RecordingConfig`. Raises `InputError` naming the file if it holds anything else.
    """
    item = formats.read(file, layout=layout, rate_hz=fps, unit=unit)
    if isinstance(item, dict) and len(item) == 1:
        (item,) = item.values()
    if not isinstance(item, PoseSequence):
        raise InputError(f"{file}: holds several people; give a file with the patient alone")
    if item.unit != "m":
        raise InputError(f"{file}: holds 2D keypoints, but 3D joints are needed; name it as the keypoints of a camera")
    if offset_s:
        item = item.shifted(-offset_s, "declared offset")
    return item if up is None else item.derive(f"{up} declared as up", up=up)


def _read(config: RecordingConfig, rig: Rig | None) -> PoseSequence:
    item = read_joints(
        config.file,
        layout=config.layout,
        fps=config.fps,
        unit=config.unit,
        offset_s=0.0 if config.offset_s == "auto" else config.offset_s,
        up=config.up,
    )
    named = plug_in_gait_names(item)
    if named is not None:
        try:
            item = joint_centres(named)
        except InputError as error:
            raise InputError(f"{config.file}: {error}") from None
    if config.frame == "rig":
        if rig is None or rig.up is None:
            raise ConfigError(f'recording {config.name!r}: frame = "rig" needs a [rig] with a calibration')
        item = item.with_up(rig.up).derive(frame_name=rig.name)
    else:  # two files with one name do not share a world
        item = item.derive(frame_name=config.frame or f"recording {config.name}")
    return item


def _one_clock(
    configs: Sequence[RecordingConfig], read: dict[str, PoseSequence], reference: str | None
) -> dict[str, PoseSequence]:
    declared = [config.name for config in configs if config.offset_s != "auto"]
    if len(declared) == len(configs):
        return read
    if not declared:
        raise ConfigError('offset_s = "auto" needs another recording with a declared clock; give it offset_s = 0')
    against = reference if reference in declared else declared[0]
    moved = dict(read)
    for config in configs:
        if config.offset_s == "auto":
            found = clock_offset(joint_angles(read[config.name]), joint_angles(read[against]))
            if found.unsure:
                raise InputError(
                    f"{config.file}: the offset of its clock from that of {against} cannot be found: {found.unsure}; "
                    f"give offset_s in a trial file"
                )
            reason = _reason(found, against)
            moved[config.name] = (
                read[config.name]
                .shifted(-found.offset_s, reason)
                .assuming(
                    Assumption(
                        "clock",
                        f"Its clock was not known: times shifted by {-found.offset_s:+.4f} s, {reason}. Its time lag "
                        f"can therefore not be measured.",
                    )
                )
            )
    return moved


def _reason(found: ClockOffset, against: str) -> str:
    as_is = "" if found.rms_as_is_deg is None else f" instead of {found.rms_as_is_deg:.1f}"
    return (
        f"brought to the clock of {against} by {len(found.angles)} joint angles, which now differ by "
        f"{found.rms_deg:.1f} degrees{as_is}, RMS without bias; agreement {found.score:.2f}"
    )


def _one_vertical(recordings: dict[str, PoseSequence]) -> dict[str, PoseSequence]:
    """Recordings that share a frame get the vertical of the first of them."""
    verticals: dict[str, Axis] = {}
    for sequence in recordings.values():
        if sequence.up is not None:
            verticals.setdefault(sequence.frame_name, sequence.up)
    return {
        name: sequence if sequence.up is None else sequence.with_up(verticals[sequence.frame_name])
        for name, sequence in recordings.items()
    }
