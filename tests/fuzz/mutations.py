"""Damage to files, seeded: the same seed and index give the same bytes.

Anywhere: arbitrary bytes, cuts, bits turned over, pieces taken out, put in, repeated. In text: other numbers, lines
exchanged, repeated, lost, other encodings. In JSON: values replaced in its tree, deep nesting. In zips: members lost,
renamed, exchanged; headers of arrays that claim huge shapes or objects; pickles that call functions. In pickles:
opcodes that name functions, claim sizes, or nest.
"""

from __future__ import annotations

import copy
import io
import json
import pickle
import pickletools
import re
import struct
import warnings
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Random = np.random.Generator

CANARY = "gonio_fuzz_canary"
"""A module that no file may cause to be imported."""

_NUMBER = re.compile(rb"-?\d+\.?\d*(?:[eE][-+]?\d+)?")
_NUMBERS = (
    b"nan",
    b"NaN",
    b"inf",
    b"-Infinity",
    b"1e309",
    b"-1e309",
    b"1e308",
    b"1e-320",
    b"-1",
    b"0",
    b"-0.0",
    b"1e20",
    b"9223372036854775807",
    b"9223372036854775808",
    b"4294967296",
    b"65536",
    b"9" * 400,
    b"1" + b"0" * 5000,
    b"0x10",
    b"1_000",
    b"1,5",
    b"",
    b"true",
    b"null",
    b"\xd9\xa3",
    b"1e",
    b"--1",
    b'"1"',
    b"[1]",
    b"1e5",
    b"0.5",
    b"3",
    b"2",
)
_WORDS = (
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\n",
    b"\r",
    b"\t",
    b",",
    b";",
    b'"',
    b"'",
    b"[",
    b"{",
    b"}",
    b"#",
    b"\\",
    b"%",
    b"..",
    b"/",
)
_ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    [],
    {},
    "",
    "x",
    "\0",
    "\ud800",
    -1,
    0,
    1,
    2,
    10**400,
    2**63,
    1e308,
    -1e308,
    float("nan"),
    float("inf"),
    5e-324,
    [[]],
    [None],
    [[1, 2], [3]],
    ["a"],
    {"a": 1},
    [0, 0, 0],
    "a" * 5000,
    [[[[[[1]]]]]],
    1.5,
    "+y",
    "m",
)


def arbitrary(rng: Random, content: bytes) -> bytes:
    size = int(rng.integers(0, rng.choice([8, 64, 512, 4096])))
    body = rng.bytes(size)
    return content[: int(rng.integers(0, 64))] + body if rng.random() < 0.5 else body


def cut(rng: Random, content: bytes) -> bytes:
    return content[: int(rng.integers(0, len(content) + 1))]


def bits(rng: Random, content: bytes) -> bytes:
    damaged = bytearray(content)
    for _ in range(int(rng.choice([1, 1, 1, 2, 4, 16])) if content else 0):
        damaged[_somewhere(rng, len(damaged))] ^= 1 << int(rng.integers(8))
    return bytes(damaged)


def overwritten(rng: Random, content: bytes) -> bytes:
    damaged = bytearray(content)
    piece = (
        b"\0",
        b"\xff",
        b"\x7f",
        b"\x80",
        b"\xff\xff\xff\xff",
        b"\xff\xff\xff\x7f",
        b"\0\0\0\0",
        b"\0\0\xc0\x7f",
        b"\xff" * 8,
    )
    chosen = piece[int(rng.integers(len(piece)))]
    place = _somewhere(rng, max(len(damaged), 1))
    damaged[place : place + len(chosen)] = chosen
    return bytes(damaged)


def pieces(rng: Random, content: bytes) -> bytes:
    """A piece taken out, repeated, or put elsewhere."""
    start = _somewhere(rng, max(len(content), 1))
    stop = min(len(content), start + int(rng.choice([1, 1, 2, 4, 8, 64, 512])))
    before, piece, after = content[:start], content[start:stop], content[stop:]
    place = _somewhere(rng, max(len(content), 1))
    return (
        before + after,
        before + piece * int(rng.choice([2, 3, 50])) + after,
        before + rng.bytes(int(rng.integers(1, 9))) + piece + after,
        content[:place] + piece + content[place:],
        before + piece[::-1] + after,
    )[int(rng.integers(5))]


