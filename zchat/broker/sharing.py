"""The pipeline of a broker that shares its log with others: what was drafted is known only when it comes back.

That takes milliseconds, and seconds while the engine elects another leader. So nothing waits for another peer's draft,
and little for one's own. While a peer has drafts on their way, it may go on saying things, in order, and its pings are
answered at once. All else that it sends is held, and received once nothing of it is on its way: so each of its answers
shows what it did before. A question that was held for too long, or a hello that has waited for its claim, is answered
`unavailable`.

The outcomes come in the order of the log, between what other brokers have written, and each is carried out at once:
so all that is published stands in that order. What a peer's own outcome is followed by (a repeated answer, a refusal)
waits in its `Line`, and nothing else does. The roster changes, and is told of, only while commands are received.
"""

import logging
from collections import deque
from typing import cast

from zchat.protocol import messages as m
from zchat.protocol import wire

from .core.effects import Afterwards, Cut, Effect
from .core.entries import Change, Claim, Draft, Due, Entry, Failed, Outcome, Refusal, Release, Retire
from .core.hub import Hub
from .lines import QUESTIONS, Held, Item, Line, is_hello, late
from .log import SharedLog
from .notes import Notes
from .pipeline import FAULT, Pipeline

AT_ONCE = (m.Ping, m.Put, m.Get)  # answered without waiting for what was said before
ENTRIES = (Draft, Refusal, Change, Claim, Release, Retire, Due)
SAID = frozenset((*m.BY_COMMAND, m.MarkRead, m.Unschedule))  # commands that may go on behind each other
PATIENCE = 4.0  # s after which a question or a hello that waits is answered: clients wait longer
HELD_COMMANDS, HELD_BYTES = 4_000, 4 * 1024 * 1024  # of one peer: what it may send at its rate within an election
HELD_IN_ALL = 128 * 1024 * 1024  # bytes: above that the peer that has most held is ended
COMMAND = 512  # bytes of memory that a command takes beside what it says
TOGETHER = 16  # texts that fit into half of a post, however long they are

log = logging.getLogger(__name__)


