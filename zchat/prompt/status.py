"""The rows above the line being typed: the pending messages, and the status line.

They are computed anew whenever the screen is drawn, so they are never out of date. On a narrow terminal the status line
drops its least urgent parts first.
"""

import time

from prompt_toolkit.formatted_text import StyleAndTextTuples

from zchat.escapes import escape_controls

from .chat import Chat
from .render import width
from .target import Target
from .view import TerminalView

PENDING_SHOWN = 5
BAR = 20  # columns of a progress bar


def pending(chat: Chat) -> StyleAndTextTuples:
    """Return the newest of what was said and is not stored yet, as far as one knows."""
    waiting = list(chat.sending.pending.values())
    rows = [f"  … {escape_controls(one.shown, ' ')}" for one in waiting[-PENDING_SHOWN:]]
    if len(waiting) > PENDING_SHOWN:
        rows.insert(0, f"  … {len(waiting) - PENDING_SHOWN} more wait to be sent")
    return [("class:pending", "\n".join(rows))]


def status(chat: Chat, view: TerminalView, broker: str, columns: int) -> StyleAndTextTuples:
    """Return the status line, without its least urgent parts if it would be too long.

    `broker` is what an only one is called; of several it is shown at which one is.
    """
    kept = sorted(_parts(chat, view, broker), key=lambda part: part[0])
    while len(kept) > 1 and sum(width(text) + 3 for _, _, text, _ in kept) > columns:
        kept.pop()
    shown: StyleAndTextTuples = []
    for _, style, text, _ in sorted(kept, key=lambda part: part[3]):
        shown += [("class:status", " "), (f"class:status {style}", text), ("class:status", " ·")]
    shown[-1] = ("class:status", " ")
    return shown  # no wider than it must be: a terminal that gets narrower would break a full row in two


def _parts(chat: Chat, view: TerminalView, broker: str) -> list[tuple[int, str, str, int]]:
    """Return (urgency, style, text, position) of each part; the lowest number is the most urgent."""
    found: list[tuple[int, str, str]] = []
    now = time.monotonic()
    here = view.here
    if here is not None:
        found.append((1, "bold", _where(chat, here)))
    if view.gone_since is not None:
        waits = f", {len(chat.sending.pending)} to be sent" if chat.sending.pending else ""
        found.append((0, "class:alarm", f"reconnecting, {now - view.gone_since:.0f} s …{waits}"))
    elif chat.client.stalled:
        found.append((0, "class:alarm", "the brokers cannot store now: what you type waits"))
    if chat.output.doing is not None:
        label, done = chat.output.doing
        bar = "█" * round(done * BAR)
        found.append((2, "", f"{label} {bar:░<{BAR}} {done:.0%}"))
    unread = [target for target in view.targets.all.values() if target.unread and target is not here]
    if unread:
        mentioned = any(target.mentioned for target in unread)
        listed = "  ".join(f"{chat.style.place(target.name)} {target.unread}" for target in unread)
        found.append((3, "class:mentioned" if mentioned else "class:unread", listed))
    if here is not None and (typists := here.typists(now)):
        found.append((4, "italic", _typing(typists)))
    if view.gone_since is None and chat.client.moving:
        found.append((5, "", "going on at another broker …"))
    elif view.gone_since is None:
        lag = "" if view.lag is None else f" {view.lag * 1000:.0f} ms"
        found.append((5, "", f"{escape_controls(chat.client.host or broker)}{lag}"))
    return [(urgency, style, text, position) for position, (urgency, style, text) in enumerate(found)]


def _where(chat: Chat, here: Target) -> str:
    """Return the target one looks at, and how many people are there."""
    people = len(chat.client.members(here.room)) if here.room is not None else 0
    away = " (away)" if chat.is_away else ""
    return f"{chat.style.place(here.name)}{f' {people} here' if people else ''}{away}"


def _typing(nicks: list[str]) -> str:
    shown = ", ".join(escape_controls(nick) for nick in nicks[:2])
    return f"{shown}{' and others' if len(nicks) > 2 else ''} {'is' if len(nicks) == 1 else 'are'} typing"
