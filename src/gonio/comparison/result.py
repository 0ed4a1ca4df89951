"""The result of a comparison: numbers with their protocol, as values, as results.json and as tables.

results.json is the dataclasses below, field by field; a number that does not exist is null (JSON has no NaN):

    protocol          reference, methods, joints, alignment of each error, matching tolerance, filter, versions, seeds,
                      angle_definitions and angle_intervals_deg by the angle's name without its side,
                      and of this trial: frames compared and left out, counts per method and joint, and with
                      cameras reprojection_px_median_all
    methods.<name>    n_frames, n_cells, the six position errors, per_joint.<joint> with the same six and
                      definition_offset_mm, without_offset_mm,
                      angles.<name> with rmse_deg, bias_deg, r, rom_deg, rom_reference_deg, n_samples over what all
                      methods share, rom_all_deg, n_all over all that the method itself has, and peak_rmse_deg,
                      peak_bias_deg, n_peaks at the peaks of repetitions,
                      time_shifts."-0.1" and "+0.1" (seconds): by how much each position error (change) and each
                      angle's RMSE (angle_rmse_deg) is larger if the estimate is read that much later
    pairs             without a reference: each method `a` against each method `b`
    cameras.<name>    reprojection_px_median
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gonio.comparison.angle_agreement import ANGLE_KEYS, AngleAgreement
from gonio.core.display import Displayed, Rows, data_frame, plotted
from gonio.core.errors import InputError
from gonio.core.files import replacing, write_json

ERROR_KEYS = ("mpjpe_mm", "root_mpjpe_mm", "n_mpjpe_mm", "pa_mpjpe_mm", "mpjve_mm_per_s", "rigid_mpjpe_mm")
OFFSET_KEYS = ("definition_offset_mm", "without_offset_mm")
REPROJECTION = "reprojection_px_median_all"
OF_THE_TRIAL = ("trial", "frames", "counts", "warnings", "repetitions", REPROJECTION)
"""Keys of the protocol that describe one trial and may differ between results that are averaged."""

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.figure import Figure

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class PositionErrors:
    """The errors of `position_error`, and that after one rigid alignment of the whole recording (`definitions`).

    Each is a mean over the common cells; None if it does not exist.
    """

    mpjpe_mm: float | None = None
    root_mpjpe_mm: float | None = None
    n_mpjpe_mm: float | None = None
    pa_mpjpe_mm: float | None = None
    mpjve_mm_per_s: float | None = None
    rigid_mpjpe_mm: float | None = None


@dataclass(frozen=True, kw_only=True)
class JointErrors(PositionErrors):
    """One joint's errors; its constant offset from the reference's joint, and rigid_mpjpe_mm without that."""

    definition_offset_mm: float | None = None
    without_offset_mm: float | None = None


@dataclass(frozen=True, kw_only=True)
class TimeShift:
    """By how much each error is larger if the estimate is read at another time, over the same cells."""

    change: PositionErrors
    angle_rmse_deg: dict[str, float | None]


@dataclass(frozen=True, kw_only=True)
class ErrorSummary(PositionErrors):
    """The errors of one method: of the whole body, of each joint and of each angle.

    n_frames frames and n_cells (frame, joint) cells, the same for every method.
    """

    n_frames: int
    n_cells: int
    per_joint: dict[str, JointErrors]
    angles: dict[str, AngleAgreement]
    time_shifts: dict[str, TimeShift]


@dataclass(frozen=True, kw_only=True)
class MethodErrors(ErrorSummary):
    """One method against the reference; of the reference itself, or without one, only its ROM.

    frame    the frame of its positions: "world of lab", "root, axes of cam01"
    history  the steps applied to it
    """

    is_reference: bool
    frame: str
    history: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PairErrors(ErrorSummary):
    """Method `a` against method `b`, which takes the place of the reference."""

    a: str
    b: str


@dataclass(frozen=True, kw_only=True, repr=False)
class ComparisonResult(Displayed):
    """Every method's errors, with the protocol that they depend on."""

    protocol: dict[str, Any]
    methods: dict[str, MethodErrors]
    pairs: tuple[PairErrors, ...] = ()
    cameras: dict[str, dict[str, float | None]]

    def to_json(self) -> dict[str, Any]:
        """The content of results.json: dicts, lists, text, finite numbers and None."""
        content: dict[str, Any] = plain(asdict(self), "results")
        return content

    def to_dataframe(self) -> pandas.DataFrame:
        """A pandas DataFrame with a row per method or pair: method, reference, the number of frames, each error.

        Its `attrs["protocol"]` hold the protocol. Raises `MissingExtraError` if pandas is not installed.
        """
        header, *rows = tables(self)["methods"]
        columns = {name: [row[number] for row in rows] for number, name in enumerate(header)}
        return data_frame(columns, protocol=self.protocol)

    def to_xarray(self) -> xarray.Dataset:
        """The same as an xarray Dataset over `row`. Raises `MissingExtraError` if pandas or xarray is not installed."""
        return self.to_dataframe().rename_axis("row").to_xarray()  # type: ignore[no-any-return]

    def plot(self) -> Figure:
        """The error of each joint by every method, in mm."""
        return plotted("comparison_figure", self)

    def _title(self) -> str:
        reference = self.protocol.get("reference")
        against = f"against {reference}" if reference else "compared pairwise, without a reference"
        return f"ComparisonResult: {len(self.methods)} methods {against}"

    def _rows(self) -> Rows:
        compared = (
            {name: item for name, item in self.methods.items() if not item.is_reference} if not self.pairs else {}
        )
        for name, item in {**compared, **{f"{pair.a} / {pair.b}": pair for pair in self.pairs}}.items():
            errors = ((getattr(item, key), key.removesuffix("_mm").replace("_", "-").upper()) for key in ERROR_KEYS[:4])
            shown = ", ".join(f"{label} {value:.1f} mm" for value, label in errors if value is not None)
            yield name, f"{shown or 'no common joint'} ({item.n_frames} frames)"
        warnings = self.protocol.get("warnings") or []
        yield "warnings", f"{len(warnings)}, the first: {warnings[0]}" if warnings else ""

    def save(self, path: Path | str) -> None:
        """Write results.json. Raises `InputError` if `path` cannot be written."""
        with replacing(Path(path)) as temporary:
            write_json(temporary, self.to_json())

    @classmethod
    def load(cls, path: Path | str) -> ComparisonResult:
        """Read results.json. Raises `InputError` if it is absent, truncated or something else."""
        path = Path(path)
        try:
            content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constant)
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}); give the results.json of a study") from None
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: not JSON, or truncated ({error}); run the comparison again") from None
        return cls.from_json(content, str(path))

    @classmethod
    def from_json(cls, content: Any, where: str = "results") -> ComparisonResult:
        """The reverse of `to_json`. Raises `InputError` naming `where` and the first key that is absent or wrong."""
        study = _Node(content, where)
        protocol = study.mapping("protocol")
        protocol.optional_text("reference")
        for key in ("alignment", "frames"):
            protocol.mapping(key)
        for key in ("angle_definitions", "angle_intervals_deg"):
            if key in protocol.content:
                protocol.mapping(key)
        if REPROJECTION in protocol.content:
            protocol.number(REPROJECTION)
        protocol.mapping("counts").each(lambda joints: joints.each(lambda joint: joint.content))
        return cls(
            protocol=protocol.content,
            methods=study.mapping("methods").each(_read_method),
            pairs=tuple(_read_pair(pair) for pair in study.sequence("pairs")),
            cameras=study.mapping("cameras").each(
                lambda camera: {"reprojection_px_median": camera.number("reprojection_px_median")}
            ),
        )


