"""What was said before: pages of history, search results with their surroundings, and the export to a file.

Nothing can be printed above what a terminal shows already. So a page of the past is printed below, as a block between
two dividers. Each PgUp prints the page before the last one.
"""

import asyncio
import dataclasses
import os
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import IO

from zchat import escapes, files
from zchat.client.core.pages import Page
from zchat.errors import FolderError, LocalFileError
from zchat.escapes import escape_controls
from zchat.protocol import messages as m

from . import arguments, render, said
from .chat import Chat
from .recent import Recent, settle

PAGE = 20
AROUND = 5  # messages before and after the one that is jumped to
EXCERPTS_KEPT = 10_000  # messages of an export that a reply in it can quote
FULL_STAMP = "%Y-%m-%d %H:%M"

_QUOTED = re.compile(r"""(["'])(.+?)\1(?:\s+(.*))?""", re.DOTALL)
_GAP = re.compile(r"\s+")


async def page(
    chat: Chat,
    *,
    room: str | None = None,
    before: int | None = None,
    after: int | None = None,
    since: datetime | None = None,
    limit: int = m.LIMIT_MAX,
    thread: int | None = None,
    kinds: tuple[str, ...] | None = None,
    current: bool = True,
    whole: bool = False,
) -> Page:
    """Ask for messages, as they are now: of `room`, or of where one is; `whole`: also of what is around a thread."""
    partner, with_ = (chat.partner, chat.with_) if room is None else (None, None)
    if room is None and thread is None and chat.here is not None and not whole:
        thread = chat.here.thread
    room = room or chat.room
    return await chat.asker.history(
        room=room, partner=partner, with_=with_, before=before, after=after, since=since, limit=limit, thread=thread,
        kinds=kinds, current=current,
    )  # fmt: skip


def nowhere(chat: Chat) -> bool:
    """Say whether one is in no room and in no conversation; if so, tell."""
    if chat.here is None:
        chat.tell("You are in no room.")
        return True
    return False


def no_room(chat: Chat) -> str:
    """Return why a command about a room has none."""
    if chat.partner is None:
        return "You are in no room."
    return f"This is no room: you talk to {escape_controls(chat.partner)}. /join ROOM leads to one."


def show(chat: Chat, events: Sequence[m.Durable | m.Opaque], nothing: str, *, seqs: bool = False) -> list[m.Durable]:
    """Show events of the log with their dates and, where one may want to refer to them (`seqs`), their numbers."""
    style = dataclasses.replace(chat.style, stamp=FULL_STAMP)
    found: list[m.Durable] = settle([event for event in events if not isinstance(event, m.Opaque)])
    shown: dict[int, str] = {}
    known = {event.seq: event for event in found}
    for event in found:
        on_page = getattr(event, "reply_to", None) in known
        quote = said.context(event, known, lambda _: "", style) if on_page else chat.view.quote(event)
        if not chat.output.ignores(event) and (line := render.event(event, style, quote)):
            shown[event.seq] = line
    lines = render.numbered(shown, style) if seqs else shown.values()
    chat.show("\n".join(lines) if shown else chat.style.dim(nothing))
    return found


async def tell(
    chat: Chat, events: Sequence[m.Durable | m.Opaque], nothing: str, *, seqs: bool = False
) -> list[m.Durable]:  # fmt: skip
    """Show events likewise, after what they quote was looked up."""
    await chat.view.prepare(events)
    return show(chat, events, nothing, seqs=seqs)


async def history(chat: Chat, what: str) -> None:
    """Show a number of messages, or all since a moment. Raises ValueError."""
    if what.isascii() and what.isdigit():
        if not 1 <= int(what) <= m.LIMIT_MAX:
            raise ValueError(f"{what} is not in the range 1 to {m.LIMIT_MAX}.")
        answer = await page(chat, before=m.SEQ_MAX, limit=int(what))
    else:
        answer = await page(chat, since=_moment(what))
    _keep(chat, await tell(chat, answer.events, "Nothing was said here." if not answer.more else ""))
    if answer.more and not what.isdigit():
        chat.tell(chat.style.dim(f"… these are the first {len(answer.events)}; ask for a later moment."))


def _keep(chat: Chat, found: Sequence[m.Durable]) -> None:
    """Keep what was shown of where one is, so that Tab offers its numbers, too."""
    if chat.here is not None:
        chat.here.recent.insert(found)


def _moment(what: str) -> datetime:
    try:
        return arguments.since(what, datetime.now().astimezone())
    except (ValueError, OverflowError):
        raise ValueError(f"{what!r} is not a valid count or time. Write 50, 10m, 2h, 1d or 2026-11-22.") from None


async def older(chat: Chat) -> None:
    """Show the page before the oldest message shown where one is."""
    target = chat.here
    if target is None:
        return
    answer = await page(chat, before=target.oldest or m.SEQ_MAX, limit=PAGE)
    if not answer.events:
        chat.tell(chat.style.dim("This is where it begins."))
        return
    chat.show(render.divider("earlier", chat.style))
    found = await tell(chat, answer.events, "")
    _keep(chat, found)
    chat.show(render.divider("now", chat.style))
    target.oldest = min((event.seq for event in found), default=target.oldest)


