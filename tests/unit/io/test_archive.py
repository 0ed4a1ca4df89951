"""gonio's archive: everything comes back bit for bit, and nothing foreign is taken for one."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gonio.core.assumptions import Assumption
from gonio.core.detections import Detections
from gonio.core.errors import GonioError, InputError
from gonio.core.sequence import PoseSequence, Source
from gonio.core.skeleton import BODY_25, COCO_17, Skeleton
from gonio.io import archive


def sequence(n_frames: int = 4, dimensions: int = 3, seed: int = 0, with_covariance: bool = True) -> PoseSequence:
    rng = np.random.default_rng(seed)
    positions = rng.normal(0, 1, (n_frames, 17, dimensions))
    positions[rng.random((n_frames, 17)) < 0.2] = np.nan
    return PoseSequence(
        positions=positions,
        times_s=np.cumsum(rng.uniform(0.01, 0.1, n_frames)),
        skeleton=COCO_17,
        unit="m" if dimensions == 3 else "px",
        frame="camera" if dimensions == 3 else "image",
        frame_name="cam «1»",
        image_size_px=None if dimensions == 3 else (1088, 1920),
        up="-y" if dimensions == 3 else None,
        confidence=rng.random((n_frames, 17)),
        status=np.where(np.isnan(positions[..., 0]), 0, rng.integers(1, 5, (n_frames, 17))),
        covariance=rng.normal(0, 1, (n_frames, 17, dimensions, dimensions)) if with_covariance else None,
        source=Source("stereo", "body-25", "0.1", "a\nb.mp4"),
        history=("read", "smoothed: 6 Hz"),
        assumptions=(Assumption("stature", "1.70 m"), Assumption("clock", "by joint angles")),
    )


def detections(seed: int = 0) -> Detections:
    rng = np.random.default_rng(seed)
    positions = rng.uniform(0, 600, (3, 2, 25, 2))
    positions[1, 1] = np.nan
    return Detections(
        positions=positions,
        confidence=rng.random((3, 2, 25)),
        times_s=np.arange(3) / 60,
        skeleton=BODY_25,
        image_size_px=(640, 480),
        frame_name="cam01",
        boxes_px=rng.random((3, 2, 4)),
        scores=rng.random((3, 2)),
        world_m=rng.random((3, 2, 25, 3)),
        status=rng.integers(1, 5, (3, 2, 25)),
        source=Source("openpose"),
        history=("read",),
    )


def assert_same(one: Any, other: Any) -> None:
    assert type(one) is type(other)
    for field in fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype
            assert a.tobytes() == b.tobytes()
        else:
            assert a == b


@given(
    seed=st.integers(0, 2**32 - 1),
    n_frames=st.integers(0, 4),
    dimensions=st.sampled_from([2, 3]),
    with_covariance=st.booleans(),
)
@settings(max_examples=15, deadline=None)
def test_a_sequence_comes_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, seed: int, n_frames: int, dimensions: int, with_covariance: bool
) -> None:
    path = tmp_path_factory.mktemp("npz") / "x.npz"
    written = sequence(n_frames, dimensions, seed, with_covariance)
    assert archive.write(written, path) == ()
    assert archive.recognise(path)
    assert_same(archive.read(path), written)


def test_version_1_is_read_without_assumptions(tmp_path: Path) -> None:
    path, old = tmp_path / "x.npz", sequence().derive(assumptions=())
    archive.write(old, path)
    with np.load(path) as npz:
        arrays = dict(npz)
    metadata = json.loads(str(arrays["metadata"]))
    del metadata["items"][0]["assumptions"]
    np.savez(path, **arrays | {"gonio_archive": np.array(1), "metadata": np.array(json.dumps(metadata))})
    assert_same(archive.read(path), old)


@pytest.mark.parametrize(("size", "known"), [("377 x 405", True), ("1088 x 1920", False)])
def test_a_guessed_size_of_version_1_is_not_known(tmp_path: Path, size: str, known: bool) -> None:
    guessed = f"image size unknown: {size} is the smallest that holds all keypoints"
    path, old = tmp_path / "x.npz", sequence(dimensions=2).derive(guessed, assumptions=())
    archive.write(old, path)
    assert_same(archive.read(path), old)
    with np.load(path) as npz:
        np.savez(path, **dict(npz) | {"gonio_archive": np.array(1)})
    back = archive.read(path)
    assert isinstance(back, PoseSequence)
    assert back.image_size_px == (old.image_size_px if known else None)


def test_an_assumption_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    archive.write(sequence(), path)
    with np.load(path) as npz:
        arrays = dict(npz)
    text = str(arrays["metadata"]).replace('"stature"', '"weather"')
    np.savez(path, **arrays | {"metadata": np.array(text)})
    with pytest.raises(InputError, match="weather"):
        archive.read(path)


def test_an_image_size_that_is_not_known_stays_so(tmp_path: Path) -> None:
    written = sequence(dimensions=2).derive(image_size_px=None)
    archive.write(written, tmp_path / "x.npz")
    assert_same(archive.read(tmp_path / "x.npz"), written)


def test_detections_and_several_people(tmp_path: Path) -> None:
    archive.write(detections(), tmp_path / "d.npz")
    assert_same(archive.read(tmp_path / "d.npz"), detections())
    people = {"0/patient": sequence(3), "ärztin": sequence(2, seed=1, with_covariance=False)}
    archive.write(people, tmp_path / "p.npz")
    back = archive.read(tmp_path / "p.npz")
    assert isinstance(back, dict)
    assert list(back) == list(people)
    for name, person in people.items():
        assert_same(back[name], person)
    odd = Skeleton("odd", ("a", "b/c"), (-1, 0))
    archive.write(PoseSequence(np.zeros((1, 2, 3)), np.zeros(1), odd, "m", "root"), tmp_path / "o.npz")
    found = archive.read(tmp_path / "o.npz")
    assert isinstance(found, PoseSequence)
    assert found.skeleton == odd
    with pytest.raises(InputError, match="person"):
        archive.write({}, tmp_path / "e.npz")


def test_foreign_files(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with pytest.raises(InputError, match=r"x\.npz"):
        archive.read(path)
    np.savez(path, positions_2d=np.zeros(3), metadata=np.array("{}"))
    assert not archive.recognise(path)
    with pytest.raises(InputError, match="archive"):
        archive.read(path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match="archive"):
        archive.read(path)


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, gonio_archive=np.array(1), metadata=np.array([{"items": []}], dtype=object))
    with pytest.raises(InputError, match="allow_pickle"):
        archive.read(path)


@pytest.mark.parametrize(
    ("metadata", "match"),
    [
        ("{", "damaged"),
        ("[]", "damaged"),
        ('{"people": null, "items": []}', "damaged"),
        ('{"people": null, "items": [{"kind": "object"}]}', "damaged"),
        ('{"people": null}', "damaged"),
    ],
)
def test_damaged_metadata(tmp_path: Path, metadata: str, match: str) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, gonio_archive=np.array(1), metadata=np.array(metadata))
    with pytest.raises(InputError, match=match):
        archive.read(path)


def test_metadata_that_disagree_with_the_arrays(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    archive.write(sequence(), path)
    with np.load(path) as npz:
        arrays = dict(npz)
    description = json.loads(str(arrays["metadata"]))
    for key, value, match in (("unit", "inch", "unit 'inch'"), ("frame", "moon", "frame"), ("up", "+w", "up")):
        changed = {"people": None, "items": [description["items"][0] | {key: value}]}
        np.savez(path, **(arrays | {"metadata": np.array(json.dumps(changed))}))
        with pytest.raises(InputError, match=match):
            archive.read(path)
    np.savez(path, **{name: array for name, array in arrays.items() if name != "0/positions"})
    with pytest.raises(GonioError, match=r"x\.npz"):
        archive.read(path)
    np.savez(path, **(arrays | {"gonio_archive": np.array(99)}))
    with pytest.raises(InputError, match="version 99"):
        archive.read(path)


def test_random_damage_raises_nothing_but_gonio_errors(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    archive.write(sequence(2), path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for cut in rng.integers(0, len(whole) - 1, 40):
        path.write_bytes(whole[:cut])
        with pytest.raises(GonioError, match=r"x\.npz"):
            archive.read(path)
    for position in rng.integers(0, len(whole), 150):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(damaged))
        try:
            archive.read(path)
        except GonioError as error:
            assert "x.npz" in str(error)
