"""Times in sentences of the broker's, as people read them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from zchat import moments
from zchat.errors import RefusedError
from zchat.gateways.irc.core.refusals import refused

NOW = datetime(2026, 11, 30, 15, 0, tzinfo=UTC)
ZONE = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("told", "here"),
    [
        ("you are muted until 2026-11-30T16:09:41+00:00: spam", "you are muted until 17:09: spam"),
        ("until 2026-11-30T23:30:00.000Z", "until 2026-12-01 00:30"),
        ("until 2026-13-41T23:30:00Z", "until 2026-13-41T23:30:00Z"),
        ("until noon", "until noon"),
    ],
)
def test_a_time_in_a_sentence_is_told_as_it_is_here(told: str, here: str) -> None:
    assert moments.retold(told, lambda moment: moments.when(moment, NOW, ZONE)) == here


def test_a_client_of_irc_is_told_it_in_utc() -> None:
    line = refused(RefusedError("muted", "you are muted until 2026-11-30T16:09:41+00:00"), "PRIVMSG", "ann", "#dev")
    assert line.params[-1] == "Cannot send: you are muted until 2026-11-30 16:09 UTC"
