"""Sentences that sum up a trial's results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gonio.comparison.result import ComparisonResult, MethodErrors, PairErrors

_WORTH_SAYING = 0.005  # a share of positions that one method alone lacks, above which the words name it
_EQUALLY_NEAR = 0.05  # two methods whose errors differ by less than this share are called equally near


# ---- the answer in words ---------------------------------------------------------------------------------------------


def sentences(result: ComparisonResult) -> tuple[str, ...]:
    """What the study found, in sentences, from its numbers alone."""
    if result.pairs:
        return _sentences_on_pairs(result)
    estimates = {name: m for name, m in result.methods.items() if not m.is_reference}
    if not estimates or result.protocol["reference"] is None:
        return (
            "There is one method only. It is drawn and its angles are tabulated; there is nothing to compare it with.",
        )
    return _sentences_against_reference(result, estimates)


def limits(result: ComparisonResult, caveats: Sequence[str] = ()) -> tuple[str, ...]:
    """What cannot be concluded: the trial's own caveats, where it has none what holds for every study of this kind."""
    words = list(caveats)
    reference = result.protocol["reference"]
    if not caveats and reference is not None:
        words.append(
            f"The reference, {reference}, is a measurement too. Agreement with it is not truth: errors that both share "
            "cannot be seen."
        )
    if not caveats and int(result.protocol.get("averaged", 1)) == 1:
        seen = max((m.n_frames for m in result.methods.values()), default=0)
        words.append(
            f"The numbers come from one recording ({seen} frames). They do not tell how a method does with another "
            "person, movement, room or camera."
        )
    if reference is None and len(result.methods) > 1:
        words.append("Agreement is not truth: an error that methods share brings them nearer to each other.")
    smaller = "a method's error here" if reference is not None else "what the methods differ by here"
    if len(result.methods) > 1:
        words.append(
            f"A difference between two recordings that is smaller than {smaller} should not be read as a change of the "
            "person."
        )
    return tuple(words)


def _sentences_against_reference(result: ComparisonResult, estimates: Mapping[str, MethodErrors]) -> tuple[str, ...]:
    reference = result.protocol["reference"]
    key, how = ranking_key(list(estimates.values()))
    words = []
    ranked = sorted(
        (n for n in estimates if _value(estimates[n], key) is not None), key=lambda n: _must(estimates[n], key)
    )
    if ranked:
        first = ranked[0]
        smallest = _must(estimates[first], key)
        near = [n for n in ranked if _must(estimates[n], key) <= smallest * (1 + _EQUALLY_NEAR)]
        one = estimates[first]
        over = f"mean over {one.n_cells} positions of {len(one.per_joint)} joints in {one.n_frames} frames, {how}"
        if len(near) > 1:
            words.append(
                f"{enumerated(near)} are equally near to the reference {reference}: {smallest:.0f} mm "
                f"to {_must(estimates[near[-1]], key):.0f} mm ({over})."
            )
        else:
            words.append(f"{first} is nearest to the reference {reference}: {smallest:.0f} mm ({over}).")
        rest = ranked[len(near) :]
        if rest:
            words.append("Then follow " + enumerated([f"{n} ({_must(estimates[n], key):.0f} mm)" for n in rest]) + ".")
        words += _where_error_lies(ranked[-1], estimates[ranked[-1]])
    words += _angle_words(estimates, ranked)
    absent = [n for n in estimates if n not in ranked]
    if absent:
        words.append(
            f"{enumerated(absent)} cannot be ranked by position: the number ({how}) does not exist for "
            f"{'it' if len(absent) == 1 else 'them'}."
        )
    words += _clock_words(estimates, key)
    words += _frames_words(result)
    return tuple(words)


def _where_error_lies(name: str, method: MethodErrors) -> list[str]:
    """Whether the error of the farthest method is one of direction and size, or one of shape."""
    root, shape = method.root_mpjpe_mm, method.pa_mpjpe_mm
    if root is None or shape is None or not root > 0:
        return []
    share = shape / root
    kind = (
        "most of its error is one of direction and size, which most joint angles do not feel"
        if share < 0.5
        else "most of its error is one of shape, which joint angles feel"
        if share > 0.75
        else "its error is partly of direction and size, partly of shape"
    )
    return [f"Turned and scaled to fit, {name} is still {shape:.0f} mm away: {kind}."]


