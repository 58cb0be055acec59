"""What is said for later: kept by the log, said once when it is due, and only if it may still be said then."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.broker.dialogue import NOON, Broker, Json, Peer, codes
from tests.broker.team import OWN, Team, do, key, who_is
from zchat.broker.core.noting import LATER_BYTES, LATER_EACH


def at(seconds: float) -> str:
    """Return the time that will be so many seconds after the broker's first start."""
    return (datetime.fromtimestamp(NOON, UTC) + timedelta(seconds=seconds)).isoformat()


def later(peer: Peer, seconds: float, text: str = "hi", **fields: object) -> Json:
    """Say something for later; return the answer."""
    place = {} if "to" in fields else {"room": "general"}
    return do(peer, "say", text=text, at=at(seconds), **place, **fields)


def waiting(peer: Peer) -> list[Json]:
    return list(peer.ask("scheduled")[0]["messages"])


def texts(broker: Broker, room: str = "general") -> list[str]:
    return [event["text"] for event in broker.heard(room, "message")]


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def alice(broker: Broker) -> Peer:
    return broker.hello("alice")


def test_it_is_kept_now_and_said_then(broker: Broker, alice: Peer) -> None:
    answer = later(alice, 60)
    assert answer == {"code": "", "type": "ack", "n": 1, "scheduled": 1}
    assert waiting(alice) == [{"id": 1, "at": "2026-11-22T05:31:00.000Z", "room": "general", "text": "hi"}]
    broker.tick(59)
    assert broker.heard("general") == []
    broker.tick(1)
    (event,) = broker.heard("general")
    assert (event["seq"], event["time"], event["nick"]) == (1, "2026-11-22T05:31:00.000Z", "alice")
    assert waiting(alice) == []
    broker.tick(3_600)
    assert broker.heard("general") == []
    assert alice.ask("say", n=1, room="general", text="hi") == [{"type": "ack", "n": 1, "scheduled": 1}]


def test_what_is_due_already_is_said_at_once(broker: Broker, alice: Peer) -> None:
    assert later(alice, 0)["seq"] == 1
    assert later(alice, -3_600)["seq"] == 2
    assert texts(broker) == ["hi", "hi"]


def test_a_broker_that_was_down_at_the_time_says_it_when_it_is_back(broker: Broker, alice: Peer) -> None:
    for seconds in (90, 30, 60):
        later(alice, seconds, f"{seconds}")
    broker.now = 75.0
    broker.open()
    broker.tick(0)
    assert texts(broker) == ["30", "60"]
    broker.open()
    broker.tick(15)
    broker.tick(1)
    assert texts(broker) == ["90"]


def test_its_ids_are_not_given_twice(broker: Broker, alice: Peer) -> None:
    later(alice, 60)
    lines = [alice.line("say", n=2, room="general", text="x", at=at(60)), alice.line("unschedule", n=3, id=2)]
    assert codes(alice.send(*lines)) == ["ack", "ack"]
    alice.n = 3
    broker.tick(60)
    broker.open()
    again = broker.hello("alice", client=alice.welcome["client"])
    again.n = 3
    assert later(again, 120)["scheduled"] == 3


def test_it_is_taken_back_by_whoever_has_said_it_and_from_any_device() -> None:
    team = Team()
    ann = team.member("ann")
    id_ = later(team.olga, 60)["scheduled"]
    assert do(ann, "unschedule", id=id_)["code"] == "bad_target"
    assert waiting(ann) == []
    laptop = team.come(OWN, device="laptop")
    assert [one["id"] for one in waiting(laptop)] == [id_]
    answer = do(laptop, "unschedule", id=id_)
    assert answer == {"code": "", "type": "ack", "n": laptop.n}
    assert do(team.olga, "unschedule", id=id_)["code"] == "bad_target"
    team.tick(60)
    assert texts(team) == []


def test_it_has_the_nick_of_then() -> None:
    team = Team()
    ann = team.member("ann")
    later(ann, 60)
    later(ann, 61, to="olga")
    ann.ask("nick", nick="anna")
    team.olga.ask("nick", nick="olga2")
    ann.ask("bye")
    team.olga.read()
    team.tick(61)
    assert [(event["nick"], event["from"]) for event in team.heard("general", "message")] == [("anna", who_is(ann))]
    (direct,) = [line for line in team.olga.read() if line["type"] == "message"]
    assert (direct["nick"], direct["to"], direct["with"]) == ("anna", "olga2", who_is(team.olga))


@pytest.mark.parametrize(("command", "code"), [("mute", "muted"), ("ban", "banned")])
def test_who_may_not_speak_then_says_nothing(command: str, code: str) -> None:
    team = Team()
    ann = team.member("ann")
    later(ann, 60)
    do(team.olga, command, **{"from": who_is(ann)})
    ann.read()
    team.tick(60)
    assert texts(team) == []
    told = [line for line in ann.read() if line["type"] == "dropped"]
    assert [one["code"] for one in told] == ([code] if code == "muted" else [])
    assert team.store.connection.execute("SELECT count(*) FROM later").fetchone() == (0,)


def test_who_was_let_out_of_the_room_says_nothing_there() -> None:
    team = Team()
    ann = team.member("ann")
    do(team.olga, "access", room="+den", mode="private")
    do(team.olga, "access", room="+den", admit=who_is(ann))
    do(ann, "say", room="+den", text="hi", at=at(60))
    do(team.olga, "access", room="+den", expel=who_is(ann))
    ann.read()
    team.tick(60)
    told = [(line["id"], line["room"], line["code"]) for line in ann.read() if line["type"] == "dropped"]
    assert told == [(1, "+den", "unknown_room")]
    assert team.olga.ask("history", room="+den")[-1]["events"] == []


