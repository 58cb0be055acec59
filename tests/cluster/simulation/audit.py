"""What must be true when all is healed."""

import json
from typing import TYPE_CHECKING, Any

from tests.cluster.simulation.broker import MEMBERS
from tests.cluster.simulation.people import INSIDE, LATER, ROOMS, Person

if TYPE_CHECKING:
    from tests.cluster.simulation.broker import Node
    from tests.cluster.simulation.world import World

Json = dict[str, Any]


def audit(world: "World") -> None:
    here = [node for node in world.nodes if node.up]
    dumps = ["\n".join(node.store.connection.iterdump()) for node in here]
    assert all(dump == dumps[0] for dump in dumps), "all logs are the same to the byte"
    log = here[0].lines()
    texts = [event["text"] for event in log if "text" in event]
    assert len(set(texts)) == len(texts), "nothing is there twice"
    assert [event["seq"] for event in log] == list(range(1, len(log) + 1))
    assert [event["time"] for event in log] == sorted(event["time"] for event in log), "time never goes back"
    for person in world.people:
        if isinstance(person, Person):
            _said(person, log)
            _said_later(person, here[0], log)
            _heard_inside(person, log)
        else:
            person.audit(log)
    for node in here:
        _published(node, log)


def _said(person: Person, log: list[Json]) -> None:
    """Look whether all that somebody said is in the log: once, in order, and at the place that was acknowledged."""
    places = {event["text"]: event["seq"] for event in log if "text" in event}
    mine = [text for text in places if text.startswith(f"{person.number}:")]
    said = [line["text"] for n, line in person.said.items() if "text" in line and n not in person.refused]
    mine = [text for text in mine if person.refused.get(int(text.split(":")[1]), "")[: len(LATER)] != LATER]
    if person.dead:
        sure = [line["text"] for n, line in person.said.items() if "text" in line and person.acked.get(n)]
        mine = [text for text in mine if text in sure]
        said = [text for text in sure if text in said]
    assert mine == said, "each once, in its sender's order"
    for n, seq in person.acked.items():
        if n not in person.refused and "text" in person.said[n]:
            assert places[person.said[n]["text"]] == seq, "acknowledged with its place"


def _said_later(person: Person, node: "Node", log: list[Json]) -> None:
    """Look whether what somebody said for later was said when it was due, or waits still; if it might be said then."""
    told = {event["text"]: event["time"] for event in log if event["type"] == "message"}
    waiting = {row.id: row.at / 1_000 for row in node.log.scheduled(person.from_)}
    taken_back = {line["id"] for line in person.said.values() if line["type"] == "unschedule"}
    hindered = {event.get("from") for event in log if event.get("change") in ("muted", "banned")}
    for n, how in person.refused.items():
        if not how.startswith(LATER):
            continue
        line, id_ = person.said[n], int(how.removeprefix(LATER))
        if id_ in waiting:
            assert line["text"] not in told, "what is told waits no more"
            assert waiting[id_] > node.log.time, "what is due is told"
        elif line["text"] in told:
            assert told[line["text"]] >= line["at"], "nothing is told too early"
        else:
            assert id_ in taken_back or person.from_ in hindered or person.number >= MEMBERS, f"{line} was lost"


def _heard_inside(person: Person, log: list[Json]) -> None:
    """Look whether somebody heard of the private room only what was said while it was inside."""
    for from_, seq in person.inside:
        inside: set[str] = set()
        for event in log[: seq - 1]:
            if event.get("room") == INSIDE and event["type"] == "access":
                inside |= {
                    event[key] for key in ("from", "by") if event["change"] in ("mode", "admitted") and key in event
                }
                inside -= {event["from"]} if event["change"] == "expelled" else set()
        assert from_ in inside, f"{from_} has heard {seq}, which was said in a private room"


def _published(node: "Node", log: list[Json]) -> None:
    for room in ROOMS:
        seen = [json.loads(line) for line in node.published[f"room/{room}/"]]
        expected = [
            event
            for event in log
            if event.get("room") == room and event["type"] in ("message", "topic") and event["seq"] > node.began_at
        ]
        assert seen == expected, f"{node.name} published something else"
    assert INSIDE not in "".join(node.published)
    for session in node.hub.roster.all():
        held = node.log.cluster.claims.get(session.producer.id)
        assert held is not None, "who is here is claimed"
        assert held.broker == node.name, "who is here is claimed here"
