"""Something that is to be done soon, once, however often it is asked for: a question to the broker, mostly."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

log = logging.getLogger(__name__)

Spawn = Callable[[Coroutine[Any, Any, Any]], Any]


class Soon:
    """Does `act` for a key a moment after it was asked to, and for each key at most every so often."""

    def __init__(self, act: Callable[[str], Awaitable[None]], spawn: Spawn, *, after: float, every: float) -> None:
        self._act, self._spawn, self._after, self._every = act, spawn, after, every
        self._asked: dict[str, bool] = {}  # keys that are seen to; whether they were asked for once more

    def __call__(self, key: str = "") -> None:
        """Ask for it."""
        if key in self._asked:
            self._asked[key] = True
        else:
            self._asked[key] = True
            self._spawn(self._run(key))

    async def _run(self, key: str) -> None:
        try:
            await asyncio.sleep(self._after)
            while self._asked[key]:
                self._asked[key] = False
                await surely(self._act(key))
                await asyncio.sleep(self._every)
        finally:
            del self._asked[key]


async def surely(work: Awaitable[None]) -> None:
    """Do something that is done again and again, and go on whatever becomes of it."""
    try:
        await work
    except Exception:
        log.exception("a question of the gateway's own has failed")
