"""The circle that a session walks: find the broker, greet it, stay with it, lose it, find it again.

OFFLINE, it waits for a new connection; GREETING, it has said `hello`; ONLINE, it sends and hears. Whatever goes wrong
(silence, a cut connection, a broker that stops or has forgotten us) leads back to the start of the circle, and
nothing else has to be undone: what is unanswered is still in `Outgoing`, and what has been seen in `Following`. DEAD
is the only way out.

Beside the circle runs the feed, which has its own proof of life (`FeedWatch`). Rooms are joined only once the feed
is live, so that nothing falls between the history asked for and the first live event.
"""

from collections.abc import Callable, Iterable
from enum import Enum, auto

from zchat.errors import FeedUnreachableError, NickTakenError, RefusedError, TimedOutError, UnreachableError, ZchatError
from zchat.protocol import VERSION, endpoints, wire
from zchat.protocol import messages as m

from . import effects as do
from . import notices
from .feed import FeedWatch
from .following import RETRYABLE, Following
from .numbered import NumberedCommand
from .outgoing import Outgoing
from .questions import Purpose
from .room import Room

BACK_OFF_FIRST, BACK_OFF_MOST = 0.1, 30.0  # seconds
IMPATIENT = 0.5  # seconds between tries at most while somebody waits for the first connection
HELLO_WAIT = 5.0  # seconds for the first answer, while the broker's grace is unknown
STABLE = 2.0  # seconds that a session lives before its end counts as a first failure
STOPPING = 1.0  # seconds for the last answers of a broker that has said `bye` on the feed
QUICK = 0.1  # seconds to the next ping when a pong left a doubt
TAKEN_GRACES = 3  # how long a nick may be taken by what is left of our old session
HELLO_RETRYABLE = RETRYABLE | {"server_full", "internal"}

_LIMITS = m.Limits()


class Phase(Enum):
    OFFLINE = auto()
    GREETING = auto()
    ONLINE = auto()
    DEAD = auto()


