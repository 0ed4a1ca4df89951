"""The command line: one thin function per command, no computation. An error of gonio is one line and exit status 2."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from tyro.conf import Positional, arg

from gonio.errors import ConfigError, GonioError

if TYPE_CHECKING:
    from gonio.comparison.study import StudyResult
    from gonio.config import Trial
    from gonio.lifting_config import TrainConfig
    from gonio.lifting_training import Material
    from gonio.sources.recording import CameraState

DISCLAIMER = "For research; not a medical device."

Output = Annotated[Path, arg(aliases=("-o",), metavar="PATH")]

app = tyro.extras.SubcommandApp()


@dataclass(frozen=True)
class _Network:
    """Options of the detectors that have a network of the user's choice."""

    weights: Path | None = None
    """OpenPose: another network of its family (.onnx). Keypoint R-CNN: a torchvision state dict (.pth); torchvision's
    own where not given."""
    min_score: float | None = None
    """Keypoint R-CNN: people whose box scores less are left out; 0.5 where not given."""
    layout: str | None = None
    """OpenPose: the network's joints, body-25 (where not given) or coco-18."""
    net_resolution: str | None = None
    """OpenPose: size of the network's input, multiples of 16, -1 by the picture's aspect; -1x368 where not given."""
    scale_number: int = 1
    """OpenPose: sizes at which a picture is looked at; the answers are averaged."""
    scale_gap: float | None = None
    """OpenPose: how much smaller each is than the one before; 0.25 where not given."""
    flip: bool = False
    """OpenPose: look at the mirrored picture too."""
    pixels: Literal["0..255", "-0.5..0.5"] | None = None
    """OpenPose: the values that another network takes, where its file does not tell; 0..255 where not given."""


NetworkOptions = Annotated[_Network, arg(name="")]
NETWORK = _Network()


@app.command
def demo(output: Output = Path("gonio-demo")) -> None:
    """Measure a real trial: four lab cameras, a person balancing. The first run fetches it and the weights.

    Args:
        output: The results folder.
    """
    from gonio import assets
    from gonio.config import parse_trial

    folder = assets.fetch("demo-balancing")
    text = Path(__file__).with_name("demo.toml").read_text(encoding="utf-8")
    _compare(parse_trial(text, folder, "demo"), output)


@app.command
def compare(
    files: Annotated[Positional[tuple[Path, ...]], arg(metavar="FILES")],
    output: Output = Path("results"),
    rig: Path | None = None,
    baseline: float | None = None,
    focal: float | None = None,
    principal_point: tuple[float, float] | None = None,
    detector: str | None = None,
    reference: str | None = None,
    layout: str | None = None,
    fps: float | None = None,
    height: float | None = None,
    align_clocks: Literal["none", "auto"] = "none",
    blur_faces: bool = False,
    videos: bool = True,
) -> None:
    """Measure one trial by every method, compare the methods, write a report.

    Args:
        files: A trial file (trial.toml); or the videos, 2D keypoints and 3D recordings themselves, as in "gonio compare
            left.mp4 right.mp4 --baseline 0.28 --focal 525" or "gonio compare cam01.mp4 cam02.mp4 --rig Calib.toml".
        output: The results folder.
        rig: Calibration of the cameras (Pose2Sim or aniposelib .toml, Qualisys .qca.txt); cameras go by file name.
        baseline: Distance between two parallel cameras, metres.
        focal: Focal length of two parallel cameras, or of one camera alone, pixels.
        principal_point: Where the parallel cameras' axes meet the image, pixels; the middle where not given.
        detector: blazepose-heavy (default), blazepose-full, blazepose-lite, keypoint-rcnn, or openpose, with weights
            that you have imported (gonio assets import); their options stand in a trial file.
        reference: The method or recording that the others are compared with; pairwise where not given.
        layout: Joint layout of keypoint files that do not tell it, e.g. body-25b.
        fps: Frames per second of keypoint files that do not tell it.
        height: The person's stature, metres, which gives the lifted joints their size; 1.70 is assumed without it.
        align_clocks: auto: bring 3D recordings of one movement, as in "gonio compare kinect.csv vicon.trc", to the
            clock of the reference (else of the first) by their joint angles. Nothing is moved where not given.
        blur_faces: Blur the faces of those who are followed in the overlay videos and pictures; look before you share.
        videos: Draw the overlay videos.
    """
    from gonio.config import load_trial
    from gonio.trials import adjusted, trial_from_files

    if len(files) == 1 and files[0].suffix == ".toml":
        told = {"rig": rig, "baseline": baseline, "focal": focal, "layout": layout, "fps": fps, "height": height}
        for name, value in (told | {"principal-point": principal_point}).items():
            if value is not None:
                raise ConfigError(f"--{name} goes with videos or keypoints; a trial file says it itself")
        trial = load_trial(files[0])
    else:
        trial = trial_from_files(
            files,
            calibration=rig,
            baseline_m=baseline,
            focal_px=focal,
            principal_point_px=principal_point,
            layout=layout,
            fps=fps,
            height_m=height,
        )
    trial = adjusted(
        trial,
        detector=detector,
        reference=reference,
        blur_faces=blur_faces,
        videos=videos,
        align_clocks=align_clocks,
    )
    _compare(trial, output)


