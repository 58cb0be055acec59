"""What a client sees of its rooms: each event once and in order, and a roster that is right."""

from typing import Any

import pytest

from tests.client.script import MINE, Talk, error, history, joined, message, payload, pong
from zchat.client.core import effects as do
from zchat.client.core.notices import CaughtUp
from zchat.client.core.room import HELD_MAX, Room
from zchat.protocol import messages as m


def live(head: int = 0) -> Talk:
    talk = Talk(("dev",))
    talk.live(head=head)
    talk.delivered.clear()
    return talk


def member(nick: str, **fields: Any) -> dict[str, Any]:
    return {"nick": nick, "from": "0" * 16, "bot": False, "away": None, "idle": 0} | fields


def test_events_are_delivered_with_their_own_lines() -> None:
    talk = live()
    talk.lines.clear()
    talk.feed("dev", message(1), message(2))
    assert talk.seqs() == [1, 2]
    assert talk.lines == [payload(message(1)), payload(message(2))]


def test_repeats_are_dropped() -> None:
    talk = live(head=3)
    talk.feed("dev", message(3), message(4), message(4))
    talk.feed("dev", message(2), message(5))
    assert talk.seqs() == [4, 5]


def test_a_gap_is_asked_for_and_what_comes_meanwhile_is_held_back() -> None:
    talk = live(head=3)
    talk.feed("dev", message(6))
    talk.feed("dev", message(7))
    question = talk.asked("history")
    assert (question["room"], question["after"]) == ("dev", 3)
    assert talk.seqs() == []
    assert talk.types() == [], "it is asked once"
    talk.reply(history(question, message(4), message(5), message(6), upto=6))
    assert talk.seqs() == [4, 5, 6, 7]
    assert [event.seq for event in talk.past] == [4, 5, 6]


@pytest.mark.parametrize("seq", [-1, 2**53, 2**64, 10**30])
def test_a_seq_that_no_log_can_give_moves_nothing(seq: int) -> None:
    talk = live(head=3)
    talk.feed("dev", message(seq, prev=3), {"type": "tombstone", "seq": seq, "prev": 3, "room": "dev"})
    talk.reply(pong({"dev": seq, "@bob": seq}))
    talk.feed("dev", message(4))
    assert talk.seqs() == [4]
    assert talk.session.rooms["dev"].cursor == 4


@pytest.mark.parametrize("broken", [b"1", b"null", b'{"seq":"a"}', b'{"type":"message","text":"\xff"}'])
def test_what_is_no_event_in_a_history_is_passed_over(broken: bytes) -> None:
    talk = live(head=3)
    talk.feed("dev", message(6))
    line = payload(history(talk.asked("history"), message(4), {"here": 1}, message(5), upto=5))
    talk.carry_out(talk.session.replies(line.replace(b'{"here":1}', broken), talk.now))
    assert talk.seqs() == [4, 5, 6]


def test_history_in_pages_is_asked_on() -> None:
    talk = live()
    talk.feed("dev", message(5))
    talk.reply(history(talk.asked("history"), message(1), message(2), upto=2, more=True))
    question = talk.asked("history")
    assert question["after"] == 2
    talk.reply(history(question, message(3), message(4), message(5), upto=5))
    assert talk.seqs() == [1, 2, 3, 4, 5]


def test_the_cursor_moves_to_upto_where_old_events_were_retired() -> None:
    talk = live()
    talk.feed("dev", message(9))
    talk.reply(history(talk.asked("history"), upto=9))
    talk.feed("dev", message(10, prev=9))
    assert talk.seqs() == [10]
    assert talk.types() == []


def test_a_history_that_brings_nothing_is_not_asked_for_without_end() -> None:
    talk = live()
    talk.feed("dev", message(9))
    for _ in range(2):
        talk.reply(history(talk.asked("history"), upto=0))
    assert talk.seqs() == [9]
    assert talk.types() == []


def test_what_is_held_back_is_bounded_and_what_fell_out_is_asked_for_again() -> None:
    talk = live()
    for seq in range(2, HELD_MAX + 12):
        talk.feed("dev", message(seq))
    talk.reply(history(talk.asked("history"), message(1), upto=1))
    question = talk.asked("history")
    assert question["after"] == 1
    talk.reply(history(question, *[message(seq) for seq in range(2, 20)], upto=19))
    assert talk.seqs() == list(range(1, HELD_MAX + 12))


