"""Whole brokers of a cluster, and clients that know nothing of it: what people see."""

import asyncio
from asyncio.subprocess import PIPE
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import msgspec
import pytest
import zmq
from msgspec.structs import replace

from tests.client.real import Watcher
from tests.cluster.brokers import QUICK, run, until
from tests.cluster.conftest import Engines
from tests.cluster.servers import Cluster, cluster
from tests.conftest import PATIENCE, ZCHAT
from zchat.broker import sharing
from zchat.broker.cluster import requests
from zchat.client.client import ChatClient
from zchat.client.core import notices
from zchat.errors import LostStreamError, NewerMessageError, RefusedError, RestartError, TimedOutError, UnreachableError
from zchat.protocol import messages as m


def client(some: Cluster, broker: str, nick: str = "", **options: object) -> ChatClient:
    options = {"rooms": ["general"], "timeout": PATIENCE} | options
    return ChatClient(nick or None, some.servers[broker].listen, **options)  # type: ignore[arg-type]


async def same(*some: object) -> None:
    """Check that all brokers come to have the same log, to the byte."""
    for one in some:
        assert isinstance(one, Cluster)
        logs = [driver.log for name, driver in one.drivers.items() if name in one.servers]
        await until(lambda logs=logs: len({log.applied for log in logs}) == 1, "all have applied the same")  # type: ignore[misc]
        assert len({"\n".join(log.store.connection.iterdump()) for log in logs}) == 1


class Raw:
    """A client that is nothing but a socket."""

    def __init__(self, broker: str) -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        self._socket = context.socket(zmq.DEALER)
        self._socket.linger = 0
        self._socket.connect(broker)
        self._heard: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, *lines: dict[str, Any]) -> None:
        self._socket.send(b"\n".join(msgspec.json.encode(line) for line in lines))

    async def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the first line that is wanted; forget those before it."""

        def comes() -> bool:
            while self._socket.poll(0):
                self._heard += map(msgspec.json.decode, self._socket.recv().split(b"\n"))
            while self._heard and not wanted(self._heard[0]):
                del self._heard[0]
            return bool(self._heard)

        await until(comes, "a line")
        return self._heard.pop(0)


def ask_status(broker: str) -> m.Status:
    """Ask a broker how it is, without a hello."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
    with context.socket(zmq.DEALER) as peer:
        peer.rcvtimeo = int(PATIENCE * 1_000)
        peer.connect(broker)
        peer.send(b'{"type":"status"}')
        return msgspec.json.decode(peer.recv(), type=m.Status)


def test_people_at_two_brokers_are_in_one_chat(tmp_path: Path, engines: Engines) -> None:
    async def story() -> None:
        async with cluster(tmp_path, engines()) as some:
            await some.start("a")
            await some.start("b")
            async with client(some, "a", "alice") as alice, client(some, "b", "bob") as bob:
                heard = Watcher(bob)
                await until(lambda: {"alice", "bob"} <= set(alice.members("general")), "alice sees bob")
                await until(lambda: {"alice", "bob"} <= set(bob.members("general")), "bob sees alice")
                acks = [await alice.say(f"{number}", room="general") for number in range(10)]
                mine = await bob.say("and I", room="general")
                await until(lambda: len(heard.of(m.Message)) == 11, "all of it")
                assert [each.seq for each in heard.of(m.Message)] == [each.seq for each in [*acks, mine]]
                with pytest.raises(RefusedError, match="taken"):
                    await bob.rename("alice")
                found = await alice.search("and I")
                assert [event.text for event in found.events] == ["and I"]  # type: ignore[union-attr]
                await alice.close()
                await until(lambda: set(bob.members("general")) == {"bob"}, "alice is gone")
                await bob.close()
                await heard.end()
            await same(some)

    run(story())


def test_a_broker_that_was_away_begins_with_what_was_said_meanwhile(tmp_path: Path) -> None:
    async def story() -> None:
        async with cluster(tmp_path) as some:
            await some.start("a")
            await some.start("b")
            async with client(some, "a", "alice") as alice:
                await alice.say("first", room="general")
                await some.stop("b")
                await alice.set_topic("general", "who is away")
                last = await alice.say("last", room="new")
                await some.start("b")
                async with client(some, "b", rooms=[]) as reader:
                    told = await reader.ask(m.ListRooms())
                assert isinstance(told, m.Rooms)
                assert {(each.room, each.topic, each.head) for each in told.rooms} == {
                    ("general", "who is away", (last.seq or 0) - 1),
                    ("new", "", last.seq),
                }

    run(story())