def _somewhere(rng: Random, size: int) -> int:
    """A place, more often near the beginning or the end, where headers and indices are."""
    kind = rng.random()
    if kind < 0.3:
        return int(rng.integers(min(size, 128)))
    if kind < 0.5:
        return size - 1 - int(rng.integers(min(size, 128)))
    return int(rng.integers(size))


def numbers(rng: Random, content: bytes) -> bytes:
    found = list(_NUMBER.finditer(content))
    for match in (
        sorted(
            (found[int(i)] for i in rng.integers(len(found), size=int(rng.choice([1, 1, 2, 5])))),
            key=lambda m: -m.start(),
        )
        if found
        else ()
    ):
        content = content[: match.start()] + _NUMBERS[int(rng.integers(len(_NUMBERS)))] + content[match.end() :]
    return content


def columns(rng: Random, content: bytes) -> bytes:
    """Every number replaced by the same one, or all of them larger or smaller."""
    if rng.random() < 0.5:
        other = _NUMBERS[int(rng.integers(len(_NUMBERS)))]
        share = float(rng.choice([0.1, 0.5, 1.0]))
        return _NUMBER.sub(lambda match: other if rng.random() < share else match[0], content)
    power = int(rng.choice([-300, -9, -3, 3, 9, 155, 300]))
    return _NUMBER.sub(lambda match: match[0] if b"e" in match[0] else match[0] + b"e%d" % power, content)


def lines(rng: Random, content: bytes) -> bytes:
    rows = content.split(b"\n")
    one, other = (int(i) for i in rng.integers(len(rows), size=2))
    kind = int(rng.integers(5))
    if kind == 0:
        rows[one], rows[other] = rows[other], rows[one]
    elif kind == 1:
        rows.insert(other, rows[one])
    elif kind == 2:
        del rows[min(one, other) : max(one, other) + 1]
    elif kind == 3:
        rows = rows[: one + 1] * 2 + rows[one + 1 :]
    else:
        words = re.split(rb"([ ,\t=]+)", rows[one])
        del words[int(rng.integers(len(words)))]
        rows[one] = b"".join(words)
    return b"\n".join(rows)


def words(rng: Random, content: bytes) -> bytes:
    place = _somewhere(rng, max(len(content), 1))
    word = _WORDS[int(rng.integers(len(_WORDS)))] * int(rng.choice([1, 1, 1, 3, 1000]))
    return content[:place] + word + content[place + int(rng.integers(2)) :]


def encodings(rng: Random, content: bytes) -> bytes:
    text = content.decode("latin-1")
    kind = int(rng.integers(7))
    if kind == 0:
        return text.encode("utf-16")
    if kind == 1:
        return b"\xef\xbb\xbf" + content
    if kind == 2:
        return content.replace(b"\n", b"\r\n" if rng.random() < 0.5 else b"\r")
    if kind == 3:
        return content.replace(b",", b";").replace(b".", b",")
    if kind == 4:
        return text.upper().encode("utf-8") if rng.random() < 0.5 else text.lower().encode("utf-8")
    if kind == 5:
        return re.sub(
            rb"[A-Za-z]+", lambda m: m[0] if rng.random() < 0.97 else b"\xc3\xa9\xe2\x80\xa8\xc2\x85x", content
        )
    return text.encode("utf-32")


def nested(rng: Random, content: bytes) -> bytes:
    depth = int(rng.choice([50, 600, 3000, 20000]))
    opened, closed = (
        (b"[", b"]"),
        (b'{"a":', b"}"),
        (b"{a=", b"}"),
        (b"<a>", b"</a>"),
        (b"(", b")"),
        (b"{\n", b"}\n"),
    )[int(rng.integers(6))]
    deep = opened * depth + b"1" + (closed * depth if rng.random() < 0.7 else b"")
    match = list(_NUMBER.finditer(content))
    kind = rng.random()
    if kind < 0.6 and match:
        chosen = match[int(rng.integers(len(match)))]
        return content[: chosen.start()] + deep + content[chosen.end() :]
    if kind < 0.8:
        return b"a = " + deep + b"\n" + content
    return deep