@app.command
def detect(
    video: Annotated[Positional[Path], arg(metavar="VIDEO")],
    output: Output,
    detector: str = "blazepose-heavy",
    people: int | None = None,
    choose: Literal["largest", "center"] = "largest",
    region: tuple[float, float, float, float] | None = None,
    click: tuple[float, float] | None = None,
    click_time: float | None = None,
    network: NetworkOptions = NETWORK,
    overlay: Path | None = None,
    images: Path | None = None,
    blur_faces: bool = False,
) -> None:
    """Find the joints of a person in a video.

    Args:
        video: The video.
        output: Where the joints go: .npz (lossless), .csv, or a folder (OpenPose JSON, one file a frame).
        detector: blazepose-heavy, blazepose-full, blazepose-lite; openpose, as in "gonio detect video.mp4 --detector
            openpose -o video_json", with weights that you have imported (gonio assets import) or name; or
            keypoint-rcnn, whose .npz VideoPose3D's prepare script takes too.
        people: Most people to follow and write, the one who is chosen first. Where not given, 1; all that are seen, as
            they are seen, by openpose and keypoint-rcnn without --click.
        choose: Who comes first where there are more people: the largest, or the nearest to the picture's centre.
        region: x1 y1 x2 y2, pixels: only people whose mid-hip is inside.
        click: x y, pixels: the person who is there comes first.
        click_time: When, seconds; at the first frame where not given.
        overlay: Also write the video with the joints drawn in (.mp4).
        images: Also write every frame with the joints drawn in, as pictures in this folder.
        blur_faces: Blur the faces of those who are followed; look before you share.
    """
    options = dict(locals())
    options |= vars(options.pop("network"))
    from gonio.config import DetectorConfig
    from gonio.detection.detector import SEE_EVERYBODY
    from gonio.detection_results import check_detection_outputs, draw_detections
    from gonio.provenance import write_provenance
    from gonio.sources import formats
    from gonio.video_people import detect_video

    everybody = people is None and click is None and detector in SEE_EVERYBODY
    settings = DetectorConfig(
        name=detector,
        people=1 if people is None else people,
        choose=choose,
        **vars(network),
    )
    formats.check_target(output, 2, several=everybody or settings.people > 1)
    check_detection_outputs(video, output, overlay, images)
    if click is None and click_time is not None:
        raise ConfigError("--click-time is the time of --click, which is not given")
    found = detect_video(video, settings, region_px=region, click_px=click, click_s=click_time, progress=_bar)
    draw_detections(
        video,
        found.everybody,
        found.patient,
        overlay=overlay,
        images=images,
        blur_faces=blur_faces,
        progress=_bar,
    )
    several = found.everybody if everybody else found.people
    one = not everybody and people in (None, 1) and not formats.for_videopose3d(several, output)
    lost = formats.write(found.patient if one else several, output)
    write_provenance(output, "detect", options, *found.patient.history)
    _say_lost(output, lost)


@app.command
def study(
    file: Annotated[Positional[Path | None], arg(metavar="STUDY")] = None,
    output: Output = Path("study"),
    ui_prmd: Path | None = None,
    processes: int | None = None,
    scheduler: str | None = None,
) -> None:
    """Compare methods over many subjects and movements: the tables and figures of a results section.

    As in "gonio study study.toml -o out/"; what is measured already is not measured again, so a study that was stopped
    goes on where it was. docs/study.md tells the file and every column.

    Args:
        file: A study file (study.toml): whose recordings, of which movements, by which methods.
        output: The study's folder: report.html, agreement.csv, values.csv, failures.csv, provenance.json.
        ui_prmd: In place of a study file: UI-PRMD's folder "Segmented Movements"; its Kinect against its Vicon.
        processes: Recordings measured at once; as many as there are cores where not given.
        scheduler: A Dask scheduler whose workers measure, tcp://host:8786; they must see the same files.
    """
    from gonio.study_processes import prepare

    if processes != 1 and scheduler is None:
        prepare("gonio.study_measure", "scipy.signal")
    from gonio.study_config import load_study, ui_prmd_study
    from gonio.study_results import study as run_study

    if (file is None) == (ui_prmd is None):
        raise ConfigError('give a study file (study.toml), or --ui-prmd "Segmented Movements"')
    config = ui_prmd_study(ui_prmd) if file is None and ui_prmd is not None else load_study(file or Path())
    done = run_study(config, output, processes=processes, scheduler=scheduler, progress=_bar)
    print(f"{done.measured} recordings measured ({done.reused} of them before), {len(done.failures)} failed")
    if done.damaged:
        print(f"{done.damaged} results of an earlier run were damaged and measured again")
    if done.warnings:
        key, sentences = next(iter(done.warnings.items()))
        print(f"warning: {len(done.warnings)} doubtful in the tables; the first, {key}: {sentences[0]}")
    for sentence in done.reading:
        print(sentence)
    print(f"\nreport: {output / 'report.html'}\n{DISCLAIMER}")


