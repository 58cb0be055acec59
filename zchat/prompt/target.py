"""One target of what one says: a room, a conversation or a thread in it; what is kept of it, and what is unread.

A target holds its newest messages as they are now (`recent`), so that turning to it shows what was missed, and what was
done meanwhile to messages that were shown before (`mends`). `seen` is the last message that was
shown; later ones are unread. `mark` tells where the divider "── new ──" goes: after this message. It is set when one
stops looking (leaves, turns to another target, or the terminal loses the focus), and is gone once the divider is shown.

No socket, file or clock is touched here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from zchat.protocol import messages as m

from .about import About
from .recent import KEPT, Recent
from .said import MENDS, Mend

LATELY = 600.0  # seconds for which somebody counts as having spoken lately
IN_THREAD = " ↳"  # between the name of a target and the number of a thread in it, which is a target as well
TYPING = 6.0  # seconds for which a typing notice holds
SPEAKERS_MAX = 1_000


@dataclass
class Target:
    """One room, or one conversation."""

    name: str
    with_: str | None = None
    seen: int = 0
    told: int = 0  # what came until then was told in an earlier run
    mark: int | None = None
    unread: int = 0
    mentioned: bool = False  # an unread message mentions us
    oldest: int | None = None  # the first message shown since one turned here: PgUp goes on before it
    recent: Recent = field(default_factory=Recent)
    mends: dict[tuple[int, type], Mend] = field(default_factory=dict)  # to be told when one turns here
    spoke: dict[str, float] = field(default_factory=dict)  # nick: when it spoke last
    typing: dict[str, float] = field(default_factory=dict)  # nick: when its last typing notice came
    draft: str = ""  # what was in the editor when one turned away …
    about: About | None = None  # … and what that is about

    @property
    def base(self) -> str:
        """The name of the room or conversation, also of a thread in it."""
        return self.name.partition(IN_THREAD)[0]

    @property
    def room(self) -> str | None:
        return self.base[1:] if self.name[0] == "#" else None

    @property
    def partner(self) -> str | None:
        return self.base[1:] if self.name[0] == "@" else None

    @property
    def thread(self) -> int | None:
        """The root of the thread that this is; None for a whole room or conversation."""
        root = self.name.partition(IN_THREAD)[2]
        return int(root) if root else None

    def has_in_thread(self, event: m.Durable) -> bool:
        """Say whether an event belongs to the thread that this is."""
        return event.seq == self.thread or getattr(event, "thread", None) == (self.thread or 0) or self._mends(event)

    @property
    def answered(self) -> int | None:
        """What one answers here: the root of the thread, or where that is deleted the last answer; None: none is left.

        Whatever of a thread is answered, the answer belongs to the thread.
        """
        if not isinstance(self.recent.get(self.thread or 0), m.Tombstone):
            return self.thread
        return next((one.seq for one in reversed(self.recent) if isinstance(one, m.Message)), None)

    def _mends(self, event: m.Durable) -> bool:
        return isinstance(event, MENDS) and event.target in self.recent

    def last_of(self, from_: str) -> m.Message | None:
        """Return the last message of somebody, if it is one that can be edited as it was typed."""
        last = next((event for event in reversed(self.recent) if event.from_ == from_), None)
        return last if isinstance(last, m.Message) and last.kind == "message" else None

    def wait(self, mend: Mend) -> None:
        """Keep what was done to a message that was shown, until one turns here: the last of its kind counts."""
        if isinstance(mend, m.Deleted):
            self.mends = {key: one for key, one in self.mends.items() if key[0] != mend.target}
        self.mends[mend.target, type(mend)] = mend
        if len(self.mends) > KEPT:
            del self.mends[next(iter(self.mends))]

    def take_mends(self) -> list[Mend]:
        """Return what waits to be told, and forget it."""
        mends, self.mends = self.mends, {}
        return list(mends.values())

    def recount(self, mine: str, ignores: Callable[[m.Durable], bool] = lambda _: False) -> None:
        """Count the unread messages anew. Whoever has answered has read what came before; `mine` is our public id."""
        self.seen = max([self.seen, *(event.seq for event in self.recent if event.from_ == mine)])
        self.unread = sum(event.seq > self.seen and not ignores(event) for event in self.recent)
        if self.unread:
            self.mark, self.mentioned = self.seen, True

    def add(self, event: m.Durable, now: float) -> None:
        """Keep a new message; its author has spoken, and types no more."""
        self.recent.take(event)
        self.typing.pop(event.nick, None)
        self.spoke.pop(event.nick, None)
        self.spoke[event.nick] = now
        if len(self.spoke) > SPEAKERS_MAX:
            del self.spoke[next(iter(self.spoke))]

    def count(self, seq: int, *, is_old: bool, mine: bool, mentions_us: bool) -> None:
        """Count a message that came while one looked at another target."""
        if is_old and self.mark is None:
            self.seen = max(self.seen, seq)  # from before our first visit
        elif not mine and seq > self.seen:
            self.unread += 1
            self.mentioned = self.mentioned or mentions_us

    def read_through(self, seq: int, mine: str, ignores: Callable[[m.Durable], bool]) -> None:
        """Count as read what was read on another device; `mine` is our public id."""
        self.see(seq)
        behind = [event for event in self.recent if event.seq > self.seen and event.from_ != mine]
        self.unread = min(self.unread, sum(not ignores(event) for event in behind))
        self.mentioned = self.mentioned and self.unread > 0
        if self.mark is not None or self.unread:
            self.mark = max(self.mark or 0, seq)

    def pass_mark(self, seq: int) -> bool:
        """Note that a message is shown, and say whether the divider goes before it."""
        new = self.mark is not None and seq > self.mark
        if new:
            self.mark = None
        self.see(seq)
        return new

    def see(self, seq: int) -> None:
        self.seen = max(self.seen, seq)

    def stop_looking(self) -> None:
        """Whatever comes from now on is new."""
        self.mark = self.seen

    def go_back(self, shared: int) -> None:
        """Forget what comes after a point of the log."""
        self.recent.go_back(shared)
        self.mends = {key: one for key, one in self.mends.items() if one.seq <= shared}
        self.seen, self.told = min(self.seen, shared), min(self.told, shared)
        self.mark = None if self.mark is None else min(self.mark, shared)
        self.oldest = None if self.oldest is None else min(self.oldest, shared + 1)
        self.unread = min(self.unread, sum(event.seq > self.seen for event in self.recent))
        self.mentioned = self.mentioned and self.unread > 0

    def reset(self) -> None:
        """Forget all messages, and what was read of them."""
        self.recent.clear()
        self.mends = {}
        self.seen, self.told, self.mark, self.oldest = 0, 0, None, None
        self.unread, self.mentioned = 0, False

    def spoke_lately(self, nick: str, now: float) -> bool:
        return now - self.spoke.get(nick, -LATELY) < LATELY

    def typists(self, now: float) -> list[str]:
        return [nick for nick, when in self.typing.items() if now - when < TYPING]


def partner(event: m.Durable, mine: str) -> tuple[str, str | None] | None:
    """Return nick and `from` of the other person in a conversation, or None for what was said in a room."""
    if event.room is not None:
        return None
    return (event.to or "", event.with_) if event.from_ == mine else (event.nick, event.from_)


def nick_of(partner: str) -> str:
    """Return the nick in the name of a conversation: `bob` for `bob`, and for `bob/9f86d0`."""
    return partner.partition("/")[0]
