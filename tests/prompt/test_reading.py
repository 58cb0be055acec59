"""What is read on one device is read on the others."""

import asyncio
from types import SimpleNamespace
from typing import Any

import msgspec
from msgspec import structs

from tests.client import script
from tests.client.real import on_loop
from tests.prompt.test_view import at_a_terminal, hear, message, terminal, times
from zchat.client.core.notices import Online
from zchat.client.driver import Batch
from zchat.prompt.chat import Chat
from zchat.prompt.targets import Targets
from zchat.prompt.view import TerminalView
from zchat.protocol import messages as m

BOB = "b" * 16


def read_elsewhere(chat: Chat, seq: int, room: str = "ops") -> None:
    chat.hear(Batch([m.ReadMarked(room=room, seq=seq)], [b""], False))


def test_what_is_read_on_another_device_is_unread_here_no_more() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        hear(chat, *(message(seq, f"text {seq}", room="ops") for seq in (1, 2, 3)))
        ops = view.targets.find("#ops")
        assert ops is not None
        read_elsewhere(chat, 2)
        assert (ops.unread, ops.seen) == (1, 2)
        read_elsewhere(chat, 1)  # it was told late
        assert (ops.unread, ops.seen) == (1, 2)
        chat.turn_to("#ops")
        divider = next(index for index, line in enumerate(shown) if "new" in line)
        assert "text 2" in shown[divider - 1]
        assert "text 3" in shown[divider + 1]

    at_a_terminal(story)


def test_ones_own_and_those_whom_one_ignores_are_no_news_behind_what_was_read_elsewhere() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        chat.output.preferences = type(chat.output.preferences)(ignore=("bob",))
        said = [structs.replace(message(seq, "news", room="ops"), nick="carol") for seq in (1, 2, 5)]
        mine = structs.replace(message(3, "mine", "alice", "ops"), nick="alice")
        hear(chat, *said[:2], mine, message(4, "ignored", room="ops"), said[2])
        ops = view.targets.find("#ops")
        assert ops is not None
        assert ops.unread == 3
        read_elsewhere(chat, 2)
        assert ops.unread == 1

    at_a_terminal(story)


def test_what_was_mentioned_and_read_elsewhere_calls_no_more() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        hear(chat, message(1, "alice: look", room="ops"))
        ops = view.targets.find("#ops")
        assert ops is not None
        assert (ops.unread, ops.mentioned) == (1, True)
        read_elsewhere(chat, 1)
        assert (ops.unread, ops.mentioned, view.targets.next_unread()) == (0, False, None)

    at_a_terminal(story)


def test_an_edit_that_was_missed_is_told_though_it_was_read_elsewhere() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        hear(chat, message(1, "helo"))
        read_elsewhere(chat, 9, "general")
        made = {"time": "2026-11-22T05:30:00Z", "from_": "f", "nick": "bob", "room": "general"}
        chat.hear(Batch([m.Edited(seq=5, prev=1, target=1, text="hello", **made)], [b""], True))
        assert times(shown, "edited 1: hello") == 1

    at_a_terminal(story)


def test_what_could_not_be_said_later_is_told_with_its_reason() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        chat.hear(Batch([m.Dropped(id=7, room="ops", code="muted", message="you are muted")], [b""], False))
        assert shown[-2:] == ["✗ what was to be said later in #ops (7)", "Not sent: You are muted."]

    at_a_terminal(story)


def a_device(features: tuple[str, ...] = ("read",), **read: int) -> tuple[Any, list[tuple[int, Any, Any, Any]]]:
    """Return a client of alice's, and what it has marked as read."""
    marked: list[tuple[int, Any, Any, Any]] = []

    async def mark_read(seq: int, *, room: str | None, to: str | None, with_: str | None) -> None:
        marked.append((seq, room, to, with_))

    keys = {name.replace("_", "/"): seq for name, seq in read.items()}
    welcome = SimpleNamespace(log="l", features=features, read=keys, epochs=())
    client = SimpleNamespace(
        from_="alice", nick="alice", member=None, rooms=(), welcome=welcome, epochs=(), online=True,
        messages=SimpleNamespace(mark_read=mark_read),
    )  # fmt: skip
    return client, marked


@on_loop
async def test_what_was_looked_at_is_told_once_and_when_one_turns_away() -> None:
    client, marked = a_device()
    chat, view, _ = terminal(client)
    chat.turn_to("#general")
    hear(chat, message(1, "one"), message(2, "two"))
    for _ in range(2):
        view.reading.mark(view.here)
        await asyncio.sleep(0)
    assert marked == [(2, "general", None, None)]
    hear(chat, message(3, "three"), message(4, "elsewhere", room="ops"))
    chat.turn_to("#ops")
    await asyncio.sleep(0)
    assert marked[1:] == [(3, "general", None, None)]
    hear(chat, message(5, "more", room="ops"))
    view.focus(False)
    await asyncio.sleep(0)
    assert marked[2:] == [(5, "ops", None, None)]


@on_loop
async def test_what_the_broker_knows_is_not_told_again_until_it_may_have_forgotten_it() -> None:
    client, marked = a_device()
    chat, view, _ = terminal(client)
    chat.turn_to("#general")
    hear(chat, message(1, "one"))
    client.online = False
    view.reading.mark(view.here)
    client.online = True
    read_elsewhere(chat, 1, "general")
    view.reading.mark(view.here)
    await asyncio.sleep(0)
    assert marked == []
    welcome = msgspec.convert(script.welcome(), m.Welcome)
    view.connection(Online(structs.replace(welcome, log="l"), True))
    view.reading.mark(view.here)
    await asyncio.sleep(0)
    assert marked == [(1, "general", None, None)]
    chat.turn_to("#general ↳1")
    assert view.here is not None
    view.here.see(9)
    view.reading.mark(view.here)
    await asyncio.sleep(0)
    assert len(marked) == 1, "a thread is read with its room"


@on_loop
async def test_of_a_conversation_it_is_told_with_whom_it_is() -> None:
    client, marked = a_device()
    chat, view, _ = terminal(client)
    hear(chat, structs.replace(message(1, "psst", BOB, None)))
    bob = view.targets.find("@bob")
    assert bob is not None
    view.targets.rename(bob, f"bob/{BOB[:6]}")  # as when somebody else is bob by now
    bob.see(1)
    view.reading.mark(bob)
    await asyncio.sleep(0)
    assert marked == [(1, None, "bob", BOB)]


@on_loop
async def test_a_broker_that_keeps_no_marks_is_told_nothing() -> None:
    client, marked = a_device(features=())
    chat, view, _ = terminal(client)
    chat.turn_to("#general")
    hear(chat, message(1, "one"))
    view.reading.mark(view.here)
    await asyncio.sleep(0)
    assert marked == []


@on_loop
async def test_the_further_of_two_marks_holds_also_that_of_a_conversation() -> None:
    client, _ = a_device(general=7, ops=3)
    client.welcome.read[f"@bob/{BOB}"] = 9
    view = TerminalView(client, terminal(client).chat.output, terminal(client).chat.asker, Targets({"#ops": 5}))
    found = [view.targets.get(name) for name in ("#general", "#ops")]
    assert [(one.seen, one.mark) for one in found] == [(7, 7), (5, 5)]
    assert view.targets.read_through("@bob", BOB) == 9
