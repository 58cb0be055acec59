"""Peers that speak the protocol with nothing but a ZeroMQ binding and a JSON parser, as a stranger's bot would.

They share no code with zchat, so what they find is what anybody finds who reads the specification. Every line they
receive is held against the table of `shapes`; what is wrong with it is kept in `Net.faults` and fails the test at its
end. A `ping` is the tests' clock: replies leave in order, so what was not there before the `pong` will not come.
"""

import itertools
import json
import os
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
import zmq

from tests.conftest import PATIENCE
from tests.integration import shapes

LATE_AT_MOST = 20  # answers, on a machine that is busy with other things


class Line(dict[str, Any]):
    """One object, with the bytes it came in and, from the feed, the topic it came under."""

    def __init__(self, raw: bytes, topic: str = "", frame: bytes = b"") -> None:
        super().__init__(json.loads(raw))
        self.raw, self.topic, self.frame = raw, topic, frame


def compact(line: dict[str, Any]) -> bytes:
    return json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode()


def is_late(answer: Line) -> bool:
    """Say whether a question was not answered in time: who asked is to ask again."""
    return answer.get("code") == "unavailable" and "took too long" in answer["message"]


def matches(line: Line, kind: str, fields: dict[str, Any]) -> bool:
    return line["type"] == kind and all(line.get(name) == value for name, value in fields.items())


class Inbox:
    """Lines as they arrive on one socket; `expect` picks one out and leaves the rest where it is."""

    def __init__(self, net: "Net", socket: "zmq.Socket[bytes]") -> None:
        self.net, self.socket = net, socket
        self.lines: deque[Line] = deque()

    def receive(self, within: float) -> bool:
        """Wait for a frame and take its lines in; return False if none came."""
        if not self.socket.poll(max(0, round(within * 1000))):
            return False
        *topic, payload = self.socket.recv_multipart()
        assert len(topic) == self.topics, f"{len(topic) + 1} frames: {payload[:200]!r}"
        for raw in payload.removesuffix(b"\n").split(b"\n"):
            line = Line(raw, topic[0].decode() if topic else "", payload)
            faults = shapes.feed_faults(line, line.topic) if topic else shapes.reply_faults(line)
            faults += ["it is not compact"] if shapes.loose(raw) else []
            self.net.faults += [f"{fault}: {raw[:300]!r}" for fault in faults]
            self.lines.append(line)
        return True

    topics = 0

    def find(self, wanted: Callable[[Line], bool], what: str, within: float = PATIENCE) -> Line:
        deadline = time.monotonic() + within
        looked = 0
        while True:
            for at in range(looked, len(self.lines)):
                line = self.lines[at]
                if wanted(line):
                    del self.lines[at]
                    return line
            looked = len(self.lines)
            if not self.receive(deadline - time.monotonic()):
                seen = [line.raw[:200] for line in itertools.islice(self.lines, 10)]
                pytest.fail(f"no {what} came within {within:g} s; there are {len(self.lines)} other lines: {seen}")

    def expect(self, kind: str, within: float = PATIENCE, **fields: Any) -> Line:
        """Return (and take out) the first line of this type with these fields."""
        return self.find(lambda line: matches(line, kind, fields), f"{kind} {fields or ''}", within)

    def take(self, within: float = PATIENCE) -> Line:
        """Return the next line, whatever it is."""
        return self.find(lambda line: True, "line", within)

    def take_all(self) -> list[Line]:
        taken = list(self.lines)
        self.lines.clear()
        return taken


