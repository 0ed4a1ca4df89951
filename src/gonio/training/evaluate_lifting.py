"""Accuracy of a lifting network: its joints against labelled pairs, by the errors of the paper.

D. Pavllo et al., "3D human pose estimation in video with temporal convolutions and semi-supervised training", CVPR
2019, section 5.1: protocol 1 is MPJPE, 2 is PA-MPJPE, 3 is N-MPJPE; MPJVE measures jitter. The errors are those of
`gonio.comparison.position_error`; here they are summed over recordings, by action, subject and joint. Results with and
without flip averaging (the mean of the output and that for the mirrored keypoints) come from one run.

A `Protocol` defines joints and root. Human3.6M and HumanEva: all joints of their skeletons, relative to joint 0.
UI-PRMD: protocol L1 and gonio's twelve joints, relative to the mean of the hips.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gonio.comparison.position_error import mpjve_mm_per_s, n_mpjpe_mm, pa_mpjpe_mm, root_mpjpe_mm
from gonio.core.arrays import BoolArray, FloatArray, IntArray
from gonio.core.errors import ConfigError, InputError
from gonio.core.files import replacing, write_csv, write_json
from gonio.core.progress import Progress, silent
from gonio.core.sequence import EVALUATION_JOINTS, PoseSequence, Source
from gonio.core.skeleton import COCO_17, H36M_17, Skeleton
from gonio.io.videopose3d_npz import VideoPose3DSet
from gonio.lifting import checkpoints
from gonio.lifting.checkpoints import Weights
from gonio.lifting.lifter import lift
from gonio.lifting.normalisation import NORMALISATION
from gonio.lifting.prediction import normalise_screen, predict
from gonio.lifting.weights import weights_file
from gonio.training.datasets import H36M_TEST, LabelledPair, ui_prmd_pairs, videopose3d_pairs

Lift = Callable[[LabelledPair], PoseSequence]
"""A pair's keypoints to joints: the skeleton of its target, frame "root", at the keypoints' times."""

METRICS = ("mpjpe_mm", "n_mpjpe_mm", "pa_mpjpe_mm", "mpjve_mm_per_frame")
_MODES = {"flip_averaged": True, "plain": False}


@dataclass(frozen=True)
class Protocol:
    """The rules of an evaluation.

    name      description of the data
    joints    over which errors are averaged
    root      the two joints on whose mean both bodies are centred; a single joint is named twice
    headline  the mean that published results state: over actions, each action counting once, or over all frames
    """

    name: str
    joints: tuple[str, ...]
    root: tuple[str, str]
    headline: Literal["mean_of_actions", "all_frames"]


def protocol_l1(noisy: bool) -> Protocol:
    """UI-PRMD through protocol L1's virtual cameras."""
    name = f"UI-PRMD, protocol L1, {'noisy' if noisy else 'clean'} keypoints"
    return Protocol(name, EVALUATION_JOINTS, ("left_hip", "right_hip"), "all_frames")


def protocol_of_paper(target: Skeleton, keypoints: Skeleton) -> Protocol:
    """Human3.6M or HumanEva as the paper does: all joints, relative to joint 0, the mean of the actions' means."""
    name = f"{'Human3.6M' if target == H36M_17 else 'HumanEva'}, {keypoints.name} keypoints"
    return Protocol(name, target.joints, (target.joints[0], target.joints[0]), "mean_of_actions")


@dataclass(frozen=True, eq=False)
class EvaluationSet:
    """Pairs to lift, their protocol, and sentences about what was left out."""

    pairs: tuple[LabelledPair, ...]
    protocol: Protocol
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Errors:
    """Means over cells (frame, joint) that the target and the estimate both have; NaN if there is none.

    mpjpe_mm            after both are centred on the root (protocol 1)
    n_mpjpe_mm          and after one scale per frame (protocol 3)
    pa_mpjpe_mm         after a similarity per frame (protocol 2)
    mpjve_mm_per_frame  norm of the difference of the differences between consecutive frames
    frames              that count, over all views
    """

    mpjpe_mm: float
    n_mpjpe_mm: float
    pa_mpjpe_mm: float
    mpjve_mm_per_frame: float
    frames: int