@app.command
def triangulate(
    views: Annotated[Positional[tuple[Path, ...]], arg(metavar="VIEWS")],
    rig: Path,
    output: Output,
    layout: str | None = None,
    fps: float | None = None,
    min_confidence: float = 0.5,
    max_reprojection: float | None = None,
    refine: Literal["reprojection", "none"] = "reprojection",
) -> None:
    """3D joints from 2D keypoints of two or more calibrated cameras.

    Args:
        views: Keypoints of each camera (OpenPose folders or any 2D file), named like the cameras of the rig, as in
            "gonio triangulate --rig Calib.toml --layout body-25b --fps 60 cam01_json cam02_json -o joints.trc".
        rig: Calibration of the cameras.
        output: Where the joints go: .trc, .npz, .csv, .npy or .txt.
        layout: Joint layout of keypoint files that do not tell it, e.g. body-25 or body-25b.
        fps: Frames per second of keypoint files that do not tell it.
        min_confidence: A view's joint below this is not used.
        max_reprojection: Drop views until the mean reprojection error is at most this, pixels; the default is a robust
            rule, three sigmas of each camera's own errors.
        refine: Minimise the reprojection error after the linear solution, or leave that ("none").
    """
    options = dict(locals())
    from gonio.core.files import check_writable
    from gonio.pipeline import triangulate_files
    from gonio.provenance import provenance_path, write_provenance
    from gonio.sources import formats

    formats.check_target(output, 3)
    for path in (output, provenance_path(output)):
        check_writable(path, [*views, rig])
    measurement = triangulate_files(
        views,
        calibration=rig,
        layout=layout,
        fps=fps,
        min_confidence=min_confidence,
        max_reprojection_px=max_reprojection,
        refine=refine,
    )
    (sequence,) = measurement.sequences.values()
    _say_lost(output, formats.write(sequence, output))
    write_provenance(output, "triangulate", options, *measurement.notes, *sequence.history, *measurement.warnings)
    _warn(measurement.warnings)
    for note in (*measurement.notes, *sequence.history):
        print(note)
    medians = measurement.reprojection_px_median()
    print("median reprojection error: " + ", ".join(f"{name} {value:.1f} px" for name, value in medians.items()))


