"""Read marks: of the author and not of the device, only ever forward, and told to the other devices."""

import pytest

from tests.broker.dialogue import Broker, Json, Peer, codes
from tests.broker.several import Several
from tests.broker.team import OWN, Team, do, key, who_is


def marked(peer: Peer) -> list[Json]:
    """Return the `read` events that a peer was sent."""
    return [line for line in peer.read() if line["type"] == "read"]


@pytest.fixture
def team() -> Team:
    return Team()


@pytest.fixture
def ann(team: Team) -> Peer:
    return team.member("ann")


def two_devices(team: Team) -> tuple[Peer, Peer]:
    """Return two sessions of one member, in a broker where four lines were said."""
    phone = team.come(OWN, device="phone")
    for _ in range(3):
        do(phone, "say", room="general", text="hi")
    other = team.come(OWN, device="laptop")
    for peer in (phone, other, team.olga):
        peer.read()
    return phone, other


def test_what_is_read_on_one_device_is_read_on_the_others(team: Team) -> None:
    phone, laptop = two_devices(team)
    head = phone.ask("history", room="general")[0]["upto"]
    answer = do(phone, "read", room="General", seq=head - 1)
    assert answer == {"code": "", "type": "ack", "n": phone.n}
    assert marked(laptop) == [{"type": "read", "room": "general", "seq": head - 1}]
    assert marked(phone) == []
    assert team.come(OWN, device="tablet").welcome["read"] == {"general": head - 1}


def test_a_mark_only_goes_forward_and_never_beyond_the_head(team: Team) -> None:
    phone, laptop = two_devices(team)
    head = phone.ask("history", room="general")[0]["upto"]
    for seq in (head - 1, head - 2, head - 1, head + 50, head + 60):
        assert do(phone, "read", room="general", seq=seq)["code"] == ""
    assert [event["seq"] for event in marked(laptop)] == [head - 1, head]
    do(phone, "say", room="general", text="more")
    do(phone, "say", room="hall", text="more")
    lines = [phone.line("read", n=phone.n + place, room="hall", seq=seq) for place, seq in enumerate((1, 99, 2), 1)]
    assert codes(phone.send(*lines)) == ["ack"] * 3
    phone.n += 3
    assert team.come(OWN, device="pad").welcome["read"]["hall"] == marked(laptop)[-1]["seq"] == head + 2
    assert team.come(OWN, device="tablet").welcome["read"]["general"] == head


def test_marks_outlive_the_broker_and_a_number_is_taken_once(team: Team) -> None:
    phone, _ = two_devices(team)
    do(phone, "read", room="general", seq=2**53 - 1)
    n, secret, through = phone.n, phone.welcome["client"], team.come(OWN, device="x").welcome["read"]["general"]
    team.open()
    again = team.come(OWN, device="phone", client=secret)
    assert again.welcome["read"] == {"general": through}
    assert again.welcome["n"] == n
    assert again.ask("read", n=n, room="general", seq=1) == [{"type": "ack", "n": n}]


def test_conversations_are_marked_by_nick_and_named_as_in_heads(team: Team, ann: Peer) -> None:
    seq = do(ann, "say", to="olga", text="psst")["seq"]
    laptop = team.come(OWN, device="laptop")
    assert do(team.olga, "read", to="ann", seq=seq)["code"] == ""
    assert marked(laptop) == [{"type": "read", "to": "ann", "with": who_is(ann), "seq": seq}]
    assert marked(ann) == [], "it is nobody else's business"
    ann.ask("nick", nick="anna")
    fresh = team.come(OWN, device="tablet")
    assert fresh.welcome["read"] == {"@anna": seq}
    assert set(fresh.ask("ping")[0]["heads"]) == {"@anna"}
    assert do(laptop, "read", to="nobody", **{"with": who_is(ann)}, seq=seq)["code"] == ""


