"""Preferences are checked when they are set, kept whole, and never in anybody's way."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchat.errors import FolderError
from zchat.prompt import preferences
from zchat.prompt.preferences import Preferences


@pytest.mark.parametrize("field", preferences.FIELDS, ids=lambda field: field.name)
def test_every_preference_explains_itself_and_takes_what_it_shows(field: object) -> None:
    name = field.name  # type: ignore[attr-defined]
    shape, what = preferences.explain(name)
    assert shape
    assert what.endswith(".")
    now = Preferences()
    assert preferences.changed(now, name, preferences.as_typed(getattr(now, name))) == now


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("bell", "all", "all"),
        ("typing", "OFF", False),
        ("highlight", "deploy  build deploy", ("deploy", "build")),
        ("ignore", "", ()),
        ("stamp", "%H:%M:%S", "%H:%M:%S"),
    ],
)
def test_a_preference_is_set_from_what_is_typed(name: str, text: str, value: object) -> None:
    assert getattr(preferences.changed(Preferences(), name, text), name) == value


@pytest.mark.parametrize(("name", "text"), [("bell", "loud"), ("typing", "maybe"), ("stamp", "x" * 41)])
def test_a_value_that_does_not_fit_is_refused(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=name):
        preferences.changed(Preferences(), name, text)


@pytest.mark.parametrize("nothing", ["", "''", '""'])
def test_a_list_is_emptied_as_in_a_shell(nothing: str) -> None:
    assert preferences.changed(Preferences(highlight=("deploy",)), "highlight", nothing).highlight == ()


def test_a_preference_that_is_none_is_refused() -> None:
    with pytest.raises(KeyError):
        preferences.changed(Preferences(), "belll", "all")


@given(st.lists(st.text(min_size=1, max_size=64).filter(lambda word: word.split() == [word])))
def test_what_was_saved_is_loaded_again(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> None:
    path = tmp_path_factory.getbasetemp() / "there" / "preferences.toml"
    wanted = preferences.changed(Preferences(bell="off", typing=False), "highlight", " ".join(words))
    try:
        preferences.save(path, wanted)
    except UnicodeEncodeError:  # half a character, which no terminal sends
        return
    assert preferences.load(path) == (wanted, "")


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert preferences.load(tmp_path / "none.toml") == (Preferences(), "")


@pytest.mark.parametrize("content", ["bell = [", 'bell = "loud"', "belll = 1", "\xff", f"bell = {'[' * 9_999}"])
def test_a_file_that_cannot_be_understood_is_told_and_kept(tmp_path: Path, content: str) -> None:
    path = tmp_path / "preferences.toml"
    path.write_text(content, encoding="latin-1")
    found, fault = preferences.load(path)
    assert found == Preferences()
    assert str(path) in fault
    assert "kept as preferences.toml.unread" in fault
    preferences.save(path, Preferences(bell="all"))
    assert (tmp_path / "preferences.toml.unread").read_text(encoding="latin-1") == content
    assert preferences.load(path)[0].bell == "all"


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderError):
        preferences.save(tmp_path / "file" / "preferences.toml", Preferences())