def settings(rng: Random, content: bytes) -> bytes:
    """One `key = value` of a TOML file with another value, or another key."""
    rows = content.split(b"\n")
    found = [i for i, row in enumerate(rows) if b"=" in row]
    if not found:
        return words(rng, content)
    at = found[int(rng.integers(len(found)))]
    key, _, value = rows[at].partition(b"=")
    other = rows[found[int(rng.integers(len(found)))]].partition(b"=")
    odd = (
        b"1979-05-27",
        b"[]",
        b"{}",
        b'""',
        b'"\\u0000"',
        b"[[1, 2], [3]]",
        b"true",
        b"inf",
        b"nan",
        b"-1",
        b"0",
        b"10" * 300,
        b"{a = 1}",
        b'["a", 1]',
        b'"../../x"',
        b'"CON"',
        b'"\\n"',
        b"1e308",
        b"0x7fffffffffffffff",
        b"07:32:00",
        b'["{a}{a}{a}{a}"]',
        b'"{subject}{subject}"',
        b'"{"',
        b'"*"',
        other[2],
        b'"' + b"x" * 3000 + b'"',
    )
    kind = rng.random()
    if kind < 0.7:
        rows[at] = key + b"= " + odd[int(rng.integers(len(odd)))]
    elif kind < 0.85:
        rows[at] = other[0] + b"=" + value
    else:
        rows[at] = key.strip() + b"." + other[0].strip() + b" =" + value
    return b"\n".join(rows)


def tree(rng: Random, content: bytes) -> bytes:
    """Values of a JSON tree replaced, lost, exchanged or repeated."""
    try:
        root = json.loads(content)
    except (ValueError, RecursionError):
        return words(rng, content)
    for _ in range(int(rng.choice([1, 1, 1, 2, 4]))):
        root = _changed(rng, root)
    return json.dumps(root).encode()


def _changed(rng: Random, root: Any) -> Any:
    if rng.random() < 0.03:
        return copy.deepcopy(_ODD[int(rng.integers(len(_ODD)))])
    node = root
    while isinstance(node, dict | list) and node:
        keys: Sequence[Any] = list(node) if isinstance(node, dict) else range(len(node))
        key = keys[int(rng.integers(len(keys)))]
        if not isinstance(node[key], dict | list) or not node[key] or rng.random() < 0.25:
            kind = rng.random()
            if kind < 0.6:
                node[key] = copy.deepcopy(_ODD[int(rng.integers(len(_ODD)))])
            elif kind < 0.75:
                del node[key]
            elif kind < 0.85 and isinstance(node, list):
                node.append(copy.deepcopy(node[key]))
            elif isinstance(node, dict):
                node[str(_ODD[int(rng.integers(len(_ODD)))])] = node.pop(key)
            break
        node = node[key]
    return root


# ------------------------------------------------------------------------------------------------------- pickles


