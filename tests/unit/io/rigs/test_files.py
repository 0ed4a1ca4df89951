"""Rigs from TOML and Qualisys files: values against independent implementations, round trips, and bad files."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from gonio.core.camera import Camera, Rig
from gonio.core.errors import InputError
from gonio.io.rigs import files as rig_files

angles = st.floats(-math.pi, math.pi, allow_nan=False)


def ring(n: int = 4, radius_m: float = 3.0) -> Rig:
    """Cameras around a person, looking at the middle of the room; z is up."""
    cameras = []
    for i in range(n):
        azimuth = 2 * np.pi * i / n + 0.3
        center = np.array([radius_m * np.cos(azimuth), radius_m * np.sin(azimuth), 1.4])
        z = np.array([0, 0, 1.0]) - center
        z /= np.linalg.norm(z)
        x = np.cross(z, [0, 0, 1.0])
        x /= np.linalg.norm(x)
        rotation = np.array([x, np.cross(z, x), z])
        matrix = np.array([[1000.0 + i, 0, 640.25], [0, 1001.5, 359.75], [0, 0, 1]])
        cameras.append(
            Camera(
                f"cam_{i + 1:02d}", (1280, 720), matrix, (-0.1, 0.05, 1e-3, -2e-3, 0.01),
                rotation=rotation, translation=-rotation @ center,
            )
        )  # fmt: skip
    return Rig("ring", tuple(cameras), up="+z")


def toml_text(rig: Rig, units_per_m: float = 1.0, up: bool = False) -> str:
    """The layout as Pose2Sim and FreeMoCap write it, made here by cv2."""
    lines = []
    for camera in rig:
        lines += [
            f"[{camera.name}]",
            f'name = "{camera.name}"',
            f"size = [ {float(camera.size_px[0])}, {float(camera.size_px[1])}]",
            f"matrix = {camera.matrix.tolist()}",
            f"distortions = {list(camera.distortion[:4])}",
            f"rotation = {cv2.Rodrigues(camera.rotation)[0].ravel().tolist()}",
            f"translation = {(camera.translation * units_per_m).tolist()}",
            "fisheye = false",
        ]
    return "\n".join([*lines, "[metadata]", "adjusted = false", "error = 0.0", *(['up = "+y"'] if up else [])])


def qualisys_text(rig: Rig) -> str:
    """The same cameras in Qualisys' conventions: 1/64 px, mm, y and z of the camera turned round."""
    elements = []
    for camera in rig:
        R = np.diag([1, -1, -1]) @ camera.rotation
        position = camera.center_m * 1000
        cells = " ".join(f'r{i + 1}{j + 1}="{float(R[i, j])!r}"' for i in range(3) for j in range(3))
        fx, fy, cx, cy = camera.matrix[[0, 1, 0, 1], [0, 1, 2, 2]] * 64
        k1, k2, p1, p2, k3 = camera.distortion
        elements.append(
            f"""<camera active="1" serial="{camera.name}" viewrotation="0">
            <fov_video left="0" top="0" right="{camera.size_px[0] - 1}" bottom="{camera.size_px[1] - 1}"/>
            <transform {cells} x="{position[0]}" y="{position[1]}" z="{position[2]}"/>
            <intrinsic focalLengthU="{fx}" focalLengthV="{fy}" centerPointU="{cx}" centerPointV="{cy}" skew="0.000000"
              radialDistortion1="{k1}" radialDistortion2="{k2}" radialDistortion3="{k3}"
              tangentalDistortion1="{p1}" tangentalDistortion2="{p2}"/></camera>"""
        )
    return (
        "<?xml version='1.0' encoding='ASCII'?>\n<calibration type=\"regular\"><cameras>"
        + "".join(elements)
        + "</cameras></calibration>"
    )


