"""The same world with members and a private room: two devices of one member, another one, and who operates the room.

Whoever operates the room expels the other one, or mutes it there, at any moment: in the middle of a batch, or again
because nobody knows whether it was taken. What was said in the room while one was in it is shown as in a public room;
nothing that was said later is.
"""

import json
from functools import cache
from itertools import count
from typing import Any

from tests.broker.dialogue import NOON, Broker
from tests.broker.team import TERMS, Team, do, key, who_is
from tests.reliability.world import Client, World
from zchat.broker.store import Store
from zchat.protocol import links

INSIDE = "+ops"
KEYS = (key("ann"), key("phone"), key("bob"))  # of the clients
BOSS = key("boss")  # who operates the room


@cache
def _log() -> tuple[Store, str]:
    """Return a log in which these are members and in the room, and bob's `from`."""
    team = Team()
    boss = team.member("boss")
    assert do(boss, "access", room=INSIDE, mode="private")["type"] == "ack"
    ann, bob = team.member("ann"), team.member("bob")
    team.come(KEYS[1], device="phone", invite=team.invitation(ann, **{"self": True}))
    for one in (ann, bob):
        assert do(boss, "access", room=INSIDE, admit=who_is(one))["type"] == "ack"
    assert do(team.olga, "role", role="moderator", **{"from": who_is(boss)})["type"] == "ack"
    assert links.CREDENTIAL in BOSS
    return team.store, who_is(bob)


class Member(Client):
    """A client whose key is a member's. Only bob loses something."""

    rooms = ("general", INSIDE)
    device = "device"
    secret = "c{:031x}"  # nobody has it in the log that there is

    def __init__(self, number: int) -> None:
        super().__init__(number)
        if number == 2:
            self.refusable = frozenset({(INSIDE, "unknown_room"), (INSIDE, "muted")})


class House(World):
    """The world with a private room."""

    client = Member

    def begin(self) -> Broker:
        store, self.bob = _log()
        own = Store(None, "0" * 32, NOON)
        store.connection.backup(own.connection)
        own._begin("")
        self.waiting: list[bytes] = []  # what is done to bob with the next batch
        broker = Broker(store=own, grace=6.0, heartbeat=2.0, terms=TERMS)
        broker._fresh = count(1_000_000)
        return broker

    # -- what people do

    def expel(self) -> None:
        self._change("e", {"type": "access", "n": 1, "room": INSIDE, "expel": self.bob})

    def mute(self) -> None:
        self._change("m", {"type": "mute", "n": 1, "from": self.bob, "room": INSIDE})

    def _change(self, client: str, command: dict[str, Any]) -> None:
        hello = {
            "type": "hello",
            "protocol": 1,
            "device": "one",
            "client": client * 32 if client in "abcdef" else "0" * 32,
        }
        self.waiting.append(b"\n".join(json.dumps(line).encode() for line in (hello, command, {"type": "bye"})))

    def _write(self, batch: list[tuple[bytes, bytes]]) -> None:
        waiting, self.waiting = self.waiting, []
        for at, payload in enumerate(waiting):
            peer = b"\0boss%d" % next(self._peers)
            self.broker.credentials[peer] = BOSS
            batch.insert((at + len(batch)) // 2, (peer, payload))
        super()._write(batch)

    def _connected(self, client: Client) -> bool:
        there = super()._connected(client)
        if there:
            self.broker.credentials[client.peer] = KEYS[client.number]
        return there

    # -- what must be true in the end

    @property
    def expelled_at(self) -> int | None:
        """The `seq` of bob's expulsion."""
        chain = self.broker.store.chain()
        return next((each.seq for each in chain if each.change == "expelled"), None)

    def _of(self, client: Client, log: list[dict[str, Any]]) -> list[tuple[str, str]]:
        """Return what a client has said: what nobody heard refused, because its process died, counts as said."""
        ours = dict.fromkeys(client.said)
        found = [(str(e.get("room")), e["text"]) for e in log if (e.get("room"), e["text"]) in ours]
        unheard = {one for one in client.orphans if one[0] == INSIDE} if client.number == 2 else set()
        missing = [one for one in client.said if one in unheard and one not in found]
        return sorted([*found, *missing], key=client.said.index) if missing else found

    def _has_seen(self, client: Client, room: str, events: list[dict[str, Any]]) -> bool:
        shown = client.shown[room]
        if client.number != 2 or room != INSIDE or self.expelled_at is None:
            return shown == events
        return shown == events[: len(shown)] and all(event["seq"] < self.expelled_at for event in shown)

    def _followed(self, client: Client) -> tuple[str, ...]:
        out = client.number == 2 and self.expelled_at is not None
        return client.rooms[:1] if out else client.rooms

    def _missed(self, client: Client, log: list[dict[str, Any]]) -> set[int]:
        return set()  # nothing is said to one alone in these stories
