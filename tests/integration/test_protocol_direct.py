"""Direct messages: for the two ends only, whatever nick they bear later, and never on the feed."""

import pytest

from tests.conftest import StartBroker
from tests.integration.conftest import NetOf
from tests.integration.raw import Net, Peer, unique


def conversation(peer: Peer, nick: str) -> list[str]:
    return [event["text"] for event in peer.history(to=nick, after=0)["events"]]


def test_direct_message_reaches_both_ends_and_nobody_else(net: Net) -> None:
    feed = net.feed("")
    alice, bob, carol = (net.session(nick, "den") for nick in ("alice", "bob", "carol"))
    ack = alice.say("between us", to="bob")
    for peer in (alice, bob):
        event = peer.expect("message")
        told = {"seq": ack["seq"], "prev": 0, "to": "bob", "from": alice.sender, "nick": "alice", "text": "between us"}
        assert told.items() <= event.items()
        assert "room" not in event
    assert carol.settled() == []
    assert not [line for line in feed.settled() if b"between us" in line.frame]


def test_both_ends_get_the_same_line_live_and_from_history(net: Net) -> None:
    alice, bob = net.session("alice"), net.session("bob")
    alice.say("hi", to="bob")
    line = alice.expect("message").raw
    assert bob.expect("message").raw == line
    assert line in alice.history(to="bob", after=0).frame
    assert line in bob.history(to="alice", after=0).frame


def test_conversation_has_a_chain_of_its_own(net: Net, room: str) -> None:
    alice, bob, carol = (net.session(nick) for nick in ("alice", "bob", "carol"))
    alice.say("noise", room=room)
    first = alice.say("1", to="bob")["seq"]
    carol.say("other", to="bob")
    alice.say("noise", room=room)
    second = bob.say("2", to="alice")["seq"]
    third = alice.say("3", to="BOB")["seq"]
    chain = [(event["seq"], event["prev"]) for event in bob.history(to="alice", after=0)["events"]]
    assert chain == [(first, 0), (second, first), (third, second)]
    assert [event["prev"] for event in bob.history(to="carol", after=0)["events"]] == [0]
    live = [line for line in bob.settled() if line["type"] == "message" and line["nick"] != "carol"]
    assert [(line["seq"], line["prev"]) for line in live] == chain


def test_pong_tells_the_head_of_each_conversation(net: Net, room: str) -> None:
    alice, bob = net.session("alice"), net.session("bob")
    seq = alice.say("hi", to="bob")["seq"]
    assert alice.ask("pong", type="ping")["heads"] == {"@bob": seq}
    alice.join(room)
    head = alice.say("hi all", room=room)["seq"]
    assert alice.ask("pong", type="ping")["heads"] == {room: head, "@bob": seq}
    assert bob.ask("pong", type="ping")["heads"] == {"@alice": seq}
    assert net.session("carol").ask("pong", type="ping")["heads"] == {}


def test_direct_message_to_a_nick_that_is_not_here_is_refused_and_takes_its_number(net: Net) -> None:
    alice, bob = net.session("alice"), net.session("bob")
    bob.send({"type": "bye"})
    bob.refused("no_session", type="ping")
    assert alice.refused("unknown_nick", type="say", n=1, to="bob", text="hello?")["n"] == 1
    assert alice.refused("unknown_nick", type="say", n=2, to="", text="hello?")["n"] == 2
    assert alice.ask("pong", type="ping")["n"] == 2


def test_repeated_number_is_not_delivered_twice(net: Net) -> None:
    alice, bob = net.session("alice"), net.session("bob")
    seq = alice.say("hi", to="bob")["seq"]
    alice.ask("ack", type="say", n=1, to="bob", text="hi")
    assert [line["seq"] for line in bob.settled()] == [seq]
    assert conversation(bob, "alice") == ["hi"]


def test_third_person_sees_nothing_of_a_conversation(net: Net, room: str) -> None:
    alice, _, carol = (net.session(nick, room) for nick in ("alice", "bob", "carol"))
    word = unique("secret").replace("-", "")
    seq = alice.say(word, to="bob")["seq"]
    alice.say("public", room=room)
    for nick in ("alice", "bob", "carol"):
        carol.send({"type": "history", "to": nick, "after": 0, "ref": nick})
        answer = carol.find(lambda line, nick=nick: line.get("ref") == nick, "answer")  # type: ignore[misc]
        assert answer.get("events", []) == []
    for name in ("@alice", "@bob", f"{alice.sender}", "alice", "bob"):
        carol.send({"type": "history", "room": name, "after": 0})
    carol.send({"type": "history", "room": room, "after": seq - 1}, {"type": "join", "room": room, "after": 0})
    carol.ask("rooms", type="rooms")
    assert word.encode() not in b"".join(line.frame for line in carol.settled())


