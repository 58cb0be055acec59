"""The people of the stories. They say numbered lines, lose patience, and go on at another broker.

They claim to know: what was acknowledged has one place and one answer, wherever they ask, and is in the history of the
broker that welcomes them.
"""

import json
from typing import TYPE_CHECKING, Any

from tests.broker.dialogue import NOON
from tests.cluster.simulation.broker import INVITED, MEMBERS, Node
from zchat.protocol import links, wire

if TYPE_CHECKING:
    from tests.cluster.simulation.world import World

ROOMS = ("general", "ops")
INSIDE = "+den"  # a private room
NICKS = ("same", "Same", "other", "another")  # that several people want
CODE = links.encode_code(b"the owner's code")  # by which one comes in
WITHOUT_EVENT = {"read", "unschedule", "react", "pin"}  # or it may be
EVENTS = {"say": "message", "react": "reaction"}  # what comes of a command that is called otherwise
LATER = "said later as "  # with the id: what became of a number
TRIED = {"no_session", "unavailable", "out_of_order", "not_member"}  # what is answered so was not taken
HARMLESS = {"nick_taken", "forbidden", "banned", "not_member", "unknown_room", "bad_invite"}  # of what has no number
PATIENCE = 3.0  # s after which a person who hears nothing tries elsewhere
ANSWERED = 5.0 + 0.6  # s after which everything is answered: what the pipeline lets wait, and two steps


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
        self.inside: list[tuple[str, int]] = []  # (`from`, `seq`) of what was heard of the private room
        self.asked: set[str] = set()  # the `ref`s of questions without an answer
        self.node: Node | None = None
        self.peer, self.state = b"", "out"
        self.heard = self.came_at = 0.0
        self.moves = 0
        self.from_ = ""
        self.shut_out = False  # nobody has invited it
        self.dead = False  # killed, and not started again

    def go(self, node: Node) -> None:
        """Say hello at a broker, by a new connection."""
        self.moves += 1
        self.asked.clear()
        self.node, self.peer, self.state = node, f"p{self.number}.{self.moves}".encode(), "coming"
        self.heard = self.came_at = self.world.now
        who = {"device": "laptop"} if self.number < MEMBERS else {"nick": self.nick}
        if self.number == INVITED:
            who = {"device": "key", "nick": "keyed", "invite": CODE}
        lines: list[dict[str, Any]] = [{"type": "hello", "protocol": 1, "client": self.secret, **who}]
        if self.world.rng.random() < 0.3:  # who does not wait for the welcome
            lines += self.unanswered()
        self.send(lines)

    def send(self, lines: list[dict[str, Any]]) -> None:
        if self.node is not None and self.node.up and lines:
            self.node.inbox.append((self.peer, b"\n".join(json.dumps(line).encode() for line in lines)))

    def ask(self, type_: str, **fields: Any) -> None:
        ref = f"{type_} at {self.world.now}"
        self.asked.add(ref)
        self.send([{"type": type_, "ref": ref, **fields}])

    def unanswered(self) -> list[dict[str, Any]]:
        return [line for n, line in self.said.items() if n not in self.acked]

    def is_here(self) -> bool:
        """Whether it is at a broker, as both see it."""
        return self.state == "in" and not self.dead and self.node is not None and self.node.has_session(self.peer)

    def comes_since(self, time: float) -> float:
        """Return for how many seconds it waits for the answer to a hello that it has sent after a time."""
        waits = self.state == "coming" and self.came_at > time and not self.dead
        return self.world.now - self.came_at if waits else 0.0

    # -- what is said

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
            plain | {"room": INSIDE},
            plain | {"room": INSIDE},
            {"type": "access", "room": INSIDE, rng.choice(["admit", "admit", "expel"]): about["from"]},
            {"type": "access", "room": INSIDE, "mode": "private"},
            {"type": "invite", "hash": links.invitation_hash(CODE), "uses": 5},
            {"type": "read", "room": rng.choice([*ROOMS, INSIDE]), "seq": rng.randrange(1, 200)},
            {"type": "read", "to": other.nick, "seq": rng.randrange(1, 200)},
            plain | {"at": wire.timestamp(NOON + self.world.now + rng.choice([1.0, 4.0, 10.0, 1_000.0]))},
            plain | {"at": wire.timestamp(NOON + self.world.now + rng.choice([1.0, 4.0, 10.0, 1_000.0]))},
            {"type": "unschedule", "id": rng.randrange(1, 6)},
            plain | {"reply_to": self.some_seq()},
            {"type": "edit", "seq": self.some_seq(), "text": text},
            {"type": "edit", "seq": self.some_seq(), "text": text},
            {"type": "delete", "seq": self.some_seq()},
            {"type": "react", "seq": self.some_seq(), "emoji": rng.choice("👍👎"), "off": rng.random() < 0.3},
            {"type": "react", "seq": rng.randrange(1, 200), "emoji": "👍"},
            {"type": "pin", "seq": self.some_seq(), "off": rng.random() < 0.3},
        ]
        return rng.choice(rare) if rng.random() < 0.5 else plain

    def some_seq(self) -> int:
        """Return the `seq` of something that it, or sometimes another one, has said: nobody does that to callers."""
        rng = self.world.rng
        who = self if rng.random() < 0.7 else rng.choice(self.world.people)
        known = sorted(set(who.acked.values()) - {0}) if isinstance(who, Person) else []
        return rng.choice(known) if known else 9_999

    def say(self, times: int) -> None:
        for _ in range(times):
            self.n += 1
            self.said[self.n] = self.command(self.n) | {"n": self.n}
        if self.state == "in":
            self.send([self.said[n] for n in range(self.n - times + 1, self.n + 1)])
            if self.world.rng.random() < 0.2:
                self.send([{"type": "join", "room": INSIDE}])
            if self.world.rng.random() < 0.1:
                self.send([{"type": "nick", "nick": self.world.rng.choice(NICKS)}])
            if self.world.rng.random() < 0.1:
                self.send([{"type": "away", "text": f"since {self.n}"}])

    def step(self) -> None:
        now, rng, world = self.world.now, self.world.rng, self.world
        if self.dead:
            return
        patience = PATIENCE if not world.elects or self.state == "in" else ANSWERED + 1.0
        restless = not world.calm and not world.elects and rng.random() < 0.02
        if self.state == "out" or now - self.heard > patience or restless:
            up = [node for node in world.nodes if node.up]
            if up:
                self.go(rng.choice(up))
        elif self.state == "in":
            self.send([{"type": "ping"}])
            if rng.random() < 0.2:
                self.send(self.unanswered())

    # -- what is heard

    def receive(self, lines: list[bytes]) -> None:
        peer = self.peer
        for line in lines:
            if self.peer == peer:
                self.hear(json.loads(line))

    def cut_off(self) -> None:
        self.state = "out"

    def is_done(self, log: list[dict[str, Any]]) -> bool:
        return self.dead or len(self.acked) == len(self.said)

    def hear(self, line: dict[str, Any]) -> None:
        self.heard = self.world.now
        self.asked.discard(line.get("ref") or "")
        match line["type"]:
            case "welcome":
                self.welcome(line)
            case "ack":
                if "seq" in line:
                    self.answer(line["n"], line["seq"], bool(line.get("duplicate")))
                else:
                    self.answer_without_event(line["n"], line.get("scheduled"))
            case "renamed":
                self.nick = line["nick"]
            case "history":
                where, seq = line["ref"].split()[1:]
                there = self.world.retired | {event["seq"] for event in line["events"]}
                assert int(seq) in there, f"{seq} is acknowledged, and not in {where}"
            case "message" | "edit" if line.get("room") == INSIDE:
                self.inside.append((self.from_, line["seq"]))
            case "bye":
                self.state = "out"
            case "error":
                self.fail(line)

    def welcome(self, line: dict[str, Any]) -> None:
        most = max(self.acked, default=0)
        assert line["n"] >= most, f"B1: welcome.n {line['n']} is below {most}, which was acknowledged"
        self.state, self.nick, self.from_ = "in", line["nick"], line["from"]
        self.send(self.unanswered())
        self.send([{"type": "join", "room": room} for room in ("general", INSIDE)])
        stored = [n for n, seq in self.acked.items() if seq and n not in self.refused and "room" in self.said[n]]
        if stored and "text" in self.said[stored[-1]]:
            room, seq = self.said[stored[-1]]["room"], self.acked[stored[-1]]
            self.send([{"type": "history", "room": room, "after": seq - 1, "ref": f"in {room} {seq}"}])

    def answer_without_event(self, n: int, scheduled: int | None) -> None:
        if scheduled is None and (seq := self.retired(n)):  # and so forgotten
            assert self.acked.setdefault(n, seq) == seq, f"{n} has two places"
            return
        assert (scheduled is not None) == ("at" in self.said[n]), "an id is that of something for later"
        assert scheduled or self.said[n]["type"] in WITHOUT_EVENT, f"ack of {n} without a place"
        how = f"{LATER}{scheduled}" if scheduled else "noted"
        assert self.refused.setdefault(n, how) == how, "the same answer each time"
        assert self.acked.setdefault(n, 0) == 0, f"{n} has a place, and none"

    def retired(self, n: int) -> int | None:
        """Return the place of what it has said as number `n`, if that was kept for long enough."""
        line = self.said[n]
        kind = EVENTS.get(line["type"], line["type"])
        if self.acked.get(n) in self.world.retired:
            return self.acked[n]
        for seq in self.world.retired - set(self.acked.values()):
            event = self.world.archive[seq]
            same = event.get("text", event.get("target")) == line.get("text", line.get("seq"))
            if same and (event["type"], event["from"]) == (kind, self.from_):
                return seq
        return None

    def answer(self, n: int, seq: int, duplicate: bool) -> None:
        assert self.acked.setdefault(n, seq) == seq, f"{n} has two places"
        if duplicate:
            self.refused[n] = "duplicate"
        assert (n in self.refused) == duplicate, "the same answer each time"

    def fail(self, line: dict[str, Any]) -> None:
        code, n = line["code"], line.get("n")
        assert code != "internal", line
        self.shut_out = code == "bad_invite"
        if code in TRIED or (self.state == "coming" and n is None):
            if code == "nick_taken" and self.number > INVITED:
                self.nick = f"{self.nick}{self.number}"
            if self.state == "coming" or code in ("no_session", "not_member"):
                self.state = "out"
        elif n is not None:
            assert self.refused.setdefault(n, code) == code, f"{n} was refused as {self.refused[n]}, and now as {code}"
            assert self.acked.setdefault(n, 0) == 0, f"{n} was acknowledged, and is {code} now"
        else:
            assert code in HARMLESS, line


def no_more(log: list[dict[str, Any]]) -> set[int]:
    """Return the `seq`s of what was deleted, or has perhaps another text because edits are forgotten."""
    stones = {event["seq"] for event in log if event["type"] == "tombstone"}
    return stones | {event["target"] for event in log if event["type"] in ("edit", "tombstone") and "target" in event}
