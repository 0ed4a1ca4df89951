"""Kinect recordings as text: every layout read back, states, ranges, axes, dropped frames, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence, Status
from gonio.core.skeleton import AZURE_KINECT_32, KINECT_RECORDER_20, KINECT_V1_20, KINECT_V2_25, Skeleton
from gonio.io import formats, registry
from gonio.io.kinect import reader as kinect

Person = Callable[..., PoseSequence]
LAYOUTS = (KINECT_V1_20, KINECT_RECORDER_20, KINECT_V2_25, AZURE_KINECT_32)
HALF_TURN = np.array([-1.0, -1.0, 1.0])

_V1 = {"hip_center": "HipCenter", "spine_mid": "Spine", "shoulder_center": "ShoulderCenter", "head": "Head"}
_V2 = _V1 | {"hip_center": "SpineBase", "spine_mid": "SpineMid", "shoulder_center": "SpineShoulder"}
_AZURE = {"hip_center": "PELVIS", "spine_mid": "SPINE_NAVEL", "neck_base": "NECK"}


def sdk_name(skeleton: Skeleton, joint: str) -> str:
    """As the sensor's SDK spells it: ElbowLeft, SpineBase, K4ABT_JOINT_ELBOW_LEFT."""
    side, _, part = joint.partition("_") if joint.startswith(("left_", "right_")) else ("", "", joint)
    if skeleton is AZURE_KINECT_32:
        plain = f"{part.replace('hand_tip', 'handtip')}_{side}".strip("_")
        return "K4ABT_JOINT_" + _AZURE.get(joint, plain.upper())
    known = (_V2 if skeleton is KINECT_V2_25 else _V1) | {"neck_base": "Neck"}
    return known.get(joint) or "".join(word.title() for word in part.split("_")) + side.title()


def in_the_files_units(sequence: PoseSequence) -> np.ndarray:
    """(time, joint, 3) as the sensor's SDK has it."""
    azure = sequence.skeleton is AZURE_KINECT_32
    return sequence.positions * HALF_TURN * 1000 if azure else sequence.positions


def write(
    path: Path,
    sequence: PoseSequence,
    *,
    separator: str = ",",
    header: bool = True,
    states: np.ndarray | None = None,
    frames: bool = True,
    times: bool = True,
    comma: bool = False,
    encoding: str = "utf-8",
) -> Path:
    """A row a frame."""
    fields = ("X", "Y", "Z", *(("State",) if states is not None else ()))
    names = [f"{sdk_name(sequence.skeleton, joint)}_{field}" for joint in sequence.skeleton.joints for field in fields]
    rows = [separator.join((["frame"] if frames else []) + (["time_s"] if times else []) + names)] if header else []
    for t, positions in enumerate(in_the_files_units(sequence)):
        cells = ([str(t)] if frames else []) + ([f"{sequence.times_s[t]:.4f}"] if times else [])
        for j, position in enumerate(positions):
            cells += [f"{value:.6f}" for value in position]
            cells += [] if states is None else [str(int(states[t, j]))]
        row = separator.join(cells)
        rows.append(row.replace(".", ",") if comma else row)
    path.write_bytes(("\n".join(rows) + "\n").encode(encoding))
    return path


def write_joint_rows(path: Path, sequence: PoseSequence, *, numbers: bool = False, states: bool = True) -> Path:
    """A row a joint."""
    rows = ["Timestamp,JointID,Position.X,Position.Y,Position.Z" + (",State" if states else "")]
    for time, positions in zip(sequence.times_s, in_the_files_units(sequence), strict=True):
        for j, (joint, position) in enumerate(zip(sequence.skeleton.joints, positions, strict=True)):
            name = str(j) if numbers else sdk_name(sequence.skeleton, joint)
            rows.append(f"{time:.4f},{name}," + ",".join(f"{v:.6f}" for v in position) + (",2" if states else ""))
    path.write_text("\n".join(rows) + "\n")
    return path


