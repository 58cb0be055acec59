"""Rooms and who is in them: join, part, rename, away, typing, topics, and a revision that counts each change."""

import pytest

from tests.integration.raw import Net, unique


def test_joined_describes_the_room(net: Net, room: str) -> None:
    alice = net.session("alice")
    joined = alice.join(room)
    assert (joined["room"], joined["topic"], joined["head"]) == (room, "", 0)
    assert [(member["nick"], member["from"]) for member in joined["members"]] == [("alice", alice.sender)]
    alice.ask("ack", type="topic", n=1, room=room, text="all about cats")
    head = net.session("carol").say("x", room=room)["seq"]
    again = net.session("bob").join(room)
    assert (again["topic"], again["head"]) == ("all about cats", head)
    assert {member["nick"] for member in again["members"]} == {"alice", "bob"}


@pytest.mark.parametrize(
    ("asked", "name"), [("Dev", "dev"), ("ＤＥＶ", "dev"), ("ÉCOLE", "école"), ("комната", "комната")]
)
def test_room_has_one_name_whatever_its_case_or_width(net: Net, asked: str, name: str) -> None:
    end = unique("")
    feed = net.feed(f"room/{name}{end}/")
    alice = net.session("alice")
    assert alice.join(asked + end)["room"] == name + end
    seq = alice.say("hi", room=asked + end)["seq"]
    assert feed.expect("joined")["room"] == name + end
    assert feed.expect("message", seq=seq)["room"] == name + end
    assert alice.history(room=asked + end, after=0)["room"] == name + end
    assert alice.ask("pong", type="ping")["heads"] == {name + end: seq}
    assert alice.ask("parted", type="part", room=asked + end)["room"] == name + end


BAD_ROOMS = ("", "a/b", "/", " ", "a b", "a\nb", "a\x00b", "a\x1bb", "x" * 65, "a\u202eb", "a\u2100b", "x" * 100_000)


@pytest.mark.parametrize("name", BAD_ROOMS, ids=lambda name: ascii(name[:10]))
def test_bad_room_is_refused_by_every_command(net: Net, name: str) -> None:
    alice = net.session("alice")
    alice.refused("bad_room", type="join", room=name)
    assert alice.refused("bad_room", type="say", n=1, room=name, text="x")["n"] == 1
    assert alice.refused("bad_room", type="topic", n=2, room=name, text="x")["n"] == 2
    alice.refused("bad_room", type="history", room=name, after=0)
    assert alice.ask("pong", type="ping")["n"] == 2


def test_room_of_64_code_points_works(net: Net) -> None:
    name = (unique("x") + "木" * 64)[:64]
    assert net.session("alice").join(name)["room"] == name


def test_topic_of_one_room_is_no_prefix_of_another(net: Net) -> None:
    dev = unique("dev")
    feed = net.feed(f"room/{dev}/")
    alice = net.session("alice")
    alice.say("not for us", room=dev + "ops")
    alice.say("for us", room=dev)
    assert [line["text"] for line in feed.settled()] == ["for us"]


def test_every_change_of_the_roster_is_told_with_the_next_revision(net: Net, room: str) -> None:
    feed = net.feed(f"room/{room}/")
    alice = net.session("alice", room)
    bob = net.session("bob", room)
    bob.ask("renamed", type="nick", nick="robert")
    bob.ask("ok", type="away", text="lunch")
    bob.ask("ok", type="away")
    bob.ask("parted", type="part", room=room)
    bob.join(room)
    bob.send({"type": "bye"})
    bob.refused("no_session", type="ping")
    events = feed.settled()
    told = [(line["type"], line["nick"], line.get("new"), line.get("text"), line.get("reason")) for line in events]
    assert told == [
        ("joined", "alice", None, None, None),
        ("joined", "bob", None, None, None),
        ("renamed", "bob", "robert", None, None),
        ("away", "robert", None, "lunch", None),
        ("away", "robert", None, None, None),
        ("left", "robert", None, None, "part"),
        ("joined", "robert", None, None, None),
        ("left", "robert", None, None, "bye"),
    ]
    first = events[0]["rev"]
    assert [line["rev"] for line in events] == list(range(first, first + 8))
    roster = alice.ask("roster", type="who", room=room)
    assert (roster["rev"], [member["nick"] for member in roster["members"]]) == (first + 7, ["alice"])
    assert alice.ask("pong", type="ping")["revs"] == {room: first + 7}


def test_joining_twice_is_no_news(net: Net, room: str) -> None:
    feed = net.feed(f"room/{room}/")
    alice = net.session("alice", room)
    assert alice.join(room)["rev"] == alice.ask("pong", type="ping")["revs"][room]
    assert [line["type"] for line in feed.settled()] == ["joined"]


def test_quiet_follower_is_no_member(net: Net, room: str) -> None:
    feed = net.feed(f"room/{room}/")
    alice = net.session("alice", room)
    ghost = net.session("ghost")
    joined = ghost.join(room, quiet=True)
    assert [member["nick"] for member in joined["members"]] == ["alice"]
    seq = alice.say("boo", room=room)["seq"]
    assert ghost.ask("pong", type="ping")["heads"] == {room: seq}
    assert [member["nick"] for member in alice.ask("roster", type="who", room=room)["members"]] == ["alice"]
    ghost.ask("renamed", type="nick", nick="spirit")
    ghost.ask("parted", type="part", room=room)
    ghost.join(room, quiet=True)
    ghost.send({"type": "bye"})
    ghost.refused("no_session", type="ping")
    assert [line["type"] for line in feed.settled()] == ["joined", "message"]


