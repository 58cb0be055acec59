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


def chat_of(client: Any) -> Chat:
    output, asker = Output(lambda _: None, lambda _: None, render.Style()), Asker(client)
    return Chat(client, output, asker, PlainView(client, output, asker))


def test_after_a_query_that_failed_the_next_line_does_not_go_to_the_room() -> None:
    async def ask(*_: object) -> m.Reply:
        raise TimedOutError("who", 1.0)

    async def converse() -> None:
        client: Any = SimpleNamespace(from_="alice", nick="alice", rooms=("general",), online=True, ask=ask)
        chat = chat_of(client)
        chat.turn_to("#general")
        with pytest.raises(TimedOutError):
            await chat.talk_to("bob")
        assert (chat.room, chat.partner) == (None, "bob")

    asyncio.run(converse())


def test_a_conversation_from_before_is_refused_and_one_stays_where_one_is() -> None:
    async def converse() -> None:
        chat = chat_of(SimpleNamespace(from_="alice", nick="alice", rooms=("general",), online=True))
        chat.turn_to("#general")
        with pytest.raises(RefusedError, match="no conversation bob/9f86d0"):
            await chat.talk_to("bob/9f86d0")
        assert chat.room == "general"

    asyncio.run(converse())
