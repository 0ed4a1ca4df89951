import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pytest

from gonio.core.errors import InputError
from gonio.lifting.architecture import Architecture
from gonio.lifting.checkpoints import Weights, read, write

SMALL = Architecture((3, 5), in_joints=4, out_joints=6, channels=8)
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


@pytest.fixture(params=[False, True], ids=["older", "newer"])
def layout(request):
    return {"_use_new_zipfile_serialization": request.param}


def published(weights, torch):
    """The dict that the published training saves: optimiser and numpy's random state too."""

    def state(part):
        from gonio.training.network import model_of

        return model_of(part).state_dict()

    network = state(weights)
    parameter = torch.nn.Parameter(network["shrink.weight"].clone())
    optimizer = torch.optim.Adam([parameter], amsgrad=True)
    parameter.sum().backward()
    optimizer.step()
    return {
        "epoch": 80,
        "lr": 0.001 * 0.95**80,
        "random_state": np.random.RandomState(1234),
        "optimizer": optimizer.state_dict(),
        "model_pos": network,
        "model_traj": None if weights.trajectory is None else state(weights.trajectory),
        "random_state_semi": np.random.RandomState(5),
    }


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="these files are made with torch: pip install gonio[train]")


def same(a, b):
    return a.arrays.keys() == b.arrays.keys() and all(np.array_equal(a.arrays[n], b.arrays[n]) for n in a.arrays)


@pytest.mark.parametrize("trajectory", [False, True])
def test_published_checkpoint(trajectory, layout, torch, weights_like, tmp_path):
    weights = weights_like(SMALL, trajectory=trajectory)
    torch.save(published(weights, torch), tmp_path / "epoch_80.bin", **layout)
    found = read(tmp_path / "epoch_80.bin")
    assert found.architecture == SMALL
    assert same(found, weights)
    assert found.metadata == {"epoch": 80, "lr": 0.001 * 0.95**80}
    assert (found.trajectory is not None) == trajectory
    if trajectory:
        assert found.trajectory.architecture == replace(SMALL, out_joints=1)
        assert same(found.trajectory, weights.trajectory)
    assert read(tmp_path / "epoch_80.bin", causal=True).architecture.causal
    assert read(tmp_path / "epoch_80.bin", in_features=4).architecture.in_joints == 2


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_precisions(dtype, layout, torch, weights_like, tmp_path):
    weights = weights_like(SMALL)
    checkpoint = published(weights, torch)
    kept = {n: v.to(getattr(torch, dtype)) for n, v in checkpoint["model_pos"].items() if "num" not in n}
    checkpoint["model_pos"] = OrderedDict(kept)
    torch.save(checkpoint, tmp_path / "a.bin", **layout)
    found = read(tmp_path / "a.bin")
    for name, tensor in kept.items():
        np.testing.assert_array_equal(found.arrays[name], tensor.float().numpy())


def test_tensors_that_are_views(layout, torch, weights_like, tmp_path):
    weights = weights_like(SMALL)
    checkpoint = published(weights, torch)
    state = checkpoint["model_pos"]
    wide = torch.zeros(2, *state["expand_conv.weight"].shape)
    wide[1] = state["expand_conv.weight"]
    state["expand_conv.weight"] = torch.nn.Parameter(wide[1])  # begins inside its storage
    turned = state["layers_conv.1.weight"].transpose(0, 1).contiguous()
    state["layers_conv.1.weight"] = turned.transpose(0, 1)  # other strides
    state["expand_bn.bias"] = state["expand_bn.weight"]  # shares its storage
    torch.save(checkpoint, tmp_path / "a.bin", **layout)
    found = read(tmp_path / "a.bin")
    np.testing.assert_array_equal(found.arrays["expand_conv.weight"], weights.arrays["expand_conv.weight"])
    np.testing.assert_array_equal(found.arrays["layers_conv.1.weight"], weights.arrays["layers_conv.1.weight"])
    np.testing.assert_array_equal(found.arrays["expand_bn.bias"], weights.arrays["expand_bn.weight"])


