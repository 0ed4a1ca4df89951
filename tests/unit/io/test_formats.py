"""The table of formats: by ending and first bytes, with one clear line where that fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gonio.core.detections import Detections
from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import BODY_25, H36M_17, KINECT_RECORDER_20
from gonio.io import formats, registry


def solid(n_frames: int = 4) -> PoseSequence:
    positions = np.random.default_rng(0).normal(0, 0.5, (n_frames, 17, 3))
    return PoseSequence(positions, np.arange(n_frames) / 50, H36M_17, "m", "world", up="+y")


def standing(factor: float = 1.0) -> PoseSequence:
    """A person of 1.7 m, as if its metres were `factor` metres."""
    height = {"head_top": 1.7, "shoulder": 1.4, "elbow": 1.1, "wrist": 0.9, "hip": 0.9, "knee": 0.5, "ankle": 0.1}
    y = [next((h for part, h in height.items() if part in joint), 1.2) for joint in H36M_17.joints]
    x = [0.2 if joint.startswith("left") else -0.2 if joint.startswith("right") else 0.0 for joint in H36M_17.joints]
    positions = np.repeat(np.column_stack([x, y, np.full(17, 3.0)])[None], 4, axis=0)
    return PoseSequence(positions * factor, np.arange(4) / 50, H36M_17, "m", "world", up="+y")


def flat(n_frames: int = 4) -> PoseSequence:
    positions = np.random.default_rng(0).uniform(5, 400, (n_frames, 25, 2))
    return PoseSequence(positions, np.arange(n_frames) / 50, BODY_25, "px", "image", image_size_px=(640, 480))


@pytest.mark.parametrize(
    ("name", "module", "options"),
    [
        ("x.npz", "archive", {}),
        ("x.trc", "trc", {}),
        ("x.csv", "csv_table", {}),
        ("x.CSV", "csv_table", {"unit": "m"}),
        ("x.npy", "npy_array", {"rate_hz": 50.0}),
        ("x.txt", "recorder_text", {}),
    ],
)
def test_written_recognised_read(tmp_path: Path, name: str, module: str, options: dict[str, Any]) -> None:
    path = tmp_path / name
    formats.write(solid(), path)
    assert registry.recognise(path).key == module
    back = formats.read(path, **options)
    assert isinstance(back, PoseSequence)
    np.testing.assert_allclose(back["left_knee"], solid()["left_knee"], rtol=1e-6)
    np.testing.assert_allclose(back.times_s, solid().times_s)


NOT_STATED = {"bvh": {"unit": "cm"}, "openpose_json": {"layout": "body-25"}}
"""What the files of a format do not state, apart from their rate."""


@pytest.mark.parametrize(
    "form", [form for form in registry.FORMATS if form.writable and 3 in form.dimensions], ids=lambda form: form.key
)
def test_every_written_format_gives_the_joints_back(tmp_path: Path, form: registry.Format) -> None:
    if form.key in ("c3d", "netcdf"):
        pytest.importorskip({"c3d": "ezc3d", "netcdf": "xarray"}[form.key])
    path = tmp_path / f"{(*form.prefixes[-1:], 'x_')[0]}a{form.suffixes[0]}"
    sequence = standing().derive(positions=standing().positions + 0.01 * np.arange(4)[:, None, None])
    formats.write(sequence, path)
    assert registry.recognise(path).key == form.key
    rate = {} if form.tells_rate(path) else {"rate_hz": 50.0}
    back = formats.read(path, **rate, **NOT_STATED.get(form.key, {}))
    back = back if isinstance(back, PoseSequence) else next(iter(back.values()))
    back = back if back.up is None else back.with_up("+y")
    np.testing.assert_allclose(
        back["left_knee"] - back["right_hip"], sequence["left_knee"] - sequence["right_hip"], atol=1e-5
    )
    np.testing.assert_allclose(back.times_s, sequence.times_s, atol=1e-5)


@pytest.mark.parametrize("name", ["cam01", "cam01_json", "trial.2_json", "json"])
def test_openpose_folders(tmp_path: Path, name: str) -> None:
    formats.write(flat(), tmp_path / name)
    assert registry.recognise(tmp_path / name).name == "OpenPose JSON"
    back = formats.read(tmp_path / name, layout="body-25", rate_hz=50.0)
    assert isinstance(back, PoseSequence)
    np.testing.assert_array_equal(back.positions, flat().positions)
    assert "person" in back.history[-1]


def test_several_people_stay_detections(tmp_path: Path) -> None:
    positions = np.random.default_rng(0).uniform(5, 400, (3, 2, 25, 2))
    item = Detections(positions, np.ones((3, 2, 25)), np.arange(3) / 50, BODY_25, (640, 480))
    formats.write(item, tmp_path / "v")
    assert isinstance(formats.read(tmp_path / "v", layout="body-25", rate_hz=50.0), Detections)
    positions[:, 0][1:] = np.nan  # one person a frame, not always in the same place
    positions[:, 1][0] = np.nan
    formats.write(Detections(positions, np.ones((3, 2, 25)), np.arange(3) / 50, BODY_25, (640, 480)), tmp_path / "w")
    back = formats.read(tmp_path / "w", layout="body-25", rate_hz=50.0)
    assert isinstance(back, PoseSequence)
    np.testing.assert_array_equal(back.positions, np.concatenate([positions[:1, 0], positions[1:, 1]]))


def test_no_person_in_any_frame(tmp_path: Path) -> None:
    empty = flat().derive(positions=np.full((4, 25, 2), np.nan))
    formats.write(empty, tmp_path / "v")
    back = formats.read(tmp_path / "v", layout="body-25", rate_hz=50.0)
    assert isinstance(back, PoseSequence)
    assert not back.valid.any()


def test_several_people_in_an_archive_only(tmp_path: Path) -> None:
    people = {"a": solid(), "b": solid(2)}
    formats.write(people, tmp_path / "x.npz")
    back = formats.read(tmp_path / "x.npz")
    assert isinstance(back, dict)
    assert list(back) == ["a", "b"]
    with pytest.raises(InputError, match="2"):
        formats.write(people, tmp_path / "x.trc")


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("x.tcr", r"\.trc\?"),
        ("x.c4d", r"\.npz"),
        ("x.json", "folder"),
    ],
)
def test_unknown_endings(tmp_path: Path, name: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        formats.write(solid(), tmp_path / name)
    (tmp_path / name).write_text("content")
    with pytest.raises(InputError, match=match):
        formats.read(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("x.iPiVideo", r"iPi.*\.bvh"),
        ("x.fbx", r"\.bvh"),
        ("x.pkl", "pickle"),
        ("x.tak", r"\.c3d.*\.bvh.*Motive"),
    ],
)
def test_closed_formats(tmp_path: Path, name: str, match: str) -> None:
    (tmp_path / name).write_bytes(b"closed")
    with pytest.raises(InputError, match=match) as raised:
        formats.read(tmp_path / name)
    assert str(raised.value).startswith(f"{tmp_path / name}: is ")


def test_a_file_without_an_ending(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("content")
    with pytest.raises(InputError, match="known"):
        formats.read(tmp_path / "x")


@pytest.mark.parametrize("name", ["x.npz", "x.trc", "x.csv", "x.txt", "x.npy"])
def test_absent_empty_and_foreign_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(InputError, match=name):
        formats.read(path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match=rf"{name}.*empty"):
        formats.read(path)
    for content in (b"something else\n", bytes(range(256)), b"\n\n\n"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=rf"{name}: .*\.{name[2:]} .*export"):
            formats.read(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError, match="OpenPose JSON"):
        formats.read(path)


def test_impossible_paths(tmp_path: Path) -> None:
    for path in (tmp_path / "a\0b.trc", tmp_path / ("x" * 5000 + ".trc")):
        with pytest.raises(InputError, match="read"):
            formats.read(path)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"layout": "body-25"}, r"h36m-17.*body-25"),
        ({"rate_hz": 25.0}, r"50 .*25"),
        ({"unit": "mm"}, r" m;.* mm"),
    ],
)
def test_what_is_declared_must_agree(tmp_path: Path, options: dict[str, Any], match: str) -> None:
    formats.write(solid(), tmp_path / "x.trc")
    with pytest.raises(InputError, match=match):
        formats.read(tmp_path / "x.trc", **options)
    agreeing: dict[str, Any] = {"layout": "h36m-17", "rate_hz": 50.0, "unit": "m"}
    formats.read(tmp_path / "x.trc", **{key: agreeing[key] for key in options})


def test_the_declared_image_size_must_agree(tmp_path: Path) -> None:
    formats.write(flat(), tmp_path / "x.npz")
    formats.read(tmp_path / "x.npz", image_size_px=(640, 480))
    for name in ("x.npz", "x.csv"):
        formats.write(flat(), tmp_path / name)
        with pytest.raises(InputError, match=rf"{name}.*640x480 px.*1x2.*crop_px"):
            formats.read(tmp_path / name, image_size_px=(1, 2))


@pytest.mark.parametrize("name", ["x.npz", "x.csv"])
def test_an_image_size_that_is_not_known_stays_so_until_it_is_declared(tmp_path: Path, name: str) -> None:
    formats.write(flat(), tmp_path / "v")
    item = formats.read(tmp_path / "v", layout="body-25", rate_hz=50.0)
    assert isinstance(item, PoseSequence)
    assert item.image_size_px is None
    formats.write(item, tmp_path / name)
    back = formats.read(tmp_path / name)
    assert isinstance(back, PoseSequence)
    assert back.image_size_px is None
    back = formats.read(tmp_path / name, image_size_px=(1088, 1920))
    assert isinstance(back, PoseSequence)
    assert back.image_size_px == (1088, 1920)
    assert "1088 x 1920" in back.history[-1]
    declared = formats.read(tmp_path / "v", layout="body-25", rate_hz=50.0, image_size_px=(640, 480))
    assert isinstance(declared, PoseSequence)
    assert declared.image_size_px == (640, 480)


def test_an_image_size_of_several_people_is_none_until_it_is_declared(tmp_path: Path) -> None:
    positions = np.random.default_rng(0).uniform(5, 400, (3, 2, 25, 2))
    formats.write(Detections(positions, np.ones((3, 2, 25)), np.arange(3) / 50, BODY_25, (640, 480)), tmp_path / "v")
    item = formats.read(tmp_path / "v", layout="body-25", rate_hz=50.0)
    assert isinstance(item, Detections)
    assert item.image_size_px is None
    formats.write(item, tmp_path / "x.npz")
    back = formats.read(tmp_path / "x.npz", image_size_px=(1088, 1920))
    assert isinstance(back, Detections)
    assert back.image_size_px == (1088, 1920)
    formats.write(back, tmp_path / "y.npz")  # now it is known
    with pytest.raises(InputError, match=r"1088x1920 px.*640x480"):
        formats.read(tmp_path / "y.npz", image_size_px=(640, 480))


@pytest.mark.parametrize(
    ("name", "factor", "options", "match"),
    [
        ("x.trc", 0.001, {}, r"1\.\d+ mm.*header"),
        ("x.trc", 1000, {}, r"1\d+ m "),
        ("x.csv", 1000, {}, "--unit"),
        ("x.txt", 0.01, {}, r"1\d\.\d mm"),
        ("x.npy", 1000, {"rate_hz": 50.0}, "none"),
        ("x.npy", 1, {"rate_hz": 50.0, "unit": "mm"}, r"--unit.*mm"),
        ("x.npz", 0.001, {}, "archive"),
    ],
)
def test_a_body_in_the_wrong_unit_is_refused(
    tmp_path: Path, name: str, factor: float, options: dict[str, Any], match: str
) -> None:
    formats.write(standing(), tmp_path / name)
    formats.read(tmp_path / name, **({"rate_hz": 50.0} if name == "x.npy" else {}))
    formats.write(standing(factor), tmp_path / name)
    with pytest.raises(InputError, match=rf"{name}: .*{match}"):
        formats.read(tmp_path / name, **options)


def test_a_header_in_millimetres_over_metres(shared_data: Path, tmp_path: Path) -> None:
    path = next((shared_data / "pose2sim/balancing/pose-3d").glob("*_0-100.trc"))
    lines = path.read_text().split("\n")
    lines[2] = lines[2].replace("\tm\t", "\tmm\t")
    (tmp_path / "x.trc").write_text("\n".join(lines))
    with pytest.raises(InputError, match=r"x\.trc: .*1\.\d+ mm"):
        formats.read(tmp_path / "x.trc")


@pytest.mark.parametrize("value", [np.nan, 0.0])
@pytest.mark.parametrize("name", ["x.npy", "x.trc", "x.csv", "x.txt", "x.npz"])
def test_files_without_any_joint(tmp_path: Path, name: str, value: float) -> None:
    empty = standing().derive(positions=np.full((4, 17, 3), value))
    formats.write(empty, tmp_path / name)
    with pytest.raises(InputError, match=rf"{name}.*joint"):
        formats.read(tmp_path / name, rate_hz=50.0)


def test_the_table_is_complete() -> None:
    for form in registry.FORMATS:
        module = form.load()
        assert {"recognise", "read", *(["write"] if form.writable else [])} <= set(vars(module))
        assert form.description
        assert set(form.dimensions) < {2, 3} or callable(module.dimensions)


def test_recorder_joints(tmp_path: Path) -> None:
    formats.write(solid(), tmp_path / "x.txt")
    back = formats.read(tmp_path / "x.txt")
    assert isinstance(back, PoseSequence)
    assert back.skeleton == KINECT_RECORDER_20


def test_importing_is_cheap() -> None:
    code = (
        "import sys; import gonio.io.formats, gonio.io.registry as f; [form.load() for form in f.FORMATS]; "
        "print([m for m in ('scipy', 'cv2', 'av') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_real_trial(shared_data: Path) -> None:
    trial = shared_data / "pose2sim" / "balancing"
    several = formats.read(trial / "pose/cam02_json", layout="body-25b", rate_hz=60.0)
    assert isinstance(several, Detections)
    one = formats.read(trial / "pose-associated/cam03_json", layout="body-25b", rate_hz=60.0)
    assert isinstance(one, PoseSequence)
    assert int((~one.valid.any(axis=1)).sum()) == 1  # frame 52 holds a person without keypoints
    assert isinstance(formats.read(next((trial / "pose-3d").glob("*.trc"))), PoseSequence)


@pytest.mark.parametrize(
    ("name", "item", "dimensions"),
    [
        ("x.npz", solid(), 3),
        ("y.npz", flat(), 2),
        ("people.npz", {"a": solid(), "b": solid(2)}, 3),
        ("x.csv", solid(), 3),
        ("y.csv", flat(), 2),
        ("x.mat", solid(), 3),
        ("y.mat", flat(), 2),
        ("x.nc", solid(), 3),
        ("y.nc", flat(), 2),
        ("x_json", standing(), 3),
        ("y_json", flat(), 2),
        ("y.json", flat(), 2),
        ("x.trc", solid(), 3),
        ("x.npy", solid(), 3),
        ("x.txt", solid(), 3),
        ("data_3d_x.npz", solid(), 3),
    ],
)
def test_dimensions_need_no_declared_facts(tmp_path: Path, name: str, item: formats.Item, dimensions: int) -> None:
    formats.write(item, tmp_path / name)
    assert formats.dimensions(tmp_path / name) == dimensions


@pytest.mark.parametrize("name", ["x.npz", "x.csv", "x.trc"])
def test_dimensions_come_from_the_head_of_a_file(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / name
    formats.write(solid(), path)
    monkeypatch.setattr(registry.recognise(path).load(), "read", lambda *_, **__: pytest.fail("the file was read"))
    assert formats.dimensions(path) == 3


def test_dimensions_of_angles_and_damaged_files(tmp_path: Path) -> None:
    (tmp_path / "x.mot").write_text("inDegrees=yes\nendheader\ntime\ta\n0\t1\n")
    with pytest.raises(InputError, match="read_angles"):
        formats.dimensions(tmp_path / "x.mot")
    formats.write(solid(), tmp_path / "x.npz")
    (tmp_path / "x.npz").write_bytes((tmp_path / "x.npz").read_bytes()[:300])
    with pytest.raises(InputError, match=r"x\.npz"):
        formats.dimensions(tmp_path / "x.npz")


def test_which_files_state_their_rate(tmp_path: Path) -> None:
    for name, states in (("x.trc", True), ("x.npz", True), ("x.npy", False), ("x_json", False)):
        formats.write(standing(), tmp_path / name)
        assert registry.recognise(tmp_path / name).tells_rate(tmp_path / name) is states
    header = "time_s," + ",".join(
        f"{joint}_{axis}" for joint in ("SpineBase", "Neck", "Head", "HipLeft") for axis in "XYZ"
    )
    rows = [header, ",".join(["0.1"] * 13), ""]
    (tmp_path / "k.csv").write_text("\n".join(rows))
    (tmp_path / "l.csv").write_text("\n".join(row.partition(",")[2] for row in rows))
    kinect = registry.recognise(tmp_path / "k.csv")
    assert kinect.key == "kinect"
    assert [kinect.tells_rate(tmp_path / name) for name in ("k.csv", "l.csv")] == [True, False]


def people(n: int = 2) -> Detections:
    positions = np.random.default_rng(0).uniform(5, 400, (3, n, 25, 2))
    return Detections(positions, np.ones((3, n, 25)), np.arange(3) / 50, BODY_25, (640, 480))


def test_a_sequence_is_read_or_refused(tmp_path: Path) -> None:
    items = {"x.trc": solid(), "one.npz": {"a": solid()}, "flat.npz": flat()}
    for name, item in items.items():
        formats.write(item, tmp_path / name)
        assert isinstance(formats.read_sequence(str(tmp_path / name)), PoseSequence)
    for name, several in (("two.npz", {"a": solid(), "b": solid()}), ("people.npz", people())):
        formats.write(several, tmp_path / name)
        with pytest.raises(InputError, match=name):
            formats.read_sequence(tmp_path / name)
    assert formats.read_sequence(tmp_path / "x.trc", rate_hz=50.0).dimensions == 3


def test_keypoints_are_read_or_refused(tmp_path: Path) -> None:
    for name, item in (("flat.npz", flat()), ("people.npz", people())):
        formats.write(item, tmp_path / name)
        assert type(formats.read_keypoints(str(tmp_path / name))) is type(item)
    for name, other in (("solid.npz", solid()), ("two.npz", {"a": flat(), "b": flat()})):
        formats.write(other, tmp_path / name)
        with pytest.raises(InputError, match=name):
            formats.read_keypoints(tmp_path / name)


def test_paths_may_be_text(tmp_path: Path) -> None:
    for name, item in (("x.npz", solid()), ("x.csv", solid()), ("x_json", flat()), ("x.trc", solid())):
        path = str(tmp_path / name)
        formats.check_target(path, 2 if name == "x_json" else 3)
        formats.write(item, path)
        formats.read(path, layout="body-25" if name == "x_json" else None, rate_hz=50.0)
        assert formats.dimensions(path) == item.dimensions
        assert not formats.holds_angles(path)
    assert formats.holds_angles(str(tmp_path / "x.mot"))
