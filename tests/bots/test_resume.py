"""A bot that ends at any instant and comes back: what it had begun it does, what it had finished it does not repeat."""

import asyncio
import functools
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.client.real import Watcher, on_loop, until
from tests.conftest import Broker, RunZchat, wait_for
from zchat import Bot, ChatClient, ChatServer
from zchat.bots.store import BotFile, PendingMessage, Transaction, current
from zchat.broker.core.effects import Query
from zchat.broker.reads import QueryService
from zchat.broker.store import backup
from zchat.protocol import messages as m
from zchat.testing import Chat


async def test_there_is_no_backlog_on_the_first_run(chat: Chat) -> None:
    bot = Bot("echo", rooms=["general"])
    bot.on_message("(.*)")(lambda ctx, text: f"you said {text}")
    alice = await chat.person("alice")
    await alice.says("before it ever ran")
    running = await chat.bot(bot)
    await running.stayed_silent()
    await running.stop()
    await alice.says("while it was away")
    await running.start()
    await running.replied("^you said while it was away$")
    await running.stayed_silent()


async def test_what_was_said_to_it_alone_and_not_finished_is_taken_up_too(chat: Chat) -> None:
    bot, stuck, runs = Bot("echo", rooms=["general"]), asyncio.Event(), 0

    @bot.on_message("(.*)")
    async def echo(ctx: Any, text: str) -> str:
        nonlocal runs
        runs += 1
        if runs == 2:
            stuck.set()
            await asyncio.Event().wait()
        return f"you said {text}"

    alice, bob = await chat.person("alice"), await chat.person("bob")
    running = await chat.bot(bot)
    await alice.says("one", to=running)
    await running.replied("^you said one$")
    await bob.says("two", to=running)
    await stuck.wait()
    await alice.says("three", to=running)
    await running.replied("^you said three$")
    await running.kill()
    await running.start()
    assert (await running.replied("^you said two$")).to == "bob"
    await running.stayed_silent()
    assert runs == 4


async def test_a_handler_cut_short_runs_again_and_says_nothing_twice(chat: Chat) -> None:
    bot, stuck, runs = Bot("worker", rooms=["general"]), asyncio.Event(), 0

    @bot.command()
    async def work(ctx: Any) -> str:
        nonlocal runs
        runs += 1
        await ctx.say("working")
        if runs == 1:
            stuck.set()
            await asyncio.Event().wait()
        return "done"

    bot.command("ping")(lambda ctx: "pong")
    alice, running = await chat.person("alice"), await chat.bot(bot)
    await alice.says("!work")
    await stuck.wait()
    await alice.says("!ping")
    await running.replied("^pong$")
    await running.kill()
    await running.start()
    await running.replied("^working$")
    await running.replied("^done$")
    await running.stayed_silent()  # neither `pong` nor `working` a second time
    assert runs == 2


async def test_a_conversation_that_was_cut_short_finds_its_answer_again(chat: Chat) -> None:
    bot, stuck, runs = Bot("worker", rooms=["general"]), asyncio.Event(), 0

    @bot.command()
    async def release(ctx: Any) -> str:
        nonlocal runs
        await ctx.say("a release, then")
        where = await ctx.ask("Where to?")
        runs += 1
        if runs == 1:
            stuck.set()
            await asyncio.Event().wait()
        return f"released to {where}"

    alice, running = await chat.person("alice"), await chat.bot(bot)
    for to in (None, running):
        await alice.says("!release", to=to)
        await running.replied("^a release, then$")
        await running.replied("^Where to")
        await alice.says("prod", to=to)
        await stuck.wait()
        await running.kill()
        await running.start()
        await running.replied("^released to prod$")
        await running.stayed_silent()
        assert runs == 2
        runs = 0
        stuck.clear()


