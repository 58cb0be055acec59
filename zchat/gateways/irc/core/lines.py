"""Lines of IRC: bytes to lines and back, within bounds.

A line has at most 8,191 bytes of tags and 512 bytes of the rest, with its end. What a client sends beyond that is not
cut, for half a message is worse than none: the line is refused with 417. What zchat says can be longer than a line, so
texts are split here: at line breaks, then between words, never within a character.
"""

from collections.abc import Iterator

from irctokens.line import Line, build, tokenise

TAGS_SENT = 4_096  # bytes of tags that a client may send, with @ and the space
TAGS_MAX = 8_191  # bytes of tags in all
LINE_MAX = 512  # bytes of the rest, with its \r\n
_MASK_SPARE = 10  # bytes kept free, for what a client counts otherwise than we do

__all__ = ["BadLineError", "Line", "Lines", "cut", "encoded", "line", "parse", "room_for_text", "split"]


class BadLineError(ValueError):
    """The line cannot be taken: `code` is `too_long`, `utf8` or `empty`; `command` is that of a line of other bytes."""

    def __init__(self, code: str, command: str = "*") -> None:
        self.code, self.command = code, command
        super().__init__(code)


class Lines:
    """Bytes as they come, as whole lines. What has no end within the bound is thrown away as it comes."""

    def __init__(self) -> None:
        self._rest, self._skipping = b"", False

    def push(self, data: bytes) -> Iterator[bytes | None]:
        """Yield each line that is complete, without its end; None for one that is too long."""
        *ends, rest = data.split(b"\n")
        for part in ends:
            line, self._rest = self._rest + part, b""
            skipped, self._skipping = self._skipping, False
            yield None if skipped or len(line) > TAGS_MAX + LINE_MAX else line.rstrip(b"\r")
        self._rest += rest
        if len(self._rest) > TAGS_MAX + LINE_MAX:
            self._rest, self._skipping = b"", True
        elif self._skipping:
            self._rest = b""


def parse(raw: bytes | None) -> Line:
    """Return a client's line as tokens; its command is in upper case. Raises BadLineError."""
    if raw is None:
        raise BadLineError("too_long")
    tags, rest = _parted(raw)
    if len(tags) > TAGS_SENT or len(rest) + 2 > LINE_MAX:
        raise BadLineError("too_long")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise BadLineError("utf8", _command_of(rest)) from None
    text = text.replace("\0", "").replace("\r", "").lstrip(" ")
    words = text.partition(" ")[2] if text.startswith("@") else text
    if not words.strip(" ") or (words.lstrip(" ").startswith(":") and not words.lstrip(" ").partition(" ")[2].strip()):
        raise BadLineError("empty")
    try:
        return tokenise(text)
    except (ValueError, IndexError):
        raise BadLineError("empty") from None


def _parted(raw: bytes) -> tuple[bytes, bytes]:
    if not raw.startswith(b"@"):
        return b"", raw
    tags, space, rest = raw.partition(b" ")
    return tags + space, rest


def _command_of(rest: bytes) -> str:
    words = [word for word in rest.split(b" ") if word and not word.startswith(b":")]
    name = words[0].decode("ascii", "replace").upper() if words else ""
    return name if name.isalpha() else "*"


def line(source: str | None, command: str, *params: str, tags: dict[str, str] | None = None) -> Line:
    """Return a line to send. Its last parameter may have spaces in it."""
    return build(command, list(params), source, tags)


def encoded(out: Line) -> bytes:
    """Return a line as bytes. What is too long for one, which only words for people can be, ends earlier."""
    tags, rest = _parted(_format(out).encode("utf-8", "replace"))
    return (tags if len(tags) <= TAGS_MAX else b"") + cut(rest, LINE_MAX - 2) + b"\r\n"


def _format(out: Line) -> str:
    """As irctokens has it; but the last parameter of a text always with its colon, as all servers send it."""
    params = [param.replace("\r", " ").replace("\n", " ").replace("\0", "") for param in out.params]
    params[:-1] = [param.replace(" ", "_").lstrip(":") or "*" for param in params[:-1]]  # what a client has sent us
    if len(params) < _TEXTUAL.get(out.command, LINE_MAX):
        return Line(out.tags, out.source, out.command, params).format()
    head = Line(out.tags, out.source, out.command, [*params[:-1], "."]).format()
    return f"{head[:-1]}:{params[-1]}"


_TEXTUAL = {  # how many parameters there are when the last one is a text
    "PRIVMSG": 2, "NOTICE": 2, "TOPIC": 2, "PART": 2, "KICK": 3, "REDACT": 3, "QUIT": 1, "AWAY": 1, "332": 3, "301": 3,
    "372": 2,
}  # fmt: skip


def cut(data: bytes, most: int) -> bytes:
    """Return the beginning of a text of UTF-8 with at most so many bytes, and no half character at its end."""
    return data if len(data) <= most else data[:most].decode("utf-8", "ignore").encode()


def room_for_text(source: str, command: str, target: str) -> int:
    """Return how many bytes of text fit into a line that others get."""
    head = len(f":{source} {command} {target} :".encode()) + 2
    return max(LINE_MAX - head - _MASK_SPARE, 100)


def split(text: str, most: int) -> list[tuple[str, bool]]:
    """Return a text as lines of at most so many bytes; True is with those that go on within a line of the text.

    Put together again (after a line break, or without one where True is) they are the text.
    """
    found: list[tuple[str, bool]] = []
    for whole in text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").split("\n"):
        rest, goes_on = whole.encode(), False
        while len(rest) > most:
            part = cut(rest, most)
            if (space := part.rfind(b" ")) > most // 2:
                part = part[: space + 1]
            found.append((part.decode(), goes_on))
            rest, goes_on = rest[len(part) :], True
        found.append((rest.decode(), goes_on))
    return found
