from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from gonio.comparison.compare import compare_methods
from gonio.core.angle_series import AngleSeries
from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence
from gonio.report import canvas, palette, trial_figures
from gonio.report.trial_figures import FIGURES, FigureInput, save_figures

Squats = Mapping[str, PoseSequence]
Angles = Mapping[str, AngleSeries]


def titles(figure: Figure) -> list[str]:
    return [ax.get_title(loc="left") or ax.get_title() for ax in figure.axes if ax.axison]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_trajectories_show_every_method_from_the_mid_hip(squats: Squats) -> None:
    figure = trial_figures.trajectories(squats, ["left_ankle"], "multiview")
    assert len(figure.axes) == 3
    lines = [line for line in figure.axes[2].lines if len(line.get_xdata()) > 2]
    assert len(lines) == 7
    reference = squats["multiview"]
    np.testing.assert_allclose(lines[0].get_ydata(), (reference["left_ankle"] - reference.root_m())[:, 2])
    assert to_hex(lines[0].get_color()) == palette.REFERENCE
    assert legend(figure)[0] == "multiview (reference)"
    assert [ax.get_title() for ax in figure.axes] == ["x: horizontal (m)", "y: horizontal (m)", "z: up (m)"]


def test_trajectories_turn_all_methods_to_one_vertical(squats: Squats) -> None:
    pair = {"a": squats["multiview"], "b": squats["multiview"].with_up("+y")}
    figure = trial_figures.trajectories(pair, ["left_ankle"], "a")
    a, b = (line.get_ydata() for line in figure.axes[2].lines)
    np.testing.assert_allclose(a, b, atol=1e-12)


def test_trajectories_say_what_lies_outside_the_frame(squats: Squats) -> None:
    positions = np.array(squats["multiview"].positions)
    positions[50, squats["multiview"].skeleton.index("left_wrist")] = 1000.0
    wild = {"wild": squats["multiview"].derive("a glitch", positions=positions)}
    figure = trial_figures.trajectories(wild, ["left_wrist"])
    low, high = figure.axes[0].get_ylim()
    assert high - low < 2
    assert "3 extreme" in figure.get_supxlabel()


def test_trajectories_refuse_what_cannot_be_drawn(squats: Squats) -> None:
    flat = PoseSequence(np.zeros((2, 17, 2)), [0, 1], squats["multiview"].skeleton, "px", "image")
    with pytest.raises(InputError, match="flat: 2D"):
        trial_figures.trajectories({"flat": flat})
    with pytest.raises(InputError, match="tail"):
        trial_figures.trajectories(squats, ["tail"])
    with pytest.raises(InputError, match="no method"):
        trial_figures.trajectories({})


def test_angle_curves_put_left_and_right_beside_each_other(squat_angles: Angles) -> None:
    figure = trial_figures.angle_curves(squat_angles, "multiview")
    shown = titles(figure)
    assert shown[:2] == ["left knee flexion", "right knee flexion"]
    assert shown[-1] == "trunk inclination"
    assert len(shown) == 9
    np.testing.assert_allclose(
        figure.axes[1].lines[0].get_ydata(), squat_angles["multiview"].degrees["right_knee_flexion"]
    )
    assert trial_figures.OWN_SIDES in figure.get_supxlabel()


def test_a_lone_sample_between_gaps_is_a_dot() -> None:
    angles = np.array([[0.1], [np.nan], [0.3], [np.nan], [0.2], [0.25]])
    series = AngleSeries(angles, np.arange(6.0), ("left_knee_flexion",), ("d",), ((0.0, 3.2),))
    line, dots = trial_figures.angle_curves({"a": series}).axes[0].lines
    assert np.isnan(line.get_ydata()).sum() == 2
    assert dots.get_linestyle() == "None"
    np.testing.assert_array_equal(dots.get_xdata(), [0, 2])


def test_angle_curves_without_an_angle_are_refused() -> None:
    series = AngleSeries(np.full((3, 1), np.nan), np.arange(3.0), ("left_knee_flexion",), ("d",), ((0.0, 3.2),))
    with pytest.raises(InputError, match="angle"):
        trial_figures.angle_curves({"a": series})


def test_error_per_joint_shows_the_studys_numbers(squats: Squats, squat_angles: Angles) -> None:
    result = compare_methods(squats, squat_angles, reference="multiview")
    figure = trial_figures.error_per_joint(result)
    points = [line for line in figure.axes[0].lines if line.get_marker() not in ("None", None, "")]
    assert len(points) == 6
    wanted = [joint.root_mpjpe_mm for joint in result.methods["stereo-cam01-cam02"].per_joint.values()]
    np.testing.assert_allclose(points[0].get_xdata(), wanted)
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels[:2] == ["left shoulder", "right shoulder"]


def test_error_per_joint_without_a_reference_is_a_grid_of_pairs(squats: Squats, squat_angles: Angles) -> None:
    names = ("multiview", "stereo-cam01-cam02", "stereo-cam03-cam04")
    result = compare_methods({n: squats[n] for n in names}, {n: squat_angles[n] for n in names}, reference=None)
    figure = trial_figures.error_per_joint(result)
    assert figure.axes[0].images[0].get_array().shape == (3, 12)
    nearest = min(result.pairs, key=lambda pair: pair.root_mpjpe_mm)
    assert figure.axes[0].get_yticklabels()[0].get_text() == f"{nearest.a} / {nearest.b}"


