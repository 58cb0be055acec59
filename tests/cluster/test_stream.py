"""The log that several brokers share, message by message: what counts, what stops it, and what is sent again."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.broker.dialogue import NOON
from zchat.broker.core import cluster
from zchat.broker.core.cluster import Begin, Gone, Post
from zchat.broker.core.entries import Change, Claim, Draft, Due, Entry, Failed, Noted, Outcome, Stored, Told
from zchat.broker.log import LocalLog, StreamLog, posting
from zchat.broker.store import Store, backup, standing
from zchat.errors import ClusterError, DivergedError, LostStreamError, NewerMessageError, SharedLogError
from zchat.protocol import messages as m

ANN = "a" * 16


class Broker:
    """A broker's log on a stream, which is a list."""

    def __init__(self, stream: list[bytes], name: str = "a", store: Store | None = None, term: str = "one") -> None:
        self.stream, self.published, self.errors = stream, list[bytes](), list[ClusterError]()
        self.store = store or Store(None, "0" * 32, NOON)
        self.log = StreamLog(self.store, name, term, f"{name}{len(stream)}", self.published.append)
        self.log.on_broken = self.errors.append
        self.outcomes: list[Outcome] = []

    def begin(self) -> None:
        self.read()
        self.log.start()
        self.store_all()
        self.append(Claim(ANN, "ann"))
        self.store_all()
        self.outcomes.clear()

    def append(self, *drafts: Entry, wall: float = NOON) -> None:
        refused = self.log.append(list(drafts), wall, self.outcomes.extend)
        self.outcomes += [Failed()] * len(refused)

    def say(self, n: int, text: str = "hi", wall: float = NOON) -> None:
        self.append(Draft(ANN, "ann", [m.Say(n=n, text=text, room="general")], "general"), wall=wall)

    def store_all(self) -> None:
        """Let the stream take what was published."""
        while self.published:
            self.stream += self.published
            self.published.clear()
            self.read()

    def read(self) -> None:
        self.log.receive(list(enumerate(self.stream, 1)))

    def events(self) -> list[dict[str, Any]]:
        rows = self.store.connection.execute("SELECT lines FROM chunk ORDER BY first")
        return [msgspec.json.decode(line) for (lines,) in rows for line in lines.split(b"\n")]

    def dump(self) -> str:
        return "\n".join(self.store.connection.iterdump())


@pytest.fixture
def stream() -> list[bytes]:
    return []


@pytest.fixture
def broker(stream: list[bytes]) -> Iterator[Broker]:
    broker = Broker(stream)
    broker.begin()
    yield broker
    broker.store.close()


def test_a_message_of_a_newer_version_stops_the_log_before_it_and_loses_nothing(
    broker: Broker, stream: list[bytes]
) -> None:
    broker.say(1)
    stream += [broker.published.pop(), bytes([cluster.VERSION + 1]) + b"from the future", cluster.encode(Gone("a", 1))]
    broker.say(2)
    broker.read()
    assert [type(one) for one in broker.outcomes] == [Stored, Failed]
    (error,) = broker.errors
    assert isinstance(error, NewerMessageError)
    assert (error.version, error.seq) == (cluster.VERSION + 1, 4)
    assert (broker.log.applied.seq, broker.log.head) == (3, 1)
    broker.published.clear()
    broker.say(3)
    broker.log.publish_again()
    broker.log.start()
    assert (broker.outcomes[-1], broker.published, broker.log.waits) == (Failed(), [], False)
    assert "does not believe the stream" in broker.log.why


