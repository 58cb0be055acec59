"""HELP: what zchat is like through IRC, and of each command how it is written and what it does here."""

from zchat.gateways.irc.client import Answer, Client
from zchat.gateways.irc.core.lines import Line
from zchat.gateways.irc.core.numerics import reply, told

from .server import MOTD

USAGE = {
    "AWAY": "AWAY [TEXT]: you are away, with a text that others see; without one you are back.",
    "CERT": "CERT ADD, CERT DEL, CERT LIST: the certificate of your client stands for your password from now on.",
    "CHATHISTORY": "CHATHISTORY LATEST|BEFORE|AFTER|AROUND|BETWEEN TARGET WHERE [WHERE] COUNT: what was said before.",
    "INVITE": "INVITE NICK #ROOM: lets somebody into a private room, or tells them of a public one.",
    "ISON": "ISON NICK [NICK …]: who of these is here.",
    "JOIN": "JOIN #ROOM[,#ROOM …]: enters rooms. Whoever enters a public room that is not there makes it.",
    "KICK": "KICK #ROOM NICK [WHY]: a moderator makes somebody leave a room.",
    "LIST": "LIST [MASK]: the rooms. >5 and <50 are about how many are there.",
    "MARKREAD": "MARKREAD TARGET [timestamp=TIME]: through where you have read, on all of your devices.",
    "MODE": "MODE #ROOM +A or -A: only moderators and operators speak there, or all. MODE #ROOM +o NICK: an operator.",
    "MONITOR": "MONITOR + NICK[,NICK …], MONITOR - NICK[,NICK …], C, L, S: tells you when somebody comes or goes.",
    "NAMES": "NAMES [#ROOM]: who is in a room. ~ are owners, @ moderators, + members.",
    "NICK": "NICK NICK: you are called so from now on, on all of your devices.",
    "NOTICE": "NOTICE TARGET TEXT: says something that no bot answers.",
    "PART": "PART #ROOM[,#ROOM …] [WHY]: leaves rooms.",
    "PRIVMSG": "PRIVMSG TARGET TEXT: says something in a room, or to somebody, also to a member who is not here.",
    "QUIT": "QUIT [WHY]: ends this connection.",
    "REDACT": "REDACT TARGET MSGID [WHY]: takes a message back.",
    "SETNAME": "SETNAME NAME: what you are called besides the nick, for those who are at this gateway.",
    "TAGMSG": "TAGMSG TARGET, with tags: a reaction, or that you are typing.",
    "TOPIC": "TOPIC #ROOM [TEXT]: what a room is about.",
    "WHO": "WHO #ROOM or WHO NICK: who is there, and who is away.",
    "WHOIS": "WHOIS NICK: who somebody is, also a member who is not here.",
    "WHOWAS": "WHOWAS NICK [COUNT]: who had this nick and has gone.",
}  # fmt: skip


async def help_(client: Client, got: Line, answer: Answer) -> None:
    """HELP, or HELP about a command."""
    topic = got.params[0] if got.params else "*"
    texts = MOTD if topic == "*" else (USAGE.get(topic.upper(), ""),)
    if not texts[0]:
        answer.send(reply("524", client.me, topic))
        return
    lines = [told("705", client.me, topic, text or " ") for text in texts[1:]]
    answer.send(told("704", client.me, topic, texts[0]), *lines, told("706", client.me, topic, "End of /HELP"))
