"""ChatClient over real sockets, against a real broker: in the same loop, or in a process that is killed."""

import asyncio
import functools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq

from tests.client.real import PATIENCE, Watcher, on_loop, serving, until
from tests.conftest import Broker, StartBroker
from zchat.broker.server import ChatServer
from zchat.client import driver
from zchat.client.client import ChatClient
from zchat.client.core import brokers, notices
from zchat.client.outbox import Outbox
from zchat.errors import ClosedError, InUseError, NickTakenError, RefusedError
from zchat.protocol import messages as m
from zchat.protocol import wire


@on_loop
async def test_two_clients_talk() -> None:
    async with (
        serving() as server,
        ChatClient("alice", server.listen, rooms=["dev"]) as alice,
        ChatClient("bob", server.listen, rooms=["Dev"]) as bob,
    ):
        heard = Watcher(bob)
        ack = await alice.say("hi", room="dev")
        await until(lambda: heard.of(m.Message))
        (message,) = heard.of(m.Message)
        assert (message.seq, message.from_, message.nick) == (ack.seq, alice.from_, "alice")
        assert message == msgspec.json.decode(heard.lines[heard.events.index(message)], type=m.Message)
        assert bob.rooms == ("dev",)
        assert set(bob.members("DEV")) == {"alice", "bob"}
        await bob.close()
        await heard.end()


@on_loop
async def test_within_one_process_a_subscription_counts_from_the_next_line_on() -> None:
    async with serving("inproc://in", "inproc://out") as server:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        with context.socket(zmq.DEALER) as alice:
            alice.connect(server.listen)
            alice.send(b'{"type":"hello","protocol":1}')
            await until(lambda: alice.poll(0))
            topic = wire.session_topic(msgspec.json.decode(alice.recv(), type=m.Welcome).id)
            for _ in range(10):
                with context.socket(zmq.SUB) as feed:
                    feed.connect(server.publish)
                    feed.subscribe(topic)
                    alice.send(b'{"type":"ping","feed":true}')
                    async with asyncio.timeout(PATIENCE):  # for the echo of the only ping
                        while not feed.poll(0):  # noqa: ASYNC110 — the next one shall be within the same millisecond
                            await asyncio.sleep(0)
                    assert feed.recv_multipart()[0] == topic


@on_loop
async def test_everything_that_can_be_asked_is_answered() -> None:
    async with serving() as server, ChatClient("alice", server.listen, rooms=["dev"]) as alice:
        assert isinstance(await alice.set_topic("dev", "things"), m.Ack)
        assert isinstance(await alice.ask(m.AskStatus()), m.Status)
        answer = await alice.ask(m.ListRooms())
        assert isinstance(answer, m.Rooms)
        assert [(room.room, room.topic) for room in answer.rooms] == [("dev", "things")]
        assert isinstance(await alice.ask(m.AskHistory(room="dev", after=0)), m.History)
        assert (await alice.join("ops")).room == "ops"
        assert alice.rooms == ("dev", "ops")
        assert isinstance(await alice.ask(m.Part(room="ops")), m.Parted)
        await alice.rename("al")
        assert alice.nick == "al"
        await alice.send_typing("dev")
        with pytest.raises(RefusedError) as refused:
            await alice.say("", room="dev")
        assert refused.value.code == "bad_text"


@on_loop
async def test_thousands_of_posts_are_acked_in_order_and_seen_once() -> None:
    async with (
        serving() as server,
        ChatClient("alice", server.listen) as alice,
        ChatClient("bob", server.listen, rooms=["dev"]) as bob,
    ):
        heard = Watcher(bob)
        texts = [f"text {number}" for number in range(5_000)]
        futures = [await alice.post(text, room="dev") for text in texts]
        await alice.drain()
        assert alice.unanswered == 0
        seqs = [future.result().seq or 0 for future in futures]
        assert seqs == sorted(set(seqs))
        await until(lambda: len(heard.texts()) == 5_000)
        assert heard.texts() == texts
        await bob.close()
        await heard.end()


