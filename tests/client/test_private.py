"""Private rooms: the same following without a feed, and the end of it; and the events about members and rooms."""

from typing import Any

import pytest

from tests.client.script import MINE, Json, Talk, ack, error, history, joined, message, payload, pong, welcome
from zchat.client.consumer import Consumer
from zchat.client.core import effects as do
from zchat.client.core.notices import CaughtUp, Ended, Removed, WentBack
from zchat.errors import SessionEndedError
from zchat.protocol import messages as m

OPS = "+ops"


def live(head: int = 0, **fields: Any) -> Talk:
    """Return a session that is in a private room and in no other."""
    talk = Talk((OPS,), **fields)
    talk.greet()
    talk.reply(joined(talk.asked("join"), head=head, members=[member("alice", MINE), member("bob", "b" * 16)]))
    talk.tick(0.0)
    talk.delivered.clear()
    talk.sent.clear()
    return talk


def member(nick: str, from_: str, **fields: Any) -> Json:
    return {"nick": nick, "from": from_, **fields}


def said(seq: int, prev: int | None = None, **fields: Any) -> Json:
    return message(seq, prev, room=OPS, **fields)


def told(*events: Json, room: str = OPS) -> Json:
    return {"type": "told", "room": room, "events": [{"room": room, **event} for event in events]}


def changed(seq: int, change: str, **fields: Any) -> Json:
    """Return an event about a member, or about a room."""
    type_ = "access" if "mode" in fields or change in ("admitted", "expelled", "operator") else "member"
    known = {"type": type_, "seq": seq, "prev": seq - 1, "time": "", "change": change, "by": "b" * 16, "by_nick": "bob"}
    return known | fields


def removed(talk: Talk) -> list[str]:
    return [event.room for event in talk.delivered if isinstance(event, Removed)]


# -- following


def operators(talk: Talk, room: str = OPS) -> list[str]:
    return [each.nick for each in talk.session.rooms[room].members.values() if each.operator is True]


def test_a_session_knows_who_operates_a_room() -> None:
    talk = Talk((OPS,))
    talk.greet()
    talk.reply(joined(talk.asked("join"), members=[member("alice", MINE), member("bob", "b" * 16, operator=True)]))
    assert operators(talk) == ["bob"]
    talk.reply(changed(1, "operator", room=OPS, **{"from": MINE, "nick": "alice"}))
    assert operators(talk) == ["alice", "bob"]
    come = {"type": "joined", "nick": "eve", "from": "e" * 16, "bot": False, "operator": True}
    talk.reply(told({**come, "rev": 2}))
    assert operators(talk) == ["alice", "bob", "eve"]
    talk.reply(changed(2, "mode", room=OPS, mode="announce"))
    assert operators(talk) == ["alice", "bob", "eve"]
    talk.reply(changed(3, "mode", room=OPS, mode="public"))
    assert operators(talk) == []


def test_a_private_room_needs_no_feed_and_is_joined_at_once() -> None:
    talk = Talk((OPS,))
    talk.greet()
    assert talk.did(do.ConnectFeed) == []
    assert talk.did(do.Ready) == []
    talk.reply(joined(talk.asked("join")))
    assert talk.did(do.Ready)
    assert talk.did(do.Subscribe) == []
    talk.tick(60.0)
    assert talk.session.deaf() is None


def test_beside_a_public_room_it_neither_waits_for_the_feed_nor_falls_with_it() -> None:
    talk = Talk(("dev", OPS))
    talk.greet()
    assert talk.asked("join")["room"] == OPS
    assert [effect.topic for effect in talk.did(do.Subscribe)] == [b"broker/", b"room/dev/", b"session/5e55/"]
    talk.prove()
    assert [line["room"] for line in talk.sent if line["type"] == "join"] == ["dev"]


def test_a_feed_that_dies_takes_no_private_room_with_it() -> None:
    talk = Talk(("dev", OPS))
    talk.greet()
    talk.reply(joined(talk.asked("join"), head=3))
    talk.prove()
    talk.reply(joined(talk.asked("join")))
    talk.did(do.ConnectFeed)
    for _ in range(8):
        talk.tick(5.0)
        talk.reply(pong())
    assert talk.did(do.ConnectFeed), "the echo stayed out"
    assert {name: room.joined for name, room in talk.session.rooms.items()} == {"dev": False, OPS: True}
    talk.seqs()
    talk.reply(said(4))
    assert talk.seqs() == [4]


