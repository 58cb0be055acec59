"""ChatClient where no broker is, where it comes late, and with one that is a script and errs."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.client.real import ANY, Script, Watcher, on_loop, serving, until
from tests.client.script import error
from zchat.broker.server import ChatServer
from zchat.client import driver
from zchat.client.client import ChatClient
from zchat.client.core import notices
from zchat.client.core.room import HELD_MAX
from zchat.errors import BadEndpointError, FeedUnreachableError, TimedOutError, UnreachableError
from zchat.protocol import messages as m


@on_loop
async def test_nobody_there_is_unreachable_after_the_timeout(tmp_path: Path) -> None:
    clock = asyncio.get_running_loop().time
    began = clock()
    with pytest.raises(UnreachableError, match="No broker answers"):
        async with ChatClient("alice", f"ipc://{tmp_path}/nobody", timeout=0.3):
            pass
    assert clock() - began >= 0.3


@on_loop
async def test_where_no_broker_is_given_the_environment_says_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as server:
        monkeypatch.setenv("ZCHAT_BROKER", server.listen)
        async with ChatClient("alice") as alice:
            assert alice.online
        monkeypatch.setenv("ZCHAT_BROKER", "ipc:///nowhere/zchat")
        async with ChatClient("alice", server.listen) as alice:
            assert alice.online


@on_loop
async def test_somebody_who_does_not_speak_zeromq_is_unreachable() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(UnreachableError):
        async with ChatClient("alice", f"tcp://127.0.0.1:{port}", timeout=0.5):
            pass
    server.close()
    await server.wait_closed()
    await until(lambda: len(asyncio.all_tasks()) == 2)


@pytest.mark.parametrize("endpoint", ["127.0.0.1:5555", "udp://127.0.0.1:1", "tcp://127.0.0.1", "tcp://127.0.0.1:x"])
@on_loop
async def test_an_address_that_cannot_be_used_is_told(endpoint: str) -> None:
    with pytest.raises(BadEndpointError):
        async with ChatClient("alice", endpoint, timeout=0.5):
            pass


@on_loop
async def test_a_client_may_come_before_its_broker(tmp_path: Path) -> None:
    listen = f"ipc://{tmp_path}/router"
    client = ChatClient("alice", listen, timeout=10.0)
    coming = asyncio.create_task(client.__aenter__())
    await until(lambda: client._driver and client._driver.session._brokers.failures >= 2, "two tries to fail")
    async with ChatServer(listen, ANY) as server:
        task = asyncio.create_task(server.receive_connections())
        await coming
        assert (await client.say("hi", room="dev")).n == 1
        await client.close()
        server.stop()
        await task


@on_loop
async def test_without_reconnecting_a_broker_that_stops_ends_the_client() -> None:
    async with serving() as server:
        client = ChatClient("alice", server.listen, rooms=["dev"], reconnect=False)
        await client.__aenter__()
        heard = Watcher(client)
    with pytest.raises(UnreachableError):  # by the bye to it or by the one to all, whichever it reads first
        await heard.end()
    await client.close()


@on_loop
async def test_an_unanswered_question_times_out() -> None:
    async with Script() as script, ChatClient("alice", script.listen) as alice:
        with pytest.raises(TimedOutError):
            await alice.ask(m.AskStatus(), timeout=0.1)
        with pytest.raises(TypeError):
            await alice.ask(m.Say(n=1, text="x", room="dev"))


@on_loop
async def test_a_broker_that_falls_silent_is_left_and_found_again() -> None:
    async with Script(heartbeat=0.05, grace=0.3) as script, ChatClient("alice", script.listen) as alice:
        heard = Watcher(alice)
        script.silent = {"ping"}
        await until(lambda: heard.of(notices.Offline))
        script.silent = set()
        await until(lambda: len(heard.of(notices.Online)) == 2)
        assert heard.of(notices.Online)[1].again
        assert alice.online
        await alice.close()
        await heard.end()


@on_loop
async def test_a_feed_out_of_reach_is_told_with_its_address(tmp_path: Path) -> None:
    dead = f"ipc://{tmp_path}/nobody"
    async with Script() as script:
        with pytest.raises(UnreachableError) as caught:
            async with ChatClient("alice", script.listen, rooms=["dev"], feed=dead, timeout=2.0):
                pass
        assert caught.value.endpoint == dead
        async with ChatClient("alice", script.listen, feed=dead, timeout=2.0) as alice:
            with pytest.raises(FeedUnreachableError, match="--feed") as later:
                await alice.join("dev")
            assert later.value.endpoint == dead


@on_loop
async def test_a_client_without_rooms_needs_no_feed() -> None:
    async with Script(feed="tcp://127.0.0.1:1") as script, ChatClient("alice", script.listen) as alice:
        assert alice.online


@on_loop
async def test_a_slow_listener_stops_the_feed_and_still_sees_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """The buffer stays bounded while nobody listens; what the feed then loses is asked for."""
    total, page, size = 60_000, 20, 500
    monkeypatch.setattr(driver, "BUFFER_MAX", 1_000 * size)

    def said(seq: int) -> dict[str, Any]:
        fields = {"time": "2026-11-22T05:30:00.000Z", "from": "b" * 16, "nick": "bob", "kind": "message"}
        return {"type": "message", "seq": seq, "prev": seq - 1, "room": "dev", "text": "x" * 200, **fields}

    def history(question: dict[str, Any]) -> dict[str, Any]:
        upto = min(question["after"] + 1_000, total)
        events = [said(seq) for seq in range(question["after"] + 1, upto + 1)]
        answer = {"type": "history", "ref": question["ref"], "room": "dev"}
        return {**answer, "events": events, "upto": upto, "more": upto < total}

    async with (
        Script(heartbeat=0.1, grace=5.0) as script,
        ChatClient("bob", script.listen, rooms=["dev"]) as bob,
    ):
        script.history = history
        for first in range(1, total + 1, page):
            script.publish("room/dev/", *[said(seq) for seq in range(first, first + page)])
            await asyncio.sleep(0)
        script.heads = {"dev": total}
        inner = bob._driver
        assert inner is not None
        await until(lambda: inner._paused)
        assert inner._buffered < (1_000 + 1_000 + HELD_MAX + page) * size, (
            "a page and what was held back may still follow"
        )
        seqs: list[int] = []
        asked = 0
        async for batch in bob.batches():
            seqs += [event.seq for event in batch.events if isinstance(event, m.Message)]
            asked += batch.history
            if seqs[-1:] == [total]:
                break
            await asyncio.sleep(0)
        assert seqs == list(range(1, total + 1))
        assert asked, "the feed alone cannot have brought it all"


@on_loop
async def test_a_new_nick_does_not_leave_a_second_try_behind() -> None:
    async with Script() as script, ChatClient("alice", script.listen) as alice:
        heard = Watcher(alice)
        script.silent.add("hello")
        script.reply({"type": "bye", "reason": "shutdown"})
        await until(lambda: script.count("hello") == 2)
        script.reply(error("nick_taken", ref=script.asked[-1]["ref"]))
        await until(lambda: heard.of(notices.KeptOut))
        assert alice._driver is not None
        retry = alice._driver._retry
        assert retry is not None
        await alice.rename("carol")
        assert retry.cancelled()
        await until(lambda: script.count("hello") == 3)
        assert script.asked[-1]["nick"] == "carol"
        await alice.close()
        await heard.end()


@on_loop
async def test_loops_that_listen_at_once_each_hear_all_that_they_ask_for() -> None:
    rooms, texts = ("ra", "rb"), [str(number) for number in range(10)]
    async with (
        serving() as server,
        ChatClient("alice", server.listen) as alice,
        ChatClient("watcher", server.listen, rooms=rooms) as chat,
    ):
        heard: dict[str, list[str]] = {"ra": [], "rb": [], "": []}

        async def watch(*wanted: str) -> None:
            count = 10 if wanted else 20
            while len(heard["".join(wanted)]) < count:  # a `break` in between loses nothing either
                async for event in chat.listen(*wanted):
                    if isinstance(event, m.Message):
                        heard["".join(wanted)].append(event.text)
                        break

        watching = asyncio.gather(watch("ra"), watch("rb"), watch())
        for text in texts:
            for room in rooms:
                await alice.say(text, room=room)
        await watching
        assert heard["ra"] == heard["rb"] == texts
        assert heard[""] == [text for text in texts for _ in rooms]


@on_loop
async def test_a_second_that_takes_batches_is_refused_at_once() -> None:
    async with serving() as server, ChatClient("alice", server.listen) as alice:
        events = alice.listen()
        await anext(events)
        waiting = asyncio.create_task(anext(events))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="already"):
            async for _ in alice.batches():
                pass
        await alice.close()
        await asyncio.gather(waiting, return_exceptions=True)
