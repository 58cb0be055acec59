"""What strangers, fools and attackers send: it costs them an error or their connection, and nobody else anything.

After each of these somebody else must be served at once, by the same process. Sizes and counts are those a single
machine can send in a second or two; the point is that the broker neither stops, nor slows, nor grows.
"""

import json
import os
from itertools import count
from typing import Any

import pytest
import zmq

from tests.conftest import Broker
from tests.integration.raw import Net, Peer, compact
from tests.integration.zmtp import RawPeer, frame

MIB = 1024 * 1024

LINES: dict[str, bytes] = {
    "no JSON": b"hello",
    "half an object": b'{"type":"ping"',
    "too much": b'{"type":"ping"}}',
    "two objects": b'{"type":"ping"} {"type":"ping"}',
    "array": b"[]",
    "number": b"7",
    "string": b'"ping"',
    "null": b"null",
    "true": b"true",
    "no type": b"{}",
    "type null": b'{"type":null}',
    "type number": b'{"type":7}',
    "type array": b'{"type":["ping"]}',
    "type object": b'{"type":{}}',
    "type empty": b'{"type":""}',
    "type in another case": b'{"type":"PING"}',
    "a reply": b'{"type":"welcome"}',
    "an event": b'{"type":"message","seq":1,"prev":0,"room":"x","text":"x"}',
    "single quotes": b"{'type':'ping'}",
    "NaN": b'{"type":"history","room":"x","after":NaN}',
    "infinite": b'{"type":"history","room":"x","after":Infinity}',
    "1e400": b'{"type":"history","room":"x","after":1e400}',
    "many digits": b'{"type":"history","room":"x","after":' + b"9" * 10_000 + b"}",
    "not UTF-8": b"\xff\xfe{}",
    "not UTF-8 in a string": b'{"type":"join","room":"\xff"}',
    "overlong UTF-8": b'{"type":"join","room":"\xc0\xaf"}',
    "surrogate in UTF-8": b'{"type":"join","room":"\xed\xa0\x80"}',
    "escaped surrogate": b'{"type":"join","room":"\\ud800"}',
    "bad escape": b'{"type":"join","room":"\\x41"}',
    "raw control": b'{"type":"join","room":"a\x01b"}',
    "NUL": b"\x00",
    "UTF-16": '{"type":"ping"}'.encode("utf-16"),
    "binary": bytes(range(128, 256)),
    "deep arrays": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "deep and closed": b"[" * 100_000 + b"]" * 100_000,
    "deep value": b'{"type":"join","room":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
def test_bad_line_costs_its_sender_one_error_and_the_others_of_the_frame_count(
    net: Net, room: str, bob: Peer, line: bytes
) -> None:
    bob.join(room)
    mallory = net.session("mallory")
    good = [{"type": "say", "n": n, "room": room, "text": str(n), "ref": n} for n in (1, 2)]
    mallory.send(good[0], line, good[1])
    assert [answer["type"] for answer in mallory.settled()] == ["ack", "error", "ack"]
    mallory.send(line)
    (answer,) = mallory.settled()
    assert answer["code"] in {"bad_json", "bad_command", "bad_room"}
    assert len(answer.raw) < 2000, "an error does not send back what it complains about"


def test_bad_line_before_hello_is_answered_too(net: Net, bob: Peer) -> None:
    stranger = net.peer()
    for line in LINES.values():
        stranger.send(line)
        assert stranger.take()["code"] != "internal"


def test_value_nested_deeply_in_an_unknown_field_does_no_harm(net: Net, bob: Peer) -> None:
    mallory = net.session("mallory")
    for deep in (b"[" * 400_000 + b"]" * 400_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000):
        mallory.send(b'{"type":"ping","ref":1,"x":' + deep + b"}")
        assert mallory.take()["type"] in {"pong", "error"}


# -- a wrong type in each field of each command ----------------------------------------------------------------

NOT_TEXT: tuple[Any, ...] = (7, 1.5, True, [], ["x"], {}, {"x": 1})
NOT_WHOLE: tuple[Any, ...] = ("1", 1.5, -1, 2**53, 2**64, True, [], [1], {}, "")
NOT_FLAG: tuple[Any, ...] = (0, 1, "true", "", [], {})
NOT_REF: tuple[Any, ...] = ([], ["x"], {}, True, 1.5)

COMMANDS: dict[str, tuple[dict[str, Any], dict[str, tuple[Any, ...]]]] = {
    "ping": ({}, {"feed": NOT_FLAG}),
    "join": ({"room": "x"}, {"room": (*NOT_TEXT, None), "after": NOT_WHOLE, "backlog": NOT_WHOLE, "quiet": NOT_FLAG}),
    "part": ({"room": "x"}, {"room": (*NOT_TEXT, None), "reason": NOT_TEXT}),
    "say": (
        {"n": 1, "room": "x", "text": "x"},
        {
            **{"n": (*NOT_WHOLE, None, 0), "room": NOT_TEXT, "to": NOT_TEXT, "text": (*NOT_TEXT, None)},
            **{"kind": (*NOT_TEXT, "", "shout", "Message"), "reply_to": NOT_WHOLE, "once": NOT_TEXT},
        },
    ),
    "topic": (
        {"n": 1, "room": "x", "text": "x"},
        {"n": (*NOT_WHOLE, None, 0), "room": (*NOT_TEXT, None), "text": (*NOT_TEXT, None)},
    ),
    "nick": ({"nick": "mallory"}, {"nick": (*NOT_TEXT, None)}),
    "away": ({"text": "x"}, {"text": NOT_TEXT}),
    "typing": ({"room": "x"}, {"room": NOT_TEXT, "to": NOT_TEXT}),
    "who": ({"room": "x"}, {"room": NOT_TEXT, "nick": NOT_TEXT}),
    "rooms": ({}, {}),
    "history": (
        {"room": "x", "after": 0},
        {
            **{"room": NOT_TEXT, "to": NOT_TEXT, "after": NOT_WHOLE, "before": NOT_WHOLE, "limit": (*NOT_WHOLE, 0)},
            "since": (7, True, [], {}, "", "yesterday", "2026-13-45T00:00:00Z", "9" * 1000),
        },
    ),
    "search": (
        {"text": "x"},
        {
            **{"text": (*NOT_TEXT, None), "room": NOT_TEXT, "nick": NOT_TEXT},
            **{"before": NOT_WHOLE, "limit": (*NOT_WHOLE, 0)},
        },
    ),
    "status": ({}, {}),
    "bye": ({}, {"reason": NOT_TEXT}),
}
HELLO: dict[str, tuple[Any, ...]] = {
    "protocol": ("1", 1.5, True, [], {}, None, -1, 2**70),
    "nick": NOT_TEXT,
    "client": (*NOT_TEXT, "", "xyz", "A" * 32, "g" * 32, "0" * 31, "0" * 33, "0" * 31 + "\n"),
    "resume": NOT_TEXT,
    "bot": NOT_FLAG,
    "software": NOT_TEXT,
}


@pytest.mark.parametrize("kind", COMMANDS)
def test_wrong_type_in_any_field_of_a_command_is_one_error(net: Net, bob: Peer, kind: str) -> None:
    mallory = net.session("mallory")
    base, fields = COMMANDS[kind]
    refs = count(1)
    for field, values in (fields | {"ref": NOT_REF}).items():
        for value in values:
            ref = {} if field == "ref" else {"ref": next(refs)}
            command: dict[str, Any] = {"type": kind, **base, **ref, field: value}
            mallory.send(command)
            answers = mallory.settled()
            told = [(answer["type"], answer.get("ref"), answer.get("code") == "internal") for answer in answers]
            assert told == [("error", ref.get("ref"), False)], compact(command)[:200]
    assert mallory.say("nothing was taken", room="x")["n"] == 1


@pytest.mark.parametrize("field", HELLO)
def test_wrong_type_in_any_field_of_hello_is_one_error_and_no_session(net: Net, bob: Peer, field: str) -> None:
    for value in HELLO[field]:
        mallory = net.peer()
        error = mallory.ask("error", **{"type": "hello", "protocol": 1, "nick": "mallory", field: value})
        assert error["code"] != "internal", value
        mallory.refused("no_session", type="ping")


def test_missing_fields_are_errors(net: Net, bob: Peer) -> None:
    mallory = net.session("mallory")
    for kind, (base, _) in COMMANDS.items():
        for field in base:
            if (kind, field) in {("away", "text"), ("who", "room"), ("history", "after")}:
                continue  # optional
            command = {"type": kind, **{name: value for name, value in base.items() if name != field}}
            mallory.refused("bad_command", **command)
    assert mallory.settled() == []
    net.peer().refused("bad_command", type="hello", nick="x")


# -- frames ----------------------------------------------------------------------------------------------------


def test_odd_frames_are_survived(net: Net, bob: Peer) -> None:
    mallory = net.session("mallory")
    odd = [
        [b""],
        [b"", b""],
        [b"", b'{"type":"ping"}'],
        [b'{"type":"ping"}', b"x"],
        [b"\n"],
        [b"\n\n{}\n\n"],
        [b"x"] * 50,
    ]
    for frames in [*odd, [os.urandom(1000)], [b"\x00" * MIB], [b"x" * 1000] * 5000]:
        mallory.socket.send_multipart(frames)
    mallory.socket.send(b'{"type":"ping","ref":"last"}')
    mallory.find(lambda line: line.get("ref") == "last", "answer")


def test_parts_behind_the_first_are_taken_for_nobodys_command(net: Net, room: str) -> None:
    mallory = net.session("mallory")
    with net.context.socket(zmq.DEALER) as victim:
        victim.linger, victim.rcvtimeo = 0, 10_000
        victim.routing_id = f"victim-{room}".encode()
        victim.connect(net.listen)
        victim.send(compact({"type": "hello", "protocol": 1, "nick": f"victim{room}"}))
        assert json.loads(victim.recv())["type"] == "welcome"
        forged = compact({"type": "say", "n": 1, "room": room, "text": "never said"})
        mallory.socket.send_multipart([b"x", victim.routing_id, forged])
        assert [line["code"] for line in mallory.settled()] == ["bad_command"]
        victim.send(compact({"type": "ping"}))
        pong = json.loads(victim.recv())
        assert (pong["type"], pong["n"]) == ("pong", 0)


def test_client_that_vanishes_mid_frame_leaves_nothing_behind(net: Net, shared: Broker, room: str, bob: Peer) -> None:
    whole = b"\n".join(compact({"type": "say", "n": n, "room": room, "text": str(n)}) for n in range(1, 501))
    with RawPeer(shared.listen) as raw:
        raw.send(b'{"type":"hello","protocol":1,"nick":"sybil"}')
        assert raw.read().startswith(b'{"type":"welcome"')
        raw.write(frame(whole)[: len(whole) // 2])
        raw.reset()
    assert bob.history(room=room, after=0)["events"] == []


def test_client_that_vanishes_before_its_acks_has_said_what_arrived(
    net: Net, shared: Broker, room: str, bob: Peer
) -> None:
    client = os.urandom(16).hex()
    with RawPeer(shared.listen) as raw:
        raw.send(compact({"type": "hello", "protocol": 1, "nick": "trudy", "client": client}))
        assert raw.read().startswith(b'{"type":"welcome"')
        for start in range(1, 5001, 500):
            says = [{"type": "say", "n": n, "room": room, "text": str(n)} for n in range(start, start + 500)]
            raw.send(b"\n".join(compact(say) for say in says))
        raw.reset()
    bob.say("a line behind", room="bystanders")
    n = net.session("trudy", client=client).welcome["n"]
    stored: list[str] = []
    upto, more = 0, True
    while more:
        page = bob.history(room=room, after=upto)
        stored += [event["text"] for event in page["events"]]
        upto, more = page["upto"], page["more"]
    assert stored == [str(k) for k in range(1, len(stored) + 1)]
    assert len(stored) == n
