"""What a broker does about the stream that it finds, as a table."""

import pytest
from msgspec.structs import replace

from zchat.broker.cluster.interface import Position
from zchat.broker.cluster.terms import NOTHING, Doubt, Own, Then, Verdict, judge, successor
from zchat.broker.store import Applied

LOG, OTHER = "a" * 32, "b" * 32
STREAM = Position(term="t1", log=LOG, first=1, last=50, created="then")
NEW = replace(STREAM, term="t2", first=41, began=40, parent="t1", parent_hash=b"at 40")


def own(seq: int, hash_: bytes = b"", term: str = "t1", id_: str = LOG) -> Own:
    return Own(id_, 9, Applied(term=term, seq=seq, hash=hash_))


@pytest.mark.parametrize(
    ("mine", "stream", "then", "why"),
    [
        (NOTHING, None, Then.FOUND, ""),
        (NOTHING, STREAM, Then.GO_ON, ""),
        (NOTHING, replace(STREAM, first=2), Then.COPY, "begins with message 2, and 0"),
        (NOTHING, NEW, Then.COPY, "begins with message 41"),
        (own(50), None, Then.LOST, "it is gone"),
        (own(50), replace(STREAM, term=""), Then.LOST, "not made by zchat"),
        (own(50), STREAM, Then.GO_ON, ""),
        (own(30), replace(STREAM, first=31), Then.GO_ON, ""),
        (own(29), replace(STREAM, first=31), Then.COPY, "begins with message 31, and 29"),
        (own(51), STREAM, Then.LOST, "ends after message 50, but 51 were applied here"),
        (own(51), replace(STREAM, sure=False), Then.WAIT, "ends after message 50"),
        (own(50, id_=OTHER), STREAM, Then.LOST, "bbbbbbbb…, and that of the cluster is aaaaaaaa…"),
        (own(1, b"alone", term="", id_=OTHER), STREAM, Then.REFUSE, "bbbbbbbb…, and that of the cluster is"),
        (own(40, b"at 40"), NEW, Then.GO_ON, ""),
        (own(40, b"at 40", term="t0"), NEW, Then.GO_ON, ""),
        (own(40, b"another"), NEW, Then.LOST, "the 40 messages before it are not those"),
        (own(41, b"at 41"), NEW, Then.LOST, "a new one begins after message 40, and 41 were applied here"),
        (own(39, b"at 39"), NEW, Then.COPY, "begins with message 41, and 39"),
        (own(40, b"at 40"), replace(NEW, first=45), Then.COPY, "begins with message 45"),
        (own(1, b"alone", term=""), replace(NEW, began=1, parent_hash=b"alone", first=2), Then.GO_ON, ""),
        (
            own(1, b"other", term=""),
            replace(NEW, began=1, parent_hash=b"alone", first=2),
            Then.REFUSE,
            "a broker alone",
        ),
        (own(1, b"alone", term=""), None, Then.FOUND, ""),
    ],
)
def test_what_follows(mine: Own, stream: Position | None, then: Then, why: str) -> None:
    verdict = judge(mine, stream)
    assert verdict.then is then
    assert why in verdict.why


def test_what_another_broker_has_applied_has_to_be_there_too() -> None:
    assert judge(own(50), STREAM, ("c", 50)).then is Then.GO_ON
    verdict = judge(own(50), STREAM, ("c", 51))
    assert verdict == Verdict(Then.LOST, "it ends after message 50, but broker c has applied 51")
    assert judge(own(50), replace(STREAM, sure=False), ("c", 51)).then is Then.WAIT


def test_a_successor_is_gone_on_with_by_who_made_it() -> None:
    mine = own(50, b"at 50")
    assert judge(mine, successor(LOG, mine.applied, "t9")).then is Then.GO_ON
    assert judge(own(50, b"at 50", term="t9"), successor(LOG, mine.applied, "t9")).then is Then.GO_ON


def test_a_bad_sight_is_believed_once_it_lasts() -> None:
    doubt, lost = Doubt(again=1.0, missing=5.0), Verdict(Then.LOST, "why")
    assert doubt.consider(lost, STREAM, STREAM, 10.0).then is Then.WAIT
    assert doubt.consider(Verdict(Then.GO_ON), STREAM, STREAM, 10.9).then is Then.GO_ON
    assert doubt.consider(lost, STREAM, STREAM, 11.0).then is Then.WAIT
    assert not doubt.lost
    assert doubt.consider(lost, STREAM, STREAM, 12.0) == lost
    assert doubt.lost


def test_a_stream_that_is_gone_may_be_back_in_a_moment_and_one_made_anew_is_another() -> None:
    doubt, gone = Doubt(again=1.0, missing=5.0), Verdict(Then.LOST, "it is gone")
    assert doubt.consider(gone, None, STREAM, 10.0).then is Then.WAIT
    assert doubt.consider(gone, None, STREAM, 14.0).then is Then.WAIT
    assert doubt.consider(gone, None, STREAM, 15.0) == gone
    anew = replace(STREAM, created="now")
    doubt = Doubt(again=1.0, missing=5.0)
    assert doubt.consider(Verdict(Then.GO_ON), anew, STREAM, 1.0).then is Then.WAIT
    assert doubt.consider(Verdict(Then.GO_ON), anew, STREAM, 2.0) == Verdict(Then.LOST, "it was made anew")
