"""A bot among people, on a real broker: what it answers, to whom, and what it lets be."""

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.client.real import on_loop, serving, until
from zchat import Bot, ChatClient, ChatServer
from zchat.errors import RefusedError, UsageError
from zchat.testing import Chat


@pytest.fixture
def dice() -> Bot:
    bot = Bot("dicebot", rooms=["general"])

    @bot.command()
    async def roll(ctx: Any, sides: int = 6, *, times: int = 1) -> str:
        """Roll a die."""
        return " ".join([str(sides)] * times)

    @bot.command
    def shout(ctx: Any, *words: str) -> str:
        return " ".join(words).upper()

    @bot.on_message(r"(?i)deploy (\w+)(?: to (?P<where>\w+))?")
    async def deploy(ctx: Any, service: str, where: str | None = None) -> None:
        await ctx.say(f"deploying {service} to {where}")

    return bot


async def test_a_returned_text_is_a_reply_to_the_message(chat: Chat, dice: Bot) -> None:
    bot, alice = await chat.bot(dice), await chat.person("alice")
    asked = await alice.says("!roll 20")
    answer = await bot.replied("^20$")
    assert (answer.reply_to, answer.room) == (asked.seq, "general")
    await alice.says("!roll --times 3")
    await bot.replied("^6 6 6$")
    await alice.says("!roll\t7")
    await bot.replied("^7$")
    await alice.says("!SHOUT it's on")
    await bot.replied("^IT'S ON$")


async def test_a_pattern_hands_over_its_groups(chat: Chat, dice: Bot) -> None:
    bot, alice = await chat.bot(dice), await chat.person("alice")
    await alice.says("please Deploy web to prod")
    assert (await bot.replied("^deploying web to prod$")).reply_to is None
    await alice.says("deploy db")
    await bot.replied("^deploying db to None$")


async def test_a_wrong_argument_is_answered_with_the_usage_to_the_asker_alone(chat: Chat, dice: Bot) -> None:
    bot, alice = await chat.bot(dice), await chat.person("alice")
    await alice.says("!roll many")
    told = await alice.heard(r"Usage: !roll \[OPTIONS\] \[SIDES\]\n.*'many' is not a valid integer")
    assert told.room is None
    await bot.replied("Usage")
    await bot.stayed_silent()


async def test_help_is_made_of_the_commands(chat: Chat, dice: Bot) -> None:
    bot, alice = await chat.bot(dice), await chat.person("alice")
    await alice.says("!help")
    assert (await bot.replied("!roll")).text.splitlines() == [
        "!roll [OPTIONS] [SIDES] – Roll a die.",
        "!shout [WORDS]...",
        "!help [COMMAND] – Show the commands, or how to use one.",
    ]
    await alice.says("!help roll")
    await bot.replied(r"(?s)Roll a die\..*--times")
    await alice.says("!help nothing")
    await bot.replied("no command nothing")


async def test_said_to_the_bot_alone_a_command_needs_no_prefix_and_the_answer_is_as_private(
    chat: Chat, dice: Bot
) -> None:
    bot, alice = await chat.bot(dice), await chat.person("alice")
    await alice.says("roll 8", to=bot)
    assert (await bot.replied("^8$")).to == "alice"


async def test_it_ignores_itself_other_bots_and_notices(chat: Chat, dice: Bot) -> None:
    @dice.on_message("echo")
    async def echo(ctx: Any) -> str:
        return "echo"

    bot, alice = await chat.bot(dice), await chat.person("alice")
    async with (
        ChatClient("other", chat.server.listen, bot=True) as unseen,
        ChatClient("third", chat.server.listen, rooms=["general"], bot=True) as seen,
    ):
        await unseen.say("echo from a bot elsewhere", room="general")
        await seen.say("echo from a bot in the room", room="general")
        await alice.client.say("echo from a notice", room="general", kind="notice")
        await bot.stayed_silent()
        await alice.says("echo")
        await bot.replied("^echo$")
        await bot.stayed_silent()


async def test_the_roster_tells_that_it_is_a_bot(chat: Chat, dice: Bot) -> None:
    await chat.bot(dice)
    alice = await chat.person("alice")
    assert [member.bot for member in alice.client.members("general").values()] == [True, False]


