"""NetCDF in movement's vocabulary: there and back, another program's, and damaged files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import COCO_17, H36M_17
from gonio.io import formats, netcdf

xr = pytest.importorskip("xarray")


def sequence(n_dims: int = 3) -> PoseSequence:
    rng = np.random.default_rng(0)
    positions = rng.normal(0, 0.5, (5, 17, n_dims))
    positions[1, 4] = np.nan
    missing = np.isnan(positions[..., 0])
    return PoseSequence(
        positions,
        np.arange(5) / 50 + 1 / 3,
        H36M_17 if n_dims == 3 else COCO_17,
        "m" if n_dims == 3 else "px",
        "world" if n_dims == 3 else "image",
        confidence=np.where(missing, 0, rng.uniform(0, 1, missing.shape)),
    )


@pytest.mark.parametrize("n_dims", [2, 3])
def test_there_and_back(tmp_path: Path, n_dims: int) -> None:
    before = sequence(n_dims)
    lost = formats.write(before, tmp_path / "x.nc")
    assert len(lost) == 1
    assert before.frame in lost[0]
    after = formats.read(tmp_path / "x.nc")
    assert isinstance(after, PoseSequence)
    assert after.skeleton == before.skeleton
    for name in ("positions", "times_s", "confidence", "status"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))


def test_xarray_opens_it(tmp_path: Path) -> None:
    formats.write(sequence(), tmp_path / "x.nc")
    with xr.open_dataset(tmp_path / "x.nc") as data:
        assert data["position"].dims == ("time", "space", "keypoint", "individual")
        np.testing.assert_array_equal(
            data["position"].sel(keypoint="left_knee", individual="individual_0"), sequence()["left_knee"]
        )
        assert (data.attrs["ds_type"], data.attrs["time_unit"]) == ("poses", "seconds")


def other(**attributes: Any) -> Any:
    """Two individuals in the older vocabulary, in frames."""
    positions = np.random.default_rng(2).uniform(0, 400, (4, 2, 17, 2))
    names = {"keypoints": list(COCO_17.joints), "individuals": ["a", "b"], "space": ["x", "y"], "time": np.arange(4)}
    variables = {"position": (("time", "space", "keypoints", "individuals"), positions)}
    return xr.Dataset(variables, names, {"time_unit": "frames"} | attributes)


def test_several_individuals_of_another_program(tmp_path: Path) -> None:
    other().to_netcdf(tmp_path / "x.nc", engine="scipy")
    people = formats.read(tmp_path / "x.nc", rate_hz=20.0)
    assert isinstance(people, dict)
    assert list(people) == ["a", "b"]
    np.testing.assert_allclose(people["b"].times_s, [0, 0.05, 0.1, 0.15])
    np.testing.assert_array_equal(people["b"]["nose"], other()["position"].values[:, :, 0, 1])


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (other(), "--fps"),
        (other(time_unit="seconds", space_unit="ell"), "2D.* ell"),
        (other().drop_vars("position"), "position"),
        (other().isel(individuals=0, drop=True), "position"),
        (other(time_unit="seconds").isel(time=[0, 1, 1]), "increase"),
        (other(time_unit="seconds") * np.inf, "infinite"),
    ],
)
def test_other_content(tmp_path: Path, data: Any, match: str) -> None:
    if "infinite" in match:
        data.attrs["time_unit"] = "seconds"
    data.to_netcdf(tmp_path / "x.nc", engine="scipy")
    with pytest.raises(InputError, match=match) as raised:
        netcdf.read(tmp_path / "x.nc")
    assert str(raised.value).startswith(f"{tmp_path / 'x.nc'}: ")


@pytest.mark.parametrize("content", [b"CDF\x01", b"CDF\x01" + bytes(30), b"\x89HDF\r\n\x1a\n", b"hello"])
def test_damaged_files(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.nc").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.nc: ") as raised:
        formats.read(tmp_path / "x.nc")
    assert "\n" not in str(raised.value)


def test_cut_files(tmp_path: Path) -> None:
    formats.write(sequence(), tmp_path / "x.nc")
    content = (tmp_path / "x.nc").read_bytes()
    (tmp_path / "y.nc").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"y\.nc"):
        netcdf.read(tmp_path / "y.nc")
