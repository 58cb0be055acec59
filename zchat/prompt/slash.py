"""The slash commands of the prompt: the arguments of each, what it does, and the sentence that /help shows.

`dispatch.py` has click run them. Tab, /help and the usage of a wrong line are made from what is declared here.
"""

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import click

from zchat.escapes import escape_controls
from zchat.protocol import messages as m

from . import arguments, lookup, preferences, render
from .chat import Chat
from .dispatch import REST, find, group, parse


async def run(line: str, chat: Chat) -> None:
    """Run a line that begins with a slash. What is wrong with it is told to whoever typed it."""
    try:
        await parse(line, chat)
    except click.UsageError as error:
        chat.refused += 1  # a pipe ends with 1, as after a message that is refused
        usage = f"{error.ctx.get_usage()}\n" if error.ctx else ""
        chat.tell(escape_controls(usage + error.format_message(), "\n"))


COMMANDS = group.commands  # by name; filled by what follows


@group.command()
@click.argument("new", callback=arguments.check_nick, metavar="NICK")
@click.pass_obj
async def nick(chat: Chat, new: str) -> None:
    """Change your nick."""
    await chat.client.rename(new)
    chat.restyle()
    if not chat.client.online:
        chat.tell(chat.style.dim(f"You are {escape_controls(new)} as soon as the broker is back."))


