"""What may be asked for about messages: to edit and delete, to react and pin, and what is said later."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from tests.client.real import on_loop, serving
from tests.conftest import Broker
from zchat import ChatClient, SyncClient
from zchat.client.messages import Messages
from zchat.errors import RefusedError
from zchat.protocol import messages as m
from zchat.protocol import wire

WHEN = datetime(2027, 1, 1, tzinfo=UTC)


class Answers:
    """Answers in place of a broker, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[m.Command] = []

    async def post(self, command: m.NumberedCommand) -> "asyncio.Future[m.Ack]":
        self.asked.append(command)
        answer: asyncio.Future[m.Ack] = asyncio.get_running_loop().create_future()
        answer.set_result(m.Ack(n=1, seq=9))
        return answer

    async def ask(self, command: m.Command) -> m.Reply:
        self.asked.append(command)
        if isinstance(command, m.AskScheduled):
            return m.Scheduled(messages=(m.Later(id=3, at="2027-01-01T00:00:00.000Z", room="general", text="x"),))
        return m.Found(events=(), more=True)


@on_loop
async def test_each_call_becomes_its_command() -> None:
    broker = Answers()
    messages = Messages(broker.post, broker.ask)
    assert await messages.edit(7, "better") == m.Ack(n=1, seq=9)
    await messages.delete(7, "spam")
    await messages.react(7, "👍", off=True)
    await messages.pin(7)
    await messages.mark_read(7, to="bob", with_="b" * 16)
    await messages.unschedule(3)
    assert [one.id for one in await messages.scheduled()] == [3]
    assert (await messages.mentions(before=50, limit=10)).more
    assert broker.asked == [
        m.Edit(n=1, seq=7, text="better"),
        m.Delete(n=1, seq=7, reason="spam"),
        m.React(n=1, seq=7, emoji="👍", off=True),
        m.Pin(n=1, seq=7),
        m.MarkRead(n=1, to="bob", with_="b" * 16, seq=7),
        m.Unschedule(n=1, id=3),
        m.AskScheduled(),
        m.AskMentions(before=50, limit=10),
    ]


@on_loop
async def test_what_names_no_message_or_has_no_text_is_not_even_sent() -> None:
    broker = Answers()
    messages = Messages(broker.post, broker.ask)
    for seq in (0, -1, m.SEQ_MAX + 1):
        with pytest.raises(RefusedError, match="there is no message") as caught:
            await messages.pin(seq)
        assert caught.value.code == "bad_target"
    with pytest.raises(RefusedError, match="no text"):
        await messages.edit(7, " \n")
    with pytest.raises(TypeError, match="not by str"):
        await messages.react("7", "👍")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="say where"):
        await messages.mark_read(7)
    assert broker.asked == []


@on_loop
async def test_what_is_done_to_a_message_comes_to_all_in_order_and_a_page_tells_how_it_is_now() -> None:
    async with serving() as server:
        endpoint = server.listen
        async with ChatClient("alice", endpoint) as alice, ChatClient("bob", endpoint, rooms=["general"]) as bob:
            said = [(await alice.say(text, room="general")).seq or 0 for text in ("tommorow", "oops", "third")]
            answer = await bob.say("fine", room="general", reply_to=said[0])
            await alice.messages.edit(said[0], "tomorrow")
            await alice.messages.delete(said[1])
            assert not (await bob.messages.react(said[0], "👍")).duplicate
            assert (await bob.messages.react(said[0], "👍")).duplicate
            last = await bob.messages.pin(said[0])
            heard = [event async for event in through(bob, last.seq or 0)]
            assert [type(event) for event in heard[3:]] == [m.Message, m.Edited, m.Deleted, m.Reacted, m.Pinned]
            with pytest.raises(RefusedError) as caught:
                await alice.messages.edit(said[1], "back")
            assert caught.value.code == "bad_target"
            page = await bob.history(room="general")
            assert [type(event) for event in page.events[:2]] == [m.Message, m.Tombstone]
            first, second, third, fourth = page.current
            assert (first.text, first.pinned, first.answers) == ("tomorrow", True, {answer.seq})
            assert first.edited
            assert first.reactions == {"👍": {bob.from_: "bob"}}
            assert isinstance(second.event, m.Tombstone)
            assert [third.text, fourth.text] == ["third", "fine"]


@on_loop
async def test_what_is_done_to_a_direct_message_comes_to_both() -> None:
    async with (
        serving() as server,
        ChatClient("alice", server.listen) as alice,
        ChatClient("bob", server.listen) as bob,
    ):
        await bob.ask(m.Ping())
        said = (await alice.say("helo", to="bob")).seq or 0
        await alice.messages.edit(said, "hello")
        last = (await bob.messages.react(said, "👋")).seq or 0
        for client in (alice, bob):
            heard = [type(event) async for event in through(client, last)]
            assert heard == [m.Message, m.Edited, m.Reacted]


async def through(client: ChatClient, seq: int) -> AsyncIterator[m.Durable]:
    """Yield the durable events that come, through this one."""
    async for event in client.listen():
        if isinstance(event, m.Durable):
            yield event
            if event.seq == seq:
                return


