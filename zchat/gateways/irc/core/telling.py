"""Events and notices as lines of IRC: a table, a function for each kind.

What IRC has no word for is told in plain ones, in square brackets, by whoever did it: an answer, a file, a pin, who was
let in. A reaction is a tag for clients that show it, and such a line for all others. An edit is a line `* new text`.
Who comes and goes is not here but in `presence.py`, for it depends on who was shown.
"""

from collections.abc import Callable
from typing import Any

from zchat.client.core import notices as n
from zchat.moments import in_utc, retold
from zchat.protocol import messages as m

from .lines import Line, line
from .numerics import SERVER
from .saying import answering, harmless, message, place_of, quote, spread, tags_of
from .scene import Scene


def tell(event: Any, scene: Scene) -> list[Line]:
    """Return the lines of an event or a notice; none for what a client of IRC need not know."""
    teller = _TELLERS.get(type(event))
    return [] if teller is None else teller(event, scene)


def noted(text: str, scene: Scene) -> list[Line]:
    """Return what the gateway itself tells a client."""
    return [line(SERVER, "NOTICE", scene.me or "*", text)]


def _remark(event: Any, scene: Scene, text: str) -> list[Line]:
    """What somebody did, in words."""
    tags = tags_of(event, scene, event.nick, event.from_)
    source = scene.mask(event.nick, event.from_)
    return spread(scene, tags, source, "NOTICE", place_of(event, scene), f"[{text}]")


def _edited(event: m.Edited, scene: Scene) -> list[Line]:
    past, is_last = scene.world.recent.edit(event.target, event.text)
    sign = "*" if is_last or scene.caps.shows_tags else f"[edited: {harmless(past.began)}]" if past else "[edited]"
    tags = tags_of(event, scene, event.nick, event.from_) | answering(event.target)
    source = scene.mask(event.nick, event.from_)
    return spread(scene, tags, source, "PRIVMSG", place_of(event, scene), f"{sign} {event.text}")


def _deleted(event: m.Deleted, scene: Scene) -> list[Line]:
    past = scene.world.recent.forget(event.target)
    why = f": {event.reason}" if event.reason else ""
    if scene.caps.takes("REDACT"):
        source, target = scene.mask(event.nick, event.from_), place_of(event, scene)
        reason = (event.reason,) if event.reason else ()
        tags = {"time": event.time}
        return [line(source, "REDACT", target, str(event.target), *reason, tags=tags)]
    whose = f"what {scene.called(past.nick)} said at {past.time[11:16]} UTC" if past else f"message {event.target}"
    return _remark(event, scene, f"deleted {whose}{why}")


def _reacted(event: m.Reacted, scene: Scene) -> list[Line]:
    if scene.caps.shows_tags:
        tags = tags_of(event, scene, event.nick, event.from_) | answering(event.target)
        tags["+draft/unreact" if event.off else "+draft/react"] = event.emoji
        return [line(scene.mask(event.nick, event.from_), "TAGMSG", place_of(event, scene), tags=tags)]
    what = quote(event.target, scene) or f"message {event.target}"
    return _remark(event, scene, f"{event.emoji} {'taken off' if event.off else 'to'} {what}")


def _pinned(event: m.Pinned, scene: Scene) -> list[Line]:
    what = quote(event.target, scene) or f"message {event.target}"
    return _remark(event, scene, f"{'unpinned' if event.off else 'pinned'} {what}")


def _topic(event: m.Topic, scene: Scene) -> list[Line]:
    tags = tags_of(event, scene, event.nick, event.from_)
    text = " ".join(harmless(event.text).splitlines())
    return [line(scene.mask(event.nick, event.from_), "TOPIC", scene.channel(event.room), text, tags=tags)]


def _access(event: m.AccessChanged, scene: Scene) -> list[Line]:
    source, room = scene.mask(event.by_nick, event.by) if event.by_nick else SERVER, scene.channel(event.room)
    tags = {"time": event.time}
    who = scene.called(event.nick) if event.nick else "somebody"
    if event.change == "admitted" and event.from_ == scene.from_:
        return [line(source, "INVITE", scene.me, room, tags=tags)]
    if event.change == "mode":
        sign = "+" if event.mode == "announce" else "-"
        return [] if event.mode == "private" else [line(source, "MODE", room, f"{sign}At", tags=tags)]
    words = {
        "admitted": f"let {who} in",
        "expelled": f"took {who} out of this room",
        "operator": f"made {who} an operator of this room",
        "keep": f"this room keeps what is said {_kept(event.keep)}",
    }
    if event.change not in words:
        return []
    if event.change == "admitted" and event.nick and scene.caps.has("invite-notify"):
        return [line(source, "INVITE", who, room, tags=tags)]
    return [line(source, "NOTICE", room, f"[{words[event.change]}]", tags=tags)]


