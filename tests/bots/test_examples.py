"""The bots in scripts/bots, each doing what it is for."""

from pathlib import Path

import pytest

from tests.client.real import until
from zchat import Bot
from zchat.cli.bot import load
from zchat.testing import Chat

BOTS = Path(__file__).parents[2] / "scripts" / "bots"


def example(name: str) -> Bot:
    return load(BOTS / f"{name}.py")


async def test_dice(chat: Chat) -> None:
    bot, alice = await chat.bot(example("dice")), await chat.person("alice")
    for call, pattern in (
        ("!roll", "^[1-6]$"),
        ("!roll 20", "^([1-9]|1[0-9]|20)$"),
        ("!roll 2 --times 3", r"^[12] \+ [12] \+ [12] = [3-6]$"),
        ("!pick tea", "^tea$"),
    ):
        await alice.says(call)
        await bot.replied(pattern)
    await alice.says("!roll 1")
    await alice.heard(r"1 is not in the range 2<=x<=1000")


async def test_karma(chat: Chat) -> None:
    bot, alice = await chat.bot(example("karma")), await chat.person("alice")
    await alice.says("thanks, zmq++")
    await bot.replied("^zmq has 1 now")
    await alice.says("ZMQ++ and c++11 is no vote")
    await bot.replied("^zmq has 2 now")
    await alice.says("alice++")
    await bot.replied("Nice try")
    await bot.stop()
    await bot.start()
    await alice.says("windows--")
    await bot.replied("-1")
    await alice.says("!top 1")
    await bot.replied("^ +2 zmq$")
    await alice.says("!karma nobody")
    await bot.replied("nobody has 0")
    await bot.stayed_silent()


async def test_reminders(chat: Chat) -> None:
    bot, alice = await chat.bot(example("reminders")), await chat.person("alice")
    await alice.says("!remind soon tea")
    await alice.heard("'soon' is no delay")
    late = await alice.says("!remind 1h never said")
    await bot.replied("I will")
    await alice.says("!remind 0s the tea is ready")
    await bot.replied("I will")
    assert (await bot.replied("^alice: the tea is ready$")).room == "general"
    await alice.says(f"!forget {late.seq}")
    await bot.replied("Forgotten")
    await alice.says(f"!forget {late.seq}")
    await bot.replied("no such reminder")
    assert not bot.bot.store


async def test_polls(chat: Chat) -> None:
    bot = await chat.bot(example("polls"))
    alice, bob = await chat.person("alice"), await chat.person("bob")
    await alice.says("!vote 1")
    await bot.replied("There is no poll")
    await alice.says('!poll "Where to eat?" pizza "the usual"')
    await bot.replied(r"(?s)Where to eat\? .*2 the usual")
    for person, number in ((alice, 1), (bob, 1), (alice, 2), (alice, 3)):
        await person.says(f"!vote {number}")
    await bot.replied("answers 1 to 2")
    await bot.finished()
    await bob.says("!close")
    await bot.replied(r"^Where to eat\?\n +1 pizza\n +1 the usual$")


async def test_logwatch(chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "app.log"
    log.write_text("ERROR long ago\n")
    monkeypatch.setenv("LOGWATCH_FILE", str(log))
    monkeypatch.setenv("LOGWATCH_EVERY", "0.02")
    bot = await chat.bot(example("logwatch"))
    await until(lambda: "place" in bot.bot.store)
    with log.open("a") as file:
        file.write("all is well\nERROR disk on fire\nERROR half a li")
        file.flush()
        assert (await bot.replied("^ERROR disk on fire$")).kind == "notice"
        file.write("ne\n")
    await bot.replied("^ERROR half a line$")
    await bot.kill()
    with log.open("a") as file:
        file.write("FATAL while the bot was away\n")
    await bot.start()
    await bot.replied("^FATAL while the bot was away$")
    rotated = tmp_path / "new.log"
    rotated.write_text("".join(f"panic {number}\n" for number in range(12)))
    rotated.replace(log)
    await bot.replied(r"(?s)^panic 0\n.*panic 9\n… and 2 more$")
    await bot.stayed_silent()


async def test_herald(chat: Chat) -> None:
    bot, make = await chat.bot(example("herald")), await chat.person("make")
    await make.says("build web-1 started", to=bot)
    first = await bot.replied("^… web-1 started$")
    await make.says("build db-1 started", to=bot)
    other = await bot.replied("^… db-1 started$")
    await bot.kill()
    await bot.start()
    await make.says("build web-1 failed 3 tests", to=bot)
    assert (await bot.replied("^✘ web-1 failed: 3 tests$")).reply_to == first.seq
    await make.says("build db-1 passed", to=bot)
    assert (await bot.replied("^✔ db-1 passed$")).reply_to == other.seq
    assert (first.room, first.reply_to) == ("general", None)
    await make.says("build", to=bot)
    await make.heard("Usage: !build NAME STATE")
