"""Waiting for a mention, an answer, anything; and asking people."""

import asyncio
from pathlib import Path

import pytest

from tests.conftest import PATIENCE
from tests.gateways.mcp.hosts import agent, until, waits
from zchat.gateways.mcp import waiting
from zchat.testing import Chat

FOR_EVER = waiting.SECONDS_MAX


async def test_what_is_meant_is_told_as_soon_as_it_is_said(
    chat: Chat, audit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "TELL", FOR_EVER)  # it does not look by itself
    alice = await chat.person("alice")
    async with agent(chat, audit=audit) as host, asyncio.timeout(PATIENCE):
        call = asyncio.create_task(host.call("wait_for", what="mention", seconds=FOR_EVER))
        await until(waits(host))
        for _ in range(9):  # meanwhile it has looked, and waits
            await host.call("read", room="general")
        while not call.done():
            await alice.says("no word to anybody")
            await alice.says("helper, are you there?")
            await asyncio.wait([call], timeout=0.05)
        heard = call.result()
        assert [each["text"] for each in heard["messages"]][:1] == ["helper, are you there?"]
        assert "timed_out" not in heard


async def test_without_a_cursor_it_waits_for_what_is_said_from_now_on(chat: Chat, audit: Path) -> None:
    alice = await chat.person("alice")
    await alice.says("helper: an old question")
    async with agent(chat, audit=audit) as host:
        heard = await host.call("wait_for", what="mention", seconds=0)
        assert (heard["messages"], heard["timed_out"]) == ([], True)


async def test_nothing_falls_between_two_calls(chat: Chat, audit: Path) -> None:
    alice = await chat.person("alice", "general", "dev")
    async with agent(chat, "general", "dev", audit=audit) as host:
        cursor = (await host.call("wait_for", what="any", seconds=0))["cursor"]
        got: list[str] = []
        for number in range(12):
            await alice.says(f"{number}", room=("general", "dev")[number % 2])
            if number % 3 == 2:
                heard = await host.call("wait_for", what="any", since=cursor)
                cursor = heard["cursor"]
                got += [each["text"] for each in heard["messages"]]
        assert got == [f"{number}" for number in range(12)]


async def test_more_than_one_look_holds_is_told_in_several_answers(
    chat: Chat, audit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "LOOKED_MAX", 3)
    alice = await chat.person("alice", "general", "dev")
    async with agent(chat, "general", "dev", audit=audit) as host:
        cursor = (await host.call("wait_for", what="any", seconds=0))["cursor"]
        for number in range(10):
            await alice.says(f"{number}", room="general" if number < 8 else "dev")
        await alice.says("for helper", room="dev")
        async with asyncio.timeout(PATIENCE):
            assert await host.texts("wait_for", what="mention", since=cursor, seconds=FOR_EVER) == ["for helper"]
        got: list[str] = []
        while len(got) < 11:
            heard = await host.call("wait_for", what="any", since=cursor, seconds=0)
            assert heard["messages"]
            got += [each["text"] for each in heard["messages"]]
            cursor = heard["cursor"]
        assert got == [*(f"{number}" for number in range(10)), "for helper"]


async def test_an_answer_to_a_message_is_waited_for_from_that_message_on(chat: Chat, audit: Path) -> None:
    alice = await chat.person("alice")
    async with agent(chat, audit=audit) as host:
        mine = await host.call("say", room="general", text="the build is red", key="1")
        await alice.says("by the way")
        await alice.client.say("which test?", room="general", reply_to=mine["seq"])
        assert await host.texts("wait_for", what="reply", seq=mine["seq"], seconds=0) == ["which test?"]
        assert "seq" in str(await host.refusal("wait_for", what="reply", seconds=0))


async def test_notices_and_what_it_says_itself_are_not_told(chat: Chat, audit: Path) -> None:
    alice = await chat.person("alice")
    async with agent(chat, audit=audit, bots=True) as host:
        start = (await host.call("read", room="general"))["cursor"]
        await host.call("say", room="general", text="helper is here", key="1")
        await alice.client.say("helper: nobody is to answer this", room="general", kind="notice")
        assert await host.texts("wait_for", what="any", since=start, seconds=0) == []


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_it_tells_that_it_waits_and_is_cancelled(
    chat: Chat, audit: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "TELL", 0.01)
    await chat.person("alice")
    told = asyncio.Event()

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        assert 0 <= progress <= (total or 0)
        told.set()

    async with agent(chat, audit=audit, mode=mode) as host:
        arguments = {"what": "any", "seconds": FOR_EVER}
        call = asyncio.create_task(host.client.call_tool("wait_for", arguments, progress_callback=tell))
        async with asyncio.timeout(PATIENCE):
            await told.wait()
            await host.call("rooms")  # it goes on meanwhile
            call.cancel()
            await until(lambda: any(line.get("ended") == "cancelled" for line in host.written()))
            assert await host.texts("wait_for", what="any", seconds=0) == []


