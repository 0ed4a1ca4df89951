"""What tests ask of sentences: the values in them, not their words."""

from __future__ import annotations

import re


def numbers_in(sentence: str) -> list[float]:
    """The numbers of a sentence, in their order; digits inside a name (BODY_25, p90) are none."""
    return [float(number) for number in re.findall(r"(?<![\w.-])\d+(?:\.\d+)?(?![\w])", sentence)]