def test_a_room_joined_later_is_asked_for_over_the_socket_alone() -> None:
    talk = Talk()
    talk.live()
    talk.join(OPS, backlog=2)
    join = talk.asked("join")
    assert (join["room"], join["backlog"]) == (OPS, 2)
    talk.reply(joined(join, head=30), said(31, 30), history(join, said(20, 10), said(30, 20), upto=30))
    assert isinstance(talk.answers[OPS], m.Joined)
    assert talk.seqs() == [20, 30, 31]
    assert talk.did(do.ConnectFeed) == talk.did(do.Subscribe) == []


def test_what_stands_together_is_delivered_together_with_its_own_lines() -> None:
    talk = live()
    deliveries = []
    for effect in talk.session.replies(payload(said(1), said(2), ack(1), said(3)), talk.now):
        deliveries += [effect] if isinstance(effect, do.Deliver) else []
    assert [[event.seq for event in each.events] for each in deliveries] == [[1, 2], [3]]
    assert [line for each in deliveries for line in each.lines] == [payload(said(seq)) for seq in (1, 2, 3)]


def test_rooms_and_conversations_in_one_payload_are_told_apart() -> None:
    talk = live()
    talk.reply(pong())
    talk.reply(said(1), message(2, 0, to="alice"), said(3, 1), message(4, 0, room="+elsewhere"))
    assert talk.seqs() == [1, 2, 3]


def test_a_gap_is_asked_for_and_repeats_are_dropped() -> None:
    talk = live(head=3)
    talk.reply(said(3), said(6))
    question = talk.asked("history")
    assert (question["room"], question["after"]) == (OPS, 3)
    talk.reply(said(7))
    talk.reply(history(question, said(4), said(5), said(6), upto=6))
    assert talk.seqs() == [4, 5, 6, 7]


def test_a_head_still_ahead_at_the_next_pong_is_a_gap() -> None:
    talk = live(head=3)
    talk.reply(pong({OPS: 5}, revs={OPS: 1}))
    assert "history" not in [line["type"] for line in talk.sent]
    talk.reply(pong({OPS: 5}, revs={OPS: 1}))
    talk.reply(history(talk.asked("history"), said(4), said(5), upto=5))
    assert talk.seqs() == [4, 5]


def test_after_a_reconnect_it_goes_on_from_its_cursor() -> None:
    talk = live(head=3)
    talk.reply(said(4))
    talk.cut()
    talk.sent.clear()
    talk.greet()
    join = talk.asked("join")
    assert (join["room"], join["after"]) == (OPS, 4)
    talk.reply(joined(join, head=6), said(7, 6), history(join, said(5), said(6), upto=6))
    assert talk.seqs() == [4, 5, 6, 7]
    assert talk.did(do.ConnectFeed) == []


def test_a_given_cursor_leads_on_from_there() -> None:
    talk = Talk((OPS,), after=3)
    talk.greet()
    join = talk.asked("join")
    assert join["after"] == 3
    talk.reply(joined(join, head=4), history(join, said(4), upto=4))
    assert talk.seqs() == [4]
    assert talk.delivered == []


def test_where_the_log_went_back_its_cursor_is_cut() -> None:
    talk = Talk((OPS,), epochs=(("a" * 16, 1),))
    talk.greet(epochs=[["a" * 16, 1]])
    talk.reply(joined(talk.asked("join"), head=9))
    talk.cut()
    talk.sent.clear()
    talk.greet(epochs=[["a" * 16, 1], ["b" * 16, 6]], shared=5)
    assert [event.shared for event in talk.delivered if isinstance(event, WentBack)] == [5]
    assert talk.asked("join")["after"] == 5


# -- a user who is slow


def test_while_the_user_is_slow_it_is_left_out_and_asked_for_afterwards() -> None:
    talk = live(head=3)
    talk.session.pause()
    talk.reply(said(4), told({"type": "joined", "rev": 2, "nick": "carol", "from": "c" * 16, "bot": False}), said(5))
    talk.reply(pong({OPS: 5}, revs={OPS: 2}))
    assert talk.delivered == []
    assert "carol" in talk.session.rooms[OPS].members, "the roster follows all the same"
    talk.sent.clear()
    talk.carry_out(talk.session.resume(talk.now))
    talk.tick(0.0)
    assert talk.types() == ["ping"], "at once: nothing else tells what was left out"
    talk.reply(pong({OPS: 5}, revs={OPS: 2}))
    talk.tick(0.2)
    talk.asked("ping")
    talk.reply(pong({OPS: 5}, revs={OPS: 2}))
    question = talk.asked("history")
    assert question["after"] == 3
    talk.reply(history(question, said(4), said(5), upto=5), said(6))
    assert talk.seqs() == [4, 5, 6]


