"""Tables of a trial's page, and its CSV files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gonio.comparison.angle_agreement import ANGLE_FIGURES, AngleFigure
from gonio.comparison.result import ComparisonResult, MethodErrors, PairErrors, tables
from gonio.core.files import replacing, write_csv
from gonio.report.page import Cell, Table
from gonio.report.trial_summary import enumerated, ranking_key, words_of

_POSITION_COLUMNS = (
    ("mpjpe_mm", "MPJPE", "mm", 1),
    ("root_mpjpe_mm", "root MPJPE", "mm", 1),
    ("n_mpjpe_mm", "N-MPJPE", "mm", 1),
    ("pa_mpjpe_mm", "PA-MPJPE", "mm", 1),
    ("mpjve_mm_per_s", "MPJVE", "mm/s", 0),
    ("rigid_mpjpe_mm", "rigid MPJPE", "mm", 1),
)
_EXPLAINED = (
    ("MPJPE", "mean distance of the joints from the reference's, at their absolute positions"),
    ("root MPJPE", "the same with both bodies centred on the mid-hip: errors of direction, size and shape"),
    ("N-MPJPE", "the same after one scale per frame: errors of direction and shape"),
    ("PA-MPJPE", "the same after the best rotation and scale of each frame: errors of shape alone"),
    ("MPJVE", "mean difference of the joints' velocities: jitter and delay of the estimate"),
    ("rigid MPJPE", "as MPJPE after one rotation and one translation for the whole recording, without scale"),
)


Compared = Mapping[str, tuple[str | None, MethodErrors | PairErrors]]
"""Row or column header -> (method whose colour it has, numbers)."""


def write_tables(folder: Path, result: ComparisonResult) -> list[Path]:
    """Write the tables methods, per_joint, angles and time_shifts as CSV into `folder`; an absent number is empty.

    A name that a spreadsheet would take for a formula (it begins with = + - @) gets an apostrophe in front;
    results.json has every name as it is.
    """
    paths = []
    for name, rows in tables(result).items():
        path = Path(folder) / f"{name}.csv"
        with replacing(path) as temporary:
            write_csv(temporary, rows)
        paths.append(path)
    return paths


# ---- tables ----------------------------------------------------------------------------------------------------------


def page_tables(result: ComparisonResult) -> list[Table]:
    """The tables of the page, in order."""
    tables = [_position_table(result), _joint_table(result), _offset_table(result), _definition_table(result)]
    tables += [*_motion_tables(result), *_angle_tables(result), _shift_table(result)]
    tables += [_camera_table(result), _count_table(result)]
    return [table for table in tables if table is not None]


def _compared(result: ComparisonResult) -> Compared:
    """Row or column header -> (method whose colour it has, numbers): the estimates, or the pairs."""
    if result.pairs:
        return {f"{p.a} / {p.b}": (None, p) for p in result.pairs}
    if result.protocol["reference"] is None:
        return {}
    return {name: (name, m) for name, m in result.methods.items() if not m.is_reference}


def _position_table(result: ComparisonResult) -> Table | None:
    compared = _compared(result)
    if not compared:
        return None
    columns = [[getattr(item, key) for _, item in compared.values()] for key, _, _, _ in _POSITION_COLUMNS]
    best = [min((v for v in column if v is not None), default=None) for column in columns]
    rows = []
    for name, (method, item) in compared.items():
        cells = [Cell(str(item.n_frames))]
        for (key, _, _, digits), smallest in zip(_POSITION_COLUMNS, best, strict=True):
            value = getattr(item, key)
            is_best = value is not None and value == smallest and len(compared) > 1
            cells.append(Cell(_number(value, digits), is_best))
        rows.append((name, method, tuple(cells)))
    other = "the other method's" if result.pairs else "the reference's"
    explained = [(short, text.replace("the reference's", other)) for short, text in _EXPLAINED]
    notes = [_protocol_in_short(result), *(f"{short}: {text}." for short, text in explained)]
    for (key, title, _, _), column in zip(_POSITION_COLUMNS, columns, strict=True):
        absent = [name for (name, _), value in zip(compared.items(), column, strict=True) if value is None]
        if absent:
            methods = enumerated(absent) if len(absent) <= 8 else f"{len(absent)} of {len(compared)}"
            reason = "different frames" if key == "mpjpe_mm" else "different axes"
            notes.append(f"– {title} does not exist for {methods}: {reason}.")
    return Table(
        "Position errors",
        "Mean distances; the smallest error of each column in bold.",
        (
            ("pair" if result.pairs else "method", "", None),
            ("frames", "count", None),
            *((title, unit, None) for _, title, unit, _ in _POSITION_COLUMNS),
        ),
        tuple(rows),
        tuple(notes),
    )


def _protocol_in_short(result: ComparisonResult, over: str | None = None) -> str:
    """One line of small print: the reference, the frames or times that count, filter, matching, version."""
    protocol = result.protocol
    against = "No reference."
    if protocol["reference"] is not None:
        against = f"Reference: {protocol['reference']}."
    if over is None:
        joints, frames = protocol.get("joints", ()), protocol.get("frames", {})
        counted = f" in {frames['compared']} of {frames['in_all']} frames" if "in_all" in frames else ""
        item = next(iter([*result.pairs, *result.methods.values()]))
        over = f"{item.n_cells} positions of {len(joints)} joints{counted}, the same for all methods"
    tolerance_ms = 1000 * float(protocol.get("matching_tolerance_s", 0))
    version = protocol.get("versions", {}).get("gonio", "(version unknown)")
    return (
        f"{against} {over[0].upper()}{over[1:]}; filter: {protocol.get('filter', 'none')}; "
        f"times matched within {tolerance_ms:g} ms; gonio {version}."
    )


_ANGLE_TIMES = "the times at which all methods that measure the angle have it, counted as samples"


def _headers(
    first: str, compared: Mapping[str, tuple[str | None, Any]], unit: str, *, with_samples: bool = False
) -> tuple[tuple[str, str, str | None], ...]:
    samples = (("samples", "count", None),) if with_samples else ()
    return ((first, "", None), *samples, *((name, unit, method) for name, (method, _) in compared.items()))


def _samples(angle: str, compared: Compared) -> Cell:
    return Cell(str(max(item.angles[angle].n_samples for _, item in compared.values() if angle in item.angles)))


def _peaks(angle: str, compared: Compared) -> Cell:
    return Cell(str(max(item.angles[angle].n_peaks for _, item in compared.values() if angle in item.angles)))


def _turned(table: Table, unit: str) -> Table:
    """Rows and columns exchanged: pairs are many and have long names."""
    header = (("pair", "", None), *((name, unit, None) for name, _, _ in table.rows))
    rows = tuple(
        (name if own == unit else f"{name} ({own})", method, tuple(cells[column] for _, _, cells in table.rows))
        for column, (name, own, method) in enumerate(table.header[1:])
    )
    return replace(table, header=header, rows=rows, caption=table.caption.replace("of each row", "of each column"))


def _angle_names(compared: Compared) -> list[str]:
    return list(dict.fromkeys(angle for _, item in compared.values() for angle in item.angles))


def _angle_tables(result: ComparisonResult) -> list[Table]:
    compared = _compared(result)
    angles = _angle_names(compared)
    tables = []
    for figure in ANGLE_FIGURES:
        table = _angle_table(result, figure, compared, angles) if figure.title else None
        if table is not None:
            tables.append(_turned(table, figure.unit) if result.pairs else table)
    return tables


def _angle_table(result: ComparisonResult, figure: AngleFigure, compared: Compared, angles: list[str]) -> Table | None:
    """One figure of every angle by every method; None if no angle has it."""
    rows = []
    for angle in angles:
        values = [getattr(item.angles.get(angle), figure.key, None) for _, item in compared.values()]
        known = [value for value in values if value is not None]
        if not known:
            continue
        best = min(known) if figure.best and len(known) > 1 else None
        count = _peaks(angle, compared) if figure.at_peaks else _samples(angle, compared)
        cells = [Cell(_number(v, figure.digits, signed=figure.signed), v is not None and v == best) for v in values]
        rows.append((words_of(angle), None, (count, *cells)))
    if not rows:
        return None
    over = f"repetitions {result.protocol.get('repetitions')}" if figure.at_peaks else _ANGLE_TIMES
    has_gaps = any(cell.text == "–" for _, _, cells in rows for cell in cells)
    notes = (
        _protocol_in_short(result, over),
        *([_NO_ANGLE] if has_gaps else []),
        *([figure.note] if figure.note else []),
    )
    header = _headers("angle", compared, figure.unit, with_samples=True)
    return Table(figure.title, figure.caption, header, tuple(rows), tuple(filter(None, notes)), folded=not figure.best)


_NO_ANGLE = (
    "– does not exist: the method lacks a joint of this angle, or no time has the angle in all methods, or (for r) one "
    "of the curves is constant."
)


def _definition_table(result: ComparisonResult) -> Table | None:
    """What the angles are, before their numbers."""
    definitions = result.protocol.get("angle_definitions", {})
    if not definitions:
        return None
    intervals = result.protocol.get("angle_intervals_deg", {})
    rows, unsigned = [], False
    for name, definition in definitions.items():
        low, high = intervals.get(name, (None, None))
        span = "–" if low is None or high is None else f"{_number(low, 0)}° to {_number(high, 0)}°"
        unsigned |= low is not None and low >= 0
        sign = "–" if low is None else "no sign" if low >= 0 else "signed"
        rows.append((words_of(name), None, (Cell(str(definition)), Cell(span), Cell(sign))))
    header = (("angle", "", None), ("definition and zero", "", None), ("values", "", None), ("sign", "", None))
    caption = (
        "Angles in space between lines through joint centres; left and right are defined alike. An angle without a "
        "sign has the same value for bending in either direction."
    )
    return Table("What the angles are", caption, header, tuple(rows), (_NEAR_ZERO,) * unsigned, of_words=True)


_NEAR_ZERO = (
    "Near 0 an angle without a sign reads too large, because noise can only increase it: with 1 cm of noise in each "
    "coordinate of hip, knee and ankle a straight knee reads about 4°. A small flexion is no evidence of a contracture."
)


def _motion_tables(result: ComparisonResult) -> list[Table]:
    """Range of motion by every method, the reference first: over its own samples, and over those that all share."""
    ordered = dict(sorted(result.methods.items(), key=lambda item: not item[1].is_reference))
    named = {f"{name} (reference)" if m.is_reference else name: (name, m) for name, m in ordered.items()}
    own, shared = [], []
    for angle in _angle_names(named):
        found = [m.angles.get(angle) for m in ordered.values()]
        if any(a is not None and a.rom_all_deg is not None for a in found):
            cells = [
                Cell("–" if a is None or a.rom_all_deg is None else f"{_number(a.rom_all_deg, 1)} ({a.n_all})")
                for a in found
            ]
            own.append((words_of(angle), None, tuple(cells)))
        if any(a is not None and a.rom_deg is not None for a in found):
            numbers = [Cell(_number(None if a is None else a.rom_deg, 1)) for a in found]
            shared.append((words_of(angle), None, (_samples(angle, named), *numbers)))
    tables = []
    if own:
        notes = (
            _protocol_in_short(result, "all frames in which the method itself has the angle"),
            *([] if all(c.text != "–" for _, _, cells in own for c in cells) else [_NO_RANGE]),
            "How far the person moved, by each method. One bad frame can enlarge the range, and a gap can hide the "
            "extreme. Do not compare methods by this table, because their frames differ.",
        )
        caption = "Largest minus smallest value of each angle; in brackets the number of frames with the angle."
        title = "Range of motion, all frames of each method"
        tables.append(Table(title, caption, _headers("angle", named, "°; frames"), tuple(own), notes))
    if shared and len(ordered) > 1:
        notes = (
            _protocol_in_short(result, _ANGLE_TIMES),
            *([] if all(c.text != "–" for _, _, cells in shared for c in cells) else [_NO_ANGLE]),
            "For the comparison of methods, because all have the same samples. With few samples it can be smaller than "
            "the person's range.",
        )
        caption = "Largest minus smallest value of each angle at the times that all methods share."
        header = _headers("angle", named, "°", with_samples=True)
        tables.append(Table("Range of motion, shared samples", caption, header, tuple(shared), notes))
    return tables


_NO_RANGE = "– does not exist: the method lacks a joint of this angle, or never has all of them in one frame."


def _joint_table(result: ComparisonResult) -> Table | None:
    compared = _compared(result)
    key, how = ranking_key([item for _, item in compared.values()])
    title, unit = next((title, unit) for k, title, unit, _ in _POSITION_COLUMNS if k == key)
    joints = dict.fromkeys(joint for _, item in compared.values() for joint in item.per_joint)
    rows = tuple(
        (
            words_of(joint),
            None,
            tuple(Cell(_number(getattr(item.per_joint.get(joint), key, None), 1)) for _, item in compared.values()),
        )
        for joint in joints
    )
    if not rows:
        return None
    notes = (_protocol_in_short(result),)
    table = Table(
        "Error of each joint", f"{title}: {how}.", _headers("joint", compared, unit), rows, notes, folded=True
    )
    return _turned(table, unit) if result.pairs else table


def _offset_table(result: ComparisonResult) -> Table | None:
    """Each joint's constant offset, and the rigid error with and without it."""
    compared = _compared(result)
    keys = (
        ("rigid_mpjpe_mm", "rigid MPJPE"),
        ("definition_offset_mm", "offset"),
        ("without_offset_mm", "without it"),
    )
    joints = dict.fromkeys(joint for _, item in compared.values() for joint in item.per_joint)
    rows = tuple(
        (
            f"{name}: {words_of(joint)}",
            method,
            tuple(Cell(_number(getattr(item.per_joint[joint], key), 1)) for key, _ in keys),
        )
        for name, (method, item) in compared.items()
        for joint in joints
        if joint in item.per_joint and item.per_joint[joint].definition_offset_mm is not None
    )
    if not rows:
        return None
    notes = (
        _protocol_in_short(result),
        "The distance after one rotation and one translation for the whole recording. Its constant part, in the body's "
        "own axes, comes from different definitions of a joint or from a constant error of either method; these "
        "numbers cannot distinguish the two. All other errors of this page include it.",
    )
    header = (("joint", "", None), *((column, "mm", None) for _, column in keys))
    title = "Constant offset of each joint"
    return Table(title, "Rigid MPJPE with and without the constant part.", header, rows, notes, folded=True)


