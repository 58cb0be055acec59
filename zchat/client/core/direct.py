"""Direct messages: every conversation of this session at once, in the order of the log.

They come over the DEALER socket, which loses nothing while a session lives and keeps the order of the log. So one
cursor serves all conversations: what is not above it need not be asked for. It begins at the heads of the very first
pong (what was said before this process began is no news, and what comes before that pong waits for it), and moves with
what arrives.

Only between two sessions can something be missed. Until the first pong of a new session everything is held back. Then
each conversation whose head is above the cursor is asked for what comes after it, through the highest of the heads that
the pong told: what is later comes live. What was found and what was held back is shown together, in order. A user who
is too slow for what comes (`miss`) is treated like one who was away.

So no conversation needs a cursor under its nick, and none is shown twice when a nick changes.
"""

from collections import deque
from typing import Any

from zchat.protocol import messages as m
from zchat.protocol import wire

from .room import HELD_MAX, NOTHING, Delivery


def split_name(name: str) -> tuple[str, str | None]:
    """Return the nick and the `from` of a conversation's name: `bob`, or `bob/9f86d081884c7d65` where it is known."""
    nick, _, from_ = name.partition("/")
    return nick, from_ or None


def name_of(event: Any, mine: str) -> str:
    """Return the name of the conversation that a message belongs to."""
    nick, from_ = (event.to, event.with_) if event.from_ == mine else (event.nick, event.from_)
    return f"{nick}/{from_}" if from_ else nick


TRIES = 3  # times that a nick is asked for again after the broker did not know it


class Direct:
    """All conversations; `asking` has the names of those whose history is awaited, and the seq it was asked after."""

    def __init__(self) -> None:
        self.asking: dict[str, int] = {}
        self.started = False  # the first pong has told where the cursor begins
        self.unsure = False  # something may be missing: the next pong tells
        self._cursor = 0
        self._live = 0  # the last seq that was shown: what is not above it is a repeat
        self._through = 0  # the seq at which what is asked for ends
        self._found: dict[int, tuple[Any, bytes]] = {}  # by seq, and not shown yet
        self._held: deque[tuple[Any, bytes]] = deque(maxlen=HELD_MAX)
        self._complete: dict[str, int] = {}  # name to the seq through which its history is complete
        self._wanted: dict[str, int] = {}  # name to the seq that made us ask
        self._refusals: dict[str, int] = {}  # name to how often the broker did not know it
        self._ahead: dict[str, int] = {}  # name to a head that the next pong decides about

    def restart(self, shared: int | None, *, same_log: bool) -> bool:
        """A new session begins: something may have been missed. What another log has already is no news.

        What we know is in the log through `shared` only; say if that is not all.
        """
        if self._held and not self.started:
            self.started, self._cursor = True, self._held[0][0].seq - 1
        gone = shared is not None and max(self._cursor, self._live) > shared
        if shared is not None:
            self._cursor, self._live = min(self._cursor, shared), min(self._live, shared)
        if not same_log:
            self.started, self._cursor, self._live = False, 0, 0
        self.unsure = self.started
        self.asking, self._found, self._ahead, self._through = {}, {}, {}, 0
        self._held.clear()
        self._complete.clear()
        self._wanted.clear()
        self._refusals.clear()
        return gone

    def miss(self) -> None:
        """Something arrives that is left out: a later pong tells what it was."""
        self.unsure = True
        self._held.clear()

    def receive(self, event: Any, line: bytes, mine: str) -> Delivery:
        """Return what can be shown now that `event` arrived; `mine` is our own `from`."""
        if event.seq <= self._live:
            return NOTHING
        if self.unsure or self.asking or not self.started:
            self._held.append((event, line))
            return NOTHING
        return self._show([(event, line)], mine)

    def check_heads(self, heads: dict[str, int]) -> bool:
        """A pong told the heads: fill `asking`. True if another pong is needed to judge one."""
        heads = {name[1:]: head for name, head in heads.items() if name.startswith("@")}
        if not self.started:
            self.started = True
            self._cursor = max(self._cursor, *heads.values(), 0)
            return False
        if self.asking:
            return False
        news = {nick: head for nick, head in heads.items() if self._is_news(nick, head)}
        if self.unsure:
            self.unsure = False
            self.asking = dict.fromkeys(news, self._cursor)
        else:
            self.asking = {nick: self._cursor for nick in news if self._is_news(nick, self._ahead.get(nick, 0))}
        self._wanted.update((nick, news[nick]) for nick in self.asking)
        self._ahead = {nick: head for nick, head in news.items() if nick not in self.asking}
        self._through = max(self._through, *(news[nick] for nick in self.asking), 0)
        return bool(self._ahead)

    def fill(self, nick: str, reply: m.History) -> None:
        """A page of a conversation's history came; what there is more stays in `asking`."""
        for raw in reply.events:
            event = wire.event(raw)
            seq: int = getattr(event, "seq", None) or 0
            if self._cursor < seq <= self._through:
                self._found[seq] = (event, bytes(raw))
        after = self.asking.get(nick, 0)
        if reply.more and after < reply.upto < self._through:
            self.asking[nick] = reply.upto
        else:
            self._finish(nick, min(max(reply.upto, after), self._through))

    def refuse(self, nick: str) -> int:
        """The broker knows no such nick: it has just changed, and the next pong tells. Return how often that was so."""
        times = self._refusals[nick] = self._refusals.get(nick, 0) + 1
        if times > TRIES:
            self._finish(nick, 0)
        else:
            self.asking.pop(nick, None)
        self.unsure = True
        return times

    def release(self, mine: str) -> Delivery:
        """Return what was found and what was held back, once nothing is awaited any more."""
        if self.unsure or self.asking:
            return NOTHING
        pairs = self._found | {pair[0].seq: pair for pair in self._held}
        self._found = {}
        self._held.clear()
        self._cursor, self._through = max(self._cursor, self._through), 0
        return self._show([pairs[seq] for seq in sorted(pairs)], mine)

    def _finish(self, nick: str, upto: int) -> None:
        """Nothing more is to be had under this name: what made us ask must not make us ask again."""
        self._complete[nick] = max(upto, self._wanted.pop(nick, 0))
        self.asking.pop(nick, None)

    def _show(self, pairs: list[tuple[Any, bytes]], mine: str) -> Delivery:
        shown, lines = [], []
        for index, (event, line) in enumerate(pairs):
            other = name_of(event, mine)
            if event.prev > max(self._cursor, self._complete.get(other, 0)):
                self.asking[other], self._wanted[other] = self._cursor, event.prev
                self._through = event.prev
                self._held.extend(pairs[index:])
                break
            shown.append(event)
            lines.append(line)
            self._live = max(self._live, event.seq)
            self._cursor = max(self._cursor, event.seq)
        return shown, lines

    def _is_news(self, nick: str, head: int) -> bool:
        return head > self._cursor and head > self._complete.get(nick, 0)
