"""A seat in a flood: what is counted, what is shown all the same, and nothing twice."""

import asyncio
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from tests.client import script
from tests.client.real import on_loop, serving, until
from zchat.client.client import ChatClient
from zchat.client.core.notices import KeptOut, NickRefused, Online, WentBack
from zchat.client.driver import Batch
from zchat.errors import RefusedError
from zchat.prompt import render
from zchat.prompt.preferences import Preferences
from zchat.prompt.view import BURST, RING, Seat
from zchat.protocol import messages as m


def message(seq: int, text: str, from_: str = "f", room: str | None = "general") -> m.Message:
    place = {"to": "alice"} if room is None else {"room": room}
    said = {"time": "2026-11-22T05:30:00.123Z", "nick": "bob", "kind": "message", "text": f"{text}."}
    return msgspec.convert({"type": "message", "seq": seq, "prev": seq - 1, "from": from_} | place | said, m.Message)


def at_a_seat(story: Callable[[Seat, list[str]], None]) -> None:
    """Let a story happen to alice, who looks at #general; what is shown to her is in the list."""

    async def sit() -> None:
        client: Any = SimpleNamespace(from_="alice", nick="alice", rooms=("general", "ops"), welcome=None, epochs=())
        shown: list[str] = []
        seat = Seat(client, render.Style(), lambda text: shown.extend(text.split("\n")), shown.append)
        seat.turn_to("general")
        story(seat, shown)
        if seat._flood_ends is not None:
            seat._flood_ends.cancel()

    asyncio.run(sit())


def hear(seat: Seat, *events: m.Message | m.MemberRenamed) -> None:
    seat._heard(Batch(list(events), [b""] * len(events), False))


def flood(seat: Seat, first: int, count: int) -> None:
    hear(seat, *(message(seq, f"flood {seq}") for seq in range(first, first + count)))


def times(shown: list[str], text: str) -> int:
    return sum(text in line for line in shown)


def test_what_is_shown_in_a_flood_all_the_same_is_shown_once() -> None:
    def story(seat: Seat, shown: list[str]) -> None:
        flood(seat, 1, int(BURST) + 100)
        hear(seat, message(1_000, "my own", "alice"), message(1_001, "alice: look"))
        flood(seat, 1_002, 5)
        seat._tell_skipped()
        assert [times(shown, text) for text in ("my own", "alice: look", "flood 1006", "lines skipped")] == [1, 1, 1, 1]

    at_a_seat(story)


def test_nothing_is_called_new_that_one_watches_coming() -> None:
    def story(seat: Seat, shown: list[str]) -> None:
        hear(seat, message(1, "while away", room="ops"))
        seat.turn_to("ops")
        seat.turn_to("general")
        seat.turn_to("ops")
        shown.clear()
        hear(seat, message(2, "before my eyes", room="ops"))
        assert [times(shown, text) for text in ("before my eyes", "new")] == [1, 0]
        seat.turn_to("general")
        hear(seat, message(3, "behind my back", room="ops"))
        shown.clear()
        seat.turn_to("ops")
        assert [times(shown, text) for text in ("behind my back", "new")] == [1, 1]

    at_a_seat(story)


def test_who_renames_is_still_talked_to_and_that_is_told_where_one_talks() -> None:
    def story(seat: Seat, shown: list[str]) -> None:
        seat.turn_to(None, "bob")
        hear(seat, m.MemberRenamed(room="general", rev=2, nick="bob", new="rob"))
        hear(seat, m.MemberRenamed(room="ops", rev=2, nick="bob", new="rob"))  # it is told in each room
        assert (seat.partner, seat.places.here) == ("rob", seat.places.known("@rob"))
        assert times(shown, "bob is rob now.") == 1
        seat.turn_to("general")
        hear(seat, m.MemberRenamed(room="general", rev=3, nick="rob", new="robert"))
        assert (seat.room, seat.partner) == ("general", None)
        assert seat.places.known("@robert") is not None
        assert times(shown, "rob is robert now.") == 0

    at_a_seat(story)


def test_what_is_to_us_alone_is_news_once_also_when_it_was_missed() -> None:
    def story(seat: Seat, shown: list[str]) -> None:
        missed = message(7, "in the dark", room=None)
        for _ in range(2):  # the second time as if it was looked up before
            seat._heard(Batch([missed], [b""], True))
        place = seat.places.known("@bob")
        assert place is not None
        assert (place.unread, times(shown, "in the dark")) == (1, 1)

    at_a_seat(story)


def test_in_another_log_all_is_counted_anew() -> None:
    def story(seat: Seat, shown: list[str]) -> None:
        hear(seat, message(900, "long ago", room="ops"), message(901, "long ago"))
        welcome = msgspec.convert(script.welcome(log="another"), m.Welcome)
        seat._heard(Batch([Online(welcome, True)], [b""], False))
        hear(seat, message(1, "anew", room="ops"))
        place = seat.places.known("#ops")
        assert place is not None
        assert (place.unread, [event.seq for event in place.recent]) == (1, [1])
        assert seat.places.seen() == {}

    at_a_seat(story)


