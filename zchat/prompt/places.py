"""The places where one can talk, rooms and conversations, and how far each has been read.

A place is known by its sign: `#general`, `@bob`. A conversation is with a person, and only their `from` (`with_`, once
it is known) names a person for good: when `bob` is somebody else, the conversation with the one before stays, as
`@bob/9f86d0`. A place keeps its newest messages, so that turning to it shows what was said meanwhile, and `seen`, the
last message that was shown: what comes after it is news. `mark` is where "── new ──" belongs: set when one stops
looking (by leaving, turning away, or losing the focus of the terminal), used up by the first message that is shown
after it. Pure but for the file at the end, which keeps `seen` over a run.
"""

import hashlib
import os
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from zchat import files
from zchat.protocol import messages as m

KEPT = 300  # messages kept of each place: some screens full
LATELY = 600.0  # seconds after which somebody has not spoken lately
TYPING = 6.0  # seconds for which a sign of typing holds
SPEAKERS_MAX = 1_000


@dataclass
class Place:
    """One room, or one conversation."""

    sign: str
    with_: str | None = None
    seen: int = 0
    mark: int | None = None
    unread: int = 0
    called: bool = False  # one of the unread calls us
    oldest: int | None = None  # the first message shown since one turned here: PgUp goes on before it
    recent: deque[m.Durable] = field(default_factory=lambda: deque(maxlen=KEPT))
    spoke: dict[str, float] = field(default_factory=dict)  # nick: when
    typing: dict[str, float] = field(default_factory=dict)
    draft: str = ""  # what one was typing when one turned away

    @property
    def room(self) -> str | None:
        return self.sign[1:] if self.sign[0] == "#" else None

    @property
    def partner(self) -> str | None:
        return self.sign[1:] if self.sign[0] == "@" else None

    def has(self, event: m.Durable) -> bool:
        """Say whether a message is kept already."""
        return any(event.seq == one.seq for one in self.recent)

    def take_in(self, events: Iterable[m.Durable]) -> None:
        """Remember messages from before, or among, those that are kept."""
        known = {event.seq: event for event in (*events, *self.recent)}
        self.recent = deque((known[seq] for seq in sorted(known)), maxlen=KEPT)

    def count(self, mine: str) -> None:
        """Count anew what is unread; who has answered (`mine` is our public id) has read what was said before."""
        self.seen = max([self.seen, *(event.seq for event in self.recent if event.from_ == mine)])
        self.unread = sum(event.seq > self.seen for event in self.recent)
        if self.unread:
            self.mark, self.called = self.seen, True

    def keep(self, event: m.Durable, now: float) -> None:
        """Remember a message, and that its author is there."""
        self.recent.append(event)
        self.typing.pop(event.nick, None)
        self.spoke.pop(event.nick, None)
        self.spoke[event.nick] = now
        if len(self.spoke) > SPEAKERS_MAX:
            del self.spoke[next(iter(self.spoke))]

    def passes_mark(self, seq: int) -> bool:
        """Say whether "── new ──" goes before this message, which is being shown."""
        new = self.mark is not None and seq > self.mark
        if new:
            self.mark = None
        self.seen = max(self.seen, seq)
        return new

    def stop_looking(self) -> None:
        """What comes from now on is news."""
        self.mark = self.seen

    def go_back(self, shared: int) -> None:
        """Forget what is above this place of the log."""
        self.recent = deque((event for event in self.recent if event.seq <= shared), maxlen=KEPT)
        self.seen = min(self.seen, shared)
        self.mark = None if self.mark is None else min(self.mark, shared)
        self.oldest = None if self.oldest is None else min(self.oldest, shared + 1)
        self.unread = min(self.unread, sum(event.seq > self.seen for event in self.recent))
        self.called = self.called and self.unread > 0

    def spoke_lately(self, nick: str, now: float) -> bool:
        return now - self.spoke.get(nick, -LATELY) < LATELY

    def typists(self, now: float) -> list[str]:
        return [nick for nick, when in self.typing.items() if now - when < TYPING]


def partner(event: m.Durable, mine: str) -> tuple[str, str | None] | None:
    """Return the other end of a conversation, nick and `from`, or None for what was said in a room."""
    if event.room is not None or not isinstance(event, m.Message):
        return None
    return (event.to or "", event.with_) if event.from_ == mine else (event.nick, event.from_)


