"""Who is at other brokers that share the log: what they are told, and what each of them makes of it."""

from typing import Any

import pytest

from tests.broker.dialogue import Broker, codes
from tests.broker.several import GRACE, Client, Several
from tests.broker.team import key
from zchat.broker.core import bus, elsewhere
from zchat.protocol import messages as m


@pytest.fixture
def several() -> Several:
    return Several()


def in_general(several: Several, broker: str, nick: str, **fields: Any) -> Client:
    client = several.hello(broker, nick, **fields)
    client.join("general")
    return client


def drop(several: Several, *kinds: type) -> list[bus.Told]:
    """Let the bus lose all messages of some kinds; return them as they come."""
    lost: list[bus.Told] = []
    tell = several.tell

    def tell_others(payload: bytes) -> None:
        told = bus.decode(payload)
        if isinstance(told, kinds):
            lost.append(told)
        else:
            tell(payload)

    several.tell = tell_others  # type: ignore[method-assign]
    return lost


# -- who is listed


def test_everybody_is_listed_at_every_broker(several: Several) -> None:
    in_general(several, "a", "ann")
    in_general(several, "b", "bob", bot=True)
    for name in "abc":
        assert several.names(name, "general") == ["ann", "bob"]
    cat = several.hello("c", "cat")
    listed = cat.ask("join", room="general")[0]["members"]
    assert [(one["nick"], one["bot"]) for one in listed] == [("ann", False), ("bob", True), ("cat", False)]


def test_each_broker_tells_a_change_once_with_its_own_rev(several: Several) -> None:
    in_general(several, "a", "ann")
    in_general(several, "c", "cat")
    several.clear()
    bob = in_general(several, "b", "bob")
    bob.ask("nick", nick="bill")
    bob.ask("away", text="tea")
    bob.ask("part", room="general", reason="home")
    for events in several.heard("general").values():
        assert [each["type"] for each in events] == ["joined", "renamed", "away", "left"]
        assert [each["rev"] for each in events] == [3, 4, 5, 6]
        assert events[0]["from"] == bob.from_
        assert events[3] == {**events[3], "nick": "bill", "reason": "part", "text": "home"}


def test_who_knows_everybody_and_their_rooms(several: Several) -> None:
    ann, bob = several.hello("a", "ann"), in_general(several, "b", "bob")
    assert [one["nick"] for one in ann.listed()] == ["ann", "bob"]
    assert ann.listed(nick="Bob")[0]["rooms"] == ["general"]
    assert ann.ask("rooms")[-1]["rooms"][0]["members"] == 1
    bob.ask("bye")
    assert codes(ann.ask("who", nick="bob")) == ["unknown_nick"]
    assert several.brokers["a"].hub.roster.find(bob.from_) is None, "nothing is kept of who is nowhere"


def test_observers_and_quiet_followers_are_in_no_roster(several: Several) -> None:
    several.hello("a").join("general")
    bob = several.hello("b", "bob")
    bob.ask("join", room="general", quiet=True)
    assert [several.names(name, "general") for name in "abc"] == [[], [], []]
    bob.join("general")
    assert several.names("a", "general") == ["bob"]
    several.clear()
    bob.ask("join", room="general", quiet=True)
    assert [codes(events) for events in several.heard("general").values()] == [["left"]] * 3


def test_a_member_is_listed_once_whatever_its_devices_and_brokers(several: Several) -> None:
    ann, other = several.member("a"), several.member("b")
    assert ann.from_ == other.from_
    for device in (ann, other):
        device.join("general")
    assert several.names("c", "general") == ["m1"]
    several.clear()
    ann.ask("part", room="general")
    several.wait(GRACE + 1)
    assert several.names("c", "general") == ["m1"], "one device is left there"
    assert several.heard("general") == {"a": [], "b": [], "c": []}
    other.ask("part", room="general")
    assert [codes(events) for events in several.heard("general").values()] == [["left"]] * 3


def test_members_are_present_wherever_they_are(several: Several) -> None:
    root, ann = several.member("a", 0), several.member("b")
    present = {one["nick"]: one.get("present", False) for one in root.ask("members")[-1]["members"]}
    assert present == {"m0": True, "m1": True}
    ann.ask("bye")
    present = {one["nick"]: one.get("present", False) for one in root.ask("members")[-1]["members"]}
    assert present == {"m0": True, "m1": False}


