"""What is read and what is news, in each room and conversation, and over the end of a run."""

import json
from pathlib import Path

import msgspec
import pytest

from zchat.prompt import read_markers
from zchat.prompt.recent import KEPT
from zchat.prompt.target import LATELY, TYPING, Target, partner
from zchat.prompt.targets import Targets
from zchat.protocol import messages as m

ME, BOB, EVE = "aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb", "eeeeeeeeeeeeeeee"


def message(
    seq: int, room: str | None = "dev", to: str | None = None, from_: str = BOB, nick: str = "bob"
) -> m.Message:
    return m.Message(
        seq=seq, prev=seq - 1, room=room, to=to, time="", from_=from_, nick=nick, kind="message", text=f"text {seq}"
    )


def target_of(all_: Targets, event: m.Durable) -> Target:
    """Return where an event of this moment belongs, as the view finds it."""
    other = partner(event, ME)
    return all_.get(f"#{event.room}") if other is None else all_.conversation(*other)


def test_a_message_belongs_to_its_room_and_a_direct_one_to_the_other_person() -> None:
    all_ = Targets()
    assert target_of(all_, message(1)).name == "#dev"
    assert target_of(all_, message(2, room=None, to="me")).name == "@bob"
    assert target_of(all_, message(3, room=None, to="bob", from_=ME, nick="me")).name == "@bob"
    assert list(all_.all) == ["#dev", "@bob"]


def test_a_nick_is_one_person_in_any_case_of_its_letters() -> None:
    all_ = Targets()
    bob = all_.turn_to("@Bob")
    assert target_of(all_, message(1, room=None, to="me")) is bob
    assert all_.find("@BOB") is bob
    assert all_.find("@carol") is None
    all_.drop("@bob")
    assert all_.all == {}


def test_a_conversation_goes_on_under_another_nick_in_its_place_unless_there_is_one_of_that_name() -> None:
    all_ = Targets()
    for name in ("#dev", "@bob", "@carol"):
        all_.get(name)
    bob = all_.get("@Bob")
    assert all_.rename(bob, "Rob")
    assert (bob.name, list(all_.all)) == ("@Rob", ["#dev", "@rob", "@carol"])
    assert all_.rename(bob, "ROB")
    assert bob.name == "@ROB"
    assert not all_.rename(bob, "carol")
    assert list(all_.all) == ["#dev", "@rob", "@carol"]


def test_when_a_nick_is_somebody_else_the_conversation_with_the_one_before_stays_and_is_theirs() -> None:
    all_ = Targets()
    bob = target_of(all_, message(1, room=None, to="me"))
    all_.turn_to("#dev")
    eve = target_of(all_, message(2, room=None, to="me", from_=EVE))
    assert (bob.name, bob.with_, eve.name, eve.with_) == (f"@bob/{BOB[:6]}", BOB, "@bob", EVE)
    assert target_of(all_, message(3, room=None, to="me", nick="rob")) is bob  # who has another nick by now
    assert bob.name == "@rob"
    mine = message(4, room=None, to="bob", from_=ME, nick="me")
    assert target_of(all_, msgspec.structs.replace(mine, with_=BOB)) is bob
    assert (bob.name, eve.name) == ("@bob", f"@bob/{EVE[:6]}")  # it is bob again who is called so
    assert list(all_.all) == ["@bob", "#dev", f"@bob/{EVE[:6]}"]


def test_a_conversation_of_which_only_the_nick_is_known_is_with_the_first_who_is_heard() -> None:
    all_ = Targets()
    bob = all_.get("@bob")
    assert target_of(all_, message(1, room=None, to="me")) is bob
    assert bob.with_ == BOB
    assert all_.find_for(message(2, room=None, to="me", from_=EVE, nick="eve"), ME) is None
    assert all_.find_for(message(2, room=None, to="me", nick="other"), ME) is bob


