"""Sample trials: real recordings that are fetched at first use."""

from __future__ import annotations

from pathlib import Path

from gonio.core.downloads import Asset, AssetFile, Package, fetch, find
from gonio.detection.weights import CATALOGUE, IMPORTABLE, imported
from gonio.trials.config import Trial, parse_trial

_WHEEL_POSE2SIM = Package("pip", "pose2sim==0.10.49", ("--ignore-requires-python",))
_POSE2SIM_COMMIT = "f7b39c747b361ce2cef2304bd7d42dddd15b3d36"


def _demo_file(path: str, sha256: str, size_bytes: int, folder: str = "Demo_SinglePerson") -> AssetFile:
    member = f"Pose2Sim/{folder}/{path}"
    url = f"https://raw.githubusercontent.com/perfanalytics/pose2sim/{_POSE2SIM_COMMIT}/{member}"
    return AssetFile(path.rpartition("/")[2], sha256, size_bytes, url, ((_WHEEL_POSE2SIM, member),))


SAMPLES: dict[str, Asset] = {
    asset.name: asset
    for asset in (
        Asset(
            "demo-balancing",
            "Pose2Sim's balancing trial: four calibrated cameras, 100 frames at 60 Hz, one participant and a bystander",
            "BSD-3-Clause",
            f"GitHub perfanalytics/pose2sim at {_POSE2SIM_COMMIT[:12]}, also in PyPI wheel {_WHEEL_POSE2SIM.spec}",
            (
                _demo_file(
                    "videos/cam01.mp4", "cf4f2816c86bea4bfbea255333d8626ff32a3ecabdab8b0fb147cea9167fde3a", 387_775
                ),
                _demo_file(
                    "videos/cam02.mp4", "94ff87cf978b8406e8aa36ab3c5362e72848994e87652f0dc7a33c315e8e0442", 540_548
                ),
                _demo_file(
                    "videos/cam03.mp4", "b8b329f832f178f27ecb78d024d5026b96c6adb36c387bfe2c0af85eab8a11ca", 1_709_101
                ),
                _demo_file(
                    "videos/cam04.mp4", "b5c0e7863fd70d008e7178d3c556b045b0ea5f78fcd61ca548a0b2e807e641f7", 1_772_999
                ),
                _demo_file(
                    "calibration/Calib.qca.txt",
                    "fd90e4bbae3278ef1dc0cdd42a34ee06bf88286f628a02c00a29407aa39e34c5",
                    4_843,
                ),
            ),
        ),
        Asset(
            "two-people",
            "Pose2Sim's trial of two people: four calibrated cameras, 100 frames at 60 Hz, one passes the other",
            "BSD-3-Clause",
            f"GitHub perfanalytics/pose2sim at {_POSE2SIM_COMMIT[:12]}, also in PyPI wheel {_WHEEL_POSE2SIM.spec}",
            tuple(
                _demo_file(path, sha256, size_bytes, "Demo_MultiPerson")
                for path, sha256, size_bytes in (
                    ("videos/cam01.mp4", "543cee6a4c2c2b52dc9eac9137ee63d14f1f84e706a9a7264769edcb11e5ea53", 764_061),
                    ("videos/cam02.mp4", "8895092a7cf26359205a427b7ac2f4a935c2e0bd36d9b7a5140cb33faa468a6b", 610_385),
                    ("videos/cam03.mp4", "d3daf48cdf9f5603868ddb99166ddaf9b12279e7ce968922926560d5fd3f0c99", 801_091),
                    ("videos/cam04.mp4", "1490149dc40e7301fa5ceae23862b044ba5c398a8b2a40df21ed894702728c09", 877_130),
                    (
                        "calibration/Calib.qca.txt",
                        "fd90e4bbae3278ef1dc0cdd42a34ee06bf88286f628a02c00a29407aa39e34c5",
                        4_843,
                    ),
                )
            ),
        ),
    )
}

ASSETS: dict[str, Asset] = CATALOGUE | SAMPLES
"""Everything that can be fetched: weights of detectors, and sample trials."""


def fetch_asset(name: str, *, progress: bool = True) -> Path:
    """The folder that holds an asset's files, fetched at first use (`core.downloads.fetch`).

    Raises `ConfigError` for an unknown name, `AssetError` if a file cannot be had, and for a network of `IMPORTABLE` as
    `imported` does.
    """
    if name in IMPORTABLE:
        return imported(name).parent
    return fetch(find(name, ASSETS), keep=ASSETS.values(), progress=progress)


def demo_trial() -> Trial:
    """The trial of `gonio demo`, its videos fetched at first use. Raises `AssetError` if they cannot be had."""
    folder = fetch_asset("demo-balancing")
    text = Path(__file__).with_name("demo.toml").read_text(encoding="utf-8")
    return parse_trial(text, folder, "demo")
