"""The audit of what was done to messages: each story here was doctored in one way, and one sentence must be broken."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.soak import mended
from tests.soak.audit import CHECKS, Event, Evidence, audit
from tests.soak.journal import Acked, AnyRecord, Kept, Life, Mended, Refused, Said, Seen, checksum

ROOM = "den"


def event(seq: int, kind: str, nick: str, text: str = "", target: int | None = None, what: str = "") -> Event:
    reply_to = 1 if seq == 5 else None
    return Event(seq, seq - 1, ROOM, nick, text, False, reply_to, checksum(f"{seq}"), kind, target, what)


LOG = [
    event(1, "message", "mender0", "mender0-1"),
    event(2, "edit", "mender0", "mender0-2", 1),
    event(3, "reaction", "mender1", target=1, what="👍 False"),
    event(4, "pin", "mender1", target=1, what="False"),
    event(5, "message", "mender1", "mender1-3"),
    event(6, "tombstone", "mender0"),
    event(7, "tombstone", "mender0", target=6),
    event(8, "delete", "mender0", target=6),
]
MENDERS: dict[str, list[AnyRecord]] = {
    "mender0": [
        *(Life(1), Said("mender0-1", ROOM, checksum("mender0-1")), Kept("mender0-1"), Acked("mender0-1", 1)),
        *(Mended("mender0-2", "edit", 1), Said("mender0-2", ROOM, checksum("mender0-2")), Acked("mender0-2", 2)),
        *(Said("mender0-3", ROOM, checksum("mender0-3")), Kept("mender0-3"), Acked("mender0-3", 6)),
        *(Mended("mender0-4", "edit", 6), Said("mender0-4", ROOM, checksum("mender0-4")), Kept("mender0-4")),
        *(Mended("mender0-5", "delete", 6), Kept("mender0-5"), Acked("mender0-5", 8)),
    ],
    "mender1": [
        *(Life(1), Mended("mender1-1", "reaction", 1, "👍 False"), Acked("mender1-1", 3)),
        *(Mended("mender1-2", "pin", 1, "False"), Acked("mender1-2", 4)),
        *(Said("mender1-3", ROOM, checksum("mender1-3"), maybe="bad_reply"), Acked("mender1-3", 5)),
        *(Mended("mender1-4", "reaction", 6, "👀 False"), Refused("mender1-4", "bad_target")),
        *(Said("mender1-5", ROOM, 0, maybe="bad_reply"), Refused("mender1-5", "bad_reply")),
    ],
}
LINES: list[dict[str, Any]] = [
    {"type": "message", "seq": 1, "text": "mender0-1"},
    {"type": "edit", "seq": 2, "target": 1, "text": "mender0-2"},
    {"type": "reaction", "seq": 3, "target": 1, "emoji": "👍", "from": "m1"},
    {"type": "pin", "seq": 4, "target": 1},
    {"type": "message", "seq": 5, "text": "mender1-3", "thread": 1},
    {"type": "tombstone", "seq": 6},
    {"type": "tombstone", "seq": 7, "target": 6},
    {"type": "delete", "seq": 8, "target": 6},
]
FIRST = {
    **{"type": "message", "seq": 1, "text": "mender0-2", "edited": "…", "pinned": True, "answers": 1},
    "reactions": [{"emoji": "👍", "from": "m1", "nick": "mender1"}],
}
CURRENT = [FIRST, {"type": "message", "seq": 5, "text": "mender1-3"}, {"type": "tombstone", "seq": 6}]
VIEW: list[AnyRecord] = [Seen(ROOM, each.seq, each.sum + (each.kind == "tombstone")) for each in LOG]


def evidence() -> Evidence:
    """Return a story in which all went well; the follower saw what was deleted before it was."""
    return Evidence(
        LOG, MENDERS, {"follower0": VIEW}, follows={"follower0": [ROOM]}, lines={ROOM: LINES}, current={ROOM: CURRENT},
        remains={"mender0-1", "mender0-2", "mender1-3"},
    )  # fmt: skip


def broken(found: Evidence) -> set[str]:
    return {sentence for sentence, breaches in audit(found, (*CHECKS, *mended.CHECKS)).items() if breaches}


def test_a_story_in_which_all_went_well_is_cleared() -> None:
    assert broken(evidence()) == set()


def told(mender: str, change: Callable[[list[AnyRecord]], Any]) -> Evidence:
    """Return the story when one mender's journal is another."""
    records = list(MENDERS[mender])
    change(records)
    return replace(evidence(), talkers=MENDERS | {mender: records})


