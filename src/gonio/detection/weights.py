"""Weights of detectors: their source, licence and checksum.

BlazePose's networks are fetched at first use (`core.downloads`). OpenPose's weights cannot be fetched: users import
their own files (`keep_import`), which are kept in the same cache.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gonio.core import downloads
from gonio.core.downloads import Asset, AssetFile, Package, cache_folder, fetch, find
from gonio.core.errors import AssetError, InputError
from gonio.core.files import replacing, sha256_of, write_json

_NPM_POSE = Package("npm", "@mediapipe/pose@0.5.1675469404")
# A wheel of one fixed platform: two data files are taken from it, equal in all its builds; it is never installed.
_WHEEL_MEDIAPIPE = Package(
    "pip",
    "mediapipe==0.10.21",
    ("--platform=manylinux_2_28_x86_64", "--python-version=3.11", "--implementation=cp", "--abi=cp311"),
)


def _blazepose_file(
    name: str, member: str, sha256: str, size_bytes: int, wheel_folder: str = "", also: tuple[str, ...] = ()
) -> AssetFile:
    wheel = ((_WHEEL_MEDIAPIPE, f"mediapipe/modules/{wheel_folder}/{name}"),) if wheel_folder else ()
    return AssetFile(
        name,
        sha256,
        size_bytes,
        f"https://cdn.jsdelivr.net/npm/{_NPM_POSE.spec}/{member}",
        ((_NPM_POSE, f"package/{member}"), *wheel),
        also,
    )


def _landmarks(variant: str, sha256: str, size_bytes: int, wheel_folder: str = "") -> Asset:
    file = f"pose_landmark_{variant}.tflite"
    return Asset(
        f"blazepose-{variant}",
        f"BlazePose GHUM landmark network, {variant}: 33 joints in 2D and 3D of one person",
        "Apache-2.0",
        f"npm package {_NPM_POSE.spec}" + (f", also in PyPI wheel {_WHEEL_MEDIAPIPE.spec}" if wheel_folder else ""),
        (_blazepose_file(file, file, sha256, size_bytes, wheel_folder),),
        "" if wheel_folder else "--detector blazepose-full works where only pip does",
    )


CATALOGUE: dict[str, Asset] = {
    asset.name: asset
    for asset in (
        _landmarks("heavy", "59e42d71bcd44cbdbabc419f0ff76686595fd265419566bd4009ef703ea8e1fe", 27_709_200),
        _landmarks(
            "full", "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f", 6_440_512, "pose_landmark"
        ),
        _landmarks("lite", "f17bfbecadb61c3be1baa8b8d851cc6619c870a87167b32848ad20db306b9d61", 2_819_824),
        Asset(
            "blazepose-detector",
            "BlazePose person detection network: finds people in an image; every landmark network needs it",
            "Apache-2.0",
            f"npm package {_NPM_POSE.spec}, also in PyPI wheel {_WHEEL_MEDIAPIPE.spec}",
            (
                _blazepose_file(
                    "pose_detection.tflite",
                    "pose_solution_packed_assets.data",  # the npm package's data file is this network alone
                    "a63c614bef30d35947f13be361820b1e4e3bec9cfeebf4d11216a18373108e85",
                    2_962_288,
                    "pose_detection",
                    # The wheel's file: 2,959,046 bytes, the same network in another layout, with identical outputs.
                    also=("9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",),
                ),
            ),
        ),
    )
}


@dataclass(frozen=True)
class Importable:
    """A network that users import: `file` in the cache is made from the user's file, usually called `original`."""

    name: str
    description: str
    licence: str
    original: str
    file: str = "network.onnx"


_OPENPOSE_LICENCE = "non-commercial"

IMPORTABLE: dict[str, Importable] = {
    network.name: network
    for network in (
        Importable(
            "openpose-body-25",
            "OpenPose BODY_25 network: 25 joints of all people, with feet",
            _OPENPOSE_LICENCE,
            "pose_iter_584000.caffemodel",
        ),
        Importable(
            "openpose-coco-18",
            "OpenPose COCO network: 18 joints of all people",
            _OPENPOSE_LICENCE,
            "pose_iter_440000.caffemodel",
        ),
    )
}

_ORIGIN = "origin.json"


def checksums(name: str) -> dict[str, str]:
    """sha256 of the asset's files in the cache, by file name; of an imported network, of the user's original file."""
    if name in IMPORTABLE:
        origin = _origin(name)
        return {} if origin is None else {origin["original"]: origin["original_sha256"]}
    return downloads.checksums(find(name, CATALOGUE))


def fetch_weights(name: str, *, progress: bool = True) -> Path:
    """The folder with a detector's weights, which are fetched if they are not in the cache (`core.downloads.fetch`).

    Raises `ConfigError` for an unknown name, `AssetError` if a file cannot be fetched, and for a network of
    `IMPORTABLE` as `imported` does.
    """
    if name in IMPORTABLE:
        return imported(name).parent
    return fetch(find(name, CATALOGUE), keep=CATALOGUE.values(), progress=progress)


def keep_import(name: str, original: Path, write: Callable[[Path], None]) -> Path:
    """Keep the network that `write` makes of the user's file in the cache, with its origin; returns its path.

    An earlier import of the same name is replaced when the new one is complete. Raises `AssetError` if the cache cannot
    be written, and as `write` does.
    """
    folder, network = cache_folder() / name, IMPORTABLE[name]
    try:
        with replacing(folder) as temporary:
            temporary.mkdir()
            write(temporary / network.file)
            origin = {
                "original": original.name,
                "original_sha256": sha256_of(original),
                "sha256": sha256_of(temporary / network.file),
            }
            write_json(temporary / _ORIGIN, origin)
    except (OSError, InputError):
        raise AssetError(f"{folder}: cannot be written; set GONIO_CACHE to another folder") from None
    return folder / network.file


def imported(name: str) -> Path:
    """The file of an imported network. Raises `AssetError` if it was not imported, or if it is damaged."""
    network = IMPORTABLE[name]
    path, origin = cache_folder() / name / network.file, _origin(name)
    if origin is None:
        present = [other for other in IMPORTABLE if _origin(other) is not None]
        raise AssetError(
            f"{name}: its weights are not in the cache ({cache_folder()}; imported: {', '.join(present) or 'none'}); "
            f"import your own file, as in gonio assets import openpose {network.original}"
        )
    if sha256_of(path) != origin["sha256"]:
        raise AssetError(
            f"{path}: is damaged, its checksum is wrong; import it once more: gonio assets import openpose"
        )
    return path


def import_state(name: str) -> tuple[Literal["imported", "damaged", "not imported"], float]:
    """The state of a network of `IMPORTABLE` in the cache, and its size in bytes."""
    origin, path = _origin(name), cache_folder() / name / IMPORTABLE[name].file
    if origin is None:
        return "not imported", 0
    state: Literal["imported", "damaged"] = "imported" if sha256_of(path) == origin["sha256"] else "damaged"
    return state, path.stat().st_size if path.exists() else 0


def _origin(name: str) -> dict[str, str] | None:
    """The origin that `keep_import` wrote; None if it does not exist or cannot be read."""
    try:
        origin = json.loads((cache_folder() / name / _ORIGIN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    keys = ("original", "original_sha256", "sha256")
    whole = isinstance(origin, dict) and all(isinstance(origin.get(key), str) for key in keys)
    return {key: origin[key] for key in keys} if whole else None