class SharedPipeline(Pipeline):
    """Processes batches, over a log that answers later. `tick` has to be called several times a second."""

    def __init__(self, hub: Hub, log_: SharedLog, notes: Notes | None = None) -> None:
        super().__init__(hub, log_, notes or Notes(log))
        self._shared = log_
        self._lines: dict[bytes, Line] = {}
        self._free: deque[Line] = deque()  # nothing of them is on its way any more
        self._new: list[Item] = []  # entries to be handed to the log
        self._held = 0  # bytes of all that is held
        self._unreleased: list[str] = []  # clients whose release has failed
        self._times = 0.0, 0.0  # (now, wall) as of last
        self._busy = False
        self._silent = b""  # the peer that is gone, and of which something is carried out
        self._before: Exception | None = None  # the log's trouble, as of last
        self._acts |= {
            Afterwards: lambda later: self._gather(later.effects),
            Change: self._follow,
        }

    @property
    def held(self) -> int:
        """The commands that wait for what their peers have said before."""
        return sum(len(line.held) for line in self._lines.values())

    # -- what comes

    def begin(self, frames: list[tuple[bytes, bytes]], now: float, wall: float) -> None:
        self._begin(now, wall)
        sizes: dict[bytes, int] = {}
        for peer, payload in frames:
            sizes[peer] = sizes.get(peer, 0) + len(payload)
        ready: list[Effect] = []
        for peer, commands in self._receive(frames, now).items():
            if (known := self.hub.roster.peers.get(peer)) is not None:
                known.heard = now  # also if all of it is held
            ready += self._take(peer, [Held(command, now, sizes[peer] // len(commands)) for command in commands])
        self._carry_out(ready, [])
        self._hand_in_all()

    def change(self, change: Change | Retire, wall: float) -> None:
        self._begin(self._times[0], wall)
        self._new.append(Item(change))
        self._hand_in_all()

    def tell_due(self, wall: float) -> None:
        self._begin(self._times[0], wall)
        if self._shared.epoch:  # else nothing can be said now
            self._new += map(Item, self.hub.due(self.log.due(self._wall)))
            self._hand_in_all()

    def remove(self, peer: bytes, reason: str) -> None:
        self._leave(peer)
        super().remove(peer, reason)

    def tell(self, effects: list[Effect]) -> None:
        super().tell(effects)
        self._hand_in_all()

    def tick(self, now: float, wall: float) -> None:
        """Answer what has waited for too long, and try again what has failed."""
        self._begin(now, wall)
        for line in list(self._lines.values()):
            self._answer_late(line, now - PATIENCE)
        if self.hub.claiming is not None and self._shared.epoch:
            self.hub.claiming.left(self._unreleased)
            self._unreleased.clear()
        self._look_for_trouble()
        self._hand_in_all()

    # -- what comes back

    def observe(self, drafts: list[Entry], outcomes: list[Outcome]) -> None:
        """Take the log's outcomes for drafts of another broker."""
        for draft, outcome in zip(drafts, outcomes, strict=True):
            try:
                self._gather(self.hub.observe(draft, outcome))
            except Exception:  # noqa: BLE001 — it is logged
                self.notes.write(logging.ERROR, "a draft could not be observed: %s", type(draft).__name__, trace=True)
        self._after(sum(len(draft.commands) for draft in drafts))

    def _settled(self, items: deque[Item], outcomes: list[Outcome]) -> None:
        """Take the log's outcomes for the next of these items."""
        stored = 0
        for outcome in outcomes:
            item = items.popleft()
            item.outcome, item.done = outcome, True
            if not isinstance(outcome, Failed) and isinstance(item.effect, ENTRIES):
                stored += len(item.effect.commands)
            if item.line is None:
                self._finish(item)
            else:
                self._drain(item.line)
        self._after(stored)

    def _after(self, stored: int) -> None:
        self.stored += stored
        self._look_for_trouble()
        if not self._busy:
            self._hand_in_all()
            self.on_commit()

    def _drain(self, line: Line) -> None:
        """Carry out what waits for nothing any more."""
        while line.queue and line.queue[0].done:
            self._finish(line.pop())
        if not line.queue and not line.gone:
            self._free.append(line)

    def _finish(self, item: Item) -> None:
        """Carry out an effect; of an entry, what follows from its outcome."""
        effect = item.effect
        self._silent = item.line.peer if item.line is not None and item.line.gone else b""
        if isinstance(effect, Release) and isinstance(item.outcome, Failed):
            self._unreleased.append(effect.client)
        try:
            if isinstance(effect, ENTRIES):
                self._gather(self._settle(effect, item.outcome))
            else:
                self._acts[type(effect)](effect)
        except Exception:  # noqa: BLE001 — it is logged
            kind = type(effect).__name__
            self.notes.write(logging.ERROR, "an effect could not be carried out: %s", kind, trace=True)
        self._silent = b""

    def _settle(self, entry: Entry, outcome: Outcome) -> list[Effect]:
        if type(entry) is Release:
            return []
        if type(entry) is not Claim:
            return self.hub.settle(entry, outcome)
        claiming = self.hub.claiming
        if claiming is None:
            return []
        ids = claiming.needs_past(entry)
        return claiming.settle(entry, outcome, None if ids is None else self.log.past(*ids))

    # -- between

    @property
    def _wall(self) -> float:
        """The time by which to decide: the log judges by its own clock, and no broker may be behind that."""
        return max(self._times[1], self._shared.time)

    def _begin(self, now: float, wall: float) -> None:
        self._times = now, wall
        self.hub.begin(self._wall)

    def _hand_in_all(self) -> None:
        """Hand to the log what is new, and receive what was held by peers that are free now, until there is no more."""
        if self._busy:
            return
        self._busy = True
        claiming = self.hub.claiming
        try:
            more = True
            while more:
                if claiming is not None:
                    self._new += map(Item, claiming.releases())
                more = bool(self._new or self._free)
                while self._free:
                    self._release(self._free.popleft())
                if self._new:
                    self._append_all()
        finally:
            self._busy = False

    def _append_all(self) -> None:
        items, self._new = self._new, []
        drafts: list[Entry] = [item.effect for item in items if isinstance(item.effect, ENTRIES)]
        taken, why = deque(items), ""
        try:
            refused = self.log.append(drafts, self._times[1], lambda outcomes: self._settled(taken, outcomes))
        except Exception:
            log.exception("a batch could not be published")
            refused, why = range(len(items)), FAULT
        if refused:
            why = why or self._shared.why
            failed = dict.fromkeys(refused)
            taken.clear()
            taken.extend(item for at, item in enumerate(items) if at not in failed)
            self._settled(deque(items[at] for at in failed), [Failed(why)] * len(failed))

    def _look_for_trouble(self) -> None:
        before, self._before = self._before, self.log.trouble
        self._note_trouble(before)

    # -- lines

    def _release(self, line: Line) -> None:
        """Receive what was held of a peer of which nothing is on its way."""
        if line.queue or self._lines.get(line.peer) is not line:
            return
        del self._lines[line.peer]
        self._held -= line.size + COMMAND * len(line.held)
        self.hub.begin(self._wall)
        self._carry_out(self._take(line.peer, list(line.held)), [])

    def _take(self, peer: bytes, said: list[Held]) -> list[Effect]:
        """Let the hub receive what one peer sent, or hold it. Return what is to be carried out at once."""
        now, wall = self._times[0], self._wall
        commands = [each.command for each in said]
        small = sum(each.size for each in said) <= TOGETHER * m.TEXT_MAX
        ready: list[Effect] = []
        done = 0
        while done < len(said):
            line = self._lines.get(peer)
            if line is not None and not self._goes_on(line, commands[done]):
                self._hold(line, said[done])
                done += 1
                continue
            part, at = (commands, done) if small else (commands[done : done + TOGETHER], 0)
            effects, taken = self._receive_next(peer, part, at, now, wall)
            ready += self._place(peer, effects, at_once=type(commands[done]) in AT_ONCE)
            done += taken
            if effects and type(last := effects[-1]) is Cut and last.peer == peer:
                break  # whoever is sent away gets one answer
        return ready

    def _goes_on(self, line: Line, command: m.AnyCommand | m.Error) -> bool:
        """Return whether a command is received although something of its peer waits."""
        if type(command) in AT_ONCE:
            return not line.comes
        room = not line.held and not line.others and len(line.queue) < HELD_COMMANDS
        return room and type(command) in SAID

    def _hold(self, line: Line, held: Held) -> None:
        line.held.append(held)
        line.size += held.size
        self._held += held.size + COMMAND
        if len(line.held) > HELD_COMMANDS or line.size > HELD_BYTES:
            self.slow.append(line.peer)
        elif self._held > HELD_IN_ALL:
            most = max(self._lines.values(), key=lambda each: each.size)
            self._leave(most.peer)
            self.slow.append(most.peer)

    def _place(self, peer: bytes, effects: list[Effect], *, at_once: bool = False) -> list[Effect]:
        """Put entries, and what has to wait for those before, into the line of a peer. Return the others."""
        ready: list[Effect] = []
        for effect in effects:
            line = self._lines.get(peer)
            if isinstance(effect, ENTRIES):
                line = line or self._lines.setdefault(peer, Line(peer))
                item = Item(effect, line, self._times[0])
                line.add(item)
                self._new.append(item)
            elif line is not None and line.queue and not at_once:
                line.add(Item(effect, line, done=True))
            else:
                ready.append(effect)
        return ready

    def _follow(self, change: Change) -> None:
        """Hand in what follows from an outcome: who came with an invitation, and is claimed, becomes a member."""
        self._place(change.peer, [change])

    def _answer_late(self, line: Line, before: float) -> None:
        """Answer a hello and questions that wait since before a time."""
        first = line.queue[0] if line.queue else None
        if first is not None and first.since < before and is_hello(first.effect) and self.hub.claiming is not None:
            first.line = None
            line.pop()
            self._gather(self.hub.claiming.give_up(cast("Claim | Change", first.effect)))
            self._drain(line)
        held, line.held = line.held, deque()
        for each in held:
            if each.since < before and isinstance(each.command, QUESTIONS):
                line.size -= each.size
                self._held -= each.size + COMMAND
                self._to(line.peer, [wire.encode(late(each.command))])
            else:
                line.held.append(each)

    def _leave(self, peer: bytes) -> None:
        """Let go what waits of a peer that is not here any more: what it has said is in the log nevertheless."""
        line = self._lines.pop(peer, None)
        if line is not None:
            line.gone = True
            self._held -= line.size + COMMAND * len(line.held)
            line.held.clear()

    # -- output

    def _to(self, peer: bytes, lines: list[bytes]) -> None:
        if peer and peer != self._silent:  # else nobody here waits for an answer
            super()._to(peer, lines)

    def _cut(self, cut: Cut) -> None:
        peers = self.hub.roster.peers
        gone = [cut.peer] if cut.peer else [id_ for id_, peer in peers.items() if peer.credential == cut.credential]
        for peer in gone:
            self._leave(peer)
        super()._cut(cut)
