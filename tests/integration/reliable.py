"""A sender and a follower that lose nothing, written from the reliability section of the specification alone.

The sender keeps every command until its answer, numbers without holes and goes back once for each hole. The follower
drops what it has seen, spots a hole by `prev`, fills it with `history`, and looks at the heads in each `pong` for a
lost end. Both take any silence for a lost broker and start again, for ever. Each is a thread with sockets of its own;
`python -m tests.integration.reliable LISTEN ROOM` runs a follower as a process, which can be stopped and continued.
Below them is what holds the log against what they were told and what they show.
"""

import hashlib
import json
import os
import random
import sys
import threading
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any

import zmq

from tests.conftest import wait_for
from tests.integration.raw import Line, Net, compact

SILENCE = 1.0  # seconds until the broker is taken for gone: short, since these tests kill it all the time
Json = dict[str, Any]


class LostError(Exception):
    """The broker went, or forgot us: begin again."""


class Wire:
    """A DEALER and, if wanted, a SUB, for one life between two losses."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", listen: str) -> None:
        self.dealer = context.socket(zmq.DEALER)
        self.feed = context.socket(zmq.SUB)
        self.feed.rcvhwm = 0
        self.dealer.connect(listen)
        self.heard = time.monotonic()

    def close(self) -> None:
        self.dealer.close(linger=0)
        self.feed.close(linger=0)

    def send(self, *lines: Json) -> None:
        try:
            self.dealer.send(b"\n".join(map(compact, lines)), zmq.NOBLOCK)
        except zmq.Again:
            raise LostError("the pipe is full") from None

    def replies(self, wait: float) -> list[Json]:
        """Return what came on the DEALER within `wait` seconds; raise LostError after too long a silence."""
        if not self.dealer.poll(round(wait * 1000)):
            if time.monotonic() - self.heard > SILENCE:
                raise LostError("silence")
            return []
        self.heard = time.monotonic()
        return [json.loads(line) for line in self.dealer.recv().splitlines()]

    def hello(self, client: str, nick: str | None) -> tuple[Json, list[Json]]:
        """Say hello; return the welcome and what else came before it."""
        self.send({"type": "hello", "protocol": 1, "client": client, **({"nick": nick} if nick else {})})
        before: list[Json] = []
        while True:
            for reply in self.replies(SILENCE):
                if reply["type"] == "welcome":
                    return reply, before
                if reply["type"] == "error" and reply["code"] != "no_session":
                    raise LostError(reply["message"])
                before.append(reply)


class Reliable(threading.Thread):
    """A thread that begins again whenever it has lost the broker."""

    def __init__(self, listen: str, nick: str | None = None) -> None:
        super().__init__(daemon=True)
        self.listen, self.nick = listen, nick
        self.client = os.urandom(16).hex()
        self.finish = threading.Event()
        self.lives = 0
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            with zmq.Context() as context:
                while not self.done():
                    self.lives += 1
                    wire = Wire(context, self.listen)
                    try:
                        self.live(wire)
                    except LostError:
                        time.sleep(0.02)
                    finally:
                        wire.close()
        except BaseException as failure:  # noqa: BLE001 — told by `end`, in the thread that can fail the test
            self.failure = failure

    def end(self, timeout: float) -> None:
        """Ask for the end and wait for it; raise what went wrong."""
        self.finish.set()
        self.join(timeout)
        if self.failure:
            raise self.failure
        assert not self.is_alive(), f"{self.name} has not come to its end"

    def done(self) -> bool:
        return self.finish.is_set()

    def live(self, wire: Wire) -> None:
        raise NotImplementedError


class Sender(Reliable):
    """Keeps `window` commands outstanding; every 20th is a topic, every 33rd one that must be refused."""

    def __init__(self, listen: str, nick: str, rooms: list[str], window: int = 64) -> None:
        super().__init__(listen, nick)
        self.rooms, self.window = rooms, window
        self.commands: list[Json] = []
        self.unanswered: deque[Json] = deque()
        self.acked: dict[int, int | None] = {}
        self.refused: set[int] = set()
        self.sender = ""

    def done(self) -> bool:
        return self.finish.is_set() and not self.unanswered

    def live(self, wire: Wire) -> None:
        expected = self._start(wire)
        while not self.done():
            room_left = 0 if self.finish.is_set() else self.window - len(self.unanswered)
            if room_left >= self.window // 4:
                fresh = [self._next() for _ in range(room_left)]
                self.unanswered.extend(fresh)
                wire.send(*fresh)
            for reply in wire.replies(0.1):
                code = reply.get("code")
                if reply["type"] == "bye" or code == "no_session":
                    raise LostError("no session")
                if code == "out_of_order" and reply["expected"] != expected:
                    expected = reply["expected"]  # once for each hole: the others with the same number are its echoes
                    wire.send(*(command for command in self.unanswered if command["n"] >= expected))
                elif code in {"unavailable", "rate_limited"}:
                    raise LostError(code)
                elif self._answered(reply):
                    expected = 0

    def _start(self, wire: Wire) -> int:
        welcome, before = wire.hello(self.client, self.nick)
        for reply in before:
            self._answered(reply)
        assert welcome["n"] <= len(self.commands), "the broker has taken what was never sent"
        first = self.unanswered[0]["n"] if self.unanswered else len(self.commands) + 1
        assert welcome["n"] >= first - 1, "the broker has forgotten what it has acknowledged"
        self.sender = welcome["from"]
        if self.unanswered:
            wire.send(*self.unanswered)
        return 0

    def _next(self) -> Json:
        n = len(self.commands) + 1
        command: Json = {"type": "say", "n": n, "room": self.rooms[n % len(self.rooms)], "text": f"{self.nick} {n}"}
        if n % 20 == 0:
            command["type"] = "topic"
        elif n % 33 == 0:
            command["text"] = ""
        self.commands.append(command)
        return command

    def _answered(self, reply: Json) -> bool:
        """Strike the command that this answers off the list; return whether there was one."""
        refusal = reply["type"] == "error" and reply["code"] == "bad_text"
        if reply["type"] != "ack" and not refusal:
            return False
        n = reply["n"]
        if not self.unanswered or n < self.unanswered[0]["n"]:
            return False  # of something sent twice
        assert n == self.unanswered[0]["n"], f"the answer to {n} came before that to {self.unanswered[0]['n']}"
        command = self.unanswered.popleft()
        if refusal or not command["text"]:
            assert not command["text"], "a good line was refused"
            self.refused.add(n)
        else:
            self.acked[n] = reply.get("seq")
        return True


class Follower(Reliable):
    """Follows rooms; `view` is what it shows for each, in the order in which it shows it.

    Of the feed's frames, it loses a share of `loss`, as one who reads too slowly does.
    """

    def __init__(self, listen: str, rooms: list[str], loss: float = 0) -> None:
        super().__init__(listen)
        self.rooms, self.loss = rooms, loss
        self.view: dict[str, list[Json]] = {room: [] for room in rooms}
        self.cursor: dict[str, int] = dict.fromkeys(rooms, 0)
        self.repairs = 0

    def live(self, wire: Wire) -> None:
        self.held: dict[str, list[Json]] = {}  # by room: what came while its history was asked for
        self.behind: dict[str, int] = defaultdict(int)
        welcome, _ = wire.hello(self.client, None)
        wire.feed.subscribe(f"session/{welcome['id']}/")
        for room in self.rooms:
            wire.feed.subscribe(f"room/{room}/")
        wire.feed.connect(welcome["feed"])
        self._wait_for_echo(wire)
        for room in self.rooms:
            self.held[room] = []
            wire.send({"type": "join", "room": room, "after": self.cursor[room], "quiet": True})
        self._follow(wire)

    def _wait_for_echo(self, wire: Wire) -> None:
        deadline = time.monotonic() + 2 * SILENCE
        while time.monotonic() < deadline:
            wire.send({"type": "ping", "feed": True})
            wire.replies(0.1)
            if wire.feed.poll(0):
                topic, _ = wire.feed.recv_multipart()
                if topic.startswith(b"session/"):
                    return
        raise LostError("no echo")

    def _follow(self, wire: Wire) -> None:
        echoed = pinged = time.monotonic()
        while not self.finish.is_set():
            zmq.select([wire.feed, wire.dealer], [], [], 0.02)
            if self._read_feed(wire):
                echoed = time.monotonic()
            for reply in wire.replies(0):
                self._reply(wire, reply)
            now = time.monotonic()
            if now - pinged > SILENCE / 5:
                if now - pinged > 2 * SILENCE:  # this process itself was stopped
                    echoed = now
                pinged = now
                wire.send({"type": "ping", "feed": True})
                self.progress()
            if now - echoed > 3 * SILENCE:
                raise LostError("the feed is dead")

    def _read_feed(self, wire: Wire, most: int = 100) -> bool:
        """Take in up to `most` frames of the feed; return whether the broker's echo was among them."""
        echo = False
        for _ in range(most):
            if not wire.feed.poll(0):
                break
            topic, payload = wire.feed.recv_multipart()
            if topic.startswith(b"session/"):
                echo = True
            elif random.random() >= self.loss:
                for line in payload.splitlines():
                    self._event(wire, json.loads(line))
        return echo

    def progress(self) -> None:
        """Called a few times a second."""

    def _event(self, wire: Wire, event: Json) -> None:
        if "seq" not in event:
            return
        room = event["room"]
        if room in self.held:
            self.held[room].append(event)
        elif event["prev"] > self.cursor[room]:
            self.held[room] = [event]
            self.repairs += 1
            self._ask(wire, room)
        else:
            self._show(event)

    def _show(self, event: Json) -> None:
        if event["seq"] > self.cursor[event["room"]]:
            self.keep(event)
            self.cursor[event["room"]] = event["seq"]

    def keep(self, event: Json) -> None:
        """Show an event to the person for whom all this is done."""
        self.view[event["room"]].append(event)

    def _ask(self, wire: Wire, room: str) -> None:
        wire.send({"type": "history", "room": room, "after": self.cursor[room]})

    def _reply(self, wire: Wire, reply: Json) -> None:
        if reply["type"] == "bye" or reply.get("code") == "no_session":
            raise LostError("no session")
        if reply["type"] == "error":
            raise LostError(reply["message"])
        if reply["type"] == "pong":
            self._heads(wire, reply["heads"])
        if reply["type"] != "history":
            return
        room = reply["room"]
        for event in reply["events"]:
            self._show(event)
        self.cursor[room] = max(self.cursor[room], reply["upto"])
        if reply["more"]:
            self._ask(wire, room)
            return
        for event in self.held.pop(room, []):
            self._event(wire, event)

    def _heads(self, wire: Wire, heads: dict[str, int]) -> None:
        for room, head in heads.items():
            cursor = self.cursor[room]
            if head > cursor and self.behind[room] > cursor and room not in self.held:
                self.held[room] = []
                self.repairs += 1
                self._ask(wire, room)
            self.behind[room] = head


