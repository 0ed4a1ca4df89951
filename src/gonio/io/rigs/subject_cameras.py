"""Tables of cameras that were calibrated anew for every subject, as JSON; Human3.6M's own is part of gonio.

    {
     "source": "where the numbers come from",
     "cameras": {"NAME": {"size_px": [width, height],
                          "matrix": [[fx, 0, cx], [0, fy, cy], [0, 0, 1]],
                          "distortion_model": "h36m",                  or "opencv", which is taken where none is named
                          "distortion": [k1, k2, k3, p1, p2]}, ...},   in the model's own order; none where left out
     "subjects": {"S1": {"NAME": {"rotation": [[...], [...], [...]],   world -> camera
                                  "translation_m": [x, y, z]}, ...}, ...}
    }

The order under "cameras" is the order of the views in VideoPose3D's lists.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from gonio.core.camera import Camera
from gonio.core.errors import InputError
from gonio.io.reading import naming, quiet, read_bytes

Cameras = Mapping[str, tuple[Camera, ...]]
"""Subject -> its cameras, in the order of the views."""


@cache
def human36m() -> Cameras:
    """The four cameras of Human3.6M, for the seven subjects whose 3D poses are published (S1, S5 to S9, S11)."""
    return read(Path(__file__).with_name("h36m_cameras.json"))


@quiet
def read(path: Path) -> Cameras:
    """The cameras of every subject. Raises `InputError` if the file is absent or not of this form."""
    path = Path(path)
    content = read_bytes(path)
    try:
        table = json.loads(content)
        intrinsics, subjects = table["cameras"], table["subjects"]
        with naming(path):
            return {
                str(subject): tuple(
                    Camera(
                        name=str(name),
                        size_px=(int(own["size_px"][0]), int(own["size_px"][1])),
                        matrix=own["matrix"],
                        distortion=tuple(own.get("distortion", ())),
                        distortion_model=own.get("distortion_model", "opencv"),
                        rotation=places[name]["rotation"],
                        translation=places[name]["translation_m"],
                    )
                    for name, own in intrinsics.items()
                )
                for subject, places in subjects.items()
            }
    except KeyError as error:
        raise InputError(
            f"{path}: {error.args[0]!r} is absent; the form of the file is that of h36m_cameras.json"
        ) from None
    except (ValueError, TypeError, AttributeError, IndexError, RecursionError, OverflowError) as error:
        raise InputError(f"{path}: is no table of cameras ({error}); its form is that of h36m_cameras.json") from None