def assert_same_cameras(one: Rig, other: Rig, atol: float = 1e-12) -> None:
    assert one.camera_names == other.camera_names
    for a, b in zip(one, other, strict=True):
        assert a.size_px == b.size_px
        np.testing.assert_allclose(a.matrix, b.matrix, rtol=0, atol=atol)
        np.testing.assert_allclose(a.distortion, b.distortion, rtol=0, atol=atol)
        np.testing.assert_allclose(a.rotation, b.rotation, rtol=0, atol=atol)
        np.testing.assert_allclose(a.translation, b.translation, rtol=0, atol=atol)


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "rig.txt"
        path.write_text(text)
        return path

    return write


# ------------------------------------------------------------------------------------------------------ rotations


@settings(max_examples=60, deadline=None)
@given(st.tuples(angles, angles, angles))
def test_rotation_vectors_agree_with_opencv_and_scipy(vector: tuple[float, float, float]) -> None:
    R = rig_files.rotation_from_vector(vector)
    np.testing.assert_allclose(R, cv2.Rodrigues(np.array(vector))[0], atol=1e-12)
    np.testing.assert_allclose(R, Rotation.from_rotvec(vector).as_matrix(), atol=1e-12)
    back = rig_files.rotation_to_vector(R)
    assert np.linalg.norm(back) <= math.pi + 1e-12
    np.testing.assert_allclose(rig_files.rotation_from_vector(back), R, atol=1e-12)


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-8, 1e-4, 1.0, math.pi - 1e-8, math.pi])
@pytest.mark.parametrize("axis", [(1, 0, 0), (0, -1, 0), (0, 0, 1), (0.48, -0.6, 0.64)])
def test_rotation_vectors_keep_every_angle(angle: float, axis: tuple[float, float, float]) -> None:
    vector = angle * np.array(axis)
    R = Rotation.from_rotvec(vector).as_matrix()
    back = rig_files.rotation_to_vector(R)
    np.testing.assert_allclose(np.linalg.norm(back), angle, atol=1e-9)
    np.testing.assert_allclose(rig_files.rotation_from_vector(back), R, atol=1e-12)


# ----------------------------------------------------------------------------------------------------------- TOML


def test_toml_written_and_read_is_the_same_rig(tmp_path: Path) -> None:
    rig = ring()
    rig_files.write(rig, tmp_path / "ring.toml")
    again = rig_files.read(tmp_path / "ring.toml")
    assert_same_cameras(rig, again)
    assert (again.name, again.up) == ("ring", "+z")
    assert again.history == ("lengths in m, as the file says",)
    assert [p.name for p in tmp_path.iterdir()] == ["ring.toml"]


def test_what_is_written_is_pose2sims_layout(tmp_path: Path) -> None:
    rig = ring(2)
    rig_files.write(rig, tmp_path / "ring.toml")
    document = tomllib.loads((tmp_path / "ring.toml").read_text())
    assert list(document) == ["cam_01", "cam_02", "metadata"]
    table = document["cam_01"]
    assert list(table) == ["name", "size", "matrix", "distortions", "rotation", "translation", "fisheye"]
    np.testing.assert_allclose(cv2.Rodrigues(np.array(table["rotation"]))[0], rig["cam_01"].rotation, atol=1e-12)


def test_odd_camera_names_survive(tmp_path: Path) -> None:
    odd = ["left cam", 'the "big" one', "Küche", "back\\slash\ttab"]
    rig = Rig("odd", tuple(Camera(name, (10, 10), np.eye(3)) for name in odd), up="+y")
    rig_files.write(rig, tmp_path / "odd.toml")
    assert rig_files.read(tmp_path / "odd.toml").camera_names == tuple(odd)


def test_other_distortion_models_are_not_written(tmp_path: Path) -> None:
    rig = Rig("h36m", (Camera("a", (10, 10), np.eye(3), (0.1,), "h36m"),))
    with pytest.raises(InputError, match=r"'a'.*'h36m'"):
        rig_files.write(rig, tmp_path / "no.toml")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("units_per_m", "unit"), [(1.0, "m"), (1000.0, "mm")])