def test_a_client_that_moves_is_acknowledged_each_line_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with cluster(tmp_path) as some:
            await some.start("a")
            await some.start("b")
            lines = [{"type": "say", "n": n, "room": "general", "text": f"{n}"} for n in range(1, 51)]
            hello = {"type": "hello", "protocol": 1, "nick": "alice", "client": "c0ffee" * 5 + "00"}
            with Raw(some.servers["a"].listen) as alice:
                alice.send(hello, *lines[:20])
                await alice.until(lambda line: line.get("n") == 20 and line["type"] == "ack")
                some.sea.hide = 1
                some.sea.lose = 3
                alice.send(*lines[20:])
                await until(lambda: some.drivers["a"].log.waits, "the others are on their way")
                some.memory("a").disconnect()  # what is on its way is lost, or it is not, and nobody tells
            with Raw(some.servers["b"].listen) as alice:
                alice.send(hello)
                welcome = await alice.until(lambda line: line["type"] in ("welcome", "error"))
                assert welcome["n"] >= 20
                alice.send(*lines[welcome["n"] :])
                await alice.until(lambda line: line.get("n") == 50 and line["type"] == "ack")
                alice.send({"type": "history", "room": "general", "limit": 100})
                page = await alice.until(lambda line: line["type"] == "history")
                assert [event["text"] for event in page["events"]] == [f"{n}" for n in range(1, 51)]
            some.memory("a").reconnect()
            await same(some)

    run(story())


def test_people_are_told_when_nothing_is_stored_and_when_that_is_over(tmp_path: Path) -> None:
    async def story() -> None:
        async with cluster(tmp_path) as some:
            await some.start("a")
            async with client(some, "a", "alice") as alice:
                heard = Watcher(alice)
                some.sea.leads = False
                saying = asyncio.ensure_future(alice.say("wait for it", room="general"))
                await until(lambda: heard.of(notices.Stalled), "told")
                assert "choose a leader" in (alice.stalled or "")
                assert not saying.done()
                status = await asyncio.to_thread(ask_status, some.servers["a"].listen)
                assert "choose a leader" in (status.stalled or "")
                with pytest.raises(
                    TimedOutError, match=r"no answer to search\. The broker is there, but .*choose a leader"
                ):
                    await alice.search("it", timeout=0.2)
                some.sea.leads = True
                assert (await saying).seq == 1
                await until(lambda: heard.of(notices.Flowing), "told")
                await alice.close()
                await heard.end()

    run(story())


def test_who_joins_waits_for_brokers_that_can_let_nobody_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with cluster(tmp_path / "brokers") as some:
            server = await some.start("a", "tcp://127.0.0.1:0", "tcp://127.0.0.1:0")
            some.sea.leads = False
            joining = await asyncio.create_subprocess_exec(
                *(*ZCHAT, "join", "--broker", server.listen, "--nick", "ann", "--data", str(tmp_path / "ann")),
                stdin=PIPE,
                stderr=PIPE,
            )
            assert joining.stdin is not None
            assert joining.stderr is not None
            joining.stdin.write(b"here I am\n")
            joining.stdin.close()
            while b"Waiting to be let in" not in (line := await joining.stderr.readline()):
                assert line, "it has given up"
            some.sea.leads = True
            assert await joining.wait() == 0
            assert some.drivers["a"].log.head == 1

    monkeypatch.setattr(sharing, "PATIENCE", 0.2)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    run(story())


def test_a_question_for_what_others_have_shown_waits_until_it_is_here(tmp_path: Path) -> None:
    async def story() -> None:
        async with cluster(tmp_path) as some:
            await some.start("a")
            await some.start("b")
            async with client(some, "a", "alice") as alice, client(some, "b") as reader:
                await alice.say("1", room="general")
                some.memory("b").disconnect()
                acks = [await alice.say(f"{number}", room="general") for number in range(2, 5)]
                asking = asyncio.ensure_future(reader.ask(m.AskHistory(room="general", after=acks[-1].seq)))
                await asyncio.sleep(0.1)  # it is not answered at once
                assert not asking.done()
                some.memory("b").reconnect()
                answer = await asking
                assert isinstance(answer, m.History)
                assert (answer.upto or 0) >= (acks[-1].seq or 0)

    run(story())


