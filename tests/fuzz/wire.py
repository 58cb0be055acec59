"""What must be true of any bytes at all as a frame: held against Python's own JSON, which shares nothing with msgspec.

A line that Python's parser refuses must be refused; one that is taken must mean to it what it means to us, and survive
being written and read again. What is decoded on the client's side never raises, whatever a broker sends.
"""

import json
from datetime import datetime
from typing import Any

from zchat.client.core.arrivals import lines_of
from zchat.protocol import messages as m
from zchat.protocol import wire

LINE_ERRORS = {"bad_json", "bad_command", "protocol_version"}


def check(frame: bytes) -> None:
    """Decode a frame as the broker does and as a client does; raise AssertionError if that is wrong."""
    every = frame.split(b"\n")
    lines = [line for line in every[: m.LINES_MAX] if line.strip()]
    found = wire.commands(frame)
    if any(line.strip() for line in every[m.LINES_MAX :]):
        assert getattr(found.pop(), "code", "") == "too_long", (
            "what is behind the last line is not read, and that is said"
        )
    assert len(found) == len(lines), "each line that is not blank is one command or one error"
    frames = frame.split(b"\n\n")
    alone = [command for each in frames for command in wire.commands(each)]
    assert wire.commands(*frames) == alone, "several frames mean what each of them means"
    for line, command in zip(lines, found, strict=True):
        _check_line(line, command)
    records = (wire.replies, wire.events)[len(frame) % 2](frame)
    assert len(lines_of(frame, records)) == len(records), "each record has its line"


def _check_line(line: bytes, command: m.AnyCommand | m.Error) -> None:
    again = wire.encode(command)
    assert b"\n" not in again, "a record is one line"
    if isinstance(command, m.Error):
        assert command.code in LINE_ERRORS
        assert len(again) < 4096, "an error does not send back what it complains about"
        assert wire.replies(again) == [command]
        return
    assert wire.commands(again) == [command], "what was read and is written again means the same"
    try:
        meant = _loads(line)
    except RecursionError:
        return  # Python's parser gives up before ours does
    assert meant["type"] == type(command).__struct_config__.tag
    for field, name in zip(command.__struct_fields__, command.__struct_encode_fields__, strict=True):
        value = getattr(command, field)
        if meant.get(name) is not None and not isinstance(value, datetime):  # a time may be written in many ways
            assert meant[name] == _listed(value), f"{name} means something else to Python"


def _listed(value: Any) -> Any:
    """Return a value with lists for tuples, as JSON has them."""
    return [_listed(each) for each in value] if isinstance(value, tuple) else value


def _loads(line: bytes) -> Any:
    try:
        return json.loads(line.decode())
    except UnicodeError as error:
        raise AssertionError("a line that is not UTF-8 was taken") from error
    except ValueError:
        pass
    try:
        return json.loads(line.decode(), parse_int=lambda digits: int(digits[:400]))  # Python refuses longer ones
    except ValueError as error:
        raise AssertionError("a line that is not JSON was taken") from error
