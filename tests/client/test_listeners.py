"""The row of what several loops hear, without any loop."""

from zchat.client.listeners import ROW_MAX, Listener, Listeners

ALL: frozenset[str] = frozenset()
DEV = frozenset({"dev"})


def hear(row: Listeners, listener: Listener, count: int) -> list[int]:
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
