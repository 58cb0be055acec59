"""What is read and what is news, in each room and conversation, and over the end of a run."""

from pathlib import Path

import msgspec

from zchat.prompt import places
from zchat.prompt.places import KEPT, Places
from zchat.protocol import messages as m

ME, BOB, EVE = "aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb", "eeeeeeeeeeeeeeee"


def message(
    seq: int, room: str | None = "dev", to: str | None = None, from_: str = BOB, nick: str = "bob"
) -> m.Message:
    return m.Message(
        seq=seq, prev=seq - 1, room=room, to=to, time="", from_=from_, nick=nick, kind="message", text=f"text {seq}"
    )


def test_a_message_belongs_to_its_room_and_a_direct_one_to_the_other_person() -> None:
    all_ = Places()
    assert all_.of(message(1), ME).sign == "#dev"
    assert all_.of(message(2, room=None, to="me"), ME).sign == "@bob"
    assert all_.of(message(3, room=None, to="bob", from_=ME, nick="me"), ME).sign == "@bob"
    assert list(all_.all) == ["#dev", "@bob"]


def test_a_nick_is_one_person_in_any_case_of_its_letters() -> None:
    all_ = Places()
    bob = all_.turn_to("@Bob")
    assert all_.of(message(1, room=None, to="me"), ME) is bob
    assert all_.known("@BOB") is bob
    assert all_.known("@carol") is None
    all_.drop("@bob")
    assert all_.all == {}


def test_a_conversation_goes_on_under_another_nick_in_its_place_unless_there_is_one_of_that_name() -> None:
    all_ = Places()
    for sign in ("#dev", "@bob", "@carol"):
        all_.get(sign)
    bob = all_.get("@Bob")
    assert all_.rename(bob, "Rob")
    assert (bob.sign, list(all_.all)) == ("@Rob", ["#dev", "@rob", "@carol"])
    assert all_.rename(bob, "ROB")
    assert bob.sign == "@ROB"
    assert not all_.rename(bob, "carol")
    assert list(all_.all) == ["#dev", "@rob", "@carol"]


def test_when_a_nick_is_somebody_else_the_conversation_with_the_one_before_stays_and_is_theirs() -> None:
    all_ = Places()
    bob = all_.of(message(1, room=None, to="me"), ME)
    all_.turn_to("#dev")
    eve = all_.of(message(2, room=None, to="me", from_=EVE), ME)
    assert (bob.sign, bob.with_, eve.sign, eve.with_) == (f"@bob/{BOB[:6]}", BOB, "@bob", EVE)
    assert all_.of(message(3, room=None, to="me", nick="rob"), ME) is bob  # who has another nick by now
    assert bob.sign == "@rob"
    mine = message(4, room=None, to="bob", from_=ME, nick="me")
    assert all_.of(msgspec.structs.replace(mine, with_=BOB), ME) is bob
    assert (bob.sign, eve.sign) == ("@bob", f"@bob/{EVE[:6]}")  # it is bob again who is called so
    assert list(all_.all) == ["@bob", "#dev", f"@bob/{EVE[:6]}"]


def test_a_conversation_of_which_only_the_nick_is_known_is_with_the_first_who_is_heard() -> None:
    all_ = Places()
    bob = all_.get("@bob")
    assert all_.of(message(1, room=None, to="me"), ME) is bob
    assert bob.with_ == BOB
    assert all_.find(message(2, room=None, to="me", from_=EVE, nick="eve"), ME) is None
    assert all_.find(message(2, room=None, to="me", nick="other"), ME) is bob


def test_what_is_looked_up_goes_before_and_among_what_came_meanwhile_and_unread_is_what_was_not_answered() -> None:
    bob = Places({"@bob": 2}).get("@bob")
    mine = message(4, room=None, to="bob", from_=ME, nick="me")
    bob.keep(message(9, room=None, to="me"), 0.0)
    bob.take_in([message(1, room=None, to="me"), message(3, room=None, to="me"), mine, message(7, room=None, to="me")])
    assert [event.seq for event in bob.recent] == [1, 3, 4, 7, 9]
    assert bob.has(mine)
    assert not bob.has(message(5, room=None, to="me"))
    bob.count(ME)
    assert (bob.seen, bob.unread, bob.mark, bob.called) == (4, 2, 4, True)


