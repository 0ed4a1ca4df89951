"""One line each, with the numbers, the unit and whom it was measured on."""

from __future__ import annotations

import numpy as np
import pytest

from gonio.comparison.statistics.concordance import deming, lin_ccc
from gonio.comparison.statistics.curves import interpret_cmc
from gonio.comparison.statistics.interpretation import interpret
from gonio.comparison.statistics.intervals import NO_SPREAD_NOTE, TOO_FEW_NOTE
from gonio.comparison.statistics.limits_of_agreement import limits_of_agreement
from gonio.comparison.statistics.reliability import icc, icc_agreement, within_session_error
from gonio.comparison.statistics.spm import Cluster, CurveTest

from .published import CARDIAC_SUBJECT, IC, JUDGES, RV

PEOPLE = "12 patients, cardiac output"


def test_limits() -> None:
    text = interpret(limits_of_agreement(RV, IC, CARDIAC_SUBJECT), unit="l/min", population=PEOPLE)
    for part in (PEOPLE, "0.6 l/min", "0.0 to 1.2", "-1.3", "+2.5 l/min"):
        assert part in text


def test_why_there_is_no_interval() -> None:
    one = limits_of_agreement(RV, IC, [1] * 60)
    assert interpret(one, population="one patient").endswith(f"({TOO_FEW_NOTE}).")


def test_reliability_is_called_by_its_interval() -> None:
    text = interpret(icc(JUDGES), population="6 targets")
    for part in ("ICC(2,1) 0.29", "0.02 to 0.76", "poor"):
        assert part in text
    assert "moderate" in interpret(icc(JUDGES[:5], kind="3,1"), population="5 targets")


def test_the_error_is_of_a_session() -> None:
    text = interpret(within_session_error(RV, CARDIAC_SUBJECT), unit="l/min", population=PEOPLE)
    for part in ("0.3 l/min", "SEM", "within-session", "0.3 to 0.4", "0.9 l/min", "MDC95"):
        assert part in text


def test_line_and_concordance() -> None:
    assert "20.0 deg" in interpret(deming(2 * RV, RV, subjects=CARDIAC_SUBJECT), unit="deg", population=PEOPLE)
    assert "0.66" in interpret(lin_ccc(RV, IC, CARDIAC_SUBJECT), population=PEOPLE)


def test_curves() -> None:
    assert "0.95" in interpret_cmc(0.951, population=PEOPLE)
    assert "nan" not in interpret_cmc(float("nan"), population=PEOPLE)
    test = CurveTest(
        t=np.zeros(5),
        threshold=3.0,
        clusters=(Cluster(41.2, 58.9, 0.01),),
        alpha=0.05,
        n=24,
        n_subjects=8,
        n_dropped=0,
        note="",
    )
    assert "41-59 %" in interpret(test, population=PEOPLE)


def test_a_missing_value_has_a_reason() -> None:
    flat = np.full(8, 3.0)
    for figure in (
        icc_agreement(flat, flat),
        lin_ccc(flat, flat),
        deming(flat, flat),
        within_session_error(flat, [1] * 8),
    ):
        text = interpret(figure, population="8 adults")
        assert text.startswith("In 8 adults, ")
        assert "nan" not in text
        assert NO_SPREAD_NOTE in text or "reference" in text


def test_every_reading_is_one_line_that_names_its_population() -> None:
    figures = (
        limits_of_agreement(RV, IC, CARDIAC_SUBJECT),
        icc_agreement(RV, IC, CARDIAC_SUBJECT),
        within_session_error(RV, CARDIAC_SUBJECT),
        lin_ccc(RV, IC, CARDIAC_SUBJECT),
        deming(RV, IC, subjects=CARDIAC_SUBJECT),
    )
    for figure in figures:
        text = interpret(figure, unit="deg", population=PEOPLE)
        assert "\n" not in text
        assert PEOPLE in text
    with pytest.raises(TypeError, match="float"):
        interpret(1.0, population=PEOPLE)
