"""The slash commands of the prompt: click commands, run inside a running program.

Click parses, checks and explains as it does on the command line, but never exits and never prints by itself: `run`
makes the context, catches what click has to say and shows it in the chat. A line is split at white space and not by
a shell's rules, because people write apostrophes; an argument of the type UNPROCESSED takes the rest of the line as
it stands. There are no options, so a text may begin with a dash.
"""

import difflib
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import click

from zchat.errors import NickTakenError
from zchat.protocol import messages as m
from zchat.protocol import wire

from . import options, render

if TYPE_CHECKING:
    from .chat import Chat

REST = click.UNPROCESSED


class SlashCommand(click.Command):
    """A command without options, not even --help: that is /help COMMAND."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings | {"add_help_option": False, "options_metavar": ""})

    def words(self, line: str) -> list[str]:
        """Split the rest of a line into as many arguments as there are."""
        arguments = [param for param in self.params if isinstance(param, click.Argument)]
        if arguments and arguments[-1].type is REST:
            return line.split(None, len(arguments) - 1) if line.strip() else []
        return line.split()


@click.group(add_help_option=False)
def slash() -> None:
    """The commands of the prompt."""


slash.command_class = SlashCommand


async def run(line: str, chat: "Chat") -> None:
    """Obey a line that begins with a slash; what is wrong with it is told to the one who typed it."""
    try:
        await parse(line, chat)
    except click.UsageError as error:
        usage = f"{error.ctx.get_usage()}\n" if error.ctx else ""
        chat.tell(render.visible(usage + error.format_message(), "\n"))


def parse(line: str, chat: "Chat") -> Coroutine[Any, Any, None]:
    """Return what a line that begins with a slash asks for, ready to be awaited; raise click's UsageError."""
    name, _, rest = line[1:].partition(" ")
    command = _find(name)
    context = command.make_context(f"/{name}", ["--", *command.words(rest)], obj=chat)
    with context:
        todo: Coroutine[Any, Any, None] = command.invoke(context)
    return todo


def _find(name: str) -> SlashCommand:
    command = slash.commands.get(name)
    if isinstance(command, SlashCommand):
        return command
    near = difflib.get_close_matches(name, slash.commands, 1)
    hint = f" Did you mean /{near[0]}?" if near else ""
    raise click.UsageError(f"There is no command /{name}.{hint} See /help; to say it, write //{name}.")


@slash.command()
@click.argument("nick", callback=options.check_nick)
@click.pass_obj
async def nick(chat: "Chat", nick: str) -> None:
    """Change your nick."""
    try:
        await chat.client.rename(nick)
    except NickTakenError as error:
        raise NickTakenError(nick, error.message) from None  # now with its name


@slash.command()
@click.argument("room", callback=options.check_room)
@click.pass_obj
async def join(chat: "Chat", room: str) -> None:
    """Enter a room, or speak in another one you are in."""
    if room in chat.client.rooms:
        chat.turn_to(room)
        chat.tell(chat.style.dim(f"You speak in #{render.visible(room)} now."))
    else:
        await chat.enter(room)


@slash.command()
@click.argument("room", callback=options.check_room, required=False)
@click.pass_obj
async def part(chat: "Chat", room: str | None) -> None:
    """Leave a room, by default the one you speak in."""
    where = room or chat.room
    if where is None:
        chat.tell("You are in no room.")
    else:
        await chat.leave(where)


@slash.command()
@click.argument("text", type=REST)
@click.pass_obj
async def me(chat: "Chat", text: str) -> None:
    """Say what you do: `/me waves` is `* alice waves`."""
    await chat.say(text, kind="action")


@slash.command()
@click.argument("nick", callback=options.check_nick)
@click.argument("text", type=REST)
@click.pass_obj
async def msg(chat: "Chat", nick: str, text: str) -> None:
    """Say something to one person only."""
    await chat.say(text, to=nick)


@slash.command()
@click.argument("room", callback=options.check_room, required=False)
@click.pass_obj
async def who(chat: "Chat", room: str | None) -> None:
    """Show who is in a room, by default yours."""
    where = room or chat.room
    answer = await chat.client.ask(m.Who(room=where))
    assert isinstance(answer, m.Roster)  # noqa: S101 — the client matches answers to questions
    _show(chat, render.members(answer.members, chat.style), "Nobody is there.")


