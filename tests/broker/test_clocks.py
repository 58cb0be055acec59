"""Whose clock is wrong: nobody's, unless most others agree."""

import pytest

from zchat.broker.core.clocks import WEEK, WRONG, Clocks, Steadiness, doubted, off, settling

YEAR = 366 * 86_400.0


@pytest.mark.parametrize(
    ("ahead", "by"),
    [
        ([], 0),
        ([YEAR], 0),
        ([YEAR, 0.0], 0),
        ([YEAR, YEAR + 5], YEAR),
        ([-YEAR, -YEAR - 5], -YEAR),
        ([-YEAR, YEAR], 0),
        ([3.0, YEAR, 2.0], 3),
        ([YEAR, 0.0, YEAR + 1], YEAR),
        ([YEAR, 0.0, 1.0, YEAR + 1], 1),
    ],
)
def test_a_clock_is_off_by_what_those_in_the_middle_agree_on(ahead: list[float], by: float) -> None:
    assert off(ahead) == by


def test_a_clock_is_wrong_once_others_have_told_so_for_long() -> None:
    clocks = Clocks(5.0)
    told: list[float] = []
    for now in range(10):
        clocks.hear("b", YEAR, now)
        clocks.hear("c", YEAR, now)
        told.append(clocks.wrong(now))
    assert told == [0.0] * 5 + [YEAR] * 5
    clocks.hear("b", WRONG, 10)
    assert clocks.wrong(10) == 0.0


def test_a_heartbeat_that_comes_late_tells_nothing_of_a_clock() -> None:
    clocks = Clocks(5.0)
    for broker in "bc":
        clocks.hear(broker, -YEAR, 0)
    assert [clocks.wrong(now) for now in range(20)] == [0.0] * 20


def test_a_clock_is_steady_since_it_was_set() -> None:
    steady = Steadiness(1_000.0, 50.0, 1_000.0)
    assert steady.lasts(1_100.0, 150.0) == 100.0
    assert steady.lasts(1_150.0 + WRONG, 200.0) == 150.0  # as networks make of a right one
    assert steady.lasts(1_151.0 + WRONG, 200.0) == 0.0
    assert steady.lasts(1_152.0 + WRONG, 201.0) == 1.0
    assert steady.lasts(0.0, 202.0) == 0.0


def test_a_clock_may_be_ahead_by_a_silence_or_a_leap_until_it_was_steady() -> None:
    steady, keep, leap = Steadiness(1_000.0, 0.0, 900.0), 90 * 86_400.0, 2 * WRONG
    assert steady.ahead(1_010.0, 10.0, keep) == 100.0
    assert steady.ahead(1_020.0 + leap, 20.0, keep) == 100.0 + leap
    assert steady.leaps == 1
    assert steady.ahead(1_030.0, 30.0, keep) == 100.0  # somebody has set it right
    assert steady.ahead(1_000.0 + WEEK + 29.0, WEEK + 29.0, keep) == 100.0
    assert steady.ahead(1_000.0 + WEEK + 29.0, WEEK + 29.0, 3_600.0) == 0.0  # where an hour is kept, it settles sooner
    assert steady.ahead(1_000.0 + WEEK + 30.0, WEEK + 30.0, keep) == 0.0
    assert steady.ahead(1_000.0 + WEEK + 40.0 + leap, WEEK + 40.0, keep) == leap
    assert steady.leaps == 2
    assert Steadiness(1_000.0, 0.0, 2_000.0).ahead(1_000.0, 0.0, keep) == 0.0  # behind


@pytest.mark.parametrize(
    ("keep", "before", "steady", "is_so"),
    [
        (90 * 86_400.0, None, 0.0, False),  # nothing is old
        (90 * 86_400.0, YEAR, 0.0, True),
        (90 * 86_400.0, YEAR, WEEK - 1, True),
        (90 * 86_400.0, YEAR, WEEK, False),
        (90 * 86_400.0, 2 * WEEK + 1, 0.0, True),
        (90 * 86_400.0, 2 * WEEK, 0.0, False),  # no gap
        (86_400.0, 2 * 86_400.0 + 1, 86_399.0, True),
        (86_400.0, 2 * 86_400.0 + 1, 86_400.0, False),
    ],
)
def test_a_clock_is_doubted_after_a_gap_until_it_was_steady(
    keep: float, before: float | None, steady: float, is_so: bool
) -> None:
    wall = 10 * YEAR
    assert doubted(wall, None if before is None else wall - before, keep, steady) is is_so
    assert settling(keep) == min(keep, WEEK)
