"""The engine of a cluster: one stream in NATS JetStream, and plain NATS beside it.

The stream is kept by three nodes (or one), each of which writes a message to disk before it counts. Nodes publish again
what was stored, on a subject of its own, and that is what brokers read: it comes from every node alike, and no consumer
hangs on one of them. What was missed is read from any node by direct get, many messages at once.

All subjects of a cluster begin with its name. Those of the stream end with its term: what was meant for one history
never gets into another, and the place of a message is its number in the stream after the last place of the term before.
(JetStream could number from there itself, and has forgotten it more than once: nats-server #6753, #8490.)
"""

import asyncio
import contextlib
import itertools
import json
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from nats.aio.msg import Msg
from nats.errors import NoRespondersError

from zchat.errors import EngineError, UsageError

from .connection import Access, Connection, Failure
from .interface import ANSWER, Node, Position

LOOK, MAKE = 1.0, 5.0  # s within which a stream's leader tells of it; within which a stream is made
BETWEEN = 0.1  # s between two attempts to connect
HERE = 2.5  # s: a node of which the leader has heard since is there; it hears of each every second
BATCH, BATCH_BYTES = 1_000, 2 * 1024 * 1024  # messages and bytes of one answer to `read`
MAX_AGE = 7 * 86_400 * 1_000_000_000  # ns for which the stream keeps a message
NO_STREAM = 10_059  # the error of JetStream for a stream that is not there
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

log = logging.getLogger(__name__)


def _nothing(*_: object) -> None:
    pass


async def _no_answer(_: bytes) -> bytes:
    return b""


