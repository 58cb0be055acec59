"""The audit of what was done to what was said: edits, deletions, reactions, pins, answers. Pure.

How messages are now is told by a model of its own, made of the log's lines by the words of the specification. It knows
nothing of the code with which brokers and clients fold them.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from tests.soak.audit import Check, Evidence, Line

LATE = {"reaction": {"bad_target"}, "pin": {"bad_target"}}  # somebody has deleted the message meanwhile


def what_is_done_was_asked_and_is_acknowledged_where_it_stands(found: Evidence) -> Iterator[str]:
    by_nick = {id_: id_.rpartition("-")[0] for id_ in found.mended}
    asked = Counter((by_nick[id_], each.kind, each.target, each.what) for id_, each in found.mended.items())
    stands: dict[int, tuple[str, str, int | None, str]] = {}
    times: Counter[tuple[str, str, int | None, str]] = Counter()
    for event in found.log:
        if event.target is not None and event.kind != "tombstone":
            stands[event.seq] = event.nick, event.kind, event.target, event.what
            times[stands[event.seq]] += 1
    for done, count in times.items():
        if count > asked[done]:  # type: ignore[index]
            yield f"{done} is in the log {count} times, and was asked for {asked[done]} times"  # type: ignore[index]
    for id_, each in found.mended.items():
        ack = found.acked.get(id_)
        if ack is None or ack.seq is None or ack.seq in found.tombstones:  # a deleted message takes its edits along
            continue
        if stands.get(ack.seq) != (by_nick[id_], each.kind, each.target, each.what):
            yield f"{id_} was acknowledged at {ack.seq}, where there is {stands.get(ack.seq)}"


def what_is_done_is_refused_for_a_reason(found: Evidence) -> Iterator[str]:
    for id_, each in found.mended.items():
        refused = found.refused.get(id_)
        if refused is not None and refused.code not in LATE.get(each.kind, ()):
            yield f"{id_}, {each.kind} of {each.target}, was refused with {refused.code}"


def messages_are_what_was_done_to_them(found: Evidence) -> Iterator[str]:
    for room, lines in found.lines.items():
        expected, told = model(lines), pictured(found.current.get(room, ()))
        for seq in sorted(expected.keys() | told.keys()):
            if expected.get(seq, "missing") != told.get(seq, "missing"):
                yield f"{seq} in {room} is told as {told.get(seq)}, and is {expected.get(seq)}"


def deleted_is_gone(found: Evidence) -> Iterator[str]:
    gone = {
        found.mended[id_].target for id_ in found.acked if id_ in found.mended and found.mended[id_].kind == "delete"
    }
    for id_ in found.said:
        edit = found.mended.get(id_)
        ack = found.acked.get(id_)
        seq = edit.target if edit is not None else ack.seq if ack is not None else None
        if seq in gone and id_ in found.remains:
            yield f"{id_} of the deleted message {seq} is still in the files"


def model(lines: Sequence[Line]) -> dict[int, Any]:
    """Return how the messages of a room are: None for one that is gone."""
    found: dict[int, dict[str, Any] | None] = {}
    for line in lines:
        about = found.get(line.get("target", 0))
        if line["type"] == "message":
            found[line["seq"]] = {"text": line["text"], "edited": False, "given": set(), "pinned": False, "answers": 0}
            if (root := found.get(line.get("thread", 0))) is not None:
                root["answers"] += 1
        elif line["type"] == "tombstone" and "target" not in line:
            found[line["seq"]] = None
        elif line["type"] == "edit" and about is not None:
            about |= {"text": line["text"], "edited": True}
        elif line["type"] == "reaction" and about is not None:
            change = about["given"].discard if line.get("off") else about["given"].add
            change((line["emoji"], line["from"]))
        elif line["type"] == "pin" and about is not None:
            about["pinned"] = not line.get("off", False)
    return found


def pictured(lines: Sequence[Line]) -> dict[int, Any]:
    """Return the same of messages as a broker tells them now."""
    return {
        line["seq"]: None
        if line["type"] == "tombstone"
        else {
            "text": line["text"],
            "edited": "edited" in line,
            "given": {(each["emoji"], each["from"]) for each in line.get("reactions", ())},
            "pinned": line.get("pinned", False),
            "answers": line.get("answers", 0),
        }
        for line in lines
        if line["type"] != "topic"
    }


CHECKS: tuple[Check, ...] = (
    what_is_done_was_asked_and_is_acknowledged_where_it_stands,
    what_is_done_is_refused_for_a_reason,
    messages_are_what_was_done_to_them,
    deleted_is_gone,
)
