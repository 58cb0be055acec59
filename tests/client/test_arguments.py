"""What a program may hand over, and what it is told when it is something else: nothing is guessed, nothing is lost."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from zchat import Bot
from zchat.client.client import ChatClient
from zchat.errors import RefusedError

Call = Callable[[ChatClient], Awaitable[Any]]

CALLS: dict[str, Call] = {
    "text": lambda client: client.say(b"hi", room="th"),  # type: ignore[arg-type]
    "room": lambda client: client.say("hi", room=b"th"),  # type: ignore[arg-type]
    "to": lambda client: client.say("hi", to=b"bob"),  # type: ignore[arg-type]
    "once": lambda client: client.say("hi", room="th", once=b"key"),  # type: ignore[arg-type]
    "text ": lambda client: client.set_topic("th", b"topic"),  # type: ignore[arg-type]
    "room ": lambda client: client.set_topic(b"th", "topic"),  # type: ignore[arg-type]
    "room  ": lambda client: client.join(b"th"),  # type: ignore[arg-type]
    "nick": lambda client: client.rename(b"carol"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("argument", CALLS)
def test_bytes_are_refused_by_the_name_of_the_argument(argument: str) -> None:
    async def call() -> None:
        client = ChatClient("alice", "tcp://127.0.0.1:1")
        running: Any = SimpleNamespace(session=SimpleNamespace(welcome=None))  # it is refused before more is used
        client._running = lambda: running  # type: ignore[method-assign]
        await CALLS[argument](client)

    with pytest.raises(TypeError, match=f"^{argument.strip()} is a str, not bytes"):
        asyncio.run(call())


@pytest.mark.parametrize("make", [lambda rooms: ChatClient("a", rooms=rooms), lambda rooms: Bot("a", rooms=rooms)])
def test_a_room_alone_is_no_list_of_rooms(make: Callable[[Any], object]) -> None:
    with pytest.raises(TypeError, match=r"rooms=\['general'\]"):
        make("general")


def test_a_room_may_be_written_with_its_sign_everywhere() -> None:
    written = ["#general", "general", "Dev"]
    assert ChatClient("a", rooms=written)._rooms == Bot("a", rooms=written).rooms == ("general", "dev")


@pytest.mark.parametrize("text", [" ", "\n\t", "\u3000"])
def test_a_text_in_which_nothing_is_said_is_refused(text: str) -> None:
    with pytest.raises(RefusedError, match="no text"):
        asyncio.run(ChatClient("alice", "tcp://127.0.0.1:1").say(text, room="th"))


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ({}, "say where"),
        ({"room": "dev", "to": "bob"}, "say where"),
        ({"to": "bob", "with_": "bob"}, "with_ is the `from_` of somebody"),
        ({"room": "dev", "before": 9, "after": 3}, "exclude each other"),
        ({"room": "dev", "since": datetime(2026, 11, 22)}, "no time zone"),
    ],
)
def test_a_page_of_history_has_one_place_and_one_mark(where: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        asyncio.run(ChatClient("alice", "tcp://127.0.0.1:1").history(**where))
