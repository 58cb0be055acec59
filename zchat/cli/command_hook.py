"""A command for each message: `zchat tail --run`.

The command gets the text on its standard input and the rest in environment variables, and nothing in its command line:
so the shell never reads what a stranger wrote. One command runs at a time, in the order of the messages. A slow one
only delays the next, because the client buffers new messages. Each runs in a process group of its own, so that one that
hangs is killed together with all that it started. If a command fails, standard error says so, and the next one runs.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from zchat.client.senders import Senders
from zchat.errors import RefusedError
from zchat.escapes import escape_controls
from zchat.protocol import messages as m

if TYPE_CHECKING:
    from zchat.client.client import ChatClient

OUTPUT_MAX = 1024 * 1024  # bytes of output that are read: far beyond what one message may hold
KILL_TIMEOUT = 1.0  # seconds that a killed command gets to be gone
KEPT = ("DATA", "LOG_DIR", "FEED", "TIMEOUT", "CONFIG")  # what a zchat in the command needs; the rest is of tail


class FailedError(Exception):
    """A command has failed; `str()` says how."""


class CommandHook:
    """Runs `command` for each message, for `timeout` seconds at most; with `reply`, its output is sent as the answer.

    `key` names the message with a seq.
    """

    def __init__(
        self,
        client: "ChatClient",
        command: str,
        broker: str,
        reply: bool,
        timeout: float,
        key: Callable[[int], str] = str,
    ) -> None:
        self._client, self._command, self._reply, self._timeout = client, command, reply, timeout
        self._key = key
        self._senders = Senders()
        kept = {f"ZCHAT_{name}" for name in KEPT}
        self._env = {name: value for name, value in os.environ.items() if name in kept or not name.startswith("ZCHAT_")}
        self._env["ZCHAT_BROKER"] = broker

    async def handle(self, message: m.Message, _line: bytes) -> None:
        """Run the command for one message. With `reply`, leave out our own messages and those of bots."""
        if self._reply and await self._is_left_out(message):
            return
        try:
            output = await self._run(message)
        except FailedError as failure:
            output = failure.args[1] if len(failure.args) > 1 else b""
            click.echo(f"zchat: the command for message {message.seq} {failure.args[0]}", err=True)
        if self._reply and output.strip():
            await self._answer(message, output)

    async def _is_left_out(self, message: m.Message) -> bool:
        """Say whether we said this, or a bot. A person may be talking on another device of the member that we are."""
        if message.from_ == self._client.from_:
            return await self._client.is_own(message)
        return await self._senders.is_bot(self._client, message)

    async def _answer(self, message: m.Message, output: bytes) -> None:
        most = self._client.welcome.limits.text if self._client.welcome else m.TEXT_MAX
        text = output.rstrip(b"\n")[:most].decode(errors="ignore").replace("\0", "")
        to = message.nick if message.room is None else None
        try:
            await self._client.say(
                text, room=message.room, to=to, reply_to=message.seq, once=f"run-{self._key(message.seq)}"
            )
        except RefusedError as error:
            if self._client.over:
                raise
            click.echo(
                f"zchat: the answer to message {message.seq} was refused: {escape_controls(str(error))}", err=True
            )

    async def _run(self, message: m.Message) -> bytes:
        """Return what the command printed. Raises FailedError, with what it had printed."""
        process = await self._start(variables(message))
        printed = bytearray()
        try:
            async with asyncio.timeout(self._timeout):
                await asyncio.gather(_feed(process, message.text.encode()), _read(process, printed))
                await process.wait()
        except TimeoutError:
            raise FailedError(f"was still running after {self._timeout:g} s and was killed", bytes(printed)) from None
        finally:
            await _end(process)
        if process.returncode:
            code = process.returncode
            raise FailedError(f"was killed by signal {-code}" if code < 0 else f"failed with {code}", bytes(printed))
        return bytes(printed)

    async def _start(self, told: dict[str, str]) -> asyncio.subprocess.Process:
        """Start the command, also if we are cancelled: asyncio would kill the shell only, and wait for its children."""
        starting = asyncio.create_task(
            asyncio.create_subprocess_shell(
                self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE if self._reply else None,
                env=self._env | told,
                start_new_session=True,
            )
        )
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            await _end(await starting)
            raise


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill the process and all that it started. Do not wait for long: one that left the group may hold the pipes."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), KILL_TIMEOUT)


async def _feed(process: asyncio.subprocess.Process, text: bytes) -> None:
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it does not read its input
            process.stdin.write(text + b"\n")
            await process.stdin.drain()
        process.stdin.close()


async def _read(process: asyncio.subprocess.Process, into: bytearray) -> None:
    while process.stdout is not None and (chunk := await process.stdout.read(65_536)):
        into += chunk
        if len(into) > OUTPUT_MAX:
            raise FailedError(f"printed more than {OUTPUT_MAX} bytes and was killed", bytes(into))


def variables(message: m.Message) -> dict[str, str]:
    """Return the environment variables that tell a command about a message."""
    told = {
        "SEQ": message.seq,
        "TIME": message.time,
        "ROOM": message.room,
        "TO": message.to,
        "SENDER": message.nick,
        "SENDER_ID": message.from_,
        "KIND": message.kind,
        "REPLY_TO": message.reply_to,
    }
    return {f"ZCHAT_{name}": str(value) for name, value in told.items() if value is not None}