@on_loop
async def test_posting_waits_while_too_much_is_unanswered() -> None:
    async with serving(rate=50.0) as server, ChatClient("alice", server.listen) as alice:
        most = 0

        async def post_all() -> None:
            nonlocal most
            for _ in range(driver.UNANSWERED_MAX + 50):
                await alice.post("x", room="dev")
                most = max(most, alice.unanswered)

        task = asyncio.create_task(post_all())
        await until(lambda: most == driver.UNANSWERED_MAX)
        await asyncio.sleep(0)
        assert not task.done()
        assert most == driver.UNANSWERED_MAX
        await alice.close()
        with pytest.raises(ClosedError):
            await task


@on_loop
async def test_what_an_earlier_run_left_holds_up_nobody_once_it_is_answered(tmp_path: Path) -> None:
    kept = Outbox(tmp_path / "outbox")
    lines = [wire.encode(m.Say(n=n, room="dev", text="kept")) for n in range(1, driver.UNANSWERED_MAX + 1)]
    kept.keep(lines)
    kept.close()
    async with serving() as server:
        async with ChatClient("alice", server.listen, outbox=kept.path) as alice:
            assert alice.unanswered == driver.UNANSWERED_MAX
            ack = await alice.say("new", room="dev")
            assert ack.n == driver.UNANSWERED_MAX + 1
        again = Outbox(tmp_path / "again")
        again.keep(lines)
        again.close()
        async with ChatClient("bob", server.listen, outbox=again.path) as bob:
            assert bob.unanswered == driver.UNANSWERED_MAX
            await bob.drain()
            assert bob.unanswered == 0


@on_loop
async def test_who_does_not_listen_keeps_no_more_than_the_buffer_holds_and_misses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    total, size = 3_000, 1_000
    monkeypatch.setattr(driver, "BUFFER_MAX", 100 * size)
    async with (
        serving(heartbeat=0.1, grace=5.0) as server,
        ChatClient("alice", server.listen) as alice,
        ChatClient("bob", server.listen) as bob,
    ):
        await alice.ask(m.Ping())  # from here on what is said to her alone is news
        for n in range(total):
            await bob.post(f"{n} ".ljust(size), to="alice")
        await bob.drain()
        inner = alice._driver
        assert inner is not None
        await until(lambda: inner._paused)
        await alice.ask(m.Ping())
        assert inner._buffered < 400 * size, "what one frame brought may still follow"
        heard = Watcher(alice)
        await until(lambda: len(heard.texts()) >= total)
        assert [int(text) for text in heard.texts()] == list(range(total))
        await alice.close()
        await heard.end()


async def _flood(server: ChatServer, client: ChatClient, room: str, count: int) -> None:
    """Let much be said in a room, until all of it waits in the client's buffer."""
    async with ChatClient("flood", server.listen) as flood:
        for number in range(count):
            await flood.post(f"{number}", room=room)
        await flood.drain()
    inner = client._driver
    assert inner is not None
    await until(lambda: sum(len(batch.events) for batch in inner._buffer) >= count, "all that was said to wait")


@on_loop
async def test_of_a_room_that_was_left_nothing_is_heard_any_more_until_it_is_joined_again() -> None:
    async with (
        serving() as server,
        ChatClient("alice", server.listen) as alice,
        ChatClient("bob", server.listen, rooms=["dev", "ops"]) as bob,
    ):
        await _flood(server, bob, "ops", 300)
        await bob.part("OPS")
        heard = Watcher(bob)
        await alice.say("here", room="dev")
        await until(lambda: "here" in heard.texts())
        assert [event for event in heard.events if getattr(event, "room", "dev") != "dev"] == []
        await bob.join("ops", backlog=2)
        await until(lambda: notices.CaughtUp("ops") in heard.events)
        await alice.say("there", room="ops")
        await until(lambda: "there" in heard.texts())
        assert heard.texts() == ["here", "298", "299", "there"]
        await bob.close()
        await heard.end()


