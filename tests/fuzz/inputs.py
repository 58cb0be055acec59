"""Making inputs: from nothing, and out of others, as data and a few moves over it.

A *frame* is what one peer sends, lines of JSON or of what is none. A *story* is what several peers send, and what
happens to the broker in between: steps with `STEP` between them, each told by its first byte (see `hub.py`). Both are
plain bytes, so a story can be written by hand, cut by a minimiser and mutated by a fuzzer that knows nothing of it.
Bytes turned over at random are hardly ever JSON, let alone a conversation; so most moves here keep the form of a
command and put something unheard-of into one of its fields. All chance is an argument: a seed makes the same inputs
again.
"""

import hashlib
import json
from random import Random

STEP = b"\x1e"
SPEAKERS = b"01234567"  # a step of a peer, taken at once …
WAITING = b"ABCDEFGH"  # … or together with the next
EVENTS = (b"t", b"tttt", b"t" * 12, b"*", b"-", b"+", b"x0", b"x1", b"h", b"r")
LONGEST = 4096  # bytes of an input that is made here

ROOMS = (
    b'"den"',
    b'"+den"',
    b'"+Den"',
    b'"+"',
    b'"Den"',
    b'"hall"',
    b'"\\uff44en"',
    b'"a/b"',
    b'""',
    b'" "',
    b'"' + b"r" * 65 + b'"',
)
NICKS = (b'"alice"', b'"Alice"', b'"bob"', b'"\\uff42ob"', b'"carol"', b'"a b"', b'""', b'"\\u0000"', b'"x/y"')
TEXTS = (
    b'"hi"',
    b'"a\\nb"',
    b'""',
    b'"\\u0000"',
    b'"\xf0\x9f\x98\x80"',
    b'"' + b"x" * 1100 + b'"',
    b'"hi OR NEAR(\\""',
)
NUMBERS = (b"1", b"2", b"3", b"4", b"5", b"7", b"0", b"-1", b"9007199254740991", b"9007199254740992")
SEQS = (b'"seq"', b'"seq"', *NUMBERS)  # the string is read as one of the last events
EMOJI = (b'"\xf0\x9f\x91\x8d"', b'"x"', b'""', b'"a b"', b'"' + b"x" * 65 + b'"')
KINDS = (b'["pin"]', b'["message","edit"]', b"[]", b'["nothing"]')
CLIENTS = tuple(b'"' + digit * 32 + b'"' for digit in (b"a", b"b", b"c", b"d"))
TIMES = (b'"2026-11-22T05:30:00Z"', b'"0001-01-01T00:00:00+23:59"', b'"9999-12-31T23:59:59-23:59"', b'"yesterday"')
LATER = (*TIMES, *(b'"2026-11-22T%s:00Z"' % each for each in (b"05:31", b"05:40", b"06:00", b"07:00", b"09:00")))
KEYS = (b'"k"', b'"l"', b'"' + b"k" * 129 + b'"', b'""')
FLAGS = (b"true", b"false")
EPOCHS = (b'[["%s",1]]' % (b"0" * 16), b'[["%s",1],["%s",1]]' % (b"f" * 16, b"0" * 16), b"[]", b'[["0",0]]')

SOMEBODY = (*(b'"%d"' % each for each in range(8)), b'"' + b"f" * 16 + b'"')  # read as the `from` of that peer
CREDENTIALS = tuple(
    b'"%s"' % each for each in (b"uid:1000@host", b"uid:1001@host", b"key:" + b"a" * 52, b"key:" + b"e" * 52)
)
CODES = (b'"x"', b'"y"', b'"z"')
HASHES = tuple(b'"%s"' % hashlib.sha256(code[1:-1]).hexdigest().encode() for code in CODES)
ROLES = (b'"member"', b'"moderator"', b'"owner"', b'"guest"')
DEVICES = (b'"host"', b'"phone"', b'""')

