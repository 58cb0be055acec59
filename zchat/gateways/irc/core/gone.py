"""Who was here, for WHOWAS: those who have gone or taken another nick, the last one of each nick first."""

import fnmatch
from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

from .names import folded

NICKS_MAX, EACH = 5_000, 8  # nicks that are remembered, and people of one nick


class Was(NamedTuple):
    """Somebody as they were: what a mask is made of, and what else they called themselves."""

    nick: str
    user: str
    host: str
    realname: str


class Gone:
    """Those who were here, by nick; the oldest are forgotten."""

    def __init__(self) -> None:
        self._was: OrderedDict[str, list[Was]] = OrderedDict()

    def note(self, was: Was) -> None:
        """Somebody has gone. All connections of the gateway may tell so: it counts once."""
        name = folded(was.nick)
        others = [each for each in self._was.get(name, ()) if each.host != was.host]
        self._was[name] = [was, *others][:EACH]
        self._was.move_to_end(name)
        if len(self._was) > NICKS_MAX:
            self._was.popitem(last=False)

    def matching(self, mask: str, count: int = 0) -> list[Was]:
        """Return who had a nick like this, the last first; at most so many if `count` is more than 0."""
        found = list(self._matching(folded(mask)))
        return found[:count] if count > 0 else found

    def _matching(self, mask: str) -> Iterator[Was]:
        if not set(mask) & set("*?"):
            yield from self._was.get(mask, ())
            return
        for name in reversed(self._was):
            if fnmatch.fnmatchcase(name, mask):
                yield from self._was[name]
