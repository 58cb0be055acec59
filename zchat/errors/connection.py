"""Between a client and its broker: another one answers, none does, or the client is closed."""

from pathlib import Path

from .base import ZchatError


class WrongKeyError(ZchatError):
    """Who answers at `endpoint` does not have the key that the link told: nothing is said to it."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        super().__init__(
            f"What answers at {endpoint} is not the broker whose key you have: it was installed anew, another program "
            "has its address, or somebody is in between. Nothing was told to it. Ask whoever runs the broker for a "
            "new link."
        )


class ChangedKeyError(WrongKeyError):
    """A link tells another key for the broker `name` than the one that is known, in `line` of the file `path`."""

    def __init__(self, name: str, path: Path, line: int) -> None:
        super().__init__(name)
        self.name, self.path, self.line = name, path, line
        self.args = (
            f"THE KEY OF {name} IS ANOTHER ONE in this link than the one known here. Somebody may be trying to get in "
            "between, or the broker was installed anew. Ask whoever runs it which is true, not through this chat. "
            f"If it was installed anew, remove the entry that begins in line {line} of {path}, and try again.",
        )


class UnreachableError(ZchatError):
    """No broker answers at `endpoint`; `known` are the names of brokers that one may have meant.

    `shut`: there is a socket file that this user may not use.
    """

    exit_code = 69

    def __init__(self, endpoint: str, known: tuple[str, ...] = (), shut: bool = False) -> None:
        self.endpoint, self.known, self.shut = endpoint, known, shut
        others = f" Known here: {', '.join(known)}." if known else ""
        what_to_do = (
            "Start one with `zchat broker`, or say where yours is with --broker or ZCHAT_BROKER."
            if "://" in endpoint
            else "Ask whoever runs it whether it runs, and whether its two ports can be reached from here."
        )
        if shut:
            what_to_do = "That file is not open to you: whoever runs the broker says who may enter its folder."
        super().__init__(f"No broker answers at {endpoint}. {what_to_do}{others}")


class EncryptionMismatchError(UnreachableError):
    """At `endpoint` one side encrypts and the other does not; `encrypted` says whether this one does."""

    def __init__(self, endpoint: str, encrypted: bool) -> None:
        super().__init__(endpoint)
        self.encrypted = encrypted
        self.args = (
            f"What answers at {endpoint} does not speak encrypted, and a link to a broker does: the link has a wrong "
            "port, or another program is there. Ask whoever runs the broker for a new link."
            if encrypted
            else f"What answers at {endpoint} is a broker that is encrypted. Join with its link (zchat://…), which "
            "somebody who is in can make with `zchat invite`.",
        )


class FeedUnreachableError(UnreachableError):
    """The broker answers, but its feed at `endpoint` does not; `why` says what is known of the reason."""

    def __init__(self, endpoint: str, why: str = "") -> None:
        super().__init__(endpoint)
        known = f" ({why})" if why else ""
        self.args = (
            f"The broker answers, but nothing is heard from its feed at {endpoint}{known}. Is that port reachable from "
            "here, through the tunnel perhaps? Say where it is with --feed or ZCHAT_FEED.",
        )


class TimedOutError(ZchatError):
    """No answer within `seconds`. `stalled` tells why the broker can store nothing now, if it has said so."""

    exit_code = 75

    def __init__(self, what: str, seconds: float, stalled: str | None = None) -> None:
        self.seconds, self.stalled = seconds, stalled
        why = "Is the broker busy? Try again, or raise --timeout."
        if stalled:
            why = f"The broker is there, but can store nothing now ({stalled}), and answers what was asked after that."
        super().__init__(f"Timed out after {seconds:g} s: {what}. {why}")


class ClosedError(ZchatError):
    """The client was closed, before the call or while it waited."""

    def __init__(self) -> None:
        super().__init__("This client is closed: open a new one.")


class ForkedError(ZchatError):
    """The client was connected by the process `pid`, from which this one was forked."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        super().__init__(
            f"This client was connected by process {pid}, before a fork: its connection stays there. "
            "Open a new ChatClient in this process."
        )