def test_away_is_of_the_author_at_whatever_broker_it_is_said(several: Several) -> None:
    ann, other = several.member("a"), several.member("b")
    ann.join("general")
    ann.ask("away", text="tea")
    several.clear()
    other.ask("away", text="lunch")
    assert [one["away"] for one in ann.listed()] == ["lunch"]
    ann.ask("away")
    for name in "abc":
        assert several.brokers[name].hub.roster.nicks.named("m1").away is None  # type: ignore[union-attr]
    assert [[each.get("text") for each in events] for events in several.heard("general").values()] == [
        ["lunch", None]
    ] * 3


def test_who_only_observes_here_is_away_no_more_when_its_other_device_has_left(several: Several) -> None:
    ann = several.member("b")
    observer = several.hello("a", credential=ann.credential)
    assert observer.welcome.get("nick") is None
    ann.ask("away", text="tea")
    author = several.brokers["a"].hub.roster.find(ann.from_)
    assert author is not None
    assert author.away == "tea"
    ann.ask("bye")
    assert author.away is None


def test_idle_is_told_now_and_then(several: Several) -> None:
    ann, bob = several.hello("a", "ann"), in_general(several, "b", "bob")
    several.wait(100)
    assert 98 <= ann.listed(nick="bob")[0]["idle"] <= 102
    bob.do("say", room="general", text="hi")
    several.wait(elsewhere.ACTIVE_AGAIN)
    assert ann.listed(nick="bob")[0]["idle"] <= elsewhere.ACTIVE_AGAIN + 1


def test_roles_and_nicks_of_members_change_by_the_log_at_every_broker(several: Several) -> None:
    root, ann = several.member("a", 0), several.member("b")
    ann.join("general")
    root.do("role", **{"from": ann.from_, "role": "moderator"})
    ann.ask("nick", nick="ann")
    cat = several.hello("c", "cat")
    listed = cat.ask("join", room="general")[0]["members"]
    assert [(one["nick"], one.get("role")) for one in listed] == [("ann", "moderator"), ("cat", None)]


def test_who_operates_a_room_is_known_at_every_broker(several: Several) -> None:
    root, ann, cat = several.member("a", 0), several.member("b"), several.hello("c", "cat")
    for one in (ann, cat):
        one.join("news")
    for fields in ({"mode": "announce"}, {"operator": ann.from_}):
        root.do("access", room="news", **fields)
    for one in (ann, cat):
        changes = [line["change"] for line in one.read() if line["type"] == "access"]
        assert changes == ["mode", "operator"]
        listed = one.ask("join", room="news")[0]["members"]
        assert [(each["nick"], each.get("operator")) for each in listed] == [("m1", True), ("cat", None)]


def test_the_log_knows_role_and_nick_of_a_member_better_than_what_is_told_beside_it(several: Several) -> None:
    ann = several.member("a")
    ann.join("general")
    record = bus.Elsewhere(ann.from_, "old", "owner", rooms=frozenset({"general"}))
    revision = several.brokers["a"].elsewhere.revision + 1
    several.brokers["b"].hear(bus.encode(bus.Here("a", 1, revision, [record])))
    author = several.brokers["b"].hub.roster.find(ann.from_)
    assert author is not None
    assert (author.nick, author.role) == ("m1", "member")


def test_a_private_room_is_told_only_to_those_who_are_in_it(several: Several) -> None:
    root, ann, eve = several.member("a", 0), several.member("b"), several.member("c", 2)
    root.do("access", room="+ops", mode="private")
    root.do("access", **{"room": "+ops", "admit": ann.from_})
    root.join("+ops")
    for one in (root, ann, eve):
        one.read()
    ann.join("+ops")
    ann.ask("away", text="tea")
    assert [event["type"] for line in root.read() for event in line["events"]] == ["joined", "away"]
    assert eve.read() == []
    assert several.heard("+ops") == {"a": [], "b": [], "c": []}
    assert eve.listed(nick="m1")[0]["rooms"] == []
    assert root.listed(nick="m1")[0]["rooms"] == ["+ops"]
    assert [one["nick"] for one in root.ask("join", room="+ops")[0]["members"]] == ["m0", "m1"]


def test_all_brokers_tell_for_how_long_a_room_keeps_what_is_said(several: Several) -> None:
    root, ann = several.member("a", 0), several.member("b")
    root.do("access", room="news", keep=30)
    assert [(one["room"], one["keep"]) for one in ann.ask("rooms")[0]["rooms"]] == [("news", 30)]


