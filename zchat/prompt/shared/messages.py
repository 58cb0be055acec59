"""Commands about messages, by their numbers: `edit`, `delete`, `react`, `pin`."""

import click

from zchat.escapes import escape_controls
from zchat.protocol import messages as m

from .. import arguments
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


_number = argument("number", type=arguments.Whole(1, m.SEQ_MAX), metavar="NUMBER")

COMMANDS = (
    Command(
        "edit",
        "speak",
        "Give a message of yours another text.",
        edit,
        (_number, argument("text", type=REST, metavar="TEXT")),
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
)
