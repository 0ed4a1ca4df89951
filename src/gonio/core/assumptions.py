"""Assumption: a fact that was not known and had to be assumed. A sequence carries those that its numbers depend on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from gonio.core.errors import InputError

AssumptionKind = Literal["stature", "focal_length", "clock"]


@dataclass(frozen=True)
class Assumption:
    """One assumed fact.

    kind  "stature": the size of the person. "focal_length": that of the camera. "clock": the offset of the recording's
          clock
    text  one or more sentences for the reader of the numbers: what was assumed, and what depends on it

    Raises `InputError` if the kind is none of these.
    """

    kind: AssumptionKind
    text: str

    def __post_init__(self) -> None:
        if self.kind not in get_args(AssumptionKind):
            raise InputError(f"assumption of the kind {self.kind!r}; known are {', '.join(get_args(AssumptionKind))}")


def united(groups: Iterable[tuple[Assumption, ...]]) -> tuple[Assumption, ...]:
    """All assumptions of several sequences, each once, in the order in which they first occur."""
    return tuple(dict.fromkeys(assumption for group in groups for assumption in group))
