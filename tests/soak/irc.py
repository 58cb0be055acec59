"""Somebody with a client of IRC at `zchat irc`: raw lines, with the tags of IRCv3.

The echo is the ack: a line that came back is in the log, at the `msgid` that it came back with. One that did not when
the connection ended may be there or not, and is not said again. So each connection is a life of its own in the journal.
A member logs in by SASL: with the code of an invitation once, then with the password that it is told; a guest has a
nick only.
What was said while it was away it asks for (`CHATHISTORY AFTER`), and holds back what comes meanwhile.

What it writes down are messages; an edit, a reaction or a pin is told in words of the gateway's own.
"""

import asyncio
import base64
from typing import NamedTuple

from irctokens.line import Line, tokenise

from tests.soak.broker import HOST
from tests.soak.journal import Acked, Life, Refused, Said, Seen, checksum, told
from tests.soak.person import Task
from tests.soak.visitor import AGAIN, WAITING_MAX, Ear, Visitor

CAPS = "message-tags server-time batch echo-message labeled-response draft/chathistory draft/multiline"
COMES_IN = 20.0  # seconds
ANSWER = 20.0  # seconds
PAGE = 100  # messages that are asked for at once
LINE_MAX = 2**16  # bytes
PASSWORD = "Your password from now on is "
FILE = "[file: "  # begins what is told of a file
REFUSED = {"433", "464", "465", "904", "ERROR"}
COMMANDS = {"PRIVMSG", "NOTICE"}


class Batch(NamedTuple):
    """A batch that has begun: its first line, and what is in it so far."""

    first: Line
    inner: "list[Line | Batch]"


class Irc(Visitor):
    """A client, and what it remembers between two connections: how far it has seen each room."""

    def __init__(self, task: Task, number: int) -> None:
        super().__init__(task, number)
        self._code = self.folder / f"{self.name}.code"
        self.password = self._code.read_text() if self._code.exists() else None
        self.lives = 1 + sum(isinstance(record, Life) for record in self.journal.before)

    def is_told(self, password: str) -> None:
        """Log in with this from now on, also after a restart."""
        self.password = password
        self._code.write_text(password)

    async def visit(self) -> None:
        reader, writer = await asyncio.open_connection(HOST, self.task.gateway, limit=LINE_MAX)
        connection = Connection(self, reader, writer)
        try:
            await connection.run()
        finally:
            connection.send("QUIT :away")
            writer.close()
            self.lives += 1
            self.waiting.clear()
            self.journal.write(Life(self.lives))


