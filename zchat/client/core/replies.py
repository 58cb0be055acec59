"""What the broker says to one client over the DEALER socket: which part of the session each line goes to.

Here a session begins, too: a `hello` is said, and its `welcome` taken. All parts hear of that: the broker may have
another log now, or an older one, and then none may go on from what it knows. Where a part finds that a new `hello` is
needed, its method returns True, and it is said here.
"""

from collections.abc import Callable
from typing import Any, get_args

from msgspec import structs

from zchat.protocol import messages as m
from zchat.protocol import wire

from . import effects as do
from . import notices
from .arrivals import Pairs, by_room, lines_of
from .brokers import Brokers
from .connection import Connection
from .feed import Feed
from .following import Following
from .history import KnownLog
from .numbered import FINAL
from .outgoing import Outgoing
from .questions import RETRY_LEAST, RETRYABLE, Purpose, Question
from .read_marks import ReadMarks
from .stall import Stall

_SAID = frozenset((*get_args(m.Durable), m.Opaque))  # what moves the cursor of its room or conversation
_UNASKED = (m.Told, m.MemberChanged, m.AccessChanged, m.ReadMarked, m.Dropped)  # replies that answer nothing


class Replies:
    """Takes what the broker says. `fresh` returns a new client id, `emit` takes effects."""

    def __init__(
        self,
        connection: Connection,
        brokers: Brokers,
        outgoing: Outgoing,
        following: Following,
        feed: Feed,
        log: KnownLog,
        stall: Stall,
        read_marks: ReadMarks,
        fresh: Callable[[], str],
        emit: Callable[[do.Effect], None],
    ) -> None:
        self.member: m.Account | None = None  # the member that one is; None for a guest
        self._connection, self._brokers, self._outgoing, self._following = connection, brokers, outgoing, following
        self._feed, self._log, self._stall, self._read_marks = feed, log, stall, read_marks
        self._fresh, self._emit = fresh, emit
        self._away: m.Away | None = None

    def receive(self, payload: bytes, now: float) -> None:
        """A message came: each line goes to the part that it is for."""
        self._connection.heard(now)
        replies = wire.replies(payload)
        lines: list[bytes] = []
        run: Pairs = []  # durable events that stand together: in a private room there are many at once
        for index, reply in enumerate(replies if self._connection.connected else ()):
            if type(reply) in _SAID:
                lines = lines or lines_of(payload, replies)
                run.append((reply, lines[index]))
                continue
            if run:
                run = self._said(run, now)
            if isinstance(reply, m.Ack):
                self._acked(reply, now)
            else:
                self._reply(reply, now)
                if not self._connection.connected:
                    break
        if run:
            self._said(run, now)

    def _acked(self, ack: m.Ack, now: float) -> None:
        """A numbered command is done; of what was marked as read here, the broker tells only the other devices."""
        command = self._outgoing.acked(ack, now)
        if isinstance(command, m.MarkRead):
            self._read_marks.note(command)

    def _said(self, run: Pairs, now: float) -> Pairs:
        """Durable events came over the DEALER socket; return what is left of them."""
        for room, events, lines in by_room(run) if self._connection.online else ():
            if room is None:
                self._following.direct(events, lines, now)
            else:
                self._following.told(room, events, lines, now)
        return []

    def _reply(self, reply: Any, now: float) -> None:
        """Take a reply that is neither an ack nor an event."""
        question = self._outgoing.questions.find(reply)
        if isinstance(reply, m.Welcome):
            self._welcomed(reply, now)
        elif isinstance(reply, m.Error):
            self._refused(reply, question, now)
        elif isinstance(reply, m.Bye):
            if self._connection.ended(reply, now):
                self.greet(now)
        elif isinstance(reply, m.Pong):
            self._pong(reply, question, now)
        elif isinstance(reply, m.MemberTyping) and not self._following.paused:
            self._notify(reply)
        elif isinstance(reply, _UNASKED) or (isinstance(reply, m.Parted) and reply.ref is None):
            self._told(reply, now)
        elif question is not None:
            self._answered(question, reply, now)

    def _told(self, reply: m.Told | m.Parted | m.Administrative | m.ReadMarked | m.Dropped, now: float) -> None:
        """Take what the broker tells without being asked."""
        if not self._connection.online:
            return
        match reply:
            case m.Told():
                events = [wire.event(line) for line in reply.events]
                self._following.told(reply.room, events, [bytes(line) for line in reply.events], now)
            case m.Parted():
                self._following.drop(reply.room, _let_out(reply))
            case m.ReadMarked():
                self._read_marks.note(reply)
                self._notify(reply)
            case m.Dropped():
                self._notify(reply)
            case m.MemberChanged() | m.AccessChanged():
                self._following.changed(reply)
                if isinstance(reply, m.MemberChanged):
                    self._account_changed(reply)
                self._notify(reply)

    def _account_changed(self, event: m.MemberChanged) -> None:
        """Follow what became of the member that one is."""
        if self.member is not None and event.from_ == self.member.from_ and event.change in ("nick", "role"):
            nick, role = event.nick or self.member.nick, event.role or self.member.role
            self.member = structs.replace(self.member, nick=nick, role=role)

    def _answered(self, question: Question, reply: m.Reply, now: float) -> None:
        if question.purpose not in (Purpose.USER, Purpose.NICK):
            self._following.answered(question, reply, now)
            return
        self._outgoing.questions.close(question)
        if isinstance(reply, m.Renamed):
            self._connection.renamed(reply.nick)
            self._following.renamed(reply.nick)
        elif isinstance(question.command, m.Away):
            self._away = question.command if question.command.text is not None else None
        if question.purpose is Purpose.USER:
            self._emit(do.Answered(question.key, reply))

    def _pong(self, reply: m.Pong, question: Question | None, now: float) -> None:
        if question is not None:
            self._outgoing.questions.close(question)
            if question.purpose is Purpose.SYNC:
                self._outgoing.synced(reply.n, now)
            else:
                self._emit(do.Answered(question.key, reply))
        if self._connection.welcome is not None:
            live, heartbeat = self._feed.live, self._connection.welcome.heartbeat
            self._tell(self._stall.pong(reply.stalled, now, live=live, heartbeat=heartbeat))
        if self._connection.online and self._following.pong(reply, now):
            self._feed.doubt(now)

    def _refused(self, error: m.Error, question: Question | None, now: float) -> None:
        if self._connection.awaits(error.ref):
            if self._connection.hello_refused(error, now):
                self._greet_anew(now)
        elif error.code == "no_session":
            if question is not None and self._outgoing.questions.forgotten(question):
                self._emit(do.Answered(question.key, error))
            if self._connection.forgotten(now):
                self.greet(now)
        elif error.n is not None or error.code == "out_of_order":
            if (self._connection.online or error.code in FINAL) and not self._outgoing.refused(error, now):
                self._connection.out_of_step(now)
        elif question is not None:
            self._question_refused(question, error, now)

    def _question_refused(self, question: Question, error: m.Error, now: float) -> None:
        if question.purpose not in (Purpose.USER, Purpose.NICK):
            self._following.refused(question, error, now)
        elif error.code in RETRYABLE:
            self._outgoing.questions.defer(question, now + max(error.retry_after or 0.0, RETRY_LEAST))
        else:
            self._outgoing.questions.close(question)
            if isinstance(question.command, m.SetNick) and question.purpose is Purpose.NICK:
                self._notify(notices.NickRefused(question.command.nick, error.code, error.message))
            else:
                self._emit(do.Answered(question.key, error))

    # -- a session begins

    def greet(self, now: float) -> None:
        """Say hello."""
        questions = self._outgoing.questions
        questions.restart()
        client = self._outgoing.numbered.client
        self._outgoing.send_now(self._connection.hello(questions.ref(), client, self._log.epochs, now))

    def _welcomed(self, welcome: m.Welcome, now: float) -> None:
        if not self._connection.greeting:
            return
        if self._connection.unproved(welcome):
            self._outgoing.send_now(m.SayBye())
            self.greet(now)
            return
        again, shared = self._connection.welcome is not None, self._log.compare(welcome)
        if not self._outgoing.welcomed(welcome.n, shared, welcome.epochs[-1][1] if welcome.epochs else 0):
            self._renumber(welcome, now)
            return
        chosen = self._connection.welcomed(welcome, now)
        self._feed.ping_by(now)
        self._outgoing.bucket.set(welcome.limits.rate, now)
        self._following.mine, self.member = welcome.from_, welcome.member
        self._outgoing.keeps_own = welcome.member is not None
        if self._brokers.learn(welcome.brokers) or not again:
            self._emit(do.Remember(self._brokers.kept))
        self._read_marks.welcomed(welcome.read)
        self._notify(notices.Online(welcome, again, shared, self._connection.moved))
        self._tell(self._stall.welcomed(welcome.stalled, now))
        self._go_on(welcome, shared)
        if chosen is not None:
            self._outgoing.questions.put(m.SetNick(nick=chosen), Purpose.NICK, now)
        if self._away is not None:
            self._outgoing.send_now(self._away)
        self._feed.close()
        if self._following.has_feed:
            self._feed.open(now)
        self._following.join_private(now)

    def _renumber(self, welcome: m.Welcome, now: float) -> None:
        """This log never knew our numbers: leave the session just opened, and come back with a fresh client id."""
        if self._connection.numbers_unknown(welcome.n):
            self._outgoing.send_now(m.SayBye())
            self._greet_anew(now)

    def _greet_anew(self, now: float) -> None:
        self._outgoing.renumber(self._fresh())
        self.greet(now)

    def _go_on(self, welcome: m.Welcome, shared: int | None) -> None:
        """Let go of what is above `shared`, say what of it was in this log once, and follow the broker's history."""
        same_log, epochs = self._log.is_same(welcome, shared), self._log.epochs
        gone = self._following.restart(shared, same_log=same_log)
        gone |= self._log.follow(welcome, shared)
        lost, more = self._outgoing.restart(shared, same_log=same_log)
        if shared is not None and same_log and (gone or lost or more):
            self._notify(notices.WentBack(shared, lost, more))
        if epochs != welcome.epochs:
            self._emit(do.KeepEpochs(welcome.epochs))

    # -- notices

    def _notify(self, notice: Any) -> None:
        """Tell the user something that is not durable."""
        self._emit(do.Deliver([notice], [b""]))

    def _tell(self, notice: notices.Notice | None) -> None:
        if notice is not None:
            self._notify(notice)


def _let_out(parted: m.Parted) -> str:
    """Say why one is in a room no more."""
    by = f" by {parted.by}" if parted.by else ""
    return f"taken out{by}{f': {parted.text}' if parted.text else ''}"
