"""Values as TOML, which the standard library reads back."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gonio.core.settings import to_toml, to_toml_key

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
PLAIN = st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False, allow_infinity=False) | TEXT


@given(st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=4), max_leaves=12), TEXT)
def test_values_and_keys_are_read_back(value: object, name: str) -> None:
    line = f"{to_toml_key(name)} = {to_toml(value)}"
    assert tomllib.loads(line) == {name: value}


def test_a_path_is_relative_to_the_folder(tmp_path: Path) -> None:
    assert to_toml(tmp_path / "a" / "left.mp4", tmp_path) == '"a/left.mp4"'
    assert to_toml(tmp_path / "left.mp4", tmp_path / "a") == '"../left.mp4"'


@pytest.mark.parametrize(("name", "key"), [("left_1", "left_1"), ("left knee", '"left knee"'), ("", '""')])
def test_only_odd_names_are_quoted(name: str, key: str) -> None:
    assert to_toml_key(name) == key
