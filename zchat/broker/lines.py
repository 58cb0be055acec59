"""What waits of a peer while something of it is on its way to the log: see `sharing.py`."""

from collections import deque
from dataclasses import dataclass, field

from zchat.protocol import messages as m

from .core.effects import Effect
from .core.entries import Change, Claim, Outcome

QUESTIONS = (m.Hello, m.AskHistory, m.Search, m.Who, m.ListRooms, m.AskMembers, m.AskAudit, m.AskScheduled, m.AskStatus)


@dataclass(slots=True, eq=False)
class Item:
    """An effect that waits in a line; or an entry that waits for its outcome."""

    effect: Effect
    line: "Line | None" = None  # None: of nobody here
    since: float = 0.0
    done: bool = False  # whether it waits only for what is before it
    outcome: Outcome = None


@dataclass(slots=True, eq=False)
class Held:
    """A command that is held."""

    command: m.AnyCommand | m.Error
    since: float
    size: int


@dataclass(slots=True, eq=False)
class Line:
    """What waits of one peer. It has one only while something does."""

    peer: bytes
    queue: deque[Item] = field(default_factory=deque)  # what was received: the first is an entry without an outcome
    held: deque[Held] = field(default_factory=deque)  # what was not
    others: int = 0  # entries in the queue that are not what was said
    size: int = 0  # bytes of what is held
    gone: bool = False  # the peer was removed: nobody is answered

    @property
    def comes(self) -> bool:
        """Whether a hello waits."""
        return self.others > 0 and any(is_hello(item.effect) for item in self.queue)

    def add(self, item: Item) -> None:
        self.queue.append(item)
        self.others += _is_other(item.effect)

    def pop(self) -> Item:
        """Take the first one from the queue."""
        item = self.queue.popleft()
        self.others -= _is_other(item.effect)
        return item


def _is_other(effect: Effect) -> bool:
    return isinstance(effect, Change | Claim)


def is_hello(effect: Effect) -> bool:
    return (type(effect) is Claim and effect.moves) or (
        type(effect) is Change and type(effect.commands[0]) is m.Hello
    )  # fmt: skip


def late(command: m.AnyCommand | m.Error) -> m.Error:
    text = "what you said before cannot be stored at the moment, and this is answered after it: ask again"
    return m.Error(code="unavailable", message=text, ref=command.ref, retry_after=1.0)
