"""What must be true when all is healed."""

import json
from typing import TYPE_CHECKING, Any

from tests.cluster.simulation.broker import MEMBERS
from tests.cluster.simulation.people import INSIDE, LATER, ROOMS, Person, no_more

if TYPE_CHECKING:
    from tests.cluster.simulation.broker import Node
    from tests.cluster.simulation.world import World

Json = dict[str, Any]
SCRUB = 'INSERT INTO "scrub"'
DONE = {"message", "topic", "edit", "delete", "reaction", "pin"}


def audit(world: "World") -> None:
    here = [node for node in world.nodes if node.up]
    _same(here)
    log = world.full_log()
    assert {event["seq"] for event in log} - {event["seq"] for event in here[0].lines()} == world.retired
    gone = no_more(log)
    texts = [event["text"] for event in log if "text" in event and event["seq"] not in gone]
    assert len(set(texts)) == len(texts), "nothing is there twice"
    assert [event["seq"] for event in log] == list(range(1, len(log) + 1))
    assert [event["time"] for event in log] == sorted(event["time"] for event in log), "time never goes back"
    for person in world.people:
        if isinstance(person, Person):
            _said(person, log)
            _said_later(person, here[0], log)
            _heard_inside(person, log)
        else:
            person.audit(log, here[0].lines())
    for node in here:
        _published(node, log)


def _same(nodes: list["Node"]) -> None:
    """Look whether all logs are the same, in all tables.

    What the index has to forget waits in `scrub`, of which a copied log has only what came after the copy.
    """
    dumps = [list(node.store.connection.iterdump()) for node in nodes]
    tables = [[row for row in dump if not row.startswith(SCRUB)] for dump in dumps]
    assert all(each == tables[0] for each in tables), "all logs are the same to the byte"
    waiting = [[row for row in dump if row.startswith(SCRUB)] for dump in dumps]
    longest = max(waiting, key=len)
    assert all(each == longest[len(longest) - len(each) :] for each in waiting), "all forget the same"


def _said(person: Person, log: list[Json]) -> None:
    """Look whether all that somebody said is in the log: once, in order, and at the place that was acknowledged."""
    gone = no_more(log)
    places = {event["text"]: event["seq"] for event in log if "text" in event and event["seq"] not in gone}
    mine = [text for text in places if text.startswith(f"{person.number}:")]
    said = [line["text"] for n, line in person.said.items() if "text" in line and n not in person.refused]
    left = [line["text"] for n, line in person.said.items() if "text" in line and person.acked.get(n) not in gone]
    mine = [text for text in mine if person.refused.get(int(text.split(":")[1]), "")[: len(LATER)] != LATER]
    if person.dead:
        sure = [line["text"] for n, line in person.said.items() if "text" in line and person.acked.get(n)]
        mine = [text for text in mine if text in sure]
        said = [text for text in sure if text in said]
    said = [text for text in said if text in left]
    assert mine == said, "each once, in its sender's order"
    for n, seq in person.acked.items():
        if n not in person.refused and "text" in person.said[n] and seq not in gone:
            assert places[person.said[n]["text"]] == seq, "acknowledged with its place"


def _said_later(person: Person, node: "Node", log: list[Json]) -> None:
    """Look whether what somebody said for later was said when it was due, or waits still; if it might be said then."""
    gone = no_more(log)
    told = {event["text"]: event["time"] for event in log if event["type"] == "message" and event["seq"] not in gone}
    waiting = {row.id: row.at / 1_000 for row in node.log.scheduled(person.from_)}
    taken_back = {line["id"] for line in person.said.values() if line["type"] == "unschedule"}
    hindered = {event.get("from") for event in log if event.get("change") in ("muted", "banned")}
    hindered |= {event["from"] for event in log if event["seq"] in gone}
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
        gone = no_more(log)
        seen = [json.loads(line) for line in node.published[f"room/{room}/"]]
        seen = [event for event in seen if event["seq"] not in gone]
        expected = [
            event
            for event in log
            if event.get("room") == room
            and event["type"] in DONE
            and event["seq"] > node.began_at
            and event["seq"] not in gone
        ]
        assert seen == expected, f"{node.name} published something else"
    assert INSIDE not in "".join(node.published)
    for session in node.hub.roster.all():
        held = node.log.cluster.claims.get(session.producer.id)
        assert held is not None, "who is here is claimed"
        assert held.broker == node.name, "who is here is claimed here"
