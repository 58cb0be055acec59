"""CHATHISTORY as it is asked: understood, or refused with what is wrong."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchat.gateways.irc.core.chathistory import BadQueryError, Query, Reference, moment, parse, shown

TIME = "2026-11-30T10:00:00.123Z"
AT = datetime(2026, 11, 30, 10, 0, 0, 123_000, UTC)


@pytest.mark.parametrize(
    ("asked", "query"),
    [
        ("LATEST #a * 50", Query("LATEST", "#a", (Reference(),), 50)),
        ("latest #a msgid=7 0", Query("LATEST", "#a", (Reference(seq=7),), 500)),
        (f"BEFORE bob timestamp={TIME} 9999", Query("BEFORE", "bob", (Reference(time=AT),), 500)),
        (f"BETWEEN #a msgid=1 timestamp={TIME} 5", Query("BETWEEN", "#a", (Reference(1), Reference(time=AT)), 5)),
        (f"TARGETS timestamp={TIME} timestamp={TIME} 5", Query("TARGETS", "", (Reference(time=AT),) * 2, 5)),
        ("AFTER #a msgid=not-ours 5", Query("AFTER", "#a", (Reference(seq=0),), 5)),
    ],
)
def test_what_is_asked(asked: str, query: Query) -> None:
    assert parse(asked.split()) == query


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("", "INVALID_PARAMS"), ("FROB #a * 5", "INVALID_PARAMS"), ("LATEST #a *", "INVALID_PARAMS"),
        ("LATEST #a * 5 6", "INVALID_PARAMS"), ("LATEST #a * five", "INVALID_PARAMS"),
        ("BEFORE #a * 5", "INVALID_PARAMS"),
        ("BEFORE #a msgref=1 5", "INVALID_MSGREFTYPE"), ("BEFORE #a timestamp=yesterday 5", "INVALID_PARAMS"),
        ("TARGETS msgid=1 msgid=2 5", "INVALID_PARAMS"), ("LATEST #a * -5", "INVALID_PARAMS"),
        ("LATEST #a * * 5", "INVALID_PARAMS"), ("BEFORE #a msgid=1 msgid=2 5", "INVALID_PARAMS"),
        (f"TARGETS timestamp={TIME} timestamp={TIME} timestamp={TIME} 5", "INVALID_PARAMS"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked(asked: str, code: str) -> None:
    with pytest.raises(BadQueryError) as caught:
        parse(asked.split())
    assert caught.value.code == code


@given(st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC)))
def test_a_time_is_the_same_there_and_back(time: datetime) -> None:
    cut = time.replace(microsecond=time.microsecond // 1000 * 1000)
    if cut.year > 999:
        assert moment(shown(cut)) == cut
