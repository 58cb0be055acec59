"""What is done to messages, as a terminal tells it: where one looks, once, and with a bell only where one is called."""

import asyncio
from typing import Any

import pytest
from msgspec import structs

from tests.client.real import until
from tests.prompt.test_view import alice_at_a_terminal, at_a_terminal, hear, message, times
from zchat.client.core.notices import Online
from zchat.client.driver import Batch
from zchat.prompt import revising
from zchat.prompt.chat import Chat
from zchat.prompt.view import TerminalView
from zchat.protocol import messages as m


def done(kind: type, seq: int, target: int, from_: str = "f", room: str = "general", **fields: Any) -> Any:
    made = {"time": "2026-11-22T05:30:00Z", "from_": from_, "nick": "bob" if from_ == "f" else from_, "room": room}
    return kind(seq=seq, prev=seq - 1, target=target, **made, **fields)


def test_what_is_done_where_one_looks_is_told_at_once() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        hear(chat, message(1, "helo"), done(m.Edited, 2, 1, text="hello"), done(m.Pinned, 3, 1))
        hear(chat, done(m.Deleted, 4, 1, by="f"))
        told = "edited 1: hello", "pinned 1 (bob: hello)", "deleted 1 (bob, "
        assert [times(shown, text) for text in told] == [1, 1, 1]

    at_a_terminal(story)


def test_of_many_edits_the_first_is_told_and_then_the_last_once_there_is_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(revising, "QUIET", 0.05)

    async def work() -> None:
        chat, view, shown = alice_at_a_terminal()
        hear(chat, message(1, "0 %"), *(done(m.Edited, seq, 1, text=f"{seq} %") for seq in range(2, 9)))
        assert [line for line in shown if "edited 1" in line] == [line for line in shown if "edited 1: 2 %" in line]
        assert times(shown, "edited 1") == 1
        await until(lambda: times(shown, "edited 1: 8 %") == 1)
        assert times(shown, "edited 1") == 2
        hear(chat, done(m.Edited, 9, 1, text="9 %"))
        chat.turn_to("#ops")
        assert view.here is not None
        await until(lambda: bool(view.targets.get("#general").mends))
        assert times(shown, "9 %") == 0
        chat.turn_to("#general")
        assert times(shown, "9 %") == 1
        hear(chat, done(m.Edited, 10, 1, text="gone"), done(m.Deleted, 11, 1, by="f"))
        hear(chat, message(12, "mine", "alice"), *(done(m.Edited, seq, 12, "alice", text=f"{seq}") for seq in (13, 14)))
        assert times(shown, "edited 12") == 2, "one sees at once what one does"
        hear(chat, message(15, "other"), *(done(m.Edited, seq, 15, text=f"{seq}") for seq in (16, 17)))
        await until(lambda: times(shown, "edited 15: 17") == 1)
        assert times(shown, "gone") == 0

    asyncio.run(work())


def test_edits_that_never_pause_are_told_from_time_to_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revising, "QUIET", 3600.0)
    monkeypatch.setattr(revising, "APART", 0.05)

    async def work() -> None:
        chat, _, shown = alice_at_a_terminal()
        hear(chat, message(1, "0 %"), done(m.Edited, 2, 1, text="2 %"), done(m.Edited, 3, 1, text="3 %"))
        await until(lambda: times(shown, "edited 1: 3 %") == 1)

    asyncio.run(work())


def test_a_log_that_goes_back_takes_with_it_what_was_still_to_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revising, "QUIET", 0.05)

    async def work() -> None:
        chat, view, shown = alice_at_a_terminal()
        hear(chat, message(1, "x"), done(m.Edited, 2, 1, text="y"), done(m.Edited, 3, 1, text="z"))
        assert chat.client.welcome is not None
        view.connection(Online(chat.client.welcome, again=True, shared=2))
        hear(chat, message(3, "other"), *(done(m.Edited, seq, 3, text=f"{seq}") for seq in (4, 5)))
        await until(lambda: times(shown, "edited 3: 5") == 1)
        assert times(shown, "edited 1: z") == 0

    asyncio.run(work())


def test_of_history_nothing_is_told_that_an_earlier_run_has_told_and_nothing_rings() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        rings: list[int] = []
        chat.output.bell = lambda: rings.append(1)
        assert view.here is not None
        view.here.told = 3
        made = [done(m.Edited, 3, 1, text="told"), done(m.Edited, 4, 1, text="alice: missed")]
        made.append(done(m.Reacted, 5, 1, "alice", emoji="👍"))
        chat.hear(Batch(made, [b""] * len(made), True))
        assert [times(shown, text) for text in ("edited 1: told", "edited 1: alice: missed", "👍")] == [0, 1, 0]
        assert rings == []

    at_a_terminal(story)


def test_what_is_done_before_ones_eyes_is_read_unless_something_before_it_is_not() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        hear(chat, message(1, "helo"), done(m.Edited, 2, 1, text="hello"))
        assert view.here is not None
        assert view.here.seen == 2
        view.here.unread = 1
        hear(chat, done(m.Pinned, 4, 1))
        assert view.here.seen == 2

    at_a_terminal(story)


