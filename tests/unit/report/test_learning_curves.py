"""Learning curves: what is drawn is what was logged, on logarithmic axes."""

import numpy as np
import pytest

from gonio.core.errors import InputError
from gonio.report.learning_curves import learning_curves


def log(n, semi=False):
    entries = []
    for epoch in range(1, n + 1):
        entry = {"epoch": epoch, "position": 0.5 / epoch, "seconds": 1.0}
        entry |= {
            "validation_mpjpe": 0.6 / epoch,
            "validation_n_mpjpe": 0.4 / epoch,
            "validation_mpjpe_mm": 600 / epoch,
        }
        if semi:
            entry["trajectory"] = 0.2 / epoch
            if epoch > 2:
                entry |= {"reprojection": 0.1 / epoch, "bones": 0.05}
        entries.append(entry)
    return entries


def curves(ax):
    return {line.get_label(): np.column_stack(line.get_data()) for line in ax.get_lines()}


def test_training_and_validation_on_logarithmic_axes():
    figure = learning_curves(log(10), "body sizes")
    (ax,) = figure.axes
    drawn = curves(ax)
    assert list(drawn) == ["MPJPE, training", "MPJPE, validation", "N-MPJPE, validation"]
    assert drawn["MPJPE, training"] == pytest.approx(np.array([(e, 0.5 / e) for e in range(1, 11)]))
    assert drawn["N-MPJPE, validation"][9] == pytest.approx([10, 0.04])
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert ax.get_ylabel() == "error (body sizes)"
    assert ax.get_title(loc="left") == "10 epochs, MPJPE 60.0 mm in validation"


def test_the_other_parts_of_the_loss_below():
    figure = learning_curves(log(6, semi=True), "m")
    top, bottom = figure.axes
    assert list(curves(bottom)) == ["root, labelled", "reprojection, unlabelled", "bone lengths, unlabelled"]
    assert curves(bottom)["reprojection, unlabelled"][:, 0].tolist() == [3, 4, 5, 6]
    assert len(curves(top)) == 3


def test_one_epoch_is_a_dot_and_none_is_refused(tmp_path):
    figure = learning_curves([{"epoch": 1, "position": 0.5, "seconds": 1.0}], "m")
    (line,) = figure.axes[0].get_lines()
    assert line.get_marker() == "o"
    assert figure.axes[0].get_title(loc="left") == "1 epoch"
    figure.savefig(tmp_path / "one.png")
    with pytest.raises(InputError, match="epoch"):
        learning_curves([], "m")
