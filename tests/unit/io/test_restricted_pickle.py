"""The restricted unpickler: everything numpy writes comes back, nothing is executed, damage is one line."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gonio.core.errors import InputError
from gonio.io import restricted_pickle

CONTENT: dict[str, Any] = {
    "S1": {"Walk": [np.arange(6, dtype=np.float32).reshape(1, 3, 2), np.asfortranarray(np.eye(3)[:2])]},
    "number": np.float64(2.5),
    "objects": np.array([[], np.zeros((2, 5)), None], dtype=object),
    "words": np.array(["a", "bc"]),
    "big": np.arange(3, dtype=">i4"),
    "plain": ("a", None, True, 1, 2.5, {"x"}, b"bytes"),
    "ordered": OrderedDict(w=1, h=2),
    "empty": np.empty((0, 5)),
}
EXECUTED: list[str] = []


class Malicious:
    def __init__(self, call: Any, *arguments: Any) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> Any:
        return self.call, self.arguments


def npz_of(path: Path, pickled: bytes, shape: tuple[int, ...] = ()) -> Path:
    with zipfile.ZipFile(path, "w") as archive, archive.open("positions_2d.npy", "w") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": shape})
        stream.write(pickled)
    return path


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol(protocol: int) -> None:
    back = restricted_pickle.loads(pickle.dumps(CONTENT, protocol=protocol))
    assert list(back) == list(CONTENT)
    for one, other in zip(back["S1"]["Walk"], CONTENT["S1"]["Walk"], strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    assert back["number"] == 2.5
    assert back["objects"].dtype == object
    assert back["objects"][0] == []
    np.testing.assert_array_equal(back["objects"][1], np.zeros((2, 5)))
    assert back["objects"][2] is None
    assert back["words"].tolist() == ["a", "bc"]
    assert back["big"].tolist() == [0, 1, 2]
    assert back["plain"] == CONTENT["plain"]
    assert back["ordered"] == {"w": 1, "h": 2}
    assert back["empty"].shape == (0, 5)


def test_a_file_of_numpy(tmp_path: Path) -> None:
    np.savez_compressed(
        tmp_path / "x.npz", positions_2d=CONTENT, plain=np.arange(4.0), row=np.asfortranarray(np.eye(3))
    )
    back = restricted_pickle.load_npz(tmp_path / "x.npz")
    assert restricted_pickle.entry_names(tmp_path / "x.npz") == ("positions_2d", "plain", "row")
    assert back["plain"].tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(back["row"], np.eye(3))
    assert isinstance(back["positions_2d"], dict)


def test_a_pickle_of_python_2() -> None:
    written_by_python_2 = (  # {'w': array([1, 2], dtype=int16)}, protocol 0, numpy 1.16
        b"(dp0\nS'w'\np1\ncnumpy.core.multiarray\n_reconstruct\np2\n(cnumpy\nndarray\np3\n(I0\ntp4\nS'b'\np5\ntp6\nRp7\n"
        b"(I1\n(I2\ntp8\ncnumpy\ndtype\np9\n(S'i2'\np10\nI0\nI1\ntp11\nRp12\n(I3\nS'<'\np13\nNNNI-1\nI-1\nI0\ntp14\nb"
        b"I00\nS'\\x01\\x00\\x02\\x00'\np15\ntp16\nbs."
    )
    back = restricted_pickle.loads(written_by_python_2)
    assert back["w"].dtype == np.int16
    assert back["w"].tolist() == [1, 2]


@pytest.mark.parametrize(
    "call",
    [
        Malicious(eval, "EXECUTED.append('eval')"),
        Malicious(exec, "raise SystemExit"),
        Malicious(__import__, "os"),
        Malicious(getattr, "", "join"),
        Malicious(np.load, "x.npy"),
        Malicious(np.lib.format.open_memmap, "y.npy"),
        Malicious(pickle.loads, b"."),
    ],
)
def test_nothing_is_executed(tmp_path: Path, call: Malicious) -> None:
    path = npz_of(tmp_path / "x.npz", pickle.dumps({"a": call}))
    with pytest.raises(InputError, match=r"x\.npz: positions_2d\.npy") as raised:
        restricted_pickle.load_npz(path)
    assert "\n" not in str(raised.value)
    assert not EXECUTED


@pytest.mark.parametrize(
    "pickled",
    [
        pickle.dumps(np.array([(1, None)], dtype=[("a", "i4"), ("b", "O")])),  # a structure with objects
        pickle.dumps(np.array([(1, 2)], dtype=[("a", "i4"), ("b", "i4")])),
        pickle.dumps(np.array(["2020-01-01"], dtype="M8[D]")),
        # An object array whose content is bytes, which numpy would take for addresses.
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I1\ntcnumpy\ndtype\n(S'O8'\nI0\nI1\nt"
        b"R(I3\nS'|'\nNNNI-1\nI-1\nI63\ntbI00\nS'AAAAAAAA'\ntb.",
        # More content announced than there is.
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I9\ntcnumpy\ndtype\n(S'i2'\nI0\nI1\nt"
        b"R(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\nS'\\x01\\x00'\ntb.",
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'O8'\nI0\nI1\ntRS'x'\ntR.",
        b"cnumpy\nndarray\n(I1\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR.",  # an array without content
        b"c_codecs\nencode\n(N(S'__name__'\nS'x'\ndtb.",  # the state of the reader's own function
        b"cnumpy\ndtype\n(N(S'__init__'\nS'x'\ndtb.",
        b"cbuiltins\ndict\n(N(S'get'\nS'x'\ndtb.",
        b"",
        b"(dp0\n",
        pickle.dumps(CONTENT)[:100],
        b"cbuiltins\nbytes\n(I9999999999\ntR.",  # as many bytes
        b"cbuiltins\nset\n(cbuiltins\nlist\n(tRtR(S'x'\ntR.",  # a set is no function
        b"cnumpy\ndtype\n(S'S4000000000'\nI0\nI1\ntR.",
        b"cnumpy\ndtype\n(S'a5'\nI0\nI1\ntR.",  # a name that numpy will not know for long
        b"\x80\x04}r\xff\xff\xff\x7fB\xff\xff\xff\x7f.",  # sizes that are only claimed
        b"\x80\x04K\x01q\x00" + b"".join(b"h%ch%c\x86q%c" % (i, i, i + 1) for i in range(60)) + b"}h\x3cK\x01s.",
    ],
)
def test_malformed_arrays(tmp_path: Path, pickled: bytes) -> None:
    with pytest.raises(InputError, match=r"x\.npz: positions_2d\.npy"):
        restricted_pickle.load_npz(npz_of(tmp_path / "x.npz", pickled))


def test_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, positions_2d=CONTENT)
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"PK\x03\x04", b"hello", whole.replace(b"NUMPY", b"NUMBY")):
        path.write_bytes(content)
        with pytest.raises(InputError, match="damaged"):
            restricted_pickle.load_npz(path)
    with pytest.raises(InputError, match="file"):
        restricted_pickle.load_npz(tmp_path / "absent.npz")
    assert restricted_pickle.entry_names(tmp_path / "absent.npz") == ()


def test_a_list_inside_itself_ends() -> None:
    inside: list[Any] = [1]
    inside.append(inside)
    assert restricted_pickle.loads(pickle.dumps(inside)) == [1, None]


def test_texts_without_letters(tmp_path: Path) -> None:
    few = npz_of(tmp_path / "few.npz", pickle.dumps({"a": np.array(["", ""])}))
    assert restricted_pickle.load_npz(few)["positions_2d"]["a"].tolist() == ["", ""]
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|S0", "fortran_order": False, "shape": (10**9,)})
    with zipfile.ZipFile(tmp_path / "many.npz", "w") as archive:
        archive.writestr("a.npy", stream.getvalue())
    with pytest.raises(InputError, match="content"):
        restricted_pickle.load_npz(tmp_path / "many.npz")