def _angle_words(estimates: Mapping[str, MethodErrors], ranked: Sequence[str]) -> list[str]:
    errors = {n: _rmse(estimates[n]) for n in ranked or estimates}
    errors = {n: e for n, e in errors.items() if e}
    if not errors:
        return ["No joint angle could be compared."]
    means = {n: float(np.mean(list(e.values()))) for n, e in errors.items()}
    order = sorted(means, key=lambda n: means[n])
    best = errors[order[0]]
    low, high = min(best, key=lambda a: best[a]), max(best, key=lambda a: best[a])
    near = [n for n in order if means[n] <= means[order[0]] * (1 + _EQUALLY_NEAR)]
    if len(near) > 1:
        span = f"{means[near[0]]:.1f}° to {means[near[-1]]:.1f}°"
        words = [f"In joint angles {enumerated(near)} are equally near: {span} on average (RMSE)."]
    else:
        words = [
            f"In joint angles {near[0]} is nearest: {means[near[0]]:.1f}° on average (RMSE), from {best[low]:.1f}° "
            f"({words_of(low)}) to {best[high]:.1f}° ({words_of(high)})."
        ]
    if order[len(near) :]:
        words[0] += " The others: " + enumerated([f"{n} {means[n]:.1f}°" for n in order[len(near) :]]) + "."
    everyone = {a: [e[a] for e in errors.values() if a in e] for a in {a for e in errors.values() for a in e}}
    hardest = max(sorted(everyone), key=lambda a: float(np.median(everyone[a])))
    if len(errors) > 1:
        median = float(np.median(everyone[hardest]))
        words.append(f"The angle that the methods find hardest is the {words_of(hardest)}: median {median:.1f}°.")
    return words


def _sentences_on_pairs(result: ComparisonResult) -> tuple[str, ...]:
    key, how = ranking_key(list(result.pairs))
    ranked = sorted((p for p in result.pairs if _value(p, key) is not None), key=lambda p: _must(p, key))
    words = ["No method was named as the reference: how far they agree can be said, which of them is right cannot."]
    named = (("Nearest to each other are ", ranked[:1]), ("Farthest apart are ", ranked[1:][-1:]))
    for label, pair in named if len(ranked) > 1 else (("Between ", ranked),):
        for p in pair:
            errors = _rmse(p)
            angle = f", and {np.mean(list(errors.values())):.1f}° in joint angles on average (RMSE)" if errors else ""
            words.append(f"{label}{p.a} and {p.b}: {_must(p, key):.0f} mm ({how}){angle}.")
    words += _clock_words({f"{p.a} and {p.b}": p for p in result.pairs}, key)
    return (*words, *_frames_words(result))


def _clock_words(items: Mapping[str, MethodErrors | PairErrors], key: str) -> list[str]:
    """What a clock that is a tenth of a second wrong would do, of the one that feels it most."""
    worst: dict[str, tuple[float, float]] = {}
    for name, item in items.items():
        moved = [
            (abs(change), max((abs(c) for c in shift.angle_rmse_deg.values() if c is not None), default=0.0))
            for shift in item.time_shifts.values()
            if (change := getattr(shift.change, key)) is not None
        ]
        if moved:
            worst[name] = (max(mm for mm, _ in moved), max(deg for _, deg in moved))
    if not worst:
        return []
    name = max(worst, key=lambda n: worst[n])
    mm, deg = worst[name]
    whose = f", {name} most:" if len(worst) > 1 else f" of {name}"
    return [
        f"A clock that is 0.1 s wrong would change these numbers{whose} by up to {mm:.0f} mm, the RMSE of a single "
        f"angle by up to {deg:.1f}°."
    ]


def _frames_words(result: ComparisonResult) -> list[str]:
    """Over what the numbers are, and who alone lost what: a method that drops its hard frames must not look better."""
    frames = result.protocol.get("frames", {})
    if "in_all" not in frames:
        return []
    words = [
        f"Every error is over what all methods have: the same joints in the same {frames['compared']} of "
        f"{frames['in_all']} frames."
    ]
    lost = frames.get("lost_by_one_alone", {})
    lacking = []
    for name, joints in result.protocol.get("counts", {}).items():
        alone = {joint: int(count.get("missing_alone", 0)) for joint, count in joints.items()}
        total = sum(alone.values())
        if total > _WORTH_SAYING * frames["in_all"] * len(joints):
            share = 100 * total / (frames["in_all"] * len(joints))
            most = max(alone, key=lambda joint: alone[joint])
            whole = f" and {lost[name]} whole frames" if lost.get(name) else ""
            lacking.append(f"{name} lacks {share:.0f} % (most often the {words_of(most)}){whole}")
    if lacking:
        words.append(
            f"Not in the numbers is what one method alone could not measure: {enumerated(lacking)}. Where it is "
            "blind it is not wrong, and so looks better than it serves."
        )
    return words


def ranking_key(items: Sequence[MethodErrors | PairErrors]) -> tuple[str, str]:
    """Root-centred where all have it: the fairest that keeps size and direction. Else what all have after alignment."""
    if items and all(item.root_mpjpe_mm is not None for item in items):
        return "root_mpjpe_mm", "both centred on the mid-hip"
    return "pa_mpjpe_mm", "turned and scaled to fit each frame, since not all methods share the reference's axes"


def _value(item: MethodErrors | PairErrors, key: str) -> float | None:
    value: float | None = getattr(item, key)
    return value


def _must(item: MethodErrors | PairErrors, key: str) -> float:
    return float(getattr(item, key))


def _rmse(item: MethodErrors | PairErrors) -> dict[str, float]:
    return {angle: a.rmse_deg for angle, a in item.angles.items() if a.rmse_deg is not None}


def words_of(name: str) -> str:
    return name.replace("_", " ")


def enumerated(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
