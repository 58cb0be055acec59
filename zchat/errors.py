"""What can go wrong and a person should hear about, as one tree (a few leaves more are where they are raised).

    ZchatError
    ├── UsageError                 2   the call itself is wrong
    │   ├── BadEndpointError           an address that ZeroMQ cannot use
    │   │   └── UnknownBrokerError         neither an address nor the name of a broker known here
    │   └── BadLinkError               a link with a typo, cut short, or without a key
    ├── RefusedError               1   the broker said no, with the protocol's error code
    │   ├── NickTakenError
    │   ├── KeyRefusedError            the key of this device: it was removed, or is banned
    │   ├── SignedOutError             a gateway carries this person no more
    │   └── SessionEndedError          this session, and it does not want it back
    ├── WrongKeyError              1   who answers does not have the broker's key
    │   └── ChangedKeyError            a link has another key than the one known here
    ├── UnreachableError          69   no broker answers
    │   ├── FeedUnreachableError       it does, and its feed does not
    │   └── EncryptionMismatchError    one side encrypts, and the other does not
    ├── StorageError              74   the disk, or what is on it
    │   ├── AddressInUseError          somebody else has the port
    │   ├── FolderError                a folder cannot be made, read or written
    │   ├── DiskFullError
    │   ├── ForeignLogError            a file that is no zchat log, or a damaged one
    │   ├── ForeignJournalError        a log beside the journal of another one
    │   ├── NewerLogError              a log written by a newer zchat
    │   ├── SharedLogError             a log of a cluster, opened by a broker that is alone
    │   ├── InUseError                 another process has it open
    │   ├── LostLogError               it was removed or replaced under the broker
    │   ├── KeyFileError               a file that holds no key
    │   ├── LogFileError               the log file cannot be written, or is somebody else's
    │   ├── LocalFileError             a file to be sent, or to be saved
    │   └── DamagedFileError           what was downloaded is not the file that it should be
    ├── ClusterError              69   several brokers share a log, and something between them is wrong
    │   ├── EngineError                the engine that keeps their stream does not answer
    │   ├── LostStreamError            the stream is gone, began anew, or ends before what was applied here
    │   ├── RestartError          75   there is a stream to go on with, after another start
    │   ├── OtherLogError              the log here is none of the cluster's
    │   ├── NamesakeError              another process has this broker's name
    │   ├── OtherTablesError           another broker judges names by other tables of characters
    │   ├── WrongClockError            this broker's clock is far from those of the others
    │   ├── NoStreamError              there is no stream, and this broker was not told to make it
    │   ├── DivergedError              the log here and that of another broker are not the same
    │   └── NewerMessageError          the stream has a message that only a newer zchat understands
    ├── TimedOutError             75   no answer in time
    ├── ClosedError                1   the client was closed while something waited for it
    └── ForkedError                1   the client is that of the process that this one was forked from

The number is the exit code of the command that ends with it (the sysexits of BSD, where they fit). Each error
carries what it knows as fields, makes its own sentence, and says what to do next.
"""

from pathlib import Path


class ZchatError(Exception):
    """The root: `str()` is a sentence for a person, `exit_code` is for the shell."""

    exit_code = 1


class UsageError(ZchatError):
    """The call itself is wrong."""

    exit_code = 2


class BadEndpointError(UsageError):
    """An address that ZeroMQ cannot use."""

    def __init__(self, endpoint: str, why: str) -> None:
        self.endpoint, self.why = endpoint, why
        super().__init__(
            f"{endpoint!r} is not an address that can be used ({why}). "
            "Write it as tcp://127.0.0.1:5555 or ipc:///path/to/socket."
        )


class BadLinkError(UsageError):
    """A link that does not lead to a broker. `kind` is `no_key`, `cut_short`, `typo` or `host`.

    `link` is what is shown of it, without key and code: a code is a secret.
    """

    def __init__(self, link: str, kind: str, why: str) -> None:
        self.link, self.kind = link, kind
        super().__init__(
            f"The link {link}/… cannot be used: {why}. It is written zchat://HOST[:PORT]/KEY[/CODE]: "
            "copy it again, whole, or ask for it again."
        )


