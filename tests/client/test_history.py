"""A log that goes back: what is cut, what is asked for, what is named, and which numbers still hold."""

from typing import Any

import pytest
from msgspec import structs

from tests.client.script import CLIENT, LOG, Talk, ack, history, message, pong, welcome
from zchat.client.core import effects as do
from zchat.client.core.named import WHY
from zchat.client.core.notices import Online, Refused, WentBack
from zchat.protocol import messages as m

ONE, TWO, THREE = ["1" * 16, 1], ["2" * 16, 11], ["3" * 16, 11]


def live(*rooms: str, head: int = 20, **fields: Any) -> Talk:
    """Return a session whose rooms stand at `head`, in the second epoch of its log."""
    talk = Talk(rooms, **fields)
    talk.live(head=head, epochs=[ONE, TWO])
    talk.delivered.clear()
    return talk


def come_back(talk: Talk, **fields: Any) -> None:
    talk.cut()
    talk.delivered.clear()
    talk.greet(**({"epochs": [ONE, THREE], "shared": 10} | fields))


def notices(talk: Talk, kind: type) -> list[Any]:
    return [event for event in talk.delivered if isinstance(event, kind)]


def test_a_hello_tells_the_epochs_of_the_last_welcome() -> None:
    talk = Talk()
    talk.connect()
    assert "epochs" not in talk.sent[0]
    talk.reply(welcome(ref=talk.asked("hello")["ref"], epochs=[ONE]))
    assert talk.did(do.KeepEpochs) == [do.KeepEpochs((("1" * 16, 1),))]
    talk.cut()
    talk.connect()
    assert talk.asked("hello")["epochs"] == [ONE]


def test_a_room_goes_on_from_where_its_history_parts_and_that_is_said() -> None:
    talk = live("dev")
    come_back(talk)
    assert [type(event) for event in talk.delivered] == [Online, WentBack]
    talk.prove()
    join = talk.asked("join")
    assert join["after"] == 10
    talk.reply({"type": "joined", "ref": join["ref"], "room": "dev", "topic": "", "head": 12, "rev": 1, "members": []})
    talk.reply(history(join, message(11), message(12), upto=12))
    assert talk.seqs() == [11, 12]


def test_a_plain_restart_cuts_nothing_and_says_nothing() -> None:
    talk = live("dev", head=10)
    come_back(talk)
    assert notices(talk, WentBack) == []
    talk.prove()
    assert talk.asked("join")["after"] == 10


def test_a_room_that_stands_before_the_parting_stays_where_it_is() -> None:
    talk = live("dev", head=7)
    come_back(talk)
    talk.prove()
    assert talk.asked("join")["after"] == 7


def test_a_backup_of_the_log_goes_on_from_where_it_was_made() -> None:
    talk = live("dev")
    come_back(talk, log="9" * 32)
    assert notices(talk, WentBack) == [WentBack(10)]
    talk.prove()
    assert talk.asked("join")["after"] == 10


def test_direct_messages_with_seqs_that_are_used_again_are_shown() -> None:
    talk = live()
    talk.reply(pong({"@bob": 15}))
    talk.reply(message(18, 15, to="alice"))
    come_back(talk)
    talk.reply(pong({"@bob": 13}))
    question = talk.asked("history")
    assert question["after"] == 10
    talk.reply(history(question, message(12, 9, to="alice"), message(13, 12, to="alice"), upto=13))
    talk.reply(message(14, 13, to="alice"))
    assert [event.seq for event in notices(talk, m.Message)] == [12, 13, 14]


def test_what_was_acknowledged_and_is_gone_is_named() -> None:
    talk = live()
    for text in ("kept", "gone", "gone too"):
        talk.post(text)
    talk.reply(ack(1, 9), ack(2, 11), ack(3, 14))
    come_back(talk, n=1)
    (back,) = notices(talk, WentBack)
    assert [command.text for command in back.lost] == ["gone", "gone too"]
    assert (back.shared, back.more) == (10, 0)
    talk.cut()
    talk.delivered.clear()
    talk.greet(epochs=[ONE, THREE], n=1)
    assert notices(talk, WentBack) == [], "once"


def test_what_an_earlier_run_was_acknowledged_is_counted() -> None:
    talk = Talk(n=7, epochs=(("1" * 16, 1), ("2" * 16, 11)))
    talk.greet(epochs=[ONE, THREE], shared=10, n=5)
    assert notices(talk, WentBack) == [WentBack(10, (), 2)]


def test_who_speaks_stays_the_same_and_numbers_what_waits_from_where_the_log_is() -> None:
    talk = live()
    for text in ("kept", "gone", "waits"):
        talk.post(text)
    talk.reply(ack(1, 9), ack(2, 11))
    talk.sent.clear()
    come_back(talk, n=1)
    said = talk.asked("say")
    assert (said["n"], said["text"]) == (2, "waits")
    (kept,) = talk.did(do.Rewrite)
    assert (kept.client, kept.n, kept.since) == (CLIENT, 1, 11)


