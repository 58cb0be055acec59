"""Reading the ROUTER socket: what has arrived, up to a limit, is one batch.

Nothing here waits, and nothing is awaited: a message must not cost a future. Each connection over which something comes
is noted. If another one has taken the routing id of a peer, that peer is `replaced`, and what it sent in this batch is
forgotten. libzmq goes on delivering what it holds of peers that were disconnected: it is thrown away unread.

`read_by` is when all that had arrived was received: only then is silence judged.
"""

import time
from collections.abc import Callable, Iterable

import zmq

from .connections import Connections

BATCH_FRAMES = 8_000  # frames in one batch …
BATCH_LINES = 2_000  # … or newlines in its frames …
BATCH_BYTES = 1024 * 1024  # … or bytes: bounds how long a flood can delay others
THROWN_AWAY = 5.0  # s for which frames of a disconnected peer are discarded: longer than libzmq holds any
NOBLOCK, EVENTS, READABLE = int(zmq.NOBLOCK), int(zmq.EVENTS), int(zmq.POLLIN)


class Inlet:
    """Reads the commands of all peers."""

    def __init__(
        self, router: "zmq.Socket[bytes]", connections: Connections, replaced: Callable[[bytes], None]
    ) -> None:  # fmt: skip
        self._router, self._connections, self._replaced = router, connections, replaced
        self.read_by = 0.0
        self.lines = self.bytes = 0  # received since the start
        self._discarded: dict[bytes, float] = {}  # peers that were disconnected, and until when

    def readable(self) -> bool:
        """Return whether something waits. Asking may consume the signal of the socket's descriptor."""
        return bool(int(self._router.get(EVENTS)) & READABLE)

    def is_empty(self) -> bool:
        """Return whether nothing waits, and note that all that has arrived by now was received then."""
        now = time.monotonic()
        empty = not self.readable()
        if empty:
            self.read_by = now
        return empty

    def discard(self, peers: Iterable[bytes]) -> None:
        """Throw away what still comes from these peers."""
        self._discarded |= dict.fromkeys(peers, time.monotonic() + THROWN_AWAY)

    def forget(self, now: float) -> None:
        """Forget the peers of which nothing can come any more."""
        self._discarded = {peer: until for peer, until in self._discarded.items() if until > now}

    def drain(self) -> list[tuple[bytes, bytes]]:
        """Return the messages that have arrived, up to a limit, as (peer, payload)."""
        batch: list[tuple[bytes, bytes]] = []
        size = lines = 0
        started = time.monotonic()
        receive, noted, discarded = self._router.recv, self._connections.noted, self._discarded
        try:
            while len(batch) < BATCH_FRAMES and lines < BATCH_LINES and size < BATCH_BYTES:
                if len(batch) == 1 and not self.readable():  # at rest, asking is cheaper than failing with EAGAIN
                    break
                peer = receive(NOBLOCK)
                frame = receive(NOBLOCK, copy=False)  # `frame.more` is half a microsecond faster than RCVMORE
                payload = b"" if peer in discarded else frame.bytes
                if frame.more:
                    while frame.more:
                        frame = receive(NOBLOCK, copy=False)
                    payload = b"[]"  # a line that is no command, and is answered like any other
                if peer in discarded:
                    lines += 1
                    continue
                if peer not in noted and self._connections.note(peer, frame, started):
                    self._replaced(peer)
                    batch = [one for one in batch if one[0] != peer]
                batch.append((peer, payload))
                size += len(payload)
                lines += payload.count(b"\n")
            else:  # There may be more. But ROUTER is fair: if a peer came twice, every other one had its turn.
                if len({peer for peer, _ in batch}) < len(batch):
                    self.read_by = started
                return batch
        except zmq.Again:
            pass
        finally:
            self.lines += lines + len(batch)
            self.bytes += size
        self.read_by = started
        return batch