async def test_whose_host_has_gone_and_waits_keeps_nobody_from_waiting(
    chat: Chat, audit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "WAITS_MAX", 1)
    alice = await chat.person("alice")
    async with agent(chat, audit=audit) as host:
        start = (await host.call("read", room="general"))["cursor"]
        oldest = asyncio.create_task(host.call("wait_for", what="any", since=start, seconds=FOR_EVER))
        await until(waits(host))
        newest = asyncio.create_task(host.texts("wait_for", what="any", since=start, seconds=FOR_EVER))
        async with asyncio.timeout(PATIENCE):
            assert (await oldest)["timed_out"], "and it may call again with its cursor"
            await alice.says("hello")
            assert await newest == ["hello"]


async def test_a_question_is_answered_by_whom_was_asked(chat: Chat, audit: Path) -> None:
    alice, bob = await chat.person("alice"), await chat.person("bob")
    question = {"room": "general", "person": "alice", "question": "which database?", "key": "q"}
    async with agent(chat, audit=audit) as host:
        asked = await host.call("ask_human", **question, seconds=0)
        assert (asked["timed_out"], "answer" in asked) == (True, False)
        await bob.says("mine")
        assert "answer" not in await host.call("ask_human", seq=asked["question"], person="alice", seconds=0)
        await alice.says("the old one")
        await alice.says("or the new one")
        for again in ({"seq": asked["question"], "person": "@Alice"}, question):
            found = await host.call("ask_human", **again)
            assert (found["question"], found["answer"]["text"]) == (asked["question"], "the old one")
        page = await chat.observer.history(room="general")
        assert [each.text for each in page.messages][:1] == ["alice: which database?"]
        assert len(page.messages) == 4, "it was asked once"


async def test_a_question_to_a_room_is_answered_by_a_reply_or_by_who_calls_the_agent(chat: Chat, audit: Path) -> None:
    alice = await chat.person("alice")
    async with agent(chat, audit=audit) as host:
        first = await host.call("ask_human", room="general", question="tea or coffee?", key="1", seconds=0)
        await alice.says("it rains")
        await alice.client.say("tea", room="general", reply_to=first["question"])
        found = await host.call("ask_human", room="general", question="tea or coffee?", key="1")
        assert found["answer"]["text"] == "tea"
        second = await host.call("ask_human", room="general", question="with sugar?", key="2", seconds=0)
        await alice.says("helper: no, thanks")
        assert (await host.call("ask_human", seq=second["question"]))["answer"]["text"] == "helper: no, thanks"


async def test_one_person_is_asked_alone(chat: Chat, audit: Path) -> None:
    alice = await chat.person("alice")
    async with agent(chat, audit=audit, direct=True) as host, asyncio.timeout(PATIENCE):
        call = asyncio.create_task(host.call("ask_human", to="alice", question="the password?", key="1"))
        assert (await alice.heard("the password")).nick == "helper"
        await alice.says("never", to="helper")
        found = await call
        assert found["answer"]["text"] == "never"
        assert (await host.call("ask_human", seq=found["question"], to="alice"))["answer"]["text"] == "never"


async def test_what_is_no_question_of_its_own_is_not_gone_on_with(chat: Chat, audit: Path) -> None:
    alice = await chat.person("alice")
    said = await alice.says("who?")
    async with agent(chat, audit=audit) as host:
        assert "no question of yours" in str(await host.refusal("ask_human", seq=said.seq, seconds=0))
        assert "Give a `question`" in str(await host.refusal("ask_human", room="general", seconds=0))
        unknown = {"room": "general", "question": "x?", "key": "1", "seconds": 0}
        assert (await host.refusal("ask_human", person="nobody", **unknown)).code == "unknown_member"
        assert [each.text for each in (await chat.observer.history(room="general")).messages] == ["who?"]