def test_a_newer_version_makes_the_same_log_of_the_messages_of_an_older_one(
    broker: Broker, stream: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.say(1, "said before the upgrade")
    broker.store_all()
    monkeypatch.setattr(cluster, "VERSION", cluster.VERSION + 1)
    upgraded = Broker(stream, "b")
    upgraded.read()
    assert upgraded.log.head == 1
    assert upgraded.dump() == broker.dump()
    upgraded.store.close()


def test_only_what_an_older_version_does_not_know_is_written_as_a_newer_one(
    broker: Broker, stream: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.say(1)
    broker.append(Change("b" * 16, "olga", [m.SetAccess(n=1, room="dev", keep=30)], producer=ANN))
    (said, kept) = broker.published
    broker.append(Change("b" * 16, "olga", [m.SetAccess(n=2, room="dev", keep="default")], producer=ANN))
    broker.say(3)
    assert [payload[0] for payload in (*stream, said, kept)] == [2] * (len(stream) + 2)
    assert [payload[0] for payload in broker.published[2:]] == [3, 2]
    monkeypatch.setattr(cluster, "VERSION", 2)
    old = Broker([*stream, *broker.published], "b")
    old.read()
    assert isinstance(old.log.broken, NewerMessageError)
    assert old.log.applied.seq == len(stream) + 2
    old.store.close()


def test_what_is_no_message_counts_nowhere(broker: Broker, stream: list[bytes]) -> None:
    stream += [b"", b"\x01", b"\x01garbage", b"\x00old", b"\x01" + msgspec.msgpack.encode({"type": "Begin"})]
    broker.say(1)
    broker.store_all()
    assert isinstance(broker.outcomes[0], Stored)
    assert broker.log.applied.seq == len(stream)


def test_a_broker_that_has_read_something_else_at_a_place_is_told_from_its_posts(
    broker: Broker, stream: list[bytes]
) -> None:
    stream += [cluster.encode(Begin("b", 1, "b")), cluster.encode(Post("b", 1, 1, NOON, [], (2, b"another.")))]
    broker.read()
    error = broker.log.broken
    assert isinstance(error, DivergedError)
    assert (error.broker, error.seq, broker.log.applied.seq) == ("b", 2, 3)
    assert broker.errors == [error]


def test_and_from_what_it_says_beside_the_stream(broker: Broker) -> None:
    at = broker.log.applied
    assert broker.log.agrees("b", at.seq, at.hash)
    assert broker.log.agrees("b", at.seq + 1, b"nobody knows yet")
    assert not broker.log.agrees("b", at.seq - 1, at.hash)
    assert isinstance(broker.log.broken, DivergedError)
    broker.stream.append(cluster.encode(Gone("a", 1)))
    broker.read()
    assert broker.log.applied == at, "nothing is applied any more"


def test_of_three_brokers_the_one_stops_that_is_alone_with_what_it_has_read(
    broker: Broker, stream: list[bytes]
) -> None:
    stream += [cluster.encode(Begin("b", 1, "b")), cluster.encode(Begin("c", 1, "c"))]
    stream.append(cluster.encode(Post("b", 1, 1, NOON, [], (2, b"another."))))
    broker.read()
    at = broker.log.applied
    assert (at.seq, broker.log.broken) == (5, None), "one of three is wrong, and it may be that one"
    assert not broker.log.agrees("b", at.seq, b"another.")
    assert broker.log.agrees("c", at.seq, at.hash)
    assert broker.log.broken is None
    assert not broker.log.agrees("c", at.seq, b"another.")
    assert isinstance(broker.log.broken, DivergedError)


def test_a_post_at_a_place_that_its_broker_had_read_before_tells_that_the_stream_went_back(
    broker: Broker, stream: list[bytes]
) -> None:
    stream.append(cluster.encode(Post("b", 1, 1, NOON, [], (3, b"12345678"))))
    broker.read()
    (error,) = broker.errors
    assert isinstance(error, LostStreamError)
    assert broker.log.applied.seq == 2


def test_a_full_disk_leaves_no_trace_and_is_survived(stream: list[bytes], tmp_path: Path) -> None:
    with closing(Store(tmp_path, "0" * 32, NOON)) as store:
        broker, other = Broker(stream, store=store), Broker(stream, "b")
        broker.begin()
        broker.say(1)
        pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
        store.connection.execute(f"PRAGMA max_page_count = {pages}")
        for n in range(2, 200):
            broker.say(n, "long " * 400)
        before = broker.dump(), broker.log.head, broker.log.applied
        broker.stream += broker.published
        broker.published.clear()
        broker.read()
        assert broker.log.trouble is not None
        assert (broker.dump(), broker.log.head, broker.log.applied) == before
        assert broker.log.rooms == {}
        broker.say(200)
        assert broker.outcomes == [Failed()], "nothing new is taken meanwhile"
        assert broker.log.why == "the broker's disk is full: there has to be room on it"
        store.connection.execute("PRAGMA max_page_count = 1000000")
        while broker.log.waits:
            broker.store_all()
            broker.read()
        assert broker.log.trouble is None
        assert [one.seq for one in broker.outcomes if isinstance(one, Stored)] == list(range(1, 200))
        other.read()
        assert other.dump() == broker.dump()


def test_without_an_epoch_nothing_is_taken(stream: list[bytes]) -> None:
    broker = Broker(stream)
    broker.say(1)
    assert (broker.outcomes, broker.published) == ([Failed()], [])
    assert broker.log.why == "this broker is about to begin in its cluster"


def test_who_stops_says_that_it_goes_and_begins_no_other_epoch(broker: Broker, stream: list[bytes]) -> None:
    broker.say(1)
    broker.store_all()
    broker.log.stop()
    broker.say(2)
    assert broker.outcomes[1:] == [Failed()]
    assert broker.log.why == "the broker stops"
    broker.store_all()
    assert cluster.decode(stream[-1]) == Gone("a", 1)
    assert (broker.log.epoch, broker.log.waits, broker.log.cluster.claims) == (0, False, {})


def test_what_comes_while_many_posts_are_on_their_way_goes_together(broker: Broker) -> None:
    for n in range(1, 101):
        broker.say(n)
    assert len(broker.published) == posting.SENT_MAX
    broker.store_all()
    assert [one.seq for one in broker.outcomes if isinstance(one, Stored)] == list(range(1, 101))
    posts = [message for message in map(cluster.decode, broker.stream) if isinstance(message, Post)]
    assert [len(post.drafts) for post in posts][1:] == [1] * posting.SENT_MAX + [100 - posting.SENT_MAX]


def test_posts_are_cut_and_what_waits_is_bounded(broker: Broker) -> None:
    for n in range(1, 2_000):
        broker.say(n, "x" * 8_000)
    refused = broker.outcomes.count(Failed())
    assert broker.log.why == "too much waits for the other brokers"
    assert posting.WAITING_MAX * 0.47 < (1_999 - refused) * 8_200 < posting.WAITING_MAX * 0.53, (
        "half of it is for others"
    )
    while broker.log.waits:
        broker.store_all()
    assert len(broker.outcomes) == 1_999
    sizes = sorted(map(len, broker.stream))
    assert posting.POST_MAX - 10_000 < sizes[-1] < posting.POST_MAX + 1_000
    broker.say(2_000 - refused)
    broker.store_all()
    assert isinstance(broker.outcomes[-1], Stored), "there is room again"


def test_a_hole_is_filled_once_and_not_for_each_post_that_comes_too_early(broker: Broker, stream: list[bytes]) -> None:
    for n in range(1, 6):
        broker.say(n)
    lost = broker.published.pop(0)
    broker.store_all()
    assert stream[-5:][0] == lost
    assert len(stream) == 2 + 4 + 5, "four came too early, then all five came once more"
    assert [one.seq for one in broker.outcomes if isinstance(one, Stored)] == [1, 2, 3, 4, 5]


def test_a_brokers_log_may_be_the_beginning_of_a_clusters_and_is_no_broker_alones_from_then_on(
    stream: list[bytes], tmp_path: Path
) -> None:
    with closing(Store(tmp_path, "0" * 32, NOON)) as store:
        local = LocalLog(store)
        local.write([Draft(ANN, "ann", [m.Say(n=1, text="alone", room="general")], "general")], NOON)
        broker = Broker(stream, store=store)
        broker.begin()
        broker.say(2, "not alone")
        broker.store_all()
        assert [one.seq for one in broker.outcomes if isinstance(one, Stored)] == [2]
        assert [first for _, first in broker.log.epochs] == [1, 2]
        with pytest.raises(SharedLogError, match="--cluster"):
            LocalLog(store)
        assert store.event(2) is not None
        assert b"not alone" in (store.event(2) or b"")
        assert store.event(3) is None
    found = standing(tmp_path)
    assert found is not None
    assert (found.id, found.head, found.applied) == ("0" * 32, 2, broker.log.applied)


def test_a_clusters_log_is_forgotten_from_by_its_own_clock_alone(broker: Broker) -> None:
    broker.say(1)
    broker.store_all()
    late = NOON + 31 * 86_400
    broker.store.connection.execute("INSERT INTO once VALUES ('someone', 'key', 1, 0)")
    rows = [("other", key, 1, 9_999_999_999) for key in range(10_001)]  # the latest are kept in any case
    broker.store.connection.executemany("INSERT INTO once VALUES (?, ?, ?, ?)", rows)
    broker.store.forget(late)
    count = "SELECT count(*) FROM once WHERE used = 0"
    assert broker.store.connection.execute(count).fetchone() == (1,)
    broker.say(2, wall=late)
    broker.store_all()
    assert broker.store.connection.execute(count).fetchone() == (0,)


def test_a_copy_is_the_same_log_for_another_broker_and_a_backup_is_one_of_its_own(
    stream: list[bytes], tmp_path: Path
) -> None:
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
    with closing(Store(tmp_path / "one", "0" * 32, NOON)) as store:
        broker = Broker(stream, store=store)
        broker.begin()
        broker.say(1)
        broker.store_all()
        backup(tmp_path / "one", tmp_path / "two" / "log.db", lambda done, total: None, same=True)
        backup(tmp_path / "one", tmp_path / "three" / "log.db", lambda done, total: None)
        broker.say(2)
        broker.store_all()
        with closing(Store(tmp_path / "two", "1" * 32, NOON)) as copied:
            other = Broker(stream, "b", copied)
            other.read()
            assert other.dump() == broker.dump()
    with closing(Store(tmp_path / "three", "1" * 32, NOON)) as own:
        assert own.id not in ("0" * 32, "1" * 32)
        assert LocalLog(own).head == 1


def test_a_process_that_starts_again_goes_on_where_the_store_stands(broker: Broker, stream: list[bytes]) -> None:
    broker.say(1)
    broker.store_all()
    again = Broker(stream, store=broker.store)
    again.begin()
    assert again.log.epoch == 2
    again.say(2)
    again.store_all()
    assert [one.seq for one in again.outcomes if isinstance(one, Stored)] == [2]
    again.log.agrees("b", again.log.applied.seq - 1, b"")
    assert isinstance(again.log.broken, DivergedError)


def test_what_fails_after_a_message_was_applied_does_not_keep_others_from_their_answers(broker: Broker) -> None:
    def fail(drafts: list[Entry], outcomes: list[Outcome]) -> None:
        raise RuntimeError("a mistake")

    broker.log.observe = fail
    broker.stream += [cluster.encode(Begin("b", 1, "b")), cluster.encode(Post("b", 1, 1, NOON, []))]
    broker.say(1)
    broker.store_all()
    assert [type(one) for one in broker.outcomes] == [Stored]


def test_a_stream_that_went_back_and_grew_again_tells_so_at_places_that_were_read_before(
    broker: Broker, stream: list[bytes]
) -> None:
    broker.say(1)
    (post,) = broker.published
    broker.store_all()
    broker.log.look_back(len(stream), post)
    assert broker.log.broken is None, "it comes once more"
    later = Post("b", 1, 1, NOON, [], (len(stream), b"12345678"))
    broker.log.look_back(len(stream), cluster.encode(later))
    (error,) = broker.errors
    assert isinstance(error, LostStreamError)


def test_what_was_said_for_later_is_told_once_whoever_drafts_it_and_not_before_its_time(
    broker: Broker, stream: list[bytes]
) -> None:
    other = Broker(stream, "b")
    other.read()
    other.log.start()
    other.store_all()
    broker.read()
    at = datetime.fromtimestamp(NOON + 60, UTC)
    broker.append(Draft(ANN, "ann", [m.Say(n=1, text="hi", room="general", at=at)], "general"))
    broker.store_all()
    assert broker.outcomes == [Noted(later=1)]
    broker.outcomes.clear()
    for wall in (NOON + 59, NOON + 60):
        for each in (broker, other):
            each.append(Due(1, "ann"), wall=wall)
        for each in (broker, other, broker, other):
            each.store_all()
            each.read()
    kinds = [type(outcome) for outcome in (*broker.outcomes, *other.outcomes)]
    assert sorted(kinds, key=str) == sorted([Failed, Told, Failed, Failed], key=str)
    assert broker.dump() == other.dump()
    assert [(event["text"], event["time"]) for event in broker.events()] == [("hi", "2026-11-22T05:31:00.000Z")]
    other.store.close()
