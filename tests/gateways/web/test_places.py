"""What is unread in one place, as a page begins with it."""

from zchat.gateways.web.places import COUNTED, Place


def test_what_was_heard_and_asked_for_counts_once_and_what_was_read_not_at_all() -> None:
    place = Place("dev", read=3)
    for seq, calls in ((2, True), (3, True), (5, False), (5, True), (4, True), (7, True)):
        place.said(seq, calls=calls)
    assert place.unread == [(5, False), (7, True)]
    place.gone(5)
    assert place.unread == [(7, True)]


def test_a_mark_goes_forward_alone_and_what_is_behind_it_is_read() -> None:
    place = Place("dev", read=3, unmarked=True, unread=[(5, False), (7, True)])
    assert not place.mark(3)
    assert (place.read, place.unmarked) == (3, True)
    assert place.mark(5)
    assert (place.read, place.unmarked, place.unread) == (5, False, [(7, True)])


def test_the_newest_are_counted_and_no_more() -> None:
    place = Place("dev")
    for seq in range(1, 2 * COUNTED):
        place.said(seq, calls=False)
    assert [seq for seq, _ in place.unread] == list(range(COUNTED, 2 * COUNTED))
