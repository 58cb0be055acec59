"""Files on their way, beside the conversation: what one sends, and what one saves.

A file may be large, so one goes on typing meanwhile; the status line shows how far it is. What breaks off because one
leaves goes on at the next try from where it was.
"""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from zchat.client.files import apart
from zchat.errors import RefusedError, ZchatError
from zchat.escapes import escape_controls
from zchat.protocol import messages as m

from . import refusals
from .chat import Chat
from .tables import size
from .target import nick_of


def send(chat: Chat, path: Path, text: str = "") -> None:
    """Send a file with a text to where one is now, wherever one is when it has arrived."""
    here, client = chat.here, chat.client
    if here is None:
        chat.tell("You are in no room, so nobody would get it. Enter one with /join ROOM.")
        return
    room, partner, with_ = here.room, here.partner, here.with_
    if path.is_file():
        chat.tell_if_it_waits(f"/send {path.name}")

    async def run() -> None:
        attachment = await client.files.upload(path, _progress(chat, f"sending {path.name}"))
        if chat.has_nothing_to_answer(here):
            return
        to = None if partner is None else nick_of(partner)
        await chat.sending.say(
            text, room=room, to=to, with_=with_, kind="message", reply_to=here.answered, files=(attachment,)
        )  # fmt: skip

    _start(chat, run(), f"sending {path.name}")


def save(chat: Chat, event: m.Message, path: Path, *, overwrite: bool) -> None:
    """Save the files of a message."""
    names = ", ".join(one.name for one in apart(event.files))
    if not chat.client.online and not chat.client.moving:
        chat.output.tell_aside(f"No broker now; as soon as it is back, this is saved: {escape_controls(names, ' ')}")

    async def run() -> None:
        for one in apart(event.files):
            progress = _progress(chat, f"saving {one.name}")
            target = await chat.client.files.download(one, path, progress, overwrite=overwrite)
            chat.output.tell_aside(f"Saved {escape_controls(str(target))} ({size(one.size)}).")

    _start(chat, run(), f"saving {names}")


def _progress(chat: Chat, label: str) -> Callable[[int, int], None]:
    shown = escape_controls(label, " ")
    return lambda done, whole: chat.output.progress(shown, done / whole if whole else 1.0)


def _start(chat: Chat, running: Coroutine[Any, Any, None], what: str) -> None:
    async def explained() -> None:
        try:
            await running
        except RefusedError as error:
            chat.refused += 1
            chat.tell(refusals.sentence(error, chat.style))
        except ZchatError as error:
            chat.refused += 1
            chat.tell(escape_controls(str(error), " "))
        finally:
            chat.output.progress("", 1)

    transfer = asyncio.get_running_loop().create_task(explained(), name=what)
    chat.transfers.add(transfer)
    transfer.add_done_callback(chat.transfers.discard)
