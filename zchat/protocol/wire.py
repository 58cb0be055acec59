"""Encoding and decoding frames; topics; splitting lines into payloads of bounded size.

A payload is newline-delimited JSON with one record per line, so a batch is simply more lines. All input is decoded and
validated here, once. A valid line becomes a record; an invalid line becomes the `Error` that answers it. Code behind
this file never checks types and ranges again. A line that the broker has stored is sent as it is, without decoding or
encoding it again.
"""

import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import accumulate
from typing import Any

import msgspec
from msgspec import structs

from . import VERSION
from . import messages as m

PUBLISH_MAX = 128 * 1024  # bytes per PUB message; times the high-water mark: what a stopped subscriber can hold
ANSWER_MAX = 256 * 1024  # bytes in one reply to a query
BROKER_TOPIC = b"broker/"

encode = msgspec.json.Encoder().encode  # encodes a record, or part of one, as a line without the newline
_commands: msgspec.json.Decoder[m.AnyCommand] = msgspec.json.Decoder(m.AnyCommand)
_decode = _commands.decode
_replies: msgspec.json.Decoder[m.AnyReply] = msgspec.json.Decoder(m.AnyReply)
_events: msgspec.json.Decoder[m.AnyEvent] = msgspec.json.Decoder(m.AnyEvent)
_opaque = msgspec.json.Decoder(m.Opaque)
_anything = msgspec.json.Decoder()


@lru_cache(maxsize=4_096)
def room_topic(room: str) -> bytes:
    """Return the topic of a room's events. The final slash keeps `dev` from matching `devops`."""
    return b"room/%s/" % room.encode()


def room_of(topic: bytes) -> str:
    """Return the room of a topic; "" if it is of none."""
    return topic[5:-1].decode() if topic[:5] == b"room/" else ""


def session_topic(id_: str) -> bytes:
    """Return the topic of a session's echoes."""
    return b"session/%s/" % id_.encode()


def milliseconds(seconds: float) -> int:
    """Convert seconds since 1970 to milliseconds, rounded down as `timestamp` does."""
    return round(seconds * 1e6) // 1_000