def whole_log(net: Net, room: str) -> list[Json]:
    """Read all pages of a room's history."""
    observer = net.session(None)
    events: list[Json] = []
    page: Line | Json = {"upto": 0, "more": True}
    while page["more"]:
        page = observer.history(room=room, after=page["upto"])
        events += page["events"]
    return events


def audit_chain(events: list[Json]) -> None:
    seqs = [event["seq"] for event in events]
    assert seqs == sorted(set(seqs)), "a seq was used twice or out of order"
    assert [event["prev"] for event in events] == [0, *seqs][: len(seqs)], "the chain of prev is broken"


def audit_sender(log: dict[str, list[Json]], sender: Sender) -> None:
    """Check that the log has each of its commands that was not refused, once, in its order, where the ack said."""
    mine = [event for events in log.values() for event in events if event["from"] == sender.sender]
    mine.sort(key=lambda event: event["seq"])
    good = [command for command in sender.commands if command["text"]]
    assert [(event["type"], event["room"], event["text"]) for event in mine] == [
        ("message" if command["type"] == "say" else "topic", command["room"], command["text"]) for command in good
    ]
    for event, command in zip(mine, good, strict=True):
        assert sender.acked[command["n"]] in {event["seq"], None}
    assert set(sender.acked) | sender.refused == set(range(1, len(sender.commands) + 1))


