"""What an answer quotes where nobody keeps it: looked up before the answer is shown, so that one sees whom it answers.

A terminal keeps the newest messages of each room (`recent.py`), and an answer may be to an older one. What is asked for
here is bounded: a few at once and a second, half a second long. Who cannot wait for it is shown the number alone, as
before. What was found follows what is done to it, and is forgotten when the log goes back.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from zchat.client.core.token_bucket import TokenBucket
from zchat.errors import ZchatError
from zchat.protocol import messages as m

from .asker import Asker
from .recent import Recent
from .said import MENDS, Kept
from .target import partner

if TYPE_CHECKING:
    from zchat.client.client import ChatClient

KEPT = 200  # quotes
AT_ONCE = 8  # questions for the answers that came together
RATE = 10.0  # questions a second: a tenth of what a session may ask
WAIT = 0.5  # seconds that an answer waits for what it quotes
KINDS = ("message", "topic", "tombstone")  # what can be answered, and what is left of it


class Places(Protocol):
    """Where else a message may be kept."""

    def __call__(self, event: m.Durable, /) -> Kept | None:
        """Return what is kept of where an event was said."""


class Quotes:
    """What was looked up. `kept_at` returns what is kept anyway."""

    def __init__(self, client: "ChatClient", asker: Asker, kept_at: Places) -> None:
        self._client, self._asker, self._kept_at = client, asker, kept_at
        self._found = Recent(KEPT)
        self._missing: dict[int, None] = {}  # of which there is nothing
        self._rate = TokenBucket()

    def at(self, event: m.Durable) -> Kept:
        """Return what an event may be about: what is kept of its place, and what was looked up."""
        return self.beside(self._kept_at(event))

    def beside(self, kept: Kept | None) -> Kept:
        """Return what is kept, and what was looked up."""
        return _Both(kept, self._found)

    def take(self, event: m.Durable) -> None:
        """Let what is done to a message change its quote."""
        if isinstance(event, MENDS) and event.target in self._found:
            self._found.take(event)

    def clear(self) -> None:
        """Forget all."""
        self._found.clear()
        self._missing.clear()

    async def look_up(self, events: Iterable[object]) -> None:
        """Look up what these events quote, as far as it is not known and there is time."""
        durable = [event for event in events if isinstance(event, m.Durable)]
        here = {event.seq for event in durable}
        wanted: dict[int, m.Message] = {}
        for event in durable:
            if isinstance(event, m.Message) and (seq := event.reply_to) is not None and seq not in here:
                wanted |= {seq: event} if self._is_unknown(event, seq) else {}
        if wanted and self._client.online:
            chosen = list(wanted.items())[: self._allowed(len(wanted))]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WAIT):
                    await asyncio.gather(*(self._ask(seq, event) for seq, event in chosen))

    def _allowed(self, wanted: int) -> int:
        """Return how many of so many may be asked for now."""
        now = time.monotonic()
        self._rate.set(RATE, now)
        allowed = self._rate.allowance(now, min(wanted, AT_ONCE))
        self._rate.spend(allowed)
        return allowed

    def _is_unknown(self, event: m.Durable, seq: int) -> bool:
        return seq not in self._missing and self.at(event).get(seq) is None

    async def _ask(self, seq: int, event: m.Message) -> None:
        nick, with_ = partner(event, self._client.from_) or (None, None)
        try:
            page = await self._asker.history(
                room=event.room, partner=nick, with_=with_, before=min(seq + 1, m.SEQ_MAX), limit=1, kinds=KINDS,
                current=True,
            )  # fmt: skip
        except ZchatError:
            return  # its number is shown
        found = next((one for one in page.events if not isinstance(one, m.Opaque) and one.seq == seq), None)
        if found is not None:
            self._found.take(found)
        else:
            self._missing[seq] = None
            if len(self._missing) > KEPT:
                del self._missing[next(iter(self._missing))]


class _Both:
    """The first of two in which a message is kept."""

    def __init__(self, one: Kept | None, other: Kept) -> None:
        self._one, self._other = one, other

    def get(self, seq: int, /) -> m.Durable | None:
        found = None if self._one is None else self._one.get(seq)
        return found or self._other.get(seq)