def test_torch_is_not_needed(layout, torch, weights_like, tmp_path):
    torch.save(published(weights_like(SMALL), torch), tmp_path / "a.bin", **layout)
    code = (
        "import sys; from pathlib import Path; from gonio.lifting.checkpoints import read, write;"
        "from gonio.lifting import prediction;"
        f"w = read(Path({str(tmp_path / 'a.bin')!r})); write(w, Path({str(tmp_path / 'b.safetensors')!r}));"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'torch', 'scipy', 'cv2'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


class Runs:
    """Pickled as a call."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def older(checkpoint, protocol=2):
    """The older layout, by hand."""
    stream = io.BytesIO()
    for item in (MAGIC, PROTOCOL, {"protocol_version": 1001, "little_endian": True}, checkpoint, []):
        pickle.dump(item, stream, protocol=protocol)
    return stream.getvalue()


def newer(checkpoint):
    """The newer layout, by hand."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(checkpoint, protocol=2))
        archive.writestr("archive/version", "3\n")
    return stream.getvalue()


@pytest.mark.parametrize("file", [older, newer])
@pytest.mark.parametrize("where", ["whole", "beside", "inside"])
@pytest.mark.parametrize("kind", ["system", "eval", "exec", "popen", "open", "import", "getattr"])
def test_nothing_in_a_pickle_is_executed(kind, where, file, tmp_path):
    trace = tmp_path / "trace"
    attack = {
        "system": Runs(os.system, f"touch {trace}"),
        "eval": Runs(eval, f"open({str(trace)!r}, 'w')"),
        "exec": Runs(exec, f"open({str(trace)!r}, 'w')"),
        "popen": Runs(subprocess.Popen, ["touch", str(trace)]),
        "open": Runs(open, str(trace), "w"),
        "import": Runs(__import__, "antigravity"),
        "getattr": Runs(getattr, Runs(__import__, "os"), "abort"),
    }[kind]
    checkpoint = {
        "whole": attack,
        "beside": {"model_pos": {}, "random_state": attack},
        "inside": {"model_pos": OrderedDict({"expand_conv.weight": attack})},
    }[where]
    (tmp_path / "a.bin").write_bytes(file(checkpoint))
    with pytest.raises(InputError, match=r"a\.bin") as caught:
        read(tmp_path / "a.bin")
    assert "\n" not in str(caught.value)
    assert not trace.exists()
    assert "antigravity" not in sys.modules


def test_allowed_names_cannot_be_misused(tmp_path):
    """States set on the classes and functions that stand for the allowed names, and names with dots."""
    import gonio.lifting.checkpoints as module

    before = {name: dict(vars(v)) for name, v in vars(module).items() if isinstance(v, type)}
    for target in (b"ccollections\nOrderedDict\n", b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch\nFloatStorage\n"):
        for state in (b"(N(dV__call__\nI1\nst", b"(dV__setstate__\nI1\ns"):
            raw = b"\x80\x02" + target + state + b"b."
            stream = io.BytesIO()
            with zipfile.ZipFile(stream, "w") as archive:
                archive.writestr("a/data.pkl", raw)
            (tmp_path / "a.bin").write_bytes(stream.getvalue())
            with pytest.raises(InputError):
                read(tmp_path / "a.bin")
    assert before == {name: dict(vars(v)) for name, v in vars(module).items() if isinstance(v, type)}
    (tmp_path / "b.bin").write_bytes(newer({}).replace(b"data.pkl", b"data.pkx"))
    with pytest.raises(InputError, match=r"data\.pkl"):
        read(tmp_path / "b.bin")


@pytest.mark.parametrize(
    "claim",
    [
        b"Nr\xff\xff\xff\x1f",  # the C unpickler would take 8 GB for this
        b"B\xff\xff\xff\xff",
        b"\x8e\xff\xff\xff\xff\xff\x00\x00\x00",
        b"\x96\xff\xff\xff\xff\x0f\x00\x00\x00",
        b"\x95\xff\xff\xff\xff\xff\x00\x00\x00",
        b"\x82\x01",
    ],
)
def test_claims_of_size_take_no_memory(claim, tmp_path):
    import resource

    head = older({})[: older({}).rindex(b"\x80\x02}")]  # up to the dict
    (tmp_path / "a.bin").write_bytes(head + b"\x80\x02" + claim + b".")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=r"a\.bin"):
        read(tmp_path / "a.bin")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10  # kB


def test_numpy_objects_are_not_rebuilt(weights_like, tmp_path):
    """A pickled numpy array names numpy's own functions; they are not called."""
    (tmp_path / "a.bin").write_bytes(newer({"model_pos": {"expand_conv.weight": np.zeros((8, 8, 3))}}))
    with pytest.raises(InputError, match=r"expand_conv.weight.*tensor"):
        read(tmp_path / "a.bin")


def test_truncated_anywhere(layout, torch, weights_like, tmp_path):
    torch.save(published(weights_like(SMALL), torch), tmp_path / "whole.bin", **layout)
    whole = (tmp_path / "whole.bin").read_bytes()
    for length in np.linspace(0, len(whole) - 1, 80).astype(int):
        (tmp_path / "part.bin").write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"part\.bin") as caught:
            read(tmp_path / "part.bin")
        assert "\n" not in str(caught.value)