# -- what one does to somebody elsewhere


def test_a_direct_message_to_a_guest_elsewhere_is_delivered_at_both_ends(several: Several) -> None:
    ann, bob = several.hello("a", "ann"), several.hello("b", "bob")
    answers = ann.do("say", to="bob", text="psst")
    assert codes(answers) == ["message", "ack"] or codes(answers) == ["ack", "message"]
    assert [line["text"] for line in bob.read()] == ["psst"]
    assert list(bob.ask("ping")[-1]["heads"]) == ["@ann"]
    assert list(ann.ask("ping")[-1]["heads"]) == ["@bob"]
    assert codes(bob.do("say", **{"to": "whoever", "with": ann.from_, "text": "?"}))[-1] in {"ack", "message"}
    assert [line["text"] for line in ann.read()] == ["?"]


def test_a_direct_message_finds_a_guest_also_while_it_moves_and_before_its_broker_has_told(several: Several) -> None:
    ann, bob = several.hello("a", "ann"), several.hello("b", "bob")
    several.brokers["b"].up = False
    several.gone("b")
    assert "ack" in codes(ann.do("say", to="bob", text="are you on your way?"))
    drop(several, bus.Here, bus.Everybody)
    cat = several.hello("c", "cat")
    assert "ack" in codes(ann.do("say", to="cat", text="welcome"))
    assert [line["text"] for line in cat.read()] == ["welcome"]
    assert codes(ann.do("say", to="nobody", text="?")) == ["unknown_nick"]
    bob.go("c")
    assert "@ann" in bob.ask("ping")[-1]["heads"]


def test_typing_travels(several: Several) -> None:
    ann, bob = several.hello("a", "ann"), in_general(several, "b", "bob")
    several.clear()
    ann.ask("typing", room="general")
    assert several.heard("general") == {
        name: [{"type": "typing", "room": "general", "nick": "ann"}] for name in several.brokers
    }
    bob.read()
    ann.ask("typing", to="bob")
    assert bob.read() == [{"type": "typing", "to": "bob", "nick": "ann"}]


@pytest.mark.parametrize("who", ["nick", "from"])
def test_somebody_elsewhere_is_sent_away(several: Several, who: str) -> None:
    root, bob = several.member("a", 0), in_general(several, "b", "bob")
    several.clear()
    target = {"nick": "bob"} if who == "nick" else {"from": bob.from_}
    assert codes(root.ask("kick", reason="out", **target)) == ["ok"]
    assert bob.read() == [{"type": "bye", "reason": "kick", "by": "m0", "text": "out"}]
    for events in several.heard("general").values():
        assert [(each["type"], each["reason"], each["text"]) for each in events] == [("left", "kick", "out")]


def test_somebody_elsewhere_is_sent_out_of_a_room(several: Several) -> None:
    root, bob = several.member("a", 0), in_general(several, "b", "bob")
    bob.join("ops")
    assert codes(root.ask("kick", nick="bob", room="general")) == ["ok"]
    assert codes(bob.read()) == ["parted"]
    assert [several.names(name, "general") for name in "abc"] == [[], [], []]
    assert several.names("c", "ops") == ["bob"]


def test_only_who_may_sends_somebody_elsewhere_away(several: Several) -> None:
    root, bob = several.member("a", 0), several.hello("b", "bob")
    assert codes(bob.ask("kick", nick="m0")) == ["forbidden"]
    assert codes(root.ask("ping")) == ["pong"]


@pytest.mark.parametrize("command", ["ban", "mute"])
def test_a_guest_elsewhere_is_banned_and_muted_by_its_credential(several: Several, command: str) -> None:
    root = several.member("a", 0)
    bob = several.hello("b", "bob", credential=key("bob"))
    bob.read()
    assert "ack" in codes(root.do(command, **{"from": bob.from_}))
    if command == "ban":
        assert codes(bob.read()) == ["bye"]
        with pytest.raises(AssertionError, match="banned"):
            several.hello("c", "bill", credential=key("bob"))
    else:
        assert codes(bob.do("say", room="general", text="hi")) == ["muted"]


