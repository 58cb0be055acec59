"""The numbered commands of one client id: each is kept until its answer, and sent again until it has one.

The broker takes `n` = 1, 2, 3 … without holes, so one line that it puts off (`rate_limited`, `unavailable`) makes it
put off all that are in flight behind it. Going back once for each of those would send everything many times over.
Instead every transmission belongs to a generation: going back starts a new one, and a put-off line of an older
generation is an echo of what was already gone back for. Replies keep the order of the lines, so the oldest
transmission of `n` still in flight is the one that a reply is about.

A number, once sent, means the same command for as long as its client id: so a broker that took it has the command.
Only where the log went back are numbers given anew under the same id, for who we are should not change with that. They
hold in a log that has the epoch in which that was (`since`, its first `seq`), and in no other.

A line that the broker refuses in a way the protocol does not foresee may or may not have used up its number. Then
nothing more is sent until a `pong` or `welcome` has told the last number taken; what is above it closes ranks.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from msgspec import structs

from zchat.protocol import messages as m
from zchat.protocol import wire

TAKEN_KEPT = 500  # acknowledged commands that are remembered, in case the log goes back
IN_FLIGHT_MAX = 1_000  # lines sent and not answered: a frame full, and what a going back costs at most
# refusals that take their `n`
FINAL = frozenset(("bad_text", "too_long", "bad_room", "unknown_nick", "bad_reply", "forbidden"))
RETRY = frozenset(("no_session", "out_of_order", "rate_limited", "unavailable"))  # those that take nothing

NumberedCommand = m.Say | m.SetTopic


class Entry:
    """One command, its line, and the key under which its answer is awaited (None: nobody waits)."""

    __slots__ = ("command", "key", "line")

    def __init__(self, command: NumberedCommand, key: Any) -> None:
        self.command, self.key = command, key
        self.line = wire.encode(command)


class Numbered:
    """The outbox of one client id; all through `answered` have their answer, `last` is the highest number given."""

    def __init__(
        self, client: str, n: int = 0, unanswered: Iterable[NumberedCommand] = (), since: int = 0
    ) -> None:  # fmt: skip
        self.client, self.since = client, since
        self.answered = n
        self._entries = {command.n: Entry(command, None) for command in unanswered}
        self.last = max(self._entries, default=n)
        self.blocked = False
        self._dead: set[int] = set()
        self._sent = self.last  # a life before this one may have sent all of it
        self._next = n + 1
        self._flight: deque[tuple[int, int]] = deque()
        self._generation = 0
        self._gone_back: int | None = None
        self._not_before = 0.0
        self._moved = 0.0
        self._taken: deque[tuple[int, NumberedCommand]] = deque(maxlen=TAKEN_KEPT)  # by their places, the latest

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, command: NumberedCommand, key: Any) -> bytes:
        """Give `command` the next number and keep it; return its line."""
        entry = Entry(structs.replace(command, n=self.last + 1), key)  # may fail: text that is no Unicode
        self.last += 1
        self._entries[self.last] = entry
        return entry.line

    def ready(self, now: float) -> int:
        """Return how many lines could be sent now."""
        if self.blocked or now < self._not_before:
            return 0
        return min(self.last - self._next + 1, IN_FLIGHT_MAX - (self._next - 1 - self.answered))

    def wait(self, now: float) -> float | None:
        """Return the seconds until a line that was put off may be sent again, None if none was."""
        return self._not_before - now if self._not_before > now and self._next <= self.last else None

    def take(self, count: int, now: float) -> list[bytes]:
        """Return the next lines to send, at most `count`."""
        numbers = range(self._next, self._next + min(count, self.ready(now)))
        entries, generation = self._entries, self._generation
        lines = []
        for n in numbers:
            if entry := entries.get(n):
                lines.append(entry.line)
                self._flight.append((n, generation))
        if lines and not self._moved:
            self._moved = now
        self._next += len(numbers)
        self._sent = max(self._sent, self._next - 1)
        return lines

    def settle(self, n: int, now: float, seq: int | None = None) -> Any:
        """Command `n` has its answer, the event `seq`: forget it and return its key (None: nobody waits)."""
        self._landed(n)
        entry = self._entries.pop(n, None)
        if entry is not None and seq is not None:
            self._taken.append((seq, entry.command))
        if self._gone_back is not None and n >= self._gone_back:
            self._gone_back = None
        while self.answered < self.last and self.answered + 1 not in self._entries:
            self.answered += 1
        if self._next <= self.answered:
            self._next = self.answered + 1
        self._moved = now if self._next > self.answered + 1 else 0.0
        return entry.key if entry else None

    def left_behind(self, n: int) -> NumberedCommand | None:
        """Return command `n` if it waits for its answer, and nobody else does: it is of an earlier run."""
        entry = self._entries.get(n)
        return entry.command if entry and entry.key is None and n not in self._dead else None

    def put_off(self, error: m.Error, now: float) -> bool:
        """Go back to what the broker asks for again; False when that is nothing we could send."""
        if self._landed(error.n) != self._generation:
            return True
        if error.code == "out_of_order":
            target = error.expected if error.expected is not None else self.answered + 1
            if target == self._gone_back:
                return True
            self._gone_back = target
        else:
            target = max(error.n or 0, self.answered + 1)
            self._not_before = now + max(error.retry_after or 0.0, 0.01)
        if not self.answered < target <= self._next:
            return False
        self._go_back(target)
        return True

    def stuck(self, now: float, patience: float) -> None:
        """Go back to the first unanswered if none was answered for `patience` seconds."""
        if self._moved and not self.blocked and now - max(self._moved, self._not_before) >= patience:
            self._go_back(self.answered + 1)
            self._gone_back, self._moved = None, now

    def kill(self, n: int) -> Any:
        """Give `n` up, not knowing whether it was taken; return its key. Nothing is sent until `resolve`."""
        self._landed(n)
        entry = self._entries.get(n)
        if entry is None:
            return None
        key, entry.key = entry.key, None
        self._dead.add(n)
        self.blocked = True
        return key

    def resolve(self, taken: int) -> bool:
        """All through `taken` are taken: drop the dead, close the ranks above; True if numbers changed."""
        untaken = any(n > taken for n in self._dead)
        for n in self._dead:
            self._entries.pop(n, None)
        self._dead.clear()
        self.blocked = False
        if untaken:
            above = [entry for n, entry in self._entries.items() if n > taken]
            self._entries = {n: entry for n, entry in self._entries.items() if n <= taken}
            self._number(above, max(taken, self.answered) + 1)
        while self.answered < self.last and self.answered + 1 not in self._entries:
            self.answered += 1
        self._go_back(self.answered + 1)
        return untaken

    def welcomed(self, n: int) -> bool:
        """A new session knows commands through `n`: start from the first unanswered. False: that is not our log."""
        self._flight.clear()
        self._not_before, self._gone_back, self._moved = 0.0, None, 0.0
        if not self.answered <= n <= self._sent:
            return False
        self._go_back(self.answered + 1)
        return True

    def lose(self, shared: int) -> tuple[NumberedCommand, ...]:
        """Forget what was acknowledged with a place above `shared`, and return it, as far as it is remembered."""
        lost = tuple(command for seq, command in self._taken if seq > shared)
        self._taken = deque((pair for pair in self._taken if pair[0] <= shared), maxlen=TAKEN_KEPT)
        return lost

    def unreply(self, shared: int) -> bool:
        """Let nothing unanswered reply to a place above `shared`, which is another event's now; say if anything did."""
        wrong = [entry for entry in self._entries.values() if (getattr(entry.command, "reply_to", 0) or 0) > shared]
        for entry in wrong:
            self._entries[entry.command.n] = Entry(structs.replace(entry.command, reply_to=None), entry.key)
        return bool(wrong)

    def restart(self, client: str, n: int = 0, since: int = 0) -> None:
        """Number what is unanswered from `n` + 1, under this client id; see above for `since`."""
        self.client, self.answered, self.since = client, n, since
        for dead in self._dead:
            self._entries.pop(dead, None)
        self._dead.clear()
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

    def _landed(self, n: int | None) -> int:
        """Take the transmission that a reply about `n` is about out of the flight; return its generation."""
        flight = self._flight
        if flight and flight[0][0] == n:
            return flight.popleft()[1]
        for place, (number, generation) in enumerate(islice(flight, len(flight))):
            if number == n:
                for _ in range(place + 1):
                    flight.popleft()
                return generation
        return self._generation
