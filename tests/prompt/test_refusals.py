"""A refusal is told in plain words, with the time as it is here and what to do."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from zchat.errors import NickTakenError, RefusedError
from zchat.prompt import refusals, render

STYLE = render.Style(zone=timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("code", "message", "told"),
    [
        ("muted", "you are muted in general until 2031-05-06T14:05:00+00:00: spam",
         "You are muted in general until 2031-05-06 16:05: spam."),
        ("unknown_member", "nobody is called dave",
         "Nobody is called dave."),
        ("forbidden", "only moderators and owners may do this, and you are a member",
         "Only moderators and owners may do this, and you are a member."),
        ("bad_invite", "this invitation is used up.", "This invitation is used up."),
        ("unknown_room", "there is no room +ops\x1b[2J",
         "There is no room +ops\\x1b[2J. Who is in a private room can let you in, with /admit."),
    ],
)  # fmt: skip
def test_a_refusal_is_told_in_plain_words(code: str, message: str, told: str) -> None:
    assert refusals.explain(code, message, STYLE) == told
    assert refusals.sentence(RefusedError(code, message), STYLE) == told


def test_until_when_is_told_without_its_date_if_it_is_today() -> None:
    now = datetime(2026, 11, 29, 20, 0, tzinfo=UTC)
    for until, told in ((now + timedelta(hours=1), "23:00"), (now + timedelta(hours=3), "2026-11-30 01:00")):
        assert render.when(until.isoformat(), now.isoformat(), STYLE) == told
        assert render.local_times(f"x {until.isoformat()}: y", now.isoformat(), STYLE) == f"x {told}: y"


def test_a_code_that_may_say_more_than_its_sentence_is_shown() -> None:
    assert refusals.explain("server_full", "no", STYLE) is None
    told = refusals.sentence(RefusedError("server_full", "no\x1b"), STYLE)
    assert told == "The broker refused (server_full): no\\x1b"
    assert "Choose another" in refusals.sentence(NickTakenError("bob"), STYLE)


@pytest.mark.parametrize("code", ["bad_target", "bad_file", "too_long", "no_space", "bad_reply"])
def test_what_is_told_of_messages_and_files_is_told_without_a_code(code: str) -> None:
    told = refusals.sentence(RefusedError(code, "there is no message 5 here"), STYLE)
    assert (told.startswith("There is no message 5 here."), code in told) == (True, False)