class Connection:
    """One connection. `answers` are awaited, by their labels."""

    def __init__(self, irc: Irc, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.irc, self.reader, self.writer = irc, reader, writer
        self.answers: dict[str, asyncio.Future[Line | Batch]] = {}
        self.batches: dict[str, Batch] = {}
        self.ear = Ear(irc)
        self.labels = 0

    async def run(self) -> None:
        """Take part until it ends. Raises OSError, EOFError, TimeoutError."""
        async with asyncio.timeout(COMES_IN):
            await self.comes_in()
        for room in self.irc.rooms:  # a member is in them before they are entered here
            self.ear.hold(room)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.listen())
            catching = [tasks.create_task(self.catch_up(room)) for room in self.irc.rooms]
            await asyncio.wait(catching)
            self.irc.here = True
            await self.speak()

    # -- lines

    def send(self, line: str) -> None:
        self.writer.write(f"{line}\r\n".encode())

    async def line(self) -> Line:
        """Return the next line. Raises OSError, EOFError."""
        raw = await self.reader.readline()
        if not raw.endswith(b"\n"):
            raise EOFError
        found = tokenise(raw.rstrip(b"\r\n"))
        if found.command == "PING":
            self.send(f"PONG :{found.params[0]}")
        return found

    async def comes_in(self) -> None:
        nick, password = self.irc.name, self.irc.password
        self.send(f"CAP LS 302\r\nNICK {nick}\r\nUSER {nick} 0 * :{nick}")
        if password is None:
            self.send(f"CAP REQ :{CAPS}\r\nCAP END")
        else:
            plain = base64.b64encode(f"\0{nick}\0{password}".encode()).decode()
            self.send(f"CAP REQ :{CAPS} sasl\r\nAUTHENTICATE PLAIN\r\nAUTHENTICATE {plain}")
        while (line := await self.line()).command != "376":
            if line.command == "903":
                self.send("CAP END")
            elif line.command in COMMANDS and line.params[-1].startswith(PASSWORD):
                self.irc.is_told(line.params[-1].removeprefix(PASSWORD))
            elif line.command in REFUSED:  # an earlier connection may have the nick still; or the broker is away
                raise EOFError
            elif line.command == "CAP" and "NAK" in line.params:
                self.irc.complains(line.format())

    async def ask(self, words: str) -> "Line | Batch":
        """Send a command; return its answer, a line or a batch. Raises TimeoutError."""
        self.labels += 1
        label, answer = f"ask-{self.labels}", asyncio.get_running_loop().create_future()
        self.answers[label] = answer
        self.send(f"@label={label} {words}")
        async with asyncio.timeout(ANSWER):
            found: Line | Batch = await answer
            return found

    # -- hearing

    async def listen(self) -> None:
        while True:
            self.take(await self.line())

    def take(self, line: Line) -> None:
        """Take a line where it belongs: into the batch that it is a part of, or as it is."""
        if line.command == "BATCH" and line.params[0].startswith("+"):
            self.batches[line.params[0][1:]] = Batch(line, [])
        elif line.command == "BATCH":
            batch = self.batches.pop(line.params[0][1:])
            self.put(batch.first, batch)
        else:
            self.put(line, line)

    def put(self, first: Line, what: "Line | Batch") -> None:
        tags = first.tags or {}
        if (outer := self.batches.get(tags.get("batch", ""))) is not None:
            outer.inner.append(what)
            return
        if (answer := self.answers.pop(tags.get("label", ""), None)) is not None:
            if not answer.done():
                answer.set_result(what)
            return
        if (id_ := tags.get("label", "")) in self.irc.waiting:
            self.answered(id_, first)
        if seen := self.seen(what):
            self.ear.hear(seen)

    def answered(self, id_: str, line: Line) -> None:
        """What this connection has said has come back, or was refused."""
        if line.command in {"PRIVMSG", "BATCH", "ACK"}:
            seq = (line.tags or {}).get("msgid")
            self.irc.acked += 1
            self.irc.journal.write(Acked(id_, int(seq) if seq else None))
        elif "NOT_SENT" not in line.params:  # it is not known what became of that
            self.irc.journal.write(Refused(id_, " ".join([line.command, *line.params])))
        self.irc.answered(id_)

    def seen(self, what: "Line | Batch") -> Seen | None:
        """Return what is to be written down of a message in a room of its, None for all else."""
        first = what.first if isinstance(what, Batch) else what
        lines = [each for each in what.inner if isinstance(each, Line)] if isinstance(what, Batch) else [what]
        target = first.params[-1 if isinstance(what, Batch) else 0].removeprefix("#") if first.params else ""
        msgid = (first.tags or {}).get("msgid")
        if not lines or msgid is None or lines[0].command not in COMMANDS or target not in self.irc.rooms:
            return None
        text = ""
        for at, line in enumerate(lines):
            text += ("\n" if at and "draft/multiline-concat" not in (line.tags or {}) else "") + line.params[-1]
        said = "\n".join(row for row in text.split("\n") if not row.startswith(FILE))
        return Seen(target, int(msgid), told("message", (first.source or "").partition("!")[0], said))

    # -- rooms

    async def catch_up(self, room: str) -> None:
        """Enter a room, and ask for all that was said since the cursor."""
        while True:
            if has_entered(await self.ask(f"JOIN #{room}")):
                break
            await asyncio.sleep(AGAIN)
        upto, more = self.irc.cursors[room], True
        while more:
            answer = await self.ask(f"CHATHISTORY AFTER #{room} msgid={upto} {PAGE}")
            if isinstance(answer, Batch):
                self.irc.sees(room, filter(None, map(self.seen, answer.inner)))
                upto = max([upto, *map(number, answer.inner)])
                more = bool(answer.inner)
            else:
                self.irc.complains(answer.format())
                await asyncio.sleep(AGAIN)
        self.ear.release(room)

    # -- speaking

    async def speak(self) -> None:
        irc = self.irc
        while not irc.hush.is_set():
            await asyncio.sleep(irc.chance.expovariate(irc.task.rate))
            if len(irc.waiting) < WAITING_MAX and not irc.hush.is_set():
                irc.said += 1
                id_, room = f"{irc.name}-{irc.said}", irc.chance.choice(irc.rooms)
                irc.journal.write(Said(id_, room, checksum(id_)))
                irc.waiting[id_] = asyncio.get_running_loop().time()
                self.send(f"@label={id_} PRIVMSG #{room} :{id_}")


def number(what: Line | Batch) -> int:
    """Return the number of what was told, 0 for what has none."""
    tags = (what.first if isinstance(what, Batch) else what).tags or {}
    return int(tags.get("msgid", 0))


def has_entered(answer: Line | Batch) -> bool:
    """Say whether one is in a room after this answer to JOIN; ACK: one was, since an event of it came before."""
    lines = answer.inner if isinstance(answer, Batch) else [answer]
    return any(isinstance(each, Line) and each.command in {"JOIN", "ACK"} for each in lines)
