"""What a client asks the server: PING, MOTD, LUSERS, VERSION, TIME, INFO and the like; and its way out, QUIT."""

from datetime import UTC, datetime
from typing import cast

from zchat.gateways.irc.client import Answer, Client
from zchat.gateways.irc.core.lines import Line, line
from zchat.gateways.irc.core.numerics import SERVER, reply, supported, told
from zchat.protocol import messages as m
from zchat.version import __version__

MOTD = (
    "This is zchat, seen through IRC. Rooms are channels: /list shows them.",
    "",
    "  /join #+room     a private room, which you were let into",
    "  /msg nick        also to members who are not here: they read it later",
    "  /topic, /away, /nick, /kick, /invite   as you know them",
    "  /msg *zchat help to edit, delete, pin and react, and for moderators",
    "",
    "An edit comes as a line that begins with a star; files, pins and the like as words in [brackets].",
    "With a client certificate: CERT ADD lets it stand for your password.",
)


async def ping(client: Client, got: Line, answer: Answer) -> None:
    """PING."""
    answer.send(line(SERVER, "PONG", SERVER, got.params[0]))


async def pong(client: Client, got: Line, answer: Answer) -> None:
    """PONG: any line is a sign of life."""


async def quit_(client: Client, got: Line, answer: Answer) -> None:
    """QUIT."""
    client.leaving = got.params[0] if got.params else ""
    client.wire.end("it has quit", [line(None, "ERROR", "Closing link: quit")])


async def motd(client: Client, got: Line, answer: Answer) -> None:
    """MOTD."""
    answer.send(*motd_lines(client.me))


def motd_lines(nick: str) -> list[Line]:
    """Return the message of the day."""
    begin = told("375", nick, f"- {SERVER} Message of the day - ")
    return [begin, *(told("372", nick, f"- {text}") for text in MOTD), reply("376", nick)]


async def lusers(client: Client, got: Line, answer: Answer) -> None:
    """LUSERS."""
    status = cast(m.Status, await client.carried.person.client.ask(m.AskStatus()))
    answer.send(*lusers_lines(client, status.sessions, status.rooms))


def lusers_lines(client: Client, sessions: int, rooms: int) -> list[Line]:
    """Return how many are here."""
    me, here, most_here = client.me, client.gateway.count, client.gateway.most
    most = max(sessions, most_here)
    return [
        told("251", me, f"There are {sessions} users and 0 invisible on 1 servers"),
        told("252", me, "0", "operator(s) online"),
        told("253", me, str(client.gateway.unknown), "unknown connection(s)"),
        told("254", me, str(rooms), "channels formed"),
        told("255", me, f"I have {here} clients and 0 servers"),
        told("265", me, str(here), str(most_here), f"Current local users {here}, max {most_here}"),
        told("266", me, str(sessions), str(most), f"Current global users {sessions}, max {most}"),
    ]


async def version(client: Client, got: Line, answer: Answer) -> None:
    """VERSION."""
    answer.send(told("351", client.me, f"zchat-{__version__}", SERVER, "zchat through IRC"), *supported(client.me))


async def time(client: Client, got: Line, answer: Answer) -> None:
    """TIME."""
    answer.send(told("391", client.me, SERVER, datetime.now(UTC).strftime("%A %B %d %Y -- %H:%M:%S UTC")))


async def info(client: Client, got: Line, answer: Answer) -> None:
    """INFO."""
    answer.send(told("371", client.me, f"zchat {__version__}: team chat over ZeroMQ"), reply("374", client.me))


async def admin(client: Client, got: Line, answer: Answer) -> None:
    """ADMIN."""
    me = client.me
    answer.send(
        told("256", me, SERVER, "Administrative info"),
        told("257", me, "Whoever runs this gateway"),
        told("258", me, "The owners of the chat: /who shows them with a ~"),
        told("259", me, "nobody@localhost"),
    )


async def links(client: Client, got: Line, answer: Answer) -> None:
    """LINKS."""
    answer.send(told("364", client.me, SERVER, SERVER, "0 zchat"), told("365", client.me, "*", "End of /LINKS list"))


async def stats(client: Client, got: Line, answer: Answer) -> None:
    """STATS."""
    answer.send(reply("219", client.me, got.params[0][:1] if got.params else "*"))


async def oper(client: Client, got: Line, answer: Answer) -> None:
    """OPER: nobody becomes an operator."""
    answer.send(reply("491", client.me))


async def no_operators(client: Client, got: Line, answer: Answer) -> None:
    """What operators do: there are none, what zchat has instead are roles."""
    answer.send(reply("481", client.me))


async def reregister(client: Client, got: Line, answer: Answer) -> None:
    """USER and PASS once more."""
    answer.send(reply("462", client.me))


async def cap(client: Client, got: Line, answer: Answer) -> None:
    """CAP, while one is in."""
    client.wire.send(client.scene.caps.receive(SERVER, client.me, got.params, registered=True))
    answer.later()
