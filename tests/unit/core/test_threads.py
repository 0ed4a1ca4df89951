"""Results of several threads: in order, as many at once as were asked for, errors where they belong, no thread left."""

import threading

import pytest

from gonio.core.errors import InputError
from gonio.core.threads import batched, map_in_order, prefetched


def threads() -> int:
    return sum(thread.name.startswith("map-in-order") for thread in threading.enumerate())


@pytest.mark.parametrize("at_once", [1, 2, 5])
def test_the_results_come_in_the_items_order(at_once):
    later = threading.Event()

    def squared(number):
        if number == 0 and at_once > 1:
            assert later.wait(5)  # the first is ready after the second
        later.set()
        return number**2

    assert list(map_in_order(squared, range(50), at_once)) == [number**2 for number in range(50)]
    assert list(map_in_order(squared, [], at_once)) == []
    assert threads() == 0


def test_the_requested_number_of_items_is_processed_at_once():
    together = threading.Barrier(3, timeout=5)
    assert list(map_in_order(lambda _: together.wait() >= 0, range(9), 3)) == [True] * 9


def test_few_items_are_fetched_in_advance():
    taken = []
    enough = threading.Event()

    def source():
        for number in range(20):
            taken.append(number)
            if number == 6:
                enough.set()
            yield number

    results = map_in_order(lambda number: number, source(), 2)
    assert [next(results), next(results), next(results)] == [0, 1, 2]  # and there is room for four
    assert enough.wait(5)
    assert taken == [0, 1, 2, 3, 4, 5, 6]
    results.close()
    assert taken == [0, 1, 2, 3, 4, 5, 6]
    assert threads() == 0


def test_an_error_of_the_work_or_of_the_source_comes_where_it_belongs():
    def refused(number):
        if number == 2:
            raise InputError("cannot be run")
        return number

    results = map_in_order(refused, range(9), 2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(InputError, match="run"):
        next(results)

    def source():
        yield 1
        yield 2
        raise InputError("cut here")

    results = map_in_order(lambda number: number, source(), 4)
    assert [next(results), next(results)] == [1, 2]
    with pytest.raises(InputError, match="here"):
        next(results)
    assert threads() == 0


def test_items_are_taken_ahead():
    taken = []
    enough = threading.Event()

    def source():
        for number in range(20):
            taken.append(number)
            if number == 2:
                enough.set()
            yield number

    items = prefetched(source())
    assert next(items) == 0
    assert enough.wait(5)
    assert list(items) == list(range(1, 20))
    assert threads() == 0


def test_batches_have_the_given_sizes_and_are_fetched_on_demand():
    taken, sizes = [], iter([3, 1, 2, 5])
    batches = batched((taken.append(number) or number for number in range(8)), lambda: next(sizes, 9))
    assert next(batches) == [0, 1, 2]
    assert taken == [0, 1, 2]
    assert list(batches) == [[3], [4, 5], [6, 7]]
