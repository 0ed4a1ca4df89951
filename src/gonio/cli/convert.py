"""Commands for files: convert, and assets (networks and sample trials)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from gonio.cli.console import app, print_not_preserved, print_warnings
from gonio.core.errors import ConfigError

if TYPE_CHECKING:
    pass


@app.command
def convert(
    source: Annotated[Positional[Path], arg(metavar="FROM")],
    target: Annotated[Positional[Path], arg(metavar="TO")],
    layout: str | None = None,
    fps: float | None = None,
    unit: Literal["m", "cm", "mm", "px"] | None = None,
    fps_out: float | None = None,
    mirror: bool = False,
    to_xarray: bool = False,
) -> None:
    """Convert joints from one file format to another; what the target cannot hold is said.

    A target that ends in .mot or .sto gets joint angles, in degrees: those of a .mot or .sto source, or else gonio's
    own (docs/conventions.md), computed from the 3D joints of the source; they are not OpenSim's inverse kinematics.

    Args:
        source: The file or folder to read.
        target: The file or folder to write; its suffix says the format.
        layout: Joint layout, where the source does not tell it.
        fps: Frames per second, where the source does not tell them.
        unit: Unit, where the source does not tell it.
        fps_out: Frames per second of the target, as 30 for the Kinect recorder's .txt; those of the source where not
            given. Interpolated frames are counted.
        mirror: Reflect the positions, names kept: for a 3D recording that is said to be mirrored.
        to_xarray: Write an xarray Dataset in the vocabulary of movement, as NetCDF; the target ends in .nc.
    """
    options = dict(locals())
    from gonio.core.clock import at_rate
    from gonio.core.files import check_writable
    from gonio.core.provenance import provenance_path, write_provenance
    from gonio.core.sequence import PoseSequence
    from gonio.io import formats
    from gonio.io.mirroring import mirror_warning, reflected
    from gonio.kinematics.angles import joint_angles

    for path in (target, provenance_path(target)):
        check_writable(path, [source])
    if to_xarray and target.suffix.lower() != ".nc":
        raise ConfigError(f"{target}: --to-xarray writes NetCDF; give the target the ending .nc")
    if formats.holds_angles(source):
        if extra := [name for name in ("layout", "fps", "unit", "fps_out") if options[name] is not None]:
            raise ConfigError(f"{source}: holds joint angles; --{extra[0].replace('_', '-')} is for positions")
        given = formats.read_angles(source)
        lost = formats.write(given, target)
        write_provenance(target, "convert", options, *given.history, *(f"not kept: {words}" for words in lost))
        print_not_preserved(target, lost)
        return
    item = formats.read(source, layout=layout, rate_hz=fps, unit=unit)
    if isinstance(item, PoseSequence) and item.dimensions == 3:
        item = reflected(item) if mirror else item
        print_warnings(tuple(f"{target if mirror else source}: {words}" for words in mirror_warning(item)))
    elif mirror:
        raise ConfigError(f"{source}: --mirror is for the 3D joints of one person")
    resampled: tuple[str, ...] = ()
    if fps_out is not None:
        if not isinstance(item, PoseSequence):
            raise ConfigError(f"{source}: holds several people or recordings; --fps-out is for one person")
        item = at_rate(item, fps_out)
        resampled = item.history[-1:]
    if formats.holds_angles(target):
        if not isinstance(item, PoseSequence):
            raise ConfigError(f"{source}: holds several people or recordings; angles are written of one person")
        if item.dimensions != 3:
            raise ConfigError(f"{source}: holds 2D joints, and joint angles need 3D: triangulate or lift them first")
        angles = joint_angles(item)
        resampled = (*resampled, f"gonio's own {angles.history[-1]}")
        lost, history = formats.write(angles, target), angles.history
    else:
        lost, history = formats.write(item, target), () if isinstance(item, dict) else item.history
    write_provenance(target, "convert", options, *history, *(f"not kept: {sentence}" for sentence in lost))
    print_not_preserved(target, (*resampled, *lost))


@app.command
def assets(
    action: Annotated[Positional[Literal["list", "fetch", "import"]], arg(metavar="list|fetch|import")] = "list",
    names: Annotated[Positional[tuple[str, ...]], arg(metavar="NAMES")] = (),
) -> None:
    """List or fetch model weights and the sample trial, for work without a network later; import OpenPose's weights.

    Args:
        action: list them, fetch them into the cache, or import weights that you have, as in "gonio assets import
            openpose pose_iter_584000.caffemodel".
        names: Which ones; all where none is named. After import: openpose, and the files.
    """
    from gonio.core.downloads import cache_folder, checksums, is_cached
    from gonio.detection import weights as store
    from gonio.trials.samples import ASSETS, fetch_asset

    if action == "import":
        _import(names)
        return
    known = [*ASSETS, *store.IMPORTABLE]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(f"no asset is called {unknown[0]!r}; there are {', '.join(known)}")
    if action == "fetch":
        for name in set(names) & set(store.IMPORTABLE):
            fetch_asset(name)  # cannot be fetched: says how to import it
    for name, asset in ASSETS.items():
        if names and name not in names:
            continue
        if action == "fetch":
            fetch_asset(name)
        size = sum(file.size_bytes for file in asset.files) / 1e6
        state = "cached" if is_cached(asset) else "damaged" if checksums(asset) else "not fetched"
        print(f"{name:20} {size:6.1f} MB  {state:12} {asset.licence:14} {asset.description}")
    for name, network in store.IMPORTABLE.items():
        state, size_bytes = store.import_state(name)
        if action == "list" and (not names or name in names):
            origin = ", ".join(store.checksums(name)) or f"your own {network.original}"
            told = f"{network.description}, from {origin}"
            print(f"{name:20} {size_bytes / 1e6:6.1f} MB  {state:12} {network.licence:14} {told}")
    print(f"cache: {cache_folder()}")


def _import(names: tuple[str, ...]) -> None:
    from gonio.detection.openpose.weights_import import import_weights

    if not names or names[0] != "openpose":
        found = f", not {names[0]}" if names else ""
        raise ConfigError(
            f"weights are imported of openpose{found}, as in gonio assets import openpose pose_iter_584000.caffemodel"
        )
    if len(names) < 2:
        raise ConfigError("name the file too, as in gonio assets import openpose pose_iter_584000.caffemodel")
    for file in map(Path, names[1:]):
        done = import_weights(file)
        option = "" if done.architecture.layout == "body-25" else f" --layout {done.architecture.layout}"
        print(f"{file}: OpenPose's {done.architecture.name}, {done.parameters:,} weights")
        print(f"wrote {done.file}; use it with --detector openpose{option}")