@on_loop
async def test_loops_that_listen_hear_nothing_more_of_a_room_that_one_of_them_has_left() -> None:
    async with (
        serving() as server,
        ChatClient("alice", server.listen) as alice,
        ChatClient("bob", server.listen, rooms=["dev", "ops"]) as bob,
    ):
        await _flood(server, bob, "ops", 300)
        heard: dict[str, list[str]] = {"": [], "ops": []}

        async def watch(*rooms: str) -> None:
            async for event in bob.listen(*rooms):
                if isinstance(event, m.Message):
                    heard["".join(rooms)].append(event.text)
                    if event.text == "9" and not rooms:
                        await bob.part("ops")
                    elif rooms:
                        await asyncio.sleep(0)  # it is the slower one, and left in the middle of a batch

        watching = [asyncio.create_task(watch("ops")), asyncio.create_task(watch())]
        await until(lambda: bob.rooms == ("dev",))
        await alice.say("here", room="dev")
        await until(lambda: "here" in heard[""])
        assert heard[""][-2:] == ["9", "here"]
        assert 0 < len(heard["ops"]) < 300
        await bob.close()
        await asyncio.gather(*watching)


@on_loop
async def test_to_leave_the_room_that_has_filled_the_buffer_makes_room_for_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(driver, "BUFFER_MAX", 20_000)
    async with (
        serving() as server,
        ChatClient("alice", server.listen) as alice,
        ChatClient("bob", server.listen, rooms=["dev", "ops"]) as bob,
    ):
        inner = bob._driver
        assert inner is not None
        for _ in range(200):
            await alice.post("x" * 200, room="ops")
        await until(lambda: inner._paused)
        heard = Watcher(bob)  # which waits its turn
        await bob.part("ops")
        await alice.say("here", room="dev")
        await until(lambda: heard.texts() == ["here"])
        assert not inner._paused
        await bob.close()
        await heard.end()


@on_loop
async def test_what_would_not_fit_into_a_frame_is_refused_before_it_is_sent() -> None:
    async with serving() as server, ChatClient("alice", server.listen) as alice:
        huge = "x" * m.FRAME_MAX
        for fields in ({"text": huge}, {"room": huge}, {"once": huge}, {"room": None, "to": huge}):
            with pytest.raises(RefusedError, match="too_long"):
                await alice.say(**{"text": "hi", "room": "dev"} | fields)
        with pytest.raises(RefusedError, match="too_long"):
            await alice.set_topic(huge, "hi")
        for question in (m.Search(text=huge), m.Part(room="dev", reason=huge), m.Away(text=huge)):
            with pytest.raises(RefusedError, match="too_long"):
                await alice.ask(question)
        with pytest.raises(RefusedError, match="too_long"):
            await alice.send_typing(to=huge)
        with pytest.raises(RefusedError, match="half a character"):
            await alice.say("\ud800", room="dev")
        with pytest.raises(RefusedError, match="half a character"):
            await alice.say("hi", room="dev", once="\ud800")
        with pytest.raises(RefusedError, match="half a character"):
            await alice.ask(m.Search(text="\ud800"))
        assert (await alice.say("hi", room="dev")).n == 1


@on_loop
async def test_a_backlog_and_a_cursor_bring_history_first() -> None:
    async with serving() as server, ChatClient("alice", server.listen) as alice:
        for number in range(10):
            await alice.post(f"{number}", room="dev")
        await alice.drain()
        async with ChatClient("bob", server.listen, rooms=["dev"], backlog=3) as bob:
            heard = Watcher(bob)
            await until(lambda: heard.of(notices.CaughtUp))
            assert heard.texts() == ["7", "8", "9"]
        await heard.end()
        async with ChatClient(None, server.listen, rooms=["dev"], after={"dev": 4}, quiet=True) as reader:
            heard = Watcher(reader)
            await until(lambda: heard.of(notices.CaughtUp))
            assert heard.texts() == ["4", "5", "6", "7", "8", "9"]
        await heard.end()