def test_the_unit_shows_in_the_distances(written: Callable[[str], Path], units_per_m: float, unit: str) -> None:
    rig = ring()
    read = rig_files.read(written(toml_text(rig, units_per_m)), up="+z")
    for camera in read:
        np.testing.assert_allclose(camera.center_m, rig[camera.name].center_m, atol=1e-9)
    assert read.history == (f"lengths taken as {unit}: the cameras are up to {6 * units_per_m:.4g} {unit} apart",)


def test_an_ambiguous_unit_is_asked_for(written: Callable[[str], Path]) -> None:
    path = written(toml_text(ring(), 10.0))
    with pytest.raises(InputError, match=r"rig\.txt.*60"):
        rig_files.read(path)
    for unit, factor in (("m", 1.0), ("mm", 0.001)):
        read = rig_files.read(path, unit=unit)  # type: ignore[arg-type]
        np.testing.assert_allclose(read["cam_01"].center_m, ring()["cam_01"].center_m * 10 * factor, atol=1e-9)
        assert f"lengths in {unit}, as declared" in read.history


def test_one_camera_alone_tells_its_unit_by_its_distance_from_the_origin(written: Callable[[str], Path]) -> None:
    rig = ring(1)
    for units_per_m in (1.0, 1000.0):
        read = rig_files.read(written(toml_text(rig, units_per_m)))
        np.testing.assert_allclose(read["cam_01"].center_m, rig["cam_01"].center_m, atol=1e-9)


def test_up_is_told_or_read_or_guessed(written: Callable[[str], Path]) -> None:
    assert rig_files.read(written(toml_text(ring())), up="-x").up == "-x"
    assert rig_files.read(written(toml_text(ring(), up=True))).up == "+y"
    guessed = rig_files.read(written(toml_text(ring())))
    assert guessed.up == "+z"
    assert "vertical guessed from the cameras: +z is up" in guessed.history


def test_tables_that_are_no_cameras_are_passed_over(written: Callable[[str], Path]) -> None:
    text = toml_text(ring(2)) + "\n[charuco]\nsize = [7, 5]\nsquare_mm = 57.0\n"
    assert rig_files.read(written(text)).camera_names == ("cam_01", "cam_02")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("fisheye = false", "fisheye = true", "'cam_01'"),
        ("matrix =", "matrices =", "'cam_01'"),
        ("size =", "sizes =", "'cam_01'"),
        ("size = [ 1280.0,", "size = [ 1280.5,", r"'cam_01'.*1280.5.*720.0"),
        ("size = [ 1280.0,", "size = [ -1280.0,", r"'cam_01'.*1280.*720."),
        ("size = [ 1280.0,", 'size = [ "1280",', r"'cam_01'.*2"),
        ("matrix = [[1000.0, 0.0, 640.25], ", "matrix = [[1000.0], ", r"'cam_01'.*3"),
        ("matrix = [[1000.0,", "matrix = [[nan,", "'cam_01'"),
        ("matrix = [[1000.0,", "matrix = [[-1000.0,", r"'cam_01'.*3x3"),
        ("rotation = [", "rotation = [0.0, ", r"'cam_01'.*3"),
        ("[metadata]", "a = " + "[" * 50000 + "\n[metadata]", "neither TOML"),
        ("[metadata]", "a = " + "9" * 5000 + "\n[metadata]", "neither TOML"),
        ("translation = [", "translation = [inf, ", r"'cam_01'.*3"),
        ("distortions = [", "distortions = [0.0, 0.0, ", r"'cam_01'.*6.*5"),
        ('name = "cam_01"', 'name = "cam_02"', "cam_02"),
        ('name = "cam_01"', "name = 1", "'cam_01'"),
        ("[cam_01]", "[cam_01", r"neither TOML \(.*\) nor Qualisys XML"),
    ],
)
def test_a_broken_toml_is_one_clear_line(written: Callable[[str], Path], old: str, new: str, message: str) -> None:
    text = toml_text(ring(2))
    assert old in text
    with pytest.raises(InputError, match=rf"rig\.txt: .*{message}") as raised:
        rig_files.read(written(text.replace(old, new, 1)))
    assert "\n" not in str(raised.value)


