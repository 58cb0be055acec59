"""A whole broker in memory, spoken to line by line: a pipeline over a hub and a log, without socket or clock.

    broker = Broker()
    alice = broker.hello("alice")
    assert alice.say("hi") == [{"type": "ack", "n": 1, "seq": 1}]

Time is a number that the test moves. `Store(None)` is the log: real SQLite, in memory, and it outlives a `crash`.
"""

import itertools
import json
from typing import Any

import msgspec

from zchat.broker.core.hub import Hub
from zchat.broker.core.moderation import redacted
from zchat.broker.log.local import LocalLog
from zchat.broker.pipeline import Pipeline
from zchat.broker.reads import QueryService
from zchat.broker.store import Reader, SearchIndex, Store

__all__ = ["Broker", "Json", "Peer", "QueryService", "codes"]

Json = dict[str, Any]
NOON = 1_795_325_400  # 2026-11-22T05:30:00Z: the wall clock when the monotonic one stands at 0


def codes(lines: list[Json]) -> list[str]:
    """Return the type of each line, and of an error its code."""
    return [str(line.get("code", line["type"])) for line in lines]


class Broker:
    """A broker in memory; `published` collects (topic, event), `said` what each peer was sent."""

    def __init__(self, store: Store | None = None, **settings: Any) -> None:
        self.store = store or Store(None, "0" * 32, NOON)
        self.now = 0.0
        self.settings = {"heartbeat": 5.0, "grace": 15.0, "rate": 0.0, "capacity": 1_000} | settings
        self.published: list[tuple[str, Json]] = []
        self.credentials: dict[bytes, str] = {}  # what the connection of a peer proves
        self.cut: list[bytes | str] = []  # connections that were ended: a peer's, or all with a credential
        self.said: dict[bytes, list[Json]] = {}
        self.lines: list[bytes] = []  # what was published, as it stood
        self._fresh = itertools.count(1)
        self._peers = itertools.count(1)
        self.open()

    def open(self) -> None:
        """Start, with what the log holds: also what happens after a crash, which loses all else."""
        self.log = LocalLog(self.store)
        self.hub = Hub(
            server="zchat/test",
            log=self.log,
            feed=lambda _: "tcp://127.0.0.1:5556",
            fresh=lambda: f"{next(self._fresh):032x}",
            now=self.now,
            credential=lambda peer: self.credentials.get(peer, ""),
            **self.settings,
        )
        self.pipeline = Pipeline(self.hub, self.log)

    def take(self, *frames: tuple[bytes, bytes]) -> None:
        """Take one batch of (peer, payload), and carry out what comes of it."""
        self.pipeline.begin(list(frames), self.now, NOON + self.now)
        self.carry()

    def carry(self) -> None:
        """Deliver what the pipeline gathered, answering its queries from the log."""
        while self.pipeline.public or self.pipeline.outgoing or self.pipeline.queries:
            public, outgoing = self.pipeline.collect()
            for topic, lines in public.items():
                self.lines += lines
                self.published += [(topic.decode(), json.loads(line)) for line in lines]
            self.cut += [cut.peer or cut.credential for cut in self.pipeline.cuts]
            self.pipeline.cuts.clear()
            for peer, lines in outgoing.items():
                self.said.setdefault(peer, []).extend(json.loads(line) for line in lines)
            queries, self.pipeline.queries = self.pipeline.queries, []
            for query in queries:
                self.pipeline.answered(query, self.read(query))

    def read(self, query: Any) -> bytes:
        reader = Reader(self.store.path, self.store.connection)
        if query.text is None:
            answer = reader.history(query)
            place = {"room": query.room} if query.room else {"to": query.to}
            fields: Json = {"type": "history", **place, "upto": answer.upto, "more": answer.more}
        else:
            index = SearchIndex(None, self.store.path, self.store.connection)
            while index.fill():
                pass
            answer = index.search(query)
            index.connection.execute("DETACH search")
            fields = {"type": "found", "more": answer.more}
        fields["events"] = json.loads(b"[" + answer.events + b"]")
        if query.audit:
            lines = [redacted(msgspec.Raw(json.dumps(event).encode()), query.visible) for event in fields["events"]]
            fields = fields | {"type": "audit", "events": [json.loads(bytes(line)) for line in lines]}
            del fields["to"]
        if query.ref is not None:
            fields["ref"] = query.ref
        return json.dumps(fields).encode()

    def tick(self, seconds: float) -> None:
        """Let time pass, what is due be told, and what is silent be dropped."""
        self.now += seconds
        self.pipeline.tell_due(NOON + self.now)
        for peer in self.hub.tick(self.now, self.now):
            self.pipeline.remove(peer, "timeout")
        self.carry()

    def peer(self) -> "Peer":
        return Peer(self, b"\0peer%d" % next(self._peers))

    def hello(self, nick: str | None = None, **fields: Any) -> "Peer":
        """Return a peer that has said hello, and whose welcome is in `welcome`."""
        peer = self.peer()
        if nick is not None:
            fields["nick"] = nick
        peer.welcome = peer.ask("hello", protocol=1, **fields)[-1]
        assert peer.welcome["type"] == "welcome", peer.welcome
        return peer

    def heard(self, room: str, type_: str = "") -> list[Json]:
        """Return, and forget, what was published in a room."""
        topic = f"room/{room}/"
        found = [event for where, event in self.published if where == topic and event["type"].startswith(type_)]
        self.published = [one for one in self.published if one[0] != topic]
        return found


class Peer:
    """One connection to the broker."""

    def __init__(self, broker: Broker, id_: bytes) -> None:
        self.broker, self.id = broker, id_
        self.welcome: Json = {}
        self.n = 0

    def line(self, type_: str, /, **fields: Any) -> bytes:
        return json.dumps({"type": type_, **fields}).encode()

    def ask(self, type_: str, /, **fields: Any) -> list[Json]:
        """Send one command in a batch of its own; return what this peer is sent for it."""
        return self.send(self.line(type_, **fields))

    def send(self, *lines: bytes) -> list[Json]:
        """Send lines as one frame; return what this peer is sent for them."""
        self.broker.take((self.id, b"\n".join(lines)))
        return self.read()

    def read(self) -> list[Json]:
        """Return, and forget, what this peer was sent."""
        return self.broker.said.pop(self.id, [])

    def say(self, text: str = "hi", room: str | None = "general", **fields: Any) -> list[Json]:
        self.n += 1
        place = {"room": room} if room is not None else {}
        return self.ask("say", **{"n": self.n, "text": text, **place, **fields})
