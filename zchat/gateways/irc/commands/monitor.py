"""MONITOR: + and -, C, L, S."""

from zchat.gateways.irc.client import Answer, Client
from zchat.gateways.irc.core.lines import Line
from zchat.gateways.irc.core.names import folded
from zchat.gateways.irc.core.numerics import MONITORED_MAX, reply, told
from zchat.gateways.irc.monitoring import changes, here_of, rows


async def monitor(client: Client, got: Line, answer: Answer) -> None:
    """MONITOR."""
    sub = got.params[0].upper()
    names = [name for name in (got.params[1] if len(got.params) > 1 else "").split(",") if name]
    if sub == "+":
        await _add(client, names, answer)
    elif sub == "-":
        for name in map(folded, names):
            client.monitored.pop(name, None)
            client.asked_as.pop(name, None)
    elif sub == "C":
        client.monitored.clear()
        client.asked_as.clear()
    elif sub == "L":
        answer.send(*rows(client, "732", client.asked_as.values()), reply("733", client.me))
    elif sub == "S":
        client.monitored = dict.fromkeys(client.monitored)
        await _tell(client, answer)


async def _add(client: Client, names: list[str], answer: Answer) -> None:
    for at, name in enumerate(names):
        if folded(name) not in client.monitored and len(client.monitored) >= MONITORED_MAX:
            rest = ",".join(names[at:])
            answer.send(told("734", client.me, str(MONITORED_MAX), rest, "Monitor list is full."))
            break
        client.monitored[folded(name)] = None
        client.asked_as[folded(name)] = name
    await _tell(client, answer)


async def _tell(client: Client, answer: Answer) -> None:
    """Tell at once of those of whom nothing was told."""
    if client.monitored:
        asked = tuple(client.monitored)
        answer.send(*changes(client, await here_of(client, asked), asked))
