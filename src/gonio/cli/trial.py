"""Commands for one recording of one movement: demo, compare, detect, triangulate, lift, render, rectify."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gonio.cli.console import DISCLAIMER, bar, print_table, print_warnings, print_written
from gonio.cli.detector_options import add_detector
from gonio.cli.parser import Command, Parser, add_output, add_switch

if TYPE_CHECKING:
    from gonio.trials.outputs import Output


def _demo_options(parser: Parser) -> None:
    add_output(parser, "the results folder (default: gonio-demo)", required=False)


def _demo(output: Path = Path("gonio-demo")) -> None:
    from gonio.trials.samples import demo_trial

    _compare(demo_trial(), output=output)


DEMO = Command(
    "demo",
    "Measure a real trial: four lab cameras, a person balancing.",
    "",
    _demo_options,
    _demo,
    "The first run fetches the trial and the weights.",
)


def _compare_options(parser: Parser) -> None:
    inputs = parser.add_argument_group("input")
    inputs.add_argument(
        "trial",
        metavar="FILES",
        type=Path,
        nargs="+",
        help="a trial file (trial.toml); or the videos, 2D keypoints and 3D recordings themselves",
    )
    inputs.add_argument("--layout", metavar="NAME", help="joint layout of keypoint files that do not state it")
    inputs.add_argument("--fps", type=float, metavar="HZ", help="frames per second of files that do not state it")
    cameras = parser.add_argument_group("cameras")
    cameras.add_argument(
        "--rig",
        type=Path,
        metavar="FILE",
        help="calibration of the cameras (Pose2Sim or aniposelib .toml, Qualisys .qca.txt); videos are named like its "
        "cameras",
    )
    cameras.add_argument("--baseline", type=float, metavar="M", help="distance between two parallel cameras, metres")
    cameras.add_argument(
        "--focal", type=float, metavar="PX", help="focal length of two parallel cameras, or of a single camera, pixels"
    )
    cameras.add_argument(
        "--principal-point",
        type=float,
        nargs=2,
        metavar=("X", "Y"),
        help="where the axes of the parallel cameras meet the image, pixels (default: its centre)",
    )
    methods = parser.add_argument_group("methods")
    methods.add_argument(
        "--people", type=int, metavar="N", help="most people that BlazePose follows in each view (default: 1)"
    )
    methods.add_argument(
        "--height", type=float, metavar="M", help="the person's stature, metres (default: 1.70 is assumed)"
    )
    methods.add_argument(
        "--reference",
        metavar="NAME",
        help="the method or recording that the others are compared with (default: methods are compared pairwise)",
    )
    methods.add_argument(
        "--align-clocks",
        choices=("none", "auto"),
        help="auto: find the clocks of 3D recordings of one movement from their joint angles (default: none)",
    )
    add_detector(parser, taken=("layout",))
    output = add_output(parser, "the results folder (default: results)", required=False)
    add_switch(output, "--videos", "draw the overlay videos (default: yes)")
    add_switch(
        output, "--blur-faces", "blur the faces of the people who are followed; check every video before you share it"
    )


def _compare(trial: Any, output: Path = Path("results"), **options: Any) -> None:
    from gonio.comparison.result import summary_table
    from gonio.trials.compare import compare

    written: list[Output] = []
    result = compare(trial, bar, output=output, on_written=written.append, **options)
    for made in written:
        print_warnings(made.warnings)
        print_table(summary_table(result))
        for sentence in made.notes:
            print(f"\n{sentence}")
        print(f"\nreport: {made.path}\n{DISCLAIMER}")


COMPARE = Command(
    "compare",
    "Measure one trial by every method, compare the methods, write a report.",
    "FILES",
    _compare_options,
    _compare,
    example="gonio compare cam01.mp4 cam02.mp4 --rig Calib.toml -o results",
)


def _detect_options(parser: Parser) -> None:
    inputs = parser.add_argument_group("input")
    inputs.add_argument("video", metavar="VIDEO", type=Path, help="the video")
    person = parser.add_argument_group("person")
    person.add_argument(
        "--people",
        type=int,
        metavar="N",
        help="most people to follow and write, the chosen person first (default: 1; with openpose and keypoint-rcnn "
        "and without --click all detections of each frame)",
    )
    person.add_argument(
        "--choose",
        choices=("largest", "center"),
        help="who comes first: the largest person, or the one nearest to the image's centre (default: largest)",
    )
    person.add_argument(
        "--region",
        type=float,
        nargs=4,
        metavar=("X1", "Y1", "X2", "Y2"),
        help="only people whose mid-hip is inside, pixels",
    )
    person.add_argument(
        "--click", type=float, nargs=2, metavar=("X", "Y"), help="the person at this place comes first, pixels"
    )
    person.add_argument(
        "--click-time", type=float, metavar="S", help="time of the click, seconds (default: at the first frame)"
    )
    add_detector(parser)
    output = add_output(parser, "the joints: .npz (lossless), .csv, or a folder (OpenPose JSON, one file per frame)")
    output.add_argument("--overlay", type=Path, metavar="FILE", help="also write the video with the joints (.mp4)")
    output.add_argument(
        "--images", type=Path, metavar="FOLDER", help="also write every frame with the joints, an image"
    )
    add_switch(
        output, "--blur-faces", "blur the faces of the people who are followed; check the video before you share it"
    )


def _detect(**options: Any) -> None:
    from gonio.trials.one_video import detect

    detect(**options, progress=bar, on_written=print_written)


DETECT = Command(
    "detect",
    "Find the joints of a person in a video.",
    "VIDEO -o PATH",
    _detect_options,
    _detect,
    example="gonio detect video.mp4 --detector openpose -o video_json",
)


def _triangulate_options(parser: Parser) -> None:
    inputs = parser.add_argument_group("input")
    inputs.add_argument(
        "views",
        metavar="VIEWS",
        type=Path,
        nargs="+",
        help="keypoints of each camera (OpenPose folders or any 2D file), named like the cameras of the rig",
    )
    inputs.add_argument("--layout", metavar="NAME", help="joint layout of keypoint files that do not state it")
    inputs.add_argument("--fps", type=float, metavar="HZ", help="frames per second of files that do not state it")
    cameras = parser.add_argument_group("cameras")
    cameras.add_argument("--rig", type=Path, metavar="FILE", required=True, help="calibration of the cameras")
    cameras.add_argument(
        "--unit", choices=("m", "mm"), help="unit of a calibration file that does not state it (default: guessed)"
    )
    method = parser.add_argument_group("method")
    method.add_argument(
        "--min-confidence", type=float, metavar="SHARE", help="a view's joint below this is not used (default: 0.5)"
    )
    method.add_argument(
        "--max-reprojection",
        type=float,
        metavar="PX",
        help="drop views until the mean reprojection error is at most this, pixels (default: drop a view beyond three "
        "robust standard deviations of its camera's own errors)",
    )
    method.add_argument(
        "--refine",
        choices=("reprojection", "none"),
        help="minimise the reprojection error after the linear solution, or keep that (default: reprojection)",
    )
    add_output(parser, "the joints: .trc, .npz, .csv, .npy or .txt")


def _triangulate(**options: Any) -> None:
    from gonio.trials.single_step import triangulate

    triangulate(**options, on_written=print_written)


TRIANGULATE = Command(
    "triangulate",
    "Compute 3D joints from 2D keypoints of two or more calibrated cameras.",
    "VIEWS --rig FILE -o PATH",
    _triangulate_options,
    _triangulate,
    example="gonio triangulate cam01_json cam02_json --rig Calib.toml --layout body-25b --fps 60 -o joints.trc",
)


def _lift_options(parser: Parser) -> None:
    inputs = parser.add_argument_group("input")
    inputs.add_argument(
        "keypoints",
        metavar="KEYPOINTS",
        type=Path,
        help="one person's 2D keypoints (.npz, .csv or an OpenPose folder), as gonio detect writes them",
    )
    inputs.add_argument("--layout", metavar="NAME", help="joint layout of a file that does not state it")
    inputs.add_argument("--fps", type=float, metavar="HZ", help="frames per second of a file that does not state it")
    inputs.add_argument(
        "--min-confidence", type=float, metavar="SHARE", help="keypoints below this count as missing (default: 0)"
    )
    camera = parser.add_argument_group("camera")
    camera.add_argument(
        "--size",
        type=int,
        nargs=2,
        metavar=("W", "H"),
        help="size of the images, pixels, if the file does not state it",
    )
    camera.add_argument(
        "--focal",
        type=float,
        metavar="PX",
        help="focal length, pixels (default: 0.9 of the image's longer side is assumed)",
    )
    person = parser.add_argument_group("person")
    person.add_argument(
        "--height", type=float, metavar="M", help="the person's stature, metres (default: 1.70 is assumed)"
    )
    person.add_argument(
        "--segment",
        metavar="NAME=M",
        help="or a measured segment, metres, such as thigh=0.42 (thigh, shank, upper_arm or forearm)",
    )
    network = parser.add_argument_group("network")
    network.add_argument(
        "--weights",
        metavar="NAME|FILE",
        help="weights that come with gonio, by name; a .safetensors file; or a published checkpoint of VideoPose3D, "
        "whose tensors are read while nothing in it is executed",
    )
    add_switch(network, "--causal", "use a causal network, which needs no later frame; a checkpoint does not state it")
    add_switch(network, "--flip", "average with the answer to the mirrored keypoints, as published results do "
        "(default: yes)")  # fmt: skip
    network.add_argument(
        "--place",
        choices=("root", "geometry", "network"),
        help="root: joints relative to the mid-hip (default); geometry: in the camera's frame, placed by their "
        "keypoints; network: placed by the weights' second network, if they have one",
    )
    output = add_output(parser, "the joints: .npy, .npz, .trc, .csv or .txt")
    add_fps_out(output, "keypoints")


def add_fps_out(group: argparse._ArgumentGroup, source: str) -> None:
    """Frames per second of what is written."""
    group.add_argument(
        "--fps-out",
        type=float,
        metavar="HZ",
        help=f"frames per second of the output, such as 30 for the Kinect recorder's .txt (default: those of the "
        f"{source}); interpolated frames are counted",
    )


def _lift(**options: Any) -> None:
    from gonio.trials.single_step import lift

    lift(**options, on_written=print_written)


LIFT = Command(
    "lift",
    "Compute 3D joints from one camera's 2D keypoints, by a network.",
    "KEYPOINTS -o PATH",
    _lift_options,
    _lift,
    example="gonio lift left.npz --height 1.75 -o joints.npy",
)


def _render_options(parser: Parser) -> None:
    inputs = parser.add_argument_group("input")
    inputs.add_argument("keypoints", metavar="KEYPOINTS", type=Path, help="one person's 2D keypoints")
    inputs.add_argument(
        "joints",
        metavar="JOINTS",
        type=Path,
        nargs="+",
        help="their 3D joints by one or more methods; each file gets a panel that is named after it",
    )
    inputs.add_argument(
        "--video",
        type=Path,
        metavar="FILE",
        help="the video of the keypoints (default: they are drawn on an empty image)",
    )
    inputs.add_argument("--layout", metavar="NAME", help="joint layout of keypoint files that do not state it")
    inputs.add_argument(
        "--fps",
        type=float,
        metavar="HZ",
        help="frames per second of files that do not state it (.npy, OpenPose's folder)",
    )
    output = add_output(parser, "the video: .mp4, or .gif (at most 640 px wide and 15 frames per second)")
    add_switch(output, "--blur-faces", "blur the person's face; check the video before you share it")


def _render(**options: Any) -> None:
    from gonio.trials.single_step import render

    render(**options, progress=bar, on_written=print_written)


RENDER = Command(
    "render",
    "Draw 3D joints beside the images that they come from, as a video or a GIF.",
    "KEYPOINTS JOINTS -o PATH",
    _render_options,
    _render,
    example="gonio render cam01.npz joints.npz --video cam01.mp4 -o lifted.mp4",
)


def _rectify_options(parser: Parser) -> None:
    inputs = parser.add_argument_group("input")
    inputs.add_argument(
        "trial",
        metavar="TRIAL.TOML",
        type=Path,
        help="a trial with a calibration and two cameras (or more, with --cameras)",
    )
    inputs.add_argument("--cameras", nargs=2, metavar=("A", "B"), help="the names of the pair, in either order")
    output = add_output(
        parser,
        "the folder for trial.toml, the videos or keypoints, and rectification.json (default: rectified)",
        required=False,
    )
    output.add_argument(
        "--alpha",
        type=float,
        metavar="SHARE",
        help="1 keeps every pixel and fills with black (default); 0 keeps valid pixels alone, enlarged; or between",
    )


def _rectify(trial: Path, output: Path = Path("rectified"), **options: Any) -> None:
    from gonio.trials.rectify import rectify

    rectify(trial, output, **options, progress=bar, on_written=print_written)
    print(f"measure it with gonio compare {output / 'trial.toml'}")


RECTIFY = Command(
    "rectify",
    "Turn a calibrated, nearly parallel pair of cameras into a parallel one: new videos and a new trial file.",
    "TRIAL.TOML",
    _rectify_options,
    _rectify,
    example="gonio rectify trial.toml --cameras left right -o parallel",
)
