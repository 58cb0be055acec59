"""Peers that do not read, and messages that do not end: over real connections, of which the kernel tells."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import zmq

from tests.client.real import ANY, PATIENCE, on_loop, serving, until
from tests.conftest import Broker
from tests.integration.zmtp import MORE, RawPeer, frame
from zchat import ChatClient, ChatServer
from zchat.broker import answering, clock, connections, endless, kernel, reads
from zchat.broker.clock import Clock
from zchat.protocol import messages as m
from zchat.protocol import wire

MIB = 1024 * 1024
GIB = 1024 * MIB
QUESTIONS = 250
UNCHANGED = connections.ENDLESS


@asynccontextmanager
async def with_history(listen: str = ANY, publish: str = ANY, grace: float = 30) -> AsyncIterator[ChatServer]:
    """Run a broker with a room that fills a page of history."""
    async with serving(listen, publish, grace=grace) as running:
        async with ChatClient("writer", running.listen) as writer:
            sent = [await writer.post("x" * 15_000, room="general") for _ in range(20)]
            await asyncio.gather(*sent)
        yield running


def asks(count: int) -> bytes:
    """Return a hello and so many questions, as one frame."""
    question = {"type": "history", "room": "general"}
    lines = [{"type": "hello", "protocol": 1}, *({**question, "ref": k} for k in range(count))]
    return b"\n".join(json.dumps(line).encode() for line in lines)


def read_answers(peer: RawPeer, count: int) -> list[str]:
    """Return what kind of answer each question got."""
    found: list[str] = []
    while len(found) < count:
        for line in peer.read().splitlines():
            answer = json.loads(line)
            if "ref" in answer:
                found.append(answer.get("code", answer["type"]))
    return found


def unread(running: ChatServer) -> list[int]:
    """Return how much waits for each peer."""
    return [running._connections.unread(peer) for peer in running._connections._known]


def waits_for_all(running: ChatServer) -> int:
    return sum(unread(running))


@on_loop
async def test_who_does_not_read_is_answered_no_more_and_the_others_are_served() -> None:
    async with with_history() as running:
        with ExitStack() as stack:
            deaf = [stack.enter_context(RawPeer(running.listen, hands=False, buffer=4_096)) for _ in range(4)]
            for peer in deaf:
                await asyncio.to_thread(peer.shake_hands, "DEALER", b"")
                await asyncio.to_thread(peer.send, asks(QUESTIONS))
            async with ChatClient("alice", running.listen) as alice:
                await alice.say("hi", room="den")
                assert isinstance(await alice.ask(m.AskHistory(room="general")), m.History)
                await until(lambda: sum(waits > answering.WINDOW for waits in unread(running)) == len(deaf))
                await until(lambda: not running._pipeline._waiting)
                assert (
                    answering.WINDOW < waits_for_all(running) < len(deaf) * (answering.WINDOW + wire.ANSWER_MAX + MIB)
                )
            answers = await asyncio.to_thread(read_answers, deaf[0], QUESTIONS)
            assert set(answers) == {"history", "unavailable"}
            assert answers.count("history") < 20


@on_loop
async def test_who_reads_gets_all_answers_however_many_were_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reads, "DEADLINE", PATIENCE)
    async with with_history() as running:
        with RawPeer(running.listen, hands=False) as peer:
            await asyncio.to_thread(peer.shake_hands, "DEALER", b"")
            await asyncio.to_thread(peer.send, asks(20))
            assert await asyncio.to_thread(read_answers, peer, 20) == ["history"] * 20
            await until(lambda: all(waits <= connections.LOOKED_AT for waits in unread(running)))


@on_loop
async def test_who_does_not_read_is_answered_no_more_also_when_the_loop_was_busy_and_questions_have_more_time() -> None:
    async with with_history() as running:
        with RawPeer(running.listen, hands=False, buffer=4_096) as deaf:
            await asyncio.to_thread(deaf.shake_hands, "DEALER", b"")
            await asyncio.to_thread(deaf.send, asks(QUESTIONS))
            await until(lambda: waits_for_all(running) > answering.WINDOW)
            now = time.monotonic()
            running._reads.busy(now, now + 0.5)
            await until(lambda: not running._pipeline._waiting)
            assert waits_for_all(running) < answering.WINDOW + 2 * wire.ANSWER_MAX


@on_loop
async def test_over_a_socket_file_the_same_holds(tmp_path: Path) -> None:
    async with with_history(f"ipc://{tmp_path}/listen", publish=f"ipc://{tmp_path}/publish") as running:
        context = zmq.Context()
        try:
            dealer = context.socket(zmq.DEALER)
            dealer.setsockopt(zmq.RCVHWM, 1)
            dealer.setsockopt(zmq.LINGER, 0)
            dealer.connect(running.listen)
            dealer.send(asks(QUESTIONS))
            await until(lambda: waits_for_all(running) > answering.WINDOW)
            await until(lambda: not running._pipeline._waiting)
            assert waits_for_all(running) < answering.WINDOW + 2 * wire.ANSWER_MAX
            (peer,) = (peer for peer in running._connections._known if running._connections.unread(peer) > MIB)
            assert running._connections.source(peer).startswith("uid ")
        finally:
            context.destroy(linger=0)


@on_loop
async def test_beyond_what_all_may_leave_unread_those_with_most_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "UNREAD_MAX", 3 * MIB)
    async with with_history(grace=600) as running:  # none of them is ended for its silence
        with ExitStack() as stack:
            deaf = [stack.enter_context(RawPeer(running.listen, hands=False, buffer=4_096)) for _ in range(4)]
            async with ChatClient("alice", running.listen, rooms=["den"]) as alice:
                others = len(unread(running))
                for peer in deaf:
                    await asyncio.to_thread(peer.shake_hands, "DEALER", b"")
                    await asyncio.to_thread(peer.send, asks(0))
                await until(lambda: len(unread(running)) == others + len(deaf))
                for peer in deaf:
                    await asyncio.to_thread(peer.send, asks(QUESTIONS))
                await until(lambda: len(unread(running)) < others + len(deaf))
                await until(lambda: waits_for_all(running) <= 3 * MIB)
                await alice.say("still here", room="den")


@pytest.mark.parametrize("greets", [True, False], ids=["a client", "a stranger"])
@pytest.mark.parametrize("port", ["listen", "publish"])
def test_a_message_without_an_end_ends_its_connection(broker: Broker, port: str, greets: bool) -> None:
    kind, greeting = ("DEALER", b'{"type":"hello","protocol":1}') if port == "listen" else ("SUB", b"\x01room/den/")
    with ChatClient("alice", broker.listen) as alice:
        with RawPeer(getattr(broker, port), kind) as raw:
            if greets:
                raw.send(greeting)
            assert floods(raw) < GIB
        alice.say("still here", room="den")


def floods(raw: RawPeer) -> int:
    """Send frames that all say "more" until the connection ends; return how many bytes that took."""
    part = frame(b"x" * 1_000, MORE) * 1_000
    for sent in range(0, GIB, len(part)):
        try:
            raw.write(part)
        except ConnectionError:
            return sent
    return GIB


@pytest.mark.parametrize("port", ["listen", "publish"])
def test_many_messages_without_an_end_in_tiny_parts_do_not_take_the_memory(broker: Broker, port: str) -> None:
    parts = frame(b"", MORE) * 32 * 1024
    process = psutil.Process(broker.pid)
    with ChatClient("alice", broker.listen) as alice, ExitStack() as stack:
        kind = "DEALER" if port == "listen" else "SUB"
        raws = [stack.enter_context(RawPeer(getattr(broker, port), kind)) for _ in range(50)]
        while raws:
            raws = [raw for raw in raws if is_taken(raw, parts)]
            assert process.memory_info().rss < 2 * GIB  # 2 MiB of each are 3 GiB in libzmq
        alice.say("still here", room="den")


def is_taken(raw: RawPeer, part: bytes) -> bool:
    """Send something; return whether the connection is still there."""
    try:
        raw.write(part)
    except ConnectionError:
        return False
    return True


@pytest.mark.parametrize(
    ("undelivered", "tiny", "most"),
    [
        ([connections.ENDLESS] * 50, False, connections.ENDLESS),  # as many may be in the middle of a frame
        ([connections.ENDLESS], True, connections.ENDLESS),
        ([MIB] * 8 + [connections.LITTLE] * 1_000, True, connections.ENDLESS),
        ([MIB] * 16 + [connections.LITTLE] * 1_000, True, MIB // 2),
        ([connections.LITTLE + 1] * 10_000, True, connections.LITTLE),
    ],
)
def test_only_in_tiny_parts_all_that_is_not_delivered_has_one_bound(
    undelivered: list[int], tiny: bool, most: int
) -> None:
    assert connections.allowed(undelivered, tiny) == most


@on_loop
async def test_full_frames_in_a_row_are_not_taken_for_a_message_without_an_end(
    looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "ENDLESS", UNCHANGED)
    full = frame(b"{" + b" " * (m.FRAME_MAX - 1))
    async with serving() as running:
        with ExitStack() as stack:
            peers = [stack.enter_context(RawPeer(running.listen, hands=False)) for _ in range(4)]
            for peer in peers:
                await asyncio.to_thread(peer.shake_hands, "DEALER", b"")
            for _ in range(3):
                for part in (full, full[:MIB], full[MIB:]):
                    assert all([await asyncio.to_thread(is_taken, peer, part) for peer in peers])
                    seen = len(looks)
                    await until(lambda seen=seen: len(looks) > seen + 2)  # type: ignore[misc]
    assert set(looks) == {0}


def test_a_flood_beyond_the_rate_ends_its_connection(broker: Broker) -> None:
    with ChatClient("alice", broker.listen) as alice:
        with RawPeer(broker.listen) as raw:
            assert pours(raw, frame(b"\n".join([b'{"type":"bye"}'] * 1_000))) < 64 * MIB  # to which nothing is answered
        alice.say("still here", room="den")


def pours(raw: RawPeer, part: bytes) -> int:
    """Send something again and again until the connection ends; return how many bytes that took, at most 64 MiB."""
    for sent in range(0, 64 * MIB, len(part)):
        try:
            raw.write(part)
        except ConnectionError:
            return sent
    return 64 * MIB


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let every broker look each time, and at little; return how many connections each look has ended."""
    found: list[int] = []
    look = connections.Connections.cut_endless

    def cut_endless(*args: Any) -> int:
        found.append(look(*args))
        return found[-1]

    monkeypatch.setattr(endless, "GROWN", -MIB)
    monkeypatch.setattr(connections, "ENDLESS", 64 * 1024)
    monkeypatch.setattr(connections.Connections, "cut_endless", cut_endless)
    return found


