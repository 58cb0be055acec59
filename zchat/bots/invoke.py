"""One invocation of a handler: what it returns is said. What goes wrong in it is told politely, and never ends the bot.

One thing is not the handler's fault: that the client has ended. Then the handler has not failed, it was cut short. That
is a `ClosedError`, and the next run handles the event again.
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
from .handlers import Invocation
from .watchdog import code_of

log = logging.getLogger(__name__)


async def invoke(invocation: Invocation, context: Context, client: ChatClient) -> bool:
    """Invoke a handler and say what it returned; return False if it failed. Raises ClosedError."""
    function, name = invocation.handler.function, invocation.handler.name
    try:
        args, settings = invocation.arguments(context.bot.prefix)
        if asyncio.iscoroutinefunction(function):
            answer = await function(context, *args, **settings)
        else:
            loop = asyncio.get_running_loop()
            answer = await asyncio.to_thread(function, PlainContext(context, loop), *args, **settings)
        if answer is not None and answer != "":
            if not isinstance(answer, str | int | float):
                raise TypeError(f"{name} returned {type(answer).__name__}: an answer is a str")
            await context.reply(str(answer))
        await context.finish()
    except NoAnswerError as error:
        context.transaction = None
        await _politely(context, client, f"I heard nothing for {error.seconds:g} s, so I let it be.")
    except WrongCallError as error:
        await _politely(context, client, str(error), whisper=True)
    except asyncio.CancelledError as error:
        if (task := asyncio.current_task()) is not None and task.cancelling():
            raise  # it is we who are cut short; else it comes from something that the handler awaited
        log.exception("%s failed: %s", name, _cause(error, function))
        return False
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # not Ctrl-C: asyncio and `Bot.run` handle that signal
        if isinstance(error, ClosedError) or client.over:
            raise ClosedError from error
        log.exception("%s failed: %s", name, _cause(error, function))
        return False
    finally:
        await context.stop()
    return True


def _cause(error: BaseException, function: Callable[..., Any]) -> str:
    """Say what went wrong, and on which line of the handler's own file: the console shows no traceback."""
    said = "".join(traceback.format_exception_only(error)).strip()
    frames = traceback.extract_tb(error.__traceback__)
    code = code_of(function)
    own = [frame for frame in frames if code is not None and frame.filename == code.co_filename] or frames
    return f"{said} ({own[-1].filename}, line {own[-1].lineno}, in {own[-1].name})"


async def apologise(handler: str, context: Context, client: ChatClient) -> None:
    """Tell the sender that a handler failed. Raises ClosedError."""
    context.transaction = None
    if isinstance(context.event, m.Message):
        await _politely(context, client, f"Sorry, something went wrong in {handler}. It has been logged.")


async def _politely(context: Context, client: ChatClient, text: str, *, whisper: bool = False) -> None:
    """Tell the sender something; in the room, if a direct message does not reach them any more."""
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