def test_what_cannot_be_read_is_refused_like_elsewhere(team: Team, ann: Peer) -> None:
    do(team.olga, "access", room="+den", mode="private")
    do(team.olga, "say", room="+den", text="hush")
    hidden, missing = do(ann, "read", room="+den", seq=1), do(ann, "read", room="+dem", seq=1)
    assert hidden["code"] == missing["code"] == "unknown_room"
    assert hidden["message"].replace("+den", "") == missing["message"].replace("+dem", "")
    assert do(ann, "read", to="nobody", seq=1)["code"] == "unknown_nick"
    assert do(ann, "read", room="a/b", seq=1)["code"] == "bad_room"
    assert codes(ann.ask("read", n=ann.n + 1, seq=1)) == ["bad_command"]
    assert do(ann, "read", room="empty", seq=7)["code"] == "", "nothing was said there"
    assert "read" not in team.come(key("ann")).welcome


def test_who_is_let_out_is_told_no_marks_of_the_room(team: Team, ann: Peer) -> None:
    do(team.olga, "access", room="+den", mode="private")
    do(team.olga, "access", room="+den", admit=who_is(ann))
    seq = do(ann, "say", room="+den", text="hush")["seq"]
    do(ann, "read", room="+den", seq=seq)
    assert team.come(key("ann")).welcome["read"] == {"+den": seq}
    do(team.olga, "access", room="+den", expel=who_is(ann))
    assert "read" not in team.come(key("ann")).welcome


def test_observers_and_muted_people_mark_too(team: Team, ann: Peer) -> None:
    seq = do(ann, "say", room="general", text="hi")["seq"]
    do(team.olga, "mute", **{"from": who_is(ann)})
    assert do(ann, "read", room="general", seq=seq - 1)["code"] == ""
    observer = team.come(key("ann"))
    assert do(observer, "read", room="general", seq=seq)["code"] == ""
    assert [event["seq"] for event in marked(ann)] == [seq]


def test_guests_have_marks_by_their_client_until_it_is_forgotten() -> None:
    broker = Broker()
    alice = broker.hello("alice", client="a" * 32)
    alice.say()
    alice.n += 1
    assert codes(alice.ask("read", n=alice.n, room="general", seq=1)) == ["ack"]
    alice.ask("bye")
    assert broker.hello("alice", client="a" * 32).welcome["read"] == {"general": 1}
    rows = "SELECT count(*) FROM read"
    assert broker.store.connection.execute(rows).fetchone() == (1,)
    broker.store.connection.execute("DELETE FROM producer")
    broker.store.forget(0)
    assert broker.store.connection.execute(rows).fetchone() == (0,)


def test_a_thousand_marks_cost_the_log_one_row_for_each_author_and_place(team: Team) -> None:
    phone, _ = two_devices(team)
    for _ in range(10):
        do(phone, "say", room="general", text="hi")
    tables = ("chunk", "answer", "read", "mark")
    before = {table: _count(team, table) for table in tables}
    lines = []
    for seq in range(1, 1_001):
        phone.n += 1
        lines.append(phone.line("read", n=phone.n, room="general", seq=seq % 14))
    assert codes(phone.send(*lines)) == ["ack"] * 1_000
    assert {table: _count(team, table) for table in tables} == before | {"read": 1}


def test_marks_count_towards_what_all_of_one_source_may_say() -> None:
    broker = Broker(rate=10.0)
    peers = [broker.hello(f"guest{number}", client=f"{number:032x}") for number in range(1, 31)]
    broker.tick(11.0)
    answers = [
        code
        for peer in peers
        for code in codes(peer.send(*(peer.line("read", n=n, room="general", seq=n) for n in range(1, 20))))
    ]
    assert answers.count("ack") < 300
    assert {"ack", "rate_limited"} <= set(answers)


def _count(team: Team, table: str) -> int:
    (count,) = team.store.connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(count)


def test_what_is_read_at_one_broker_is_read_at_the_others() -> None:
    several = Several()
    here, there = several.member("a"), several.member("b")
    (ack,) = here.do("say", room="general", text="hi")
    there.read()
    assert codes(here.do("read", room="general", seq=ack["seq"])) == ["ack"]
    told = [line for line in there.read() if line["type"] == "read"]
    assert told == [{"type": "read", "room": "general", "seq": ack["seq"]}]
    assert several.member("c").welcome["read"] == {"general": ack["seq"]}