def test_what_is_looked_up_goes_before_and_among_what_came_meanwhile_and_unread_is_what_was_not_answered() -> None:
    bob = Targets({"@bob": 2}).get("@bob")
    mine = message(4, room=None, to="bob", from_=ME, nick="me")
    bob.add(message(9, room=None, to="me"), 0.0)
    bob.recent.insert(
        [message(1, room=None, to="me"), message(3, room=None, to="me"), mine, message(7, room=None, to="me")]
    )
    assert [event.seq for event in bob.recent] == [1, 3, 4, 7, 9]
    assert mine.seq in bob.recent
    assert 5 not in bob.recent
    bob.recount(ME)
    assert (bob.seen, bob.unread, bob.mark, bob.mentioned) == (4, 2, 4, True)


def test_the_mark_stands_before_the_first_message_after_one_stopped_looking_and_only_there() -> None:
    target = Targets().turn_to("#dev")
    assert not target.pass_mark(1)
    target.stop_looking()
    assert not target.pass_mark(1)
    assert target.pass_mark(2)
    assert not target.pass_mark(3)


def test_turning_away_sets_the_mark_and_turning_to_a_target_reads_it() -> None:
    all_ = Targets()
    dev = all_.turn_to("#dev")
    dev.pass_mark(5)
    all_.turn_to("#ops")
    assert dev.mark == 5
    dev.unread, dev.mentioned = 3, True
    assert all_.turn_to("#dev") is dev
    assert (dev.unread, dev.mentioned) == (0, False)


def test_the_next_unread_are_where_one_is_called_and_else_the_first_unread() -> None:
    all_ = Targets()
    for name in ("#a", "#b", "@c"):
        all_.get(name)
    assert all_.next_unread() is None
    all_.get("#a").unread = all_.get("@c").unread = 1
    assert all_.next_unread() is all_.get("#a")
    all_.get("@c").mentioned = True
    assert all_.next_unread() is all_.get("@c")
    all_.turn_to("@c")
    all_.turn_to("#a")
    assert all_.next_unread() is None


def edited(seq: int, target: int) -> m.Edited:
    return m.Edited(seq=seq, prev=seq - 1, room="dev", time="", from_=BOB, nick="bob", target=target, text="x")


def test_what_waits_to_be_told_is_bounded_and_goes_with_the_log() -> None:
    target = Targets().get("#dev")
    for seq in range(1, KEPT + 3):
        target.wait(edited(1_000 + seq, seq))
    assert [mend.target for mend in target.mends.values()] == list(range(3, KEPT + 3))
    target.go_back(1_004)
    assert [mend.seq for mend in target.take_mends()] == [1_003, 1_004]
    assert target.take_mends() == []
    target.wait(edited(1_005, 1))
    target.reset()
    assert target.take_mends() == []


def test_what_one_said_last_is_edited_only_if_it_was_said_as_it_was_typed() -> None:
    target = Targets().get("#dev")
    said = message(1, from_=ME)
    for event in (said, message(2)):
        target.add(event, 0.0)
    assert target.last_of(ME) == said
    target.add(msgspec.structs.replace(message(3, from_=ME), kind="action"), 0.0)
    assert target.last_of(ME) is None
    target.add(m.Topic(seq=4, prev=3, room="dev", time="", from_=BOB, nick="bob", text="topic"), 0.0)
    assert (target.last_of(BOB), target.last_of(EVE)) == (None, None)


def test_a_thread_has_its_root_its_answers_and_what_is_done_to_them() -> None:
    thread = Targets().get("#dev ↳1")
    root, answer = message(1), msgspec.structs.replace(message(3), thread=1)
    for event in (root, answer):
        assert thread.has_in_thread(event)
        thread.recent.take(event)
    assert [thread.has_in_thread(edited(4, target)) for target in (1, 2, 3)] == [True, False, True]
    assert not thread.has_in_thread(message(2))


def test_a_thread_goes_when_one_turns_away_unless_something_is_typed_there_and_with_its_room() -> None:
    all_ = Targets()
    all_.turn_to("#dev")
    all_.turn_to("#dev ↳1")
    all_.turn_to("#ops")
    assert list(all_.all) == ["#dev", "#ops"]
    all_.turn_to("#dev ↳1").draft = "half a line"
    all_.turn_to("#dev ↳2").pass_mark(7)
    assert list(all_.all) == ["#dev", "#ops", "#dev ↳1", "#dev ↳2"]
    assert all_.seen() == {}
    all_.drop("#DEV")
    assert (list(all_.all), all_.here) == (["#ops"], None)