@dataclass(frozen=True)
class Scores:
    """The errors of one mode of lifting. `mean_of_actions`: the mean of `by_action`, each action counting once."""

    all_frames: Errors
    mean_of_actions: Errors
    by_action: Mapping[str, Errors]
    by_subject: Mapping[str, Errors]
    by_joint: Mapping[str, Errors]


@dataclass(frozen=True)
class Evaluation:
    """Scores by the mode of lifting ("flip_averaged", "plain"), and what is needed to read them.

    rate_hz  of the recordings: what a frame means in MPJVE
    missing  the share of the target's cells without an estimate
    notes    sentences about what was left out or assumed
    """

    protocol: Protocol
    rate_hz: float
    missing: float
    scores: Mapping[str, Scores]
    notes: tuple[str, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        """As JSON knows it; an error that is not defined is null."""
        plain: dict[str, Any] = _nan_to_none(asdict(self))
        plain["errors"] = "means in mm over joints and frames; mpjve in mm per frame at rate_hz"
        return plain

    def rows(self) -> list[tuple[str, str, str, Errors]]:
        """(mode, group, name, errors), e.g. ("plain", "action", "Walking", ...): what the tables show."""
        rows = []
        for mode, scores in self.scores.items():
            for group, table in (
                ("action", scores.by_action),
                ("subject", scores.by_subject),
                ("joint", scores.by_joint),
            ):
                rows += [(mode, group, name, errors) for name, errors in table.items()]
            rows.append((mode, "all", "mean_of_actions", scores.mean_of_actions))
            rows.append((mode, "all", "all_frames", scores.all_frames))
        return rows

    def write(self, path: Path) -> None:
        """The JSON file, and a table of the same name that ends in .csv. Raises `InputError` if it cannot be."""
        path = Path(path)
        with replacing(path) as temporary:
            write_json(temporary, self.to_plain(), ascii_only=False)
        table: list[list[Any]] = [["lifting", "group", "name", "frames", *METRICS]]
        for lifting, group, name, errors in self.rows():
            values = [getattr(errors, metric) for metric in METRICS]
            cells = ["" if np.isnan(value) else f"{value:.3f}" for value in values]
            table.append([lifting, group, name, errors.frames, *cells])
        with replacing(table_path(path)) as temporary:
            write_csv(temporary, table)


def table_path(path: Path) -> Path:
    """The path of an evaluation's table, beside its JSON file."""
    return path.with_suffix(".csv")


def protocol_sentence(result: Evaluation) -> str:
    """One line that describes the numbers."""
    protocol = result.protocol
    root = protocol.root[0] if len(set(protocol.root)) == 1 else f"the middle of {' and '.join(protocol.root)}"
    return (
        f"{protocol.name}: {len(protocol.joints)} joints relative to {root}, {result.rate_hz:g} frames per second; "
        f"no estimate for {result.missing:.2%}; to be cited: {protocol.headline.replace('_', ' ')}"
    )


def summary_table(result: Evaluation) -> list[tuple[str, ...]]:
    """A header; for every mode of lifting its actions, their mean, and all frames."""
    table: list[tuple[str, ...]] = [
        ("lifting", "action", "frames", "MPJPE mm", "PA-MPJPE mm", "N-MPJPE mm", "MPJVE mm/frame")
    ]
    for mode, group, name, errors in result.rows():
        if group in ("action", "all"):
            shown = (errors.mpjpe_mm, errors.pa_mpjpe_mm, errors.n_mpjpe_mm)
            cells = [*(f"{value:.1f}" for value in shown), f"{errors.mpjve_mm_per_frame:.2f}"]
            label = name.replace("_", " ") if group == "all" else name
            table.append(
                (mode.replace("_", " "), label, str(errors.frames), *("-" if c == "nan" else c for c in cells))
            )
    return table


def evaluate(
    data_set: EvaluationSet,
    lifts: Mapping[str, Lift],
    *,
    notes: Sequence[str] = (),
    progress: Progress = silent,
) -> Evaluation:
    """The errors of every mode of lifting over the same pairs.

    Raises `InputError` if there is no pair, if the recordings differ in rate, if a pair cannot be lifted, and
    if an estimate has other joints or other times than its target, naming the pair.
    """
    pairs, protocol = data_set.pairs, data_set.protocol
    if not pairs:
        raise InputError("no recording is left to evaluate")
    rates = np.array([pair.target.rate_hz for pair in pairs if len(pair.target) > 1])
    if not len(rates) or not np.allclose(rates, rates[0], rtol=1e-3):
        raise InputError(
            f"recordings of one rate are needed, of two frames or more; there are "
            f"{', '.join(f'{rate:.5g}' for rate in np.unique(rates.round(3))) or 'none'} per second"
        )
    rate_hz = float(np.median(rates))
    scores, missing = {}, 0.0
    for mode, lift_pair in lifts.items():
        tallies = []
        with progress(f"lifting, {mode.replace('_', ' ')}", len(pairs)) as tick:
            for pair in pairs:
                tallies.append(_tally(pair, _estimate(pair, lift_pair), protocol, rate_hz))
                tick()
        scores[mode] = _scores(pairs, protocol, tallies)
        target_cells = sum(tally.target_cells for tally in tallies)
        missing = max(missing, 1 - sum(int(tally.counts[0].sum()) for tally in tallies) / max(target_cells, 1))
    return Evaluation(protocol, rate_hz, missing, scores, (*data_set.notes, *notes))


@dataclass(frozen=True, eq=False)
class _Tally:
    """Of one pair: by metric and joint the sum of the errors and the number of cells; the frames that count."""

    sums: FloatArray
    counts: IntArray
    frames: int
    target_cells: int  # cells of the target, in frames whose root it has


def _estimate(pair: LabelledPair, lift_pair: Lift) -> PoseSequence:
    try:
        estimate = lift_pair(pair)
    except InputError as error:
        raise InputError(f"{pair}: {error}") from None
    if estimate.skeleton.joints != pair.target.skeleton.joints or estimate.frame != "root":
        raise InputError(
            f"{pair}: the estimate is {estimate.skeleton.name} in frame {estimate.frame!r}; the target is "
            f"{pair.target.skeleton.name} in frame 'root'"
        )
    if not np.array_equal(estimate.times_s, pair.target.times_s):
        raise InputError(
            f"{pair}: the estimate has {len(estimate)} frames of other times; the target {len(pair.target)}"
        )
    return estimate


def _tally(pair: LabelledPair, estimate: PoseSequence, protocol: Protocol, rate_hz: float) -> _Tally:
    target = pair.target.select(protocol.joints)
    positions, truth = estimate.select(protocol.joints).positions, target.positions
    mask = target.valid
    root = (protocol.joints.index(protocol.root[0]), protocol.joints.index(protocol.root[1]))
    per_cell = (
        root_mpjpe_mm(positions, truth, mask, root),
        n_mpjpe_mm(positions, truth, mask, root),
        pa_mpjpe_mm(positions, truth, mask),
        mpjve_mm_per_s(positions, truth, mask, target.times_s, root) / rate_hz,
    )
    return _Tally(
        sums=np.stack([np.nansum(cells, axis=0) for cells in per_cell]),
        counts=np.stack([(~np.isnan(cells)).sum(axis=0) for cells in per_cell]),
        frames=int((~np.isnan(per_cell[0])).any(axis=1).sum()),
        target_cells=int(mask[mask[:, list(root)].all(axis=1)].sum()),
    )


def _scores(pairs: Sequence[LabelledPair], protocol: Protocol, tallies: Sequence[_Tally]) -> Scores:
    sums = np.stack([tally.sums for tally in tallies])  # (pair, metric, joint)
    counts = np.stack([tally.counts for tally in tallies])
    frames = np.array([tally.frames for tally in tallies])

    def errors(of_pairs: BoolArray | slice, joints: slice = slice(None)) -> Errors:
        total = sums[of_pairs][:, :, joints].sum(axis=(0, 2))
        number = counts[of_pairs][:, :, joints].sum(axis=(0, 2))
        means = total / np.where(number > 0, number, np.nan)
        return _errors(means, int(frames[of_pairs].sum()))

    def grouped(names: Sequence[str]) -> dict[str, Errors]:
        return {name: errors(np.array([own == name for own in names])) for name in sorted(set(names))}

    by_action = grouped([pair.action for pair in pairs])
    of_actions = np.array([[getattr(one, metric) for metric in METRICS] for one in by_action.values()])
    return Scores(
        all_frames=errors(slice(None)),
        mean_of_actions=_errors(of_actions.mean(axis=0), int(frames.sum())),
        by_action=by_action,
        by_subject=grouped([pair.subject for pair in pairs]),
        by_joint={joint: errors(slice(None), slice(j, j + 1)) for j, joint in enumerate(protocol.joints)},
    )


def _errors(means: FloatArray, frames: int) -> Errors:
    mpjpe, n_mpjpe, pa_mpjpe, mpjve = means.tolist()
    return Errors(mpjpe, n_mpjpe, pa_mpjpe, mpjve, frames)


def evaluation_set(
    data: Path | None = None,
    *,
    data_3d: Path | None = None,
    data_2d: Path | None = None,
    cameras: Path | None = None,
    subjects: Collection[str] | None = None,
    actions: Collection[str] | None = None,
    noisy: bool = True,
) -> EvaluationSet:
    """The test set of a folder, or of a 3D and a 2D file of VideoPose3D's.

    data      a folder with UI-PRMD's "Segmented Movements", or with one data_3d_*.npz and one data_2d_*.npz
    data_2d   with `data`: which of several 2D sets in the folder (a path)
    subjects  default: S9 and S11 of Human3.6M, HumanEva's Validate/..., all of UI-PRMD
    noisy     protocol L1 with its noise

    Raises `ConfigError` if it is not clear which files are meant, `InputError` as the loaders do.
    """
    if data is None and (data_3d is None or data_2d is None):
        raise ConfigError("name the data: --data FOLDER, or --data-3d and --data-2d with VideoPose3D's files")
    if data is not None:
        if not data.is_dir():
            raise InputError(f"{data}: is no folder; give single files with --data-3d and --data-2d")
        sets_3d = sorted(data.glob("data_3d_*.npz"))
        if not sets_3d and data_3d is None:
            if data_2d is not None or cameras is not None:
                raise ConfigError(f"--data-2d and --cameras go with VideoPose3D's sets; {data} holds no data_3d_*.npz")
            found = ui_prmd_pairs(data, subjects, actions=actions, noisy=noisy)
            return EvaluationSet(found.items, protocol_l1(noisy), found.skipped)
        data_3d = data_3d or _only(data, sets_3d, "--data-3d")
        data_2d = data_2d or _only(data, sorted(data.glob("data_2d_*.npz")), "--data-2d")
    assert data_3d is not None
    assert data_2d is not None
    if not noisy:
        raise ConfigError("--clean goes with UI-PRMD, whose noise is made; other sets have the keypoints they have")
    set_3d = VideoPose3DSet(data_3d)
    pairs = videopose3d_pairs(
        set_3d,
        VideoPose3DSet(data_2d),
        subjects=_test_subjects(set_3d) if subjects is None else subjects,
        actions=actions,
        cameras=cameras,
    )
    return EvaluationSet(
        pairs.items, protocol_of_paper(pairs[0].target.skeleton, pairs[0].keypoints.skeleton), pairs.skipped
    )


def read_weights(path: Path, *, causal: bool = False) -> Weights:
    """The network in a file, in the folder of a training run (its weights.safetensors, or its only .safetensors), or
    that comes with gonio under a name.

    Raises `InputError` if there is none, or several, and as `checkpoints.read` does.
    """
    path = Path(path)
    if path.is_dir():
        found = sorted(path.glob("*.safetensors"))
        named = [file for file in found if file.name == "weights.safetensors"] or found
        if len(named) != 1:
            files = ", ".join(file.name for file in named) or "none"
            raise InputError(f"{path}: holds {files}; name the one .safetensors file of weights that is meant")
        path = named[0]
    return checkpoints.read(weights_file(path), causal=causal or None)


def network_lifts(weights: Weights, data_set: EvaluationSet) -> dict[str, Lift]:
    """Both modes of lifting with a network: "flip_averaged" and "plain".

    COCO's keypoints go through `gonio.lifting.lifter.lift`, which handles gaps. Those of another layout, without gaps,
    go directly into a network that was trained on that layout. The shapes of a published checkpoint do not state the
    layout; it is assumed to be that of the set.

    Raises `InputError` if the network takes or gives another number of joints than the set has.
    """
    architecture = weights.architecture
    pair = data_set.pairs[0]
    layout, target = pair.keypoints.skeleton, pair.target.skeleton
    features = architecture.in_features if _uses_body_coordinates(weights) else 2
    taken = len(COCO_17) if _by_lifter(weights, pair) else len(layout)
    fits = (taken, features, len(target)) == (
        architecture.in_joints,
        architecture.in_features,
        architecture.out_joints,
    )
    if not fits:
        raise InputError(
            f"the network takes {architecture.in_joints} joints with {architecture.in_features} numbers and gives "
            f"{architecture.out_joints}; {data_set.protocol.name} has {len(layout)} ({layout.name}) and {len(target)} "
            f"({target.name}): choose data or weights of one layout"
        )
    return {mode: partial(_lifted, weights, flip=flip) for mode, flip in _MODES.items()}


def _by_lifter(weights: Weights, pair: LabelledPair) -> bool:
    coco = pair.keypoints.skeleton == COCO_17 and pair.target.skeleton == H36M_17
    return coco or _uses_body_coordinates(weights)


def _uses_body_coordinates(weights: Weights) -> bool:
    """A network of gonio's own, which is given bodies without their size, not screen coordinates."""
    return weights.metadata.get("normalisation") == NORMALISATION


def _lifted(weights: Weights, pair: LabelledPair, *, flip: bool) -> PoseSequence:
    if _by_lifter(weights, pair):
        return lift(weights, pair.keypoints, camera=pair.camera, flip=flip)
    keypoints, target = pair.keypoints, pair.target
    if keypoints.image_size_px is None or not keypoints.valid.all():
        raise InputError("keypoints without gaps are needed, and the size of their image")
    screen = normalise_screen(keypoints.positions, *keypoints.image_size_px)
    mirrored = (keypoints.skeleton, target.skeleton) if flip else None
    return PoseSequence(
        positions=predict(weights, screen[None], mirrored=mirrored)[0],
        times_s=keypoints.times_s,
        skeleton=target.skeleton,
        unit="m",
        frame="root",
        frame_name=keypoints.frame_name,
        source=Source("lifting", f"temporal convolutions over {weights.architecture.receptive_field} frames"),
        history=keypoints.history,
    )


def scale_note(weights: Weights) -> tuple[str, ...]:
    """Notes about the size of a network's bodies."""
    if not _uses_body_coordinates(weights):
        return ()
    return ("the network gives no absolute size and one was assumed: read N-MPJPE and PA-MPJPE rather than MPJPE",)


def _nan_to_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _nan_to_none(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_nan_to_none(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _only(folder: Path, files: Sequence[Path], option: str) -> Path:
    if len(files) != 1:
        found = ", ".join(file.name for file in files) or "none"
        raise ConfigError(
            f"{folder}: one {option.removeprefix('--').replace('-', '_')}_*.npz is needed, there is "
            f"{found}; name it with {option}"
        )
    return files[0]


def _test_subjects(data_set: VideoPose3DSet) -> list[str]:
    """The subjects of the set that published results are tested on."""
    test = [subject for subject in data_set.subjects if subject in H36M_TEST or subject.startswith("Validate/")]
    if not test:
        raise ConfigError(
            f"{data_set.path}: has none of the usual test subjects; name some with --subjects: "
            f"{', '.join(data_set.subjects)}"
        )
    return test
