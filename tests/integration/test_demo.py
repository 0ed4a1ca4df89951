"""The demo on real video: what it must hold, measured on what it wrote."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import gonio as api
from gonio.cli.console import DISCLAIMER
from gonio.core import downloads
from gonio.core.errors import AssetError
from gonio.core.sequence import EVALUATION_JOINTS
from gonio.detection import weights as assets
from gonio.io import video
from gonio.trials.samples import fetch_asset

pytestmark = pytest.mark.network

CAMERAS = ("cam01", "cam02", "cam03", "cam04")
PAIRS = ("stereo-cam01-cam02", "stereo-cam03-cam04")
SINGLE = tuple(f"{kind}-{camera}" for kind in ("blazepose-world", "lifting") for camera in CAMERAS)
ESTIMATES = (*PAIRS, *SINGLE)


@pytest.fixture(scope="module")
def demo(run, tmp_path_factory) -> Path:
    try:
        for asset in ("demo-balancing", "blazepose-heavy", "blazepose-detector"):
            fetch_asset(asset, progress=False)
    except AssetError as error:
        pytest.skip(f"the demo's videos or weights cannot be had here: {error}")
    folder = tmp_path_factory.mktemp("demo")
    done = run("demo", "-o", folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert str(folder / "report.html") in done.stdout
    assert DISCLAIMER in done.stdout
    return folder


@pytest.fixture(scope="module")
def multiview(demo) -> api.PoseSequence:
    sequence = api.read(demo / "sequences" / "multiview.npz")
    assert isinstance(sequence, api.PoseSequence)
    return sequence


@pytest.fixture(scope="module")
def results(demo) -> dict:
    return json.loads((demo / "results.json").read_text())


def test_every_joint_from_shoulders_to_ankles_is_there(multiview):
    part = multiview.select(EVALUATION_JOINTS)
    assert len(part) >= 95
    assert part.valid.mean(axis=0).min() >= 0.95


def test_the_cameras_agree(demo, results):
    """Over all cameras and the twelve joints the median reprojection error is 10 px or less at 1080x1920."""
    provenance = json.loads((demo / "provenance.json").read_text())
    assert provenance["methods"]["multiview"]["reprojection_px"]["median"] <= 10
    medians = [results["cameras"][name]["reprojection_px_median"] for name in CAMERAS]
    assert 2 < min(medians) < max(medians) <= 15


def test_bones_keep_their_length(multiview):
    """Thigh and shank vary by about 5 % over time, and are as long as a person's."""
    for side in ("left", "right"):
        for upper, lower in (("hip", "knee"), ("knee", "ankle")):
            length_m = np.linalg.norm(multiview[f"{side}_{upper}"] - multiview[f"{side}_{lower}"], axis=1)
            assert 0.30 < np.nanmean(length_m) < 0.50
            assert np.nanstd(length_m) / np.nanmean(length_m) < 0.055


def test_results_json_has_what_other_tools_rely_on(results):
    assert set(results["methods"]) == {"multiview", *ESTIMATES}
    for name in ESTIMATES:
        method = results["methods"][name]
        assert method["n_frames"] >= 80
        for key in ("root_mpjpe_mm", "n_mpjpe_mm", "pa_mpjpe_mm", "mpjve_mm_per_s"):
            assert method[key] > 0
        assert (method["mpjpe_mm"] is None) == (name in SINGLE)
        assert method["pa_mpjpe_mm"] < method["n_mpjpe_mm"] <= method["root_mpjpe_mm"] + 1e-9
        assert set(method["per_joint"]) == set(EVALUATION_JOINTS)
        for key in ("rmse_deg", "bias_deg", "r", "rom_deg"):
            assert isinstance(method["angles"]["left_knee_flexion"][key], float)
    protocol = results["protocol"]
    assert protocol["reference"] == "multiview"
    assert protocol["filter"] == "none"
    assert protocol["lifting"]["size"] == "assumed"
    assert set(protocol["alignment"]) >= {"mpjpe_mm", "root_mpjpe_mm", "n_mpjpe_mm", "pa_mpjpe_mm"}
    assert protocol["versions"]["gonio"] == api.__version__