def now(**fields: Any) -> Evidence:
    """Return the story when the broker tells the first message otherwise."""
    return replace(evidence(), current={ROOM: [FIRST | fields, *CURRENT[1:]]})


def logged(seq: int, **fields: Any) -> Evidence:
    """Return the story when one event is another; the follower has seen that."""
    return replace(evidence(), log=[each._replace(**fields) if each.seq == seq else each for each in LOG])


DONE = "what is done was asked and is acknowledged where it stands"
REASON = "what is done is refused for a reason"
NOW, GONE = "messages are what was done to them", "deleted is gone"
STORED, SEEN = "acknowledged is stored once", "followers see each once in order"
DOCTORED: dict[str, tuple[Evidence, set[str]]] = {
    "a reaction that nobody gave": (told("mender1", lambda records: records.pop(1)), {DONE}),
    "another emoji": (logged(3, what="🎉 False"), {DONE}),
    "of another message": (logged(4, target=5), {DONE}),
    "by somebody else": (logged(3, nick="mender0"), {DONE}),
    "a pin that is not there": (logged(4, kind="reaction"), {DONE}),
    "acknowledged elsewhere": (told("mender1", lambda records: records.__setitem__(2, Acked("mender1-1", 4))), {DONE}),
    "refused without a reason": (
        told("mender0", lambda records: records.__setitem__(-1, Refused("mender0-5", "bad_target"))),
        {REASON},
    ),
    "an edit that is told of no more": (now(text="mender0-1"), {NOW}),
    "edited, but not said so": (
        replace(evidence(), current={ROOM: [{k: v for k, v in FIRST.items() if k != "edited"}, *CURRENT[1:]]}),
        {NOW},
    ),
    "a reaction that is lost": (now(reactions=[]), {NOW}),
    "not pinned": (now(pinned=False), {NOW}),
    "another count of answers": (now(answers=2), {NOW}),
    "a message that is missing": (replace(evidence(), current={ROOM: CURRENT[1:]}), {NOW}),
    "a deleted message that is told": (
        replace(evidence(), current={ROOM: [*CURRENT[:2], {"type": "message", "seq": 6, "text": "mender0-3"}]}),
        {NOW},
    ),
    "a deleted text in the files": (replace(evidence(), remains={"mender0-3"}), {GONE}),
    "the text of an edit of it": (replace(evidence(), remains={"mender0-4"}), {GONE}),
    "a message that is no tombstone and not there": (
        replace(evidence(), log=LOG[:5], followers={}, follows={}),
        {STORED, DONE},
    ),
    "seen otherwise": (
        replace(evidence(), followers={"follower0": [Seen(ROOM, 1, 0), *VIEW[1:]]}),
        {SEEN},
    ),
}


@pytest.mark.parametrize(("found", "sentences"), DOCTORED.values(), ids=DOCTORED.keys())
def test_the_audit_finds_what_was_doctored_and_nothing_else(found: Evidence, sentences: set[str]) -> None:
    assert broken(found) == sentences


def test_the_model_takes_back_what_was_taken_back() -> None:
    back: list[dict[str, Any]] = [
        {"type": "reaction", "seq": 9, "target": 1, "emoji": "👍", "from": "m1", "off": True},
        {"type": "pin", "seq": 10, "target": 1, "off": True},
    ]
    first = mended.model([*LINES, *back])[1]
    assert (first["given"], first["pinned"], first["answers"]) == (set(), False, 1)
