"""Measurement: the 3D joints of every method of a trial, on common times, and everything that they came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gonio.core.angle_series import AngleSeries
from gonio.core.arrays import FloatArray
from gonio.core.camera import Rig
from gonio.core.detections import Detections
from gonio.core.display import Displayed, Rows, data_frame, plotted, xarray_module
from gonio.core.sequence import EVALUATION_JOINTS, PoseSequence, Status
from gonio.kinematics.angles import joint_angles
from gonio.multiview.triangulation import Triangulation
from gonio.trials.config import Trial
from gonio.trials.methods import Method

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, repr=False)
class Measurement(Displayed, Mapping[str, PoseSequence]):
    """The result of `measure`: a mapping from method to 3D sequence, all at the same times.

    methods         what was measured, in the order of the sequences
    sequences       method's name -> its 3D joints
    detections      camera -> all people detected, before they are followed, on the common clock
    views           camera -> the patient's 2D joints, on the common clock
    offsets_s       camera -> seconds added to the camera's own clock to come to the common one
    rig             the calibrated cameras, under the trial's names; None without calibration
    triangulations  stereo method -> what was used, dropped and left over
    notes           sentences: what was decided
    warnings        sentences: what makes the numbers doubtful
    assumptions     sentences: what was not known and had to be assumed, with the methods that depend on it
    """

    trial: Trial
    methods: tuple[Method, ...]
    sequences: Mapping[str, PoseSequence]
    detections: Mapping[str, Detections]
    views: Mapping[str, PoseSequence]
    offsets_s: Mapping[str, float]
    rig: Rig | None
    triangulations: Mapping[str, Triangulation]
    notes: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()

    def __getitem__(self, method: str) -> PoseSequence:
        return self.sequences[method]

    def __iter__(self) -> Iterator[str]:
        return iter(self.sequences)

    def __len__(self) -> int:
        return len(self.sequences)

    def angles(self) -> dict[str, AngleSeries]:
        """Joint angles of every method."""
        return {name: joint_angles(sequence) for name, sequence in self.sequences.items()}

    def reprojection_px(self, method: str) -> FloatArray:
        """(view, time, joint) reprojection errors of a stereo method at the evaluation joints; NaN if not used."""
        result = self.triangulations[method]
        joints = [j for j, joint in enumerate(result.sequence.skeleton.joints) if joint in EVALUATION_JOINTS]
        return result.reprojection_px[:, :, joints]

    def reprojection_px_median(self) -> dict[str, float]:
        """camera -> median reprojection error over the evaluation joints, of the method that uses the most cameras."""
        medians: dict[str, float] = {}
        for method, result in sorted(self.triangulations.items(), key=lambda item: -len(item[1].camera_names)):
            for camera, errors in zip(result.camera_names, self.reprojection_px(method), strict=True):
                if camera not in medians and not np.isnan(errors).all():
                    medians[camera] = float(np.nanmedian(errors))
        return medians

    def reprojection_px_median_all(self) -> float | None:
        """Median over all cameras of the method that uses the most; None if nothing was triangulated."""
        if not self.triangulations:
            return None
        errors = self.reprojection_px(max(self.triangulations, key=lambda m: len(self.triangulations[m].camera_names)))
        return None if np.isnan(errors).all() else float(np.nanmedian(errors))

    def to_dataframe(self) -> pandas.DataFrame:
        """Every method's joint angles as a pandas DataFrame: method, time_s, and each angle in degrees (`<name>_deg`).

        One method's joints are `measurement[method].to_dataframe()`. Raises `MissingExtraError` if pandas is not
        installed.
        """
        angles = self.angles()
        names = list(dict.fromkeys(name for series in angles.values() for name in series.names))
        columns: dict[str, list[Any]] = {"method": [], "time_s": [], **{f"{name}_deg": [] for name in names}}
        for method, series in angles.items():
            columns["method"] += [method] * len(series)
            columns["time_s"] += series.times_s.tolist()
            degrees = dict(zip(series.names, series.angles_deg.T.tolist(), strict=True))
            for name in names:
                columns[f"{name}_deg"] += degrees.get(name, [np.nan] * len(series))
        return data_frame(columns, unit="degree")

    def to_xarray(self) -> xarray.Dataset:
        """Every method's joints in one xarray Dataset of `movement`'s form: a method is an individual.

        A joint that a method does not have is missing. The attributes `frame`, `frame_name` and `up` hold a value per
        method, in the order of `individual`. Raises `MissingExtraError` if xarray is not installed.
        """
        parts = [sequence.to_xarray(name) for name, sequence in self.sequences.items()]
        attributes = {key: [part.attrs[key] for part in parts] for key in ("frame", "frame_name", "up")}
        joined = xarray_module().concat(
            parts,
            "individual",
            data_vars="all",
            join="outer",
            combine_attrs="drop_conflicts",
            fill_value={"position": np.nan, "confidence": 0.0, "status": int(Status.MISSING)},
        )
        return joined.assign_attrs(attributes)  # type: ignore[no-any-return]

    def plot(self) -> Figure:
        """Every joint angle by every method over time, in degrees."""
        return plotted("methods_figure", self.angles(), self.trial.reference)

    def _title(self) -> str:
        return f"Measurement of {self.trial.name}: {len(self)} methods, {len(self.views)} cameras"

    def _rows(self) -> Rows:
        for name, sequence in self.sequences.items():
            found = 100 * float(sequence.valid.mean()) if sequence.valid.size else 0.0
            reference = ", the reference" if name == self.trial.reference else ""
            yield name, f"{len(sequence)} frames, {found:.1f} % of the joints, {sequence.frame}{reference}"
        median = self.reprojection_px_median_all()
        yield "reprojection", "" if median is None else f"{median:.1f} px in the median"
        yield "warnings", f"{len(self.warnings)}, the first: {self.warnings[0]}" if self.warnings else ""
        yield "assumptions", " ".join(self.assumptions)
