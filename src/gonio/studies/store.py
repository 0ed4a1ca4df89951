"""The stored results of a study: for each recording a file of values and one of arrays, with a fingerprint.

    folder/recordings/<key>.json    values, the fingerprint and the checksum of both files; written last
    folder/recordings/<key>.npz     arrays, if any: those of one shape stacked, and an index of names
    folder/recordings/.lock         held while a run is at work

A result is used again if its fingerprint is the current one: same settings, same payload, same function, same
gonio, same inputs. Inputs are identified by their sha256; those above `HASHED_BYTES` by size and time of change,
so that a study of long videos does not read them all to find that nothing is left to do. A result that cannot be read,
or does not match its checksum, is measured again and counted as damaged.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import hashlib
import io
import json
import os
import re
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gonio.core.errors import InputError
from gonio.core.provenance import VERSION

_NEW = ".new"
INDEX = "index.json"  # in the .npz: the names of each stack's arrays
HASHED_BYTES = 64 * 2**20  # larger inputs are identified by size and time of change
KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")

Result = tuple[dict[str, Any], dict[str, np.ndarray]]
Work = Callable[[Any], Result]


@dataclass(frozen=True)
class RecordingTask:
    """One recording to be measured.

    key      its name in the study, safe as a file's: letters, digits, ".", "_", "-"
    payload  the argument of the work; picklable, of dataclasses, mappings, sequences, paths, arrays, numbers and text
    inputs   files and folders; the result is stale when one of them changes
    """

    key: str
    payload: Any
    inputs: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if not KEY.fullmatch(self.key):
            raise ValueError(f"{self.key!r} is no key of a recording: letters, digits, '.', '_' and '-' only")


@dataclass(frozen=True)
class Encoded:
    """A result as it is stored: the text of its values, and the bytes of an .npz, or None without arrays."""

    values: str
    arrays: bytes | None


def encode(result: Result) -> Encoded:
    """A result as text and bytes. Raises `TypeError` or `ValueError` if it is not made of JSON and plain arrays."""
    values, arrays = result
    if not isinstance(values, dict) or not isinstance(arrays, dict):
        raise TypeError("a result is (values, arrays), two dicts")
    text = _as_text(values)
    if not arrays:
        return Encoded(text, None)
    groups: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for name, array in arrays.items():
        groups.setdefault((np.asanyarray(array).dtype.str, np.shape(array)), []).append(name)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(zipfile.ZipInfo(INDEX), json.dumps(list(groups.values())))
        for number, names in enumerate(groups.values()):
            with archive.open(zipfile.ZipInfo(f"{number}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.stack([arrays[name] for name in names]), allow_pickle=False)
    return Encoded(text, stream.getvalue())


def decode(encoded: Encoded) -> Result:
    """The result of `encode`. New and stored results are both decoded here, so that they are identical."""
    arrays: dict[str, np.ndarray] = {}
    if encoded.arrays is not None:
        with zipfile.ZipFile(io.BytesIO(encoded.arrays)) as archive:
            for number, names in enumerate(json.loads(archive.read(INDEX))):
                stacked = np.lib.format.read_array(io.BytesIO(archive.read(f"{number}.npy")), allow_pickle=False)
                arrays |= dict(zip(names, stacked, strict=True))
    return json.loads(encoded.values), arrays


class Fingerprints:
    """Fingerprints of tasks under the same settings and the same work; every input is read once."""

    def __init__(self, settings: Mapping[str, Any], work: Work) -> None:
        self._common = [VERSION, np.__version__, _canonical(settings), _canonical(work)]
        self._inputs: dict[Path, Any] = {}

    def of(self, task: RecordingTask) -> str:
        """sha256 over all that the result depends on. Raises `TypeError` if the payload holds anything else."""
        inputs = [self._input(path) for path in task.inputs]
        content = [*self._common, task.key, _canonical(task.payload), inputs]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def _input(self, path: Path) -> Any:
        if path not in self._inputs:
            try:
                self._inputs[path] = _content(path)
            except OSError as error:  # the work will report the same error
                self._inputs[path] = f"not readable: {error.strerror}"
        return self._inputs[path]


class Store:
    """The stored results of a study; `damaged` counts those that could not be used because their files are broken."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "recordings"
        self.damaged = 0

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process alone; the system releases it when the process ends, however it ends.

        Raises `InputError` if another run holds it, and where the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / ".lock").open("a+", encoding="utf-8")
        except OSError as error:
            raise InputError(f"{self.folder}: cannot be written ({error.strerror}); choose another place") from None
        with lock:
            try:
                _lock(lock.fileno())
            except (BlockingIOError, PermissionError):
                raise InputError(
                    f"{self.folder.parent}: another run of this study uses this folder; wait for it, or stop it"
                ) from None
            except OSError as error:
                raise InputError(f"{self.folder}: cannot be locked ({error.strerror}); choose another disk") from None
            self._sweep()
            yield

    def load(self, key: str, fingerprint: str) -> Encoded | None:
        """What is stored under this fingerprint; None if there is nothing, or nothing that can be used."""
        file, arrays_file = self._files(key)
        try:
            text = file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            self.damaged += 1
            return None
        try:
            content = json.loads(text)
            if content["fingerprint"] != fingerprint:
                return None
            arrays = arrays_file.read_bytes() if content["arrays"] else None
            encoded = Encoded(_as_text(content["values"]), arrays)
            if content["checksum"] == _checksum(encoded):
                return encoded
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass
        self.damaged += 1
        return None

    def save(self, key: str, fingerprint: str, encoded: Encoded) -> None:
        """Write the arrays, then the values, each atomically. The values file exists only if both are complete."""
        file, arrays_file = self._files(key)
        if encoded.arrays is not None:
            _put(arrays_file, encoded.arrays)
        about = {
            "key": key,
            "fingerprint": fingerprint,
            "checksum": _checksum(encoded),
            "arrays": encoded.arrays is not None,
        }
        _put(file, f'{_as_text(about)[:-1]}, "values": {encoded.values}}}\n'.encode())
        if encoded.arrays is None:
            arrays_file.unlink(missing_ok=True)

    def forget(self, key: str) -> None:
        """Nothing stays of an earlier result of a recording that has failed since."""
        for file in self._files(key):
            file.unlink(missing_ok=True)

    def _files(self, key: str) -> tuple[Path, Path]:
        return self.folder / f"{key}.json", self.folder / f"{key}.npz"

    def _sweep(self) -> None:
        """Remove what a killed run was about to write."""
        for left in self.folder.glob(f".*{_NEW}"):
            left.unlink(missing_ok=True)


