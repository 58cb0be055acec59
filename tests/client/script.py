"""A session and a broker made of hand-written lines, for tests that read as a dialogue.

    talk = Talk(rooms=["dev"])
    talk.live()                                   # hello, welcome, echo, joined
    talk.feed("dev", message(5, prev=4))
    assert talk.asked("history")["after"] == 0

`sent` are the lines that the session wants sent, decoded and in order; `asked` takes the oldest one of a type out
of them. Time is a number that the test moves.
"""

import json
from typing import Any

from zchat.client.core import effects as do
from zchat.client.core.handshake import Fault
from zchat.client.core.room import Room
from zchat.client.core.session import Session
from zchat.protocol import messages as m

Json = dict[str, Any]
LOG = "a" * 32
CLIENT = "c" * 32
MINE = "f" * 16


class Talk:
    """One session; what it does is gathered in lists that a test empties by looking."""

    def __init__(self, rooms: tuple[str, ...] = (), *, after: int | None = None, **fields: Any) -> None:
        self.now = 100.0
        fresh = iter("def")
        self.session = Session(
            fields.pop("nick", "alice"),
            client=CLIENT,
            broker="tcp://127.0.0.1:5555",
            jitter=lambda: 0.5,
            fresh=lambda: next(fresh) * 32,
            rooms=[Room(room, after=after, backlog=fields.get("backlog")) for room in rooms],
            **{name: value for name, value in fields.items() if name != "backlog"},
        )
        self.sent: list[Json] = []
        self.delivered: list[Any] = []
        self.lines: list[bytes] = []
        self.past: list[Any] = []  # what came from history
        self.answers: dict[Any, m.Reply | None] = {}
        self.effects: list[do.Effect] = []  # all that is neither of these

    def carry_out(self, effects: list[do.Effect]) -> None:
        for effect in effects:
            match effect:
                case do.Send():
                    self.sent += [json.loads(line) for frame in effect.frames for line in frame.split(b"\n")]
                case do.Deliver():
                    assert len(effect.events) == len(effect.lines)
                    self.delivered += effect.events
                    self.lines += effect.lines
                    self.past += effect.events if effect.history else []
                case do.Answered():
                    self.answers[effect.key] = effect.answer
                case _:
                    self.effects.append(effect)

    # -- what happens to the session

    def connect(self) -> None:
        self.carry_out(self.session.connected(self.now))

    def reply(self, *lines: Json) -> None:
        """Let one frame of these lines come over the DEALER socket."""
        self.carry_out(self.session.replies(payload(*lines), self.now))

    def feed(self, room: str, *lines: Json) -> None:
        self.publish(f"room/{room}/", *lines)

    def publish(self, topic: str, *lines: Json) -> None:
        self.carry_out(self.session.feed(topic.encode(), payload(*lines), self.now))

    def tick(self, seconds: float) -> None:
        """Let time pass in one step."""
        self.now += seconds
        self.carry_out(self.session.tick(self.now))

    def cut(self) -> None:
        self.carry_out(self.session.lost(self.now, Fault.CUT))

    # -- whole scenes

    def greet(self, **fields: Any) -> None:
        """Connect, and be welcome."""
        self.connect()
        self.reply(welcome(ref=self.asked("hello")["ref"], **fields))

    def prove(self) -> None:
        """The echo of the feed arrives."""
        self.tick(0.0)
        self.publish("session/5e55/", {"type": "echo"})

    def live(self, head: int = 0, rev: int = 1, **fields: Any) -> None:
        """Be welcome, and in all rooms (without history)."""
        self.greet(**fields)
        self.prove()
        for join in [line for line in self.sent if line["type"] == "join"]:
            self.reply(joined(join, head=head, rev=rev))
        self.sent.clear()

    def post(self, text: str = "hi", room: str = "dev") -> str:
        """Say something; its text is the key of its answer."""
        self.session.post(m.Say(n=1, room=room, text=text), text)
        self.carry_out(self.session.flush(self.now))
        return text

    def ask(self, command: m.Command, key: str = "asked", timeout: float = 5.0) -> None:
        self.carry_out(self.session.ask(command, key, self.now, timeout))

    def join(self, room: str, **fields: Any) -> None:
        self.carry_out(self.session.join(Room(room, **fields), room, self.now, 5.0))

    def rename(self, nick: str) -> None:
        """Take another nick, which is the key of the answer."""
        self.carry_out(self.session.rename(nick, nick, self.now, 5.0))

    # -- what the test looks at

    def asked(self, type_: str) -> Json:
        """Return the oldest line of this type that was sent, and forget it."""
        found = next((line for line in self.sent if line["type"] == type_), None)
        assert found is not None, f"no {type_} among {self.sent}"
        self.sent.remove(found)
        return found

    def types(self) -> list[str]:
        """Return the types of what was sent, and forget it."""
        found = [line["type"] for line in self.sent]
        self.sent.clear()
        return found

    def numbers(self) -> list[int]:
        """Return the `n` of what was said, and forget all that was sent."""
        found = [line["n"] for line in self.sent if line["type"] == "say"]
        self.sent.clear()
        return found

    def seqs(self) -> list[int]:
        """Return the `seq` of what was delivered, and forget it."""
        found = [event.seq for event in self.delivered if hasattr(event, "seq")]
        self.delivered.clear()
        return found

    def did(self, kind: type) -> list[Any]:
        """Return the other effects of a kind, and forget them."""
        found = [effect for effect in self.effects if isinstance(effect, kind)]
        self.effects = [effect for effect in self.effects if not isinstance(effect, kind)]
        return found


