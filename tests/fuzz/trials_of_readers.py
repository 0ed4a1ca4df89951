"""One damaged file, one reader: what may come of it, and everything that may not.

A reader must give a value, or a `GonioError` of one line that names the file. Nothing else may be raised, warnings
among it; nothing may be executed, imported because a file names it, opened for writing, or left behind; nothing may
take longer than two seconds or much memory.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from file_samples import Reader, Sample, place
from mutations import CANARY, damaged

LONGEST_S = 2.0
MOST_MB = 400
"""By how much one input may raise the most memory that the process has held."""

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_EVENTS = (
    "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile", "subprocess.Popen",
    "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.putenv",
    "shutil.", "socket.", "ctypes.dlopen", "urllib.", "pickle.find_class", "tempfile.", "sys.settrace",
)  # fmt: skip
_OWN_CODE = (str(Path(os.__file__).parent), sys.prefix, str(Path(__file__).parents[2]), "<frozen", "<string>")


class Hang(BaseException):
    """A reader is still at work after two seconds. No reader may catch it."""


@dataclass(frozen=True)
class Outcome:
    """What came of one input: "read", "refused", or a violation in words; and how long it took."""

    kind: str
    seconds: float
    words: str = ""


class Unwatched:
    """Where hooks would stay behind: nothing is watched."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.on = False


class Watch(Unwatched):
    """What Python reports of itself while a reader is at work (PEP 578). A hook cannot be taken out again: make one."""

    def __init__(self) -> None:
        super().__init__()
        sys.addaudithook(self._hook)
        sys.unraisablehook = self._unraisable

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "open":
            path, _mode, flags = arguments
            if isinstance(flags, int) and flags & _WRITES:
                self.seen.append(f"opens {path} for writing")
        elif event == "import":
            if str(arguments[0]).startswith(CANARY):
                self.seen.append(f"imports {arguments[0]}, which a file names")
        elif event == "exec":
            code = arguments[0]
            if not code.co_filename.startswith(_OWN_CODE):
                self.seen.append(f"executes code of {code.co_filename}")
        elif event == "pickle.find_class":
            self.seen.append(f"looks up {arguments[0]}.{arguments[1]} for a pickle")
        elif event.startswith(_EVENTS):
            self.seen.append(f"{event} {arguments!r:.100}")

    def _unraisable(self, found: Any) -> None:
        if not isinstance(found.exc_value, Hang):
            self.seen.append(f"cannot raise {found.exc_value!r:.100}")


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raises `Hang` after so many seconds."""

    def ring(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def judged(reader: Reader, sample: Sample, content: bytes, folder: Path, watch: Unwatched | None = None) -> Outcome:
    """Read one damaged file in an empty folder, and judge what came of it."""
    from gonio.core.errors import GonioError

    path = place(sample, content, folder)
    before = _files(folder)
    held_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    watch = watch or Unwatched()
    watch.seen.clear()
    kind, words = "read", ""
    start = time.perf_counter()
    try:
        with warnings.catch_warnings(), limited(LONGEST_S):
            warnings.simplefilter("error")
            watch.on = True
            reader.read(path, **sample.options)
    except GonioError as error:
        kind, words = "refused", _fault_of(str(error), folder)
    except Hang:
        kind, words = "hangs", f"more than {LONGEST_S:g} s"
    except BaseException as error:  # noqa: BLE001 - raised again where the result was asked for
        kind, words = "raises", f"{type(error).__name__}: {error}"[:200]
    finally:
        watch.on = False
    seconds = time.perf_counter() - start
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held_kb) / 1024
    if kind == "refused" and words:
        kind = "says"
    if watch.seen:
        kind, words = "does", watch.seen[0]
    elif grown_mb > MOST_MB:
        kind, words = "takes memory", f"{grown_mb:.0f} MB"
    elif left := sorted(_files(folder) ^ before):
        kind, words = "leaves", f"{left[0]} behind, or takes it away"
    return Outcome(kind, seconds, words)


def _fault_of(message: str, folder: Path) -> str:
    """What is wrong with a message; nothing where it is one line that names the file."""
    if "\n" in message or "\r" in message:
        return f"more than one line: {message!r:.150}"
    if str(folder) not in message:
        return f"no name of the file: {message:.150}"
    return "" if len(message) < 2000 else f"{len(message)} characters: {message[:80]}"


def _files(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*")}


def warmed(reader: Reader, folder: Path, watch: Watch) -> list[str]:
    """Read the samples themselves, so that what is imported at first use is there; the samples that are refused."""
    wrong = []
    for number, sample in enumerate(reader.samples):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for content in (sample.content, b"x", sample.content[:100]):
                try:
                    reader.read(place(sample, content, folder), **sample.options)
                except Exception as error:  # noqa: BLE001 - what cannot be pickled may raise anything
                    if content is sample.content:
                        wrong.append(f"sample {number}: {error}")
        emptied(folder)
    gc.collect()
    watch.seen.clear()
    return wrong


def emptied(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def run(
    reader: Reader, seed: int, indices: range, folder: Path, watch: Watch, told: Callable[[int, Outcome], None]
) -> None:
    """Damage number `index` of every sample in turn; `told` hears of each."""
    for index in indices:
        sample = reader.samples[index % len(reader.samples)]
        content = damaged(seed, index, sample.name, sample.content)
        outcome = judged(reader, sample, content, folder, watch)
        if outcome.kind == "hangs":  # once more, in case other programs kept the processor busy
            emptied(folder)
            outcome = judged(reader, sample, content, folder, watch)
        told(index, outcome)
        emptied(folder)
