"""What Tab offers: the slash commands, and what the view knows.

Click knows the name and the type of each argument, and `BY_ARGUMENT` says what to offer for each name. So a new
command needs no line here.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import click
from msgspec import structs
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from zchat import emojis
from zchat.escapes import escape_controls
from zchat.protocol import messages as m
from zchat.protocol import names

from . import preferences, said, slash
from .dispatch import REST, SlashCommand, group, split
from .view import TerminalView

Found = Iterator[tuple[str, str]]  # a word, and a note about it


def _rooms(view: TerminalView) -> Found:
    for name, target in view.targets.all.items():
        if target.room is not None and target.thread is None:
            typed = target.room if names.is_private(target.room) else name
            yield typed, f"{target.unread} unread" if target.unread else ""


def _nicks(view: TerminalView) -> Found:
    """Yield who is here (the latest speakers first), and whom one has talked with."""
    here = view.here
    spoke = list(reversed(here.spoke)) if here is not None else []
    members = view.client.members(here.room) if here is not None and here.room is not None else {}
    partners = [target.partner for target in view.targets.all.values() if target.partner is not None]
    for nick in dict.fromkeys([*(nick for nick in spoke if nick in members), *sorted(members), *partners]):
        if nick != view.client.nick:
            away = members[nick].away if nick in members else None
            yield nick, f"away: {away}" if away is not None else ""


def _commands(view: TerminalView) -> Found:
    """Yield the commands that one may use."""
    for name, command in sorted(slash.COMMANDS.items()):
        if isinstance(command, SlashCommand) and not command.hidden and command.is_for(view.client.role):
            yield name, command.get_short_help_str(60)


def _messages(view: TerminalView) -> Found:
    here = view.here
    for event in reversed(here.recent) if here is not None else ():
        if not isinstance(event, m.Tombstone):
            yield str(event.seq), said.excerpt(event)


def _own(view: TerminalView) -> Found:
    """Yield the messages that one has said."""
    here = view.here
    for event in reversed(here.recent) if here is not None else ():
        if event.from_ == view.client.from_ and isinstance(event, m.Message):
            yield str(event.seq), said.excerpt(event)


def _pinned(view: TerminalView) -> Found:
    here = view.here
    for event in reversed(here.recent) if here is not None else ():
        if isinstance(event, m.Message) and event.pinned:
            yield str(event.seq), said.excerpt(event)


def _with_files(view: TerminalView) -> Found:
    here = view.here
    for event in reversed(here.recent) if here is not None else ():
        if isinstance(event, m.Message) and event.files:
            names = ", ".join(one.name for one in event.files)
            yield str(event.seq), said.excerpt(structs.replace(event, text=f"{names}  {event.text}"))


def _emojis(_: TerminalView) -> Found:
    return emojis.names()


def _preferences(_: TerminalView) -> Found:
    for field in preferences.FIELDS:
        yield field.name, preferences.explain(field.name)[1]


BY_ARGUMENT: dict[str, Callable[[TerminalView], Found]] = {
    "room": _rooms,
    "rooms": _rooms,
    "nick": _nicks,
    "nicks": _nicks,
    "of": _nicks,
    "command": _commands,
    "number": _messages,
    "emoji": _emojis,
    "name": _preferences,
    "text": _nicks,
}


BY_COMMAND = {"edit": _own, "unpin": _pinned, "save": _with_files}  # where not all messages can be meant


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
        elif word.startswith(("#", names.PRIVATE)):
            found = _rooms(self._view)
        else:
            found = _nicks(self._view)
        after = "" if before.startswith("/") else ": " if first and not word.startswith(("#", names.PRIVATE)) else " "
        for text, meta in found:
            if _begins(text, word) or _tells_of(text, meta, word):
                yield Completion(
                    text if text.endswith("/") else text + (after or " "),
                    -len(word),
                    display=escape_controls(text),
                    display_meta=escape_controls(meta, " "),
                )

    def _slash(self, before: str, word: str) -> Found:
        """Yield the commands, or the choices for the argument or the option at the cursor."""
        if " " not in before:
            return ((f"/{name}", meta) for name, meta in _commands(self._view))
        name, _ = split(before)
        command = group.commands.get(name)
        if not isinstance(command, SlashCommand):
            return _second_words(self._view, name)
        words = before.split()[len(name.split()) :]
        words = words[:-1] if word else words
        if word.startswith("--"):
            return ((option.opts[-1], option.help or "") for option in command.options)
        options = {option.opts[-1]: option for option in command.options}
        if words and words[-1] in options:
            return self._values(options[words[-1]], before)
        return self._argument(command, _given(words, options), before)

    def _argument(self, command: SlashCommand, given: int, before: str) -> Found:
        """Yield the choices for an argument, behind so many others."""
        arguments = command.arguments
        if not arguments:
            return iter(())
        argument = arguments[min(given, len(arguments) - 1)]
        if given >= len(arguments) and argument.nargs != -1 and argument.type is not REST:
            return iter(())
        return self._values(argument, before)

    def _values(self, param: click.Parameter, before: str) -> Found:
        if isinstance(param.type, click.Choice):
            return ((str(choice), "") for choice in param.type.choices)
        if param.name == "value" and len(words := before.split()) > 1:
            return _choices(words[1])
        if param.name == "path":
            return _paths(before.rsplit(maxsplit=1)[-1] if not before[-1].isspace() else "")
        known = BY_ARGUMENT.get(param.name or "")
        if param.name == "number":
            known = BY_COMMAND.get(split(before)[0], known)
        return known(self._view) if known is not None else iter(())


def _second_words(view: TerminalView, name: str) -> Found:
    """Yield the second words of the commands that begin with this one: `add` and `list` for `device`."""
    for each, meta in _commands(view):
        first, _, second = each.partition(" ")
        if second and first == name:
            yield second, meta


def _given(words: list[str], options: Mapping[str, click.Option]) -> int:
    """Return how many of the words before the cursor are arguments: neither options nor their values."""
    behind = [False, *(word in options for word in words)]
    return sum(not is_value and word not in options for word, is_value in zip(words, behind, strict=False))


def _begins(text: str, word: str) -> bool:
    """Say whether a word is the beginning of a text; the signs before a room's name may be left away."""
    text, word = text.casefold(), word.casefold()
    return text.startswith(word) or text.lstrip("#").startswith(word.lstrip("#")) or text.lstrip("#+").startswith(word)


def _paths(begun: str) -> Found:
    """Yield the files and folders that a path may go on with."""
    folder, _, _ = begun.rpartition("/")
    place = Path(f"{folder}/" if folder or begun.startswith("/") else ".").expanduser()
    with contextlib.suppress(OSError):
        for each in sorted(place.iterdir()):
            if not each.name.startswith("."):
                path = f"{begun[: len(begun) - len(begun.rpartition('/')[2])]}{each.name}"
                yield f"{path}/" if each.is_dir() else path, ""


def _tells_of(text: str, meta: str, word: str) -> bool:
    """Say whether a word stands in the message of which this is the number."""
    return text.isdigit() and not word.isdigit() and word.casefold() in meta.casefold()


def _choices(name: str) -> Found:
    try:
        shape, _ = preferences.explain(name)
    except KeyError:
        return
    for value in shape.split("|") if "|" in shape else ():
        yield value, ""