def test_events_before_the_history_of_a_join_come_after_it() -> None:
    talk = Talk(("dev",), after=10)
    talk.greet()
    talk.prove()
    join = talk.asked("join")
    assert join["after"] == 10
    talk.feed("dev", message(14))
    talk.reply(joined(join, head=13))
    talk.feed("dev", message(15))
    assert talk.seqs() == []
    talk.reply(history(join, message(11), message(12), message(13), upto=13))
    seen = [event for event in talk.delivered if not isinstance(event, CaughtUp)]
    assert [event.seq for event in seen] == [11, 12, 13, 14, 15]
    assert talk.delivered.index(CaughtUp("dev")) == 3, "caught up after the history, before what is live"


def test_a_backlog_is_asked_for_at_the_first_join_only() -> None:
    talk = Talk(("dev",), backlog=2)
    talk.greet()
    talk.prove()
    join = talk.asked("join")
    assert join["backlog"] == 2
    assert "after" not in join
    talk.reply(joined(join, head=30), history(join, message(20, prev=10), message(30, prev=20), upto=30))
    assert talk.seqs() == [20, 30]
    talk.cut()
    talk.greet()
    talk.prove()
    join = talk.asked("join")
    assert join["after"] == 30
    assert "backlog" not in join


def test_a_join_with_a_backlog_asks_for_no_page_though_there_are_older_ones() -> None:
    talk = live()
    talk.join("ops", backlog=2)
    join = talk.asked("join")
    events = (message(20, prev=10, room="ops"), message(30, prev=20, room="ops"))
    talk.reply(joined(join, head=30), history(join, *events, upto=30, more=True))
    assert "history" not in talk.types()
    assert [getattr(event, "seq", event) for event in talk.delivered] == [20, 30, CaughtUp("ops")]


def test_a_join_with_a_mark_asks_for_pages_until_it_has_caught_up() -> None:
    talk = live()
    talk.join("ops", after=0)
    join = talk.asked("join")
    talk.reply(joined(join, head=3), history(join, message(1, room="ops"), upto=1, more=True))
    for seq in (2, 3):
        assert talk.delivered[-1] != CaughtUp("ops")
        question = talk.asked("history")
        assert question["after"] == seq - 1
        talk.reply(history(question, message(seq, room="ops"), upto=seq, more=seq < 3))
    assert [getattr(event, "seq", event) for event in talk.delivered] == [1, 2, 3, CaughtUp("ops")]


def test_history_refused_after_a_join_is_asked_for_again() -> None:
    talk = Talk(("dev",), after=0)
    talk.greet()
    talk.prove()
    join = talk.asked("join")
    talk.reply(joined(join, head=1), error("unavailable", ref=join["ref"], retry_after=2.0))
    talk.tick(2.1)
    join = talk.asked("join")
    assert join["after"] == 0
    talk.reply(joined(join, head=1), history(join, message(1), upto=1))
    assert talk.seqs() == [1]


def test_a_lost_answer_is_asked_for_again() -> None:
    talk = live()
    talk.feed("dev", message(2))
    talk.asked("history")
    for _ in range(8):
        talk.tick(4.0)
        talk.reply(pong())
    assert talk.asked("history")["after"] == 0


def test_a_lost_join_is_asked_for_again() -> None:
    talk = Talk(("dev",), patience=1e9)
    talk.greet()
    talk.prove()
    talk.asked("join")
    for _ in range(8):
        talk.tick(4.0)
        talk.reply(pong())
    talk.reply(joined(talk.asked("join")))
    assert talk.session.rooms["dev"].joined


def test_history_refused_for_good_leaves_a_gap_and_goes_on() -> None:
    talk = live()
    talk.feed("dev", message(5))
    talk.reply(error("forbidden", ref=talk.asked("history")["ref"]))
    assert talk.seqs() == [5]
    talk.feed("dev", message(6), message(9))
    assert talk.seqs() == [6]
    assert talk.asked("history")["after"] == 6


