"""`zchat.testing` itself: what it tells when a test fails, and what it leaves of a bot afterwards."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.client.real import on_loop
from zchat import Bot
from zchat.errors import NickTakenError, RefusedError
from zchat.testing import Chat


@pytest.fixture
def counter(tmp_path: Path) -> Bot:
    bot = Bot("counter", rooms=["general"], data=tmp_path, broker=f"ipc://{tmp_path}/nobody")
    bot.store["count"] = 7

    @bot.on_message("count")
    def count(ctx: object) -> str:
        bot.store["count"] = bot.store.get("count", 0) + 1
        return f"that makes {bot.store['count']}"

    return bot


async def test_a_bot_begins_with_an_empty_store_which_can_be_read_once_it_has_stopped(chat: Chat, counter: Bot) -> None:
    bot, alice = await chat.bot(counter), await chat.person("alice")
    for number in (1, 2):
        await alice.says("count")
        await bot.replied(f"^that makes {number}$")
    await bot.stop()
    assert counter.store["count"] == 2


@on_loop
async def test_a_chat_gives_a_bot_back_as_it_was(counter: Bot, tmp_path: Path) -> None:
    async with Chat() as chat:
        await chat.bot(counter)
        assert counter.broker == chat.server.listen
    assert (counter.broker, counter.data, counter.store["count"]) == (f"ipc://{tmp_path}/nobody", tmp_path, 7)
    counter.close()


async def test_a_bot_that_the_broker_refuses_is_told_once(chat: Chat, counter: Bot) -> None:
    await chat.person("counter")
    with pytest.raises(NickTakenError):
        await chat.bot(counter)


async def test_members_have_roles_keys_of_their_own_and_private_rooms(chat: Chat, counter: Bot) -> None:
    await chat.bot(counter)
    alice, bob = await chat.member("alice", role="moderator"), await chat.member("bob")
    assert [(one.client.role, one.client.nick) for one in (alice, bob)] == [("moderator", "alice"), ("member", "bob")]
    await alice.client.access.make_private("+ops")
    await alice.client.access.admit("+ops", "bob")
    for one in (alice, bob):
        await one.client.join("+ops")
    await alice.says("count", room="+ops")
    assert (await bob.client.history(room="+ops")).messages[0].text == "count"
    with pytest.raises(RefusedError, match="unknown_room"):
        await chat.observer.history(room="+ops")


async def test_two_chats_in_one_process_do_without_members_in_the_second(chat: Chat) -> None:
    async with Chat() as other:
        await other.person("alice")
        with pytest.raises(pytest.fail.Exception, match="another chat of this process"):
            await other.member("bob")
    await chat.member("bob")


async def test_who_waits_in_vain_is_told_what_was_said(chat: Chat, counter: Bot) -> None:
    bot, alice = await chat.bot(counter), await chat.person("alice")
    await alice.says("count")
    with pytest.raises(pytest.fail.Exception, match=r"counter to say '7'; what was said:\n  alice: count\n  counter: "):
        await bot.replied("7", timeout=0.05)
    with pytest.raises(pytest.fail.Exception, match=r"counter said \['that makes 1'\]"):
        await bot.stayed_silent()


@pytest.fixture
def talk(chat: Chat) -> Chat:
    return chat


async def test_a_fixture_may_stand_between_a_test_and_its_chat(talk: Chat, counter: Bot) -> None:
    bot, alice = await talk.bot(counter), await talk.person("alice")
    await alice.says("count")
    await bot.replied("^that makes 1$")


def synchronous(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Wrap a test as pytest-asyncio does in its `auto` mode."""

    @functools.wraps(test)
    def run(*args: Any, **settings: Any) -> None:
        asyncio.run(test(*args, **settings))

    return run


@synchronous
async def test_another_plugin_may_have_taken_the_test_for_its_own(chat: Chat) -> None:
    await (await chat.person("alice")).says("hi")


async def test_what_was_heard_is_heard_once_and_counts_as_asked_for(chat: Chat) -> None:
    bot = Bot("guide", rooms=["general"])

    @bot.command()
    async def roll(ctx: object, sides: int) -> None:
        """Roll."""

    guide, alice = await chat.bot(bot), await chat.person("alice")
    for word in ("many", "few"):
        await alice.says(f"!roll {word}")
        assert word in (await alice.heard("Usage: !roll")).text
    await guide.stayed_silent()


async def test_who_stays_silent_has_dealt_with_what_was_said_to_them_alone(chat: Chat) -> None:
    bot, gate = Bot("slow", rooms=["general"]), asyncio.Event()

    @bot.command()
    async def answer(ctx: object) -> str:
        await gate.wait()
        return "at last"

    slow, alice = await chat.bot(bot), await chat.person("alice")
    await alice.says("answer", to=slow)
    asyncio.get_running_loop().call_later(0.1, gate.set)
    with pytest.raises(pytest.fail.Exception, match=r"slow said \['at last'\]"):
        await slow.stayed_silent()


async def test_one_bot_is_in_a_chat_once(chat: Chat, counter: Bot) -> None:
    await chat.bot(counter)
    with pytest.raises(pytest.fail.Exception, match="counter is in this chat already"):
        await chat.bot(counter)
