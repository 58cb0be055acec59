"""What a terminal shows: what is counted, what is shown all the same, and nothing twice."""

import asyncio
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec
import pytest

from tests.client import script
from tests.client.real import on_loop, serving, until
from zchat.client.client import ChatClient
from zchat.client.core.notices import Deferred, KeptOut, NickRefused, Online, Refused, Removed, WentBack
from zchat.client.driver import Batch
from zchat.errors import RefusedError
from zchat.prompt import alerts, render
from zchat.prompt.asker import Asker
from zchat.prompt.chat import Chat
from zchat.prompt.conversation import take
from zchat.prompt.flood import BURST
from zchat.prompt.output import Output
from zchat.prompt.preferences import Preferences
from zchat.prompt.view import Classification, TerminalView, classify
from zchat.protocol import messages as m


def message(seq: int, text: str, from_: str = "f", room: str | None = "general") -> m.Message:
    where = {"to": "alice"} if room is None else {"room": room}
    said = {"time": "2026-11-22T05:30:00.123Z", "nick": "bob", "kind": "message", "text": f"{text}."}
    return msgspec.convert({"type": "message", "seq": seq, "prev": seq - 1, "from": from_} | where | said, m.Message)


class Terminal(NamedTuple):
    """A chat at a terminal, its view, and the lines that it has shown."""

    chat: Chat
    view: TerminalView
    shown: list[str]


def terminal(client: Any) -> Terminal:
    shown: list[str] = []
    output, asker = Output(lambda text: shown.extend(text.split("\n")), shown.append, render.Style()), Asker(client)
    view = TerminalView(client, output, asker)
    return Terminal(Chat(client, output, asker, view), view, shown)


def alice_at_a_terminal() -> Terminal:
    """Return the terminal of alice, who looks at #general."""
    welcome = msgspec.convert(script.welcome(), m.Welcome)
    client: Any = SimpleNamespace(
        from_="alice", nick="alice", member=None, rooms=("general", "ops"), welcome=welcome, epochs=welcome.epochs
    )
    made = terminal(client)
    made.chat.turn_to("#general")
    return made


def at_a_terminal(story: Callable[[Chat, TerminalView, list[str]], None]) -> None:
    """Let a story happen to alice, who looks at #general; what is shown to her is in the list."""

    async def sit() -> None:
        chat, view, shown = alice_at_a_terminal()
        story(chat, view, shown)
        view.flood.forget()

    asyncio.run(sit())


def hear(chat: Chat, *events: m.Durable | m.MemberRenamed | Deferred) -> None:
    chat.hear(Batch(list(events), [b""] * len(events), False))


def flood(chat: Chat, first: int, count: int) -> None:
    hear(chat, *(message(seq, f"flood {seq}") for seq in range(first, first + count)))


def times(shown: list[str], text: str) -> int:
    return sum(text in line for line in shown)


@pytest.mark.parametrize(
    ("event", "history", "expected"),
    [
        (message(1, "hello"), False, (False, False, False, False)),
        (message(1, "alice: look"), False, (False, False, False, True)),
        (message(1, "alice: look"), True, (False, False, True, False)),
        (message(1, "alice: look", "alice"), False, (True, False, False, False)),
        (message(1, "psst", room=None), False, (False, True, False, True)),
        (message(1, "psst", room=None), True, (False, True, False, True)),
        (message(1, "psst", "alice", None), True, (True, True, False, False)),
    ],
)
def test_a_message_is_classified(event: m.Message, history: bool, expected: tuple[bool, ...]) -> None:
    found = classify(event, "alice", history, render.Style(mentions=render.mentions(["alice"])))
    assert found == Classification(*expected)


def test_what_is_shown_in_a_flood_all_the_same_is_shown_once() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        flood(chat, 1, int(BURST) + 100)
        hear(chat, message(1_000, "my own", "alice"), message(1_001, "alice: look"))
        flood(chat, 1_002, 5)
        view.flood.end()
        assert [times(shown, text) for text in ("my own", "alice: look", "flood 1006", "lines skipped")] == [1, 1, 1, 1]

    at_a_terminal(story)


def test_nothing_is_called_new_that_one_watches_coming() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        hear(chat, message(1, "while away", room="ops"))
        chat.turn_to("#ops")
        chat.turn_to("#general")
        chat.turn_to("#ops")
        shown.clear()
        hear(chat, message(2, "before my eyes", room="ops"))
        assert [times(shown, text) for text in ("before my eyes", "new")] == [1, 0]
        chat.turn_to("#general")
        hear(chat, message(3, "behind my back", room="ops"))
        shown.clear()
        chat.turn_to("#ops")
        assert [times(shown, text) for text in ("behind my back", "new")] == [1, 1]

    at_a_terminal(story)


