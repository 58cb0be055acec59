"""What each line of the broker must look like, as a table; every line a test receives is held against it.

The table repeats the specification's own tables field by field and shares nothing with the broker's records, so
that a field renamed there, sent with another type or left out is noticed here, whatever a test is about.
"""

import re
from collections.abc import Callable
from typing import Any

Check = Callable[[Any], bool]
Fields = dict[str, Check]

WORDS = re.compile(rb'"(?:[^"\\]|\\.)*"')  # JSON strings: what is left of a line without them has no space in it
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
SEQ_LIMIT = 2**53


def whole(value: Any) -> bool:
    return type(value) is int and 0 <= value < SEQ_LIMIT


def positive(value: Any) -> bool:
    return whole(value) and value > 0


def number(value: Any) -> bool:
    return type(value) in {int, float} and value >= 0


def text(value: Any) -> bool:
    return isinstance(value, str)


def flag(value: Any) -> bool:
    return isinstance(value, bool)


def truth(value: Any) -> bool:
    return value is True


def one(*values: Any) -> Check:
    return lambda value: value in values


def digits(count: int) -> Check:
    return lambda value: isinstance(value, str) and re.fullmatch(f"[0-9a-f]{{{count}}}", value) is not None


def moment(value: Any) -> bool:
    return isinstance(value, str) and MOMENT.fullmatch(value) is not None


def list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(check(item) for item in value)


def seqs_by_name(value: Any) -> bool:
    return isinstance(value, dict) and all(whole(seq) for seq in value.values())


def histogram(value: Any) -> bool:
    bounds, counts, total = value
    return list_of(number)(bounds) and list_of(whole)(counts) and len(counts) == len(bounds) + 1 and number(total)


def figures(value: Any) -> bool:
    """Return whether it is numbers, numbers by their labels, and distributions."""
    one_of = {int: number, float: number, dict: lambda each: all(map(number, each.values())), list: histogram}
    return isinstance(value, dict) and all(one_of[type(each)](each) for each in value.values())


