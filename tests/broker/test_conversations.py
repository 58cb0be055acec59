"""A conversation is with a person, whom `with` names, and not with whoever has their nick by now."""

from tests.broker.dialogue import Broker, Json, Peer, codes


def from_of(peer: Peer) -> str:
    return str(peer.welcome["from"])


def messages(replies: list[Json]) -> list[str]:
    return [line["text"] for line in replies if line["type"] == "message"]


def changed_hands(broker: Broker) -> tuple[Peer, Peer, Peer]:
    """Return alice, the bob she talked with, who is gone, and eve, who is called bob now."""
    alice, bob = broker.hello("alice"), broker.hello("bob")
    alice.say("hello bob", None, to="bob")
    bob.say("hello alice", None, to="alice")
    bob.ask("bye")
    alice.read()
    eve = broker.hello("bob")
    return alice, bob, eve


def test_what_is_said_to_a_person_reaches_nobody_else_and_takes_its_number() -> None:
    broker = Broker()
    alice, bob, eve = changed_hands(broker)
    (refused,) = alice.say("secret", None, to="bob", **{"with": from_of(bob)})
    assert (refused["code"], refused["n"]) == ("unknown_nick", 2)
    assert "somebody else now" in refused["message"]
    assert eve.read() == []
    assert codes(alice.say("to whoever it is", None, to="bob")) == ["ack", "message"]
    assert messages(eve.read()) == ["to whoever it is"]
    eve.ask("bye")
    (refused,) = alice.say("secret", None, to="bob", **{"with": from_of(bob)})
    assert "nobody here is called" in refused["message"]


def test_what_is_said_to_a_person_reaches_them_under_another_nick() -> None:
    broker = Broker()
    alice, bob = broker.hello("alice"), broker.hello("bob")
    bob.ask("nick", nick="rob")
    eve = broker.hello("bob")
    _, event = alice.say("psst", None, to="bob", **{"with": from_of(bob)})
    assert (event["to"], event["with"]) == ("rob", from_of(bob))
    assert messages(bob.read()) == ["psst"]
    assert eve.read() == []
    alice.ask("typing", to="bob", **{"with": from_of(bob)})
    assert bob.read() == [{"type": "typing", "to": "rob", "nick": "alice"}]
    assert codes(alice.ask("typing", to="bob", **{"with": "0" * 16})) == ["unknown_nick"]


def test_the_conversation_with_the_one_before_can_be_read_and_its_head_is_told() -> None:
    broker = Broker()
    alice, bob, eve = changed_hands(broker)
    eve.say("I am bob", None, to="alice")
    alice.read()
    (old,) = alice.ask("history", to="bob", **{"with": from_of(bob)})
    assert messages(old["events"]) == ["hello bob", "hello alice"]
    (new,) = alice.ask("history", to="bob")
    assert messages(new["events"]) == ["I am bob"]
    (pong,) = alice.ask("ping")
    assert pong["heads"] == {"@bob": 3, f"@bob/{from_of(bob)}": 2}


def test_of_two_who_are_gone_and_had_the_same_nick_both_heads_are_told() -> None:
    broker = Broker()
    alice, bob, eve = changed_hands(broker)
    eve.say("I am bob", None, to="alice")
    eve.ask("bye")
    alice.read()
    (pong,) = alice.ask("ping")
    assert pong["heads"] == {"@bob": 3, f"@bob/{from_of(bob)}": 2}


def test_who_somebody_is_must_be_told_as_it_is_written() -> None:
    broker = Broker()
    alice = broker.hello("alice")
    for wrong in ("bob", "0" * 15, "G" * 16, 7):
        assert codes(alice.ask("history", to="bob", **{"with": wrong})) == ["bad_command"]
