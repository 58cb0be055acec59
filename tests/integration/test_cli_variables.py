"""Variables of the environment: one name means one thing, in whatever command."""

from collections.abc import Iterator

import click
import pytest

from zchat.cli import zchat

COMMANDS = ("broker", "web", "irc", "mcp")
ONCE = ("listen", "url", "certificate", "key", "http", "tls", "metrics-token")


def options(name: str) -> Iterator[click.Option]:
    assert isinstance(zchat, click.Group)
    command = zchat.get_command(click.Context(zchat), name)
    assert command is not None
    yield from (each for each in command.params if isinstance(each, click.Option))


@pytest.mark.parametrize("name", COMMANDS)
def test_what_means_another_thing_elsewhere_has_the_name_of_its_command(name: str) -> None:
    for each in options(name):
        long = next(option for option in each.opts if option.startswith("--"))[2:]
        if name != "broker" and long in ONCE:
            assert each.envvar == f"ZCHAT_{name}_{long}".replace("-", "_").upper()


def test_no_two_of_them_read_where_to_listen_from_one_variable() -> None:
    found = [each.envvar for name in COMMANDS for each in options(name) if "--listen" in each.opts]
    assert sorted(map(str, found)) == ["ZCHAT_IRC_LISTEN", "ZCHAT_LISTEN", "ZCHAT_WEB_LISTEN"]
