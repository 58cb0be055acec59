"""Sockets, a clock and a buffer around one session: everything that acts.

Whatever happens (a message, a timer, a call) is handed to the session, and the effects that come back are carried out
at once, in order; nothing here decides anything about the protocol. What is delivered goes into a buffer that the
user empties. A user who is slow stops the feed, not the connection: while the buffer is full the SUB socket is not
read, what comes over the other one is left out, and all that was missed meanwhile is asked for later. Of a room that
is left nothing stays in it.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from zchat.errors import BadEndpointError, ClosedError, RefusedError, SessionEndedError, TimedOutError, ZchatError
from zchat.protocol import messages as m

from .addresses import Address
from .core import effects as do
from .core.handshake import Fault
from .core.listeners import is_of_room
from .core.notices import Ended
from .core.session import Session
from .greeting import explained
from .identity import Identity
from .link import Link
from .outbox import Outbox

Start = Callable[[Session, Any, float, float], list[do.Effect]]  # what asks: with a key, the time, and for how long

UNANSWERED_MAX = 2_000  # numbered commands waiting: what a user can lose sight of, and what is sent again at worst
BUFFER_MAX = 32 * 2**20  # bytes of lines waiting for the user: with what they are decoded to some 70 MB
log = logging.getLogger(__name__)

EVENT = 128  # bytes that an event counts beside its line


class Batch(NamedTuple):
    """What arrived together: `lines` holds the line of each durable event of a room or conversation, else b""."""

    events: list[Any]
    lines: list[bytes]
    history: bool


class Driver:
    """Runs `session` against a broker; `over` once it has ended for good, then `reason()` says why.

    The session says where to connect to, `address` which key has to be there, and keeps what is learned of it.
    `discard` takes what waits of a room out of where the user has put what was delivered.
    """

    def __init__(
        self,
        session: Session,
        address: Address,
        identity: Identity | None,
        outbox: Outbox | None,
        discard: Callable[[str], None],
    ) -> None:
        self.session, self.over = session, False
        self._discard_elsewhere = discard
        self.error: ZchatError | None = None
        self._address, self._outbox = address, outbox
        self._loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = self._loop.create_future()
        inproc = address.endpoints[0].startswith("inproc://")
        self._encrypted = address.key is not None
        self._asking: asyncio.Task[None] | None = None  # why a handshake has failed
        keys = (address.key, identity) if address.key is not None and identity is not None else None
        self._link = Link(
            *(self._received, self._published, self._lost), inproc, keys, deaf=self._deaf, reached=self._reached
        )
        self._ended: Ended | None = None
        self._buffer: deque[Batch] = deque()
        self._buffered = 0
        self._paused = self._flushing = self._awaited = False
        self._timer: asyncio.TimerHandle | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._news, self._space, self._idle = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._moved = asyncio.Event()  # something may have been answered

    def connect(self) -> None:
        """Open a connection; raises BadEndpointError."""
        if not self.over:
            if self._asking is not None:
                self._asking.cancel()
            self._link.connect(self.session.endpoint, alert=self.session.several)
            self._apply(self.session.connected(self._loop.time()))

    async def close(self, reason: str | None) -> None:
        """Say goodbye and close the sockets."""
        if not self.over:
            self._apply(self.session.close(reason))
            self._end(None)
        await self._link.close()
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    def check(self) -> None:
        """Raise why it is over, if it is."""
        if self.over:
            raise self.reason()

    def reason(self) -> ZchatError:
        """Return why it is over."""
        if self.error is not None:
            return self.error
        if self._ended is not None:
            return SessionEndedError(self._ended.reason, self._ended.text, self._ended.by)
        return ClosedError()

    # -- what a user asks for

    async def post(self, command: m.NumberedCommand) -> "asyncio.Future[m.Ack]":
        """Queue a numbered command once there is room for it."""
        self.check()
        while self.session.unanswered >= UNANSWERED_MAX:
            self._space.clear()
            await self._space.wait()
            self.check()
        future: asyncio.Future[m.Ack] = self._loop.create_future()
        self.session.post(command, future)
        if not self._flushing:  # all that is posted in one turn of the loop leaves as one batch
            self._flushing = True
            self._loop.call_soon(self._flush)
        return future

    async def drain(self) -> None:
        """Wait until nothing is unanswered."""
        while self.session.unanswered:
            self.check()
            self._idle.clear()
            await self._idle.wait()

    async def is_own(self, event: Any) -> bool:
        """Say whether this client said something, once its ack can have come."""
        while (own := self.session.is_own(event)) is None:
            if self.over:
                return True  # nobody will tell: whoever answers others had better not answer itself
            self._moved.clear()
            await self._moved.wait()
        return own

    async def answer(self, start: Start, what: str, seconds: float) -> m.Reply:
        """Start something that ends with one reply: call `start` with the session, a key, the time and the timeout."""
        self.check()
        future: asyncio.Future[m.Reply | None] = self._loop.create_future()
        self._apply(start(self.session, future, self._loop.time(), seconds))
        reply = await future
        if reply is None:
            raise TimedOutError(f"no answer to {what}", seconds, self.session.stalled)
        return reply

    def tell(self, command: m.Command) -> None:
        """Send a command that has no answer."""
        self.check()
        self._apply(self.session.tell(command, self._loop.time()))

    def be_bot(self, bot: bool) -> None:
        """Be a bot from now on, or none."""
        self.check()
        self._apply(self.session.be_bot(bot, self._loop.time()))

    async def next(self) -> Batch | None:
        """Return what was delivered next, None when no more will come. Raises RuntimeError while another waits."""
        while not self._buffer:
            if self.over:
                return None
            if self._awaited:
                raise RuntimeError(
                    "somebody takes batches of this client already: use listen(), which many can at once"
                )
            self._awaited = True
            self._news.clear()
            try:
                await self._news.wait()
            finally:
                self._awaited = False
        batch = self._buffer.popleft()
        self._buffered -= _size(batch.lines)
        self._go_on()
        return batch

    def _go_on(self) -> None:
        """Read the feed again, once the user has made room."""
        if self._paused and self._buffered < BUFFER_MAX // 2 and not self.over:
            self._paused = False
            self._link.resume_feed()
            self._apply(self.session.resume(self._loop.time()))

    # -- what happens

    def _received(self, payload: bytes) -> None:
        if not self.over:
            self._apply(self.session.replies(payload, self._loop.time()))

    def _published(self, topic: bytes, payload: bytes) -> None:
        if not self.over:
            self._apply(self.session.feed(topic, payload, self._loop.time()))

    def _reached(self) -> None:
        if not self.over:
            self._apply(self.session.reached(self._loop.time()))

    def _lost(self, fault: Fault) -> None:
        if fault is Fault.HUNG_UP and not self.over and not self.session.moving:
            self._link.drop()
            self._asking = asyncio.create_task(self._ask_why(fault))
        else:
            self._is_lost(fault)

    async def _ask_why(self, fault: Fault) -> None:
        self._is_lost(await explained(fault, self.session.endpoint, self._encrypted))

    def _is_lost(self, fault: Fault) -> None:
        if not self.over:
            self._apply(self.session.lost(self._loop.time(), fault))

    def _deaf(self, fault: Fault) -> None:
        if self.session.feed_failed(fault):
            log.warning("the broker's feed cannot be connected: %s", fault.value)

    def _flush(self) -> None:
        self._flushing = False
        if not self.over:
            self._apply(self.session.flush(self._loop.time()))

    def _tick(self) -> None:
        self._timer = None
        self._link.read_dealer()  # silence is judged once all that has arrived was read
        if not self.over:
            self._apply(self.session.tick(self._loop.time()))

    def _arm(self) -> None:
        """Set the timer to when the session wants its next tick."""
        now = self._loop.time()
        when = now + self.session.wait(now)
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._tick)

    def _end(self, error: ZchatError | None) -> None:
        """It is over: tell all who wait."""
        if self.over:
            return
        self.over, self.error = True, error
        for timer in (self._timer, self._retry):
            if timer is not None:
                timer.cancel()
        reason = self.reason()
        for future in (self.ready, *self.session.keys()):
            _fail(future, reason)
        for event in (self._news, self._space, self._idle, self._moved):
            event.set()

    # -- effects

    def _apply(self, effects: list[do.Effect]) -> None:
        try:
            for effect in effects:
                _ACTIONS[type(effect)](self, effect)
        except ZchatError as error:  # an endpoint that ZeroMQ cannot use, an outbox that cannot be written
            self._finish(do.Finish(error))
        unanswered = self.session.unanswered  # also of an earlier run, whose answers go to nobody
        if unanswered < UNANSWERED_MAX * 3 // 4:
            self._space.set()
        if not unanswered:
            self._idle.set()
        self._moved.set()
        self._go_on()  # here, for what it sends comes behind these effects
        if not self.over:
            self._arm()

    def _deliver(self, effect: do.Deliver) -> None:
        self._buffer.append(Batch(effect.events, effect.lines, effect.history))
        self._buffered += _size(effect.lines)
        self._news.set()
        if isinstance(effect.events[0], Ended):
            self._ended = effect.events[0]
        if self._buffered > BUFFER_MAX and not self._paused:
            self._paused = True
            self._link.pause_feed()
            self.session.pause()

    def _discard(self, effect: do.Discard) -> None:
        self._buffer = deque(kept for batch in self._buffer if (kept := _without(batch, effect.room)).events)
        self._buffered = sum(_size(batch.lines) for batch in self._buffer)
        self._discard_elsewhere(effect.room)

    def _answered(self, effect: do.Answered) -> None:
        future, answer = effect.key, effect.answer
        if isinstance(answer, m.Error):
            _fail(future, RefusedError(answer.code, answer.message))
        elif not future.done():
            future.set_result(answer)

    def _finish(self, effect: do.Finish) -> None:
        self._link.drop()
        self._end(effect.error)

    def _send(self, effect: do.Send) -> None:
        self._link.send(effect.frames)

    def _reconnect(self, effect: do.Reconnect) -> None:
        self._link.drop()
        if self._retry is not None:
            self._retry.cancel()
        self._retry = self._loop.call_later(effect.retry_in, self.connect)

    def _connect_feed(self, effect: do.ConnectFeed) -> None:
        if self._encrypted and not effect.endpoint.startswith("tcp://"):
            raise BadEndpointError(effect.endpoint, "a broker of the network names it as its feed")
        self._link.connect_feed(effect.endpoint)

    def _subscribe(self, effect: do.Subscribe) -> None:
        self._link.subscribe(effect.topic)

    def _unsubscribe(self, effect: do.Unsubscribe) -> None:
        self._link.unsubscribe(effect.topic)

    def _is_ready(self, _: do.Ready) -> None:
        if not self.ready.done():
            self.ready.set_result(None)

    def _keep(self, effect: do.Keep) -> None:
        if self._outbox is not None:
            self._outbox.keep(effect.lines)

    def _settle(self, effect: do.Settle) -> None:
        if self._outbox is not None:
            self._outbox.settle(effect.n, effect.own)

    def _remember(self, effect: do.Remember) -> None:
        self._address.remember(self.session.nick, effect.endpoints)

    def _keep_epochs(self, effect: do.KeepEpochs) -> None:
        if self._outbox is not None:
            self._outbox.keep_epochs(effect.epochs)

    def _rewrite(self, effect: do.Rewrite) -> None:
        if self._outbox is not None:
            self._outbox.rewrite(effect.client, effect.n, effect.lines, effect.since, effect.own)


def _size(lines: list[bytes]) -> int:
    return sum(map(len, lines)) + EVENT * len(lines)


def _without(batch: Batch, room: str) -> Batch:
    kept = [index for index, event in enumerate(batch.events) if not is_of_room(event, room)]
    if len(kept) == len(batch.events):
        return batch
    return Batch([batch.events[index] for index in kept], [batch.lines[index] for index in kept], batch.history)


def _fail(future: "asyncio.Future[Any]", error: ZchatError) -> None:
    """Give a future its error; one that nobody looks at is not worth a warning."""
    if not future.done():
        future.set_exception(error)
        future.exception()


_ACTIONS: dict[type, Callable[[Driver, Any], None]] = {
    do.Deliver: Driver._deliver,
    do.Discard: Driver._discard,
    do.Answered: Driver._answered,
    do.Send: Driver._send,
    do.Keep: Driver._keep,
    do.Settle: Driver._settle,
    do.Remember: Driver._remember,
    do.KeepEpochs: Driver._keep_epochs,
    do.Rewrite: Driver._rewrite,
    do.ConnectFeed: Driver._connect_feed,
    do.Subscribe: Driver._subscribe,
    do.Unsubscribe: Driver._unsubscribe,
    do.Reconnect: Driver._reconnect,
    do.Ready: Driver._is_ready,
    do.Finish: Driver._finish,
}
