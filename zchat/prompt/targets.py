"""The targets of what one says: rooms and conversations, what is unread in each, and the one that is looked at.

A target has a name: `#general`, `@bob`. A conversation is with a person, and a nick may change hands. Only the `from`
of a person (`with_`, once it is known) stays the same. So when somebody else becomes `bob`, the conversation with the
first one is kept under the name `@bob/9f86d0`.

No socket, file or clock is touched here.
"""

from zchat.protocol import messages as m

from .target import Target, partner


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
