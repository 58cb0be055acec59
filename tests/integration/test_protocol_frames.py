"""Frames, batches and rates: how much one peer may send, and that it pays for too much alone."""

import time

from tests.conftest import PATIENCE, StartBroker
from tests.integration.conftest import NetOf, promptly
from tests.integration.raw import LATE_AT_MOST, Net, compact, is_late

MIB = 1024 * 1024


def test_last_newline_is_optional(net: Net) -> None:
    alice = net.session("alice")
    for frame in (b'{"type":"ping"}', b'{"type":"ping"}\n', b'{"type":"ping"}\n{"type":"ping"}\n'):
        alice.send(frame)
    assert [line["type"] for line in alice.settled()] == ["pong"] * 4


def test_spaces_and_order_of_the_fields_are_the_senders_own(net: Net) -> None:
    alice = net.session("alice")
    alice.send(b' { "ref" : 1 ,\t"type" : "ping" } \r\n{"type":"p\\u0069ng","ref":2}')
    assert [line["ref"] for line in alice.settled()] == [1, 2]


def test_broker_takes_a_thousand_lines_in_a_frame(net: Net) -> None:
    alice = net.session("alice")
    alice.send(*({"type": "ping", "ref": k} for k in range(1000)))
    assert [line["ref"] for line in alice.settled()] == list(range(1000))


def test_frame_with_more_lines_than_that_is_answered_and_harms_nobody(net: Net, room: str) -> None:
    alice, bob = net.session("alice"), net.session("bob")
    alice.send(*({"type": "ping", "ref": k} for k in range(1001)))
    alice.send(b"\n" * 500_000)
    bob.say("still here", room=room)
    *pongs, error = alice.settled()
    assert [line["ref"] for line in pongs] == list(range(1000))
    assert (error["code"], error["limit"]) == ("too_long", 1000)
    assert alice.say("me too", room=room)["n"] == 1


def test_answers_to_one_peer_are_batched_in_frames_it_can_take(net: Net, room: str) -> None:
    alice = net.session("alice")
    alice.say_all(["x" * 12_000 for _ in range(20)], room=room)
    for _ in range(LATE_AT_MOST):
        alice.send(*({"type": "history", "room": room, "after": 0, "ref": k} for k in range(12)))
        answers = [alice.find(lambda line, k=k: line.get("ref") == k, f"answer {k}") for k in range(12)]  # type: ignore[misc]
        if not any(is_late(answer) for answer in answers):
            break
    assert {answer["type"] for answer in answers} == {"history"}
    assert all(len(line.frame) <= MIB for line in answers)
    assert all(line.frame.count(b"\n") <= 1000 for line in answers)


def test_feed_frames_are_bounded(net: Net, room: str) -> None:
    feed = net.feed(f"room/{room}/")
    alice = net.session("alice")
    alice.say_all([str(k) * 100 for k in range(3000)], room=room)
    alice.say_all(["x" * 10_000 for _ in range(50)], room=room)
    events = feed.settled()
    assert len(events) == 3050
    assert all(event.frame.count(b"\n") <= 1000 and len(event.frame) <= MIB for event in events)
    assert [event["seq"] for event in events] == sorted({event["seq"] for event in events})


def test_frame_of_exactly_the_limit_is_taken(net: Net) -> None:
    alice = net.session("alice")
    empty = compact({"type": "ping", "pad": ""})
    alice.send(empty[:-2] + b"x" * (MIB - len(empty)) + b'"}')
    assert [line["type"] for line in alice.settled()] == ["pong"]


def test_frame_over_the_limit_ends_that_connection_only(net: Net, room: str) -> None:
    alice, bob = net.session("alice"), net.session("bob", room)
    alice.send(b'{"type":"ping","pad":"' + b"x" * MIB + b'"}')
    deadline = time.monotonic() + PATIENCE
    while True:  # libzmq connects again by itself, as a stranger
        alice.send({"type": "ping"})
        if alice.receive(0.1) and alice.take()["type"] == "error":
            break
        assert time.monotonic() < deadline, "the connection lives on"
    assert bob.say("unharmed", room=room)["n"] == 1
    assert net.session("alice", client=alice.welcome["client"]).welcome["nick"] == "alice"


# -- the rate --------------------------------------------------------------------------------------------------


def test_lines_over_the_rate_are_refused_take_nothing_and_are_welcome_later(
    start_broker: StartBroker, net_of: NetOf
) -> None:
    net = net_of(start_broker("--memory", "--rate", "50"))
    alice, bob = net.session("alice"), net.session("bob")
    assert alice.welcome["limits"]["rate"] == 50
    says = [{"type": "say", "n": n, "room": "den", "text": str(n)} for n in range(1, 301)]
    alice.send(*says)
    answers = [alice.take() for _ in says]
    acked = [answer["n"] for answer in answers if answer["type"] == "ack"]
    codes = {answer["code"] for answer in answers if answer["type"] == "error"}
    assert acked == list(range(1, len(acked) + 1))
    assert 50 <= len(acked) <= 150, "a burst is twice the rate"
    assert "rate_limited" in codes <= {"rate_limited", "out_of_order"}
    limited = [answer for answer in answers if answer.get("code") == "rate_limited"]
    assert all(0 < answer["retry_after"] < 60 for answer in limited)
    assert bob.say("I am not limited", room="hall")["n"] == 1
    done, start = len(acked), time.monotonic()
    while done < 200:
        time.sleep(0.1)  # the rate is a matter of time
        alice.send(*says[done : done + 5])
        done += sum(alice.take()["type"] == "ack" for _ in says[done : done + 5])
        assert time.monotonic() < start + 2 * PATIENCE
    texts = [event["text"] for event in bob.history(room="den", after=0)["events"]]
    assert texts == [str(n) for n in range(1, done + 1)]


def test_all_lines_count_towards_the_rate_also_bad_ones(start_broker: StartBroker, net_of: NetOf) -> None:
    net = net_of(start_broker("--memory", "--rate", "10"))
    for line in (b'{"type":"ping"}', b'{"type":"rooms"}', b'{"type":"nonsense"}', b"{"):
        peer = net.session(None)
        peer.send(*[line] * 200)
        assert peer.expect("error", code="rate_limited")["retry_after"] > 0


def test_rate_holds_on_average(start_broker: StartBroker, net_of: NetOf) -> None:
    net = net_of(start_broker("--memory", "--rate", "100"))
    alice = net.session("alice")
    start, pongs = time.monotonic(), 0
    while time.monotonic() < start + 1.5 or pongs < 200:  # a busy machine may need longer for the burst
        alice.send(*[{"type": "ping"}] * 20)
        pongs += [alice.take()["type"] for _ in range(20)].count("pong")
    assert pongs <= 200 + 100 * (time.monotonic() - start) + 20


def test_nobody_waits_for_one_who_asks_for_much(start_broker: StartBroker, net_of: NetOf) -> None:
    broker = start_broker("--memory")
    net = net_of(broker)
    alice, greedy = net.session("alice"), net.session(None)
    alice.say_all(["x" * 15_000 for _ in range(40)], room="den")
    asked = [{"type": "history", "room": "den", "after": 0}] * 500
    greedy.send(*asked)
    for _ in range(20):
        with promptly(broker):
            alice.ask("pong", type="ping")
    answers = [greedy.take() for _ in asked]
    assert "rate_limited" in {answer.get("code") for answer in answers}  # a query costs by the size of its answer
