"""A function as a command of the chat: click parses the text by the function's annotations.

`async def roll(ctx, sides: int = 6, *, loud: bool = False)` is `!roll [SIDES] [--loud]`. A parameter before the star is
an argument, one behind it is an option, and `*words` takes all other words. If the text does not fit, click says what
is wrong in its usual words, but it never prints or exits. Words are split as in a shell: quotes hold a text together,
also the typographic ones that keyboards insert. An apostrophe is only an apostrophe.
"""

import enum
import inspect
import types
import typing
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Literal

import click
import regex


class WrongCallError(Exception):
    """The text does not fit the command; `str()` is click's usage line and what is wrong."""


class Command:
    """A handler and the click command that parses its arguments."""

    def __init__(self, call: Callable[..., Any], name: str | None) -> None:
        self.call = call
        self.name = normal(name or call.__name__)
        parameters = list(inspect.signature(call).parameters.values())[1:]  # without ctx
        hints = typing.get_type_hints(call, include_extras=True)
        self._rest = next((each.name for each in parameters if each.kind is each.VAR_POSITIONAL), None)
        self._positional = [each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
        self._click = click.Command(
            self.name,
            params=[_parameter(each, hints.get(each.name, _guess(each.default))) for each in parameters],
            help=inspect.getdoc(call),
            add_help_option=False,
            options_metavar="[OPTIONS]" if any(each.kind is each.KEYWORD_ONLY for each in parameters) else "",
        )

    def parse(self, text: str, prefix: str) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments for the function. Raises WrongCallError."""
        try:
            context = self._click.make_context(f"{prefix}{self.name}", split(text), terminal_width=100)
        except click.UsageError as error:
            usage = error.ctx.get_usage() + "\n" if error.ctx else ""
            raise WrongCallError(usage + error.format_message()) from None
        values = context.params
        positional = [values.pop(name.lower()) for name in self._positional]
        rest = values.pop(self._rest.lower()) if self._rest else ()
        return [*positional, *rest], values

    def help(self, prefix: str) -> str:
        """Return click's help: usage, docstring, options."""
        return self._click.get_help(self._context(prefix))

    def summary(self, prefix: str) -> str:
        """Return a line for the list of commands."""
        pieces = " ".join(self._click.collect_usage_pieces(self._context(prefix))).strip()
        usage = f"{prefix}{self.name} {pieces}".strip()
        short = self._click.get_short_help_str(80)
        return f"{usage} – {short}" if short else usage

    def _context(self, prefix: str) -> click.Context:
        return click.Context(self._click, info_name=f"{prefix}{self.name}", terminal_width=100)


def normal(name: str) -> str:
    """Return a command's name as it is looked up."""
    return name.casefold().replace("_", "-")


def split(text: str) -> list[str]:
    """Split a text into words, as a shell does. But a quote opens only before a word and closes only behind one.

    So a quote within a word, or one that is never closed, is a character like any other (`don’t`, `5"`).
    """
    words: list[list[str]] = [[]]
    for piece in _pieces(text):
        if piece is None:
            words.append([])
        else:
            words[-1].append(piece)
    return ["".join(word) for word in words if word]


class _Quotes:
    """Quotes that close each other, because habits differ („a“, „a”, ”a”), and what the text between them means."""

    def __init__(self, quotes: str, inside: str, text: Callable[[str], str]) -> None:
        self.quotes = quotes
        self.span = regex.compile(rf"[{quotes}]({inside}*?)[{quotes}](?!\w)", regex.DOTALL)
        self.text = text


_ESCAPED = regex.compile(r'\\([\\"“”„‟])')
_KINDS = (
    _Quotes('"“”„‟', r"(?:\\.|[^\\])", lambda text: _ESCAPED.sub(r"\1", text)),
    _Quotes("'‘’‚‛", ".", str),
    _Quotes("«»", ".", str.strip),  # the French put blanks inside
    _Quotes("‹›", ".", str.strip),
)
_KIND = {quote: kind for kind in _KINDS for quote in kind.quotes}
_IN_A_WORD = regex.compile(r"\w")


def _pieces(text: str) -> Iterator[str | None]:
    """Yield the pieces of words; None separates two words."""
    at = 0
    open_ended = set[_Quotes]()  # each is searched in vain only once: the text is a stranger's, and may be long
    while at < len(text):
        here = text[at]
        kind = None if at and _IN_A_WORD.match(text, at - 1) else _KIND.get(here)
        span = kind.span.match(text, at) if kind and kind not in open_ended else None
        if kind and span:
            yield kind.text(span[1])
            at = span.end()
            continue
        if kind:
            open_ended.add(kind)
        escapes = here == "\\" and at + 1 < len(text)
        yield text[at + 1] if escapes else None if here.isspace() else here
        at += 1 + escapes


def _parameter(of: inspect.Parameter, hint: Any) -> click.Parameter:
    """Return the click parameter for one of a function's. Raises TypeError for **fields."""
    if of.kind is of.VAR_KEYWORD:
        raise TypeError(f"a command cannot take **{of.name}: name its options")
    kind, optional = _kind(hint)
    if of.kind is of.VAR_POSITIONAL:
        return click.Argument([of.name], nargs=-1, type=kind)
    given: dict[str, Any] = {"type": kind, "required": of.default is of.empty and not optional}
    if not given["required"]:
        given["default"] = None if of.default is of.empty else of.default
    if of.kind is not of.KEYWORD_ONLY:
        return click.Argument([of.name], **given)
    names = [of.name, f"--{of.name.replace('_', '-')}"]
    if kind is bool:
        return click.Option(names, is_flag=True, default=bool(given.get("default")))
    return click.Option(names, **given, show_default=given.get("default") is not None)


def _guess(default: Any) -> Any:
    """Return the type of a parameter without an annotation."""
    return str if default is inspect.Parameter.empty or default is None else type(default)


def _kind(hint: Any) -> tuple[Any, bool]:
    """Return what click converts to, and whether None will do."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        given = next((extra for extra in args[1:] if isinstance(extra, click.ParamType)), None)
        return (given, False) if given else _kind(args[0])
    if origin in (typing.Union, types.UnionType):
        inner = [arg for arg in args if arg is not type(None)]
        return _kind(inner[0])[0] if len(inner) == 1 else str, len(inner) < len(args)
    if origin is Literal:
        return click.Choice(args), False
    if inspect.isclass(hint) and issubclass(hint, enum.Enum):
        return click.Choice(hint), False
    if hint is datetime:
        return click.DateTime(), False
    return (str if hint in (Any, inspect.Parameter.empty) else hint), False
