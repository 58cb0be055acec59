"""Frames to records and back: whatever comes, a line becomes a command or the error that it earns."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.broker.dialogue import Broker
from zchat.protocol import messages as m
from zchat.protocol import wire

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
TYPES = sorted(kind.__struct_config__.tag for kind in m.AnyCommand.__args__)
FIELDS = sorted({field for kind in m.AnyCommand.__args__ for field in kind.__struct_fields__})
NEARLY = st.builds(
    lambda type_, fields: {"type": type_} | fields,
    st.sampled_from(TYPES),
    st.dictionaries(st.sampled_from(FIELDS), JSON | st.sampled_from(["general", 1, "x" * 300, -1, 2**53])),
)
LINES = st.one_of(
    st.binary(max_size=200), JSON.map(lambda v: json.dumps(v).encode()), NEARLY.map(lambda v: json.dumps(v).encode())
)


def code(payload: bytes) -> str:
    (found,) = wire.commands(payload)
    assert isinstance(found, m.Error)
    return found.code


@given(st.lists(LINES, max_size=5).map(b"\n".join))
def test_any_bytes_become_commands_or_errors(payload: bytes) -> None:
    found = wire.commands(payload)
    assert len(found) <= payload.count(b"\n") + 1
    for one in found:
        assert isinstance(one, m.Error | m.Command)


@given(st.lists(LINES, max_size=5).map(b"\n".join), st.booleans())
def test_the_broker_answers_any_bytes_and_makes_no_mistake_of_its_own(payload: bytes, greeted: bool) -> None:
    broker = Broker(rate=100.0)
    alice = broker.hello("alice") if greeted else broker.peer()
    for reply in alice.send(payload):
        assert reply.get("code") != "internal"
    broker.store.close()


@given(st.lists(LINES, max_size=5).map(b"\n".join))
def test_a_client_reads_any_bytes(payload: bytes) -> None:
    for record in [*wire.replies(payload), *wire.events(payload)]:
        assert isinstance(record, msgspec.Struct)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"hello", "bad_json"),
        (b"\xff\xfe", "bad_json"),
        (b'{"type":"ping","x":"\xff"}', "bad_json"),
        (b'{"type":"say","n":1,"room":"a","text":"\\ud800"}', "bad_json"),
        (b"[" * 200_000, "bad_json"),
        (b'{"type":"ping","x":' + b"[" * 200_000, "bad_json"),
        (b'{"type":"ping"} x', "bad_json"),
        (b"\xef\xbb\xbf{}", "bad_json"),
        (b"[]", "bad_command"),
        (b"null", "bad_command"),
        (b"{}", "bad_command"),
        (b'{"type":5}', "bad_command"),
        (b'{"type":"dance"}', "bad_command"),
        (b'{"type":"say","n":1,"room":"a"}', "bad_command"),
        (b'{"type":"ping","ref":1.5}', "bad_command"),
        (b'{"type":"ping","ref":9007199254740992}', "bad_command"),
        (b'{"type":"hello","protocol":2,"nick":["future"]}', "protocol_version"),
    ],
)
def test_each_mistake_has_its_code(line: bytes, expected: str) -> None:
    assert code(line) == expected


@pytest.mark.parametrize(
    ("type_", "field", "most"),
    [
        ("hello", "software", 256),
        ("hello", "resume", 128),
        ("ping", "ref", 256),
        ("part", "reason", 1_024),
        ("away", "text", 1_024),
        ("bye", "reason", 1_024),
        ("search", "text", 1_024),
    ],
)
def test_a_text_may_be_as_long_as_its_bound_and_no_longer(type_: str, field: str, most: int) -> None:
    command = {"type": type_, "protocol": 1, "room": "general"}
    (taken,) = wire.commands(json.dumps(command | {field: "é" * most}).encode())
    assert getattr(taken, field) == "é" * most
    assert code(json.dumps(command | {field: "é" * (most + 1)}).encode()) == "bad_command"


def test_an_error_carries_what_can_be_read_of_ref_and_n() -> None:
    (error,) = wire.commands(b'{"type":"say","n":7,"ref":"r","room":5,"text":"x"}')
    assert isinstance(error, m.Error)
    assert (error.ref, error.n) == ("r", 7)
    (error,) = wire.commands(b'{"type":"say","n":-7,"ref":[],"room":5,"text":"x"}')
    assert isinstance(error, m.Error)
    assert (error.ref, error.n) == (None, None)


def test_one_bad_line_costs_no_other() -> None:
    found = wire.commands(b'{"type":"ping"}\nrubbish\n\n{"type":"who"}\n')
    assert [type(one) for one in found] == [m.Ping, m.Error, m.Who]


def test_a_command_over_two_lines_is_two_errors_whatever_characters_it_has() -> None:
    for room in (b"den", "zürich".encode()):
        lines = b'{"type":\n"join","room":"%s"}' % room
        assert [code(line) for line in lines.split(b"\n")] == ["bad_json", "bad_json"]
        assert [type(found) for found in wire.commands(lines)] == [m.Error, m.Error]
    assert wire.commands(b'{"type":"ping"}\n') == [m.Ping()]


def test_two_commands_in_a_line_are_an_error_also_if_there_are_as_many_commands_as_lines() -> None:
    lines = b'{"type":"ping"}{\n"type":"ping"}\n{"type":"ping"}'
    assert [type(found) for found in wire.commands(lines)] == [m.Error, m.Error, m.Ping]
    assert [type(found) for found in wire.commands(b'{"type":"ping"}{"type":"ping"}')] == [m.Error]


def test_several_frames_are_decoded_as_each_of_them_is() -> None:
    sound, cut_off, long = b'{"type":"ping"}\n', b'{"type":"ping"', b'{"type":"ping"}\n' * 1_001
    for frames in ((sound, sound), (sound, cut_off, b',"ref":1}'), (cut_off, b"\xff", sound), (sound, long, sound)):
        assert wire.commands(*frames) == [found for frame in frames for found in wire.commands(frame)]


def test_a_thousand_lines_are_read_and_the_rest_costs_one_error() -> None:
    assert len(wire.commands(b'{"type":"ping"}\n' * 1_000)) == 1_000
    found = wire.commands(b'{"type":"ping"}\n' * 1_500)
    assert len(found) == 1_001
    assert isinstance(found[-1], m.Error)
    assert (found[-1].code, found[-1].limit) == ("too_long", 1_000)


def test_a_frame_of_one_line_too_many_is_no_exception() -> None:
    found = wire.commands(b"\n".join([b'{"type":"ping"}'] * 1_001))
    assert [type(one) for one in found] == [m.Ping] * 1_000 + [m.Error]


def test_unknown_fields_are_ignored_and_null_is_nothing() -> None:
    assert wire.commands(b'{"type":"ping","new":{"a":1},"ref":null}') == [m.Ping()]
    nothing = b'{"type":"say","n":1,"room":"a","text":"hi","kind":null,"reply_to":null,"once":null,"to":null}'
    assert wire.commands(nothing) == [m.Say(n=1, room="a", text="hi")]
    (wrong,) = wire.commands(b'{"type":"say","n":1,"room":"a","text":null,"kind":null}')
    assert isinstance(wrong, m.Error)
    assert (wrong.code, wrong.n, "text" in wrong.message) == ("bad_command", 1, True)


def test_half_a_surrogate_pair_is_refused_under_the_number_and_ref_of_its_line() -> None:
    (wrong,) = wire.commands(rb'{"type":"say","n":7,"ref":"x","room":"a","text":"half \ud83d"}')
    assert isinstance(wrong, m.Error)
    assert (wrong.code, wrong.n, wrong.ref) == ("bad_json", 7, "x")
    (wrong,) = wire.commands(rb'{"type":"say","n":7,"ref":"\ud83d","room":"a","text":"hi"}')
    assert isinstance(wrong, m.Error)
    assert (wrong.code, wrong.ref) == ("bad_json", None)


def test_events_of_an_unknown_type_keep_their_place() -> None:
    (event,) = wire.events(b'{"type":"poll","seq":5,"prev":3,"room":"general","by":"x"}')
    assert event == m.Opaque(type="poll", seq=5, prev=3, room="general")


def test_records_are_written_compactly_and_without_what_is_absent() -> None:
    assert wire.encode(m.Ack(n=1, seq=2)) == b'{"type":"ack","n":1,"seq":2}'
    assert wire.encode(m.Member(nick="a", from_="f")) == b'{"nick":"a","from":"f","bot":false,"away":null,"idle":0}'


@given(st.lists(st.binary(max_size=50).filter(lambda line: b"\n" not in line and line), max_size=40))
def test_packing_keeps_lines_whole_in_order_and_within_bounds(lines: list[bytes]) -> None:
    payloads = list(wire.pack(lines, 64, 5))
    assert [line for payload in payloads for line in payload.split(b"\n")] == lines
    for payload in payloads:
        assert payload.count(b"\n") < 5
        assert len(payload) <= 64


def test_a_topic_ends_where_its_name_ends() -> None:
    assert not wire.room_topic("devops").startswith(wire.room_topic("dev"))


def test_a_time_is_written_to_the_millisecond() -> None:
    assert wire.timestamp(1_795_325_400.1239) == "2026-11-22T05:30:00.123Z"


def example(kind: Any) -> dict[str, Any]:
    """Return a valid command of this type."""
    given = {"protocol": 1, "n": 1, "text": "x", "room": "general", "nick": "alice", "hash": "0" * 64, "role": "member"}
    given |= {
        "from": "0" * 16,
        "remove": "uid:1000@host",
        "seq": 1,
        "emoji": "👍",
        "id": 1,
        "file": "0" * 64,
        "size": 1,
    }
    required = [name for name in kind.__struct_encode_fields__ if name in given]
    return {"type": kind.__struct_config__.tag} | {name: given[name] for name in required}


@pytest.mark.parametrize("kind", m.AnyCommand.__args__)
def test_a_wrong_type_in_any_field_of_any_command_is_refused(kind: Any) -> None:
    good = example(kind)
    (command,) = wire.commands(json.dumps(good).encode())
    assert isinstance(command, kind)
    for field in kind.__struct_encode_fields__:
        wrongs: list[Any] = [{}, 1.5, [[]]] if field in {"rooms", "features", "files", "kinds"} else [[], {}, 1.5, [[]]]
        for wrong in wrongs:
            assert code(json.dumps(good | {field: wrong}).encode()) == "bad_command"


@pytest.mark.parametrize("wrong", [{"width": 0}, {"height": -1}, {"width": 100_001}, {"height": 1.5}, {"width": "1"}])
def test_the_dimensions_of_an_image_are_bounded(wrong: dict[str, Any]) -> None:
    good: dict[str, Any] = {"type": "say", "n": 1, "room": "a", "text": ""}
    good["files"] = [{"file": "0" * 64, "name": "x.png", "width": 1, "height": 100_000}]
    assert isinstance(wire.commands(json.dumps(good).encode())[0], m.Say)
    good["files"] = [{"file": "0" * 64, "name": "x.png"} | wrong]
    assert code(json.dumps(good).encode()) == "bad_command"
