"""Human3.6M's cameras look at the person, the right way up and not mirrored; other tables; damaged ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gonio.core.camera import Camera
from gonio.core.errors import InputError
from gonio.io.rigs import subject_cameras

INTRINSICS = {"size_px": [640, 480], "matrix": [[500, 0, 320], [0, 510, 240], [0, 0, 1]]}
PLACE = {"rotation": [[1, 0, 0], [0, 1, 0], [0, 0, 1]], "translation_m": [0, 0, 3]}

CAMERAS = [
    pytest.param(camera, id=f"{subject}-{camera.name}")
    for subject, cameras in subject_cameras.human36m().items()
    for camera in cameras
]


def test_seven_subjects_and_four_cameras_in_order() -> None:
    table = subject_cameras.human36m()
    assert list(table) == ["S1", "S5", "S6", "S7", "S8", "S9", "S11"]
    for cameras in table.values():
        assert [camera.name for camera in cameras] == ["54138969", "55011271", "58860488", "60457274"]
        assert [camera.size_px for camera in cameras] == [(1000, 1002), (1000, 1000), (1000, 1000), (1000, 1002)]
        assert {camera.distortion_model for camera in cameras} == {"h36m"}


@pytest.mark.parametrize("camera", CAMERAS)
def test_a_person_in_the_middle_of_the_room_is_seen_upright(camera: Camera) -> None:
    assert 4 < np.linalg.norm(camera.center_m) < 6
    assert 1.4 < camera.center_m[2] < 1.7  # on a tripod
    ankle, head = camera.world_to_image([[0, 0, 0.08], [0, 0, 1.7]])
    assert (ankle > 0).all() and (ankle < 1000).all()
    assert (head > 0).all() and (head < 1000).all()
    assert ankle[1] - head[1] > 250
    # What lies to the left of the line of sight, seen from above, lies to the left in the image: no mirror.
    left = np.cross([0, 0, 1.0], -camera.center_m)
    left /= np.linalg.norm(left)
    to_left, to_right = camera.world_to_image([0.3 * left + (0, 0, 1), -0.3 * left + (0, 0, 1)])
    assert to_right[0] - to_left[0] > 80


def test_the_pixel_of_a_point_by_hand() -> None:
    """S1's first camera, from its published quaternion and place: camera to world, millimetres."""
    w, x, y, z = 0.1407056450843811, -0.1500701755285263, -0.755240797996521, 0.6223280429840088
    to_world = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    place = np.array([1841.1070556640625, 4955.28466796875, 1563.4454345703125]) / 1000
    point = np.array([0.3, -0.4, 1.2])
    X = to_world.T @ (point - place)
    u, v = X[:2] / X[2]
    r2 = u * u + v * v
    radial = 1 - 0.207098910824901 * r2 + 0.247775183068982 * r2**2 - 0.00307515035078854 * r2**3
    p = np.array([-0.000975698859470499, -0.00142447157470321])
    factor = radial + p[0] * u + p[1] * v
    expected = (
        1145.04940458804 * (u * factor + p[0] * r2) + 512.541504956548,
        1143.78109572365 * (v * factor + p[1] * r2) + 515.4514869776,
    )
    np.testing.assert_allclose(subject_cameras.human36m()["S1"][0].world_to_image(point), expected, atol=2e-3)


def test_another_table(tmp_path: Path) -> None:
    path = tmp_path / "cameras.json"
    path.write_text(json.dumps({"cameras": {"C1": INTRINSICS}, "subjects": {"S2": {"C1": PLACE}}}))
    (camera,) = subject_cameras.read(path)["S2"]
    assert (camera.name, camera.size_px, camera.distortion_model) == ("C1", (640, 480), "opencv")
    np.testing.assert_allclose(camera.world_to_image([0.3, 0.6, 0]), [370, 342])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"table.*cameras"),
        ("[]", r"table.*cameras"),
        ('{"cameras": {}}', "'subjects'"),
        (
            json.dumps(
                {"cameras": {"C1": INTRINSICS}, "subjects": {"S2": {"C1": PLACE | {"translation_m": [10**400, 0, 0]}}}}
            ),
            r"table.*cameras",
        ),
        (
            json.dumps({"cameras": {"C1": INTRINSICS | {"size_px": [1e999, 2]}}, "subjects": {"S2": {"C1": PLACE}}}),
            r"table.*cameras",
        ),
        (json.dumps({"cameras": {"C1": INTRINSICS}, "subjects": {"S2": {}}}), "'C1'"),
        (
            json.dumps(
                {
                    "cameras": {"C1": INTRINSICS},
                    "subjects": {"S2": {"C1": PLACE | {"rotation": [[1, 0, 0], [0, 1, 0], [0, 0, -1]]}}},
                }
            ),
            "is a reflection",
        ),
    ],
)
def test_what_is_no_table(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "cameras.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message) as error:
        subject_cameras.read(path)
    assert str(error.value).startswith(str(path))