@app.command
def lift(
    keypoints: Annotated[Positional[Path], arg(metavar="KEYPOINTS")],
    output: Output,
    weights: Annotated[Path | None, arg(metavar="NAME|FILE")] = None,
    layout: str | None = None,
    fps: float | None = None,
    size: tuple[int, int] | None = None,
    min_confidence: float = 0.0,
    causal: bool = False,
    flip: bool = True,
    height: float | None = None,
    segment: str | None = None,
    focal: float | None = None,
    place: Literal["root", "geometry", "network"] = "root",
    fps_out: float | None = None,
) -> None:
    """3D joints from one camera's 2D keypoints, by a network.

    Args:
        keypoints: One person's 2D keypoints (.npz, .csv or an OpenPose folder), as "gonio detect" writes them.
        output: Where the joints go: .npy, .npz, .trc, .csv or .txt.
        weights: Weights that come with gonio, by name; a .safetensors file; or a published checkpoint of VideoPose3D
            (such as pretrained_h36m_detectron_coco.bin; its tensors are read, nothing in it is executed).
        layout: Joint layout of keypoint files that do not tell it.
        fps: Frames per second of keypoint files that do not tell it.
        size: Width and height, pixels, of the images of keypoint files that do not tell it.
        min_confidence: Keypoints below this count as missing.
        causal: Take a causal network, which needs no later frame. A published checkpoint does not tell that it is one.
        flip: Average with the answer to the mirrored keypoints, as published results do.
        height: The person's stature, metres; 1.70 is assumed where nothing tells the size.
        segment: Or a segment that was measured, metres, as in thigh=0.42 (thigh, shank, upper_arm or forearm).
        focal: Focal length, pixels; 0.9 of the image's longer side is assumed where not given.
        place: Joints relative to the mid-hip (root); or in the camera's frame, placed where they fall on the keypoints
            (geometry) or by the weights' own second network, where they have one (network).
        fps_out: Frames per second of the output, as 30 for the Kinect recorder's .txt; those of the keypoints where not
            given. Interpolated frames are counted.
    """
    options = dict(locals())
    from gonio.core.clock import at_rate
    from gonio.core.files import check_writable
    from gonio.one_camera import assumed_in
    from gonio.pipeline import lift_file
    from gonio.provenance import provenance_path, write_provenance
    from gonio.sources import formats

    formats.check_target(output, 3)
    for path in (output, provenance_path(output)):
        check_writable(path, [keypoints, *([] if weights is None else [weights])])
    lifted = lift_file(
        keypoints,
        weights,
        layout=layout,
        fps=fps,
        size_px=size,
        min_confidence=min_confidence,
        causal=causal,
        flip=flip,
        height_m=height,
        segment=segment,
        focal_px=focal,
        place=place,
    )
    resampled: tuple[str, ...] = ()
    if fps_out is not None:
        lifted = at_rate(lifted, fps_out)
        resampled = lifted.history[-1:]
    lost = formats.write(lifted, output)
    write_provenance(output, "lift", options, *lifted.history)
    _say_lost(output, (*resampled, *lost))
    for step in assumed_in(lifted.history):
        print(f"  {step}")


@app.command(name="evaluate")
def evaluate_lifting(
    weights: Path,
    output: Output,
    data: Path | None = None,
    data_3d: Path | None = None,
    data_2d: Path | None = None,
    cameras: Path | None = None,
    subjects: tuple[str, ...] | None = None,
    actions: tuple[str, ...] | None = None,
    clean: bool = False,
    causal: bool = False,
) -> None:
    """Measure how well a lifting network lifts, on recordings whose 3D joints are known.

    As in "gonio evaluate --weights net.safetensors --data ui-prmd --subjects s08 -o evaluation.json", or, as the paper
    does, "gonio evaluate --weights pretrained_h36m_cpn.bin --data-3d data_3d_h36m.npz --data-2d
    data_2d_h36m_cpn_ft_h36m_dbb.npz -o evaluation.json". MPJPE (protocol 1), PA-MPJPE (2), N-MPJPE (3) in mm and MPJVE
    in mm per frame, by action, subject and joint, with and without flip averaging. Compare numbers of one protocol
    only, and name subjects that the network was not trained on.

    Args:
        weights: A checkpoint (.bin), a .safetensors file, or the folder of a training run.
        output: The results (.json); a table of the same name (.csv) is written beside it.
        data: A folder with UI-PRMD's "Segmented Movements" (protocol L1: four virtual cameras, 12 joints), or with
            VideoPose3D's data_3d_*.npz and data_2d_*.npz (all joints of Human3.6M or HumanEva).
        data_3d: The 3D set itself, in place of a folder.
        data_2d: The 2D set itself; with --data, which of several.
        cameras: Cameras of HumanEva (.json; Human3.6M's are known).
        subjects: Who; Human3.6M's S9 and S11, HumanEva's Validate/... and all of UI-PRMD where not given.
        actions: Which actions, e.g. Walking or m01; all where not given.
        clean: UI-PRMD without the noise of protocol L1.
        causal: The checkpoint is a causal network; a published file does not tell.
    """
    options = dict(locals())
    from gonio import lifting_evaluation
    from gonio.core.files import check_writable
    from gonio.provenance import provenance_path, write_provenance

    if output.suffix.lower() != ".json":
        raise ConfigError(f"{output}: an evaluation is written as .json, with a .csv table beside it")
    inputs = [path for path in (weights, data_3d, data_2d, cameras) if path is not None]
    for path in (output, lifting_evaluation.table_path(output), provenance_path(output)):
        check_writable(path, [*inputs, *([data] if data is not None else [])])
    network = lifting_evaluation.read_weights(weights, causal=causal)
    data_set = lifting_evaluation.evaluation_set(
        data,
        data_3d=data_3d,
        data_2d=data_2d,
        cameras=cameras,
        subjects=subjects,
        actions=actions,
        noisy=not clean,
    )
    lifts = lifting_evaluation.network_lifts(network, data_set)
    notes = lifting_evaluation.scale_note(network)
    result = lifting_evaluation.evaluate(data_set, lifts, notes=notes, progress=_bar)
    result.write(output)
    write_provenance(output, "evaluate", options, *result.notes)
    _warn(result.notes)
    print(lifting_evaluation.protocol_in_words(result))
    print(_columns(lifting_evaluation.summary_table(result)))
    print(f"wrote {output} and {lifting_evaluation.table_path(output).name}")


