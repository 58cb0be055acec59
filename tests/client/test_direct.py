"""Direct messages: what was missed comes once, what was said before is no news, and a nick may change."""

from typing import Any

from tests.client.script import MINE, Talk, error, history, message, pong


def live(**heads: int) -> Talk:
    """Return a session after its first pong, with these heads of conversations."""
    talk = Talk()
    talk.live()
    talk.reply(pong({f"@{nick}": head for nick, head in heads.items()}))
    talk.sent.clear()
    return talk


def from_bob(seq: int, prev: int, **fields: Any) -> dict[str, Any]:
    return message(seq, prev, to="alice", **fields)


def come_back(talk: Talk, *before_the_pong: dict[str, Any], **heads: int) -> None:
    talk.cut()
    talk.greet()
    talk.reply(*before_the_pong)
    talk.reply(pong({f"@{nick}": head for nick, head in heads.items()}))


def test_direct_messages_are_delivered_as_they_come() -> None:
    talk = live()
    talk.reply(from_bob(3, 0), message(5, 3, to="bob", nick="alice", **{"from": MINE}))
    assert talk.seqs() == [3, 5]
    assert talk.types() == []


def test_what_is_done_to_a_direct_message_is_delivered_as_it_comes() -> None:
    talk = live()
    done = {"to": "alice", "time": "", "from": "b" * 16, "nick": "bob", "target": 3}
    edit = {"type": "edit", "seq": 5, "prev": 3, "text": "hello", **done}
    talk.reply(from_bob(3, 0), edit, {"type": "reaction", "seq": 6, "prev": 5, "emoji": "x", **done})
    assert talk.seqs() == [3, 5, 6]
    assert talk.types() == []


def test_what_was_said_before_the_first_pong_of_a_process_is_no_news() -> None:
    talk = live(bob=17, carol=30)
    talk.reply(pong({"@bob": 17, "@carol": 30}))
    talk.reply(from_bob(40, 17))
    assert talk.seqs() == [40]
    assert talk.types() == []


def test_what_was_missed_while_away_is_asked_for() -> None:
    talk = live(bob=17)
    come_back(talk, bob=25)
    question = talk.asked("history")
    assert (question["to"], question["after"]) == ("bob", 17)
    talk.reply(history(question, from_bob(20, 17), from_bob(25, 20), upto=25))
    assert talk.seqs() == [20, 25]
    assert [event.seq for event in talk.past] == [20, 25]


def test_a_conversation_that_began_while_away_is_asked_for_from_its_beginning() -> None:
    talk = live()
    come_back(talk, bob=25)
    assert talk.asked("history")["after"] == 0


def test_what_arrives_before_the_missed_comes_after_it_and_once() -> None:
    talk = live(bob=17)
    come_back(talk, from_bob(26, 25), bob=26)
    assert talk.seqs() == []
    question = talk.asked("history")
    talk.reply(from_bob(27, 26))
    talk.reply(history(question, from_bob(25, 17), from_bob(26, 25), upto=26))
    assert talk.seqs() == [25, 26, 27]


def test_what_history_has_told_already_is_not_shown_again_when_it_arrives() -> None:
    talk = live(bob=17)
    come_back(talk, bob=25)
    talk.reply(history(talk.asked("history"), from_bob(25, 17), from_bob(26, 25), upto=26))
    talk.reply(from_bob(26, 25), from_bob(27, 26))
    assert talk.seqs() == [25, 26, 27]


def test_what_history_has_told_already_is_not_shown_again_by_history() -> None:
    talk = live(bob=17)
    come_back(talk, bob=25)
    talk.reply(history(talk.asked("history"), from_bob(25, 17), upto=25))
    come_back(talk, bob=27)
    question = talk.asked("history")
    assert question["after"] == 25
    talk.reply(history(question, from_bob(27, 25), upto=27))
    assert talk.seqs() == [25, 27]


def test_a_new_nick_of_the_other_end_shows_nothing_twice() -> None:
    talk = live(bob=17)
    talk.reply(from_bob(20, 17))
    come_back(talk, rob=20)
    assert "history" not in talk.types()
    talk.reply(from_bob(30, 20, nick="rob"))
    assert talk.seqs() == [20, 30]


def test_a_nick_that_changed_before_it_was_asked_for_is_asked_for_by_its_new_name() -> None:
    talk = live(bob=17)
    come_back(talk, from_bob(30, 25), bob=25)
    talk.reply(error("unknown_nick", ref=talk.asked("history")["ref"]))
    talk.tick(1.0)
    talk.reply(pong({"@rob": 25}))
    question = talk.asked("history")
    assert (question["to"], question["after"]) == ("rob", 17)
    talk.reply(history(question, from_bob(25, 17), upto=25))
    assert talk.seqs() == [25, 30]


def test_a_conversation_that_cannot_be_had_does_not_hold_up_the_others_for_ever() -> None:
    talk = live(bob=17)
    come_back(talk, message(30, 0, to="alice", nick="carol"), bob=25)
    for _ in range(6):
        for question in [line for line in talk.sent if line["type"] == "history"]:
            talk.reply(error("unknown_nick", ref=question["ref"]))
        talk.sent.clear()
        talk.tick(5.0)
        talk.reply(pong({"@bob": 25}))
    assert talk.seqs() == [30]
    assert "history" not in talk.types()