async def test_under_once_nothing_takes_effect_before_the_handler_has_returned(chat: Chat) -> None:
    bot, stuck, runs = Bot("karma", rooms=["general"]), asyncio.Event(), 0

    @bot.on_message(r"(\w+)\+\+")
    async def plus(ctx: Any, name: str) -> str:
        nonlocal runs
        runs += 1
        ctx.once()
        ctx.store[name] = ctx.store.get(name, 0) + 1
        await ctx.say("counted")
        if runs == 1:
            stuck.set()
            await asyncio.Event().wait()
        return f"{name} has {ctx.store[name]}"

    alice, running = await chat.person("alice"), await chat.bot(bot)
    await alice.says("zmq++")
    await stuck.wait()
    assert "zmq" not in bot.store
    await running.kill()
    await running.start()
    await running.replied("^counted$")
    await running.replied("^zmq has 1$")
    await running.stayed_silent()


async def test_plain_functions_side_by_side_lose_no_count_under_once(chat: Chat) -> None:
    bot = Bot("karma", rooms=["general"])

    @bot.on_message(r"\+\+")
    def plus(ctx: Any) -> None:
        ctx.once()
        ctx.store["all"] = ctx.store.get("all", 0) + 1

    alice, running = await chat.person("alice"), await chat.bot(bot)
    await asyncio.gather(*(alice.client.say("++", room="general") for _ in range(50)))
    await running.finished()
    assert bot.store["all"] == 50


BOT = """
import os, pathlib, signal
from zchat import Bot

bot = Bot("counter", rooms=["general"])
trap = pathlib.Path(os.environ["TRAP"])

def spring(where):
    if trap.exists() and trap.read_text() == where:
        trap.unlink()
        os.kill(os.getpid(), signal.SIGKILL)

settle = bot.file.commit
def commit(*args):  # the disk has it, and nobody has heard of it
    found = settle(*args)
    if len(args) > 1 and args[0].messages:
        spring("after")
    return found
bot.file.commit = commit

@bot.command()
async def count(ctx):
    ctx.once()
    bot.store["n"] = bot.store.get("n", 0) + 1
    await ctx.say(f"n is {bot.store['n']}")
    spring("before")

bot.run()
"""


def test_a_bot_killed_before_or_after_its_commit_counts_each_command_once(
    broker: Broker, zchat: RunZchat, environment: dict[str, str], tmp_path: Path
) -> None:
    trap = tmp_path / "trap"
    env = environment | {"ZCHAT_BROKER": broker.listen, "TRAP": str(trap)}

    def start() -> "subprocess.Popen[bytes]":
        started = subprocess.Popen([sys.executable, "-c", BOT], env=env)
        wait_for(lambda: "counter" in zchat("who", broker=broker).out, "the bot to be there")
        return started

    def said(count: int) -> bool:
        return zchat("tail", "-n", "100", "--json", broker=broker).out.count('"text":"n is ') == count

    process = start()
    try:
        for number, where in enumerate(("", "before", "", "after", ""), 1):
            trap.write_text(where)
            assert zchat("send", "--nick", "alice", "!count", broker=broker).code == 0
            if where:
                assert process.wait(30) == -signal.SIGKILL
                process = start()
            wait_for(functools.partial(said, number), f"answer {number}")
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
    assert [f"n is {number}" in zchat("tail", "-n", "100", broker=broker).out for number in range(1, 7)] == [
        *[True] * 5,
        False,
    ]


@asynccontextmanager
async def broker_at(where: Path, data: Path | None = None) -> AsyncIterator[str]:
    async with ChatServer(f"ipc://{where}/in", f"ipc://{where}/out", data=data, heartbeat=0.2) as server:
        task = asyncio.create_task(server.receive_connections())
        yield server.listen
        server.stop()
        await task