@app.command
def train(file: Annotated[Positional[Path], arg(metavar="TRAIN.TOML")], output: Output) -> None:
    """Train a lifting network, or go on with a training that was stopped: the same command again.

    As in "gonio train train.toml -o runs/one --training.epochs 20 --network.channels 512". Every key of the file is an
    option too, with the file's value as its default: "gonio train train.toml --help" shows those of a file. Files to
    begin with, and how a network is adapted to one's own recordings: docs/training.md. On several processors or
    computers: "torchrun --nproc-per-node 2 -m gonio train train.toml -o runs/one".

    Args:
        file: What to train on and how.
        output: The folder of the run: weights.safetensors, learning curves, the log, a record of everything.
    """
    from gonio.lifting_config import load_training

    _train(load_training(file), output)


@app.command
def render(
    keypoints: Annotated[Positional[Path], arg(metavar="KEYPOINTS")],
    joints: Annotated[Positional[tuple[Path, ...]], arg(metavar="JOINTS")],
    output: Output,
    video: Path | None = None,
    layout: str | None = None,
    fps: float | None = None,
    blur_faces: bool = False,
) -> None:
    """Draw 3D joints beside the picture that they come from, as a video or a GIF.

    Args:
        keypoints: One person's 2D keypoints, as in "gonio render cam01.npz joints.npz --video cam01.mp4 -o lifted.mp4".
        joints: Their 3D joints by one or more methods, a panel each, named for its file.
        output: Where the picture goes: .mp4, or .gif (at most 640 px wide and 15 frames a second).
        video: The video of the keypoints; without it they are drawn on an empty picture.
        layout: Joint layout of keypoint files that do not tell it.
        fps: Frames per second of the files that do not tell it (.npy, OpenPose's folder).
        blur_faces: Blur the person's face; look before you share.
    """
    options = dict(locals())
    from gonio.provenance import write_provenance
    from gonio.results import render_files

    done = render_files(
        keypoints,
        joints,
        output,
        video_path=video,
        layout=layout,
        fps=fps,
        blur_faces=blur_faces,
        progress=_bar,
    )
    missing = {"2D keypoints": done.frames_without_keypoints, **done.frames_without_joints}
    lost = [f"{name}: missing in {n} of {done.frames} frames" for name, n in missing.items() if n]
    write_provenance(output, "render", options, f"{done.frames} frames drawn", *lost)
    _say_lost(output, tuple(lost))


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
    from gonio.core.sequence import PoseSequence
    from gonio.motion.angles import joint_angles
    from gonio.provenance import provenance_path, write_provenance
    from gonio.sources import formats
    from gonio.sources.chirality import mirror_warning, reflected

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
        _say_lost(target, lost)
        return
    item = formats.read(source, layout=layout, rate_hz=fps, unit=unit)
    if isinstance(item, PoseSequence) and item.dimensions == 3:
        item = reflected(item) if mirror else item
        _warn(tuple(f"{target if mirror else source}: {words}" for words in mirror_warning(item)))
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
    _say_lost(target, (*resampled, *lost))


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
    from gonio import assets as store

    if action == "import":
        _import(names)
        return
    known = [*store.CATALOGUE, *store.IMPORTABLE]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(f"no asset is called {unknown[0]!r}; there are {', '.join(known)}")
    if action == "fetch":
        for name in set(names) & set(store.IMPORTABLE):
            store.fetch(name)  # cannot be fetched: says how to import it
    for name, asset in store.CATALOGUE.items():
        if names and name not in names:
            continue
        if action == "fetch":
            store.fetch(name)
        size = sum(file.size_bytes for file in asset.files) / 1e6
        state = "cached" if store.is_cached(name) else "damaged" if store.checksums(name) else "not fetched"
        print(f"{name:20} {size:6.1f} MB  {state:12} {asset.licence:14} {asset.description}")
    for name, network in store.IMPORTABLE.items():
        state, size_bytes = store.import_state(name)
        if action == "list" and (not names or name in names):
            origin = ", ".join(store.checksums(name)) or f"your own {network.original}"
            told = f"{network.description}, from {origin}"
            print(f"{name:20} {size_bytes / 1e6:6.1f} MB  {state:12} {network.licence:14} {told}")
    print(f"cache: {store.cache_folder()}")