@on_loop
async def test_direct_messages_reach_both_ends_and_nobody_else() -> None:
    async with (
        serving() as server,
        ChatClient("alice", server.listen, rooms=["dev"]) as alice,
        ChatClient("bob", server.listen, rooms=["dev"]) as bob,
        ChatClient("eve", server.listen, rooms=["dev"]) as eve,
    ):
        heard = [Watcher(client) for client in (alice, bob, eve)]
        await alice.say("psst", to="bob")
        await alice.say("loud", room="dev")
        await until(lambda: all("loud" in watcher.texts() for watcher in heard))
        await until(lambda: all("psst" in watcher.texts() for watcher in heard[:2]))  # over another socket, in its time
        assert [sorted(watcher.texts()) for watcher in heard] == [["loud", "psst"], ["loud", "psst"], ["loud"]]


@on_loop
async def test_a_taken_nick_is_refused() -> None:
    async with (
        serving() as server,
        ChatClient("alice", server.listen) as alice,
        ChatClient("bob", server.listen) as bob,
    ):
        with pytest.raises(NickTakenError):
            async with ChatClient("Alice", server.listen):
                pass
        with pytest.raises(NickTakenError):
            await bob.rename("ALICE")
        assert (alice.nick, bob.nick) == ("alice", "bob")


@on_loop
async def test_leaving_frees_the_nick_at_once() -> None:
    async with serving() as server:
        for _ in range(3):
            async with ChatClient("alice", server.listen) as alice:
                assert alice.online


@on_loop
async def test_the_same_outbox_takes_the_session_over(tmp_path: Path) -> None:
    async with serving() as server, ChatClient("alice", server.listen, outbox=tmp_path / "outbox") as alice:
        with pytest.raises(InUseError):
            async with ChatClient("alice", server.listen, outbox=tmp_path / "outbox"):
                pass
        copy = tmp_path / "copy"
        copy.write_bytes((tmp_path / "outbox").read_bytes())
        heard = Watcher(alice)
        async with ChatClient("alice", server.listen, outbox=copy):
            await heard.end()
        assert heard.of(notices.Ended) == [notices.Ended("replaced")]
        with pytest.raises(RefusedError) as refused:
            await alice.say("hi", room="dev")
        assert refused.value.code == "replaced"


@on_loop
async def test_a_closed_client_ends_its_listeners_and_fails_its_posts() -> None:
    async with serving() as server, ChatClient("alice", server.listen, rooms=["dev"]) as alice:
        seen = [event async for event in _listen_and_close(alice)]
        assert isinstance(seen[0], notices.Online)
        with pytest.raises(ClosedError):
            await alice.post("late", room="dev")
        with pytest.raises(ClosedError):
            await alice.ask(m.AskStatus())
        await alice.close()


async def _listen_and_close(client: ChatClient) -> AsyncIterator[Any]:
    async for event in client.listen():
        yield event
        await client.close("enough")


@on_loop
async def test_what_cannot_be_sent_is_refused_here() -> None:
    async with serving() as server, ChatClient("alice", server.listen) as alice:
        with pytest.raises(RefusedError, match="not Unicode"):
            await alice.say("half \ud800", room="dev")
        with pytest.raises(RefusedError) as refused:
            await alice.say("x" * 2_000_000, room="dev")
        assert refused.value.code == "too_long"
        with pytest.raises(ValueError, match="say where"):
            await alice.say("nowhere")
        assert (await alice.say("fine", room="dev")).n == 1


@on_loop
async def test_names_that_cannot_be_are_refused_here() -> None:
    async with serving() as server:
        with pytest.raises(RefusedError) as refused:
            async with ChatClient("no spaces", server.listen):
                pass
        assert refused.value.code == "bad_nick"
        with pytest.raises(RefusedError) as refused:
            async with ChatClient("alice", server.listen, rooms=["a/b"]):
                pass
        assert refused.value.code == "bad_room"


