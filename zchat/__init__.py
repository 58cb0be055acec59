"""Team chat over ZeroMQ, for people in terminals and the bots beside them.

- `ChatClient` takes part in a chat, with asyncio; `SyncClient` without it. `Bot` answers. `ChatServer` is the broker.
- Commands (`Say`, `Join` …), replies (`Ack`, `Roster` …) and events (`Message`, `Topic` …) are the protocol's lines.
- Notices (`Online`, `CaughtUp` …) tell how a client is. What can go wrong is a `ZchatError`: see `zchat.errors`.

Names are imported when they are first used, so that `zchat send` does not pay for the broker. A type checker sees the
imports below.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .bots.bot import Bot
    from .bots.context import Context, NoAnswerError
    from .bots.store import Store
    from .broker.server import ChatServer
    from .client.client import ChatClient
    from .client.core.notices import (
        AnyNotice,
        AnyUpdate,
        CaughtUp,
        Deferred,
        Ended,
        KeptOut,
        NickRefused,
        Notice,
        Offline,
        Online,
        Refused,
        WentBack,
    )
    from .client.core.pages import Page
    from .client.driver import Batch
    from .client.sync import SyncClient
    from .errors import (
        AddressInUseError,
        BadEndpointError,
        ClosedError,
        DiskFullError,
        FeedUnreachableError,
        FolderError,
        ForeignJournalError,
        ForeignLogError,
        ForkedError,
        InsecureError,
        InUseError,
        LogFileError,
        LostLogError,
        NewerLogError,
        NickTakenError,
        RefusedError,
        SessionEndedError,
        StorageError,
        TimedOutError,
        UnreachableError,
        UsageError,
        ZchatError,
    )
    from .protocol.messages import (
        Ack,
        AnyCommand,
        AnyEvent,
        AnyReply,
        AskHistory,
        AskStatus,
        Away,
        BrokerBye,
        Bye,
        Command,
        Durable,
        Echo,
        Epochs,
        Error,
        Event,
        Found,
        Hello,
        History,
        Join,
        Joined,
        Kind,
        Limits,
        ListRooms,
        Member,
        MemberAway,
        MemberJoined,
        MemberLeft,
        MemberRenamed,
        MemberTyping,
        Message,
        Ok,
        Opaque,
        Part,
        Parted,
        Ping,
        Pong,
        Record,
        Renamed,
        Reply,
        RoomInfo,
        Rooms,
        Roster,
        Say,
        SayBye,
        Search,
        SetNick,
        SetTopic,
        Status,
        Topic,
        Typing,
        Welcome,
        Who,
    )

__all__ = [
    "Ack",
    "AddressInUseError",
    "AnyCommand",
    "AnyEvent",
    "AnyNotice",
    "AnyReply",
    "AnyUpdate",
    "AskHistory",
    "AskStatus",
    "Away",
    "BadEndpointError",
    "Batch",
    "Bot",
    "BrokerBye",
    "Bye",
    "CaughtUp",
    "ChatClient",
    "ChatServer",
    "ClosedError",
    "Command",
    "Context",
    "Deferred",
    "DiskFullError",
    "Durable",
    "Echo",
    "Ended",
    "Epochs",
    "Error",
    "Event",
    "FeedUnreachableError",
    "FolderError",
    "ForeignJournalError",
    "ForeignLogError",
    "ForkedError",
    "Found",
    "Hello",
    "History",
    "InUseError",
    "InsecureError",
    "Join",
    "Joined",
    "KeptOut",
    "Kind",
    "Limits",
    "ListRooms",
    "LogFileError",
    "LostLogError",
    "Member",
    "MemberAway",
    "MemberJoined",
    "MemberLeft",
    "MemberRenamed",
    "MemberTyping",
    "Message",
    "NewerLogError",
    "NickRefused",
    "NickTakenError",
    "NoAnswerError",
    "Notice",
    "Offline",
    "Ok",
    "Online",
    "Opaque",
    "Page",
    "Part",
    "Parted",
    "Ping",
    "Pong",
    "Record",
    "Refused",
    "RefusedError",
    "Renamed",
    "Reply",
    "RoomInfo",
    "Rooms",
    "Roster",
    "Say",
    "SayBye",
    "Search",
    "SessionEndedError",
    "SetNick",
    "SetTopic",
    "Status",
    "StorageError",
    "Store",
    "SyncClient",
    "TimedOutError",
    "Topic",
    "Typing",
    "UnreachableError",
    "UsageError",
    "Welcome",
    "WentBack",
    "Who",
    "ZchatError",
    "__version__",
]

_HOMES = {
    "Batch": "client.driver",
    "Bot": "bots.bot",
    "ChatClient": "client.client",
    "ChatServer": "broker.server",
    "Context": "bots.context",
    "NoAnswerError": "bots.context",
    "Page": "client.core.pages",
    "Store": "bots.store",
    "SyncClient": "client.sync",
}
_OTHERS = ("errors", "protocol.messages", "client.core.notices")  # where the other names are, the cheapest first


if not TYPE_CHECKING:  # else a checker would take any name for one that is here

    def __getattr__(name: str) -> Any:
        if name in __all__:
            for home in (_HOMES[name],) if name in _HOMES else _OTHERS:
                module = import_module(f"{__name__}.{home}")
                if hasattr(module, name):
                    value = globals()[name] = getattr(module, name)
                    return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
