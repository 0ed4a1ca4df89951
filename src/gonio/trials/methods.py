"""The methods of a trial: which ones its cameras and its rig allow, and which ones it measures."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

from gonio.core.errors import ConfigError
from gonio.lifting import weights
from gonio.trials.config import LiftingConfig, Trial


def weights_file(settings: LiftingConfig) -> Path:
    """The file of weights that a trial lifts with. Raises `InputError` where there is none."""
    return weights.weights_file(settings.weights, causal=settings.causal)


WORLD, LIFTING = "blazepose-world-", "lifting-"  # and the camera's name: a method
SINGLE = (WORLD, LIFTING)


def possible_methods(trial: Trial) -> dict[str, tuple[str, ...]]:
    """method -> the cameras it needs, for every method that the trial's cameras and rig allow."""
    names = [c.name for c in trial.cameras]
    possible: dict[str, tuple[str, ...]] = {}
    if trial.rig is not None:
        possible["multiview"] = tuple(names)
        pairs = {f"stereo-{a}-{b}": (a, b) for a, b in permutations(names, 2)}
        if len(pairs) < len(names) * (len(names) - 1):
            raise ConfigError(f"two pairs of {', '.join(names)} have one name; leave out the hyphens")
        possible |= pairs
    if trial.detector.name.startswith("blazepose"):
        possible |= {WORLD + c.name: (c.name,) for c in trial.cameras if c.video is not None}
    return possible | {LIFTING + name: (name,) for name in names}


def wanted_methods(trial: Trial) -> dict[str, tuple[str, ...]]:
    """method -> the cameras it needs, in the trial's order; checked against the recordings and the reference."""
    names = [c.name for c in trial.cameras]
    possible = possible_methods(trial)
    groups = {kind.rstrip("-"): [method for method in possible if method.startswith(kind)] for kind in SINGLE}
    asked = list(trial.methods)
    if not asked:
        pair = f"stereo-{names[0]}-{names[1]}" if len(names) == 2 else "multiview"
        asked = [*([pair] if trial.rig is not None else []), *groups]
        if trial.lifting.weights is None and not weights.shipped_weights():
            asked.remove(LIFTING.rstrip("-"))
    asked = [method for ask in asked for method in groups.get(ask, [ask])]
    for method in asked:
        if method not in possible:
            rigless = "; without a [rig] nothing can be triangulated" if trial.rig is None else ""
            raise ConfigError(f"no method is called {method!r}; this trial allows {', '.join(possible)}{rigless}")
        if not method.startswith(SINGLE) and len(possible[method]) < 2:
            raise ConfigError(f"{method} needs at least two cameras; the trial names {len(names)}")
    if not asked and not trial.recordings:
        raise ConfigError(
            "nothing can be measured: 2D keypoints alone need a [rig] with two cameras or more, a video, or weights of "
            "a lifting network"
        )
    if any(method.startswith(LIFTING) for method in asked):
        weights_file(trial.lifting)  # an error comes before long work
        stereo = [method for method in asked if not method.startswith(SINGLE)]
        if trial.lifting.scale == "stereo" and not stereo:
            raise ConfigError('lifting: scale = "stereo" takes the size from a stereo method; this trial measures none')
    taken = {name.casefold() for name in (*possible, *groups)}
    for recording in trial.recordings:
        if recording.name.casefold() in taken:
            raise ConfigError(f"the recording {recording.name!r} bears the name of a method; give it another name")
    known = [*asked, *(recording.name for recording in trial.recordings)]
    if trial.reference is not None and trial.reference not in known:
        raise ConfigError(f"the reference {trial.reference!r} is none of the methods: {', '.join(known)}")
    return {method: possible[method] for method in asked}