class Peer(Inbox):
    """A DEALER: `send` what you like, or `ask` and get the answer that carries the same `ref`."""

    def __init__(self, net: "Net") -> None:
        super().__init__(net, net.context.socket(zmq.DEALER))
        self.socket.set(zmq.LINGER, 0)
        self.socket.connect(net.listen)
        self.me: Line | None = None
        self.n = 0
        self.refs = itertools.count(1)

    @property
    def welcome(self) -> Line:
        assert self.me is not None, "no hello was said"
        return self.me

    @property
    def sender(self) -> str:
        return str(self.welcome["from"])

    def send(self, *lines: dict[str, Any] | bytes) -> None:
        """Send these lines as one frame."""
        self.socket.send(b"\n".join(line if isinstance(line, bytes) else compact(line) for line in lines))

    def ask(self, kind: str, /, **command: Any) -> Line:
        """Send one command and return its answer, which must be of this type."""
        ref = command.setdefault("ref", f"ref-{next(self.refs)}")
        self.send(command)
        answer = self.find(lambda line: line.get("ref") == ref, f"answer to {compact(command)[:200]!r}")
        assert answer["type"] == kind, f"{compact(command)[:200]!r} was answered with {answer.raw[:300]!r}"
        return answer

    def refused(self, code: str, /, **command: Any) -> Line:
        error = self.ask("error", **command)
        assert error["code"] == code, f"{compact(command)[:200]!r} was answered with {error.raw[:300]!r}"
        return error

    def hello(self, nick: str | None = None, **more: Any) -> Line:
        """Say hello and return the welcome; further numbers continue from what it says was taken."""
        self.me = self.ask("welcome", type="hello", protocol=1, **({"nick": nick} if nick else {}), **more)
        self.n = self.me["n"]
        return self.me

    def join(self, room: str, **more: Any) -> Line:
        return self.ask("joined", type="join", room=room, **more)

    def number(self) -> int:
        self.n += 1
        return self.n

    def say(self, text: str, **more: Any) -> Line:
        """Say `text` under the next number and return the ack."""
        return self.ask("ack", type="say", n=self.number(), text=text, **more)

    def say_all(self, texts: list[str], **more: Any) -> list[Line]:
        """Say many texts, up to 100 to a frame, and return their acks in the order of the numbers."""
        says = [{"type": "say", "n": self.number(), "text": text, **more} for text in texts]
        for start in range(0, len(says), 100):
            self.send(*says[start : start + 100])
        return [self.expect("ack", n=say["n"]) for say in says]

    def history(self, **more: Any) -> Line:
        """Ask for history, and again if the broker, which gives a question a second, had not the time to answer."""
        for _ in range(LATE_AT_MOST):
            ref = f"ref-{next(self.refs)}"
            self.send({"type": "history", "ref": ref, **more})
            answer = self.find(lambda line: line.get("ref") == ref, "answer to a question for history")  # noqa: B023
            if not is_late(answer):
                break
        assert answer["type"] == "history", f"{more} was answered with {answer.raw[:300]!r}"
        return answer

    def settled(self) -> list[Line]:
        """Return all lines that arrive before the answer to a ping sent now, and those that were here already."""
        self.ask("pong", type="ping")
        return self.take_all()


class Feed(Inbox):
    """A SUB, live from the start: it has its own session, on whose echo it waits."""

    topics = 1

    def __init__(self, net: "Net", *topics: str) -> None:
        super().__init__(net, net.context.socket(zmq.SUB))
        self.socket.set(zmq.LINGER, 0)
        self.socket.set(zmq.RCVHWM, 0)  # a test that dawdles loses nothing
        self.peer = net.peer()
        self.name = f"session/{self.peer.hello()['id']}/"
        for topic in (*topics, self.name):
            self.socket.subscribe(topic)
        self.socket.connect(net.publish)
        deadline = time.monotonic() + PATIENCE
        while not any(line["type"] == "echo" for line in self.take_all()):
            assert time.monotonic() < deadline, "the feed does not echo"
            self.peer.ask("pong", type="ping", feed=True)
            self.receive(0.05)
        self.settled()

    def settled(self) -> list[Line]:
        """Return all that was published before now."""
        marks = len([line for line in self.lines if line["type"] == "echo"])
        self.peer.ask("pong", type="ping", feed=True)
        deadline = time.monotonic() + PATIENCE
        while len([line for line in self.lines if line["type"] == "echo"]) <= marks:
            assert self.receive(deadline - time.monotonic()), "the feed does not echo"
        return [line for line in self.take_all() if line["type"] != "echo"]


class Net:
    """All peers of a test, around one broker; `close` ends them and leaves no session behind."""

    def __init__(self, listen: str, publish: str) -> None:
        self.listen, self.publish = listen, publish
        self.context = zmq.Context()
        self.peers: list[Peer] = []
        self.inboxes: list[Inbox] = []
        self.faults: list[str] = []

    def peer(self) -> Peer:
        peer = Peer(self)
        self.peers.append(peer)
        self.inboxes.append(peer)
        return peer

    def session(self, nick: str | None = None, *rooms: str, **more: Any) -> Peer:
        """Return a peer that has said hello and has joined `rooms`."""
        peer = self.peer()
        peer.hello(nick, **more)
        for room in rooms:
            peer.join(room)
        return peer

    def feed(self, *topics: str) -> Feed:
        feed = Feed(self, *topics)
        self.inboxes.append(feed)
        return feed

    def leave(self, within: float = PATIENCE) -> None:
        """Say bye for every session and wait until the broker has read it, so that the nicks are free again."""
        for peer in self.peers:
            peer.send({"type": "bye"}, {"type": "ping", "ref": "gone"})
        deadline = time.monotonic() + within
        for peer in self.peers:
            while not any(line.get("ref") == "gone" for line in peer.take_all()):
                if not peer.receive(deadline - time.monotonic()):
                    break

    def close(self) -> None:
        for inbox in self.inboxes:
            inbox.socket.close(linger=0)
        self.context.term()


def unique(word: str) -> str:
    """Return a name that no other test uses."""
    return f"{word}-{os.urandom(4).hex()}"
