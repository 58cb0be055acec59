"""What a session follows: its rooms on the feed and its conversations, kept complete by asking for what is missing.

Rooms and conversations know what they miss. This file turns that into questions, and answers into deliveries. While the
user is slow (`paused`), nothing more is asked for. What the feed drops meanwhile shows as gaps later, and private
messages are asked for again.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from zchat.errors import RefusedError, ZchatError
from zchat.protocol import messages as m

from . import effects as do
from . import notices
from .direct import Direct, split_name
from .questions import RETRY_LEAST, RETRYABLE, Purpose, Question, Questions
from .room import Delivery, Room

LEFT = m.Error(code="not_in_room", message="it was left again meanwhile")  # for those who still wait to be in


class Following:
    """Rooms by name and all conversations of one client; `emit` takes effects, `fail` what ends the client."""

    def __init__(
        self,
        rooms: Iterable[Room],
        questions: Questions,
        emit: Callable[[do.Effect], None],
        fail: Callable[[ZchatError], None],
    ) -> None:
        self.rooms = {room.name: room for room in rooms}
        for room in self.rooms.values():
            room.established = True
        self.paused = False
        self.mine = ""  # our own `from`
        self._topics = {room.topic: room for room in self.rooms.values() if not room.private}
        self._left_out = False  # events of private rooms, while the user was slow
        self._direct = Direct()
        self._direct_asked: set[str] = set()
        self._questions = questions
        self._emit, self._fail = emit, fail

    # -- what is followed

    def add(self, room: Room) -> None:
        self.rooms[room.name] = room
        if not room.private:
            self._topics[room.topic] = room

    def remove(self, name: str, answer: m.Reply | None = None) -> None:
        """Follow a room no more; those who wait to be in get this answer."""
        if room := self.rooms.pop(name, None):
            if self._topics.pop(room.topic, None):
                self._emit(do.Unsubscribe(room.topic))
            for purpose in (Purpose.JOIN, Purpose.FILL, Purpose.WHO):
                self._questions.cancel(purpose, name)
            self._answer_waiters(room, answer)

    def leave(self, name: str, now: float, reason: str | None = None, answer: m.Reply | None = LEFT) -> None:
        """Follow a room no more, and tell the broker."""
        self.remove(name, answer)
        self._questions.put(m.Part(room=name, reason=reason), Purpose.PART, now, about=name)

    def drop(self, name: str, why: str) -> None:
        """We are in a room no more, and it was not us who left: tell the user, and do not come back."""
        if name in self.rooms:
            self.remove(name, m.Error(code="not_in_room", message=why))
            self._emit(do.Deliver([notices.Removed(name, why)], [b""]))

    @property
    def unsure(self) -> bool:
        """Whether something that is not on the feed may be missing."""
        return self._direct.unsure or self._left_out

    @property
    def has_feed(self) -> bool:
        """Whether any room is one of the feed."""
        return bool(self._topics)

    def topics(self) -> Iterator[bytes]:
        return iter(self._topics)

    def reset_public(self) -> None:
        """The feed is new: all rooms that are on it have to be joined again, from their cursors."""
        for room in self._topics.values():
            room.reset()

    def restart(self, shared: int | None, *, same_log: bool) -> bool:
        """A session begins, and the log still has what we know through `shared`; say if that is not all."""
        for room in self.rooms.values():
            room.reset()
        self._left_out = False
        self._direct_asked.clear()
        gone = self._direct.restart(shared, same_log=same_log)
        if shared is not None:
            for room in self.rooms.values():
                gone |= room.go_back(shared)
        return gone

    def join(self, room: Room, now: float) -> None:
        self._questions.put(room.join_command(), Purpose.JOIN, now, about=room.name)

    def join_public(self, now: float) -> None:
        """The feed is live: nothing can fall between the history of a room and its first event there."""
        for room in self._topics.values():
            self.join(room, now)

    def join_private(self, now: float) -> None:
        """A session begins: whatever is said in these rooms comes over the same socket as the answer."""
        for room in self.rooms.values():
            if room.private:
                self.join(room, now)

    # -- what arrives

    def feed(self, topic: bytes, events: list[Any], lines: list[bytes], now: float) -> None:
        """The feed brought this for a room."""
        room = self._topics.get(topic)
        if room is not None:
            self._deliver(room.receive(events, lines))
            if room.waiting or room.roster_gap:
                self._ask(room, now)

    def told(self, name: str, events: list[Any], lines: list[bytes], now: float) -> None:
        """Events of a room came over the DEALER socket. While the user is slow, the roster alone follows them."""
        room = self.rooms.get(name)
        if room is None:
            return
        if not self.paused:
            self._deliver(room.receive(events, lines))
        else:
            self._left_out = True
            passing = [event for event in events if getattr(event, "seq", None) is None]
            room.receive(passing, [b""] * len(passing))
        self._ask(room, now)

    def direct(self, events: list[Any], lines: list[bytes], now: float) -> None:
        """Direct messages came."""
        if self.paused and self._direct.started:
            self._direct.miss()
            return
        for event, line in zip(events, lines, strict=True):
            self._deliver(self._direct.receive(event, line, self.mine))
            self._ask_direct(now)

    def renamed(self, nick: str) -> None:
        """We have another nick now: have it in all rooms."""
        for room in self.rooms.values():
            room.rename(self.mine, nick)

    def changed(self, event: m.Administrative) -> None:
        """A member has another role now: know it in all rooms. Or a room has other operators."""
        if isinstance(event, m.AccessChanged) and event.room in self.rooms:
            self.rooms[event.room].set_access(event)
        if isinstance(event, m.MemberChanged) and event.change == "role" and event.role is not None:
            for room in self.rooms.values():
                room.set_role(event.from_ or "", event.role)

    def pong(self, reply: m.Pong, now: float) -> bool:
        """A pong told heads and revisions; True if only another pong can tell whether something is missing."""
        again = False
        if not self.paused:
            self._left_out = False
            for name, room in self.rooms.items():
                again |= room.check_head(reply.heads.get(name), reply.revs.get(name))
                self._ask(room, now)
        if not (self.paused and self._direct.started):
            again |= self._direct.check_heads(reply.heads)
            self._deliver(self._direct.release(self.mine))
            self._ask_direct(now)
        return again

    def answered(self, question: Question, reply: m.Reply, now: float) -> None:
        """One of our own questions has its answer."""
        if isinstance(reply, m.History):
            self._filled(question, reply, now)
        elif isinstance(reply, m.Joined):
            self._joined(question, reply, now)
        elif isinstance(reply, m.Roster):
            self._roster_told(question, reply)
        elif isinstance(reply, m.Parted):
            self._questions.close(question)

    def refused(self, question: Question, error: m.Error, now: float) -> None:
        """One of our own questions was refused."""
        room = self.rooms.get(question.about)
        if error.code in RETRYABLE and (question.purpose is not Purpose.JOIN or room is None or not room.joined):
            self._questions.defer(question, now + max(error.retry_after or 0.0, RETRY_LEAST))
            return
        self._questions.close(question)
        if question.purpose is Purpose.PART:
            return  # we were not in it
        if question.purpose is Purpose.DIRECT:
            self._direct_asked.discard(question.about)
            times = self._direct.refuse(question.about)
            self._questions.put(m.Ping(), Purpose.SYNC, now, due=now + RETRY_LEAST * 5**times)
        elif room is not None:
            self._room_refused(room, question, error, now)

    def tick(self, now: float) -> None:
        """Give up joins that are late. The broker may yet accept one, so it is told that nobody wants it any more."""
        for room in list(self.rooms.values()):
            late = [key for key, until in room.waiters.items() if now >= until]
            for key in late:
                del room.waiters[key]
                self._emit(do.Answered(key, None))
            if late and not room.waiters and not room.established:
                self.leave(room.name, now)

    def wait(self, now: float) -> float | None:
        """Return the seconds until `tick` has something to do, None if never."""
        times = [until for room in self.rooms.values() for until in room.waiters.values()]
        return max(0.0, min(times) - now) if times else None

    def pause(self) -> None:
        self.paused = True

    def resume(self, now: float) -> None:
        self.paused = False
        for room in self.rooms.values():
            room.forget_heads()
            self._ask(room, now)
        self._ask_direct(now)

    # -- questions and answers

    def _ask(self, room: Room, now: float) -> None:
        """Ask for what `room` misses, once."""
        if room.waiting and not room.asked and not self.paused:
            room.asked = True
            command = m.AskHistory(room=room.name, after=room.cursor or 0)
            self._questions.put(command, Purpose.FILL, now, about=room.name)
        if room.roster_gap and not room.roster_asked:
            room.roster_asked = True
            self._questions.put(m.Who(room=room.name), Purpose.WHO, now, about=room.name)

    def _ask_direct(self, now: float) -> None:
        for nick, after in self._direct.asking.items():
            if nick not in self._direct_asked and not self.paused:
                self._direct_asked.add(nick)
                to, with_ = split_name(nick)
                self._questions.put(m.AskHistory(to=to, with_=with_, after=after), Purpose.DIRECT, now, about=nick)

    def _joined(self, question: Question, reply: m.Joined, now: float) -> None:
        command = question.command
        room = self.rooms.get(question.about)
        if room is None or not isinstance(command, m.Join):
            self._questions.close(question)
            return
        follows = command.after is not None or command.backlog is not None
        room.confirm(reply, follows)
        self._answer_waiters(room, reply)
        if not follows:
            self._questions.close(question)
            self._caught_up(room, now)

    def _filled(self, question: Question, reply: m.History, now: float) -> None:
        room = self.rooms.get(question.about)
        if question.purpose is Purpose.JOIN and room is not None and not room.joined:
            return  # its `joined` got lost: it will be asked again
        self._questions.close(question)
        if question.purpose is Purpose.DIRECT:
            self._direct_asked.discard(question.about)
            self._direct.fill(question.about, reply)
            self._deliver(self._direct.release(self.mine), history=True)
            self._ask_direct(now)
            return
        if room is None or not room.joined or not room.waiting:
            return
        command = question.command
        found, more = room.fill(reply, isinstance(command, m.AskHistory | m.Join) and command.after is not None)
        self._deliver(found, history=True)
        if more:
            self._ask(room, now)
        else:
            self._caught_up(room, now)

    def _caught_up(self, room: Room, now: float) -> None:
        if room.catching_up:
            room.catching_up = False
            self._emit(do.Deliver([notices.CaughtUp(room.name)], [b""]))
        self._deliver(room.release())
        self._ask(room, now)

    def _roster_told(self, question: Question, reply: m.Roster) -> None:
        self._questions.close(question)
        if room := self.rooms.get(question.about):
            room.roster_asked = False
            if reply.rev is None or reply.rev >= room.rev:
                room.set_roster(reply.members, room.rev if reply.rev is None else reply.rev)

    def _room_refused(self, room: Room, question: Question, error: m.Error, now: float) -> None:
        if error.code == "unknown_room":  # we are let in no more, or never were: it is over with this room alone
            if room.waiters:
                self.remove(room.name, error)
            else:
                self.drop(room.name, error.message)
        elif question.purpose is Purpose.WHO:
            room.roster_gap = room.roster_asked = False
        elif question.purpose is Purpose.FILL:
            room.asked = False
            room.skip_gap()
            self._caught_up(room, now)
        elif room.waiters:
            if room.joined:
                self._answer_waiters(room, error)
            else:
                self.remove(room.name, error)
        elif room.joined:  # we are in, but its history was refused: ask once more, later
            due = now + max(error.retry_after or 1.0, RETRY_LEAST)
            self._questions.put(room.join_command(), Purpose.JOIN, now, about=room.name, due=due)
        else:
            self._fail(RefusedError(error.code, f"the room {room.name!r}: {error.message}"))

    def _answer_waiters(self, room: Room, answer: m.Reply | None) -> None:
        """Give all who wait to be in their answer."""
        waiters, room.waiters = room.waiters, {}
        for key in waiters:
            self._emit(do.Answered(key, answer))

    def _deliver(self, delivery: Delivery, history: bool = False) -> None:
        if delivery[0]:
            self._emit(do.Deliver(*delivery, history))
