"""Images in Tk's format, and the error if no window can be shown."""

import sys

import numpy as np
import pytest

from gonio.capture.live_view import LiveView, as_ppm
from gonio.core.errors import InputError


def test_a_image_as_ppm():
    image = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    assert as_ppm(image) == b"P6 3 2 255\n" + bytes(range(18))


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="there is always a screen")
def test_no_screen(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(InputError, match="screen"):
        LiveView(["left"])


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="there is always a screen")
def test_a_screen_that_does_not_answer(monkeypatch):
    pytest.importorskip("tkinter")
    monkeypatch.setenv("DISPLAY", ":987")
    with pytest.raises(InputError, match="window"):
        LiveView(["left"])