# ------------------------------------------------------------------------------------------------------- Qualisys


def test_qualisys_and_toml_describe_the_same_rig(tmp_path: Path) -> None:
    rig = ring()
    path = tmp_path / "Calib.qca.txt"
    path.write_text(qualisys_text(rig))
    read = rig_files.read(path)
    assert_same_cameras(rig, read, atol=1e-9)
    assert (read.name, read.up) == ("Calib", "+z")
    assert read.history[0] == "lengths in mm, as Qualisys writes them"


def test_a_qualisys_view_cut_from_the_sensor_moves_the_centre(written: Callable[[str], Path]) -> None:
    text = qualisys_text(ring(1)).replace('left="0" top="0"', 'left="100" top="20"')
    read = rig_files.read(written(text))
    assert read["cam_01"].size_px == (1180, 700)
    np.testing.assert_allclose(read["cam_01"].matrix[:2, 2], [540.25, 339.75])
    assert any("100" in step for step in read.history)


def test_inactive_and_turned_qualisys_cameras_are_mentioned(written: Callable[[str], Path]) -> None:
    text = qualisys_text(ring(3)).replace('active="1"', 'active="0"', 1).replace('rotation="0"', 'rotation="90"', 2)
    read = rig_files.read(written(text))
    assert read.camera_names == ("cam_02", "cam_03")
    assert "camera 'cam_01' left out: the file calls it inactive" in read.history
    assert any(step.startswith("camera 'cam_02': the file says its view is turned by 90") for step in read.history)
    with pytest.raises(InputError, match=r"cameras.*inactive"):
        rig_files.read(written(qualisys_text(ring(3)).replace('active="1"', 'active="0"')))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("</cameras></calibration>", "", r"broken.*complete"),
        ("calibration", "something", r"Qualisys.*calibration"),
        ("<calibration", "<!DOCTYPE calibration [<!ENTITY a 'b'>]><calibration", r"DOCTYPE.*declaration"),
        ("<transform", "<transforms", "'cam_01'"),
        ("focalLengthV", "focalLengthW", "'cam_01'"),
        ('skew="0.000000"', 'skew="0.5"', "'cam_01'"),
        ('skew="0.000000"', 'skew="none"', r"'cam_01'.*'none'"),
        ('r11="', 'r11="nan" old="', "'cam_01'"),
        ('r11="', 'r11="7" old="', "'cam_01'"),
        ('serial="cam_01"', "", r"1.*missing"),
    ],
)
def test_a_broken_qualisys_file_is_one_clear_line(
    written: Callable[[str], Path], old: str, new: str, message: str
) -> None:
    text = qualisys_text(ring(2))
    assert old in text
    with pytest.raises(InputError, match=rf"rig\.txt: .*{message}") as raised:
        rig_files.read(written(text.replace(old, new) if "calibration" in old else text.replace(old, new, 1)))
    assert "\n" not in str(raised.value)


def test_numbers_that_overflow_are_refused(written: Callable[[str], Path]) -> None:
    text = toml_text(ring(2))
    for key in ("rotation", "translation"):
        line = next(line for line in text.splitlines() if line.startswith(key))
        with pytest.raises(InputError, match=r"rig\.txt: .*(is no rotation|three finite numbers)"):
            rig_files.read(written(text.replace(line, f"{key} = [1e200, 1e200, 0.0]", 1)))


