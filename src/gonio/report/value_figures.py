"""The figure that a value draws of itself by `.plot()`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from gonio.comparison.result import ComparisonResult
from gonio.core.angle_series import AngleSeries
from gonio.core.camera import Rig
from gonio.core.detections import Detections
from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence
from gonio.report.canvas import NORMAL, SMALL, curve, footnote, label, new_figure, style_axes, words_of
from gonio.report.palette import INK, LEFT, MIDLINE, RIGHT, Style, side_colour
from gonio.report.trial_figures import OWN_SIDES, TRAJECTORY_JOINTS, angle_curves, error_per_joint, trajectories

_AXIS_M = 0.3  # length of a camera's drawn axes, of the rig's extent


def sequence_figure(sequence: PoseSequence, joints: Sequence[str] | None = None) -> Figure:
    """Some joints over time: in 3D from the mid-hip, a column per axis; in 2D in pixels, a column per image axis.

    joints  wrists and ankles by default; if the skeleton has none of them, its first four joints

    Raises `InputError` if there is nothing to draw.
    """
    if joints is None:
        joints = [joint for joint in TRAJECTORY_JOINTS if joint in sequence.skeleton] or sequence.skeleton.joints[:4]
    if sequence.dimensions == 3:
        return trajectories({sequence.source.method or "joints": sequence}, joints)
    if len(sequence) == 0:
        raise InputError("the sequence holds no frame; there is nothing to draw")
    figure = new_figure(9.0, 0.9 + 1.5 * len(joints))
    grid = figure.subplots(len(joints), 2, sharex=True, squeeze=False)
    for row, joint in enumerate(joints):
        for column, axis in enumerate(("right", "down")):
            ax = grid[row][column]
            style_axes(ax)
            style = Style(side_colour(joint), "-", 1.2, "o")
            curve(ax, sequence.times_s, sequence[joint][:, column], style)
            if row == 0:
                ax.set_title(f"{axis} (px)", fontsize=NORMAL, color=INK)
            if row == len(joints) - 1:
                ax.set_xlabel("time (s)", fontsize=SMALL, color=INK)
        label(grid[row][0].set_ylabel("", fontsize=SMALL, color=INK), words_of(joint))
    footnote(figure, OWN_SIDES)
    return figure


def angles_figure(angles: AngleSeries) -> Figure:
    """Every angle over time, in degrees. Raises `InputError` if there is none."""
    return angle_curves({angles.source.method or "angles": angles})


def methods_figure(angles: Mapping[str, AngleSeries], reference: str | None) -> Figure:
    """Every joint angle by every method over time, in degrees. Raises `InputError` if there is none."""
    return angle_curves(angles, reference)


def detections_figure(detections: Detections) -> Figure:
    """How many people each frame holds, and where their joints are on average, in pixels from the left."""
    if len(detections) == 0:
        raise InputError("the detections hold no frame; there is nothing to draw")
    figure = new_figure(9.0, 4.0)
    above, below = figure.subplots(2, 1, sharex=True)
    for ax in (above, below):
        style_axes(ax)
    above.step(detections.times_s, detections.people_per_frame, where="mid", color=MIDLINE, lw=1.2)
    above.yaxis.get_major_locator().set_params(integer=True)
    above.set_ylim(-0.2, float(detections.people_per_frame.max()) + 0.2)
    above.set_ylabel("people", fontsize=SMALL, color=INK)
    present = detections.present
    rows, people = np.nonzero(present)
    middles = [
        float(np.nanmean(detections.positions[row, person, :, 0])) for row, person in zip(rows, people, strict=True)
    ]
    below.plot(detections.times_s[rows], middles, ".", color=LEFT, ms=2)
    below.set_ylabel("mean x (px)", fontsize=SMALL, color=INK)
    below.set_xlabel("time (s)", fontsize=SMALL, color=INK)
    return figure


def rig_figure(rig: Rig) -> Figure:
    """The cameras from above and from the side, in metres; each with the direction in which it looks."""
    centres = np.array([camera.center_m for camera in rig.cameras])
    forward = np.array([camera.rotation[2] for camera in rig.cameras])
    vertical = "xyz".index((rig.up or "+z")[1])
    sign = -1.0 if (rig.up or "+z")[0] == "-" else 1.0
    across = [axis for axis in range(3) if axis != vertical]
    reach = _AXIS_M * max(float(np.ptp(centres, axis=0).max()), 0.5)
    figure = new_figure(9.0, 4.4)
    views = (("from above", across[0], across[1], 1.0), ("from the side", across[0], vertical, sign))
    for ax, (title, first, second, turned) in zip(figure.subplots(1, 2), views, strict=True):
        style_axes(ax)
        ax.set_aspect("equal", adjustable="datalim")
        ax.set_title(title, fontsize=NORMAL, color=INK)
        ax.quiver(
            centres[:, first],
            turned * centres[:, second],
            reach * forward[:, first],
            reach * turned * forward[:, second],
            angles="xy",
            scale_units="xy",
            scale=1,
            width=0.005,
            color=RIGHT,
        )
        ax.plot(centres[:, first], turned * centres[:, second], "o", color=LEFT, ms=5)
        for camera, centre in zip(rig.cameras, centres, strict=True):
            label(
                ax.annotate("", (centre[first], turned * centre[second]), fontsize=SMALL, color=INK), f" {camera.name}"
            )
        ax.set_xlabel(f"{'xyz'[first]} (m)", fontsize=SMALL, color=INK)
        ax.set_ylabel(f"{'-' if turned < 0 else ''}{'xyz'[second]} (m)", fontsize=SMALL, color=INK)
        ax.margins(0.25)
    return figure


def comparison_figure(result: ComparisonResult) -> Figure:
    """The error of each joint, in mm."""
    return error_per_joint(result)