def average(results: Sequence[ComparisonResult]) -> ComparisonResult:
    """The mean of each number over several results, all results with equal weight; frames and cells are summed.

    A number that one of them lacks is None: a mean over fewer trials than its neighbours' would not be comparable.
    Raises `InputError` naming the first difference where two protocols differ in anything but the trial.
    """
    if not results:
        raise InputError("no result to average")
    contents = [result.to_json() for result in results]
    protocols = [
        {key: value for key, value in content["protocol"].items() if key not in OF_THE_TRIAL} for content in contents
    ]
    for number, protocol in enumerate(protocols[1:], 2):
        difference = _first_difference(protocols[0], protocol, "protocol")
        if difference is not None:
            raise InputError(f"results 1 and {number} cannot be averaged, their protocols differ: {difference}")
    protocol = {**protocols[0], "averaged": sum(p.get("averaged", 1) for p in protocols)}
    for key in ("frames", "counts"):
        protocol[key] = _merged([content["protocol"][key] for content in contents], key, sum)
    if any(REPROJECTION in content["protocol"] for content in contents):
        medians = [content["protocol"].get(REPROJECTION) for content in contents]
        protocol[REPROJECTION] = _merged(medians, REPROJECTION, _mean)
    protocol["trial"] = [content["protocol"].get("trial") for content in contents]
    warnings = [warning for content in contents for warning in content["protocol"].get("warnings", [])]
    if warnings:
        protocol["warnings"] = warnings
    repetitions = [content["protocol"].get("repetitions") for content in contents]
    if any(repetitions):
        protocol["repetitions"] = repetitions
    for content in contents:
        for method in content["methods"].values():
            method["history"] = [f"mean of {len(results)} results"]
    merged = {
        key: _merged([content[key] for content in contents], key, _mean) for key in ("methods", "pairs", "cameras")
    }
    return ComparisonResult.from_json({"protocol": protocol, **merged}, "mean")