def test_what_comes_after_a_slow_time_shows_what_was_left_out() -> None:
    talk = live(head=3)
    talk.session.pause()
    talk.reply(said(4))
    talk.carry_out(talk.session.resume(talk.now))
    talk.reply(said(5))
    assert talk.asked("history")["after"] == 3


# -- who is there


def test_who_comes_and_goes_is_told_and_known_with_the_role() -> None:
    talk = live()
    room = talk.session.rooms[OPS]
    talk.reply(told({"type": "joined", "rev": 2, "nick": "carol", "from": "c" * 16, "bot": False, "role": "owner"}))
    talk.reply(
        told({"type": "typing", "nick": "bob"}), told({"type": "left", "rev": 3, "nick": "bob", "reason": "bye"})
    )
    assert [type(event) for event in talk.delivered] == [m.MemberJoined, m.MemberTyping, m.MemberLeft]
    assert room.members["carol"].role == "owner"
    assert "bob" not in room.members


def test_roles_are_kept_in_the_roster_and_follow_a_change() -> None:
    talk = Talk((OPS,))
    talk.greet(member={"from": MINE, "nick": "alice", "role": "owner"})
    people = [member("alice", MINE, role="owner"), member("bob", "b" * 16, role="member"), member("eve", "e" * 16)]
    talk.reply(joined(talk.asked("join"), members=people))
    members = talk.session.rooms[OPS].members
    assert [members["alice"].role, members["bob"].role] == ["owner", "member"]
    assert not members["eve"].role, "a guest has none"
    talk.reply(changed(4, "role", role="moderator", **{"from": "b" * 16}))
    assert members["bob"].role == "moderator"
    assert talk.session.member == m.Account(from_=MINE, nick="alice", role="owner")
    talk.reply(changed(5, "role", role="member", **{"from": MINE}), changed(6, "nick", nick="al", **{"from": MINE}))
    assert talk.session.member == m.Account(from_=MINE, nick="al", role="member")


# -- its end


def expelled(talk: Talk) -> None:
    talk.reply({"type": "parted", "room": OPS, "by": "bob"})


def expelled_while_slow(talk: Talk) -> None:
    talk.session.pause()
    expelled(talk)


def refused_the_history(talk: Talk) -> None:
    talk.reply(said(9))
    talk.reply(error("unknown_room", ref=talk.asked("history")["ref"]))


def refused_the_roster(talk: Talk) -> None:
    talk.reply(told({"type": "left", "rev": 9, "nick": "bob", "reason": "bye"}))
    talk.reply(error("unknown_room", ref=talk.asked("who")["ref"]))


def refused_at_the_next_join(talk: Talk) -> None:
    talk.cut()
    talk.greet()
    talk.reply(error("unknown_room", ref=talk.asked("join")["ref"]))


ENDS = [
    expelled,
    expelled_while_slow,
    refused_the_history,
    refused_the_roster,
    refused_at_the_next_join,
]


@pytest.mark.parametrize("end", ENDS)
def test_who_is_let_out_is_told_once_and_does_not_come_back(end: Any) -> None:
    talk = live()
    end(talk)
    assert removed(talk) == [OPS]
    assert talk.session.rooms == {}
    assert talk.did(do.Finish) == [], "the client goes on"
    talk.sent.clear()
    talk.reply({"type": "parted", "room": OPS}, said(20))
    talk.tick(0.0)
    talk.cut()
    talk.greet()
    assert "join" not in [line["type"] for line in talk.sent]
    assert removed(talk) == [OPS]


def test_a_kick_out_of_a_public_room_is_told_with_who_did_it_and_why() -> None:
    talk = Talk(("dev",))
    talk.greet()
    talk.prove()
    talk.reply(joined(talk.asked("join"), members=[member("alice", MINE), member("bob", "b" * 16)]))
    talk.feed("dev", {"type": "left", "room": "dev", "rev": 2, "nick": "alice", "reason": "kick", "text": "enough"})
    assert removed(talk) == [], "a bye may follow, and then that is told"
    talk.reply({"type": "parted", "room": "dev", "by": "bob", "text": "enough"})
    told = [event for event in talk.delivered if isinstance(event, Removed)]
    assert told == [Removed("dev", "taken out by bob: enough")]
    assert [effect.topic for effect in talk.did(do.Unsubscribe)] == [b"room/dev/"]


def test_the_answer_to_a_part_that_was_taken_back_lets_nobody_out() -> None:
    talk = live()
    talk.carry_out(talk.session.part(OPS, None, "part", talk.now, 5.0))
    ref = talk.asked("part")["ref"]
    talk.join(OPS)
    join = talk.asked("join")
    talk.reply({"type": "parted", "room": OPS, "ref": ref}, joined(join))
    assert list(talk.session.rooms) == [OPS]
    assert removed(talk) == []


