"""Several brokers in memory that share a log, and a bus between them; people who talk to them line by line.

    several = Several()
    ann, bob = several.hello("a", "ann"), several.hello("b", "bob")
    bob.ask("join", room="general")
    assert several.names("a", "general") == ["bob"]

The stream between them loses nothing: of what it may do, `tests/cluster` tells. The bus may lose, double and delay what
is told, driven from a seed. Time is a number that the test moves. A broker may die, and begin again with its store.
"""

import json
import random
from collections import defaultdict
from itertools import count
from typing import Any

from tests.broker.dialogue import NOON, Json
from zchat.broker.core import bus
from zchat.broker.core.cluster import Gone, encode
from zchat.broker.core.entrance import Terms
from zchat.broker.core.hub import Hub
from zchat.broker.log import StreamLog
from zchat.broker.sharing import SharedPipeline
from zchat.broker.store import Store

GRACE = 6.0
STEP = 0.25  # s
OWNER = "uid:1000@host"


class Several:
    """Brokers by name, one stream and one bus. A message of the bus is lost or late with these probabilities."""

    def __init__(self, names: str = "abc", seed: int = 0, lost: float = 0.0, late: float = 0.0) -> None:
        self.rng, self.lost, self.late, self.now = random.Random(seed), lost, late, 0.0
        self.stream: list[bytes] = []
        self.flight: list[tuple[float, str, bytes]] = []  # (when, to whom, what) on the bus
        self.told: list[bus.Told] = []  # all that was told
        self.fresh = count(1)
        self.credentials: dict[bytes, str] = {}
        self.brokers = {name: Broker(self, name) for name in names}
        self.calm()

    def tell(self, payload: bytes) -> None:
        """Tell all brokers something, if the bus does."""
        self.told.append(bus.decode(payload))
        for name in self.brokers:
            if self.rng.random() < self.lost:
                continue
            for _ in range(2 if self.rng.random() < self.late else 1):
                late = self.rng.choice([STEP, 1.0]) if self.rng.random() < self.late else 0.0
                self.flight.append((self.now + late, name, payload))

    def step(self, seconds: float = STEP) -> None:
        """Let some time pass, and let everybody do what they have to do."""
        self.now += seconds
        for broker in self.brokers.values():
            broker.step()
        due = [each for each in self.flight if each[0] <= self.now]
        self.flight = [each for each in self.flight if each[0] > self.now]
        for _, name, payload in due:
            self.brokers[name].hear(payload)

    def calm(self) -> None:
        """Let all that is on its way come: it takes no time that anybody would notice."""
        for _ in range(8):
            self.step(0.001)

    def wait(self, seconds: float) -> None:
        for _ in range(int(seconds / STEP)):
            self.step()

    def hello(self, broker: str, nick: str | None = None, credential: str = "", **fields: Any) -> "Client":
        """Return somebody who has come in."""
        client = Client(self, nick, credential, fields)
        client.go(broker)
        return client

    def member(self, broker: str, number: int = 1) -> "Client":
        """Return a member: 0 is the owner, m0, others are m1, m2 …"""
        return self.hello(broker, credential=f"uid:100{number}@host", device="it")

    def clear(self) -> None:
        """Forget what was published and told."""
        self.told.clear()
        for broker in self.brokers.values():
            broker.feed.clear()

    def heard(self, room: str) -> dict[str, list[Json]]:
        """Return, and forget, what was published about a room, by broker."""
        return {name: broker.feed.pop(room, []) for name, broker in self.brokers.items()}

    def names(self, broker: str, room: str) -> list[str]:
        """Return the nicks in the roster of a room at a broker, sorted."""
        known = self.brokers[broker].hub.roster.rooms.get(room)
        return sorted(member.nick or "" for member in known.members.values()) if known is not None else []

    def gone(self, name: str) -> None:
        """Let a broker's epoch be over, in the stream."""
        known = self.brokers[name].log.cluster.epochs[name]
        self.stream.append(encode(Gone(name, known.epoch)))
        self.calm()


