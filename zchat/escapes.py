"""What others wrote, safe for a terminal: the one rule for the prompt, the pipes and the logs.

A peer may send anything: an escape sequence that retitles the window, a carriage return that writes over the line, a
bidi override that shows a text backwards, tags that nobody sees, three thousand marks on one letter. Each character
that acts instead of being seen becomes its escape, and so do the marks beyond those that a letter can carry.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator

MARKS_MAX = 8  # marks and joiners on one character: Tibetan has eight, a Hebrew letter with all its signs six

_ACTING = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # controls, format controls, surrogates, line and paragraph separators
_MARKS = {"Mn", "Mc", "Me"}
_JOINERS = "\u200c\u200d"  # Persian and emoji need them; like marks they belong to the character before them
# Reserved for more of what nobody sees (Default_Ignorable_Code_Point), so of no category yet.
_RESERVED = re.compile("[\u2065\ufff0-\ufff8\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]")
# The flags of England, Scotland and Wales: the only tags that are seen.
_FLAGS = "|".join(
    "\U0001f3f4" + "".join(chr(0xE0000 + ord(letter)) for letter in land) + "\U000e007f"
    for land in ("gbeng", "gbsct", "gbwls")
)
_SUSPECT = re.compile("[^ -~]+")
_PIECE = re.compile(f"{_FLAGS}|.", re.DOTALL)
_ACTING_BYTES = (b"\x7f", b"\r", b"\t", b"\x1b")  # of ASCII; the others cannot stand in JSON as they are


def escape_controls(text: str, newline: str = "\\n") -> str:
    """Return `text` with an escape for each character that would act on a terminal; `newline` replaces line ends."""
    if text.isascii() and text.isprintable():
        return text
    lines = text.replace("\r\n", "\n").split("\n")
    return newline.join(_escaped(line, _escape) for line in lines)


def json(lines: bytes) -> bytes:
    r"""Return lines of JSON that mean the same, with each character that would act on a terminal as `\u` and digits."""
    if lines.isascii() and not any(byte in lines for byte in _ACTING_BYTES):  # as nearly all lines are: at memory speed
        return lines
    text = lines.decode(errors="replace")
    return "\n".join(_escaped(line, _json_escape) for line in text.split("\n")).encode()


def _escaped(line: str, escape: Callable[[str], str]) -> str:
    def safe(found: re.Match[str]) -> str:
        text = found[0]
        if len(text) <= MARKS_MAX and text.isprintable():  # as most words of most languages are
            return text
        return "".join(_pieces(text, escape))

    return _SUSPECT.sub(safe, line)


def _pieces(text: str, escape: Callable[[str], str]) -> Iterator[str]:
    """Yield the characters of a text, those that are not to be let through as what `escape` makes of them."""
    marks = 0
    for piece in _PIECE.findall(text):
        kind = unicodedata.category(piece) if len(piece) == 1 else ""
        on_another = kind in _MARKS or piece in _JOINERS
        marks = marks + 1 if on_another else 0
        acts = kind in _ACTING and not on_another
        yield escape(piece) if acts or marks > MARKS_MAX or _RESERVED.match(piece) else piece


def _escape(character: str) -> str:
    return "    " if character == "\t" else ascii(character)[1:-1]


def _json_escape(character: str) -> str:
    """Return a character as JSON writes it; a raw tab or carriage return stands between two values, never in a text."""
    if character in "\t\r":
        return " "
    digits = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{digits[at : at + 4]}" for at in range(0, len(digits), 4))
