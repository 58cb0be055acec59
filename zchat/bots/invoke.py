"""One call of a handler: what it returns is said, and what goes wrong in it is told politely and never ends the bot.

Only one thing is not the handler's: that the client has ended. Then the call did not fail, it was cut short, which
`ClosedError` says, and the event is handled again by the next run.
"""

import asyncio
import logging
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from zchat.client.client import ChatClient
from zchat.errors import ClosedError, RefusedError
from zchat.protocol import messages as m

from .commands import WrongCallError
from .context import Context, NoAnswerError, PlainContext
from .handlers import Work
from .watchdog import code_of

log = logging.getLogger(__name__)


async def called(work: Work, context: Context, client: ChatClient) -> bool:
    """Call a handler and say what it returned; False if it failed. Raises ClosedError."""
    call = work.handler.call
    try:
        args, settings = work.arguments(context.bot.prefix)
        if asyncio.iscoroutinefunction(call):
            answer = await call(context, *args, **settings)
        else:
            loop = asyncio.get_running_loop()
            answer = await asyncio.to_thread(call, PlainContext(context, loop), *args, **settings)
        if answer is not None and answer != "":
            if not isinstance(answer, str | int | float):
                raise TypeError(f"{work.handler.name} returned {type(answer).__name__}: an answer is a str")
            await context.reply(str(answer))
    except NoAnswerError as error:
        context.transaction = None
        await _politely(context, client, f"I heard nothing for {error.seconds:g} s, so I let it be.")
    except WrongCallError as error:
        await _politely(context, client, str(error), whisper=True)
    except asyncio.CancelledError as error:
        if (task := asyncio.current_task()) is not None and task.cancelling():
            raise  # it is we who are cut short; else it comes from something that the handler awaited
        log.exception("%s failed: %s", work.handler.name, _cause(error, call))
        return False
    except (Exception, SystemExit) as error:
        if isinstance(error, ClosedError) or client.over:
            raise ClosedError from error
        log.exception("%s failed: %s", work.handler.name, _cause(error, call))
        return False
    return True


def _cause(error: BaseException, call: Callable[..., Any]) -> str:
    """Say what went wrong, and where in the file of the one who wrote `call`: the console shows no traceback."""
    said = "".join(traceback.format_exception_only(error)).strip()
    places = traceback.extract_tb(error.__traceback__)
    code = code_of(call)
    theirs = [place for place in places if code is not None and place.filename == code.co_filename] or places
    return f"{said} ({theirs[-1].filename}, line {theirs[-1].lineno}, in {theirs[-1].name})"


async def apologise(handler: str, context: Context, client: ChatClient) -> None:
    """Tell the one who wrote that a handler failed. Raises ClosedError."""
    context.transaction = None
    if isinstance(context.event, m.Message):
        await _politely(context, client, f"Sorry, something went wrong in {handler}. It has been logged.")


async def _politely(context: Context, client: ChatClient, text: str, *, whisper: bool = False) -> None:
    """Tell the one who wrote; in the room, if they cannot be told alone any more."""
    try:
        if whisper:
            with suppress(RefusedError):
                await context.whisper(text)
                return
        await context.reply(text)
    except RefusedError as error:
        if client.over:
            raise ClosedError from error
        log.warning("could not be told: %s", error)