# what each command may hold; the first row is what it must hold
FIELDS: dict[bytes, tuple[dict[bytes, tuple[bytes, ...]], dict[bytes, tuple[bytes, ...]]]] = {
    b"hello": (
        {b"protocol": (b"1", b"1", b"1", b"2"), b"nick": NICKS, b"client": CLIENTS},
        {
            b"resume": (b'"x"', b'"' + b"0" * 32 + b'"'),
            b"bot": FLAGS,
            b"software": TEXTS,
            b"epochs": EPOCHS,
            b"device": DEVICES,
            b"invite": CODES,
        },
    ),
    b"ping": ({}, {b"feed": FLAGS}),
    b"join": ({b"room": ROOMS}, {b"after": NUMBERS, b"backlog": NUMBERS, b"quiet": FLAGS}),
    b"part": ({b"room": ROOMS}, {b"reason": TEXTS}),
    b"say": (
        {b"n": NUMBERS, b"room": ROOMS, b"text": TEXTS},
        {
            b"to": NICKS,
            b"kind": (b'"action"', b'"notice"', b'"shout"'),
            b"reply_to": SEQS,
            b"once": KEYS,
            b"at": LATER,
        },
    ),
    b"edit": ({b"n": NUMBERS, b"seq": SEQS, b"text": TEXTS}, {}),
    b"delete": ({b"n": NUMBERS, b"seq": SEQS}, {b"reason": TEXTS}),
    b"react": ({b"n": NUMBERS, b"seq": SEQS, b"emoji": EMOJI}, {b"off": FLAGS}),
    b"pin": ({b"n": NUMBERS, b"seq": SEQS}, {b"off": FLAGS}),
    b"mentions": ({}, {b"before": NUMBERS, b"limit": NUMBERS}),
    b"read": ({b"n": NUMBERS, b"room": ROOMS, b"seq": NUMBERS}, {b"to": NICKS, b"with": SOMEBODY}),
    b"scheduled": ({}, {}),
    b"unschedule": ({b"n": NUMBERS, b"id": NUMBERS}, {}),
    b"topic": ({b"n": NUMBERS, b"room": ROOMS, b"text": TEXTS}, {}),
    b"nick": ({b"nick": NICKS}, {}),
    b"away": ({}, {b"text": TEXTS}),
    b"typing": ({b"room": ROOMS}, {b"to": NICKS}),
    b"who": ({}, {b"room": ROOMS, b"nick": NICKS}),
    b"rooms": ({}, {}),
    b"history": (
        {b"room": ROOMS},
        {
            b"to": NICKS,
            b"after": NUMBERS,
            b"before": NUMBERS,
            b"since": TIMES,
            b"limit": NUMBERS,
            b"thread": SEQS,
            b"kinds": KINDS,
            b"current": FLAGS,
        },
    ),
    b"search": ({b"text": TEXTS}, {b"room": ROOMS, b"nick": NICKS, b"before": NUMBERS, b"limit": NUMBERS}),
    b"status": ({}, {}),
    b"bye": ({}, {b"reason": TEXTS}),
    b"invite": (
        {b"n": NUMBERS, b"hash": HASHES},
        {
            b"role": ROLES,
            b"uses": NUMBERS,
            b"expires": TIMES,
            b"rooms": (b'["+den"]', b'["den"]', b"[]"),
            b"self": FLAGS,
        },
    ),
    b"revoke": ({b"n": NUMBERS, b"hash": HASHES}, {}),
    b"role": ({b"n": NUMBERS, b"from": SOMEBODY, b"role": ROLES}, {}),
    b"credential": ({b"n": NUMBERS, b"from": SOMEBODY, b"remove": CREDENTIALS}, {}),
    b"ban": ({b"n": NUMBERS, b"from": SOMEBODY}, {b"credential": CREDENTIALS, b"until": TIMES, b"reason": TEXTS}),
    b"unban": ({b"n": NUMBERS, b"from": SOMEBODY}, {b"credential": CREDENTIALS, b"reason": TEXTS}),
    b"mute": ({b"n": NUMBERS, b"from": SOMEBODY}, {b"room": ROOMS, b"until": TIMES, b"reason": TEXTS}),
    b"unmute": ({b"n": NUMBERS, b"from": SOMEBODY}, {b"room": ROOMS, b"reason": TEXTS}),
    b"kick": ({b"from": SOMEBODY}, {b"nick": NICKS, b"room": ROOMS, b"reason": TEXTS}),
    b"access": (
        {b"n": NUMBERS, b"room": (b'"+den"', *ROOMS)},
        {
            b"mode": (b'"private"', b'"announce"', b'"public"'),
            b"admit": SOMEBODY,
            b"expel": SOMEBODY,
            b"operator": SOMEBODY,
            b"keep": (b'"default"', *NUMBERS),
        },
    ),
    b"members": ({}, {b"after": SOMEBODY, b"limit": NUMBERS}),
    b"audit": ({}, {b"after": NUMBERS, b"before": NUMBERS, b"limit": NUMBERS}),
}
REFS = (b"1", b'"r"', b"-9007199254740991", b'""')
TYPES = tuple(FIELDS)
COMMON = (b"say", b"say", b"say", b"edit", b"delete", b"react", b"hello", b"join", b"history", b"bye")

