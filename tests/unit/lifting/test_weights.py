"""Weights by name."""

from pathlib import Path

import pytest

from gonio.core.errors import InputError
from gonio.lifting import weights


def test_a_name_a_file_and_the_defaults(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    with pytest.raises(InputError, match=r"lifter-coco17-27: .*none"):
        weights.weights_file()
    for name in ("lifter-coco17-27", "lifter-coco17-causal"):
        (tmp_path / f"{name}.safetensors").write_bytes(b"")
    assert weights.shipped_weights() == ("lifter-coco17-27", "lifter-coco17-causal")
    assert weights.weights_file() == tmp_path / "lifter-coco17-27.safetensors"
    assert weights.weights_file(causal=True) == tmp_path / "lifter-coco17-causal.safetensors"
    assert weights.weights_file(Path("anywhere/lifter-coco17-27")) == tmp_path / "lifter-coco17-27.safetensors"
    mine = tmp_path / "mine"
    mine.write_bytes(b"")
    assert weights.weights_file(mine) == mine
    assert weights.weights_file(Path("gone.bin")) == Path("gone.bin")  # the reader reports that it is absent
    with pytest.raises(InputError, match=r"lifter-coco17-9.*lifter-coco17-27, lifter-coco17-causal"):
        weights.weights_file(Path("lifter-coco17-9"))