def test_changed_bytes_give_weights_or_one_line(layout, torch, weights_like, tmp_path):
    torch.save(published(weights_like(SMALL), torch), tmp_path / "whole.bin", **layout)
    whole = (tmp_path / "whole.bin").read_bytes()
    rng = np.random.default_rng(3)
    for _ in range(300):
        changed = bytearray(whole)
        for place in rng.integers(0, len(whole) if rng.random() < 0.5 else 4000, 3):
            changed[place] = rng.integers(256)
        (tmp_path / "changed.bin").write_bytes(changed)
        try:
            assert isinstance(read(tmp_path / "changed.bin"), Weights)
        except InputError as error:
            assert "changed.bin" in str(error) and "\n" not in str(error)


def tensor_pickle(shape, strides, offset=0, size=4):
    """data.pkl of one tensor with arbitrary geometry, over a storage of `size` numbers."""
    import torch

    class Pickler(pickle.Pickler):
        def persistent_id(self, item):
            return ("storage", torch.FloatStorage, "0", "cpu", size) if item == "STORAGE" else None

    stream = io.BytesIO()
    call = Runs(torch._utils._rebuild_tensor_v2, "STORAGE", offset, shape, strides, False, OrderedDict())
    Pickler(stream, 2).dump({"model_pos": {"expand_conv.weight": call, "shrink.weight": call}})
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr("a/data.pkl", stream.getvalue())
        archive.writestr("a/data/0", b"\0" * 16)
    return raw.getvalue()


@pytest.mark.parametrize(
    ("shape", "strides", "offset", "size"),
    [
        ((5, 1, 1), (1, 1, 1), 0, 4),  # beyond the storage
        ((2, 1, 1), (1, 1, 1), 3, 4),
        ((1, 1, 1), (1, 1, 1), -1, 4),
        ((2, 1, 1), (-1, 1, 1), 3, 4),
        ((10**12, 1, 1), (0, 1, 1), 0, 4),  # a terabyte out of one number
        ((1, 1), (1, 1, 1), 0, 4),
        ((1, 1, 1), (1, 1, 1), 0, 10**15),  # a storage that is not there
        (("x", 1, 1), (1, 1, 1), 0, 4),
    ],
)
def test_impossible_tensors(shape, strides, offset, size, torch, tmp_path):
    (tmp_path / "a.bin").write_bytes(tensor_pickle(shape, strides, offset, size))
    with pytest.raises(InputError, match=r"a\.bin"):
        read(tmp_path / "a.bin")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "weights"),
        (b"hello, I am a text", "weights"),
        (pickle.dumps({"model_pos": {}}), "weights"),
        (older([1, 2]), "no 'model_pos'"),
        (older({"state_dict": {}, "epoch": 3}), r"'model_pos'.*state_dict"),
        (newer({"model_pos": {"backbone.weight": 3}}), "tensor"),
        (newer({"model_pos": {}}), r"'expand_conv.weight'"),
        (b"PK\x03\x04" + b"\0" * 100, r"damaged.*truncated"),
        (struct.pack("<Q", 60) + b'{"a":' + b" " * 40, r"damaged.*truncated"),
    ],
)
def test_foreign_files(content, message, tmp_path):
    (tmp_path / "foreign.bin").write_bytes(content)
    with pytest.raises(InputError, match=rf"foreign\.bin: .*{message}"):
        read(tmp_path / "foreign.bin")


def test_absent_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "absent.bin")
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path)