def _shift_table(result: ComparisonResult) -> Table | None:
    """By how much the errors grow if the estimate's clock is moved by 0.1 s in either direction."""
    compared = _compared(result)
    rows = []
    for name, (method, item) in compared.items():
        for shift, moved in item.time_shifts.items():
            cells = [Cell(_number(getattr(moved.change, key), digits, signed=True)) for key, _, _, digits in _SHIFTED]
            changes = [change for change in moved.angle_rmse_deg.values() if change is not None]
            cells.append(Cell(_number(float(np.mean(changes)) if changes else None, 1, signed=True)))
            rows.append((f"{name}, {_number(float(shift), 1, signed=True)} s", method, tuple(cells)))
    if not rows:
        return None
    notes = (
        "The estimate is read 0.1 s later (+) or earlier (−), over the same positions. A change below 0 means that the "
        "clocks then fit better. time_shifts.csv has the change of each angle.",
    )
    titles = ((title, unit, None) for _, title, unit, _ in _SHIFTED)
    header = (("clock", "", None), *titles, ("angles, RMSE", "°", None))
    caption = "Change of each error if the clock is moved by 0.1 s."
    return Table("Effect of a clock error", caption, header, tuple(rows), notes)


_SHIFTED = tuple(column for column in _POSITION_COLUMNS if column[0] != "mpjve_mm_per_s")


