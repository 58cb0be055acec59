"""Processing of one batch: through the hub, the log and the hub again, until its output is gathered.

Batching is the central design decision. The hub decides a batch peer by peer and line by line. The log stores all its
drafts in one transaction. Only then are the effects carried out, in line order. Publications are gathered by topic and
replies by peer, so that each topic and each peer gets one message. At rest a batch is one line. Under load batches grow
by themselves, and the cost of a line falls.

A query to the log is answered outside the event loop. Until then all further replies to its peer are held back, so that
every peer gets its replies in line order.

A batch has two halves. `begin` decides it and hands its drafts to the log. `commit` takes the outcomes and carries out
the effects. A local log answers at once, within `begin`. A log that several brokers share answers later, when other
batches have already begun. Batches are carried out in the order in which they began, so that each peer still gets its
replies in line order.

There is no socket and no clock in this file. So a test can have a whole broker in memory: a pipeline over a log.
"""

import logging
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from msgspec import structs

from zchat.protocol import messages as m
from zchat.protocol import wire

from .core.effects import (
    Afterwards,
    Announce,
    Change,
    Claim,
    Cut,
    DeferredReply,
    DeferredSend,
    Deliver,
    Draft,
    Effect,
    Entry,
    Failed,
    Outcome,
    Publish,
    Query,
    Refusal,
    Release,
    RepeatAnswer,
    Reply,
    Send,
    SessionEnded,
)
from .core.hub import Hub
from .log import Log, Settled
from .notes import Notes

ENTRIES = (Draft, Refusal, Change, Claim, Release)
HELD_MAX = 16 * 1024 * 1024  # bytes held back behind one peer's query: the replies that a burst of lines can cause
MISTAKES_NOTED = 1_000  # (peer, error code) pairs counted between two reports

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Waiting:
    """A peer whose query is being answered, and what is held back behind it: lines and further queries."""

    query: Query
    behind: deque[bytes | Query] = field(default_factory=deque)
    size: int = 0  # bytes of the lines


@dataclass(slots=True, eq=False)
class Batch:
    """The effects of a batch, and the log's outcomes for its drafts: None until the log has answered."""

    effects: list[Effect]
    outcomes: list[Outcome] | None = None


