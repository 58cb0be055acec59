"""What was said, as lines of IRC: texts that are longer than a line, actions, files, and what is answered."""

import re
from collections.abc import Sequence

from zchat.protocol import messages as m

from .lines import Line, line, room_for_text, split
from .scene import Scene

KINDS = {"notice": "NOTICE"}  # all else is PRIVMSG
UNITS = ("B", "kB", "MB", "GB")


def tags_of(event: m.Event, scene: Scene, nick: str, from_: str) -> dict[str, str]:
    """Return the tags of a durable event."""
    tags = {"time": event.time, "msgid": str(event.seq)}  # type: ignore[attr-defined]
    if account := scene.account(nick, from_):
        tags["account"] = account
    if scene.world.faces.of(nick, from_).bot:
        tags["bot"] = ""
    return tags


def place_of(event: m.Event, scene: Scene) -> str:
    """Return where an event is told: the room, the nick of the other end, or oneself."""
    room: str | None = getattr(event, "room", None)
    if room is not None:
        return scene.channel(room)
    mine = getattr(event, "from_", "") == scene.from_
    return scene.called(event.to or "") if mine else scene.me  # type: ignore[attr-defined]


def message(event: m.Message, scene: Scene) -> list[Line]:
    """Tell a message. An invitation is one for those who are invited; who has sent it was answered by 341."""
    room = invited_to(event)
    if room is None or not scene.world.rooms.carries(room):
        return said(event, scene)
    if event.from_ == scene.from_:
        return []
    tags = tags_of(event, scene, event.nick, event.from_)
    return [line(scene.mask(event.nick, event.from_), "INVITE", scene.me, scene.channel(room), tags=tags)]


def invitation(room: str) -> str:
    """Return what whoever is invited into a public room is told: everybody may enter it, and nothing else is needed."""
    return f"I invite you to #{room}."


def invited_to(event: m.Message) -> str | None:
    """Return the room that a message invites to, as `invitation` has it; None for any other message."""
    found = _INVITATION.fullmatch(event.text) if event.kind == "notice" and event.to is not None else None
    return found[1] if found is not None else None


_INVITATION = re.compile("I invite you to #([^+\\s]\\S{0,63})\\.")


def said(event: m.Message, scene: Scene) -> list[Line]:
    """Tell a message as words."""
    where = event.room or f"@{event.to}"
    scene.world.recent.note(event.seq, event.nick, event.time, event.text or _names(event.files), where)
    tags = tags_of(event, scene, event.nick, event.from_)
    text = event.text
    if event.reply_to is not None:
        tags |= answering(event.reply_to)
        if not scene.caps.shows_tags and (quoted := quote(event.reply_to, scene)):
            text = f"[re {quoted}] {text}"
    carried = [carries(event, each) for each in event.files]
    text = "\n".join([*([text] if text else []), *carried])
    source, target = scene.mask(event.nick, event.from_), place_of(event, scene)
    return spread(scene, tags, source, KINDS.get(event.kind, "PRIVMSG"), target, text, action=event.kind == "action")


def answering(seq: int) -> dict[str, str]:
    """Return the tags that tell what is answered; some clients know the one, some the other."""
    return {"+draft/reply": str(seq), "+reply": str(seq)}


def quote(seq: int, scene: Scene) -> str:
    """Return what is meant by a seq: who said it, and how it begins; "" if that is not remembered."""
    past = scene.world.recent.of(seq)
    if past is None:
        return ""
    return f"{scene.called(past.nick)}: {harmless(past.text)}" if past.text else f"what {scene.called(past.nick)} said"


def carries(event: m.Message, file: m.Attachment) -> str:
    """Return what is told of a file: its name, its size, and how to get it."""
    where = f"-r {event.room}" if event.room is not None else "--to NICK"
    return f"[file: {file.name}, {size(file.size)}; to get it: zchat get {event.seq} {where}]"


def size(count: float) -> str:
    """Return a number of bytes as people write it."""
    unit = 0
    while count >= 1000 and unit < len(UNITS) - 1:
        count, unit = count / 1000, unit + 1
    return f"{count:.0f} {UNITS[unit]}" if unit == 0 or count >= 10 else f"{count:.1f} {UNITS[unit]}"


def _names(files: Sequence[m.Attachment]) -> str:
    return ", ".join(each.name for each in files)


def spread(
    scene: Scene, tags: dict[str, str], source: str, command: str, target: str, text: str, *, action: bool = False
) -> list[Line]:
    """Return a text as lines: as one batch for a client that knows that, else one after the other.

    Only the first line has the tags of the message; all have its time.
    """
    most = room_for_text(source, command, target) - (9 if action else 0)
    parts = split(harmless(text), most)
    if len(parts) > 1 and not action and scene.caps.has("batch", "draft/multiline"):
        return _batch(scene, tags, source, command, target, parts)
    shown = [part for part, _ in parts if part] or [""]
    if action:
        shown = [f"\x01ACTION {part}\x01" for part in shown]
    rest = {key: value for key, value in tags.items() if key in ("time", "account", "bot")}
    return [line(source, command, target, part, tags=rest if at else tags) for at, part in enumerate(shown)]


def _batch(
    scene: Scene, tags: dict[str, str], source: str, command: str, target: str, parts: list[tuple[str, bool]]
) -> list[Line]:
    name = scene.batch()
    inner = []
    for part, goes_on in parts:
        concat = {"draft/multiline-concat": ""} if goes_on else {}
        inner.append(line(source, command, target, part, tags={"batch": name} | concat))
    opened = line(source, "BATCH", f"+{name}", "draft/multiline", target, tags=tags)
    return [opened, *inner, line(source, "BATCH", f"-{name}")]


_HARMFUL = dict.fromkeys((0, 1, 7, 27))  # CTCP, the bell, and what acts on a terminal


def harmless(text: str) -> str:
    """Return a text without what a client of IRC would act on."""
    return text.translate(_HARMFUL)


_FORMATTING = re.compile(
    "\x03(?:[0-9]{1,2}(?:,[0-9]{1,2})?)?|\x04(?:[0-9A-Fa-f]{6}(?:,[0-9A-Fa-f]{6})?)?|[\x02\x0f\x11\x16\x1d\x1e\x1f]"
)


def without_formatting(text: str) -> str:
    """Return what somebody wrote in IRC without the codes of bold, colours and the like, which zchat has not."""
    return _FORMATTING.sub("", text)