def assert_same(back: PoseSequence, written: PoseSequence) -> None:
    assert set(back.skeleton.joints) == set(written.skeleton.joints)
    for joint in written.skeleton.joints:
        np.testing.assert_allclose(back[joint], written[joint], atol=2e-6)
    np.testing.assert_allclose(back.times_s, written.times_s, atol=1e-9)
    assert (back.unit, back.up, back.frame) == ("m", "+y", "world")


@pytest.mark.parametrize("separator", [",", "\t", ";"])
@pytest.mark.parametrize("skeleton", LAYOUTS, ids=lambda s: s.name)
def test_header_round_trip(tmp_path: Path, kinect_person: Person, skeleton: Skeleton, separator: str) -> None:
    written = kinect_person(skeleton)
    back = formats.read(write(tmp_path / "walk.csv", written, separator=separator))
    assert isinstance(back, PoseSequence)
    assert_same(back, written)
    assert back.frame_name == "walk"
    assert not any("mirrored" in step for step in back.history)


@pytest.mark.parametrize(("frames", "times"), [(True, True), (False, True), (True, False), (False, False)])
@pytest.mark.parametrize("separator", [",", " "])
@pytest.mark.parametrize("with_states", [False, True])
@pytest.mark.parametrize("skeleton", LAYOUTS, ids=lambda s: s.name)
def test_declared_order_round_trip(
    tmp_path: Path,
    kinect_person: Person,
    skeleton: Skeleton,
    with_states: bool,
    separator: str,
    frames: bool,
    times: bool,
) -> None:
    written = kinect_person(skeleton)
    states = np.full((len(written), len(skeleton)), 2) if with_states else None
    path = tmp_path / "walk.txt"
    write(path, written, header=False, separator=separator, states=states, frames=frames, times=times)
    back = kinect.read(path, layout=skeleton.name, rate_hz=None if times else 30)
    np.testing.assert_allclose(back.positions, written.positions, atol=2e-6)
    np.testing.assert_allclose(back.times_s, written.times_s, atol=1e-4)
    assert registry.recognise(path).key in ("kinect", "recorder_text")


@pytest.mark.parametrize("numbers", [False, True])
@pytest.mark.parametrize("skeleton", LAYOUTS, ids=lambda s: s.name)
def test_a_row_a_joint(tmp_path: Path, kinect_person: Person, skeleton: Skeleton, numbers: bool) -> None:
    written = kinect_person(skeleton)
    path = write_joint_rows(tmp_path / "walk.csv", written, numbers=numbers)
    assert_same(formats.read(path, layout=skeleton.name if numbers else None), written)
    if numbers:
        with pytest.raises(InputError, match=r"numbers.*declare"):
            formats.read(path)


@pytest.mark.parametrize("with_states", [False, True])
def test_a_row_a_joint_without_a_header(tmp_path: Path, kinect_person: Person, with_states: bool) -> None:
    written = kinect_person(KINECT_V1_20)
    rows = written.positions.reshape(-1, 3)
    rows = np.column_stack([rows, np.full(len(rows), 2)]) if with_states else rows
    np.savetxt(tmp_path / "a.txt", rows, fmt="%.6f")
    back = formats.read(tmp_path / "a.txt", layout="kinect-v1-20", rate_hz=30)
    np.testing.assert_allclose(back.positions, written.positions, atol=2e-6)
    np.savetxt(tmp_path / "b.txt", rows[:-3], fmt="%.6f")
    with pytest.raises(InputError, match=r"number.*frames"):
        formats.read(tmp_path / "b.txt", layout="kinect-v1-20", rate_hz=30)


