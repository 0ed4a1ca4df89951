"""OpenSim's tables of joint angles (.mot, .sto): a header up to `endheader`, then tab separated columns.

    Coordinates
    version=1
    nRows=100
    nColumns=3
    inDegrees=yes
    endheader
    time  hip_flexion_r  knee_angle_r
    0.0167  0.047  16.943

`inDegrees` says whether the angles are in degrees or radians; some files have spaces instead of tabs. OpenSim uses
the same format for other quantities, and the file does not say which it contains. Columns that end in `_tx`, `_ty`,
`_tz` are positions in metres.

Each program defines its own angle names: OpenSim's `knee_angle_r` is the coordinate of a model's joint, with a sign,
and
gonio's `right_knee_flexion` the angle between two lines (`kinematics.angles`). Names are not translated.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gonio.core.angle_series import AngleSeries
from gonio.core.arrays import FloatArray
from gonio.core.errors import InputError
from gonio.core.files import replacing
from gonio.core.sequence import Source
from gonio.io.reading import check_times, naming, not_a_number, read_lines

_POSITION_SUFFIXES = ("_tx", "_ty", "_tz")
_END = "endheader"


def recognise(path: Path) -> bool:
    """A file with the line endheader within its first 64 KiB."""
    try:
        with Path(path).open("rb") as stream:
            head = stream.read(65536).decode("utf-8-sig", errors="replace")
    except OSError:
        return False
    return any(line.strip().lower() == _END for line in head.splitlines())


def read(path: Path) -> AngleSeries:
    """The angles, in radians, under the file's names; columns of positions are left out and named in the
    history.

    Raises `InputError` if the file is absent, of another format or cut, does not say whether it is in degrees, names a
    column twice or has no angle.
    """
    path = Path(path)
    lines = read_lines(path)
    end = next((i for i, line in enumerate(lines) if line.strip().lower() == _END), None)
    if end is None:
        raise InputError(f"{path}: is not an OpenSim file, or it is cut: it has no line endheader")
    header = {
        key.strip().lower(): value.strip()
        for key, equals, value in (line.partition("=") for line in lines[:end])
        if equals
    }
    if (degrees := header.get("indegrees", "").lower()) not in ("yes", "no"):
        raise InputError(f"{path}: the header does not say inDegrees=yes or no; add the correct line")
    numbered = [(number, line.split()) for number, line in enumerate(lines[end + 1 :], end + 2) if line.strip()]
    if len(numbered) < 2:
        raise InputError(f"{path}: the file ends before the first row")
    names, rows = numbered[0][1], [cells for _, cells in numbered[1:]]
    numbers = [number for number, _ in numbered[1:]]
    _check_header(path, header, names, rows, numbers)
    try:
        table = np.array(rows, dtype=float)
    except ValueError:
        raise not_a_number(path, rows, numbers) from None
    if np.isinf(table).any() or np.isnan(table[:, 0]).any():
        raise InputError(f"{path}: the file has an infinite number or a row without a time; export it again")
    check_times(path, table[:, 0].tolist(), numbers)
    position_columns = [name for name in names[1:] if name.endswith(_POSITION_SUFFIXES)]
    kept = [i for i, name in enumerate(names) if i and name not in position_columns]
    if not kept:
        raise InputError(f"{path}: the file has no column of an angle")
    history = [f"{len(table)} rows of {len(kept)} angles read from {path.name}, in {_unit(degrees == 'yes')}"]
    if position_columns:
        history.append(f"columns of positions in metres left out: {', '.join(position_columns)}")
    values = table[:, kept]
    angles = tuple(names[i] for i in kept)
    with naming(path):
        return AngleSeries(
            angles_rad=np.deg2rad(values) if degrees == "yes" else values,
            times_s=table[:, 0],
            names=angles,
            definitions=tuple("as the program that wrote it defines it" for _ in angles),
            intervals_rad=tuple((-np.inf, np.inf) for _ in angles),
            source=Source(method="opensim", file=str(path)),
            history=tuple(history),
        )


def write(angles: AngleSeries, path: Path, *, in_degrees: bool = True) -> tuple[str, ...]:
    """Writes the angles under their names, twelve significant digits, NaN if missing.

    Returns what the format does not preserve. Raises `InputError` if there is no row or a name has a blank.
    """
    path = Path(path)
    if not isinstance(angles, AngleSeries):
        raise InputError(f"{path}: a {path.suffix} file contains joint angles, not positions")
    if not len(angles) or not angles.names:
        raise InputError(f"{path}: there is no angle to write")
    for name in angles.names:
        if not name or name.split() != [name] or name.lower() == "time":
            raise InputError(f"{path}: the name {name!r} is not possible for a column")
    not_preserved = ["the definition of each angle is not stored"]
    not_preserved += [f"the history ({len(angles.history)} steps) is not stored"] if angles.history else []
    if (n_missing := int(np.isnan(angles.angles_rad).sum())) > 0:
        not_preserved.append(f"{n_missing} missing values are written as nan; OpenSim's Storage leaves out their rows")
    values: FloatArray = angles.angles_deg if in_degrees else angles.angles_rad
    header = (
        "Coordinates",
        "version=1",
        f"nRows={len(angles)}",
        f"nColumns={1 + len(angles.names)}",
        f"inDegrees={'yes' if in_degrees else 'no'}",
        "",
        f"Joint angles of gonio, {_unit(in_degrees)}; times in seconds.",
        "",
        _END,
        "\t".join(("time", *angles.names)),
    )
    rows = (
        f"{time:.12g}\t" + "\t".join(f"{value:.12g}" for value in row)
        for time, row in zip(angles.times_s.tolist(), values.tolist(), strict=True)
    )
    with replacing(path) as temporary:
        temporary.write_text("\n".join((*header, *rows)) + "\n", encoding="utf-8", newline="\n")
    return tuple(not_preserved)


def _unit(in_degrees: bool) -> str:
    return "degrees" if in_degrees else "radians"


def _check_header(
    path: Path, header: dict[str, str], names: list[str], rows: list[list[str]], numbers: list[int]
) -> None:
    """Raises `InputError` if header, names and rows do not agree."""
    if names[0].lower() != "time":
        raise InputError(f"{path}: the first column is {names[0]!r}, not time")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"{path}: two columns are called {twice!r}; give each its own name")
    for key, found in (("nrows", len(rows)), ("ncolumns", len(names))):
        stated = header.get(key, "")
        if stated.isdecimal() and stated.lstrip("0") != str(found):
            raise InputError(f"{path}: {key} states {stated}, the file has {found}: it is cut or was changed")
    for number, cells in zip(numbers, rows, strict=True):
        if len(cells) != len(names):
            raise InputError(f"{path}: line {number} has {len(cells)} numbers, there are {len(names)} columns")