@pytest.mark.parametrize(("asker", "finds"), [("alice", 1), ("bob", 1), ("carol", 0)])
def test_search_finds_a_direct_message_for_its_two_ends_only(net: Net, asker: str, finds: int) -> None:
    peers = {nick: net.session(nick) for nick in ("alice", "bob", "carol")}
    word = unique("secret").replace("-", "")
    peers["alice"].say(word, to="bob")
    assert len(peers[asker].ask("found", type="search", text=word)["events"]) == finds
    assert len(peers[asker].ask("found", type="search", text=word, nick="alice")["events"]) == finds
    assert peers[asker].ask("found", type="search", text=word, room="general")["events"] == []


def test_conversation_belongs_to_the_people_not_to_their_nicks(net: Net) -> None:
    alice, bob = net.session("alice"), net.session("bob")
    alice.say("for the first bob", to="bob")
    bob.ask("renamed", type="nick", nick="robert")
    impostor = net.session("bob")
    assert conversation(impostor, "alice") == []
    assert conversation(alice, "bob") == []
    assert conversation(alice, "robert") == ["for the first bob"]
    assert impostor.ask("pong", type="ping")["heads"] == {}
    seq = alice.say("for the second bob", to="bob")["seq"]
    assert impostor.expect("message")["prev"] == 0
    assert conversation(bob, "alice") == ["for the first bob"]
    assert impostor.ask("pong", type="ping")["heads"] == {"@alice": seq}


def test_conversation_follows_a_rename(net: Net) -> None:
    alice, bob = net.session("alice"), net.session("bob")
    first = alice.say("hi", to="bob")["seq"]
    bob.ask("renamed", type="nick", nick="robert")
    assert alice.ask("pong", type="ping")["heads"] == {"@robert": first}
    second = alice.say("hi again", to="robert")["seq"]
    assert [line["prev"] for line in bob.settled()] == [0, first]
    assert alice.ask("pong", type="ping")["heads"] == {"@robert": second}


def test_nick_means_who_has_it_now_once_one_has_spoken_with_them(net: Net) -> None:
    alice, bob = net.session("alice"), net.session("bob")
    alice.say("for the first bob", to="bob")
    bob.send({"type": "bye"})
    bob.refused("no_session", type="ping")
    other = net.session("bob")
    seq = other.say("I am another", to="alice")["seq"]
    assert conversation(alice, "bob") == conversation(other, "alice") == ["I am another"]
    heads = alice.ask("pong", type="ping")["heads"]
    assert heads == {"@bob": seq, f"@bob/{bob.welcome['from']}": seq - 1}


def test_an_observer_gets_no_direct_messages_of_others(net: Net) -> None:
    alice, bob, observer = net.session("alice"), net.session("bob"), net.session(None)
    alice.say("hi", to="bob")
    bob.expect("message")
    assert observer.settled() == []


def test_word_to_oneself_comes_once(net: Net) -> None:
    alice = net.session("alice")
    seq = alice.say("note to self", to="alice")["seq"]
    assert [line["seq"] for line in alice.settled() if line["type"] == "message"] == [seq]
    assert conversation(alice, "alice") == ["note to self"]


def test_once_holds_for_direct_messages_too(net: Net) -> None:
    alice, bob = net.session("alice"), net.session("bob")
    seq = alice.say("hi", to="bob", once="greeting")["seq"]
    again = alice.say("hi", to="bob", once="greeting")
    assert (again["seq"], again["duplicate"]) == (seq, True)
    assert len(bob.settled()) == 1


def test_conversation_survives_a_restart_for_its_two_ends_only(start_broker: StartBroker, net_of: NetOf) -> None:
    broker = start_broker("--rate", "0")
    net = net_of(broker)
    alice, bob = net.session("alice"), net.session("bob")
    first = alice.say("before", to="bob")["seq"]
    line = bob.expect("message").raw
    broker.restart()
    net = net_of(broker)
    impostor = net.session("bob")  # takes the nick, not the conversation
    alice_again = net.session("alice", client=alice.welcome["client"])
    assert conversation(impostor, "alice") == []
    assert impostor.ask("pong", type="ping")["heads"] == {}
    impostor.send({"type": "bye"})
    impostor.refused("no_session", type="ping")
    bob_again = net.session("bob", client=bob.welcome["client"])
    assert conversation(alice_again, "bob") == ["before"]
    assert line in bob_again.history(to="alice", after=0).frame
    assert bob_again.ask("pong", type="ping")["heads"] == {"@alice": first}
    bob_again.say("after", to="alice")
    assert alice_again.expect("message")["prev"] == first


def test_typing_to_somebody_is_not_told_to_others(net: Net) -> None:
    feed = net.feed("")
    alice, bob, carol = net.session("alice"), net.session("bob"), net.session("carol")
    alice.send({"type": "typing", "to": "bob"}, {"type": "typing", "to": "nobody-at-all"})
    assert [line["code"] for line in alice.settled()] == ["unknown_nick"]
    assert bob.settled() == [{"type": "typing", "to": "bob", "nick": "alice"}]
    assert carol.settled() == []
    assert feed.settled() == []
