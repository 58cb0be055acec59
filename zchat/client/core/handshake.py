"""Why a connection could not be made, and when to believe that no later one will be.

A failure that says something about keys is believed after some tries in a row, and only by who was never in: a broker
that was there may come back, so who was in goes on trying. A key that is refused is refused for good: ZeroMQ, too,
does not try again then. Where there are several brokers, that is believed when all say so. All else may pass, and is
said only when the patience of whoever waits is over.
"""

from enum import Enum

from zchat.errors import EncryptionMismatchError, KeyRefusedError, WrongKeyError, ZchatError

SURE_TRIES = 3  # in a row


class Fault(Enum):
    """How a connection failed; the value says so to a person."""

    CUT = "the connection was cut"
    NOBODY = "nobody answers there"
    HUNG_UP = "it hangs up before a word"
    WRONG_KEY = "it does not have the broker's key"
    ENCRYPTED = "it is encrypted, and this connection is not"
    NOT_ENCRYPTED = "it is not encrypted"
    KEY_REFUSED = "it does not let this key in"


class Handshakes:
    """The connections that failed in a row; `error` is what is to be said when no more are tried."""

    def __init__(self, broker: str) -> None:
        self.error: ZchatError | None = None
        self._broker = broker
        self._last: Fault | None = None
        self._tries = 0

    def failed(self, fault: Fault, *, known: bool, brokers: int = 1) -> bool:
        """Take a failure; return whether it is final. `known`: we were in before; `brokers`: how many are tried."""
        self._tries = self._tries + 1 if fault is self._last else 1
        self._last = fault
        meaning = self._meaning(fault)
        self.error = meaning or self.error
        if fault is Fault.KEY_REFUSED:
            return self._tries >= brokers
        return meaning is not None and not known and self._tries >= SURE_TRIES * brokers

    def succeeded(self) -> None:
        """We are in."""
        self.error = self._last = None

    def _meaning(self, fault: Fault) -> ZchatError | None:
        match fault:
            case Fault.KEY_REFUSED:
                return KeyRefusedError(self._broker)
            case Fault.WRONG_KEY:
                return WrongKeyError(self._broker)
            case Fault.ENCRYPTED | Fault.NOT_ENCRYPTED:
                return EncryptionMismatchError(self._broker, fault is Fault.NOT_ENCRYPTED)
        return None
