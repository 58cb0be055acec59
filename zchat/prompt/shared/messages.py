"""Commands about messages, by their numbers: `edit`, `delete`, `react`, `pin`; and what is to be said later."""

from datetime import datetime

import click

from zchat.escapes import escape_controls
from zchat.protocol import messages as m
from zchat.protocol import wire

from .. import arguments, tables
from .command import Command, Result, Scene, argument, done, option

REST = click.UNPROCESSED  # at the prompt: the rest of the line as it is


async def edit(scene: Scene, *, number: int, text: str) -> Result:
    ack = await scene.client.messages.edit(number, text)
    return done(f"{number} has another text.", ack)


async def delete(scene: Scene, *, number: int, reason: str | None) -> Result:
    ack = await scene.client.messages.delete(number, reason)
    return done(f"{number} is deleted.", ack)


async def react(scene: Scene, *, number: int, emoji: str, off: bool) -> Result:
    ack = await scene.client.messages.react(number, emoji, off=off)
    shown = escape_controls(emoji, " ")
    was_so = f"You had not reacted with {shown} to {number}." if off else f"You had reacted with {shown} to {number}."
    return done(was_so if ack.duplicate else f"{shown} {'taken off' if off else 'to'} {number}.", ack)


async def pin(scene: Scene, *, number: int, off: bool) -> Result:
    ack = await scene.client.messages.pin(number, off=off)
    already = " already" if ack.duplicate else ""
    return done(f"{number} is {'not pinned' if off else 'pinned'}{already}.", ack)


async def scheduled(scene: Scene, *, remove: int | None) -> Result:
    """Show what one has said for later, or take one of it back."""
    messages = scene.client.messages
    if remove is not None:
        return done(f"{remove} will not be said.", await messages.unschedule(remove))
    found = await messages.scheduled()
    rows = [(str(one.id), _when(one, scene), _where(one, scene), _first_line(one.text)) for one in found]
    line = wire.encode(m.Scheduled(messages=found))
    if not rows:
        return Result(("You have said nothing for later.",), (), (line,))
    return Result((), tuple(tables.table(rows, scene.style)), (line,))


def _when(one: m.Later, scene: Scene) -> str:
    return datetime.fromisoformat(one.at).astimezone(scene.style.zone).strftime("%Y-%m-%d %H:%M:%S")


def _where(one: m.Later, scene: Scene) -> str:
    return scene.style.room(one.room) if one.room is not None else "@" + escape_controls(one.to or "", " ")


def _first_line(text: str) -> str:
    first, rest, _ = text.strip().partition("\n")
    return escape_controls(first + (" …" if rest else ""), " ")


_number = argument("number", type=arguments.Whole(1, m.SEQ_MAX), metavar="NUMBER")

COMMANDS = (
    Command(
        "edit",
        "speak",
        "Give a message of yours another text.",
        edit,
        (_number, argument("text", type=REST, callback=arguments.check_new_text, metavar="TEXT")),
        ('zchat edit 1042 "tomorrow at ten"',),
        texts=True,
        speaks=True,
    ),
    Command(
        "delete",
        "speak",
        "Take a message of yours back, for good. Moderators may delete those of others.",
        delete,
        (_number, argument("reason", callback=arguments.check_reason, nargs=-1, metavar="[REASON]...")),
        ("zchat delete 1042", "zchat delete 1042 spam"),
        texts=True,
        speaks=True,
    ),
    Command(
        "react",
        "speak",
        "React to a message, with an emoji or its name.",
        react,
        (
            _number,
            argument("emoji", callback=arguments.check_emoji, metavar="EMOJI"),
            option("--off", is_flag=True, help="Take the reaction back."),
        ),
        ("zchat react 1042 👍", "zchat react 1042 :tada:"),
        speaks=True,
    ),
    Command(
        "pin",
        "speak",
        "Keep a message in sight of its room.",
        pin,
        (_number, option("--off", is_flag=True, help="Unpin it.")),
        ("zchat pin 1042", "zchat pin 1042 --off"),
        speaks=True,
    ),
    Command(
        "scheduled",
        "speak",
        "Show what you have said for later, or take it back.",
        scheduled,
        (option("--remove", type=arguments.Whole(1, m.SEQ_MAX), metavar="ID", help="Do not say this one."),),
        ("zchat scheduled", "zchat scheduled --remove 7"),
        speaks=True,
    ),
)
