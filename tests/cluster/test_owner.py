"""A broker of a cluster invites its owner: nobody is behind that, so it needs no claim and no nick."""

from datetime import UTC, datetime

from zchat.broker.core.cluster import Cluster
from zchat.broker.core.entries import Change
from zchat.broker.core.members import Members
from zchat.protocol import messages as m


def test_what_a_broker_does_by_itself_is_applied() -> None:
    invite = m.Invite(n=1, hash="00", role="owner", expires=datetime(2030, 1, 1, tzinfo=UTC))
    assert Cluster().settle("a", Change("", "", [invite]), 1, Members(), 0.0, lambda _: 0) is True
