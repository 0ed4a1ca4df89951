"""The catalogue of everything that can be fetched: weights and sample trials."""

from __future__ import annotations

import pytest

from gonio.core.downloads import find
from gonio.core.errors import ConfigError
from gonio.trials.samples import ASSETS


def test_the_catalogue_names_licence_source_checksum_and_a_second_way_for_every_file():
    assert list(ASSETS) == [
        "blazepose-heavy",
        "blazepose-full",
        "blazepose-lite",
        "blazepose-detector",
        "demo-balancing",
        "two-people",
    ]
    for name, asset in ASSETS.items():
        assert asset.name == name
        assert asset.licence in ("Apache-2.0", "BSD-3-Clause")
        assert asset.source
        for file in asset.files:
            assert all(len(sha) == 64 and int(sha, 16) for sha in file.accepted)
            assert file.url.startswith("https://")
            assert file.fallbacks
            assert file.size_bytes > 0
    assert [file.name for file in ASSETS["demo-balancing"].files] == [
        "cam01.mp4",
        "cam02.mp4",
        "cam03.mp4",
        "cam04.mp4",
        "Calib.qca.txt",
    ]
    clients = {name: {p.client for f in a.files for p, _ in f.fallbacks} for name, a in ASSETS.items()}
    assert clients["blazepose-full"] == clients["blazepose-detector"] == {"npm", "pip"}


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match="'demo-balancing'"):
        find("demo-balance", ASSETS)