def test_when_the_log_goes_back_new_messages_at_the_old_places_are_news_and_none_is_taken_for_a_repeat() -> None:
    def story(seat: Seat, shown: list[str]) -> None:
        for seq in (8, 12, 14):
            hear(seat, message(seq, f"old {seq}", room="ops"))
        hear(seat, message(13, "old 13", room=None))
        online = Online(msgspec.convert(script.welcome(), m.Welcome), True, 10)
        seat._heard(Batch([online, WentBack(10)], [b"", b""], False))
        hear(seat, message(12, "new 12", room="ops"), message(13, "new 13", room=None))
        place, bob = seat.places.known("#ops"), seat.places.known("@bob")
        assert place is not None
        assert bob is not None
        assert (place.unread, [event.text for event in place.recent]) == (2, ["old 8.", "new 12."])
        assert (bob.unread, [event.text for event in bob.recent]) == (1, ["new 13."])
        assert times(shown, "went back") == 1

    at_a_seat(story)


def test_a_flood_that_one_turns_away_from_is_told_of_where_it_was() -> None:
    def story(seat: Seat, shown: list[str]) -> None:
        hear(seat, message(1, "over there", room="ops"))
        flood(seat, 2, int(BURST) + 100)
        seat.turn_to("ops")
        skipped = next(k for k, line in enumerate(shown) if "lines skipped" in line)
        there = next(k for k, line in enumerate(shown) if "over there" in line)
        assert skipped < there
        assert times(shown, "over there") == 1
        assert seat._flood_ends is None

    at_a_seat(story)


def test_what_one_says_stands_once_whether_its_ack_or_its_event_comes_first() -> None:
    async def sit(event_first: bool) -> None:
        answers: list[asyncio.Future[m.Ack]] = []

        async def post(text: str, **place: Any) -> "asyncio.Future[m.Ack]":
            answers.append(asyncio.get_running_loop().create_future())
            return answers[-1]

        client: Any = SimpleNamespace(
            from_="alice", nick="alice", rooms=("general",), welcome=None, epochs=(), over=False
        )
        client.online, client.post = True, post
        shown: list[str] = []
        seat = Seat(client, render.Style(), lambda text: shown.extend(text.split("\n")), shown.append)
        seat.turn_to("general")
        seat._heard(Batch([message(7, "again", "alice")], [b""], True))
        for _ in range(2):
            await seat.say("again.")
        assert len(seat.pending) == 2
        for seq, answer in zip((8, 9), answers, strict=True):
            waiting = len(seat.pending)
            steps: list[Callable[[], None]] = [
                lambda seq=seq: hear(seat, message(seq, "again", "alice")),  # type: ignore[misc]
                lambda seq=seq, answer=answer: answer.set_result(m.Ack(n=1, seq=seq)),  # type: ignore[misc]
            ]
            for step in steps if event_first else reversed(steps):
                step()
                await asyncio.sleep(0)  # so that what waits for the answer hears of it
                assert len(seat.pending) == waiting - 1
        assert times(shown, "again") == 3
        assert seat._paired.is_set()

    for event_first in (True, False):
        asyncio.run(sit(event_first))


@pytest.mark.parametrize("notice", [KeptOut("nick_taken", "it is"), NickRefused("bob", "nick_taken", "it is")])
def test_one_is_called_by_the_nick_that_one_has_after_another_was_refused(notice: Any) -> None:
    def story(seat: Seat, shown: list[str]) -> None:
        client: Any = seat.client
        client.nick = "bob"
        seat.restyle()
        client.nick = "alice"  # the broker gave bob to somebody else
        seat._heard(Batch([notice], [b""], False))
        assert seat.style.mentions is not None
        assert [bool(seat.style.mentions.search(f"{nick}: look")) for nick in ("alice", "bob")] == [True, False]

    at_a_seat(story)


def test_many_calls_at_once_ring_once_and_tell_the_desktop_once() -> None:
    def story(seat: Seat, shown: list[str]) -> None:
        told: list[str] = []
        seat.bell = lambda: told.append("bell")
        seat.notify = told.append
        seat.focus(False)
        hear(seat, *(message(seq, f"wake up {seq}", room=None) for seq in range(1, 2_001)))
        assert (told[0], len(told)) == ("bell", 2)
        seat._rang -= RING
        seat._notified -= RING
        hear(seat, message(2_001, "still asleep", room=None))
        assert len(told) == 4

    at_a_seat(story)


