"""What called one by one's nick: newest first in pages, from wherever one may read, and never one's own."""

from tests.broker.dialogue import Broker, Json, Peer, codes
from tests.broker.team import Team, do


def mentions(peer: Peer, **fields: object) -> list[str]:
    """Return the texts that called somebody."""
    return [event["text"] for event in found(peer, **fields)["events"]]


def found(peer: Peer, **fields: object) -> Json:
    return next(line for line in peer.ask("mentions", **fields) if line["type"] == "found")


def test_others_call_one_by_ones_nick_as_a_word() -> None:
    broker = Broker()
    alice, bob = broker.hello("Alice"), broker.hello("bob")
    for text in ("hello alice!", "alices", "@ALICE: look", "malice"):
        do(bob, "say", room="general", text=text)
    do(alice, "say", room="general", text="I am alice")
    do(bob, "topic", room="general", text="thanks to alice")
    assert mentions(alice) == ["hello alice!", "@ALICE: look", "thanks to alice"]
    assert mentions(bob) == []
    newest = found(alice, limit=2)
    assert ([event["text"] for event in newest["events"]], newest["more"]) == (
        ["@ALICE: look", "thanks to alice"],
        True,
    )
    assert mentions(alice, before=newest["events"][0]["seq"]) == ["hello alice!"]


def test_a_message_that_was_edited_or_deleted_calls_as_it_is_now() -> None:
    broker = Broker()
    alice, bob = broker.hello("alice"), broker.hello("bob")
    for text in ("hi all", "hi alice", "bye alice"):
        do(bob, "say", room="general", text=text)
    do(bob, "edit", seq=1, text="hi all, and alice")
    do(bob, "edit", seq=2, text="hi carol")
    do(bob, "delete", seq=3)
    (event,) = found(alice)["events"]
    assert (event["type"], event["target"], event["text"]) == ("edit", 1, "hi all, and alice")


def test_one_is_called_only_where_one_may_read() -> None:
    team = Team()
    ann, bob, eve = team.member("ann"), team.member("bob"), team.member("eve")
    do(ann, "access", room="+den", mode="private")
    do(ann, "access", room="+den", admit=bob.welcome["from"])
    do(ann, "say", room="+den", text="bob and eve")
    do(ann, "say", to="bob", text="eve, bob")
    assert mentions(bob) == ["bob and eve", "eve, bob"]
    assert mentions(eve) == []


def test_an_observer_has_no_nick_to_be_called_by() -> None:
    assert codes(Broker().hello().ask("mentions")) == ["forbidden"]