def test_who_is_only_elsewhere_takes_nobodys_nick_once_the_claim_is_back(several: Several) -> None:
    first = in_general(several, "a", "ann")
    tell = several.tell
    drop(several, bus.Here)
    first.ask("nick", nick="bob")
    second = in_general(several, "b", "ann")
    assert [one["from"] for one in second.listed(room="general")] == [second.from_], "a nick is listed once"
    several.tell = tell  # type: ignore[method-assign]
    several.wait(3)
    assert [several.names(name, "general") for name in "abc"] == [["ann", "bob"]] * 3
    assert [each["type"] for each in several.heard("general")["b"][-3:]] == ["left", "joined", "joined"]


# -- moves


def test_a_move_within_grace_is_told_nowhere(several: Several) -> None:
    ann = in_general(several, "a", "ann")
    ann.ask("away", text="tea")
    several.clear()
    ann.go("b")
    several.wait(GRACE / 2)
    assert several.names("c", "general") == ["ann"]
    ann.join("general")
    several.wait(GRACE * 2)
    assert several.heard("general") == {"a": [], "b": [], "c": []}
    assert several.brokers["c"].hub.roster.nicks.named("ann").away == "tea"  # type: ignore[union-attr]


def test_who_moves_and_does_not_come_back_to_a_room_has_left_it_after_grace(several: Several) -> None:
    ann = in_general(several, "a", "ann")
    several.clear()
    ann.go("b")
    several.wait(GRACE - 1)
    assert several.heard("general") == {"a": [], "b": [], "c": []}
    several.wait(2)
    for events in several.heard("general").values():
        assert [(each["type"], each["reason"]) for each in events] == [("left", "timeout")]


@pytest.mark.parametrize("how", ["part", "bye"])
def test_who_leaves_on_purpose_after_a_move_lingers_nowhere(several: Several, how: str) -> None:
    ann = in_general(several, "a", "ann")
    ann.go("b")
    ann.join("general")
    ann.ask(how, **({"room": "general"} if how == "part" else {}))
    assert [several.names(name, "general") for name in "abc"] == [[], [], []]


def test_a_broker_that_dies_takes_nobody_along_for_grace(several: Several) -> None:
    ann, bob = in_general(several, "a", "ann"), in_general(several, "a", "bob")
    several.clear()
    several.brokers["a"].up = False
    several.gone("a")
    ann.go("b")
    ann.join("general")
    several.wait(GRACE - 1)
    assert several.names("c", "general") == ["ann", "bob"]
    several.wait(2)
    assert several.names("c", "general") == ["ann"]
    assert [each["nick"] for each in several.heard("general")["c"]] == ["bob"]
    assert bob.from_ not in {author.from_ for author in several.brokers["c"].hub.roster.present()}


def test_a_broker_that_lost_its_epoch_tells_its_own_nothing_of_who_comes_again(several: Several) -> None:
    ann = in_general(several, "a", "ann")
    several.clear()
    several.gone("a")
    assert codes(ann.read())[-1] == "bye"
    ann.go("a")
    ann.join("general")
    several.wait(GRACE * 2)
    assert several.heard("general") == {"a": [], "b": [], "c": []}


def test_a_broker_that_begins_again_learns_of_everybody(several: Several) -> None:
    in_general(several, "b", "bob")
    several.brokers["a"].up = False
    several.brokers["a"].open()
    several.wait(2)
    assert several.names("a", "general") == ["bob"]


def test_resume_without_client_at_another_broker_is_a_fresh_client(several: Several) -> None:
    ann = several.hello("a", "ann")
    token = ann.welcome["session"]
    ann.broker = "b"
    answers = ann.ask("hello", protocol=1, resume=token, nick="ann2")
    assert answers[-1]["type"] == "welcome"
    assert answers[-1]["from"] != ann.from_


# -- two who have a nick, as far as was told


def test_who_lingers_yields_its_nick_to_who_has_taken_it(several: Several) -> None:
    in_general(several, "a", "ann")
    several.clear()
    several.brokers["a"].up = False
    several.gone("a")
    other = in_general(several, "b", "ann")
    assert [one["from"] for one in other.listed(room="general")] == [other.from_]
    assert [each["type"] for each in several.heard("general")["b"]] == ["left", "joined"]


# -- a bus that does not keep what it is told


def test_what_was_lost_is_asked_for(several: Several) -> None:
    tell = several.tell
    drop(several, bus.Here)
    in_general(several, "a", "ann")
    assert several.names("b", "general") == []
    several.tell = tell  # type: ignore[method-assign]
    several.wait(2)  # a heartbeat tells the revision
    assert several.names("b", "general") == ["ann"]
    assert any(isinstance(told, bus.Ask) for told in several.told)