def test_the_synchronous_client_can_do_the_same(broker: Broker) -> None:
    with SyncClient("alice", broker.listen) as chat:
        said = chat.say("frist", room="general").seq or 0
        chat.messages.edit(said, "first")
        chat.messages.react(said, "🎉")
        chat.messages.pin(said)
        chat.messages.pin(said, off=True)
        (item,) = chat.history(room="general").current
        assert (item.text, item.pinned, list(item.reactions)) == ("first", False, ["🎉"])
        chat.messages.delete(said)
        (item,) = chat.history(room="general").current
        assert isinstance(item.event, m.Tombstone)


@on_loop
async def test_a_page_has_a_thread_some_kinds_or_messages_as_they_are_now() -> None:
    async with serving() as server, ChatClient("alice", server.listen) as alice:
        root, other = [(await alice.say(text, room="general")).seq or 0 for text in ("rot", "other")]
        answer = (await alice.say("fine", room="general", reply_to=root)).seq or 0
        edit = (await alice.messages.edit(root, "root")).seq or 0
        nod = (await alice.messages.react(root, "👍")).seq or 0
        await alice.messages.react(other, "🎉")
        pins = [(await alice.messages.pin(seq)).seq for seq in (other, root)]
        pins.append((await alice.messages.pin(other, off=True)).seq)
        thread = await alice.history(room="general", thread=root)
        assert [event.seq for event in thread.events] == [root, answer, edit, nod, pins[1]]
        assert [event.seq for event in (await alice.history(room="general", kinds=["pin"])).events] == pins
        now = await alice.history(room="general", current=True)
        assert [(one.text, one.pinned, one.answers) for one in now.messages] == [
            ("root", True, 1),
            ("other", False, 0),
            ("fine", False, 0),
        ]
        first, second, _ = now.current
        assert (first.text, first.pinned, first.answers, first.reactions) == (
            "root", True, {answer}, {"👍": {alice.from_: "alice"}},
        )  # fmt: skip
        assert first.edited
        assert second.reactions == {"🎉": {alice.from_: "alice"}}
        (pinned,) = (await alice.history(room="general", kinds=["pin"], current=True)).messages
        assert (pinned.seq, pinned.text) == (root, "root")
        both = await alice.history(room="general", thread=root, current=True, limit=1)
        assert ([one.seq for one in both.messages], both.more) == ([answer], True)


@on_loop
async def test_mentions_are_what_others_called_one_by_name_in_pages() -> None:
    async with (
        serving() as server,
        ChatClient("alice", server.listen) as alice,
        ChatClient("bob", server.listen) as bob,
    ):
        said = [(await alice.say(text, room="general")).seq for text in ("Bob?", "bobby", "ask bob", "bob again")]
        await bob.say("I am bob", room="general")
        called = [said[0], *said[2:]]
        assert [one.seq for one in (await bob.messages.mentions()).messages] == called
        last = await bob.messages.mentions(limit=2)
        assert ([one.seq for one in last.messages], last.more) == (called[1:], True)
        first = await bob.messages.mentions(before=called[1], limit=2)
        assert ([one.seq for one in first.messages], first.more) == (called[:1], False)
        assert [one.text for one in (await alice.messages.mentions()).messages] == []


def test_a_page_may_be_asked_for_a_thread_some_kinds_or_messages_as_they_are() -> None:
    question = m.AskHistory(room="general", thread=7, kinds=("message", "edit"), current=True)
    assert wire.commands(wire.encode(question)) == [question]


@on_loop
async def test_a_time_at_which_to_say_something_has_a_zone() -> None:
    async with serving() as server, ChatClient("alice", server.listen) as alice:
        with pytest.raises(ValueError, match="at has no time zone"):
            await alice.say("good morning", room="general", at=WHEN.replace(tzinfo=None))


def test_the_synchronous_client_reads_pages_mentions_and_marks_as_the_other_does(broker: Broker) -> None:
    with SyncClient("alice", broker.listen) as alice, SyncClient("bob", broker.listen) as bob:
        root = alice.say("bob, are you ther?", room="general").seq or 0
        alice.messages.edit(root, "bob, are you there?")
        answer = bob.say("yes", room="general", reply_to=root).seq or 0
        other = alice.say("good", room="general").seq or 0
        assert [one.seq for one in bob.history(room="general", thread=root, kinds=["message"]).events] == [root, answer]
        assert [type(one) for one in bob.history(room="general", kinds=["edit"]).events] == [m.Edited]
        now = bob.history(room="general", current=True)
        assert [one.text for one in now.current] == ["bob, are you there?", "yes", "good"]
        assert [len(bob.messages.mentions().events), len(alice.messages.mentions(limit=1).events)] == [1, 0]
        assert bob.read_marks.through(room="general") == 0
        before = bob.read_marks
        bob.messages.mark_read(other, room="general")
        assert bob.read_marks.through(room="general") == other
        assert bob.read_marks.all == {"general": other}
        assert before.all == {}, "what was asked for stays as it was then"
