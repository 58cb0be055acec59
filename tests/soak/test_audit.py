"""The audit must find what is wrong: each journal here was doctored in one way, and one sentence must be broken."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.soak.audit import Event, Evidence, audit
from tests.soak.journal import Acked, AnyRecord, Kept, Life, Over, Ran, Refused, Said, Seen, checksum, conversation

ROOM = "den"


def event(
    seq: int, prev: int, text: str, nick: str = "talker0", reply_to: int | None = None, room: str = ROOM
) -> Event:
    return Event(seq, prev, room, nick, text, False, reply_to, checksum(f"{seq} {text}"))


def said(id_: str, text: str | None = None, refusal: str = "", room: str = ROOM) -> Said:
    return Said(id_, room, checksum(id_ if text is None else text), refusal=refusal)


def whole(id_: str, seq: int, text: str | None = None, room: str = ROOM) -> list[AnyRecord]:
    return [said(id_, text, room=room), Kept(id_), Acked(id_, seq)]


LOG = [
    event(1, 0, "talker0-1"),
    event(2, 1, "talker0-2"),
    event(3, 2, "!tally0 talker1-1", "talker1"),
    event(4, 3, "tally talker1-1 1", "bot0", 3),
    event(5, 4, "!echo0 talker1-2", "talker1"),
    event(6, 5, "echo talker1-2", "bot0", 5),
    event(7, 6, "!tally0 talker1-3", "talker1"),
    event(8, 7, "tally talker1-3 2", "bot0", 7),
]
TALK = conversation("talker1", "talker2")
PRIVATE = [event(n, max(0, n - 1 if n > 101 else 0), f"talker2-{n}", "talker2", room=TALK) for n in (101, 102, 103)]
TALKERS: dict[str, list[AnyRecord]] = {
    "talker0": [
        *(Life(1), *whole("talker0-1", 1), *whole("talker0-2", 2)),
        *(said("talker0-3", "", "bad_text"), Kept("talker0-3"), Refused("talker0-3", "bad_text")),
    ],
    "talker1": [
        Life(1),
        *whole("talker1-1", 3, "!tally0 talker1-1"),
        *whole("talker1-2", 5, "!echo0 talker1-2"),
        *whole("talker1-3", 7, "!tally0 talker1-3"),
        *(said("talker1-4"), Kept("talker1-4")),  # in the outbox still
        *(Seen(TALK, each.seq, each.sum) for each in PRIVATE),
    ],
    "talker2": [
        *(Life(1), *whole("talker2-101", 101, room=TALK), Seen(TALK, 101, PRIVATE[0].sum)),
        *(Life(2), *whole("talker2-102", 102, room=TALK), *whole("talker2-103", 103, room=TALK)),
        *(Seen(TALK, each.seq, each.sum) for each in PRIVATE[1:]),
    ],
}
VIEW: list[AnyRecord] = [Seen(ROOM, each.seq, each.sum) for each in LOG]


def evidence() -> Evidence:
    """Return the journals of a world in which all went well."""
    return Evidence(
        log=LOG + PRIVATE,
        talkers=TALKERS,
        followers={"follower0": [Life(1), *VIEW]},
        bots={"bot0": [Life(1), Ran("talker1-2", 5)]},
        follows={"follower0": [ROOM]},
        outboxes={"talker1": [checksum("talker1-4")]},
    )


def broken(found: Evidence) -> set[str]:
    return {sentence for sentence, breaches in audit(found).items() if breaches}


def test_a_world_in_which_all_went_well_is_cleared() -> None:
    assert broken(evidence()) == set()


def logged(*log: Event) -> Evidence:
    """Return what is told when the log alone is another; followers have seen that log."""
    view: list[AnyRecord] = [Seen(ROOM, each.seq, each.sum) for each in log]
    return replace(evidence(), log=[*log, *PRIVATE], followers={"follower0": view})


def told(talker: str, change: Callable[[list[AnyRecord]], Any]) -> Evidence:
    """Return what is told when one talker's journal is another."""
    records = list(TALKERS[talker])
    change(records)
    return replace(evidence(), talkers=TALKERS | {talker: records})


def shown(change: Callable[[list[AnyRecord]], Any]) -> Evidence:
    """Return what is told when the follower has seen something else."""
    view = list(VIEW)
    change(view)
    return replace(evidence(), followers={"follower0": view})


def swap(records: list[AnyRecord]) -> None:
    records[2], records[3] = records[3], records[2]


STORED, ORDER, SEEN = (
    "acknowledged is stored once",
    "senders order is kept",
    "followers see each once in order",
)
NEVER, CHAIN, VANISHED = "nothing is there that was never sent", "the log is one chain", "nothing intended vanishes"
REFUSED = "refused for a reason and not stored"
TALKED = "conversations are seen whole"
ANSWERED, COUNTED = "bots answer each command once", "bots count each command exactly once"
OTHER_TEXT = event(2, 1, "talker0-2 and more")

