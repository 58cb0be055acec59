"""Coming, staying and going: hello and welcome, nicks, a session taken over, silence, bye."""

from typing import Any

import pytest

from tests.conftest import StartBroker
from tests.integration.conftest import NetOf
from tests.integration.raw import Net, unique

CLIENT = "0123456789abcdef" * 2


def test_welcome_says_all_that_a_client_needs(net: Net) -> None:
    welcome = net.session("alice").welcome
    assert welcome["nick"] == "alice"
    assert welcome["n"] == 0
    assert welcome["feed"] == net.publish
    limits = {"text": 16 * 1024, "frame": 1024 * 1024, "lines": 1000}
    assert limits.items() <= welcome["limits"].items()
    assert welcome["server"].startswith("zchat")


def test_default_heartbeat_and_rate_are_the_documented_ones(start_broker: StartBroker, net_of: NetOf) -> None:
    welcome = net_of(start_broker("--memory")).session("alice").welcome
    assert (welcome["heartbeat"], welcome["grace"], welcome["limits"]["rate"]) == (5, 15, 100)


@pytest.mark.parametrize("ref", ["a string", "", 0, 7, -3, 2**53 - 1])
def test_every_reply_carries_the_ref_of_its_command(net: Net, room: str, ref: str | int) -> None:
    peer = net.peer()
    commands: list[tuple[str, dict[str, Any]]] = [
        ("error", {"type": "ping"}),
        ("status", {"type": "status"}),
        ("welcome", {"type": "hello", "protocol": 1, "nick": "alice"}),
        ("joined", {"type": "join", "room": room}),
        ("pong", {"type": "ping"}),
        ("ack", {"type": "say", "n": 1, "room": room, "text": "x"}),
        ("ack", {"type": "topic", "n": 2, "room": room, "text": "x"}),
        ("error", {"type": "say", "n": 3, "room": "a/b", "text": "x"}),
        ("renamed", {"type": "nick", "nick": "alicia"}),
        ("ok", {"type": "away", "text": "x"}),
        ("roster", {"type": "who"}),
        ("rooms", {"type": "rooms"}),
        ("history", {"type": "history", "room": room, "after": 0}),
        ("found", {"type": "search", "text": "x"}),
        ("parted", {"type": "part", "room": room}),
        ("error", {"type": "nonsense"}),
    ]
    for kind, command in commands:
        assert type(peer.ask(kind, ref=ref, **command)["ref"]) is type(ref)


def test_join_with_backlog_puts_the_ref_into_both_replies(net: Net, room: str) -> None:
    peer = net.session("alice")
    peer.send({"type": "join", "room": room, "backlog": 5, "ref": 9})
    assert [(line["type"], line.get("ref")) for line in peer.settled()] == [("joined", 9), ("history", 9)]


def test_command_without_ref_gets_a_reply_without_ref(net: Net) -> None:
    peer = net.session("alice")
    peer.send({"type": "ping"})
    assert "ref" not in peer.expect("pong")


def test_another_version_of_the_protocol_is_refused_by_its_own_code(net: Net) -> None:
    peer = net.peer()
    for version in (0, 2, 99):
        peer.refused("protocol_version", type="hello", protocol=version, nick="alice")
    peer.refused("no_session", type="ping")
    assert peer.hello("alice")["protocol"] == 1


@pytest.mark.parametrize(
    "command",
    [
        {"type": "ping"},
        {"type": "join", "room": "x"},
        {"type": "part", "room": "x"},
        {"type": "say", "n": 1, "room": "x", "text": "x"},
        {"type": "topic", "n": 1, "room": "x", "text": "x"},
        {"type": "nick", "nick": "x"},
        {"type": "away"},
        {"type": "who"},
        {"type": "rooms"},
        {"type": "history", "room": "x", "after": 0},
        {"type": "search", "text": "x"},
    ],
    ids=lambda command: str(command["type"]),
)
def test_command_before_hello_gets_no_session(net: Net, command: dict[str, object]) -> None:
    net.peer().refused("no_session", **command)


def test_status_needs_no_session(net: Net) -> None:
    status = net.peer().ask("status", type="status")
    assert status["feed"] == net.publish
    assert status["sessions"] == 0
    net.session("alice")
    assert net.peer().ask("status", type="status")["sessions"] == 1


def test_broker_picks_a_client_where_none_is_given_and_from_depends_on_client_only(net: Net) -> None:
    first, second = net.session("alice"), net.session("bob")
    assert first.welcome["client"] != second.welcome["client"]
    assert first.sender != second.sender
    first.send({"type": "bye"})
    again = net.session("somebody-else", client=first.welcome["client"])
    assert again.sender == first.sender
    assert again.welcome["client"] == first.welcome["client"]


