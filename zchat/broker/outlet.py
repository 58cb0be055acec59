"""Writing to both sockets: what the pipeline has gathered leaves as one message for each topic and each peer.

Sending never blocks. A peer whose send queue is full does not read: its connection is ended at once, with all that is
queued for it, and its session with it. So is that of a peer that floods. Who may not stay for another reason is cut
once what was sent to it has left: a `bye` says why (`gate.py`).

Ending a session has something told to others. So this goes on until nothing is left.
"""

import logging
from collections.abc import Callable

import zmq

from zchat.protocol import wire

from .connections import Connections
from .gate import Gate
from .inlet import Inlet
from .notes import Notes
from .pipeline import Pipeline

NOBLOCK = int(zmq.NOBLOCK)  # plain integers: an enum costs a microsecond per use
SEND_PART = int(zmq.SNDMORE | zmq.NOBLOCK)


class Outlet:
    """Sends the output of a pipeline. `start` begins a task: (work, *arguments)."""

    def __init__(
        self,
        router: "zmq.Socket[bytes]",
        publisher: "zmq.Socket[bytes]",
        pipeline: Pipeline,
        connections: Connections,
        inlet: Inlet,
        gate: Gate,
        notes: Notes,
        start: Callable[..., None],
    ) -> None:
        self._router, self._publisher, self._pipeline = router, publisher, pipeline
        self._connections, self._inlet, self._gate, self._notes = connections, inlet, gate, notes
        self._start = start
        self.published = self.delivered = self.sent = 0  # lines since the start

    def flush(self) -> None:
        """Send what the pipeline has gathered, and disconnect those who have to go."""
        pipeline = self._pipeline
        if pipeline.public:
            self._gate.note_subscriptions()  # sending alone handles new ones once per millisecond
        while pipeline.public or pipeline.outgoing or pipeline.slow or pipeline.floods:
            public, outgoing = pipeline.collect()
            slow, pipeline.slow = pipeline.slow, []
            for topic, lines in public.items():
                self.publish(topic, lines)
                self.delivered += len(lines) * self._present(topic)
            for peer, lines in outgoing.items():
                self.send(peer, lines)
            self.published += sum(map(len, public.values()))
            self.sent += sum(map(len, outgoing.values()))
            for peer in slow:
                self._connections.cut(peer)
                pipeline.remove(peer, "slow")
            self._send_away()
        if pipeline.cuts:
            self._cut()

    def publish(self, topic: bytes, lines: list[bytes]) -> None:
        """Publish lines on a topic, in messages of at most 128 KiB."""
        for payload in wire.pack(lines, wire.PUBLISH_MAX):
            self._publisher.send(topic, SEND_PART)
            self._publisher.send(payload, NOBLOCK)

    def send(self, peer: bytes, lines: list[bytes]) -> None:
        """Send lines to a peer, if it is there. One that has not read what was sent before is `slow`."""
        if self._connections.is_gone(peer):
            return  # whoever has its routing id now, and has said nothing yet, is not told what was for it
        for payload in wire.pack(lines, wire.ANSWER_MAX):
            try:
                self._router.send(peer, SEND_PART)
                self._router.send(payload, NOBLOCK)
                self._connections.sent(peer, len(payload))
            except zmq.Again:
                self._pipeline.slow.append(peer)
                return
            except zmq.ZMQError as error:
                if error.errno != zmq.EHOSTUNREACH:
                    raise
                return  # its connection is gone; the session has `grace` to reconnect

    def _present(self, topic: bytes) -> int:
        """Return how many sessions here are in the room of a topic: libzmq does not tell how many subscribe to it."""
        room = self._pipeline.hub.roster.rooms.get(wire.room_of(topic))
        return 0 if room is None else room.here

    def _send_away(self) -> None:
        """Disconnect the peers that flood. libzmq still delivers what it holds of them, which is discarded."""
        floods, self._pipeline.floods = self._pipeline.floods, []
        for peer in floods:
            source = self._connections.source(peer)
            self._notes.write(logging.WARNING, "disconnected for flooding: peer %s of %s", peer.hex(), source)
            self._connections.cut(peer)
            self._pipeline.remove(peer, "kick")
            self._inlet.discard([peer])

    def _cut(self) -> None:
        """Disconnect those who have to go, once what was sent to them has left. What they still say is discarded."""
        cuts, self._pipeline.cuts = self._pipeline.cuts, []
        peers, ended = self._gate.cut(cuts)
        self._inlet.discard(peers)
        self._start(self._gate.end, ended)