def test_a_thread_of_a_conversation_is_not_the_conversation() -> None:
    all_ = Targets()
    thread = all_.turn_to("@bob ↳1")
    thread.with_ = BOB
    assert all_.with_person(BOB) is None
    assert all_.conversation("bob", BOB).name == "@bob"


def test_targets_have_numbers_in_the_order_they_came() -> None:
    all_ = Targets()
    first, second = all_.get("#a"), all_.get("#b")
    assert (all_.numbered(1), all_.numbered(2), all_.numbered(3)) == (first, second, None)


def test_a_target_keeps_the_newest_messages_and_who_spoke_lately() -> None:
    target = Targets().get("#dev")
    for seq in range(1, KEPT + 11):
        target.add(message(seq), 100.0)
    assert [event.seq for event in target.recent] == list(range(11, KEPT + 11))
    assert target.spoke_lately("bob", 100.0 + LATELY - 1)
    assert not target.spoke_lately("bob", 100.0 + LATELY + 1)
    assert not target.spoke_lately("carol", 1.0)


def test_what_was_read_of_a_person_stays_read_when_they_come_back_under_another_nick() -> None:
    read = message(3, room=None, to="me", nick="robert")
    before = Targets()
    target_of(before, read).add(read, 0.0)
    before.turn_to("@robert").pass_mark(3)
    again = Targets(before.seen())
    assert [again.read_through(*who) for who in (("@bob", BOB), ("@x", EVE), ("@robert", None))] == [3, 0, 3]
    bob = again.conversation("bob", BOB)
    bob.recent.insert([read, message(4, room=None, to="me")])
    bob.recount(ME)
    assert (bob.seen, bob.mark, bob.unread) == (3, 3, 1)
    assert again.conversation("eve", EVE).seen == 0


def test_who_speaks_does_not_type_any_more_and_a_sign_of_typing_wears_off() -> None:
    target = Targets().get("#dev")
    target.typing.update(bob=10.0, carol=10.0)
    assert target.typists(11.0) == ["bob", "carol"]
    target.add(message(1), 11.0)
    assert target.typists(11.0) == ["carol"]
    assert target.typists(11.0 + TYPING) == []


def test_how_far_each_target_was_read_outlives_the_run_but_not_the_log(tmp_path: Path) -> None:
    path = read_markers.path(tmp_path, "tcp://127.0.0.1:1", "alice")
    all_ = Targets()
    all_.turn_to("#dev").pass_mark(7)
    all_.turn_to("#ops").pass_mark(9)
    all_.drop("#ops")
    epochs = (("1" * 16, 1),)
    read_markers.save(path, read_markers.ReadMarkers(log="log", cursors=all_.seen(), epochs=epochs))
    kept = read_markers.load(path)
    assert (kept.through, kept.epochs) == (9, epochs)
    again = Targets(kept.follow("log", epochs, None).cursors)
    assert (again.get("#dev").mark, again.get("#ops").mark, again.get("#new").mark) == (7, 9, None)
    assert again.seen() == {"#dev": 7, "#ops": 9}
    assert kept.follow("another log", (), 0).cursors == {}
    for log in ("log", "a backup of it"):
        assert kept.follow(log, (), 8).cursors == {"#dev": 7, "#ops": 8}


@pytest.mark.parametrize("content", ["{", f'{{"later": {"[" * 9_999}'], ids=["cut short", "nested deeply"])
def test_a_damaged_file_says_that_nothing_was_read(tmp_path: Path, content: str) -> None:
    (tmp_path / "x").write_text(content)
    assert read_markers.load(tmp_path / "x").cursors == {}
    assert read_markers.load(tmp_path / "none").cursors == {}


def test_a_file_of_markers_is_read_and_written_as_it_always_was(tmp_path: Path) -> None:
    file = tmp_path / "seen.json"
    file.write_text('{"log":"log","seen":{"#dev":7},"epochs":[["1111111111111111",1]]}')
    kept = read_markers.load(file)
    assert (kept.log, kept.cursors, kept.epochs) == ("log", {"#dev": 7}, (("1" * 16, 1),))
    read_markers.save(file, kept)
    assert json.loads(file.read_text()) == {"log": "log", "seen": {"#dev": 7}, "epochs": [["1" * 16, 1]]}