def _mean(numbers: Sequence[float]) -> float:
    return math.fsum(numbers) / len(numbers)


def tables(result: ComparisonResult) -> dict[str, list[list[Any]]]:
    """The numbers as tables to be written as CSV: "methods", "per_joint", "angles", "time_shifts"; each with a header.

    Every row names the method and what it is measured against; None is an empty cell.
    """
    reference = result.protocol["reference"]
    compared: list[tuple[str, str | None, ErrorSummary]] = [
        (name, None if method.is_reference else reference, method) for name, method in result.methods.items()
    ]
    compared += [(pair.a, pair.b, pair) for pair in result.pairs]
    counts = result.protocol["counts"]
    count_keys = list(next((c for joints in counts.values() for c in joints.values()), {}))
    methods: list[list[Any]] = [["method", "reference", "n_frames", "n_cells", *ERROR_KEYS]]
    per_joint: list[list[Any]] = [["method", "reference", "joint", *ERROR_KEYS, *OFFSET_KEYS, *count_keys]]
    angles: list[list[Any]] = [["method", "reference", "angle", "n_samples", *ANGLE_KEYS, "n_all", "n_peaks"]]
    shifts: list[list[Any]] = [["method", "reference", "shift_s", "figure", "change"]]
    for name, against, item in compared:
        methods.append([name, against, item.n_frames, item.n_cells, *(getattr(item, key) for key in ERROR_KEYS)])
        for joint, errors in item.per_joint.items():
            counted = counts.get(name, {}).get(joint, {})
            numbers = [getattr(errors, key) for key in (*ERROR_KEYS, *OFFSET_KEYS)]
            per_joint.append([name, against, joint, *numbers, *(counted.get(key) for key in count_keys)])
        for angle, agreement in item.angles.items():
            numbers = [getattr(agreement, key) for key in ANGLE_KEYS]
            angles.append([name, against, angle, agreement.n_samples, *numbers, agreement.n_all, agreement.n_peaks])
        for shift, moved in item.time_shifts.items():
            shifts += [[name, against, float(shift), key, getattr(moved.change, key)] for key in ERROR_KEYS]
            changes = moved.angle_rmse_deg.items()
            shifts += [[name, against, float(shift), f"{angle} rmse_deg", change] for angle, change in changes]
    return {"methods": methods, "per_joint": per_joint, "angles": angles, "time_shifts": shifts}


def summary_table(result: ComparisonResult) -> list[tuple[str, ...]]:
    """The bodies' errors as text for a terminal: a header, the reference first, "-" if a number does not exist."""
    header = (
        "method",
        "frames",
        "MPJPE mm",
        "root MPJPE mm",
        "N-MPJPE mm",
        "PA-MPJPE mm",
        "MPJVE mm/s",
        "rigid MPJPE mm",
    )
    compared: list[tuple[str, ErrorSummary]] = [(f"{pair.a} against {pair.b}", pair) for pair in result.pairs]
    if not compared:
        ordered = sorted(result.methods.items(), key=lambda item: not item[1].is_reference)
        compared = [(f"{name} (reference)" if m.is_reference else name, m) for name, m in ordered]
    rows = []
    for label, item in compared:
        values = [getattr(item, key) for key in ERROR_KEYS]
        rows.append((label, str(item.n_frames), *("-" if v is None else f"{v:.1f}" for v in values)))
    return [header, *rows]


