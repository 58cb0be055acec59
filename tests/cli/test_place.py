"""How far a tail has come in each room, and what becomes of that when the broker has another log."""

from pathlib import Path

from zchat.cli.place import Places
from zchat.protocol import messages as m


def message(seq: int) -> m.Message:
    return m.Message(
        seq=seq, prev=seq - 1, room="dev", time="", from_="a" * 16, nick="bob", kind="message", text=f"text {seq}"
    )


def test_a_log_that_another_one_has_replaced_meanwhile_is_new_from_its_beginning(tmp_path: Path) -> None:
    with Places(tmp_path, "x") as places:
        places.begin("one")
        places.move("dev", 50)
        places.connected("one")
        assert places.of("dev") == 50
        places.connected("two")
        places.passed([message(3)])
        places.save()
    with Places(tmp_path, "x") as places:
        assert places.begin("two")
        assert places.of("dev") == 3
