"""How often something may be done, and to whom that is counted."""

import pytest

from zchat.gateways.rates import REMEMBERED, Bucket, Buckets, Rate
from zchat.gateways.rates import source as source_of


def test_a_bucket_lets_through_what_it_should() -> None:
    buckets = Buckets(Rate(3, 2))
    assert [buckets.take("a", 0.0) for _ in range(3)] == [0.0] * 3
    assert buckets.take("a", 0.0) == 0.5
    assert buckets.take("b", 0.0) == 0.0
    assert buckets.take("a", 0.5) == 0.0
    assert buckets.take("a", 0.5) == 0.5
    assert [buckets.take("a", 100.0) for _ in range(4)] == [0.0] * 3 + [0.5]
    assert buckets.take("a", 50.0) == 0.5, "a clock that goes back gives nothing away"


def test_the_buckets_of_strangers_are_bounded() -> None:
    buckets = Buckets(Rate(1, 1))
    for number in range(REMEMBERED + 10):
        assert buckets.take(str(number), 0.0) == 0.0
    assert len(buckets._buckets) == REMEMBERED
    assert buckets.take("0", 0.0) == 0.0, "forgotten first"
    assert buckets.take(str(REMEMBERED), 0.0) > 0.0


def test_whoever_may_owe_is_told_to_wait_and_waits_for_all_of_it() -> None:
    bucket = Bucket(Rate(1, 2), 0.0)
    assert [bucket.owe(0.0), bucket.owe(0.0), bucket.owe(1.0)] == [0.0, 0.5, 0.0]
    assert bucket.owe(1.0, 0.5) == 0.25
    assert bucket.take(1.0) == 0.75


def test_what_was_not_used_is_there_again_but_never_more_than_the_burst() -> None:
    bucket = Bucket(Rate(1, 2), 0.0)
    assert bucket.take(0.0) == 0
    bucket.give_back()
    bucket.give_back()
    assert [bucket.take(0.0) == 0 for _ in range(2)] == [True, False]


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::1:2:3:4", "2001:db8::/64"),
        ("2001:db8::ffff", "2001:db8::/64"),
        ("::1", "::1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_a_source_is_an_address_or_a_network(host: str, source: str) -> None:
    assert source_of(host) == source