def test_quiet_follower_who_joins_in_earnest_is_heard_and_keeps_following(net: Net, room: str) -> None:
    feed = net.feed(f"room/{room}/")
    alice = net.session("alice")
    alice.join(room, quiet=True)
    assert [member["nick"] for member in alice.join(room)["members"]] == ["alice"]
    assert [(line["type"], line["nick"]) for line in feed.settled()] == [("joined", "alice")]
    assert room in alice.ask("pong", type="ping")["revs"]


def test_part_is_confirmed_and_parting_from_elsewhere_refused(net: Net, room: str) -> None:
    alice = net.session("alice", room)
    assert alice.ask("parted", type="part", room=room, reason="tea")["room"] == room
    alice.refused("not_in_room", type="part", room=room)
    alice.refused("not_in_room", type="part", room=unique("never"))


def test_say_and_history_need_no_join(net: Net, room: str) -> None:
    alice = net.session("alice")
    seq = alice.say("hello from outside", room=room)["seq"]
    assert [event["seq"] for event in alice.history(room=room, after=0)["events"]] == [seq]


def test_rename_frees_the_old_nick_and_takes_the_new(net: Net, room: str) -> None:
    alice = net.session("alice", room)
    assert alice.ask("renamed", type="nick", nick="Alicia")["nick"] == "Alicia"
    net.session("alice")
    net.peer().refused("nick_taken", type="hello", protocol=1, nick="alicia")
    alice.refused("nick_taken", type="nick", nick="ALICE")
    assert alice.ask("renamed", type="nick", nick="ALICIA")["nick"] == "ALICIA"  # one's own, in another case
    feed = net.feed(f"room/{room}/")
    alice.say("x", room=room)
    assert feed.expect("message")["nick"] == "ALICIA"


def test_away_text_stands_in_the_roster_until_one_is_back(net: Net, room: str) -> None:
    alice = net.session("alice", room)
    bob = net.session("bob", room)
    for text in ("at lunch", "at the dentist"):
        bob.ask("ok", type="away", text=text)
        assert alice.ask("roster", type="who", nick="bob")["members"][0]["away"] == text
    bob.ask("ok", type="away")
    assert not alice.ask("roster", type="who", nick="bob")["members"][0]["away"]


def test_typing_is_told_on_the_feed_and_not_answered(net: Net, room: str) -> None:
    feed = net.feed(f"room/{room}/")
    alice = net.session("alice", room)
    alice.send({"type": "typing", "room": room, "ref": 1})
    assert alice.settled() == []
    assert (feed.expect("typing")["nick"], [line["type"] for line in feed.settled()]) == ("alice", ["joined"])


def test_who_answers_for_a_room_for_a_nick_and_for_all(net: Net, room: str) -> None:
    other = unique("other")
    alice, bob = net.session("alice", room, other), net.session("bob", room, bot=True)
    members = {member["nick"]: member for member in alice.ask("roster", type="who", room=room)["members"]}
    assert {nick: member["from"] for nick, member in members.items()} == {"alice": alice.sender, "bob": bob.sender}
    (found,) = bob.ask("roster", type="who", nick="ALICE")["members"]
    assert (found["nick"], set(found["rooms"])) == ("alice", {room, other})
    everybody = {member["nick"]: set(member["rooms"]) for member in bob.ask("roster", type="who")["members"]}
    assert everybody == {"alice": {room, other}, "bob": {room}}


def test_rooms_lists_topic_members_and_head(net: Net, room: str) -> None:
    alice = net.session("alice", room)
    net.session("bob", room)
    alice.ask("ack", type="topic", n=1, room=room, text="cats")
    alice.n = 1
    head = alice.say("x", room=room)["seq"]
    listed = {entry["room"]: entry for entry in alice.ask("rooms", type="rooms")["rooms"]}
    assert listed[room] == {"room": room, "topic": "cats", "members": 2, "head": head}


def test_topic_is_an_event_in_the_rooms_chain(net: Net, room: str) -> None:
    feed = net.feed(f"room/{room}/")
    alice = net.session("alice", room)
    first = alice.say("x", room=room)["seq"]
    seq = alice.ask("ack", type="topic", n=2, room=room, text="über Katzen")["seq"]
    topic = feed.expect("topic")
    told = {"seq": seq, "prev": first, "room": room, "from": alice.sender, "nick": "alice", "text": "über Katzen"}
    assert told.items() <= topic.items()
    assert alice.history(room=room, after=first)["events"] == [topic]


def test_more_rooms_than_the_limit_are_refused_and_the_others_stay(net: Net) -> None:
    alice = net.session("alice")
    most = alice.welcome["limits"]["rooms"]
    stem = unique("many")
    for start in range(0, most, 100):
        alice.send(*({"type": "join", "room": f"{stem}-{k}"} for k in range(start, min(start + 100, most))))
    assert {line["type"] for line in alice.settled()} == {"joined"}
    alice.ask("error", type="join", room=f"{stem}-one-more")
    assert len(alice.ask("pong", type="ping")["revs"]) == most
    alice.ask("parted", type="part", room=f"{stem}-0")
    alice.join(f"{stem}-one-more")
