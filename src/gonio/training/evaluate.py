"""Networks against labelled data, from files to written results, as `gonio evaluate` and `gonio evaluate-2d` do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gonio.core.errors import ConfigError
from gonio.core.files import check_writable
from gonio.core.progress import Progress, silent
from gonio.training import evaluate_keypoints
from gonio.training import evaluate_lifting as lifting
from gonio.training.evaluate_keypoints import KeypointEvaluation
from gonio.training.evaluate_lifting import Evaluation
from gonio.trials.config import DetectorConfig
from gonio.trials.outputs import OnWritten, unreported
from gonio.trials.outputs import output as output_file


def evaluate_lifting(
    weights: str | Path,
    *,
    output: str | Path | None = None,
    data: str | Path | None = None,
    data_3d: str | Path | None = None,
    data_2d: str | Path | None = None,
    cameras: str | Path | None = None,
    subjects: Sequence[str] | None = None,
    actions: Sequence[str] | None = None,
    clean: bool = False,
    causal: bool = False,
    progress: Progress = silent,
    on_written: OnWritten = unreported,
) -> Evaluation:
    """Measure a lifting network on recordings whose 3D joints are known.

    weights            a checkpoint (.bin), a .safetensors file, or the folder of a training run
    output             the .json file of the results, with a .csv table beside it; default: nothing is written
    data               a folder with UI-PRMD's "Segmented Movements", or with VideoPose3D's data_3d_*.npz and
                       data_2d_*.npz
    data_3d, data_2d   VideoPose3D's files themselves
    cameras            cameras of HumanEva (.json)
    subjects, actions  which recordings; default: the usual test subjects, all actions
    clean              UI-PRMD without the noise of protocol L1
    causal             the checkpoint is a causal network, which a published file does not state

    Raises `ConfigError` if it is not clear which files are meant, `InputError` if a file cannot be used.
    """
    network_file, target = Path(weights), None if output is None else Path(output)
    folder, file_3d, file_2d, cameras_file = (
        None if file is None else Path(file) for file in (data, data_3d, data_2d, cameras)
    )
    options = {
        "weights": network_file,
        "output": target,
        "data": folder,
        "data_3d": file_3d,
        "data_2d": file_2d,
        "cameras": cameras_file,
        "subjects": subjects,
        "actions": actions,
        "clean": clean,
        "causal": causal,
    }
    inputs = [file for file in (network_file, file_3d, file_2d, cameras_file, folder) if file is not None]
    if target is not None:
        if target.suffix.lower() != ".json":
            raise ConfigError(f"{target}: an evaluation is written as .json, with a .csv table beside it")
        check_writable(lifting.table_path(target), inputs)
    with output_file(target, inputs, "evaluate", options, on_written) as out:
        network = lifting.read_weights(network_file, causal=causal)
        data_set = lifting.evaluation_set(
            folder,
            data_3d=file_3d,
            data_2d=file_2d,
            cameras=cameras_file,
            subjects=subjects,
            actions=actions,
            noisy=not clean,
        )
        lifts = lifting.network_lifts(network, data_set)
        result = lifting.evaluate(data_set, lifts, notes=lifting.scale_note(network), progress=progress)
        if target is not None:
            result.write(target)
            out.notes.append(f"its table is {lifting.table_path(target).name}")
        out.steps += result.notes
        out.warnings += result.notes
    return result


def evaluate_2d(
    annotations: str | Path,
    *,
    output: str | Path | None = None,
    images: str | Path | None = None,
    detections: str | Path | None = None,
    detector: str = "blazepose-heavy",
    people: int | None = None,
    progress: Progress = silent,
    on_written: OnWritten = unreported,
    **detector_options: Any,
) -> KeypointEvaluation:
    """Measure a detector, or saved detections, on annotated images.

    annotations  people's keypoints in COCO's format
    output       the .json file of the results; default: nothing is written
    images       the folder of the annotated images
    detections   in place of a detector: a file of results in COCO's format
    detector     its name, as in `gonio detect --help`
    people       BlazePose: most people to find in an image; default: the most that are annotated in one
    detector_options   of the detector, such as `weights` and `net_resolution` of openpose

    Raises `ConfigError` if neither images nor detections are given, `InputError` if a file cannot be used.
    """
    truth, target = Path(annotations), None if output is None else Path(output)
    folder, found = (None if file is None else Path(file) for file in (images, detections))
    settings = DetectorConfig(detector).changed(None, detector_options)
    options = {
        "annotations": truth,
        "output": target,
        "images": folder,
        "detections": found,
        "detector": detector,
        "people": people,
        **settings.option_values,
    }
    if (folder is None) == (found is None):
        raise ConfigError("give the folder of the annotated images (--images), or saved results (--detections)")
    if target is not None and target.suffix.lower() != ".json":
        raise ConfigError(f"{target}: the accuracy is written as .json")
    inputs = [truth, folder, found, *settings.files]
    with output_file(target, inputs, "evaluate-2d", options, on_written) as out:
        if folder is not None:
            settings = evaluate_keypoints.with_people_limit(truth, settings, people)
            result = evaluate_keypoints.evaluate_detector(truth, folder, settings, progress=progress)
        else:
            assert found is not None
            if settings != DetectorConfig() or people is not None:
                raise ConfigError("--detections are results already: leave out --detector and its options")
            result = evaluate_keypoints.evaluate_file(truth, found)
        if target is not None:
            result.write(target)
        out.steps += result.notes
        out.notes += result.notes
    return result
