"""Bad input is answered by one clear line and exit status 2; nothing is left half-written."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from gonio.cli import main
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import BODY_25, layout
from gonio.io import archive, openpose_json
from gonio.lifting import checkpoints
from gonio.lifting.architecture import Architecture
from gonio.lifting.checkpoints import Weights


@pytest.fixture
def refused(capsys, monkeypatch):
    """Runs the command line; returns its one line on standard error, with exit status 2."""

    def run(*arguments: object) -> str:
        monkeypatch.setattr("sys.argv", ["gonio", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        assert stop.value.code == 2
        assert captured.out == ""
        assert captured.err.count("\n") == 1, captured.err
        assert captured.err.startswith("gonio: ")
        return captured.err

    return run


def triangulate(folder: Path, *names: str, layout: str = "body-25", output: str = "joints.trc") -> list[object]:
    views = [folder / f"{name}_json" for name in names]
    return [
        "triangulate",
        "--rig",
        folder / "Calib.toml",
        "--layout",
        layout,
        "--fps",
        30,
        *views,
        "-o",
        folder / output,
    ]


ALL = ("cam01", "cam02", "cam03", "cam04")


def test_missing_folder(recorded, refused):
    shutil.rmtree(recorded / "cam02_json")
    assert "cam02_json" in refused(*triangulate(recorded, *ALL))
    assert not (recorded / "joints.trc").exists()


def test_json_cut_in_the_middle(recorded, refused):
    file = sorted((recorded / "cam03_json").iterdir())[7]
    file.write_text(file.read_text()[:200])
    assert file.name in refused(*triangulate(recorded, *ALL))
    assert not list(recorded.glob("joints*"))


def test_another_number_of_joints_than_declared(recorded, refused):
    line = refused(*triangulate(recorded, *ALL, layout="coco-18"))
    assert "25" in line
    assert "18" in line


def test_an_ambiguous_layout_is_requested(recorded, refused):
    arguments = triangulate(recorded, *ALL)
    del arguments[3:5]
    assert "--layout body-25" in refused(*arguments)


def test_an_unknown_frame_rate_is_requested(recorded, refused):
    arguments = triangulate(recorded, *ALL)
    del arguments[5:7]
    assert "--fps" in refused(*arguments)


def test_one_camera_where_two_are_needed(recorded, refused):
    assert "two" in refused(*triangulate(recorded, "cam01"))


def test_a_camera_that_the_rig_does_not_know(recorded, refused):
    (recorded / "cam01_json").rename(recorded / "garden_json")
    line = refused(*triangulate(recorded, "garden", "cam02"))
    assert "garden" in line
    assert "cam01" in line


@pytest.mark.parametrize("content", [b"", b"not a calibration", b"[cam_01]\nname = 'cam_01'\n", b"\xff\xfe\x00"])
def test_a_bad_calibration(recorded, refused, content):
    (recorded / "Calib.toml").write_bytes(content)
    assert "Calib.toml" in refused(*triangulate(recorded, *ALL))


def test_an_empty_folder(recorded, refused):
    shutil.rmtree(recorded / "cam04_json")
    (recorded / "cam04_json").mkdir()
    assert "cam04_json" in refused(*triangulate(recorded, *ALL))


def test_no_person_in_one_view(recorded, refused):
    for file in (recorded / "cam04_json").iterdir():
        file.write_text(json.dumps({"version": 1.3, "people": []}))
    line = refused(*triangulate(recorded, *ALL))
    assert "cam04" in line
    assert "person" in line


def test_an_output_that_no_format_claims(recorded, refused):
    assert "joints.docx" in refused(*triangulate(recorded, *ALL, output="joints.docx"))
    assert not list(recorded.glob("joints*"))


def test_a_2d_file_cannot_become_markers(recorded, refused):
    source = recorded / "cam01_json"
    assert "2D" in refused("convert", source, recorded / "x.trc", "--layout", "body-25", "--fps", 30)
    assert not (recorded / "x.trc").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.npz", b"PK\x03\x04 truncated"),
        ("a.npy", b"\x93NUMPY"),
        ("a.trc", b"PathFileType\t4\t(X/Y/Z)\tname\n"),
        ("a.csv", b"x,y\n1,2\n"),
        ("a.txt", b"hello"),
        ("a.trc", b""),
        ("a.xyz", b"hello"),
    ],
)
def test_foreign_truncated_and_empty_files(tmp_path, refused, name, content):
    (tmp_path / name).write_bytes(content)
    assert name in refused("convert", tmp_path / name, tmp_path / "b.csv", "--fps", 30)
    assert not (tmp_path / "b.csv").exists()


@pytest.mark.parametrize("content", [b"", b"this is a text", bytes(range(256)) * 40])
def test_what_is_no_video(tmp_path, refused, content):
    (tmp_path / "film.mp4").write_bytes(content)
    assert "film.mp4" in refused("detect", tmp_path / "film.mp4", "-o", tmp_path / "joints.npz")
    assert not (tmp_path / "joints.npz").exists()


def test_a_target_that_cannot_hold_the_joints_is_refused_before_the_work(recorded, tmp_path, refused):
    line = refused("detect", tmp_path / "film.mp4", "-o", tmp_path / "joints.trc")
    assert "2D" in line
    assert ".npz" in line
    assert "2D" in refused(*triangulate(recorded, *ALL, output="data_2d_custom_joints.npz"))
    assert ".mp4" in refused("detect", tmp_path / "film.mp4", "-o", tmp_path / "a.npz", "--overlay", tmp_path / "a.avi")


def test_a_video_is_never_replaced_by_what_is_drawn_on_it(tmp_path, refused):
    film = tmp_path / "film.mp4"
    film.write_bytes(b"the patient's own recording")
    for arguments in (
        ["-o", tmp_path / "a.npz", "--overlay", film],
        ["-o", film],
        ["-o", tmp_path / "a.npz", "--images", film],
        ["-o", tmp_path / "a.npz", "--images", tmp_path],
        ["-o", film / "a.npz"],
        ["-o", tmp_path / "a.csv", "--people", 2],
    ):
        refused("detect", film, *arguments)
    assert film.read_bytes() == b"the patient's own recording"
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


def test_converting_a_file_into_itself_is_refused(recorded, scene, refused):
    archive.write(scene.truth, recorded / "truth.npz")
    before = (recorded / "truth.npz").read_bytes()
    assert "input" in refused("convert", recorded / "truth.npz", recorded / "truth.npz")
    views = []
    for name in ("cam01", "cam02"):
        views.append(recorded / f"{name}.npz")
        archive.write(scene.views[name], views[-1])
    line = refused("triangulate", *views, "--rig", recorded / "Calib.toml", "-o", views[0])
    assert "input" in line
    assert (recorded / "truth.npz").read_bytes() == before


def test_a_recording_may_not_have_the_name_of_a_method(recorded, scene, refused):
    archive.write(scene.truth, recorded / "multiview.npz")
    views = [recorded / f"{name}_json" for name in ALL]
    line = refused(
        "compare", *views, recorded / "multiview.npz", "--rig", recorded / "Calib.toml", "--layout", "body-25",
        "--fps", 30, "-o", recorded / "out",
    )  # fmt: skip
    assert "'multiview'" in line
    (recorded / "multiview.npz").rename(recorded / "MultiView.npz")
    line = refused(
        "compare", *views, recorded / "MultiView.npz", "--rig", recorded / "Calib.toml", "--layout", "body-25",
        "--fps", 30, "-o", recorded / "out",
    )  # fmt: skip
    assert "'MultiView'" in line


def test_an_output_among_the_inputs_is_refused(recorded, refused):
    before = sorted(path.name for path in (recorded / "cam01_json").iterdir())
    assert "cam01_json" in refused(*triangulate(recorded, *ALL, output="cam01_json/joints.trc"))
    (recorded / "Calib.toml").rename(recorded / "joints.trc.provenance.json")
    arguments = triangulate(recorded, *ALL)
    arguments[2] = recorded / "joints.trc.provenance.json"
    assert "input" in refused(*arguments)
    assert sorted(path.name for path in (recorded / "cam01_json").iterdir()) == before


def test_the_same_video_twice_has_no_depth(tmp_path, refused):
    left, _ = parallel_views(tmp_path)
    shutil.copy(left, tmp_path / "copy.npz")
    line = refused("compare", left, tmp_path / "copy.npz", "--baseline", 0.28, "--focal", 525, "-o", tmp_path / "out")
    assert "twice" in line


def test_a_region_without_a_person_is_named(recorded, refused):
    text = '[rig]\ncalibration = "Calib.toml"\n' + "".join(
        f'[[cameras]]\nname = "{name}"\nkeypoints = "{name}_json"\nlayout = "body-25"\nfps = 30\n' for name in ALL
    )
    (recorded / "trial.toml").write_text(text + "region_px = [5000, 5000, 6000, 6000]\n")
    line = refused("compare", recorded / "trial.toml", "-o", recorded / "out")
    assert "region" in line
    assert "cam04_json" in line


def test_unknown_trial_key(tmp_path, refused):
    (tmp_path / "trial.toml").write_text('[[cameras]]\nname = "a"\nvidoe = "a.mp4"\n')
    line = refused("compare", tmp_path / "trial.toml", "-o", tmp_path / "out")
    assert "'cameras[0].vidoe'" in line
    assert "'video'" in line
    assert not (tmp_path / "out").exists()


def test_unknown_method_and_reference(recorded, refused):
    text = '[rig]\ncalibration = "Calib.toml"\n' + "".join(
        f'[[cameras]]\nname = "{name}"\nkeypoints = "{name}_json"\nlayout = "body-25"\nfps = 30\n' for name in ALL
    )
    (recorded / "trial.toml").write_text('methods = ["stereo-cam01-cam09"]\n' + text)
    assert "stereo-cam01-cam09" in refused("compare", recorded / "trial.toml", "-o", recorded / "out")
    (recorded / "trial.toml").write_text('reference = "vicon"\n' + text)
    assert "'vicon'" in refused("compare", recorded / "trial.toml", "-o", recorded / "out")
    assert not (recorded / "out").exists()


def test_parallel_options_with_a_trial_file(tmp_path, refused):
    (tmp_path / "trial.toml").write_text('[[cameras]]\nname = "a"\nvideo = "a.mp4"\n')
    assert "--baseline" in refused("compare", tmp_path / "trial.toml", "--baseline", 0.28)


def parallel_views(folder: Path, shift_rows_px: float = 0.0) -> list[Path]:
    """Keypoints of a person before the origin's rig; the right camera is `shift_rows_px` lower."""
    from gonio.core.camera import Rig

    rig = Rig.parallel(0.28, 525.0, (640, 480))
    rng = np.random.default_rng(1)
    points = rng.uniform([-0.6, -0.8, 2.5], [0.6, 0.8, 3.5], (40, 25, 3))
    paths = []
    for camera in rig:
        lower = np.array([0, shift_rows_px if camera.name == "right" else 0])
        pixels = camera.world_to_image(points) + lower
        view = PoseSequence(
            pixels, np.arange(40) / 30, BODY_25, "px", "image", frame_name=camera.name, image_size_px=(640, 480)
        )
        paths.append(folder / f"{camera.name}.npz")
        archive.write(view, paths[-1])
    return paths


