"""`gonio detect --detector openpose` with a network that sees one person in every image; `gonio assets import`."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import av
import numpy as np
import pytest
from painted_people import standing, write_seeing

import gonio as api
from gonio.core.errors import GonioError
from gonio.core.skeleton import BODY_25, COCO_18
from gonio.detection.openpose.options import OpenPoseOptions
from gonio.trials.config import CameraConfig, DetectorConfig, LiftingConfig, Trial

SIZE = (160, 128)
PERSON = standing(80.0, 66.0, 100.0)


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    """walk.mp4: ten grey frames of 160 x 128 px, and seeing.onnx, which sees the person in every image."""
    folder = tmp_path_factory.mktemp("openpose")
    with av.open(str(folder / "walk.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for _ in range(10):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((128, 160, 3), 90, np.uint8), "rgb24")))
        container.mux(stream.encode())
    write_seeing(folder / "seeing.onnx", [PERSON], SIZE)
    return folder


OPTIONS = ("--detector", "openpose", "--layout", "coco-18", "--net-resolution", "160x128")


def test_detect_writes_what_scripts_for_openpose_read(film, tmp_path, run):
    output = tmp_path / "walk_json"
    done = run("detect", film / "walk.mp4", *OPTIONS, "--weights", film / "seeing.onnx", "-o", output)
    assert done.returncode == 0, done.stderr
    files = sorted(path.name for path in output.iterdir())
    assert files == [f"walk_{frame:012d}_keypoints.json" for frame in range(10)]
    content = json.loads((output / files[3]).read_text())
    assert list(content) == ["version", "people"]
    assert content["version"] == 1.3
    (person,) = content["people"]
    assert person["person_id"] == [-1]
    assert all(value == [] for key, value in person.items() if key not in ("person_id", "pose_keypoints_2d"))
    found = np.reshape(person["pose_keypoints_2d"], (18, 3))
    wanted = PERSON[[BODY_25.index(joint) for joint in COCO_18.joints]]
    assert np.abs(found[:, :2] - wanted).mean() < 1.0
    assert (found[:, 2] > 0.5).all()
    provenance = json.loads((tmp_path / "walk_json.provenance.json").read_text())
    assert provenance["options"]["net_resolution"] == "160x128"
    assert any(step.startswith("openpose coco-18: 10 ") for step in provenance["steps"])
    assert provenance["versions"]["onnxruntime"] == metadata.version("onnxruntime")
    back = api.read(output, rate_hz=10.0)
    np.testing.assert_array_equal(back.positions[3], found[:, :2])


def test_a_trial_with_openpose(film, shipped_weights, tmp_path):
    from gonio.trials.evaluate import evaluate
    from gonio.trials.measure import measure
    from gonio.trials.results import write_results

    options = DetectorConfig(
        "openpose", options=OpenPoseOptions(film / "seeing.onnx", layout="coco-18", net_resolution="160x128")
    )
    camera = CameraConfig("cam", video=film / "walk.mp4")
    trial = Trial((camera,), detector=options, methods=("lifting",), lifting=LiftingConfig(height_m=1.7))
    measurement = measure(trial)
    assert measurement.detections["cam"].skeleton is COCO_18
    assert measurement.views["cam"].valid.all()
    assert "lifting-cam" in measurement
    write_results(tmp_path / "results", measurement, evaluate(measurement))
    provenance = json.loads((tmp_path / "results" / "provenance.json").read_text())
    assert provenance["configuration"]["detector"]["layout"] == "coco-18"
    assert len(provenance["weights_sha256"]["detector"]["seeing.onnx"]) == 64


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--detector", "openpose"), "pose_iter_584000.caffemodel"),
        ((*OPTIONS[:2], "--weights", "seeing.onnx"), "--layout"),
        ((*OPTIONS[:4], "--weights", "seeing.onnx"), "160x128"),
        ((*OPTIONS, "--weights", "walk.mp4"), "walk.mp4"),
        (("--detector", "blazepose-lite", "--flip"), "openpose"),
    ],
)
def test_what_is_wrong_is_one_line(film, tmp_path, run, arguments, words):
    done = run("detect", "walk.mp4", *arguments, "-o", tmp_path / "j", cwd=film, GONIO_CACHE=str(tmp_path / "cache"))
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "j").exists()


@pytest.mark.network
def test_the_participant_is_compared_from_a_small_real_network(shared_data):
    """It sees the bystander well in two cameras, and the participant less well in all four."""
    from gonio.trials.evaluate import evaluate
    from gonio.trials.measure import measure
    from gonio.trials.samples import demo_trial

    network = shared_data / "openpose-small" / "mobilenet_v2_small_coco18.onnx"
    if not network.is_file():
        pytest.skip(f"{network} is absent")
    try:
        demo = demo_trial()
    except GonioError as error:
        pytest.skip(f"the demo's videos cannot be had: {error}")
    trial = replace(
        demo,
        detector=DetectorConfig(
            "openpose", options=OpenPoseOptions(network, layout="coco-18", net_resolution="-1x656")
        ),
        methods=("multiview", "stereo-cam01-cam02", "stereo-cam03-cam04"),
    )
    trial = replace(trial, stereo=replace(trial.stereo, min_confidence=0.2))
    measurement = measure(trial)
    hip = measurement.views["cam01"]["left_hip"]
    assert 400 < np.nanmedian(hip[:, 0]) < 600  # the bystander stands at 85 px
    assert measurement.views["cam01"].valid.any(axis=1).mean() > 0.6
    result = evaluate(measurement)
    for pair in trial.methods[1:]:
        assert result.methods[pair].root_mpjpe_mm < 50
    assert any("person" in words for words in result.protocol["warnings"])


def test_weights_are_imported_listed_and_refused(tmp_path, run):
    (tmp_path / "page.caffemodel").write_text("<html>not found</html>")
    cache = {"GONIO_CACHE": str(tmp_path / "cache")}
    done = run("assets", "import", "openpose", tmp_path / "page.caffemodel", **cache)
    assert done.returncode == 2
    assert "page.caffemodel: " in done.stderr
    done = run("assets", "import", "blazepose", **cache)
    assert (done.returncode, "blazepose" in done.stderr) == (2, True)
    done = run("assets", "import", "openpose", **cache)
    assert (done.returncode, "file" in done.stderr) == (2, True)
    done = run("assets", "list", "openpose-body-25", **cache)
    assert done.returncode == 0
    assert "imported" in done.stdout
    assert "non-commercial" in done.stdout
    assert len(done.stdout.splitlines()) == 2
    done = run("assets", "fetch", "openpose-body-25", **cache)
    assert (done.returncode, "import" in done.stderr) == (2, True)


def test_an_import_says_where_it_went(tmp_path, monkeypatch, capsys):
    from caffe_files import caffemodel

    from gonio.cli import main
    from gonio.detection import weights as assets
    from gonio.detection.openpose import weights_import
    from gonio.detection.openpose.architecture import CaffeArchitecture, Concatenation, Convolution

    layers = (Convolution("a", "image", 3, 4, 1), Convolution("b", "image", 3, 3, 1), Concatenation("c", ("a", "b")))
    tiny = CaffeArchitecture("BODY_25", "body-25", 4, 3, layers)
    monkeypatch.setattr(weights_import, "ARCHITECTURES", {"body-25": tiny})
    monkeypatch.setenv("GONIO_CACHE", str(tmp_path / "cache"))
    arrays = {"a": [np.ones((4, 3, 1, 1)), np.ones(4)], "b": [np.ones((3, 3, 1, 1)), np.ones(3)]}
    (tmp_path / "mine.caffemodel").write_bytes(caffemodel(arrays))
    monkeypatch.setattr("sys.argv", ["gonio", "assets", "import", "openpose", str(tmp_path / "mine.caffemodel")])
    main()
    said = capsys.readouterr().out
    assert "BODY_25" in said
    assert "28" in said
    assert f" {assets.imported('openpose-body-25')}; " in said
    monkeypatch.setattr("sys.argv", ["gonio", "assets", "list", "openpose-body-25"])
    main()
    said = capsys.readouterr().out
    assert "imported" in said
    assert "mine.caffemodel" in said