def test_a_gap_between_two_messages_is_asked_for() -> None:
    talk = live()
    talk.reply(from_bob(3, 0))
    talk.reply(from_bob(9, 6))
    question = talk.asked("history")
    assert (question["to"], question["after"]) == ("bob", 3)
    talk.reply(history(question, from_bob(6, 3), from_bob(9, 6), upto=9))
    assert talk.seqs() == [3, 6, 9]


def test_a_head_still_ahead_at_the_next_pong_is_asked_for() -> None:
    talk = live(bob=17)
    talk.reply(pong({"@bob": 18}))
    assert "history" not in talk.types()
    talk.reply(pong({"@bob": 18}))
    assert talk.asked("history")["after"] == 17


def test_history_in_pages_is_asked_on() -> None:
    talk = live()
    come_back(talk, bob=25)
    talk.reply(history(talk.asked("history"), from_bob(20, 0), upto=20, more=True))
    question = talk.asked("history")
    assert question["after"] == 20
    talk.reply(history(question, from_bob(25, 20), upto=25))
    assert talk.seqs() == [20, 25]


def test_another_log_has_other_conversations() -> None:
    talk = live(bob=17)
    talk.cut()
    talk.greet(log="b" * 32)
    talk.reply(from_bob(4, 3), pong({"@bob": 3, "@carol": 2}))
    talk.reply(from_bob(5, 4))
    assert talk.seqs() == [4, 5]
    assert "history" not in talk.types()


def test_what_was_missed_of_several_people_is_shown_in_the_order_of_the_log() -> None:
    talk = live(bob=17, carol=16)
    come_back(talk, bob=25, carol=24)
    bob, carol = talk.asked("history"), talk.asked("history")
    late = message(28, 24, to="alice", nick="carol")
    talk.reply(history(bob, from_bob(20, 17), from_bob(25, 20), from_bob(30, 25), upto=30))
    assert talk.seqs() == []
    talk.reply(history(carol, message(18, 16, to="alice", nick="carol"), message(24, 18, to="alice"), late, upto=30))
    assert talk.seqs() == [18, 20, 24, 25]
    talk.reply(late, from_bob(30, 25))  # what is later than the pong comes live
    assert talk.seqs() == [28, 30]


def test_what_came_before_the_first_pong_is_shown_also_if_the_connection_is_cut_then() -> None:
    talk = Talk()
    talk.live()
    talk.reply(from_bob(20, 17))
    come_back(talk, bob=20)
    question = talk.asked("history")
    assert question["after"] == 19
    talk.reply(history(question, from_bob(20, 17), upto=20))
    assert talk.seqs() == [20]


def test_somebody_typing_to_us_is_told() -> None:
    talk = live()
    talk.delivered.clear()
    talk.reply({"type": "typing", "to": "alice", "nick": "bob"})
    assert [event.nick for event in talk.delivered] == ["bob"]


def test_what_comes_while_the_user_is_slow_is_left_out_and_asked_for_later() -> None:
    talk = live(bob=17)
    talk.session.pause()
    talk.delivered.clear()
    talk.reply(from_bob(20, 17), {"type": "typing", "nick": "bob"})
    talk.reply(pong({"@bob": 20}), from_bob(25, 20))
    assert (talk.delivered, talk.types()) == ([], [])
    talk.carry_out(talk.session.resume(talk.now))
    talk.tick(0.0)
    assert talk.types() == ["ping"]  # at once, not at the next heartbeat
    from_carol = message(28, 0, to="alice", nick="carol")
    talk.reply(from_carol)  # it is above what bob has said, and may not pass for the last that was seen
    talk.reply(pong({"@bob": 25, "@carol": 28}))
    bob, carol = talk.asked("history"), talk.asked("history")
    assert [(each["to"], each["after"]) for each in (bob, carol)] == [("bob", 17), ("carol", 17)]
    talk.session.pause()
    talk.reply(history(bob, from_bob(20, 17), upto=20, more=True))
    assert talk.types() == []  # the next page can wait, too
    talk.carry_out(talk.session.resume(talk.now))
    bob = talk.asked("history")
    assert bob["after"] == 20
    talk.reply(history(bob, from_bob(25, 20), upto=25))
    talk.reply(history(carol, from_carol, upto=28))
    talk.reply(from_bob(30, 25))
    assert talk.seqs() == [20, 25, 28, 30]


def test_what_comes_before_the_first_pong_is_taken_from_the_slowest_user_too() -> None:
    talk = Talk()
    talk.live()
    talk.session.pause()
    talk.reply(from_bob(20, 17))
    talk.reply(pong({"@bob": 20}))
    assert talk.seqs() == [20]
    assert "history" not in talk.types()


def test_what_somebody_said_whose_nick_is_another_s_now_is_asked_for_by_who_they_are() -> None:
    talk = live(bob=17)
    before = "e" * 16
    come_back(talk, **{"bob": 25, f"bob/{before}": 21})
    asked = [question for question in talk.sent if question["type"] == "history"]
    assert [(question["to"], question.get("with"), question["after"]) for question in asked] == [
        ("bob", None, 17),
        ("bob", before, 17),
    ]
    talk.reply(history(asked[1], from_bob(21, 16, **{"from": before}), upto=21))
    talk.reply(history(asked[0], from_bob(25, 20), upto=25))
    assert talk.seqs() == [21, 25]


def test_a_gap_in_a_conversation_is_asked_for_by_who_it_is_with() -> None:
    talk = live(bob=17)
    talk.reply(from_bob(25, 20))
    question = talk.asked("history")
    assert (question["to"], question["with"], question["after"]) == ("bob", "b" * 16, 17)
