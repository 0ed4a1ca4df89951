"""Single images: colours in order, pixels as stored, and what is no image."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from gonio.core.errors import InputError
from gonio.io import images


def test_colours_are_red_green_blue(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), rgb[..., ::-1])
    np.testing.assert_array_equal(images.read(tmp_path / "a.png"), rgb)


def test_pixels_come_as_they_are_stored(tmp_path: Path) -> None:
    """EXIF orientation 6 (show it turned clockwise): COCO's annotations are about the pixels before that."""
    done, plain = cv2.imencode(".jpg", np.zeros((20, 40, 3), np.uint8))
    assert done
    tags = b"MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
    app1 = b"Exif\x00\x00" + tags
    jpeg = bytes(plain)
    turned = jpeg[:2] + b"\xff\xe1" + (len(app1) + 2).to_bytes(2, "big") + app1 + jpeg[2:]
    (tmp_path / "turned.jpg").write_bytes(turned)
    assert cv2.imread(str(tmp_path / "turned.jpg")).shape[:2] == (40, 20)
    assert images.read(tmp_path / "turned.jpg").shape == (20, 40, 3)


@pytest.mark.parametrize(
    ("content", "match"),
    [(b"", "empty"), (b"not an image", "JPEG"), (b"\xff\xd8\xff\xe0", "JPEG")],
)
def test_other_files_is_refused(tmp_path: Path, content: bytes, match: str) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(InputError, match=match):
        images.read(tmp_path / "a.jpg")
    with pytest.raises(InputError, match="file"):
        images.read(tmp_path / "b.jpg")
