"""A broker of the stories: real hub, pipeline, log and store, with all that can happen to one.

It reads the stream late, with repeats and with holes; it is paused, killed (also within a transaction), cut off from
others' heartbeats, its disk is full, and its clock is wrong. `Node.step` does what the driver of a cluster does.
"""

import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from tests.broker.dialogue import NOON
from zchat.broker.core import bus
from zchat.broker.core.effects import Query
from zchat.broker.core.entrance import Terms
from zchat.broker.core.entries import Retire
from zchat.broker.core.hub import Hub
from zchat.broker.core.leases import Leases
from zchat.broker.core.rows import Batch
from zchat.broker.core.sessions import Author
from zchat.broker.log import StreamLog
from zchat.broker.sharing import SharedPipeline
from zchat.broker.store import Reader, Store, backup, due, next_step, retiring
from zchat.errors import LostStreamError
from zchat.protocol import links

if TYPE_CHECKING:
    from tests.cluster.simulation.world import World

STEP = 0.25  # s of the world's time
HEARTBEAT_GAP, LEASE = 1.0, 4.0
JUDGES = 1.0  # s between two looks at who is silent
AGAIN = 1.5  # s after which what has not come back is published again
MEMBERS = 2  # of the people, as users of the machine; the first one is an owner
Shown = tuple[str, str, str, str]  # `from`, nick, role, and whether it is away
INVITED = 2  # who comes with a key, and an invitation


def credential(number: int) -> str:
    """Return what the connections of a person prove."""
    if number == INVITED:
        return links.key_text(b"the invited one".ljust(32, b"."))
    return f"uid:100{number}@host" if number < MEMBERS else ""


def shown(author: Author) -> Shown:
    """Return what others see of an author."""
    return author.from_, author.nick or "", author.role, "" if author.away is None else f"away: {author.away}"


class Killed(BaseException):
    """The process of a broker was killed."""


class FrailStore(Store):
    """A store whose process may die within a transaction."""

    fuse = 0  # how many batches it still writes
    world: "World"

    def _insert(self, batch: Batch) -> None:
        super()._insert(batch)
        self.world.note(self, batch)
        if self.fuse:
            self.fuse -= 1
            if not self.fuse:
                raise Killed


