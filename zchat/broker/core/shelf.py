"""What the hub has to know of the files that are here."""

from collections.abc import Iterator
from typing import Protocol

from .entries import Place


class Shelf(Protocol):
    """The files that are here, as far as it has to be known at once."""

    def size(self, file: str) -> int | None:
        """Return the bytes of a file that is here, whole; None if it is not."""

    def uploaded(self, file: str, from_: str) -> bool:
        """Return whether somebody has uploaded a file, and no message of theirs carries it yet."""

    def hold(self, file: str) -> None:
        """Keep a file for a moment: a message that carries it is on its way to the log."""

    def let_go(self, file: str) -> None:
        """Keep it no longer for such a message: it is in the log, or was refused."""

    def attached(self, file: str, from_: str) -> None:
        """Note that a message of theirs carries it now."""

    def carriers(self, file: str) -> Iterator[Place]:
        """Return the rooms and conversations where messages carry a file."""


class NoFiles:
    """The shelf of a broker that keeps no files."""

    def size(self, file: str) -> int | None:
        return None

    def uploaded(self, file: str, from_: str) -> bool:
        return False

    def hold(self, file: str) -> None:
        pass

    def let_go(self, file: str) -> None:
        pass

    def attached(self, file: str, from_: str) -> None:
        pass

    def carriers(self, file: str) -> Iterator[Place]:
        return iter(())
