"""Which messages a filter takes for meant."""

import pytest

from zchat.cli.filters import mentions


@pytest.mark.parametrize(
    ("text", "named"),
    [("A.B: look", True), ("ask a.b", True), ("axb: look", False), ("aa.b", False), ("a.bc", False)],
)
def test_a_nick_is_named_as_it_stands_and_as_a_word_of_its_own(text: str, named: bool) -> None:
    assert mentions(text, "a.b") is named
