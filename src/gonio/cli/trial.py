"""Commands for one recording of one movement: demo, compare, detect, triangulate, lift, render, rectify."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from gonio.cli.console import DISCLAIMER, Output, app, bar, error_table, print_not_preserved, print_warnings
from gonio.cli.detector_options import Options
from gonio.core.errors import ConfigError

if TYPE_CHECKING:
    from gonio.trials.config import Trial


@app.command
def demo(output: Output = Path("gonio-demo")) -> None:
    """Measure a real trial: four lab cameras, a person balancing. The first run fetches it and the weights.

    Args:
        output: The results folder.
    """
    from gonio.trials.samples import demo_trial

    _compare(demo_trial(), output)


@app.command
def compare(
    files: Annotated[Positional[tuple[Path, ...]], arg(metavar="FILES")],
    options: Options,
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
        options: Of the detector. With a trial file they replace the file's values.
        detector: blazepose-heavy (default), blazepose-full, blazepose-lite, keypoint-rcnn, or openpose, with weights
            that you have imported (gonio assets import).
        reference: The method or recording that the others are compared with; pairwise where not given.
        layout: Joint layout of keypoint files that do not tell it, e.g. body-25b.
        fps: Frames per second of keypoint files that do not tell it.
        height: The person's stature, metres, which gives the lifted joints their size; 1.70 is assumed without it.
        align_clocks: auto: bring 3D recordings of one movement, as in "gonio compare kinect.csv vicon.trc", to the
            clock of the reference (else of the first) by their joint angles. Nothing is moved where not given.
        blur_faces: Blur the faces of those who are followed in the overlay videos and pictures; look before you share.
        videos: Draw the overlay videos.
    """
    from gonio.trials.config import load_trial
    from gonio.trials.from_files import adjusted, trial_from_files

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
        detector_options=options.given(),
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
    options: Options,
    detector: str = "blazepose-heavy",
    people: int | None = None,
    choose: Literal["largest", "center"] = "largest",
    region: tuple[float, float, float, float] | None = None,
    click: tuple[float, float] | None = None,
    click_time: float | None = None,
    overlay: Path | None = None,
    images: Path | None = None,
    blur_faces: bool = False,
) -> None:
    """Find the joints of a person in a video.

    Args:
        video: The video.
        output: Where the joints go: .npz (lossless), .csv, or a folder (OpenPose JSON, one file a frame).
        options: Of the detector.
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
    record = dict(locals())
    record |= record.pop("options").values()
    from gonio.core.provenance import write_provenance
    from gonio.io import formats
    from gonio.trials.config import DetectorConfig
    from gonio.trials.detect import detect_video
    from gonio.trials.overlays import check_detection_outputs, draw_detections

    settings = DetectorConfig(detector, 1 if people is None else people, choose).changed(None, options.given())
    everybody = people is None and click is None and settings.make().finds_everybody
    formats.check_target(output, 2, several=everybody or settings.people > 1)
    check_detection_outputs(video, output, overlay, images)
    if click is None and click_time is not None:
        raise ConfigError("--click-time is the time of --click, which is not given")
    found = detect_video(video, settings, region_px=region, click_px=click, click_s=click_time, progress=bar)
    draw_detections(
        video,
        found.everybody,
        found.patient,
        overlay=overlay,
        images=images,
        blur_faces=blur_faces,
        progress=bar,
    )
    several = found.everybody if everybody else found.people
    one = not everybody and people in (None, 1) and not formats.for_videopose3d(several, output)
    lost = formats.write(found.patient if one else several, output)
    write_provenance(output, "detect", record, *found.patient.history)
    print_not_preserved(output, lost)


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
    from gonio.core.provenance import provenance_path, write_provenance
    from gonio.io import formats
    from gonio.trials.single_step import triangulate_files

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
    print_not_preserved(output, formats.write(sequence, output))
    write_provenance(output, "triangulate", options, *measurement.notes, *sequence.history, *measurement.warnings)
    print_warnings(measurement.warnings)
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
    from gonio.core.provenance import provenance_path, write_provenance
    from gonio.io import formats
    from gonio.trials.single_step import lift_file

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
    print_not_preserved(output, (*resampled, *lost))
    for assumption in lifted.assumptions:
        print(f"  {assumption.text}")


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
    from gonio.core.provenance import write_provenance
    from gonio.trials.single_step import render_files

    done = render_files(
        keypoints,
        joints,
        output,
        video_path=video,
        layout=layout,
        fps=fps,
        blur_faces=blur_faces,
        progress=bar,
    )
    missing = {"2D keypoints": done.frames_without_keypoints, **done.frames_without_joints}
    lost = [f"{name}: missing in {n} of {done.frames} frames" for name, n in missing.items() if n]
    write_provenance(output, "render", options, f"{done.frames} frames drawn", *lost)
    print_not_preserved(output, tuple(lost))


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
    from gonio.core.provenance import write_provenance
    from gonio.trials.config import load_trial
    from gonio.trials.rectify import rectify_trial

    done = rectify_trial(load_trial(trial), output, cameras=cameras, alpha=alpha, progress=bar)
    file = output / "trial.toml"
    write_provenance(file, "rectify", options, *done.notes)
    print_not_preserved(file, done.notes)
    print(f"measure it with gonio compare {file}")


def _compare(trial: Trial, output: Path) -> None:
    from gonio.trials.evaluate import evaluate
    from gonio.trials.measure import measure
    from gonio.trials.overlays import face_warnings
    from gonio.trials.results import check_output, write_results

    check_output(output, trial)
    measurement = measure(trial, bar)
    result = evaluate(measurement)
    print_warnings((*measurement.warnings, *face_warnings(trial)))
    write_results(output, measurement, result, bar)
    print(error_table(result))
    for sentence in measurement.assumptions:
        print(f"\n{sentence}")
    print(f"\nreport: {output / 'report.html'}\n{DISCLAIMER}")