@slash.command()
@click.pass_obj
async def rooms(chat: "Chat") -> None:
    """Show the rooms there are."""
    answer = await chat.client.ask(m.ListRooms())
    assert isinstance(answer, m.Rooms)  # noqa: S101 — the client matches answers to questions
    _show(chat, render.rooms(answer.rooms, chat.style), "There is no room yet.")


@slash.command()
@click.argument("text", type=REST, required=False)
@click.pass_obj
async def topic(chat: "Chat", text: str | None) -> None:
    """Set the topic of the room, or show it."""
    if chat.room is None:
        chat.tell("You are in no room.")
    elif text:
        await chat.client.set_topic(chat.room, text)
    else:
        answer = await chat.client.ask(m.ListRooms())
        assert isinstance(answer, m.Rooms)  # noqa: S101 — the client matches answers to questions
        found = [
            f"The topic is: {render.visible(one.topic, ' ')}"
            for one in answer.rooms
            if one.room == chat.room and one.topic
        ]
        _show(chat, found, "There is no topic. Set one with /topic TEXT.")


@slash.command()
@click.argument("text", type=REST, required=False)
@click.pass_obj
async def away(chat: "Chat", text: str | None) -> None:
    """Say that you are away; without TEXT, that you are back."""
    await chat.client.ask(m.Away(text=text or None))
    chat.tell(chat.style.dim("You are marked as away." if text else "You are back."))


@slash.command()
@click.argument("count", type=click.IntRange(1, m.LIMIT_MAX), default=50)
@click.pass_obj
async def history(chat: "Chat", count: int) -> None:
    """Show the last COUNT messages (50) of the room."""
    if chat.room is None:
        chat.tell("You are in no room.")
        return
    answer = await chat.client.ask(m.AskHistory(room=chat.room, before=m.SEQ_MAX, limit=count))
    assert isinstance(answer, m.History)  # noqa: S101 — the client matches answers to questions
    _show_events(chat, answer, "Nothing was said here yet.")


@slash.command()
@click.argument("text", type=REST)
@click.pass_obj
async def search(chat: "Chat", text: str) -> None:
    """Find messages, in any room, that hold all words of TEXT."""
    answer = await chat.client.ask(m.Search(text=text, limit=20))
    assert isinstance(answer, m.Found)  # noqa: S101 — the client matches answers to questions
    _show_events(chat, answer, "Nothing found.")


@slash.command(name="help")
@click.argument("command", required=False)
@click.pass_obj
async def help_(chat: "Chat", command: str | None) -> None:
    """Show the commands, or how to use one."""
    if command is None:
        chat.show("\n".join(overview()))
        return
    found = _find(command.removeprefix("/"))
    context = click.Context(found, info_name=f"/{found.name}")
    chat.show(found.get_help(context))


@slash.command(name="exit")
@click.pass_obj
async def exit_(chat: "Chat") -> None:
    """Leave (so do `exit`, /quit and Ctrl-D)."""
    chat.leaving = True


slash.add_command(exit_, "quit")


def overview() -> list[str]:
    """Return the list of commands, made from the commands themselves."""
    rows = []
    for name, command in sorted(slash.commands.items()):
        if name == command.name:
            context = click.Context(command, info_name=f"/{name}")
            usage = " ".join([f"/{name}", *command.collect_usage_pieces(context)])
            rows.append((usage, command.get_short_help_str(70)))
    said = [("exit", "Leave."), ("//text", "Say /text.")]
    return render.table([*rows, *said], render.Style())


def _show(chat: "Chat", lines: list[str], nothing: str) -> None:
    chat.show("\n".join(lines) if lines else chat.style.dim(nothing))


def _show_events(chat: "Chat", answer: m.History | m.Found, nothing: str) -> None:
    style = render.Style(chat.style.colour, "%Y-%m-%d %H:%M", chat.room, chat.style.zone)
    lines = [line for event in answer.events if (line := render.event(wire.event(event), style))]
    _show(chat, lines, nothing)
