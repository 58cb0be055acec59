"""What was said, as one page of HTML that needs nothing else: rooms, days, messages as they are at the end.

A peer may write anything, and a browser runs what it takes for a script. So each piece of foreign text goes through
`_safe` once, where it becomes part of the page, and stands in elements or in quoted attributes only. A link is made of
nothing but `http://` and `https://`; a file is only ever offered for download. Besides, the page forbids all scripts
and all that would be fetched from elsewhere.
"""

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Protocol

from zchat.escapes import escape_controls
from zchat.protocol import messages as m
from zchat.protocol import names

EXCERPT = 80  # characters of an answer, where its thread lists it
_LINK = re.compile(r"(https?://[^\s<>\"'`]+)")
_STYLE = """
body{font:16px/1.45 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
h2{border-bottom:2px solid #888;margin-top:3rem}h3{color:#666;font-size:1rem;text-align:center}
article{margin:.4rem 0;padding:.1rem .5rem}article:target{background:#fff3c4}.pinned{border-left:3px solid #c80}
time,small,.by{color:#666;font-size:.85rem}.text{white-space:pre-wrap;overflow-wrap:anywhere}.by{font-style:italic}
details{margin-left:1.5rem}a{color:#06c}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#1b1b1b}a{color:#6af}article:target{background:#443a10}
time,small,.by,h3{color:#aaa}}
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


class Said(Protocol):
    """What was said in a place, as it is at the end: a `Picture`, or what need not be in memory."""

    def get(self, seq: int, /) -> m.Item | None: ...

    def values(self) -> Iterable[m.Item]: ...


def head(title: str, rooms: list[str]) -> str:
    """Return how the page begins: its title, and where each room is."""
    links = "".join(f'<li><a href="#room{at}">{_room(name)}</a></li>' for at, name in enumerate(rooms))
    return (
        '<!doctype html>\n<html><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="referrer" content="no-referrer">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<title>{_safe(title)}</title>\n<style>{_STYLE}</style></head>\n<body>\n<h1>{_safe(title)}</h1>\n"
        f"<ul>{links}</ul>\n"
    )


def room(at: int, name: str, said: Said, files: Mapping[str, str]) -> Iterator[str]:
    """Yield what was said in a room. `files` has where those are that were fetched, by their SHA-256."""
    yield f'<section id="room{at}"><h2>{_room(name)}</h2>\n'
    day = ""
    for item in said.values():
        when = datetime.fromisoformat(item.event.time).astimezone()
        if (today := f"{when:%A, %Y-%m-%d}") != day:
            day = today
            yield f"<h3>{day}</h3>\n"
        yield _item(item, when, said, files)
        yield from _thread(item, said)
        yield "</article>\n"
    yield "</section>\n" if day else "<p>Nothing was said here.</p>\n</section>\n"


def foot() -> str:
    return "</body></html>\n"


def _item(item: m.Item, when: datetime, said: Said, files: Mapping[str, str]) -> str:
    event, seq = item.event, int(item.event.seq)
    pinned = ' class="pinned"' if item.pinned and isinstance(event, m.Message) else ""
    stamp = f'<time datetime="{_safe(event.time)}" title="{seq}">{when:%H:%M}</time>'
    return f'<article id="m{seq}"{pinned}>{stamp} {_said(item, said, files)}'


def _said(item: m.Item, said: Said, files: Mapping[str, str]) -> str:
    event = item.event
    nick = f"<b><bdi>{_safe(event.nick)}</bdi></b>"
    if isinstance(event, m.Tombstone):
        whose = "" if event.by == event.from_ else " by a moderator"
        return f'{nick} <span class="by">deleted{whose}</span>'
    if isinstance(event, m.Topic):
        told = f"changed the topic: <bdi>{_text(event.text)}</bdi>" if event.text else "removed the topic"
        return f'{nick} <span class="by">{told}</span>'
    notes = [f"edited {_moment(item.edited)}"] if item.edited else []
    notes += ["📌 pinned"] if item.pinned else []
    notes += [_nods(emoji, given) for emoji, given in item.reactions.items()]
    lines = f"<small>{' · '.join(notes)}</small>" if notes else ""
    text = f'<div class="text" dir="auto">{_text(item.text)}</div>' if item.text else ""
    if event.kind == "action":
        text, nick = f'<span class="text"><bdi>{_text(item.text)}</bdi></span>', f"* {nick}"
    return f"{nick}{_reply(event, said)} {text}{''.join(_file(one, files) for one in event.files)}{lines}"


def _reply(event: m.Message, said: Said) -> str:
    if event.reply_to is None:
        return ""
    to = said.get(event.reply_to)
    if to is None:
        return f" <small>↳ to {int(event.reply_to)}</small>"
    return f' <small>↳ to <a href="#m{int(event.reply_to)}"><bdi>{_safe(to.event.nick)}</bdi></a></small>'


def _thread(item: m.Item, said: Said) -> Iterator[str]:
    """Yield the answers to a message, each with where it stands."""
    if not item.answers:
        return
    count = f"{len(item.answers):,} answer{'' if len(item.answers) == 1 else 's'}"
    yield f"<details><summary>↳ {count}</summary><ul>"
    for one in filter(None, map(said.get, sorted(item.answers))):
        yield (
            f'<li><a href="#m{int(one.event.seq)}"><bdi>{_safe(one.event.nick)}</bdi></a>: '
            f"<bdi>{_safe(' '.join(one.text.split())[:EXCERPT])}</bdi></li>"
        )
    yield "</ul></details>"


def _nods(emoji: str, given: Mapping[str, str]) -> str:
    return f'<span title="{_safe(", ".join(given.values()))}">{_safe(emoji)} {len(given)}</span>'


def _file(one: m.Attachment, files: Mapping[str, str]) -> str:
    across = f"{int(one.width)}×{int(one.height)}, " if one.width and one.height else ""
    shown = f"<bdi>{_safe(one.name)}</bdi> ({across}{int(one.size):,} bytes)"
    where = files.get(one.file)
    return f'<div>📎 <a href="{_safe(where)}" download>{shown}</a></div>' if where else f"<div>📎 {shown}</div>"


def _text(text: str) -> str:
    """Return a text with its links."""
    return "".join(
        f'<a href="{_safe(part)}" rel="noopener noreferrer nofollow">{_safe(part)}</a>' if at % 2 else _safe(part)
        for at, part in enumerate(_LINK.split(text))
    )


def _moment(time: str) -> str:
    return _safe(f"{datetime.fromisoformat(time).astimezone():%Y-%m-%d %H:%M}")


def _room(name: str) -> str:
    return _safe(name if names.is_private(name) or name.startswith("@") else f"#{name}")


def _safe(text: str) -> str:
    """Return a foreign text as HTML, with an escape for each character that would act instead of being seen."""
    return html.escape(escape_controls(text, "\n"))
