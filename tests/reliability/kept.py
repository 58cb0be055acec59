"""What must be true of a world that keeps all this (`keeping.py`), by the log's lines and the specification's words.

It knows nothing of the code that keeps marks, says things when they are due, retires, or folds pictures.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.reliability.mending import folded, model
from tests.reliability.private import INSIDE
from tests.reliability.world import PRIVATE
from zchat.broker.core.effects import Query
from zchat.protocol import messages as m

if TYPE_CHECKING:
    from tests.reliability.keeping import Keeper, Keepers
    from tests.reliability.library import Upload

Json = dict[str, Any]
KINDS = {"message", "edit", "delete", "reaction", "pin", "tombstone"}
MENDING = {"bad_target", "forbidden"}  # of what somebody else deleted meanwhile, or said, or what retired
REFUSALS: dict[type, set[str]] = {
    m.Say: {"bad_reply", "bad_file"},
    m.Edit: MENDING,
    m.Delete: MENDING,
    m.React: MENDING,
    m.Pin: MENDING,
    m.MarkRead: set(),
    m.Unschedule: {"bad_target"},
}
ROOMS = ("general", INSIDE)
DAYS = 2  # after which no upload is kept that no message carries


def is_theirs(event: Json) -> bool:
    """Return whether an event is of the people of the story, and not of who came before them."""
    return event["type"] in KINDS and event.get("room") in (*ROOMS, None)


def reads(name: str, event: Json, ends: dict[str, str]) -> bool:
    """Return whether a member may read an event: all are in all rooms here."""
    return "room" in event or ends[name] in (event["from"], event["with"])


def place(event: Json, name: str, ends: dict[str, str]) -> str:
    """Return the room of an event, or the name of the conversation for one who is in it."""
    if "room" in event:
        return str(event["room"])
    other = event["with"] if event["from"] == ends[name] else event["from"]
    return "@" + next(nick for nick, from_ in ends.items() if from_ == other)


def chain(event: Json) -> object:
    """Return what has a chain of its own: a room, or the two ends of a conversation."""
    return event["room"] if "room" in event else frozenset((event["from"], event["with"]))


def time(event: Json) -> float:
    return datetime.fromisoformat(event["time"]).timestamp()


def may_have(name: str, one: "Upload", events: Iterable[Json], ends: dict[str, str]) -> bool:
    """Return whether a member may have a file: it is its own, or in a message that it may read, or might once."""
    return one.owner == name or any(reads(name, event, ends) for event in events if one.file in files(event))


def files(event: Json) -> list[str]:
    return [one["file"] for one in event.get("files", ())]


# -- retention


def audit_step(before: dict[int, Json], after: dict[int, Json], limit: float) -> None:
    """One step took only what is old; what it left is as it was, but for the edits of what is gone."""
    gone = before.keys() - after.keys()
    assert all(time(before[seq]) < limit for seq in gone), "retention took something younger"
    assert gone, "a step takes something"
    for seq, event in after.items():
        if event != before[seq]:
            was = before[seq]
            assert (event["type"], was["type"]) == ("tombstone", "edit"), f"{was} became {event}"
            assert was["target"] in gone, "an edit lost its text, and its message is there"


def audit_rest(log: list[Json], room: str | None, limit: float) -> None:
    """All that was due is gone."""
    if room is not None:
        assert not [event for event in log if event.get("room") == room and time(event) < limit], "something is left"


# -- the end


def audit(world: "Keepers") -> None:
    log = world._log()
    _chains(world)
    _said_once(world)
    _done_by_right(world)
    for client in world.keepers:
        _shown(world, client, log)
        assert client.session.read_marks.all == {
            where: seq for (name, where), seq in world.read.items() if name == client.name
        }, f"client {client.number} of {client.name} has read something else"
    _files(world)
    _forgotten(world, log)


def _chains(world: "Keepers") -> None:
    """Nothing that ever was in the log has a hole before it, and each text was said once."""
    heads: dict[object, int] = {}
    for _, event in sorted(world.archive.items()):
        assert event["prev"] == heads.get(chain(event), 0), f"{event} follows something else"
        heads[chain(event)] = event["seq"]
    seqs = sorted(world.archive)
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs))) if seqs else True, "no number is left out"


def _said_once(world: "Keepers") -> None:
    """What was said is in the log once, or was refused; what was for later, then, or never if it was taken back."""
    refused = [(client.name, command) for client in world.keepers for command in client.refused_commands]
    not_said = {command.text for _, command in refused if isinstance(command, m.Say)}
    not_back = {(name, command.id) for name, command in refused if isinstance(command, m.Unschedule)}
    later = {id_: world.scheduled[id_] for id_ in world.taken_back}
    never = {text for id_, text in later.items() if (world.posted[text][0], id_) not in not_back}
    told: dict[str, Json] = {}
    for event in world.archive.values():
        if event["type"] == "message":
            assert event["text"] not in told, f"{event['text']} is there twice"
            told[event["text"]] = event
    assert not told.keys() & (not_said | never), "what was refused or taken back was said"
    assert told.keys() | not_said | never >= world.posted.keys(), "something was lost"
    for text, event in told.items():
        name, say = world.posted[text]
        assert event["from"] == world.ends[name]
        assert files(event) == [one.file for one in say.files]
        assert say.at is None or time(event) >= say.at.timestamp(), "it was said too early"


def _done_by_right(world: "Keepers") -> None:
    """Whoever did something to a message might; and an answer is where the message is that it answers."""
    for event in world.archive.values():
        for about in ("target", "reply_to", "thread"):
            if about in event:
                assert chain(world.archive[event[about]]) == chain(event), f"{event} is about something elsewhere"
        if event["type"] in ("edit", "delete"):
            own = world.archive[event["target"]]["from"] == event["from"]
            moderates = event["type"] == "delete" and "room" in event and event["from"] == world.ends["boss"]
            assert own or moderates, f"{event} was done by another's hand"


def _shown(world: "Keepers", client: "Keeper", log: list[Json]) -> None:
    """Everybody was shown all that there is, once and in order, and has the model's picture of it."""
    for where in (*ROOMS, PRIVATE):
        shown, after = client.shown[where], 0 if where != PRIVATE else client.news_from or 0
        here = [event for event in log if event.get("room", PRIVATE) == where and reads(client.name, event, world.ends)]
        here = [event for event in here if event["seq"] > after]
        seqs = [event["seq"] for event in shown]
        assert all(reads(client.name, event, world.ends) for event in shown), "something was shown to somebody else"
        assert seqs == sorted(set(seqs)), f"client {client.number} saw something twice in {where}"
        assert {event["seq"] for event in here} <= set(seqs) <= world.archive.keys()
        expected, seen = model(here), folded([event for event in shown if event["seq"] > after])
        kept = {seq: seen.get(seq) for seq in expected}
        assert kept == expected, f"client {client.number} sees another {where}"


