"""What a file format cannot hold, in sentences: every writer returns them."""

from __future__ import annotations

from gonio.core.sequence import PoseSequence, Status


def unsupported_fields(sequence: PoseSequence, *fields: str) -> tuple[str, ...]:
    """A sentence for each named field that has content in this sequence and that the format cannot hold.

    Fields: confidence, status, covariance, source, history. The assumptions are always among them: no format whose
    writer calls this function holds them.
    """
    valid = sequence.valid
    known = {
        "confidence": (bool((sequence.confidence[valid] != 1).any()), "the confidence of each joint is not preserved"),
        "status": (
            bool((sequence.status[valid] != Status.MEASURED).any()),
            "which joints were inferred, interpolated or repaired is not preserved",
        ),
        "covariance": (sequence.covariance is not None, "the covariance of each joint is not preserved"),
        "source": (
            bool(sequence.source.method or sequence.source.model or sequence.source.version),
            "the method, model and version that made the sequence are not preserved",
        ),
        "history": (bool(sequence.history), f"the history ({len(sequence.history)} steps) is not preserved"),
    }
    assumed = ", ".join(dict.fromkeys(assumption.kind.replace("_", " ") for assumption in sequence.assumptions))
    return (
        *(known[field][1] for field in fields if known[field][0]),
        *((f"the assumptions ({assumed}) are not preserved",) if assumed else ()),
    )


def unmapped_joints(before: PoseSequence, after: PoseSequence) -> tuple[str, ...]:
    """Sentences on the joints that a map to another layout left out or made from other joints."""
    dropped = [joint for joint in before.skeleton.joints if joint not in after.skeleton]
    steps = after.history[len(before.history) :]
    if not dropped:
        return steps
    return (*steps, f"joints that {after.skeleton.name} does not have are not preserved: {', '.join(dropped)}")
