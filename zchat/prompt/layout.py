"""What fits into the columns of a terminal, and where a line is broken. All functions are pure."""

import re

import click
import wcwidth

# A word, or a link, that cannot pass for a row of its own where the terminal breaks it: nothing in it looks blank.
_UNBROKEN = re.compile(r"[!-~]+|[!-~]*://[^\s\u2800\u3164\uffa0\u115f\u1160]+")


def width(text: str) -> int:
    """Return the columns that `text` takes on a terminal, without styles: a family of four in one emoji takes two."""
    return wcwidth.width(text) if not text.isascii() or "\x1b" in text else len(text)


def wrap(line: str, columns: int, indent: str = " " * 8) -> str:
    """Break a rendered line between words so that each row fits; rows after the first are indented.

    If the terminal broke the line, a text with many blanks could make its next row look like another message. Only a
    word that is longer than a row is left to the terminal. If we broke a link, it could not be opened or copied.
    """
    if len(line) <= columns and line.isascii():
        return line
    rows, used = [""], 0
    for piece in re.split("( )", line):
        word, size = piece, width(click.unstyle(piece))
        if used + size > columns and used > len(indent):
            rows.append(indent)
            used = len(indent)
            word, size = ("", 0) if piece == " " else (word, size)
        if _UNBROKEN.fullmatch(click.unstyle(piece)) and size > columns - len(indent):
            rows[-1] += word  # the terminal goes on with it on the next row, and can still copy and open it as one
            used = (used + size) % columns
            continue
        while used + size > columns > len(indent) + 2:
            part = truncate(word, columns - used)
            rows[-1] += part
            rows.append(indent)
            word, used = word[len(part) :], len(indent)
            size = width(click.unstyle(word))
        rows[-1] += word
        used += size
    return "\n".join(rows)


def truncate(word: str, columns: int) -> str:
    """Return as much of a rendered `word` as fits into so many columns; no style and no grapheme is cut."""
    used, end = 0, 0
    for piece, is_style in wcwidth.iter_sequences(word):
        for part in [piece] if is_style else wcwidth.iter_graphemes(piece):
            used += 0 if is_style else width(part)
            if used > columns:
                return word[:end]
            end += len(part)
    return word[:end]
