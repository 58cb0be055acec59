"""What a stranger sent, read without trust: whatever is missing, or of another type, is an empty text.

A payload is JSON of any shape. A function that makes a message of it asks for what it needs by a path, and gets a text
of one line, a number or nothing, never an exception. So a sender that changes a field costs a word of the message, and
a hostile one no more than a dull message. Texts lose what acts instead of being seen (controls, characters that turn
the direction) and half characters, which are not Unicode, and are cut to a length.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

LINE = 200  # characters of a line that somebody wrote: a title, the beginning of a comment
NAME = 100  # characters of a name: of a person, a repository, a branch
LINK = 2_000  # characters of an address
LOOKED_AT = 16_384  # characters of a text that are looked at to find so few: the others are not even cleaned
TOGETHER = 32  # characters that one sees as one, at most: those of a family of emoji
CUT = "\n… (the rest was too long)"
EACH = 1_000  # entries of a list that are looked at

_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_JOINER = "\u200d"
_JOINING = (_JOINER, "\ufe0e", "\ufe0f")
_HALF = re.compile("[\ud800-\udfff]")
_LINK = re.compile(r"https?://[^\s<>\"'`\\]+", re.ASCII)


class Value:
    """A value of a payload."""

    __slots__ = ("_raw",)

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def __bool__(self) -> bool:
        return bool(self._raw)

    def at(self, *path: str) -> "Value":
        """Return what is at a path of names."""
        found = self._raw
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return Value(found)

    def has(self, *names: str) -> bool:
        """Return whether it is an object with all these fields."""
        return isinstance(self._raw, dict) and all(name in self._raw for name in names)

    def each(self, *path: str) -> Iterator["Value"]:
        """Yield the entries of a list."""
        found = self.at(*path)._raw
        for entry in found[:EACH] if isinstance(found, list) else ():
            yield Value(entry)

    def count(self, *path: str) -> int:
        """Return how many entries a list has."""
        found = self.at(*path)._raw
        return len(found) if isinstance(found, list) else 0

    def pairs(self, *path: str) -> Iterator[tuple[str, str]]:
        """Yield the names and values of an object whose values are texts or numbers."""
        found = self.at(*path)._raw
        for name, value in list(found.items())[:EACH] if isinstance(found, dict) else ():
            if line := Value(value).line(limit=NAME):
                yield one_line(str(name), NAME), line

    def number(self, *path: str) -> int | None:
        """Return a whole number; None if there is none of a sensible size."""
        found = self.at(*path)._raw
        if isinstance(found, float) and found.is_integer():
            found = int(found) if abs(found) < 2**53 else None
        usable = isinstance(found, int) and not isinstance(found, bool) and abs(found) < 2**63
        return found if usable else None

    def is_true(self, *path: str) -> bool:
        """Return whether there is `true`."""
        return self.at(*path)._raw is True

    def line(self, *path: str, limit: int = LINE) -> str:
        """Return the first line of a text that has something in it; a number as it is written."""
        return one_line(self._text(*path), limit)

    def name(self, *path: str) -> str:
        """Return a name: a short line."""
        return self.line(*path, limit=NAME)

    def first(self, *names: str) -> str:
        """Return the first of several fields that has a name in it."""
        return next(filter(None, map(self.name, names)), "")

    def text(self, *path: str) -> str:
        """Return a text of several lines, as it is but for what acts; it may be long."""
        return clean(self._text(*path))

    def link(self, *path: str) -> str:
        """Return an address of the web; "" for anything else, such as `javascript:`."""
        found = self._text(*path).strip()
        return found if len(found) <= LINK and found.isprintable() and _LINK.fullmatch(found) else ""

    def _text(self, *path: str) -> str:
        found = self.at(*path)._raw
        if isinstance(found, str):
            return found
        number = Value(found).number()
        return "" if number is None else str(number)


def clean(text: str) -> str:
    """Return a text without characters that act and without half characters; its lines stay."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ")
    text = _HALF.sub("\ufffd", text)
    return _ACTING.sub("", text) if not (text.isascii() and text.isprintable()) else text


def one_line(text: str, limit: int = LINE) -> str:
    """Return the first line that is not blank, with single spaces, cut where it is too long."""
    lines = clean(text[:LOOKED_AT]).split("\n")
    first = next(filter(None, (" ".join(line.split()) for line in lines)), "")
    return cut(first, limit)


def cut(text: str, limit: int) -> str:
    """Return a text of at most `limit` characters, which ends with an ellipsis if it was longer."""
    return text if len(text) <= limit else text[: _end(text, limit - 1)].rstrip() + "…"


def cut_bytes(text: str, limit: int) -> str:
    """Return a text of at most `limit` bytes of UTF-8, which tells in its last line if it was longer."""
    if len(text) * 4 <= limit or len(raw := text.encode()) <= limit:
        return text
    kept = len(raw[: limit - len(CUT.encode())].decode(errors="ignore"))
    return text[: _end(text, kept)].rstrip() + CUT


def _end(text: str, at: int) -> int:
    """Return where a text may end, at a place or just before: an accent or an emoji is not torn apart."""
    for end in range(at, max(at - TOGETHER, 0), -1):
        if not (unicodedata.combining(text[end]) or text[end] in _JOINING or text[end - 1] == _JOINER):
            return end
    return at