def test_client_and_session_token_are_told_to_nobody_else(net: Net, room: str) -> None:
    feed = net.feed("")
    alice, bob = net.session("alice", room), net.session("bob", room)
    alice.say("hi", room=room)
    alice.say("hi", to="bob")
    bob.ask("roster", type="who")
    bob.ask("roster", type="who", nick="alice")
    bob.history(room=room, after=0)
    seen = b"".join(line.frame for line in [*bob.settled(), *feed.settled()])
    for secret in (alice.welcome["client"], alice.welcome["session"]):
        assert secret.encode() not in seen


# -- nicks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "nick", ["a", "Zoë", "алиса", "アリス", "علي", "x" * 32, "木" * 32, "🐈", "a.b-c_d", "O'Neil", "1"]
)
def test_nick_of_any_script_is_welcome(net: Net, nick: str) -> None:
    assert net.session(nick).welcome["nick"] == nick


@pytest.mark.parametrize(
    "nick",
    [
        *(
            "",
            " ",
            "a b",
            "a\tb",
            "a\nb",
            "a\u00a0b",
            "a\u3000b",
            "a\u2003b",
            "a/b",
            "/",
            "x" * 33,
            "木" * 33,
            "x" * 5000,
        ),
        *("a\x00b", "a\x1b[31mb", "a\x7fb", "a\u0085b", "a\u202eb", "a\u200bb", "a\u2028b", "a\ufeffb", "\ufffe"),
        *("a\uff0fb", "\u2100"),  # both are a slash once they are normalised
    ],
    ids=ascii,
)
def test_nick_that_breaks_the_rules_is_refused(net: Net, nick: str) -> None:
    peer = net.peer()
    peer.refused("bad_nick", type="hello", protocol=1, nick=nick)
    peer.hello("fine")
    peer.refused("bad_nick", type="nick", nick=nick)
    assert peer.ask("roster", type="who", nick="fine")["members"][0]["nick"] == "fine"


@pytest.mark.parametrize("other", ["alice", "Alice", "ALICE", "ａｌｉｃｅ", "Ａlice"])
def test_nick_that_differs_only_in_case_or_width_is_taken(net: Net, other: str) -> None:
    net.session("alice")
    peer = net.peer()
    peer.refused("nick_taken", type="hello", protocol=1, nick=other)
    peer.hello("bob")
    peer.refused("nick_taken", type="nick", nick=other)


@pytest.mark.parametrize("other", ["\u0430lice", "al\u0131ce", "Alic\u0435"], ids=ascii)
def test_nick_that_looks_like_one_that_is_here_is_taken(net: Net, other: str) -> None:
    net.session("alice")
    peer = net.peer()
    why = peer.refused("nick_taken", type="hello", protocol=1, nick=other)["message"]
    assert why == f"the nick {other} looks like alice, who is here"
    peer.hello("\u043e\u043b\u044f")
    peer.refused("nick_taken", type="nick", nick=other)


def test_nicks_of_plain_ascii_never_look_alike(net: Net) -> None:
    for nick in ("bot1", "botl", "rnax", "max"):
        net.session(nick)


def test_composed_and_decomposed_nick_are_one(net: Net) -> None:
    net.session("Zo\u00eb")
    net.peer().refused("nick_taken", type="hello", protocol=1, nick="Zoe\u0308")


def test_nick_is_free_again_after_bye(net: Net) -> None:
    first = net.session("alice")
    first.send({"type": "bye", "reason": "dinner"})
    first.refused("no_session", type="ping")
    assert net.session("alice").sender != first.sender


def test_bye_is_not_answered_and_ends_the_session(net: Net, room: str) -> None:
    feed = net.feed(f"room/{room}/")
    alice = net.session("alice", room)
    alice.send({"type": "bye"}, {"type": "say", "n": 1, "room": room, "text": "too late"})
    assert alice.take()["code"] == "no_session"
    left = feed.expect("left", nick="alice", room=room)
    assert left["reason"] == "bye"
    assert [line["type"] for line in feed.settled()] == ["joined"]


def test_an_observer_has_no_nick_and_cannot_say_and_is_in_no_roster(net: Net, room: str) -> None:
    feed = net.feed(f"room/{room}/")
    alice = net.session("alice", room)
    observer = net.session(None)
    assert "nick" not in observer.welcome
    joined = observer.join(room)
    assert [member["nick"] for member in joined["members"]] == ["alice"]
    assert observer.refused("forbidden", type="say", n=1, room=room, text="hi")["n"] == 1
    assert [member["nick"] for member in alice.ask("roster", type="who", room=room)["members"]] == ["alice"]
    assert observer.sender not in {member["from"] for member in alice.ask("roster", type="who")["members"]}
    observer.send({"type": "bye"})
    observer.refused("no_session", type="ping")
    assert [line["type"] for line in feed.settled()] == ["joined"]


def test_bot_says_that_it_is_one(net: Net, room: str) -> None:
    feed = net.feed(f"room/{room}/")
    net.session("robot", room, bot=True)
    assert feed.expect("joined", nick="robot")["bot"] is True
    alice = net.session("alice", room)
    bots = {member["nick"]: member["bot"] for member in alice.ask("roster", type="who", room=room)["members"]}
    assert bots == {"robot": True, "alice": False}


