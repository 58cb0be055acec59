"""Who has which nick, as far as this broker knows: those who are here, and those whom other brokers have told of.

Only the nicks of those who are here, and of members, keep others from having the same: who is elsewhere has claimed it
in the log. It is found by its nick nevertheless. Brokers tell of themselves at different times, so for a moment several
may have one. Then it means who is here, or else who took it last.
"""

from collections.abc import Iterator

from zchat.protocol import names

from .looks import looks
from .sessions import Author


class Nicks:
    """The nicks, compared without regard to case and width."""

    def __init__(self) -> None:
        self.claimed: dict[str, None] = {}  # that an event being written may give to a member
        self._here: dict[str, Author] = {}
        self._by_look: dict[str, dict[Author, None]] = {}  # of who is here, by skeleton
        self._elsewhere: dict[str, dict[Author, None]] = {}  # the latest at the end

    def authors(self) -> Iterator[Author]:
        """Return those who have a nick, here or elsewhere."""
        yield from self._here.values()
        for key, authors in self._elsewhere.items():
            if key not in self._here:
                yield next(reversed(authors))

    def named(self, nick: str) -> Author | None:
        """Return who has a nick, here or else elsewhere."""
        here = self.here(nick)
        if here is not None or not self._elsewhere:
            return here
        return next(reversed(self.elsewhere(nick)), None)

    def here(self, nick: str) -> Author | None:
        """Return who has a nick here."""
        try:
            return self._here.get(names.nick_key(nick))
        except names.BadNameError:
            return None

    def elsewhere(self, nick: str | None) -> list[Author]:
        """Return those who have a nick elsewhere: only one of them has it still."""
        if nick is None or not self._elsewhere:
            return []
        try:
            return list(self._elsewhere.get(names.nick_key(nick), ()))
        except names.BadNameError:
            return []

    def has_lost(self, author: Author) -> bool:
        """Return whether an author's nick is another's now. Then it is in no roster until it is told what is new."""
        return author.far is not None and author.nick is not None and self.named(author.nick) is not author

    def resembling(self, nick: str, *besides: Author | None) -> Author | None:
        """Return somebody here, other than those in `besides`, whose nick looks like this one.

        Two nicks of plain ASCII do not count as alike (`bot1`, `botl`), so several of them may share a skeleton. Any
        other nick has its skeletons alone. So it suffices to compare with one author for each skeleton.
        """
        for look in looks(nick):
            one = next((one for one in self._by_look.get(look, ()) if one not in besides), None)
            if one is not None and not (nick.isascii() and (one.nick or "").isascii()):
                return one
        return None

    def claimed_like(self, nick: str) -> str | None:
        """Return the nick that a member may be about to have, if it is this one or looks like it."""
        for claimed in self.claimed:
            if names.nick_key(claimed) == names.nick_key(nick):
                return claimed
            if not (nick.isascii() and claimed.isascii()) and looks(nick) & looks(claimed):
                return claimed
        return None

    def add(self, author: Author) -> None:
        """Let others find an author who is here."""
        if author.nick is not None:
            self._here[names.nick_key(author.nick)] = author
            for look in looks(author.nick):
                self._by_look.setdefault(look, {})[author] = None

    def remove(self, author: Author) -> None:
        """Forget an author who is not here any more, or is about to have another nick."""
        if author.nick is None or self._here.get(names.nick_key(author.nick)) is not author:
            return
        del self._here[names.nick_key(author.nick)]
        for look in looks(author.nick):
            del self._by_look[look][author]
            if not self._by_look[look]:
                del self._by_look[look]

    def place(self, author: Author) -> None:
        """Let others find an author by the nick that it has elsewhere, and by no other."""
        far = author.far
        nick = author.nick if far is not None and (far.shown or far.lingering) else None
        if far is None or nick == far.nick:
            return
        if far.nick is not None:
            key = names.nick_key(far.nick)
            del self._elsewhere[key][author]
            if not self._elsewhere[key]:
                del self._elsewhere[key]
        if nick is not None:
            self._elsewhere.setdefault(names.nick_key(nick), {})[author] = None
        far.nick = nick