def wait_for_acks(senders: Sequence[Sender]) -> None:
    goals = [len(sender.acked) + 50 for sender in senders]
    wait_for(
        lambda: all(len(s.acked) > goal or s.failure for s, goal in zip(senders, goals, strict=True)), "new acks", 30
    )


def wait_for_view(follower: Follower, room: str, count: int) -> None:
    wait_for(lambda: len(follower.view[room]) >= count or follower.failure, "a follower to catch up", 30)


def digest_line(seq: int, text: str) -> bytes:
    """Return what one event adds to the digest of a view."""
    return f"{seq} {text[:20]}\n".encode()


class Reporter(Follower):
    """Keeps no events, but prints a line of JSON a few times a second: how many there were, and their digest."""

    def __init__(self, listen: str, rooms: list[str]) -> None:
        super().__init__(listen, rooms)
        self.count, self.digest = 0, hashlib.sha256()

    def keep(self, event: Json) -> None:
        self.count += 1
        self.digest.update(digest_line(event["seq"], event["text"]))

    def progress(self) -> None:
        report = {"count": self.count, "repairs": self.repairs, "lives": self.lives, "digest": self.digest.hexdigest()}
        print(json.dumps(report), flush=True)


if __name__ == "__main__":
    Reporter(sys.argv[1], [sys.argv[2]]).run()
