"""The vectors that other implementations run, run against this one."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.broker.dialogue import Broker, Peer
from zchat.broker.core.entrance import Terms
from zchat.broker.core.epochs import Epochs
from zchat.client.core.room import Room
from zchat.errors import BadLinkError
from zchat.protocol import links, names, wire
from zchat.protocol import messages as m

VECTORS = Path(names.__file__).parent / "vectors"

Case = dict[str, Any]


def cases(file: str, part: str = "cases") -> pytest.MarkDecorator:
    found = json.loads((VECTORS / f"{file}.json").read_text())[part]
    return pytest.mark.parametrize("case", found, ids=[case["name"] for case in found])


def matches(expected: Any, found: Any) -> bool:
    """Say whether `found` has all that is expected of it; an object may have more fields."""
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(
            name in found and matches(value, found[name]) for name, value in expected.items()
        )
    if isinstance(expected, list):
        return len(expected) == len(found) and all(map(matches, expected, found))
    return bool(expected == found and type(expected) is type(found))


@cases("names")
def test_names(case: Case) -> None:
    prepare = names.nick if "nick" in case else names.room
    try:
        found: str | None = prepare(case.get("nick", case.get("room")))
    except names.BadNameError:
        found = None
    assert found == case["out"]


@cases("same_nicks")
def test_same_nicks(case: Case) -> None:
    one, other = (names.nick_key(names.nick(each)) for each in case["nicks"])
    assert (one == other) is case["same"]


@cases("commands")
def test_commands(case: Case) -> None:
    (found,) = wire.commands(case["line"].encode())
    fields = json.loads(wire.encode(found))
    if "command" in case:
        assert fields == case["command"]
    else:
        assert isinstance(found, m.Error)
        assert matches(case["error"], fields)


@cases("chain")
def test_chain(case: Case) -> None:
    room = Room("dev", after=case["cursor"])
    room.joined = True
    lines = [json.dumps(event).encode() for event in case["events"]]
    events = wire.events(b"\n".join(lines))
    shown, _ = room.receive(events, lines)
    assert [event.seq for event in shown] == case["shown"]
    assert (room.cursor if room.waiting else None) == case["asks"]


@cases("epochs")
def test_epochs(case: Case) -> None:
    log, hello = ([(id_, first) for id_, first in case[name]] for name in ("log", "hello"))
    assert Epochs(log).shared(hello) == case["shared"]


@cases("links")
def test_links(case: Case) -> None:
    if "error" in case:
        with pytest.raises(BadLinkError) as refused:
            links.parse(case["link"])
        assert refused.value.kind == case["error"]
        return
    found = links.parse(case["link"])
    assert [*found.endpoints] == case["endpoints"]
    assert (found.key.hex(), found.code, found.text) == (case["key"], case["code"], case["text"])
    assert links.parse(found.text) == found


@cases("brokers")
def test_brokers(case: Case) -> None:
    key = bytes.fromhex(case["key"]) if "key" in case else None
    assert [*links.brokers(case["brokers"], case["endpoint"], key)] == case["endpoints"]


@cases("links", "keys")
def test_keys(case: Case) -> None:
    key, z85 = bytes.fromhex(case["bytes"]), case["z85"].encode()
    assert (links.encode_key(key), links.key_text(key), links.z85(key)) == (case["link"], case["credential"], z85)
    assert links.decode_key(case["link"]) == links.key_bytes(case["credential"]) == links.from_z85(z85) == key


@cases("links", "codes")
def test_codes(case: Case) -> None:
    assert links.encode_code(bytes.fromhex(case["bytes"])) == case["code"]
    assert links.invitation_hash(case["code"]) == case["hash"]


def known(value: Any, froms: dict[str, str]) -> Any:
    """Return what a vector says with the `from` of each peer in the place of its name, `$ann`."""
    if isinstance(value, dict):
        return {name: known(each, froms) for name, each in value.items()}
    if isinstance(value, list):
        return [known(each, froms) for each in value]
    return froms.get(value, value) if isinstance(value, str) else value


class Meeting:
    """The peers of a case, each with its connection to one broker; `froms` has the `from` of each, by `$name`."""

    def __init__(self, credentials: dict[str, str]) -> None:
        owners, logins = frozenset({"uid:1000@host"}), {"uid:1000@host": "olga", "uid:1001@host": "otto"}
        self.broker = Broker(terms=Terms(owners=owners, login=logins.__getitem__))
        self.peers = {name: self.broker.peer() for name in credentials}
        self.froms: dict[str, str] = {}
        for name, credential in credentials.items():
            self.broker.credentials[self.peers[name].id] = credential

    def step(self, step: Case) -> None:
        name = step["peer"]
        self.broker.published.clear()
        self.broker.cut.clear()
        sent = known(step["send"], self.froms)
        heard = {name: self.peers[name].send(*(json.dumps(line).encode() for line in sent))}
        heard |= {other: lines for other, peer in self.peers.items() if (lines := peer.read())}
        for line in heard[name]:
            if line["type"] == "welcome":
                self.froms.setdefault(f"${name}", line["from"])
        wanted = {name: step["replies"]} | step.get("others", {})
        assert matches(known(wanted, self.froms), heard), json.dumps([step, heard])
        assert heard.keys() == wanted.keys(), (step, heard)
        events = [event for _, event in self.broker.published if "seq" in event]
        assert matches(known(step["publishes"], self.froms), events), (step, events)
        assert self.ended() == set(step.get("ends", ())), step

    def ended(self) -> set[str]:
        """Return the peers whose connections were ended: by themselves, or with all of their credential."""
        proven = self.broker.credentials
        return {name for name, peer in self.peers.items() if {peer.id, proven[peer.id]} & set(self.broker.cut)}


@cases("members")
def test_members(case: Case) -> None:
    meeting = Meeting(case["credentials"])
    for step in case["steps"]:
        meeting.step(step)
    meeting.broker.store.close()


@cases("dialogues")
def test_dialogues(case: Case) -> None:
    broker = Broker()
    peers: dict[str, Peer] = {}
    for step in case["steps"]:
        peer = peers.get(step["peer"]) or peers.setdefault(step["peer"], broker.peer())
        broker.published.clear()
        replies = peer.send(*(json.dumps(line).encode() for line in step["send"]))
        assert matches(step["replies"], replies), (step, replies)
        published = [event for topic, event in broker.published if topic.startswith("room/") and "seq" in event]
        published.sort(key=lambda event: event["seq"])
        assert matches(step["publishes"], published), (step, published)
    broker.store.close()
