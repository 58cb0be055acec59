"""Options mean the same, and are called the same, in every command."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import click
import pytest

from zchat.cli import COMMANDS, SHARED, options, zchat
from zchat.prompt import arguments
from zchat.prompt.shared import TABLE
from zchat.protocol import names

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def commands() -> dict[str, click.Command]:
    context = click.Context(zchat)
    found = {name: zchat.get_command(context, name) for name in COMMANDS}
    return {name: command for name, command in found.items() if command is not None}


def options_of(command: click.Command, name: str) -> Iterator[tuple[str, str, object]]:
    """Yield (command, long option, variable) for a command and all in it."""
    for param in command.params:
        if isinstance(param, click.Option):
            yield name, next(option for option in param.opts if option.startswith("--")), param.envvar
    for inner, below in getattr(command, "commands", {}).items():
        yield from options_of(below, f"{name} {inner}")


def test_every_option_has_its_environment_variable() -> None:
    found = [each for name, command in commands().items() for each in options_of(command, name)]
    without = {(name, long) for name, long, variable in found if variable is None}
    without -= {(name, "--room") for name in SHARED}  # where somebody is muted is said each time
    assert without == {
        ("bot run", "--room"),  # the bot itself reads ZCHAT_ROOM, where several stand with spaces
        ("bot run", "--reload"),  # these two are of one call
        ("bot new", "--in"),
        ("hook new", "--nick"),  # not one's own, as ZCHAT_NICK is
        ("hook new", "--kind"),  # ZCHAT_KIND is what `tail --run` tells of a message
    }
    for name, long, variable in found:
        if variable is not None:
            word, gateway = long[2:].upper().replace("-", "_"), name.split()[0].upper()
            # a gateway has a name of its own for what means another thing at the broker, as where it listens
            assert variable == f"ZCHAT_{word}" or (
                gateway in {"WEB", "IRC", "MCP"} and variable == f"ZCHAT_{gateway}_{word}"
            )


def test_the_shell_has_every_command_that_the_prompt_shares_with_it() -> None:
    assert {name.split()[0] for name in TABLE} == {*SHARED, "web"}  # there it is `zchat web link`


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example_in_its_help(name: str) -> None:
    help_ = commands()[name].get_help(click.Context(commands()[name], info_name=name))
    assert re.search(rf"^ +.*zchat {name}", help_.partition("Example")[2], re.MULTILINE)


def test_one_short_option_means_one_thing() -> None:
    meanings: dict[str, set[str]] = {}
    for command in commands().values():
        for param in command.params:
            if isinstance(param, click.Option):
                for short in param.opts:
                    if not short.startswith("--"):
                        meanings.setdefault(short, set()).add(max(param.opts, key=len))
    assert meanings.pop("-n") == {"--lines", "--limit"}  # both are a number of events
    assert all(len(long) == 1 for long in meanings.values())


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("10m", NOW - timedelta(minutes=10)),
        ("2h", NOW - timedelta(hours=2)),
        ("1d", NOW - timedelta(days=1)),
        ("1w", NOW - timedelta(weeks=1)),
        ("2026-11-22T05:30:00Z", datetime(2026, 11, 22, 5, 30, tzinfo=UTC)),
        ("2026-11-22T05:30:00.5+02:00", datetime(2026, 11, 22, 3, 30, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_since_takes_a_length_of_time_or_a_moment(text: str, moment: datetime) -> None:
    assert arguments.since(text, NOW) == moment


def test_a_moment_without_an_offset_is_local() -> None:
    assert arguments.since("2026-11-22", NOW) == datetime(2026, 11, 22).astimezone()


@pytest.mark.parametrize("text", ["", "m", "10", "10x", "-1m", "1.5h", "99999999999w", "tomorrow", "٣m", "2026-13-01"])
def test_since_refuses_what_is_no_time(text: str) -> None:
    with pytest.raises(click.BadParameter, match="no time"):
        options.check_since(click.Context(zchat), click.Option(["--since"]), text)


def test_rooms_and_nicks_are_prepared_as_the_broker_does() -> None:
    context, param = click.Context(zchat), click.Option(["--room"])
    assert arguments.check_room(context, param, "Dev") == "dev"
    assert arguments.check_room(context, param, ("#Dev", "dev", "ops")) == ("dev", "ops")
    assert arguments.check_nick(context, param, None) is None
    assert arguments.check_nick(context, param, "@Ann") == "Ann"
    with pytest.raises(click.BadParameter, match="slash"):
        arguments.check_nick(context, param, "a/b")


def test_who_takes_one_room_does_not_silently_take_the_last_of_several() -> None:
    context, param = click.Context(zchat), click.Option(["--room"])
    assert options.check_one_room(context, param, ("#Dev",)) == "dev"
    assert options.check_one_room(context, param, ()) is None
    with pytest.raises(click.BadParameter, match="more than once"):
        options.check_one_room(context, param, ("a", "b"))


@pytest.mark.parametrize("text", ["nan", "inf", "-inf"])
def test_a_number_is_a_finite_one(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"no finite number|not in the range"):
        options.Number(0)(text)
    assert options.Number(0)("2.5") == 2.5


@pytest.mark.parametrize(("text", "told"), [("many", "not a valid whole number"), ("0", "1 to 9")])
def test_what_is_no_number_within_the_bounds_is_told_in_plain_words(text: str, told: str) -> None:
    with pytest.raises(click.BadParameter, match=told):
        arguments.Whole(1, 9)(text)


@pytest.mark.parametrize(
    ("login", "nick"), [("alice", "alice"), ("Alice Smith", "Alice-Smith"), ("a/b", "guest"), ("x" * 40, "guest")]
)
def test_the_login_name_becomes_a_nick(monkeypatch: pytest.MonkeyPatch, login: str, nick: str) -> None:
    monkeypatch.setenv("LOGNAME", login)
    assert options.login_nick() == nick
    assert names.nick(nick) == nick
