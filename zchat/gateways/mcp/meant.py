"""Which messages an agent waits for: a mention, an answer to a message, or whatever a person says. Pure."""

from collections.abc import Callable

from zchat.client.core.mentions import mentions
from zchat.protocol import messages as m

Meant = Callable[[m.Message], bool]


def anything(_message: m.Message) -> bool:
    return True


def mention(nick: str) -> Meant:
    """Return what tells whether a message calls the one who has this nick, as all does that is said to them alone."""
    return lambda message: message.room is None or mentions(message.text, nick)


def reply(seq: int) -> Meant:
    """Return what tells whether a message answers this one, or belongs to the thread that it began."""
    return lambda message: seq in (message.reply_to, message.thread)


def answer(seq: int, nick: str, person: str | None) -> Meant:
    """Return what tells whether a message answers a question that the one called `nick` has asked.

    It may refer to the question. Or it is the next thing that the `person` (a `from`) says who was asked, or that
    somebody says to the one who has asked.
    """
    refers, calls = reply(seq), mention(nick)
    return lambda message: refers(message) or (calls(message) if person is None else message.from_ == person)