def test_rows_that_do_not_agree_explain_rectification(tmp_path, refused):
    left, right = parallel_views(tmp_path, shift_rows_px=40)
    line = refused("compare", left, right, "--baseline", 0.28, "--focal", 525, "-o", tmp_path / "out")
    assert "rectif" in line
    assert not (tmp_path / "out").exists()


def test_a_parallel_rig_of_one_camera(tmp_path, refused):
    left, _ = parallel_views(tmp_path)
    assert "two" in refused("compare", left, "--baseline", 0.28, "--focal", 525, "-o", tmp_path / "out")


def test_baseline_without_focal_length(tmp_path, refused):
    left, right = parallel_views(tmp_path)
    assert "focal_px" in refused("compare", left, right, "--baseline", 0.28, "-o", tmp_path / "out")


def test_keypoints_alone_measure_nothing_without_a_lifting_network(tmp_path, refused, monkeypatch):
    from gonio.lifting import weights

    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    left, right = parallel_views(tmp_path)
    assert "measured" in refused("compare", left, right, "-o", tmp_path / "out")


def test_an_input_is_never_replaced(tmp_path, refused):
    """Results into the folder that holds keypoints/left.npz would replace it."""
    (tmp_path / "keypoints").mkdir()
    left, right = parallel_views(tmp_path / "keypoints")
    before = left.read_bytes()
    line = refused("compare", left, right, "--baseline", 0.28, "--focal", 525, "-o", tmp_path)
    assert "input" in line
    assert left.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["keypoints"]


