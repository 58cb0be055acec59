"""The connection of one client to its broker: it is found, greeted, kept, lost and found again.

`phases.py` holds the table of this state machine. Here each thing that happens is judged (is this silence a loss? is
this refusal final?), turned into an event of the table, and what follows from it is emitted. Nothing else has to be
undone when a connection is lost: what is unanswered is still in `Outgoing`, and what has been seen in `Following`.

Where several brokers share the log, the next one is tried (`brokers.py`). Nobody is told of such a move unless it takes
seconds: the user of a client wants to know that no broker can be reached, and not which one it is.

A connection knows nothing of either. Where it needs a `hello` to be said, its methods return True, and the session says
what `hello` returns.
"""

from collections.abc import Callable

from zchat.errors import NickTakenError, RefusedError, UnreachableError, ZchatError
from zchat.protocol import FEATURES, VERSION
from zchat.protocol import messages as m

from . import effects as do
from . import notices
from .brokers import Brokers
from .handshake import Fault, Handshakes
from .phases import Event, Phase, next_phase
from .questions import RETRYABLE

HELLO_WAIT = 5.0  # seconds for the first answer, while the broker's grace is unknown
SHARED_HELLO_WAIT = 7.0  # seconds for the answer of one of several brokers, which says `unavailable` after 5
SILENT_HEARTBEATS = 2  # after which one of several brokers is given up; an only one has `grace`
SETTLED = 30.0  # seconds after which no older hello of ours comes any more
QUIET = 3.0  # seconds that a move to another broker may take before it is told as a loss
STABLE = 2.0  # seconds that a session lives before its end counts as a first failure
AT_ONCE = 0.1  # seconds after the welcome in which a broker that forgets us is not worth another hello
STOPPING = 1.0  # seconds for the last answers of a broker that has said `bye` on the feed
TAKEN_GRACES = 3  # how long a nick may be held by what is left of our old session
FRESH_IDS_MAX = 3  # tries with a fresh client id
HELLO_RETRYABLE = RETRYABLE | {"server_full", "internal"}
# by a broker that is there
REFUSALS = {Event.HELLO_REFUSED, Event.FORGOTTEN_AT_ONCE, Event.OUT_OF_STEP, Event.SUPPLANTED}