@on_loop
async def test_with_another_log_it_begins_with_what_comes(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    bot = Bot("ponger", rooms=["general"], data=tmp_path, broker=f"ipc://{tmp_path}/here/in")
    bot.command("ping")(lambda ctx: "pong")
    async with broker_at(tmp_path / "there", tmp_path / "other") as other, ChatClient("bob", other) as bob:
        for text in ("!ping", "!ping"):  # said where no bot was: nobody wants an answer any more
            await bob.say(text, room="general")
    async with broker_at(tmp_path / "here"):
        running = asyncio.create_task(bot.serve())
        await until(lambda: bot.runner is not None and bot.runner.ready.is_set())
    async with (
        broker_at(tmp_path / "here", tmp_path / "other") as again,
        ChatClient("alice", again, rooms=["general"], backlog=10) as alice,
    ):
        heard = Watcher(alice)
        await until(lambda: "ponger" in alice.members("general"))
        ack = await alice.say("!ping", room="general")
        await until(lambda: "pong" in heard.texts())
        await alice.say("!ping", room="general")
        await until(lambda: heard.texts().count("pong") == 2)
        replies = [event.reply_to for event in heard.of(m.Message) if event.text == "pong"]
        assert replies == [ack.seq, (ack.seq or 0) + 2]
        bot.stop()
        await running
        await alice.close()
        await heard.end()


@on_loop
async def test_with_another_log_it_obeys_what_comes_before_it_has_read_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    bot = Bot("ponger", rooms=["general"], data=tmp_path, broker=f"ipc://{tmp_path}/here/in")
    bot.command("ping")(lambda ctx: "pong")
    async with broker_at(tmp_path / "there", tmp_path / "other") as other, ChatClient("bob", other) as bob:
        await bob.say("!ping", room="general")
    async with broker_at(tmp_path / "here"):
        running = asyncio.create_task(bot.serve())
        await until(lambda: bot.runner is not None and bot.runner.ready.is_set())
    read, reading = QueryService.answer, asyncio.Event()

    async def answer(service: QueryService, query: Query) -> bytes:
        await reading.wait()
        return await read(service, query)

    monkeypatch.setattr(QueryService, "answer", answer)
    async with broker_at(tmp_path / "here", tmp_path / "other") as again, ChatClient("alice", again) as alice:
        await alice.join("general")
        heard = Watcher(alice)
        await until(lambda: "ponger" in alice.members("general"))
        ack = await alice.say("!ping", room="general")
        reading.set()
        await until(lambda: "pong" in heard.texts())
        bot.stop()
        await running
        assert [event.reply_to for event in heard.of(m.Message) if event.text == "pong"] == [ack.seq]
        await alice.close()
        await heard.end()


@pytest.mark.parametrize("away", [False, True])
def test_when_the_log_goes_back_each_command_that_comes_then_is_obeyed_once_and_no_old_one_again(
    tmp_path: Path, away: bool
) -> None:
    async def story() -> None:
        (tmp_path / "here").mkdir()
        data = tmp_path / "data"
        bot = Bot("ponger", rooms=["general"], data=tmp_path, broker=f"ipc://{tmp_path}/here/in")
        obeyed: list[str] = []
        bot.command("do")(lambda ctx, what: obeyed.append(what))

        async def heard(count: int) -> None:
            await until(lambda: len(obeyed) >= count)

        async with broker_at(tmp_path / "here", data) as there, ChatClient("alice", there) as alice:
            running = asyncio.create_task(bot.serve())
            await until(lambda: bot.runner is not None and bot.runner.ready.is_set())
            await alice.say("!do first", room="general")
            await alice.say("do second", to="ponger")
            await heard(2)
        shutil.copytree(data, tmp_path / "copy")
        async with broker_at(tmp_path / "here", data) as there, ChatClient("alice", there) as alice:
            await until(lambda: bot.runner is not None and bot.runner.client.online)
            for number in range(4):
                await alice.say(f"!do gone{number}", room="general")
                await alice.say(f"do gone{number}", to="ponger")
            await heard(10)
        if away:
            bot.stop()
            await running
        obeyed.clear()
        shutil.rmtree(data)
        (tmp_path / "copy").rename(data)
        async with broker_at(tmp_path / "here", data) as there, ChatClient("alice", there) as alice:
            if away:
                for number in range(3):
                    await alice.say(f"!do new{number}", room="general")
                running = asyncio.create_task(bot.serve())
            await until(lambda: bot.runner is not None and bot.runner.ready.is_set() and bot.runner.client.online)
            for number in range(3 * away, 6):
                await alice.say(f"!do new{number}", room="general")
            await alice.say("do alone", to="ponger")
            await heard(7)
            bot.stop()
            await running
        assert sorted(obeyed) == ["alone", *(f"new{number}" for number in range(6))]

    asyncio.run(story())


@on_loop
async def test_with_a_restored_log_no_old_command_is_obeyed_again_also_if_it_is_killed_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[tuple[str, int]] = []
    move = BotFile.move

    def noted(file: BotFile, log: str, cursors: Mapping[str, int]) -> None:
        moved.extend(cursors.items())
        move(file, log, cursors)

    monkeypatch.setattr(BotFile, "move", noted)
    (tmp_path / "here").mkdir()
    bot = Bot("ponger", rooms=["general"], data=tmp_path, broker=f"ipc://{tmp_path}/here/in")
    obeyed: list[int] = []
    bot.command("ping")(lambda ctx: obeyed.append(ctx.seq))
    running = asyncio.create_task(bot.serve())

    async def said(nick: str, data: str, times: int) -> None:
        obeyed.clear()
        async with broker_at(tmp_path / "here", tmp_path / data) as there, ChatClient(nick, there) as person:
            assert person.welcome is not None
            log = person.welcome.log
            await until(lambda: bot.runner is not None and bot.runner.ready.is_set())
            consumer = bot.runner and bot.runner.consumer
            await until(lambda: consumer and consumer.log == log and not consumer.is_skipped("general"))
            for _ in range(times):
                await person.say("!ping", to="ponger")
                await person.say("!ping", room="general")
            await until(lambda: len(obeyed) >= 2 * times)

    await said("alice", "one", 3)
    (tmp_path / "two").mkdir()
    backup(tmp_path / "one", tmp_path / "two" / "log.db", lambda *_: None)
    before = len(moved)
    await said("bob", "two", 1)
    bot.stop()
    await running
    assert sorted(obeyed) == [7, 8]
    assert min(seq for _, seq in moved[before:]) >= 5, "a place before what was obeyed already"


async def test_what_cannot_be_said_or_kept_under_once_costs_that_message_only(chat: Chat) -> None:
    bot = Bot("clumsy", rooms=["general"])
    wrong: dict[str, Any] = {"long": "x" * m.FRAME_MAX, "half": "\ud800"}

    @bot.command()
    async def say(ctx: Any, what: str) -> Any:
        ctx.once()
        ctx.store["said"] = what
        return wrong[what]

    @bot.command()
    async def keep(ctx: Any) -> None:
        ctx.once()
        ctx.store["\ud800"] = 1

    bot.command("ping")(lambda ctx: "pong")
    alice, running = await chat.person("alice"), await chat.bot(bot)
    for line in ("!say long", "!say half", "!keep"):
        await alice.says(line)
        await running.replied("^Sorry, something went wrong")
    await running.finished()
    assert list(bot.store) == []
    await running.stop()
    await running.start()
    await alice.says("!ping")
    await running.replied("^pong$")
    await running.stayed_silent()


async def test_what_this_broker_refuses_of_an_earlier_run_is_struck_out(chat: Chat) -> None:
    bot = Bot("timer", rooms=["general"])
    running = await chat.bot(bot)
    await running.stop()
    unsaid = Transaction()
    unsaid.messages.append(PendingMessage("x" * m.FRAME_MAX, room="general"))
    bot.file.commit(unsaid)
    assert len(bot.file.pending()) == 1
    await running.start()
    await running.stayed_silent()
    assert bot.file.pending() == []


async def test_what_was_decided_and_said_but_not_known_to_be_said_is_not_said_twice(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = Bot("timer", rooms=["general"])

    @bot.every(seconds=0.01)
    async def remind(ctx: Any) -> None:
        ctx.once()
        if not ctx.store.get("done"):
            ctx.store["done"] = True
            await ctx.say("once")

    monkeypatch.setattr(BotFile, "sent", lambda *_: None)  # it is killed before the ack comes
    running = await chat.bot(bot)
    await running.replied("^once$")
    await running.kill()
    await running.start()
    assert len(bot.file.pending()) == 1
    assert bot.runner is not None
    await bot.runner.client.drain()
    await running.stayed_silent()


async def test_who_was_asked_is_not_asked_again_when_another_was_faster(chat: Chat) -> None:
    bot, both, asked = Bot("till", rooms=["general"]), asyncio.Barrier(2), 0

    @bot.command()
    async def pay(ctx: Any) -> str:
        nonlocal asked
        amount = int(await ctx.ask("how much?"))
        asked += 1
        ctx.once()
        paid = ctx.store.get("paid", 0)
        if asked <= 2:
            await both.wait()  # both have read the same
        ctx.store["paid"] = paid + amount
        return f"{ctx.nick} paid {amount}"

    alice, bob, running = await chat.person("alice"), await chat.person("bob"), await chat.bot(bot)
    for person in (alice, bob):
        await person.says("!pay")
        await running.replied(r"^how much\?$")
    await alice.says("5")
    await bob.says("10")
    await running.finished()
    assert bot.store["paid"] == 15


async def test_a_handler_that_asks_something_else_the_second_time_is_heard(chat: Chat) -> None:
    bot, runs = Bot("till", rooms=["general"]), 0

    @bot.command()
    async def pay(ctx: Any) -> str:
        nonlocal runs
        runs += 1
        amount = await ctx.ask(f"how much of {ctx.store.get('left', 20)}?")
        ctx.once()
        left = ctx.store.get("left", 20)
        if runs == 1:
            await asyncio.to_thread(_set, bot, "left", 12)
        ctx.store["left"] = left - int(amount)
        return f"left {ctx.store['left']}"

    alice, running = await chat.person("alice"), await chat.bot(bot)
    await alice.says("!pay")
    await running.replied(r"^how much of 20\?$")
    await alice.says("5")
    await running.replied(r"^how much of 12\?$")
    await alice.says("7")
    await running.replied("^left 5$")
    await running.finished()


def _set(bot: Bot, key: str, value: int) -> None:
    """As another handler does, in whose context there is no transaction."""
    current.set(None)
    bot.store[key] = value


CLUMSY = """
from zchat import Bot

bot = Bot("clumsy", rooms=["general"])

@bot.on_message("(.*)")
async def stumble(ctx, text):
    raise ValueError(text)

bot.run()
"""


def test_what_a_bot_without_a_log_tells_on_standard_error_acts_on_no_terminal(
    broker: Broker, zchat: RunZchat, environment: dict[str, str], tmp_path: Path
) -> None:
    told = tmp_path / "told"
    with told.open("wb") as stderr:
        env = environment | {"ZCHAT_BROKER": broker.listen}
        process = subprocess.Popen([sys.executable, "-c", CLUMSY], env=env, stderr=stderr)
    try:
        wait_for(lambda: "clumsy" in zchat("who", broker=broker).out, "the bot to be there")
        zchat("send", "--nick", "eve", "\x1b[2J\x9b\u202e", broker=broker)
        wait_for(lambda: "ValueError" in told.read_text(), "the traceback")
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
    assert "ValueError: \\x1b[2J\\x9b\\u202e" in told.read_text()
    assert not set("\x1b\x9b\u202e") & set(told.read_text())