def test_a_head_still_ahead_at_the_next_pong_is_a_gap() -> None:
    talk = live(head=3)
    talk.reply(pong({"dev": 4}))
    assert "history" not in talk.types(), "it may be on its way"
    talk.tick(0.2)
    assert talk.types() == ["ping"], "so the next pong is asked for soon"
    talk.reply(pong({"dev": 4}))
    assert talk.asked("history")["after"] == 3


def test_a_head_that_was_reached_before_the_next_pong_is_no_gap() -> None:
    talk = live(head=3)
    talk.reply(pong({"dev": 4}))
    talk.feed("dev", message(4))
    talk.reply(pong({"dev": 5}))
    assert "history" not in talk.types()


def test_a_room_that_is_only_behind_asks_for_nothing() -> None:
    talk = live(head=3)
    talk.reply(pong(heads={"dev": 9}))
    talk.feed("dev", message(4))
    talk.reply(pong(heads={"dev": 20}))
    talk.feed("dev", message(5))
    talk.reply(pong(heads={"dev": 30}))
    assert "history" not in talk.types(), "the feed is on its way"
    talk.reply(pong(heads={"dev": 30}))
    assert talk.asked("history")["after"] == 5


def test_unknown_events_with_a_seq_move_the_cursor_and_are_delivered() -> None:
    talk = live(head=3)
    talk.feed("dev", {"type": "tombstone", "seq": 4, "prev": 3, "room": "dev"}, message(5))
    assert talk.seqs() == [4, 5]


def test_unknown_events_without_a_seq_are_ignored() -> None:
    talk = live()
    talk.feed("dev", {"type": "fireworks", "room": "dev"}, message(1))
    assert talk.seqs() == [1]


def test_a_durable_event_may_come_over_the_dealer_too() -> None:
    talk = live()
    talk.reply(message(1))
    talk.feed("dev", message(1), message(2))
    assert talk.seqs() == [1, 2]


def test_rooms_that_are_not_followed_are_ignored() -> None:
    talk = live()
    talk.feed("ops", message(1, room="ops"))
    assert talk.seqs() == []


def test_a_room_joined_later_is_subscribed_first_and_looked_after_soon() -> None:
    talk = live()
    talk.join("ops", backlog=1)
    assert [effect.topic for effect in talk.did(do.Subscribe)][-1] == b"room/ops/"
    join = talk.asked("join")
    talk.reply(joined(join, head=2), history(join, message(2, prev=1, room="ops"), upto=2))
    assert isinstance(talk.answers["ops"], m.Joined)
    assert talk.seqs() == [2]
    talk.sent.clear()
    talk.tick(0.2)
    assert "ping" in talk.types()


def test_the_first_room_joined_later_opens_the_feed() -> None:
    talk = Talk()
    talk.live()
    talk.join("dev")
    assert talk.did(do.ConnectFeed)
    talk.prove()
    talk.reply(joined(talk.asked("join")))
    assert isinstance(talk.answers["dev"], m.Joined)


def test_a_refused_join_is_not_followed() -> None:
    talk = live()
    talk.join("ops")
    talk.reply(error("forbidden", ref=talk.asked("join")["ref"]))
    assert isinstance(talk.answers["ops"], m.Error)
    assert "ops" not in talk.session.rooms
    assert [effect.topic for effect in talk.did(do.Unsubscribe)] == [b"room/ops/"]


def test_a_join_without_an_answer_is_given_up_and_undone() -> None:
    talk = live()
    talk.join("ops")
    talk.tick(4.9)
    assert talk.session.wait(talk.now) < 0.2
    talk.tick(0.2)
    assert talk.answers["ops"] is None
    assert "ops" not in talk.session.rooms
    assert talk.asked("part")["room"] == "ops"  # it may have been heard all the same


def test_a_join_given_up_before_it_was_sent_never_is() -> None:
    talk = Talk()
    talk.live()
    for n in range(17):  # more than may be open
        talk.join(f"room-{n}", backlog=1)
    talk.prove()
    first = talk.asked("join")
    assert talk.types().count("join") == 15
    talk.tick(5.1)
    talk.reply(joined(first), history(first, upto=0))
    assert "join" not in talk.types()
    assert talk.session.rooms == {}


def test_a_room_one_is_in_stays_when_another_join_of_it_is_given_up() -> None:
    talk = live()
    talk.join("dev")
    talk.tick(5.1)
    assert talk.answers["dev"] is None
    assert talk.session.rooms["dev"].joined
    assert "part" not in talk.types()


