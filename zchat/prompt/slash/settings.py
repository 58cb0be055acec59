"""Slash commands about preferences and the screen."""

import shutil

import click

from zchat.escapes import escape_controls

from .. import arguments, preferences, render, tables
from ..chat import Chat
from ..dispatch import REST, group
from .answers import explained


@group.command(name="set")
@click.argument("name", required=False)
@click.argument("value", type=REST, required=False)
@click.pass_obj
async def set_(chat: Chat, name: str | None, value: str | None) -> None:
    """Show all preferences, or set one; it is kept."""
    if name is None:
        chat.show("\n".join(_settings(chat.preferences, shutil.get_terminal_size().columns)))
        return
    with explained():
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


def _settings(now: preferences.Preferences, columns: int) -> list[str]:
    """Return all preferences, each with its value, its choices and its purpose, for a terminal of this width."""
    known = [(field.name, *preferences.explain(field.name)) for field in preferences.FIELDS]
    rows = [(name, escape_controls(preferences.as_typed(getattr(now, name))), shape) for name, shape, _ in known]
    indent = tables.indent_of_last_column(rows, columns)
    lines = []
    for line, (_, _, what) in zip(tables.table(rows, render.Style()), known, strict=True):
        lines += [render.wrap(line, columns, indent), render.wrap(indent + what, columns, indent)]
    return lines


def _toggle(chat: Chat, field: str, word: str | None, told: str) -> None:
    """Add a word to a list of the preferences, or remove it if it is there; then tell what is in the list."""
    words: tuple[str, ...] = getattr(chat.preferences, field)
    if word is not None:
        kept = [one for one in words if one.casefold() != word.casefold()]
        kept += [word] if len(kept) == len(words) else []
        with explained():
            chat.prefer(preferences.changed(chat.preferences, field, " ".join(kept)))
        words = getattr(chat.preferences, field)
    chat.tell(
        chat.style.dim(f"{told}: {escape_controls(', '.join(words)) or 'nobody' * (field == 'ignore') or 'none'}.")
    )