def test_decimal_commas(tmp_path: Path, kinect_person: Person) -> None:
    written = kinect_person(KINECT_V2_25)
    for separator in ("\t", ";"):
        assert_same(kinect.read(write(tmp_path / "a.csv", written, separator=separator, comma=True)), written)
    with pytest.raises(InputError, match=r"comma.*decimal"):
        kinect.read(write(tmp_path / "b.csv", written, comma=True))
    rows = [" ".join(f"{v:.6f}".replace(".", ",") for v in row.ravel()) for row in written.positions]
    (tmp_path / "c.csv").write_text("\n".join(rows) + "\n")
    with pytest.raises(InputError, match=r"blanks.*numbers"):
        kinect.read(tmp_path / "c.csv", layout="kinect-v2-25", rate_hz=30)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_encodings(tmp_path: Path, kinect_person: Person, encoding: str) -> None:
    written = kinect_person(KINECT_V2_25)
    assert_same(formats.read(write(tmp_path / "a.csv", written, encoding=encoding)), written)


def test_utf_16_without_its_mark(tmp_path: Path, kinect_person: Person) -> None:
    path = write(tmp_path / "a.csv", kinect_person(KINECT_V2_25), encoding="utf-16-le")
    with pytest.raises(InputError, match=r"UTF-16.*UTF-8"):
        kinect.read(path)


def test_states(tmp_path: Path, kinect_person: Person) -> None:
    written = kinect_person(KINECT_V2_25)
    states = np.full((6, 25), 2)
    states[0, 3], states[1, 4] = 1, 0
    back = kinect.read(write(tmp_path / "a.csv", written, states=states))
    assert back.status[0, 3] == Status.INFERRED
    assert back.confidence[0, 3] == 0.5
    assert back.status[1, 4] == Status.MISSING
    assert (back.status == Status.MEASURED).sum() == 148
    assert (back.confidence == 1).sum() == 148
    assert "tracking states: 1 joints inferred by the sensor, 1 not tracked: missing" in back.history
    states[2, 5] = 7
    with pytest.raises(InputError, match=r"tracking.*Kinect"):
        kinect.read(write(tmp_path / "b.csv", written, states=states))


@pytest.mark.parametrize("skeleton", LAYOUTS, ids=lambda s: s.name)
def test_working_range(tmp_path: Path, kinect_person: Person, skeleton: Skeleton) -> None:
    near, far = {20: (0.8, 4.0), 25: (0.5, 4.5), 32: (0.5, 3.86)}[len(skeleton)]
    person = kinect_person(skeleton)
    for depth, inside in ((near + 0.3, True), (near - 0.4, False), (far - 0.3, True), (far + 0.3, False)):
        moved = person.derive(positions=person.positions + [0, 0, depth - 2.5])
        if (moved.positions[..., 2] <= 0).any():
            continue
        back = kinect.read(write(tmp_path / "a.csv", moved))
        assert bool((back.status == Status.MEASURED).all()) is inside
        marked = [step for step in back.history if "working" in step]
        assert len(marked) == (0 if inside else 1)
        if not inside:
            count = int((back.status == Status.INFERRED).sum())
            assert marked[0].startswith(f"{count} joints outside the ")
            assert (back.confidence[back.status == Status.INFERRED] == 0.5).all()
        assert back.valid.all()


def test_dropped_frames_are_gaps(tmp_path: Path, kinect_person: Person) -> None:
    written = kinect_person(KINECT_V2_25, 9)
    kept = np.array([0, 1, 2, 5, 6, 8])
    dropped = written.at(kept)
    back = kinect.read(write(tmp_path / "a.csv", dropped))
    np.testing.assert_allclose(back.times_s, written.times_s[kept], atol=1e-9)
    assert "2 gaps in time, about 3 frames dropped: left as gaps" in back.history
    rows = (tmp_path / "a.csv").read_text().splitlines()
    numbered = [f"{number},{row.split(',', 2)[2]}" for number, row in zip(kept + 100, rows[1:], strict=True)]
    (tmp_path / "b.csv").write_text("\n".join([rows[0].replace("time_s,", ""), *numbered]) + "\n")
    back = kinect.read(tmp_path / "b.csv", rate_hz=30)
    np.testing.assert_allclose(back.times_s, (kept + 100) / 30)
    assert "2 gaps in time, about 3 frames dropped: left as gaps" in back.history


