"""A bot and what is done to messages: edits, deletions and reactions, by others and by itself; also over a restart."""

import asyncio
import time
from typing import Any

import pytest

from tests.client.real import on_loop
from zchat import Bot, Deleted, Edited, Reacted
from zchat.bots import catching_up, progress
from zchat.protocol import messages as m
from zchat.testing import Chat


def echo(**settings: Any) -> tuple[Bot, list[str]]:
    """Return a bot with one command, and what that was run with."""
    bot, ran = Bot("echo", rooms=["general"]), list[str]()

    @bot.command("say", **settings)
    async def say(ctx: Any, *words: str) -> str:
        ran.append(" ".join(words))
        return f"you said {ran[-1]}"

    return bot, ran


async def test_handlers_are_told_what_is_done_to_messages(chat: Chat) -> None:
    bot, heard = Bot("watch", rooms=["general"]), list[Any]()

    @bot.on_edit
    async def edited(ctx: Any) -> None:
        heard.append((Edited, ctx.nick, ctx.target, ctx.text))

    @bot.on_delete
    async def deleted(ctx: Any) -> None:
        heard.append((Deleted, ctx.nick, ctx.target, ctx.event.reason))

    @bot.on_reaction
    def reacted(ctx: Any) -> None:
        heard.append((Reacted, ctx.nick, ctx.target, ctx.event.emoji, ctx.event.off))
        ctx.react(ctx.event.emoji)

    running, alice, bob = await chat.bot(bot), await chat.person("alice"), await chat.person("bob")
    said, oops = await alice.says("helo"), await alice.says("oops")
    await alice.edits(said, "hello")
    await alice.deletes(oops, "a mistake")
    await running.finished()
    await bob.reacts(said, "👍")
    assert (await running.reacted("👍")).target == said.seq
    await bob.reacts(said, "👍", off=True)
    await running.finished()
    assert heard == [
        (Edited, "alice", said.seq, "hello"),
        (Deleted, "alice", oops.seq, "a mistake"),
        (Reacted, "bob", said.seq, "👍", False),
        (Reacted, "bob", said.seq, "👍", True),
    ]
    assert chat.now(said).text == "hello"


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("to_it_alone", [False, True])
async def test_a_command_that_is_edited_is_run_again_only_if_it_wants_that(
    chat: Chat, again: bool, to_it_alone: bool
) -> None:
    bot, ran = echo(edited=again)
    running, alice = await chat.bot(bot), await chat.person("alice")
    said = await alice.says("!say one", to=running if to_it_alone else None)
    await running.replied("^you said one$")
    await alice.edits(said, "!say two")
    if again:
        answer = await running.replied("^you said two$")
        assert answer.reply_to == said.seq
    await running.stayed_silent()
    assert ran == (["one", "two"] if again else ["one"])


@pytest.mark.parametrize("again", [False, True])
async def test_a_command_that_was_edited_while_the_bot_was_away_is_run_once_as_it_is_now(
    chat: Chat, again: bool
) -> None:
    bot, ran = echo(edited=again)
    running, alice = await chat.bot(bot), await chat.person("alice")
    await running.stop()
    said, deleted = await alice.says("!say one"), await alice.says("!say nothing")
    last = await alice.says("!say last")
    await alice.edits(said, "!say two")
    await alice.edits(said, "!say three")
    await alice.deletes(deleted)
    await running.start()
    await running.replied("^you said three$")
    assert (await running.replied("^you said last$")).reply_to == last.seq
    await running.stayed_silent()
    assert sorted(ran) == ["last", "three"]
    await running.stop()
    await running.start()
    await running.stayed_silent()
    assert sorted(ran) == ["last", "three"]


@pytest.mark.parametrize("again", [False, True])
async def test_what_was_said_to_it_alone_and_changed_while_the_bot_was_away_is_run_once_as_it_is_now(
    chat: Chat, again: bool
) -> None:
    bot, ran = Bot("worker", rooms=["general"]), list[str]()
    begun, free = asyncio.Queue[str](), asyncio.Event()

    @bot.command("work", edited=again)
    async def work(ctx: Any, what: str) -> str:
        begun.put_nowait(what)
        await free.wait()
        ran.append(what)
        return f"did {what}"

    running, alice, bob = await chat.bot(bot), await chat.person("alice"), await chat.person("bob")
    said, deleted = await alice.says("work one", to=running), await bob.says("work nothing", to=running)
    assert {await begun.get(), await begun.get()} == {"one", "nothing"}
    await running.kill()
    await alice.edits(said, "work two")
    await alice.edits(said, "work three")
    await bob.deletes(deleted)
    free.set()
    for _ in range(2):
        await running.start()
        await running.finished()
        assert ran == ["three"]
        await running.stop()
    assert (await running.replied("^did three$")).reply_to == said.seq