DOCTORED: dict[str, tuple[Evidence, set[str]]] = {
    "lost": (logged(LOG[0], event(3, 1, LOG[2].text, "talker1"), *LOG[3:]), {STORED}),
    "stored twice": (logged(*LOG, event(9, 8, "talker0-1")), {STORED, ORDER}),
    "in another order": (
        logged(event(1, 0, "talker0-2"), event(2, 1, "talker0-1"), *LOG[2:]),
        {ORDER, "acknowledged seq is true"},
    ),
    "never sent": (logged(*LOG, event(9, 8, "talker0-9")), {NEVER}),
    "sent by nobody": (logged(*LOG, event(9, 8, "hello", "stranger")), {NEVER}),
    "under a stranger's name": (logged(*LOG, event(9, 8, "talker1-4", "talker0")), {NEVER}),
    "another text": (logged(LOG[0], OTHER_TEXT, *LOG[2:]), {NEVER}),
    "another seq": (
        told("talker0", lambda records: records.__setitem__(3, Acked("talker0-1", 2))),
        {"acknowledged seq is true"},
    ),
    "vanished": (replace(evidence(), outboxes={}), {VANISHED}),
    "vanished unkept, in a life that went on": (
        told("talker0", lambda records: records.append(said("talker0-4"))),
        {VANISHED},
    ),
    "refused without a reason": (
        told("talker0", lambda records: records.__setitem__(-1, Refused("talker0-3", "internal"))),
        {REFUSED},
    ),
    "acknowledged, but it was bad": (
        told("talker0", lambda records: records.__setitem__(-1, Acked("talker0-3", None))),
        {REFUSED, STORED},
    ),
    "refused, but stored": (told("talker0", lambda records: records.append(Refused("talker0-2", "x"))), {REFUSED}),
    "missed": (shown(lambda view: view.pop(3)), {SEEN}),
    "missed the last": (shown(list.pop), {SEEN}),
    "seen twice": (shown(lambda view: view.insert(3, view[2])), {SEEN}),
    "seen twice at the end": (shown(lambda view: view.append(view[-1])), {SEEN}),
    "seen in another order": (shown(swap), {SEEN}),
    "seen otherwise": (shown(lambda view: view.__setitem__(2, Seen(ROOM, 3, 1))), {SEEN}),
    "seen, and not in the log": (shown(lambda view: view.append(Seen(ROOM, 99, 1))), {SEEN}),
    "seen in a room that is not followed": (shown(lambda view: view.append(Seen("attic", 99, 1))), {SEEN}),
    "a private message that was missed": (told("talker1", lambda records: records.pop(-2)), {TALKED}),
    "a private message that was missed at the end": (told("talker2", list.pop), {TALKED}),
    "a private message that was seen twice": (told("talker1", lambda records: records.append(records[-1])), {TALKED}),
    "a private message that a third one saw": (
        told("talker0", lambda records: records.extend(Seen(TALK, each.seq, each.sum) for each in PRIVATE)),
        {TALKED},
    ),
    "a private message refused, as the other had gone": (
        told(
            "talker2",
            lambda records: records.extend([said("talker2-7", room=TALK), Refused("talker2-7", "unknown_nick")]),
        ),
        set(),
    ),
    "a broken chain": (logged(*LOG[:7], LOG[7]._replace(prev=6)), {CHAIN}),
    "a seq used twice": (logged(*LOG, event(8, 8, "talker1-4", "talker1")), {CHAIN}),
    "a bot that did not answer": (logged(*LOG[:5], LOG[6]._replace(prev=5), LOG[7]), {ANSWERED}),
    "a bot that answered twice": (logged(*LOG, event(9, 8, "echo talker1-2", "bot0", 5)), {ANSWERED}),
    "a bot that answered nothing": (logged(*LOG, event(9, 8, "echo talker1-2", "bot0", 1)), {ANSWERED}),
    "a bot that did not run": (replace(evidence(), bots={"bot0": []}), {ANSWERED}),
    "a bot that counted twice": (logged(*LOG[:7], event(8, 7, "tally talker1-3 3", "bot0", 7)), {COUNTED}),
    "a client that gave up": (told("talker0", lambda records: records.append(Over("kick"))), {"nobody ends for good"}),
}


@pytest.mark.parametrize(("found", "sentences"), DOCTORED.values(), ids=DOCTORED.keys())
def test_the_audit_finds_what_was_doctored_and_nothing_else(found: Evidence, sentences: set[str]) -> None:
    assert broken(found) == sentences


def test_what_an_outbox_never_had_may_die_with_its_process() -> None:
    assert broken(told("talker0", lambda records: records.extend([said("talker0-4"), Life(2)]))) == set()


def test_an_ack_that_a_former_life_never_heard_is_missed_by_nobody() -> None:
    def unheard(records: list[AnyRecord]) -> None:
        records.remove(Acked("talker0-2", 2))
        records.append(Life(2))

    assert broken(told("talker0", unheard)) == set()
