"""The output of a command: checked first, recorded and reported afterwards."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import H36M_17
from gonio.io import formats
from gonio.trials.outputs import Output, output


@pytest.fixture
def joints():
    positions = np.random.default_rng(0).normal(0, 0.4, (3, 17, 3))
    return PoseSequence(positions, np.arange(3) / 30, H36M_17, "m", "root")


def test_what_is_written_has_a_record(tmp_path, joints):
    reported: list[Output] = []
    options = {"source": tmp_path / "a.npz", "fps": None, "size": (3, 4)}
    with output(tmp_path / "b.trc", [None], "convert", options, reported.append) as made:
        made.write(joints)
        made.steps.append("a step")
    assert len(formats.read(tmp_path / "b.trc")) == 3
    record = json.loads((tmp_path / "b.trc.provenance.json").read_text())
    assert record["command"] == "convert"
    assert record["options"] == {"source": str(tmp_path / "a.npz"), "fps": None, "size": [3, 4]}
    assert record["steps"] == ["a step"]
    assert reported == [made]
    assert made.not_preserved


def test_without_a_path_nothing_is_written_or_reported(tmp_path, joints, monkeypatch):
    monkeypatch.chdir(tmp_path)
    reported: list[Output] = []
    with output(None, [tmp_path], "convert", {}, reported.append) as made:
        made.write(joints)
    assert reported == list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.npz", "b.csv"])
def test_an_input_is_refused_before_the_work(tmp_path, name):
    """As the output, and as the record beside it."""
    taken = tmp_path / ("a.npz" if name == "a.npz" else "b.csv.provenance.json")
    taken.write_bytes(b"mine")
    with pytest.raises(InputError, match=taken.name), output(tmp_path / name, [taken], "convert", {}):
        raise AssertionError("the work began")
    assert taken.read_bytes() == b"mine"


def test_a_failure_leaves_no_record(tmp_path):
    with pytest.raises(ValueError, match="broken"), output(tmp_path / "b.csv", [], "convert", {}):
        raise ValueError("broken")
    assert list(tmp_path.iterdir()) == []
