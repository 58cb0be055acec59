"""Through where oneself has read: what a welcome tells, and what other devices read meanwhile."""

from tests.client.script import Talk, welcome
from zchat.client.core.read_marks import ReadMarks
from zchat.protocol import messages as m


def test_marks_are_those_of_the_welcome_and_go_forward_with_what_is_read_elsewhere() -> None:
    talk = Talk(("dev",))
    talk.connect()
    talk.reply(welcome(ref=talk.asked("hello")["ref"], read={"dev": 5, "@bob": 7}))
    marks = talk.session.read_marks
    assert (marks.through(room="dev"), marks.through(to="bob"), marks.through(room="ops")) == (5, 7, 0)
    for seq in (9, 8):
        talk.reply({"type": "read", "room": "dev", "seq": seq})
    assert marks.through(room="dev") == 9
    assert [event.seq for event in talk.delivered if isinstance(event, m.ReadMarked)] == [9, 8]


def test_what_was_dropped_is_told() -> None:
    talk = Talk(("dev",))
    talk.greet()
    talk.reply({"type": "dropped", "id": 1, "room": "dev", "code": "muted", "message": "you are muted"})
    assert [event.code for event in talk.delivered if isinstance(event, m.Dropped)] == ["muted"]


def test_a_conversation_goes_by_its_from_only_where_its_nick_means_somebody_else() -> None:
    marks = ReadMarks()
    marks.welcomed({"@bob": 3, f"@bob/{'a' * 16}": 5})
    marks.note(m.ReadMarked(to="bob", with_="a" * 16, seq=6))
    marks.note(m.ReadMarked(to="bob", with_="b" * 16, seq=4))
    marks.note(m.MarkRead(n=1, to="carol", seq=2))
    assert marks.through(to="bob", with_="a" * 16) == 6
    assert marks.through(to="bob", with_="b" * 16) == 4
    assert marks.all == {"@bob": 4, f"@bob/{'a' * 16}": 6, "@carol": 2}
