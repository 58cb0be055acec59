"""What the brokers themselves say, and what is in their files: looked at past all that is broken."""

import asyncio
import contextlib
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tests.soak.audit import Event
from tests.soak.journal import checksum, conversation, told
from tests.soak.machine import Machine
from zchat import ChatClient
from zchat.errors import RefusedError, TimedOutError, ZchatError
from zchat.protocol import messages as m
from zchat.protocol import wire

LOOK = 0.2  # seconds between two looks
DOWNLOADED = 50  # files that are looked at
MENDED = re.compile(rb"mender\d+-\d+")
SHOWN = 5  # differences of one table that are told
OWN = {"sqlite_stat1", "sqlite_sequence"}  # tables of a log that each broker may have otherwise

Heads = dict[str, int]
Roster = dict[str, set[str]]


def reader(machine: Machine, folder: Path) -> ChatClient:
    """Return one who looks at a broker."""
    identity = folder / "reader.identity"
    return ChatClient(broker=machine.address, feed=machine.feed, timeout=30, identity=identity)  # and no other broker


async def invite(machine: Machine, folder: Path, names: Sequence[str]) -> None:
    """Have each of them find a code, with which they come in as a member; who runs the broker invites them."""
    async with ChatClient(None, f"ipc://{machine.disk.data}/zchat.sock", device="soak", timeout=30) as owner:
        for name in names:
            (folder / f"{name}.code").write_text((await owner.administration.invite()).code)


async def heads(asking: ChatClient) -> Heads:
    """Return the last `seq` of each room."""
    rooms = await asking.ask(m.ListRooms())
    assert isinstance(rooms, m.Rooms)
    return {room.room: room.head for room in rooms.rooms if room.head}


async def spoken(asking: ChatClient, rooms: Iterable[str]) -> Heads:
    """Return the last message of each room."""
    found: Heads = {}
    for room in rooms:
        page = await _page(asking, m.AskHistory(room=room, kinds=("message",), limit=1))
        for event in page.events:
            found[room] = json.loads(bytes(event))["seq"]
    return found


async def roster(asking: ChatClient, rooms: Sequence[str]) -> Roster:
    """Return who is in which room, as a broker says."""
    found: Roster = {}
    for room in rooms:
        answer = await asking.ask(m.Who(room=room))
        assert isinstance(answer, m.Roster)
        found[room] = {each.nick for each in answer.members}
        found[room] |= {f"{each.nick} is away" for each in answer.members if each.away is not None}
    return found


async def log(asking: ChatClient, file: Path) -> list[Event]:
    """Read the whole log, in order: all rooms as any client may, and from the file what two said between them."""
    events: list[Event] = []
    for room in await heads(asking):
        events += [_event(line) for line in await _lines(asking, room)]
    with _opened(file) as connection:
        for (lines,) in connection.execute("SELECT lines FROM chunk WHERE room < 0"):
            events += map(_event, lines.split(b"\n"))
    return sorted(events, key=lambda each: each.seq)


class Rooms(NamedTuple):
    """By room the lines of the log, and the messages as a broker tells them now; and which files cannot be had."""

    lines: dict[str, list[dict[str, Any]]]
    current: dict[str, list[dict[str, Any]]]
    lost: list[str]


async def rooms(asking: ChatClient, folder: Path) -> Rooms:
    """Read all rooms, and some of the files that are told of."""
    lines: dict[str, list[dict[str, Any]]] = {}
    current: dict[str, list[dict[str, Any]]] = {}
    for room in await heads(asking):
        lines[room] = [json.loads(line) for line in await _lines(asking, room)]
        current[room] = [json.loads(line) for line in await _lines(asking, room, current=True)]
    told = [(line["seq"], file) for found in current.values() for line in found for file in line.get("files", ())]
    return Rooms(lines, current, [fault for each in told[-DOWNLOADED:] async for fault in _lost(asking, *each, folder)])


async def _lost(asking: ChatClient, seq: int, file: dict[str, Any], folder: Path) -> AsyncIterator[str]:
    """Say why a file cannot be had, if it cannot; whether it is whole is seen by its hash."""
    try:
        await asking.files.download(msgspec.convert(file, m.Attachment), folder / "downloaded", overwrite=True)
    except ZchatError as error:
        yield f"a file of {seq}: {error}"


async def _lines(asking: ChatClient, room: str, current: bool = False) -> list[bytes]:
    """Return all that a broker tells of a room."""
    found: list[bytes] = []
    upto, more = 0, True
    while more:
        page = await _page(asking, m.AskHistory(room=room, after=upto, current=current))
        upto, more = page.upto, page.more
        found += map(bytes, page.events)
    return found


def remains(files: Sequence[Path]) -> set[str]:
    """Return the ids of what menders said that are in a broker's files, in whatever part of them."""
    return {found.decode() for file in files if file.is_file() for found in MENDED.findall(file.read_bytes())}


def differences(files: Sequence[Path]) -> Iterator[str]:
    """Say in what the logs of several brokers differ from the first: they are to be the same, to the byte."""
    tables = [_content(file) for file in files]
    for file, found in zip(files[1:], tables[1:], strict=True):
        for name in sorted(tables[0].keys() | found.keys()):
            expected, got = tables[0].get(name, set()), found.get(name, set())
            rows = [*(f"has not {row}" for row in expected - got), *(f"has {row}" for row in got - expected)]
            yield from (f"{file}: {name} {row[:300]}" for row in sorted(rows)[:SHOWN])
            if len(rows) > SHOWN:
                yield f"{file}: {name} differs in {len(rows) - SHOWN} more rows"


def applied(file: Path) -> int:
    """Return how far a broker has applied the stream."""
    with _opened(file) as connection:
        found: int = connection.execute("SELECT seq FROM applied").fetchone()[0]
        return found


def _content(file: Path) -> dict[str, set[str]]:
    with _opened(file) as connection:
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'"
        names = {name for (name,) in connection.execute(query)} - OWN
        return {name: set(map(repr, connection.execute(f"SELECT * FROM {name}"))) for name in names}


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        yield connection


async def _page(asking: ChatClient, question: m.AskHistory) -> m.History:
    """Return a page of history, asked for again as long as the broker is too busy."""
    while True:
        try:
            answer = await asking.ask(question)
        except (RefusedError, TimedOutError):
            await asyncio.sleep(LOOK)
            continue
        assert isinstance(answer, m.History)
        return answer


def _event(line: bytes) -> Event:
    """Return what the audit needs to know of a line of the log."""
    found = wire.event(line)
    assert isinstance(found, m.Durable)
    kind, text = str(found.__struct_config__.tag), getattr(found, "text", "")
    return Event(
        seq=found.seq,
        prev=found.prev,
        room=found.room or conversation(found.nick, getattr(found, "to", None) or ""),
        nick=found.nick,
        text=text,
        topic=isinstance(found, m.Topic),
        reply_to=getattr(found, "reply_to", None),
        sum=checksum(line),
        kind=kind,
        target=getattr(found, "target", None),
        what=_what(found),
        told=told(kind, found.nick, text),
    )


def _what(event: m.Durable) -> str:
    """Return what a reaction or a pin says, as a journal has it."""
    match event:
        case m.Reacted(emoji=emoji, off=off):
            return f"{emoji} {off}"
        case m.Pinned(off=off):
            return str(off)
    return ""