class _Calls:
    """Pickled as a call."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


def _named(module: str, name: str, argument: bytes, protocol: int = 0) -> bytes:
    """A pickle that calls module.name(argument), by one of the opcodes that call."""
    said = b"V" + argument + b"\n"
    if protocol == 0:
        return f"c{module}\n{name}\n(".encode() + said + b"tR."
    if protocol == 1:
        return b"(" + said + f"i{module}\n{name}\n.".encode()
    if protocol == 2:
        return b"(" + f"c{module}\n{name}\n".encode() + said + b"o."
    if protocol == 3:
        return f"c{module}\n{name}\n(".encode() + said + b"t\x81."
    return (
        b"\x80\x04\x8c"
        + bytes([len(module)])
        + module.encode()
        + b"\x8c"
        + bytes([len(name)])
        + name.encode()
        + b"\x93("
        + said
        + b"tR."
    )


_FUNCTIONS = (
    ("os", "system"),
    ("posix", "system"),
    ("builtins", "eval"),
    ("builtins", "exec"),
    ("__builtin__", "eval"),
    ("subprocess", "Popen"),
    ("builtins", "__import__"),
    (CANARY, "run"),
    ("builtins", "open"),
    ("pathlib", "Path"),
    ("numpy", "load"),
    ("numpy", "fromfile"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("builtins", "bytes"),
    ("builtins", "list"),
    ("builtins", "dict"),
    ("builtins", "getattr"),
    ("torch", "load"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("collections", "OrderedDict"),
    ("_codecs", "encode"),
    ("builtins", "bytearray"),
    ("codecs", "open"),
    ("shutil", "rmtree"),
    ("runpy", "_run_code"),
    ("numpy.core.multiarray", "scalar"),
)


def attack(rng: Random) -> bytes:
    """A pickle that calls something, claims a size, or nests."""
    kind = int(rng.integers(8))
    huge = int(rng.choice([2**31 - 1, 2**32 - 1, 10**9, 10**7]))
    if kind <= 2:
        module, name = _FUNCTIONS[int(rng.integers(len(_FUNCTIONS)))]
        word = (b"echo x > fuzzed", b"fuzzed", f"__import__('{CANARY}')".encode(), b"", b"O", b"i4,i4", b"a5", b"f4")[
            int(rng.integers(8))
        ]
        return _named(module, name, word, int(rng.integers(5)))
    if kind == 3:  # a place in the memo, or a size, that is only claimed
        claims = (b"r", b"T", b"X", b"B", b"j", b"\x8b", b"\x96", b"\x8e", b"\x8d", b"\x95")
        code = claims[int(rng.integers(len(claims)))]
        size = struct.pack("<Q", huge << 8) if code in b"\x96\x8e\x8d\x95" else struct.pack("<I", huge)
        return b"\x80\x04]" + code + size + b"a."
    if kind == 4:  # bytes(huge), an array of a huge type
        calls: tuple[Any, ...] = (
            _Calls(bytes, huge),
            _Calls(bytearray, huge),
            _Calls(np.dtype, f"S{huge}"),
            _Calls(np.dtype, f"U{huge}"),
            _Calls(list, range(3)),
        )
        return pickle.dumps({"a": calls[int(rng.integers(len(calls)))]}, int(rng.integers(2, 5)))
    if kind == 5:  # tuples of tuples, whose hash takes twice as long with each
        depth = int(rng.choice([5, 20, 60]))
        grown = b"".join(b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86q" + bytes([i + 1]) for i in range(depth))
        ends = (b"K\x01s.", b"K\x01u.", b"\x90.")[int(rng.integers(2))]
        opened = b"}" if ends[2:3] == b"s" else b"}("
        return b"\x80\x04K\x01q\0" + grown + opened + b"h" + bytes([depth]) + ends
    if kind == 6:
        depth = int(rng.choice([100, 5000, 50000]))
        return (
            b"\x80\x02" + b"]" * depth + b"a" * (depth - 1) + b"."
            if rng.random() < 0.5
            else b"(" * depth + b"t" * depth + b"."
        )
    codes = [code.code.encode("latin-1") for code in pickletools.opcodes]
    return (
        b"\x80\x04"
        + b"".join(
            codes[int(i)] + rng.bytes(int(rng.integers(3)))
            for i in rng.integers(len(codes), size=int(rng.integers(1, 30)))
        )
        + b"."
    )


def pickled(rng: Random, content: bytes) -> bytes:
    """Another pickle, or this one with an attack inside it, or with opcodes exchanged."""
    if rng.random() < 0.6:
        return attack(rng)
    places = list(range(len(content)))
    place = places[int(rng.integers(len(places)))] if places else 0
    if rng.random() < 0.5:
        return content[:place] + attack(rng)[:-1] + content[place:]
    codes = [code.code.encode("latin-1") for code in pickletools.opcodes]
    return content[:place] + codes[int(rng.integers(len(codes)))] + content[place + 1 :]


# --------------------------------------------------------------------------------------------------------- arrays


_TYPES = (
    "<f8",
    "<f4",
    ">f2",
    "<i2",
    "|u1",
    "|b1",
    "|O",
    "<U3",
    "|S0",
    "<c16",
    "<M8[s]",
    "|V8",
    "<f16",
    "i4,i4",
    "|S4000000000",
    "<U1",
    "foo",
)


def header(rng: Random, content: bytes) -> bytes:
    """A .npy array whose header claims something else."""
    if not content.startswith(b"\x93NUMPY") or len(content) < 10:
        return overwritten(rng, content)
    end = 10 + struct.unpack("<H", content[8:10])[0]
    told, numbers_ = content[10:end].decode("latin-1"), content[end:]
    huge = (
        "(4000000000,)",
        "(300000000, 17, 3)",
        "(-1, 17, 3)",
        "(0, 17, 3)",
        "()",
        "(99999999999999999999,)",
        "(1, 1, 1, 1)",
        "(2, 0)",
        "(True,)",
        "(1.5,)",
        "(65536, 65536, 65536, 65536)",
        "(4, 17, 3)",
        "(3,)",
        "(0,)",
    )
    kind = int(rng.integers(5))
    if kind <= 1:
        told = re.sub(r"\([^)]*\)", huge[int(rng.integers(len(huge)))], told, count=1)
    if kind in (1, 2):
        told = re.sub(r"'descr': [^,]*", f"'descr': {_TYPES[int(rng.integers(len(_TYPES)))]!r}", told, count=1)
    if kind == 3:
        return content[:6] + bytes([int(rng.integers(5)), 0]) + content[8:]
    if kind == 4:
        told = (
            told.replace("False", "True"),
            "[" * 3000,
            "{'descr': __import__('os').system('x')}",
            "{" + told,
            told * 3,
        )[int(rng.integers(5))]
    if "|O" in told:
        numbers_ = attack(rng)
    said = told.encode("latin-1")[:65000]
    return content[:8] + struct.pack("<H", len(said)) + said + numbers_


def members(rng: Random, content: bytes) -> bytes:
    """A zip with one of its members lost, renamed, exchanged, damaged, compressed, or there twice."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = [(info.filename, archive.read(info)) for info in archive.infolist()]
    except Exception:  # noqa: BLE001 - what cannot be pickled is told where it is given with a task
        return overwritten(rng, content)
    if not parts:
        return overwritten(rng, content)
    at = int(rng.integers(len(parts)))
    name, body = parts[at]
    compression = zipfile.ZIP_DEFLATED if rng.random() < 0.1 else zipfile.ZIP_STORED
    kind = int(rng.integers(9))
    if kind == 0:
        del parts[at]
    elif kind == 1:
        parts[at] = (
            (name + "x", "", "../" + name, "/abs", "0/" + name, name.upper(), "é.npy")[int(rng.integers(7))] or "x",
            body,
        )
    elif kind == 2:
        parts[at] = (name, parts[int(rng.integers(len(parts)))][1])
    elif kind <= 5:
        parts[at] = (
            name,
            header(rng, body)
            if name.endswith(".npy")
            else pickled(rng, body)
            if name.endswith(".pkl")
            else tree(rng, body),
        )
    elif kind == 6:
        parts[at] = (name, inner(rng, body))
    elif kind == 7:
        parts.append((f"{name}{at}", body))
    else:
        end = 10 + struct.unpack("<H", body[8:10])[0] if body.startswith(b"\x93NUMPY") and len(body) > 10 else 0
        if b"|O" in body[:end]:
            parts[at] = (name, body[:end] + pickled(rng, body[end:]))
        else:
            parts[at] = (name, cut(rng, body) + body[-32:])
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name may be there twice
        for part, data in parts:
            archive.writestr(part, data)
    return stream.getvalue()


