"""What is said, and what is done to it, as lines: messages, topics, edits, deletions, reactions, pins.

What was shown once stays in the scrollback of a terminal as it was. So what is done to a message is a line of its own
that names it by its number. Where a message is shown after that, it is shown as it is now, with marks behind it: that
it was edited or pinned, its reactions, how many answers it has.

A terminal shows signs (`✎ 1042 alice: …`, `👍 bob`), and of an answer to a thread only the first line. All else, pipes
and screen readers too, gets the same in words, and whole (`Style.signs`). All functions are pure.
"""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from zchat.escapes import escape_controls
from zchat.protocol import messages as m

from .layout import truncate
from .styles import Style, indent, stamp, start
from .tables import size

_LRM = "\u200e"  # left-to-right mark: keeps a nick and a text that both run right to left from changing places
NICKS_SHOWN = 5  # of those who gave the same reaction
EMOJI_SHOWN = 32  # columns of a reaction: it may be any word
_FRAMES = {"message": ("<", ">"), "action": ("* ", ""), "notice": ("-", "-")}  # around the nick, by the kind

Mend = m.Edited | m.Deleted | m.Reacted | m.Pinned  # what is done to a message
MENDS = (m.Edited, m.Deleted, m.Reacted, m.Pinned)


class Kept(Protocol):
    """Messages that are kept, by their number."""

    def get(self, seq: int, /) -> m.Durable | None:
        """Return a message as it is now, None if it is not kept."""


def event(what: m.Durable, style: Style, about: str = "") -> str | None:
    """Return what was said or done as one line or more, or None if people need not see it.

    `about` is what a message replies to, what something was done to, or who deleted what is not there any more.
    """
    match what:
        case m.Message():
            return _message(what, style, about)
        case m.Topic():
            text = escape_controls(what.text, " ")
            said = f"changed the topic: {text}" if text else "removed the topic"
            return f"{start(what.time, what.room, style)}* {style.nick(what.nick, what.from_)} {said}"
        case m.Tombstone():
            return _tombstone(what, style, about) if what.target is None else None
    return _in_signs(what, style, about) if style.signs else _in_words(what, style, about)


def _message(what: m.Message, style: Style, quote: str) -> str | None:
    frame = _FRAMES.get(what.kind)
    if frame is None:
        return None  # a kind of a later version: to be ignored
    head = start(what.time, what.room, style) + _speaker(what, style, frame)
    rows = [_text(what, style) + _notes(what, style)] if what.text else []
    rows += [_file(one, style) for one in what.files]
    rows += [style.dim(row) for row in (_reactions(what, style), _answers(what, style)) if row]
    if quote and what.thread != (style.thread or 0):
        rows.insert(0, style.dim(f"↪ {quote}" if style.signs else f"[answers {quote}]"))
    return f"{head} " + f"\n{indent(style)}  ".join(rows)


def _speaker(what: m.Message, style: Style, frame: tuple[str, str]) -> str:
    to = f" → {escape_controls(what.to)}" if what.to is not None else ""
    ends = _LRM if any(unicodedata.bidirectional(one) in ("R", "AL") for one in what.nick) else ""
    return f"{frame[0]}{style.nick(what.nick, what.from_)}{to}{frame[1]}{ends}"


def _text(what: m.Message, style: Style) -> str:
    """Return the text of a message; on a terminal only the first line of what is said in a thread."""
    text, more = what.text, ""
    if style.signs and what.thread is not None and what.thread != style.thread:
        text, _, more = text.strip().partition("\n")
    shown = style.text(escape_controls(text, f"\n{indent(style)}  "))
    return shown + style.dim(f" … (/thread {what.thread})") if more else shown


def _notes(what: m.Message, style: Style) -> str:
    """Return the marks that stand behind the text of a message."""
    notes = ["edited"] * (what.edited is not None) + ["pinned"] * what.pinned
    return style.dim(f" ({', '.join(notes)})") if notes else ""


def _file(one: m.Attachment, style: Style) -> str:
    """Return a file as its name, the dimensions of an image, and its size: nothing of what is in it."""
    name, large = escape_controls(one.name.rpartition("/")[2] or one.name, " "), size(one.size)
    if one.width and one.height:
        large = f"{one.width}{'×' if style.signs else ' by '}{one.height}, {large}"
    return f"📎 {name} {style.dim(f'({large})')}" if style.signs else f"[file {name}, {large}]"


def _reactions(what: m.Message, style: Style) -> str:
    given: dict[str, list[str]] = {}
    for one in what.reactions:
        given.setdefault(one.emoji, []).append(one.nick)
    told = reactions(given)
    return told if style.signs or not told else f"[reactions: {told}]"


