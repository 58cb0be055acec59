r"""Names that IRC cannot carry, mapped back and forth without a clash.

Most names are the same on both sides. A nick with a comma or an `@` in it, or a room with one that is too long, gets
another name at this gateway: what can be kept of it, and a mark behind it which no name in zchat has: `|` for nicks, as
in `a_b|`, and `/` for rooms, as in `#a_b/`. So such a name is never that of somebody else. Two that would be the same
get numbers: `a_b|2`. Who has which is written down (`fresh` is what is new of it), so a name stays the same.

IRC compares by ASCII here (CASEMAPPING), zchat by Unicode: what is the same for IRC is the same for zchat, too.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .lines import cut

KEPT = 10_000  # names that IRC cannot carry: guests make up new ones as they like, and the oldest give way
NICK_BYTES, ROOM_BYTES = 64, 100  # a line has 512 bytes, and a nick, a user, a host and a room may be in it


@dataclass(frozen=True)
class Rules:
    """What IRC can carry: `bad` are characters that a name has not, `begins` those that it does not begin with."""

    mark: str
    bad: frozenset[str]
    begins: str
    most: int  # bytes


NICKS = Rules("|", frozenset(" ,*?!@\r\n\0\x07"), "$:#&=~%+", NICK_BYTES)
ROOMS = Rules("/", frozenset(" ,\r\n\0\x07"), "", ROOM_BYTES)


def folded(name: str) -> str:
    """Return a name as IRC compares it (CASEMAPPING=ascii)."""
    return "".join(chr(ord(char) + 32) if "A" <= char <= "Z" else char for char in name)


class NameMap:
    """The names of one kind; `kept` are the aliases of an earlier run, by the name in zchat."""

    def __init__(self, rules: Rules, kept: Mapping[str, str] | None = None) -> None:
        self._rules = rules
        self._alias = dict(kept or {})
        self._name = {folded(alias): name for name, alias in self._alias.items()}
        self.fresh = False

    def to_irc(self, name: str) -> str:
        """Return how a name is written in IRC."""
        if self.carries(name):
            return name
        if name not in self._alias:
            self._take(name)
        return self._alias[name]

    def from_irc(self, alias: str) -> str:
        """Return the name that is meant; one that never was here is itself."""
        return self._name.get(folded(alias), alias)

    @property
    def kept(self) -> dict[str, str]:
        """What is to be written down: aliases by the name."""
        return dict(self._alias)

    def carries(self, name: str) -> bool:
        """Say whether IRC can carry a name as it is."""
        rules = self._rules
        return (
            bool(name)
            and name[0] not in rules.begins
            and rules.mark not in name
            and not rules.bad.intersection(name)
            and len(name.encode()) <= rules.most
        )

    def _take(self, name: str) -> None:
        if len(self._alias) >= KEPT:
            oldest = next(iter(self._alias))
            self._name.pop(folded(self._alias.pop(oldest)), None)
        alias = next(each for each in self._aliases(name) if folded(each) not in self._name)
        self._alias[name], self._name[folded(alias)], self.fresh = alias, name, True

    def _aliases(self, name: str) -> Iterator[str]:
        rules = self._rules
        plain = "".join("_" if char in rules.bad or char == rules.mark else char for char in name)
        plain = plain.lstrip(rules.begins) or "_"
        base = cut(plain.encode(), rules.most - 8).decode()
        yield base + rules.mark
        yield from (f"{base}{rules.mark}{count}" for count in itertools.count(2))
