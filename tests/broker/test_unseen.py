"""A private room that one may not see does not exist: all that one is sent is the same, byte for byte.

Three brokers live through the same: in the first there is +ops, with people, a topic and words in it; in the second
all that went to +etc; in the third there was never such a room, and as many lines went elsewhere. Then people of all
roles ask, one thing after the other, for +ops. Whoever asks, and whoever stands beside, is sent the same by all three;
and the work done for it is the same, down to the statements that the log is asked.
"""

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.broker.dialogue import Json, Peer
from tests.broker.team import OTHER, Team, do, key, who_is
from zchat.protocol import links

ROLES = ("member", "moderator", "owner", "guest", "user")
HASH = "0" * 64
STRANGER = "f" * 16


class House(Team):
    """A broker in which ann and bob are in a private room; or not, if there is no `room`."""

    def __init__(self, room: str | None) -> None:
        super().__init__()
        self.statements: list[str] = []
        self.insiders = [self.member("ann"), self.member("bob")]
        ann, bob = self.insiders
        steps: list[tuple[str, Json]] = [
            ("access", {"room": room, "mode": "private"}),
            ("access", {"room": room, "admit": who_is(bob)}),
            ("topic", {"room": room, "text": "secret"}),
            ("say", {"room": room, "text": "a secret"}),
        ]
        for number, (type_, fields) in enumerate(steps, 1):
            elsewhere = {"to": "bob", "text": "psst"}
            done = do(ann, type_, **fields) if room else do(ann, "say", **elsewhere)
            assert done["type"] == "ack"
            assert done["n"] == number
        for one in self.insiders if room else ():
            one.ask("join", room=room)
        for one in self.insiders:
            one.ask("join", room="general")
        self.askers = {role: self.member(role, role) for role in ROLES[:3]}
        self.askers |= {"guest": self.hello("guest"), "user": self.come(OTHER, nick="uwe")}
        for one in self.askers.values():
            one.ask("join", room="general")
        self.forget()
        self.store.connection.set_trace_callback(self.statements.append)

    def forget(self) -> None:
        self.said.clear()
        self.published.clear()
        self.statements.clear()

    def put(self, role: str, *questions: Json) -> list[str]:
        """Ask; return all that comes of it, but for those who are inside, and which statements the log was asked."""
        asker = self.askers[role]
        self.take((asker.id, b"\n".join(json.dumps(each).encode() for each in questions)))
        outside = [one.id for one in self.askers.values()] + [self.olga.id]
        told = [(peer.decode(), line) for peer in outside for line in self.said.get(peer, [])]
        told += [(topic, event) for topic, event in self.published]
        found = [json.dumps((where, _same(line))) for where, line in told]
        found += [kind for kind in map(_kind, self.statements) if not any(word in kind for word in FILLING)]
        self.forget()
        return found


FILLING = (
    "-- ",
    "words (rowid",
    "place VALUES",
    "indexed",
    "id > ",
    "BEGIN",
    "COMMIT",
    "FROM mark WHERE target",  # whether another text stands for what is indexed
    "? || id FROM room WHERE name",  # who may read it
)  # of the search index: it is behind


def _kind(statement: str) -> str:
    """Return what a statement does, whatever the values in it."""
    return re.sub(r"'[^']*'|[0-9]+", "?", " ".join(statement.split()))[:80]


def _same(line: Any) -> Json:
    """Leave out what tells the time, the size of the log, and which start of a broker it is."""
    return {name: value for name, value in line.items() if name not in {"uptime", "rate", "log_bytes", "epochs"}}


def ann(team: Team) -> str:
    assert isinstance(team, House)
    return who_is(team.insiders[0])


ROOM = {"room": "+ops"}
QUESTIONS: list[Json] = [
    {"type": "join", **ROOM},
    {"type": "join", **ROOM, "after": 0},
    {"type": "join", **ROOM, "quiet": True, "backlog": 5},
    {"type": "part", **ROOM},
    {"type": "who", **ROOM},
    {"type": "who", "nick": "ann"},
    {"type": "who"},
    {"type": "rooms"},
    {"type": "ping"},
    {"type": "ping", "feed": True},
    {"type": "status"},
    {"type": "typing", **ROOM},
    {"type": "typing", "to": "ann"},
    {"type": "history", **ROOM},
    {"type": "history", **ROOM, "before": 5, "limit": 2},
    {"type": "history", "room": "general"},
    {"type": "search", "text": "secret"},
    {"type": "search", "text": "secret", **ROOM},
    {"type": "members"},
    {"type": "members", "limit": 1},
    {"type": "nick", "nick": "nova"},
    {"type": "away", "text": "tea"},
    {"type": "say", **ROOM, "text": "hello?"},
    {"type": "say", **ROOM, "text": "hello?", "reply_to": 9, "once": "k"},
    {"type": "say", "room": "general", "text": "hello"},
    {"type": "say", "room": "general", "text": "hello", "reply_to": 9},
    {"type": "say", "to": "ann", "text": "hello"},
    {"type": "topic", **ROOM, "text": "hello?"},
    {"type": "access", **ROOM, "admit": STRANGER},
    {"type": "access", **ROOM, "admit": "ann"},
    {"type": "access", **ROOM, "expel": "ann"},
    {"type": "access", **ROOM, "expel": "me"},
    {"type": "access", **ROOM, "operator": "ann"},
    {"type": "access", **ROOM, "mode": "public"},
    {"type": "invite", "hash": HASH, "rooms": ["general", "+ops"]},
    {"type": "mute", "from": "ann", **ROOM},
    {"type": "unmute", "from": "ann", **ROOM},
    {"type": "mute", "from": STRANGER, **ROOM},
    {"type": "kick", "nick": "ann", **ROOM},
    {"type": "kick", "from": STRANGER, **ROOM},
    {"type": "hello", "protocol": 1, "nick": "nova"},
    {"type": "hello", "protocol": 1, "nick": "ann"},
    {"type": "bye"},
]
AUDIT: list[Json] = [{"type": "audit"}, {"type": "audit", "limit": 2}, {"type": "audit", "before": 9}]
NUMBERED = {"say", "topic", "access", "invite", "mute", "unmute"}