async def search(chat: Chat, text: str) -> None:
    """Show what is found, with the numbers that /jump and /reply take."""
    answer = await chat.asker.search(text, PAGE)
    found = await tell(chat, answer.events, "Nothing found.", seqs=True)
    chat.search_hits.update({event.seq: event.room for event in found if event.room is not None})
    if answer.more:
        chat.tell(chat.style.dim("… there is more: search for more words to find less."))
    if found:
        chat.tell(chat.style.dim(f"/jump {found[-1].seq} shows what was said around it."))


async def pins(chat: Chat) -> None:
    """Show what is pinned where one is, with the numbers that /unpin takes."""
    answer = await page(chat, before=m.SEQ_MAX, kinds=("pin",))
    pinned = [event for event in settle(answer.events) if isinstance(event, m.Message) and event.pinned]
    await tell(chat, pinned, "Nothing is pinned here. /pin NUMBER pins a message.", seqs=True)


async def mentions(chat: Chat) -> None:
    """Show what called one by one's nick, with its numbers."""
    answer = await chat.client.messages.mentions(limit=PAGE)
    found = await tell(chat, answer.events, "Nobody has called you by your nick.", seqs=True)
    chat.search_hits.update({event.seq: event.room for event in found if event.room is not None})


async def jump(chat: Chat, seq: int) -> None:
    """Show what was said around one message: in the room where it was found, or here."""
    room = chat.search_hits.get(seq)
    if room is None and nowhere(chat):
        return
    before = await page(chat, room=room, before=min(seq + 1, m.SEQ_MAX), limit=AROUND + 1, whole=True)
    after = await page(chat, room=room, after=seq, limit=AROUND, whole=True)
    if seq not in (event.seq for event in before.events):
        chat.tell(f"There is no message {seq} here. /search shows the numbers of what it finds.")
        return
    chat.show(render.divider(f"around {seq}", chat.style))
    await tell(chat, [*before.events, *after.events], "", seqs=True)
    chat.show(render.divider("now", chat.style))


async def export(chat: Chat, path: Path) -> int:
    """Write all that was said where one is to a new file, and return the number of messages.

    A file *.json holds the broker's own lines. Raises FolderError, and FileExistsError for a file that exists.
    """
    head = await page(chat, before=m.SEQ_MAX, limit=1, current=False)
    last = head.upto if not head.events else max(head.upto, head.events[-1].seq or 0)
    try:
        with os.fdopen(_new(path), "w", encoding="utf-8") as opened:
            return await _copy(chat, opened, last, path.suffix in (".json", ".jsonl", ".ndjson"))
    except FileExistsError:
        raise
    except OSError as error:
        raise FolderError(path.parent, error, "FILE") from error
    finally:
        chat.output.progress("exporting", 1)


async def _copy(chat: Chat, file: IO[str], last: int, as_json: bool) -> int:
    after, count, more = 0, 0, True
    style = render.Style(stamp="%Y-%m-%d %H:%M:%S", here=chat.room, zone=chat.style.zone)
    kept = Recent(EXCERPTS_KEPT)  # what was written last: a reply can quote it
    while more and after < last:
        part = await page(chat, after=after, limit=m.LIMIT_MAX, current=False)
        for event, line in zip(part.events, part.lines, strict=True):
            text = escapes.json(line).decode() if as_json else _told(event, kept, style)
            file.write(f"{text}\n" if text else "")
            count += 1
        more, after = part.more and part.upto > after, part.upto
        chat.output.progress("exporting", min(0.99, after / last))
        await asyncio.sleep(0)
    return count


def _told(event: m.Durable | m.Opaque, kept: Recent, style: render.Style) -> str | None:
    """Return an event as a line of an export, and keep it for what is said about it."""
    if isinstance(event, m.Opaque):
        return None
    about = said.context(event, kept, lambda _: "", style)
    kept.take(event)
    return render.event(event, style, about)


def file(name: str) -> Path:
    """Return the path that somebody typed; `~` is the home folder."""
    return Path(os.path.expanduser(name.replace("\0", "").strip()))  # noqa: PTH111 — which leaves ~nobody as it is


def unquoted(name: str) -> str:
    """Return a path without the quotes in which it stands."""
    quoted = _QUOTED.fullmatch(name)
    return quoted[2] if quoted and quoted[3] is None else name


def make(folder: Path) -> None:
    """Make a folder in which to save files. Raises LocalFileError."""
    try:
        files.folder(folder)
    except OSError as error:
        raise LocalFileError(folder, error) from error


def file_and_text(line: str) -> tuple[Path, str]:
    """Part `PATH TEXT`. A path may have spaces: it is the longest that is there, or stands in quotes."""
    for end in (len(line), *(gap.start() for gap in reversed(list(_GAP.finditer(line))))):
        if os.path.isfile(path := file(line[:end])):  # noqa: PTH113 — which takes a name of any length
            return path, line[end:].strip()
    if quoted := _QUOTED.fullmatch(line.strip()):
        return file(quoted[2]), quoted[3] or ""
    return file(line), ""


def _new(path: Path) -> int:
    """Make a file that only its owner reads. Raises FileExistsError."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
