"""A broker, several clients and the links between them, in memory, with all that can go wrong as methods.

The broker is the real hub and log (`tests.broker.dialogue`), the clients are real sessions; only the sockets are
missing. A link has three queues, and loses, delays, repeats and forgets what is in them as it is told. The world keeps
what was said, what was acknowledged and what each client was shown, and `audit` compares them with the log.
"""

import itertools
import json
import sqlite3
from collections import Counter, deque
from typing import Any
from unittest import mock

from tests.broker.dialogue import NOON, Broker
from zchat.broker.core.rows import Batch
from zchat.client.core import effects as do
from zchat.client.core import notices
from zchat.client.core.brokers import Brokers
from zchat.client.core.handshake import Fault
from zchat.client.core.room import Room
from zchat.client.core.session import Session
from zchat.protocol import messages as m
from zchat.protocol import wire

PLACES = ("tcp://127.0.0.1:5555", "tcp://127.0.0.1:5565")
ROOMS = ("general", "ops")
PRIVATE = "@"  # where all that is said to one person alone stands among the rooms
QUEUED = 4  # payloads that wait on the feed for a user who is slow: what comes then is lost
STRANGER = "I am somebody else"  # how what they say begins
HEALED_WITHIN = 240.0  # s of the world's time: some of the clients' longest waits, one after the other