def test_who_has_edited_types_no_more() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        hear(chat, message(1, "helo"))
        here = view.here
        assert here is not None
        here.typing = {"bob": 1.0, "carol": 1.0}
        hear(chat, done(m.Edited, 2, 1, text="hello"))
        assert here.typing == {"carol": 1.0}

    at_a_terminal(story)


def test_elsewhere_it_waits_and_what_was_not_shown_is_shown_as_it_is_by_then() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        chat.turn_to("#ops")
        hear(chat, *(message(seq, f"read {seq}", room="ops") for seq in range(1, 9)))
        chat.turn_to("#general")
        hear(chat, message(9, "unread", room="ops"), message(10, "secret", room="ops"))
        edit = done(m.Edited, 12, 1, room="ops", text="gone soon")
        hear(chat, edit, done(m.Edited, 13, 9, room="ops", text="unread, mended"))
        hear(chat, done(m.Edited, 14, 2, room="ops", text="first"), done(m.Edited, 15, 2, room="ops", text="mended"))
        hear(chat, done(m.Deleted, 16, 10, room="ops", by="f"), done(m.Deleted, 17, 1, room="ops", by="f"))
        ops = view.targets.find("#ops")
        assert ops is not None
        assert ops.unread == 2
        shown.clear()
        chat.turn_to("#ops")
        seen = ("edited 2: mended", "deleted 1 (", "unread, mended (edited)", "(deleted by bob)")
        assert [times(shown, text) for text in seen] == [1, 1, 1, 1]
        assert not any(times(shown, text) for text in ("gone soon", "secret", "edited 9", "deleted 10"))
        shown.clear()
        chat.turn_to("#general")
        chat.turn_to("#ops")
        assert times(shown, "edited 2") == 0

    at_a_terminal(story)


def test_an_edit_that_mentions_one_for_the_first_time_rings_wherever_one_looks_and_once() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        rings: list[int] = []
        chat.output.bell = lambda: rings.append(1)
        hear(chat, message(1, "hello", room="ops"), done(m.Edited, 2, 1, room="ops", text="hello alice"))
        assert (len(rings), times(shown, "edited 1: hello alice")) == (1, 1)
        view.alerts.rang = -100.0
        hear(chat, done(m.Edited, 3, 1, room="ops", text="hello, alice"))
        hear(chat, done(m.Edited, 4, 98, "alice", text="alice: me"))
        assert len(rings) == 1
        hear(chat, message(5, "alice, hi", room="ops"))
        view.alerts.rang = -100.0
        hear(chat, done(m.Edited, 6, 5, room="ops", text="alice, hello"))  # which has called before
        assert (len(rings), times(shown, "edited 5")) == (2, 0)
        for seq in (7, 8):  # of a message that is not kept any more
            view.alerts.rang = -100.0
            hear(chat, done(m.Edited, seq, 99, room="ops", text="alice: look"))
        assert (len(rings), times(shown, "edited 99")) == (3, 1)

    at_a_terminal(story)


def test_reactions_to_what_one_has_said_are_told_once_in_one_line_and_others_not() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        hear(chat, message(1, "mine", "alice", room="ops"), message(2, "bob's"))
        hear(chat, done(m.Reacted, 3, 1, room="ops", emoji="👍"), done(m.Reacted, 4, 1, "carol", "ops", emoji="👍"))
        hear(chat, done(m.Reacted, 5, 1, "dave", "ops", emoji="🎉"), done(m.Reacted, 6, 2, "carol", emoji="👀"))
        hear(chat, done(m.Reacted, 7, 1, "dave", "ops", emoji="🎉", off=True))
        assert times(shown, "👍") == 0
        view.mending.tell_reactions()
        assert [line for line in shown if "👍" in line] == ["      👍 bob, carol · 1 #ops bob: mine."]
        hear(chat, done(m.Reacted, 8, 1, room="ops", emoji="👍", off=True))
        hear(chat, done(m.Reacted, 9, 1, room="ops", emoji="👍"))
        view.mending.tell_reactions()
        assert (times(shown, "👍"), times(shown, "🎉"), times(shown, "👀")) == (1, 0, 0)
        hear(chat, done(m.Reacted, 10, 1, room="ops", emoji="🚀", off=True))  # it was given before this run
        view.mending.tell_reactions()
        hear(chat, done(m.Reacted, 11, 1, room="ops", emoji="🚀"))
        view.mending.tell_reactions()
        assert times(shown, "🚀") == 1

    at_a_terminal(story)


def test_a_reaction_names_the_place_only_elsewhere_and_ones_own_is_told_only_here() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        hear(chat, message(1, "mine", "alice"), message(2, "theirs", room="ops"), message(3, "theirs"))
        hear(chat, done(m.Reacted, 4, 1, emoji="👍"))
        view.mending.tell_reactions()
        assert [line for line in shown if "👍" in line] == ["      👍 bob · 1 bob: mine."]
        hear(chat, done(m.Reacted, 5, 2, "alice", "ops", emoji="🎉"), done(m.Reacted, 6, 3, "alice", emoji="👀"))
        assert (times(shown, "🎉"), times(shown, "👀")) == (0, 1)

    at_a_terminal(story)