# what no field is meant to hold
NASTY = (
    *(b"null", b"[]", b"{}", b"true", b"-0", b"1.5", b"1e400", b"-1e-400", b"9" * 400, b"NaN", b"Infinity", b"0x1"),
    *(b'"\\ud800"', b'"\\udfff\\ud800"', b'"\xff"', b'"\xc0\xaf"', b'"\xed\xa0\x80"', b'"\\x41"', b'"a\x01"', b"'a'"),
    *(b'"\\u202e"', b'"\\u200d"', b'"\\ufeff"', b'"a\xcc\x81"', b'"\xe2\x84\xab"', b'"' + b"\xcc\x81" * 60 + b'"'),
    *(b"[" * 300, b"[" * 300 + b"]" * 300, b'{"a":' * 300 + b"1" + b"}" * 300, b"\x00", b'"\\u0000"', b'"n":7'),
    *(b"1" + b"0" * 5000, b"2147483648", b"-9223372036854775809", b"18446744073709551616", b'"' + b"9" * 1030 + b'"'),
)
SPLICES = (
    b"\n",
    b"\x1e",
    b"{",
    b"}",
    b'"',
    b",",
    b":",
    b"\\",
    b"\x00",
    b"\xff",
    b"\xef\xbb\xbf",
    b" ",
    b"\r\n",
    b"\x0b",
)


def line(rng: Random) -> bytes:
    """Return a command, mostly a sound one."""
    kind = rng.choice(COMMON if rng.random() < 0.5 else TYPES)
    must, may = FIELDS[kind]
    fields = [(b"type", b'"' + kind + b'"')]
    fields += [(name, _value(rng, pool)) for name, pool in must.items() if rng.random() < 0.97]
    fields += [(name, _value(rng, pool)) for name, pool in may.items() if rng.random() < 0.2]
    if {b"room", b"to"} <= {name for name, _ in fields} and rng.random() < 0.8:  # one of them is enough
        fields = [field for field in fields if field[0] != b"room"]
    if rng.random() < 0.2:
        fields.append((b"ref", rng.choice(REFS)))
    if rng.random() < 0.08:
        at = rng.randrange(len(fields))
        fields[at] = fields[at][0], rng.choice(NASTY)
    if rng.random() < 0.05:  # the same key twice, or one that nobody knows
        fields.append((rng.choice([fields[0][0], fields[-1][0], b"later", b""]), rng.choice(NASTY)))
    return b"{" + b",".join(b'"' + name + b'":' + value for name, value in fields) + b"}"


def _value(rng: Random, pool: tuple[bytes, ...]) -> bytes:
    return pool[0] if rng.random() < 0.4 else rng.choice(pool)


