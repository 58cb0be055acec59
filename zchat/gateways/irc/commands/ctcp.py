"""CTCP: what one client of IRC asks another one. zchat carries `/me`; the rest the gateway answers for whom it is.

Somebody has a terminal, a page and a phone, and none of these could answer. But clients do ask: to see who that is, and
how far away.
"""

from datetime import UTC, datetime

from zchat.gateways.irc.client import Answer, Client
from zchat.gateways.irc.core.lines import line
from zchat.gateways.irc.core.numerics import fail, reply
from zchat.version import __version__

from .persons import find

KNOWN = "ACTION CLIENTINFO PING TIME VERSION"


async def ctcp(client: Client, target: str, text: str, answer: Answer) -> None:
    """Answer a question of CTCP to a person; tell that it goes nowhere else."""
    name, _, rest = text.strip("\x01").partition(" ")
    words = _answer_to(name.upper(), rest)
    if words is None or target.startswith("#"):
        answer.send(fail("PRIVMSG", "CTCP_NOT_CARRIED", target, "CTCP is not carried to zchat, but for ACTION"))
    elif (member := await find(client, target)) is None:
        answer.send(reply("401", client.me, target))
    else:
        source = client.scene.mask(member.nick)
        answer.send(line(source, "NOTICE", client.me, f"\x01{name.upper()} {words}\x01"))


def _answer_to(name: str, rest: str) -> str | None:
    match name:
        case "VERSION":
            return f"zchat {__version__}, seen through IRC"
        case "PING":
            return rest
        case "TIME":
            return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        case "CLIENTINFO":
            return KNOWN
        case _:
            return None