def test_a_folder_that_cannot_be_written(tmp_path, refused):
    left, right = parallel_views(tmp_path)
    (tmp_path / "file").write_text("in the way")
    line = refused("compare", left, right, "--baseline", 0.28, "--focal", 525, "-o", tmp_path / "file")
    assert str(tmp_path / "file") in line


def test_unknown_asset(refused):
    assert "blazepose-heavy" in refused("assets", "fetch", "blazepose-huge")


def test_several_people_in_one_convert(tmp_path, refused, scene):
    """Unordered people cannot become one person's markers in silence."""
    view = scene.views["cam01"]
    openpose_json.write(view, tmp_path / "a_json")
    for file in (tmp_path / "a_json").iterdir():
        content = json.loads(file.read_text())
        content["people"] = content["people"] * 2
        file.write_text(json.dumps(content))
    line = refused("convert", tmp_path / "a_json", tmp_path / "b.csv", "--layout", "body-25", "--fps", 30)
    assert "person" in line


def test_lifting_with_what_is_no_network(tmp_path, recorded, scene, refused):
    archive.write(scene.views["cam01"], tmp_path / "cam01.npz")
    (tmp_path / "weights.bin").write_bytes(b"\x80\x02not weights")
    for weights in (tmp_path / "weights.bin", tmp_path / "gone.bin"):
        line = refused("lift", tmp_path / "cam01.npz", "--weights", weights, "-o", tmp_path / "joints.npy")
        assert weights.name in line
    assert not (tmp_path / "joints.npy").exists()