class Broker:
    """A broker, with the hands that a driver would have."""

    def __init__(self, world: Several, name: str) -> None:
        self.world, self.name = world, name
        self.store = Store(None, "0" * 32, NOON)
        self.read_upto = 10**9  # places of the stream
        self.open()

    def open(self) -> None:
        """Start, with what the store holds."""
        world = self.world
        self.up, self.started = True, False
        nonce = f"{self.name}{next(world.fresh)}"
        self.log = StreamLog(self.store, self.name, "term1", nonce, world.stream.append)
        self.hub = Hub(
            server="zchat/test",
            log=self.log,
            feed=lambda _: "tcp://127.0.0.1:5556",
            heartbeat=2.0,
            grace=GRACE,
            rate=0.0,
            capacity=1_000,
            fresh=lambda: f"{next(world.fresh):032x}",
            now=world.now,
            name=self.name,
            credential=lambda peer: world.credentials.get(peer, ""),
            terms=Terms(open=True, owners=frozenset({OWNER}), login=lambda credential: f"m{credential[7]}"),
        )
        assert self.hub.elsewhere is not None
        self.elsewhere = self.hub.elsewhere
        self.pipeline = SharedPipeline(self.hub, self.log)
        self.log.observe = self.pipeline.observe
        self.log.lost = self.lose
        self.inbox: list[tuple[bytes, bytes]] = []
        self.said: dict[bytes, list[Json]] = defaultdict(list)
        self.feed: dict[str, list[Json]] = defaultdict(list)  # ephemeral events, by room
        self.beat_at = world.now

    def lose(self) -> None:
        """The epoch is over: all have to come again."""
        self.pipeline.tell(self.elsewhere.end(self.name, self.elsewhere.epoch, self.world.now))
        for peer in list(self.hub.roster.peers):
            self.pipeline.remove(peer, "timeout")

    def step(self) -> None:
        now = self.world.now
        if not self.up:
            return
        applied = self.log.applied.seq
        self.log.receive(list(enumerate(self.world.stream, 1))[applied : self.read_upto])
        if not self.started and self.log.applied.seq == len(self.world.stream):
            self.started = True
            self.log.start()
        if self.log.epoch and self.elsewhere.epoch != self.log.epoch:
            self.elsewhere.begin(self.log.epoch)
        self.pipeline.tell(self.elsewhere.follow(self.log.cluster, now))
        batch, self.inbox = self.inbox, []
        if batch:
            self.pipeline.begin(batch, now, NOON + now)
        self.pipeline.tell(self.elsewhere.tick(now))
        self.hub.second(now)
        self.pipeline.tick(now, NOON + now)
        if now - self.beat_at >= 1.0 and self.elsewhere.epoch:
            self.beat_at = now
            beat = bus.Heartbeat(self.name, self.log.epoch, applied, revision=self.elsewhere.revision)
            self.world.tell(bus.encode(beat))
        self.carry()

    def hear(self, payload: bytes) -> None:
        if self.up:
            self.pipeline.tell(self.elsewhere.hear(payload, self.world.now))
            self.carry()

    def carry(self) -> None:
        for payload in self.elsewhere.changes():
            self.world.tell(payload)
        while self.pipeline.public or self.pipeline.outgoing or self.pipeline.queries:
            public, outgoing = self.pipeline.collect()
            self.pipeline.queries.clear()
            self.pipeline.cuts.clear()
            for topic, lines in public.items():
                room = topic.decode().removeprefix("room/").rstrip("/")
                self.feed[room] += [event for event in map(json.loads, lines) if "seq" not in event]
            for peer, lines in outgoing.items():
                self.said[peer] += [json.loads(line) for line in lines]


class Client:
    """Somebody's client: the same wherever it is."""

    def __init__(self, world: Several, nick: str | None, credential: str, fields: Json) -> None:
        self.world, self.nick, self.credential, self.fields = world, nick, credential, fields
        self.secret = f"{next(world.fresh):032x}"
        self.n = 0
        self.broker, self.id = "", b""
        self.welcome: Json = {}

    def go(self, broker: str) -> None:
        """Say hello at a broker, by a new connection."""
        self.broker, self.id = broker, b"peer%d" % next(self.world.fresh)
        self.world.credentials[self.id] = self.credential
        who = self.fields if self.nick is None else self.fields | {"nick": self.nick}
        answers = self.ask("hello", **({"protocol": 1, "client": self.secret} | who))
        self.welcome = next((each for each in answers if each["type"] == "welcome"), {})
        assert self.welcome, answers

    def send(self, type_: str, /, **fields: Any) -> None:
        self.world.brokers[self.broker].inbox.append((self.id, json.dumps({"type": type_, **fields}).encode()))

    def read(self) -> list[Json]:
        """Return, and forget, what this client was sent."""
        return self.world.brokers[self.broker].said.pop(self.id, [])

    def ask(self, type_: str, /, **fields: Any) -> list[Json]:
        self.read()
        self.send(type_, **fields)
        self.world.calm()
        return self.read()

    def do(self, type_: str, /, **fields: Any) -> list[Json]:
        """Give a numbered command."""
        self.n += 1
        return self.ask(type_, n=self.n, **fields)

    @property
    def from_(self) -> str:
        return str(self.welcome["from"])

    def listed(self, **fields: Any) -> list[Json]:
        """Return what `who` lists."""
        return list(self.ask("who", **fields)[-1]["members"])

    def join(self, *rooms: str) -> None:
        for room in rooms:
            assert self.ask("join", room=room)[-1]["type"] == "joined"
