"""What all senders' messages have in common: a place in brackets, who did what, and the link at the end.

    [octo/hello] alice opened pull request #2: Update the README https://github.com/octo/hello/pull/2

It reads the same in a terminal, on the page and through IRC. What a name or a title has in it stays as it is: it is
Markdown on the page, where only what is harmless is let through, and no word in zchat calls everybody.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from .value import Value

Read = Callable[[str, Value], "Said | str | None"]  # the event (of a header) and the body; None: nothing to say

LISTED = 5  # commits or alerts in one message: what more there are is counted
SOMEBODY = "somebody"


class Said(NamedTuple):
    """What a payload says, and the name under which its sender wants to say it ("": that of the bot)."""

    text: str
    by: str = ""


def sentence(place: str, *words: str, link: str = "") -> str:
    """Return a line of what is not empty."""
    return " ".join(filter(None, (f"[{place}]" if place else "", *words, link)))


def titled(what: str, title: str) -> str:
    """Return `what: title`, or what there is of both."""
    return f"{what}: {title}" if what and title else what or title


def numbered(what: str, number: int | None) -> str:
    """Return `issue #7`."""
    return what if number is None else f"{what} #{number}"


def counted(number: int, what: str) -> str:
    """Return `1 commit` or `3 commits`."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def listed(head: str, entries: Iterable[str], more: int = 0) -> str:
    """Return a head and entries under it, the first few of them; `more` are known to exist besides."""
    entries = list(filter(None, entries))
    left = max(len(entries) - LISTED, 0) + more
    shown = [f"- {entry}" for entry in entries[:LISTED]]
    return "\n".join((head, *shown, *([f"- … and {left:,} more"] if left else [])))