def test_a_handler_that_yields_is_refused_at_once() -> None:
    bot = Bot("x", rooms=["general"])

    def says(ctx: Any) -> Any:
        yield "one"

    async def says_too(ctx: Any) -> Any:
        yield "one"

    for call in (says, says_too):
        for add in (bot.command(), bot.on_message("x"), bot.every(seconds=1)):
            with pytest.raises(UsageError, match="yields"):
                add(call)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, asyncio.CancelledError, KeyError])
@pytest.mark.parametrize("in_a_thread", [True, False])
async def test_whatever_a_handler_raises_ends_neither_the_bot_nor_the_message(
    chat: Chat, dice: Bot, error: type[BaseException], in_a_thread: bool
) -> None:
    @dice.command()
    def fail(ctx: Any) -> None:
        raise error

    @dice.command()
    async def fail_too(ctx: Any) -> None:
        raise error

    bot, alice = await chat.bot(dice), await chat.person("alice")
    await alice.says("!fail" if in_a_thread else "!fail_too")
    await bot.replied("Sorry, something went wrong")
    await bot.finished()
    await alice.says("!roll 1")
    await bot.replied("^1$")


async def test_an_exception_is_logged_answered_politely_and_costs_one_message(
    chat: Chat, dice: Bot, caplog: pytest.LogCaptureFixture
) -> None:
    @dice.command()
    def fail(ctx: Any) -> None:
        raise ValueError("the secret is 42")

    bot, alice = await chat.bot(dice), await chat.person("alice")
    await alice.says("!fail")
    assert "42" not in (await bot.replied("Sorry, something went wrong in fail")).text
    assert any(record.exc_info and "the secret" in str(record.exc_info[1]) for record in caplog.records)
    assert caplog.records[-1].levelno == logging.ERROR
    await alice.says("!roll")
    await bot.replied("^6$")


async def test_a_conversation_takes_the_next_message_of_the_one_who_was_asked(chat: Chat, dice: Bot) -> None:
    @dice.command()
    async def release(ctx: Any) -> str:
        return f"releasing to {await ctx.ask('Which environment?', timeout=30)}"

    bot = await chat.bot(dice)
    alice, bob = await chat.person("alice"), await chat.person("bob")
    await alice.says("!release")
    await bot.replied(r"Which environment\?")
    await bob.says("!roll 3")
    await bot.replied("^3$")
    await alice.says("!roll 20")
    await bot.replied("^releasing to !roll 20$")
    await bot.stayed_silent()


async def test_a_question_that_nobody_answers_ends_the_handler_politely(chat: Chat, dice: Bot) -> None:
    @dice.command()
    def wonder(ctx: Any) -> str:
        return str(ctx.ask("Well?", timeout=0.01))

    bot, alice = await chat.bot(dice), await chat.person("alice")
    await alice.says("!wonder")
    await bot.replied("I heard nothing for 0.01 s")


async def test_comings_goings_and_topics_are_told(chat: Chat, dice: Bot) -> None:
    @dice.on_join
    async def hello(ctx: Any) -> None:
        await ctx.say(f"hello {ctx.nick}")

    @dice.on_leave()
    async def farewell(ctx: Any) -> None:
        await ctx.say(f"farewell {ctx.nick}")

    @dice.on_topic
    async def topic(ctx: Any) -> str:
        return f"so it is {ctx.text}"

    bot = await chat.bot(dice)
    alice = await chat.person("alice")
    await bot.replied("^hello alice$")
    await alice.client.set_topic("general", "bots")
    await bot.replied("^so it is bots$")
    await alice.leaves()
    await bot.replied("^farewell alice$")


async def test_every_calls_again_and_again_also_after_a_failure(chat: Chat, dice: Bot) -> None:
    count = 0

    @dice.every(seconds=0.01)
    async def remind(ctx: Any) -> None:
        nonlocal count
        count += 1
        if count == 1:
            raise ValueError
        await ctx.say(f"number {count}")

    bot = await chat.bot(dice)
    await bot.replied("^number 2$")
    await bot.replied("^number 3$")


