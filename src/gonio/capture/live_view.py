"""A window with the latest image of each camera, by Python's own Tk."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gonio.core.errors import InputError

COLUMNS = 3


def has_screen() -> bool:
    """Whether a window can be shown: on Linux if a display is named, elsewhere always."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY"))


class LiveView:
    """The window. Only the main thread may create and show it, as some systems demand."""

    def __init__(self, names: Sequence[str]) -> None:
        """Raises `InputError` if no window can be shown."""
        if not has_screen():
            raise InputError("there is no screen")
        try:
            import tkinter  # noqa: PLC0415 - absent from some installations
        except ImportError:
            raise InputError("this Python comes without tkinter (Debian: apt-get install python3-tk)") from None
        self._tk = tkinter
        try:
            self._window: Any = tkinter.Tk()
        except tkinter.TclError as error:
            raise InputError(f"no window can be opened ({error})") from None
        self._window.title("gonio record")
        self._labels: dict[str, Any] = {}
        self._shown: dict[str, NDArray[np.uint8]] = {}
        for number, name in enumerate(names):
            label = tkinter.Label(self._window, text=name, compound="top", padx=4, pady=4)
            label.grid(row=number // COLUMNS, column=number % COLUMNS)
            self._labels[name] = label

    def show(self, images: Mapping[str, NDArray[np.uint8] | None], captions: Mapping[str, str]) -> bool:
        """Show images (h, w, 3) RGB with captions, by camera. False after the window was closed."""
        try:
            for name, label in self._labels.items():
                image = images.get(name)
                if image is not None and image is not self._shown.get(name):
                    self._shown[name] = image
                    label.image = self._tk.PhotoImage(master=self._window, data=as_ppm(image), format="PPM")
                    label.configure(image=label.image)
                label.configure(text=captions.get(name, name))
            self._window.update()
        except self._tk.TclError:  # closed by the user
            return False
        return True

    def close(self) -> None:
        try:
            self._window.destroy()
        except self._tk.TclError:
            return


def as_ppm(image: NDArray[np.uint8]) -> bytes:
    """A image (h, w, 3) RGB as a PPM file (netpbm's P6), which Tk reads."""
    height, width, _ = image.shape
    return b"P6 %d %d 255\n" % (width, height) + image.tobytes()
