"""Several brokers over one stream, and people who move between them, in memory, driven from a seed.

The hubs, pipelines, logs and stores are the real ones; the stream, the links and the people are not. After a while of
trouble all is healed, and looked at: the logs are the same to the byte, and have what was acknowledged, once, in order.
"""

import json
import random
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.broker.dialogue import NOON
from tests.cluster.simulation.audit import audit
from tests.cluster.simulation.broker import LEASE, STEP, Node, Shown, shown
from tests.cluster.simulation.broker import credential as proves
from tests.cluster.simulation.callers import Caller
from tests.cluster.simulation.people import ANSWERED, INSIDE, Person
from tests.cluster.simulation.stream import Stream
from zchat.broker.core.rows import Batch
from zchat.broker.store import Replica, Store

HEALED_WITHIN = 400  # steps


class World:
    """All of it, and the time. With a folder the stores are on disk."""

    def __init__(
        self, seed: int, brokers: int = 3, people: int = 5, callers: int = 2, folder: Path | None = None
    ) -> None:
        self.rng = random.Random(seed)
        self.now, self.calm, self.elects = 0.0, False, False
        self.verdicts = self.kills = self.elections = self.losses = self.full = 0
        self.retirements = 0
        self.archive: dict[int, dict[str, Any]] = {}  # all that ever was in the logs, as it was first
        self.retired: set[int] = set()  # what of it was kept for long enough
        self.due_before = 0  # ms since 1970: nothing younger was due by anybody's clock
        self.forgets = self.rng.choice(["", "a"])  # the broker that forgets the texts before an edit
        self.stream = Stream(self.rng)
        self.nodes: list[Node] = []
        for name in "abcde"[:brokers]:
            self.nodes.append(Node(self, name, folder))
        self.callers = [Caller(self, people + number) for number in range(callers)]
        self.people: list[Person | Caller] = [*(Person(self, number) for number in range(people)), *self.callers]
        self.troubles = [
            (0.45, self.say),
            (0.005, self.leave),
            (0.03, self.kill),
            (0.01, self.kill_within_a_transaction),
            (0.12, self.open),
            (0.03, self.pause),
            (0.03, self.cut_off),
            (0.02, self.halt),
            (0.01, self.fill_disk),
            (0.08, self.retire),
            (0.006, self.elect),
            (0.005, self.lose_mind),
        ]

    @property
    def here(self) -> list[Node]:
        return [node for node in self.nodes if node.up]

    def log(self) -> list[dict[str, Any]]:
        return self.here[0].lines()

    def full_log(self) -> list[dict[str, Any]]:
        """Return the log with all that retired."""
        return [event for _, event in sorted((self.archive | {event["seq"]: event for event in self.log()}).items())]

    def note(self, store: Store, batch: Batch) -> None:
        """Note what a broker writes, and what it retires: nothing that is too young."""
        for run in batch.runs.values():
            for event in map(json.loads, run.lines):
                self.archive.setdefault(event["seq"], event)
        if batch.retired:
            lines = [
                line for (chunk,) in store.connection.execute("SELECT lines FROM chunk") for line in chunk.split(b"\n")
            ]
            left = {json.loads(line)["seq"] for line in lines}
            gone = {seq for seq in self.archive if seq <= batch.head} - left - self.retired
            for seq in gone:
                at = datetime.fromisoformat(self.archive[seq]["time"]).timestamp()
                assert at * 1_000 < self.due_before, f"{self.archive[seq]} retired too early"
                assert self.archive[seq]["type"] not in ("member", "access"), "the chain of members is kept"
            self.retired |= gone
            self.retirements += len(gone)

    # -- links

    def answer(self, node: Node, peer: bytes, lines: list[bytes]) -> None:
        for person in self.people:
            lost = not self.calm and not self.elects and self.rng.random() < 0.05
            if person.node is node and person.peer == peer and not lost:
                person.receive(lines)

    def publish(self, node: Node, topic: bytes, lines: list[bytes]) -> None:
        for caller in self.callers:
            if caller.node is node and (self.calm or self.rng.random() > 0.05):
                caller.hear_feed(topic, lines)

    def cut(self, node: Node, peer: bytes, credential: str) -> None:
        """End connections: that of a peer, or all that prove something."""
        for person in self.people:
            if person.node is node and (person.peer == peer or (not peer and proves(person.number) == credential)):
                person.cut_off()

    # -- time

    def step(self) -> None:
        self.now += STEP
        self.stream.store()
        for node in self.nodes:
            node.step()
        for person in self.people:
            person.step()

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.trouble()
            self.step()
        self.heal()
        audit(self)

    def trouble(self) -> None:
        """Let something happen."""
        dice = self.rng.random()
        for chance, what in self.troubles:
            dice -= chance
            if dice < 0:
                what()
                return

    def say(self) -> None:
        self.rng.choice(self.people).say(self.rng.randrange(1, 5))

    def leave(self) -> None:
        """Let somebody leave for good, or be killed."""
        alive = [one for one in self.people if isinstance(one, Person) and not one.dead]
        if len(alive) > 2:
            person = self.rng.choice(alive)
            if self.rng.random() < 0.5:
                person.send([{"type": "bye"}])
            person.dead = True

    def kill(self) -> None:
        node = self.rng.choice(self.nodes)
        if node.up:
            node.die()

    def kill_within_a_transaction(self) -> None:
        node = self.rng.choice(self.nodes)
        if node.up:
            node.store.fuse = self.rng.randrange(1, 4)

    def open(self) -> None:
        node = self.rng.choice(self.nodes)
        if not node.up:
            self.start(node, fresh=self.rng.random() < 0.2)

    def pause(self) -> None:
        self.rng.choice(self.nodes).paused_until = self.now + self.rng.choice([1.0, 3.0, 8.0])

    def cut_off(self) -> None:
        for node in self.rng.sample(self.nodes, self.rng.randrange(1, len(self.nodes) + 1)):
            node.cut(self.rng.choice([2.0, 8.0]))

    def halt(self) -> None:
        self.stream.available = not self.stream.available

    def fill_disk(self) -> None:
        node = self.rng.choice(self.nodes)
        if node.up:
            self.full += 1
            node.fill(self.rng.choice([1.0, 4.0]))

    def retire(self) -> None:
        """Let some brokers find what has been kept for long enough."""
        for node in self.rng.sample(self.nodes, self.rng.randrange(1, len(self.nodes) + 1)):
            node.retire(self.rng.choice([1.0, 4.0, 15.0]))

    def start(self, node: Node, *, fresh: bool = False) -> None:
        """Start a broker that is down; `fresh`: on another machine. It may take a copy of one that lags."""
        others = [each for each in self.nodes if each is not node and each.log.applied.term == self.stream.term]
        if others and (fresh or not self.may_go_on(node)):
            node.copy(self.rng.choice(others))
        if self.may_go_on(node):
            node.open()

    def may_go_on(self, node: Node) -> bool:
        """Return whether the log of a broker that is down is a beginning of the stream's (`terms.py`)."""
        stream, applied = self.stream, Replica(node.store).applied()
        if applied.term == stream.term:
            return applied.seq <= stream.last
        return (applied.term, applied.seq, applied.hash) == (stream.parent, stream.began, stream.parent_hash)

    # -- great events

    def elect(self) -> None:
        """Let nothing be stored while the engine chooses another leader: nobody is sent away for it."""
        self.elections += 1
        self.elects, self.stream.available = True, False
        for node in self.nodes:
            node.paused_until, node.store.fuse = 0.0, 0
        while any(
            node.runs and node.log.broken is None and node.log.applied.seq < self.stream.last for node in self.nodes
        ):
            self.step()
        for _ in range(10):  # who has lost the answers to its last pings may give its broker up now
            self.step()
        here = {one: one.peer for one in self.people if one.is_here()}
        quiet = [one for one in here if not one.unanswered()][:2]
        began = self.now
        for _ in range(self.rng.randrange(16, 37)):
            self._speak_while_nothing_is_stored(list(here), quiet)
            self.step()
            for person, peer in here.items():
                assert (person.state, person.peer) == ("in", peer), f"{person.number} is where it was"
                assert not person.asked, f"{person.number} waits for {list(person.asked)}"
            for person in self.people:
                waits = person.comes_since(began)
                assert waits <= ANSWERED, f"{person.number} waits for its welcome since {waits} s"
        self.elects, self.stream.available = False, True

    def _speak_while_nothing_is_stored(self, here: list[Person | Caller], quiet: list[Person | Caller]) -> None:
        loud = [one for one in self.people if one not in quiet]
        if loud:
            self.rng.choice(loud).say(1)
        for person in here:
            person.asked.clear()
            person.ask("ping")
            if person in quiet and person.node is not None and not person.node.waits_for(person.peer):
                person.ask("rooms")

    def lose_mind(self) -> None:
        """Let the stream forget, and make another one of what the brokers have: nothing acknowledged is lost."""
        best = max(self.nodes, key=lambda node: node.log.applied.seq)
        for node in self.nodes:
            node.paused_until, node.cut_until = 0.0, min(node.cut_until, self.now - LEASE)
        if not best.up or best.full_until or any(node.log.broken for node in self.nodes):
            return
        self.stream.go_mad()
        if self.stream.term == best.log.applied.term and self.stream.last >= best.log.applied.seq:
            return  # nobody had read what is missing
        self.losses += 1
        for _ in range(self.rng.randrange(2, 12)):
            self.rng.choice(self.people).say(1)
            self.step()
            before = [len(person.acked) for person in self.people]
            for node in self.nodes:
                assert not node.up or node.log.broken is not None, "all have noticed"
            assert before == [len(person.acked) for person in self.people]
        self.restore(best)

    def restore(self, best: Node) -> None:
        """Make another stream, of the broker that applied most; all start again."""
        applied = best.log.applied
        stream = Stream(self.rng, f"{int(applied.term) + 1:016}", applied.seq, applied.term)
        stream.parent_hash = applied.hash
        self.stream = stream
        for node in self.nodes:
            if node.up:
                node.die()
        for node in sorted(self.nodes, key=lambda node: node is not best):
            if not self.may_go_on(node):
                node.copy(best)
            node.open()

    # -- the end

    def heal(self) -> None:
        self.calm = self.stream.calm = self.stream.available = True
        dead = [node for node in self.nodes if not node.up]
        if self.rng.random() < 0.5:
            dead = dead[1:]  # one stays away
        for node in self.nodes:
            node.paused_until, node.store.fuse = 0.0, 0
            node.cut_until = min(node.cut_until, self.now)
            if node.full_until:
                node.fill(0.0)
            if node in dead:
                self.start(node)
        for at in range(HEALED_WITHIN):
            self.step()
            if at == HEALED_WITHIN // 2:
                for person in self.people[: -len(self.callers)]:
                    person.dead |= person.shut_out  # whoever might invite it has left
            if not self.stream.flight and self.quiet() and all(one.is_done(self.log()) for one in self.people):
                return
        waiting = [len(one.said) - len(one.acked) for one in self.people]
        raise AssertionError(f"not healed: {waiting}")

    def quiet(self) -> bool:
        """Return whether all brokers here have applied all, wait for nothing, and know who is here."""
        here = self.here
        sessions = {one.producer.id: node.name for node in here for one in node.hub.roster.all()}
        return all(
            node.log.applied.seq == self.stream.last
            and node.log.epoch
            and not node.log.waits
            and not node.log.due(max(node.log.time, NOON + self.now + node.skew))
            and {client: held.broker for client, held in node.log.cluster.claims.items()} == sessions
            and all(node.roster(room) == self.present(room) for room in ("general", INSIDE))
            for node in here
        )

    def present(self, room: str) -> list[Shown]:
        """Return who is in a room, at any broker."""
        sessions = [one for node in self.here for one in node.hub.roster.all()]
        return sorted({shown(one.author) for one in sessions if one.rooms.get(room) is False and one.nick})