@app.command
def rectify(
    trial: Annotated[Positional[Path], arg(metavar="TRIAL.TOML")],
    output: Output = Path("rectified"),
    cameras: tuple[str, str] | None = None,
    alpha: float = 1.0,
) -> None:
    """Turn a calibrated, nearly parallel pair into a truly parallel one: new videos, and a trial file for compare.

    Args:
        trial: A trial with a calibration and two cameras (or more, with --cameras).
        output: The folder for trial.toml, the videos or keypoints, and rectification.json.
        cameras: The pair, in either order, as in --cameras left right.
        alpha: 1 keeps every pixel, with black beyond; 0 keeps valid pixels alone, enlarged; or between.
    """
    options = dict(locals())
    from gonio.config import load_trial
    from gonio.provenance import write_provenance
    from gonio.rectify import rectify_trial

    done = rectify_trial(load_trial(trial), output, cameras=cameras, alpha=alpha, progress=_bar)
    file = output / "trial.toml"
    write_provenance(file, "rectify", options, *done.notes)
    _say_lost(file, done.notes)
    print(f"measure it with gonio compare {file}")


@app.command(name="evaluate-2d")
def evaluate_2d(
    annotations: Annotated[Positional[Path], arg(metavar="ANNOTATIONS.JSON")],
    output: Output,
    images: Path | None = None,
    detections: Path | None = None,
    detector: str = "blazepose-heavy",
    people: int | None = None,
    network: NetworkOptions = NETWORK,
) -> None:
    """Measure how well a detector finds joints in annotated pictures: PCK@0.2, PCKh@0.5, OKS, AP and AR.

    As in "gonio evaluate-2d person_keypoints_val2017.json --images val2017 --detector openpose -o accuracy.json".

    Args:
        annotations: People's keypoints in COCO's format.
        output: Where the result goes, .json.
        images: The folder of the annotated pictures.
        detections: In place of a detector: a file of results in COCO's format.
        detector: As in gonio detect, as are the options of its network.
        people: BlazePose: most people to find in a picture; where not given, the most that are annotated in one.
    """
    options = dict(locals())
    options |= vars(options.pop("network"))
    from gonio import keypoint_evaluation
    from gonio.config import DetectorConfig
    from gonio.core.files import check_writable
    from gonio.provenance import provenance_path, write_provenance

    if (images is None) == (detections is None):
        raise ConfigError("give the folder of the annotated pictures (--images), or saved results (--detections)")
    if output.suffix.lower() != ".json":
        raise ConfigError(f"{output}: the accuracy is written as .json")
    for path in (output, provenance_path(output)):
        check_writable(path, [file for file in (annotations, images, detections, network.weights) if file is not None])
    settings = DetectorConfig(
        name=detector,
        **vars(network),
    )
    if images is not None:
        told = keypoint_evaluation.settings_for(annotations, settings, people)
        result = keypoint_evaluation.evaluate_detector(annotations, images, told, progress=_bar)
    else:
        assert detections is not None
        if settings != DetectorConfig() or people is not None:
            raise ConfigError("--detections are results already: leave out --detector and its options")
        result = keypoint_evaluation.evaluate_file(annotations, detections)
    result.write(output)
    write_provenance(output, "evaluate-2d", options, *result.notes)
    for table in keypoint_evaluation.tables(result):
        print(_columns(table))
        print()
    print(", ".join(f"{name.replace('_', ' ')} {count}" for name, count in result.accuracy.counts.items()))
    _say_lost(output, result.notes)


@app.command
def record(
    cameras: Annotated[Positional[tuple[str, ...]], arg(metavar="CAMERAS")],
    output: Output,
    names: tuple[str, ...] | None = None,
    seconds: float | None = None,
    rig: Path | None = None,
    fps: float | None = None,
    size: Annotated[str | None, arg(metavar="WIDTHxHEIGHT")] = None,
    format: str | None = None,  # noqa: A002 - the option's name
    live: bool = True,
) -> None:
    """Record from several cameras at once, started and stopped together, ready for "gonio compare".

    As in "gonio record rtsp://10.0.0.5/stream1 http://10.0.0.6:8080/video -o session --names left right --rig
    Calib.toml", or "gonio record /dev/video0 /dev/video2 -o session --seconds 60". Recording begins when all cameras
    are open, and ends with Enter, Ctrl-C or after --seconds. A camera that drops out is reported, the others go on;
    what is written plays even if the program is killed. Then: "gonio compare session/trial.toml -o results". What the
    times are worth, and why to clap once: docs/recording.md.

    Args:
        cameras: Addresses of streams (rtsp://, http://, whatever FFmpeg opens) or devices (/dev/video0).
        output: The folder of the recording, new or empty: trial.toml, and of each camera its video and times.
        names: What the cameras are called, in their order, as the rig calls them; cam01, cam02, ... where not given.
        seconds: How long to record; until Enter or Ctrl-C where not given.
        rig: Calibration of the cameras; it goes into the folder and the trial file.
        fps: Frames per second to ask of devices; a stream tells its own.
        size: Picture size to ask of devices, as in 1280x720.
        format: Kind of the devices: v4l2 (Linux), avfoundation (macOS, cameras are 0, 1, ...), dshow (Windows, cameras
            are video=NAME).
        live: Show the pictures where there is a screen.
    """
    _record(cameras, output, names, seconds, rig, fps, size, format, live)