def test_other_networks(torch, weights_like, tmp_path):
    def refused(message, **changes):
        state = dict(published(weights_like(SMALL), torch)["model_pos"])
        for name, value in changes.items():
            state[name.replace("__", ".")] = value
        state = {name: value for name, value in state.items() if value is not None}
        torch.save({"model_pos": state}, tmp_path / "a.bin")
        with pytest.raises(InputError, match=rf"a\.bin: model_pos: .*{message}"):
            read(tmp_path / "a.bin")

    refused("'layers_bn.1.bias' is missing", layers_bn__1__bias=None)
    refused("'extra' is not part of it", extra=torch.zeros(3))
    refused(r"'shrink.bias' has shape \(17,\), not \(18,\)", shrink__bias=torch.zeros(17))
    refused("filter widths", expand_conv__weight=torch.zeros(8, 8, 4))
    refused("7 numbers per frame, not a multiple of 2", expand_conv__weight=torch.zeros(8, 7, 3))
    refused("17 numbers per frame, not a multiple of 3", shrink__weight=torch.zeros(17, 8, 1))
    refused("has 3 dimensions there", expand_conv__weight=torch.zeros(8, 8))
    refused("not finite", shrink__bias=torch.full((18,), float("nan")))
    refused("negative variances", expand_bn__running_var=-torch.ones(8))


def test_own_file_there_and_back(weights_like, tmp_path):
    weights = weights_like(replace(SMALL, causal=True, in_features=2, dense=False), trajectory=True)
    weights = replace(weights, metadata={"skeleton_in": "coco-17", "recipe": {"seed": 3, "steps": [1, 2]}})
    write(weights, tmp_path / "w.safetensors")
    found = read(tmp_path / "w.safetensors")
    assert (found.architecture, found.metadata) == (weights.architecture, weights.metadata)
    assert found.trajectory.architecture == weights.trajectory.architecture
    for name, array in weights.arrays.items():
        stored = array.astype(np.float16) if array.ndim > 1 else array
        np.testing.assert_array_equal(found.arrays[name], stored.astype(np.float32))
        assert not found.arrays[name].flags.writeable
    write(found, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "w.safetensors").read_bytes()
    assert (tmp_path / "w.safetensors").stat().st_size < 2.2 * (weights.architecture.parameters * 2 + 3000)


def test_half_precision_changes_joints_little(weights_like, tmp_path):
    from gonio.lifting.prediction import predict

    weights = weights_like(Architecture((3, 3, 3), channels=64))
    write(weights, tmp_path / "w.safetensors")
    x = np.random.default_rng(0).normal(0, 0.5, (1, 50, 17, 2)).astype(np.float32)
    joints = predict(weights, x)
    assert np.abs(predict(read(tmp_path / "w.safetensors"), x) - joints).max() < 2e-3 * np.abs(joints).max()


def test_declarations_must_agree_with_an_own_file(weights_like, tmp_path):
    write(weights_like(replace(SMALL, causal=True)), tmp_path / "w.safetensors")
    assert read(tmp_path / "w.safetensors", causal=True, in_features=2).architecture.causal
    with pytest.raises(InputError, match=r"causal = True.*False"):
        read(tmp_path / "w.safetensors", causal=False)
    with pytest.raises(InputError, match=r"in_features = 2.*3"):
        read(tmp_path / "w.safetensors", in_features=3)


def test_own_file_damaged(weights_like, tmp_path):
    from safetensors.numpy import load, save

    path = tmp_path / "w.safetensors"
    write(weights_like(SMALL), path)
    whole = path.read_bytes()
    for length in np.linspace(0, len(whole) - 1, 40).astype(int):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"w\.safetensors"):
            read(path)
    arrays = load(whole)
    size = struct.unpack("<Q", whole[:8])[0]
    text = json.loads(whole[8 : 8 + size])["__metadata__"]["gonio"]
    about = json.loads(text)
    for changed, message in (
        (None, "program"),
        ("no json", "cannot be read"),
        ("[1]", "cannot be read"),
        (json.dumps(about | {"gonio_weights": 2}), "version 2"),
        (json.dumps({"gonio_weights": 1}), "cannot be read"),
        (text.replace('"channels": 8', '"channels": 9'), "shape"),
        (text.replace('"channels": 8', '"channels": "8"'), "cannot be read"),
        (text.replace('"channels"', '"chanels"'), "cannot be read"),
    ):
        path.write_bytes(save(arrays, None if changed is None else {"gonio": changed}))
        with pytest.raises(InputError, match=rf"w\.safetensors: .*{message}"):
            read(path)


def test_weights_that_cannot_be_written(weights_like, tmp_path):
    weights = weights_like(SMALL)
    large = dict(weights.arrays) | {"shrink.weight": np.full((18, 8, 1), 1e5)}
    with pytest.raises(InputError, match="half"):
        write(replace(weights, arrays=large), tmp_path / "w.safetensors")
    with pytest.raises(InputError, match="JSON"):
        write(replace(weights, metadata={"when": object()}), tmp_path / "w.safetensors")
    assert not list(tmp_path.iterdir())