class UnknownBrokerError(BadEndpointError):
    """`name` is no address, and no broker is known here by it; `known` are the names that are."""

    def __init__(self, name: str, known: tuple[str, ...] = ()) -> None:
        super().__init__(name, "no broker is known here by that name")
        self.name, self.known = name, known
        others = f" Known are: {', '.join(known)}." if known else ""
        self.args = (
            f"{name!r} is not an address that can be used, and no broker is known here by that name.{others} Give its "
            "link (zchat://…), which somebody who is in can make with `zchat invite`, or an address: "
            "tcp://127.0.0.1:5555 or ipc:///path/to/socket.",
        )


_WHAT_TO_DO = {  # by the protocol's error code
    "not_member": "Ask somebody who is in for an invitation (they run `zchat invite`), and join with its link.",
    "banned": "Ask a moderator or an owner of this chat to let you in again.",
}


class RefusedError(ZchatError):
    """The broker's answer was an `error`: `code` is the protocol's, `message` the broker's sentence.

    `plain` is that sentence with what to do, without the code.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message
        what_to_do = _WHAT_TO_DO.get(code)
        self.plain = f"{message.rstrip('.')}. {what_to_do}" if what_to_do else message
        super().__init__(f"The broker refused ({code}): {self.plain}")


class NickTakenError(RefusedError):
    """Somebody else has the nick, or one that looks like it."""

    def __init__(self, nick: str, message: str = "") -> None:
        self.nick = nick
        super().__init__("nick_taken", message)
        why = message[:1].upper() + message[1:] if message else f"The nick {nick} is taken"
        self.args = (f"{why}. Choose another (--nick, at the prompt /nick), or wait.",)


class SessionEndedError(RefusedError):
    """The broker has ended this session, and wants it to stay away (`replaced`, `kick`, `banned`).

    `by` is the nick of the moderator who did, `text` what they said of it.
    """

    def __init__(self, reason: str, text: str | None = None, by: str | None = None) -> None:
        self.text, self.by = text, by
        super().__init__(reason, text or "the session is over")
        pattern = "{by} has sent you away" if reason == "kick" and by else _ENDS.get(reason, reason)
        why = pattern.replace("{by}", by or "a moderator") + (f" ({text.rstrip('.')})" if text else "")
        then = _THEN.get(reason, "Start again to come back.")
        self.args = (f"The broker has ended this session: {why}. {then}",)


class KeyRefusedError(RefusedError):
    """The broker at `endpoint` does not let this device's key in, over `ipc` this user, not even to ask."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        super().__init__("key_refused", "the key of this device is not let in")
        if endpoint.startswith("ipc:"):
            why = f"The broker at {endpoint} does not let your user in (any more): it was removed, or it is banned."
            self.args = (f"{why} Ask a moderator or an owner of this chat.",)
            return
        self.args = (
            f"The broker at {endpoint} does not let the key of this device in (any more): it was removed, or it is "
            "banned. Ask a moderator or an owner of this chat, or add this device anew from another one of yours.",
        )


class SignedOutError(RefusedError):
    """A gateway carries this person no more: their device there was removed, or they have left it."""

    def __init__(self, why: str = "you are not signed in here (any more)") -> None:
        super().__init__("signed_out", why)
        self.args = (f"{why[:1].upper()}{why[1:]}. Come in with a new link.",)


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


class StorageError(ZchatError):
    """Something about the disk, or what is on it."""

    exit_code = 74


class AddressInUseError(StorageError):
    """`holder` says who has the address, as far as the system tells."""

    def __init__(self, endpoint: str, option: str, holder: str = "") -> None:
        self.endpoint, self.holder = endpoint, holder
        super().__init__(
            f"{endpoint} is taken by {holder or 'another program'}. "
            f"Choose another address with {option} (a port of 0 picks a free one)."
        )