class Node:
    """A broker: its store outlives it."""

    def __init__(self, world: "World", name: str, folder: Path | None) -> None:
        self.world, self.name = world, name
        self.folder = None if folder is None else folder / name
        self.store = self._open_store()
        self.skew = world.rng.choice([0.0, 0.0, 3_600.0, -20.0])
        self.up, self.paused_until, self.cut_from, self.cut_until = False, 0.0, 0.0, -LEASE
        self.full_until = 0.0
        self.asked_at = self.judged_at = 0.0
        self.starts = 0
        self.open()

    def _open_store(self) -> FrailStore:
        store = FrailStore(self.folder, "0" * 32, NOON)
        store.world = self.world
        return store

    # -- its life

    def open(self) -> None:
        """Start, with what the store holds."""
        world = self.world
        if self.folder is not None:
            self.store.close()
            self.store = self._open_store()
        self.starts += 1
        self.up, self.reads_until = True, world.stream.last
        self.log = StreamLog(self.store, self.name, world.stream.term, f"{self.name}{self.starts}", self.publish)
        self.hub = Hub(
            server="zchat/test",
            log=self.log,
            feed=lambda _: "tcp://127.0.0.1:5556",
            heartbeat=2.0,
            grace=6.0,
            rate=0.0,
            capacity=1_000,
            fresh=lambda: f"{world.rng.getrandbits(128):032x}",
            now=world.now,
            name=self.name,
            credential=lambda peer: credential(int(peer[1:].split(b".")[0])),
            terms=Terms(owners=frozenset({credential(0)}), login=lambda credential: f"m{credential[7]}"),
        )
        self.hub.roster.forgets_edits = self.name == world.forgets
        assert self.hub.elsewhere is not None
        self.elsewhere = self.hub.elsewhere
        self.pipeline = SharedPipeline(self.hub, self.log)
        self.log.observe = self.pipeline.observe
        self.log.lost = self.lose
        self.leases = Leases(self.name, HEARTBEAT_GAP, LEASE)
        self.inbox: list[tuple[bytes, bytes]] = []
        self.heard: list[bytes] = []  # over the bus
        self.began_at = self.log.head
        self.published: dict[str, list[bytes]] = defaultdict(list)
        self.started = False

    def die(self) -> None:
        """Be killed: the disk is as it was when the last transaction ended."""
        self.up = False
        self.world.kills += 1
        self.fill(0.0)
        self.store.fuse = 0

    def copy(self, other: "Node") -> None:
        """Take a copy of another one's log, as on another machine."""
        if self.folder is None or other.folder is None:
            other.store.connection.backup(self.store.connection)
            return
        self.store.close()
        for file in self.folder.iterdir():
            file.unlink()
        backup(other.folder, self.folder / "log.db", lambda done, total: None, same=True)
        self.store = self._open_store()

    def fill(self, seconds: float) -> None:
        """Let the disk be full for so long."""
        pages = self.store.connection.execute("PRAGMA page_count").fetchone()[0] if seconds else 1_000_000_000
        self.store.connection.execute(f"PRAGMA max_page_count = {pages}")
        self.full_until = self.world.now + seconds

    def cut(self, seconds: float) -> None:
        """Let heartbeats neither come nor go."""
        now = self.world.now
        if now >= self.cut_until:
            self.cut_from = now
        self.cut_until = max(self.cut_until, now + seconds)

    def lose(self) -> None:
        self.pipeline.tell(self.elsewhere.end(self.name, self.elsewhere.epoch, self.world.now))
        for peer in list(self.hub.roster.peers):
            self.pipeline.remove(peer, "timeout")

    @property
    def runs(self) -> bool:
        return self.up and self.world.now >= self.paused_until

    @property
    def hears(self) -> bool:
        """Whether heartbeats come and go."""
        return self.runs and self.world.now >= self.cut_until

    # -- what it does

    def publish(self, payload: bytes) -> None:
        assert self.log.broken is None, "nothing is written to a stream that is not believed"
        self.asked_at = self.world.now
        self.world.stream.publish(payload)

    def step(self) -> None:
        if not self.runs:
            return
        now, wall = self.world.now, NOON + self.world.now + self.skew
        if self.full_until and now >= self.full_until:
            self.fill(0.0)
        self.doubt()
        try:
            self.read()
        except Killed:
            self.die()
            return
        if self.log.epoch and self.elsewhere.epoch != self.log.epoch:
            self.elsewhere.begin(self.log.epoch)
        self.pipeline.tell(self.elsewhere.follow(self.log.cluster, now))
        for payload in self.heard:
            self.pipeline.tell(self.elsewhere.hear(payload, now))
        self.heard.clear()
        batch, self.inbox = self.inbox, []
        if batch:
            self.pipeline.begin(batch, now, wall)
        if self.started and now - self.asked_at > AGAIN:
            self.asked_at = now
            self.log.publish_again()
        for peer in self.hub.tick(now, now):
            self.pipeline.remove(peer, "timeout")
        self.hub.second(now)
        self.pipeline.tick(now, wall)
        self.pipeline.tell_due(wall)
        self.pipeline.tell(self.elsewhere.tick(now))
        self.deliver()
        self.judge()
        for payload in self.elsewhere.changes():
            self.tell(payload)

    def retire(self, keep: float) -> None:
        """Draft what is due here, in one step for each room or conversation; perhaps another broker does so, too."""
        if not (self.runs and self.started and self.log.epoch):
            return
        wall = max(NOON + self.world.now + self.skew, self.log.time)  # or hardly anything would be due at right clocks
        with mock.patch.object(retiring, "STEP_EVENTS", 5):
            for one in due(self.store.connection, int(wall * 1_000), keep, {}):
                upto = next_step(self.store.connection, one)
                if upto is not None:
                    self.world.due_before = max(self.world.due_before, one.before)
                    self.pipeline.change(Retire(one.place, upto, keep, one.room, one.before), wall)

    def tell(self, payload: bytes) -> None:
        """Tell the others something that is not kept, over a bus that may lose it, double it, and change the order."""
        rng, calm = self.world.rng, self.world.calm
        for node in [node for node in self.world.nodes if node is not self and node.hears and self.hears]:
            for _ in range(1 if calm else rng.choice([0, 1, 1, 1, 1, 1, 1, 1, 1, 2])):
                late = not calm and rng.random() < 0.2
                node.heard.insert(rng.randrange(len(node.heard) + 1) if late else len(node.heard), payload)

    def doubt(self) -> None:
        """Look whether the stream is the one that was read, and goes as far as others say that they have read it."""
        stream, applied = self.world.stream, self.log.applied
        others = [node.log.applied.seq for node in self.world.nodes if node.hears and self.hears]
        if stream.term != applied.term or stream.last < max([applied.seq, *others]):
            self.log.fail(LostStreamError("it ends too early"))
        for node in self.world.nodes:
            if node.hears and self.hears and node.log.applied.term == applied.term:
                self.log.agrees(node.name, node.log.applied.seq, node.log.applied.hash)

    def read(self) -> None:
        """Apply some of what the stream has, sometimes with repeats and holes."""
        rng, calm, stream, applied = self.world.rng, self.world.calm, self.world.stream, self.log.applied.seq
        upto = stream.last if calm else min(stream.last, applied + rng.randrange(0, 12))
        first = applied + 1 if calm else max(1, applied + 1 - rng.choice([0, 0, 0, 2]))
        found = stream.read(first, upto)
        if not calm and len(found) > 2 and rng.random() < 0.1:
            del found[rng.randrange(len(found))]
        if found:
            self.log.receive(found)
        if not self.started and self.log.applied.seq >= self.reads_until and self.log.broken is None:
            self.started = True
            self.log.start()

    def deliver(self) -> None:
        pipeline = self.pipeline
        while pipeline.public or pipeline.outgoing or pipeline.queries:
            public, outgoing = pipeline.collect()
            queries, pipeline.queries = pipeline.queries, []
            cuts, pipeline.cuts = pipeline.cuts, []
            for topic, lines in public.items():
                self.world.publish(self, topic, lines)
                self.published[topic.decode()] += [line for line in lines if b'"prev"' in line]
            for peer, lines in outgoing.items():
                assert peer, "nobody is answered"
                self.world.answer(self, peer, lines)
            for cut in cuts:
                self.world.cut(self, cut.peer, cut.credential)
            for query in queries:
                pipeline.answered(query, self.answer(query))

    def answer(self, query: Query) -> bytes:
        answer = Reader(self.store.path, self.store.connection).history(query)
        place = {"room": query.room} if query.room else {"to": query.to}
        fields = {"type": "history", "ref": query.ref, **place, "upto": answer.upto, "more": answer.more}
        return json.dumps(fields | {"events": json.loads(b"[" + answer.events + b"]")}).encode()

    def judge(self) -> None:
        """Send a heartbeat to all that are not cut off, and judge who is gone."""
        now, world = self.world.now, self.world
        if now >= self.cut_until:
            for other in world.nodes:
                if other.up and now >= other.cut_until:
                    other.leases.hear(self.name, now)
        if now - self.judged_at < JUDGES:
            return
        self.judged_at = now
        if self.elsewhere.epoch:
            applied = self.log.applied.seq
            self.tell(bus.encode(bus.Heartbeat(self.name, self.log.epoch, applied, revision=self.elsewhere.revision)))
        epochs = self.log.cluster.epochs
        open_ = [name for name, epoch in epochs.items() if epoch.open and name != self.name]
        for name in self.leases.gone(open_, now):
            cut_for = (now - self.cut_from) if now < self.cut_until else 0.0
            assert cut_for <= HEARTBEAT_GAP, "B3: who is cut off judges nobody"
            if self.cut_until - self.cut_from > HEARTBEAT_GAP:
                assert cut_for or now - self.cut_until > LEASE, "B3: who was cut off waits anew"
            world.verdicts += 1
            self.log.declare_gone(name)

    # -- what is looked at in the end

    def lines(self) -> list[dict[str, Any]]:
        rows = self.store.connection.execute("SELECT lines FROM chunk").fetchall()
        events = [json.loads(line) for (lines,) in rows for line in lines.split(b"\n")]
        return sorted(events, key=lambda event: int(event["seq"]))

    def has_session(self, peer: bytes) -> bool:
        known = self.hub.roster.peers.get(peer)
        return self.up and known is not None and known.session is not None

    def roster(self, room: str) -> list[Shown]:
        """Return who is in a room, as this broker knows it."""
        known = self.hub.roster.rooms.get(room)
        return sorted(shown(author) for author in known.members.values()) if known is not None else []

    def waits_for(self, peer: bytes) -> bool:
        """Whether something of a peer is on its way to the stream."""
        return peer in self.pipeline._lines or any(one == peer for one, _ in self.inbox)
