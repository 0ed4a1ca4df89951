"""Commands for files: convert, and assets (networks and sample trials)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gonio.cli.console import print_written
from gonio.cli.parser import Command, Parser, add_switch
from gonio.cli.trial import add_fps_out
from gonio.core.errors import ConfigError


def _convert_options(parser: Parser) -> None:
    inputs = parser.add_argument_group("input")
    inputs.add_argument("source", metavar="FROM", type=Path, help="the file or folder to read")
    inputs.add_argument("--layout", metavar="NAME", help="joint layout, if the source does not state it")
    inputs.add_argument("--fps", type=float, metavar="HZ", help="frames per second, if the source does not state them")
    inputs.add_argument("--unit", choices=("m", "cm", "mm", "px"), help="unit, if the source does not state it")
    output = parser.add_argument_group("output")
    output.add_argument(
        "target", metavar="TO", type=Path, help="the file or folder to write; its ending selects the format"
    )
    add_fps_out(output, "source")
    add_switch(output, "--mirror", "reflect the positions and keep the names: for a 3D recording that is mirrored")
    add_switch(output, "--to-xarray", "write an xarray Dataset in the vocabulary of movement, as NetCDF (.nc)")


def _convert(**options: Any) -> None:
    from gonio.trials.single_step import convert

    convert(**options, on_written=print_written)


CONVERT = Command(
    "convert",
    "Convert joints from one file format to another; print what the target cannot hold.",
    "FROM TO",
    _convert_options,
    _convert,
    "A target that ends in .mot or .sto gets joint angles in degrees: those of a .mot or .sto source, or else gonio's "
    "own (docs/conventions.md), computed from the 3D joints; they are not OpenSim's inverse kinematics.",
    "gonio convert joints.trc joints.csv",
)


def _assets_options(parser: Parser) -> None:
    parser.add_argument(
        "action",
        metavar="ACTION",
        choices=("list", "fetch", "import"),
        nargs="?",
        default="list",
        help="list assets (default), fetch them into the cache, or import weights that you have",
    )
    parser.add_argument(
        "names", metavar="NAMES", nargs="*", help="which ones (default: all); after import: openpose, and the files"
    )


def _assets(action: str = "list", names: tuple[str, ...] = ()) -> None:
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
            fetch_asset(name)  # raises an error that says how to import it
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
            description = f"{network.description}, from {origin}"
            print(f"{name:20} {size_bytes / 1e6:6.1f} MB  {state:12} {network.licence:14} {description}")
    print(f"cache: {cache_folder()}")


def _import(names: tuple[str, ...]) -> None:
    from gonio.detection.openpose.weights_import import import_weights

    example = "as in gonio assets import openpose pose_iter_584000.caffemodel"
    if not names or names[0] != "openpose":
        found = f", not {names[0]}" if names else ""
        raise ConfigError(f"weights are imported of openpose{found}, {example}")
    if len(names) < 2:
        raise ConfigError(f"name the file too, {example}")
    for file in map(Path, names[1:]):
        done = import_weights(file)
        option = "" if done.architecture.layout == "body-25" else f" --layout {done.architecture.layout}"
        print(f"{file}: OpenPose's {done.architecture.name}, {done.parameters:,} weights")
        print(f"wrote {done.file}; use it with --detector openpose{option}")


ASSETS_COMMAND = Command(
    "assets",
    "List or fetch model weights and the sample trial, for work without a network; import OpenPose's weights.",
    "[ACTION] [NAMES]",
    _assets_options,
    _assets,
    example="gonio assets import openpose pose_iter_584000.caffemodel",
)