def payload(*lines: Json) -> bytes:
    return b"\n".join(json.dumps(line, separators=(",", ":")).encode() for line in lines)


def welcome(**fields: Any) -> Json:
    limits = {"text": 16384, "frame": 1048576, "lines": 1000, "rooms": 256, "rate": 0} | fields.pop("limits", {})
    known = {
        "type": "welcome",
        "protocol": 1,
        "server": "script",
        "log": LOG,
        "session": "token",
        "id": "5e55",
        "client": CLIENT,
        "from": MINE,
        "nick": "alice",
        "feed": "tcp://127.0.0.1:5556",
        "heartbeat": 5,
        "grace": 15,
        "n": 0,
        "limits": limits,
        "time": "2026-11-22T05:30:00.000Z",
    }
    return known | fields


def joined(join: Json, **fields: Any) -> Json:
    """Return the answer to a join."""
    known = {"type": "joined", "ref": join["ref"], "room": join["room"], "topic": "", "head": 0, "rev": 1}
    return known | {"members": []} | fields


def message(seq: int, prev: int | None = None, room: str | None = "dev", **fields: Any) -> Json:
    """Return an event; with `to` it is a direct one."""
    place = {"to": fields.pop("to")} if "to" in fields else {"room": room}
    known = {"type": "message", "seq": seq, "prev": seq - 1 if prev is None else prev, **place}
    said = {"time": "2026-11-22T05:30:00.000Z", "from": "b" * 16, "nick": "bob", "kind": "message", "text": f"no {seq}"}
    return known | said | fields


def history(question: Json, *events: Json, upto: int, more: bool = False) -> Json:
    """Return the answer to a `history` or to a join that asked for one."""
    place = {"to": question["to"]} if "to" in question else {"room": question["room"]}
    return {"type": "history", "ref": question["ref"], **place, "events": list(events), "upto": upto, "more": more}


def pong(
    heads: dict[str, int] | None = None, *, n: int = 0, ref: int | None = None, revs: Json | None = None, **fields: Any
) -> Json:
    known: Json = {"type": "pong", "n": n, "heads": heads or {}, "revs": revs or {}} | fields
    return known if ref is None else known | {"ref": ref}


def ack(n: int, seq: int | None = None) -> Json:
    return {"type": "ack", "n": n, "seq": n * 10 if seq is None else seq}


def error(code: str, **fields: Any) -> Json:
    return {"type": "error", "code": code, "message": "no"} | fields
