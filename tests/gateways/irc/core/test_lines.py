"""Lines of IRC: whatever comes is a line or is refused, and what is split can be put together again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from irctokens.line import tokenise

from zchat.gateways.irc.core.lines import BadLineError, Lines, encoded, line, parse, split


@given(st.binary(max_size=700))
def test_whatever_comes_is_a_line_or_is_refused(raw: bytes) -> None:
    try:
        got = parse(raw.replace(b"\n", b""))
    except BadLineError:
        return
    assert got.command
    assert encoded(line("a!b@c", got.command, *got.params)).endswith(b"\r\n")


@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(1, 17))
def test_lines_are_the_same_however_they_are_cut(parts: list[bytes], size: int) -> None:
    whole = b"\n".join(part.replace(b"\n", b"").rstrip(b"\r") for part in parts) + b"\n"
    lines, found = Lines(), []
    for at in range(0, len(whole), size):
        found += list(lines.push(whole[at : at + size]))
    assert found == whole.split(b"\n")[:-1]


def test_a_line_of_a_megabyte_is_one_that_is_too_long_and_the_next_is_read() -> None:
    lines = Lines()
    found = [each for _ in range(64) for each in lines.push(b"x" * 16_384)]
    assert found == []
    assert list(lines.push(b"y\nPING :a\n")) == [None, b"PING :a"]
    with pytest.raises(BadLineError, match="too_long"):
        parse(None)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"PRIVMSG #a :" + b"x" * 499, "too_long"),
        (b"@+a=" + b"x" * 4_092 + b" PING", "too_long"),
        (b"PRIVMSG #a :\xff\xfe", "utf8"),
        (b"", "empty"),
        (b"   ", "empty"),
        (b":source", "empty"),
        (b"@tag", "empty"),
        (b"@tag :source ", "empty"),
    ],
)
def test_what_is_no_line_is_refused(raw: bytes, code: str) -> None:
    with pytest.raises(BadLineError, match=code):
        parse(raw)


def test_the_longest_lines_are_taken_as_they_are() -> None:
    assert parse(b"PRIVMSG #a :" + b"x" * 498).params == ["#a", "x" * 498]
    got = parse(b"@+a=" + b"x" * 4_090 + b" PRIVMSG #a :" + b"y" * 498)
    assert (got.tags, got.params[-1]) == ({"+a": "x" * 4_090}, "y" * 498)
    assert parse(b"privmsg  #a   :b : c").params == ["#a", "b : c"]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=400), st.integers(30, 90))
def test_what_is_split_is_the_text_when_it_is_put_together(text: str, most: int) -> None:
    parts = split(text, most)
    assert all(len(part.encode()) <= most for part, _ in parts)
    whole = "".join(part if goes_on or not at else f"\n{part}" for at, (part, goes_on) in enumerate(parts))
    assert whole == text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=90), min_size=1, max_size=6))
def test_no_parameter_makes_another_line_or_a_line_that_is_too_long(params: list[str]) -> None:
    raw = encoded(line("alice!member@0123", "NOTICE", *params, tags={"time": "x", "+a": "b;c d"}))
    assert raw.count(b"\n") == 1
    tags, _, rest = raw.partition(b" ")
    assert tags.startswith(b"@")
    assert len(rest) <= 512
    assert tokenise(raw.rstrip(b"\r\n")).command == "NOTICE"