def test_a_unit_that_is_no_text_is_none(written: Callable[[str], Path]) -> None:
    text = toml_text(ring(2)).replace("[metadata]", "[metadata]\nunit = [1]", 1)
    assert rig_files.read(written(text)).history[0].startswith("lengths taken as m")


def test_a_reflection_is_refused(written: Callable[[str], Path]) -> None:
    good = ring(1)["cam_01"]
    R = (np.diag([1, -1, -1]) @ good.rotation)[0]
    text = qualisys_text(ring(1))
    for j in range(3):
        text = text.replace(f'r1{j + 1}="{float(R[j])!r}"', f'r1{j + 1}="{-float(R[j])!r}"')
    with pytest.raises(InputError, match=r"rig\.txt.*'cam_01'"):
        rig_files.read(written(text))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read .No such file"),
        (b"", "empty"),
        (b" \n ", "empty"),
        (b"\x00\xff\xfe\x9c", "text"),
        (b"a = 1", "camera"),
        (b"hello", "neither TOML"),
        (b"<html></html>", r"Qualisys.*calibration"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "calib.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=rf"calib\.toml: .*{message}"):
        rig_files.read(path)


def test_a_folder_and_a_huge_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        rig_files.read(tmp_path)
    with (tmp_path / "video.mp4").open("wb") as file:
        file.truncate(rig_files.LARGEST_FILE_BYTES + 1)
    with pytest.raises(InputError, match=r"large.*calibration"):
        rig_files.read(tmp_path / "video.mp4")


# ------------------------------------------------------------------------------------------------------- matching


def test_recordings_find_their_cameras() -> None:
    rig = ring(4)
    assert rig_files.match_cameras(rig, ["cam_02", "CAM01", "cam-03"]) == {
        "cam_02": "cam_02",
        "CAM01": "cam_01",
        "cam-03": "cam_03",
    }


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["cam01", "left"], r"'left'.*cam01.*'ring'"),
        (["cam1"], "'cam1'"),
        (["__"], "'__'"),
        (["cam_01", "cam01"], r"'cam01'.*'cam_01'"),
    ],
)
def test_recordings_that_fit_no_camera_are_named(names: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        rig_files.match_cameras(ring(2), names)


def test_a_name_that_fits_two_cameras_is_refused_unless_it_is_exact() -> None:
    rig = Rig("two", tuple(Camera(name, (10, 10), np.eye(3)) for name in ("cam_1", "cam1")))
    assert rig_files.match_cameras(rig, ["cam1", "cam_1"]) == {"cam1": "cam1", "cam_1": "cam_1"}
    with pytest.raises(InputError, match=r"'Cam-1'.*cam_1"):
        rig_files.match_cameras(rig, ["Cam-1"])


# ------------------------------------------------------------------------------------------------------ real files


def test_the_demos_two_files_agree(shared_data: Path) -> None:
    """The same laboratory twice; the TOML alone divides the distortion by 64."""
    folder = shared_data / "pose2sim" / "calibration"
    xml, toml = rig_files.read(folder / "Calib.qca.txt"), rig_files.read(folder / "Calib_qualisys.toml")
    assert xml.camera_names == toml.camera_names == ("cam_01", "cam_02", "cam_03", "cam_04")
    assert xml.up == toml.up == "+z"
    for a, b in zip(xml, toml, strict=True):
        assert a.size_px == b.size_px == (1088, 1920)
        np.testing.assert_array_equal(a.matrix, b.matrix)
        np.testing.assert_allclose(a.rotation, b.rotation, atol=1e-14)
        np.testing.assert_allclose(a.translation, b.translation, atol=1e-14)
        np.testing.assert_allclose(np.array(a.distortion) / 64, b.distortion, atol=1e-15)
    folders = [p.name.removesuffix("_json") for p in sorted((shared_data / "pose2sim/balancing/pose").iterdir())]
    assert rig_files.match_cameras(xml, folders) == {f"cam0{i}": f"cam_0{i}" for i in (1, 2, 3, 4)}