class Pipeline:
    """Processes batches. Its output is gathered in `public`, `outgoing`, `queries`, `slow`, `floods`, `cuts`.

    `on_commit` is called when a batch was carried out after its `begin` had returned: then there is output to be sent.
    """

    def __init__(self, hub: Hub, log_: Log, notes: Notes | None = None) -> None:
        self.hub, self.log = hub, log_
        self.notes = notes or Notes(log)
        self.public: defaultdict[bytes, list[bytes]] = defaultdict(list)  # by topic
        self.outgoing: defaultdict[bytes, list[bytes]] = defaultdict(list)  # by peer
        self.queries: list[Query] = []  # to be started now
        self.slow: list[bytes] = []  # peers for which too much is held back or queued
        self.floods: list[bytes] = []  # peers that flood, and have to be disconnected
        self.cuts: list[Cut] = []  # connections to be ended, once what is gathered for them was sent
        self.stored = 0  # numbers committed since the server last reset this
        self.on_commit: Callable[[], None] = lambda: None
        self._begun: deque[Batch] = deque()  # in order; each waits for its outcomes, or for the batches before it
        self._beginning = False
        self._waiting: dict[bytes, Waiting] = {}
        self._held: dict[bytes, list[m.AnyCommand | m.Error]] = {}  # by peer: what waits behind a claim
        self._free: list[bytes] = []  # peers whose claims have come back
        self._further: list[Effect] = []  # drafts that follow from outcomes
        self._times = 0.0, 0.0  # (now, wall) of the last batch
        self._mistakes: Counter[tuple[bytes, str]] = Counter()
        self._acts: dict[type, Callable[[Any], None]] = {
            Publish: self._publish,
            Deliver: self._deliver,
            Send: self._send,
            Reply: self._reply,
            DeferredReply: self._decide,
            Afterwards: lambda later: self._begun.append(Batch(later.effects, [])),
            DeferredSend: self._send_to_who_is_left,
            RepeatAnswer: self._recall,
            Announce: self._announce,
            Query: self._ask,
            SessionEnded: self._gone,
            Cut: self._cut,
            Change: self._further.append,
        }

    def begin(self, frames: list[tuple[bytes, bytes]], now: float, wall: float) -> None:
        """Decide a batch of (peer, payload) frames and hand its drafts to the log.

        `now` is the monotonic clock in seconds, `wall` the wall clock in seconds since 1970.
        """
        self._times = now, wall
        self._hand_in(self._receive(frames, now, wall), wall)

    def observe(self, drafts: list[Entry], outcomes: list[Outcome]) -> None:
        """Take the log's outcomes for drafts of another broker."""
        for draft, outcome in zip(drafts, outcomes, strict=True):
            try:
                self._gather(self.hub.observe(draft, outcome))
            except Exception:  # noqa: BLE001 — it is logged
                self.notes.write(logging.ERROR, "a draft could not be observed: %s", type(draft).__name__, trace=True)
        self.outgoing.pop(b"", None)  # nobody here waits for an answer
        self._advance()

    def change(self, change: Change, wall: float) -> None:
        """Hand in a change that the broker makes by itself."""
        self.hub.begin(wall)
        self._hand_in([change], wall)

    def _hand_in(self, effects: list[Effect], wall: float) -> None:
        if self.hub.claiming is not None:
            effects += self.hub.claiming.releases()
        drafts: list[Entry] = [effect for effect in effects if isinstance(effect, ENTRIES)]
        batch = Batch(effects)
        self._begun.append(batch)
        self._beginning = True
        try:
            self._append(drafts, wall, lambda outcomes: self.commit(batch, outcomes))
        finally:
            self._beginning = False

    def commit(self, batch: Batch, outcomes: list[Outcome]) -> None:
        """Take the log's outcomes for a batch. Carry out all batches whose turn has come."""
        batch.outcomes = outcomes
        self._advance()

    def _advance(self) -> None:
        """Carry out all batches whose turn has come, then begin what follows from them."""
        while self._begun and (ready := self._begun[0].outcomes) is not None:
            self._carry_out(self._begun.popleft().effects, ready)
        if self.hub.claiming is not None:
            self._go_on()
        if not self._beginning:
            self.on_commit()

    def _go_on(self) -> None:
        """Receive what was held back behind claims that have come back, and hand in what followed from outcomes."""
        now, wall = self._times
        effects, self._further[:] = list(self._further), []
        free, self._free = self._free, []
        for peer in free:
            if (commands := self._held.pop(peer, None)) is not None:
                effects += self._receive_commands(peer, commands, now, wall)
        if effects or (self.hub.claiming is not None and self.hub.claiming.has_left):
            self._hand_in(effects, wall)

    def remove(self, peer: bytes, reason: str) -> None:
        """Drop a client, and gather what it and its rooms are told."""
        self._waiting.pop(peer, None)
        self._held.pop(peer, None)
        self.tell(self.hub.remove(peer, reason))

    def tell(self, effects: list[Effect]) -> None:
        """Carry out what no batch has caused, after the batches that have begun."""
        if self._begun:
            self._begun.append(Batch(effects, []))
        else:
            self._gather(effects)
            if self.hub.claiming is not None:
                self._go_on()

    def _carry_out(self, effects: list[Effect], outcomes: list[Outcome]) -> None:
        results = iter(outcomes)
        for effect in effects:
            try:
                if isinstance(effect, ENTRIES):
                    self._gather(self._settle(effect, next(results)))
                else:
                    self._acts[type(effect)](effect)
            except Exception:  # noqa: BLE001 — it is logged
                kind = type(effect).__name__
                self.notes.write(logging.ERROR, "an effect could not be carried out: %s", kind, trace=True)

    def _settle(self, entry: Entry, outcome: Outcome) -> list[Effect]:
        if type(entry) is not Claim or self.hub.claiming is None:
            return self.hub.settle(entry, outcome)
        self._free.append(entry.peer)
        ids = self.hub.claiming.needs_past(entry)
        return self.hub.claiming.settle(entry, outcome, None if ids is None else self.log.past(*ids))

    def answered(self, query: Query, line: bytes) -> None:
        """Gather the reply to a query, then what was held back behind it, up to the peer's next query."""
        waiting = self._waiting.get(query.peer)
        if waiting is None or waiting.query is not query:
            return  # its peer was removed meanwhile; this may be another peer with the same id
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

    def _receive(self, batch: list[tuple[bytes, bytes]], now: float, wall: float) -> list[Effect]:
        """Let the hub receive a batch, peer by peer."""
        self.hub.begin(wall)
        frames: defaultdict[bytes, list[bytes]] = defaultdict(list)
        for peer, payload in batch:
            frames[peer].append(payload)
        effects: list[Effect] = []
        for peer, payloads in frames.items():
            if not self.hub.bears(peer, payloads, now):
                self.floods.append(peer)
                continue
            commands = self._read(payloads)
            if peer in self._held:
                self._held[peer] += commands
            else:
                effects += self._receive_commands(peer, commands, now, wall)
        return effects

    def _receive_commands(
        self, peer: bytes, commands: list[m.AnyCommand | m.Error], now: float, wall: float
    ) -> list[Effect]:
        """Let the hub receive what one peer sent, up to what has to wait for a claim: the rest is held back."""
        effects: list[Effect] = []
        done = 0
        while done < len(commands):
            try:
                together = self.hub.receive_together(peer, commands, done, now)
                if together is None:
                    effects += self._receive_one(peer, commands[done], now, wall)
                else:
                    effects.append(together)
                done += 1 if together is None else len(together.commands)
                last = effects[-1] if effects else None
                if type(last) is Cut and last.peer == peer:
                    break  # whoever is sent away gets one answer
                if type(last) is Claim:
                    self._held[peer] = commands[done:]
                    break
            except Exception:  # noqa: BLE001 — it is logged
                kind = type(commands[done]).__name__  # and no more: what people say is in no log file
                self.notes.write(logging.ERROR, "a command could not be processed: %s", kind, trace=True)
                effects.append(Reply(peer, _internal(commands[done])))
                done += 1
        return effects

    def _receive_one(self, peer: bytes, command: m.AnyCommand | m.Error, now: float, wall: float) -> list[Effect]:
        """Let the hub receive a command; if it is a hello, with what the log remembers of the client."""
        ids = self.hub.needs_past(peer, command)
        past = None if ids is None else self.log.past(*ids)
        return self.hub.receive(peer, command, now, wall, past)

    def _append(self, drafts: list[Entry], wall: float, settled: Settled) -> None:
        if not drafts:
            settled([])
            return
        before = self.log.trouble

        def noted(outcomes: list[Outcome]) -> None:
            self._note_trouble(before, drafts)
            settled(outcomes)

        try:
            self.log.append(drafts, wall, noted)
        except Exception:
            log.exception("a batch could not be written")
            settled([Failed()] * len(drafts))

    def _note_trouble(self, before: Exception | None, drafts: list[Entry]) -> None:
        after = self.log.trouble
        if after is None:
            self.stored += sum(len(draft.commands) for draft in drafts)
        if after is not None and before is None:
            log.error("%s Messages are refused until it can be written again.", after)
        if after is None and before is not None:
            log.warning("the log can be written again")

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
            self._to(peer, send.lines)

    def _send_to_who_is_left(self, send: DeferredSend) -> None:
        for peer in send.peers():
            self._to(peer, [send.line])

    def _publish(self, publish: Publish) -> None:
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

    def _gone(self, gone: SessionEnded) -> None:
        self.notes.write(logging.INFO, "client went: %s (%s), %s", gone.nick or "an observer", gone.from_, gone.reason)

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

    def _note(self, reply: Reply) -> None:
        """Log new clients, and the errors sent to each peer: the first of each code at once, the others as a count."""
        record = reply.record
        if isinstance(record, m.Welcome):
            self.notes.write(logging.INFO, "client came: %s (%s)", record.nick or "an observer", record.from_)
        elif isinstance(record, m.Error):
            mistake = reply.peer, record.code
            if mistake not in self._mistakes:
                self.notes.write(logging.WARNING, "error to peer %s: %s", reply.peer.hex(), record.code)
            if mistake in self._mistakes or len(self._mistakes) < MISTAKES_NOTED:
                self._mistakes[mistake] += 1

    def _read(self, payloads: list[bytes]) -> list[m.AnyCommand | m.Error]:
        try:
            return wire.commands(*payloads)
        except Exception:  # noqa: BLE001 — it is logged
            self.notes.write(logging.ERROR, "frames could not be read: %d", len(payloads), trace=True)
            return [_internal(m.Ping())]


def _internal(command: m.AnyCommand | m.Error) -> m.Error:
    text = "the broker made a mistake, which is in its log: this line was not processed"
    return m.Error(code="internal", message=text, ref=command.ref)
