"""Carrying out effects: until they leave as output, they are gathered by topic and by peer.

Publications are gathered by topic and replies by peer, so that each topic and each peer gets one message, however much
came of a batch. A query to the log is answered outside the event loop. Until then all further replies to its peer are
held back, so that every peer gets its replies in line order.
"""

import logging
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import structs

from zchat.protocol import messages as m
from zchat.protocol import wire

from .core.effects import (
    Announce,
    Cut,
    DeferredReply,
    DeferredSend,
    Deliver,
    Effect,
    Publish,
    Query,
    RepeatAnswer,
    Reply,
    Send,
    SessionEnded,
    Transfer,
    Unsaid,
)
from .core.files import no_file
from .core.hub import Hub
from .log import Log
from .notes import Notes

HELD_MAX = 16 * 1024 * 1024  # bytes held back behind one peer's query: the replies that a burst of lines can cause
REFUSAL = b'{"type":"error"'  # how an error begins
MISTAKES_NOTED = 1_000  # (peer, error code) pairs counted between two reports

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Waiting:
    """A peer whose query is being answered, and what is held back behind it: lines and further queries."""

    query: Query
    behind: deque[bytes | Query] = field(default_factory=deque)
    size: int = 0  # bytes of the lines


class Gathering:
    """The output of a broker, in `public`, `outgoing`, `queries`, `transfers`, `slow`, `floods`, `cuts`."""

    def __init__(self, hub: Hub, log_: Log, notes: Notes | None = None) -> None:
        self.hub, self.log = hub, log_
        self.notes = notes or Notes(log)
        self.public: defaultdict[bytes, list[bytes]] = defaultdict(list)  # by topic
        self.outgoing: defaultdict[bytes, list[bytes]] = defaultdict(list)  # by peer
        self.queries: list[Query] = []  # to be started now
        self.transfers: list[Transfer] = []  # to be started now
        self.slow: list[bytes] = []  # peers for which too much is held back or queued
        self.floods: list[bytes] = []  # peers that flood, and have to be disconnected
        self.cuts: list[Cut] = []  # connections to be ended, once what is gathered for them was sent
        self._waiting: dict[bytes, Waiting] = {}
        self._mistakes: Counter[tuple[bytes, str]] = Counter()
        self.refused: Counter[str] = Counter()  # by code, since the start
        self.begun, self.ended = 0, Counter[str]()  # sessions since the start; by reason
        self._acts: dict[type, Callable[[Any], None]] = {
            Publish: self._publish,
            Deliver: self._deliver,
            Send: self._send,
            Reply: self._reply,
            DeferredReply: self._decide,
            DeferredSend: self._send_to_who_is_left,
            RepeatAnswer: self._recall,
            Announce: self._announce,
            Query: self._ask,
            Transfer: self._transfer,
            SessionEnded: self._gone,
            Unsaid: self._unsaid,
            Cut: self._cut,
        }

    @property
    def asking(self) -> int:
        """The questions to the log that are not answered yet."""
        return sum(1 + sum(type(one) is Query for one in each.behind) for each in self._waiting.values())

    def answered(self, query: Query, line: bytes) -> None:
        """Gather the reply to a query, then what was held back behind it, up to the peer's next query."""
        waiting = self._waiting.get(query.peer)
        if waiting is None or waiting.query is not query:
            return  # its peer was removed meanwhile; this may be another peer with the same id
        self._count_refusal(line)
        self.hub.answered(query.peer, len(line))
        if not self.hub.may_read(query):
            text = "what you may read has changed meanwhile: ask again"
            line = wire.encode(m.Error(code="unavailable", message=text, ref=query.ref, retry_after=0.1))
        del self._waiting[query.peer]
        self._to(query.peer, [line])
        while waiting.behind:
            item = waiting.behind.popleft()
            if isinstance(item, Query):
                waiting.query = item
                self._waiting[query.peer] = waiting
                self.queries.append(item)
                return
            waiting.size -= len(item)
            self._to(query.peer, [item])

    def transferred(self, transfer: Transfer, line: bytes) -> None:
        """Gather the answer to a transfer, if its session is here still; a refusal, if it may not have it any more."""
        self._count_refusal(line)
        may = self.hub.transferred(transfer)
        if may is False:
            code, message = no_file(transfer.command.file)
            line = wire.encode(m.Error(code=code, message=message, ref=transfer.command.ref))
        if may is not None:
            self._to(transfer.peer, [line])

    def collect(self) -> tuple[dict[bytes, list[bytes]], dict[bytes, list[bytes]]]:
        """Return and clear the gathered output: lines by topic, and lines by peer."""
        gathered = self.public, self.outgoing
        self.public, self.outgoing = defaultdict(list), defaultdict(list)
        return gathered

    def give_up(self) -> None:
        """Answer all queries with `unavailable`, so that nothing is held back any more."""
        self.queries.clear()
        while self._waiting:
            query = next(iter(self._waiting.values())).query
            text = "the broker stops: ask again when it is back"
            self.answered(query, wire.encode(m.Error(code="unavailable", message=text, ref=query.ref, retry_after=1.0)))
            self.queries.clear()

    def report(self) -> None:
        """Log how often each error was repeated since the last report, and which lines were left out."""
        for (peer, code), times in self._mistakes.items():
            if times > 1:
                self.notes.write(logging.WARNING, "errors to peer %s: %s, %d times in all", peer.hex(), code, times)
        self._mistakes.clear()
        self.notes.report()

    def _gather(self, effects: list[Effect]) -> None:
        """Carry out effects: put their lines and queries into the output."""
        for effect in effects:
            self._acts[type(effect)](effect)

    def _reply(self, reply: Reply) -> None:
        self._note(reply)
        self._to(reply.peer, [wire.encode(reply.record)])

    def _deliver(self, deliver: Deliver) -> None:
        self._to(deliver.peer, [deliver.line])

    def _cut(self, cut: Cut) -> None:
        """Note that a connection has to end. The hub forgets its peer now: its routing id may be another's next."""
        self.cuts.append(cut)
        self._gather(self.hub.forget(cut))

    def _send(self, send: Send) -> None:
        for peer in send.peers:
            if send.lines:  # there is no ack for what another one said
                self._to(peer, send.lines)

    def _send_to_who_is_left(self, send: DeferredSend) -> None:
        for peer in send.peers():
            self._to(peer, [send.line])

    def _publish(self, publish: Publish) -> None:
        if publish.acks:
            self._to(publish.peer, publish.acks)
        self.public[wire.room_topic(publish.room)] += publish.lines

    def _announce(self, announce: Announce) -> None:
        self.public[announce.topic].append(wire.encode(announce.event))

    def _decide(self, later: DeferredReply) -> None:
        self._reply(Reply(later.peer, later.decide()))

    def _recall(self, recall: RepeatAnswer) -> None:
        answer = self.hub.ledger.answer(recall.producer, recall.n, recall.ref)
        if answer is None:
            answer = structs.replace(self.log.answer(recall.producer, recall.n), ref=recall.ref)
        self._reply(Reply(recall.peer, answer))

    def _count_refusal(self, line: bytes) -> None:
        if line.startswith(REFUSAL):
            self.refused[_error(line).code] += 1

    def _gone(self, gone: SessionEnded) -> None:
        self.ended[gone.reason] += 1
        self.notes.write(logging.INFO, "client went: %s (%s), %s", gone.nick or "an observer", gone.from_, gone.reason)

    def _unsaid(self, unsaid: Unsaid) -> None:
        why = "what %s said for later (%d) could not be said: %s"
        self.notes.write(logging.INFO, why, unsaid.from_, unsaid.id, unsaid.code)

    def _to(self, peer: bytes, lines: list[bytes]) -> None:
        """Add lines to the output for a peer, or hold them back behind the query that it waits for."""
        waiting = self._waiting.get(peer)
        if waiting is None:
            self.outgoing[peer] += lines
        elif waiting.size <= HELD_MAX:
            waiting.behind += lines
            waiting.size += sum(map(len, lines))
            if waiting.size > HELD_MAX:
                self.slow.append(peer)

    def _ask(self, query: Query) -> None:
        waiting = self._waiting.get(query.peer)
        if waiting is None:
            self._waiting[query.peer] = Waiting(query)
            self.queries.append(query)
        else:
            waiting.behind.append(query)

    def _transfer(self, transfer: Transfer) -> None:
        self.transfers.append(transfer)

    def _note(self, reply: Reply) -> None:
        """Log new clients, and the errors sent to each peer: the first of each code at once, the others as a count."""
        record = reply.record
        if isinstance(record, m.Welcome):
            self.begun += 1
            self.notes.write(logging.INFO, "client came: %s (%s)", record.nick or "an observer", record.from_)
        elif isinstance(record, m.Error):
            self.refused[record.code] += 1
            mistake = reply.peer, record.code
            if mistake not in self._mistakes:
                self.notes.write(logging.WARNING, "error to peer %s: %s", reply.peer.hex(), record.code)
            if mistake in self._mistakes or len(self._mistakes) < MISTAKES_NOTED:
                self._mistakes[mistake] += 1


_error = msgspec.json.Decoder(m.Error).decode