@on_loop
async def test_ipc_works_too(tmp_path: Path) -> None:
    listen, publish = f"ipc://{tmp_path}/router", f"ipc://{tmp_path}/pub"
    async with ChatServer(listen, publish) as server:
        task = asyncio.create_task(server.receive_connections())
        async with ChatClient("alice", listen, rooms=["dev"]) as alice:
            heard = Watcher(alice)
            await alice.say("hi", room="dev")
            await until(lambda: heard.texts() == ["hi"])
        server.stop()
        await task


@on_loop
async def test_killed_and_restarted_a_broker_costs_nothing(
    start_broker: StartBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker is killed five times under load: every ack holds, everybody sees everything once and in order."""
    monkeypatch.setattr(brokers, "BACK_OFF_MOST", 0.5)  # it grows, for no session lasts
    broker = await asyncio.to_thread(start_broker, "--rate", "0")
    async with (
        ChatClient("alice", broker.listen, rooms=["dev"]) as alice,
        ChatClient("bob", broker.listen, rooms=["dev"], after={"dev": 0}) as bob,
    ):
        heard = Watcher(bob)
        futures: list[asyncio.Future[m.Ack]] = []
        killed = asyncio.Event()
        posting = asyncio.create_task(_post_until(killed, alice, futures))
        for _ in range(5):
            posted = len(futures)
            await until(functools.partial(_posted, futures, posted + 200))
            await until(lambda: alice.online and bob.online, "both to be back")
            await asyncio.to_thread(broker.restart)
        killed.set()
        await posting
        await alice.drain()
        seqs = [future.result().seq or 0 for future in futures]
        await until(lambda: len(heard.texts()) >= len(futures))
        assert heard.texts() == [f"{number}" for number in range(len(futures))]
        assert [event.seq for event in heard.of(m.Message)] == seqs
        assert heard.of(notices.Offline)
        await bob.close()
        await heard.end()


def _posted(futures: "list[asyncio.Future[m.Ack]]", enough: int) -> bool:
    return len(futures) >= enough


async def _post_until(end: asyncio.Event, client: ChatClient, futures: "list[asyncio.Future[m.Ack]]") -> None:
    while not end.is_set():
        futures.append(await client.post(f"{len(futures)}", room="dev"))
        if len(futures) % 20 == 0:
            await asyncio.sleep(0.002)


@on_loop
async def test_an_outbox_brings_what_was_unanswered_into_the_next_life(tmp_path: Path, broker: Broker) -> None:
    async with ChatClient("alice", broker.listen, outbox=tmp_path / "outbox") as alice:
        await alice.say("first", room="dev")
        broker.kill()
        await until(lambda: not alice.online)
        future = await alice.post("second", room="dev")
        await asyncio.sleep(0)  # its turn of the loop
    with pytest.raises(ClosedError):
        future.result()
    await asyncio.to_thread(broker.start)
    async with ChatClient("alice", broker.listen, outbox=tmp_path / "outbox", rooms=["dev"], backlog=10) as alice:
        assert (await alice.say("third", room="dev")).n == 3
        heard = Watcher(alice)
        await until(lambda: len(heard.texts()) == 3)
        assert heard.texts() == ["first", "second", "third"]
        await alice.close()
        await heard.end()


@on_loop
async def test_a_broker_that_comes_back_with_another_log_gets_what_was_unanswered(start_broker: StartBroker) -> None:
    broker = await asyncio.to_thread(start_broker, "--memory")
    async with (
        ChatClient("alice", broker.listen, rooms=["dev"]) as alice,
        ChatClient("bob", broker.listen, rooms=["dev"]) as bob,
    ):
        heard = Watcher(bob)
        for number in range(3):
            await alice.say(f"old {number}", room="dev")
        await until(lambda: len(heard.texts()) == 3)
        broker.kill()
        await until(lambda: not alice.online)
        future = await alice.post("new", room="dev")
        await asyncio.to_thread(broker.start)
        assert (await future).n == 1, "numbered anew, under another client id"
        await until(lambda: len(heard.texts()) == 4)
        assert heard.texts() == ["old 0", "old 1", "old 2", "new"]
        await bob.close()
        await heard.end()
