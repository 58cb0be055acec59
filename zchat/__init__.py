"""Team chat over ZeroMQ, for people in terminals and the bots beside them.

    from zchat import Bot, ChatClient, ChatServer  # and NoAnswerError; the other errors are in zchat.errors

Names are imported when they are first used, so that `zchat send` does not pay for the broker.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .bots.bot import Bot as Bot
    from .bots.context import NoAnswerError as NoAnswerError
    from .broker.server import ChatServer as ChatServer
    from .client.client import ChatClient as ChatClient

from .version import __version__

_NAMES = {
    "ChatServer": "zchat.broker.server",
    "ChatClient": "zchat.client.client",
    "Bot": "zchat.bots.bot",
    "NoAnswerError": "zchat.bots.context",
}

__all__ = ["Bot", "ChatClient", "ChatServer", "NoAnswerError", "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_NAMES[name]), name)
