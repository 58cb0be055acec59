"""The targets of what one says: rooms and conversations, what is unread in each, and the one that is looked at.

A target has a name: `#general`, `@bob`. A conversation is with a person, and a nick may change hands. Only the `from`
of a person (`with_`, once it is known) stays the same. So when somebody else becomes `bob`, the conversation with the
first one is kept under the name `@bob/9f86d0`.

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


def _person(from_: str) -> str:
    """Return the key for how far the conversation with a person was read. No target has this name."""
    return f"@/{from_}"


class Targets:
    """All targets by name, in the order of Alt-1 … Alt-9, and the one that is looked at (`here`)."""

    def __init__(self, seen: dict[str, int] | None = None) -> None:
        self.all: dict[str, Target] = {}
        self.here: Target | None = None
        self._seen = dict(seen or {})
        self._told = dict(self._seen)

    def find(self, name: str) -> Target | None:
        """Return the target of this name, if there is one; the case of letters does not matter."""
        return self.all.get(name.casefold())

    def get(self, name: str) -> Target:
        """Return the target of this name, a new one if there is none."""
        key = name.casefold()
        target = self.all.get(key)
        if target is None:
            seen = self._seen.get(key)
            target = self.all[key] = Target(name, None, seen or 0, self._told.get(key, 0), seen)
        return target

    def find_for(self, event: m.Durable, mine: str) -> Target | None:
        """Return the target that a message belongs to, if there is one; `mine` is our public id."""
        if (other := partner(event, mine)) is None:
            return self.find(f"#{event.room}")
        return self.with_person(other[1]) or self.find(f"@{other[0]}")

    def get_for(self, event: m.Durable, mine: str) -> Target:
        """Return the target that a message of this moment belongs to."""
        other = partner(event, mine)
        return self.get(f"#{event.room}") if other is None else self.conversation(*other)

    def conversation(self, nick: str, from_: str | None) -> Target:
        """Return the conversation with a person, who has this nick now."""
        target = self.with_person(from_)
        if target is None or (target.partner or "").casefold() != nick.casefold():
            held = self.find(f"@{nick}")
            if held is not None and from_ is not None and held.with_ not in (None, from_):
                self._set_aside(held)
            if target is not None:
                self.rename(target, nick)
        target = target or self.get(f"@{nick}")
        self.meet(target, from_)
        return target

    def meet(self, target: Target, from_: str | None) -> None:
        """Note with whom a conversation is; they may have had another nick when one read it last."""
        if target.with_ is None and from_ is not None:
            target.with_ = from_
            if (seen := self._seen.get(_person(from_))) is not None:
                target.see(seen)
                target.mark = None if target is self.here else max(seen, target.mark or 0)

    def read_before(self, name: str, from_: str | None, seq: int) -> Target | None:
        """Note that a target was read through `seq` on another device; return it, if it is there already."""
        key = name.casefold() if from_ is None else _person(from_)
        self._seen[key] = max(seq, self._seen.get(key, 0))
        return self.find(name) if from_ is None else self.with_person(from_)

    def read_through(self, name: str, from_: str | None) -> int:
        """Return the last message shown of a conversation, by its person if they are known, else by its name."""
        seen = self.seen()
        return seen.get(_person(from_ or ""), seen.get(name.casefold(), 0))

    def with_person(self, from_: str | None) -> Target | None:
        """Return the conversation with a person, by their `from`, if there is one."""
        if from_ is None:
            return None
        return next((each for each in self.all.values() if each.with_ == from_ and each.thread is None), None)

    def turn_to(self, name: str) -> Target:
        """Look at a target: nothing in it is unread any more. A thread is no target any more when one turns away."""
        if self.here is not None and self.here is not self.get(name):
            self.here.stop_looking()
            if self.here.thread is not None and not self.here.draft:
                self.all.pop(self.here.name.casefold(), None)
        self.here = self.get(name)
        self.here.unread, self.here.mentioned, self.here.oldest = 0, False, None
        return self.here

    def reset(self) -> None:
        """The broker has another log: forget what the numbers of the last one meant."""
        self._seen, self._told = {}, {}
        for target in self.all.values():
            target.reset()

    def go_back(self, shared: int) -> None:
        """The log went back: forget what comes after this point, since its numbers are given again."""
        self._seen = {name: min(seen, shared) for name, seen in self._seen.items()}
        for target in self.all.values():
            target.go_back(shared)

    def rename(self, target: Target, nick: str) -> bool:
        """Give a conversation its partner's new nick, unless another has that name; say whether it was given."""
        if self.all.get(f"@{nick}".casefold(), target) is not target:
            return False
        self._set_name(target, f"@{nick}")
        return True

    def _set_aside(self, target: Target) -> None:
        """Give a conversation another name: somebody else has its partner's nick now."""
        self._set_name(target, f"@{target.partner}/{(target.with_ or '')[:6]}")

    def _set_name(self, target: Target, name: str) -> None:
        target.name = name
        self.all = {name.casefold() if each is target else key: each for key, each in self.all.items()}

    def drop(self, name: str) -> None:
        """Forget a target that was left, and its threads, but not how far it was read."""
        target = self.all.pop(name.casefold(), None)
        if target is not None:
            self._seen[name.casefold()] = target.seen
        self.all = {key: each for key, each in self.all.items() if each.base.casefold() != name.casefold()}
        if self.here is not None and self.here.base.casefold() == name.casefold():
            self.here = None

    def numbered(self, number: int) -> Target | None:
        """Return the target of Alt-1 … Alt-9."""
        return dict(enumerate(self.all.values(), 1)).get(number)

    def next_unread(self) -> Target | None:
        """Return where to look next: a target where we are mentioned, else the first with unread messages."""
        waiting = [target for target in self.all.values() if target.unread and target is not self.here]
        return max(waiting, key=lambda target: target.mentioned, default=None)

    def seen(self) -> dict[str, int]:
        """Return the last message shown of each target, and of each person: their nick may change."""
        whole = {name: target for name, target in self.all.items() if target.seen and target.thread is None}
        by_name = {name: target.seen for name, target in whole.items()}
        people = {_person(each.with_): each.seen for each in whole.values() if each.with_}
        return self._seen | by_name | people
