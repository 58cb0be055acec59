"""A stand-in for the broker that publishes faster than any client reads: only the client is measured.

It speaks as much of the protocol as a client that follows a room needs, and is honest about it: its log is endless
but computed, so a client that asks for what it missed gets the true lines. XPUB_NODROP makes it wait for a slow
subscriber instead of losing messages, so the client sets the pace.
"""

import json
import time
from itertools import chain
from typing import Any

import zmq
from board import DRAIN, STOP, WARM, Board
from marks import texts

from work.clients import ROOM

PAGE = 1_000  # events in one answer, as the broker gives them
LINES = 300  # events in one publication: what 64 KiB hold
WAITING = 32  # publications in the queue, enough to never let the client wait
QUIET = 0.5  # s without a question after which the client is taken for settled
TOPIC = b"room/%b/" % ROOM.encode()


class StandIn:
    """Answers one client, and floods it while the board's phase is `RUN`."""

    def __init__(self, board: Board, size: int) -> None:
        self.board = board
        self.context = zmq.Context()
        self.router, self.feed = self.context.socket(zmq.ROUTER), self.context.socket(zmq.XPUB)
        for socket in (self.router, self.feed):
            socket.linger = 0
        self.feed.setsockopt(zmq.XPUB_NODROP, 1)
        self.feed.sndhwm = WAITING
        self.ports = [socket.bind_to_random_port("tcp://127.0.0.1") for socket in (self.router, self.feed)]
        self.head = 0
        self.repairs = 0
        self.shapes = [self._shape(text.decode()) for text in texts(size)]
        self.block = b"\n".join((self.shapes * 2)[:LINES])

    def serve(self) -> dict[str, Any]:
        """Answer and publish until the board says stop; `repairs` counts the times the client asked for a hole."""
        board, asked, last = self.board, False, time.monotonic()
        payload = b""
        while board.phase != STOP and (not board.target or board.seen < board.target):
            if self._answer():
                asked, last = True, time.monotonic()
            while self.feed.poll(0):
                self.feed.recv()
            if board.phase == WARM and asked and time.monotonic() - last > QUIET:
                board.ready = 1
            if board.phase == DRAIN and not board.target:
                board.target = self.head + LINES  # one more, to wake a client that waits with all else seen
            if board.phase == WARM or self.head == board.target > 0:
                self.router.poll(1)
            elif self._publish(payload := payload or self._block()):
                payload = b""
                self.head += LINES
            else:
                self.router.poll(1)
        self.context.destroy(linger=0)
        return {"repairs": self.repairs}

    def _publish(self, payload: bytes) -> bool:
        try:
            self.feed.send_multipart([TOPIC, payload], zmq.DONTWAIT)
        except zmq.Again:
            return False
        return True

    def _answer(self) -> bool:
        heard = False
        while self.router.poll(0):
            peer, payload = self.router.recv_multipart()
            for command in map(json.loads, payload.splitlines()):
                heard |= command["type"] != "ping"
                answers = self._reply(command)
                ref = {"ref": command["ref"]} if "ref" in command else {}
                lines = [json.dumps({**answer, **ref}, separators=(",", ":")).encode() for answer in answers]
                if lines:
                    self.router.send_multipart([peer, b"\n".join(lines)])
                if command["type"] == "ping" and command.get("feed"):
                    echo = json.dumps({"type": "echo", **ref}, separators=(",", ":")).encode()
                    self.feed.send_multipart([b"session/0123456789abcdef/", echo])
        return heard

    def _reply(self, command: dict[str, Any]) -> list[dict[str, Any]]:
        kind = command["type"]
        if kind == "hello":
            return [self._welcome(command)]
        if kind == "ping":
            return [{"type": "pong", "n": 0, "heads": {ROOM: self.head}, "revs": {ROOM: 0}}]
        if kind == "history":
            self.repairs += self.head > 0
            return [self._history(command.get("after", self.head), command.get("limit", PAGE))]
        if kind == "join":
            joined = {"type": "joined", "room": ROOM, "topic": "", "head": self.head, "rev": 0, "members": []}
            asks = "after" in command or "backlog" in command
            return [joined, self._history(command.get("after", self.head))] if asks else [joined]
        return []

    def _welcome(self, hello: dict[str, Any]) -> dict[str, Any]:
        limits = {"text": 16384, "frame": 1 << 20, "lines": 1000, "rooms": 256, "rate": 0}
        who = {"client": hello.get("client", "0" * 32), "from": "0" * 16, "nick": hello.get("nick")}
        keys = {"log": "1" * 32, "session": "2" * 32, "id": "0123456789abcdef", "feed": f"tcp://*:{self.ports[1]}"}
        times = {"heartbeat": 5, "grace": 15, "time": "2026-11-22T05:30:00.123Z"}
        start = {"type": "welcome", "protocol": 1, "server": "stand-in", "n": 0, "limits": limits}
        return {key: value for key, value in {**start, **who, **keys, **times}.items() if value is not None}

    def _history(self, after: int, limit: int = PAGE) -> dict[str, Any]:
        upto = min(self.head, after + limit)
        lines = [
            self.shapes[(seq - 1) % LINES % len(self.shapes)] % (seq, seq - 1) for seq in range(after + 1, upto + 1)
        ]
        answer = {"type": "history", "room": ROOM, "upto": max(upto, after), "more": upto < self.head}
        return {**answer, "events": [json.loads(line) for line in lines]}

    def _block(self) -> bytes:
        """Return the next `LINES` events as one payload."""
        after = self.head
        return self.block % tuple(chain.from_iterable((seq, seq - 1) for seq in range(after + 1, after + LINES + 1)))

    @staticmethod
    def _shape(text: str) -> bytes:
        """Return an event whose `seq` and `prev` are still to be filled in."""
        who = {"time": "2026-11-22T05:30:00.123Z", "from": "9f86d081884c7d65", "nick": "alice", "kind": "message"}
        tail = json.dumps({"room": ROOM, **who, "text": text}, separators=(",", ":"))
        return b'{"type":"message","seq":%d,"prev":%d,' + tail[1:].encode()


def stand_in(board: Board, size: int) -> dict[str, Any]:
    """Be the broker for one client that follows the room; the board's `port` is where."""
    server = StandIn(board, size)
    board.port = server.ports[0]
    return server.serve()