def test_more_cameras_are_nearer_to_the_reference_than_one(results):
    errors = {name: results["methods"][name]["root_mpjpe_mm"] for name in ESTIMATES}
    assert max(errors[name] for name in PAIRS) < min(errors[name] for name in SINGLE)


@pytest.mark.parametrize("method", ["multiview", *ESTIMATES])
def test_each_method_is_written_in_every_format(demo, method):
    exact = api.read(demo / "sequences" / f"{method}.npz")
    array = np.load(demo / "sequences" / f"{method}.npy")
    assert array.shape == (len(exact), 17, 3)
    np.testing.assert_allclose(array[:, 5], exact["left_knee"], atol=1e-6)
    table = api.read(demo / "sequences" / f"{method}.csv")
    np.testing.assert_array_equal(table.positions, exact.positions)
    for suffix in (".trc", ".txt"):
        other = api.read(demo / "sequences" / f"{method}{suffix}")
        assert other.up == "+y"
        np.testing.assert_allclose(other["right_wrist"], exact.with_up("+y")["right_wrist"], atol=1e-5)
        np.testing.assert_allclose(other.times_s, exact.times_s, atol=1e-4)


def test_videos_show_every_frame_of_their_camera(demo):
    for name in CAMERAS:
        frames = list(video.frames(demo / "videos" / f"{name}.mp4"))
        assert len(frames) == 100
        np.testing.assert_allclose(np.diff([frame.time_s for frame in frames]), 1 / 60, atol=1e-3)


def test_tables_and_figures_are_there(demo):
    with (demo / "tables" / "methods.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["method"] for row in rows} >= set(ESTIMATES)
    for name in ("error_per_joint", "angle_curves", "trajectories", "skeletons_3d"):
        for suffix in (".png", ".svg"):
            assert (demo / "figures" / (name + suffix)).stat().st_size > 5000


def test_provenance_counts_and_names(demo):
    provenance = json.loads((demo / "provenance.json").read_text())
    assert provenance["configuration"]["cameras"][2]["offset_frames"] == 2
    heavy = assets.CATALOGUE["blazepose-heavy"].files[0]
    assert provenance["weights_sha256"]["blazepose-heavy"][heavy.name] == heavy.sha256
    counts = provenance["methods"]["stereo-cam03-cam04"]
    total = sum(counts["counts"][key] for key in ("missing", "measured", "inferred", "interpolated", "repaired"))
    assert total == counts["counts"]["frames"] * counts["counts"]["joints"]
    excluded = counts["excluded"]["cam03"]
    assert sum(excluded.values()) == total
    assert excluded["below_confidence"] > 0
    assert set(provenance["weights_sha256"]["lifting"]) == {"lifter-coco17-27.safetensors"}
    assert any("1.70 m" in sentence for sentence in provenance["assumptions"])


def test_a_second_run_needs_no_network(demo, monkeypatch):
    """What was fetched is taken from the cache: no download is even tried."""

    def refuse(*_args, **_kwargs):
        raise AssertionError("a download was tried")

    monkeypatch.setattr(downloads, "_fetch_from_package", refuse)
    monkeypatch.setattr("pooch.HTTPDownloader.__call__", refuse)
    for asset in ("demo-balancing", "blazepose-heavy", "blazepose-detector"):
        assert fetch_asset(asset, progress=False).is_dir()


def test_the_page_opens_without_an_error_or_a_request(demo, tmp_path, opened):
    console, requests, shown = opened(tmp_path, demo / "report.html")
    assert console == []
    assert requests == []
    assert shown.std() > 20  # there is something to see
    page = (demo / "report.html").read_text()
    assert "medical" in page
    assert "multiview" in page
