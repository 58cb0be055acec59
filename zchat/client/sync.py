"""A ChatClient for programs without asyncio: each call waits until it is done.

    with ChatClient("watcher") as chat:
        for message in chat.listen("general"):
            print(message.nick, message.text)

The client lives in a loop in a thread of its own, so it pings, reconnects and repairs while the program computes.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

from zchat.errors import ClosedError
from zchat.protocol import messages as m

from .blocking import BlockingClient
from .client import ChatClient

T = TypeVar("T")


class PlainClient(BlockingClient):
    """Runs `client` in a thread of its own, and hands each call over to it."""

    def __init__(self, client: ChatClient) -> None:
        self.client = client
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="zchat", daemon=True)
        self._thread.start()
        try:
            self._wait(client.__aenter__())
        except BaseException:
            self._end()
            raise

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
        said = self.client.say(text, room=room, to=to, with_=with_, kind=kind, reply_to=reply_to, once=once)
        return self._wait(said)

    def set_topic(self, room: str, text: str) -> m.Ack:
        return self._wait(self.client.set_topic(room, text))

    def ask(self, command: m.Command, timeout: float | None = None) -> m.Reply:
        return self._wait(self.client.ask(command, timeout))

    def join(self, room: str, *, after: int | None = None, backlog: int | None = None) -> m.Joined:
        return self._wait(self.client.join(room, after=after, backlog=backlog))

    def listen(self, *rooms: str) -> Iterator[Any]:
        events = self.client.listen(*rooms)
        try:
            while True:
                try:
                    yield self._wait(events.__anext__())
                except StopAsyncIteration:
                    return
        finally:
            if not self._is_over:
                self._wait(events.aclose())

    def close(self) -> None:
        if not self._is_over:
            self._wait(self.client.close())
            self._end()

    @property
    def _is_over(self) -> bool:
        """Whether its loop runs no more: it was closed, or this process is a fork, in which the thread is not."""
        return self._loop.is_closed() or self.client.is_forked

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        if self._is_over:
            work.close()
            self.client.check_process()
            raise ClosedError
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # Ctrl-C: nobody waits for it any more
            raise

    def _end(self) -> None:
        asyncio.run_coroutine_threadsafe(_ended(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _ended() -> None:
    """Cancel all that is still under way in this loop, and wait until it has cleaned up."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        if not task.cancelling():  # a second time it would not clean up
            task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    loop = asyncio.get_running_loop()  # here, not from the caller's thread, where another loop may be running
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()
