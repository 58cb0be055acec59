"""Where the events of a `tail` go: to the printer, or one by one to a command or a POST, and how far that has come.

As --json a whole batch passes through in one write; only what would act on a terminal is escaped. What is taken one by
one is done with one by one: the cursor on disk moves after each, so that nothing is lost and little is done twice.
"""

import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from zchat import escapes
from zchat.client.core.history import epoch_of
from zchat.prompt import render
from zchat.protocol import messages as m
from zchat.protocol import wire

from .filters import Filter

if TYPE_CHECKING:
    from zchat.client.client import Batch, ChatClient
    from zchat.client.core.notices import Online

    from .cursors import Cursors

Take = Callable[[m.Message, bytes], Awaitable[None]]


class Sink:
    """Where events go: all to the printer, or the messages that are meant to `take`, one by one."""

    def __init__(self, printer: "Printer", meant: Filter) -> None:
        self.printer, self._meant = printer, meant
        self.take: Take | None = None
        self.cursors: Cursors | None = None
        self._log, self._rooms, self._epochs = "", tuple[str, ...](), m.Epochs()
        self._left_out: dict[str, int] = {}  # rooms whose events are not acted on now, and the last one of each

    def taken_up(self, client: "ChatClient", rooms: tuple[str, ...]) -> dict[str, int]:
        """Return how far an earlier run came, in the log that the broker has."""
        self._log, self._rooms, self._epochs = client.welcome.log if client.welcome else "", rooms, client.epochs
        if self.cursors is None:
            return {}
        if not self.cursors.begin(self._log, self._epochs, client.shared):
            click.echo("zchat: the broker has another log now: beginning as on a first run", err=True)
        found = {room: self.cursors.of(room) for room in rooms}
        return {room: cursor for room, cursor in found.items() if cursor is not None}

    def key(self, seq: int) -> str:
        """Return what names the event at this place, also if the log goes back and gives the place again."""
        return f"{epoch_of(self._epochs, seq) or self._log}-{seq}"

    def connected(self, online: "Online") -> None:
        """Connected again. What another log holds already is printed, but it is too late to act on it."""
        log_id, shared = online.welcome.log, online.shared
        other = log_id != self._log and not shared
        self._log, self._epochs = log_id, online.welcome.epochs
        if other and self.take is not None:
            click.echo("zchat: the broker has another log now: beginning with what comes", err=True)
            self._left_out = dict.fromkeys(self._rooms, 0)
            if self.cursors is not None:
                self.cursors.begin(log_id, self._epochs, shared)
        elif self.cursors is not None:
            self.cursors.connected(log_id, self._epochs, shared)
            self.cursors.save()

    def caught_up(self, room: str) -> None:
        """What follows in this room is live."""
        if (last := self._left_out.pop(room, None)) is not None:
            self.begins(room, last)

    def begins(self, room: str, cursor: int) -> None:
        """What comes after this has yet to be done."""
        if self.cursors is not None:
            self.cursors.move(room, cursor)
            self.cursors.save()

    async def batch(self, batch: "Batch") -> None:
        """Take a batch of the client's, and note that it is done with."""
        if self.take is not None:
            for event, line in zip(batch.events, batch.lines, strict=True):
                if getattr(event, "room", None) in self._left_out and getattr(event, "seq", None):
                    self._left_out[event.room] = event.seq
                elif self._meant.takes(event):
                    await self.take(event, line)
                    self._passed([event])
        else:
            self._print(batch)
        self._passed(batch.events)

    def _passed(self, events: list[Any]) -> None:
        if self.cursors is not None:
            self.cursors.passed(events)
            self.cursors.save()

    def _print(self, batch: "Batch") -> None:
        if self._meant:
            pairs = [pair for pair in zip(batch.events, batch.lines, strict=True) if self._meant.takes(pair[0])]
            self.printer.batch([event for event, _ in pairs], [line for _, line in pairs])
        else:
            self.printer.batch(batch.events, batch.lines)

    async def lines(self, lines: list[bytes]) -> None:
        """Take events from the broker's log."""
        from zchat.client.client import Batch  # noqa: PLC0415 — `--help` needs no sockets

        if self._meant or self.take is not None or self.cursors is not None:
            await self.batch(Batch([wire.event(line) for line in lines], lines, True))
        else:
            self.printer.print(lines)


class Printer:
    """Puts events on standard output: as the protocol's lines, or as lines for people."""

    def __init__(self, json: bool, rooms: tuple[str, ...] = ()) -> None:
        self._json = json
        self._out = sys.stdout.buffer
        colour = render.use_colour(sys.stdout.isatty(), os.environ.get("NO_COLOR"))
        here = rooms[0] if len(rooms) == 1 else None
        self.style = render.Style(colour=colour, stamp="%Y-%m-%d %H:%M:%S", here=here)

    def batch(self, events: list[object], lines: list[bytes]) -> None:
        """Print events, with their lines; of what is not durable, only people see a part."""
        if self._json:
            self._write(escapes.json(b"\n".join(filter(None, lines))))
        else:
            self._write("\n".join(self._rendered(events)).encode())

    def print(self, lines: list[bytes]) -> None:
        """Print events from the broker's log."""
        if self._json:
            self._write(escapes.json(b"\n".join(lines)))
        else:
            self._write("\n".join(self._rendered(map(wire.event, lines))).encode())

    def _rendered(self, events: "Iterator[object] | list[object]") -> Iterator[str]:
        for event in events:
            if isinstance(event, m.Durable) and (line := render.event(event, self.style)):
                yield line

    def _write(self, text: bytes) -> None:
        if text:
            self._out.write(text + b"\n")
            self._out.flush()