class Places:
    """All places by their sign, in the order of Alt-1 … Alt-9, and the one that is looked at."""

    def __init__(self, seen: dict[str, int] | None = None) -> None:
        self.all: dict[str, Place] = {}
        self.here: Place | None = None
        self._seen = seen or {}

    def find(self, event: m.Durable, mine: str) -> Place | None:
        """Return the place where something was said, if it is known; `mine` is our public id."""
        if (other := partner(event, mine)) is None:
            return self.known(f"#{event.room}")
        return self.by_from(other[1]) or self.known(f"@{other[0]}")

    def of(self, event: m.Durable, mine: str) -> Place:
        """Return the place where something was said just now."""
        other = partner(event, mine)
        return self.get(f"#{event.room}") if other is None else self.person(*other)

    def person(self, nick: str, from_: str | None) -> Place:
        """Return the conversation with the one who is called so now."""
        place = self.by_from(from_)
        if place is None or (place.partner or "").casefold() != nick.casefold():
            held = self.known(f"@{nick}")
            if held is not None and from_ is not None and held.with_ not in (None, from_):
                self.set_aside(held)
            if place is not None:
                self.rename(place, nick)
        place = place or self.get(f"@{nick}")
        place.with_ = place.with_ or from_
        return place

    def by_from(self, from_: str | None) -> Place | None:
        """Return the conversation with somebody, by their `from`, if there is one."""
        return next((place for place in self.all.values() if from_ is not None and place.with_ == from_), None)

    def set_aside(self, place: Place) -> None:
        """Keep a conversation with somebody whose nick is somebody else's now."""
        self._resign(place, f"@{place.partner}/{(place.with_ or '')[:6]}")

    def get(self, sign: str) -> Place:
        """Return the place of this sign, new if need be; a nick is one person in any case of its letters."""
        key = sign.casefold()
        place = self.all.get(key)
        if place is None:
            seen = self._seen.get(key)
            place = self.all[key] = Place(sign, None, seen or 0, seen)
        return place

    def known(self, sign: str) -> Place | None:
        """Return the place of this sign, if there is one."""
        return self.all.get(sign.casefold())

    def turn_to(self, sign: str) -> Place:
        """Look at a place: nothing in it is unread any more."""
        if self.here is not None and self.here is not self.get(sign):
            self.here.stop_looking()
        self.here = self.get(sign)
        self.here.unread, self.here.called, self.here.oldest = 0, False, None
        return self.here

    def begin_anew(self) -> None:
        """The broker has another log: what its numbers meant is gone."""
        self._seen = {}
        for place in self.all.values():
            place.recent.clear()
            place.seen, place.mark, place.oldest = 0, None, None
            place.unread, place.called = 0, False

    def go_back(self, shared: int) -> None:
        """The log went back: what was read or kept above this place is gone, and the places there are used again."""
        self._seen = {sign: min(seen, shared) for sign, seen in self._seen.items()}
        for place in self.all.values():
            place.go_back(shared)

    def rename(self, place: Place, new: str) -> bool:
        """Let a conversation go on under its partner's new nick, unless there is one of that name; say if it does."""
        if self.all.get(f"@{new}".casefold(), place) is not place:
            return False
        self._resign(place, f"@{new}")
        return True

    def _resign(self, place: Place, sign: str) -> None:
        place.sign = sign
        self.all = {sign.casefold() if each is place else key: each for key, each in self.all.items()}

    def drop(self, sign: str) -> None:
        """Forget a place that was left."""
        place = self.all.pop(sign.casefold(), None)
        if place is not None:
            self._seen[sign.casefold()] = place.seen
        if self.here is place:
            self.here = None

    def numbered(self, number: int) -> Place | None:
        """Return the place of Alt-1 … Alt-9."""
        return dict(enumerate(self.all.values(), 1)).get(number)

    def next_news(self) -> Place | None:
        """Return where to look next: who calls us first, then what is unread."""
        waiting = [place for place in self.all.values() if place.unread and place is not self.here]
        return max(waiting, key=lambda place: place.called, default=None)

    def seen(self) -> dict[str, int]:
        return self._seen | {sign: place.seen for sign, place in self.all.items() if place.seen}


class Kept(msgspec.Struct):
    """How far each place was read, in which log and in which history of it."""

    log: str = ""
    seen: dict[str, int] = {}
    epochs: m.Epochs = ()

    @property
    def through(self) -> int:
        """The highest place that was read."""
        return max(self.seen.values(), default=0)

    def within(self, log: str, shared: int | None = None) -> dict[str, int]:
        """Return how far each place was read in a log that is ours through `shared` (None: all of it)."""
        if self.log != log and not shared:
            return {}
        return self.seen if shared is None else {sign: min(seen, shared) for sign, seen in self.seen.items()}


def seen_path(data: Path, broker: str, nick: str) -> Path:
    """Return where it is written down how far this nick has read at this broker."""
    digest = hashlib.sha256(f"{broker}\0{nick}".encode()).hexdigest()[:16]
    return data / "seen" / f"{digest}.json"


def load_seen(path: Path) -> Kept:
    """Return how far each place was read; a file that says nothing sensible says nothing."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Kept)
    except (OSError, msgspec.MsgspecError):
        return Kept()


def save_seen(path: Path, kept: Kept) -> None:
    """Write down how far each place was read. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    files.rewrite(path, msgspec.json.encode(kept), f".{os.getpid()}")
