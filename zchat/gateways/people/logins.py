"""By which tokens people are known again: a cookie, an app password, a certificate.

On disk is the hash of each token alone, so that who reads the file cannot come in with it. What changes is written at
once, whole or not at all; but when a login was last seen only with the next change, or after an hour.
"""

import secrets
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from zchat.gateways import stored
from zchat.gateways.stored import digest

KEPT = 90 * 86_400.0  # seconds after which a login that nobody used is over
OF_ONE = 64  # logins of one person: beyond it the one that was used least lately is over
SEEN_EVERY = 3_600.0  # seconds
ADVICE = "move it away, and all who come through this gateway have to come in anew"


class Login(msgspec.Struct, frozen=True, omit_defaults=True):
    """One login: whose it is (a `from_`), of which kind, and when it was made and used last (seconds since 1970)."""

    person: str
    kind: str = "cookie"
    since: float = 0.0
    seen: float = 0.0
    name: str = ""  # for people: with what they came in


class Logins:
    """The file at `path`. Raises StorageError if it cannot be read or written, or holds something else."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path, self._clock = path, clock
        self._logins = stored.read(path, dict[str, Login], ADVICE) or {}
        self._written = clock()

    def add(self, person: str, kind: str = "cookie", token: str | None = None, name: str = "") -> str:
        """Let a token, by default a new one, stand for a person from now on; return it."""
        token, now = token or secrets.token_urlsafe(32), self._clock()
        self._logins[digest(token)] = Login(person, kind, now, now, name)
        theirs = sorted((each.seen, hash_) for hash_, each in self._logins.items() if each.person == person)
        for _, hash_ in theirs[:-OF_ONE]:
            del self._logins[hash_]
        self._write()
        return token

    def find(self, token: str) -> Login | None:
        """Return the login of a token, which is seen thereby."""
        hash_, now = digest(token), self._clock()
        found = self._logins.get(hash_)
        if found is None or now - found.seen > KEPT:
            return None
        found = self._logins[hash_] = msgspec.structs.replace(found, seen=now)
        if now - self._written > SEEN_EVERY:
            self._write()
        return found

    def is_known(self, key: str) -> bool:
        """Say whether a login is there, by its key."""
        return key in self._logins

    @staticmethod
    def key(token: str) -> str:
        """Return by what others may know a login: who has it cannot come in with it."""
        return digest(token)

    def of(self, person: str) -> tuple[Login, ...]:
        """Return the logins of a person."""
        return tuple(each for each in self._logins.values() if each.person == person)

    @property
    def people(self) -> int:
        """How many people have logins."""
        return len({each.person for each in self._logins.values()})

    def idle(self, seconds: float) -> list[str]:
        """Return who was not seen for so long: first who never came back, and of those who was seen longest ago."""
        last: dict[str, tuple[bool, float]] = {}
        for each in self._logins.values():
            last[each.person] = max(last.get(each.person, (False, 0.0)), (each.seen - each.since > seconds, each.seen))
        now = self._clock()
        return [person for _, seen, person in sorted((*of, who) for who, of in last.items()) if now - seen > seconds]

    def forget(self, token: str) -> None:
        """Let a token stand for nobody."""
        if self._logins.pop(digest(token), None) is not None:
            self._write()

    def forget_others(self, token: str) -> list[str]:
        """Let no other token stand for the person of this one any more; return the keys of those logins."""
        login = self.find(token)
        others = [hash_ for hash_, each in self._logins.items() if login and each.person == login.person]
        others = [hash_ for hash_ in others if hash_ != digest(token)]
        for hash_ in others:
            del self._logins[hash_]
        if others:
            self._write()
        return others

    def forget_person(self, person: str) -> None:
        """Let no token stand for a person any more."""
        kept = {hash_: each for hash_, each in self._logins.items() if each.person != person}
        if len(kept) < len(self._logins):
            self._logins = kept
            self._write()

    def _write(self) -> None:
        now = self._clock()
        self._logins = {hash_: each for hash_, each in self._logins.items() if now - each.seen <= KEPT}
        stored.write(self._path, self._logins)
        self._written = now