class FolderError(StorageError):
    """A folder cannot be made, read or written."""

    def __init__(self, folder: Path, why: str | OSError, option: str = "--data") -> None:
        self.folder = folder
        super().__init__(f"The folder {folder} cannot be used: {_said(why)}. Choose another {option}.")


class DiskFullError(StorageError):
    """The disk that holds `path` is full."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"The disk that holds {path} is full. Make room and try again: nothing was half written.")


class ForeignLogError(StorageError):
    """A file that is no zchat log, or a damaged one. `journal` says whether it was read through one that lay there."""

    def __init__(self, path: Path, why: str, journal: bool = False) -> None:
        self.path, self.journal = path, journal
        backup = f" If it is a backup that was put there: {_without_journal(path)}." if journal else ""
        super().__init__(
            f"{path} is not a sound zchat log ({why}). It was left untouched: move it away or choose another --data."
            + backup
        )


class ForeignJournalError(StorageError):
    """A log beside the journal of another one, as when a backup is put in the place of a log that was not closed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"The journal {path.name}-wal beside {path} belongs to another log, and would undo what was put there. "
            f"Nothing was changed: {_without_journal(path)}."
        )


class NewerLogError(StorageError):
    """A log of format `found`, written by a newer zchat."""

    def __init__(self, path: Path, found: int, known: int) -> None:
        self.path, self.found, self.known = path, found, known
        super().__init__(
            f"{path} was written by a newer zchat (format {found}, this one knows {known}). "
            "Upgrade zchat, or choose another --data."
        )


class LostLogError(StorageError):
    """The log was removed, replaced or written to under the broker."""

    def __init__(self, path: Path, why: str) -> None:
        self.path = path
        super().__init__(
            f"The log {path} is not this broker's any more: {why}. What was acknowledged until now may be missing. "
            "Find out who did that, put the log back if it is gone, and start the broker again."
        )


class SharedLogError(StorageError):
    """A log that is one of a cluster's, opened by a broker that would go on with it alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"{path} is the log of a broker of a cluster: alone, this one would part it from the others. Nothing was "
            "changed: start it with --cluster. For a broker alone, make a log of its own of it: `zchat backup`."
        )


class InUseError(StorageError):
    """`pid` is the process that has it, 0 if unknown."""

    def __init__(self, path: Path, pid: int, option: str = "--data") -> None:
        self.path, self.pid = path, pid
        who = f"process {pid}" if pid else "another process"
        super().__init__(f"{path} is in use by {who}. Stop that one first, or choose another {option}.")


class KeyFileError(StorageError):
    """A file that should hold a secret key, and does not."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"{path} holds no key. Put the right one back, from a backup perhaps. If you move it away, a new key is "
            "made: then everybody needs a new link."
        )


class LogFileError(StorageError):
    """The log file cannot be written, or is somebody else's."""

    def __init__(self, path: Path, why: str | OSError) -> None:
        self.path = path
        super().__init__(f"The log file {path} cannot be written: {_said(why)}. Choose another folder with --log-dir.")


class LocalFileError(StorageError):
    """A file here cannot be read or written."""

    def __init__(self, path: Path, why: object) -> None:
        self.path = path
        self.why = (why.strerror if isinstance(why, OSError) else None) or str(why)
        super().__init__(f"{path}: {self.why}.")


class DamagedFileError(StorageError):
    """What was downloaded is not the file with this hash. It was deleted."""

    def __init__(self, file: str) -> None:
        self.file = file
        super().__init__(
            f"What the broker gave is not the file {file[:16]}…: its hash is another one, and it was deleted. "
            "Try again; if it is so again, tell whoever runs the broker."
        )


class ClusterError(ZchatError):
    """Several brokers share a log, and something between them is wrong."""

    exit_code = 69


