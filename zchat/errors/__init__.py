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
    │   ├── StateFileError             a file in which a client or a gateway keeps something
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
carries what it knows as fields, makes its own sentence, and says what to do next. Each branch is a file here
(`connection.py` has those of `WrongKeyError` and `UnreachableError`, and the last three); all are imported from here.
"""

from .base import ZchatError
from .cluster import (
    ClusterError,
    DivergedError,
    EngineError,
    LostStreamError,
    NamesakeError,
    NewerMessageError,
    NoStreamError,
    OtherLogError,
    OtherTablesError,
    RestartError,
    WrongClockError,
)
from .connection import (
    ChangedKeyError,
    ClosedError,
    EncryptionMismatchError,
    FeedUnreachableError,
    ForkedError,
    TimedOutError,
    UnreachableError,
    WrongKeyError,
)
from .refused import KeyRefusedError, NickTakenError, RefusedError, SessionEndedError, SignedOutError
from .storage import (
    AddressInUseError,
    DamagedFileError,
    DiskFullError,
    FolderError,
    ForeignJournalError,
    ForeignLogError,
    InUseError,
    KeyFileError,
    LocalFileError,
    LogFileError,
    LostLogError,
    NewerLogError,
    SharedLogError,
    StateFileError,
    StorageError,
)
from .usage import BadEndpointError, BadLinkError, UnknownBrokerError, UsageError

__all__ = [
    "AddressInUseError",
    "BadEndpointError",
    "BadLinkError",
    "ChangedKeyError",
    "ClosedError",
    "ClusterError",
    "DamagedFileError",
    "DiskFullError",
    "DivergedError",
    "EncryptionMismatchError",
    "EngineError",
    "FeedUnreachableError",
    "FolderError",
    "ForeignJournalError",
    "ForeignLogError",
    "ForkedError",
    "InUseError",
    "KeyFileError",
    "KeyRefusedError",
    "LocalFileError",
    "LogFileError",
    "LostLogError",
    "LostStreamError",
    "NamesakeError",
    "NewerLogError",
    "NewerMessageError",
    "NickTakenError",
    "NoStreamError",
    "OtherLogError",
    "OtherTablesError",
    "RefusedError",
    "RestartError",
    "SessionEndedError",
    "SharedLogError",
    "SignedOutError",
    "StateFileError",
    "StorageError",
    "TimedOutError",
    "UnknownBrokerError",
    "UnreachableError",
    "UsageError",
    "WrongClockError",
    "WrongKeyError",
    "ZchatError",
]
