"""People of the stories with the client's real session: it finds out for itself at which broker to go on.

What they say and are shown is kept as in `tests/reliability`: said once, acknowledged once, and each room is shown as
it is in the log, whatever happened meanwhile. Only a story's end may say that they give up.
"""

from typing import TYPE_CHECKING, Any

from tests.cluster.simulation.broker import Node
from tests.cluster.simulation.people import no_more
from tests.reliability.world import Client
from zchat.client.core.brokers import Brokers
from zchat.client.core.handshake import Fault
from zchat.client.core.room import Room
from zchat.client.core.session import Session
from zchat.protocol import messages as m

if TYPE_CHECKING:
    from tests.cluster.simulation.world import World


LATER_ON = {"edited", "reactions", "pinned", "answers"}  # what was done to a message until it was shown


class Caller(Client):
    """A client at one of the brokers, or on its way to another one."""

    dead = shut_out = False
    from_ = ""  # nobody does anything about it

    def __init__(self, world: "World", number: int) -> None:
        self.world, self.start, self.moves = world, 0, 0
        self.node: Node | None = None
        self.nick, self.came_at, self.asked = f"nick{number}", 0.0, set[str]()
        self._texts = 0
        super().__init__(number)

    def born(self) -> Session:
        places = [f"tcp://127.0.0.1:{5_000 + at}" for at in range(len(self.world.nodes))]
        return Session(
            self.nick,
            client=self.id,
            broker=places[0],
            brokers=Brokers(places, self.world.rng.random),
            jitter=self.world.rng.random,
            fresh=lambda: f"{self.world.rng.getrandbits(128):032x}",
            rooms=[Room(room, after=0) for room in self.rooms],
            patience=1e9,
        )

    # -- its links

    def unplug(self) -> None:
        super().unplug()
        self.node = None

    def step(self) -> None:
        now = self.world.now
        if self.connects_at is not None and now >= self.connects_at:
            self.connects_at = None
            self._connect(self.world.nodes[int(self.session.endpoint.rpartition(":")[2]) - 5_000])
        if self.node is not None and (not self.node.up or self.node.starts != self.start):
            self.cut_off()
        self.carry_out(self.session.tick(now), now)
        while self.wishes:
            add, topic = self.wishes.popleft()
            (self.topics.add if add else self.topics.discard)(topic)
        while self.up and self.node is not None:
            self.node.inbox.append((self.peer, self.up.popleft()))

    def _connect(self, node: Node) -> None:
        now = self.world.now
        self.carry_out(self.session.connected(now), now)
        if not node.up:
            self.carry_out(self.session.lost(now, Fault.NOBODY), now)
            return
        self.moves += 1
        self.node, self.start, self.came_at = node, node.starts, now
        self.peer = b"p%d.%d" % (self.number, self.moves)
        self.carry_out(self.session.reached(now), now)

    def cut_off(self) -> None:
        """Lose the connection, and notice it."""
        self.unplug()
        self.unplug_feed()
        if self.connects_at is None:
            self.carry_out(self.session.lost(self.world.now, Fault.CUT), self.world.now)

    def receive(self, lines: list[bytes]) -> None:
        self.carry_out(self.session.replies(b"\n".join(lines), self.world.now), self.world.now)

    def hear_feed(self, topic: bytes, lines: list[bytes]) -> None:
        if topic in self.topics:
            self.carry_out(self.session.feed(topic, b"\n".join(lines), self.world.now), self.world.now)

    # -- what it does, and is

    def say(self, times: int) -> None:
        for _ in range(times):
            self._texts += 1
            key = (self.world.rng.choice(self.rooms), f"{self.number}:{self._texts}")
            self.said.append(key)
            self.session.post(m.Say(n=1, room=key[0], text=key[1]), key)
        self.carry_out(self.session.flush(self.world.now), self.world.now)

    @property
    def state(self) -> str:
        if self.node is None:
            return "out"
        return "in" if self.session.online else "coming"

    def is_here(self) -> bool:
        return self.state == "in" and self.node is not None and self.node.has_session(self.peer)

    def comes_since(self, time: float) -> float:
        return self.world.now - self.came_at if self.state == "coming" and self.came_at > time else 0.0

    def unanswered(self) -> list[str]:
        return ["something"] * self.session.unanswered

    def ask(self, type_: str, **fields: Any) -> None:
        """Its session asks for itself."""

    def is_done(self, log: list[dict[str, Any]]) -> bool:
        """Whether all is said, and shown."""
        return self.session.unanswered == 0 and all(self.sees(log, room) == in_room(log, room) for room in self.rooms)

    def sees(self, log: list[dict[str, Any]], room: str) -> list[dict[str, Any]]:
        """Return what it was shown and what still stands, as it was said."""
        gone, left = no_more(log), {event["seq"] for event in log}
        shown = [{key: one[key] for key in one if key not in LATER_ON} for one in self.shown[room]]
        return [one for one in shown if one["seq"] not in gone and one["seq"] in left]

    def audit(self, log: list[dict[str, Any]], left: list[dict[str, Any]]) -> None:
        """`left` is the log without what retired: whoever was away then is not shown it."""
        assert self.refused == []
        assert sorted(self.acked) == sorted(self.said), "each has one answer"
        said = [(event["room"], event["text"]) for event in log if event.get("text", "").startswith(f"{self.number}:")]
        assert said == self.said, "the log has its messages, in its order"
        for room in self.rooms:
            assert self.sees(left, room) == in_room(left, room), f"{self.number} was shown something else in {room}"
        direct = [event["seq"] for event in self.shown["@"]]
        assert direct == sorted(set(direct)), "what was said to it alone, each once and in order"


def in_room(log: list[dict[str, Any]], room: str) -> list[dict[str, Any]]:
    gone = no_more(log)
    return [one for one in log if one.get("room") == room and one["type"] == "message" and one["seq"] not in gone]
