"""What must be true of a whole broker in memory, whatever its peers say in whatever order, and with any misfortune.

A story (`inputs.py`) is told to a real hub, log and SQLite. A step begins with the byte that says what it is:

    0 … 7   a frame of that peer, taken at once        t…   as many seconds pass as there are bytes
    A … H   the same, taken together with the next     *    the broker is killed, and starts again on its log
    x0 … x7 that peer is ended, as one too slow        - +  the disk is full, and has room again
    h r     questions wait from now on, are answered

The world goes on over many stories, as a broker does: what one left behind would be there in the next. So that a story
nevertheless begins afresh, each has clients of its own (`aaaa…` is read as this story's first), and at its end time
passes until all are gone. Then nothing may be left but what was written down: members are, and whatever was done to
them. And so that things get said, `"n":1` is read as the number that is next for this peer, `"from":"2"` as the
`from` of whom peer 2 is, and `"seq":"seq"` as the number of one of the last events. Of two peers the kernel tells who
they are, of two the key, and the others prove nothing.
"""

import asyncio
import json
import logging
import re
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

from tests.broker import dialogue
from tests.fuzz.inputs import SPEAKERS, STEP, WAITING
from zchat.broker.core.effects import Query
from zchat.broker.core.entrance import Terms
from zchat.broker.core.ledger import DEPARTED_KEPT
from zchat.broker.reads import QueryService
from zchat.protocol import messages as m
from zchat.protocol import wire

CAPACITY = 6  # peers: fewer than there are in a story
GRACE = 15.0
STORIES = 500  # to one world; then a new log
CLIENT = re.compile(rb"([abcd])\1{31}")
CREDENTIALS = {2: "uid:1000@host", 3: "uid:1001@host", 4: "key:" + "a" * 52, 5: "key:" + "e" * 52}
TERMS = Terms(owners=frozenset({CREDENTIALS[2]}), login=lambda credential: {"0": "olga", "1": "otto"}[credential[7]])
SOMEBODY = re.compile(rb'(?<=(?:"from|admit|expel|rator)":")[0-7](?=")')
SEQ = re.compile(rb'(?<="reply_to":)"seq"|(?<="seq":)"seq"|(?<="thread":)"seq"')
NEXT = re.compile(rb'(?<="n":)1(?=[,}])')
UNNUMBERED = {"joined", "device", "nick"}  # events of commands without a number
RETRY = {"no_session", "out_of_order", "rate_limited", "unavailable", "bad_command"}  # errors that take no number
UNASKED = (
    *m.Durable.__args__,
    m.MemberTyping,
    m.ReadMarked,
    m.Dropped,
    m.Bye,
    m.Told,
    m.MemberChanged,
    m.AccessChanged,
)

# what a command may be answered with, one after the other; `error` stands for a refusal
ANSWERS: dict[type, tuple[tuple[type[m.Reply], ...], ...]] = {
    m.Error: ((m.Error,),),
    m.Hello: ((m.Welcome,), (m.Error,)),
    m.Ping: ((m.Pong,), (m.Error,)),
    m.Join: ((m.Joined,), (m.Error,)),
    m.Part: ((m.Parted,), (m.Error,)),
    m.Say: ((m.Ack,), (m.Error,)),
    m.SetTopic: ((m.Ack,), (m.Error,)),
    m.SetNick: ((m.Renamed,), (m.Error,)),
    m.Away: ((m.Ok,), (m.Error,)),
    m.Typing: ((), (m.Error,)),
    m.Who: ((m.Roster,), (m.Error,)),
    m.ListRooms: ((m.Rooms,), (m.Error,)),
    m.AskHistory: ((m.History,), (m.Error,)),
    m.Search: ((m.Found,), (m.Error,)),
    m.AskStatus: ((m.Status,), (m.Error,)),
    m.AskScheduled: ((m.Scheduled,), (m.Error,)),
    m.AskMentions: ((m.Found,), (m.Error,)),
    m.SayBye: ((), (m.Error,)),
    m.Kick: ((m.Ok,), (m.Error,)),
    m.AskMembers: ((m.Members,), (m.Error,)),
    m.AskAudit: ((m.Audit,), (m.Error,)),
    **dict.fromkeys(m.NumberedCommand.__args__, ((m.Ack,), (m.Error,))),
}
JOIN_AND_READ: tuple[tuple[type[m.Reply], ...], ...] = ((m.Joined, m.History), (m.Joined, m.Error), (m.Error,))


