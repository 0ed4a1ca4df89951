"""Keypoint R-CNN in torchvision: the code that loads and runs the real network, with weights made at random.

It needs torch and torchvision (`pip install 'gonio[detectron]'`), in an environment of its own because they take
gigabytes: `pytest tests/detectron`. Skipped where they are absent. What the published weights find is not tested: they
are not part of gonio.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest

from gonio.core.arrays import VideoFrame
from gonio.core.errors import AssetError, InputError
from gonio.detection import keypoint_rcnn
from gonio.detection.keypoint_rcnn import MIN_SCORE, KeypointRCNN, KeypointRCNNOptions, load_network
from gonio.detection.registry import create
from gonio.io import formats

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision", reason="torchvision is absent: pip install 'gonio[detectron]'")

PARAMETERS = 59_137_258  # of the published weights, as torchvision states them


PUBLISHED = torchvision.models.detection.KeypointRCNN_ResNet50_FPN_Weights.COCO_V1


@pytest.fixture(scope="session")
def state() -> dict:
    """Tensors of the right names and shapes; the boxes' classifier is made to see a person in every proposal. The first
    variances are so small that the number added to them shows."""
    torch.manual_seed(0)
    backbone = torchvision.models.detection.backbone_utils.resnet_fpn_backbone(backbone_name="resnet50", weights=None)
    network = torchvision.models.detection.KeypointRCNN(backbone, num_classes=2, num_keypoints=17)
    tensors = network.state_dict()
    tensors["backbone.body.bn1.running_var"].fill_(1e-5)
    tensors["backbone.body.bn1.weight"].fill_(3e-3)
    tensors["roi_heads.box_predictor.cls_score.weight"].zero_()
    tensors["roi_heads.box_predictor.cls_score.bias"].copy_(torch.tensor([-1.0, 1.0]))
    return tensors


@pytest.fixture(scope="session")
def weights(state, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "keypointrcnn_resnet50_fpn_coco.pth"
    torch.save(state, path)
    return path


def picture(seed: int = 0, size: tuple[int, int] = (320, 240)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)


def torchvisions_own(state, monkeypatch):
    """The network as torchvision itself makes it with its published weights, for which these tensors stand."""
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda *_a, **_k: dict(state))
    return torchvision.models.detection.keypointrcnn_resnet50_fpn(weights=PUBLISHED).eval()


def test_the_network_is_the_published_one(state, monkeypatch):
    network = torchvisions_own(state, monkeypatch)
    assert sum(tensor.numel() for tensor in network.parameters()) == PARAMETERS == PUBLISHED.meta["num_params"]
    assert PUBLISHED.url == keypoint_rcnn.WEIGHTS_URL
    assert keypoint_rcnn.WEIGHTS_SHA256 in PUBLISHED.url
    assert network.state_dict().keys() == state.keys()


@pytest.mark.parametrize("published", [False, True])
def test_the_people_of_an_image_are_torchvisions(state, weights, published, monkeypatch):
    """The numbers are those of torchvision's own network; the keypoints lie in their boxes."""
    network = torchvisions_own(state, monkeypatch)
    if published:  # told by the checksum of the file
        monkeypatch.setattr(keypoint_rcnn, "WEIGHTS_SHA256", keypoint_rcnn.assets.sha256_of(weights)[:8])
    else:
        for module in network.modules():
            if isinstance(module, torchvision.ops.FrozenBatchNorm2d):
                module.eps = 1e-5
    people = load_network(weights)(picture())
    assert len(people) > 3
    with torch.inference_mode():
        (own,) = network([torchvision.transforms.functional.to_tensor(picture())])
    np.testing.assert_allclose(people.scores, own["scores"].numpy(), rtol=1e-4)
    np.testing.assert_allclose(people.boxes_px, own["boxes"].numpy(), atol=0.01)
    np.testing.assert_allclose(people.keypoints_px, own["keypoints"][..., :2].numpy(), atol=0.5)
    np.testing.assert_allclose(people.logits, own["keypoints_scores"].numpy(), atol=1e-3)
    assert (people.keypoints_px >= people.boxes_px[:, None, :2] - 1).all()
    assert (people.keypoints_px <= people.boxes_px[:, None, 2:] + 1).all()


