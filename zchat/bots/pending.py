"""Sending what a bot says and does. What was written down is struck out when the broker has answered it."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

from zchat.client.arguments import check_size
from zchat.client.client import ChatClient
from zchat.errors import ClosedError, RefusedError
from zchat.protocol import messages as m
from zchat.protocol import wire

from .store import BotFile, PendingMend, PendingMessage

log = logging.getLogger(__name__)


def check(message: PendingMessage | PendingMend, client: ChatClient) -> None:
    """Refuse what could not be sent. Raises RefusedError."""
    if isinstance(message, PendingMend):
        check_size(command_of(message), client.welcome)
        return
    command = m.Say(
        n=1, room=message.room, to=message.to, with_=message.with_, text=message.text, once=message.once,
        files=message.files,
    )  # fmt: skip
    check_size(command, client.welcome)


def command_of(mend: PendingMend) -> Any:
    """Return the command that was written down."""
    return wire.commands(mend.line.encode())[0]


async def post(message: PendingMessage | PendingMend, client: ChatClient) -> "asyncio.Future[m.Ack]":
    """Queue it, as `ChatClient.post` does."""
    if isinstance(message, PendingMend):
        return asyncio.create_task(client.messages.do(command_of(message)))
    return await client.post(
        message.text,
        room=message.room,
        to=message.to,
        with_=message.with_,
        kind=message.kind,  # type: ignore[arg-type]
        reply_to=message.reply_to,
        once=message.once,
        files=message.files,
    )


async def send_pending(
    pending: Iterable[tuple[int, PendingMessage | PendingMend]], client: ChatClient, file: BotFile
) -> None:
    """Send what was written down, in order. Raises RefusedError if the client has ended."""
    for id_, message in pending:
        try:
            _strike_out(id_, await post(message, client), client, file)
        except RefusedError as error:
            if client.over:
                raise
            log.warning("not done: %s", error)  # this broker takes less than the one it was meant for
            file.sent(id_)


def _strike_out(id_: int, answer: "asyncio.Future[m.Ack]", client: ChatClient, file: BotFile) -> None:
    """Strike out a message when the broker has answered it, whatever the answer is."""

    def settle(done: "asyncio.Future[m.Ack]") -> None:
        error = None if done.cancelled() else done.exception()
        if done.cancelled() or isinstance(error, ClosedError) or client.over:
            return
        if error is not None:
            log.warning("not done: %s", error)
        file.sent(id_)

    answer.add_done_callback(settle)
