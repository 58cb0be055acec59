"""ChatClient in a program without asyncio, and what `listen` yields when it is told where to listen."""

import asyncio

import pytest

from tests.client.real import on_loop, serving, until
from tests.conftest import Broker
from zchat import ChatClient
from zchat.errors import RefusedError, UnreachableError
from zchat.protocol import messages as m


def test_a_synchronous_script_hears_and_speaks(broker: Broker) -> None:
    with ChatClient("alice", broker.listen) as alice, ChatClient("watcher", broker.listen, backlog=10) as chat:
        for number in range(3):
            alice.say(str(number), room="general")
        alice.say("elsewhere", room="dev")
        heard = []
        for message in chat.listen("General"):
            heard.append((message.nick, message.text))
            if len(heard) == 3:
                alice.say("live", room="general")
            if message.text == "live":
                break
        assert heard == [("alice", "0"), ("alice", "1"), ("alice", "2"), ("alice", "live")]
        assert isinstance(chat.ask(m.AskStatus()), m.Status)
        with pytest.raises(RefusedError):
            chat.say("x", room="bad/name")


def test_a_synchronous_script_is_told_that_no_broker_answers() -> None:
    with pytest.raises(UnreachableError), ChatClient("x", "ipc:///nowhere/zchat", timeout=0.05):
        pass


@on_loop
async def test_listening_to_rooms_yields_their_messages_only() -> None:
    async with (
        serving() as server,
        ChatClient("alice", server.listen, rooms=["dev"]) as alice,
        ChatClient("watcher", server.listen, rooms=["dev"]) as chat,
    ):
        heard: list[m.Message] = []

        async def watch() -> None:
            async for message in chat.listen("general"):
                heard.append(message)
                if message.text == "last":
                    break

        watching = asyncio.create_task(watch())
        await until(lambda: "general" in chat.rooms)
        for room, text in (("dev", "no"), ("general", "first"), ("general", "last")):
            await alice.say(text, room=room)
        await watching
        assert [message.text for message in heard] == ["first", "last"]