def test_kimore(tmp_path: Path, kinect_person: Person) -> None:
    """25 joints x 4 without a header, a comma at the end of each row, times in ticks of 100 ns in a file beside it."""
    written = kinect_person(KINECT_V2_25)
    flat = np.concatenate([written.positions, np.full((6, 25, 1), 2)], axis=2).reshape(6, 100)
    path = tmp_path / "JointPosition200915.csv"
    path.write_text("".join(",".join(f"{value:.6f}" for value in row) + ",\n" for row in flat))
    (tmp_path / "JointOrientation200915.csv").write_text(path.read_text())
    with pytest.raises(InputError, match=r"declare.*frames"):
        kinect.read(path)
    ticks = 636_000_000_000_000_000 + np.round(written.times_s * 1e7).astype(np.int64)
    (tmp_path / "TimeStamp200915.csv").write_text("".join(f"{tick}\n" for tick in ticks))
    back = formats.read(path)
    assert_same(back, written)
    assert back.skeleton is KINECT_V2_25
    assert "times taken as ticks of 100 ns, by their step" in back.history
    with pytest.raises(InputError, match=r"JointPosition200915\.csv.*beside"):
        formats.read(tmp_path / "JointOrientation200915.csv")
    (tmp_path / "TimeStamp200915.csv").write_text("".join(f"{tick}\n" for tick in ticks[:-1]))
    with pytest.raises(InputError, match=r"6 frames.*TimeStamp200915\.csv.*5 times"):
        formats.read(path)


def test_ipi(tmp_path: Path, kinect_person: Person) -> None:
    """Bones by iPi's names, with tabs, a row of names above a row of axes; the unit is declared or in the header."""
    written = kinect_person(AZURE_KINECT_32)
    bones = {"Hip": "hip_center", "MiddleSpine": "spine_mid", "Chest": "spine_chest", "Neck": "neck_base"}
    for letter, side in (("L", "left"), ("R", "right")):
        bones |= {f"{letter}Clavicle": f"{side}_clavicle", f"{letter}Shoulder": f"{side}_shoulder"}
        bones |= {
            f"{letter}Forearm": f"{side}_elbow",
            f"{letter}Hand": f"{side}_wrist",
            f"{letter}Thigh": f"{side}_hip",
        }
        bones |= {f"{letter}Shin": f"{side}_knee", f"{letter}Foot": f"{side}_ankle", f"{letter}Toe": f"{side}_foot"}
    numbers = [
        "\t".join([f"{time:.4f}", *(f"{v:.6f}" for joint in bones.values() for v in written[joint][t])])
        for t, time in enumerate(written.times_s)
    ]
    two = ["Time\t" + "\t".join(f"{bone}\t\t" for bone in bones), "\t" + "\t".join(["X", "Y", "Z"] * len(bones))]
    one = ["Time (s)\t" + "\t".join(f"{bone} Coordinate {axis} (m)" for bone in bones for axis in "XYZ")]
    (tmp_path / "one.txt").write_text("\n".join(one + numbers) + "\n")
    (tmp_path / "two.txt").write_text("\n".join(two + numbers) + "\n")
    with pytest.raises(InputError, match="--unit"):
        formats.read(tmp_path / "two.txt")
    for back in (formats.read(tmp_path / "one.txt"), formats.read(tmp_path / "two.txt", unit="m")):
        assert_same(back, written.select(list(bones.values())))
        assert back.skeleton.parents[back.skeleton.index("left_knee")] == back.skeleton.index("left_hip")


