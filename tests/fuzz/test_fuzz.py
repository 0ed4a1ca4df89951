"""Every reader, given arbitrary bytes and damaged files: a value or one line that names the file, and nothing else.

The same damages, many more of them, are in benchmarks/fuzz_readers.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import file_samples
import pytest
from file_samples import Reader
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import damaged
from trials_of_readers import emptied, judged

from gonio.io import formats, registry

READERS = file_samples.readers()
CASES = settings(max_examples=25, deadline=None, derandomize=True, database=None)
SLOW = ("video",)


@pytest.fixture
def judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int, bytes], None]:
    """(reader, number of the sample, content): read it, and fail where anything but a value or one line comes of it."""
    folder = tmp_path / "input"
    folder.mkdir()
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")

    def read(name: str, number: int, content: bytes) -> None:
        reader = READERS[name]
        sample = reader.samples[number % len(reader.samples)]
        outcome = judged(reader, sample, content, folder)
        emptied(folder)
        assert outcome.kind in ("read", "refused"), outcome.words
        assert not list((tmp_path / "cwd").iterdir())

    return read


def test_every_format_has_a_sample(tmp_path: Path) -> None:
    recognised = set()
    for reader in READERS.values():
        for number, sample in enumerate(reader.samples):
            folder = tmp_path / f"{reader.name}-{number}".replace(" ", "_").replace(",", "")
            path = file_samples.place(sample, sample.content, folder)
            reader.read(path, **sample.options)
            if reader.read is formats.read:
                recognised.add(registry.recognise(path).name)
    recognised.add("OpenSim angles")  # `formats.read_angles`
    assert recognised == {form.name for form in registry.FORMATS}


def test_the_same_seed_gives_the_same_bytes() -> None:
    for reader in READERS.values():
        sample = reader.samples[0]
        for index in range(5):
            assert damaged(3, index, sample.name, sample.content) == damaged(3, index, sample.name, sample.content)


@pytest.mark.parametrize("name", [name for name in READERS if name not in SLOW])
def test_damaged_files(judge: Callable[[str, int, bytes], None], name: str) -> None:
    samples = READERS[name].samples

    @CASES
    @given(st.integers(0, len(samples) - 1), st.integers(0, 2**32 - 1))
    def check(number: int, index: int) -> None:
        judge(name, number, damaged(1, index, samples[number].name, samples[number].content))

    check()


@pytest.mark.parametrize("name", [name for name, reader in READERS.items() if reader.read is formats.read])
def test_dimensions_of_damaged_files(tmp_path: Path, name: str) -> None:
    """The head of a file: 2, 3 or one line that names the file."""
    reader = Reader(name, formats.dimensions, READERS[name].samples)
    for index in range(60):
        sample = reader.samples[index % len(reader.samples)]
        declared = {key: value for key, value in sample.options.items() if key in ("layout", "rate_hz")}
        content = damaged(2, index, sample.name, sample.content)
        outcome = judged(reader, replace(sample, options=declared), content, tmp_path)
        emptied(tmp_path)
        assert outcome.kind in ("read", "refused"), outcome.words


@pytest.mark.parametrize("name", [name for name in READERS if name not in SLOW])
def test_arbitrary_bytes(judge: Callable[[str, int, bytes], None], name: str) -> None:
    samples = READERS[name].samples

    @CASES
    @given(st.integers(0, len(samples) - 1), st.integers(0, 200), st.binary(max_size=300))
    def check(number: int, kept: int, content: bytes) -> None:
        judge(name, number, samples[number].content[:kept] + content)

    check()


@pytest.mark.parametrize("name", SLOW)
def test_damaged_videos(judge: Callable[[str, int, bytes], None], name: str) -> None:
    samples = READERS[name].samples
    for index in range(12):
        sample = samples[index % len(samples)]
        judge(name, index, damaged(1, index, sample.name, sample.content))


def test_what_may_not_be_done_is_seen(tmp_path: Path) -> None:
    """The judge itself: a warning, an error of another kind, many lines, and a file left behind are told."""
    from gonio.core.errors import InputError

    def reader_that(does: Callable[[Path], object]) -> file_samples.Reader:
        return file_samples.Reader("made up", does, ())

    def warns(path: Path) -> None:
        import warnings

        warnings.warn("careful", RuntimeWarning, stacklevel=1)

    def raises(path: Path) -> None:
        raise KeyError(path)

    def says_nothing(path: Path) -> None:
        raise InputError("it is damaged")

    def leaves(path: Path) -> None:
        path.with_suffix(".tmp").touch()

    sample = file_samples.Sample("a.txt", b"x")
    found = {
        does.__name__: judged(reader_that(does), sample, b"x", tmp_path).kind
        for does in (warns, raises, says_nothing, leaves)
    }
    assert found == {"warns": "raises", "raises": "raises", "says_nothing": "says", "leaves": "leaves"}
