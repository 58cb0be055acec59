"""Where the events of a `tail` go: to the printer, or one by one to a command or a POST.

With --json a whole batch is one write; only what would act on a terminal is escaped. A command or a POST gets one
message at a time, and the cursor on disk moves after each. So no message is lost, and at most one is done twice.
"""

import os
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from zchat import escapes
from zchat.client.consumer import Change, Consumer
from zchat.prompt import render, said
from zchat.prompt.asker import Asker
from zchat.prompt.quotes import Quotes
from zchat.prompt.recent import Recent
from zchat.protocol import messages as m
from zchat.protocol import wire

from .filters import Filter

if TYPE_CHECKING:
    from zchat.client.client import Batch, ChatClient
    from zchat.client.core.pages import Page

QUOTED = 2_000  # the latest messages of all rooms that an answer, a reaction or a pin can quote

Hook = Callable[[m.Message, bytes], Awaitable[None]]  # a message, and its line of the protocol


class Sink:
    """Where events go: all to the printer, or one by one the messages that pass the filter to a `hook`."""

    def __init__(self, printer: "Printer", filter_: Filter, consumer: Consumer, rooms: tuple[str, ...]) -> None:
        self.printer, self.consumer = printer, consumer
        self.hook: Hook | None = None
        self.joined_at: Callable[[str], int] = lambda room: 0  # the client's
        self._filter, self._rooms = filter_, rooms

    def resume(self, log: str, epochs: m.Epochs, shared: int | None) -> dict[str, int]:
        """Return the cursors of the last run, if they are of the log that the broker has."""
        if not self.consumer.begin_log(log, epochs, shared):
            click.echo("zchat: the broker has another log now: beginning as on a first run", err=True)
        cursors = {room: self.consumer.cursor(room) for room in self._rooms}
        return {room: cursor for room, cursor in cursors.items() if cursor is not None}

    def key(self, seq: int) -> str:
        """Return a name for an event that is unique, also if the log goes back and another event gets its seq."""
        return f"{self.consumer.epoch(seq) or self.consumer.log}-{seq}"

    def notice(self, event: Any) -> None:
        """Take a notice of the client's; if the broker has another log now, say what is done about it."""
        change = self.consumer.notice(event)
        if change is not None:
            self.printer.forget()
        if change is Change.OTHER_LOG and self.hook is not None:
            click.echo("zchat: the broker has another log now: beginning with what comes", err=True)

    async def batch(self, batch: "Batch") -> None:
        """Print a batch, or give it to the hook; then move the cursors."""
        if self.hook is None:
            await self.printer.prepare(batch.events)
            self._print(batch)
        else:
            for event, line in zip(batch.events, batch.lines, strict=True):
                if not line:
                    continue
                room = getattr(event, "room", None) or ""
                self.consumer.reach(room, getattr(event, "seq", None) or 0, self.joined_at(room))
                if self._filter.takes(event) and not self.consumer.is_skipped(room):
                    await self.hook(event, line)
                    self.consumer.finish_all([event])
        self.consumer.finish_all(batch.events)

    def _print(self, batch: "Batch") -> None:
        if self._filter:
            self.printer.batch(batch.events, batch.lines, self._filter.takes)
        else:
            self.printer.batch(batch.events, batch.lines)

    async def lines(self, lines: list[bytes]) -> None:
        """Take lines from the broker's log, as a batch."""
        from zchat.client.client import Batch  # noqa: PLC0415 — `--help` needs no sockets

        if self._filter or self.hook is not None or self.consumer.is_durable:
            await self.batch(Batch([wire.event(line) for line in lines], lines, True))
        else:
            await self.printer.prepare([wire.event(line) for line in lines])
            self.printer.print(lines)


def _all(_: object) -> bool:
    return True


class Printer:
    """Prints events: as lines of the protocol, or as lines for people, which tell what an event is about."""

    def __init__(self, json: bool, rooms: tuple[str, ...] = ()) -> None:
        self._json = json
        self._out = sys.stdout.buffer
        colour = render.use_colour(sys.stdout.isatty(), os.environ.get("NO_COLOR"))
        here = rooms[0] if len(rooms) == 1 else None
        lock = render.LOCK if sys.stdout.isatty() else ""
        self.style = render.Style(colour=colour, stamp="%Y-%m-%d %H:%M:%S", here=here, lock=lock)
        self._recent = Recent(QUOTED)
        self._quotes: Quotes | None = None

    def ask(self, client: "ChatClient") -> None:
        """Let `prepare` ask a client for what answers are to, if it was not printed here."""
        self._quotes = None if self._json else Quotes(client, Asker(client), lambda _: self._recent)

    def forget(self) -> None:
        """Quote nothing of a log that went back, or of another one."""
        self._recent.clear()
        if self._quotes is not None:
            self._quotes.clear()

    async def prepare(self, events: Iterable[object]) -> None:
        """Look up what the answers among these events are to."""
        if self._quotes is not None:
            await self._quotes.look_up(events)

    def batch(self, events: list[object], lines: list[bytes], takes: Callable[[Any], bool] = _all) -> None:
        """Print the durable events that are wanted; `lines` holds the line of each."""
        if self._json:
            wanted = [line for event, line in zip(events, lines, strict=True) if line and takes(event)]
            self._write(escapes.json(b"\n".join(wanted)))
        else:
            self._write("\n".join(self._rendered(events, takes)).encode())

    def print(self, lines: list[bytes]) -> None:
        """Print lines from the broker's log."""
        if self._json:
            self._write(escapes.json(b"\n".join(lines)))
        else:
            self._write("\n".join(self._rendered(map(wire.event, lines))).encode())

    def page(self, page: "Page") -> None:
        """Print a page of what was said before, with the numbers that edit, get and others take.

        What is about a message of the same page quotes that, or what was looked up.
        """
        if self._json:
            self.print(list(page.lines))
            return
        known = {event.seq: event for event in page.events if not isinstance(event, m.Opaque)}
        told = {seq: render.event(event, self.style, self._about(event, known)) for seq, event in known.items()}
        self._write("\n".join(render.numbered(told, self.style)).encode())

    def _about(self, event: m.Durable, known: dict[int, m.Durable]) -> str:
        return said.context(event, self._kept(known), lambda _: "", self.style)

    def _kept(self, known: said.Kept) -> said.Kept:
        return known if self._quotes is None else self._quotes.beside(known)

    def _rendered(self, events: Iterable[object], takes: Callable[[Any], bool] = _all) -> Iterator[str]:
        for event in events:
            if not isinstance(event, m.Durable):
                continue
            about = said.context(event, self._kept(self._recent), lambda _: "", self.style)
            self._recent.take(event)
            if self._quotes is not None:
                self._quotes.take(event)
            if takes(event) and (line := render.event(event, self.style, about)):
                yield line

    def _write(self, text: bytes) -> None:
        if text:
            self._out.write(text + b"\n")
            self._out.flush()