def inner(rng: Random, content: bytes) -> bytes:
    return (bits, overwritten, pieces, numbers)[int(rng.integers(4))](rng, content)


_ANYWHERE = (arbitrary, cut, bits, bits, overwritten, pieces)
_TEXT = (numbers, numbers, columns, lines, lines, words, encodings)


def kinds_for(name: str, content: bytes) -> tuple[Callable[[Random, bytes], bytes], ...]:
    """What can be done to a file of this name and content."""
    if content.startswith(b"PK\x03\x04"):
        return (*_ANYWHERE, *([members] * 8))
    if content.startswith(b"\x93NUMPY"):
        return (*_ANYWHERE, *([header] * 6))
    if name.endswith(".json"):
        return (*_ANYWHERE, *_TEXT, *([tree] * 8), nested)
    if name.endswith((".toml", ".yaml", ".yml")):
        return (*_ANYWHERE, *_TEXT, *([settings] * 8), nested)
    if name.endswith((".bin", ".npz", ".pickle", ".pkl")) and b"\x93NUMPY" not in content[:6]:
        return (*_ANYWHERE, *([pickled] * 8))
    if b"\0" in content:
        return _ANYWHERE
    return (*_ANYWHERE, *_TEXT, *_TEXT, nested)


def damaged(seed: int, index: int, name: str, content: bytes) -> bytes:
    """The `index`-th damage of a file; one in six is damaged twice."""
    rng = np.random.default_rng((seed, index))
    kinds = kinds_for(name, content)
    for _ in range(2 if rng.random() < 0.17 else 1):
        content = kinds[int(rng.integers(len(kinds)))](rng, content)
    return content
