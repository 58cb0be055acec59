"""Whose clock is wrong: nobody's, unless most others agree."""

import pytest

from zchat.broker.core.clocks import WRONG, Clocks, off

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
