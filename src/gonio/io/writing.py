"""What a file format cannot hold, in sentences: every writer returns them."""

from __future__ import annotations

from gonio.core.sequence import PoseSequence, Status


def lost_fields(sequence: PoseSequence, *fields: str) -> tuple[str, ...]:
    """A sentence for each named field that says something in this sequence and that the format cannot hold.

    Fields: confidence, status, covariance, source, history. No format that asks here holds the assumptions.
    """
    there = sequence.valid
    known = {
        "confidence": (bool((sequence.confidence[there] != 1).any()), "the confidence of each joint is lost"),
        "status": (
            bool((sequence.status[there] != Status.MEASURED).any()),
            "which joints were inferred, interpolated or repaired is lost",
        ),
        "covariance": (sequence.covariance is not None, "the covariance of each joint is lost"),
        "source": (
            bool(sequence.source.method or sequence.source.model or sequence.source.version),
            "the method, model and version that made the sequence are lost",
        ),
        "history": (bool(sequence.history), f"the history ({len(sequence.history)} steps) is lost"),
    }
    assumed = ", ".join(dict.fromkeys(assumption.kind.replace("_", " ") for assumption in sequence.assumptions))
    return (
        *(known[field][1] for field in fields if known[field][0]),
        *((f"what was assumed ({assumed}) is lost",) if assumed else ()),
    )


def lost_joints(before: PoseSequence, after: PoseSequence) -> tuple[str, ...]:
    """Sentences on the joints that a map to another layout left out or took from others."""
    dropped = [joint for joint in before.skeleton.joints if joint not in after.skeleton]
    steps = after.history[len(before.history) :]
    gone = (f"joints that {after.skeleton.name} does not have are lost: {', '.join(dropped)}",) if dropped else ()
    return (*steps, *gone)