def test_a_lost_stream_ends_nobody_and_a_new_one_is_gone_on_with(tmp_path: Path, engines: Engines) -> None:
    async def story() -> None:
        async with cluster(tmp_path, engines()) as some:
            await some.start("a")
            await some.start("b")
            async with client(some, "a", "alice") as alice:
                await alice.say("kept", room="general")
                await same(some)
                await some.engines["b"].delete()
                await until(lambda: all(each.log.broken for each in some.drivers.values()), "both notice")
                assert isinstance(some.drivers["a"].log.broken, LostStreamError)
                page = await alice.history(room="general")
                assert [event.text for event in page.events if isinstance(event, m.Message)] == ["kept"]
                wanted = requests.encode(requests.RestoreWanted(some.drivers["a"].log.applied.seq))
                answer = requests.decode_answer(await some.engines["b"].ask("a", wanted))
                assert isinstance(answer, requests.Restored)
                for name in ("a", "b"):
                    with pytest.raises(RestartError):
                        await some.ended(name)
            await some.start("a")
            await some.start("b")
            async with client(some, "b", "bob") as bob:
                await bob.say("goes on", room="general")
                page = await bob.history(room="general")
                assert [event.text for event in page.events if isinstance(event, m.Message)] == ["kept", "goes on"]
            await same(some)

    run(story())


def test_a_broker_ends_with_a_sentence_if_it_does_not_understand_the_others(tmp_path: Path) -> None:
    async def story() -> None:
        async with cluster(tmp_path) as some:
            await some.start("a")
            async with client(some, "a", "alice", reconnect=False) as alice:
                heard = Watcher(alice)
                some.sea.add(b"\xff of the next version")
                with pytest.raises(NewerMessageError, match="install the version"):
                    await some.ended("a")
                with pytest.raises(UnreachableError):
                    await heard.end()

    run(story())


def test_a_clean_end_is_known_to_the_others_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with cluster(tmp_path, pace=replace(QUICK, lease=10 * PATIENCE)) as some:
            await some.start("a")
            await some.start("b")
            async with client(some, "b", "bob") as bob:
                await bob.say("1", room="general")
                await some.stop("b")
                await until(lambda: not some.drivers["a"].log.cluster.epochs["b"].open, "known")
                async with client(some, "a", "bob") as again:
                    await again.say("2", room="general")

    run(story())


def test_a_broker_that_was_given_up_begins_anew_and_its_people_come_again(tmp_path: Path) -> None:
    async def story() -> None:
        async with cluster(tmp_path) as some:
            await some.start("a")
            await some.start("b")
            async with client(some, "b", "bob") as bob:
                await bob.say("1", room="general")
                epoch = some.drivers["b"].log.epoch
                some.drivers["a"].log.declare_gone("b")
                await until(lambda: some.drivers["b"].log.epoch > epoch, "a new epoch")
                await bob.say("2", room="general")
                page = await bob.history(room="general")
                assert [event.text for event in page.events if isinstance(event, m.Message)] == ["1", "2"]

    run(story())


def test_the_numbers_tell_how_far_each_broker_is_behind(tmp_path: Path) -> None:
    async def story() -> None:
        async with cluster(tmp_path) as some:
            await some.start("a")
            await some.start("b")

            def numbers(broker: str) -> dict[str, m.Figure]:
                return some.servers[broker].status().numbers or {}

            async with client(some, "a", "alice") as alice:
                await alice.say("at a", room="general")
                await same(some)
                assert [numbers(name)["zchat_messages_total"] for name in "ab"] == [1, 1]
                await until(lambda: numbers("a")["zchat_replica_up"] == {"a": 1, "b": 1}, "both are heard")
                await until(lambda: numbers("a")["zchat_replica_lag"] == {"a": 0, "b": 0}, "none is behind")
                assert numbers("a")["zchat_deliveries_total"] == 2  # joining and speaking, to the one who is here
                assert numbers("b")["zchat_deliveries_total"] == 0
                some.memory("b").disconnect()
                for k in range(5):
                    await alice.say(f"{k}", room="general")
                await until(lambda: numbers("a")["zchat_replica_up"] == {"a": 1, "b": 0}, "b is not heard")
                await until(lambda: not some.drivers["a"].log.cluster.epochs["b"].open, "b is given up")
                assert numbers("a")["zchat_replica_up"] == {"a": 1, "b": 0}
                lag = numbers("a")["zchat_replica_lag"]
                assert isinstance(lag, dict)
                assert lag["b"] >= 5  # and what gave it up
                some.memory("b").reconnect()
                await until(lambda: numbers("a")["zchat_replica_lag"] == {"a": 0, "b": 0}, "b has caught up")
                assert numbers("a")["zchat_replica_up"] == {"a": 1, "b": 1}

    run(story())