def test_who_renames_is_still_talked_to_and_that_is_told_where_one_talks() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        chat.turn_to("@bob")
        hear(chat, m.MemberRenamed(room="general", rev=2, nick="bob", new="rob"))
        hear(chat, m.MemberRenamed(room="ops", rev=2, nick="bob", new="rob"))  # it is told in each room
        assert (chat.partner, view.here) == ("rob", view.targets.find("@rob"))
        assert times(shown, "bob is rob now.") == 1
        chat.turn_to("#general")
        hear(chat, m.MemberRenamed(room="general", rev=3, nick="rob", new="robert"))
        assert (chat.room, chat.partner) == ("general", None)
        assert view.targets.find("@robert") is not None
        assert times(shown, "rob is robert now.") == 0

    at_a_terminal(story)


def test_what_is_to_us_alone_is_news_once_also_when_it_was_missed() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        missed = message(7, "in the dark", room=None)
        for _ in range(2):  # the second time as if it was looked up before
            chat.hear(Batch([missed], [b""], True))
        target = view.targets.find("@bob")
        assert target is not None
        assert (target.unread, times(shown, "in the dark")) == (1, 1)

    at_a_terminal(story)


def test_in_another_log_all_is_counted_anew() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        hear(chat, message(900, "long ago", room="ops"), message(901, "long ago"))
        welcome = msgspec.convert(script.welcome(log="another"), m.Welcome)
        chat.hear(Batch([Online(welcome, True)], [b""], False))
        hear(chat, message(1, "anew", room="ops"))
        target = view.targets.find("#ops")
        assert target is not None
        assert (target.unread, [event.seq for event in target.recent]) == (1, [1])
        assert view.targets.seen() == {}

    at_a_terminal(story)


def test_when_the_log_goes_back_new_messages_with_old_seqs_are_news_and_none_is_taken_for_a_repeat() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        for seq in (8, 12, 14):
            hear(chat, message(seq, f"old {seq}", room="ops"))
        hear(chat, message(13, "old 13", room=None))
        online = Online(msgspec.convert(script.welcome(), m.Welcome), True, 10)
        chat.hear(Batch([online, WentBack(10)], [b"", b""], False))
        hear(chat, message(12, "new 12", room="ops"), message(13, "new 13", room=None))
        target, bob = view.targets.find("#ops"), view.targets.find("@bob")
        assert target is not None
        assert bob is not None
        assert (target.unread, [getattr(event, "text", "") for event in target.recent]) == (2, ["old 8.", "new 12."])
        assert (bob.unread, [getattr(event, "text", "") for event in bob.recent]) == (1, ["new 13."])
        assert times(shown, "went back") == 1

    at_a_terminal(story)


def test_who_is_let_out_of_a_room_is_told_and_speaks_in_no_other_one() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        client: Any = chat.client
        client.rooms = ("general",)
        hear(chat, message(1, "said in private", room="+ops"))
        chat.turn_to("#+ops")
        chat.hear(Batch([Removed("+ops", "kicked: enough")], [b""], False))
        assert times(shown, "You are not in +ops any more: kicked: enough.") == 1
        assert chat.here is None, "what one was about to say there is for nobody else"
        assert times(shown, "Nobody hears what you say now; /join ROOM leads to another room.") == 1
        assert view.targets.find("#+ops") is None

    at_a_terminal(story)


def test_a_refusal_names_what_was_asked_where_nothing_was_said() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        chat.hear(Batch([Refused(m.SetAccess(n=1, room="+ops", admit="b" * 16), "forbidden", "no")], [b""], False))
        assert times(shown, "admitting bbbbbbbbbbbbbbbb") == 1
        assert times(shown, "Not sent: No.") == 1

    at_a_terminal(story)


def test_a_flood_that_one_turns_away_from_is_told_of_where_it_was() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        hear(chat, message(1, "over there", room="ops"))
        flood(chat, 2, int(BURST) + 100)
        chat.turn_to("#ops")
        skipped = next(k for k, line in enumerate(shown) if "lines skipped" in line)
        there = next(k for k, line in enumerate(shown) if "over there" in line)
        assert skipped < there
        assert times(shown, "over there") == 1
        assert not view.flood.runs

    at_a_terminal(story)