class Loud(logging.Handler):
    """Keeps what the broker logs with a traceback: no peer may bring that about."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[str] = []
        logger = logging.getLogger("zchat")
        logger.addHandler(self)
        logger.setLevel(logging.ERROR)
        logger.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.records.append(logging.Formatter().format(record))

    def close(self) -> None:
        logger = logging.getLogger("zchat")
        logger.removeHandler(self)
        logger.setLevel(logging.NOTSET)
        logger.propagate = True
        super().close()


class World(dialogue.Broker):
    """A broker over which stories are told, one after the other."""

    def __init__(self, rate: float) -> None:
        self.chain: dict[str, int] = {}  # room: the last event published
        self.clients = count(1)
        self.loop = Clock(self)
        super().__init__(rate=rate, capacity=CAPACITY, grace=GRACE, terms=TERMS)
        self.credentials = {bytes([peer]): credential for peer, credential in CREDENTIALS.items()}

    def open(self) -> None:
        super().open()
        self.reads = QueryService(self.store)
        self.holding = False

    def close(self) -> None:
        self.loop.close()
        self.store.close()

    def tell(self, story: bytes) -> None:
        """Live through a story; raise AssertionError if something was not as it must be."""
        tale = self.tale = Tale(self, b"%028x" % next(self.clients))
        for step in story.split(STEP):
            tale.live(step)
        tale.end()

    def carry(self) -> None:
        """Carry away what the pipeline gathered, as the server does, and look at it."""
        pipeline = self.pipeline
        while pipeline.public or pipeline.outgoing or pipeline.slow or (pipeline.queries and not self.holding):
            public, outgoing = pipeline.collect()
            slow, pipeline.slow = pipeline.slow, []
            for topic, lines in public.items():
                self._look_at_public(topic, lines)
            for peer, lines in outgoing.items():
                found = [wire.replies(line) for line in lines]
                assert all(len(one) == 1 and not isinstance(one[0], m.Opaque) for one in found), "a reply is one line"
                self.tale.hear(peer, [one[0] for one in found])
            queries, pipeline.queries = ([], pipeline.queries) if self.holding else (pipeline.queries, [])
            for query in queries:
                self.pipeline.answered(query, self.read(query))
            for peer in slow:
                self.tale.cut(peer, "slow")
            cuts, pipeline.cuts[:] = list(pipeline.cuts), []
            for one in cuts:
                ended = [
                    each for each, proves in self.credentials.items() if one.credential and proves == one.credential
                ]
                for peer in [one.peer, *ended] if one.peer else ended:
                    self.tale.cut(peer, "timeout")

    def read(self, query: Query) -> bytes:
        """Answer a question; what it keeps for itself (the search index) has room on any disk."""
        full, self.disk_full = self.disk_full, False
        answer = self.loop.run_until_complete(self.reads.answer(query))
        self.disk_full = full
        return answer

    @property
    def disk_full(self) -> bool:
        """Whether nothing can be written to the log."""
        return bool(self.store.connection.execute("PRAGMA query_only").fetchone()[0])

    @disk_full.setter
    def disk_full(self, full: bool) -> None:
        self.store.connection.execute(f"PRAGMA query_only = {int(full)}")

    def _look_at_public(self, topic: bytes, lines: Iterable[bytes]) -> None:
        for line in lines:
            (event,) = wire.events(line)
            assert not isinstance(event, m.Opaque), f"this is no event: {line!r}"
            assert b"\n" not in line
            if isinstance(event, m.Durable):
                room = event.room or ""
                assert topic == wire.room_topic(room)
                assert not room.startswith("+"), "a private room is on the feed"
                assert event.prev == self.chain.get(room, 0), f"the chain of {room} is broken"
                assert event.seq > event.prev
                self.chain[room] = event.seq
                self.tale.seen.append(event.seq)


class Clock(asyncio.SelectorEventLoop):
    """An event loop that lives in the world's time, for the questions."""

    def __init__(self, world: World) -> None:
        self.world = world
        super().__init__()

    def time(self) -> float:
        return self.world.now


