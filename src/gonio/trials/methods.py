"""The methods of a trial: those that its cameras and its rig allow, and those that it measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Literal

from gonio.core.errors import ConfigError
from gonio.lifting import weights as shipped
from gonio.trials.config import LiftingConfig, Trial

MethodKind = Literal["multiview", "stereo", "detector-3d", "lifting", "recording"]

GROUPS: dict[str, MethodKind] = {"blazepose-world": "detector-3d", "lifting": "lifting"}
"""Names that users type for a method of every camera, and the kind of these methods. One method is called
GROUP-CAMERA."""


@dataclass(frozen=True)
class Method:
    """One way to 3D joints.

    kind     "multiview": triangulation of all cameras. "stereo": of two. "detector-3d": the detector's own 3D estimate
             from one camera. "lifting": a network from one camera's 2D joints. "recording": a file of 3D joints
    cameras  the names of the cameras that it needs
    name     by which users ask for it and read of it
    """

    kind: MethodKind
    cameras: tuple[str, ...]
    name: str

    @property
    def triangulates(self) -> bool:
        """It needs two cameras or more, and a rig."""
        return self.kind in ("multiview", "stereo")


def weights_file(settings: LiftingConfig) -> Path:
    """The file of weights that a trial lifts with. Raises `InputError` if there is none."""
    return shipped.weights_file(settings.weights, causal=settings.causal)


def possible_methods(trial: Trial) -> tuple[Method, ...]:
    """Every method that the trial's cameras, rig and detector allow; its recordings are not among them.

    Raises `ConfigError` if two pairs of cameras have one name.
    """
    names = [camera.name for camera in trial.cameras]
    methods: list[Method] = []
    if trial.rig is not None:
        pairs = [Method("stereo", (a, b), f"stereo-{a}-{b}") for a, b in permutations(names, 2)]
        if len({pair.name for pair in pairs}) < len(pairs):
            raise ConfigError(f"two pairs of {', '.join(names)} have one name; leave out the hyphens")
        methods += [Method("multiview", tuple(names), "multiview"), *pairs]
    for group, kind in GROUPS.items():
        methods += [Method(kind, (name,), f"{group}-{name}") for name in _single_cameras(trial, kind)]
    return tuple(methods)


def _single_cameras(trial: Trial, kind: MethodKind) -> list[str]:
    """The cameras from each of which alone a method of this kind can measure."""
    if kind == "lifting":
        return [camera.name for camera in trial.cameras]
    videos = [camera.name for camera in trial.cameras if camera.video is not None]
    return videos if videos and trial.detector.make().has_3d_estimate else []


def requested_methods(trial: Trial) -> tuple[Method, ...]:
    """The methods that the trial names, or else those that suit it, in its order; then its recordings.

    Raises `ConfigError` if a method cannot be measured, if nothing can be, if two methods have one name, and if the
    reference is none of them; `InputError` if the weights for lifting are missing.
    """
    possible = possible_methods(trial)
    methods = _named_methods(trial, possible)
    if not methods and not trial.recordings:
        raise ConfigError(
            "nothing can be measured: 2D keypoints alone need a [rig] with two cameras or more, a video, or weights of "
            "a lifting network"
        )
    if any(method.kind == "lifting" for method in methods):
        weights_file(trial.lifting)  # an error comes before long work
        if trial.lifting.scale == "stereo" and not any(method.triangulates for method in methods):
            raise ConfigError('lifting: scale = "stereo" takes the size from a stereo method; this trial measures none')
    taken = {name.casefold() for name in (*(method.name for method in possible), *GROUPS)}
    for recording in trial.recordings:
        if recording.name.casefold() in taken:
            raise ConfigError(f"the recording {recording.name!r} has the name of a method; give it another name")
    methods += [Method("recording", (), recording.name) for recording in trial.recordings]
    known = [method.name for method in methods]
    if trial.reference is not None and trial.reference not in known:
        raise ConfigError(f"the reference {trial.reference!r} is none of the methods: {', '.join(known)}")
    return tuple(methods)


def _named_methods(trial: Trial, possible: Sequence[Method]) -> list[Method]:
    """The methods that the trial names, each once; those that suit it if it names none."""
    by_name = {method.name: method for method in possible}
    methods: list[Method] = []
    for name in trial.methods or _default_names(trial):
        if name in GROUPS:
            methods += [method for method in possible if method.kind == GROUPS[name]]
        elif name in by_name:
            methods.append(by_name[name])
        else:
            rigless = "; without a [rig] nothing can be triangulated" if trial.rig is None else ""
            raise ConfigError(f"no method is called {name!r}; this trial allows {', '.join(by_name)}{rigless}")
    for method in methods:
        if method.triangulates and len(method.cameras) < 2:
            raise ConfigError(f"{method.name} needs at least two cameras; the trial names {len(trial.cameras)}")
    return list(dict.fromkeys(methods))


def _default_names(trial: Trial) -> list[str]:
    names = [camera.name for camera in trial.cameras]
    groups = list(GROUPS)
    if trial.lifting.weights is None and not shipped.shipped_weights():
        groups.remove("lifting")
    if trial.rig is None:
        return groups
    return [f"stereo-{names[0]}-{names[1]}" if len(names) == 2 else "multiview", *groups]
