"""Somebody with a browser: what the page does with `zchat web`, over a WebSocket, without a page.

What it says has a key, `once`, and is said again until it is answered, one thing at a time. It keeps that in its
journal, where the page has its browser's storage. On each `hello` it asks for what it has not, and holds back what
comes meanwhile. The page also asks where an event tells of one that is missing. This one does not: it believes the
server, which promises events without a gap, and the audit finds out.
"""

import asyncio
import http.client
import json
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Origin

from tests.soak.broker import HOST
from tests.soak.journal import Acked, Kept, Over, Refused, Said, Seen, checksum, told
from tests.soak.person import Task
from tests.soak.visitor import AGAIN, WAITING_MAX, Ear, Visitor

COMES_IN = 15.0  # seconds
ANSWER = 20.0  # seconds
PASSING = {"rate_limited", "unavailable", "out_of_order", "no_session", "server_full", "internal", "timeout"}
UNTOLD = {"member", "access", "read"}  # what has a number of its own and is said in no room
GONE = 4401

Frame = dict[str, Any]


class Page(Visitor):
    """A tab, and what its browser keeps: the cookie, and what it has said."""

    def __init__(self, task: Task, number: int) -> None:
        super().__init__(task, number)
        self.url = f"http://{HOST}:{task.gateway}"
        self.cookie = self.folder / f"{self.name}.cookie"
        answered = {each.id for each in self.journal.before if isinstance(each, Acked | Refused)}
        self.outbox = {each.id: each.room for each in self.journal.before if isinstance(each, Said)}
        self.outbox = {id_: room for id_, room in self.outbox.items() if id_ not in answered}
        self.waiting = dict.fromkeys(self.outbox, asyncio.get_running_loop().time())
        self.news = asyncio.Event()

    # -- coming in

    async def visit(self) -> None:
        if not self.cookie.exists():
            await asyncio.to_thread(self.comes_in)
        headers = {"Cookie": self.cookie.read_text()}
        with suppress(WebSocketException):
            async with connect(
                f"{self.url.replace('http', 'ws', 1)}/ws", origin=Origin(self.url), additional_headers=headers,
                max_size=None, open_timeout=COMES_IN, close_timeout=1, proxy=None,
            ) as socket:  # fmt: skip
                await Tab(self, socket).run()

    def comes_in(self) -> None:
        """Come in as a guest, and keep the cookie. Raises OSError."""
        connection = http.client.HTTPConnection(HOST, self.task.gateway, timeout=COMES_IN)
        try:
            headers = {"Origin": self.url, "X-Zchat": "1", "Content-Type": "application/json"}
            connection.request("POST", "/in", json.dumps({"nick": self.name}), headers)
            answer = connection.getresponse()
            words = answer.read().decode()
            cookie = (answer.getheader("Set-Cookie") or "").partition(";")[0]
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()
        if answer.status != http.client.OK:
            self.complains(words)
            raise OSError(words)
        self.cookie.write_text(cookie)

    # -- speaking

    async def background(self) -> None:
        """Say something now and then, also while it is offline."""
        while not self.hush.is_set():
            await asyncio.sleep(self.chance.expovariate(self.task.rate))
            if len(self.outbox) < WAITING_MAX:
                self.say()

    def say(self) -> None:
        self.said += 1
        id_, room = f"{self.name}-{self.said}", self.chance.choice(self.rooms)
        self.journal.write(Said(id_, room, checksum(text_of(id_))), Kept(id_))
        self.outbox[id_], self.waiting[id_] = room, asyncio.get_running_loop().time()
        self.news.set()

    def settled(self, id_: str, record: Acked | Refused) -> None:
        """What was said is answered."""
        self.journal.write(record)
        del self.outbox[id_]
        self.acked += isinstance(record, Acked)
        self.answered(id_)


def text_of(id_: str) -> str:
    """Return what is said by this id: the same also when it is said again."""
    match int(id_.rpartition("-")[2]) % 50:
        case 0:
            return f"{id_} " + "long " * 800
        case 25:
            return f"{id_} *Grüße* <b>\n木\t👩‍👩‍👧"
    return id_


