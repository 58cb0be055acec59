"""One client's side of the protocol, with no I/O in it: bytes and the time go in, effects come out.

`Circle` keeps it connected; this file is what a user asks of it, and where each line that arrives goes: acks and
refusals to `Outgoing`, events and what completes them to `Following`, the rest to the user who asked.
"""

from typing import Any

from zchat.protocol import messages as m
from zchat.protocol import wire

from . import effects as do
from .connection import QUICK, STOPPING, Circle, Phase
from .following import RETRY_LEAST, RETRYABLE
from .notices import NickRefused
from .numbered import FINAL, NumberedCommand
from .questions import Purpose, Question
from .room import Room


class Session(Circle):
    """What a user asks of a client, and what becomes of each line that arrives."""

    # -- what a user sees

    @property
    def unanswered(self) -> int:
        return len(self._outgoing.numbered)

    @property
    def put_off(self) -> str | None:
        return self._outgoing.put_off

    @property
    def rooms(self) -> dict[str, Room]:
        return self._following.rooms

    def keys(self) -> list[Any]:
        """Return the keys of all that still waits for an answer."""
        rooms = [key for room in self.rooms.values() for key in room.awaited]
        return [*self._outgoing.numbered.keys(), *self._outgoing.questions.keys(), *rooms]

    # -- what a user does

    def post(self, command: NumberedCommand, key: Any) -> None:
        """Queue a numbered command; `flush` sends it, `Answered` brings its ack or its refusal."""
        self._outgoing.post(command, key)

    def ask(self, command: m.Command, key: Any, now: float, timeout: float) -> list[do.Effect]:
        """Ask a plain question; `Answered` brings its reply, or None after `timeout` seconds."""
        self._outgoing.questions.put(command, Purpose.USER, now, key=key).deadline = now + timeout
        return self.flush(now)

    def tell(self, command: m.Command, now: float) -> list[do.Effect]:
        """Send a command that has no answer, if there is a connection."""
        if self.online and self._outgoing.pace.allowance(now, 1):
            self._outgoing.urge(command)
        return self.flush(now)

    def join(self, room: Room, key: Any, now: float, timeout: float) -> list[do.Effect]:
        """Follow a room; `Answered` brings `joined`, or None after `timeout` seconds. A known room keeps its place."""
        self._outgoing.questions.forget(Purpose.PART, room.name)
        if known := self.rooms.get(room.name):
            known.quiet = room.quiet
            room = known
        else:
            self._following.add(room)
        room.awaited[key] = now + timeout
        if self.online and not self._watch.open:
            self._open_feed(now)
        elif self.online:
            self._out.append(do.Subscribe(room.topic))
            if self._watch.live:  # if not, all rooms are joined once it is
                self._following.join(room, now)
            self._next_ping = min(self._next_ping, now + QUICK)  # the subscription may be slower than the join
        return self.flush(now)

    def part(self, room: str, reason: str | None, key: Any, now: float, timeout: float) -> list[do.Effect]:
        """Follow a room no more, and forget what waits of it, from now on; the broker is told until it has heard."""
        self._out.append(do.Discard(room))
        if room not in self.rooms:
            return self.ask(m.Part(room=room, reason=reason), key, now, timeout)
        self._following.leave(room, now, reason)
        self._out.append(do.Answered(key, m.Parted(room=room)))
        return self.flush(now)

    def rename(self, nick: str, key: Any, now: float, timeout: float) -> list[do.Effect]:
        """Take another nick; without a broker the next `hello` asks for it, at once if the old one keeps us out.

        While a `hello` is on its way it is asked for behind the `welcome`.
        """
        if self.nick is None or self.online:  # a reader is refused
            return self.ask(m.SetNick(nick=nick), key, now, timeout)
        self.nick = nick
        self._out.append(do.Answered(key, m.Renamed(nick=nick)))
        if self._taken_since is not None and self._phase is Phase.OFFLINE:
            self._taken_since = self._refusal = None
            self._out.append(do.Reconnect("with another nick", 0.0))
        return self.flush(now)

    def close(self, reason: str | None = None) -> list[do.Effect]:
        """Say goodbye, if anybody listens."""
        if self.online:
            self._out.append(do.Send([wire.encode(m.SayBye(reason=reason))]))
        self._phase = Phase.DEAD
        return self._taken()

    # -- what happens

    def replies(self, payload: bytes, now: float) -> list[do.Effect]:
        """A message came over the DEALER socket."""
        self._heard = now
        replies = wire.replies(payload)
        lines: list[bytes] = []
        for place, reply in enumerate(replies):
            if self._phase in (Phase.OFFLINE, Phase.DEAD):
                break
            if isinstance(reply, m.Ack):
                self._outgoing.acked(reply, now)
            elif isinstance(reply, m.Message | m.Topic | m.Opaque):
                if reply.seq is not None and self.online:
                    lines = lines or lines_of(payload, replies)
                    self._following.private(reply, lines[place], now)
            else:
                self._reply(reply, now)
        return self.flush(now)

    def feed(self, topic: bytes, payload: bytes, now: float) -> list[do.Effect]:
        """A message came over the SUB socket."""
        if self._phase is not Phase.ONLINE:
            return []
        self._watch.heard(now)
        events = wire.events(payload)
        if topic.startswith(b"room/"):
            self._following.feed(topic, events, lines_of(payload, events), now)
        elif topic == wire.BROKER_TOPIC:
            self._broker_says(events, now)
        elif any(isinstance(event, m.Echo) for event in events) and self._watch.prove(now):
            self._following.join_all(now)
        return self.flush(now)

    def pause(self) -> None:
        """The user is slow: the feed is not read for a while."""
        self._following.pause()

    def resume(self, now: float) -> list[do.Effect]:
        """The feed is read again."""
        self._watch.heard(now)
        self._following.resume(now)
        if self.online and self._following.unsure:
            self._next_ping = now
        return self.flush(now)

    # -- replies

    def _reply(self, reply: Any, now: float) -> None:
        """Take a reply that is neither an ack nor an event."""
        question = self._outgoing.questions.find(reply.ref) if isinstance(reply, m.Reply) else None
        if isinstance(reply, m.Welcome):
            self._welcomed(reply, now)
        elif isinstance(reply, m.Error):
            self._refused(reply, question, now)
        elif isinstance(reply, m.Bye):
            self._ended(reply.reason, now)
        elif isinstance(reply, m.Pong):
            self._pong(reply, question, now)
        elif isinstance(reply, m.MemberTyping) and not self._following.paused:
            self._out.append(do.Deliver([reply], [b""]))
        elif question is not None:
            self._answered(question, reply, now)

    def _answered(self, question: Question, reply: m.Reply, now: float) -> None:
        if question.purpose not in (Purpose.USER, Purpose.NICK):
            self._following.answered(question, reply, now)
            return
        self._outgoing.questions.close(question)
        if isinstance(reply, m.Renamed):
            self.nick = self._known_as = reply.nick
        elif isinstance(question.command, m.Away):
            self._away = question.command if question.command.text is not None else None
        if question.purpose is Purpose.USER:
            self._out.append(do.Answered(question.key, reply))

    def _pong(self, reply: m.Pong, question: Question | None, now: float) -> None:
        if question is not None:
            self._outgoing.questions.close(question)
            if question.purpose is Purpose.SYNC:
                self._outgoing.resolve(reply.n)
            else:
                self._out.append(do.Answered(question.key, reply))
        if self.online and self._following.pong(reply, now) and not self._quick:
            self._quick = True
            self._next_ping = min(self._next_ping, now + QUICK)

    def _refused(self, error: m.Error, question: Question | None, now: float) -> None:
        if self._phase is Phase.GREETING and error.ref == self._hello_ref:
            self._hello_refused(error, now)
        elif error.code == "no_session":
            self._forgotten(now)
        elif error.n is not None or error.code == "out_of_order":
            if (self.online or error.code in FINAL) and not self._outgoing.refused(error, now):
                self._leave("it has lost our place", now, at_once=True)
        elif question is None:
            return
        elif question.purpose not in (Purpose.USER, Purpose.NICK):
            self._following.refused(question, error, now)
        elif error.code in RETRYABLE:
            self._outgoing.questions.put_off(question, now + max(error.retry_after or 0.0, RETRY_LEAST))
        else:
            self._outgoing.questions.close(question)
            if isinstance(question.command, m.SetNick) and question.purpose is Purpose.NICK:
                notice = NickRefused(question.command.nick, error.code, error.message)
                self._out.append(do.Deliver([notice], [b""]))
            else:
                self._out.append(do.Answered(question.key, error))

    def _broker_says(self, events: list[Any], now: float) -> None:
        for event in events:
            if isinstance(event, m.BrokerBye):
                self._out.append(do.Deliver([event], [b""]))
                self._stopping = (now + STOPPING, event.retry_after)


def lines_of(payload: bytes, records: list[Any]) -> list[bytes]:
    """Return the line of each record of a payload."""
    lines = payload.split(b"\n")
    if len(lines) == len(records):
        return lines
    lines = [line for line in lines if line.strip()]
    return lines if len(lines) == len(records) else [wire.encode(record) for record in records]