def test_a_room_given_at_the_start_stays_when_another_join_of_it_is_given_up() -> None:
    talk = Talk(("dev",))
    talk.greet()
    talk.join("dev")
    talk.tick(5.1)
    assert talk.answers["dev"] is None
    assert "dev" in talk.session.rooms


def test_all_who_wait_for_the_same_room_are_answered() -> None:
    talk = live()
    room = Room("ops")
    for key in ("one", "two"):
        talk.carry_out(talk.session.join(room, key, talk.now, 5.0))
    assert talk.session.keys() == ["one", "two"]
    talk.reply(joined(talk.asked("join")))
    assert [type(talk.answers[key]) for key in ("one", "two")] == [m.Joined, m.Joined]
    assert talk.session.keys() == []


def test_who_waits_to_be_in_a_room_hears_that_it_was_left_again() -> None:
    talk = live()
    talk.join("ops")
    talk.carry_out(talk.session.part("ops", None, "part", talk.now, 5.0))
    answer = talk.answers["ops"]
    assert isinstance(answer, m.Error)
    assert answer.code == "not_in_room"
    assert talk.answers["part"] == m.Parted(room="ops")
    assert talk.session.keys() == []


def test_the_broker_is_told_of_a_part_until_it_has_heard_or_one_is_back_in() -> None:
    talk = live()
    talk.carry_out(talk.session.part("dev", None, "part", talk.now, 5.0))
    talk.asked("part")
    talk.cut()
    talk.greet()
    talk.reply(error("rate_limited", ref=talk.asked("part")["ref"], retry_after=1.0))
    talk.tick(1.1)
    talk.reply(error("rate_limited", ref=talk.asked("part")["ref"], retry_after=1.0))
    talk.join("dev")
    talk.prove()
    talk.tick(1.1)
    assert "part" not in talk.types()
    assert "dev" in talk.session.rooms


def test_a_room_refused_at_the_start_ends_the_client() -> None:
    talk = Talk(("dev",))
    talk.greet()
    talk.prove()
    talk.reply(error("forbidden", ref=talk.asked("join")["ref"]))
    assert talk.did(do.Finish)


def test_a_room_that_was_parted_is_not_joined_again() -> None:
    talk = live()
    talk.carry_out(talk.session.part("dev", None, "part", talk.now, 5.0))
    talk.reply({"type": "parted", "ref": talk.asked("part")["ref"], "room": "dev"})
    assert isinstance(talk.answers["part"], m.Parted)
    talk.did(do.ConnectFeed)
    talk.cut()
    talk.greet()
    assert talk.did(do.ConnectFeed) == []


def test_an_answer_that_is_late_for_a_room_that_was_left_is_not_taken_for_one_of_the_room_joined_since() -> None:
    talk = live()
    talk.feed("dev", message(5))
    late = talk.asked("history")
    talk.carry_out(talk.session.part("dev", None, "part", talk.now, 5.0))
    assert talk.did(do.Discard) == [do.Discard("dev")]
    talk.join("dev", backlog=1)
    join = talk.asked("join")
    talk.reply(error("internal", ref=late["ref"]))
    assert talk.delivered == []
    talk.reply(joined(join, head=5))
    talk.reply(history(late, message(1), message(2), upto=2))
    talk.reply(history(join, message(5), upto=5))
    assert [getattr(event, "seq", event) for event in talk.delivered] == [5, CaughtUp("dev")]


def test_a_room_parted_without_a_broker_is_left_at_once_and_the_broker_hears_of_it_when_it_is_back() -> None:
    talk = live()
    talk.cut()
    talk.carry_out(talk.session.part("dev", "bored", "part", talk.now, 5.0))
    assert talk.answers == {"part": m.Parted(room="dev")}
    assert talk.session.rooms == {}
    talk.tick(60.0)
    talk.greet()
    part = talk.asked("part")
    assert (part["room"], part["reason"]) == ("dev", "bored")
    talk.reply(error("not_in_room", ref=part["ref"]))  # it has ended the session meanwhile
    assert list(talk.answers) == ["part"]
    talk.cut()
    talk.greet()
    assert "part" not in talk.types()