def _put(file: Path, content: bytes) -> None:
    """Write atomically. No other run writes there, because this one holds the folder's lock."""
    new = file.with_name(f".{file.name}{_NEW}")
    new.write_bytes(content)
    new.replace(file)


def _as_text(values: Any) -> str:
    return json.dumps(values, allow_nan=False)


def _checksum(encoded: Encoded) -> str:
    return hashlib.sha256(encoded.values.encode() + b"\0" + (encoded.arrays or b"")).hexdigest()


def _content(path: Path) -> Any:
    """A value that identifies the content of a file, or of all files in a folder; None if there is neither."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return [[file.relative_to(path).as_posix(), _content(file)] for file in files]
    if not path.exists():
        return None
    stat = path.stat()
    if stat.st_size > HASHED_BYTES:
        return [stat.st_size, stat.st_mtime_ns]
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _canonical(value: Any) -> Any:
    """A value as JSON that is the same in every process. Raises `TypeError` if it cannot be."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, enum.Enum):
        return [type(value).__qualname__, value.name]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            field.name: _canonical(_stored(field, getattr(value, field.name)))
            for field in dataclasses.fields(value)
            if not ("stored_unless_default" in field.metadata and getattr(value, field.name) == field.default)
        }
        return [type(value).__qualname__, fields]
    if isinstance(value, Mapping):
        return sorted(([_canonical(key), _canonical(item)] for key, item in value.items()), key=json.dumps)
    if isinstance(value, set | frozenset):
        return sorted((_canonical(item) for item in value), key=json.dumps)
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, np.generic):
        return _canonical(value.item())
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return [str(value.dtype), value.shape, hashlib.sha256(value.tobytes()).hexdigest()]
    if callable(value) and hasattr(value, "__qualname__"):
        return getattr(value, "stored_as", f"{value.__module__}.{value.__qualname__}")
    raise TypeError(
        f"{type(value).__qualname__} in a payload, in settings or as work: not the same from one process to the next; "
        "use dataclasses, mappings, sequences, paths, arrays, numbers, text and functions of modules"
    )


def _stored(field: dataclasses.Field[Any], value: Any) -> Any:
    """A field's value by the name under which fingerprints have it: `stored_as` of the field, value -> stored name."""
    names = field.metadata.get("stored_as")
    return value if names is None else names.get(value, value)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
