"""Direct messages: every conversation of this session at once, in the order of the log.

They come over the DEALER socket, which loses nothing while a session lives and keeps the order of the log. So there is
one mark for all conversations: what is not above it needs no asking. It starts at the heads of the very first pong
(what was said before this process began is no news, and what comes before that pong waits for it), and moves with what
arrives. Only a new session may have missed something: until its first pong everything is held back; then each
conversation whose head is above the mark is asked for what comes after it, through the highest of the heads that the
pong told: what is later comes live. What was found and what was held back is shown together, in order. A user too slow
for what comes (`miss`) is like one who was away. No conversation needs a cursor under its nick, and so none is shown
twice when a nick changes.
"""

from collections import deque
from typing import Any

from zchat.protocol import messages as m
from zchat.protocol import wire

from .room import HELD_MAX, NOTHING, Pairs


def whom(name: str) -> tuple[str, str | None]:
    """Return the nick and the `from` of a conversation's name: `bob`, or `bob/9f86d081884c7d65` where it is told."""
    nick, _, from_ = name.partition("/")
    return nick, from_ or None


def name_of(event: Any, mine: str) -> str:
    """Return the name of the conversation that a message belongs to."""
    nick, from_ = (event.to, event.with_) if event.from_ == mine else (event.nick, event.from_)
    return f"{nick}/{from_}" if from_ else nick


TRIES = 3  # times that a nick is asked for again after the broker did not know it


class Direct:
    """All conversations; `asking` are those whose history is awaited, by `whom`, with the seq it was asked after."""

    def __init__(self) -> None:
        self.asking: dict[str, int] = {}
        self.based = False  # the first pong has told where news begin
        self.unsure = False  # something may be missing: the next pong tells
        self._mark = 0
        self._live = 0  # the last seq that came live: what is not above it is a repeat
        self._through = 0  # what is asked for ends here
        self._found: dict[int, tuple[Any, bytes]] = {}  # by seq, and not shown yet
        self._held: deque[tuple[Any, bytes]] = deque(maxlen=HELD_MAX)
        self._settled: dict[str, int] = {}  # nick to the seq through which its history was complete
        self._wanted: dict[str, int] = {}  # nick to the seq that made us ask
        self._refused: dict[str, int] = {}
        self._ahead: dict[str, int] = {}

    def restart(self, shared: int | None, *, same_log: bool) -> bool:
        """A new session begins: something may have been missed. Of another log, what is in it already is no news.

        What is above `shared` is in the log no more; say if anything was.
        """
        if self._held and not self.based:
            self.based, self._mark = True, self._held[0][0].seq - 1
        gone = shared is not None and max(self._mark, self._live) > shared
        if shared is not None:
            self._mark, self._live = min(self._mark, shared), min(self._live, shared)
        if not same_log:
            self.based, self._mark, self._live = False, 0, 0
        self.unsure = self.based
        self.asking, self._found, self._ahead, self._through = {}, {}, {}, 0
        self._held.clear()
        self._settled.clear()
        self._wanted.clear()
        self._refused.clear()
        return gone

    def miss(self) -> None:
        """Something arrives that is not taken: a later pong tells what it was."""
        self.unsure = True
        self._held.clear()

    def take(self, event: Any, line: bytes, mine: str) -> Pairs:
        """Return what can be shown now that `event` arrived; `mine` is our own `from`."""
        if event.seq <= self._live:
            return NOTHING
        if self.unsure or self.asking or not self.based:
            self._held.append((event, line))
            return NOTHING
        return self._show([(event, line)], mine)

    def heard(self, heads: dict[str, int]) -> bool:
        """A pong told the heads; fills `asking`. True if some head has us wait for another pong."""
        heads = {name[1:]: head for name, head in heads.items() if name.startswith("@")}
        if not self.based:
            self.based = True
            self._mark = max(self._mark, *heads.values(), 0)
            return False
        if self.asking:
            return False
        news = {nick: head for nick, head in heads.items() if self._is_news(nick, head)}
        if self.unsure:
            self.unsure = False
            self.asking = dict.fromkeys(news, self._mark)
        else:
            self.asking = {nick: self._mark for nick in news if self._is_news(nick, self._ahead.get(nick, 0))}
        self._wanted.update((nick, news[nick]) for nick in self.asking)
        self._ahead = {nick: head for nick, head in news.items() if nick not in self.asking}
        self._through = max(self._through, *(news[nick] for nick in self.asking), 0)
        return bool(self._ahead)

    def fill(self, nick: str, reply: m.History) -> None:
        """Take a page of a conversation's history; what there is more stays in `asking`."""
        for raw in reply.events:
            event = wire.event(raw)
            seq: int = getattr(event, "seq", None) or 0
            if self._mark < seq <= self._through:
                self._found[seq] = (event, bytes(raw))
        after = self.asking.get(nick, 0)
        if reply.more and after < reply.upto < self._through:
            self.asking[nick] = reply.upto
        else:
            self._settle(nick, min(max(reply.upto, after), self._through))

    def refuse(self, nick: str) -> int:
        """The broker knows no such nick: it has just changed, and the next pong tells. Return how often that was so."""
        times = self._refused[nick] = self._refused.get(nick, 0) + 1
        if times > TRIES:
            self._settle(nick, 0)
        else:
            self.asking.pop(nick, None)
        self.unsure = True
        return times

    def release(self, mine: str) -> Pairs:
        """Return what was found and what was held back, once nothing is awaited any more."""
        if self.unsure or self.asking:
            return NOTHING
        pairs = self._found | {pair[0].seq: pair for pair in self._held}
        self._found = {}
        self._held.clear()
        self._mark, self._through = max(self._mark, self._through), 0
        return self._show([pairs[seq] for seq in sorted(pairs)], mine)

    def _settle(self, nick: str, upto: int) -> None:
        """Nothing more is to be had under this nick: what made us ask shall not make us ask again."""
        self._settled[nick] = max(upto, self._wanted.pop(nick, 0))
        self.asking.pop(nick, None)

    def _show(self, pairs: list[tuple[Any, bytes]], mine: str) -> Pairs:
        shown, lines = [], []
        for place, (event, line) in enumerate(pairs):
            other = name_of(event, mine)
            if event.prev > max(self._mark, self._settled.get(other, 0)):
                self.asking[other], self._wanted[other] = self._mark, event.prev
                self._through = event.prev
                self._held.extend(pairs[place:])
                break
            shown.append(event)
            lines.append(line)
            self._live = max(self._live, event.seq)
            self._mark = max(self._mark, event.seq)
        return shown, lines

    def _is_news(self, nick: str, head: int) -> bool:
        return head > self._mark and head > self._settled.get(nick, 0)
