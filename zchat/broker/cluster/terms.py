"""What a broker does about the stream that it finds: whether its own log is a beginning of what the stream makes.

A stream is one term of the log's history, and says after which place of the one before it begins, and what all
messages until there hash to. So where the log of a broker ends, and what its hash is there, tells all: it may go on,
or is behind and takes a copy of another broker's log, or has something that the stream does not have. Then it does not
believe the stream any more, and somebody has to decide.
"""

from enum import Enum

from msgspec import Struct, structs

from zchat.broker.store import Applied

from .interface import Position


class Then(Enum):
    """What follows."""

    GO_ON = "go on"  # from the place where the log ends
    COPY = "copy"  # take a copy of another broker's log first
    FOUND = "found"  # make the stream, if told to; otherwise wait for it
    LOST = "lost"  # do not believe the stream
    WAIT = "wait"  # look again: who answered may have been overtaken
    REFUSE = "refuse"  # this log is none of this cluster's


class Verdict(Struct, frozen=True):
    """What follows, and why, as a part of a sentence."""

    then: Then
    why: str = ""


GO_ON = Verdict(Then.GO_ON)


class Own(Struct, frozen=True):
    """The log of a broker: its id ("" if there is none), its last `seq`, and how far it has applied the stream.

    What a broker alone has made counts as one message.
    """

    id: str
    head: int
    applied: Applied


NOTHING = Own("", 0, Applied())


def judge(own: Own, stream: Position | None, most: tuple[str, int] = ("", 0)) -> Verdict:
    """Return what a broker with this log does about this stream.

    `most` is another broker that has applied most of this term, and how much: the stream has to have that, too.
    """
    applied = own.applied
    if stream is None:
        return Verdict(Then.LOST, "it is gone") if applied.term else Verdict(Then.FOUND)
    if not stream.term:
        return Verdict(Then.LOST, "it was not made by zchat")
    if own.id and own.id != stream.log:
        why = f"this log is {own.id[:8]}…, and that of the cluster is {stream.log[:8]}…"
        return Verdict(Then.LOST if applied.term else Then.REFUSE, why)
    verdict = _same(applied, stream) if applied.term == stream.term else _other(own, stream)
    broker, more = most
    if verdict.then in {Then.GO_ON, Then.COPY} and more > stream.last:
        return _short(stream, f"broker {broker} has applied {more}")
    return verdict


def _same(applied: Applied, stream: Position) -> Verdict:
    if applied.seq > stream.last:
        return _short(stream, f"{applied.seq} were applied here")
    if applied.seq < stream.first - 1:
        return Verdict(Then.COPY, f"it begins with message {stream.first}, and {applied.seq} were applied here")
    return GO_ON


def _short(stream: Position, but: str) -> Verdict:
    """Judge a stream that ends too early."""
    return Verdict(Then.LOST if stream.sure else Then.WAIT, f"it ends after message {stream.last}, but {but}")


def _other(own: Own, stream: Position) -> Verdict:
    """Judge a term that is not the log's: what counts is the place after which it begins, and the hash there."""
    applied = own.applied
    if not applied.term and own.head and (applied.seq, applied.hash) != (stream.began, stream.parent_hash):
        return Verdict(Then.REFUSE, "this log was made by a broker alone")
    if applied.seq > stream.began:
        why = f"a new one begins after message {stream.began}, and {applied.seq} were applied here, which is more"
        return Verdict(Then.LOST, why)
    if applied.seq < max(stream.began, stream.first - 1):
        return Verdict(Then.COPY, f"it begins with message {stream.first}, and {applied.seq} were applied here")
    if applied.hash != stream.parent_hash:
        return Verdict(Then.LOST, f"the {applied.seq} messages before it are not those that were applied here")
    return GO_ON


def successor(log: str, applied: Applied, term: str) -> Position:
    """Return a stream that begins where this log ends."""
    return Position(
        term=term,
        log=log,
        first=applied.seq + 1,
        last=applied.seq,
        began=applied.seq,
        parent=applied.term,
        parent_hash=applied.hash,
    )


class Doubt:
    """Whether a bad sight of the stream is believed. Once is not enough: who answered may have been overtaken."""

    def __init__(self, again: float, missing: float) -> None:
        """`again`: seconds for which a stream has to look wrong; `missing`: for which it has to be gone."""
        self._again, self._missing = again, missing
        self._since: float | None = None
        self.lost = False  # whether it was believed

    def consider(self, verdict: Verdict, stream: Position | None, known: Position | None, now: float) -> Verdict:
        """Return the verdict, or WAIT as long as it is not to be believed. `known` is the stream of before."""
        if stream is not None and known is not None and stream.term == known.term and stream.created != known.created:
            verdict = Verdict(Then.LOST, "it was made anew")
        if verdict.then is not Then.LOST:
            self._since = None
            return verdict
        self._since = now if self._since is None else self._since
        if now - self._since < (self._missing if stream is None else self._again):
            return structs.replace(verdict, then=Then.WAIT)
        self.lost = True
        return verdict