def plain(value: Any, where: str) -> Any:
    """`value` as JSON has it: numpy scalars become numbers, tuples lists, NaN None. `InputError` for anything else."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, int):
        return int(value)
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return plain(value.item(), where)
    if isinstance(value, Real):
        number = float(value)
        return number if math.isfinite(number) else None
    raise InputError(f"{where} is a {type(value).__name__}, which results.json cannot hold; give text or numbers")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


@dataclass(frozen=True)
class _Node:
    """A JSON object that is being read, the file it comes from and the keys that lead to it, for messages."""

    content: Any
    file: str
    keys: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.content, dict):
            raise InputError(f"{self.where} is not an object; this is not the results.json of a study")

    @property
    def where(self) -> str:
        return f"{self.file}: {self.keys}" if self.keys else self.file

    def _child(self, key: str, content: Any) -> _Node:
        return _Node(content, self.file, self._keys_to(key))

    def _keys_to(self, key: str) -> str:
        return f"{self.keys}.{key}" if self.keys else key

    def _get(self, key: str, kind: type | tuple[type, ...], expected: str) -> Any:
        if key not in self.content:
            raise InputError(f"{self.where} has no {key!r}; this is not a whole results.json")
        value = self.content[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise InputError(f"{self.file}: {self._keys_to(key)} is {value!r:.40}, not {expected}")
        return value

    def mapping(self, key: str) -> _Node:
        return self._child(key, self._get(key, dict, "an object"))

    def sequence(self, key: str) -> list[_Node]:
        return [self._child(f"{key}[{i}]", item) for i, item in enumerate(self._get(key, list, "a list"))]

    def each(self, read: Callable[[_Node], _T]) -> dict[str, _T]:
        return {key: read(self._child(key, item)) for key, item in self.content.items()}

    def number(self, key: str) -> float | None:
        if key in self.content and self.content[key] is None:
            return None
        value: float = self._get(key, (int, float), "a number or null")
        if not abs(value) <= sys.float_info.max:  # a whole number may be larger, too
            raise InputError(f"{self.file}: {self._keys_to(key)} is not a finite number")
        return float(value)

    def count(self, key: str) -> int:
        return int(self._get(key, int, "a count"))

    def text(self, key: str) -> str:
        return str(self._get(key, str, "text"))

    def optional_text(self, key: str) -> str | None:
        return None if key in self.content and self.content[key] is None else self.text(key)

    def texts(self, key: str) -> tuple[str, ...]:
        return tuple(str(item) for item in self._get(key, list, "a list"))

    def flag(self, key: str) -> bool:
        return bool(self._get(key, bool, "true or false"))


def _read_errors(node: _Node) -> PositionErrors:
    return PositionErrors(**{key: node.number(key) for key in ERROR_KEYS})


def _read_joint(node: _Node) -> JointErrors:
    return JointErrors(**{key: node.number(key) for key in (*ERROR_KEYS, *OFFSET_KEYS)})


def _read_shift(node: _Node) -> TimeShift:
    angles = node.mapping("angle_rmse_deg")
    return TimeShift(
        change=_read_errors(node.mapping("change")),
        angle_rmse_deg={angle: angles.number(angle) for angle in angles.content},
    )


def _read_angle(node: _Node) -> AngleAgreement:
    numbers = {key: node.number(key) for key in ANGLE_KEYS}
    counted = [node.count(key) for key in ("n_samples", "n_all", "n_peaks")]
    return AngleAgreement(n_samples=counted[0], n_all=counted[1], n_peaks=counted[2], **numbers)


def _read_comparison(node: _Node) -> dict[str, Any]:
    return {
        **{key: node.number(key) for key in ERROR_KEYS},
        "n_frames": node.count("n_frames"),
        "n_cells": node.count("n_cells"),
        "per_joint": node.mapping("per_joint").each(_read_joint),
        "angles": node.mapping("angles").each(_read_angle),
        "time_shifts": node.mapping("time_shifts").each(_read_shift),
    }


def _read_method(node: _Node) -> MethodErrors:
    return MethodErrors(
        **_read_comparison(node),
        is_reference=node.flag("is_reference"),
        frame=node.text("frame"),
        history=node.texts("history"),
    )


def _read_pair(node: _Node) -> PairErrors:
    return PairErrors(**_read_comparison(node), a=node.text("a"), b=node.text("b"))


def _first_difference(first: Any, second: Any, where: str) -> str | None:
    """The first difference between two JSON values, described; None if they are equal."""
    if isinstance(first, dict) and isinstance(second, dict):
        for key in [*first, *(key for key in second if key not in first)]:
            if key not in first or key not in second:
                return f"{where}.{key} is in one of them only"
            difference = _first_difference(first[key], second[key], f"{where}.{key}")
            if difference is not None:
                return difference
        return None
    return None if first == second else f"{where} is {_shown(first)} in one and {_shown(second)} in the other"


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _merged(values: list[Any], where: str, of_numbers: Callable[[list[Any]], Any]) -> Any:
    """One JSON value of several alike: counts (n_...) are summed, other numbers taken `of_numbers`, texts listed."""
    first = values[0]
    if any(value is None for value in values):
        return None
    if isinstance(first, dict):
        if any(set(value) != set(first) for value in values):
            raise InputError(f"the results cannot be averaged: {where} does not name the same in all of them")
        return {key: _merged([v[key] for v in values], f"{where}.{key}", of_numbers) for key in first}
    if isinstance(first, list):
        if any(len(value) != len(first) for value in values):
            raise InputError(f"the results cannot be averaged: {where} is not equally long in all of them")
        return [_merged(list(v), f"{where}[{i}]", of_numbers) for i, v in enumerate(zip(*values, strict=True))]
    if isinstance(first, str | bool):
        if isinstance(first, bool) and any(value != first for value in values):
            raise InputError(f"the results cannot be averaged: {where} is true in one and false in another")
        return first if isinstance(first, bool) else ", ".join(dict.fromkeys(values))
    if where.rpartition(".")[2].startswith("n_"):
        return sum(values)
    return of_numbers(values)