class Circle:
    """`jitter` returns 0 to 1 and `fresh` a new client id: both random, so that this file is not."""

    def __init__(
        self,
        nick: str | None,
        *,
        client: str,
        broker: str,
        jitter: Callable[[], float],
        fresh: Callable[[], str],
        rooms: Iterable[Room] = (),
        feed: str | None = None,
        bot: bool = False,
        software: str | None = None,
        patience: float = 5.0,
        reconnect: bool = True,
        n: int = 0,
        unanswered: Iterable[NumberedCommand] = (),
        epochs: m.Epochs = (),
        through: int = 0,
        since: int = 0,
    ) -> None:
        self.epochs = epochs  # of the history that all places here are of: the rooms', and those of the numbers
        self._through = through  # the highest place of it that the user has kept
        self.shared: int | None = None  # through which those that were known at the start are still in the log
        self.nick, self.from_ = nick, ""
        self.welcome: m.Welcome | None = None
        self._broker, self._feed_override = broker, feed
        self._jitter, self._fresh = jitter, fresh
        self._bot, self._software = bot, software
        self._patience, self._reconnect = patience, reconnect
        self._phase = Phase.OFFLINE
        self._out: list[do.Effect] = []
        self._outgoing = Outgoing(client, n, unanswered, since, self._emit)
        self._following = Following(rooms, self._outgoing.questions, self._emit)
        self._watch = FeedWatch()
        self._token: str | None = None
        self._away: m.Away | None = None
        self._ready = False
        self._ready_until: float | None = None
        self._refusal: RefusedError | None = None  # the last one to a hello
        self._known_as: str | None = None  # the nick that the broker has given us last
        self._hello_nick = nick  # the one that the last hello asked for
        self._taken_since: float | None = None
        self._gone_numbers = 0  # taken once, and not by this log: known when numbers begin anew under a fresh id
        self._attempts = self._strange_logs = self._hello_ref = 0
        self._hello_until = self._online_since = self._heard = self._ticked = self._next_ping = 0.0
        self._hello_at = self._greeting = 0.0  # when the last hello was said, and how long its answer took
        self._abandoned = False  # a hello was given up that the broker may yet read, after the one that followed it
        self._quick = False  # the last ping was a quick one
        self._stopping: tuple[float, float] | None = None  # until when we wait, and how long the broker may be gone

    @property
    def online(self) -> bool:
        return self._phase is Phase.ONLINE

    # -- what happens

    def connected(self, now: float) -> list[do.Effect]:
        """A new DEALER socket is there."""
        if self._ready_until is None:
            self._ready_until = now + self._patience
        self._ticked = self._heard = now
        self._hello(now)
        return self.flush(now)

    def lost(self, now: float, why: str) -> list[do.Effect]:
        """The connection is cut."""
        if self._phase in (Phase.GREETING, Phase.ONLINE):
            self._abandoned = self._abandoned or self._phase is Phase.GREETING
            self._leave(why, now)
        return self.flush(now)

    def tick(self, now: float) -> list[do.Effect]:
        """Time has passed; call it after all that has arrived was handed in."""
        grace = self.welcome.grace if self.welcome else HELLO_WAIT
        if now - self._ticked > grace / 2:  # it was us who slept: judge nobody by it
            self._hello_until += now - self._ticked
            self._heard = now
        self._ticked = now
        if not self._ready and self._ready_until is not None and now >= self._ready_until:
            self._finish(self._why_not_ready())
        for question in self._outgoing.questions.tick(now, 2 * grace):
            self._out.append(do.Answered(question.key, None))
        self._following.tick(now)
        if self._phase is Phase.GREETING and now >= self._hello_until:
            self._abandoned = True
            self._leave("it does not answer", now)
        elif self._phase is Phase.ONLINE:
            self._live(now, grace)
        return self.flush(now)

    def wait(self, now: float) -> float:
        """Return the seconds after which `tick` wants to be called, at most 1."""
        times = [self._outgoing.wait(now, online=self.online)]
        if (joins := self._following.wait(now)) is not None:
            times.append(joins)
        if not self._ready and self._ready_until is not None:
            times.append(self._ready_until - now)
        if self._phase is Phase.GREETING:
            times.append(self._hello_until - now)
        elif self._phase is Phase.ONLINE:
            times += [self._next_ping - now, self._watch.wait(now)]
            if self._stopping:
                times.append(self._stopping[0] - now)
        return max(0.001, min(times))

    def flush(self, now: float) -> list[do.Effect]:
        """Return what there is to do, with what may be sent now."""
        if self._phase in (Phase.OFFLINE, Phase.DEAD):
            self._outgoing.hush()
        limits = self.welcome.limits if self.welcome else _LIMITS
        self._outgoing.flush(now, limits, online=self.online)
        if not self._ready and self.online and all(room.joined for room in self._following.rooms.values()):
            self._ready = True
            self._out.append(do.Ready())
        return self._taken()

    # -- the circle

    def _hello(self, now: float) -> None:
        self._phase, self._hello_at = Phase.GREETING, now
        self._hello_until = now + (max(1.0, self.welcome.grace) if self.welcome else HELLO_WAIT)
        questions = self._outgoing.questions
        questions.restart()
        self._hello_ref, self._hello_nick = questions.ref(), self.nick
        self._outgoing.urge(
            m.Hello(
                protocol=VERSION,
                nick=self.nick,
                client=self._outgoing.numbered.client,
                resume=self._token,
                bot=self._bot,
                software=self._software,
                ref=self._hello_ref,
                epochs=self.epochs or None,
            )
        )

    def _welcomed(self, welcome: m.Welcome, now: float) -> None:
        if self._phase is not Phase.GREETING:
            return
        known = self.welcome
        shared = self._shared(welcome)
        same_log = known is None or known.log == welcome.log or bool(shared)
        self._outgoing.resolve(welcome.n)
        self._gone_numbers = max(self._gone_numbers, self._outgoing.numbered.answered - welcome.n)
        if not self._outgoing.welcomed(welcome.n, shared, welcome.epochs[-1][1] if welcome.epochs else 0):
            self._start_over(welcome, now)
            return
        self.welcome = welcome
        chosen, self.nick = self.nick, welcome.nick
        self._known_as = welcome.nick
        self.from_, self._token = welcome.from_, welcome.session
        self._phase, self._online_since, self._next_ping = Phase.ONLINE, now, now
        self._greeting = now - self._hello_at
        self._strange_logs, self._taken_since, self._refusal, self._stopping = 0, None, None, None
        self._outgoing.pace.set(welcome.limits.rate, now)
        self._following.mine = welcome.from_
        self._out.append(do.Deliver([notices.Online(welcome, known is not None, shared)], [b""]))
        self._go_on(shared, same_log)
        if chosen is not None and chosen != self._hello_nick:
            self._outgoing.questions.put(m.SetNick(nick=chosen), Purpose.NICK, now)
        if self._away is not None:
            self._outgoing.urge(self._away)
        self._watch.close()
        if self._following.rooms:
            self._open_feed(now)

    def _shared(self, welcome: m.Welcome) -> int | None:
        """Return the seq through which the broker's log is the one that we know; None: all of it, 0: it is another."""
        shared = welcome.shared if self.epochs and welcome.epochs else None
        if not shared and self.welcome is not None and self.welcome.log != welcome.log:
            shared = 0
        if shared is not None:
            self.shared = shared if self.shared is None else min(shared, self.shared)
        return shared

    def _go_on(self, shared: int | None, same_log: bool) -> None:
        """Let go of what is above `shared`, say what of it was in this log once, and follow the broker's history."""
        gone = self._following.restart(shared, same_log=same_log)
        gone |= shared is not None and self._through > shared
        self._through = 0  # from now on what the user knows comes from us
        if shared is not None and same_log:
            self._outgoing.go_back(shared)
            lost = self._outgoing.numbered.lose(shared)
            more = max(0, self._gone_numbers - len(lost))
            if gone or lost or more:
                self._out.append(do.Deliver([notices.WentBack(shared, lost, more)], [b""]))
        self._gone_numbers = 0
        epochs = self.welcome.epochs if self.welcome else ()
        if self.epochs != epochs:
            self.epochs = epochs
            self._out.append(do.Follow(epochs))

    def _start_over(self, welcome: m.Welcome, now: float) -> None:
        """This log never knew our numbers: leave the session just opened, and come back with a fresh client id."""
        self._strange_logs += 1
        if self._strange_logs > 3:
            self._finish(RefusedError("internal", f"a fresh client id has taken {welcome.n} numbers here already"))
            return
        self._outgoing.start_over(self._fresh())
        self._outgoing.urge(m.SayBye())
        self._token = None
        self._hello(now)

    def _open_feed(self, now: float) -> None:
        """Connect the feed and subscribe, our own topic last: its echo proves the others too."""
        if self.welcome is None:
            return
        self._watch.start(now, self._greeting)
        self._following.forget()
        self._out.append(do.ConnectFeed(self._feed_endpoint(self.welcome)))
        topics = (wire.BROKER_TOPIC, *self._following.topics(), wire.session_topic(self.welcome.id))
        self._out.extend(do.Subscribe(topic) for topic in topics)
        self._ping(now, self.welcome.grace)

    def _feed_endpoint(self, welcome: m.Welcome) -> str:
        return self._feed_override or endpoints.reachable(welcome.feed, self._broker)

    def _live(self, now: float, grace: float) -> None:
        """Look after a session that is online."""
        if self._stopping and now >= self._stopping[0]:
            self._leave("it stops, as planned", now)
        elif now - self._heard > grace:
            self._leave(f"nothing was heard for {grace:g} s", now)
        elif self._watch.is_dead(now, max(grace, HELLO_WAIT)) and not self._following.paused:
            self._open_feed(now)
        else:
            self._outgoing.numbered.stuck(now, 2 * grace)
            self._ping(now, grace)

    def _ping(self, now: float, grace: float) -> None:
        proof = self._watch.wants_proof(now)
        if proof or now >= self._next_ping:
            check = not self._following.paused and self._watch.wants_check(now, grace)
            self._outgoing.urge(m.Ping(feed=proof or check))
        if now >= self._next_ping and self.welcome:
            self._quick = False
            self._next_ping = now + self.welcome.heartbeat

    def _leave(self, why: str, now: float, *, at_once: bool = False) -> None:
        """Go offline, and ask for a new connection in a while."""
        if not self._reconnect and self.welcome is not None:
            self._finish(UnreachableError(self._broker))
            return
        if self.online and now - self._online_since > STABLE:
            self._attempts = 0
        most = BACK_OFF_MOST if self.welcome else IMPATIENT
        delay = min(most, BACK_OFF_FIRST * 2 ** min(self._attempts, 20))
        if self._stopping:
            delay = max(delay, min(self._stopping[1], BACK_OFF_MOST))
        delay = 0.0 if at_once else delay * (0.5 + self._jitter())
        self._attempts += 1
        if self.online:
            self._out.append(do.Deliver([notices.Offline(why, delay)], [b""]))
        self._stopping = None
        self._phase = Phase.OFFLINE
        self._watch.close()
        self._out.append(do.Reconnect(why, delay))

    def _finish(self, error: ZchatError | None) -> None:
        if self._phase is not Phase.DEAD:
            self._phase = Phase.DEAD
            self._out.append(do.Finish(error))

    def _why_not_ready(self) -> ZchatError:
        if self._refusal:
            return self._refusal
        if self.welcome is None or not self.online:
            return UnreachableError(self._broker)
        return self.deaf() or TimedOutError("the broker did not let us into the rooms", self._patience)

    def deaf(self) -> ZchatError | None:
        """Return what is wrong if the broker answers, and its feed is not heard."""
        if self.welcome is None or not self.online or self._watch.live:
            return None
        return FeedUnreachableError(self._feed_endpoint(self.welcome))

    def _hello_refused(self, error: m.Error, now: float) -> None:
        """Come back later, or for what time does not heal, not at all."""
        refusal = RefusedError(error.code, error.message)
        if error.code == "nick_taken" and self._hello_nick != self.nick:  # another was chosen since we asked
            self._taken_since = None
            self._leave(error.message, now, at_once=True)
            return
        if error.code == "nick_taken" and self._known_as not in (None, self.nick):  # chosen without a broker
            self.nick = self._known_as
            self._out.append(do.Deliver([notices.KeptOut(error.code, error.message)], [b""]))
            self._leave(error.message, now, at_once=True)
            return
        if error.code == "nick_taken":
            refusal = NickTakenError(self.nick or "", error.message)
            self._taken_since = now if self._taken_since is None else self._taken_since
            patience = TAKEN_GRACES * self.welcome.grace if self.welcome else 0.0
            final = now - self._taken_since >= patience  # until then it may be what is left of our old session
        else:
            final = error.code not in HELLO_RETRYABLE
        if final:
            self._finish(refusal)
            return
        news = self._refusal is None or self._refusal.code != refusal.code
        self._refusal = refusal
        if news and self.welcome is not None:  # who waits for the first connection is told in the end
            self._out.append(do.Deliver([notices.KeptOut(error.code, error.message)], [b""]))
        self._leave(error.message, now)

    def _forgotten(self, now: float) -> None:
        """Our session is gone, but the broker is there."""
        if self.online and now - self._online_since < QUICK:
            self._leave("it forgets us at once", now)
        elif self.online:
            self._hello(now)

    def _ended(self, reason: str, now: float) -> None:
        """The broker said `bye` to this session."""
        if reason == "shutdown":
            self._leave("it stops, as planned", now)
        elif reason not in ("replaced", "kick"):
            self._forgotten(now)
        elif reason == "replaced" and self._abandoned and self.online:  # by ourselves: ROUTER reads peers in turn
            self._abandoned = False  # once, so that two who share a client id do not fight for ever
            self._leave("it took an older connection of ours for the newer one", now)
        elif self.online:
            self._out.append(do.Deliver([notices.Ended(reason)], [b""]))
            self._finish(None)

    def _emit(self, effect: do.Effect) -> None:
        self._out.append(effect)
        if isinstance(effect, do.Finish):
            self._phase = Phase.DEAD

    def _taken(self) -> list[do.Effect]:
        out, self._out = self._out, []
        return out