class EngineError(ClusterError):
    """The engine that keeps the stream does not answer."""

    def __init__(self, where: str, why: str) -> None:
        self.where, self.why = where, why
        super().__init__(
            f"the cluster's engine at {where} does not answer ({why}). "
            "What is said waits; see `zchat cluster status`, and start the nodes that are down."
        )


class LostStreamError(ClusterError):
    """The stream is gone, began anew, or ends before what was applied here: nothing is written to it."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(
            f"the cluster's stream is not the one that this log was made from: {why}. Nothing is written to it, and "
            "nothing that was acknowledged is lost. Run `zchat cluster restore`, which makes a new one from the logs."
        )


class RestartError(ClusterError):
    """There is a stream with which this broker can go on, once it has started again."""

    exit_code = 75

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(f"This broker has to start again: {why}. Nothing that was acknowledged is lost.")


class OtherLogError(ClusterError):
    """The log in the folder is none of this cluster's."""

    def __init__(self, folder: Path, why: str) -> None:
        self.folder, self.why = folder, why
        super().__init__(
            f"The log in {folder} is none of this cluster's: {why}. Nothing was changed. Move it aside to take "
            "part, or start the broker alone with it."
        )


class NamesakeError(ClusterError):
    """Another process takes part as the broker `name`."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"another process takes part in the cluster as broker {name}, so this one stops. Each has a folder of "
            "its own: does this one run already, or was it copied to two machines?"
        )


class OtherTablesError(ClusterError):
    """Another broker judges names by other tables: `own` here, `others` there."""

    def __init__(self, broker: str, others: str, own: str) -> None:
        self.broker, self.others, self.own = broker, others, own
        super().__init__(
            f"Broker {broker} judges names by {others}, and this one by {own}: one would take a nick that the other "
            "refuses. Run all brokers with the same Python and libraries; to change them, stop all first."
        )


class WrongClockError(ClusterError):
    """The clocks of most other brokers are `ahead` seconds ahead of this one (behind it, if that is below 0)."""

    def __init__(self, ahead: float) -> None:
        self.ahead = ahead
        hours = f"{abs(ahead) / 3600:,.1f} hours {'behind' if ahead > 0 else 'ahead of'}"
        super().__init__(
            f"The clock of this machine is {hours} those of most other brokers, and what is said would have its times "
            "in the log for good: this broker stops, alone. Set the clock, and start it again."
        )


class NoStreamError(ClusterError):
    """There is no stream, and nobody has told this broker to make one."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(f"The cluster has no stream: {why}.")


class DivergedError(ClusterError):
    """The log here and that of another broker are not the same."""

    def __init__(self, broker: str, seq: int) -> None:
        self.broker, self.seq = broker, seq
        super().__init__(
            f"this log and that of broker {broker} are not the same after message {seq} of the stream, so this broker "
            "stops. Ask `zchat cluster status` which one the others agree with, move the folder of the data of the "
            "other one aside, and start it again: it takes a copy."
        )


class NewerMessageError(ClusterError):
    """The stream has a message that only a newer zchat understands."""

    def __init__(self, version: int, seq: int) -> None:
        self.version, self.seq = version, seq
        super().__init__(
            f"message {seq} of the cluster's stream has version {version}, which this zchat does not understand, so "
            "this broker stops. Nothing is lost: install the version that the other brokers have, and start it again."
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


_ENDS = {
    "replaced": "this client has connected again from elsewhere",
    "kick": "you were sent away",  # also by the broker: for a flood, or because the device was removed
    "banned": "{by} keeps you out from now on",
}
_THEN = {
    "kick": "Start again to come back, if you still may.",
    "banned": "Whoever moderates there can let you in again.",
}


def _without_journal(path: Path) -> str:
    """Return what to do about a journal of another log."""
    return f"remove {path.name}-wal and {path.name}-shm, then start again"


def _said(why: str | OSError) -> str:
    """Return a reason as part of a sentence."""
    return why if isinstance(why, str) else (why.strerror or str(why)).lower()
