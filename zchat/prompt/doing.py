"""What one does to messages. It waits for the broker as what one says does, and shows as pending until it is stored."""

from zchat.errors import RefusedError
from zchat.protocol import messages as m

from .about import Regarding
from .chat import Chat


async def edit(chat: Chat, seq: int, text: str) -> None:
    """Give a message another text."""
    shown = f"✎ {seq} {text}"
    chat.tell_if_it_waits(shown)
    await chat.sending.do(chat.client.messages.edit(seq, text), m.Edited, seq, shown, text)


async def delete(chat: Chat, *, number: int, reason: str | None) -> None:
    """Take a message back."""
    shown = f"⌫ {number}"
    chat.tell_if_it_waits(shown)
    await chat.sending.do(chat.client.messages.delete(number, reason), m.Deleted, number, shown)


async def react(chat: Chat, *, number: int, emoji: str, off: bool) -> None:
    """React to a message, or take that back."""
    shown = f"{emoji} {number}{' off' if off else ''}"
    chat.tell_if_it_waits(shown)
    await chat.sending.do(chat.client.messages.react(number, emoji, off=off), m.Reacted, number, shown)


async def pin(chat: Chat, *, number: int, off: bool) -> None:
    """Pin a message, or unpin it."""
    shown = f"📌 {number}{' off' if off else ''}"
    chat.tell_if_it_waits(shown)
    await chat.sending.do(chat.client.messages.pin(number, off=off), m.Pinned, number, shown)


async def regard(chat: Chat, line: Regarding) -> None:
    """Do what a line that is about a message means. Raises RefusedError."""
    about, text = line.about, line[1:] if line.startswith("//") else str(line)
    if about.how == "reply":
        await chat.say(text, reply_to=about.seq)
    elif not text.strip():
        raise RefusedError("bad_text", f"there is no text in it: /delete {about.seq} takes the message back")
    elif text == about.text:
        chat.output.tell_aside("Nothing was changed. Ctrl-P brings a line back to say it again.")
    else:
        await edit(chat, about.seq, text)
