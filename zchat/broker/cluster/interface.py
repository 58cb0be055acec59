"""The interface between a broker of a cluster and the engine: a stream that is kept, and words that are not.

The engine keeps one stream of messages, with places that have no holes and go on where the stream before ended. Whoever
publishes learns nothing for certain but that a message comes back. Beside it brokers tell each other what need not be
kept, and ask each other.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from msgspec import Struct

ANSWER = 2.0  # s within which a node or a broker answers


class Node(Struct, frozen=True):
    """A node of the engine that keeps the stream, as its leader sees it."""

    name: str
    leads: bool
    here: bool  # the leader has heard of it a moment ago
    lag: int = 0  # messages that it has still to store


class Position(Struct, frozen=True, kw_only=True):
    """What a stream is, and how far it goes. A `term` is a history; `parent` is the one that it continues."""

    term: str
    log: str  # the id of the log that is made of it
    first: int  # place of the oldest message that is kept; last + 1 if there is none
    last: int
    created: str = ""  # when the engine says that it was made
    began: int = 0  # the last place of the parent, after which this term begins
    parent: str = ""
    parent_hash: bytes = b""  # of all messages until `began`
    sure: bool = True  # most nodes stand behind it: who says so has not been overtaken by another leader
    nodes: Sequence[Node] = ()


class Engine(Protocol):
    """The engine, as one broker is connected to it. The callbacks are called in the event loop."""

    on_messages: Callable[[Sequence[tuple[int, bytes]]], None]  # (place, payload), as they come: with holes and repeats
    on_told: Callable[[bytes], None]
    on_asked: Callable[[bytes], Awaitable[bytes]]
    on_refused: Callable[[], None]  # a publication was refused at once: nobody leads the stream now
    on_connected: Callable[[], None]  # to a node, for the first time or again: anything may have been missed

    @property
    def connected(self) -> bool:
        """Whether there is a connection to a node."""

    async def open(self, within: float) -> None:
        """Connect, and stay connected. Raises EngineError if no node answers within so many seconds."""

    async def close(self) -> None:
        """Send what was published or told, as far as that goes at once, and disconnect."""

    def follow(self, position: Position) -> None:
        """Publish to this term, and hear of no other. Until then nothing is published or heard."""

    def publish(self, payload: bytes) -> None:
        """Ask for a message to be added to the stream. Never blocks, never raises; lost while nothing is connected."""

    def tell(self, payload: bytes) -> None:
        """Send something to all brokers, to this one too. It may be lost. Never blocks, never raises."""

    async def ask(self, broker: str, payload: bytes, within: float = ANSWER) -> bytes:
        """Return the answer of another broker. Raises EngineError if there is none within so many seconds."""

    async def position(self) -> Position | None:
        """Return what the stream is, as its leader knows; None if there is no stream. Raises EngineError."""

    async def read(self, first: int) -> Sequence[tuple[int, bytes]]:
        """Return some messages from a place on, without holes, or none. Raises EngineError."""

    async def create(self, position: Position) -> None:
        """Make a stream that begins after `position.began`. Raises EngineError, also if there is one."""

    async def delete(self) -> None:
        """Remove the stream, if there is one. Raises EngineError."""
