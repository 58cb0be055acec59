"""CHATHISTORY as it is asked, understood: which end, from where, how many."""

from dataclasses import dataclass
from datetime import UTC, datetime

from .numerics import HISTORY_MAX

_REFERENCES = {"LATEST": 1, "BEFORE": 1, "AFTER": 1, "AROUND": 1, "BETWEEN": 2, "TARGETS": 2}


class BadQueryError(ValueError):
    """The query is none: `code` is of the standard replies, `params` go before the words."""

    def __init__(self, code: str, *params: str) -> None:
        self.code, self.params = code, params
        super().__init__(code)


@dataclass(frozen=True)
class Reference:
    """A place in the log: a message by its id, or a moment; neither is `*`."""

    seq: int | None = None
    time: datetime | None = None


@dataclass(frozen=True)
class Query:
    """What is asked for; TARGETS has no target."""

    sub: str
    target: str
    marks: tuple[Reference, ...]
    limit: int


def parse(params: list[str]) -> Query:
    """Return what is asked. Raises BadQueryError."""
    sub = params[0].upper() if params else "*"
    if sub not in _REFERENCES:
        raise BadQueryError("INVALID_PARAMS", sub, "Unknown command")
    marks = _REFERENCES[sub]
    named = 0 if sub == "TARGETS" else 1
    rest = params[1:]
    if len(rest) < named + marks + 1:
        raise BadQueryError("INVALID_PARAMS", sub, "Insufficient parameters")
    if len(rest) > named + marks + 1:
        raise BadQueryError("INVALID_PARAMS", sub, "Too many parameters")
    limit = rest[-1]
    if not limit.isdecimal() or len(limit) > 9:
        raise BadQueryError("INVALID_PARAMS", sub, limit, "Invalid limit")
    found = tuple(reference(sub, word) for word in rest[named:-1])
    if sub == "TARGETS" and any(mark.time is None for mark in found):
        raise BadQueryError("INVALID_PARAMS", sub, "TARGETS takes two timestamps")
    return Query(sub, rest[0] if named else "", found, min(int(limit), HISTORY_MAX) or HISTORY_MAX)


def reference(sub: str, word: str) -> Reference:
    """Return what `msgid=…`, `timestamp=…` or `*` means. Raises BadQueryError."""
    if word == "*" and sub == "LATEST":
        return Reference()
    kind, _, value = word.partition("=")
    if kind == "msgid":
        return Reference(seq=seq_of(value) or 0)
    if kind != "timestamp":
        code = "INVALID_MSGREFTYPE" if value else "INVALID_PARAMS"
        raise BadQueryError(code, sub, word, "A message is named by msgid=… or timestamp=…")
    if (time := moment(value)) is None:
        raise BadQueryError("INVALID_PARAMS", sub, word, "Invalid timestamp")
    return Reference(time=time)


def seq_of(msgid: str) -> int | None:
    """Return the seq that a msgid tells, None for one that is none of ours."""
    return int(msgid) if msgid.isascii() and msgid.isdecimal() and len(msgid) < 17 and 0 < int(msgid) < 2**53 else None


def moment(text: str) -> datetime | None:
    """Return a time as server-time has it, None for what is none."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def shown(time: datetime) -> str:
    """Return a time as server-time has it."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"
