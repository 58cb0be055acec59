"""Several brokers over one stream, and people who move between them, in memory, driven from a seed.

The hubs, pipelines and logs are the real ones; the stream, the links and the people are not. The stream loses what is
published, or stores it twice, or late, so that what was published after it comes before it. It tells nobody whether it
has stored something. Brokers read it late, with repeats and with holes; they are paused, killed, cut off from each
other's heartbeats, and their clocks differ. People say numbered lines, lose patience, and go on at another broker.
"""

import json
import random
from collections import defaultdict
from typing import Any

from tests.broker.dialogue import NOON
from zchat.broker.core.entrance import Terms
from zchat.broker.core.hub import Hub
from zchat.broker.core.leases import Leases
from zchat.broker.log import StreamLog
from zchat.broker.sharing import SharedPipeline
from zchat.broker.store import Store
from zchat.protocol import wire

ROOMS = ("general", "ops")
NICKS = ("same", "Same", "other", "another")  # that several people want
MEMBERS = 2  # of the people; the first one is an owner
TRIED = {"no_session", "unavailable", "out_of_order"}  # what is answered so was not taken
STEP = 0.25  # s of the world's time
HEARTBEAT_GAP, LEASE = 1.0, 4.0
PATIENCE = 3.0  # s after which a person who hears nothing tries elsewhere
HEALED_WITHIN = 400  # steps


def credential(number: int) -> str:
    """Return what the connections of a person prove."""
    return f"uid:100{number}@host" if number < MEMBERS else ""


