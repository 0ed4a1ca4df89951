"""What gonio raises says one line, however much of a damaged file it quotes."""

from __future__ import annotations

import pickle

from gonio.core.errors import LONGEST_MESSAGE, ConfigError, GonioError, InputError, one_line


def test_one_line() -> None:
    assert str(InputError("a.csv: 'x\ny\r\nz\u2028' is damaged")) == "a.csv: 'x y z ' is damaged"
    assert str(GonioError()) == ""


def test_a_long_quotation_is_shortened_in_the_middle() -> None:
    message = str(ConfigError(f"a.toml: {'x' * 5000}: export it again"))
    assert len(message) == LONGEST_MESSAGE
    assert message.startswith("a.toml: xxx")
    assert " ... " in message
    assert message.endswith("xxx: export it again")


def test_between_processes() -> None:
    error = InputError("x" * 3000)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - our own


def test_what_a_library_says_becomes_one_short_line() -> None:
    assert one_line(ValueError("first\n  second\t third")) == "first second third"
    assert one_line(ValueError()) == "ValueError"
    assert len(one_line(ValueError("x" * 5000))) == 200
    assert one_line(ValueError("abcdef"), 3) == "abc"