def _answers(what: m.Message, style: Style) -> str:
    if not what.answers or what.seq == style.thread:
        return ""
    count = f"{what.answers:,} answer{'' if what.answers == 1 else 's'}"
    return f"↳ {count} (/thread {what.seq})" if style.signs else f"[{count}]"


def reactions(given: Mapping[str, Sequence[str]]) -> str:
    """Return reactions and who gave them: `👍 bob, carol  🎉 dave`."""
    told = []
    for each, nicks in given.items():
        more = f" and {len(nicks) - NICKS_SHOWN} more" if len(nicks) > NICKS_SHOWN else ""
        told.append(f"{emoji(each)} {', '.join(map(escape_controls, nicks[:NICKS_SHOWN]))}{more}")
    return "  ".join(told)


def folded_reactions(target: int, given: Mapping[str, Sequence[str]], about: str, style: Style) -> str:
    """Return as one line what several people gave to a message: `👍 bob, carol · 1042 its first words`."""
    return f"{style.dim(indent(style))}{reactions(given)} {style.dim(f'· {target} {about}'.rstrip())}"


def emoji(text: str) -> str:
    """Return a reaction, which may be any word, short and harmless."""
    return truncate(escape_controls(text, " "), EMOJI_SHOWN)


def _tombstone(what: m.Tombstone, style: Style, by: str) -> str:
    by = by or (what.nick if what.by == what.from_ else "a moderator")
    shown = style.dim(f"(deleted by {escape_controls(by)})")
    return f"{start(what.time, what.room, style)}<{style.nick(what.nick, what.from_)}> {shown}"


def _in_words(what: Mend, style: Style, about: str) -> str:
    """Return what was done to a message as a sentence."""
    words = escape_controls(m.BY_EVENT[type(what)].words(what), f"\n{indent(style)}  ")
    behind = f" ({about})" if about and not isinstance(what, m.Edited) else ""
    return f"{start(what.time, what.room, style)}* {style.nick(what.nick, what.from_)} {words}{behind}"


def _in_signs(what: Mend, style: Style, about: str) -> str:
    """Return what was done to a message as a sign, its number, and who did it."""
    who, behind = style.nick(what.nick, what.from_), style.dim(f" ({about})") if about else ""
    match what:
        case m.Edited(text=text):
            sign, told = "✎", f"{who}: {style.text(escape_controls(text, f'{chr(10)}{indent(style)}  '))}"
        case m.Deleted(reason=reason):
            why = f": {escape_controls(reason, ' ')}" if reason else ""
            sign, told = "⌫", f"deleted by {who}{behind}{why}"
        case m.Pinned(off=off):
            sign, told = "📌", f"{'unpinned' if off else 'pinned'} by {who}{behind}"
        case m.Reacted(off=off):
            sign, told = emoji(what.emoji), f"{'taken off by ' if off else ''}{who}{behind}"
    return f"{start(what.time, what.room, style)}{sign} {style.dim(f'{what.target}')} {told}"


def context(what: m.Durable, kept: Kept | None, who_deleted: Callable[[m.Tombstone], str], style: Style) -> str:
    """Return what an event is about, in short: what a message replies to, what was changed, who deleted it."""
    if isinstance(what, m.Tombstone):
        return who_deleted(what)
    if isinstance(what, MENDS):
        return about(what, None if kept is None else kept.get(what.target), style)
    wanted = getattr(what, "reply_to", None)
    if wanted is None:
        return ""
    found = None if kept is None else kept.get(wanted)
    return f"{wanted}" if found is None else excerpt(found)


def about(what: Mend, target: m.Durable | None, style: Style) -> str:
    """Return what something was done to, in short; of what is deleted, only who said it, and when."""
    if isinstance(what, m.Edited) or target is None:
        return ""
    if isinstance(what, m.Deleted):
        return f"{escape_controls(target.nick)}, {stamp(target.time, style)}"
    return excerpt(target)


def excerpt(what: m.Durable, columns: int = 60) -> str:
    """Return a message as one short line: `bob: the first words of it …`."""
    said = getattr(what, "text", "") or ", ".join(one.name for one in getattr(what, "files", ()))
    said = "(deleted)" if isinstance(what, m.Tombstone) else said
    first, _, more = said.strip().partition("\n")
    line = f"{escape_controls(what.nick)}: {escape_controls(first, ' ')}"
    cut = truncate(line, columns)
    return line if cut == line and not more else f"{cut.rstrip()} …"