async def test_an_edit_whose_command_was_run_with_its_message_stays_so_after_a_crash(chat: Chat) -> None:
    bot, ran = echo(edited=True)
    stuck = asyncio.Event()

    @bot.command("wait")
    async def wait(ctx: Any) -> None:
        stuck.set()
        await asyncio.Event().wait()

    running, alice = await chat.bot(bot), await chat.person("alice")
    await running.stop()
    said = await alice.says("!say one")
    await alice.says("!wait")
    await alice.edits(said, "!say two")
    await running.start()
    await running.replied("^you said two$")
    await stuck.wait()
    await running.kill()  # the edit is not finished: !wait is before it
    stuck.clear()
    await running.start()
    await stuck.wait()
    await alice.says("!say more")
    await running.replied("^you said more$")
    assert ran == ["two", "more"]
    await running.kill()


async def test_progress_is_shown_by_edits_at_a_rate_and_the_last_text_counts(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.5)
    bot, took = Bot("worker", rooms=["general"]), 0.0

    @bot.command()
    async def work(ctx: Any) -> None:
        nonlocal took
        answer, began = await ctx.reply("0 %"), time.monotonic()
        for percent in range(5, 101, 5):
            await ctx.edit(f"{percent} %", answer)
            await ctx.react(f"{percent}")  # each takes a while
        took = time.monotonic() - began

    running, alice = await chat.bot(bot), await chat.person("alice")
    await alice.says("!work")
    answer = await running.replied("^0 %$")
    await running.finished()
    assert chat.now(answer).text == "100 %", "it is finished with its last text"
    edits = [event.text for event in chat.events.values() if isinstance(event, m.Edited)]
    assert len(edits) <= 2 + took / 0.5


@on_loop
async def test_long_work_is_shown_by_ever_fewer_edits_and_its_end_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.02)
    monkeypatch.setattr(progress, "PART", 10_000.0)
    edits = list[str]()

    async def edit(seq: int, text: str) -> None:
        edits.append(text)

    shown = progress.Progress(edit)
    for step in range(20):
        shown.set(1, f"step {step}")
        await asyncio.sleep(progress.EVERY)
    assert len(edits) <= 2
    async with asyncio.timeout(60):
        await shown.finish()
    assert edits[-1] == "step 19"


async def test_what_is_edited_deleted_and_reacted_to_under_once_takes_effect_as_a_whole(chat: Chat) -> None:
    bot, runs = Bot("worker", rooms=["general"]), list[int]()
    crash = asyncio.Event()

    @bot.command()
    async def work(ctx: Any, earlier: int) -> None:
        ctx.once()
        runs.append(earlier)
        await ctx.react("👀")
        await ctx.reply("working")
        await ctx.edit("done")
        await ctx.delete(earlier)
        if len(runs) == 1:
            crash.set()
            await asyncio.Event().wait()

    @bot.command()
    async def hello(ctx: Any) -> str:
        return "hello"

    running, alice = await chat.bot(bot), await chat.person("alice")
    await alice.says("!hello")
    hi = await running.replied("^hello$")
    said = await alice.says(f"!work {hi.seq}")
    await crash.wait()
    await running.kill()
    assert not [event for event in chat.events.values() if not isinstance(event, m.Message)]
    await running.start()
    await running.replied("^done$")
    assert (await running.reacted("👀")).target == said.seq
    assert (await running.deleted()).target == hi.seq
    await running.stayed_silent()
    assert not [event for event in chat.events.values() if isinstance(event, m.Edited)]
    assert len(runs) == 2


async def test_what_cannot_be_changed_is_an_error_of_the_handler(chat: Chat) -> None:
    bot = Bot("worker", rooms=["general"])

    @bot.command()
    async def change(ctx: Any, seq: int) -> str:
        await ctx.edit("mine now", seq)
        return "never"

    @bot.command()
    async def nothing(ctx: Any) -> None:
        await ctx.edit("what?")

    running, alice = await chat.bot(bot), await chat.person("alice")
    said = await alice.says("hello")
    await alice.says(f"!change {said.seq}")
    await running.replied("Sorry, something went wrong in change")
    await alice.says("!nothing")
    await running.replied("Sorry, something went wrong in nothing")
    assert chat.now(said).text == "hello"


def test_of_what_waits_only_so_much_is_kept() -> None:
    waiting, most = catching_up.CatchingUp(), catching_up.HELD_MAX

    def said(seq: int) -> m.Message:
        return m.Message(
            seq=seq, prev=seq - 1, room="dev", time="", from_="b" * 16, nick="bob", kind="message", text=f"{seq}"
        )

    let_go = [event.seq for seq in range(1, most + 2) for event in waiting.hold("dev", said(seq))]
    waiting.hold("ops", said(1))
    gone = m.Deleted(seq=2, prev=1, room="ops", time="", from_="b" * 16, nick="bob", target=1, by="b" * 16)
    waiting.hold("ops", gone)
    assert [type(event) for event in waiting.release("ops")] == [m.Tombstone, m.Deleted]
    assert let_go == list(range(1, most // 2 + 1))
    waiting.forget_above(most)
    assert [event.seq for event in waiting.release("dev")] == list(range(most // 2 + 1, most + 1))
