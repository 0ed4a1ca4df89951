"""Sentences that sum up a trial's results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gonio.comparison.result import ComparisonResult, MethodErrors, PairErrors

_MIN_SHARE_LACKING = 0.005  # of the positions: a method that alone lacks more is named
_EQUALLY_NEAR = 0.05  # two methods whose errors differ by less than this share are called equally near


# ---- sentences ---------------------------------------------------------------------------------------------


def sentences(result: ComparisonResult) -> tuple[str, ...]:
    """What the trial found, computed from its numbers alone."""
    if result.pairs:
        return _sentences_on_pairs(result)
    estimates = {name: m for name, m in result.methods.items() if not m.is_reference}
    if not estimates or result.protocol["reference"] is None:
        return (
            "There is only one method, so nothing is compared. The figures show it, and the tables list its angles.",
        )
    return _sentences_against_reference(result, estimates)


def limits(result: ComparisonResult, caveats: Sequence[str] = ()) -> tuple[str, ...]:
    """What cannot be concluded: the trial's own caveats, or without them what holds for every trial of this kind."""
    lines = list(caveats)
    reference = result.protocol["reference"]
    if not caveats and reference is not None:
        lines.append(
            f"The reference, {reference}, is a measurement too. Agreement with it does not prove accuracy: an error "
            "that both share does not show."
        )
    if not caveats and int(result.protocol.get("averaged", 1)) == 1:
        frames = max((m.n_frames for m in result.methods.values()), default=0)
        lines.append(
            f"The numbers come from one recording ({frames} frames). They do not show how a method performs with "
            "another person, movement, place or camera."
        )
    if reference is None and len(result.methods) > 1:
        lines.append("Agreement does not prove accuracy: an error that methods share makes them agree better.")
    smaller = "a method's error here" if reference is not None else "the difference between methods here"
    if len(result.methods) > 1:
        lines.append(
            f"If two recordings differ by less than {smaller}, do not interpret this as a change of the person."
        )
    return tuple(lines)


def _sentences_against_reference(result: ComparisonResult, estimates: Mapping[str, MethodErrors]) -> tuple[str, ...]:
    reference = result.protocol["reference"]
    key, how = ranking_key(list(estimates.values()))
    lines = []
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
            lines.append(
                f"{enumerated(near)} are equally close to the reference {reference}: {smallest:.0f} mm "
                f"to {_must(estimates[near[-1]], key):.0f} mm ({over})."
            )
        else:
            lines.append(f"{first} is closest to the reference {reference}: {smallest:.0f} mm ({over}).")
        rest = ranked[len(near) :]
        if rest:
            lines.append("Next: " + enumerated([f"{n} ({_must(estimates[n], key):.0f} mm)" for n in rest]) + ".")
        lines += _where_error_lies(ranked[-1], estimates[ranked[-1]])
    lines += _sentences_on_angles(estimates, ranked)
    absent = [n for n in estimates if n not in ranked]
    if absent:
        lines.append(
            f"{enumerated(absent)} cannot be ranked by position, because this error ({how}) does not exist for "
            f"{'it' if len(absent) == 1 else 'them'}."
        )
    lines += _sentences_on_clock(estimates, key)
    lines += _sentences_on_frames(result)
    return tuple(lines)


def _where_error_lies(name: str, method: MethodErrors) -> list[str]:
    """Whether the error of the method with the largest one is of direction and size, or of shape."""
    root, shape = method.root_mpjpe_mm, method.pa_mpjpe_mm
    if root is None or shape is None or not root > 0:
        return []
    share = shape / root
    kind = (
        "most of its error is of direction and size, which hardly changes most joint angles"
        if share < 0.5
        else "most of its error is of shape, which changes joint angles"
        if share > 0.75
        else "its error is partly of direction and size and partly of shape"
    )
    return [f"After rotation and scaling to the reference, {name} still has an error of {shape:.0f} mm: {kind}."]


