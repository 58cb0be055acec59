"""A page of the log: typed where the type is known, and always the broker's own lines."""

from msgspec import Raw

from zchat.client.core.pages import page_of
from zchat.protocol import messages as m

SAID = b'{"type":"message","seq":7,"prev":3,"room":"dev","time":"","from":"0","nick":"b","kind":"action","text":"hi"}'
NEWER = b'{"type":"reaction","seq":9,"prev":7,"room":"dev","to_seq":7}'


def test_an_event_of_a_newer_broker_has_its_place_and_its_line() -> None:
    page = page_of(m.History(room="dev", events=(Raw(SAID), Raw(NEWER)), upto=9, more=True))
    assert [event.seq for event in page.events] == [7, 9]
    assert [type(event) for event in page.events] == [m.Message, m.Opaque]
    assert [event.text for event in page.messages] == ["hi"]
    assert (page.lines, page.upto, page.more) == ((SAID, NEWER), 9, True)


def test_what_was_found_is_complete_through_nothing() -> None:
    assert page_of(m.Found(events=(), more=False)).upto == 0
