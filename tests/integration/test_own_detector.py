"""examples/own_detector.py as a script and as an installed package; its network finds joints beside a bright dot."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import gonio
from gonio.core.errors import GonioError
from gonio.detection.registry import DETECTORS
from gonio.trials.config import parse_trial

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_detector.py"
SIDE_PX, REACH_PX = 64, 9
OFFSETS_PX = np.stack([np.arange(17) - 8, np.arange(17) * 5 % 17 - 8], axis=-1)  # of each joint from the dot: x, y


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """walk.mp4, in which a white dot moves, and network.onnx, whose joints keep their place beside the dot."""
    path = tmp_path_factory.mktemp("own")
    with av.open(str(path / "walk.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = SIDE_PX, SIDE_PX, "yuv420p"
        for x, y in dots():
            image = np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)
            image[y, x] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode())
    kernel = np.zeros((17, 3, 2 * REACH_PX + 1, 2 * REACH_PX + 1), np.float32)
    for joint, (x, y) in enumerate(OFFSETS_PX):
        kernel[joint, :, REACH_PX - y, REACH_PX - x] = 1 / 3
    convolution = helper.make_node("Conv", ["image", "kernel"], ["heatmaps"], pads=[REACH_PX] * 4)
    tensors = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, channels, SIDE_PX, SIDE_PX))
        for name, channels in (("image", 3), ("heatmaps", 17))
    ]
    graph = helper.make_graph(
        [convolution], "dots", tensors[:1], tensors[1:], [numpy_helper.from_array(kernel, "kernel")]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path / "network.onnx")
    return path


def dots() -> list[tuple[int, int]]:
    """x, y px of the dot in each of six frames."""
    return [(20 + 2 * frame, 40 - 3 * frame) for frame in range(6)]


def installed(folder: Path, target: str) -> dict[str, str]:
    """The environment of a machine on which a package with the example is installed in this folder."""
    shutil.copy(EXAMPLE, folder)
    about = folder / "own_detector-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: own-detector\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[gonio.detectors]\nown = {target}\n")
    return {"PYTHONPATH": os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])}


def test_the_script(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "walk.mp4", tmp_path)
    subprocess.run(
        [sys.executable, EXAMPLE, tmp_path / "walk.mp4", folder / "network.onnx"], check=True, capture_output=True
    )
    person = gonio.read(tmp_path / "walk.npz")
    np.testing.assert_allclose(person.positions, np.array(dots())[:, None] + OFFSETS_PX, atol=0.5)


def test_gonio_detect_knows_an_installed_detector(folder: Path, tmp_path: Path, run) -> None:
    environment = installed(tmp_path, "own_detector:DETECTOR")
    shown = run("detect", "--detector", "own", "--help", **environment)
    assert "--network PATH" in shown.stdout
    assert "own: Joints" in shown.stdout
    output = tmp_path / "walk.npz"
    done = run(
        "detect", folder / "walk.mp4", "--detector", "own", "--network", folder / "network.onnx", "-o", output,
        **environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = gonio.read(output)
    np.testing.assert_allclose(found.positions[:, 0], np.array(dots())[:, None] + OFFSETS_PX, atol=0.5)
    options = json.loads((tmp_path / "walk.npz.provenance.json").read_text())["options"]
    assert (options["detector"], options["min_peak"]) == ("own", 0.1)


@pytest.mark.parametrize(
    ("target", "options", "words"),
    [
        ("own_detector:NOTHING", ["own"], ["own-detector 1.0", "NOTHING"]),
        ("gone:DETECTOR", ["own"], ["own-detector 1.0", "gone"]),
        ("own_detector:SIDE", ["blazepose-lite", "--network", "x.onnx"], ["--network"]),
        ("own_detector:DETECTOR", ["own", "--min-peak", "3"], ["min_peak = 3"]),
        ("own_detector:DETECTOR", ["own", "--network", "x.onnx"], ["x.onnx"]),
        ("own_detector:DETECTOR", ["owm"], ["'own'"]),
    ],
)
def test_what_is_wrong_with_an_installed_detector(
    folder: Path, tmp_path: Path, run, target: str, options: list[str], words: list[str]
) -> None:
    environment = installed(tmp_path, target)
    done = run("detect", folder / "walk.mp4", "-o", tmp_path / "a.npz", "--detector", *options, **environment)
    assert done.returncode == 2
    assert all(word in done.stderr for word in words)
    assert "--network" in words or done.stderr.count("\n") == 1
    assert not (tmp_path / "a.npz").exists()


def test_a_name_belongs_to_one_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DETECTORS, "_known", dict(DETECTORS._known))
    example = load_example()
    gonio.register_detector("own", example.make, example.OwnOptions)
    gonio.register_detector("own", example.make, example.OwnOptions)
    with pytest.raises(GonioError, match="'own'"):
        gonio.register_detector("own", example.make)
    with pytest.raises(GonioError, match="'openpose'"):
        gonio.register_detector("openpose", example.make)


def test_a_trial_file_has_the_options_of_a_registered_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DETECTORS, "_known", dict(DETECTORS._known))
    example = load_example()
    gonio.register_detector("own", example.make, example.OwnOptions)
    text = '[[cameras]]\nname = "a"\nvideo = "a.mp4"\n[detector]\nname = "own"\nnetwork = "n.onnx"\n'
    trial = parse_trial(text, Path("folder"), "trial.toml")
    assert trial.detector.options == example.OwnOptions(Path("folder/n.onnx"))
    assert trial.detector.to_table() | {"network": Path("folder/n.onnx"), "min_peak": 0.1} == trial.detector.to_table()
    with pytest.raises(GonioError, match="'min_peak'"):
        parse_trial(text + "min_peek = 0.2\n", Path("folder"), "trial.toml")


def load_example():
    spec = importlib.util.spec_from_file_location("own_detector", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["own_detector"] = module
    spec.loader.exec_module(module)
    return module