class Stream:
    """The messages in their order, and publications on their way."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.messages = rng, list[bytes]()
        self.flight: list[bytes] = []
        self.calm = False
        self.available = True

    def publish(self, payload: bytes) -> None:
        dice = 1.0 if self.calm else self.rng.random()
        if dice < 0.15:
            return
        self.flight += [payload] * (2 if dice < 0.3 else 1)

    def store(self) -> None:
        """Store some of what is on its way: mostly in order."""
        if not self.available:
            return
        for _ in range(len(self.flight) if self.calm else self.rng.randrange(0, 4)):
            if self.flight:
                late = not self.calm and self.rng.random() < 0.3
                self.messages.append(self.flight.pop(self.rng.randrange(len(self.flight)) if late else 0))


class Node:
    """A broker: its store outlives it."""

    def __init__(self, world: "World", name: str) -> None:
        self.world, self.name = world, name
        self.store = Store(None, "0" * 32, NOON)
        self.skew = world.rng.choice([0.0, 0.0, 3_600.0, -20.0])
        self.up, self.paused_until, self.cut_from, self.cut_until = False, 0.0, 0.0, -LEASE
        self.asked_at = 0.0
        self.starts = 0
        self.open()

    def open(self) -> None:
        """Start, with what the store holds."""
        world = self.world
        self.starts += 1
        self.up, self.reads_until = True, len(world.stream.messages)
        nonce = f"{self.name}{self.starts}"
        self.log = StreamLog(self.store, self.name, "term1", nonce, self.publish)
        self.hub = Hub(
            server="zchat/test",
            log=self.log.id,
            feed=lambda _: "tcp://127.0.0.1:5556",
            heartbeat=2.0,
            grace=6.0,
            rate=0.0,
            capacity=1_000,
            fresh=lambda: f"{world.rng.getrandbits(128):032x}",
            rooms=self.log.began_with,
            head=self.log.head,
            epochs=self.log.epochs,
            now=world.now,
            members=self.log.members.copy(),
            shares=True,
            credential=lambda peer: credential(int(peer[1:].split(b".")[0])),
            terms=Terms(owners=frozenset({credential(0)}), login=lambda credential: f"m{credential[7]}"),
        )
        self.pipeline = SharedPipeline(self.hub, self.log)
        self.log.observe = self.pipeline.observe
        self.log.lost = self.lose
        self.leases = Leases(self.name, HEARTBEAT_GAP, LEASE)
        self.inbox: list[tuple[bytes, bytes]] = []
        self.began_at = self.log.head
        self.published: dict[str, list[bytes]] = defaultdict(list)
        self.started = False

    def publish(self, payload: bytes) -> None:
        self.asked_at = self.world.now
        self.world.stream.publish(payload)

    def lose(self) -> None:
        for peer in list(self.hub.roster.peers):
            self.pipeline.remove(peer, "timeout")

    def cut(self, seconds: float) -> None:
        """Let heartbeats neither come nor go."""
        now = self.world.now
        if now >= self.cut_until:
            self.cut_from = now
        self.cut_until = max(self.cut_until, now + seconds)

    @property
    def runs(self) -> bool:
        return self.up and self.world.now >= self.paused_until

    def read(self) -> None:
        """Apply some of what the stream has, sometimes with repeats and holes."""
        rng, messages, applied = self.world.rng, self.world.stream.messages, self.log.applied.seq
        upto = len(messages) if self.world.calm else min(len(messages), applied + rng.randrange(0, 8))
        first = applied if self.world.calm else max(0, applied - rng.choice([0, 0, 0, 2]))
        found = [(seq, messages[seq - 1]) for seq in range(first + 1, upto + 1)]
        if not self.world.calm and len(found) > 2 and rng.random() < 0.1:
            del found[rng.randrange(len(found))]
        if found:
            self.log.receive(found)
        if not self.started and self.log.applied.seq >= self.reads_until:
            self.started = True
            self.log.start()

    def step(self) -> None:
        now = self.world.now
        if not self.runs:
            return
        self.read()
        batch, self.inbox = self.inbox, []
        if batch:
            self.pipeline.begin(batch, now, NOON + now + self.skew)
        if self.started and now - self.asked_at > 1.5:
            self.asked_at = now
            self.log.publish_again()
        for peer in self.hub.tick(now, now):
            self.pipeline.remove(peer, "timeout")
        self.hub.second(now)
        self.pipeline.tick(now, NOON + now + self.skew)
        self.deliver()
        self.judge()

    def deliver(self) -> None:
        pipeline = self.pipeline
        while pipeline.public or pipeline.outgoing or pipeline.queries:
            public, outgoing = pipeline.collect()
            pipeline.queries.clear()
            pipeline.cuts.clear()
            for topic, lines in public.items():
                self.published[topic.decode()] += [line for line in lines if b'"prev"' in line]
            for peer, lines in outgoing.items():
                assert peer, "nobody is answered"
                self.world.answer(self, peer, lines)

    def judge(self) -> None:
        """Send a heartbeat to all that are not cut off, and judge who is gone."""
        now, world = self.world.now, self.world
        if now >= self.cut_until:
            for other in world.nodes:
                if other.up and now >= other.cut_until:
                    other.leases.hear(self.name, now)
        epochs = self.log.cluster.epochs
        open_ = [name for name, epoch in epochs.items() if epoch.open and name != self.name]
        for name in self.leases.gone(open_, now):
            cut_for = (now - self.cut_from) if now < self.cut_until else 0.0
            assert cut_for <= HEARTBEAT_GAP, "B3: who is cut off judges nobody"
            if self.cut_until - self.cut_from > HEARTBEAT_GAP:
                assert cut_for or now - self.cut_until > LEASE, "B3: who was cut off waits anew"
            world.verdicts += 1
            self.log.declare_gone(name)

    def lines(self) -> list[dict[str, Any]]:
        rows = self.store.connection.execute("SELECT lines FROM chunk").fetchall()
        events = [json.loads(line) for (lines,) in rows for line in lines.split(b"\n")]
        return sorted(events, key=lambda event: int(event["seq"]))


class Person:
    """Somebody with a client id and an outbox, at one broker at a time."""

    def __init__(self, world: "World", number: int) -> None:
        self.world, self.number = world, number
        self.secret = f"{number:032x}"
        self.nick = f"nick{number}" if world.rng.random() < 0.7 else "same"
        self.n = 0
        self.said: dict[int, dict[str, Any]] = {}
        self.acked: dict[int, int] = {}
        self.refused: dict[int, str] = {}  # taken without an event; also in `acked`
        self.node: Node | None = None
        self.peer, self.state = b"", "out"
        self.heard = 0.0
        self.moves = 0
        self.from_ = ""
        self.dead = False  # killed, and not started again

    def go(self, node: Node) -> None:
        """Say hello at a broker, by a new connection."""
        self.moves += 1
        self.node, self.peer, self.state, self.heard = (
            node,
            f"p{self.number}.{self.moves}".encode(),
            "coming",
            self.world.now,
        )
        who = {"device": "laptop"} if self.number < MEMBERS else {"nick": self.nick}
        lines: list[dict[str, Any]] = [{"type": "hello", "protocol": 1, "client": self.secret, **who}]
        if self.world.rng.random() < 0.3:  # who does not wait for the welcome
            lines += self.unanswered()
        self.send(lines)

    def send(self, lines: list[dict[str, Any]]) -> None:
        if self.node is not None and self.node.up and lines:
            self.node.inbox.append((self.peer, b"\n".join(json.dumps(line).encode() for line in lines)))

    def unanswered(self) -> list[dict[str, Any]]:
        return [line for n, line in self.said.items() if n not in self.acked]

    def command(self, n: int) -> dict[str, Any]:
        """Return some numbered command."""
        rng, text = self.world.rng, f"{self.number}:{n}"
        plain = {"type": "say", "room": rng.choice(ROOMS), "text": text}
        other = self.world.people[rng.randrange(len(self.world.people))]
        about = {"from": other.from_ or "0" * 16}
        rare: list[dict[str, Any]] = [
            plain | {"once": f"key{rng.randrange(5)}"},
            plain | {"reply_to": rng.randrange(1, 100)},
            {"type": "topic", "room": rng.choice(ROOMS), "text": text},
            {"type": "say", "to": other.nick, "text": text},
            {"type": rng.choice(["mute", "unmute"]), **about},
            {"type": "role", "role": rng.choice(["moderator", "member"]), **about},
            {"type": "ban", "until": wire.timestamp(NOON + self.world.now + 4.0), **about},
        ]
        return rng.choice(rare) if rng.random() < 0.4 else plain

    def say(self, times: int) -> None:
        for _ in range(times):
            self.n += 1
            self.said[self.n] = self.command(self.n) | {"n": self.n}
        if self.state == "in":
            self.send([self.said[n] for n in range(self.n - times + 1, self.n + 1)])
            if self.world.rng.random() < 0.1:
                self.send([{"type": "nick", "nick": self.world.rng.choice(NICKS)}])

    def step(self) -> None:
        now, rng = self.world.now, self.world.rng
        if self.dead:
            return
        if self.state == "out" or now - self.heard > PATIENCE or (not self.world.calm and rng.random() < 0.02):
            up = [node for node in self.world.nodes if node.up]
            if up:
                self.go(rng.choice(up))
        elif self.state == "in":
            self.send([{"type": "ping"}])
            if rng.random() < 0.2:
                self.send(self.unanswered())

    def hear(self, line: dict[str, Any]) -> None:
        self.heard = self.world.now
        match line["type"]:
            case "welcome":
                most = max(self.acked, default=0)
                assert line["n"] >= most, f"B1: welcome.n {line['n']} is below {most}, which was acknowledged"
                self.state, self.nick, self.from_ = "in", line["nick"], line["from"]
                self.send(self.unanswered())
            case "ack":
                n, seq = line["n"], line.get("seq")
                assert seq is not None, f"ack of {n} without a place"
                assert self.acked.setdefault(n, seq) == seq, f"{n} has two places"
                if line.get("duplicate"):
                    self.refused[n] = "duplicate"
                assert (n in self.refused) == bool(line.get("duplicate")), "the same answer each time"
            case "renamed":
                self.nick = line["nick"]
            case "bye":
                self.state = "out"
            case "error":
                self.fail(line)

    def fail(self, line: dict[str, Any]) -> None:
        code, n = line["code"], line.get("n")
        assert code != "internal", line
        if code in TRIED or (self.state == "coming" and n is None):
            if code == "nick_taken" and self.number >= MEMBERS:
                self.nick = f"{self.nick}{self.number}"
            if self.state == "coming" or code == "no_session":
                self.state = "out"
        elif n is not None:
            assert self.refused.setdefault(n, code) == code, f"{n} was refused as {self.refused[n]}, and now as {code}"
            assert self.acked.setdefault(n, 0) == 0, f"{n} was acknowledged, and is {code} now"
        else:
            assert code in ("nick_taken", "forbidden", "banned", "not_member"), line


class World:
    """All of it, and the time."""

    def __init__(self, seed: int, brokers: int = 3, people: int = 4) -> None:
        self.rng = random.Random(seed)
        self.now, self.calm, self.verdicts, self.kills = 0.0, False, 0, 0
        self.stream = Stream(self.rng)
        self.nodes = [Node(self, name) for name in "abcde"[:brokers]]
        self.people = [Person(self, number) for number in range(people)]

    def answer(self, node: Node, peer: bytes, lines: list[bytes]) -> None:
        for person in self.people:
            if person.node is node and person.peer == peer:
                if not self.calm and self.rng.random() < 0.05:
                    return  # lost on its way
                for line in lines:
                    if person.peer == peer:
                        person.hear(json.loads(line))

    def step(self) -> None:
        self.now += STEP
        self.stream.store()
        for node in self.nodes:
            node.step()
        for person in self.people:
            person.step()

    def trouble(self) -> None:
        """Let something happen."""
        rng, node = self.rng, self.rng.choice(self.nodes)
        alive = [one for one in self.people if not one.dead]
        dice = rng.random()
        if dice < 0.45:
            rng.choice(self.people).say(rng.randrange(1, 5))
        elif dice < 0.455 and len(alive) > 1:
            self.leave(rng.choice(alive))
        elif dice < 0.60:
            self.kill_or_open(node, dice < 0.50)
        elif dice < 0.64:
            node.paused_until = self.now + rng.choice([1.0, 3.0, 8.0])
        elif dice < 0.67:
            for each in rng.sample(self.nodes, rng.randrange(1, len(self.nodes) + 1)):
                each.cut(rng.choice([2.0, 8.0]))
        elif dice < 0.69:
            self.stream.available = not self.stream.available

    def kill_or_open(self, node: Node, kill: bool) -> None:
        if kill and node.up:
            self.kills += 1
            node.up = False
        elif not kill and not node.up:
            if self.rng.random() < 0.2:  # on another machine: with a copy of another's log, also of one that lags
                other = self.rng.choice([each for each in self.nodes if each is not node])
                other.store.connection.backup(node.store.connection)
            node.open()

    def leave(self, person: Person) -> None:
        """Let somebody leave for good, or be killed."""
        if self.rng.random() < 0.5:
            person.send([{"type": "bye"}])
        person.dead = True

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.trouble()
            self.step()
        self.heal()
        self.audit()

    def heal(self) -> None:
        self.calm = self.stream.calm = self.stream.available = True
        dead = [node for node in self.nodes if not node.up]
        if self.rng.random() < 0.5:
            dead = dead[1:]  # one stays away
        for node in self.nodes:
            node.paused_until = 0.0
            node.cut_until = min(node.cut_until, self.now)
            if node in dead:
                node.open()
        for _ in range(HEALED_WITHIN):
            self.step()
            done = all(person.dead or len(person.acked) == len(person.said) for person in self.people)
            if done and not self.stream.flight and self.quiet():
                return
        raise AssertionError(f"not healed: {[len(p.said) - len(p.acked) for p in self.people]}")

    def quiet(self) -> bool:
        """Return whether all brokers here have applied all, wait for nothing, and claim just who is here."""
        here = [node for node in self.nodes if node.up]
        sessions = {one.producer.id: node.name for node in here for one in node.hub.roster.all()}
        return all(
            node.log.applied.seq == len(self.stream.messages)
            and node.log.epoch
            and not node.log.waits
            and {client: held.broker for client, held in node.log.cluster.claims.items()} == sessions
            for node in here
        )

    def audit(self) -> None:
        here = [node for node in self.nodes if node.up]
        dumps = ["\n".join(node.store.connection.iterdump()) for node in here]
        assert all(dump == dumps[0] for dump in dumps), "all logs are the same to the byte"
        log = here[0].lines()
        texts = [(event["text"], event["seq"]) for event in log if "text" in event]
        places = dict(texts)
        assert len(places) == len(texts), "nothing is there twice"
        assert [event["seq"] for event in log] == list(range(1, len(log) + 1))
        assert [event["time"] for event in log] == sorted(event["time"] for event in log), "time never goes back"
        for person in self.people:
            mine = [text for text in places if text.startswith(f"{person.number}:")]
            said = [line["text"] for n, line in person.said.items() if "text" in line and n not in person.refused]
            if person.dead:
                sure = [line["text"] for n, line in person.said.items() if "text" in line and person.acked.get(n)]
                mine = [text for text in mine if text in sure]
                said = [text for text in sure if text in said]
            assert mine == said, "each once, in its sender's order"
            for n, seq in person.acked.items():
                if n not in person.refused and "text" in person.said[n]:
                    assert places[person.said[n]["text"]] == seq, "acknowledged with its place"
        for node in here:
            for room in ROOMS:
                seen = [json.loads(line) for line in node.published[f"room/{room}/"]]
                expected = [
                    event
                    for event in log
                    if event.get("room") == room
                    and event["type"] in ("message", "topic")
                    and event["seq"] > node.began_at
                ]
                assert seen == expected, f"{node.name} published something else"
            for session in node.hub.roster.all():
                held = node.log.cluster.claims.get(session.producer.id)
                assert held is not None, "who is here is claimed"
                assert held.broker == node.name, "who is here is claimed here"