def _filled(house: House, role: str, question: Json, n: int) -> Json:
    """Put who is meant into a question, and its number."""
    names = {"ann": ann(house), "me": who_is(house.askers[role])}
    people = {
        name: names.get(question[name], question[name])
        for name in ("from", "admit", "expel", "operator")
        if name in question
    }
    return question | people | ({"n": n} if question["type"] in NUMBERED else {})


def compare(rooms: tuple[str | None, ...], asked: list[tuple[str, Json, bool]]) -> None:
    """Put these questions to brokers with these rooms; several together come in one frame."""
    told = []
    for room in rooms:
        house = House(room)
        numbers = dict.fromkeys(ROLES, 0)
        heard: list[list[str]] = []
        for role, question, ref in asked:
            numbers[role] += question["type"] in NUMBERED
            line = _filled(house, role, question, numbers[role]) | ({"ref": "r"} if ref else {})
            heard.append(house.put(role, line))
        told.append(heard)
        house.store.close()
    for other in told[1:]:
        for (role, question, _), here, there in zip(asked, told[0], other, strict=True):
            assert here == there, f"{role} can tell from {question}"


@pytest.mark.parametrize("role", ROLES)
def test_each_question_is_answered_as_if_the_room_were_not_there(role: str) -> None:
    for ref in (False, True):
        compare(("+ops", "+etc", None), [(role, question, ref) for question in QUESTIONS])
    compare(("+ops", "+etc"), [(role, question, True) for question in AUDIT])


ASKED = st.tuples(st.sampled_from(ROLES), st.sampled_from(QUESTIONS), st.booleans())
WITH_AUDIT = st.tuples(st.sampled_from(ROLES), st.sampled_from(QUESTIONS + AUDIT), st.booleans())
FEW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
MANY = settings(max_examples=2_000, deadline=None, suppress_health_check=list(HealthCheck))


@FEW
@given(st.lists(ASKED, min_size=8, max_size=40))
def test_nothing_that_people_ask_one_after_the_other_tells_of_the_room(asked: list[tuple[str, Json, bool]]) -> None:
    compare(("+ops", None), asked)


@FEW
@given(st.lists(WITH_AUDIT, min_size=8, max_size=40))
def test_nothing_tells_what_a_room_is_called(asked: list[tuple[str, Json, bool]]) -> None:
    compare(("+ops", "+etc"), asked)


@pytest.mark.long
@MANY
@given(st.lists(ASKED, min_size=8, max_size=40))
def test_nothing_in_thousands_of_conversations_tells_of_the_room(asked: list[tuple[str, Json, bool]]) -> None:
    compare(("+ops", None), asked)


def test_who_speaks_in_the_room_is_seen_elsewhere_as_if_they_had_spoken_to_one_alone() -> None:
    """What is done inside moves `idle`, `seen` and the numbers as any other line does."""
    told = []
    for room in ("+ops", "+etc", None):
        house = House(room)
        house.now = 60.0
        speaker = house.insiders[0]
        where: Json = {"room": room} if room else {"to": "bob"}
        assert do(speaker, "say", text="x", **where)["type"] == "ack"
        speaker.ask("bye")
        house.now = 90.0
        house.statements.clear()
        told.append([house.put(role, {"type": "who"}, {"type": "members"}, {"type": "status"}) for role in ROLES])
    assert told[0] == told[1] == told[2]


def test_an_invitation_into_a_room_that_one_does_not_see_is_refused_alike() -> None:
    answers = []
    for room in ("+ops", None):
        house = House(room)
        code = links.encode_code(b"0123456789abcdef")
        asker: Peer = house.askers["member"]
        refused = do(asker, "invite", hash=links.invitation_hash(code), rooms=["+ops"])
        late = house.at(key("late")).ask("hello", protocol=1, nick="late", invite=code)
        answers.append((refused, late))
    assert answers[0] == answers[1]