def _sentences_on_angles(estimates: Mapping[str, MethodErrors], ranked: Sequence[str]) -> list[str]:
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
        lines = [f"In joint angles {enumerated(near)} are equally close: {span} on average (RMSE)."]
    else:
        lines = [
            f"In joint angles {near[0]} is closest: {means[near[0]]:.1f}° on average (RMSE), from {best[low]:.1f}° "
            f"({words_of(low)}) to {best[high]:.1f}° ({words_of(high)})."
        ]
    if order[len(near) :]:
        lines[0] += " The others: " + enumerated([f"{n} {means[n]:.1f}°" for n in order[len(near) :]]) + "."
    of_angle = {a: [e[a] for e in errors.values() if a in e] for a in {a for e in errors.values() for a in e}}
    hardest = max(sorted(of_angle), key=lambda a: float(np.median(of_angle[a])))
    if len(errors) > 1:
        median = float(np.median(of_angle[hardest]))
        lines.append(f"The {words_of(hardest)} has the largest error: {median:.1f}°, the median of the methods.")
    return lines


def _sentences_on_pairs(result: ComparisonResult) -> tuple[str, ...]:
    key, how = ranking_key(list(result.pairs))
    ranked = sorted((p for p in result.pairs if _value(p, key) is not None), key=lambda p: _must(p, key))
    lines = ["No method is the reference. The numbers show how well the methods agree, not which of them is right."]
    named = (("The closest methods are ", ranked[:1]), ("The most different methods are ", ranked[1:][-1:]))
    for label, pair in named if len(ranked) > 1 else (("Between ", ranked),):
        for p in pair:
            errors = _rmse(p)
            angle = f", and {np.mean(list(errors.values())):.1f}° in joint angles on average (RMSE)" if errors else ""
            lines.append(f"{label}{p.a} and {p.b}: {_must(p, key):.0f} mm ({how}){angle}.")
    lines += _sentences_on_clock({f"{p.a} and {p.b}": p for p in result.pairs}, key)
    return (*lines, *_sentences_on_frames(result))


def _sentences_on_clock(items: Mapping[str, MethodErrors | PairErrors], key: str) -> list[str]:
    """The effect of a clock error of 0.1 s on the method that it changes most."""
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
    return [
        f"A clock error of 0.1 s would change the position error of {name} by up to {mm:.0f} mm, and the RMSE of one "
        f"of its angles by up to {deg:.1f}°" + ("; the other methods change less." if len(worst) > 1 else ".")
    ]


def _sentences_on_frames(result: ComparisonResult) -> list[str]:
    """The frames and joints that count, and what one method alone lacks."""
    frames = result.protocol.get("frames", {})
    if "in_all" not in frames:
        return []
    lines = [
        f"All methods are compared over the same joints in the same frames: {frames['compared']} of "
        f"{frames['in_all']} frames."
    ]
    lost = frames.get("lost_by_one_alone", {})
    lacking = []
    for name, joints in result.protocol.get("counts", {}).items():
        alone = {joint: int(count.get("missing_alone", 0)) for joint, count in joints.items()}
        total = sum(alone.values())
        if total > _MIN_SHARE_LACKING * frames["in_all"] * len(joints):
            share = 100 * total / (frames["in_all"] * len(joints))
            most = max(alone, key=lambda joint: alone[joint])
            whole = f" and {lost[name]} whole frames" if lost.get(name) else ""
            lacking.append(f"{name} lacks {share:.0f} % of the positions (most often the {words_of(most)}){whole}")
    if lacking:
        lines.append(
            f"Some positions are missing in one method alone and do not count: {enumerated(lacking)}. Frames that a "
            "method misses are not counted as errors, so its errors look smaller than they are in use."
        )
    return lines


def ranking_key(items: Sequence[MethodErrors | PairErrors]) -> tuple[str, str]:
    """The error by which methods are ranked, and its description.

    The root-centred error if all have it, because it keeps size and direction; otherwise the error after alignment.
    """
    if items and all(item.root_mpjpe_mm is not None for item in items):
        return "root_mpjpe_mm", "both centred on the mid-hip"
    return "pa_mpjpe_mm", "each frame rotated and scaled to fit, because not all methods have the reference's axes"


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