def test_a_removed_device_says_nothing() -> None:
    team = Team()
    ann = team.member("ann")
    later(ann, 60)
    do(ann, "credential", **{"from": who_is(ann)}, remove=key("ann"))
    team.tick(60)
    assert texts(team) == []


def test_whom_it_is_for_has_to_be_there_then(broker: Broker, alice: Peer) -> None:
    bob = broker.hello("bob")
    later(alice, 60, to="bob")
    assert later(alice, 60, to="nobody")["code"] == "unknown_nick"
    bob.ask("bye")
    alice.read()
    broker.tick(60)
    (told,) = alice.read()
    assert told == {
        "type": "dropped",
        "id": 1,
        "to": "bob",
        "with": bob.welcome["from"],
        "code": "unknown_nick",
        "message": "nobody here is called 'bob'",
    }


def test_a_guest_who_is_gone_does_not_speak_under_the_nick_of_another(broker: Broker, alice: Peer) -> None:
    later(alice, 60)
    alice.ask("bye")
    broker.hello("alice")
    broker.tick(60)
    assert texts(broker) == []


def test_a_guest_who_is_gone_is_heard_nevertheless(broker: Broker, alice: Peer) -> None:
    later(alice, 60)
    alice.ask("bye")
    broker.tick(60)
    assert texts(broker) == ["hi"]


def test_once_and_reply_to_are_looked_at_then(broker: Broker, alice: Peer) -> None:
    alice.say("root", once="k")
    later(alice, 60, "same", once="k")
    later(alice, 60, "answer", reply_to=1)
    later(alice, 60, "to what is to come", reply_to=3)
    later(alice, 60, "to nothing", reply_to=99)
    alice.read()
    broker.heard("general")
    broker.tick(60)
    found = broker.heard("general", "message")
    assert [(event["seq"], event["text"], event["thread"]) for event in found] == [
        (2, "answer", 1),
    ]
    assert [(line["id"], line["code"]) for line in alice.read()] == [(3, "bad_reply"), (4, "bad_reply")]


def test_an_author_has_only_so_much_for_later(broker: Broker, alice: Peer) -> None:
    answers = [later(alice, 60) for _ in range(LATER_EACH + 1)]
    assert [answer["code"] for answer in answers] == [""] * LATER_EACH + ["forbidden"]
    assert answers[-1]["limit"] == LATER_EACH
    do(alice, "unschedule", id=1)
    assert later(alice, 60)["code"] == ""
    bob = broker.hello("bob")
    sizes = [later(bob, 60, "\x00" * 2_000)["code"] for _ in range(20)]
    assert sizes.index("forbidden") * 12_000 < LATER_BYTES
    assert len(waiting(bob)) == sizes.index("forbidden")
    broker.tick(60)
    assert later(alice, 120)["code"] == later(bob, 120)["code"] == ""
    eve = broker.hello("eve")
    lines = [eve.line("say", n=n, room="general", text="x", at=at(180)) for n in range(1, LATER_EACH + 2)]
    assert codes(eve.send(*lines)) == ["ack"] * LATER_EACH + ["forbidden"], "also at once"
    eve.n = len(lines)
    back = eve.line("unschedule", n=eve.n + 1, id=waiting(eve)[0]["id"])
    anew = [eve.line("say", n=eve.n + more, room="general", text="x", at=at(180)) for more in (2, 3)]
    assert codes(eve.send(back, *anew)) == ["ack", "ack", "forbidden"], "and what was taken back does not count"


def test_it_is_said_within_a_year_and_at_a_time_that_there_is(alice: Peer) -> None:
    assert later(alice, 366 * 86_400)["code"] == ""
    assert later(alice, 366 * 86_400 + 1)["code"] == "forbidden"
    assert do(alice, "say", room="general", text="x", at="9999-12-31T23:59:59-23:00")["code"] == "forbidden"
    assert codes(alice.ask("say", n=4, room="general", text="x", at="soon")) == ["bad_command"]


def test_a_failed_batch_keeps_and_tells_nothing(broker: Broker, alice: Peer) -> None:
    later(alice, 60)
    broker.store.connection.execute("PRAGMA query_only = ON")
    assert later(alice, 30)["code"] == "unavailable"
    broker.tick(60)
    assert texts(broker) == []
    broker.store.connection.execute("PRAGMA query_only = OFF")
    broker.tick(1)
    assert texts(broker) == ["hi"]


def test_it_begins_a_room(broker: Broker, alice: Peer) -> None:
    do(alice, "say", room="new", text="first", at=at(5))
    broker.tick(5)
    assert texts(broker, "new") == ["first"]
    assert [room["room"] for room in alice.ask("rooms")[0]["rooms"]] == ["new"]


def test_a_guest_who_is_gone_says_nothing_under_a_nick_that_looks_like_that_of_somebody_here() -> None:
    broker = Broker()
    fake = broker.hello("\u0430lice")  # a Cyrillic letter
    fake.say("I am alice", at="2026-11-22T05:31:00Z")
    fake.ask("bye")
    alice = broker.hello("alice")
    for _ in range(8):
        broker.tick(10.0)
        alice.ask("ping")
    assert broker.heard("general", "message") == []
    assert broker.store.connection.execute("SELECT count(*) FROM later").fetchone() == (0,)
