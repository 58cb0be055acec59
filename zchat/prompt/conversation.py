"""The loop of a conversation: lines are taken one after the other, while what happens is shown beside it."""

import asyncio
from collections.abc import AsyncIterator

from zchat.errors import RefusedError, TimedOutError, ZchatError
from zchat.escapes import escape_controls

from . import doing, refusals, slash
from .about import Regarding
from .chat import Chat


class Literal(str):
    """A line to be said as it is, even if it looks like a command."""

    __slots__ = ()


async def take(line: str, chat: Chat) -> None:
    """Do what a typed line means: say it, run a command, or leave. White space before a command does not count."""
    begins = line.lstrip()
    if isinstance(line, Literal):
        await chat.say(line)
    elif isinstance(line, Regarding):
        await doing.regard(chat, line)
    elif line.strip() == "exit":
        chat.leaving = True
    elif begins.startswith("/") and not begins.startswith("//"):
        await slash.run(begins, chat)
    elif begins:
        await chat.say(begins[1:] if begins.startswith("//") else line)


async def converse(chat: Chat, source: AsyncIterator[str], patience: float | None) -> None:
    """Take all lines of `source` and show what happens. Return at the end of the lines, or when one leaves.

    Before it returns it waits `patience` seconds for what is not acknowledged (None: as long as it takes). Lines are
    read while the one before still runs, so a slow answer does not hold up the typing. Raises SessionEndedError.
    """
    typed: asyncio.Queue[str | None] = asyncio.Queue(maxsize=100)

    async def read() -> None:
        try:
            async for line in source:
                await typed.put(line)
        finally:
            await typed.put(None)

    async def work() -> None:
        while not chat.leaving and (line := await typed.get()) is not None:
            await take_or_explain(line, chat)
        await chat.settle(patience)

    reading, working, listening = (asyncio.create_task(job) for job in (read(), work(), chat.listen()))
    try:
        done, _ = await asyncio.wait({working, listening}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        if reading.done():
            reading.result()
    finally:
        for task in (reading, working, listening):
            task.cancel()
        await asyncio.gather(reading, working, listening, return_exceptions=True)


async def take_or_explain(line: str, chat: Chat) -> None:
    """Do what a typed line means; what goes wrong is told."""
    try:
        await take(line, chat)
    except ZchatError as error:
        if isinstance(error, RefusedError):
            chat.refused += 1
            chat.tell(refusals.sentence(error, chat.style))
        elif isinstance(error, TimedOutError) and not chat.client.online:
            chat.tell("No broker now: ask again when it is back.")
        else:
            chat.tell(escape_controls(str(error), " "))