class NotTakenError(Exception):
    """What was asked was refused."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class Tab:
    """One WebSocket of a page."""

    def __init__(self, page: Page, socket: ClientConnection) -> None:
        self.page, self.socket = page, socket
        self.asked: dict[int, asyncio.Future[Frame]] = {}
        self.next = 0
        self.ear = Ear(page)
        self.refreshing: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Take part until the socket is closed. Raises ConnectionClosed."""
        tasks = [asyncio.create_task(self.listen()), asyncio.create_task(self.send_all())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            tasks += self.refreshing.values()
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception) and not isinstance(end, ConnectionClosed):
                raise end

    async def listen(self) -> None:
        try:
            while True:
                self.take(json.loads(await self.socket.recv()))
        except ConnectionClosed:
            if self.socket.close_code == GONE:
                self.page.journal.write(Over(f"the login is gone: {self.socket.close_reason}"))

    def take(self, frame: Frame) -> None:
        match frame["type"]:
            case "reply":
                self.settle(frame["id"], frame["reply"])
            case "refused":
                self.settle(frame["id"], NotTakenError(frame["code"]))
            case "hello":
                self.greeted(frame)
            case "events":
                for event in frame["events"]:
                    self.hear(event)
            case "state" if not frame["online"]:
                self.page.here = False
            case "out":
                self.page.journal.write(Over(f"the login is gone: {frame['why']}"))

    # -- asking

    async def ask(self, type_: str, **fields: Any) -> Frame:
        """Return the answer. Raises NotTakenError, ConnectionClosed."""
        self.next += 1
        id_, answer = self.next, asyncio.get_running_loop().create_future()
        self.asked[id_] = answer
        try:
            await self.socket.send(json.dumps({"type": type_, "id": id_, **fields}))
            async with asyncio.timeout(ANSWER):
                found: Frame = await answer
                return found
        except TimeoutError:
            raise NotTakenError("timeout") from None
        finally:
            del self.asked[id_]

    def settle(self, id_: int, answer: Frame | NotTakenError) -> None:
        future = self.asked.get(id_)
        if future is None or future.done():
            return
        if isinstance(answer, NotTakenError):
            future.set_exception(answer)
        else:
            future.set_result(answer)

    # -- hearing

    def greeted(self, hello: Frame) -> None:
        """Ask for all that was missed."""
        mine = {room["name"] for room in hello["rooms"]}
        self.ear.anew()
        for task in self.refreshing.values():
            task.cancel()
        for room in self.page.rooms:
            self.ear.hold(room)
        self.refreshing = {
            room: asyncio.create_task(self.refresh(room, joined=room in mine)) for room in self.page.rooms
        }
        self.page.here = False

    async def refresh(self, room: str, *, joined: bool) -> None:
        more = True
        while more:
            try:
                if not joined:
                    await self.ask("join", room=room)
                    joined = True
                page = await self.ask("history", room=room, after=self.page.cursors[room])
            except NotTakenError as error:
                if error.code not in PASSING:
                    self.page.complains(f"{room}: {error}")
                await asyncio.sleep(AGAIN)
                continue
            self.page.sees(room, [_seen(room, event) for event in page["events"]])
            more = page["more"]
        self.ear.release(room)
        del self.refreshing[room]
        self.page.here = not self.refreshing

    def hear(self, event: Frame) -> None:
        room = event.get("room")
        if room in self.page.rooms and "seq" in event and event["type"] not in UNTOLD:
            self.ear.hear(_seen(room, event))

    # -- speaking

    async def send_all(self) -> None:
        """Send what waits, one after the other, and again what was not taken."""
        page = self.page
        while True:
            page.news.clear()
            while page.here and (waiting := next(iter(page.outbox.items()), None)):
                id_, room = waiting
                try:
                    ack = await self.ask("say", room=room, text=text_of(id_), once=id_)
                except NotTakenError as error:
                    if error.code in PASSING:
                        await asyncio.sleep(AGAIN)
                    else:
                        page.settled(id_, Refused(id_, error.code))
                else:
                    page.settled(id_, Acked(id_, ack.get("seq")))
            with suppress(TimeoutError):
                await asyncio.wait_for(page.news.wait(), AGAIN)


def _seen(room: str, event: Frame) -> Seen:
    return Seen(room, event["seq"], told(event["type"], event.get("nick", ""), event.get("text", "")))