def _train_with_options(words: Sequence[str]) -> Callable[..., None]:
    """`train`, with an option for every key of the training file that the command line names; its values are defaults.

    words  the command line after "train"
    """
    from gonio.lifting_config import EXAMPLE, TrainConfig, load_training, parse_training

    before = ("", *words)
    files = [word for last, word in zip(before, words, strict=False) if word.endswith(".toml") and last[:1] != "-"]
    default = load_training(Path(files[0])) if files else parse_training(EXAMPLE, Path(), "example")

    def command(file: Path, output: Path, config: TrainConfig = default) -> None:
        if [str(file)] != files[:1]:
            raise ConfigError(f"{file}: a training file ends in .toml")
        _train(config, output)

    command.__doc__ = train.__doc__
    command.__annotations__ = train.__annotations__ | {
        "file": Annotated[Positional[Path], arg(metavar="TRAIN.TOML")],
        "output": Output,
        "config": Annotated[TrainConfig, arg(name=""), tyro.conf.AvoidSubcommands],
        "return": None,
    }
    return command


def _train(config: TrainConfig, output: Path) -> None:
    from gonio.lifting.training_options import processes
    from gonio.lifting_training import train as run

    epochs = config.training.epochs
    trained: list[float] = []

    def start(material: Material) -> None:
        for read in material.read:
            print(read)
            _warn(read.notes)

    def told(entry: dict[str, float]) -> None:
        trained.append(entry["epoch"])
        number, seconds = f"epoch {entry['epoch']:.0f}/{epochs}", f"{entry['seconds']:.0f} s"
        shown = {name: value for name, value in entry.items() if name not in ("epoch", "seconds")}
        values = [f"{name.replace('_', ' ')} {value:.4g}" for name, value in shown.items()]
        print("  ".join([number, *values, seconds]), flush=True)

    run(config, output, progress=_bar, on_start=start, on_epoch=told)
    if processes()[0] == 0:
        print(f"wrote {output / 'weights.safetensors'}" if trained else f"{output}: all {epochs} epochs were trained")


def _record(
    addresses: tuple[str, ...],
    output: Path,
    names: tuple[str, ...] | None,
    seconds: float | None,
    rig: Path | None,
    fps: float | None,
    size: str | None,
    device_format: str | None,
    live: bool,
) -> None:
    from gonio.errors import InputError
    from gonio.sources.recording import CameraSource, picture_size, record

    if rig is not None and not rig.exists():
        raise InputError(f"{rig}: no such file; give the rig's calibration")
    if names is None:
        names = tuple(f"cam{number:02d}" for number in range(1, len(addresses) + 1))
    if len(names) != len(addresses):
        raise ConfigError(f"--names gives {len(names)} names for {len(addresses)} cameras; give one each")
    size_px = None if size is None else picture_size(size)
    sources = [
        CameraSource(name, address, device_format, fps, size_px) for name, address in zip(names, addresses, strict=True)
    ]
    with _stopped_by_the_user() as stop, _live_view(names, live) as show, _status_line() as tell:

        def tick(states: Sequence[CameraState]) -> None:
            tell("  ".join(map(str, states)))
            show(states)

        def event(sentence: str) -> None:
            tell(None)
            print(f"gonio: {sentence}", file=sys.stderr, flush=True)

        done = record(
            sources,
            output,
            seconds=seconds,
            calibration=rig,
            stop=stop,
            on_tick=tick,
            on_event=event,
            pictures=show is not _no_view,
        )
    for camera in done.cameras:
        print(camera.summary)
    _warn(done.caveats)
    print(f"wrote {done.trial_path}; measure it with gonio compare {done.trial_path} -o results")
    if all(camera.dropped_out is not None for camera in done.cameras):
        raise InputError(f"{output}: all cameras dropped out; what they gave is there")


