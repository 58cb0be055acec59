"""A command that the prompt and the shell share: `/mute bob 10m` and `zchat mute bob 10m` are one description.

Both are click commands that are made of it, in `prompt/slash/shared.py` and `cli/shared.py`. They differ in where one
is: at the prompt that is a room, so a command about a room is about this one; a shell has to say which. `Scene` is what
a command sees of either; `Result` is what it answers, for people and for programs.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import click

from zchat.errors import RefusedError
from zchat.protocol import messages as m
from zchat.protocol import wire

from .. import arguments
from ..render import Style

if TYPE_CHECKING:
    from zchat.client.client import ChatClient

_IN_ROOM = re.compile(r" is in (\S+)$")

Param = Callable[[bool], click.Parameter]  # is told whether it is for a shell


class Scene(Protocol):
    """Who asks, and where: at the prompt, or in a shell."""

    @property
    def client(self) -> "ChatClient":
        """Through which to ask; it is connected."""

    @property
    def style(self) -> Style:
        """How what is asked for looks."""

    @property
    def columns(self) -> int:
        """How wide the terminal is; 0 where there is none."""

    def typed(self, command: str, room: str | None = None) -> str:
        """Return how a command of this table is typed there, about a room perhaps."""

    async def enter(self, room: str) -> None:
        """Go to a room, where one can."""


@dataclass(frozen=True)
class Result:
    """What became of a command: `told` says what was done, `shown` is what was asked for, `lines` is for programs."""

    told: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    lines: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Command:
    """A command: its name in the shell and after a slash, and the action of `protocol/policy.py` that it is."""

    name: str
    action: str
    help: str
    run: Callable[..., Awaitable[Result]]  # given a Scene, and its parameters by name
    params: tuple[Param, ...] = ()
    examples: tuple[str, ...] = ()  # for a shell; the first one shows the command without options
    texts: bool = field(default=False)  # it ends with a text: what looks like an option, and is none, belongs to it
    speaks: bool = field(default=False)  # guests may do it, too, under a nick


async def perform(command: Command, scene: Scene, given: dict[str, Any]) -> Result:
    """Run a command. The broker knows people by their `from`, so its refusals are put in terms of nicks."""
    try:
        return await command.run(scene, **given)
    except RefusedError as error:
        nicks = given.get("nicks", (given.get("nick"),))
        if error.code == "unknown_nick" and nicks[0]:
            raise RefusedError(error.code, f"{nicks[0]} is not here") from None
        if error.code != "unknown_member" or "`from`" not in error.message or not nicks[0]:
            raise
        head, colon, what_to_do = error.message.partition(":")
        not_in = _IN_ROOM.search(head)
        if len(nicks) > 1:
            why = f"one of them is not in {not_in[1]}" if not_in else "one of them is no member"
        else:
            why = f"nobody called {nicks[0]} is in {not_in[1]}" if not_in else f"no member is called {nicks[0]}"
        raise RefusedError(error.code, why + colon + what_to_do) from None


def done(told: str, *replies: m.Reply) -> Result:
    """Return the result of something that was done, with what the broker has answered."""
    return Result((told,), (), tuple(wire.encode(reply) for reply in replies))


def argument(name: str, **settings: Any) -> Param:
    """Return an argument, the same in both."""
    return lambda shell: click.Argument([name], **settings)


def option(*names: str, **settings: Any) -> Param:
    """Return an option; in a shell it can also be set by its environment variable."""
    long = next(name for name in names if name.startswith("--"))

    def make(shell: bool) -> click.Parameter:
        variable = "ZCHAT_" + long[2:].replace("-", "_").upper()
        return click.Option([*names], **settings | ({"envvar": variable, "show_envvar": True} if shell else {}))

    return make


def of_room(help: str, *, needed: bool) -> Param:  # noqa: A002 — as click calls it
    """Return the option --room. At the prompt it means this room, or another one that it names.

    Where a room is `needed`, the prompt does without the option, too, and a shell has to have it.
    """

    def make(shell: bool) -> click.Parameter:
        if shell:
            names = ["-r", "--room"]
            return click.Option(names, callback=arguments.check_room, metavar="ROOM", required=needed, help=help)
        check = _this_room(needed)
        return click.Option(["--room"], callback=check, is_flag=False, flag_value="", metavar="[ROOM]", help=help)

    return make


def _this_room(needed: bool) -> Callable[[click.Context, click.Parameter, str | None], Any]:
    """Return a click callback for a room that may be the one in which one is."""

    def check(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
        if value or (value is None and not needed):
            return arguments.check_room(ctx, param, value)
        if ctx.obj.room is None:
            raise click.UsageError("You are in no room: name it, as in --room dev.", ctx)
        return ctx.obj.room

    return check