def test_azures_axes(tmp_path: Path, kinect_person: Person) -> None:
    written = kinect_person(AZURE_KINECT_32)
    back = kinect.read(write(tmp_path / "a.csv", written))
    assert (back["head"][:, 1] > back["hip_center"][:, 1]).all()
    assert "unit mm, as in the Azure Kinect SDK" in back.history
    raised = written.derive(positions=written.positions * HALF_TURN)  # an exporter turned them before
    back = kinect.read(write(tmp_path / "b.csv", raised))
    np.testing.assert_allclose(back.positions, written.positions, atol=2e-6)
    assert any("already" in step for step in back.history)


def test_a_mirrored_recording_is_told_and_kept(tmp_path: Path, kinect_person: Person) -> None:
    for skeleton in LAYOUTS:
        written = kinect_person(skeleton)
        reflected = written.derive(positions=written.positions * [-1, 1, 1])
        back = kinect.read(write(tmp_path / "a.csv", reflected))
        assert_same(back, reflected)
        assert back.history[-1].startswith("the recording is mirrored: the feet point backwards")


@pytest.mark.parametrize(("right", "wrong"), [(KINECT_V1_20, KINECT_RECORDER_20), (KINECT_RECORDER_20, KINECT_V1_20)])
@pytest.mark.parametrize("frames", [True, False])
def test_another_order_is_refused(
    tmp_path: Path, kinect_person: Person, right: Skeleton, wrong: Skeleton, frames: bool
) -> None:
    path = write(tmp_path / "a.txt", kinect_person(right), header=False, separator=" ", frames=frames)
    with pytest.raises(InputError, match=f"--layout.*{right.name}"):
        formats.read(path, layout=wrong.name)
    assert_same(formats.read(path, layout=right.name), kinect_person(right))


def test_layouts_of_another_number_of_joints_are_refused(tmp_path: Path, kinect_person: Person) -> None:
    for right in LAYOUTS:
        path = write(tmp_path / "a.csv", kinect_person(right), header=False)
        for wrong in LAYOUTS:
            if len(wrong) != len(right):
                with pytest.raises(InputError, match=f"{right.name}"):
                    kinect.read(path, layout=wrong.name)


def refused(tmp_path: Path, text: str, words: str, **options: object) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=words) as error:
        kinect.read(path, **options)  # type: ignore[arg-type]
    assert str(error.value).count("bad.csv") == 1
    assert "\n" not in str(error.value)


def test_bad_input(tmp_path: Path, kinect_person: Person) -> None:
    good = write(tmp_path / "good.csv", kinect_person(KINECT_V2_25)).read_text()
    header, *rows = good.splitlines()
    refused(tmp_path, "", "is empty")
    refused(tmp_path, "\n\n", "holds no row of numbers")
    refused(tmp_path, header + "\n", "has a header but no row of numbers")
    refused(tmp_path, good.replace("Head_X", "Neck_X", 1), "names neck_base x twice: 'Neck_X' and 'Neck_X'")
    refused(tmp_path, good.replace("Head_Z", "Hat", 1), "has no z of head")
    refused(tmp_path, good[:-30], "line 7 has .* cells, the header 77; is the file cut")
    refused(tmp_path, "\n".join([header, rows[1], rows[0]]), "line 3: the time 0 s does not come after 0.0333 s")
    refused(tmp_path, "\n".join([header, rows[0], rows[0]]), "times must increase")
    refused(tmp_path, "\n".join([header, rows[0].replace("2.5", "x", 1)]), "line 2: .* is not a number")
    refused(tmp_path, "\n".join([header, "0,later," + rows[0].split(",", 2)[2]]), "'later' is no time or frame number")
    refused(tmp_path, good, "declared were 50", rate_hz=50)
    refused(tmp_path, good, "no layout of a Kinect", layout="body-25")
    refused(tmp_path, good, "kinect-v2-25 by their names, declared was kinect-v1-20", layout="kinect-v1-20")
    steps = [f"{i},{4 * i}," + rows[0].split(",", 2)[2] for i in range(3)]
    slow = "\n".join([header.replace("time_s", "time"), *steps])
    refused(tmp_path, slow, "the times step by 4, which is no Kinect's rate")
    people = "\n".join(["BodyId," + header, "1," + rows[0], "2," + rows[1]])
    refused(tmp_path, people, "holds 2 people by its column 'BodyId'")
    joints = write_joint_rows(tmp_path / "rows.csv", kinect_person(KINECT_V2_25)).read_text()
    refused(tmp_path, joints.replace("Neck", "Head", 1), "head is there twice in one frame, first in line 4")
    refused(tmp_path, joints.replace("Neck", "Hat", 1), "'Hat' is no joint of a Kinect")
    numbered = "time_s,JointID,X,Y,Z\n0.1," + "9" * 5000 + ",1,1,1\n"
    refused(tmp_path, numbered, "joint 9+.* is none of kinect-v2-25", layout="kinect-v2-25")
    headless = "\n".join(row.split(",", 2)[2] for row in rows)
    refused(tmp_path, headless.replace(",", " "), "has no times; declare the frames per second")
    twenty = write(tmp_path / "twenty.csv", kinect_person(KINECT_V1_20), header=False).read_text()
    refused(tmp_path, twenty, "no header names the joints; declare their order")


