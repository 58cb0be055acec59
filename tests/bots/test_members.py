"""A bot that is one device of a member, and a bot in private rooms."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.client.real import Script, on_loop, until
from tests.client.script import MINE, Json, ack, error, history, joined, message
from zchat import Bot
from zchat.errors import SessionEndedError

ACCOUNT = {"from": MINE, "nick": "helper", "role": "member"}
OPS = "+ops"


def mine(seq: int, text: str, room: str = "dev") -> Json:
    return message(seq, seq - 1, room=room, text=text, nick="helper", **{"from": MINE})


def parrot(script: Script, data: Path, *rooms: str) -> Bot:
    bot = Bot("helper", rooms=list(rooms), broker=script.listen, data=data)
    bot.on_message("^(.*)$")(lambda ctx, text: f"you said {text}")
    return bot


@asynccontextmanager
async def running(bot: Bot) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(bot.serve())
    try:
        await until(lambda: task.done() or (bot.runner is not None and bot.runner.ready.is_set()))
        yield task
    finally:
        bot.stop()
        await asyncio.gather(task, return_exceptions=True)


def said(script: Script) -> list[str]:
    return [line["text"] for line in script.asked if line["type"] == "say"]


@on_loop
async def test_a_person_on_another_device_is_answered_and_the_bot_itself_is_not(tmp_path: Path) -> None:
    async with Script(member=ACCOUNT, nick="helper") as script:
        async with running(parrot(script, tmp_path, "dev")):
            script.publish("room/dev/", mine(1, "hello"))
            await until(lambda: said(script) == ["you said hello"])
            script.publish("room/dev/", mine(2, "you said hello"), mine(3, "again"))
            script.reply(ack(1, seq=2))
            await until(lambda: said(script) == ["you said hello", "you said again"])
            script.reply(ack(2, seq=4))
            script.publish("room/dev/", mine(4, "you said again"), mine(5, "done"))
            await until(lambda: len(said(script)) == 3)
            script.reply(ack(3, seq=6))
        assert said(script) == ["you said hello", "you said again", "you said done"]


@on_loop
async def test_what_it_said_in_its_last_run_is_its_own_in_the_next(tmp_path: Path) -> None:
    async with Script(member=ACCOUNT, nick="helper") as script:
        async with running(parrot(script, tmp_path, "dev")):
            script.publish("room/dev/", mine(1, "hello"))
            await until(lambda: script.count("say"))
            script.reply(ack(1, seq=2))
            await until(lambda: b'"own":[2]' in b"".join(each.read_bytes() for each in tmp_path.rglob("*.outbox")))
        script.fields["n"] = 1
        script.silent.add("join")
        bot = parrot(script, tmp_path, "dev")
        task = asyncio.create_task(bot.serve())
        await until(lambda: script.count("join") == 2)
        join = [line for line in script.asked if line["type"] == "join"][-1]
        events = [mine(2, "you said hello"), mine(3, "more")]
        script.reply(joined(join, head=3), history(join, *events, upto=3))
        await until(lambda: script.count("say") == 2)
        script.reply(ack(2, seq=4))
        bot.stop()
        await task
        assert said(script) == ["you said hello", "you said more"]


class Doorkeeper:
    """Lets a bot into the private room only once it is admitted."""

    def __init__(self, script: Script) -> None:
        self.open = False
        script.silent.discard("join")
        script.answers["join"] = self.answer

    def answer(self, join: Json) -> Json:
        if join["room"] == OPS and not self.open:
            return error("unknown_room", ref=join["ref"])
        return joined(join)


def access(change: str, seq: int) -> Json:
    return {"type": "access", "seq": seq, "prev": seq - 1, "time": "", "room": OPS, "change": change, "from": MINE}


@on_loop
async def test_a_bot_enters_a_private_room_once_it_is_let_in_and_goes_on_where_it_is_let_out(tmp_path: Path) -> None:
    async with Script(nick="helper") as script:
        door = Doorkeeper(script)
        async with running(parrot(script, tmp_path, "dev", OPS)) as task:
            script.publish("room/dev/", message(1, 0, text="in public"))
            await until(lambda: said(script) == ["you said in public"])
            door.open = True
            script.reply(ack(1, seq=2), access("admitted", 500))
            await until(lambda: [line["room"] for line in script.asked if line["type"] == "join"].count(OPS) == 2)
            script.reply(message(3, 0, room=OPS, text="in private"))
            await until(lambda: said(script)[1:] == ["you said in private"])
            script.reply(ack(2, seq=4), access("expelled", 501), {"type": "parted", "room": OPS})
            script.publish("room/dev/", message(5, 1, text="still here"))
            await until(lambda: said(script)[2:] == ["you said still here"])
            script.reply(ack(3, seq=6))
            assert not task.done()


@pytest.mark.parametrize("reason", ["kick", "banned"])
@on_loop
async def test_a_bot_that_is_sent_away_ends_and_says_why(tmp_path: Path, reason: str) -> None:
    async with Script(nick="helper") as script, running(parrot(script, tmp_path, "dev")) as task:
        script.reply({"type": "bye", "reason": reason, "text": "too loud"})
        with pytest.raises(SessionEndedError, match="too loud"):
            await asyncio.wait_for(asyncio.shield(task), 10)
