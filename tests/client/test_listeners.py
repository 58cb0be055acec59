"""The buffer of what several loops hear, without any loop."""

from types import SimpleNamespace
from typing import Any

from zchat.client.core.listeners import BUFFER_MAX, GONE, Listener, Listeners
from zchat.client.core.notices import Removed
from zchat.protocol import messages as m

ALL: frozenset[str] = frozenset()
DEV = frozenset({"dev"})


def hear(listeners: Listeners, listener: Listener, count: int) -> list[Any]:
    """Hear so many events, one by one."""
    heard = []
    for _ in range(count):
        events = listeners.next_events(listener)
        assert events is not None
        heard.append(next(events))
    return heard


def test_each_hears_all_from_its_start_on() -> None:
    listeners = Listeners()
    first = listeners.begin(ALL)
    listeners.add([1, 2, 3], [b""] * 3)
    assert hear(listeners, first, 2) == [1, 2]
    second = listeners.begin(DEV)
    listeners.add([4], [b""])
    assert hear(listeners, second, 2) == [3, 4]
    assert hear(listeners, first, 2) == [3, 4]
    assert not listeners.is_behind(first)
    assert listeners.next_events(second) is None


def test_who_stops_goes_on_there_even_if_another_went_ahead() -> None:
    listeners = Listeners()
    slow, quick = listeners.begin(DEV), listeners.begin(ALL)
    listeners.add([1, 2, 3], [b""] * 3)
    assert hear(listeners, slow, 1) == [1]
    listeners.end(slow)
    assert hear(listeners, quick, 3) == [1, 2, 3]
    assert hear(listeners, listeners.begin(DEV), 2) == [2, 3]


def test_a_slow_loop_fills_the_buffer_and_a_position_without_a_loop_does_not() -> None:
    listeners, big = Listeners(), b"x" * (BUFFER_MAX // 2)
    slow, quick = listeners.begin(DEV), listeners.begin(ALL)
    for number in range(3):
        listeners.add([number], [big])
    assert hear(listeners, quick, 3) == [0, 1, 2]
    assert listeners.next_events(quick) is None
    assert listeners.is_full()
    listeners.end(slow)
    assert not listeners.is_full()
    listeners.add([3], [b""])
    assert hear(listeners, listeners.begin(DEV), 1) == [3]


def test_what_nobody_has_heard_can_be_taken_at_once() -> None:
    listeners = Listeners()
    first = listeners.begin(ALL)
    listeners.add([1, 2], [b"a", b"b"])
    listeners.add([3], [b"c"])
    hear(listeners, first, 1)
    listeners.end(first)
    assert listeners.take_rest() == ([2, 3], [b"b", b"c"])
    assert listeners.take_rest() == ([], [])


def test_what_is_discarded_nobody_hears_wherever_they_are_and_all_else_once() -> None:
    listeners, big = Listeners(), b"x" * BUFFER_MAX
    ops = SimpleNamespace(room="ops")
    first, second = listeners.begin(ALL), listeners.begin(DEV)
    listeners.add([1, ops, 2, ops, 3], [b"", big, b"", big, b""])
    listeners.add([ops, 4], [big, b""])
    assert hear(listeners, first, 3) == [1, ops, 2]
    assert hear(listeners, second, 1) == [1]
    events = listeners.next_events(first)  # as a loop that is told something has it in its hands
    assert events is not None
    assert listeners.is_full()
    listeners.discard("ops")
    assert not listeners.is_full()
    assert [event for event in events if event is not GONE] == [3]
    assert hear(listeners, first, 2) == [GONE, 4]
    listeners.end(first)
    assert hear(listeners, second, 2) == [GONE, 2]
    listeners.end(second)
    assert hear(listeners, listeners.begin(DEV), 4) == [GONE, 3, GONE, 4]
    listeners.add([5, ops], [b"five", big])
    listeners.discard("ops")
    assert listeners.take_rest() == ([5], [b"five"])


def test_what_was_done_about_a_room_is_heard_also_by_who_has_left_it() -> None:
    listeners = Listeners()
    listener = listeners.begin(ALL)
    said = m.Topic(seq=1, prev=0, room="+ops", time="", from_="", nick="", text="")
    expelled = m.AccessChanged(seq=2, prev=0, time="", room="+ops", change="expelled")
    listeners.add([said, expelled, Removed("+ops", "expelled")], [b""] * 3)
    listeners.discard("+ops")
    assert hear(listeners, listener, 3) == [GONE, expelled, Removed("+ops", "expelled")]