def test_a_row_of_a_joint_that_is_not_there(tmp_path: Path, kinect_person: Person) -> None:
    written = kinect_person(KINECT_V2_25)
    rows = write_joint_rows(tmp_path / "a.csv", written).read_text().splitlines()
    del rows[30]
    (tmp_path / "a.csv").write_text("\n".join(rows) + "\n")
    back = kinect.read(tmp_path / "a.csv")
    assert int((~back.valid).sum()) == 1
    assert not back.valid[1, 4]
    assert "1 rows of joints are not there: missing" in back.history


def test_the_wrong_unit_is_refused(tmp_path: Path, kinect_person: Person) -> None:
    metres = write(tmp_path / "a.csv", kinect_person(KINECT_V2_25))
    with pytest.raises(InputError, match="--unit"):
        formats.read(metres, unit="mm")
    written = kinect_person(KINECT_V2_25)
    thousand = write(tmp_path / "b.csv", written.derive(positions=written.positions * 1000))
    with pytest.raises(InputError, match="--unit"):
        formats.read(thousand)
    np.testing.assert_allclose(formats.read(thousand, unit="mm").positions, written.positions, atol=2e-6)


def test_zeros_and_a_root_relative_recording(tmp_path: Path, kinect_person: Person) -> None:
    written = kinect_person(KINECT_V2_25)
    positions = written.positions.copy()
    positions[2, 3] = 0
    back = kinect.read(write(tmp_path / "a.csv", written.derive(positions=positions)))
    assert not back.valid[2, 3]
    assert "1 joints at 0 0 0 taken as missing" in back.history
    rooted = written.derive(positions=written.positions - written["hip_center"][:, None])
    back = kinect.read(write(tmp_path / "b.csv", rooted))
    assert back.frame == "root"
    assert back.valid.all()
    assert (back.status == Status.MEASURED).all()


def test_partial_headers(tmp_path: Path, kinect_person: Person) -> None:
    """Joints are found by name, in any order; those that are not there are named."""
    written = kinect_person(KINECT_V2_25)
    some = written.select(
        [j for j in reversed(KINECT_V2_25.joints) if "thumb" not in j and "tip" not in j]  # no hand tips, other order
    )
    rows = [",".join(["time_s", *(f"{joint} {axis}" for joint in some.skeleton.joints for axis in "xyz")])]
    rows += [
        ",".join([f"{t:.4f}", *(f"{v:.6f}" for v in row.ravel())])
        for t, row in zip(some.times_s, some.positions, strict=True)
    ]
    (tmp_path / "a.csv").write_text("\n".join(rows) + "\n")
    back = formats.read(tmp_path / "a.csv")
    assert_same(back, some)
    words = "joints that the file does not have: left_hand_tip, left_thumb, right_hand_tip, right_thumb"
    assert words in back.history