def frame(rng: Random) -> bytes:
    if rng.random() < 0.1:  # messages that the broker takes together
        return b"\n".join(b'{"type":"say","n":1,"room":"den","text":"%d"}' % n for n in range(rng.randrange(2, 5)))
    return b"\n".join(line(rng) for _ in range(rng.choice((1, 1, 1, 2, 3, 6))))


def step(rng: Random) -> bytes:
    """Return a step of a story: mostly a frame of one of few peers."""
    if rng.random() < 0.12:
        return rng.choice(EVENTS)
    who = rng.choice(SPEAKERS[:4] if rng.random() < 0.8 else SPEAKERS + WAITING)
    return bytes([who]) + frame(rng)


def story(rng: Random) -> bytes:
    """Return a story that begins with two who say hello, so that it gets somewhere."""
    hello = b'{"type":"hello","protocol":1,"nick":"%s","client":"%s"}'
    begin = [b"0" + hello % (b"alice", b"a" * 32), b"1" + hello % (b"bob", b"b" * 32)]
    if rng.random() < 0.5:  # members, too: who runs the broker, and a user of its machine
        begin += [b'2{"type":"hello","protocol":1,"device":"host"}', b'3{"type":"hello","protocol":1,"device":"host"}']
    return STEP.join([*begin, *(step(rng) for _ in range(rng.randrange(1, 7)))])


def mutate_frame(rng: Random, data: bytes, other: bytes = b"") -> bytes:
    """Return a frame that is a little different from `data`; `other` is one to take lines from."""
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    match rng.randrange(6):
        case 0:
            lines.insert(at, line(rng))
        case 1:
            lines[at] = _change_field(rng, lines[at])
        case 2:
            lines[at:at] = rng.choice(other.split(b"\n") if other else lines), lines[at]
        case 3 if len(lines) > 1:
            del lines[at]
        case _:
            return splice(rng, data)[:LONGEST]
    return b"\n".join(lines)[:LONGEST]


def mutate_story(rng: Random, data: bytes, other: bytes = b"") -> bytes:
    """Return a story that is a little different from `data`; `other` is one to take steps from."""
    steps = data.split(STEP)
    at = rng.randrange(len(steps))
    match rng.randrange(7):
        case 0 | 1:
            steps.insert(at + 1, step(rng))
        case 2:
            steps[at] = steps[at][:1] + mutate_frame(rng, steps[at][1:])
        case 3:
            steps.insert(at, rng.choice(other.split(STEP) if other else steps))
        case 4:
            del steps[at]
        case 5:
            steps[at] = bytes([rng.choice(SPEAKERS + WAITING)]) + steps[at][1:]
        case _:
            return splice(rng, data)[:LONGEST]
    return STEP.join(steps)[:LONGEST]


def _change_field(rng: Random, text: bytes) -> bytes:
    """Put something else into one field of a command, as far as it is one."""
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return splice(rng, text)
    if not isinstance(fields, dict) or not fields:
        return line(rng)
    name = rng.choice(list(fields))
    encoded = {key: json.dumps(value).encode() for key, value in fields.items()}
    pool = next((pools[name.encode()] for pools in _pools() if name.encode() in pools), NASTY)
    encoded[name] = rng.choice(pool if rng.random() < 0.7 else NASTY)
    return b"{" + b",".join(json.dumps(key).encode() + b":" + value for key, value in encoded.items()) + b"}"


def _pools() -> list[dict[bytes, tuple[bytes, ...]]]:
    return [pools for both in FIELDS.values() for pools in both]


def splice(rng: Random, data: bytes) -> bytes:
    """Turn over, cut, double or put in a few bytes."""
    start = rng.randrange(len(data) + 1)
    end = min(len(data), start + rng.choice((0, 1, 1, 2, 4, 16, 64)))
    new = rng.choice((b"", data[start:end] * 2, rng.randbytes(rng.randrange(1, 5)), rng.choice(SPLICES + NASTY)))
    return data[:start] + new + data[end:]
