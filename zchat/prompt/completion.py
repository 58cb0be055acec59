"""What Tab offers: the slash commands, and what the view knows.

Click knows the name and the type of each argument, and `BY_ARGUMENT` says what to offer for each name. So a new
command needs no line here.
"""

from collections.abc import Callable, Iterable, Iterator

import click
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from zchat.escapes import escape_controls

from . import preferences, render, slash
from .dispatch import REST
from .view import TerminalView

Found = Iterator[tuple[str, str]]  # a word, and a note about it


def _rooms(view: TerminalView) -> Found:
    for name, target in view.targets.all.items():
        if target.room is not None:
            yield name, f"{target.unread} unread" if target.unread else ""


def _nicks(view: TerminalView) -> Found:
    """Yield who is here (the latest speakers first), and whom one has talked with."""
    here = view.here
    spoke = list(reversed(here.spoke)) if here is not None else []
    members = view.client.members(here.room) if here is not None and here.room is not None else {}
    partners = [target.partner for target in view.targets.all.values() if target.partner is not None]
    for nick in dict.fromkeys([*(nick for nick in spoke if nick in members), *sorted(members), *partners]):
        if nick != view.client.nick:
            away = members[nick].away if nick in members else None
            yield nick, f"away: {escape_controls(away, ' ')}" if away is not None else ""


def _commands(_: TerminalView) -> Found:
    for name, command in sorted(slash.COMMANDS.items()):
        if not command.hidden:
            yield name, command.get_short_help_str(60)


def _messages(view: TerminalView) -> Found:
    here = view.here
    for event in reversed(here.recent if here is not None else ()):
        yield str(event.seq), render.excerpt(event)


def _preferences(_: TerminalView) -> Found:
    for field in preferences.FIELDS:
        yield field.name, preferences.explain(field.name)[1]


BY_ARGUMENT: dict[str, Callable[[TerminalView], Found]] = {
    "room": _rooms,
    "rooms": _rooms,
    "nick": _nicks,
    "command": _commands,
    "seq": _messages,
    "name": _preferences,
    "text": _nicks,
}


class Completions(Completer):
    """Completes the word before the cursor."""

    def __init__(self, view: TerminalView) -> None:
        self._view = view

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """Yield the completions of the word before the cursor."""
        before = document.text_before_cursor
        word = "" if not before or before[-1].isspace() else before.split()[-1]
        first = not before[: len(before) - len(word)].strip()
        if before.startswith("/") and not before.startswith("//"):
            found = self._slash(before, word)
        elif word.startswith("#"):
            found = _rooms(self._view)
        else:
            found = _nicks(self._view)
        after = "" if before.startswith("/") else ": " if first and not word.startswith("#") else " "
        wanted = word.casefold()
        for text, meta in found:
            matched = text.casefold().startswith(wanted) or text.lstrip("#").casefold().startswith(wanted)
            if matched:
                yield Completion(
                    text + (after or " "),
                    -len(word),
                    display=escape_controls(text),
                    display_meta=escape_controls(meta, " "),
                )

    def _slash(self, before: str, word: str) -> Found:
        """Yield the commands, or the choices for the argument at the cursor."""
        if " " not in before:
            return ((f"/{name}", meta) for name, meta in _commands(self._view))
        command = slash.COMMANDS.get(before[1:].split(" ", 1)[0])
        arguments = [param for param in command.params if isinstance(param, click.Argument)] if command else []
        given = len(before.split()) - 1 - bool(word)
        if not arguments:
            return iter(())
        argument = arguments[min(given, len(arguments) - 1)]
        if given >= len(arguments) and argument.nargs != -1 and argument.type is not REST:
            return iter(())
        return self._values(argument, before)

    def _values(self, argument: click.Argument, before: str) -> Found:
        if isinstance(argument.type, click.Choice):
            return ((str(choice), "") for choice in argument.type.choices)
        if argument.name == "value" and len(words := before.split()) > 1:
            return _choices(words[1])
        known = BY_ARGUMENT.get(argument.name or "")
        return known(self._view) if known is not None else iter(())


def _choices(name: str) -> Found:
    try:
        shape, _ = preferences.explain(name)
    except KeyError:
        return
    for value in shape.split("|") if "|" in shape else ():
        yield value, ""