def test_a_lost_snapshot_is_asked_for_again(several: Several) -> None:
    tell = several.tell
    drop(several, bus.Here, bus.Everybody)
    in_general(several, "a", "ann")
    several.wait(3)
    several.tell = tell  # type: ignore[method-assign]
    several.wait(2)
    assert several.names("b", "general") == ["ann"]


def test_what_comes_twice_or_late_changes_nothing(several: Several) -> None:
    bob = in_general(several, "a", "bob")
    first = [bus.encode(told) for told in several.told if isinstance(told, bus.Here)]
    bob.ask("part", room="general")
    several.clear()
    for payload in first * 2:
        several.brokers["b"].hear(payload)
    assert several.names("b", "general") == []
    assert several.heard("general")["b"] == []


def test_what_an_ended_epoch_told_is_not_believed(several: Several) -> None:
    in_general(several, "a", "ann")
    several.brokers["a"].up = False
    several.gone("a")
    several.wait(GRACE + 1)
    ghost = bus.Everybody("a", 1, 99, 0, 1, [bus.Elsewhere("f" * 16, "ghost", rooms=frozenset({"general"}))])
    several.brokers["b"].hear(bus.encode(ghost))
    several.brokers["c"].open()  # also not by a broker that has read of the end before its start
    several.calm()
    several.brokers["c"].hear(bus.encode(ghost))
    assert several.names("b", "general") == several.names("c", "general") == []


def test_what_cannot_be_read_is_left_out(several: Several) -> None:
    for payload in (b"", b"\xc1", b"\x81\xa4type\xa6Future", bus.encode(bus.Typing("x", "y"))):
        several.brokers["a"].hear(payload)
    assert several.names("a", "general") == []


def test_a_large_snapshot_is_cut_into_parts_that_the_engine_takes(
    several: Several, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elsewhere, "PART", 300)
    for number in range(20):
        in_general(several, "a", f"nick{number}")
    several.clear()
    several.brokers["b"].open()
    several.wait(2)
    parts = [told for told in several.told if isinstance(told, bus.Everybody) and told.broker == "a"]
    assert len(parts) > 3
    assert len(several.names("b", "general")) == 20


def test_what_is_older_than_a_part_of_a_snapshot_is_not_taken_after_it(several: Several) -> None:
    broker = several.brokers["b"]
    older = bus.Elsewhere("1" * 16, "ann", rooms=frozenset({"general"}))
    newer, other = bus.Elsewhere("1" * 16, "ann"), bus.Elsewhere("2" * 16, "bob", rooms=frozenset({"general"}))
    for told in (
        bus.Everybody("a", 1, 5, 0, 2, [newer]),
        bus.Here("a", 1, 1, [older]),
        bus.Everybody("a", 1, 5, 1, 2, [other]),
    ):
        broker.hear(bus.encode(told))
    assert several.names("b", "general") == ["bob"]
    broker.hear(bus.encode(bus.Everybody("a", 1, 6, 0, 1, [newer])))
    several.wait(GRACE + 1)
    assert several.names("b", "general") == []


def test_the_largest_record_fits_into_a_message(several: Several) -> None:
    rooms = ["é" * 60 + f"{number:04}" for number in range(m.ROOMS_MAX)]
    ann = several.hello("a", "ann")
    for room in rooms:
        ann.send("join", room=room)
    several.calm()
    several.clear()
    for room in rooms:
        ann.send("part", room=room, reason="€" * 900 + room)
    several.calm()
    assert max(len(bus.encode(told)) for told in several.told) < 512 * 1024
    assert several.names("b", rooms[0]) == []


def test_a_broker_that_is_alone_marks_nothing() -> None:
    broker = Broker()
    broker.hello("ann").ask("join", room="general")
    assert broker.hub.elsewhere is None
    assert broker.hub.roster.marks is None


def test_who_is_banned_is_refused_without_a_word_to_the_stream(several: Several) -> None:
    owner, eve = several.member("a", 0), several.hello("b", "eve", key("e"))
    owner.do("ban", **{"from": eve.from_})
    several.calm()
    before = len(several.stream)
    with pytest.raises(AssertionError, match="banned"):
        several.hello("b", "evelyn", key("e"))
    assert len(several.stream) == before
