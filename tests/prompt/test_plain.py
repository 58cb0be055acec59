"""What a pipe shows and says: all that happens, and each line to the one it was meant for."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from zchat.errors import RefusedError, TimedOutError
from zchat.prompt import render
from zchat.prompt.asker import Asker
from zchat.prompt.chat import Chat
from zchat.prompt.output import Output
from zchat.prompt.plain import PlainView
from zchat.protocol import messages as m


def alice(**fields: Any) -> Any:
    """Return alice's client, as far as a chat sees it."""
    known = {"from_": "alice", "nick": "alice", "member": None, "rooms": ("general",), "online": True, "welcome": None}
    return SimpleNamespace(**known | fields)


def chat_of(client: Any) -> Chat:
    output, asker = Output(lambda _: None, lambda _: None, render.Style()), Asker(client)
    return Chat(client, output, asker, PlainView(client, output, asker))


def test_after_a_query_that_failed_the_next_line_does_not_go_to_the_room() -> None:
    async def ask(*_: object) -> m.Reply:
        raise TimedOutError("who", 1.0)

    async def converse() -> None:
        client = alice(ask=ask)
        chat = chat_of(client)
        chat.turn_to("#general")
        with pytest.raises(TimedOutError):
            await chat.talk_to("bob")
        assert (chat.room, chat.partner) == (None, "bob")

    asyncio.run(converse())


def test_a_conversation_from_before_is_refused_and_one_stays_where_one_is() -> None:
    async def converse() -> None:
        chat = chat_of(alice())
        chat.turn_to("#general")
        with pytest.raises(RefusedError, match="no conversation bob/9f86d0"):
            await chat.talk_to("bob/9f86d0")
        assert chat.room == "general"

    asyncio.run(converse())


def said(seq: int, text: str, reply_to: int | None = None) -> m.Message:
    return m.Message(
        seq=seq,
        prev=seq - 1,
        room="general",
        time="2026-11-22T10:00:00Z",
        from_="b0b",
        nick="bob",
        kind="message",
        text=text,
        reply_to=reply_to,
    )


def test_a_reply_quotes_what_was_shown_before_and_else_its_number() -> None:
    view = chat_of(alice()).view
    view.message(said(1, "shall we?"), True)
    assert "[answers bob: shall we?]" in view.message(said(2, "yes", 1), False)[0]
    assert "[answers 77]" in view.message(said(78, "yes", 77), False)[0]
