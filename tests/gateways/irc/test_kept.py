"""How far each client has come, in its file."""

from pathlib import Path

from zchat.gateways.irc.kept import Places, PlacesFile


def opened(folder: Path, log: str) -> PlacesFile:
    found = PlacesFile(folder, "login")
    found.open()
    found.begin(log)
    return found


def test_how_far_a_client_has_come_is_kept_and_counts_in_its_own_log_only(tmp_path: Path) -> None:
    first = opened(tmp_path, "one")
    first.note({"dev": 7, "ops": 9})
    first.cut(8)
    first.close()
    again = opened(tmp_path, "one")
    assert again.places == Places("one", {"dev": 7, "ops": 8})
    again.close()
    other = opened(tmp_path, "two")
    assert other.places == Places("two", {})
    other.note({"dev": 1})
    other.close()
    assert opened(tmp_path, "two").places == Places("two", {"dev": 1})
