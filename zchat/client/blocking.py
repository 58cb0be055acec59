"""What `with ChatClient(...) as chat:` gives a program without asyncio: the oldest calls of `SyncClient`.

Here are the calls only. `sync.py` implements them, and more, on top of `ChatClient`; so that no two files import each
other, `ChatClient` knows this type and loads that file when it is first needed.
"""

from collections.abc import Iterator
from typing import Any, Protocol

from zchat.protocol import messages as m


class BlockingClient(Protocol):
    """Each call waits until it is done; from one thread at a time. Deprecated: `SyncClient` is this, and more."""

    def say(
        self,
        text: str,
        *,
        room: str | None = None,
        to: str | None = None,
        with_: str | None = None,
        kind: m.Kind = "message",
        reply_to: int | None = None,
        once: str | None = None,
    ) -> m.Ack:
        """Send a message; returns once it is on the broker's disk. Raises RefusedError."""
        ...

    def set_topic(self, room: str, text: str) -> m.Ack:
        """Set a room's topic. Raises RefusedError."""
        ...

    def ask(self, command: m.Command, timeout: float | None = None) -> m.Reply:
        """Return the answer to a plain command. Raises RefusedError, TimedOutError."""
        ...

    def join(self, room: str, *, after: int | None = None, backlog: int | None = None) -> m.Joined:
        """Follow a room; its history comes through `listen()`. Raises RefusedError, TimedOutError."""
        ...

    def listen(self, *rooms: str) -> Iterator[Any]:
        """Yield what happens; with `rooms`, the messages of these only. See `ChatClient.listen`."""
        ...

    def close(self) -> None:
        """Say goodbye and close the sockets."""
        ...