class Connection:
    """`brokers` are where one may be, and `broker` is how they are called.

    With a `device` and no nick one comes in as the member that the connection proves, whatever its nick is by now: no
    later hello names the one of before, for it may have been changed from another device meanwhile.
    """

    def __init__(
        self,
        nick: str | None,
        *,
        broker: str,
        brokers: Brokers,
        invite: str | None,
        device: str | None,
        guest: str | None,
        bot: bool,
        software: str | None,
        reconnect: bool,
        emit: Callable[[do.Effect], None],
    ) -> None:
        self.phase = Phase.OFFLINE
        self.nick, self.from_ = nick, ""
        self.welcome: m.Welcome | None = None  # the last one
        self.refusal: RefusedError | None = None  # of the last hello
        self.handshakes = Handshakes(broker)
        self.moved = False  # whether the last welcome ended a loss of which nobody was told
        self.hello_took = 0.0  # seconds until the last hello had its welcome
        self._broker, self._brokers, self._bot, self._software = broker, brokers, bot, software
        self._invite, self._device, self._by_device = invite, device, device is not None and nick is None
        self._guest = guest  # the nick of one whom the connection does not prove
        self._reconnect, self._emit = reconnect, emit
        self._token: str | None = None
        self._known_as: str | None = None  # the nick that the broker has given us last
        self._hello_nick = nick  # the one that the last hello asked for
        self._hello_ref = 0
        self._hello_at = self._hello_until = 0.0
        self._hellos_lost = 0  # that were given up, and may yet be read, or stored, after the one that followed them
        self._taken_since: float | None = None  # since when another has our nick
        self._fresh_ids = 0
        self._reached = False  # the connection is made
        self._untold: tuple[float, str] | None = None  # when to tell that the broker is gone, and why it is
        self._retry_at = 0.0
        self._online_since = self._heard = self._ticked = 0.0
        self._stopping: tuple[float, float] | None = None  # until when we wait, and how long the broker may be gone

    @property
    def online(self) -> bool:
        return self.phase is Phase.ONLINE

    @property
    def greeting(self) -> bool:
        return self.phase is Phase.GREETING

    @property
    def connected(self) -> bool:
        """Whether there is a socket that is of use."""
        return self.phase is Phase.ONLINE or self.phase is Phase.GREETING

    @property
    def grace(self) -> float:
        """The seconds for which the broker keeps a session of which it hears nothing."""
        return self.welcome.grace if self.welcome else HELLO_WAIT

    @property
    def waits_to_be_let_in(self) -> bool:
        """Whether one of several brokers is there and does not answer the hello: what they share may not answer it."""
        return self.greeting and self._reached and self._brokers.several

    @property
    def moving(self) -> bool:
        """Whether the broker was just lost, and another one is probably found before anybody need know."""
        return self._untold is not None

    # -- the socket

    def opened(self, now: float) -> bool:
        """There is a new socket; True: say hello."""
        self._ticked = self._heard = now
        self._reached = False
        return self._move(Event.OPENED)

    def reached(self, now: float) -> None:
        """The connection is made: the broker's process is there, and may take its time for the hello."""
        self._reached = True
        if self.greeting:
            self._hello_until = now + self._patience()

    def cut(self, fault: Fault, now: float) -> None:
        """The connection of the socket is cut, or could not be made."""
        self._hellos_lost += self.greeting
        error_before = self.handshakes.error
        final = self.handshakes.failed(fault, known=self.welcome is not None, brokers=len(self._brokers))
        error = self.handshakes.error
        if final and error is not None:
            self.fail(error)
            return
        if self.welcome is not None and error is not None and error_before is None and not self.moving:
            self._notify(notices.KeptOut("wrong_key", str(error)))
        self._leave(Event.CUT, fault.value, now)

    def heard(self, now: float) -> None:
        """The broker has said something."""
        self._heard = now

    # -- the hello

    def hello(self, ref: int, client: str, epochs: m.Epochs, now: float) -> m.Hello:
        """Return the command that greets the broker; its answer is waited for from now on."""
        self._hello_ref, self._hello_nick = ref, self._known_as if self._by_device else self.nick
        self._hello_at, self._hello_until = now, now + self._patience()
        return m.Hello(
            protocol=VERSION,
            nick=None if self._by_device else self.nick,
            client=client,
            resume=self._token,
            bot=self._bot,
            software=self._software,
            ref=ref,
            epochs=epochs or None,
            invite=self._invite if self.welcome is None else None,  # it is used up then, or was not needed
            device=self._device,
            features=FEATURES,
        )

    def _patience(self) -> float:
        """Return the seconds for the answer to a hello."""
        if self._brokers.several:
            return SHARED_HELLO_WAIT if self._reached else self._brokers.reach_wait
        return max(1.0, self.welcome.grace) if self.welcome else HELLO_WAIT

    def awaits(self, ref: m.Ref | None) -> bool:
        """Say whether this is the `ref` of the hello whose answer is waited for."""
        return self.greeting and ref == self._hello_ref

    def welcomed(self, welcome: m.Welcome, now: float) -> str | None:
        """We are in. Return the nick that was chosen while the hello was on its way: it is yet to be asked for."""
        self._move(Event.WELCOMED)
        chosen, self.nick = self.nick, welcome.nick
        self.welcome, self.from_, self._token = welcome, welcome.from_, welcome.session
        self._known_as = welcome.nick
        self.handshakes.succeeded()
        self._online_since, self.hello_took = now, now - self._hello_at
        self._fresh_ids, self._taken_since, self.refusal, self._stopping = 0, None, None, None
        self.moved, self._untold = self.moving, None
        return chosen if chosen != self._hello_nick else None

    def unproved(self, welcome: m.Welcome) -> bool:
        """Nobody is proved by this connection, or the broker knows no devices: True, say hello as a guest."""
        if not self._by_device or welcome.nick is not None or self._guest is None:
            return False
        self.nick, self._by_device, self._token = self._guest, False, None
        return True

    def numbers_unknown(self, n: int) -> bool:
        """This log never knew our numbers, and has accepted `n` of this id; True: say hello with a fresh one."""
        self._fresh_ids += 1
        if self._fresh_ids > FRESH_IDS_MAX:
            self.fail(RefusedError("internal", f"a fresh client id has taken {n} numbers here already"))
            return False
        self._token = None
        return self._move(Event.NUMBERS_UNKNOWN)

    def hello_refused(self, error: m.Error, now: float) -> bool:
        """Come back later; for what time does not heal, not at all. True: say hello with a fresh client id."""
        if self._is_of_another(error):
            self._fresh_ids += 1
            return self._move(Event.NUMBERS_UNKNOWN)
        if error.code == "nick_taken":
            self._nick_taken(error, now)
        elif error.code in HELLO_RETRYABLE:
            self._hellos_lost += error.code == "unavailable"  # it may be stored later, and ends another session then
            self._kept_out(RefusedError(error.code, error.message), error.message, now, error.retry_after or 0.0)
        else:
            self.fail(RefusedError(error.code, error.message))
        return False

    def _is_of_another(self, error: m.Error) -> bool:
        """Whether our client id may be that of the member who was here before us."""
        invited = self._invite is not None and self.welcome is None
        return invited and error.code == "forbidden" and error.limit is None and self._fresh_ids < FRESH_IDS_MAX

    def _nick_taken(self, error: m.Error, now: float) -> None:
        if self._hello_nick != self.nick:  # another was chosen since we asked
            self._taken_since = None
            self._leave(Event.HELLO_REFUSED, error.message, now, at_once=True)
            return
        if self._known_as not in (None, self.nick):  # chosen without a broker
            self.nick = self._known_as
            self._notify(notices.KeptOut(error.code, error.message))
            self._leave(Event.HELLO_REFUSED, error.message, now, at_once=True)
            return
        refusal = NickTakenError(self.nick or "", error.message)
        self._taken_since = now if self._taken_since is None else self._taken_since
        patience = TAKEN_GRACES * self.welcome.grace if self.welcome else 0.0
        if now - self._taken_since >= patience:  # until then it may be what is left of our old session
            self.fail(refusal)
        else:
            self._kept_out(refusal, error.message, now)

    def _kept_out(self, refusal: RefusedError, why: str, now: float, retry_after: float = 0.0) -> None:
        if not self.moving:
            news = self.refusal is None or self.refusal.code != refusal.code
            self.refusal = refusal
            if news and self.welcome is not None:  # who waits for the first connection is told in the end
                self._notify(notices.KeptOut(refusal.code, why))
        self._leave(Event.HELLO_REFUSED, why, now, retry_after=retry_after)

    # -- what one is

    def be_bot(self, bot: bool, now: float) -> bool:
        """Each hello from now on tells that we are a bot, or none; True: say one. If it takes long, that is a loss."""
        changed, self._bot = bot != self._bot, bot
        if not changed or not self._move(Event.CHANGED):
            return False
        self._untold = (now + QUIET, "it does not answer")
        return True

    def choose(self, nick: str) -> None:
        """The next hello asks for this nick; if the one before keeps us out, that hello is said at once."""
        self.nick = nick
        if self._taken_since is not None and self.phase is Phase.OFFLINE:
            self._taken_since = self.refusal = None
            self._emit(do.Reconnect("with another nick", 0.0))

    def renamed(self, nick: str) -> None:
        """The broker has given us this nick."""
        self.nick = self._known_as = nick

    # -- the session

    def forgotten(self, now: float) -> bool:
        """Our session is gone, but the broker is there; True: say hello."""
        if now - self._online_since < AT_ONCE:
            self._leave(Event.FORGOTTEN_AT_ONCE, "it forgets us at once", now)
            return False
        if self._brokers.several and self.online:
            self._tell_loss("it has ended this session", 0.0, now)
        return self._move(Event.FORGOTTEN)

    def out_of_step(self, now: float) -> None:
        """The broker wants a number next that we cannot send; who does so again and again is not asked at once."""
        first = self._brokers.failures == 0 or now - self._online_since > STABLE
        self._leave(Event.OUT_OF_STEP, "it has lost our place", now, at_once=first)

    def stopping(self, bye: m.BrokerBye, now: float) -> None:
        """The broker is about to stop, and to be back after a while: wait for its last answers."""
        if not self._brokers.several:
            self._notify(bye)
        self._stopping = (now + STOPPING, bye.retry_after)

    def ended(self, bye: m.Bye, now: float) -> bool:
        """The broker said `bye` to our session; True: say hello."""
        reason = bye.reason
        if reason == "shutdown":
            self._leave(Event.STOPPED, "it stops, as planned", now)
        elif reason not in ("replaced", "kick", "banned"):
            return self.forgotten(now)
        elif reason == "replaced" and self._by_ourselves(now):
            self._hellos_lost -= 1  # so that two who share a client id do not fight for ever
            self._leave(Event.SUPPLANTED, "it took an older connection of ours for the newer one", now)
        elif self._move(Event.ENDED):
            self._notify(notices.Ended(reason, bye.text, bye.by))
            self._emit(do.Finish(None))
        return False

    def _by_ourselves(self, now: float) -> bool:
        """Whether it may be an older hello of our own that has taken the session over.

        A broker reads its peers in turn; and what several brokers share may store an older hello after a newer one.
        """
        return self.online and self._hellos_lost > 0 and now - self._online_since < SETTLED

    # -- the end

    def fail(self, error: ZchatError) -> None:
        """Nothing can help: it is over."""
        if self._move(Event.FAILED):
            self._emit(do.Finish(error))

    def leave(self) -> None:
        """The user has closed the client."""
        self._move(Event.LEFT)

    # -- time

    def tick(self, now: float) -> None:
        """Judge silence; called after all that has arrived was handed in."""
        if now - self._ticked > self.grace / 2:  # it was us who slept: judge nobody by it
            self._hello_until += now - self._ticked
            self._heard = now
        self._ticked = now
        if self.greeting and now >= self._hello_until:
            self._hellos_lost += 1
            self._leave(Event.HELLO_UNANSWERED, "it does not answer", now)
        elif self._stopping and self.online and now >= self._stopping[0]:
            self._leave(Event.STOPPED, "it stops, as planned", now)
        elif self.online and now - self._heard > self._silence:
            self._leave(Event.SILENT, f"nothing was heard for {self._silence:g} s", now)
        if self._untold is not None and now >= self._untold[0]:
            self._notify(notices.Offline(self._untold[1], max(0.0, self._retry_at - now)))
            self._untold = None

    def wait(self, now: float) -> float:
        """Return the seconds until `tick` may have something to judge, at most 1."""
        times = [1.0]
        if self.greeting:
            times.append(self._hello_until - now)
        if self._stopping and self.online:
            times.append(self._stopping[0] - now)
        if self._untold is not None:
            times.append(self._untold[0] - now)
        return min(times)

    @property
    def _silence(self) -> float:
        """The seconds of silence after which the broker is given up."""
        if self._brokers.several and self.welcome is not None:
            return min(self.grace, SILENT_HEARTBEATS * self.welcome.heartbeat)
        return self.grace

    # -- inside

    def _move(self, event: Event) -> bool:
        """Go where the table has `event` lead; False: it is ignored."""
        phase = next_phase(self.phase, event)
        self.phase = phase or self.phase
        return phase is not None

    def _leave(self, event: Event, why: str, now: float, *, at_once: bool = False, retry_after: float = 0.0) -> None:
        """Go offline by `event`, and ask for a new connection: in a while to the next broker, `at_once` to this one."""
        was_online = self.online
        if next_phase(self.phase, event) is None:
            return
        if not self._reconnect and self.welcome is not None:
            self.fail(UnreachableError(self._broker))
            return
        self._move(event)
        if was_online and now - self._online_since > STABLE:
            self._brokers.succeeded()
        retry_after = self._stopping[1] if self._stopping else retry_after
        known, refused = self.welcome is not None, event in REFUSALS
        delay = self._brokers.back_off(known=known, refused=refused, at_least=retry_after)
        if at_once:
            delay = 0.0
        else:
            self._brokers.turn()
        self._stopping, self._retry_at = None, now + delay
        if was_online:
            self._tell_loss(why, delay, now)
        self._emit(do.Reconnect(why, delay))

    def _tell_loss(self, why: str, delay: float, now: float) -> None:
        """Tell that the broker is gone: at once, or where there are others, later if at all."""
        if self._brokers.several:
            self._untold = (now + QUIET, why)
        else:
            self._notify(notices.Offline(why, delay))

    def _notify(self, notice: notices.Notice | m.BrokerBye) -> None:
        self._emit(do.Deliver([notice], [b""]))
