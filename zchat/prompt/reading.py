"""Read marks: what is read here is read on one's other devices, and the other way round.

The broker keeps for each member through where each room and conversation was read. What is looked at here is told to
it: when one turns away or leaves, when the terminal loses the focus, and otherwise every few seconds. What was read on
another device counts as read here, at once, and after a time away. Where the broker's mark and that of this device
(`read_markers.py`) differ, the further one holds.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from zchat.client.core.direct import split_name
from zchat.errors import ZchatError
from zchat.protocol import messages as m

from .target import Target, nick_of
from .targets import Targets

if TYPE_CHECKING:
    from zchat.client.client import ChatClient

FEATURE = "read"  # of a broker that keeps read marks


class Reading:
    """Tells the broker what was read, and learns from it what was read elsewhere."""

    def __init__(self, client: "ChatClient", targets: Targets, ignores: Callable[[m.Durable], bool]) -> None:
        self._client, self._targets, self._ignores = client, targets, ignores
        self._marked: dict[str, int] = {}  # through where the broker knows, by the name of the target
        self._marking: set[asyncio.Task[None]] = set()
        self.greeted()

    def greeted(self) -> None:
        """Learn what was read before we came (back)."""
        self._marked.clear()
        welcome = self._client.welcome
        for key, seq in ((welcome.read if welcome else None) or {}).items():
            if key.startswith("@"):
                nick, from_ = split_name(key[1:])
                self._read(self._targets.read_before(f"@{nick}", from_, seq), seq)
            else:
                self._read(self._targets.read_before(f"#{key}", None, seq), seq)

    def read_elsewhere(self, event: m.ReadMarked) -> None:
        """Learn what was read just now on another device."""
        name = f"#{event.room}" if event.room is not None else f"@{event.to}"
        self._read(self._targets.read_before(name, event.with_, event.seq), event.seq)

    def _read(self, target: Target | None, seq: int) -> None:
        if target is not None:
            self._marked[target.name] = max(seq, self._marked.get(target.name, 0))
            target.read_through(seq, self._client.from_, self._ignores)

    def mark(self, target: Target | None) -> None:
        """Tell the broker through where a target was read, if it does not know."""
        welcome = self._client.welcome
        if target is None or target.thread is not None or welcome is None or FEATURE not in welcome.features:
            return
        if target.seen <= self._marked.get(target.name, 0) or not self._client.online:
            return
        self._marked[target.name] = target.seen
        task = asyncio.get_running_loop().create_task(self._tell(target, target.seen))
        self._marking.add(task)
        task.add_done_callback(self._marking.discard)

    async def leave(self, target: Target | None, patience: float) -> None:
        """Tell the broker what was read last, and wait so many seconds at most until it knows."""
        self.mark(target)
        if self._marking and self._client.online:
            await asyncio.wait(self._marking, timeout=patience)

    async def _tell(self, target: Target, seq: int) -> None:
        to = None if target.partner is None else nick_of(target.partner)
        with contextlib.suppress(ZchatError):  # whoever may not read it any more has nothing to mark
            await self._client.messages.mark_read(seq, room=target.room, to=to, with_=target.with_)