def _kept(days: int | None) -> str:
    if days is None:
        return "for as long as the broker is told to"
    return f"for {days} day{'s' if days > 1 else ''}" if days else "for ever"


def _member(event: m.MemberChanged, scene: Scene) -> list[Line]:
    """What is told of members concerns oneself, but for bans, and for roles, which are told in `presence.py`."""
    if event.from_ != scene.from_ and event.change not in _OF_OTHERS:
        return []
    if _is_passing(event, scene):
        return []
    by = f" by {scene.called(event.by_nick)}" if event.by_nick else ""
    why = f": {event.reason}" if event.reason else ""
    where = f" in {scene.channel(event.room)}" if event.room else ""
    until = f" until {retold(event.until, in_utc)}" if event.until else ""
    who = scene.called(event.nick) if event.nick else "Somebody"
    words = {
        "banned": f"{who} was banned{by}{until}{why}.",
        "unbanned": f"{who} was unbanned{by}.",
        "role": f"You are {event.role} now{by}.",
        "muted": f"You were muted{where}{by}{until}{why}.",
        "unmuted": f"You were unmuted{where}{by}{why}.",
        "device": f"Another device of yours can come in now: {event.device or event.credential}.",
        "removed": f"A device of yours cannot come in any more: {event.credential}.",
    }
    text = words.get(event.change)
    return noted(text, scene) if text else []


_OF_OTHERS = ("banned", "unbanned")  # which those are sent who may do it


def _is_passing(event: m.MemberChanged, scene: Scene) -> bool:
    """Whether this is the key of another password: for a member who is here already it goes as soon as it came."""
    passing = scene.world.passing
    if event.change == "device" and event.device == scene.world.device and event.credential:
        passing.add(event.credential)
    return event.credential in passing


def _typing(event: m.MemberTyping, scene: Scene) -> list[Line]:
    target = scene.channel(event.room) if event.room is not None else scene.me
    if event.nick == scene.nick:
        return []
    return [line(scene.mask(event.nick), "TAGMSG", target, tags={"+typing": "active"})]


def _dropped(event: m.Dropped, scene: Scene) -> list[Line]:
    where = scene.channel(event.room) if event.room is not None else scene.called(event.to or "")
    return noted(f"What you said for later to {where} could not be said: {event.message}", scene)


def _online(notice: n.Online, scene: Scene) -> list[Line]:
    return noted("Connected to zchat again.", scene) if notice.again and not notice.moved else []


def _lost(notice: n.WentBack, scene: Scene) -> list[Line]:
    scene.world.recent.clear()
    said = "".join(f" “{what}”" for what in notice.what[:5])
    lost = f" Of yours is gone:{said}" if said else ""
    return noted(f"The broker's log went back: what was said last is gone, and numbers are used again.{lost}", scene)


_WORDS: dict[type, Callable[[Any], str]] = {
    n.Offline: lambda notice: f"zchat is out of reach ({notice.why}). What you say waits until it is back.",
    n.KeptOut: lambda notice: f"zchat does not let you in now: {notice.why}. It is tried again.",
    n.NickRefused: lambda notice: f"You cannot be called {notice.nick}: {notice.why}",
    n.Deferred: lambda notice: f"Nothing can be stored now: {notice.why}. What you say waits, and is sent again.",
    n.Stalled: lambda notice: f"Nothing can be stored now: {notice.why}. What you say waits.",
    n.Flowing: lambda notice: "What is said is stored again.",
    n.Refused: lambda notice: f"Refused: {notice.what}: {notice.message}",
}


def _in_words(notice: n.Notice, scene: Scene) -> list[Line]:
    return noted(_WORDS[type(notice)](notice), scene)


_TELLERS: dict[type, Callable[[Any, Scene], list[Line]]] = {
    m.Message: message,
    m.Edited: _edited,
    m.Deleted: _deleted,
    m.Reacted: _reacted,
    m.Pinned: _pinned,
    m.Topic: _topic,
    m.AccessChanged: _access,
    m.MemberChanged: _member,
    m.MemberTyping: _typing,
    m.Dropped: _dropped,
    n.Online: _online,
    n.WentBack: _lost,
    **dict.fromkeys(_WORDS, _in_words),
}