def epoch(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and digits(16)(value[0]) and positive(value[1])


def epochs(value: Any) -> bool:
    return list_of(epoch)(value) and 1 <= len(value) <= 64


def record(fields: Fields, optional: Fields | None = None) -> Check:
    return lambda value: isinstance(value, dict) and not faults(value, fields, optional or {})


def faults(line: dict[str, Any], fields: Fields, optional: Fields) -> list[str]:
    """Return in words what is missing, of a wrong type or too much in `line`."""
    checks = fields | optional
    missing = [f"{name} is missing" for name in fields if name not in line]
    wrong = [f"{name} is {line[name]!r}" for name, check in checks.items() if name in line and not check(line[name])]
    extra = [f"{name} is not in the specification" for name in line if name not in checks]
    return missing + wrong + extra


SENDER: Fields = {"time": moment, "from": digits(16), "nick": text}
MEMBER: Fields = {"nick": text, "from": digits(16), "bot": flag, "away": lambda v: v is None or text(v), "idle": number}
MESSAGE: Fields = {"seq": positive, "prev": whole, "kind": one("message", "action", "notice"), "text": text} | SENDER
TOPIC: Fields = {"seq": positive, "prev": whole, "room": text, "text": text} | SENDER
ROLE = one("owner", "moderator", "member")
IN_ROSTER: Fields = {"rooms": list_of(text), "role": ROLE, "operator": truth}
MODE = one("announce", "private")
ACCOUNT: Fields = {"from": digits(16), "nick": text, "role": ROLE}
DEVICE: Fields = {"credential": text}
MEMBER_INFO: Fields = {"from": digits(16), "nick": text, "role": ROLE, "since": moment}
MEMBER_MORE: Fields = {
    **{"seen": moment, "present": truth, "banned": truth, "muted": truth},
    **{"devices": list_of(record(DEVICE, {"name": text, "seen": moment}))},
}
BY: Fields = {"seq": positive, "prev": whole, "time": moment, "change": text}
ABOUT_MEMBER: tuple[Fields, Fields] = (
    BY,
    {
        **{"by": digits(16), "by_nick": text, "from": digits(16), "nick": text, "role": ROLE, "credential": text},
        **{"device": text, "hash": digits(64), "uses": positive, "expires": moment, "rooms": list_of(text)},
        **{"room": text, "until": moment, "reason": text},
    },
)
ABOUT_ROOM: tuple[Fields, Fields] = (
    BY | {"room": text},
    {"by": digits(16), "by_nick": text, "mode": text, "keep": whole, "from": digits(16), "nick": text},
)
LIMITS: Fields = {
    **{"text": positive, "frame": positive, "lines": positive, "rooms": positive, "rate": number},
    **{"file": whole, "keep": number},
}
ROOM: Fields = {"room": text, "topic": text, "members": whole, "head": whole}
WELCOME: Fields = {
    **{"protocol": one(1), "server": text, "log": digits(32), "session": text, "id": text, "client": digits(32)},
    **{"from": digits(16), "feed": text, "heartbeat": number, "grace": number, "n": whole},
    **{"limits": record(LIMITS), "time": moment, "epochs": epochs},
}
STATUS: Fields = {
    **{"server": text, "uptime": number, "sessions": whole, "rooms": whole, "head": whole},
    **{"rate": number, "log_bytes": whole, "feed": text},
}
CODES = (
    *("bad_json", "bad_command", "protocol_version", "no_session", "nick_taken", "bad_nick", "bad_room", "bad_text"),
    *(
        "too_long",
        "not_in_room",
        "unknown_nick",
        "bad_reply",
        "bad_target",
        "bad_file",
        "no_space",
        "out_of_order",
        "rate_limited",
        "unavailable",
        "forbidden",
    ),
    *("server_full", "internal"),
    *("not_member", "banned", "muted", "bad_invite", "unknown_room", "unknown_member"),
)
ENDINGS = ("replaced", "slow", "timeout", "kick", "banned", "shutdown")

FILE: Fields = {"file": digits(64), "name": text}
REACTION: Fields = {"emoji": text, "from": digits(16), "nick": text}
ATTACHED: Fields = {"type": text, "size": positive, "width": positive, "height": positive}
MESSAGE_MORE: Fields = {
    **{"reply_to": positive, "thread": positive, "files": list_of(record(FILE, ATTACHED))},
    **{"edited": moment, "reactions": list_of(record(REACTION)), "pinned": truth, "answers": positive},
}
ROOM_MESSAGE: tuple[Fields, Fields] = (MESSAGE | {"room": text}, MESSAGE_MORE)
DIRECT_MESSAGE: tuple[Fields, Fields] = (MESSAGE | {"to": text, "with": digits(16)}, MESSAGE_MORE)
ABOUT: Fields = {"seq": positive, "prev": whole, "target": positive} | SENDER
PLACE: Fields = {"room": text, "to": text, "with": digits(16)}
DURABLE = list_of(lambda event: not event_faults(event))

REPLIES: dict[str, tuple[Fields, Fields]] = {
    "welcome": (
        WELCOME,
        {
            **{
                "nick": text,
                "shared": whole,
                "member": record(ACCOUNT),
                "known_as": text,
                "device": text,
                "rooms": list_of(text),
            },
            **{"brokers": list_of(text), "features": list_of(text), "stalled": text, "read": seqs_by_name},
        },
    ),
    "pong": ({"n": whole, "heads": seqs_by_name, "revs": seqs_by_name}, {"stalled": text}),
    "joined": (
        {"room": text, "topic": text, "head": whole, "rev": whole, "members": list_of(record(MEMBER, {"role": ROLE}))},
        {"mode": MODE},
    ),
    "parted": ({"room": text}, {"by": text, "text": text}),
    "renamed": ({"nick": text}, {}),
    "ok": ({}, {}),
    "roster": ({"members": list_of(record(MEMBER, IN_ROSTER))}, {"room": text, "rev": whole}),
    "rooms": ({"rooms": list_of(record(ROOM, {"mode": MODE, "keep": whole}))}, {}),
    "history": ({"events": DURABLE, "upto": whole, "more": flag}, {"room": text, "to": text}),
    "found": ({"events": DURABLE, "more": flag}, {}),
    "status": (STATUS, {"stalled": text, "numbers": figures}),
    "ack": ({"n": positive}, {"seq": positive, "duplicate": truth, "scheduled": positive}),
    "scheduled": (
        {"messages": list_of(record({"id": positive, "at": moment, "text": text}, PLACE))},
        {},
    ),
    "have": ({"file": digits(64), "offset": whole}, {}),
    "part": ({"file": digits(64), "offset": whole, "size": whole, "data": text}, {}),
    "read": ({"seq": whole}, PLACE),
    "dropped": ({"id": positive, "code": one(*CODES), "message": text}, PLACE),
    "error": (
        {"code": one(*CODES), "message": text},
        {"n": whole, "expected": positive, "retry_after": number, "limit": whole},
    ),
    "bye": ({"reason": one(*ENDINGS)}, {"by": text, "text": text}),
    "members": ({"members": list_of(record(MEMBER_INFO, MEMBER_MORE))}, {}),
    "audit": ({"events": list_of(lambda event: not event_faults(event)), "upto": whole, "more": flag}, {}),
    "told": ({"room": text, "events": list_of(lambda event: isinstance(event, dict))}, {}),
    "typing": ({"nick": text}, {"room": text, "to": text}),  # direct typing: the specification is silent
}

EVENTS: dict[str, tuple[Fields, Fields]] = {
    "message": ROOM_MESSAGE,
    "topic": (TOPIC, {}),
    "edit": (ABOUT | {"text": text}, PLACE),
    "delete": (ABOUT | {"by": digits(16)}, PLACE | {"reason": text}),
    "tombstone": (
        {"seq": positive, "prev": whole, "time": moment, "from": digits(16), "by": digits(16)},
        PLACE | {"thread": positive, "target": positive},
    ),
    "reaction": (ABOUT | {"emoji": text}, PLACE | {"off": truth}),
    "pin": (ABOUT, PLACE | {"off": truth}),
    "joined": (
        {"room": text, "rev": whole, "nick": text, "from": digits(16), "bot": flag},
        {"role": ROLE, "operator": truth},
    ),
    "left": (  # where a part's or a bye's own words go, the specification does not say
        {"room": text, "rev": whole, "nick": text, "reason": one("part", "bye", "timeout", "kick")},
        {"text": text},
    ),
    "renamed": ({"room": text, "rev": whole, "nick": text, "new": text}, {}),
    "away": ({"room": text, "rev": whole, "nick": text}, {"text": text}),
    "typing": ({"room": text, "nick": text}, {}),
    "echo": ({}, {}),
    "bye": ({"reason": text, "retry_after": number}, {}),
    "stalled": ({"since": moment, "reason": text}, {}),
    "flowing": ({}, {}),
}


def event_faults(event: dict[str, Any]) -> list[str]:
    """Return what is wrong with a durable event, of a room or of a conversation."""
    if event.get("type") == "topic":
        return faults(event, {"type": text} | TOPIC, {})
    if event.get("type") in {"member", "access"}:
        fields, optional = ABOUT_MEMBER if event["type"] == "member" else ABOUT_ROOM
        return faults(event, {"type": text} | fields, optional)
    if event.get("type") in {"edit", "delete", "tombstone", "reaction", "pin"}:
        fields, optional = EVENTS[event["type"]]
        return faults(event, {"type": text} | fields, optional)
    fields, optional = DIRECT_MESSAGE if "to" in event else ROOM_MESSAGE
    return faults(event, {"type": one("message")} | fields, optional)


def reply_faults(line: dict[str, Any]) -> list[str]:
    """Return what is wrong with a line from the ROUTER socket: a reply, or an event meant for this peer alone."""
    if line.get("type") in {"message", "topic", "member", "access", "edit", "delete", "tombstone", "reaction", "pin"}:
        return event_faults(line)
    fields, optional = REPLIES.get(str(line.get("type")), ({"type": one(*REPLIES)}, {}))
    return faults(line, {"type": text} | fields, {"ref": lambda ref: type(ref) in {int, str}} | optional)


ELSEWHERE = {"echo": "session/", "bye": "broker/", "stalled": "broker/", "flowing": "broker/"}  # not under a room


def feed_faults(line: dict[str, Any], topic: str) -> list[str]:
    """Return what is wrong with a line from the PUB socket, under its topic."""
    fields, optional = EVENTS.get(str(line.get("type")), ({"type": one(*EVENTS)}, {}))
    if line.get("type") == "echo":
        optional = {"ref": lambda ref: type(ref) in {int, str}}
    place_of = ELSEWHERE.get(str(line.get("type")), f"room/{line.get('room')}/")
    astray = [] if topic.startswith(place_of) and topic.endswith("/") else [f"it is published under {topic}"]
    return faults(line, {"type": text} | fields, optional) + astray


def loose(line: bytes) -> bool:
    """Return whether there is a space outside the strings of a line: it is not compact then."""
    return re.search(rb"\s", WORDS.sub(b"", line)) is not None