def test_a_study_of_one_method_has_no_error_to_draw(squats: Squats, squat_angles: Angles) -> None:
    one = compare_methods(
        {"multiview": squats["multiview"]}, {"multiview": squat_angles["multiview"]}, reference="multiview"
    )
    with pytest.raises(InputError, match="error"):
        trial_figures.error_per_joint(one)


def test_skeletons_stand_upright_with_the_persons_right_on_the_readers_left(squats: Squats) -> None:
    figure = trial_figures.skeletons_3d({"multiview": squats["multiview"]}, "multiview", [0.0])
    (dots,) = figure.axes[0].collections
    joints = squats["multiview"].skeleton
    points, colours = np.asarray(dots.get_offsets()), [to_hex(c).upper() for c in dots.get_facecolors()]
    assert points[joints.index("head_top"), 1] > points[joints.index("left_ankle"), 1] + 1.2
    assert points[joints.index("right_shoulder"), 0] < points[joints.index("left_shoulder"), 0]
    assert colours[joints.index("left_knee")] == palette.LEFT
    assert colours[joints.index("right_knee")] == palette.RIGHT


def test_the_view_follows_the_person(squats: Squats) -> None:
    turned = squats["multiview"].transformed(
        [[-1, 0, 0], [0, -1, 0], [0, 0, 1]], [0, 0, 0], frame="world", frame_name="squat", up="+z", step="half a turn"
    )
    points = [
        np.asarray(trial_figures.skeletons_3d({"a": s}, moments_s=[0.5]).axes[0].collections[0].get_offsets())
        for s in (squats["multiview"], turned)
    ]
    np.testing.assert_allclose(*points, atol=1e-9)


def test_skeletons_without_a_frame_at_the_moment_leave_an_empty_place(squats: Squats) -> None:
    pair = {"long": squats["multiview"], "short": squats["stereo-cam01-cam02"].between(0.0, 0.5)}
    figure = trial_figures.skeletons_3d(pair, "long", [1.0])
    assert np.ma.getmaskarray(figure.axes[1].collections[0].get_offsets()).all()
    with pytest.raises(InputError, match="moments"):
        trial_figures.skeletons_3d(pair, "long", [99.0])


def test_default_moments_differ_in_pose(squats: Squats) -> None:
    moments = trial_figures._telling_moments(squats["multiview"], 4)
    assert len(moments) == 4
    assert (np.diff(moments) > 0).all()
    knees = squats["multiview"]["left_knee"][np.searchsorted(squats["multiview"].times_s, moments), 1]
    assert np.ptp(knees) > 0.2  # standing and squatting are both among them


def test_names_are_drawn_as_they_are(squats: Squats, squat_angles: Angles) -> None:
    a, b = "$\\frac{a}$ <script>", "_b$"
    methods = {a: squats["multiview"], b: squats["stereo-cam01-cam02"]}
    angles = {a: squat_angles["multiview"], b: squat_angles["stereo-cam01-cam02"]}
    drawn = trial_figures.angle_curves(angles, a)
    assert legend(drawn) == [f"{a} (reference)", b]
    for figure in (
        drawn,
        trial_figures.trajectories(methods, ["left_knee"], a),
        trial_figures.error_per_joint(compare_methods(methods, angles, reference=a)),
        trial_figures.error_per_joint(compare_methods(methods, angles, reference=None)),
        trial_figures.skeletons_3d(methods, a, [0.5]),
    ):
        figure.draw_without_rendering()


def test_save_writes_both_files_and_nothing_else(tmp_path: Path, squats: Squats) -> None:
    png, svg = canvas.save(trial_figures.trajectories(squats, ["left_knee"]), tmp_path / "figures", "trajectories")
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == ["trajectories.png", "trajectories.svg"]
    assert png.read_bytes().startswith(b"\x89PNG")
    assert svg.read_text(encoding="utf-8").lstrip().startswith("<?xml")


def test_figures_drawn_in_threads_are_those_drawn_alone(tmp_path: Path, squats: Squats) -> None:
    def draw(i: int) -> bytes:
        return canvas.save(trial_figures.trajectories(squats, ["left_knee"]), tmp_path / str(i), "f")[0].read_bytes()

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(draw, range(2))
    assert first == second == draw(2)


def test_the_table_of_figures_draws_what_applies(tmp_path: Path, squats: Squats, squat_angles: Angles) -> None:
    result = compare_methods(squats, squat_angles, reference="multiview")
    pictures = save_figures(tmp_path, FigureInput(squats, squat_angles, result))
    assert list(pictures) == [figure.name for figure in FIGURES]
    assert all(path.is_file() and path.with_suffix(".svg").is_file() for path in pictures.values())
    alone = {"multiview": squats["multiview"]}
    for reference in ("multiview", None):
        result = compare_methods(alone, {"multiview": squat_angles["multiview"]}, reference=reference)
        assert [figure.name for figure in FIGURES if not figure.applies(result)] == ["error_per_joint"]
