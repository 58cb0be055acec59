"""Which broker makes the new stream, and when none may."""

import pytest
from msgspec.structs import replace

from tests.cluster.test_status import HEARD, POSITION, WELL
from zchat.broker.cluster import restoring
from zchat.broker.cluster.status import Seen
from zchat.errors import UsageError

GIVEN_UP = [replace(each, trouble="it is gone") for each in HEARD]
LOST = replace(WELL, position=None, heard=GIVEN_UP)


def test_the_broker_that_has_applied_most_makes_it() -> None:
    most = replace(GIVEN_UP[1], applied=90, hash=b"\xbb" * 32)
    assert restoring.choose(replace(LOST, heard=[GIVEN_UP[0], most, GIVEN_UP[2]]), ()).broker == "b"
    assert restoring.choose(replace(LOST, heard=GIVEN_UP[:2]), ["c"]).broker in {"a", "b"}
    new = replace(POSITION, term="t2", last=3)
    assert restoring.choose(replace(LOST, position=new), ()).broker in {"a", "b", "c"}


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (WELL, "Nothing was lost"),
        (replace(LOST, heard=()), "No broker is heard"),
        (replace(LOST, heard=GIVEN_UP[:2]), "Not heard: c. A broker that is missing may have what no other has"),
        (replace(LOST, heard=GIVEN_UP[:1]), "--without b --without c"),
        (replace(LOST, heard=HEARD), "have not given the stream up yet"),
        (replace(LOST, trouble="timeout"), "cannot say whether the stream is lost"),
        (
            replace(LOST, heard=[*GIVEN_UP[:2], replace(GIVEN_UP[2], hash=b"\xbb" * 32)]),
            "are not the same at one place",
        ),
        (
            replace(
                LOST,
                position=replace(POSITION, term="t2"),
                heard=[*(replace(each, term="t2") for each in HEARD[:2]), GIVEN_UP[2]],
            ),
            "followed by brokers a and b: a new one would leave out what was said since",
        ),
    ],
)
def test_none_makes_it_while_it_is_not_sure_that_nothing_is_passed_over(seen: Seen, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        restoring.choose(seen, ())
    assert told in str(caught.value)
