"""One client's side of the protocol, with no I/O in it: bytes and the time go in, effects come out.

A session is made of parts, and this file is where they meet: `Connection` finds and keeps the broker, `Outgoing` holds
what is on its way to it, `Following` what is followed, and `KnownLog` tells which history all of it is of. They know
nothing of each other. `Feed` opens the feed for them, and judges it. `Replies` takes what comes over the other socket,
and tells all of them when a session begins. Here is what a user sees and can ask for, what comes over the feed, and
what the time does.

The feed is a connection of its own, with its own proof of life. Rooms are joined only once it is live, so that nothing
falls between the history asked for and the first live event.
"""

from collections.abc import Callable, Iterable
from typing import Any

from zchat.errors import TimedOutError, UnreachableError, ZchatError
from zchat.protocol import messages as m
from zchat.protocol import wire

from . import effects as do
from . import notices
from .arrivals import lines_of
from .brokers import Brokers
from .connection import Connection
from .feed import QUICK, Feed
from .following import Following
from .handshake import Fault
from .history import KnownLog
from .outgoing import Outgoing
from .questions import Purpose
from .read_marks import ReadMarks
from .replies import Replies
from .room import Room
from .stall import Stall

_LIMITS = m.Limits()


class Session:
    """`jitter` returns 0 to 1 and `fresh` a new client id: both random, so that no file here is."""

    def __init__(
        self,
        nick: str | None,
        *,
        client: str,
        broker: str,
        brokers: Brokers | None = None,
        jitter: Callable[[], float],
        fresh: Callable[[], str],
        rooms: Iterable[Room] = (),
        feed: str | None = None,
        bot: bool = False,
        software: str | None = None,
        invite: str | None = None,
        device: str | None = None,
        guest: str | None = None,
        patience: float = 5.0,
        reconnect: bool = True,
        n: int = 0,
        unanswered: Iterable[m.NumberedCommand] = (),
        epochs: m.Epochs = (),
        through: int = 0,
        since: int = 0,
        own: Iterable[int] = (),
    ) -> None:
        self._out: list[do.Effect] = []
        self._brokers = brokers or Brokers((broker,), jitter)
        self._connection = Connection(
            nick,
            broker=broker,
            brokers=self._brokers,
            invite=invite,
            device=device,
            guest=guest,
            bot=bot,
            software=software,
            reconnect=reconnect,
            emit=self._emit,
        )
        self.read_marks = ReadMarks()
        self._outgoing = Outgoing(client, n, unanswered, since, own, self._emit)
        self._following = Following(rooms, self._outgoing.questions, self._emit, self._connection.fail)
        self._feed = Feed(self._connection, self._brokers, self._following, self._outgoing, self._emit, feed)
        self._log = KnownLog(epochs, through)
        self._broker = broker
        self._stall = Stall()
        self._replies = Replies(
            self._connection,
            self._brokers,
            self._outgoing,
            self._following,
            self._feed,
            self._log,
            self._stall,
            self.read_marks,
            fresh,
            self._emit,
        )
        self._patience = patience
        self._ready = False
        self._ready_until: float | None = None

    # -- what a user sees

    @property
    def online(self) -> bool:
        return self._connection.online

    @property
    def moving(self) -> bool:
        """Whether the broker was just lost, and another one is looked for before anybody is told."""
        return self._connection.moving

    @property
    def endpoint(self) -> str:
        """Where to connect to, or where one is connected to."""
        return self._brokers.current

    @property
    def several(self) -> bool:
        """Whether there is more than one place to go to."""
        return self._brokers.several

    @property
    def nick(self) -> str | None:
        return self._connection.nick

    @property
    def from_(self) -> str:
        return self._connection.from_

    @property
    def welcome(self) -> m.Welcome | None:
        return self._connection.welcome

    @property
    def member(self) -> m.Account | None:
        """The member that one is; None for a guest."""
        return self._replies.member

    def is_own(self, event: Any) -> bool | None:
        """Say whether this client said something, and no other device of the same member; None while nobody knows."""
        if getattr(event, "from_", "") != self.from_:
            return False
        seq = getattr(event, "seq", None)
        if self._replies.member is None or seq is None:
            return True  # nobody else speaks under this `from`
        return self._outgoing.numbered.own.has(seq, unanswered=self.unanswered > 0)

    @property
    def epochs(self) -> m.Epochs:
        """The epochs of the history that all cursors and numbers here are of."""
        return self._log.epochs

    @property
    def shared(self) -> int | None:
        """The seq through which what was known at the start is still in the log; None: all of it, 0: nothing."""
        return self._log.shared

    @property
    def unanswered(self) -> int:
        return len(self._outgoing.numbered)

    @property
    def deferred(self) -> str | None:
        """Why the broker takes nothing now and has us send it again; None when it does."""
        return self._outgoing.deferred

    @property
    def stalled(self) -> str | None:
        """Why the brokers cannot store anything now; None when they can."""
        return self._stall.why

    @property
    def rooms(self) -> dict[str, Room]:
        return self._following.rooms

    def keys(self) -> list[Any]:
        """Return the keys of all that still waits for an answer."""
        rooms = [key for room in self.rooms.values() for key in room.waiters]
        return [*self._outgoing.numbered.keys(), *self._outgoing.questions.keys(), *rooms]

    def deaf(self) -> ZchatError | None:
        """Return what is wrong if the broker answers, and its feed is not heard."""
        return self._feed.deaf()

    # -- what a user does

    def post(self, command: m.NumberedCommand, key: Any) -> None:
        """Queue a numbered command; `flush` sends it, `Answered` brings its ack or its refusal."""
        self._outgoing.post(command, key)

    def ask(self, command: m.Command, key: Any, now: float, timeout: float) -> list[do.Effect]:
        """Ask a plain question; `Answered` brings its reply, or None after `timeout` seconds."""
        self._outgoing.questions.put(command, Purpose.USER, now, key=key).deadline = now + timeout
        return self.flush(now)

    def tell(self, command: m.Command, now: float) -> list[do.Effect]:
        """Send a command that has no answer, if there is a connection."""
        if self.online and self._outgoing.bucket.allowance(now, 1):
            self._outgoing.send_now(command)
        return self.flush(now)

    def join(self, room: Room, key: Any, now: float, timeout: float) -> list[do.Effect]:
        """Follow a room; `Answered` brings `joined`, or None after `timeout` seconds. A known room keeps its cursor."""
        self._outgoing.questions.cancel(Purpose.PART, room.name)
        if known := self.rooms.get(room.name):
            known.quiet = room.quiet
            room = known
        else:
            self._following.add(room)
        room.waiters[key] = now + timeout
        if room.private and self.online:
            self._following.join(room, now)
        elif self.online and not self._feed.is_open:
            self._feed.open(now)
        elif self.online:
            self._emit(do.Subscribe(room.topic))
            if self._feed.live:  # if not, all rooms are joined once it is
                self._following.join(room, now)
            self._feed.ping_by(now + QUICK)  # the subscription may be slower than the join
        return self.flush(now)

    def part(self, room: str, reason: str | None, key: Any, now: float, timeout: float) -> list[do.Effect]:
        """Follow a room no more, and forget what waits of it, from now on; the broker is told until it has heard."""
        self._emit(do.Discard(room))
        if room not in self.rooms:
            return self.ask(m.Part(room=room, reason=reason), key, now, timeout)
        self._following.leave(room, now, reason)
        self._emit(do.Answered(key, m.Parted(room=room)))
        return self.flush(now)

    def rename(self, nick: str, key: Any, now: float, timeout: float) -> list[do.Effect]:
        """Take another nick; without a broker the next `hello` asks for it, at once if the old one keeps us out.

        While a `hello` is on its way it is asked for behind the `welcome`.
        """
        if self.nick is None or self.online:  # an observer is refused
            return self.ask(m.SetNick(nick=nick), key, now, timeout)
        self._emit(do.Answered(key, m.Renamed(nick=nick)))
        self._connection.choose(nick)
        return self.flush(now)

    def be_bot(self, bot: bool, now: float) -> list[do.Effect]:
        """Be a bot from now on, or none: the next hello tells it, which is said at once if one is connected."""
        if self._connection.be_bot(bot, now):
            self._replies.greet(now)
        return self.flush(now)

    def close(self, reason: str | None = None) -> list[do.Effect]:
        """Say goodbye, if anybody listens."""
        if self.online:
            self._emit(do.Send([wire.encode(m.SayBye(reason=reason))]))
        self._connection.leave()
        return self._emitted()

    def pause(self) -> None:
        """The user is slow: the feed is not read for a while."""
        self._following.pause()

    def resume(self, now: float) -> list[do.Effect]:
        """The feed is read again."""
        self._feed.heard(now)
        self._following.resume(now)
        if self.online and self._following.unsure:
            self._feed.ping_by(now)
        return self.flush(now)

    # -- what happens

    def connected(self, now: float) -> list[do.Effect]:
        """A new DEALER socket is there, to `endpoint`."""
        if self._ready_until is None:
            self._ready_until = now + self._patience
        if self._connection.opened(now):
            self._replies.greet(now)
        return self.flush(now)

    def reached(self, now: float) -> list[do.Effect]:
        """The socket's connection is made."""
        self._connection.reached(now)
        return self.flush(now)

    def lost(self, now: float, fault: Fault) -> list[do.Effect]:
        """The connection is cut, or could not be made."""
        self._connection.cut(fault, now)
        return self.flush(now)

    def feed_failed(self, fault: Fault) -> bool:
        """The feed could not be connected, which is told should that last; return whether this is new."""
        return self._feed.failed(fault)

    def replies(self, payload: bytes, now: float) -> list[do.Effect]:
        """A message came over the DEALER socket."""
        self._replies.receive(payload, now)
        return self.flush(now)

    def feed(self, topic: bytes, payload: bytes, now: float) -> list[do.Effect]:
        """A message came over the SUB socket."""
        if not self._connection.online:
            return []
        self._feed.heard(now)
        events = wire.events(payload)
        if topic.startswith(b"room/"):
            self._following.feed(topic, events, lines_of(payload, events), now)
        elif topic == wire.BROKER_TOPIC:
            self._broker_says(events, now)
        elif any(isinstance(event, m.Echo) for event in events) and self._feed.prove(now):
            self._following.join_public(now)
        return self.flush(now)

    def tick(self, now: float) -> list[do.Effect]:
        """Time has passed; call it after all that has arrived was handed in."""
        if not self._ready and self._ready_until is not None and now >= self._ready_until:
            self._connection.fail(self._why_not_ready())
        grace = self._connection.grace
        for question in self._outgoing.questions.tick(now, 2 * grace):
            self._emit(do.Answered(question.key, None))
        self._following.tick(now)
        self._connection.tick(now)
        if self.online and self._feed.is_dead(now):
            self._feed.open(now)
        elif self.online:
            self._outgoing.numbered.go_back_if_stuck(now, 2 * grace)
            self._feed.ping(now)
        return self.flush(now)

    def wait(self, now: float) -> float:
        """Return the seconds after which `tick` wants to be called, at most 1."""
        times = [self._outgoing.wait(now, online=self.online), self._connection.wait(now)]
        if (joins := self._following.wait(now)) is not None:
            times.append(joins)
        if not self._ready and self._ready_until is not None:
            times.append(self._ready_until - now)
        if self.online:
            times.append(self._feed.wait(now))
        return max(0.001, min(times))

    def flush(self, now: float) -> list[do.Effect]:
        """Return what there is to do, with what may be sent now."""
        if not self._connection.connected:
            self._outgoing.drop_urgent()
        limits = self.welcome.limits if self.welcome else _LIMITS
        self._outgoing.flush(now, limits, online=self.online)
        if not self._ready and self.online and all(room.joined for room in self.rooms.values()):
            self._ready = True
            self._emit(do.Ready())
        return self._emitted()

    def _why_not_ready(self) -> ZchatError:
        if self._connection.refusal:
            return self._connection.refusal
        if self.welcome is None or not self.online:
            if self._connection.waits_to_be_let_in:
                return TimedOutError(
                    "the brokers are there, and let nobody in until they can store again", self._patience
                )
            return self._connection.handshakes.error or UnreachableError(self._broker)
        return self.deaf() or TimedOutError("the broker did not let us into the rooms", self._patience)

    def _broker_says(self, events: list[Any], now: float) -> None:
        """The broker tells everybody how it is."""
        for event in events:
            if isinstance(event, m.BrokerBye):
                self._connection.stopping(event, now)
            elif isinstance(event, m.BrokerStalled):
                self._tell(self._stall.begins(event.reason, now))
            elif isinstance(event, m.BrokerFlowing):
                self._tell(self._stall.ends())

    # -- effects

    def _emit(self, effect: do.Effect) -> None:
        self._out.append(effect)

    def _tell(self, notice: notices.Notice | None) -> None:
        if notice is not None:
            self._emit(do.Deliver([notice], [b""]))

    def _emitted(self) -> list[do.Effect]:
        out, self._out = self._out, []
        return out
