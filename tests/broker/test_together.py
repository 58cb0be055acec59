"""A batch taken whole brings about what its lines do one after the other: being fast changes no answer."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.broker.dialogue import Json, Peer
from tests.broker.team import Team, do, who_is

NICKS = ("alice", "bob", "carol")
STRANGE = (
    {"type": "say", "room": "general", "text": ""},
    {"type": "say", "room": "general", "text": "x" * 16_385},
    {"type": "say", "room": "general", "text": "ü" * 5_000},
    {"type": "say", "room": "general", "to": "bob", "text": "room and nick"},
    {"type": "say", "room": "b/d", "text": "no room"},
    {"type": "say", "room": "a new one", "text": "made by it"},
    {"type": "say", "to": "bob", "text": "private"},
    {"type": "say", "to": "nobody", "text": "private"},
    {"type": "say", "room": "general", "text": "early", "ahead": 2},
    {"type": "say", "room": "general", "text": "again", "ahead": -1},
    {"type": "say", "room": "general", "text": "answered", "kind": "notice", "reply_to": 1, "ref": "r"},
    {"type": "topic", "room": "general", "text": "news"},
    {"type": "topic", "room": "general", "text": ""},
    {"type": "ping", "ref": 1},
    {"type": "join", "room": "general"},
    {"type": "who", "room": "general"},
    {"type": "part", "room": "ops"},
    {"type": "rubbish"},
)
plain = st.builds(
    lambda room, text: {"type": "say", "room": room, "text": text},
    st.sampled_from(["general", "ops", "+den", "news"]),
    st.text("aü", min_size=1, max_size=3),
)
once = st.just({"type": "say", "room": "general", "text": "said once", "once": "key"})
commands = st.lists(plain | plain | once | st.sampled_from(STRANGE), min_size=1, max_size=12)
batches = st.lists(st.tuples(st.integers(0, len(NICKS)), st.lists(commands, min_size=1, max_size=4)), max_size=4)


class Room:
    """A broker with two members, a guest, and one who only reads; alice and bob are in a private room.

    Bob is muted in ops, and only alice speaks in news.
    """

    def __init__(self, rate: float) -> None:
        self.broker = Team()
        alice, bob = (self.broker.member(nick) for nick in NICKS[:2])
        self.peers: list[Peer] = [alice, bob, self.broker.hello(NICKS[2]), self.broker.hello()]
        for peer in self.peers[:3]:
            for room in ("general", "ops", "news"):
                peer.say("here", room)
        do(alice, "access", room="+den", mode="private")
        do(alice, "access", room="+den", admit=who_is(bob))
        do(self.broker.olga, "mute", **{"from": who_is(bob)}, room="ops")
        do(self.broker.olga, "access", room="news", mode="announce")
        do(self.broker.olga, "access", room="news", operator=who_is(alice))
        for peer in (alice, bob):
            peer.ask("join", room="+den")
        self.broker.said.clear()
        self.broker.published.clear()
        self.broker.hub.limits = type(self.broker.hub.limits)(rate=rate)
        for known in self.broker.hub.roster.peers.values():
            known.bucket.rate = known.bucket.tokens = rate

    def frames(self, who: int, frames: list[list[Json]]) -> list[tuple[bytes, bytes]]:
        """Number the commands as their sender would, and put them into frames."""
        peer, made = self.peers[who], []
        for frame in frames:
            lines = []
            for command in frame:
                fields: dict[str, Any] = dict(command)
                if fields["type"] in {"say", "topic"}:
                    ahead = fields.pop("ahead", None)
                    peer.n += ahead is None
                    fields["n"] = max(1, peer.n + (ahead or 0))
                lines.append(peer.line(fields.pop("type"), **fields))
            made.append((peer.id, b"\n".join(lines)))
        return made


def parted(said: dict[bytes, list[Json]]) -> dict[bytes, tuple[list[Json], list[Json]]]:
    """Part what each peer was sent into replies and events: an ack and an event may come in either order."""
    return {
        peer: ([line for line in lines if "time" not in line], [line for line in lines if "time" in line])
        for peer, lines in said.items()
    }


@pytest.mark.parametrize("rate", [0.0, 8.0])
@settings(max_examples=150, deadline=None, report_multiple_bugs=False)
@given(batches)
def test_a_batch_brings_about_what_its_lines_do_one_by_one(
    rate: float, made: list[tuple[int, list[list[Json]]]]
) -> None:
    made = list(dict(made).items())  # by peer: in which order a batch takes its peers is the broker's affair
    whole, single = Room(rate), Room(rate)
    single.broker.hub.__dict__["receive_together"] = lambda *_: None
    whole.broker.take(*[frame for who, frames in made for frame in whole.frames(who, frames)])
    for who, frames in made:
        for peer, frame in single.frames(who, frames):
            for line in frame.split(b"\n"):
                single.broker.take((peer, line))
    assert parted(whole.broker.said) == parted(single.broker.said)
    for topic in {where for where, _ in single.broker.published}:
        told = [[event for where, event in room.broker.published if where == topic] for room in (whole, single)]
        assert told[0] == told[1]
    assert len(whole.broker.published) == len(single.broker.published)
