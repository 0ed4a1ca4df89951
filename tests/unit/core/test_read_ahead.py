"""Items taken ahead by another thread: the same ones, the same errors, no thread left."""

import threading

import pytest

from gonio.core.read_ahead import read_ahead
from gonio.errors import InputError


def threads() -> int:
    return sum(thread.name == "read-ahead" for thread in threading.enumerate())


def test_the_same_items_in_the_same_order():
    assert list(read_ahead(range(50))) == list(range(50))
    assert list(read_ahead([])) == []
    assert threads() == 0


def test_at_most_the_depth_is_taken_before_it_is_asked_for():
    taken = []
    first = threading.Event()

    def source():
        for number in range(20):
            taken.append(number)
            if number == 4:
                first.set()
            yield number

    items = read_ahead(source(), depth=3)
    assert next(items) == 0
    assert first.wait(5)  # one is out, three wait, one is in the other thread's hand
    assert taken == [0, 1, 2, 3, 4]
    items.close()
    assert taken == [0, 1, 2, 3, 4]
    assert threads() == 0


def test_an_error_comes_where_it_belongs():
    def source():
        yield 1
        raise InputError("cut here")

    items = read_ahead(source())
    assert next(items) == 1
    with pytest.raises(InputError, match="cut here"):
        next(items)
    assert threads() == 0
