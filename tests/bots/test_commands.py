"""How a function's annotations become what a command takes."""

import enum
from datetime import datetime
from typing import Annotated, Any, Literal

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchat.bots.commands import Command, WrongCallError, split


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


def deploy(
    ctx: Any,
    Service: str,  # noqa: N803 — a name is taken as it stands
    count: int = 1,
    *,
    env: Literal["dev", "prod"] = "dev",
    dry_run: bool = False,
) -> None:
    """Deploy a service."""


def paint(
    ctx: Any, colour: Colour, size: Annotated[float, click.FloatRange(0, 1)], day: datetime | None = None
) -> None:
    pass


def shout(ctx: Any, loud: bool, *words: str) -> None:
    pass


def brew(ctx, kind="tea", cups=2, strong=None):  # type: ignore[no-untyped-def]
    pass


GOOD: list[tuple[Any, str, list[Any], dict[str, Any]]] = [
    (deploy, "web", ["web", 1], {"env": "dev", "dry_run": False}),
    (deploy, "'web app' 3 --env prod --dry-run", ["web app", 3], {"env": "prod", "dry_run": True}),
    (deploy, "“web app” 3 --env „prod“", ["web app", 3], {"env": "prod", "dry_run": False}),
    (paint, "RED 0.5", [Colour.RED, 0.5, None], {}),
    (paint, "BLUE 1 2026-11-22", [Colour.BLUE, 1.0, datetime(2026, 11, 22)], {}),
    (shout, "yes", [True], {}),
    (shout, "no it's late", [False, "it's", "late"], {}),
    (lambda ctx: None, "", [], {}),
    (brew, "", ["tea", 2, None], {}),
    (brew, "mate 3 very", ["mate", 3, "very"], {}),
]
BAD: list[tuple[Any, str, str]] = [
    (deploy, "", "Usage: !deploy [OPTIONS] SERVICE [COUNT]\nMissing argument 'SERVICE'."),
    (deploy, "web many", "'many' is not a valid integer"),
    (deploy, "web 1 2", "Got unexpected extra argument (2)"),
    (deploy, "web --env test", "'test' is not one of 'dev', 'prod'"),
    (deploy, "web --nothing", "No such option"),
    (paint, "GREEN 1", "'GREEN' is not one of"),
    (paint, "RED 2", "2.0 is not in the range 0<=x<=1"),
    (shout, "", "Missing argument 'LOUD'"),
]


@pytest.mark.parametrize(("call", "typed", "args", "settings"), GOOD)
def test_what_was_typed_becomes_arguments(call: Any, typed: str, args: list[Any], settings: dict[str, Any]) -> None:
    assert Command(call, "x").parse(typed, "!") == (args, settings)


@pytest.mark.parametrize(("call", "typed", "why"), BAD)
def test_what_cannot_be_is_told_in_the_words_of_click(call: Any, typed: str, why: str) -> None:
    with pytest.raises(WrongCallError) as wrong:
        Command(call, None).parse(typed, "!")
    assert why in str(wrong.value)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("“a b”", ["a b"]),
        ("„a b“ „a b” ”a b” ‟a b”", ["a b"] * 4),
        ("«a b» »a b« »a b» « a b » «\u202fa b\u00a0» ‹a b›", ["a b"] * 6),
        ("‘a b’ ‚a b‘ ’a b’ 'a b' ‛a b’", ["a b"] * 5),
        ('“a b" "a b”', ["a b", "a b"]),
        ("--text=“a b” (“c d”)", ["--text=a b", "(c d)"]),
        ("“” '' «»", ["", "", ""]),
        ("“it’s late” ‘it’s late’ 'it's late' \"it's\"", ["it’s late", "it’s late", "it's late", "it's"]),
        ("don’t don't “stop me” it's", ["don’t", "don't", "stop me", "it's"]),
        ("cafe\u0301’s dogs’ bones, cats' too", ["cafe\u0301’s", "dogs’", "bones,", "cats'", "too"]),
        ('5" by 6" and ’90s', ['5"', "by", '6"', "and", "’90s"]),
        ("“a b and 'c d", ["“a", "b", "and", "'c", "d"]),
        (r"a\ b \“c d\” “\”e f” 'g\h' i\\", ["a b", "“c", "d”", "”e f", r"g\h", "i\\"]),
        ("6\u3000“a\u3000b”\u00a0c\n", ["6", "a\u3000b", "c"]),
        ("", []),
    ],
)
def test_quotes_are_what_keyboards_make_of_them(typed: str, words: list[str]) -> None:
    assert split(typed) == words


@given(
    st.lists(
        st.tuples(
            st.text().filter(lambda text: not set(text) & set("\"“”„‟'‘’‚‛«»‹›\\") and text == text.strip()),
            st.sampled_from(('""', "“”", "„“", "””", "''", "‘’", "«»", "»«", "‹›")),
        )
    )
)
def test_what_stands_between_quotes_is_one_word(quoted: list[tuple[str, str]]) -> None:
    assert split(" ".join(quotes[0] + text + quotes[1] for text, quotes in quoted)) == [text for text, _ in quoted]


@given(st.text(alphabet="ab 5=.-_\n\u3000é木"))
def test_what_has_no_quote_in_it_is_parted_at_white_space(typed: str) -> None:
    assert split(typed) == typed.split()


def test_quotes_that_are_not_closed_do_not_keep_a_bot_busy() -> None:
    typed = "'a \"b «c ‹d " * 20_000  # looked through for each of them, this would take minutes
    assert split(typed) == typed.split()


def test_a_command_cannot_take_any_option_at_all() -> None:
    def anything(ctx: Any, **fields: str) -> None:
        pass

    with pytest.raises(TypeError, match="name its options"):
        Command(anything, None)