class NatsEngine:
    """The connection of a broker to its cluster. It begins with the first of the `servers`, then tries the others."""

    def __init__(
        self, servers: Sequence[str], cluster: str, broker: str, *, access: Access | None = None, replicas: int = 3
    ) -> None:
        for name in (cluster, broker):
            if not NAME.fullmatch(name):
                raise UsageError(f"{name!r} is no name for a cluster or a broker: use letters, digits, - and _.")
        self.servers, self.broker, self.replicas = list(servers), broker, replicas
        self.stream, self._prefix = f"zchat-{cluster}", f"zchat.{cluster}"
        self.on_messages: Callable[[Sequence[tuple[int, bytes]]], None] = _nothing
        self.on_told: Callable[[bytes], None] = _nothing
        self.on_asked: Callable[[bytes], Awaitable[bytes]] = _no_answer
        self.on_refused: Callable[[], None] = _nothing
        self.on_connected: Callable[[], None] = _nothing
        self._access = access or Access()
        self._connection: Connection | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._answers: set[asyncio.Task[None]] = set()
        self._ready = asyncio.Event()
        self._reads: dict[str, asyncio.Queue[Msg]] = {}  # by inbox
        self._reading = self._stored = ""  # inboxes of the connection
        self._turns = itertools.count()
        self._term, self._began = "", 0
        self._why = "nothing listens there"

    # -- the connection --------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        return self._connection is not None and self._connection.alive

    async def open(self, within: float) -> None:
        self._keeper = asyncio.get_running_loop().create_task(self._keep())
        try:
            async with asyncio.timeout(within):
                await self._ready.wait()
        except TimeoutError:
            await self.close()
            raise self._error(self._why) from None

    async def close(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        for answer in self._answers:
            answer.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            if connection.alive:
                await asyncio.gather(connection.flush(ANSWER), return_exceptions=True)
            await connection.close()

    async def _keep(self) -> None:
        """Keep a connection: whenever one is dead, make another, to the next node first."""
        turn = 0
        while True:
            connection = Connection(self.servers[turn % len(self.servers)], f"zchat {self.broker}", self._access)
            turn += 1
            try:
                await self._begin(connection)
                while connection.alive:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(BETWEEN):
                            await connection.dead.wait()
                log.warning("the connection to node %s is gone", connection.server)
            except Failure as error:
                self._why = str(error) or type(error).__name__
                log.debug("no connection to node %s: %s", connection.server, error)
            finally:
                self._connection = None
                self._ready.clear()
                await connection.close()
            await asyncio.sleep(BETWEEN)

    async def _begin(self, connection: Connection) -> None:
        await connection.open()
        self._reading, self._stored = connection.inbox(), connection.inbox()
        await connection.hear(f"{self._prefix}.log.*", self._heard)
        await connection.hear(f"{self._prefix}.told", self._hear_told)
        await connection.hear(f"{self._prefix}.ask.{self.broker}", self._asked)
        await connection.hear(self._stored, self._acknowledged)
        await connection.hear(f"{self._reading}.*", self._read)
        await connection.flush(ANSWER)  # from here on nothing is missed
        self._connection = connection
        self._ready.set()
        log.info("connected to node %s", connection.server)
        self.on_connected()

    def _error(self, why: object) -> EngineError:
        told = "nobody answers" if isinstance(why, TimeoutError) else str(why) or type(why).__name__
        return EngineError(", ".join(self.servers), told)

    def _use(self) -> Connection:
        if self._connection is None or not self._connection.alive:
            raise self._error("there is no connection")
        return self._connection

    # -- words -----------------------------------------------------------------------------------------------

    def tell(self, payload: bytes) -> None:
        if self._connection is not None:
            self._connection.send(f"{self._prefix}.told", payload)

    async def ask(self, broker: str, payload: bytes, within: float = ANSWER) -> bytes:
        try:
            return (await self._use().request(f"{self._prefix}.ask.{broker}", payload, within)).data
        except NoRespondersError:
            raise self._error(f"broker {broker} is not there") from None
        except Failure as error:
            raise self._error(error) from None

    def _hear_told(self, found: list[Msg]) -> None:
        for message in found:
            self.on_told(message.data)

    def _asked(self, found: list[Msg]) -> None:
        for message in found:
            task = asyncio.get_running_loop().create_task(self._answer(message))
            self._answers.add(task)
            task.add_done_callback(self._answers.discard)

    async def _answer(self, message: Msg) -> None:
        connection = self._connection
        try:
            answer = await self.on_asked(message.data)
        except Exception:
            log.exception("a question of another broker could not be answered")
            return
        if connection is not None:
            connection.send(message.reply, answer)

    # -- the stream ------------------------------------------------------------------------------------------

    def follow(self, position: Position) -> None:
        self._term, self._began = position.term, position.began

    def publish(self, payload: bytes) -> None:
        if self._connection is not None and self._term:
            self._connection.send(f"{self._prefix}.post.{self._term}", payload, self._stored)

    def _acknowledged(self, found: list[Msg]) -> None:
        """Look at what became of publications: only refusals are of interest."""
        refused = False
        for message in found:
            if (message.headers or {}).get("Status") == "503":
                refused = True
            elif b'"error"' in message.data:
                log.debug("a publication was refused: %s", message.data.decode(errors="replace"))
                refused = True
        if refused:
            self.on_refused()

    def _heard(self, found: list[Msg]) -> None:
        subject = f"{self._prefix}.log.{self._term}"
        messages = [self._place(each) for each in found if each.subject == subject]
        if messages:
            self.on_messages(messages)

    def _place(self, message: Msg) -> tuple[int, bytes]:
        return self._began + int((message.headers or {})["Nats-Sequence"]), message.data

    async def read(self, first: int) -> Sequence[tuple[int, bytes]]:
        connection, inbox = self._use(), f"{self._reading}.{next(self._turns)}"
        queue = self._reads[inbox] = asyncio.Queue()
        wanted = {"seq": max(1, first - self._began), "batch": BATCH, "max_bytes": BATCH_BYTES}
        messages: list[tuple[int, bytes]] = []
        try:
            connection.send(f"$JS.API.DIRECT.GET.{self.stream}", json.dumps(wanted).encode(), inbox)
            while (message := await self._next(queue, bool(messages))) is not None:
                place, payload = self._place(message)
                if place != first + len(messages) or not self._belongs(message):
                    break  # what was asked for is not kept any more, or this is another stream
                messages.append((place, payload))
        finally:
            del self._reads[inbox]
        return messages

    async def _next(self, queue: "asyncio.Queue[Msg]", begun: bool) -> Msg | None:
        """Return the next message of an answer; None at its end. Raises EngineError if nothing comes at all."""
        try:
            async with asyncio.timeout(ANSWER):
                message = await queue.get()
        except TimeoutError:
            if begun:
                return None
            raise self._error("no node answers") from None
        status = (message.headers or {}).get("Status")
        if status == "503":
            raise self._error("no node has the stream")
        return None if status is not None else message

    def _belongs(self, message: Msg) -> bool:
        headers = message.headers or {}
        return headers.get("Nats-Stream") == self.stream and headers.get("Nats-Subject", "").endswith(f".{self._term}")

    def _read(self, found: list[Msg]) -> None:
        for message in found:
            if (queue := self._reads.get(message.subject)) is not None:
                queue.put_nowait(message)

    async def position(self) -> Position | None:
        found = await self._call("INFO", {}, LOOK)
        return None if found is None else understood(found)

    async def create(self, position: Position) -> None:
        ours = {name: getattr(position, name) for name in ("term", "log", "parent")}
        ours |= {"began": str(position.began), "parent_hash": position.parent_hash.hex()}
        published = f"{self._prefix}.post.{position.term}"
        await self._call(
            "CREATE",
            {
                "name": self.stream,
                "subjects": [published],
                "storage": "file",
                "retention": "limits",
                "discard": "old",
                "num_replicas": self.replicas,
                "max_age": MAX_AGE,
                "duplicate_window": 100_000_000,  # ns, the shortest: posts are numbered
                "deny_delete": True,
                "deny_purge": True,
                "allow_direct": True,
                "republish": {"src": published, "dest": f"{self._prefix}.log.{position.term}"},
                "metadata": {f"zchat.{name}": value for name, value in ours.items()},
            },
            MAKE,
        )

    async def delete(self) -> None:
        await self._call("DELETE", {}, MAKE)

    async def _call(self, what: str, payload: dict[str, Any], seconds: float) -> dict[str, Any] | None:
        """Return the answer of JetStream's interface; None if there is no such stream. Raises EngineError."""
        try:
            request = self._use().request(f"$JS.API.STREAM.{what}.{self.stream}", json.dumps(payload).encode(), seconds)
            answer: dict[str, Any] = json.loads((await request).data)
        except NoRespondersError:
            raise self._error("JetStream is not ready") from None
        except Failure as error:
            raise self._error(error) from None
        if "error" not in answer:
            return answer
        if answer["error"].get("err_code") == NO_STREAM:
            return None
        raise self._error(answer["error"].get("description", "JetStream refuses"))


def understood(found: dict[str, Any]) -> Position:
    """Return what JetStream tells of a stream."""
    ours = {key.removeprefix("zchat."): value for key, value in (found["config"].get("metadata") or {}).items()}
    began, state = int(ours.get("began", 0)), found["state"]
    last = began + int(state["last_seq"])
    nodes = _nodes(found.get("cluster") or {})
    return Position(
        term=ours.get("term", ""),
        log=ours.get("log", ""),
        first=began + int(state["first_seq"]) if state["messages"] else last + 1,
        last=last,
        created=found.get("created", ""),
        began=began,
        parent=ours.get("parent", ""),
        parent_hash=bytes.fromhex(ours.get("parent_hash", "")),
        sure=len(nodes) <= 1
        or (any(node.leads for node in nodes) and 2 * sum(node.here for node in nodes) > len(nodes)),
        nodes=nodes,
    )


def _nodes(cluster: dict[str, Any]) -> tuple[Node, ...]:
    """Return who keeps the stream: the leader, which has answered, and those that it knows.

    Who has not been heard yet by a new leader was active 0 ns ago. Without a leader a node answers that knows nothing
    of others, and all but itself are such.
    """
    nodes = [Node(cluster["leader"], leads=True, here=True)] if cluster.get("leader") else []
    for each in cluster.get("replicas") or ():
        here = not each.get("offline") and 0 < each.get("active", 0) < HERE * 1e9
        nodes.append(Node(each["name"], leads=False, here=here, lag=each.get("lag", 0)))
    return tuple(nodes)
