"""The commands of IRC, as a table: what carries each out, and how many parameters it needs."""

from collections.abc import Awaitable, Callable

from zchat.gateways.irc import history
from zchat.gateways.irc.client import Answer, Client
from zchat.gateways.irc.core.lines import Line

from . import helping, login, modes, monitor, persons, reading, rooms, server, talking, whois

Command = Callable[[Client, Line, Answer], Awaitable[None]]

COMMANDS: dict[str, tuple[Command, int]] = {
    "PRIVMSG": (talking.privmsg, 0),
    "NOTICE": (talking.privmsg, 0),
    "TAGMSG": (talking.tagmsg, 0),
    "REDACT": (talking.redact, 2),
    "BATCH": (talking.batch, 1),
    "JOIN": (rooms.join, 1),
    "PART": (rooms.part, 1),
    "TOPIC": (rooms.topic, 1),
    "NAMES": (rooms.names, 0),
    "LIST": (rooms.list_, 0),
    "MODE": (modes.mode, 1),
    "KICK": (rooms.kick, 2),
    "INVITE": (rooms.invite, 2),
    "NICK": (persons.nick, 0),
    "AWAY": (persons.away, 0),
    "SETNAME": (persons.setname, 0),
    "WHO": (persons.who, 0),
    "WHOIS": (whois.whois, 0),
    "WHOWAS": (whois.whowas, 0),
    "USERHOST": (persons.userhost, 1),
    "ISON": (persons.ison, 1),
    "MONITOR": (monitor.monitor, 1),
    "CHATHISTORY": (history.answer, 0),
    "MARKREAD": (reading.markread, 0),
    "CERT": (login.cert, 0),
    "AUTHENTICATE": (login.authenticate, 1),
    "CAP": (server.cap, 0),
    "PING": (server.ping, 1),
    "PONG": (server.pong, 0),
    "QUIT": (server.quit_, 0),
    "MOTD": (server.motd, 0),
    "LUSERS": (server.lusers, 0),
    "VERSION": (server.version, 0),
    "TIME": (server.time, 0),
    "INFO": (server.info, 0),
    "ADMIN": (server.admin, 0),
    "LINKS": (server.links, 0),
    "STATS": (server.stats, 0),
    "HELP": (helping.help_, 0),
    "OPER": (server.oper, 2),
    "KILL": (server.no_operators, 0),
    "REHASH": (server.no_operators, 0),
    "RESTART": (server.no_operators, 0),
    "WALLOPS": (server.no_operators, 0),
    "USER": (server.reregister, 0),
    "PASS": (server.reregister, 0),
}
