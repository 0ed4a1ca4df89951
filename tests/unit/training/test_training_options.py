"""Options are checked, and torchrun's processes are counted."""

import pytest

from gonio.core.errors import ConfigError
from gonio.training.config import TrainingOptions, processes


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": 0}, "training.epochs = 0; at least 1"),
        ({"batch": -3}, "training.batch = -3"),
        ({"learning_rate": 0.0}, "training.learning_rate = 0 must be positive"),
        ({"decay": 1.1}, r"training.decay = 1.1"),
        ({"momentum": (0.1, 0.0)}, "training.momentum = 0 "),
        ({"bone_weight": -1.0}, "training.bone_weight = -1.0"),
        ({"seed": -1}, "training.seed = -1"),
        ({"form": "single-frame"}, "training.frames = 32: the single-frame form"),
    ],
)
def test_impossible_options_are_refused(change, words):
    with pytest.raises(ConfigError, match=words):
        TrainingOptions(**change)


def test_processes(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert processes() == (0, 1)
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert processes() == (2, 4)
