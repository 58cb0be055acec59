"""How slash commands answer."""

import contextlib
from collections.abc import Iterator

import click

from ..chat import Chat


def show(chat: Chat, lines: list[str], nothing: str) -> None:
    chat.show("\n".join(lines) if lines else chat.style.dim(nothing))


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn the error of a value into a usage error."""
    try:
        yield
    except KeyError as error:
        raise click.UsageError(f"There is no preference {error}. /set shows them.") from None
    except ValueError as error:
        raise click.UsageError(str(error)) from None