def test_what_one_says_stands_once_whether_its_ack_or_its_event_comes_first() -> None:
    async def sit(event_first: bool) -> None:
        answers: list[asyncio.Future[m.Ack]] = []

        async def post(text: str, **where: Any) -> "asyncio.Future[m.Ack]":
            answers.append(asyncio.get_running_loop().create_future())
            return answers[-1]

        client: Any = SimpleNamespace(
            from_="alice",
            nick="alice",
            member=None,
            rooms=("general",),
            welcome=None,
            epochs=(),
            over=False,
            stalled=None,
        )
        client.online, client.post = True, post
        chat, _, shown = terminal(client)
        chat.turn_to("#general")
        chat.hear(Batch([message(7, "again", "alice")], [b""], True))
        for _ in range(2):
            await chat.say("again.")
        assert len(chat.sending.pending) == 2
        for seq, answer in zip((8, 9), answers, strict=True):
            waiting = len(chat.sending.pending)
            steps: list[Callable[[], None]] = [
                lambda seq=seq: hear(chat, message(seq, "again", "alice")),  # type: ignore[misc]
                lambda seq=seq, answer=answer: answer.set_result(m.Ack(n=1, seq=seq)),  # type: ignore[misc]
            ]
            for step in steps if event_first else reversed(steps):
                step()
                await asyncio.sleep(0)  # so that what waits for the answer hears of it
                assert len(chat.sending.pending) == waiting - 1
        assert times(shown, "again") == 3
        assert chat.sending.settled

    for event_first in (True, False):
        asyncio.run(sit(event_first))


@pytest.mark.parametrize("notice", [KeptOut("nick_taken", "it is"), NickRefused("bob", "nick_taken", "it is")])
def test_one_is_called_by_the_nick_that_one_has_after_another_was_refused(notice: Any) -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        client: Any = chat.client
        client.nick = "bob"
        chat.restyle()
        client.nick = "alice"  # the broker gave bob to somebody else
        chat.hear(Batch([notice], [b""], False))
        assert chat.style.mentions is not None
        assert [bool(chat.style.mentions.search(f"{nick}: look")) for nick in ("alice", "bob")] == [True, False]

    at_a_terminal(story)


def test_many_calls_at_once_ring_once_and_tell_the_desktop_once() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        told: list[str] = []
        chat.output.bell = lambda: told.append("bell")
        chat.output.notify = told.append
        view.focus(False)
        hear(chat, *(message(seq, f"wake up {seq}", room=None) for seq in range(1, 2_001)))
        assert (told[0], len(told)) == ("bell", 2)
        view.alerts.rang -= alerts.PAUSE
        view.alerts.notified -= alerts.PAUSE
        hear(chat, message(2_001, "still asleep", room=None))
        assert len(told) == 4

    at_a_terminal(story)


@pytest.mark.parametrize(("typed", "said"), [(" /nonsense", []), ("  //part", ["/part"]), (" indented", [" indented"])])
def test_white_space_before_a_command_makes_it_no_message(typed: str, said: list[str]) -> None:
    async def sit() -> None:
        posted: list[str] = []

        async def post(text: str, **where: Any) -> "asyncio.Future[m.Ack]":
            posted.append(text)
            return asyncio.get_running_loop().create_future()

        client: Any = SimpleNamespace(
            from_="alice",
            nick="alice",
            member=None,
            rooms=("general",),
            welcome=None,
            epochs=(),
            online=True,
            stalled=None,
        )
        client.post = post
        chat, *_ = terminal(client)
        chat.turn_to("#general")
        await take(typed, chat)
        assert posted == said

    asyncio.run(sit())


def test_a_full_disk_is_not_suspected_once_it_was_told_why_the_brokers_cannot_store() -> None:
    def story(chat: Chat, _: TerminalView, shown: list[str]) -> None:
        client: Any = chat.client
        for client.stalled, expected in ((None, 1), ("the stream is gone", 1), (None, 2)):
            hear(chat, Deferred("is its disk full?"))
            assert times(shown, "is its disk full?") == expected

    at_a_terminal(story)


def test_of_a_flood_in_a_room_that_is_left_nothing_is_told_afterwards() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        hear(chat, message(1, "over there", room="ops"))
        flood(chat, 2, int(BURST) + 100)
        chat.output.preferences = Preferences(joins="all")
        chat.hear(Batch([m.MemberJoined(room="general", rev=2, nick="carol", from_="c", bot=False)], [b""], False))
        chat.forget("general")
        chat.turn_to("#ops")
        assert times(shown, "lines skipped") == times(shown, "carol") == 0
        assert (view.flood.runs, view.presence.folding.runs, list(view.targets.all)) == (False, False, ["#ops"])
        assert shown[-1].endswith("over there.")

    at_a_terminal(story)