def test_lifting_what_cannot_be_lifted(tmp_path, scene, refused, flat_weights):
    weights, output = flat_weights / "lifter-coco17-27.safetensors", tmp_path / "joints.npy"
    view = scene.views["cam01"]
    archive.write(view, tmp_path / "cam01.npz")

    def lift(*more: object, file: str = "cam01.npz") -> str:
        line = refused("lift", tmp_path / file, "--weights", weights, "-o", output, *more)
        assert not list(tmp_path.glob("joints*"))
        return line

    assert "goat=0.3" in lift("--segment", "goat=0.3")
    assert "twice" in lift("--segment", "thigh=0.42", "--height", 1.75)
    assert "175 m" in lift("--height", 175)
    assert "-3 px" in lift("--focal", -3)
    assert "lifter-coco17-27.safetensors" in lift("--place", "network")
    assert "True" in lift("--causal")
    archive.write(view.derive(image_size_px=None), tmp_path / "sizeless.npz")
    assert re.search(r"sizeless\.npz.*--size", lift(file="sizeless.npz"))
    archive.write(scene.truth, tmp_path / "truth.npz")
    assert "truth.npz" in lift(file="truth.npz")
    gone = np.full_like(view.positions, np.nan)
    archive.write(view.derive(positions=gone), tmp_path / "gone.npz")
    assert re.search(r"gone\.npz.*hips", lift(file="gone.npz"))
    hands = PoseSequence(
        view.positions[:, :21], view.times_s, layout("hand-21"), "px", "image", image_size_px=view.image_size_px
    )
    archive.write(hands, tmp_path / "hands.npz")
    assert re.search(r"hands\.npz.*hips", lift(file="hands.npz"))
    foreign = Weights(Architecture((3,), in_joints=15, channels=4), _ones(Architecture((3,), in_joints=15, channels=4)))
    weights = tmp_path / "foreign.safetensors"
    checkpoints.write(foreign, weights)
    assert re.search(r"foreign\.safetensors.* 15 joints", lift())


def _ones(architecture: Architecture) -> dict[str, np.ndarray]:
    return {name: np.ones(shape) for name, shape in architecture.shapes.items()}
