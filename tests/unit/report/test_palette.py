from __future__ import annotations

from gonio.report import palette
from gonio.report.palette import method_styles, side_colour


def test_a_method_keeps_its_colour_whether_or_not_the_reference_is_listed() -> None:
    with_reference = method_styles(["ref", "a", "b"], "ref")
    without = method_styles(["a", "b"])
    assert with_reference["a"] == without["a"]
    assert with_reference["b"] == without["b"]
    assert with_reference["ref"].colour == palette.REFERENCE
    assert with_reference["ref"].width > with_reference["a"].width


def test_no_two_of_twenty_four_methods_look_alike() -> None:
    styles = method_styles([f"m{i}" for i in range(24)])
    assert len({(s.colour, str(s.dashes)) for s in styles.values()}) == 24
    assert len({(s.colour, s.marker) for s in styles.values()}) == 24


def test_sides_have_colours_that_no_method_has() -> None:
    assert side_colour("left_knee") == palette.LEFT
    assert side_colour("right_knee") == palette.RIGHT
    assert side_colour("neck") == palette.MIDLINE
    assert not {palette.LEFT, palette.RIGHT, palette.MIDLINE, palette.OTHERS} & set(palette.METHODS)
