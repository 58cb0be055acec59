"""The interface between a broker of a cluster and the engine: a stream that is kept, and words that are not.

The engine keeps one stream of messages, with places that begin at 1 and have no holes. Whoever publishes learns nothing
for certain but that a message comes back. Beside it brokers tell each other what need not be kept, and ask each other.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from msgspec import Struct


class Position(Struct, frozen=True):
    """What a stream is, and how far it goes. A `term` is a history; `parent` is the one that it continues."""

    term: str
    first: int  # place of the oldest message that is kept; last + 1 if there is none
    last: int
    created: str = ""  # when the engine says that it was made
    began: int = 0  # the last place of the parent, after which this term begins
    parent: str = ""
    parent_hash: bytes = b""  # of all messages until `began`


class Engine(Protocol):
    """The engine, as one broker is connected to it. The callbacks are called in the event loop."""

    on_messages: Callable[[Sequence[tuple[int, bytes]]], None]  # (place, payload), as they come: with holes and repeats
    on_told: Callable[[bytes], None]
    on_asked: Callable[[bytes], Awaitable[bytes]]
    on_refused: Callable[[], None]  # a publication was refused at once: nobody leads the stream now

    def publish(self, payload: bytes) -> None:
        """Ask for a message to be added to the stream. Never blocks, never raises."""

    def tell(self, payload: bytes) -> None:
        """Send something to all brokers, to this one too. It may be lost. Never blocks, never raises."""

    async def ask(self, broker: str, payload: bytes) -> bytes:
        """Return the answer of another broker. Raises EngineError if there is none."""

    async def position(self) -> Position | None:
        """Return what the stream is, as its leader knows; None if there is no stream. Raises EngineError."""

    async def read(self, first: int) -> Sequence[tuple[int, bytes]]:
        """Return some messages from a place on, as many as come in one answer, or none. Raises EngineError."""
