"""A gateway in this process at a real broker, and clients of IRC that are sockets: what they send and get is lines."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from irctokens.line import Line, tokenise

from tests.client.real import PATIENCE, serving
from zchat.broker.server import ChatServer
from zchat.client.addresses import Address, resolve
from zchat.client.client import ChatClient
from zchat.client.known_brokers import KnownBrokers
from zchat.gateways.irc.gateway import Gateway, Listening
from zchat.gateways.people.people import People

DEVICE = "irc on lab"
ALL = (
    "message-tags server-time batch labeled-response echo-message account-tag away-notify extended-join multi-prefix "
    "setname standard-replies draft/chathistory draft/event-playback draft/read-marker draft/multiline "
    "draft/message-redaction"
)


class Irc:
    """A connection; `lines` is all that came and was not awaited yet."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.seen: list[Line] = []

    def send(self, *lines: str) -> None:
        self._writer.write("".join(f"{line}\r\n" for line in lines).encode())

    def send_bytes(self, data: bytes) -> None:
        self._writer.write(data)

    async def next(self) -> Line:
        """Return the next line; raises EOFError at the end."""
        async with asyncio.timeout(PATIENCE):
            raw = await self._reader.readline()
        if not raw:
            raise EOFError([line.format() for line in self.seen[-3:]])
        assert len(raw.partition(b" ")[2] if raw.startswith(b"@") else raw) <= 512
        line = tokenise(raw.rstrip(b"\r\n"))
        self.seen.append(line)
        return line

    async def until(self, command: str, *params: str, where: Callable[[Line], Any] | None = None) -> Line:
        """Return the next line with this command and, at the end, these parameters."""
        while True:
            line = await self.next()
            fits = line.command == command and line.params[len(line.params) - len(params) :] == list(params)
            if fits and (where is None or where(line)):
                return line

    async def ask(self, *lines: str) -> list[Line]:
        """Send lines; return all that comes before the answer to a PING."""
        self.send(*lines, "PING :done-with-it")
        found: list[Line] = []
        while (line := await self.next()).command != "PONG":
            found.append(line)
        return found

    @property
    def password(self) -> str:
        """The password that a new member was told; "" of anybody else."""
        told = [line.params[-1] for line in self.seen if line.params[-1].startswith("Your password from now on is")]
        return told[0].rpartition(" ")[2] if told else ""

    async def ended(self) -> str:
        """Wait for the end; return the last line."""
        with suppress(EOFError, ConnectionError):
            while True:
                await self.next()
        return self.seen[-1].params[-1] if self.seen else ""

    async def close(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


class House:
    """The broker, the gateway, and who is there."""

    def __init__(self, server: ChatServer, where: Address, folder: Path) -> None:
        self.server, self._where, self.folder = server, where, folder
        self.gateway: Gateway
        self.port = 0
        self._open: list[Irc] = []

    async def connect(self, port: int = 0) -> Irc:
        return self.keep(Irc(*await asyncio.open_connection("127.0.0.1", port or self.port, limit=2**22)))

    def keep(self, irc: Irc) -> Irc:
        """Close it in the end."""
        self._open.append(irc)
        return irc

    async def irc(self, nick: str, caps: str = "", password: str = "") -> Irc:
        """Return a client that is in, after its message of the day."""
        irc = await self.connect()
        irc.send("CAP LS 302", f"NICK {nick}", f"USER {nick} 0 * :Real {nick}")
        if password:
            caps = f"{caps} sasl"
        if caps:
            irc.send(f"CAP REQ :{caps.strip()}")
        if password:
            irc.send("AUTHENTICATE PLAIN", "AUTHENTICATE " + plain(nick, password))
            await irc.until("903")
        irc.send("CAP END")
        await irc.until("376")
        return irc

    def terminal(self, nick: str | None, **settings: Any) -> ChatClient:
        return ChatClient(nick, self._where, timeout=PATIENCE, **settings)

    def member(self, name: str, code: str | None = None, **settings: Any) -> ChatClient:
        """Return a member's terminal, over the door for keys."""
        link = (self.server.owner_link or "").rpartition("/")[0]
        where = resolve(link, (KnownBrokers(self.folder / "brokers.toml"),))
        key = self.folder / f"{name}.key"
        return ChatClient(
            name if code else None, where, device="laptop", identity=key, invite=code, timeout=PATIENCE, **settings
        )

    @property
    def owner_code(self) -> str:
        return (self.server.owner_link or "").rpartition("/")[2]

    async def close(self) -> None:
        for each in self._open:
            await each.close()


def plain(name: str, password: str) -> str:
    return base64.b64encode(f"\0{name}\0{password}".encode()).decode()


def texts(lines: list[Line], target: str | None = None) -> list[str]:
    """Return what was said in lines."""
    said = [line for line in lines if line.command in ("PRIVMSG", "NOTICE") and line.source != "irc.zchat"]
    return [line.params[-1] for line in said if target in (None, line.params[0])]


def of(lines: list[Line], *commands: str) -> list[list[str]]:
    """Return the parameters of lines with these commands, without the nick that numerics begin with."""
    return [line.params[1 if line.command.isdigit() else 0 :] for line in lines if line.command in commands]


@asynccontextmanager
async def house(folder: Path, *, keyed: bool = False, linger: float = 0.2, **settings: Any) -> AsyncIterator[House]:
    """Run a broker and a gateway. `keyed`: by keys, so that there are members; else all are guests."""
    listen = ["zchat://127.0.0.1:0"] if keyed else ["tcp://127.0.0.1:0"]
    async with serving(listen, None, data=folder / "broker", **settings) as server:
        link = (server.owner_link or "").rpartition("/")[0]
        where = resolve(link if keyed else server.listen, (KnownBrokers(folder / "brokers.toml"),))
        found = House(server, where, folder)
        async with gateway(found, where, linger):
            yield found


@asynccontextmanager
async def gateway(found: House, where: Address, linger: float = 0.2) -> AsyncIterator[Gateway]:
    """Run a gateway at a broker."""
    folder = found.folder / "gateway"
    async with People(folder, where, device=DEVICE, rooms=(), timeout=PATIENCE, linger=linger) as people:
        made = found.gateway = Gateway(people, folder, DEVICE)
        found.port = await made.listen(Listening("127.0.0.1", 0))
        made.send_off_guests()
        try:
            yield made
        finally:
            await found.close()
            await made.close()
