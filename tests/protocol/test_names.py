"""What a nick and a room may be called."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchat.protocol import names


@pytest.mark.parametrize(
    "name", ["alice", "Alice", "a", "李雷", "ольга", "😀", "x" * 32, "dice-bot_2", "O'Neil", "a.b", "x-"]
)
def test_a_nick_may_be_in_any_script(name: str) -> None:
    assert names.nick(name) == name


@pytest.mark.parametrize(
    "name",
    ["", " ", "a b", " a", "a\t", "a/b", "a／b", "a\x00", "a\x1b[31m", "a\u202eb", "a\u200b", "x" * 33, "x" * 10**6],
)
def test_what_is_no_nick_is_refused_with_a_reason(name: str) -> None:
    with pytest.raises(names.BadNameError, match="nick"):
        names.nick(name)


@pytest.mark.parametrize(
    "name",
    [
        *("$(touch${IFS}x)", ";id", "*", "-n", "--help", "@bob", "＠bob", "#x", "!roll", "%1", "+1", "~root"),
        *("a`id`", 'a"b', "a\\b", "{a,b}", "[ab]", "a?", "a|b", "a&b", "a<b", "a>b", "ａ＊", "\u2800", "a\u2800"),
    ],
)
def test_a_nick_is_nothing_that_a_shell_acts_on_and_can_be_seen(name: str) -> None:
    with pytest.raises(names.BadNameError, match="nick"):
        names.nick(name)


@pytest.mark.parametrize("other", ["ALICE", "ａｌｉｃｅ", "aLiCe"])
def test_nicks_that_differ_in_case_or_width_are_one(other: str) -> None:
    assert names.nick_key(other) == names.nick_key("alice")


@pytest.mark.parametrize(("name", "room"), [("Dev", "dev"), ("ＤＥＶ", "dev"), ("ops-2", "ops-2"), ("Ärger", "ärger")])
def test_a_room_has_one_form(name: str, room: str) -> None:
    assert names.room(name) == room


@pytest.mark.parametrize("name", ["@ann", "＠ann", "", "a b", "a/b", "/", "😀", "a\n", "x" * 65, "x" * 10**6])
def test_what_is_no_room_is_refused_with_a_reason(name: str) -> None:
    with pytest.raises(names.BadNameError, match="room"):
        names.room(name)


@given(st.text(max_size=40))
def test_a_name_is_refused_or_safe_and_stays_what_it_is_when_prepared_again(name: str) -> None:
    for prepare, most in ((names.nick, names.NICK_MAX), (names.room, names.ROOM_MAX)):
        try:
            prepared = prepare(name)
        except names.BadNameError:
            continue
        assert prepare(prepared) == prepared
        assert 1 <= len(prepared) <= most
        assert "/" not in prepared
        assert not any(unicodedata.category(one) in {"Cc", "Zs", "Zl", "Zp"} for one in prepared)