class Tale:
    """One story on its way: what was asked and answered, peer by peer, and which events were seen."""

    def __init__(self, world: World, name: bytes) -> None:
        self.world, self.name = world, name
        self.asked: dict[bytes, list[m.AnyCommand | m.Error]] = {}
        self.replies: dict[bytes, list[Any]] = {}
        self.next: dict[bytes, int] = {}  # the number that each peer's next command should have
        self.batch: list[tuple[bytes, bytes]] = []
        self.seen: list[int] = []  # seqs that were published
        self.cut_off: set[bytes] = set()  # peers that were ended while they waited: they may lack answers
        self.before = world.log.head
        self.may_fail = False  # the disk is full, or was when what is still held was answered

    def live(self, step: bytes) -> None:
        kind, rest = step[:1], step[1:]
        if kind and kind in SPEAKERS + WAITING:
            peer = bytes([(kind[0] - SPEAKERS[0]) if kind in SPEAKERS else kind[0] - WAITING[0]])
            numbers = count(self.next.get(peer, 1))
            payload = CLIENT.sub(lambda found: found[0][:4] + self.name, rest)
            payload = NEXT.sub(lambda found: b"%d" % next(numbers), payload)
            payload = SEQ.sub(self.recent, payload)
            payload = SOMEBODY.sub(self.from_, payload)
            self.asked.setdefault(peer, []).extend(wire.commands(payload))
            self.batch.append((peer, payload))
        if self.batch and not (kind and kind in WAITING):
            batch, self.batch = self.batch, []
            self.world.take(*batch)
        if kind in HAPPENS:
            HAPPENS[kind](self, rest)

    def recent(self, found: re.Match[bytes]) -> bytes:
        """Return the number of one of the last events, the same one for the same place in a frame."""
        return b"%d" % max(1, self.world.log.head - found.start() % 5)

    def from_(self, found: re.Match[bytes]) -> bytes:
        """Return the `from` of whoever is at a peer."""
        peer = self.world.hub.roster.peers.get(bytes([int(found[0])]))
        return b"0" * 16 if peer is None or peer.session is None else peer.session.author.from_.encode()

    def hear(self, peer: bytes, replies: list[Any]) -> None:
        self.replies.setdefault(peer, []).extend(replies)
        for reply in replies:
            if isinstance(reply, m.Welcome):
                self.next[peer] = reply.n + 1
            elif isinstance(reply, m.Ack) or (isinstance(reply, m.Error) and reply.n and reply.code not in RETRY):
                self.next[peer] = (reply.n or 0) + 1
            elif isinstance(reply, m.Error) and reply.n and reply.code == "unavailable":
                assert self.may_fail, f"{reply.n} was put off, and the disk has room"

    def cut(self, peer: bytes, reason: str) -> None:
        self.cut_off.add(peer)
        self.world.pipeline.remove(peer, reason)
        self.world.carry()

    def crash(self) -> None:
        self.release()
        self.empty_disk()
        self.world.open()

    def hold(self) -> None:
        self.world.holding = True

    def release(self) -> None:
        self.world.holding = False
        self.world.carry()
        self.may_fail = self.world.disk_full

    def fill_disk(self) -> None:
        self.world.disk_full = self.may_fail = True

    def empty_disk(self) -> None:
        self.world.disk_full = False
        self.may_fail = self.may_fail and self.world.holding

    def wait(self, seconds: int) -> None:
        """Let time pass; who has a question open when its time is up may lack the answer."""
        if self.world.holding:
            self.cut_off.update(self.world.hub.roster.peers)
        for _ in range(min(seconds, 20)):
            self.world.tick(1.0)

    def end(self) -> None:
        """Let all go, and look at what was answered, and at what is left."""
        self.live(b"")
        self.release()
        self.empty_disk()
        self.wait(2 + int(GRACE))
        for peer, replies in self.replies.items():
            check_answers(self.asked.get(peer, []), replies, peer in self.cut_off)
        self._check_events()
        self._check_leftovers()

    def _check_events(self) -> None:
        """Each number gets one answer for ever, and each event in the log has one number."""
        acked: dict[tuple[str, int], int] = {}
        fresh: set[int] = set()
        for replies in self.replies.values():
            client = ""
            for reply in replies:
                if isinstance(reply, m.Welcome):
                    client = reply.client
                elif isinstance(reply, m.Ack) and reply.seq is not None:
                    assert acked.setdefault((client, reply.n), reply.seq) == reply.seq, "a number has two seqs"
                    assert reply.seq <= self.world.log.head, "what is acknowledged is in the log"
                    ours = client.endswith(self.name.decode())  # else it may be an earlier story's, found by chance
                    assert reply.seq > self.before or reply.duplicate or not ours, "an ack speaks of another event"
                    if reply.seq > self.before:
                        fresh.add(reply.seq)
                elif isinstance(reply, m.Durable):
                    self.seen.append(reply.seq)
        stored = set(range(self.before + 1, self.world.log.head + 1))
        assert set(self.seen) <= stored, "what is published is in the log"
        stored -= {event.seq for event in self.world.store.chain() if event.change in UNNUMBERED}
        stored -= self._said_later()
        if not self.cut_off:
            assert fresh == stored, "each event has its ack"
        assert self.world.hub.head == self.world.log.head

    def _said_later(self) -> set[int]:
        """Return the events that have no number, because it was taken when they were said for later."""
        rows = self.world.store.connection.execute(
            "SELECT ns, lines FROM chunk WHERE room != 0 AND first > ?", (self.before,)
        )
        return {
            json.loads(line)["seq"]
            for ns, lines in rows
            for n, line in zip(json.loads(ns), lines.split(b"\n"), strict=True)
            if n == 0
        }

    def _check_leftovers(self) -> None:
        world = self.world
        assert not world.hub.roster.peers
        assert not world.hub.roster.promised
        assert not world.hub.roster.telling
        assert not world.hub.roster.nicks.claimed
        assert vars(world.hub.members) == vars(world.log.members)
        assert not world.hub.roster.sessions
        assert not world.pipeline.queries
        world.hub.second(world.now)  # which forgets the rooms that stayed empty
        rooms, kept = world.hub.roster.rooms.values(), world.hub.members.rooms
        assert all(room.head or room.name in kept for room in rooms), "a room was left behind"
        assert not any(room.members or room.followers or room.sessions for room in rooms), "somebody was left behind"


