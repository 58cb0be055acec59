"""Numerics, with the words that the modern IRC documentation gives them, and ISUPPORT."""

from .caps import MULTILINE_LINES
from .lines import LINE_MAX, Line, line
from .names import NICK_BYTES, ROOM_BYTES

SERVER = "irc.zchat"  # whom what the gateway says itself comes from: no nick is shown so, for it has no user and host
NETWORK = "zchat"
HISTORY_MAX = 500  # messages that CHATHISTORY returns at once
TARGETS_MAX = 4  # names in the first parameter of PRIVMSG and others
TOPIC_BYTES = 390
MONITORED_MAX = 100  # nicks that one connection is told of by MONITOR

WORDS = {
    "219": "End of /STATS report",
    "221": "",
    "263": "Please wait a while and try again",
    "302": "",
    "303": "",
    "305": "You are no longer marked as being away",
    "306": "You have been marked as being away",
    "315": "End of WHO list",
    "318": "End of /WHOIS list",
    "323": "End of /LIST",
    "331": "No topic is set",
    "335": "is a bot",
    "347": "End of channel invite list",
    "366": "End of /NAMES list",
    "368": "End of channel ban list",
    "369": "End of WHOWAS",
    "374": "End of /INFO list",
    "376": "End of /MOTD command",
    "391": "",
    "401": "No such nick/channel",
    "402": "No such server",
    "403": "No such channel",
    "404": "Cannot send to channel",
    "406": "There was no such nickname",
    "407": "Too many targets",
    "410": "There is no such CAP command",
    "411": "No recipient given",
    "412": "No text to send",
    "417": "Input line was too long",
    "421": "Unknown command",
    "422": "MOTD File is missing",
    "431": "No nickname given",
    "432": "Erroneous nickname",
    "433": "Nickname is already in use",
    "441": "They aren't on that channel",
    "442": "You're not on that channel",
    "443": "is already on channel",
    "451": "You have not registered",
    "461": "Not enough parameters",
    "462": "You may not reregister",
    "464": "Password incorrect",
    "465": "You are banned from this server",
    "472": "is unknown mode char to me",
    "473": "Cannot join channel (+i)",
    "476": "Bad Channel Mask",
    "481": "Permission Denied- You're not an IRC operator",
    "491": "No operators are made here: zchat has roles, which an owner gives",
    "482": "You're not channel operator",
    "501": "Unknown MODE flag",
    "502": "Cant change mode for other users",
    "524": "No help available on this topic",
    "531": "You cannot send messages to this user",
    "696": "Invalid mode parameter",
    "733": "End of MONITOR list",
    "903": "SASL authentication successful",
    "904": "SASL authentication failed",
    "905": "SASL message too long",
    "906": "SASL authentication aborted",
    "907": "You have already authenticated using SASL",
}


def reply(code: str, nick: str, *params: str) -> Line:
    """Return a numeric with its usual words."""
    words = WORDS[code]
    return line(SERVER, code, nick, *params, *((words,) if words else ()))


def told(code: str, nick: str, *params: str) -> Line:
    """Return a numeric whose words are the last of the parameters."""
    return line(SERVER, code, nick, *params)


SUPPORTED = (
    "CASEMAPPING=ascii",
    "CHANTYPES=#",
    "CHANMODES=b,,,Ainst",
    "PREFIX=(qov)~@+",
    "MODES=1",
    f"NETWORK={NETWORK}",
    f"NICKLEN={NICK_BYTES}",
    f"CHANNELLEN={ROOM_BYTES}",
    "CHANLIMIT=#:250",
    f"TOPICLEN={TOPIC_BYTES}",
    "AWAYLEN=390",
    "KICKLEN=390",
    "USERLEN=10",
    "HOSTLEN=64",
    f"LINELEN={LINE_MAX}",
    f"MAXTARGETS={TARGETS_MAX}",
    f"TARGMAX=PRIVMSG:{TARGETS_MAX},NOTICE:{TARGETS_MAX},TAGMSG:{TARGETS_MAX},JOIN:,PART:,KICK:1,NAMES:1,WHOIS:1,LIST:",
    "ELIST=MNU",
    "WHOX",
    "BOT=B",
    "UTF8ONLY",
    "SAFELIST",
    "CLIENTTAGDENY=*,-typing,-react,-draft/react,-draft/unreact,-reply,-draft/reply",
    f"CHATHISTORY={HISTORY_MAX}",
    "MSGREFTYPES=msgid,timestamp",
    f"MONITOR={MONITORED_MAX}",
)
_A_LINE = 12  # tokens: 15 parameters are the most that a line has


def supported(nick: str) -> list[Line]:
    """Return ISUPPORT."""
    rows = [SUPPORTED[at : at + _A_LINE] for at in range(0, len(SUPPORTED), _A_LINE)]
    return [line(SERVER, "005", nick, *row, "are supported by this server") for row in rows]


def welcome(nick: str, mask: str, version: str, since: str) -> list[Line]:
    """Return what a client is greeted with, through ISUPPORT."""
    return [
        line(SERVER, "001", nick, f"Welcome to {NETWORK}, {mask}"),
        line(SERVER, "002", nick, f"Your host is {SERVER}, running zchat-{version}"),
        line(SERVER, "003", nick, f"This server was started {since}"),
        line(SERVER, "004", nick, SERVER, f"zchat-{version}", "Bi", "Abinoqstv", "boqv"),
        *supported(nick),
    ]


def fail(command: str, code: str, *params: str, kind: str = "FAIL") -> Line:
    """Return a standard reply; the last parameter is for people."""
    return line(SERVER, kind, command, code, *params)


__all__ = ["HISTORY_MAX", "MULTILINE_LINES", "SERVER", "fail", "reply", "supported", "told", "welcome"]