def _files(world: "Keepers") -> None:
    """A file is there, whole, if a message carries it; if none does, nobody has it."""
    carried = {file for event in world._log() for file in files(event)}
    for event in world.archive.values():
        for one in world.uploads:
            if one.file in files(event):
                assert not one.damaged, "a message carries a file that is another one"
                name = next(nick for nick, from_ in world.ends.items() if from_ == event["from"])
                before = [each for each in world.archive.values() if each["seq"] < event["seq"]]
                assert may_have(name, one, before, world.ends), f"{name} has put a file of others into a message"
    for client in world.keepers:
        readable = {file for event in world._log() if reads(client.name, event, world.ends) for file in files(event)}
        for one in world.uploads:
            assert world.had[client.number, one.file] == (one.file in readable), (
                "a file is for who may read its message"
            )
    there = dict(world.library.folder.all())
    assert there.keys() == carried, "a file is missing, or is there and nobody has it"
    for file in there:
        assert hashlib.sha256(world.library.folder.place(file).read_bytes()).hexdigest() == file
    assert not list(world.library.folder.unfinished())


def _forgotten(world: "Keepers", log: list[Json]) -> None:
    """The search finds what counts, and nothing else; and what does not count any more is in no byte of the log."""
    while world.index.fill() or world.index.tidy():
        pass
    run = world.broker.store.connection.execute
    run("CREATE VIRTUAL TABLE temp.instances USING fts5vocab('search', 'words', 'instance')")
    indexed = {seq for (seq,) in run("SELECT DISTINCT doc FROM temp.instances")}
    run("DELETE FROM scrub")  # as the broker does once the index has forgotten it
    newest = {event["seq"]: event for event in log if event["type"] == "message"}
    newest |= {event["target"]: event for event in log if event["type"] == "edit" and event["target"] in newest}
    ours = {event["seq"] for event in newest.values()}
    assert {seq for seq in indexed if seq in world.archive} == ours, "the index has something else"
    for name, from_ in world.ends.items():
        expected = {event["seq"] for event in newest.values() if reads(name, event, world.ends)}
        found: set[int] = set()
        for word in ("text", "edit", "answer", "later", "file"):
            query = Query(peer=b"", ref=None, text=word, asker=from_, visible=frozenset({INSIDE}), limit=10_000)
            found |= {int(event["seq"]) for event in _events(world.index.search(query).events)}
        assert found == expected, f"{name} finds something else"
    content = world.broker.store.connection.serialize()
    left = {event["seq"] for event in log}  # of what retired, a rest may stay where SQLite has moved a row: security.md
    retired = {event["text"] for seq, event in world.archive.items() if "text" in event and seq not in left}
    for text in world.texts - retired - {event["text"] for event in log if "text" in event}:
        assert b'"text":"%s"' % text.encode() not in content, f"{text} is in a byte of the log"


def _events(lines: bytes) -> list[Json]:
    found: list[Json] = json.loads(b"[" + lines + b"]")
    return found