HAPPENS: dict[bytes, Callable[[Tale, bytes], None]] = {
    b"t": lambda tale, rest: tale.wait(1 + len(rest)),
    b"*": lambda tale, rest: tale.crash(),
    b"x": lambda tale, rest: tale.cut(bytes([(rest[0] if rest else 0) % 8]), "slow"),
    b"-": lambda tale, rest: tale.fill_disk(),
    b"+": lambda tale, rest: tale.empty_disk(),
    b"h": lambda tale, rest: tale.hold(),
    b"r": lambda tale, rest: tale.release(),
}


def check_answers(asked: list[m.AnyCommand | m.Error], replies: list[Any], cut: bool) -> None:
    """Find each command's answers among a peer's replies: all are there, in line order, and nothing else is.

    `at` holds how many replies the commands so far may have had; `typing` and `bye` have none or one. Who was taken out
    of a room is told so, between any two.
    """
    got = [reply for reply in replies if not isinstance(reply, UNASKED)]
    assert all(reply.code != "internal" for reply in got if isinstance(reply, m.Error))
    at = _over_parted({0}, got)
    for command in asked:
        ways = ANSWERS[type(command)]
        if isinstance(command, m.Join) and (command.after is not None or command.backlog is not None):
            ways = JOIN_AND_READ
        fits = {end + len(way) for end in at for way in ways if answers(command, way, got[end : end + len(way)])}
        if cut:
            fits |= at
        assert fits, f"{command} was answered with {got[min(at) : max(at) + 2]}"
        at = _over_parted(fits, got)
    assert len(got) in at or cut, f"there are answers that nobody asked for: {got[max(at) :]}"


def _over_parted(at: set[int], got: list[Any]) -> set[int]:
    """Add the places behind a `parted` that nobody asked for."""
    for start in sorted(at):
        for end in range(start, len(got)):
            if not isinstance(got[end], m.Parted) or got[end].ref is not None:
                break
            at.add(end + 1)
    return at


def answers(command: m.AnyCommand | m.Error, way: tuple[type[m.Reply], ...], replies: list[Any]) -> bool:
    """Tell whether these replies are one way to answer the command: of these types, with its `ref` and its `n`."""
    number = getattr(command, "n", None)
    return len(replies) == len(way) and all(
        type(reply) is kind
        and reply.ref == command.ref
        and (not isinstance(reply, m.Ack | m.Error) or reply.n == number)
        for reply, kind in zip(replies, way, strict=True)
    )


class Target:
    """The worlds, one after the other: what a fuzzer calls with one story after the other."""

    def __init__(self, rate: float = 0.0, stories: int = STORIES) -> None:
        self.rate, self.stories = rate, stories
        self.loud = Loud()
        self.told: list[bytes] = []  # to the present world: what it takes to see a failure again
        self.world = World(rate)

    def check(self, story: bytes) -> None:
        if len(self.told) >= self.stories:
            self.renew()
        self.told.append(story)
        self.world.tell(story)
        assert not self.loud.records, self.loud.records[0]

    def renew(self) -> None:
        """Go on with a new world; the old one may have kept no more than it is meant to."""
        weight, allowed = kept(self.world.pipeline), 40 * DEPARTED_KEPT + 20 * self.world.log.head
        assert weight <= allowed, f"{weight} things are left of {len(self.told)} stories"
        self.world.close()
        self.told.clear()
        self.world = World(self.rate)

    def close(self) -> None:
        self.world.close()
        self.loud.close()


def kept(thing: object) -> int:
    """Count what a broker's mind and log hold in all their tables, however those are called."""
    total, queue, known = 0, [thing], set()
    while queue:
        one = queue.pop()
        if id(one) in known or isinstance(one, str | bytes | int | float | type | None):
            continue
        known.add(id(one))
        if isinstance(one, dict):
            queue += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple | set | frozenset) or type(one).__name__ == "deque":
            queue += list(one)  # type: ignore[call-overload]
        elif type(one).__module__.startswith("zchat."):
            names = [*getattr(one, "__dict__", ()), *getattr(type(one), "__slots__", ())]
            queue += [getattr(one, name, None) for name in names]
        total += len(one) if hasattr(one, "__len__") else 0
    return total
