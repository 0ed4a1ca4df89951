"""Units of timestamps, dates, frame numbers, gaps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gonio.core.errors import InputError
from gonio.io.kinect.times import times_of

PATH = Path("x.csv")


def seconds(stamps: list[str], unit: str = "", rate_hz: float | None = None) -> tuple[np.ndarray, tuple[str, ...]]:
    return times_of(PATH, range(2, 2 + len(stamps)), stamps=stamps, unit=unit, numbers=None, rate_hz=rate_hz)


@pytest.mark.parametrize(
    ("per_second", "words"),
    [(1, ()), (1e3, ("times taken as ms, by their step",)), (1e6, ("times taken as us, by their step",))],
)
def test_units_by_their_step(per_second: float, words: tuple[str, ...]) -> None:
    times_s, said = seconds([f"{t / 30 * per_second:.6f}" for t in range(5)])
    np.testing.assert_allclose(times_s, np.arange(5) / 30, atol=1e-6)
    assert said == words


def test_ticks_and_dates_count_from_the_first_frame() -> None:
    ticks = [str(637_000_000_000_000_001 + 333_333 * t) for t in range(4)]
    times_s, said = seconds(ticks)
    np.testing.assert_allclose(times_s, np.arange(4) * 0.0333333, rtol=1e-12)
    assert said == (
        "times taken as ticks of 100 ns, by their step",
        "times count from the first frame, which the file calls 637000000000000001",
    )
    dated, said = seconds(["2019-05-04 23:59:59.967", "2019-05-05 00:00:00.000", "2019-05-05 00:00:00.033"])
    np.testing.assert_allclose(dated, [0, 0.033, 0.066])
    assert said == ("times count from the first frame, taken at 2019-05-04 23:59:59.967",)
    np.testing.assert_allclose(seconds(["10:00:00.100", "10:00:00.133"])[0], [0, 0.033])


def test_a_unit_in_the_header_is_taken() -> None:
    np.testing.assert_allclose(seconds(["0", "200", "400"], unit="ms")[0], [0, 0.2, 0.4])
    np.testing.assert_allclose(seconds(["12.5"])[0], [12.5])


def test_gaps_are_kept_and_counted() -> None:
    times_s, said = seconds(["0", "0.033", "0.067", "0.2", "0.233"])
    np.testing.assert_allclose(times_s, [0, 0.033, 0.067, 0.2, 0.233])
    assert said == ("1 gaps in time, about 3 frames dropped: left as gaps",)


def test_frame_numbers() -> None:
    def counted(numbers: list[str] | None, rate_hz: float | None) -> tuple[np.ndarray, tuple[str, ...]]:
        return times_of(PATH, [1, 2, 3], stamps=None, unit="", numbers=numbers, rate_hz=rate_hz)

    times_s, said = counted(["7", "8", "10"], 20)
    np.testing.assert_allclose(times_s, [0.35, 0.4, 0.5])
    assert said[0] == "times are frame numbers at 20 per second as declared"
    times_s, said = counted(None, 20)
    np.testing.assert_allclose(times_s, [0, 0.05, 0.1])
    assert "dropped frames cannot be seen" in said[0]
    for numbers, rate_hz, words in (
        (None, None, r"declare.*frames"),
        (["1", "2", "3"], -1, "possible"),
        (["1", "1", "2"], 30, "line 2"),
        (["1", "x", "2"], 30, r"line 2.*'x'"),
    ):
        with pytest.raises(InputError, match=words):
            counted(numbers, rate_hz)


@pytest.mark.parametrize(
    ("stamps", "words"),
    [
        (["0", "4", "8"], r"4.*Kinect"),
        (["0", "1e999999999", "2"], r"line 3.*'1e999999999'"),
        (["0", "0.03", "0.02"], r"line 4.*0.02 s.*0.03 s"),
        (["0", "nan", "0.02"], r"line 3.*'nan'"),
        (["10:00:00", "x:00", "10:00:01"], r"line 3.*'x:00'"),
    ],
)
def test_refused(stamps: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        seconds(stamps)


def test_the_declared_rate_must_be_the_files() -> None:
    stamps = [f"{t * 33}" for t in range(5)]  # whole milliseconds: 30.3 a second
    assert len(seconds(stamps, rate_hz=30)[0]) == 5
    with pytest.raises(InputError, match=r"30\.3 frames.*25"):
        seconds(stamps, rate_hz=25)