def _camera_table(result: ComparisonResult) -> Table | None:
    if not result.cameras:
        return None
    rows = [
        (name, None, (Cell(_number(camera["reprojection_px_median"], 2)),)) for name, camera in result.cameras.items()
    ]
    together = result.protocol.get("reprojection_px_median_all")
    if together is not None:
        rows.append(("all cameras together", None, (Cell(_number(together, 2)),)))
    notes = (
        "Distance between the projection of a 3D joint and the joint detected in the image, in pixels of that image: "
        "median over the frames and the shoulders, elbows, wrists, hips, knees and ankles, of the method with the most "
        "cameras. A small distance shows that the rays meet, not that they meet at the right place.",
    )
    caption = "A smaller distance means that calibration, timing and joints fit together better."
    header = (("camera", "", None), ("median reprojection error", "px", None))
    return Table("How well the 3D joints fit the images", caption, header, tuple(rows), notes)


def _count_table(result: ComparisonResult) -> Table | None:
    """How many joint positions of each method were measured, inferred, interpolated, repaired or missing."""
    counts = result.protocol.get("counts", {})
    if not counts:
        return None
    kinds = list(dict.fromkeys(kind for joints in counts.values() for c in joints.values() for kind in c))
    lost_alone = result.protocol.get("frames", {}).get("lost_by_one_alone", {})
    rows = []
    for name, joints in counts.items():
        totals = [sum(int(c.get(kind, 0)) for c in joints.values()) for kind in kinds]
        cells = [*(Cell(str(total)) for total in totals), Cell(str(lost_alone.get(name, 0)))]
        rows.append((name, name if name in result.methods else None, tuple(cells)))
    header = [("method", "", None), *((words_of(kind), "count", None) for kind in kinds)]
    header.append(("frames lost by this method alone", "count", None))
    caption = "Where the joint positions of each method come from, over the compared joints and all frames."
    notes = (
        "inferred: taken from neighbouring joints or by the device itself. interpolated: between two frames. repaired: "
        "left and right exchanged. missing alone: missing in this method and present in all others.",
    )
    return Table("What was measured and what was not", caption, tuple(header), tuple(rows), notes)


def _number(value: float | None, digits: int, *, signed: bool = False) -> str:
    if value is None:
        return "–"
    text = f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
    return text.replace("-", "−")