@on_loop
async def test_a_bot_that_says_much_waits_for_its_rate(tmp_path: Path) -> None:
    said = asyncio.Event()
    async with serving(rate=50.0) as server:
        bot = Bot("herald", rooms=["general"], data=tmp_path, broker=server.listen)

        @bot.on_message("go")
        async def many(ctx: Any) -> None:
            await asyncio.gather(*(ctx.say(str(number)) for number in range(130)))  # the burst is 100
            said.set()

        running = asyncio.create_task(bot.serve())
        async with ChatClient("alice", server.listen, rooms=["general"]) as alice:
            await until(lambda: bot.runner is not None and bot.runner.ready.is_set())
            await alice.say("go", room="general")
            await said.wait()
        bot.stop()
        await running


@on_loop
async def test_a_bot_waits_for_a_broker_that_is_not_there_yet(tmp_path: Path) -> None:
    listen, publish = f"ipc://{tmp_path}/in", f"ipc://{tmp_path}/out"
    bot = Bot("early", rooms=["general"], data=tmp_path, broker=listen, timeout=0.5)
    running = asyncio.create_task(bot.serve())
    await until(lambda: bot.runner is not None and bot.runner.tries > 1)
    async with ChatServer(listen, publish) as server:
        task = asyncio.create_task(server.receive_connections())
        await until(lambda: bot.runner is not None and bot.runner.ready.is_set())
        bot.stop()
        await running
        server.stop()
        await task


async def test_who_does_not_answer_a_message_cannot_ask(
    chat: Chat, dice: Bot, caplog: pytest.LogCaptureFixture
) -> None:
    @dice.every(hours=1)
    async def wonder(ctx: Any) -> str:
        return str(await ctx.ask("Anybody?"))

    bot = await chat.bot(dice)
    bot.later(hours=1)
    await until(lambda: "wonder failed" in caplog.text)
    assert "nobody is there to be asked" in caplog.text
    await bot.stayed_silent()


@dataclass
class Secret:
    token: str


@dataclass
class Settings(Secret):
    sides: int = 6
    mode: Literal["fast", "slow"] = "fast"


def test_settings_come_typed_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICE_BOT_TOKEN", "x")
    monkeypatch.setenv("DICE_BOT_SIDES", "20")
    assert Bot("dice-bot", rooms=[]).settings(Settings) == Settings("x", 20)
    monkeypatch.setenv("DICE_BOT_SIDES", "many")
    with pytest.raises(UsageError, match=r"\$\.sides.*DICE_BOT_"):
        Bot("dice-bot", rooms=[]).settings(Settings)
    monkeypatch.delenv("DICE_BOT_SIDES")
    monkeypatch.delenv("DICE_BOT_TOKEN")
    with pytest.raises(UsageError, match="token"):
        Bot("dice-bot", rooms=[]).settings(Settings)


def test_name_rooms_and_broker_come_from_the_environment_unless_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"NICK": "env", "ROOM": "dev Ops", "BROKER": "tcp://h:1", "DATA": "/d", "TIMEOUT": "2"}.items():
        monkeypatch.setenv(f"ZCHAT_{name}", value)
    bot = Bot()
    assert (bot.name, bot.rooms, bot.broker, bot.data, bot.timeout) == (
        "env",
        ("dev", "ops"),
        "tcp://h:1",
        Path("/d"),
        2,
    )
    assert Bot("given", rooms=["#x"], broker="tcp://i:2").rooms == ("x",)
    monkeypatch.delenv("ZCHAT_NICK")
    with pytest.raises(UsageError, match="needs a name"):
        Bot()
    with pytest.raises(UsageError):
        Bot("a b/c", rooms=[])
    monkeypatch.setenv("ZCHAT_TIMEOUT", "soon")
    with pytest.raises(UsageError, match="'soon'"):
        Bot("given")


async def test_who_whispers_to_somebody_whose_nick_changed_hands_reaches_nobody_else(chat: Chat) -> None:
    author = Bot("oracle", rooms=["general"])
    gone = asyncio.Event()

    @author.command()
    async def fate(ctx: Any) -> str:
        await gone.wait()
        try:
            await ctx.whisper("you will be rich")
        except RefusedError as error:
            return f"{error.code}: {error.message}"
        return "told"

    bot, alice = await chat.bot(author), await chat.person("alice")
    await alice.says("!fate")
    await alice.leaves()
    await chat.person("alice")
    gone.set()
    await bot.replied("^unknown_nick: 'alice' is somebody else now")
