"""What one has said oneself, where others speak under the same `from`: one's own numbers tell, not the author."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import structs

from tests.client.real import Script, Watcher, on_loop, until
from tests.client.script import LOG, MINE, Talk, ack, message
from zchat import ChatClient
from zchat.client.core import effects as do
from zchat.client.core.own import KEPT, OwnEvents
from zchat.client.outbox import TIDY_AT, Outbox
from zchat.prompt.sending import Sending
from zchat.protocol import messages as m

ACCOUNT = {"from": MINE, "nick": "alice", "role": "member"}


def said(seq: int, from_: str = MINE, text: str = "hi", room: str = "dev") -> m.Message:
    return m.Message(
        seq=seq, prev=seq - 1, room=room, time="", from_=from_, nick="alice", kind="message", text=text
    )  # fmt: skip


def live(**fields: Any) -> Talk:
    talk = Talk(("dev",), **fields)
    talk.live(member=ACCOUNT, n=fields.get("n", 0))
    return talk


def test_the_ack_tells_what_is_ones_own_and_what_another_device_said() -> None:
    talk = live()
    own = talk.session.is_own
    assert own(said(4)) is False, "nothing was said here"
    talk.post("a")
    talk.post("b")
    assert own(said(5)) is None, "the ack may be on its way"
    assert own(said(5, "b" * 16)) is False
    talk.reply(ack(1, seq=6))
    assert [own(said(seq)) for seq in (5, 6, 7)] == [False, True, None]
    talk.reply(ack(2, seq=8))
    assert [own(said(seq)) for seq in (5, 6, 7, 8, 9)] == [False, True, False, True, False]


def test_a_reaction_or_a_pin_that_was_there_before_may_be_anothers() -> None:
    talk = live()
    talk.session.post(m.Pin(n=1, seq=4), "pin")
    talk.session.post(m.Pin(n=1, seq=5), "another")
    talk.reply(ack(1, seq=6) | {"duplicate": True}, ack(2, seq=7))
    pinned = m.Pinned(seq=6, prev=5, room="dev", time="", from_=MINE, nick="alice", target=4)
    assert [talk.session.is_own(structs.replace(pinned, seq=seq)) for seq in (6, 7)] == [False, True]


def test_a_guest_is_the_only_one_who_speaks_under_its_from() -> None:
    talk = Talk(("dev",))
    talk.live()
    assert talk.session.is_own(said(4)) is True
    assert talk.session.is_own(m.MemberJoined(room="dev", rev=1, nick="alice", from_=MINE, bot=False)) is True


def test_a_member_has_its_own_events_written_down_and_a_guest_has_not() -> None:
    talk = live()
    talk.post("a")
    talk.reply(ack(1, seq=6))
    assert talk.did(do.Settle) == [do.Settle(1, (6,))]
    guest = Talk(("dev",))
    guest.live()
    guest.post("a")
    guest.reply(ack(1, seq=6))
    assert guest.did(do.Settle) == [do.Settle(1)]


def test_what_an_earlier_run_said_is_ones_own() -> None:
    talk = live(n=1, own=(6,), unanswered=[m.Say(n=2, room="dev", text="on its way")])
    assert [talk.session.is_own(said(seq)) for seq in (5, 6, 7)] == [False, True, None]
    talk.reply(ack(2, seq=7))
    assert talk.session.is_own(said(7)) is True


@pytest.mark.parametrize("other", [False, True])
def test_where_the_log_went_back_or_is_another_one_a_seq_is_anothers(other: bool) -> None:
    talk = Talk(("dev",), epochs=(("a" * 16, 1),), own=(3, 6), n=2)
    talk.live(member=ACCOUNT, epochs=[["a" * 16, 1]], n=2)
    talk.cut()
    log = "b" * 32 if other else LOG
    talk.live(member=ACCOUNT, epochs=[["b" * 16, 1]], shared=0 if other else 5, log=log, n=2)
    assert [talk.session.is_own(said(seq)) for seq in (3, 6)] == [not other, False]


def test_what_is_older_than_all_that_is_remembered_is_taken_for_ones_own() -> None:
    own = OwnEvents()
    for seq in range(1_000, 1_000 + 10 * KEPT, 2):
        own.note(seq)
    assert len(own.seqs) == KEPT
    assert own.has(1_001, unanswered=False) is True
    assert own.has(1_000 + 10 * KEPT - 2, unanswered=False) is True
    assert own.has(1_000 + 10 * KEPT - 3, unanswered=False) is False


def test_the_outbox_keeps_them_and_stays_small(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox")
    for n in range(1, 3_000):
        outbox.settle(n, (2**40 + n,))
    assert outbox.path.stat().st_size < 2 * TIDY_AT
    outbox.close()
    for _ in range(2):
        outbox = Outbox(outbox.path)
        assert outbox.own == tuple(2**40 + n for n in range(3_000 - KEPT, 3_000))
        outbox.close()
    outbox = Outbox(outbox.path)
    outbox.rewrite("e" * 32, 0, [], own=(7,))
    outbox.close()
    outbox = Outbox(outbox.path)
    assert outbox.own == (7,)
    outbox.close()


@on_loop
async def test_a_client_waits_for_the_ack_that_tells() -> None:
    async with Script(member=ACCOUNT) as script, ChatClient("alice", script.listen) as alice:
        await alice.post("hi", room="dev")
        await until(lambda: script.count("say"))
        asking = asyncio.gather(alice.is_own(said(5)), alice.is_own(said(6)), alice.is_own(said(7)))
        await alice.ask(m.Ping())
        assert not asking.done()
        script.reply(ack(1, seq=6))
        assert list(await asking) == [False, True, False]
        await alice.post("hi", room="dev")
        last = asyncio.create_task(alice.is_own(said(8)))
        await until(lambda: script.count("say") == 2)
        script.reply({"type": "bye", "reason": "kick"})
        assert await last, "better no answer than one to oneself"


# -- the rows of the prompt


async def post_two(member: m.Account | None) -> tuple[Sending, list["asyncio.Future[m.Ack]"]]:
    answers: list[asyncio.Future[m.Ack]] = []

    async def post(text: str, **where: Any) -> "asyncio.Future[m.Ack]":
        answers.append(asyncio.get_running_loop().create_future())
        return answers[-1]

    client: Any = SimpleNamespace(from_=MINE, member=member, post=post, over=False)
    sending = Sending(client, lambda said, error: None)
    for _ in range(2):
        await sending.say("hi", room="dev", to=None, with_=None, kind="message", reply_to=None)
    return sending, answers


@on_loop
async def test_the_same_words_from_another_device_end_no_row_and_leave_nothing_to_wait_for() -> None:
    sending, answers = await post_two(m.Account(from_=MINE, nick="alice", role="member"))
    sending.note(said(5))
    assert len(sending.pending) == 2
    sending.note(said(6))
    answers[0].set_result(m.Ack(n=1, seq=6))
    await asyncio.sleep(0)
    assert len(sending.pending) == 1
    answers[1].set_result(m.Ack(n=2, seq=8))
    await asyncio.sleep(0)
    assert not sending.pending
    assert not sending.settled, "its echo is to come"
    sending.note(said(7))
    assert not sending.settled
    sending.note(said(8))
    assert sending.settled
    sending.note(said(9))
    assert sending.settled


@on_loop
async def test_to_a_guest_its_own_words_are_the_echo() -> None:
    sending, answers = await post_two(None)
    sending.note(said(5))
    assert len(sending.pending) == 1
    for n, answer in enumerate(answers, 1):
        answer.set_result(m.Ack(n=n, seq=4 + n))
    await asyncio.sleep(0)
    assert not sending.pending
    assert not sending.settled
    sending.note(said(6))
    assert sending.settled


@on_loop
async def test_what_another_device_says_is_heard_like_anything_else() -> None:
    async with Script(member=ACCOUNT) as script, ChatClient("alice", script.listen, rooms=["dev"]) as alice:
        watcher = Watcher(alice)
        script.publish("room/dev/", message(1, 0, **{"from": MINE, "nick": "alice"}))
        await until(lambda: watcher.texts() == ["no 1"])