def timestamp(seconds: float) -> str:
    """Format seconds since 1970 as the `time` of an event: RFC 3339, UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"


def cut(lines: Sequence[bytes], limit: int, most: int = m.LINES_MAX) -> Iterator[slice]:
    """Split lines into payloads of at most `limit` bytes and `most` lines. A longer line gets a payload of its own."""
    if 0 < len(lines) <= most and sum(map(len, lines)) + len(lines) <= limit:
        yield slice(0, len(lines))
        return
    ends = list(accumulate([len(line) + 1 for line in lines]))
    start = before = 0
    while start < len(lines):
        stop = bisect_right(ends, before + limit, start, min(len(lines), start + most))
        stop = max(stop, start + 1)
        yield slice(start, stop)
        start, before = stop, ends[stop - 1]


def pack(lines: Sequence[bytes], limit: int, most: int = m.LINES_MAX) -> Iterator[bytes]:
    """Join lines into payloads, split as by `cut`."""
    for part in cut(lines, limit, most):
        yield b"\n".join(lines[part])


def commands(*frames: bytes) -> list["m.AnyCommand | m.Error"]:
    """Decode frames of one client. For each line return its command, or the error that answers it."""
    payload = frames[0] if len(frames) == 1 else b"\n".join(frames)
    lines = payload.count(b"\n") + 1
    try:
        sound = payload.isascii() or bool(str(payload, "utf-8"))  # msgspec does not validate fields that it skips
        short = lines <= m.LINES_MAX or max(frame.count(b"\n") for frame in frames) < m.LINES_MAX
        if sound and short:
            # `decode_lines` also accepts one command that spans two lines, and two commands on one line. But no JSON
            # value continues from `}` to a `{` on the next line. So if all lines meet like that, and there are as many
            # commands as lines, each line holds exactly one.
            if payload.count(b"}\n{") == lines - 1 and len(found := _commands.decode_lines(payload)) == lines:
                return list(found)
            return [_decode(line) for line in payload.split(b"\n") if line]
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        pass
    return [command for frame in frames for command in _line_by_line(frame)]


def _line_by_line(payload: bytes) -> list["m.AnyCommand | m.Error"]:
    """Decode a frame that may have invalid lines."""
    checked = payload.isascii()
    lines = payload.split(b"\n", m.LINES_MAX + 1)
    found: list[m.AnyCommand | m.Error] = []
    for line in lines[: m.LINES_MAX]:
        if not line.strip():
            continue
        try:
            if not checked:
                str(line, "utf-8")  # msgspec does not validate fields that it skips
            found.append(_decode(line))
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            found.append(_second_look(line, error))
    if len(lines) > m.LINES_MAX and any(line.strip() for line in lines[m.LINES_MAX :]):
        text = f"a frame has at most {m.LINES_MAX} lines: the lines after them were not read"
        found.append(m.Error(code="too_long", message=text, limit=m.LINES_MAX))
    return found


def replies(payload: bytes) -> "list[m.AnyReply | m.Opaque]":
    """Decode what the broker sent over ROUTER. A line of an unknown type becomes `Opaque`."""
    return _tolerant(_replies, payload)


def events(payload: bytes) -> "list[m.AnyEvent | m.Opaque]":
    """Decode what the broker published. A line of an unknown type becomes `Opaque`."""
    return _tolerant(_events, payload)


def event(line: bytes | msgspec.Raw) -> "m.AnyEvent | m.Opaque":
    """Decode one event of a `history` or `found` reply. What is none becomes `Opaque`."""
    try:
        return _events.decode(line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return _lenient(line)


def _tolerant(decoder: msgspec.json.Decoder[Any], payload: bytes) -> list[Any]:
    """Decode all lines at once. If that fails, decode each line on its own."""
    try:
        return decoder.decode_lines(payload)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        pass
    found = []
    for line in payload.split(b"\n"):
        if line.strip():
            try:
                found.append(decoder.decode(line))
            except (msgspec.MsgspecError, UnicodeError, RecursionError):
                found.append(_lenient(line))
    return found


def _lenient(line: bytes) -> m.Opaque:
    try:
        return _opaque.decode(line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return m.Opaque()


def _second_look(line: bytes, error: Exception) -> "m.AnyCommand | m.Error":
    """Decode an invalid line again, without its `null` fields: they count as absent."""
    try:
        fields = _anything.decode(line)
        str(line, "utf-8")
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as unreadable:
        text = "it is nested too deeply" if isinstance(unreadable, RecursionError) else str(unreadable)
        return _salvaged(line, m.Error(code="bad_json", message=f"this line is not JSON in UTF-8: {text}"))
    if not isinstance(fields, dict):
        return m.Error(code="bad_command", message="a command is a JSON object with a `type`")
    if None in fields.values():
        try:
            said = {name: value for name, value in fields.items() if value is not None}
            command: m.AnyCommand = msgspec.convert(said, m.AnyCommand)
            return command
        except msgspec.ValidationError as without:
            error = without
    return _mistake(fields, error)


def _mistake(fields: dict[str, Any], error: Exception) -> m.Error:
    """Make the error for an object that is no valid command, with its `ref` and `n` if they can be read."""
    name = fields.get("type")
    ref = _read(fields, "ref", m.Ref)
    protocol = fields.get("protocol")
    if name == "hello" and type(protocol) is int and protocol != VERSION:
        return m.Error(code="protocol_version", message=f"this broker speaks protocol {VERSION}", ref=ref)
    known = isinstance(name, str) and name in _TYPES
    text = str(error) if known else f"there is no command {str(name)[:64]!r}"
    return m.Error(code="bad_command", message=text, ref=ref, n=_read(fields, "n", m.Positive))


def _salvaged(line: bytes, answer: m.Error) -> m.Error:
    """Add `ref` and `n` to the error if Python's parser can read them: it accepts half a surrogate pair in a string."""
    try:
        fields = json.loads(line.decode())
        if isinstance(fields, dict):
            found = structs.replace(answer, ref=_read(fields, "ref", m.Ref), n=_read(fields, "n", m.Positive))
            encode(found)
            return found
    except (ValueError, RecursionError):
        pass  # that parser fails, too, or `ref` has half a surrogate pair
    return answer


def _read(fields: dict[str, Any], name: str, kind: Any) -> Any:
    """Return one field of an invalid line if that field itself is valid, else None."""
    try:
        return msgspec.convert(fields.get(name), kind)
    except msgspec.ValidationError:
        return None


_TYPES = frozenset(kind.__struct_config__.tag for kind in m.AnyCommand.__args__)
