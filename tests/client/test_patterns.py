"""Expressions against what strangers write: found as `re` finds them, and never for long."""

import logging
import re
import time

import pytest

from zchat.client.patterns import DEADLINE, BadPatternError, Pattern


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"(?i)deploy (?P<what>\w+)", "please DEPLOY größe now"),
        (r"(\w+)\+\+", "ольга++"),
        (r"^(a)(b)?$", "a"),
        (r"(?<=@)\w+(?= )", "hi @bob and"),
        (r"(.)\1", "hello"),
        (re.compile("^B.d", re.I | re.M | re.S), "a\nb\nd"),
        (re.compile(r"\w+", re.A), "éa"),
        (re.compile("a b # spaced", re.X), "ab"),
        ("", "anything"),
        ("nowhere", "else"),
    ],
)
def test_it_finds_what_re_finds(pattern: "str | re.Pattern[str]", text: str) -> None:
    ours, theirs = Pattern(pattern).search(text), re.compile(pattern).search(text)
    assert (ours is None) == (theirs is None)
    if ours is not None and theirs is not None:
        assert (ours.span(), ours.groups(), ours.groupdict()) == (theirs.span(), theirs.groups(), theirs.groupdict())


@pytest.mark.parametrize(("pattern", "text"), [(r"(a|aa)+$", "a" * 60 + "!"), (r"\s+$", " " * 16_384 + "x")])
def test_one_that_does_not_come_to_an_end_is_given_up_and_told_once(
    pattern: str, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    slow = Pattern(pattern)
    began = time.process_time()
    with caplog.at_level(logging.WARNING):
        assert [slow.search(text) for _ in range(3)] == [None] * 3
    assert time.process_time() - began < 30 * DEADLINE  # `re` takes minutes
    assert [record.getMessage().count(repr(pattern)) for record in caplog.records] == [1]


def test_what_is_no_expression_is_refused() -> None:
    with pytest.raises(BadPatternError):
        Pattern("(")
