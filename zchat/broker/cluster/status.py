"""How a cluster is, as a table and as sentences: made of what its nodes and brokers told within a moment.

It is judged by who may ask, not by who runs it: a node of which nothing was heard may be there for others. So each
sentence says what was seen, and what that means for those who talk.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from zchat.broker.core.bus import Heartbeat

from .interface import Position

BEHIND = 1_000  # messages that a broker may lag without a word: its heartbeat is up to a second old
COPIES = 3  # nodes that keep the stream, if there are as many
KEEPING = {"leads", "keeps", "behind"}  # the states of a node that stores what comes
FOLLOW = {"well", "behind"}  # the states of a broker that believes the stream that is there
HASH_SHOWN = 8  # hexadecimal digits of a hash: enough to see that two differ


class NodeInfo(Struct, frozen=True):
    """What a node tells of itself."""

    name: str
    version: str = ""
    syncs: bool = True  # each message is on its disk before it counts


class NodeRow(Struct, frozen=True):
    """A node of a cluster. `state` is `leads`, `keeps` (the stream), `behind`, `spare` or `away`.

    While no node leads, it is `here`, `away` or, of nodes that tell us nothing, `unknown`.
    """

    name: str
    host: str
    state: str
    lag: int | None = None  # messages that it has still to store
    version: str = ""


class BrokerRow(Struct, frozen=True):
    """A broker of a cluster. `state` is `well`, `behind`, `stalled`, `lost`, `differs` or `away`."""

    name: str
    state: str
    applied: int | None = None
    lag: int | None = None  # messages of the stream that it has still to apply
    hash: str = ""
    sessions: int | None = None
    epoch: int | None = None
    version: str = ""
    trouble: str = ""  # why nothing is written there now


class Status(Struct, frozen=True):
    """How a cluster is. It `works` if what is said is taken; `notes` are sentences about what is wrong."""

    cluster: str
    works: bool
    term: str = ""
    last: int | None = None
    nodes: Sequence[NodeRow] = ()
    brokers: Sequence[BrokerRow] = ()
    notes: Sequence[str] = ()


class Seen(Struct, frozen=True):
    """What was seen of a cluster: whom to expect, what nodes told, what the stream is, which heartbeats came."""

    cluster: str
    hosts: Mapping[str, str] = {}  # by the name of a machine
    told: Sequence[NodeInfo] = ()
    position: Position | None = None
    trouble: str = ""  # why nothing is known of the stream
    heard: Sequence[Heartbeat] = ()


def made(seen: Seen) -> Status:
    """Return how a cluster is."""
    position = seen.position
    leads = (
        position is not None and position.sure and (not position.nodes or any(each.leads for each in position.nodes))
    )
    nodes, brokers = tuple(_nodes(seen, leads)), tuple(_brokers(seen))
    takes = any(each.state in FOLLOW for each in brokers)
    return Status(
        cluster=seen.cluster,
        works=leads and takes and not any(each.state in {"lost", "differs"} for each in brokers),
        term="" if position is None else position.term,
        last=None if position is None else position.last,
        nodes=nodes,
        brokers=brokers,
        notes=(*_of_stream(seen, leads), *_of_nodes(seen, nodes, leads), *_of_brokers(brokers)),
    )


def lines(status: Status) -> list[str]:
    """Return a status as lines for a terminal."""
    nodes = [("NODE", "WHERE", "STATE", "LAG", "VERSION")]
    nodes += [(each.name, each.host, each.state, _number(each.lag), each.version) for each in status.nodes]
    brokers = [("BROKER", "STATE", "APPLIED", "LAG", "HASH", "SESSIONS", "EPOCH", "VERSION")]
    for each in status.brokers:
        counts = (_number(each.applied), _number(each.lag), each.hash or "-", _number(each.sessions))
        brokers.append((each.name, each.state, *counts, _number(each.epoch), each.version))
    place = "" if status.last is None else f", {status.last} messages in term {status.term[:HASH_SHOWN]}"
    first = f"cluster {status.cluster}: {'works' if status.works else 'DOES NOT WORK'}{place}"
    return [first, "", *_columns(nodes), "", *_columns(brokers), *(["", *status.notes] if status.notes else [])]


def _nodes(seen: Seen, leads: bool) -> Iterable[NodeRow]:
    """Return the nodes. Only a leader knows who keeps how much: without one, it is known only who answers."""
    told = {each.name: each for each in seen.told}
    kept = {each.name: each for each in (seen.position.nodes if seen.position else ())}
    for name in dict.fromkeys([*seen.hosts, *kept, *told]):
        one, version = kept.get(name), told[name].version if name in told else ""
        if one is None:
            state = "spare" if name in told and leads and kept else "here" if name in told else "away"
        elif not leads:
            one, state = None, "here" if name in told else "away" if told else "unknown"
        else:
            silent = bool(told) and name not in told
            gone = not one.here or (silent and bool(one.lag))
            state = "leads" if one.leads else "away" if gone else "behind" if one.lag else "keeps"
        yield NodeRow(name, seen.hosts.get(name, ""), state, None if one is None else one.lag, version)


def _brokers(seen: Seen) -> Iterable[BrokerRow]:
    latest = {each.broker: each for each in seen.heard}
    odd = differing(seen.heard)
    for name in dict.fromkeys([*seen.hosts, *sorted(latest)]):
        if name not in latest:
            yield BrokerRow(name, "away")
            continue
        one = latest[name]
        lag = None if seen.position is None else max(0, seen.position.last - one.applied)
        state = "differs" if name in odd else _state(seen, one, lag or 0)
        yield BrokerRow(
            name,
            state,
            one.applied,
            lag,
            one.hash.hex()[:HASH_SHOWN],
            one.sessions,
            one.epoch,
            one.version,
            one.trouble,
        )


def _state(seen: Seen, one: Heartbeat, lag: int) -> str:
    """Return how a broker is. The stream was asked about after its heartbeat, so it goes as far if it is sound."""
    position = seen.position
    if not seen.trouble and one.term and position is None:
        return "lost"
    if position is not None and position.sure and (one.term != position.term or one.applied > position.last):
        return "lost"
    return "stalled" if one.trouble else "behind" if lag > BEHIND else "well"


def differing(heard: Iterable[Heartbeat]) -> set[str]:
    """Return the brokers that had another hash at a place than others had."""
    places: dict[tuple[str, int], dict[bytes, set[str]]] = {}
    for each in heard:
        if each.hash:
            places.setdefault((each.term, each.applied), {}).setdefault(each.hash, set()).add(each.broker)
    return {name for hashes in places.values() if len(hashes) > 1 for names in hashes.values() for name in names}


def _of_stream(seen: Seen, leads: bool) -> Iterable[str]:
    if seen.trouble:
        yield f"Nobody leads the stream now ({seen.trouble}): what is said waits until most of its nodes run and agree."
    elif seen.position is None:
        yield "There is no stream. The first broker makes one; if there was one, run `zchat cluster restore`."
    elif not leads:
        yield "Nobody leads the stream: what is said waits until most of its nodes run."


def _of_nodes(seen: Seen, nodes: Sequence[NodeRow], leads: bool) -> Iterable[str]:
    if away := [each.name for each in nodes if each.state == "away"]:
        here = sum(each.state in KEEPING for each in nodes)
        most = here + sum(each.state == "away" and each.lag is not None for each in nodes)
        then = " If one more is lost, the chat stops." if leads and here - 1 <= most // 2 else ""
        start = f"it: `zchat cluster node DIR/{away[0]}`" if len(away) == 1 else "each: `zchat cluster node DIR/NAME`"
        yield f"Nothing is heard of {and_(away, 'node')}.{then} Start {start}."
    if behind := [each.name for each in nodes if each.state == "behind"]:
        yield f"Not all is stored yet by {and_(behind, 'node')}: wait for that before you stop another one."
    kept = sum(each.lag is not None for each in nodes)
    if 0 < kept < min(COPIES, len(nodes)) and any(each.state == "spare" for each in nodes):
        yield f"The stream is kept by {kept} of {len(nodes)} nodes: let more of them keep it by `zchat cluster spread`."
    if len(nodes) == 2:
        yield "Two nodes cannot survive the loss of either: add a third, which may be a small machine."
    if lazy := [each.name for each in seen.told if not each.syncs]:
        yield f"Messages count before they are on the disk of {and_(lazy, 'node')}: set sync_interval: always there."


def _of_brokers(brokers: Sequence[BrokerRow]) -> Iterable[str]:
    if all(each.state == "away" for each in brokers):
        yield "No broker is heard: start one with `zchat broker --cluster DIR/NAME`."
    if lost := [each.name for each in brokers if each.state == "lost"]:
        follow = any(each.state in FOLLOW for each in brokers)
        then = aside(lost) if follow else "Run `zchat cluster restore`."
        yield f"The stream is not the one that was applied by {and_(lost, 'broker')}. {then}"
    if odd := [f"{each.name} ({each.hash})" for each in brokers if each.state == "differs"]:
        yield (
            f"Not the same are the logs of {and_(odd, 'broker')}. Stop the one whose hash the others do not have, move "
            "its data aside, and start it again: it takes a copy."
        )
    for each in brokers:
        if each.state == "stalled":
            yield f"Broker {each.name} waits ({each.trouble}): what is said there is kept by who said it."
    versions = sorted({each.version for each in brokers if each.version})
    if len(versions) > 1:
        yield f"Brokers of versions {' and '.join(versions)} run: upgrade the others, one after another."


def aside(lost: Sequence[str]) -> str:
    """Return what to do with brokers whose logs are no part of a stream that others follow."""
    data = f"the data of {and_(lost, 'broker')}"
    return f"If that lasts for a minute, move {data} aside, and start again there: a copy is taken."


def and_(names: Sequence[str], what: str) -> str:
    if len(names) == 1:
        return f"{what} {names[0]}"
    return f"{what}s {', '.join(names[:-1])} and {names[-1]}"


def _number(found: int | None) -> str:
    return "-" if found is None else str(found)


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