def test_frames_become_detections_and_a_file_for_videopose3d(weights, tmp_path):
    made = create("keypoint-rcnn", KeypointRCNNOptions(weights))
    assert made == KeypointRCNN(weights, MIN_SCORE)
    frames = [VideoFrame(i, i / 30, picture(i)) for i in range(2)]
    found = made.detect(frames, camera="cam01", image_size_px=(320, 240))
    assert found.positions.shape[0] == 2
    assert found.people_per_frame.min() > 0
    assert (found.scores[found.present] >= MIN_SCORE).all()
    assert f"torchvision {torchvision.__version__.partition('+')[0]}" in found.source.version
    assert "keypointrcnn_resnet50_fpn_coco.pth sha256 " in found.source.version
    formats.write(found, tmp_path / "video.npz")
    with np.load(tmp_path / "video.npz", allow_pickle=True) as npz:
        assert npz["keypoints"][0][1].shape == (found.people_per_frame[0], 4, 17)
    sure = create("keypoint-rcnn", KeypointRCNNOptions(weights, min_score=1.0))
    assert not sure.detect(frames, camera="cam01", image_size_px=(320, 240)).present.any()


def test_the_command_line(weights, tmp_path, monkeypatch, capsys):
    import av

    from gonio.cli import main

    with av.open(str(tmp_path / "video.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for seed in range(2):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(seed), "rgb24")))
        container.mux(stream.encode())
    output = tmp_path / "video.npz"
    line = ["gonio", "detect", str(tmp_path / "video.mp4"), "--detector", "keypoint-rcnn", "--weights", str(weights)]
    monkeypatch.setattr("sys.argv", [*line, "-o", str(output)])
    main()
    with np.load(output, allow_pickle=True, encoding="latin1") as npz:
        assert npz["metadata"].item() == {"w": 320, "h": 240}
        everybody = [len(frame[1]) for frame in npz["boxes"]]
    assert formats.read(output).people_per_frame.tolist() == everybody
    assert f"wrote {output}" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", [*line, "--people", "1", "-o", str(output)])
    main()
    with np.load(output, allow_pickle=True, encoding="latin1") as npz:
        one = [len(frame[1]) for frame in npz["keypoints"]]
    assert max(one) == 1
    assert len(one) == 2


class Bomb:
    def __reduce__(self):
        return (print, ("executed",))


def test_files_that_are_no_weights(tmp_path, state, capsys):
    def refused(name: str) -> str:
        with pytest.raises(InputError) as error:
            load_network(tmp_path / name)
        assert str(tmp_path / name) in str(error.value)
        return str(error.value)

    refused("gone.pth")
    (tmp_path / "model_final.pkl").write_bytes(pickle.dumps({"blobs": {}}, protocol=2))
    assert keypoint_rcnn.WEIGHTS_URL in refused("model_final.pkl")
    assert ".pkl" in refused("model_final.pkl")
    (tmp_path / "text.pth").write_text("not weights")
    assert "damaged" in refused("text.pth")
    torch.save({"bomb": Bomb()}, tmp_path / "bomb.pth")
    refused("bomb.pth")
    assert "executed" not in capsys.readouterr().out
    torch.save([1, 2], tmp_path / "list.pth")
    assert "tensors" in refused("list.pth")
    less = {name: tensor for name, tensor in state.items() if not name.startswith("roi_heads.keypoint_head")}
    torch.save(less, tmp_path / "boxes.pth")
    assert " 16 of " in refused("boxes.pth")
    other = state | {"roi_heads.box_predictor.cls_score.bias": torch.zeros(91)}
    torch.save(other, tmp_path / "coco.pth")
    message = refused("coco.pth")
    assert all(value in message for value in ("cls_score.bias", "(91,)", "(2,)"))


def test_weights_of_a_network_with_live_statistics_are_taken(state, tmp_path):
    """Such as one trained anew: its counters of batches say nothing here."""
    more = state | {"backbone.body.bn1.num_batches_tracked": torch.tensor(7)}
    torch.save(more, tmp_path / "own.pth")
    assert len(load_network(tmp_path / "own.pth")(picture())) > 3


def test_torchvisions_own_weights_come_from_its_hub(state, monkeypatch, tmp_path):
    asked = {}

    def served(url, **options):
        asked.update(options, url=url)
        return state

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", served)
    assert len(load_network(None)(picture())) > 3
    assert asked["url"] == keypoint_rcnn.WEIGHTS_URL
    assert asked["weights_only"] and asked["check_hash"]

    def unreachable(url, **options):
        raise URLError("no route")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", unreachable)
    with pytest.raises(AssetError, match=r"pytorch\.org.*--weights"):
        load_network(None)
