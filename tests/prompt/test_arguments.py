"""Until when: a length of time, a time of the day, a date; what is none of these, or is over, is told kindly."""

import time
from datetime import UTC, datetime, timedelta

import click
import pytest

from zchat.prompt import arguments

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CONTEXT, PARAM = click.Context(click.Command("mute")), click.Argument(["words"])


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90s", NOW + timedelta(seconds=90)),
        ("10m", NOW + timedelta(minutes=10)),
        ("1w", NOW + timedelta(weeks=1)),
        ("14:05", datetime(2026, 11, 22, 14, 5, tzinfo=UTC)),
        ("9:30", datetime(2026, 11, 23, 9, 30, tzinfo=UTC)),
        ("12:00", datetime(2026, 11, 23, 12, 0, tzinfo=UTC)),
        ("2026-11-23T05:30:00+02:00", datetime(2026, 11, 23, 3, 30, tzinfo=UTC)),
    ],
)
def test_until_takes_a_length_of_time_a_time_of_the_day_or_a_date(text: str, moment: datetime) -> None:
    assert arguments.until(text, NOW) == moment


@pytest.mark.parametrize("text", ["0m", "2026-11-22T11:59:59Z", "2020-01-01"])
def test_until_refuses_what_is_over(text: str) -> None:
    with pytest.raises(arguments.OverError):
        arguments.until(text, NOW)


@pytest.mark.parametrize("text", ["", "m", "10", "10x", "25:00", "12:60", "99999999999w", "٣m"])
def test_until_refuses_what_is_no_time(text: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        arguments.until(text, NOW)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("in 10m", NOW + timedelta(minutes=10)),
        ("2h", NOW + timedelta(hours=2)),
        ("14:05", datetime(2026, 11, 22, 14, 5, tzinfo=UTC)),
        ("at 9:30", datetime(2026, 11, 23, 9, 30, tzinfo=UTC)),
        ("Tomorrow 9:00", datetime(2026, 11, 23, 9, tzinfo=UTC)),
        ("tomorrow at 14:05", datetime(2026, 11, 23, 14, 5, tzinfo=UTC)),
        ("9pm", datetime(2026, 11, 22, 21, tzinfo=UTC)),
        ("at 2:05  PM", datetime(2026, 11, 22, 14, 5, tzinfo=UTC)),
        ("tomorrow 12am", datetime(2026, 11, 23, tzinfo=UTC)),
        ("tomorrow 12:30 pm", datetime(2026, 11, 23, 12, 30, tzinfo=UTC)),
        ("2026-11-23 at 9am", datetime(2026, 11, 23, 9).astimezone()),
        ("today 14:05", datetime(2026, 11, 22, 14, 5, tzinfo=UTC)),
        ("2026-11-23T05:30:00+02:00", datetime(2026, 11, 23, 3, 30, tzinfo=UTC)),
        ("2026-11-23T03:30:00Z", datetime(2026, 11, 23, 3, 30, tzinfo=UTC)),
        ("2026-11-23 05:30+02:00", datetime(2026, 11, 23, 3, 30, tzinfo=UTC)),
        ("2026-11-23 at 9:30", datetime(2026, 11, 23, 9, 30).astimezone()),
    ],
)
def test_when_something_is_to_be_said_may_have_words_around_it(text: str, moment: datetime) -> None:
    assert arguments.at(text, NOW) == moment


@pytest.mark.parametrize(
    ("line", "moment", "text"),
    [
        ("10m at the office", "10m", "at the office"),
        ("in 10m  two\nlines ", "10m", "two\nlines "),
        ("tomorrow 9:00 standup", "tomorrow 9:00", "standup"),
        ("tomorrow 9:00 pm standup", "tomorrow 21:00", "standup"),
        ("tomorrow at 9:00 10:00 is too late", "tomorrow 9:00", "10:00 is too late"),
        ("2999-12-24 18:00 supper", "2999-12-24 18:00", "supper"),
        ("at 2999-12-24 at 9:00 at home", "2999-12-24 09:00", "at home"),
        ("2999-12-24 a whole day", "2999-12-24", "a whole day"),
    ],
)
def test_a_moment_takes_as_many_words_of_a_line_as_it_can(line: str, moment: str, text: str) -> None:
    found, rest = arguments.check_at_and_text(CONTEXT, PARAM, line)
    assert rest == text
    assert abs(found - arguments.at(moment, datetime.now().astimezone())) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("soon hello", "'soon' is no time. Write it as 10m, 2h, 1d, 9:00, tomorrow 9:00 or "),
        ("tomorrow morning hello", "'tomorrow morning' is no time"),
        ("tomorrow", "'tomorrow' is no time"),
        ("2020-01-01 18:00 hello", "2020-01-01 18:00 is over already"),
        ("10m", "Say the text, too"),
    ],
)
def test_a_line_without_a_moment_or_without_a_text_is_refused_with_a_way(line: str, why: str) -> None:
    with pytest.raises(click.UsageError) as refused:
        arguments.check_at_and_text(CONTEXT, PARAM, line)
    assert why in refused.value.format_message()


@pytest.mark.parametrize(
    "text", ["", "in", "tomorrow", "tomorrow 10m", "tomorrow 25:00", "soon", "9 o'clock", "13pm", "0am", "9:00pms"]
)
def test_what_is_no_time_is_nothing_to_be_said_at(text: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        arguments.at(text, NOW)


def test_a_time_that_is_over_today_is_not_taken_for_tomorrow_s() -> None:
    with pytest.raises(arguments.OverError):
        arguments.at("today 9:30", NOW)


def test_a_time_of_tomorrow_is_by_the_clock_of_tomorrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Vienna")
    time.tzset()
    try:
        eve = datetime(2027, 3, 27, 12).astimezone()  # the clocks go forward in the night
        assert arguments.at("tomorrow 9:00", eve) == datetime(2027, 3, 28, 7, tzinfo=UTC)
        assert arguments.at("9:00", eve) == datetime(2027, 3, 28, 7, tzinfo=UTC)
        skipped = datetime(2027, 3, 28, 1, 30, tzinfo=UTC)  # half past two is not on the clock of that night
        for text in ("2:30", "tomorrow 2:30", "2027-03-28 2:30", "2027-03-28T02:30"):
            assert arguments.at(text, eve) == skipped, text
        assert arguments.since("2027-03-28T02:30", eve) == skipped
    finally:
        monkeypatch.undo()
        time.tzset()


def test_what_follows_a_nick_is_until_when_and_why() -> None:
    def parted(*words: str) -> tuple[datetime | None, str | None]:
        until, reason = arguments.check_until_and_reason(CONTEXT, PARAM, words)
        return until, reason

    assert parted() == (None, None)
    assert parted("spam", "and", "2", "insults") == (None, "spam and 2 insults")
    until, reason = parted("1d", "spam")
    assert (until is not None, reason) == (True, "spam")
    with pytest.raises(click.BadParameter, match=r"'10min' is no time\. Write it as 10m, .* begins with another word"):
        parted("10min", "spam")
    with pytest.raises(click.BadParameter, match="1999-01-01 is over already"):
        parted("1999-01-01")
    with pytest.raises(click.BadParameter, match="1,025 characters, and at most 1,024"):
        parted("x" * 1025)


def test_who_is_banned_has_a_nick_or_a_credential() -> None:
    assert arguments.check_whom(CONTEXT, PARAM, "@bob") == "bob"
    assert arguments.check_whom(CONTEXT, PARAM, "uid:1003@host") == "uid:1003@host"
    with pytest.raises(click.BadParameter, match="slash"):
        arguments.check_whom(CONTEXT, PARAM, "a/b")