@pytest.mark.parametrize("whose", ["bob", "carol"])
def test_nothing_is_told_of_those_whom_one_ignores_nor_of_what_is_done_to_what_they_said(whose: str) -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        chat.output.preferences = type(chat.output.preferences)(ignore=("bob",))
        hear(chat, message(1, "theirs"), structs.replace(message(2, "mine", "alice"), nick="alice"))
        from_ = "f" if whose == "bob" else "carol"
        hear(chat, done(m.Edited, 3, 1, "f", text="x"), done(m.Pinned, 4, 1, from_))
        hear(chat, *[done(m.Reacted, 5, 2, "f", emoji="👍")] * (whose == "bob"))
        view.mending.tell_reactions()
        assert not any(times(shown, text) for text in ("edited", "pinned", "👍"))

    at_a_terminal(story)


def test_what_stays_of_a_deleted_message_calls_nobody_and_that_of_its_edits_is_nothing() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        rings: list[int] = []
        chat.output.bell = lambda: rings.append(1)
        chat.output.preferences = type(chat.output.preferences)(bell="all")
        stone = m.Tombstone(seq=1, prev=0, time="2026-11-22T05:30:00Z", from_="f", nick="bob", by="f", to="alice")
        hear(chat, stone, structs.replace(stone, seq=2, target=1))
        bob = view.targets.find("@bob")
        assert bob is not None
        assert ([one.seq for one in bob.recent], bob.unread, rings) == ([1], 1, [])

    at_a_terminal(story)


def test_who_deleted_a_message_is_named_if_they_are_here() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        members = {nick: m.Member(nick=nick, from_=nick) for nick in ("f", "mod")}
        client: Any = view.client
        client.members = lambda _: members
        stone = m.Tombstone(seq=1, prev=0, time="2026-11-22T05:30:00Z", from_="f", nick="bob", by="mod", room="general")
        hear(chat, stone, structs.replace(stone, seq=2, by="gone"))
        assert (times(shown, "(deleted by mod)"), times(shown, "(deleted by a moderator)")) == (1, 1)

    at_a_terminal(story)


def test_a_thread_is_a_place_of_its_own_from_which_one_comes_back() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        hear(chat, message(1, "root"), message(2, "beside"))
        shown.clear()
        chat.turn_to("#general ↳1")
        assert shown == [], "/thread shows what is in it"
        assert view.here is not None
        assert (chat.room, view.here.thread) == ("general", 1)
        general = view.targets.find("#general")
        assert general is not None
        view.here.recent.take(message(1, "root"))
        shown.clear()
        answer = m.Message(
            seq=3, prev=2, room="general", time="2026-11-22T05:30:00Z", from_="f", nick="bob", kind="message",
            text="one\ntwo", reply_to=1, thread=1,
        )  # fmt: skip
        hear(chat, answer)
        assert (times(shown, "two"), general.unread) == (1, 0)
        hear(chat, message(4, "not in it"))
        assert (times(shown, "not in it"), general.unread) == (0, 1)
        hear(chat, done(m.Edited, 5, 3, text="three"), done(m.Edited, 6, 2, text="besides"))
        assert (times(shown, "edited 3"), times(shown, "edited 2")) == (1, 0)
        shown.clear()
        chat.turn_to("#general")
        assert (times(shown, "not in it"), times(shown, "edited 2"), view.targets.find("#general ↳1")) == (1, 0, None)

    at_a_terminal(story)


def at(shown: list[str], *texts: str) -> list[int]:
    """Return the rows in which these texts are, each the first one."""
    rows = "\n".join(shown).split("\n")
    return [next(at for at, row in enumerate(rows) if text in row) for text in texts]


def test_what_was_done_while_one_was_elsewhere_stands_below_the_divider_and_in_order() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        chat.turn_to("#ops")
        hear(chat, *(message(seq, f"read {seq}", room="ops") for seq in range(1, 9)))
        chat.turn_to("#general")
        hear(chat, done(m.Edited, 9, 2, room="ops", text="mended"), message(10, "fresh", room="ops"))
        hear(chat, done(m.Pinned, 11, 1, room="ops", off=True))
        shown.clear()
        chat.turn_to("#ops")
        rows = at(shown, "read 8", "── new ──", "edited 2: mended", "fresh", "unpinned 1")
        assert rows == sorted(rows)
        assert times(shown, "── new ──") == 1

    at_a_terminal(story)


def test_what_is_done_while_the_terminal_has_no_focus_stands_below_the_divider() -> None:
    def story(chat: Chat, view: TerminalView, shown: list[str]) -> None:
        hear(chat, message(1, "helo"))
        view.focus(False)
        hear(chat, done(m.Edited, 2, 1, text="hello"), message(3, "there"))
        rows = at(shown, "── new ──", "edited 1: hello", "there")
        assert rows == sorted(rows)
        assert times(shown, "── new ──") == 1

    at_a_terminal(story)