class Client:
    """A session and its link: `up` to the broker, `down` from it, `feed` beside it."""

    rooms = ROOMS
    device: str | None = None
    secret = "{:032x}"
    ways = 1  # to the broker
    refusable: frozenset[tuple[str, str]] = frozenset()  # (room, code) of what may be refused to it

    def __init__(self, number: int) -> None:
        self.number = number
        self.up: deque[bytes] = deque()
        self.down: deque[bytes] = deque()
        self.feed: deque[tuple[bytes, bytes]] = deque()
        self.peer = b""
        self.wishes: deque[tuple[bool, bytes]] = deque()  # subscriptions on their way
        self.topics: set[bytes] = set()
        self.connects_at: float | None = 0.0
        self.ticks_at = 0.0
        self.said: list[tuple[str, str]] = []  # (room, text), in order
        self.acked: list[tuple[str, str]] = []
        self.orphans: set[tuple[str, str]] = set()  # said by a process that died before their answer
        self.refused: list[str] = []
        self.shown: dict[str, list[dict[str, Any]]] = {room: [] for room in (*self.rooms, PRIVATE)}
        self.slow = False  # its user does not keep up
        self.news_from: int | None = None  # what was said to it alone after this is news to this process
        self.broken_gap_check = False
        self._fresh = itertools.count(1)
        self.lost: set[tuple[str, str]] = set()  # acknowledged, and in no log any more
        self.doubtful: set[tuple[str, str]] = set()  # the same, unless they are said again from the outbox
        self.named: set[tuple[str, str]] = set()  # of these, what its user was told of …
        self.unnamed = 0  # … and how many others were counted
        self.outbox: dict[int, bytes] = {}  # unanswered, by number
        self.epochs: m.Epochs = ()
        self.since = 0
        self.id, self.answered_through = self.secret.format(number), 0
        self.session = self.born()

    def born(self) -> Session:
        """Return a new process's session, with what the outbox of the last one kept."""
        return Session(
            f"nick{self.number}",
            client=self.id,
            broker=PLACES[0],
            brokers=Brokers(PLACES[: self.ways], lambda: 0.5),
            jitter=lambda: 0.5,
            fresh=lambda: f"{self.number + 1:016x}{next(self._fresh):016x}",
            rooms=[Room(room, after=0) for room in self.rooms],
            device=self.device,
            patience=1e9,
            n=self.answered_through,
            unanswered=[
                say
                for line in self.outbox.values()
                for say in wire.commands(line)
                if isinstance(say, m.NumberedCommand)
            ],
            epochs=self.epochs,
            since=self.since,
        )

    def die(self) -> None:
        """Be killed, and start again: all is forgotten but the outbox."""
        self.unplug()
        self.unplug_feed()
        self.orphans = set(self.said) - set(self.acked)
        self.shown = {room: [] for room in (*self.rooms, PRIVATE)}
        self.slow, self.news_from = False, None
        self.session = self.born()

    def write_down(self, effect: do.Keep | do.Settle | do.KeepEpochs | do.Rewrite) -> None:
        """Do what the outbox on disk does."""
        if isinstance(effect, do.KeepEpochs):
            self.epochs = effect.epochs
        if isinstance(effect, do.Rewrite):
            self.id, self.outbox, self.since = effect.client, {}, effect.since
        if isinstance(effect, do.Keep | do.Rewrite):
            self.outbox |= {json.loads(line)["n"]: line for line in effect.lines}
        if isinstance(effect, do.Settle | do.Rewrite):
            self.answered_through = effect.n
            self.outbox = {n: line for n, line in self.outbox.items() if n > effect.n}

    def carry_out(self, effects: list[do.Effect], now: float) -> None:
        for effect in effects:
            match effect:
                case do.Send():
                    self.up.extend(effect.frames)
                case do.ConnectFeed():
                    self.unplug_feed()
                case do.Subscribe() | do.Unsubscribe():
                    self.wishes.append((isinstance(effect, do.Subscribe), effect.topic))
                case do.Reconnect():
                    self.unplug()
                    self.unplug_feed()
                    self.connects_at = now + effect.retry_in
                case do.Deliver():
                    self.show(effect)
                case do.Answered() if effect.key is not None:
                    self.answered(effect)
                case do.Keep() | do.Settle() | do.KeepEpochs() | do.Rewrite():
                    self.write_down(effect)
                case do.Finish():
                    raise AssertionError(f"a client gave up: {effect.error}")

    def answered(self, effect: do.Answered) -> None:
        if isinstance(effect.answer, m.Ack):
            self.acked.append(effect.key)
        elif isinstance(effect.answer, m.Error):
            self.refuse(effect.key, effect.answer.code)

    def refuse(self, key: tuple[str, str], code: str) -> None:
        """Forget what was said to nobody; nothing else may be refused."""
        if (code == "unknown_nick" and key[0].startswith(PRIVATE)) or (key[0], code) in self.refusable:
            self.said.remove(key)
        else:
            self.refused.append(code)

    def show(self, effect: do.Deliver) -> None:
        for event, line in zip(effect.events, effect.lines, strict=True):
            if isinstance(event, m.Message):
                assert line, "a durable event comes with its line"
                self.shown[event.room or PRIVATE].append(json.loads(line))
            elif isinstance(event, notices.Refused):
                self.refuse(_key(event.command), event.code)
            elif isinstance(event, notices.Online) and event.shared is not None and self.news_from is not None:
                self.news_from = min(self.news_from, event.shared)
            elif isinstance(event, notices.WentBack):
                self.named |= {_key(command) for command in event.lost}
                self.unnamed += event.more
                for shown in self.shown.values():
                    shown[:] = [each for each in shown if each["seq"] <= event.shared]

    def unplug(self) -> None:
        self.up.clear()
        self.down.clear()
        self.peer = b""

    def unplug_feed(self) -> None:
        self.feed.clear()
        self.wishes.clear()
        self.topics.clear()


class Mover(Client):
    """One who goes on by another way whenever it loses the broker."""

    ways = 2


