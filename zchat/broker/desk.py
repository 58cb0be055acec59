"""One batch on its way: through the hub, the log, and the hub again, until what is to leave is gathered.

The batch is the design. The hub decides it line by line, the log takes its drafts in one transaction, and only then
the effects are carried out, in line order: publications gathered by topic, replies by peer, so that each topic and
each peer gets one message. At rest a batch is one line; under load batches grow by themselves and a line costs less.

A question that reads the log is answered beside the loop. Until then, what else its peer is to hear is held back
behind it, so that every peer has its replies in line order.

There is no socket and no clock in here, so a whole broker can be had in memory: a desk over a log.
"""

import logging
from collections import Counter

from zchat.protocol import messages as m
from zchat.protocol import wire

from .effects import (
    Announce,
    Append,
    Deliver,
    Draft,
    Effect,
    Failed,
    Gone,
    Later,
    Outcome,
    Publish,
    Query,
    Refusal,
    Reply,
)
from .hub import Hub
from .log import LocalLog

HELD_MAX = 1024 * 1024  # bytes held back behind one peer's query
MISTAKES_NOTED = 1_000  # kinds of mistakes, by peer, counted between two reports

log = logging.getLogger(__name__)


class Desk:
    """Takes batches; `public`, `outgoing`, `queries` and `slow` fill up for the server to carry away."""

    def __init__(self, hub: Hub, log_: LocalLog) -> None:
        self.hub, self.log = hub, log_
        self.public: dict[bytes, list[bytes]] = {}  # by topic
        self.outgoing: dict[bytes, list[bytes]] = {}  # by peer
        self.queries: list[Query] = []  # to be answered now
        self.slow: list[bytes] = []  # peers that let too much pile up
        self.stored = 0  # drafts since somebody last looked
        self._held: dict[bytes, list[bytes | Query]] = {}
        self._mistakes: Counter[tuple[bytes, str]] = Counter()

    def take(self, batch: list[tuple[bytes, bytes]], now: float, wall: float) -> None:
        """Take (peer, payload) frames: decide, write, and gather. `wall` is the wall clock, in seconds since 1970."""
        effects: list[Effect] = []
        receive = self.hub.receive
        for peer, payload in batch:
            for command in wire.commands(payload):
                try:
                    if type(command) is m.Hello:
                        effects += self._greet(peer, command, now, wall)
                    else:
                        effects += receive(peer, command, now)
                except Exception:
                    log.exception("a command could not be taken: %.200r", command)
                    effects.append(Reply(peer, _internal(command)))
        outcomes = iter(self._append([effect.draft for effect in effects if type(effect) is Append], wall))
        for effect in effects:
            try:
                if type(effect) is Append:
                    self._gather(self.hub.settle(effect, next(outcomes)))
                else:
                    self._carry_out(effect)
            except Exception:
                log.exception("an effect could not be carried out: %.200r", effect)

    def remove(self, peer: bytes, reason: str) -> None:
        """Drop a client, and gather what its rooms and itself are to hear of it."""
        self._held.pop(peer, None)
        self._gather(self.hub.remove(peer, reason))

    def answered(self, peer: bytes, line: bytes) -> None:
        """Gather a query's answer, then what waited behind it, up to the peer's next query."""
        self.hub.answered(peer, len(line))
        held = self._held.pop(peer, None)
        if held is None:
            return  # it was removed
        self._to(peer, line)
        for i, waiting in enumerate(held):
            if isinstance(waiting, Query):
                self._held[peer] = held[i + 1 :]
                self.queries.append(waiting)
                return
            self._to(peer, waiting)

    def report_mistakes(self) -> None:
        """Log how often each mistake was repeated since the last report."""
        for (peer, code), times in self._mistakes.items():
            if times > 1:
                log.warning("peer %s: %s, %d times in all", peer.hex(), code, times)
        self._mistakes.clear()

    def _greet(self, peer: bytes, hello: m.Hello, now: float, wall: float) -> list[Effect]:
        """Receive a hello, with what the log remembers of its client."""
        from_ = self.hub.needs_past(hello)
        past = None if from_ is None else self.log.past(from_)
        return self.hub.receive(peer, hello, now, wall, past)

    def _append(self, drafts: list[Draft | Refusal], wall: float) -> list[Outcome]:
        if not drafts:
            return []
        before = self.log.trouble
        try:
            outcomes = self.log.append(drafts, wall)
        except Exception:
            log.exception("a batch could not be written")
            return [Failed()] * len(drafts)
        self.stored += len(drafts)
        after = self.log.trouble
        if after is not None and before is None:
            log.error("%s Messages are refused until it can be written again.", after)
        if after is None and before is not None:
            log.warning("the log can be written again")
        return outcomes

    def _gather(self, effects: list[Effect]) -> None:
        for effect in effects:
            self._carry_out(effect)

    def _carry_out(self, effect: Effect) -> None:
        """Put what the hub said where it leaves from."""
        match effect:
            case Reply():
                self._note(effect)
                self._to(effect.peer, wire.encode(effect.record))
            case Publish():
                _add(self.public, wire.room_topic(effect.room), effect.line)
            case Deliver():
                self._to(effect.peer, effect.line)
            case Later():
                self._carry_out(Reply(effect.peer, effect.decide()))
            case Announce():
                _add(self.public, effect.topic, wire.encode(effect.event))
            case Query():
                self._ask(effect)
            case Gone():
                log.info("client went: %s (%s), %s", effect.nick or "a reader", effect.from_, effect.reason)

    def _to(self, peer: bytes, line: bytes) -> None:
        """Put a line into what leaves for a peer, behind the query it may be waiting for."""
        held = self._held.get(peer) if self._held else None
        if held is None:
            _add(self.outgoing, peer, line)
            return
        held.append(line)
        if sum(len(one) for one in held if isinstance(one, bytes)) > HELD_MAX:
            self.slow.append(peer)

    def _ask(self, query: Query) -> None:
        held = self._held.get(query.peer)
        if held is None:
            self._held[query.peer] = []
            self.queries.append(query)
        else:
            held.append(query)

    def _note(self, reply: Reply) -> None:
        """Log who comes, and each peer's mistakes: the first of a kind, the others as a count."""
        record = reply.record
        kind = type(record)
        if kind is m.Ack or kind is m.Pong:
            return
        if isinstance(record, m.Welcome):
            log.info("client came: %s (%s)", record.nick or "a reader", record.from_)
        elif isinstance(record, m.Error) and len(self._mistakes) < MISTAKES_NOTED:
            self._mistakes[reply.peer, record.code] += 1
            if self._mistakes[reply.peer, record.code] == 1:
                log.warning("peer %s: %s", reply.peer.hex(), record.code)


def _add(lines: dict[bytes, list[bytes]], key: bytes, line: bytes) -> None:
    known = lines.get(key)
    if known is None:
        lines[key] = [line]
    else:
        known.append(line)


def _internal(command: m.AnyCommand | m.Error) -> m.Error:
    text = "the broker made a mistake, which is in its log: this line was not taken"
    return m.Error(code="internal", message=text, ref=command.ref)
