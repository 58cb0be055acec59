"""Processing of one batch: through the hub, the log and the hub again, until its output is gathered.

Batching is the central design decision. The hub decides a batch peer by peer and line by line. The log stores all its
drafts in one transaction. Only then are the effects carried out, in line order (`gathering.py`). At rest a batch is one
line. Under load batches grow by themselves, and the cost of a line falls.

The log of a broker that is alone answers at once, so a batch is carried out before `begin` returns. Where several
brokers share a log, it answers later: see `sharing.py`.

There is no socket and no clock in this file. So a test can have a whole broker in memory: a pipeline over a log.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence

from zchat.protocol import messages as m
from zchat.protocol import wire

from .core.effects import Afterwards, Cut, Effect, Reply
from .core.entries import Change, Draft, Due, Entry, Failed, Outcome, Refusal, Retire
from .core.hub import Hub
from .gathering import Gathering
from .log import Log
from .notes import Notes

FAULT = "the broker made a mistake, which is in its log"
ENTRIES = (Draft, Refusal, Change, Retire, Due)

log = logging.getLogger(__name__)


class Pipeline(Gathering):
    """Processes batches, over a log that answers at once.

    `on_commit` is called when output was gathered outside of a call of the server's: then it is to be sent.
    """

    def __init__(self, hub: Hub, log_: Log, notes: Notes | None = None) -> None:
        super().__init__(hub, log_, notes or Notes(log))
        self.stored = 0  # numbers committed since the server last reset this
        self.on_commit: Callable[[], None] = lambda: None
        self._afterwards: list[Effect] = []  # of this batch
        self._acts[Afterwards] = lambda later: self._afterwards.extend(later.effects)

    @property
    def held(self) -> int:
        """The commands that wait for what their peers have said before: none, over a log that answers at once."""
        return 0

    def begin(self, frames: list[tuple[bytes, bytes]], now: float, wall: float) -> None:
        """Process a batch of (peer, payload) frames.

        `now` is the monotonic clock in seconds, `wall` the wall clock in seconds since 1970.
        """
        self.hub.begin(wall)
        effects: list[Effect] = []
        for peer, commands in self._receive(frames, now).items():
            effects += self._receive_commands(peer, commands, now, wall)
        self._hand_in(effects, wall)

    def change(self, change: Change | Retire, wall: float) -> None:
        """Hand in what the broker changes by itself."""
        self.hub.begin(wall)
        self._hand_in([change], wall)

    def tell_due(self, wall: float) -> None:
        """Say what was said for later and is due at a time, in seconds since 1970."""
        rows = self.log.due(wall)
        if rows:
            self.hub.begin(wall)
            self._hand_in(list(self.hub.due(rows)), wall)

    def remove(self, peer: bytes, reason: str) -> None:
        """Drop a client, and gather what it and its rooms are told."""
        self._waiting.pop(peer, None)
        self.tell(self.hub.remove(peer, reason))

    def tell(self, effects: list[Effect]) -> None:
        """Carry out what no command has caused."""
        self._carry_out(effects, [])

    def _hand_in(self, effects: list[Effect], wall: float) -> None:
        """Have the log store the drafts among the effects, then carry out all of them."""
        self._carry_out(effects, self._append([effect for effect in effects if isinstance(effect, ENTRIES)], wall))
        while self._afterwards:
            later, self._afterwards = self._afterwards, []
            self._carry_out(later, [])

    def _append(self, drafts: list[Entry], wall: float) -> list[Outcome]:
        """Return the outcomes of drafts."""
        if not drafts:
            return []
        before, outcomes = self.log.trouble, list[Outcome]()
        try:
            self.log.append(drafts, wall, outcomes.extend)
        except Exception:
            log.exception("a batch could not be written")
            return [Failed(FAULT)] * len(drafts)
        if self.log.trouble is None:
            self.stored += sum(len(draft.commands) for draft in drafts)
        self._note_trouble(before)
        return outcomes

    def _note_trouble(self, before: Exception | None) -> None:
        after = self.log.trouble
        if after is not None and before is None:
            log.error("%s Messages are refused until it can be written again.", after)
        if after is None and before is not None:
            log.warning("the log can be written again")

    def _carry_out(self, effects: list[Effect], outcomes: list[Outcome]) -> None:
        """Carry out effects in their order; of drafts, what follows from their outcomes."""
        results = iter(outcomes)
        for effect in effects:
            try:
                if isinstance(effect, ENTRIES):
                    self._gather(self.hub.settle(effect, next(results)))
                else:
                    self._acts[type(effect)](effect)
            except Exception:  # noqa: BLE001 — it is logged
                kind = type(effect).__name__
                self.notes.write(logging.ERROR, "an effect could not be carried out: %s", kind, trace=True)

    def _receive(
        self, batch: list[tuple[bytes, bytes]], now: float
    ) -> dict[bytes, list[m.AnyCommand | m.Error]]:  # fmt: skip
        """Return what each peer of a batch says, but those that flood."""
        frames: defaultdict[bytes, list[bytes]] = defaultdict(list)
        for peer, payload in batch:
            frames[peer].append(payload)
        said: dict[bytes, list[m.AnyCommand | m.Error]] = {}
        for peer, payloads in frames.items():
            if self.hub.bears(peer, payloads, now):
                said[peer] = self._read(payloads)
            else:
                self.floods.append(peer)
        return said

    def _receive_commands(
        self, peer: bytes, commands: list[m.AnyCommand | m.Error], now: float, wall: float
    ) -> list[Effect]:
        """Let the hub receive what one peer sent."""
        effects: list[Effect] = []
        done = 0
        while done < len(commands):
            more, taken = self._receive_next(peer, commands, done, now, wall)
            effects += more
            done += taken
            if more and type(last := more[-1]) is Cut and last.peer == peer:
                break  # whoever is sent away gets one answer
        return effects

    def _receive_next(
        self, peer: bytes, commands: Sequence[m.AnyCommand | m.Error], done: int, now: float, wall: float
    ) -> tuple[list[Effect], int]:
        """Let the hub receive the next command, or several at once. Return its effects, and of how many they are.

        With a hello comes what the log remembers of its client.
        """
        command = commands[done]
        try:
            together = self.hub.receive_together(peer, commands, done, now)
            if together is not None:
                return [together], len(together.commands)
            ids = self.hub.needs_past(peer, command)
            past = None if ids is None else self.log.past(*ids)
            return self.hub.receive(peer, command, now, wall, past), 1
        except Exception:  # noqa: BLE001 — it is logged
            kind = type(command).__name__  # and no more: what people say is in no log file
            self.notes.write(logging.ERROR, "a command could not be processed: %s", kind, trace=True)
            return [Reply(peer, _internal(command))], 1

    def _read(self, payloads: list[bytes]) -> list[m.AnyCommand | m.Error]:
        try:
            return wire.commands(*payloads)
        except Exception:  # noqa: BLE001 — it is logged
            self.notes.write(logging.ERROR, "frames could not be read: %d", len(payloads), trace=True)
            return [_internal(m.Ping())]


def _internal(command: m.AnyCommand | m.Error) -> m.Error:
    text = "the broker made a mistake, which is in its log: this line was not processed"
    return m.Error(code="internal", message=text, ref=command.ref)
