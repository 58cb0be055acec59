"""Threads: a message and its answers, as a place of their own, like a room."""

from zchat.errors import RefusedError
from zchat.protocol import messages as m
from zchat.protocol import names

from . import lookup, render
from .chat import Chat
from .target import IN_THREAD

SHOWN = 50  # answers that are shown when one turns to a thread: the latest


async def find(chat: Chat, seq: int) -> m.Message:
    """Return a message as it is now: of where one is, or found elsewhere. Raises RefusedError, TimedOutError."""
    found = await _standing(chat, seq)
    if not isinstance(found, m.Message):
        raise _missing(seq)
    return found


def _missing(seq: int) -> RefusedError:
    return RefusedError("bad_target", f"there is no message {seq} here, or it was deleted")


def require_here(chat: Chat, seq: int) -> None:
    """Say where a message was found, if that is another room. Raises RefusedError."""
    room = chat.search_hits.get(seq)
    if room is not None and room != chat.room:
        place = room if names.is_private(room) else f"#{room}"
        raise RefusedError("bad_target", f"message {seq} was said in {place}: /join {place} leads there")


async def _standing(chat: Chat, seq: int) -> m.Durable | None:
    """Return what is under a number where one is, as it is now: a message, or what is left of one.

    In a thread, that may be around it; and it may be in the room where /search or /mentions has found it.
    """
    here, room = chat.here, chat.search_hits.get(seq)
    found = None if here is None else here.recent.get(seq)
    if found is None and (here is not None or room is not None):
        kinds = ("message", "topic", "tombstone")
        page = await lookup.page(chat, room=room, before=min(seq + 1, m.SEQ_MAX), limit=1, kinds=kinds, whole=True)
        found = next((event for event in page.events if not isinstance(event, m.Opaque) and event.seq == seq), None)
    return found


async def turn_to(chat: Chat, seq: int) -> None:
    """Turn to the thread to which a message belongs, and show it. Raises RefusedError, TimedOutError.

    The answers to a message stay when it is deleted, and so does their thread.
    """
    if lookup.nowhere(chat) or chat.here is None:
        return
    require_here(chat, seq)
    found = await _standing(chat, seq)
    if not isinstance(found, m.Message | m.Tombstone) or getattr(found, "target", None) is not None:
        raise _missing(seq)
    root = found.thread or found.seq
    page = await lookup.page(chat, thread=root, limit=SHOWN)
    events = [one for one in page.events if not isinstance(one, m.Opaque)]
    if all(one.seq != root for one in events):
        events[:0] = filter(None, [await _standing(chat, root)])
    if isinstance(found, m.Tombstone) and all(isinstance(one, m.Tombstone) for one in events):
        raise _missing(seq)
    chat.turn_to(f"{chat.here.base}{IN_THREAD}{root}")
    chat.here.recent.insert(events)
    chat.show(render.divider(f"thread {root} in {chat.style.place(chat.here.base)}", chat.style))
    await lookup.tell(chat, [one for one in events if chat.here.has_in_thread(one)], "")
    chat.output.tell_aside("What you say now answers here; /join goes back.")
