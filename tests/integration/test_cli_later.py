"""`zchat send --at` and `zchat scheduled`; and a broker that is killed between what was stored and what is told."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import Broker, RunZchat, wait_for
from tests.integration.commands import said
from zchat.broker.store import Store


def test_what_is_sent_for_later_is_listed_and_taken_back_by_who_has_sent_it(broker: Broker, zchat: RunZchat) -> None:
    sent = zchat("send", "--nick", "alice", "--at", "in 2h", "standup", broker=broker)
    assert (sent.code, sent.out) == (0, "")
    assert "to be said at " in sent.err
    assert "`zchat scheduled --remove 1` takes it back" in sent.err
    sent = zchat("send", "--nick", "alice", "--at", "tomorrow 9:00", "--to", "alice", "a\nb", broker=broker)
    assert (sent.code, " 09:00; " in sent.err) == (0, True)
    listed = zchat("scheduled", "--nick", "alice", broker=broker)
    first, second = listed.out.splitlines()
    assert (first.split()[0], first.split()[3:]) == ("1", ["#general", "standup"])
    assert (second.split()[0], second.split()[2:]) == ("2", ["09:00:00", "@alice", "a", "…"])
    (line,) = zchat("scheduled", "--nick", "alice", "--json", broker=broker).out.splitlines()
    one, _ = json.loads(line)["messages"]
    assert (one["id"], one["room"], one["text"]) == (1, "general", "standup")
    assert "You have said nothing for later." in zchat("scheduled", "--nick", "bob", broker=broker).err
    other = zchat("scheduled", "--nick", "bob", "--remove", "1", broker=broker)
    assert (other.code, "bad_target" in other.err) == (1, True)
    assert zchat("scheduled", "--nick", "alice", "--remove", "1", broker=broker).code == 0
    assert [line[0] for line in zchat("scheduled", "--nick", "alice", broker=broker).out.splitlines()] == ["2"]
    assert said(zchat, broker) == []


@pytest.mark.parametrize(("when", "why"), [("soon", "is no time. Write it as 10m"), ("2020-01-01", "is over already")])
def test_a_time_that_is_none_or_over_is_wrong_usage(broker: Broker, zchat: RunZchat, when: str, why: str) -> None:
    result = zchat("send", "--at", when, "x", broker=broker)
    assert (result.code, why in result.err) == (2, True)


def test_a_broker_that_is_killed_before_it_is_due_tells_it_once_when_it_is_back(
    broker: Broker, zchat: RunZchat
) -> None:
    """The time moves in the log, where it is kept: nobody waits for it."""
    for text in ("one", "two"):
        assert zchat("send", "--nick", "alice", "--at", "2h", text, broker=broker).code == 0
    broker.kill()
    store = Store(broker.data, "f" * 32, 0)
    due = int((datetime.now(UTC) - timedelta(minutes=1)).timestamp() * 1_000)
    store.connection.execute("UPDATE later SET at = ?", (due,))
    store.close()
    broker.restart()
    wait_for(lambda: said(zchat, broker) == ["one", "two"])
    broker.kill()
    broker.restart()
    assert zchat("scheduled", "--nick", "alice", broker=broker).out == ""
    assert zchat("send", "after", broker=broker).code == 0
    assert said(zchat, broker) == ["one", "two", "after"]