@on_loop
async def test_a_room_that_was_left_in_a_flood_does_not_come_back() -> None:
    async with (
        serving() as server,
        ChatClient("bob", server.listen) as bob,
        ChatClient("alice", server.listen, rooms=["general", "ops"]) as alice,
    ):
        chat, view, shown = terminal(alice)
        chat.turn_to("#ops")
        await chat.say("mine")
        chat.turn_to("#general")
        for number in range(300):
            await bob.post(f"flood {number}", room="ops")
        await bob.drain()
        inner = alice._driver
        assert inner is not None
        await until(lambda: sum(len(batch.events) for batch in inner._buffer) > 300, "all that was said to wait")
        await take("/part ops", chat)
        listening = asyncio.create_task(chat.listen())
        await bob.say("here", room="general")
        await until(lambda: times(shown, "here"))
        assert list(view.targets.all) == ["#general"]
        assert times(shown, "flood") == 0
        assert chat.sending.settled, "what was said there is not waited for"
        await take("/join ops", chat)
        await until(lambda: times(shown, "flood 299"))
        assert list(view.targets.all) == ["#general", "#ops"]
        await alice.close()
        await listening


@on_loop
async def test_who_talks_to_somebody_whose_nick_changes_hands_reaches_nobody_else() -> None:
    async with serving() as server, ChatClient("alice", server.listen, rooms=["general"]) as alice:
        chat, _, shown = terminal(alice)
        listening = asyncio.create_task(chat.listen())
        async with ChatClient("bob", server.listen, rooms=["general"]) as bob:
            await chat.talk_to("bob")
            await chat.say("hello bob")
            await until(lambda: times(shown, "hello bob"))
            before = bob.from_
        async with ChatClient("bob", server.listen, rooms=["general"]) as eve:
            await until(lambda: times(shown, "bob is somebody else now"))
            assert chat.partner == f"bob/{before[:6]}"
            await chat.say("my secret")
            await until(lambda: times(shown, "✗ my secret"))
            assert times(shown, "/query bob talks to who is called so now.") == 1
            await eve.say("hi alice", to="alice")
            await until(lambda: times(shown, "hi alice"))
            assert chat.partner == f"bob/{before[:6]}"
            page = await chat.ask(m.AskHistory(to="bob", with_=chat.with_), m.History)
            assert b"hello bob" in bytes(page.events[0])
            await chat.talk_to("bob")
            assert (chat.partner, chat.with_) == ("bob", eve.from_)
            await chat.say("hello eve")
            await until(lambda: times(shown, "hello eve"))
            await chat.talk_to(f"bob/{before[:6]}")
            assert chat.with_ == before
            with pytest.raises(RefusedError, match="no conversation"):
                await chat.talk_to("bob/123456")
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


@on_loop
async def test_what_waits_for_the_broker_reaches_nobody_else_either() -> None:
    async with serving() as server, ChatClient("alice", server.listen) as alice:
        chat, _, shown = terminal(alice)
        listening = asyncio.create_task(chat.listen())
        async with ChatClient("bob", server.listen):
            await chat.talk_to("bob")
        async with ChatClient("bob", server.listen) as eve:
            await chat.say("my secret")
            await chat.say("and another", to="bob")  # as /msg does
            await until(lambda: times(shown, "Not sent (unknown_nick)") == 2)
            await eve.say("last", to="bob")
            heard = [event.text async for event in some(eve, 1)]
            assert heard == ["last"]
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def some(client: ChatClient, count: int) -> AsyncIterator[m.Message]:
    """Yield the first messages that a client hears."""
    async for event in client.listen():
        if isinstance(event, m.Message):
            yield event
            count -= 1
            if not count:
                return


def test_what_is_done_about_us_is_told_in_its_place_between_what_is_said() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        when, carol = "2026-11-29T12:00:00Z", "c" * 16
        change = m.MemberChanged(
            seq=9, prev=4, time=when, change="role", by=carol, by_nick="carol", from_="alice", role="moderator"
        )
        chat.hear(Batch([message(1, "one"), change, message(2, "two")], [b""] * 3, False))
        assert [line for line in shown if "one" in line or "two" in line or "carol" in line][1] == (
            "carol made you a moderator."
        )
        assert view.here is not None
        assert view.here.unread == 0

    at_a_terminal(story)


def test_who_has_left_types_no_more() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        view.other(m.MemberTyping(room="general", nick="bob"))
        assert view.here is not None
        assert "bob" in view.here.typing
        view.other(m.MemberLeft(room="general", rev=2, nick="bob", reason="kick"))
        assert view.here.typing == {}

    at_a_terminal(story)


def test_who_is_taken_out_of_a_room_is_told_once_by_whom() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        chat.turn_to("#+ops")
        when, bob = "2026-11-29T12:00:00Z", "b" * 16
        out = m.AccessChanged(
            seq=9, prev=4, time=when, room="+ops", change="expelled", by=bob, by_nick="bob", from_="alice"
        )
        chat.hear(Batch([out, Removed("+ops", "the broker has let us out of it")], [b""] * 2, False))
        chat.hear(Batch([Removed("general", "kicked")], [b""], False))
        assert [line for line in shown if "out of" in line or "any more" in line] == [
            "bob took you out of +ops.",
            "You are not in #general any more: kicked.",
        ]

    at_a_terminal(story)
