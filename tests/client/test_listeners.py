"""The row of what several loops hear, without any loop."""

from types import SimpleNamespace
from typing import Any

from zchat.client.core.listeners import GONE, ROW_MAX, Listener, Listeners

ALL: frozenset[str] = frozenset()
DEV = frozenset({"dev"})


def hear(row: Listeners, listener: Listener, count: int) -> list[Any]:
    """Hear so many events, one by one."""
    heard = []
    for _ in range(count):
        ahead = row.ahead(listener)
        assert ahead is not None
        heard.append(next(ahead))
    return heard


def test_each_hears_all_from_its_start_on() -> None:
    row = Listeners()
    first = row.begin(ALL)
    row.add([1, 2, 3], [b""] * 3)
    assert hear(row, first, 2) == [1, 2]
    second = row.begin(DEV)
    row.add([4], [b""])
    assert hear(row, second, 2) == [3, 4]
    assert hear(row, first, 2) == [3, 4]
    assert not row.behind(first)
    assert row.ahead(second) is None


def test_who_stops_goes_on_there_even_if_another_went_ahead() -> None:
    row = Listeners()
    slow, quick = row.begin(DEV), row.begin(ALL)
    row.add([1, 2, 3], [b""] * 3)
    assert hear(row, slow, 1) == [1]
    row.end(slow)
    assert hear(row, quick, 3) == [1, 2, 3]
    assert hear(row, row.begin(DEV), 2) == [2, 3]


def test_a_slow_loop_fills_the_row_and_a_place_without_a_loop_does_not() -> None:
    row, big = Listeners(), b"x" * (ROW_MAX // 2)
    slow, quick = row.begin(DEV), row.begin(ALL)
    for number in range(3):
        row.add([number], [big])
    assert hear(row, quick, 3) == [0, 1, 2]
    assert row.ahead(quick) is None
    assert row.full()
    row.end(slow)
    assert not row.full()
    row.add([3], [b""])
    assert hear(row, row.begin(DEV), 1) == [3]


def test_what_nobody_has_heard_can_be_taken_at_once() -> None:
    row = Listeners()
    first = row.begin(ALL)
    row.add([1, 2], [b"a", b"b"])
    row.add([3], [b"c"])
    hear(row, first, 1)
    row.end(first)
    assert row.rest() == ([2, 3], [b"b", b"c"])
    assert row.rest() == ([], [])


def test_what_is_discarded_nobody_hears_wherever_they_are_and_all_else_once() -> None:
    row, big = Listeners(), b"x" * ROW_MAX
    ops = SimpleNamespace(room="ops")
    first, second = row.begin(ALL), row.begin(DEV)
    row.add([1, ops, 2, ops, 3], [b"", big, b"", big, b""])
    row.add([ops, 4], [big, b""])
    assert hear(row, first, 3) == [1, ops, 2]
    assert hear(row, second, 1) == [1]
    ahead = row.ahead(first)  # as a loop that is told something has it in its hands
    assert ahead is not None
    assert row.full()
    row.discard("ops")
    assert not row.full()
    assert [event for event in ahead if event is not GONE] == [3]
    assert hear(row, first, 2) == [GONE, 4]
    row.end(first)
    assert hear(row, second, 2) == [GONE, 2]
    row.end(second)
    assert hear(row, row.begin(DEV), 4) == [GONE, 3, GONE, 4]
    row.add([5, ops], [b"five", big])
    row.discard("ops")
    assert row.rest() == ([5], [b"five"])
