"""`zchat hook`: addresses to which other programs post what a bot says in a room. `zchat web` answers at them.

A hook is written into the gateway's folder, and the gateway notices at once. Its address is told once: of the token in
it the file has only the hash.
"""

import contextlib
import json as codec
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zchat.errors import RefusedError, UsageError
from zchat.escapes import escape_controls
from zchat.gateways.hooks.payloads import AUTO, KINDS
from zchat.prompt import arguments

from . import options, served
from .options import Connection, option

if TYPE_CHECKING:
    from zchat.client.client import ChatClient

URL = "http://127.0.0.1:8080"
READ_ONLY = (
    "zchat: {room} is read-only: what is posted is refused until {nick} is one of its operators, or a moderator: "
    "zchat operator {nick} --room {room}"
)
NO_MEMBER = (
    "A hook is made by a member, and this invitation is not used yet: come in by it yourself (zchat join LINK), and "
    "make the hook then. --nick is that of its bot, whom you invite by that."
)
SETUP = {  # where the address goes
    "github": "GitHub: Settings, Webhooks, Add webhook; content type application/json",
    "gitlab": "GitLab: Settings, Webhooks, Add new webhook",
    "gitea": "Gitea or Forgejo: Settings, Webhooks, Add webhook, Gitea or Forgejo; POST, application/json",
    "alertmanager": "Alertmanager: receivers: [{name: zchat, webhook_configs: [{url: ADDRESS}]}]",
    "grafana": "Grafana: Alerting, Contact points, Add contact point, Webhook",
    "sentry": "Sentry: Settings, Custom Integrations, Create New Integration, Internal; Webhook URL, Alert Rule Action",
    "uptime-kuma": "Uptime Kuma: Settings, Notifications, Setup Notification, Webhook; either content type",
    "healthchecks": "Healthchecks: Integrations, Webhook; POST, and $JSON as the body",
    "slack": "anywhere that asks for the URL of an incoming webhook of Slack",
}


@click.group(
    epilog="""
\b
Examples:
  zchat hook new --room builds --nick ci
  curl -d done http://127.0.0.1:8080/hook/TOKEN
  zchat hook list
"""
)
def hook() -> None:
    """Let other programs post into a room, each by an address."""


@hook.command(
    epilog="""
\b
Examples:
  zchat hook new --room builds --nick ci
  ZCHAT_SECRET=… zchat hook new --room builds --nick github --kind github
  zchat hook new --room +ops --nick alerts --url https://chat.example.org
"""
)
@options.connects()
@options.room("The room in which it is said.")
@click.option(
    "--nick", callback=arguments.check_nick, required=True, metavar="NICK", help="The nick of the bot that says it."
)
@click.option(
    "--kind", type=click.Choice(KINDS), default=AUTO, show_default=True, metavar="KIND",
    help=f"What will be posted: {', '.join(KINDS)}. By itself it finds out.",
)  # fmt: skip
@option("--secret", metavar="TEXT", help="Only who proves to know this may post; better given as a variable.")
@option(
    "--url", metavar="URL", show_default=f"where it says that it is, else {URL}",
    help="Where the sender reaches `zchat web`.",
)  # fmt: skip
@options.data
def new(
    *, connection: Connection, room: str, nick: str, kind: str, secret: str | None, url: str | None, data: Path
) -> None:
    """Make a hook, and print its address: whoever has that can post.

    Where one has to be invited, you invite the bot, into a private room as well. It stays a member. Several hooks may
    have the same nick.

    The secret is what you also tell the sender (GitHub's Secret, GitLab's Secret token or Signing token, Sentry's
    Client Secret, Grafana's HMAC Signature). Others send it as it is, in the header Authorization: Bearer SECRET.
    """
    from zchat.gateways.hooks import making  # noqa: PLC0415 — `--help` needs no sockets
    from zchat.gateways.hooks.book import hooks_of  # noqa: PLC0415

    async def ask() -> str:
        async with _who_asks(connection) as client:
            made, token, read_only = await making.make(
                client, connection.address, hooks_of(data), nick=nick, room=room, kind=kind, secret=secret or ""
            )
        click.echo(
            f"zchat: {made.nick} says in {made.room} what is posted to this address, as hook {made.id}:", err=True
        )
        if read_only:
            click.echo(READ_ONLY.format(nick=made.nick, room=made.room), err=True)
        return token

    server = served.only(data, connection.address) if url is None else None
    url = url or (URL if server is None else server.url)
    address = f"{url.rstrip('/')}/hook/{options.run_async(ask())}"
    click.echo(address)
    proof = " -H 'Authorization: Bearer SECRET'" if secret else ""
    click.echo(f"zchat: try it while `zchat web` runs: curl{proof} -d 'It works.' {address}", err=True)
    if kind in SETUP:
        click.echo(f"zchat: {SETUP[kind].replace('ADDRESS', address)}", err=True)
    click.echo("zchat: it is shown this once. Whoever has it can post; `zchat hook remove` ends that.", err=True)


@contextlib.asynccontextmanager
async def _who_asks(connection: Connection) -> AsyncIterator["ChatClient"]:
    """Connect as who makes the hook. The code of an invitation would bring them in, and not the bot."""
    async with contextlib.AsyncExitStack() as stack:
        try:
            client = await stack.enter_async_context(connection.member())
        except RefusedError as error:
            if error.code != "bad_nick" or connection.address.code is None:
                raise
            raise UsageError(NO_MEMBER) from None
        yield client


@hook.command("list")
@options.data
@option("--json", "json", is_flag=True, help="Print a line of JSON for each.")
def list_(*, data: Path, json: bool) -> None:
    """List the hooks."""
    from zchat.gateways.hooks.book import Book, hooks_of  # noqa: PLC0415 — as above

    hooks = Book(hooks_of(data)).read()
    if not hooks:
        click.echo("zchat: there is no hook. zchat hook new --room ROOM --nick NICK makes one.", err=True)
    for each in hooks:
        fields = {"id": each.id, "nick": each.nick, "room": each.room, "kind": each.kind, "signed": bool(each.secret)}
        fields |= {"made": each.made, "broker": each.broker}
        if json:
            click.echo(codec.dumps(fields))
        else:
            signed = "signed" if each.secret else ""
            where = f"{each.nick} in {each.room}"
            line = f"{each.id}  {where:28}  {each.kind:12}  {signed:6}  {each.made}  {each.broker}"
            click.echo(escape_controls(line))


@hook.command(
    epilog="""
\b
Example:
  zchat hook remove 3f2a91bc
"""
)
@options.data
@click.argument("name", metavar="ID")
def remove(*, data: Path, name: str) -> None:
    """Remove a hook: nobody can post to its address any more. Its bot stays a member, for another hook."""
    from zchat.gateways.hooks.book import Book, hooks_of  # noqa: PLC0415 — as above

    found = Book(hooks_of(data)).remove(name)
    click.echo(f"zchat: hook {found.id} of {found.nick} in {found.room} is removed.", err=True)
