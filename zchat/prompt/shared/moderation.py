"""Commands that keep the peace: `kick`, `mute`, `unmute`, `ban`, `unban`, `audit`."""

from datetime import datetime

from zchat.escapes import escape_controls
from zchat.protocol import messages as m

from .. import arguments, changes, render
from .command import Command, Result, Scene, argument, done, of_room, option

Until = tuple[datetime | None, str | None]  # until when, and the reason

FULL_STAMP = "%Y-%m-%d %H:%M"
AUDITED = 20


async def kick(scene: Scene, *, nick: str, reason: str | None, room: str | None) -> Result:
    ok = await scene.client.administration.kick(nick, room=room, reason=reason)
    where = f" from {scene.style.room(room)}" if room else ""
    return done(f"{escape_controls(nick)} was kicked{where}{_because(reason)}.", ok)


async def mute(scene: Scene, *, nick: str, words: Until, room: str | None) -> Result:
    until, reason = words
    ack = await scene.client.administration.mute(nick, room=room, until=until, reason=reason)
    told = f"{escape_controls(nick)} is muted{_in(room, scene)}{_until(until, scene)}{_because(reason)}."
    return done(told, ack)


async def unmute(scene: Scene, *, nick: str, room: str | None) -> Result:
    ack = await scene.client.administration.unmute(nick, room=room)
    return done(f"{escape_controls(nick)} may speak again{_in(room, scene)}.", ack)


async def ban(scene: Scene, *, nick: str, words: Until) -> Result:
    (until, reason), (who, credential) = words, _whom(nick)
    ack = await scene.client.administration.ban(who, credential=credential, until=until, reason=reason)
    return done(f"{_shown(nick)} is banned{_until(until, scene)}{_because(reason)}.", ack)


async def unban(scene: Scene, *, nick: str) -> Result:
    who, credential = _whom(nick)
    ack = await scene.client.administration.unban(who, credential=credential)
    return done(f"{_shown(nick)} may come in again.", ack)


async def audit(scene: Scene, *, limit: int, before: int | None) -> Result:
    """Show what was done about members and rooms."""
    page = await scene.client.administration.audit(before=before, limit=limit)
    style = render.Style(scene.style.colour, FULL_STAMP, None, scene.style.zone, lock=scene.style.lock)
    known = [event for event in page.events if not isinstance(event, m.Opaque)]
    first = next((event.seq for event in page.events if event.seq), 0)
    told = (f"There is more: --before {first} shows it.",) if page.more else ()
    return Result(told, tuple(changes.recorded(event, style) for event in known), page.lines)


def _whom(nick: str) -> tuple[str | None, str | None]:
    """Return a nick, or a credential."""
    return (None, nick) if nick.startswith(arguments.CREDENTIALS) else (nick, None)


def _shown(nick: str) -> str:
    return changes.credential(nick) if nick.startswith(arguments.CREDENTIALS) else escape_controls(nick)


def _in(room: str | None, scene: Scene) -> str:
    return f" in {scene.style.room(room)}" if room else ""


def _until(until: datetime | None, scene: Scene) -> str:
    now = datetime.now().astimezone()
    return f" until {render.when(until.isoformat(), now.isoformat(), scene.style)}" if until else ""


def _because(reason: str | None) -> str:
    return f": {escape_controls(reason, ' ').rstrip('.')}" if reason else ""


_UNTIL = "UNTIL is 10m, 2h, 1d, 14:05 or 2026-12-24; without it, it is for ever."
_nick = argument("nick", callback=arguments.check_nick)
_whom_to_ban = argument("nick", callback=arguments.check_whom)
_until_and_reason = argument(
    "words", callback=arguments.check_until_and_reason, nargs=-1, metavar="[UNTIL] [REASON]..."
)
_mute_room = of_room("Only in this room. [default: everywhere]", needed=False)

COMMANDS = (
    Command(
        "kick",
        "kick",
        "Send somebody away; they may come back.",
        kick,
        (
            _nick,
            argument("reason", callback=arguments.check_reason, nargs=-1, metavar="[REASON]..."),
            of_room("Only out of this room.", needed=False),
        ),
        ("zchat kick mallory enough for today",),
        texts=True,
    ),
    Command(
        "mute",
        "mute",
        f"Refuse what somebody says. {_UNTIL}",
        mute,
        (_nick, _until_and_reason, _mute_room),
        ("zchat mute mallory 10m spam", "zchat mute mallory --room dev"),
        texts=True,
    ),
    Command("unmute", "mute", "Let somebody speak again.", unmute, (_nick, _mute_room), ("zchat unmute mallory",)),
    Command(
        "ban",
        "ban",
        f"Keep somebody out. {_UNTIL}",
        ban,
        (_whom_to_ban, _until_and_reason),
        ("zchat ban mallory 7d spam", "zchat ban uid:1003@host"),
        texts=True,
    ),
    Command("unban", "ban", "Let somebody in again.", unban, (_whom_to_ban,), ("zchat unban mallory",)),
    Command(
        "audit",
        "audit",
        "Show what was done about members and rooms.",
        audit,
        (
            option(
                "-n", "--limit", type=arguments.Whole(1, m.LIMIT_MAX), metavar="N", default=AUDITED, show_default=True,
                help="How many changes at most.",
            ),
            option("--before", type=arguments.Whole(1, m.SEQ_MAX), metavar="SEQ", help="Only changes before this one."),
        ),
        ("zchat audit", "zchat audit --json -n 1000 | jq 'select(.change == \"banned\")'"),
    ),
)  # fmt: skip