def test_a_room_one_is_not_in_cannot_be_parted_without_a_broker() -> None:
    talk = live()
    talk.cut()
    talk.carry_out(talk.session.part("ops", None, "part", talk.now, 0.0))
    talk.tick(0.0)
    assert talk.answers == {"part": None}


def test_ones_own_new_nick_is_in_the_rosters_before_the_rooms_tell_of_it() -> None:
    talk = live()
    talk.feed("dev", {"type": "joined", "room": "dev", "rev": 2, "nick": "alice", "from": MINE, "bot": False})
    talk.rename("carol")
    talk.reply({"type": "renamed", "ref": talk.asked("nick")["ref"], "nick": "carol"})
    assert set(talk.session.rooms["dev"].members) == {"carol"}
    talk.feed("dev", {"type": "renamed", "room": "dev", "rev": 3, "nick": "alice", "new": "carol"})
    assert set(talk.session.rooms["dev"].members) == {"carol"}


def test_the_roster_follows_who_comes_and_goes() -> None:
    talk = live()
    talk.feed(
        "dev",
        {"type": "joined", "room": "dev", "rev": 2, "nick": "bob", "from": "b" * 16, "bot": True},
        {"type": "joined", "room": "dev", "rev": 3, "nick": "carol", "from": "c" * 16, "bot": False},
        {"type": "away", "room": "dev", "rev": 4, "nick": "bob", "text": "lunch"},
        {"type": "renamed", "room": "dev", "rev": 5, "nick": "bob", "new": "rob"},
        {"type": "left", "room": "dev", "rev": 6, "nick": "carol", "reason": "part"},
    )
    assert [type(event) for event in talk.delivered] == [
        m.MemberJoined,
        m.MemberJoined,
        m.MemberAway,
        m.MemberRenamed,
        m.MemberLeft,
    ]
    assert talk.session.rooms["dev"].members == {
        "rob": m.Member(nick="rob", from_="b" * 16, bot=True, away="lunch"),
    }


def test_a_roster_change_known_already_is_not_told_again() -> None:
    talk = live()
    talk.feed("dev", {"type": "joined", "room": "dev", "rev": 1, "nick": "alice", "from": "f" * 16, "bot": False})
    assert talk.delivered == []


def test_a_gap_in_the_roster_is_filled_by_asking_who_is_there() -> None:
    talk = live()
    talk.feed("dev", {"type": "left", "room": "dev", "rev": 3, "nick": "bob", "reason": "part"})
    question = talk.asked("who")
    assert question["room"] == "dev"
    talk.reply({"type": "roster", "ref": question["ref"], "room": "dev", "rev": 3, "members": [member("zoe")]})
    assert list(talk.session.rooms["dev"].members) == ["zoe"]
    assert talk.types() == []


def test_a_roster_revision_still_ahead_at_the_next_pong_is_a_gap_too() -> None:
    talk = live()
    talk.reply(pong(revs={"dev": 2}))
    assert "who" not in talk.types()
    talk.reply(pong(revs={"dev": 2}))
    assert talk.asked("who")["room"] == "dev"


def test_ephemeral_events_keep_their_place_while_a_gap_is_filled() -> None:
    talk = live()
    come = {"type": "joined", "room": "dev", "rev": 2, "nick": "bob", "from": "b" * 16, "bot": False}
    typing = {"type": "typing", "room": "dev", "nick": "bob"}
    talk.feed("dev", message(2), come, typing, message(3))
    talk.reply(history(talk.asked("history"), message(1), upto=1))
    assert [type(event) for event in talk.delivered] == [m.Message, m.Message, m.MemberJoined, m.Message]
    assert talk.seqs() == [1, 2, 3]
    assert "bob" in talk.session.rooms["dev"].members


def test_a_user_who_is_slow_is_not_buried_under_history() -> None:
    talk = live()
    talk.feed("dev", message(5))
    question = talk.asked("history")
    talk.session.pause()
    talk.reply(history(question, message(1), upto=1, more=True))
    talk.reply(pong({"dev": 90}))
    talk.reply(pong({"dev": 90}))
    assert "history" not in talk.types()
    talk.carry_out(talk.session.resume(talk.now))
    assert talk.asked("history")["after"] == 1