async def says_much(client: ChatClient) -> None:
    await asyncio.gather(*[await client.post("x" * 15_000, room="general") for _ in range(50)])


@on_loop
async def test_a_flood_of_whole_messages_is_not_taken_for_one_without_an_end(looks: list[int]) -> None:
    async with serving() as running, ChatClient("alice", running.listen) as alice:
        while len(looks) < 6:
            await says_much(alice)
        assert set(looks) == {0}


@on_loop
async def test_who_is_silent_after_much_that_was_whole_sends_no_message_without_an_end(
    looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving() as running, ChatClient("alice", running.listen) as alice:
        monkeypatch.setattr(endless, "GROWN", GIB)
        await says_much(alice)
        (known,) = running._connections._known.values()
        await until(lambda: running._inlet.read_by > known.heard + 0.5)
        looks.clear()
        monkeypatch.setattr(endless, "GROWN", -MIB)
        await until(lambda: len(looks) > 5)
        assert set(looks) == {0}


@on_loop
async def test_what_came_in_while_the_loop_was_busy_is_not_taken_for_a_message_without_an_end(
    looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving() as running, ChatClient("alice", running.listen) as alice:
        monkeypatch.setattr(endless, "GROWN", GIB)
        (known,) = running._connections._known.values()
        await until(lambda: running._inlet.read_by > known.heard + 0.5)

        ports = frozenset([int(running.listen.rpartition(":")[2])])
        running._connections.cut_endless(ports, running._inlet.read_by, time.monotonic())

        def libzmq_has_much() -> bool:
            with kernel.borrowed(known.descriptor, known.family) as opened:
                return kernel.was_read(opened) - known.received > 2 * connections.ENDLESS

        with monkeypatch.context() as busy:
            busy.setattr(running._inlet, "drain", list)
            saying = asyncio.create_task(says_much(alice))
            await until(libzmq_has_much)
            for _ in range(3):
                running._connections.cut_endless(ports, running._inlet.read_by, time.monotonic())
        running._loop.look_again()
        await saying
        assert set(looks) == {0}


@on_loop
async def test_who_asks_whether_all_was_read_takes_no_signal_away(monkeypatch: pytest.MonkeyPatch) -> None:
    async def idle(_: Clock) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Clock, "keep_time", idle)  # which would find what waits, after a second
    monkeypatch.setattr(Clock, "watch_memory", idle)
    async with serving() as running:
        with RawPeer(running.listen, hands=False) as peer:
            await asyncio.to_thread(peer.shake_hands, "DEALER", b"")
            peer.send(b'{"type":"status"}')
            deadline = time.monotonic() + 30
            while not running._inlet.readable():  # the loop stands still: the signal is taken, and nobody has told it
                assert time.monotonic() < deadline
            running._clock.note_if_read()
            assert b"uptime" in await asyncio.to_thread(peer.read)