# -- takeover --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["client", "resume", "both"])
def test_hello_of_a_live_client_takes_its_session_over_and_nobody_hears_of_it(net: Net, room: str, by: str) -> None:
    feed = net.feed(f"room/{room}/")
    old = net.session("alice", room)
    old.say("before", room=room)
    proof = {"client": old.welcome["client"], "resume": old.welcome["session"]}
    new = net.session("alice", **(proof if by == "both" else {by: proof[by]}))
    assert old.expect("bye")["reason"] == "replaced"
    assert (new.welcome["nick"], new.welcome["n"], new.sender) == ("alice", 1, old.sender)
    assert new.welcome["client"] == old.welcome["client"]
    assert room in new.ask("pong", type="ping")["heads"]  # its rooms came along
    new.join(room, after=0)
    new.say("after", room=room)
    old.refused("no_session", type="say", n=2, room=room, text="from the grave")
    assert [line["type"] for line in feed.settled()] == ["joined", "message", "message"]
    assert [member["nick"] for member in new.ask("roster", type="who", room=room)["members"]] == ["alice"]


def test_hello_said_again_over_the_same_connection_goes_on_as_before(net: Net, room: str) -> None:
    feed = net.feed(f"room/{room}/")
    alice = net.session("alice", room)
    alice.say("one", room=room)
    again = alice.hello("alice", client=alice.welcome["client"])
    assert (again["n"], again["from"]) == (1, alice.sender)
    alice.join(room, after=0)
    assert [line["type"] for line in alice.settled()] == ["history"]  # and no `bye` to itself
    alice.say("two", room=room)
    assert [line["type"] for line in feed.settled()] == ["joined", "message", "message"]


def test_first_frame_may_hold_all_that_a_bot_has_to_say(net: Net, room: str) -> None:
    bot = net.peer()
    bot.send(
        {"type": "hello", "protocol": 1, "nick": "robot", "bot": True},
        {"type": "join", "room": room},
        *({"type": "say", "n": n, "room": room, "text": str(n)} for n in (1, 2)),
        {"type": "bye"},
        {"type": "ping"},
    )
    answers = [bot.take() for _ in range(5)]
    assert [line["type"] for line in answers] == ["welcome", "joined", "ack", "ack", "error"]
    assert answers[4]["code"] == "no_session"


def test_refused_takeover_leaves_the_session_where_it_was(net: Net) -> None:
    alice = net.session("alice")
    net.session("bob")
    net.peer().refused("nick_taken", type="hello", protocol=1, nick="bob", client=alice.welcome["client"])
    assert alice.settled() == []
    assert net.session(None).ask("roster", type="who", nick="alice")["members"][0]["from"] == alice.sender


def test_taken_over_session_gets_the_direct_messages(net: Net) -> None:
    old = net.session("alice")
    new = net.session("alice", client=old.welcome["client"])
    net.session("bob").say("psst", to="alice")
    assert new.expect("message")["text"] == "psst"
    assert [line["type"] for line in [old.take(), *old.take_all()]] == ["bye"]


def test_client_comes_back_after_bye_with_its_count(net: Net, room: str) -> None:
    client = unique("")[1:] * 4
    first = net.session("alice", client=client)
    first.say_all(["one", "two", "three"], room=room)
    first.send({"type": "bye"})
    again = net.session("alice", client=client)
    assert again.welcome["n"] == 3


def test_echo_of_the_feed_goes_to_the_one_who_asked(net: Net) -> None:
    feed = net.feed("session/")
    alice = net.session("alice")
    alice.ask("pong", type="ping", feed=True)
    assert feed.expect("echo").topic == f"session/{alice.welcome['id']}/"
    alice.ask("pong", type="ping", feed=False)
    alice.ask("pong", type="ping")
    assert [line for line in feed.settled() if line.topic == f"session/{alice.welcome['id']}/"] == []


def test_pong_tells_the_heads_and_revisions_of_the_rooms_joined(net: Net, room: str) -> None:
    alice, bob = net.session("alice", room), net.session("bob")
    head = bob.say("x", room=room)["seq"]
    pong = alice.ask("pong", type="ping")
    assert pong["heads"] == {room: head}
    assert set(pong["revs"]) == {room}
    rev = bob.join(room)["rev"]
    assert alice.ask("pong", type="ping")["revs"] == {room: rev}
    assert bob.ask("pong", type="ping")["n"] == 1
    alice.ask("parted", type="part", room=room)
    pong = alice.ask("pong", type="ping")
    assert (pong["heads"], pong["revs"]) == ({}, {})


def test_unknown_fields_are_ignored_and_an_unknown_type_gets_an_error(net: Net, room: str) -> None:
    alice = net.session("alice", room)
    assert alice.say("x", room=room, colour="red", nested={"deep": [1, {}]})["n"] == 1
    alice.refused("bad_command", type="dance", ref=5)
