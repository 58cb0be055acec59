"""The numbered commands of one client id: each is kept until its answer, and sent again until it has one.

The broker accepts `n` = 1, 2, 3 … without gaps. So if it defers one line (`rate_limited`, `unavailable`), it must also
defer all that are in flight behind it. We go back to the first of them and send again from there (Go-Back-N). To do so
for each refusal would send everything many times over. So each transmission belongs to a generation, and going back
begins a new one: a refusal of an older generation is an echo, for which we have gone back already. Replies keep the
order of the lines, so a reply about `n` is about the oldest transmission of `n` that is still in flight.

A number, once sent, means the same command for as long as its client id. So a broker that accepted the number has the
command. Numbers are given anew under the same id only where the log went back, for a client should stay who it is. They
then hold in a log that has the epoch in which this happened (`since`, its first `seq`), and in no other.

A line that the broker refuses in a way that the protocol does not foresee may have used up its number or not: it is in
doubt. Nothing more is sent until a `pong` that comes after all replies, or a `welcome`, has told the last number
accepted. What is in doubt is then dropped, and what stands above takes its numbers.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from msgspec import structs

from zchat.protocol import messages as m
from zchat.protocol import wire

from .named import names_nothing, naming_nothing_above
from .own import OwnEvents

ACKNOWLEDGED_MAX = 500  # commands that are remembered with their `seq`, in case the log goes back
IN_FLIGHT_MAX = 1_000  # lines sent and not answered: a full frame, and the most that going back sends again
# refusals that use up their `n`
FINAL = frozenset(("bad_text", "too_long", "bad_room", "unknown_nick", "bad_reply", "bad_target", "bad_file"))
FINAL |= {"forbidden", "not_member", "muted", "banned", "bad_invite", "unknown_room", "unknown_member"}
RETRY = frozenset(("no_session", "out_of_order", "rate_limited", "unavailable"))  # those that do not


class Entry:
    """One command, its line, and the key under which its answer is awaited (None: nobody waits)."""

    __slots__ = ("command", "key", "line")

    def __init__(self, command: m.NumberedCommand, key: Any) -> None:
        self.command, self.key = command, key
        self.line = wire.encode(command)


class Numbered:
    """All through `settled` have their answer; `last` is the highest number given."""

    def __init__(
        self, client: str, n: int = 0, unanswered: Iterable[m.NumberedCommand] = (), since: int = 0,
        own: Iterable[int] = (),
    ) -> None:  # fmt: skip
        self.client, self.since = client, since
        self.own = OwnEvents(own)
        self.settled = n
        self._entries = {command.n: Entry(command, None) for command in unanswered}
        self.last = max(self._entries, default=n)
        self.blocked = False  # something is in doubt: nothing is sent
        self._in_doubt: set[int] = set()
        self._sent = self.last  # the highest number sent: an earlier run may have sent all of them
        self._next = n + 1  # to be sent
        self._in_flight: deque[tuple[int, int]] = deque()
        self._generation = 0  # of what is sent from now on
        self._gone_back: int | None = None  # the number that the last `out_of_order` asked for
        self._not_before = 0.0
        self._moved = 0.0  # since when the next answer is waited for; 0: nothing is in flight
        self._acknowledged: deque[tuple[int, m.NumberedCommand]] = deque(maxlen=ACKNOWLEDGED_MAX)  # by `seq`

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, command: m.NumberedCommand, key: Any) -> bytes:
        """Give `command` the next number and keep it; return its line."""
        entry = Entry(structs.replace(command, n=self.last + 1), key)  # may fail: text that is no Unicode
        self.last += 1
        self._entries[self.last] = entry
        return entry.line

    @property
    def in_flight(self) -> bool:
        """Whether replies are still to come."""
        return bool(self._in_flight)

    def ready(self, now: float) -> int:
        """Return how many lines could be sent now."""
        if self.blocked or now < self._not_before:
            return 0
        return min(self.last - self._next + 1, IN_FLIGHT_MAX - (self._next - 1 - self.settled))

    def wait(self, now: float) -> float | None:
        """Return the seconds until a deferred line may be sent again, None if none was."""
        return self._not_before - now if self._not_before > now and self._next <= self.last else None

    def next_lines(self, count: int, now: float) -> list[bytes]:
        """Return the next lines to send, at most `count`."""
        numbers = range(self._next, self._next + min(count, self.ready(now)))
        entries, generation = self._entries, self._generation
        lines = []
        for n in numbers:
            if entry := entries.get(n):
                lines.append(entry.line)
                self._in_flight.append((n, generation))
        if lines and not self._moved:
            self._moved = now
        self._next += len(numbers)
        self._sent = max(self._sent, self._next - 1)
        return lines

    def settle(self, n: int, now: float, seq: int | None = None, *, repeated: bool = False) -> Any:
        """Command `n` has its answer, the event `seq`: forget it and return its key (None: nobody waits).

        What is a `repeated` reaction or pin may be another device's event, or somebody else's.
        """
        self._remove_from_flight(n)
        entry = self._entries.pop(n, None)
        if entry is not None and seq is not None:
            self._acknowledged.append((seq, entry.command))
            if not (repeated and isinstance(entry.command, m.React | m.Pin)):
                self.own.note(seq)
        if self._gone_back is not None and n >= self._gone_back:
            self._gone_back = None
        while self.settled < self.last and self.settled + 1 not in self._entries:
            self.settled += 1
        if self._next <= self.settled:
            self._next = self.settled + 1
        self._moved = now if self._next > self.settled + 1 else 0.0
        return entry.key if entry else None

    def command(self, n: int) -> m.NumberedCommand | None:
        """Return command `n` if it has no answer yet."""
        entry = self._entries.get(n)
        return None if entry is None else entry.command

    def orphan(self, n: int) -> m.NumberedCommand | None:
        """Return command `n` if it is unanswered and nobody waits for its answer: it is of an earlier run."""
        entry = self._entries.get(n)
        return entry.command if entry and entry.key is None and n not in self._in_doubt else None

    def defer(self, error: m.Error, now: float) -> bool:
        """Go back to what the broker asks for again; False when that is nothing we could send."""
        if self._remove_from_flight(error.n) != self._generation:
            return True
        if error.code == "out_of_order":
            target = error.expected if error.expected is not None else self.settled + 1
            if target == self._gone_back:
                return True
            self._gone_back = target
        else:
            target = max(error.n or 0, self.settled + 1)
            self._not_before = now + max(error.retry_after or 0.0, 0.01)
        if not self.settled < target <= self._next:
            return False
        self._go_back(target)
        return True

    def go_back_if_stuck(self, now: float, patience: float) -> None:
        """Go back to the first unanswered command if no answer came for `patience` seconds."""
        if self._moved and not self.blocked and now - max(self._moved, self._not_before) >= patience:
            self._go_back(self.settled + 1)
            self._gone_back, self._moved = None, now

    def doubt(self, n: int) -> Any:
        """It is not known whether `n` was used up; return its key. Nothing is sent until `resolve`."""
        self._remove_from_flight(n)
        entry = self._entries.get(n)
        if entry is None:
            return None
        key, entry.key = entry.key, None
        self._in_doubt.add(n)
        self.blocked = True
        return key

    def resolve(self, accepted: int) -> bool:
        """All through `accepted` are used up: drop what is in doubt; say if what stands above has new numbers."""
        gaps = any(n > accepted for n in self._in_doubt)
        for n in self._in_doubt:
            self._entries.pop(n, None)
        self._in_doubt.clear()
        self.blocked = False
        if gaps:
            above = [entry for n, entry in self._entries.items() if n > accepted]
            self._entries = {n: entry for n, entry in self._entries.items() if n <= accepted}
            self._number(above, max(accepted, self.settled) + 1)
        while self.settled < self.last and self.settled + 1 not in self._entries:
            self.settled += 1
        self._go_back(self.settled + 1)
        return gaps

    def welcomed(self, n: int) -> bool:
        """A new session begins, and has accepted numbers through `n`: go on behind them. False: that is not our log."""
        self._in_flight.clear()
        self._not_before, self._gone_back, self._moved = 0.0, None, 0.0
        if not self.settled <= n <= self._sent:
            return False
        self._go_back(self.settled + 1)
        return True

    def forget_above(self, shared: int) -> tuple[m.NumberedCommand, ...]:
        """Forget what was acknowledged with a `seq` above `shared`; return it, as far as it is remembered."""
        lost = tuple(command for seq, command in self._acknowledged if seq > shared)
        self._acknowledged = deque((pair for pair in self._acknowledged if pair[0] <= shared), maxlen=ACKNOWLEDGED_MAX)
        return lost

    def name_nothing_above(self, shared: int) -> bool:
        """Let nothing unanswered name a `seq` above `shared`, which is another event's now; say if anything did."""
        changed = {n: naming_nothing_above(entry.command, shared) for n, entry in self._entries.items()}
        changed = {n: command for n, command in changed.items() if command is not self._entries[n].command}
        for n, command in changed.items():
            self._entries[n] = Entry(command, self._entries[n].key)
        return bool(changed)

    def names_nothing(self, n: int) -> bool:
        """Say whether what command `n` named is gone."""
        return n in self._entries and names_nothing(self._entries[n].command)

    def renumber(self, client: str, n: int = 0, since: int = 0) -> None:
        """Number what is unanswered from `n` + 1, under this client id; `since` is explained above."""
        self.client, self.settled, self.since = client, n, since
        for n_in_doubt in self._in_doubt:
            self._entries.pop(n_in_doubt, None)
        self._in_doubt.clear()
        entries, self._entries = list(self._entries.values()), {}
        self._number(entries, n + 1)
        self._sent, self.blocked = n, False
        self._go_back(n + 1)

    def lines(self) -> list[bytes]:
        return [entry.line for entry in self._entries.values()]

    def keys(self) -> Iterator[Any]:
        return (entry.key for entry in self._entries.values() if entry.key is not None)

    def _number(self, entries: list[Entry], first: int) -> None:
        for n, entry in enumerate(entries, first):
            self._entries[n] = Entry(structs.replace(entry.command, n=n), entry.key)
        self.last = first + len(entries) - 1
        self._sent = min(self._sent, self.last)

    def _go_back(self, target: int) -> None:
        self._next = target
        self._generation += 1

    def _remove_from_flight(self, n: int | None) -> int:
        """The oldest transmission of `n` has its reply; return its generation."""
        flight = self._in_flight
        if flight and flight[0][0] == n:
            return flight.popleft()[1]
        for index, (number, generation) in enumerate(islice(flight, len(flight))):
            if number == n:
                for _ in range(index + 1):
                    flight.popleft()
                return generation
        return self._generation