class World:
    """All of it, and the time, in seconds."""

    client: type[Client] = Client

    def __init__(self, clients: int = 3, **mutations: bool) -> None:
        self.broker = self.begin()
        self.clients = [self.client(number) for number in range(clients)]
        self.now = 0.0
        self._peers = itertools.count(1)
        self._texts = itertools.count(1)
        for client in self.clients:
            client.broken_gap_check = mutations.get("no_gap_check", False)
        self.broker.hello("founder").say("Welcome!", room="hall")  # else it could go back to nothing: be another log
        self.copies: list[sqlite3.Connection] = []
        self.copy()
        self.ack_early = mutations.get("ack_before_commit", False)
        self._unwritten: list[Batch] = []

    def begin(self) -> Broker:
        return Broker(grace=6.0, heartbeat=2.0)

    @property
    def wall(self) -> float:
        """The time of the world in seconds since 1970."""
        return NOON + self.now

    # -- what people do

    def say(self, who: int, room: int, times: int) -> None:
        client = self.clients[who % len(self.clients)]
        for _ in range(times):
            key = (client.rooms[room % len(client.rooms)], f"text {next(self._texts)}")
            client.said.append(key)
            client.session.post(m.Say(n=1, room=key[0], text=key[1]), key)
        client.carry_out(client.session.flush(self.now), self.now)

    def whisper(self, who: int, whom: int, times: int) -> None:
        client = self.clients[who % len(self.clients)]
        nick = f"nick{whom % len(self.clients)}"
        for _ in range(times):
            key = (PRIVATE + nick, f"text {next(self._texts)}")
            client.said.append(key)
            client.session.post(m.Say(n=1, to=nick, text=key[1]), key)
        client.carry_out(client.session.flush(self.now), self.now)

    def impersonate(self, who: int, whom: int) -> None:
        """Let a stranger take the nick of a client that is away, say something to another one alone, and go."""
        nick, to = f"nick{who % len(self.clients)}", f"nick{whom % len(self.clients)}"
        if nick != to and self.broker.hub.roster.nicks.named(nick) is None:
            said = {"type": "say", "n": 1, "to": to, "text": f"{STRANGER} {next(self._texts)}"}
            lines = [{"type": "hello", "protocol": 1, "nick": nick}, said, {"type": "bye"}]
            payload = b"\n".join(json.dumps(line).encode() for line in lines)
            self._write([(b"\0stranger%d" % next(self._peers), payload)])
            self._spread()

    def dawdle(self, who: int, slow: bool) -> None:
        """Let a client's user become too slow for what comes, or keep up again."""
        client = self.clients[who % len(self.clients)]
        if slow and not client.slow:
            client.session.pause()
        elif client.slow and not slow:
            client.carry_out(client.session.resume(self.now), self.now)
        client.slow = slow

    # -- what goes well

    def move_up(self, most: int = 1_000) -> None:
        """Let the broker read what has arrived, as one batch, and answer."""
        batch = []
        for client in self.clients:
            for _ in range(min(most, len(client.up)) if self._connected(client) else 0):
                batch.append((client.peer, client.up.popleft()))
        if batch:
            self._write(batch)
            self._spread()

    def move_down(self, who: int, most: int = 1_000) -> None:
        client = self.clients[who % len(self.clients)]
        for _ in range(most):
            if not client.down:  # also when the client has just hung up
                break
            payload = client.down.popleft()
            if client.broken_gap_check:
                payload = _without_heads(payload)
            client.carry_out(client.session.replies(payload, self.now), self.now)
            if client.news_from is None and b'"type":"pong"' in payload:
                client.news_from = self.broker.hub.head

    def move_feed(self, who: int, most: int = 1_000) -> None:
        client = self.clients[who % len(self.clients)]
        while client.wishes:
            add, topic = client.wishes.popleft()
            (client.topics.add if add else client.topics.discard)(topic)
        if client.slow:
            while len(client.feed) > QUEUED:
                client.feed.pop()
            return
        for _ in range(most):
            if not client.feed:
                break
            topic, payload = client.feed.popleft()
            if client.broken_gap_check:
                payload = _without_chain(payload)
            client.carry_out(client.session.feed(topic, payload, self.now), self.now)

    def wait(self, seconds: float) -> None:
        """Let time pass, with every timer in its place."""
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + 0.25)
            self.broker.now = self.now
            self.broker.pipeline.queries.clear()
            self.broker.pipeline.tell_due(self.wall)
            for peer in self.broker.hub.tick(self.now, self.now):
                self.broker.pipeline.remove(peer, "timeout")
            self._spread()
            for client in self.clients:
                if client.connects_at is not None and self.now >= client.connects_at:
                    client.connects_at = None
                    self._connected(client)
                    client.carry_out(client.session.connected(self.now), self.now)
                    client.carry_out(client.session.reached(self.now), self.now)
                client.carry_out(client.session.tick(self.now), self.now)

    # -- what goes wrong

    def drop(self, who: int, queue: int, place: int) -> None:
        if found := self._queue(who, queue):
            del found[place % len(found)]

    def repeat(self, who: int, queue: int, place: int) -> None:
        if found := self._queue(who, queue):
            found.append(found[place % len(found)])

    def cut(self, who: int, told: bool) -> None:
        """Cut a connection; the client may be told, or may have to find out."""
        client = self.clients[who % len(self.clients)]
        client.unplug()
        client.unplug_feed()
        if told and client.connects_at is None:
            client.carry_out(client.session.lost(self.now, Fault.CUT), self.now)

    def die(self, who: int) -> None:
        """Kill a client, and start it again."""
        client = self.clients[who % len(self.clients)]
        client.die()
        client.connects_at = self.now

    def crash(self, moment: int) -> None:
        """Kill the broker: at rest, or with a batch read, or with a batch written and nobody told."""
        batch = [(client.peer, client.up.popleft()) for client in self.clients for _ in range(len(client.up))]
        if moment % 3 == 2:
            self._write([frame for frame in batch if frame[0]])
        self._unwritten.clear()
        self.broker.open()
        for client in self.clients:
            if moment % 3:
                client.up.clear()
            client.down.clear()
            client.unplug_feed()  # it would connect again by itself, but `Link` hears first of the other socket
            client.peer = b""

    def copy(self) -> None:
        """Copy the log while the broker runs."""
        copy = sqlite3.connect(":memory:")
        self.broker.store.connection.backup(copy)
        self.copies.append(copy)

    def go_back(self, which: int) -> None:
        """Put a copy in the place of the log; those that were made later are no past of it any more."""
        stored = {(_place(event), event["text"]) for event in self._log()}
        self.put_back(which)
        kept = {(_place(event), event["text"]) for event in self._log()}
        for client in self.clients:
            waiting = {_key(say) for line in client.outbox.values() for say in wire.commands(line)}  # said again
            client.lost |= {key for key in client.said if key in stored - kept - waiting}
            client.doubtful |= (stored - kept) & waiting & set(client.acked)  # said again only by the next process

    def put_back(self, which: int) -> None:
        for client in self.clients:
            client.unplug()
        del self.copies[which % len(self.copies) + 1 :]
        self.copies[-1].backup(self.broker.store.connection)
        self.crash(1)

    # -- what must be true in the end

    def heal(self) -> None:
        """Let everything go well until all is said and shown, or fail."""
        for client in self.clients:
            self.dawdle(client.number, slow=False)
        ends = self.now + HEALED_WITHIN
        while self.now < ends:
            for _ in range(3):
                self.move_up()
                for client in self.clients:
                    self.move_down(client.number)
                    self.move_feed(client.number)
            self.wait(0.5)
            here = self.broker.hub.greeting.epochs.latest
            settled = all(each.session.unanswered == 0 and each.epochs == here for each in self.clients)
            if settled and not self._behind():
                return
        unanswered = [client.session.unanswered for client in self.clients]
        raise AssertionError(f"not healed within {HEALED_WITHIN} s: unanswered {unanswered}, behind {self._behind()}")

    def audit(self) -> None:
        """Every acknowledged message once, in each client's order, shown once to each, in log order."""
        log = self._log()
        places = Counter((_place(event), event["text"]) for event in log)
        for client in self.clients:
            assert client.refused == []
            heard = [key for key in client.said if key not in client.orphans]
            assert Counter(client.acked) == Counter(heard), "each has one answer"
            client.lost |= {key for key in client.doubtful if not places[key]}
            for key in client.acked:
                assert places[key] == (key not in client.lost), f"{key} is in the log {places[key]} times"
            assert client.named - client.doubtful <= client.lost, "nothing is called lost that is there"
            assert len(client.lost - client.named) <= client.unnamed, "what was lost is told"
            said = [key for key in client.said if key not in client.lost]
            assert self._of(client, log) == said, "the log has each client's messages, in its order, and nothing else"
            for room in client.rooms:
                expected = [event for event in log if event.get("room") == room]
                assert self._has_seen(client, room, expected), f"client {client.number} saw something else in {room}"
            self._audit_private(client, log)

    def _audit_private(self, client: Client, log: list[dict[str, Any]]) -> None:
        """What was said to one alone, or by it, since its process began to listen: each once, in log order."""
        shown = client.shown[PRIVATE]
        assert len({event["seq"] for event in shown}) == len(shown), f"client {client.number} saw something twice"
        assert not self._missed(client, log)
        assert [event["seq"] for event in shown] == sorted(event["seq"] for event in shown)
        assert all(event in log for event in shown)

    def _of(self, client: Client, log: list[dict[str, Any]]) -> list[tuple[str, str]]:
        """Return what a client has said, as the log has it."""
        return [(_place(event), event["text"]) for event in log if _author(event) == f"nick{client.number}"]

    def _has_seen(self, client: Client, room: str, events: list[dict[str, Any]]) -> bool:
        return client.shown[room] == events

    # -- inside

    def _queue(self, who: int, queue: int) -> Any:
        client = self.clients[who % len(self.clients)]
        return (client.up, client.down, client.feed)[queue % 3]

    def _connected(self, client: Client) -> bool:
        """Give a cut connection a new one, as ZeroMQ does by itself, unless the session waits before it tries."""
        if not client.peer and client.connects_at is None:
            client.peer = b"\0link%d" % next(self._peers)
        return bool(client.peer)

    def _write(self, batch: list[tuple[bytes, bytes]]) -> None:
        """Let the broker take a batch; a broker that acks early writes it only with the next one."""
        if not self.ack_early:
            self.broker.pipeline.begin(batch, self.now, self.wall)
            return
        self._catch_up()
        with mock.patch.object(self.broker.store, "write", self._unwritten.append):
            self.broker.pipeline.begin(batch, self.now, self.wall)

    def _catch_up(self) -> None:
        for unwritten in self._unwritten:
            self.broker.store.write(unwritten)
        self._unwritten.clear()

    def _spread(self) -> None:
        """Put what the broker gathered into the links."""
        pipeline = self.broker.pipeline
        while pipeline.public or pipeline.outgoing or pipeline.queries:
            public, outgoing = pipeline.collect()
            queries, pipeline.queries = pipeline.queries, []
            for client in self.clients:
                client.down.extend([b"\n".join(outgoing[client.peer])] if client.peer in outgoing else [])
                client.feed.extend(
                    (topic, b"\n".join(lines)) for topic, lines in public.items() if topic in client.topics
                )
            for query in queries:
                pipeline.answered(query, self.broker.read(query))

    def _log(self) -> list[dict[str, Any]]:
        self._catch_up()
        rows = self.broker.store.connection.execute("SELECT lines FROM chunk").fetchall()
        events = [json.loads(line) for (lines,) in rows for line in lines.split(b"\n")]
        return sorted((event for event in events if "text" in event), key=lambda event: int(event["seq"]))

    def _behind(self) -> list[int]:
        log = self._log()
        rooms = {event["room"] for event in log if "room" in event}
        last = {room: max(event["seq"] for event in log if event.get("room") == room) for room in rooms}
        return [
            client.number
            for client in self.clients
            if any(
                (client.shown[room][-1:] or [{"seq": 0}])[0]["seq"] < last.get(room, 0)
                for room in self._followed(client)
            )
            or self._missed(client, log)
        ]

    def _followed(self, client: Client) -> tuple[str, ...]:
        return client.rooms

    def _missed(self, client: Client, log: list[dict[str, Any]]) -> set[int]:
        """Return what of what is to a client alone, and news to its process, it was not shown."""
        me, news_from = f"nick{client.number}", client.news_from
        if news_from is None:
            return {0}
        mine = {e["seq"] for e in log if "to" in e and me in (e["to"], _author(e)) and e["seq"] > news_from}
        return mine - {event["seq"] for event in client.shown[PRIVATE]}


def _key(command: object) -> tuple[str, str]:
    assert isinstance(command, m.Say)
    return command.room or PRIVATE + (command.to or ""), command.text


def _author(event: dict[str, Any]) -> str:
    """Return the nick of who said something; of a stranger, who has it from somebody else, none."""
    return "" if event["text"].startswith(STRANGER) else str(event["nick"])


def _place(event: dict[str, Any]) -> str:
    return str(event["room"]) if "room" in event else PRIVATE + str(event["to"])


def _without_heads(payload: bytes) -> bytes:
    """Make a client blind for heads: half of its gap check."""
    lines = [json.loads(line) for line in payload.split(b"\n")]
    return b"\n".join(json.dumps(line | ({"heads": {}} if line["type"] == "pong" else {})).encode() for line in lines)


def _without_chain(payload: bytes) -> bytes:
    """Make a client blind for holes: the other half."""
    lines = [json.loads(line) for line in payload.split(b"\n")]
    return b"\n".join(json.dumps(line | ({"prev": 0} if "prev" in line else {})).encode() for line in lines)