def test_a_room_that_one_is_not_let_into_keeps_nobody_out_of_the_others() -> None:
    talk = Talk((OPS, "+other"))
    talk.greet()
    talk.reply(error("unknown_room", ref=talk.asked("join")["ref"]), joined(talk.asked("join")))
    assert removed(talk) == [OPS]
    assert list(talk.session.rooms) == ["+other"]
    assert talk.did(do.Ready)
    assert talk.did(do.Finish) == []


def test_who_asks_for_a_room_has_the_refusal_as_the_answer() -> None:
    talk = Talk()
    talk.live()
    talk.join(OPS)
    talk.reply(error("unknown_room", ref=talk.asked("join")["ref"]))
    answer = talk.answers[OPS]
    assert isinstance(answer, m.Error)
    assert answer.code == "unknown_room"
    assert talk.session.rooms == {}
    assert removed(talk) == []


@pytest.mark.parametrize(("reason", "word"), [("kick", "sent you away"), ("banned", "keeps you out")])
def test_who_is_sent_away_stays_away_and_is_told_why(reason: str, word: str) -> None:
    talk = Talk()
    talk.live()
    talk.reply({"type": "bye", "reason": reason, "by": "olga", "text": "Be nice."})
    assert talk.delivered[-1] == Ended(reason, "Be nice.", "olga")
    assert talk.did(do.Finish)
    talk.connect()
    assert talk.sent == []
    told = str(SessionEndedError(reason, "Be nice.", "olga"))
    assert f"olga {word}" in told.replace("has ", "")
    assert "Be nice" in told


def test_who_is_sent_away_by_nobody_is_not_told_of_a_moderator() -> None:
    told = str(SessionEndedError("kick", "this device was removed from its member"))
    assert "you were sent away (this device was removed from its member). Start again to come back, if" in told


# -- events about members and rooms


def test_they_are_delivered_and_move_no_cursor() -> None:
    talk = live(head=3)
    talk.reply(pong({"@bob": 2}))
    talk.reply(
        changed(50, "expelled", room=OPS, **{"from": "b" * 16}),
        changed(51, "muted", room=OPS, **{"from": "b" * 16}),
        changed(52, "joined", nick="dave", role="member", **{"from": "d" * 16}),
    )
    assert [type(event) for event in talk.delivered if not isinstance(event, CaughtUp)] == [
        m.AccessChanged,
        m.MemberChanged,
        m.MemberChanged,
    ]
    assert talk.session.rooms[OPS].cursor == 3
    talk.seqs()
    talk.sent.clear()
    talk.reply(said(4, 3), message(5, 2, to="alice"))
    assert talk.seqs() == [4, 5]
    talk.cut()
    talk.greet()
    assert talk.asked("join")["after"] == 4


@pytest.mark.parametrize("type_", ["member", "access"])
def test_one_that_cannot_be_read_moves_none_either(type_: str) -> None:
    talk = live(head=3)
    talk.reply({"type": type_, "seq": 50, "prev": 49, "room": OPS, "change": 7}, said(4, 3))
    assert talk.seqs() == [4]
    assert talk.session.rooms[OPS].cursor == 4
    assert talk.types() == []


def test_a_consumer_does_not_count_them() -> None:
    class Memory:
        def __init__(self) -> None:
            self.moved: dict[str, int] = {}

        def load(self, log: str = "") -> Any:
            return Consumer(acts=False).kept

        def follow(self, log: str, epochs: m.Epochs, shared: int | None, known_as: str) -> None: ...

        def move(self, log: str, cursors: Any) -> None:
            self.moved |= cursors

    store = Memory()
    consumer = Consumer(store, acts=True)
    consumer.begin_log("a" * 32, (), None)
    consumer.begin(OPS, 3)
    event = m.AccessChanged(seq=50, prev=49, time="", room=OPS, change="admitted")
    consumer.finish_all([m.Message(seq=4, prev=3, room=OPS, time="", from_="", nick="", kind="", text=""), event])
    assert store.moved == {OPS: 4}


def test_they_are_no_answer_and_nothing_before_the_welcome() -> None:
    talk = Talk()
    talk.connect()
    talk.reply(changed(5, "joined", nick="dave", **{"from": "d" * 16}), told({"type": "typing", "nick": "bob"}))
    assert talk.delivered == []
    talk.reply(welcome(ref=talk.asked("hello")["ref"]))
    assert talk.session.online
