"""The runtime of the networks: what it prints, and files that are none."""

from __future__ import annotations

import os

import pytest

from gonio.core.errors import AssetError
from gonio.detection.blazepose.networks import _interpreter, _without_notices


def test_litert_notices_are_kept_off_stderr_and_nothing_else(capfd):
    with _without_notices():
        os.write(2, b"INFO: Created a delegate.\nERROR: something true\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "ERROR: something true\nafter\n"


def test_weights_that_are_no_network_are_named(tmp_path):
    path = tmp_path / "broken.tflite"
    path.write_bytes(b"not a network")
    with pytest.raises(AssetError, match=r"broken\.tflite"):
        _interpreter(path, outputs=(0,))
