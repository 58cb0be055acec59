"""Who is at other brokers that share the log: what they are told, and what each of them makes of it."""

from tests.broker.several import GRACE, Several


def test_everybody_is_listed_at_every_broker() -> None:
    several = Several()
    ann, bob = several.hello("a", "ann"), several.hello("b", "bob", bot=True)
    ann.join("general")
    bob.join("general")
    for name in "abc":
        assert several.names(name, "general") == ["ann", "bob"]
    cat = several.hello("c", "cat")
    listed = cat.ask("join", room="general")[0]["members"]
    assert [(one["nick"], one["bot"]) for one in listed] == [("ann", False), ("bob", True), ("cat", False)]


def test_a_move_within_grace_is_told_nowhere() -> None:
    several = Several()
    ann = several.hello("a", "ann")
    ann.join("general")
    for broker in several.brokers.values():
        broker.feed.clear()
    ann.go("b")
    several.wait(GRACE / 2)
    ann.join("general")
    several.wait(GRACE * 2)
    assert [dict(broker.feed) for broker in several.brokers.values()] == [{}, {}, {}]
