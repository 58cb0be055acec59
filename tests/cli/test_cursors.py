"""How far a tail has come in each room, and what becomes of that when the broker has another log."""

from pathlib import Path

from zchat.cli.cursors import Cursors
from zchat.protocol import messages as m


def message(seq: int) -> m.Message:
    return m.Message(
        seq=seq, prev=seq - 1, room="dev", time="", from_="a" * 16, nick="bob", kind="message", text=f"text {seq}"
    )


def test_a_log_that_went_back_cuts_the_cursors_and_new_events_move_them_again(tmp_path: Path) -> None:
    one, two = (("1" * 16, 1),), (("1" * 16, 1), ("2" * 16, 41))
    with Cursors(tmp_path, "x") as cursors:
        cursors.begin("log", one)
        cursors.move("dev", 50)
        cursors.move("ops", 30)
        cursors.save()
    with Cursors(tmp_path, "x") as cursors:
        assert (cursors.epochs, cursors.through) == (one, 50)
        assert cursors.begin("log", two, 40)
        assert (cursors.of("dev"), cursors.of("ops")) == (40, 30)
        cursors.passed([message(45)])
        cursors.connected("a backup of it", two, 42)
        cursors.save()
    with Cursors(tmp_path, "x") as cursors:
        assert (cursors.of("dev"), cursors.of("ops"), cursors.epochs) == (42, 30, two)


def test_a_log_that_another_one_has_replaced_meanwhile_is_new_from_its_beginning(tmp_path: Path) -> None:
    with Cursors(tmp_path, "x") as cursors:
        cursors.begin("one")
        cursors.move("dev", 50)
        cursors.connected("one")
        assert cursors.of("dev") == 50
        cursors.connected("two")
        cursors.passed([message(3)])
        cursors.save()
    with Cursors(tmp_path, "x") as cursors:
        assert cursors.begin("two")
        assert cursors.of("dev") == 3