def test_the_mark_stands_before_the_first_message_after_one_stopped_looking_and_only_there() -> None:
    place = Places().turn_to("#dev")
    assert not place.passes_mark(1)
    place.stop_looking()
    assert not place.passes_mark(1)
    assert place.passes_mark(2)
    assert not place.passes_mark(3)


def test_turning_away_sets_the_mark_and_turning_to_a_place_reads_it() -> None:
    all_ = Places()
    dev = all_.turn_to("#dev")
    dev.passes_mark(5)
    all_.turn_to("#ops")
    assert dev.mark == 5
    dev.unread, dev.called = 3, True
    assert all_.turn_to("#dev") is dev
    assert (dev.unread, dev.called) == (0, False)


def test_the_next_news_are_where_one_is_called_and_else_the_first_unread() -> None:
    all_ = Places()
    for sign in ("#a", "#b", "@c"):
        all_.get(sign)
    assert all_.next_news() is None
    all_.get("#a").unread = all_.get("@c").unread = 1
    assert all_.next_news() is all_.get("#a")
    all_.get("@c").called = True
    assert all_.next_news() is all_.get("@c")
    all_.turn_to("@c")
    all_.turn_to("#a")
    assert all_.next_news() is None


def test_places_have_numbers_in_the_order_they_came() -> None:
    all_ = Places()
    first, second = all_.get("#a"), all_.get("#b")
    assert (all_.numbered(1), all_.numbered(2), all_.numbered(3)) == (first, second, None)


def test_a_place_keeps_the_newest_messages_and_who_spoke_lately() -> None:
    place = Places().get("#dev")
    for seq in range(1, KEPT + 11):
        place.keep(message(seq), 100.0)
    assert [event.seq for event in place.recent] == list(range(11, KEPT + 11))
    assert place.spoke_lately("bob", 100.0 + places.LATELY - 1)
    assert not place.spoke_lately("bob", 100.0 + places.LATELY + 1)
    assert not place.spoke_lately("carol", 1.0)


def test_who_speaks_does_not_type_any_more_and_a_sign_of_typing_wears_off() -> None:
    place = Places().get("#dev")
    place.typing.update(bob=10.0, carol=10.0)
    assert place.typists(11.0) == ["bob", "carol"]
    place.keep(message(1), 11.0)
    assert place.typists(11.0) == ["carol"]
    assert place.typists(11.0 + places.TYPING) == []


def test_how_far_each_place_was_read_outlives_the_run_but_not_the_log(tmp_path: Path) -> None:
    path = places.seen_path(tmp_path, "tcp://127.0.0.1:1", "alice")
    all_ = Places()
    all_.turn_to("#dev").passes_mark(7)
    all_.turn_to("#ops").passes_mark(9)
    all_.drop("#ops")
    epochs = (("1" * 16, 1),)
    places.save_seen(path, places.Kept("log", all_.seen(), epochs))
    kept = places.load_seen(path)
    assert (kept.through, kept.epochs) == (9, epochs)
    again = Places(kept.within("log"))
    assert (again.get("#dev").mark, again.get("#ops").mark, again.get("#new").mark) == (7, 9, None)
    assert again.seen() == {"#dev": 7, "#ops": 9}
    assert kept.within("another log", 0) == {}
    assert kept.within("log", 8) == kept.within("a backup of it", 8) == {"#dev": 7, "#ops": 8}


def test_a_damaged_file_says_that_nothing_was_read(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("{")
    assert places.load_seen(tmp_path / "x").within("log") == {}
    assert places.load_seen(tmp_path / "none").within("log") == {}
