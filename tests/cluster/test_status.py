"""How a cluster is told to be, from what its nodes and brokers say."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from zchat.broker.cluster import status
from zchat.broker.cluster.interface import Node, Position
from zchat.broker.cluster.status import NodeInfo, Seen
from zchat.broker.core.bus import Heartbeat

HOSTS = {name: f"10.0.0.{k}" for k, name in enumerate("abc", 1)}
NODES = (Node("b", leads=True, here=True), Node("a", leads=False, here=True), Node("c", leads=False, here=True))
POSITION = Position(term="t1", log="l", first=1, last=70, nodes=NODES)
HEARD = tuple(Heartbeat(name, 1, 70, b"\xaa" * 32, 5, "1.0", term="t1") for name in "abc")
WELL = Seen("team", HOSTS, [NodeInfo(name, "2.15.1") for name in "abc"], POSITION, "", HEARD)


def heard(**changes: Heartbeat) -> Sequence[Heartbeat]:
    return [changes.get(each.broker, each) for each in HEARD]


def test_a_cluster_that_is_well_is_shown_without_a_note() -> None:
    made = status.made(WELL)
    assert (made.works, made.notes) == (True, ())
    assert status.lines(made) == [
        "cluster team: works, 70 messages in term t1",
        "",
        "NODE  WHERE     STATE  LAG  VERSION",
        "a     10.0.0.1  keeps  0    2.15.1",
        "b     10.0.0.2  leads  0    2.15.1",
        "c     10.0.0.3  keeps  0    2.15.1",
        "",
        "BROKER  STATE  APPLIED  LAG  HASH      SESSIONS  EPOCH  VERSION",
        "a       well   70       0    aaaaaaaa  5         1      1.0",
        "b       well   70       0    aaaaaaaa  5         1      1.0",
        "c       well   70       0    aaaaaaaa  5         1      1.0",
    ]


def away(*names: str) -> Position:
    return replace(POSITION, nodes=tuple(replace(each, here=each.name not in names) for each in NODES))


@pytest.mark.parametrize(
    ("seen", "works", "told"),
    [
        (replace(WELL, position=away("c"), told=WELL.told[:2]), True, "node c. If one more is lost, the chat stops."),
        (replace(WELL, position=replace(POSITION, sure=False)), False, "Nobody leads the stream"),
        (replace(WELL, position=None, trouble="JetStream is not ready"), False, "JetStream is not ready"),
        (replace(WELL, position=None), False, "There is no stream."),
        (replace(WELL, heard=()), False, "No broker is heard"),
        (replace(WELL, told=[NodeInfo("b", "2.15.1", syncs=False)]), True, "before they are on the disk of node b"),
        (
            replace(WELL, position=replace(POSITION, nodes=(*NODES[:2], replace(NODES[2], lag=9)))),
            True,
            "Not all is stored yet by node c",
        ),
        (replace(WELL, heard=heard(c=replace(HEARD[2], hash=b"\xbb" * 32))), False, "c (bbbbbbbb)"),
        (replace(WELL, heard=heard(c=replace(HEARD[2], term="t0"))), False, "not the one that was applied by broker c"),
        (replace(WELL, heard=heard(c=replace(HEARD[2], applied=71))), False, "applied by broker c"),
        (
            replace(WELL, heard=heard(c=replace(HEARD[2], trouble="nobody leads"))),
            True,
            "Broker c waits (nobody leads)",
        ),
        (replace(WELL, heard=heard(c=replace(HEARD[2], version="1.1"))), True, "versions 1.0 and 1.1"),
        (
            replace(WELL, position=replace(POSITION, nodes=NODES[:2])),
            True,
            "The stream is kept by 2 of 3 nodes: let more of them keep it by `zchat cluster spread`.",
        ),
        (
            Seen("two", {"a": "x", "b": "y"}, [], replace(POSITION, nodes=NODES[:2]), "", HEARD[:2]),
            True,
            "Two nodes cannot survive the loss of either",
        ),
    ],
)
def test_what_is_not_as_it_should_be_is_told(seen: Seen, works: bool, told: str) -> None:
    made = status.made(seen)
    assert made.works is works
    assert told in "\n".join(made.notes)


def test_without_a_leader_those_nodes_are_away_that_do_not_answer() -> None:
    followers = [replace(each, leads=False, here=each.name != "c") for each in NODES]  # as the only one that runs tells
    for nodes in (followers, away("a", "b").nodes):
        seen = replace(WELL, position=replace(POSITION, sure=False, nodes=nodes), told=WELL.told[2:])
        made = status.made(seen)
        assert [(each.state, each.lag) for each in made.nodes] == [("away", None), ("away", None), ("here", None)]
        assert not made.works
        assert "nodes a and b. Start each: `zchat cluster node DIR/NAME`." in "\n".join(made.notes)
        assert {each.state for each in status.made(replace(seen, told=())).nodes} == {"unknown"}


def test_a_node_that_has_not_been_heard_by_a_new_leader_is_away() -> None:
    lost = replace(POSITION, nodes=(*NODES[:2], replace(NODES[2], lag=21)))
    made = status.made(replace(WELL, position=lost, told=WELL.told[:2]))
    assert [each.state for each in made.nodes] == ["keeps", "leads", "away"]


def test_a_broker_that_lags_is_behind_only_when_it_lags_much() -> None:
    far = replace(WELL, position=replace(POSITION, last=5_000))
    assert {each.state for each in status.made(far).brokers} == {"behind"}
    near = replace(WELL, position=replace(POSITION, last=100))
    assert [(each.state, each.lag) for each in status.made(near).brokers] == [("well", 30)] * 3


def test_the_last_heartbeat_of_a_broker_counts_and_all_are_compared() -> None:
    later = [replace(each, applied=80, hash=b"\xcc" * 32) for each in HEARD[:2]]
    seen = replace(WELL, position=replace(POSITION, last=80), heard=[*HEARD, *later])
    assert [each.applied for each in status.made(seen).brokers] == [80, 80, 70]
    odd = replace(HEARD[0], hash=b"\xdd" * 32)  # it has gone on since, and so have the others
    assert status.differing([odd, *HEARD[1:], *later]) == {"a", "b", "c"}


def test_a_node_that_does_not_keep_the_stream_is_spare_and_one_that_does_not_answer_is_away() -> None:
    hosts = HOSTS | {"d": "10.0.0.4", "e": "10.0.0.5"}
    made = status.made(replace(WELL, hosts=hosts, told=[*WELL.told, NodeInfo("d", "2.15.1")]))
    assert [(each.name, each.state) for each in made.nodes][3:] == [("d", "spare"), ("e", "away")]
    assert made.works