@pytest.mark.parametrize(("typed", "said"), [(" /nonsense", []), ("  //part", ["/part"]), (" indented", [" indented"])])
def test_white_space_before_a_command_makes_it_no_message(typed: str, said: list[str]) -> None:
    async def sit() -> None:
        posted: list[str] = []

        async def post(text: str, **place: Any) -> "asyncio.Future[m.Ack]":
            posted.append(text)
            return asyncio.get_running_loop().create_future()

        client: Any = SimpleNamespace(
            from_="alice", nick="alice", rooms=("general",), welcome=None, epochs=(), online=True
        )
        client.post = post
        seat = Seat(client, render.Style(), lambda text: None, lambda text: None)
        seat.turn_to("general")
        await seat.take(typed)
        assert posted == said

    asyncio.run(sit())


def test_of_a_flood_in_a_room_that_is_left_nothing_is_told_afterwards() -> None:
    def story(seat: Seat, shown: list[str]) -> None:
        hear(seat, message(1, "over there", room="ops"))
        flood(seat, 2, int(BURST) + 100)
        seat.preferences = Preferences(joins="all")
        seat._heard(Batch([m.MemberJoined(room="general", rev=2, nick="carol", from_="c", bot=False)], [b""], False))
        seat.forget("general")
        seat.turn_to("ops")
        assert times(shown, "lines skipped") == times(shown, "carol") == 0
        assert (seat._flood_ends, seat._folding, list(seat.places.all)) == (None, None, ["#ops"])
        assert shown[-1].endswith("over there.")

    at_a_seat(story)


@on_loop
async def test_a_room_that_was_left_in_a_flood_does_not_come_back() -> None:
    async with (
        serving() as server,
        ChatClient("bob", server.listen) as bob,
        ChatClient("alice", server.listen, rooms=["general", "ops"]) as alice,
    ):
        shown: list[str] = []
        seat = Seat(alice, render.Style(), lambda text: shown.extend(text.split("\n")), shown.append)
        seat.turn_to("ops")
        await seat.say("mine")
        seat.turn_to("general")
        for number in range(300):
            await bob.post(f"flood {number}", room="ops")
        await bob.drain()
        inner = alice._driver
        assert inner is not None
        await until(lambda: sum(len(batch.events) for batch in inner._buffer) > 300, "all that was said to wait")
        await seat.take("/part ops")
        listening = asyncio.create_task(seat.listen())
        await bob.say("here", room="general")
        await until(lambda: times(shown, "here"))
        assert list(seat.places.all) == ["#general"]
        assert times(shown, "flood") == 0
        assert seat._paired.is_set(), "what was said there is not waited for"
        await seat.take("/join ops")
        await until(lambda: times(shown, "flood 299"))
        assert list(seat.places.all) == ["#general", "#ops"]
        await alice.close()
        await listening


@on_loop
async def test_who_talks_to_somebody_whose_nick_changes_hands_reaches_nobody_else() -> None:
    shown: list[str] = []
    async with serving() as server, ChatClient("alice", server.listen, rooms=["general"]) as alice:
        seat = Seat(alice, render.Style(), lambda text: shown.extend(text.split("\n")), shown.append)
        listening = asyncio.create_task(seat.listen())
        async with ChatClient("bob", server.listen, rooms=["general"]) as bob:
            await seat.talk_to("bob")
            await seat.say("hello bob")
            await until(lambda: times(shown, "hello bob"))
            before = bob.from_
        async with ChatClient("bob", server.listen, rooms=["general"]) as eve:
            await until(lambda: times(shown, "bob is somebody else now"))
            assert seat.partner == f"bob/{before[:6]}"
            await seat.say("my secret")
            await until(lambda: times(shown, "✗ my secret"))
            assert times(shown, "/query bob talks to who is called so now.") == 1
            await eve.say("hi alice", to="alice")
            await until(lambda: times(shown, "hi alice"))
            assert seat.partner == f"bob/{before[:6]}"
            page = await seat.ask(m.AskHistory(to="bob", with_=seat.with_), m.History)
            assert b"hello bob" in bytes(page.events[0])
            await seat.talk_to("bob")
            assert (seat.partner, seat.with_) == ("bob", eve.from_)
            await seat.say("hello eve")
            await until(lambda: times(shown, "hello eve"))
            await seat.talk_to(f"bob/{before[:6]}")
            assert seat.with_ == before
            with pytest.raises(RefusedError, match="no conversation"):
                await seat.talk_to("bob/123456")
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


@on_loop
async def test_what_waits_for_the_broker_reaches_nobody_else_either() -> None:
    shown: list[str] = []
    async with serving() as server, ChatClient("alice", server.listen) as alice:
        seat = Seat(alice, render.Style(), lambda text: shown.extend(text.split("\n")), shown.append)
        listening = asyncio.create_task(seat.listen())
        async with ChatClient("bob", server.listen):
            await seat.talk_to("bob")
        async with ChatClient("bob", server.listen) as eve:
            await seat.say("my secret")
            await seat.say("and another", to="bob")  # as /msg does
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
