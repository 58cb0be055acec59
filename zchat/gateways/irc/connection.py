"""One connection from its first byte to its last: registration, then commands, with bounds on all of it.

Lines are carried out one after the other, so answers come in the order of the commands. A client that sends too fast is
read more slowly (it has so many lines at once, and so many a second); nothing that it sent is thrown away. One that is
silent is pinged, and cut if it does not answer.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from zchat.errors import RefusedError, TimedOutError, UnreachableError, ZchatError
from zchat.gateways.rates import Bucket, Rate
from zchat.protocol import messages as m
from zchat.version import __version__

from .client import Answer, Client, label_of
from .coming_in import ComingIn, closing
from .commands import COMMANDS
from .commands.server import lusers_lines, motd_lines
from .commands.service import SERVICE, new_password
from .core.lines import BadLineError, Line, Lines, line, parse
from .core.names import folded
from .core.numerics import HISTORY_MAX, SERVER, fail, reply, told, welcome
from .home import Home
from .listening import Listener
from .wire import Wire

log = logging.getLogger(__name__)

REGISTERING = 60.0  # seconds in which a client has to be in
SILENT, ANSWERING = 90.0, 60.0  # seconds until a client is pinged, and until its answer has to be there
WATCH = 1.0  # seconds between looks at that
LINES = Rate(100, 20)  # who sends more is read more slowly
ASKED_FOR = 100  # messages of history that count as a line more
IN_BATCH = 0.05  # of a line counts one that is a part of a message
AWAY = 3.0  # seconds that a question waits for a broker that is known to be away: what the client sends next waits too
WAITING = frozenset(("PRIVMSG", "NOTICE", "TAGMSG", "BATCH"))  # what is kept until it is back
QUESTIONS = frozenset(  # what need not be answered to who has gone; what they said still counts
    ("CHATHISTORY", "HELP", "ISON", "LIST", "LUSERS", "MONITOR", "MOTD", "NAMES", "USERHOST", "WHO", "WHOIS", "WHOWAS")
)
SETTLE = 30.0  # seconds between looks at whether the rosters that are shown still hold


def cost(got: Line) -> float:
    """Return how many lines a line counts as: to ask for much of the past is much work."""
    asked = got.params[-1] if got.command == "CHATHISTORY" and got.params else ""
    return 1.0 + (min(int(asked), HISTORY_MAX) / ASKED_FOR if asked.isdecimal() and len(asked) < 10 else 0.0)


class Connection:
    """One connection; `run` ends with it."""

    def __init__(self, gateway: Home, wire: Wire, address: str, *, tls: bool) -> None:
        self.wire, self.address = wire, address
        self._gateway = gateway
        self._coming = ComingIn(gateway, wire, address, self._entered, tls=tls)
        self._lines = Lines()
        self._unread: deque[bytes | None] = deque()  # lines that came and were not carried out yet
        self._client: Client | None = None
        self._heard = self._loop_time()
        self._pinged = False
        self._bucket = Bucket(LINES, self._heard)

    # -- the life of it

    async def run(self) -> None:
        """Serve the client until it or we have had enough."""
        watch = asyncio.create_task(self._watch())
        try:
            client = await self._come_in()
            if client is not None:
                await self._serve(client)
                log.info("%s from %s has left: %s", client.me, self.address, self.wire.why)
        finally:
            watch.cancel()

    async def _come_in(self) -> Client | None:
        """Read until the client is in; return None if it never is."""
        gateway = self._gateway
        gateway.unknown += 1
        try:
            while not self.wire.over and self._client is None:
                await self._read(self._coming.take)
            return self._client
        finally:
            gateway.unknown -= 1
            if self._client is None:
                self._release()
                self.wire.end("it has not come in")

    async def _serve(self, client: Client) -> None:
        """Carry out commands and tell what happens, until the connection is over."""
        gateway, person = self._gateway, client.carried.person
        feed = person.attach()
        gateway.take_in(client)
        await self._greet(client)
        listener = Listener(client, feed)
        hearing = asyncio.create_task(self._hear(client, listener))
        settling = asyncio.create_task(self._settle(listener))
        try:
            while not self.wire.over:
                await self._read(self._command)
        finally:
            hearing.cancel()
            settling.cancel()
            await asyncio.gather(hearing, settling, return_exceptions=True)
            await self._leave(client)
            person.detach(feed)
            self._release()

    async def _leave(self, client: Client) -> None:
        """The connection is over. Who says so with the last one is away from all rooms at once."""
        gateway, carried = self._gateway, client.carried
        if client.wire.stream.waiting == 0:
            client.note()
        gateway.let_go(client)
        if self._coming.token is not None:
            gateway.close_places(self._coming.token)
        if client.leaving is not None and not carried.clients:
            await carried.person.client.close(client.leaving[:1024] or None)
        self.wire.end("it is over")

    def _release(self) -> None:
        """A guest is one for as long as the connection lives."""
        person = self._coming.let_go()
        if person is not None and person.kind == "guest":
            self._gateway.forget(person)

    def _entered(self, client: Client) -> None:
        log.info("%s has come in from %s", client.me, self.address)
        self._client = client

    async def _greet(self, client: Client) -> None:
        me, session = client.me, client.carried.person.client
        since = self._gateway.started.strftime("%Y-%m-%d %H:%M:%S UTC")
        client.send(welcome(me, client.scene.mask(client.scene.nick), __version__, since))
        if folded(me) != folded(self._coming.registration.nick):
            client.send([line(SERVER, "NOTICE", me, f"You are {me} here, as everywhere in zchat.")])
        if (password := self._coming.password) is not None:
            client.send([line(f"{SERVICE}!zchat@{SERVER}", "PRIVMSG", me, text) for text in new_password(password)])
        with contextlib.suppress(ZchatError):
            status = await session.ask(m.AskStatus())
            if isinstance(status, m.Status):
                client.send(lusers_lines(client, status.sessions, status.rooms))
        client.send(motd_lines(me))

    async def _hear(self, client: Client, listener: Listener) -> None:
        try:
            await listener.catch_up(asks_itself=client.scene.caps.has("draft/chathistory"))
            why = await listener.run()
        except ZchatError as error:  # the session has ended meanwhile
            why = str(error)
        except Exception:
            log.exception("telling %s what happens has failed", client.me)
            why = "the gateway has failed"
        self.wire.end(why, [closing(str(why))])
        await asyncio.sleep(1.0)
        self.wire.cut(why)

    async def _settle(self, listener: Listener) -> None:
        while True:
            await asyncio.sleep(SETTLE)
            listener.settle()

    async def _watch(self) -> None:
        """Ping a client that is silent, cut one that stays so, or does not come in."""
        began = self._loop_time()
        while not self.wire.over:
            now = self._loop_time()
            if self._client is None and now - began > REGISTERING:
                self.wire.end(
                    "it took too long to come in", [line(None, "ERROR", "Closing link: registration timeout")]
                )
            elif now - self._heard > SILENT + ANSWERING:
                self.wire.end("ping timeout", [line(None, "ERROR", "Closing link: ping timeout")])
                self.wire.cut("ping timeout")
            elif now - self._heard > SILENT and not self._pinged and self._client is not None:
                self._pinged = True
                self.wire.send([line(SERVER, "PING", SERVER)])
            await asyncio.sleep(WATCH)

    # -- lines

    async def _read(self, take: Callable[[Line], Awaitable[None]]) -> None:
        """Carry out the next line. What came together with the last one of registration waits for the greeting."""
        if not self._unread:
            data = await self.wire.read()
            if not data:
                self.wire.end("it closed the connection")
                return
            self._heard, self._pinged = self._loop_time(), False
            self._unread += self._lines.push(data)
        if self._unread:
            await self._take(self._unread.popleft(), take)
        if not self._unread:
            await self.wire.drain()

    async def _take(self, raw: bytes | None, take: Callable[[Line], Awaitable[None]]) -> None:
        try:
            got = parse(raw)
        except BadLineError as error:
            await self._slow_down(1.0)
            self._bad(error)
            return
        if self.wire.stream.gone and got.command in QUESTIONS:
            return
        batched = self._client is not None and self._client.batches.takes(got)
        await self._slow_down(IN_BATCH if batched else cost(got))
        await take(got)

    async def _slow_down(self, cost: float) -> None:
        """Wait as long as the client sends faster than it may."""
        if (wait := self._bucket.owe(self._loop_time(), cost)) > 0:
            await asyncio.sleep(wait)

    def _bad(self, error: BadLineError) -> None:
        nick = self._client.me if self._client else self._coming.registration.shown
        if error.code == "too_long":
            self.wire.send([reply("417", nick)])
        elif error.code == "utf8":
            words = "Message rejected, your IRC software MUST use UTF-8 encoding"
            self.wire.send([fail(error.command, "INVALID_UTF8", words)])

    # -- commands

    async def _command(self, got: Line) -> None:
        """Carry out a command, whatever becomes of it."""
        client = self._client
        assert client is not None  # noqa: S101 — it is in
        if client.batches.takes(got):
            wrong = client.batches.add(got)
            if wrong is not None:
                client.send([wrong])
            return
        answer = Answer(client, label_of(got.tags or {}))
        known = COMMANDS.get(got.command)
        if known is None:
            answer.send(reply("421", client.me, got.command))
        elif len(got.params) < known[1] or (known[1] and not got.params[0]):
            answer.send(reply("461", client.me, got.command))
        else:
            await self._carry_out(client, got, answer)
        await answer.finish()

    async def _carry_out(self, client: Client, got: Line, answer: Answer) -> None:
        away = not client.carried.person.client.online and got.command not in WAITING
        try:
            async with asyncio.timeout(AWAY if away else None):
                await COMMANDS[got.command][0](client, got, answer)
        except (TimeoutError, TimedOutError, UnreachableError):
            answer.send(told("263", client.me, got.command, "zchat does not answer now: please try again"))
        except RefusedError as error:
            answer.send(fail(got.command, error.code.upper(), error.message))
        except ZchatError as error:
            answer.send(fail(got.command, "FAILED", str(error)))
        except ValueError as error:
            answer.send(fail(got.command, "INVALID_PARAMS", str(error)))

    @staticmethod
    def _loop_time() -> float:
        return asyncio.get_running_loop().time()
