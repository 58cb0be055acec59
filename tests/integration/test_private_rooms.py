"""Clients and bots of members on a real broker over ipc: two devices, a private room, and who is kept out of it."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq

from tests.client.real import Watcher, on_loop, serving, until
from zchat import ChatClient, ChatServer
from zchat.client.core.notices import Ended, Removed
from zchat.errors import RefusedError
from zchat.protocol import messages as m

OPS = "+ops"


def become_member(endpoint: str, nick: str) -> None:
    """Let the user of this process be a member, and leave again."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 1_000
        socket.rcvtimeo = 10_000
        socket.connect(endpoint)
        socket.send(msgspec.json.encode({"type": "hello", "protocol": 1, "nick": nick, "device": "first"}))
        assert b'"role":"owner"' in socket.recv()
        socket.send(b'{"type":"bye"}')


def endpoint(tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/zchat.sock"


async def at_home(server: ChatServer) -> None:
    await asyncio.to_thread(become_member, server.listen, "olga")


@on_loop
async def test_a_member_on_two_devices_in_a_private_room_and_a_guest_outside(tmp_path: Path) -> None:
    async with serving(endpoint(tmp_path), None) as server:
        await at_home(server)
        async with (
            ChatClient("olga", server.listen) as one,
            ChatClient("olga", server.listen) as two,
            ChatClient("eve", server.listen, rooms=["general"]) as eve,
        ):
            assert (one.role, two.role, eve.role) == ("owner", "owner", "guest")
            assert one.from_ == two.from_
            assert one.member == m.Account(from_=one.from_, nick="olga", role="owner")
            await one.access.make_private(OPS)
            heard, outside = Watcher(two), Watcher(eve)
            await one.join(OPS)
            await two.join(OPS)
            for number in range(5):
                await one.say(f"secret {number}", room=OPS)
            await two.say("from here", room=OPS)
            await until(lambda: len(heard.texts()) == 6)
            assert heard.texts() == [*(f"secret {number}" for number in range(5)), "from here"]
            assert [await two.is_own(event) for event in heard.of(m.Message)] == [False] * 5 + [True]
            assert {member.role for member in two.members(OPS).values()} == {"owner"}
            await one.join("general")
            await until(lambda: "olga" in eve.members("general"))
            assert eve.members("general")["olga"].role == "owner", "also of one who came later"
            assert not eve.members("general")["eve"].role
            with pytest.raises(RefusedError) as caught:
                await eve.join(OPS)
            assert caught.value.code == "unknown_room"
            with pytest.raises(RefusedError):
                await eve.history(room=OPS)
            assert [each.text for each in (await one.history(room=OPS, limit=2)).messages] == ["secret 4", "from here"]
            await one.administration.kick("eve", reason="be nice")
            await until(lambda: outside.of(Ended))
            assert outside.of(Ended) == [Ended("kick", "be nice", "olga")]
            assert outside.texts() == []
            page = await one.administration.audit()
            assert [event.change for event in page.events if isinstance(event, m.AccessChanged)] == ["mode"]
            assert [member.nick for member in await two.administration.members()] == ["olga"]
            with pytest.raises(RefusedError) as caught:
                await two.administration.identify("nobody")
            assert caught.value.code == "unknown_member"


@on_loop
async def test_who_was_away_goes_on_in_a_private_room_and_hears_what_was_said_to_it_alone(tmp_path: Path) -> None:
    async with serving(endpoint(tmp_path), None) as server:
        await at_home(server)
        async with ChatClient("olga", server.listen) as one:
            await one.access.make_private(OPS)
            joined = await one.join(OPS)
            seqs = [(await one.say(f"no {number}", room=OPS)).seq for number in range(3)]
        async with ChatClient("eve", server.listen) as eve:
            with pytest.raises(RefusedError):
                await eve.administration.identify("olga")
            assert (await eve.say("are you there?", to="olga")).seq, "accepted though she is away"
        async with ChatClient("olga", server.listen, rooms=[OPS], after={OPS: seqs[0] or joined.head}) as back:
            heard = Watcher(back)
            await until(lambda: len(heard.texts()) == 2)
            assert heard.texts() == ["no 1", "no 2"]
            page = await back.history(to="eve")
            assert [message.text for message in page.messages] == ["are you there?"]


@on_loop
async def test_a_bot_that_may_not_enter_follows_the_rest(tmp_path: Path) -> None:
    async with (
        serving(endpoint(tmp_path), None) as server,
        ChatClient("eve", server.listen, rooms=["general", OPS]) as eve,
    ):
        heard: Any = Watcher(eve)
        await until(lambda: heard.of(Removed))
        assert eve.rooms == ("general",)
        await eve.say("hi", room="general")
        await until(lambda: heard.texts() == ["hi"])
