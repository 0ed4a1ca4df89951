"""Published weights -> gonio's network. OpenCV's own reader of Caffe's files is the oracle."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from caffe_files import caffemodel, prototxt, random_weights

from gonio.core.downloads import cache_folder
from gonio.core.errors import AssetError, InputError, MissingExtraError
from gonio.core.files import sha256_of
from gonio.detection import weights as assets
from gonio.detection.openpose.architecture import BODY_25, COCO_18, IMAGE, CaffeArchitecture
from gonio.detection.openpose.caffemodel import CaffeModel
from gonio.detection.openpose.weights_import import import_weights, recognise


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GONIO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def zeros(architecture: CaffeArchitecture) -> CaffeModel:
    """A model of the right shapes that takes no memory."""
    layers = {
        name: [np.broadcast_to(np.float32(0), shape) for shape in shapes]
        for name, shapes in architecture.weight_shapes().items()
    }
    return CaffeModel("", layers)


@pytest.mark.skipif(not hasattr(cv2.dnn, "readNetFromCaffe"), reason="OpenCV 5 reads no Caffe files")
@pytest.mark.parametrize(("network", "v1"), [(BODY_25, False), (COCO_18, True)], ids=["BODY_25", "COCO-18"])
def test_the_imported_network_gives_what_opencv_gives(
    tmp_path: Path, cache: Path, network: CaffeArchitecture, v1: bool
) -> None:
    """The same random weights through OpenCV's Caffe importer and through gonio's: within 1e-4 of the range."""
    weights, description = tmp_path / "pose_iter_1.caffemodel", tmp_path / "pose_deploy.prototxt"
    weights.write_bytes(caffemodel(random_weights(network), network.name, v1=v1))
    description.write_text(prototxt(network, 32, 48))
    done = import_weights(weights)
    assert done.architecture is network
    assert done.file == cache / f"openpose-{network.layout}" / "network.onnx"
    assert done.file == assets.imported(f"openpose-{network.layout}")

    if v1:  # OpenCV reads the form of today alone
        weights.write_bytes(caffemodel(random_weights(network), network.name))
    oracle = cv2.dnn.readNetFromCaffe(str(description), str(weights))
    picture = np.random.default_rng(1).uniform(-0.5, 0.5, (1, 3, 32, 48)).astype(np.float32)
    oracle.setInput(picture)
    wanted = oracle.forward(network.output)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    (found,) = onnxruntime.InferenceSession(str(done.file), options).run(None, {IMAGE: picture})
    assert found.shape == wanted.shape == (1, network.heatmaps + network.fields, 4, 6)
    assert np.ptp(wanted) > 0.5  # activations neither faded nor grew
    assert np.abs(found - wanted).max() < 1e-4 * np.ptp(wanted)


def test_both_networks_are_recognised_by_their_layers() -> None:
    for network in (BODY_25, COCO_18):
        assert recognise(Path("any"), zeros(network)) is network


def test_another_network_is_named(tmp_path: Path) -> None:
    path = tmp_path / "VGG.caffemodel"
    small = {"conv1_1": [np.zeros((64, 3, 3, 3)), np.zeros(64)], "fc8": [np.zeros((10, 5)), np.zeros(10)]}
    path.write_bytes(caffemodel(small, "VGG_ILSVRC"))
    with pytest.raises(InputError) as error:
        import_weights(path)
    line = str(error.value)
    for name in (str(path), "VGG_ILSVRC", "conv1_1", "fc8", "BODY_25", "COCO-18"):
        assert name in line
    assert not cache_folder().exists()


def test_openposes_other_networks_are_named() -> None:
    hand = CaffeModel("", {"conv1_1": [np.zeros((64, 3, 3, 3))], "Mconv7_stage6": [np.zeros((22, 128)), np.zeros(22)]})
    with pytest.raises(InputError, match="hand"):
        recognise(Path("pose_iter_102000.caffemodel"), hand)
    mpi = zeros(COCO_18)
    for branch, channels in (("L1", 28), ("L2", 16)):
        for layer in ("conv5_5_CPM_", *(f"Mconv7_stage{stage}_" for stage in range(2, 7))):
            kernel, bias = mpi.layers[layer + branch]
            mpi.layers[layer + branch] = [kernel[:channels], bias[:channels]]
    with pytest.raises(InputError, match="MPI") as error:
        recognise(Path("pose_iter_160000.caffemodel"), mpi)
    for name in ("conv5_5_CPM_L1", "28x512x1x1", "38x512x1x1"):
        assert name in str(error.value)


def test_a_layer_without_its_bias_is_another_network() -> None:
    model = zeros(BODY_25)
    model.layers["conv4_1"] = model.layers["conv4_1"][:1]
    with pytest.raises(InputError, match="conv4_1"):
        recognise(Path("any"), model)


def test_without_onnx_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.setattr("gonio.detection.openpose.weights_import.read_caffemodel", lambda path: zeros(BODY_25))
    path = tmp_path / "pose_iter_584000.caffemodel"
    path.write_bytes(b"x")
    with pytest.raises(MissingExtraError, match=r"gonio\[onnx\]"):
        import_weights(path)
    assert assets.import_state("openpose-body-25") == ("not imported", 0)
    assert not list(cache_folder().iterdir())


def test_an_import_is_kept_with_where_it_came_from(tmp_path: Path, cache: Path) -> None:
    original = tmp_path / "mine.caffemodel"
    original.write_bytes(b"weights")
    name = "openpose-coco-18"
    with pytest.raises(AssetError, match=r"pose_iter_440000\.caffemodel"):
        assets.fetch_weights(name)
    assert assets.checksums(name) == {}
    path = assets.keep_import(name, original, lambda target: target.write_bytes(b"network") and None)
    assert path.read_bytes() == b"network"
    assert assets.fetch_weights(name) == path.parent == cache / name
    assert assets.import_state(name) == ("imported", 7)
    assert assets.checksums(name) == {"mine.caffemodel": sha256_of(original)}
    assert json.loads((path.parent / "origin.json").read_text())["original"] == "mine.caffemodel"
    with pytest.raises(AssetError, match="openpose-coco-18"):
        assets.imported("openpose-body-25")

    path.write_bytes(b"damaged")
    assert assets.import_state(name) == ("damaged", 7)
    with pytest.raises(AssetError, match="damaged"):
        assets.imported(name)
    assets.keep_import(name, original, lambda target: target.write_bytes(b"newer") and None)
    assert assets.imported(name).read_bytes() == b"newer"
    (path.parent / "origin.json").write_text("[")
    assert assets.import_state(name) == ("not imported", 0)


def test_a_failed_import_leaves_the_earlier_one(tmp_path: Path) -> None:
    original = tmp_path / "mine.caffemodel"
    original.write_bytes(b"weights")
    name = "openpose-coco-18"
    assets.keep_import(name, original, lambda target: target.write_bytes(b"network") and None)

    def fails(target: Path) -> None:
        target.write_bytes(b"half")
        raise MissingExtraError("no onnx")

    with pytest.raises(MissingExtraError):
        assets.keep_import(name, original, fails)
    assert assets.imported(name).read_bytes() == b"network"
