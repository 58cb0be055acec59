"""What a client sends as a batch: the lines of one message (`draft/multiline`), put together when the batch ends."""

from dataclasses import dataclass, field

from .caps import MULTILINE_BYTES, MULTILINE_LINES
from .lines import Line
from .numerics import fail

KIND = "draft/multiline"
CONCAT = "draft/multiline-concat"


@dataclass(frozen=True)
class Whole:
    """A message of several lines: the command, the target, the tags of its batch, the text."""

    command: str
    target: str
    tags: dict[str, str]
    text: str


@dataclass
class Open:
    """A batch that has begun. After a mistake the rest of it is thrown away, to its end."""

    target: str
    tags: dict[str, str]
    command: str = ""
    parts: list[str] = field(default_factory=list)
    lines: int = 0
    size: int = 0
    failed: bool = False


class Batches:
    """The batch of one client that is open: one at a time is all that clients need."""

    def __init__(self) -> None:
        self._open: dict[str, Open] = {}

    def begin_or_end(self, got: Line) -> Line | Whole | None:
        """Take a BATCH command; return the whole message at its end, or what is wrong."""
        name = got.params[0] if got.params else ""
        if name.startswith("-"):
            return self._end(name[1:])
        if not name.startswith("+") or len(name) < 2 or len(got.params) < 3 or got.params[1] != KIND or self._open:
            return fail("BATCH", "MULTILINE_INVALID", "That is no batch of draft/multiline, or another one is open")
        self._open[name[1:]] = Open(got.params[2], dict(got.tags or {}))
        return None

    def takes(self, got: Line) -> bool:
        """Say whether a line belongs to the batch that is open, by its tag."""
        return bool(got.tags) and (got.tags or {}).get("batch") in self._open

    def add(self, got: Line) -> Line | None:
        """Take a line of the batch; return what is wrong with it."""
        batch = self._open[(got.tags or {})["batch"]]
        if batch.failed:
            return None
        wrong = self._taken(batch, got)
        batch.failed = wrong is not None
        return wrong

    def _taken(self, batch: Open, got: Line) -> Line | None:
        if got.command not in ("PRIVMSG", "NOTICE") or len(got.params) < 2 or batch.command not in ("", got.command):
            return fail("BATCH", "MULTILINE_INVALID", "A batch has lines of PRIVMSG, or lines of NOTICE")
        if got.params[0] != batch.target:
            return fail("BATCH", "MULTILINE_INVALID_TARGET", batch.target, got.params[0], "Invalid multiline target")
        text, concat = got.params[1], CONCAT in (got.tags or {})
        if concat and not text:
            return fail("BATCH", "MULTILINE_INVALID", "A blank line goes on with nothing")
        batch.command = got.command
        joint = "" if concat or not batch.parts else "\n"
        batch.parts.append(joint + text)
        batch.lines += 1
        batch.size += len((joint + text).encode())
        if batch.size > MULTILINE_BYTES:
            return fail("BATCH", "MULTILINE_MAX_BYTES", str(MULTILINE_BYTES), "Multiline batch max-bytes exceeded")
        if batch.lines > MULTILINE_LINES:
            return fail("BATCH", "MULTILINE_MAX_LINES", str(MULTILINE_LINES), "Multiline batch max-lines exceeded")
        return None

    def _end(self, name: str) -> Line | Whole | None:
        batch = self._open.pop(name, None)
        if batch is None:
            return fail("BATCH", "MULTILINE_INVALID", "There is no such batch")
        if batch.failed:
            return None
        text = "".join(batch.parts)
        if not text.strip():
            return fail("BATCH", "MULTILINE_INVALID", "A message has more than blank lines")
        return Whole(batch.command, batch.target, batch.tags, text)