def test_what_waits_replies_to_nothing_that_is_gone() -> None:
    talk = live()
    for text, place in (("to what is there", 9), ("to what is gone", 15)):
        talk.session.post(m.Say(n=1, room="dev", text=text, reply_to=place), text)
    talk.cut()
    talk.greet(epochs=[ONE, THREE], shared=10)
    assert [line.get("reply_to") for line in talk.sent if line["type"] == "say"] == [9, None]
    assert b'"reply_to":15' not in b"".join(talk.did(do.Rewrite)[0].lines)


MENDS = [
    m.Edit(n=1, seq=15, text="new"),
    m.Delete(n=1, seq=15),
    m.React(n=1, seq=15, emoji="👍"),
    m.Pin(n=1, seq=15),
]


@pytest.mark.parametrize("command", MENDS, ids=lambda command: type(command).__name__)
@pytest.mark.parametrize("other", [False, True])
def test_what_is_to_be_done_to_a_message_that_is_gone_is_done_to_no_other(command: Any, other: bool) -> None:
    """Another event may have its `seq` now, and a moderator could delete it."""
    talk = live()
    talk.session.post(command, "gone")
    talk.session.post(structs.replace(command, seq=9), "there")
    talk.cut()
    talk.sent.clear()
    if other:
        come_back(talk, log="9" * 32, epochs=[THREE], shared=0)
    else:
        come_back(talk)
    tag = type(command).__struct_config__.tag
    first, second = (line for line in talk.sent if line["type"] == tag)
    assert first["seq"] == m.SEQ_MAX
    assert second["seq"] == (m.SEQ_MAX if other else 9)
    talk.reply({"type": "error", "n": first["n"], "code": "bad_target", "message": f"there is no message {m.SEQ_MAX}"})
    answer = talk.answers["gone"]
    assert isinstance(answer, m.Error)
    assert (answer.code, answer.message) == ("bad_target", WHY)


def test_who_marks_as_read_what_is_gone_has_read_what_is_left() -> None:
    talk = live()
    talk.session.post(m.MarkRead(n=1, room="dev", seq=15), "read")
    talk.cut()
    talk.greet(epochs=[ONE, THREE], shared=10)
    assert talk.asked("read")["seq"] == 10


def test_after_a_restart_it_is_told_as_something_that_is_gone() -> None:
    talk = Talk(("dev",), unanswered=[m.Pin(n=1, seq=15)], epochs=(("1" * 16, 1), ("2" * 16, 11)))
    talk.greet(epochs=[ONE, THREE], shared=10)
    talk.reply({"type": "error", "n": 1, "code": "bad_target", "message": "there is no such message"})
    (refused,) = notices(talk, Refused)
    assert (refused.what, refused.message) == ("pinning what is gone", WHY)


def test_numbers_that_were_given_anew_mean_nothing_to_the_log_that_comes_back_after_all() -> None:
    """An old copy was put in place, and then the right one: in it the same number is another command's."""
    talk = live()
    for text in ("kept", "gone", "gone"):
        talk.post(text)
    talk.reply(ack(1, 9), ack(2, 11), ack(3, 12))
    come_back(talk, n=1)
    talk.post("new")  # number 2, as one of the gone ones
    talk.sent.clear()
    come_back(talk, epochs=[ONE, TWO, ["4" * 16, 13]], shared=10, n=3)
    assert talk.asked("say")["n"] == 4, "3 numbers are taken there, and this is none of them"


def test_a_question_for_what_comes_after_a_seq_that_is_gone_is_asked_from_the_parting() -> None:
    talk = live()
    talk.ask(m.AskHistory(room="dev", after=15))
    talk.sent.clear()
    come_back(talk)
    assert talk.asked("history")["after"] == 10


def test_seqs_of_another_process_are_compared_as_well() -> None:
    talk = Talk(("dev",), after=20, epochs=(("1" * 16, 1), ("2" * 16, 11)))
    talk.greet(epochs=[ONE, THREE], shared=10)
    assert talk.session.shared == 10
    talk.prove()
    assert talk.asked("join")["after"] == 10


@pytest.mark.parametrize("fields", [{"epochs": [THREE], "shared": 0}, {}])
def test_another_log_is_new_from_its_beginning(fields: Any) -> None:
    talk = live("dev")
    come_back(talk, log="9" * 32, **({"epochs": [], "shared": None} | fields))
    assert notices(talk, WentBack) == []
    assert notices(talk, Online)[0].shared == 0
    talk.prove()
    assert talk.asked("join")["after"] == 0


def test_a_log_that_went_back_to_its_beginning_is_still_the_same_log() -> None:
    talk = live("dev")
    talk.reply(pong())
    come_back(talk, log=LOG, epochs=[["5" * 16, 1]], shared=0)
    assert notices(talk, WentBack) == [WentBack(0)]
    talk.reply(pong({"@bob": 3}))
    assert talk.asked("history")["after"] == 0, "what was said to one alone since then is news"