@contextlib.contextmanager
def _stopped_by_the_user() -> Iterator[threading.Event]:
    """Set by Enter, Ctrl-C or being told to end; a second Ctrl-C stops at once."""
    stop = threading.Event()

    def end(number: int, frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    if sys.stdin is not None and sys.stdin.isatty():
        threading.Thread(target=_set_by_enter, args=(stop,), daemon=True).start()
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _set_by_enter(stop: threading.Event) -> None:
    if sys.stdin.readline():
        stop.set()


def _no_view(states: Sequence[CameraState]) -> None:
    """No live view."""


@contextlib.contextmanager
def _live_view(names: Sequence[str], wanted: bool) -> Iterator[Callable[[Sequence[CameraState]], None]]:
    """Shows pictures in a window; where none can be, that is said once."""
    from gonio.errors import InputError
    from gonio.sources.live_view import LiveView

    view: LiveView | None = None
    if wanted:
        try:
            view = LiveView(names)
        except InputError as error:
            print(f"gonio: no live view: {error}", file=sys.stderr)
    if view is None:
        yield _no_view
        return

    def show(states: Sequence[CameraState]) -> None:
        view.show({state.name: state.picture for state in states}, {state.name: str(state) for state in states})

    try:
        yield show
    finally:
        view.close()


@contextlib.contextmanager
def _status_line() -> Iterator[Callable[[str | None], None]]:
    """One line on a terminal that is written over again, once a second; None clears it for another line."""
    told_s = 0.0

    def tell(text: str | None) -> None:
        nonlocal told_s
        now_s = time.monotonic()
        if sys.stderr.isatty() and (text is None or now_s >= told_s + 1.0):
            shown = "" if text is None else text[: shutil.get_terminal_size().columns - 1]
            print(f"\r\x1b[K{shown}", end="", file=sys.stderr, flush=True)
            told_s = now_s

    try:
        yield tell
    finally:
        tell(None)


def _import(names: tuple[str, ...]) -> None:
    from gonio.detection.openpose.importing import import_weights

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


def _compare(trial: Trial, output: Path) -> None:
    from gonio.pipeline import evaluate, measure
    from gonio.results import check_output, face_warnings, write_results

    check_output(output, trial)
    measurement = measure(trial, _bar)
    result = evaluate(measurement)
    _warn((*measurement.warnings, *face_warnings(trial)))
    write_results(output, measurement, result, _bar)
    print(_table(result))
    for sentence in measurement.assumptions:
        print(f"\n{sentence}")
    print(f"\nreport: {output / 'report.html'}\n{DISCLAIMER}")


def _table(result: StudyResult) -> str:
    """Method by method, the errors in millimetres; the reference first."""
    from gonio.comparison.study import summary_table

    return _columns(summary_table(result))


def _columns(lines: Sequence[tuple[str, ...]]) -> str:
    """A table: the first column to the left, all others to the right."""
    header = lines[0]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]

    def show(line: tuple[str, ...]) -> str:
        first, *rest = (
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        return "  ".join([first, *rest]).rstrip()

    return "\n".join(show(line) for line in lines)


def _warn(sentences: tuple[str, ...]) -> None:
    for sentence in sentences:
        print(f"gonio: warning: {sentence}", file=sys.stderr)


def _say_lost(path: Path, lost: tuple[str, ...]) -> None:
    print(f"wrote {path}")
    for sentence in lost:
        print(f"  {sentence}")


@contextlib.contextmanager
def _bar(label: str, total: int | None) -> Iterator[Callable[[], None]]:
    from tqdm import tqdm

    with tqdm(total=total, desc=label, unit="", file=sys.stderr, disable=None) as bar:  # drawn on a terminal only
        yield lambda: bar.update() and None


def main() -> None:
    """Entry point: exit status 0, or 2 with one line on standard error."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # being told to end cleans up as Ctrl-C does
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")  # 2^4 rounds: numpy's idle threads sleep, not spin
    try:
        if sys.argv[1:2] == ["train"]:
            app.command(name="train")(_train_with_options(sys.argv[2:]))
        app.cli(
            prog="gonio",
            config=(tyro.conf.DisallowNone,),
            description="Human movement from ordinary cameras, measured by several methods side by side. Begin with "
            "'gonio demo', then 'gonio compare trial.toml -o results/'. Each command has --help. " + DISCLAIMER,
        )
    except GonioError as error:
        _fail(str(error))
    except BrokenPipeError:  # the reader of a pipe went away: nothing is wrong
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _fail(f"{place}{error.strerror or error}")
    except KeyboardInterrupt:
        print("gonio: stopped", file=sys.stderr)
        sys.exit(130)


def _fail(message: str) -> None:
    print("gonio: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(2)