def _rooms(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:
    """Return the rooms in `#a,#b` (a click callback)."""
    rooms: tuple[str, ...] = arguments.check_room(ctx, param, tuple(filter(None, value.split(","))))
    if not rooms:
        raise click.BadParameter("say which room.")
    return rooms


@group.command()
@click.argument("rooms", callback=_rooms)
@click.pass_obj
async def join(chat: Chat, rooms: tuple[str, ...]) -> None:
    """Enter a room, or several (`/join #a,#b`), or turn to one you are in."""
    for room in reversed(rooms):
        if room in chat.client.rooms:
            chat.turn_to(f"#{room}")
            chat.tell(chat.style.dim(f"You speak in #{escape_controls(room)} now."))
        else:
            await chat.enter(room)


@group.command()
@click.argument("nick", callback=arguments.check_partner)
@click.pass_obj
async def query(chat: Chat, nick: str) -> None:
    """Talk to one person only, until you /join a room again."""
    await chat.talk_to(nick)


@group.command()
@click.argument("room", callback=arguments.check_room, required=False)
@click.pass_obj
async def part(chat: Chat, room: str | None) -> None:
    """Leave a room, by default the one you speak in."""
    where = room or chat.room
    if where is None:
        chat.tell(lookup.no_room(chat))
    else:
        await chat.leave(where)


@group.command()
@click.argument("seq", type=arguments.Whole(1, m.SEQ_MAX))
@click.argument("text", type=REST)
@click.pass_obj
async def reply(chat: Chat, seq: int, text: str) -> None:
    """Reply to a message; Tab after /reply shows the numbers."""
    await chat.say(text, reply_to=seq)


@group.command()
@click.argument("text", type=REST)
@click.pass_obj
async def me(chat: Chat, text: str) -> None:
    """Say what you do: `/me waves` is `* alice waves`."""
    await chat.say(text, kind="action")


@group.command()
@click.argument("nick", callback=arguments.check_nick)
@click.argument("text", type=REST)
@click.pass_obj
async def msg(chat: Chat, nick: str, text: str) -> None:
    """Say something to one person only."""
    await chat.say(text, to=nick)


@group.command()
@click.argument("room", callback=arguments.check_room, required=False)
@click.pass_obj
async def who(chat: Chat, room: str | None) -> None:
    """Show who is in a room, by default yours."""
    where = room or chat.room
    answer = await chat.ask(m.Who(room=where), m.Roster)
    _show(chat, render.members(answer.members, chat.style), "Nobody is there.")


@group.command()
@click.pass_obj
async def rooms(chat: Chat) -> None:
    """Show the rooms there are."""
    answer = await chat.ask(m.ListRooms(), m.Rooms)
    _show(chat, render.rooms(answer.rooms, chat.style), "There is no room yet.")


@group.command()
@click.argument("text", type=REST, required=False)
@click.pass_obj
async def topic(chat: Chat, text: str | None) -> None:
    """Set the topic of the room, or show it."""
    if chat.room is None:
        chat.tell(lookup.no_room(chat))
    elif text:
        await chat.set_topic(chat.room, text)
    else:
        answer = await chat.ask(m.ListRooms(), m.Rooms)
        found = [
            f"The topic is: {escape_controls(one.topic, ' ')}"
            for one in answer.rooms
            if one.room == chat.room and one.topic
        ]
        _show(chat, found, "There is no topic. Set one with /topic TEXT.")


@group.command()
@click.argument("text", type=REST, required=False)
@click.pass_obj
async def away(chat: Chat, text: str | None) -> None:
    """Say that you are away; without TEXT, that you are back."""
    await chat.ask(m.Away(text=text or None), m.Ok)
    chat.is_away = bool(text)
    chat.tell(chat.style.dim("You are marked as away." if text else "You are back."))


@group.command()
@click.argument("count", metavar="[COUNT|TIME]", default="50")
@click.pass_obj
async def history(chat: Chat, count: str) -> None:
    """Show the last COUNT messages (50), or all since 10m, 2h, 1d ago."""
    if not lookup.nowhere(chat):
        with _explained():
            await lookup.history(chat, count)


@group.command(hidden=True)
@click.pass_obj
async def older(chat: Chat) -> None:
    """Show the page before the oldest message shown; so does PgUp."""
    if not lookup.nowhere(chat):
        await lookup.older(chat)


@group.command()
@click.argument("text", type=REST)
@click.pass_obj
async def search(chat: Chat, text: str) -> None:
    """Find messages, in any room, that hold all words of TEXT ("a phrase", begin*)."""
    await lookup.search(chat, text)


@group.command()
@click.argument("seq", type=arguments.Whole(1, m.SEQ_MAX))
@click.pass_obj
async def jump(chat: Chat, seq: int) -> None:
    """Show what was said around a message that /search found."""
    await lookup.jump(chat, seq)


@group.command()
@click.argument("file", type=REST, required=False)
@click.pass_obj
async def export(chat: Chat, file: str | None) -> None:
    """Write all that was said here to a new FILE (.json: as the broker's lines)."""
    if lookup.nowhere(chat):
        return
    where = (chat.room or chat.partner or "").replace("/", "-")
    path = _file(file or f"{where}-{datetime.now().astimezone():%Y-%m-%d-%H%M%S}.txt")
    try:
        count = await lookup.export(chat, path)
    except FileExistsError:
        chat.tell(f"{escape_controls(str(path))} is there already: choose another name.")
    else:
        chat.tell(f"Wrote {render.counted(count, 'message')} to {escape_controls(str(path))}.")


@group.command()
@click.argument("nick", callback=arguments.check_nick)
@click.pass_obj
async def whois(chat: Chat, nick: str) -> None:
    """Show somebody's rooms and id, how long they are idle, and whether they are away."""
    answer = await chat.ask(m.Who(nick=nick), m.Roster)
    ids = [f"id {escape_controls(one.from_)}" for one in answer.members]
    _show(chat, [*render.members(answer.members, chat.style), *ids], "Nobody of this name is here.")


@group.command(name="set")
@click.argument("name", required=False)
@click.argument("value", type=REST, required=False)
@click.pass_obj
async def set_(chat: Chat, name: str | None, value: str | None) -> None:
    """Show all preferences, or set one; it is kept."""
    if name is None:
        chat.show("\n".join(_settings(chat.preferences, shutil.get_terminal_size().columns)))
        return
    with _explained():
        if value is not None:
            chat.prefer(preferences.changed(chat.preferences, name, value))
        now = escape_controls(preferences.as_typed(getattr(chat.preferences, preferences.require(name))))
        chat.tell(chat.style.dim(f"{name} is {now or 'empty'}; it may be {preferences.explain(name)[0]}"))


@group.command()
@click.argument("mode", type=click.Choice(["off", "mentions", "all"]), required=False)
@click.pass_obj
async def bell(chat: Chat, mode: str | None) -> None:
    """Choose when the terminal rings; without a choice, tell when it does."""
    if mode is not None:
        chat.prefer(preferences.changed(chat.preferences, "bell", mode))
    chat.tell(chat.style.dim(f"The bell is: {chat.preferences.bell}."))


@group.command()
@click.argument("nick", callback=arguments.check_nick, required=False)
@click.pass_obj
async def ignore(chat: Chat, nick: str | None) -> None:
    """Hide what somebody says, or show it again; without NICK, list who is hidden."""
    _toggle(chat, "ignore", nick, "You ignore")


@group.command()
@click.argument("word", required=False)
@click.pass_obj
async def highlight(chat: Chat, word: str | None) -> None:
    """Count a word as a mention of you, or no longer; without WORD, list such words."""
    _toggle(chat, "highlight", word, "These words mention you")


@group.command()
@click.pass_obj
async def clear(chat: Chat) -> None:
    """Clear the screen; nothing is lost by it."""
    chat.output.clear()


@group.command(name="help")
@click.argument("command", required=False)
@click.pass_obj
async def help_(chat: Chat, command: str | None) -> None:
    """Show the commands, or how to use one."""
    if command is None:
        chat.show("\n".join(overview(shutil.get_terminal_size().columns)))
        return
    found = find(command.removeprefix("/"))
    columns = shutil.get_terminal_size().columns
    context = click.Context(found, info_name=f"/{found.name}", terminal_width=columns)
    chat.show(found.get_help(context))


@group.command(name="exit")
@click.pass_obj
async def exit_(chat: Chat) -> None:
    """Leave (so do `exit`, /quit and Ctrl-D)."""
    chat.leaving = True


group.add_command(exit_, "quit")


def _settings(now: preferences.Preferences, columns: int) -> list[str]:
    """Return all preferences, each with its value, its choices and its purpose, for a terminal of this width."""
    known = [(field.name, *preferences.explain(field.name)) for field in preferences.FIELDS]
    rows = [(name, escape_controls(preferences.as_typed(getattr(now, name))), shape) for name, shape, _ in known]
    indent = _indent_of_last_column(rows, columns)
    lines = []
    for line, (_, _, what) in zip(render.table(rows, render.Style()), known, strict=True):
        lines += [render.wrap(line, columns, indent), render.wrap(indent + what, columns, indent)]
    return lines


def _indent_of_last_column(rows: Sequence[tuple[str, ...]], columns: int) -> str:
    """Return an indent as wide as all columns but the last, or a short one if the terminal is too narrow."""
    before = sum(max(map(render.width, column)) + 2 for column in list(zip(*rows, strict=True))[:-1])
    return " " * (before if columns > 2 * before else 8)


def overview(columns: int = 80) -> list[str]:
    """Return a line for each command, for a terminal of this width."""
    rows = []
    for name, command in sorted(COMMANDS.items()):
        if name == command.name and not command.hidden:
            context = click.Context(command, info_name=f"/{name}")
            usage = " ".join([f"/{name}", *command.collect_usage_pieces(context)])
            rows.append((usage, command.get_short_help_str(200)))
    typed = [("exit", "Leave."), ("//text", "Say /text.")]
    indent = _indent_of_last_column(rows, columns)
    return [render.wrap(line, columns, indent) for line in render.table([*rows, *typed], render.Style())]


def _show(chat: Chat, lines: list[str], nothing: str) -> None:
    chat.show("\n".join(lines) if lines else chat.style.dim(nothing))


def _file(name: str) -> Path:
    """Return the path that somebody typed; `~` is the home folder."""
    return Path(name.replace("\0", "")).expanduser()


def _toggle(chat: Chat, field: str, word: str | None, told: str) -> None:
    """Add a word to a list of the preferences, or remove it if it is there; then tell what is in the list."""
    words: tuple[str, ...] = getattr(chat.preferences, field)
    if word is not None:
        kept = [one for one in words if one.casefold() != word.casefold()]
        kept += [word] if len(kept) == len(words) else []
        with _explained():
            chat.prefer(preferences.changed(chat.preferences, field, " ".join(kept)))
        words = getattr(chat.preferences, field)
    chat.tell(
        chat.style.dim(f"{told}: {escape_controls(', '.join(words)) or 'nobody' * (field == 'ignore') or 'none'}.")
    )


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Turn the error of a value into a usage error."""
    try:
        yield
    except KeyError as error:
        raise click.UsageError(f"There is no preference {error}. /set shows them.") from None
    except ValueError as error:
        raise click.UsageError(str(error)) from None
