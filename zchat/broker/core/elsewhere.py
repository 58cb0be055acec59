"""Who is where, told between brokers that share a log: beside the stream, over a bus that may lose, double and reorder.

Each broker tells what changes in its own sessions, as whole records of authors, under a revision that counts from 1 in
each of its epochs. A record says how an author is, not what it did; so what comes twice changes nothing. Whoever misses
a revision, by the next one or by a heartbeat, asks the broker for everybody, until it has them.

A broker's records are gone with its epoch, which ends in the stream; the authors linger (see `afar.py`). Claims decide
who has a nick and where a client is. Presence only shows it, a little later.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec
from msgspec import structs

from . import afar, announcing, bus, moderation
from .cluster import Cluster
from .effects import Effect
from .entrance import Entrance
from .marks import Marks

PART = 128 * 1024  # bytes of records in one message; with the largest one added it stays below 512 KiB
WORDS = 64 * 1024  # bytes of what one author said in leaving: beyond them rooms are told no words
ASK_AGAIN = 1.0  # s after which a broker that has not answered is asked again
SNAPSHOT_AGAIN = 0.5  # s: nobody is told everybody more often, however many ask
ACTIVE_AGAIN = 30.0  # s after which brokers tell each other who has done something: `idle` is that exact


@dataclass(slots=True)
class Other:
    """What is known of another broker's present epoch. `latest` is the highest revision of which is known."""

    epoch: int
    revision: int = 0
    latest: int = 0
    authors: set[str] = field(default_factory=set)
    asked: float = float("-inf")
    parts: set[int] = field(default_factory=set)  # that have come of `Everybody` as of the revision `snapshot` …
    seen: set[str] = field(default_factory=set)  # … and the authors in them
    snapshot: int = 0


class Elsewheres:
    """The authors at other brokers, as this broker knows them, and what it tells of its own.

    Times are seconds of its monotonic clock. What comes back as effects is to be carried out after all that was
    received before. `changes` is to be asked after each of the other calls, and after each batch.
    """

    def __init__(self, name: str, entrance: Entrance, grace: float, now: float = 0.0) -> None:
        self.epoch = self.revision = 0  # its own; epoch 0: none has begun
        self._name, self._entrance, self._roster = name, entrance, entrance.roster
        self._marks = self._roster.marks = Marks(name, grace, now)
        self._told: dict[str, bus.Elsewhere] = {}  # of its own authors, as of `revision`
        self._others: dict[str, Other] = {}
        self._over: dict[str, int] = {}  # the last epoch of each broker that has ended
        self._wanted, self._snapped = False, float("-inf")  # whether somebody asked for everybody; when it was told
        self._active = now  # when it was last told who is active

    def begin(self, epoch: int) -> None:
        """Begin the own epoch: from now on something is told."""
        self.epoch, self.revision, self._told = epoch, 0, {}
        self._marks.authors = dict.fromkeys(author.from_ for author in self._roster.present() if author.sessions)

    def end(self, broker: str, epoch: int, now: float) -> list[Effect]:
        """End an epoch of a broker, and all before it. To be called also for the own, before its sessions end."""
        self._marks.now = max(self._marks.now, now)
        if broker == self._name:
            if epoch >= self.epoch > 0:
                self._end_own()
            return []
        self._over[broker] = max(epoch, self._over.get(broker, 0))
        other = self._others.get(broker)
        if other is None or other.epoch > epoch:
            return []
        del self._others[broker]
        return self._keep(broker, other, set())

    def follow(self, cluster: Cluster, now: float) -> list[Effect]:
        """End what has ended in the stream: `cluster` is that of the log. The own epoch is left alone."""
        self._marks.claims = cluster
        effects: list[Effect] = []
        for broker, epoch in cluster.epochs.items():
            over = epoch.epoch - 1 if epoch.open else epoch.epoch
            if broker != self._name and over > self._over.get(broker, 0):
                effects += self.end(broker, over, now)
        return effects

    def hear(self, payload: bytes, now: float) -> list[Effect]:
        """Take what a broker told. What cannot be read is of a later version, and left out."""
        self._marks.now = max(self._marks.now, now)
        try:
            told = bus.decode(payload)
        except msgspec.DecodeError:
            return []
        if isinstance(told, bus.Ask):
            self._wanted |= told.broker == self._name
            return []
        if told.broker == self._name:
            return []
        if isinstance(told, bus.Typing | bus.Kicked):
            return self._pass_on(told)
        if told.epoch <= self._over.get(told.broker, 0):
            return []
        effects: list[Effect] = []
        other = self._others.get(told.broker)
        if other is None or other.epoch < told.epoch:
            effects += self.end(told.broker, told.epoch - 1, now)
            other = self._others[told.broker] = Other(told.epoch)
        return effects if other.epoch > told.epoch else effects + self._take(other, told)

    def tick(self, now: float) -> list[Effect]:
        """Ask again for what is missing; let those go who have lingered. To be called at least once a second."""
        self._marks.now = max(self._marks.now, now)
        for broker, other in self._others.items():
            self._ask(broker, other)
        if self.epoch and now - self._active >= ACTIVE_AGAIN:
            self._tell_active()
        return afar.expire(self._roster, self._marks)

    def changes(self) -> list[bytes]:
        """Return what is to be told to all brokers now, in this order."""
        marks = self._marks
        changed, marks.authors = marks.authors, {}
        left, marks.left = marks.left, {}
        told, marks.told = marks.told, []
        if not self.epoch:
            return []
        if changed:
            told += self._here(changed, left)
        if self._wanted and marks.now - self._snapped >= SNAPSHOT_AGAIN:
            self._wanted, self._snapped = False, marks.now
            told += self._everybody()
        return [bus.encode(each) for each in told]

    # -- what comes

    def _take(self, other: Other, told: bus.Heartbeat | bus.Here | bus.Everybody | bus.Active) -> list[Effect]:
        effects: list[Effect] = []
        match told:
            case bus.Active():
                for from_, idle in told.authors.items():
                    author = self._roster.find(from_)
                    if author is not None and author.far is not None:
                        author.far.active = max(author.far.active, self._marks.now - idle)
                return []
            case bus.Here() if told.revision == other.revision + 1 and told.revision > other.snapshot:
                other.revision = told.revision
                effects = self._change(told.broker, other, told)
            case bus.Everybody() if told.revision > other.revision:
                effects = self._collect(told.broker, other, told)
        other.latest = max(other.latest, told.revision)
        self._ask(told.broker, other)
        return effects

    def _change(self, broker: str, other: Other, told: bus.Here) -> list[Effect]:
        left: defaultdict[str, afar.Reasons] = defaultdict(dict)
        for one in told.left:
            left[one.from_] |= dict.fromkeys(one.rooms, (one.reason, one.text))
        effects: list[Effect] = []
        for from_ in told.gone:
            other.authors.discard(from_)
            effects += afar.update(self._roster, self._marks, broker, from_, None, left[from_])
        for record in told.authors:
            other.authors.add(record.from_)
            effects += afar.update(self._roster, self._marks, broker, record.from_, record, left[record.from_])
        return effects

    def _collect(self, broker: str, other: Other, told: bus.Everybody) -> list[Effect]:
        """Take a part of everybody. Whoever was in none of them is gone, or may be on its way.

        Parts are taken as they come, so that nobody waits for all of them. From the first one on, what was told before
        that revision is old.
        """
        if told.revision > other.snapshot:
            other.parts, other.seen, other.snapshot = set(), set(), told.revision
        if told.revision < other.snapshot or told.part in other.parts:
            return []
        other.parts.add(told.part)
        coming = {record.from_ for record in told.authors}
        other.seen |= coming
        other.authors |= coming
        effects: list[Effect] = []
        for record in told.authors:
            effects += afar.update(self._roster, self._marks, broker, record.from_, record, {})
        if len(other.parts) == told.parts:
            other.revision = told.revision
            effects += self._keep(broker, other, other.seen)
        return effects

    def _keep(self, broker: str, other: Other, authors: set[str]) -> list[Effect]:
        """Have the records of only these authors of a broker."""
        effects: list[Effect] = []
        for from_ in sorted(other.authors - authors):
            effects += afar.update(self._roster, self._marks, broker, from_, None, {})
        other.authors &= authors
        return effects

    def _pass_on(self, told: bus.Typing | bus.Kicked) -> list[Effect]:
        roster = self._roster
        match told:
            case bus.Typing(room=str(room)):
                return announcing.typing_in(roster, room, told.nick)
            case bus.Typing():
                target = roster.here(told.to or "")
                return [] if target is None else announcing.typing_to(target, told.to_nick, told.nick)
            case bus.Kicked():
                target = roster.here(told.from_)
                return [] if target is None else moderation.kicked(self._entrance, target, told)

    def _ask(self, broker: str, other: Other) -> None:
        """Ask a broker for everybody, if a revision of it is missing."""
        now = self._marks.now
        if other.revision < other.latest and now - other.asked >= ASK_AGAIN:
            other.asked = now
            self._marks.told.append(bus.Ask(broker))

    # -- what is told

    def _end_own(self) -> None:
        """Tell nothing any more. Those who are here are about to look for another broker, so they linger."""
        for session in self._roster.all():
            afar.linger(self._roster, session)
        self.epoch, self._told = 0, {}

    def _here(self, changed: Iterable[str], left: Mapping[tuple[str, str], tuple[str, str | None]]) -> list[bus.Here]:
        """Return what has changed in so many messages, each with its revision."""
        reasons: defaultdict[str, dict[tuple[str, str | None], list[str]]] = defaultdict(lambda: defaultdict(list))
        for (from_, room), why in left.items():
            reasons[from_][why].append(room)
        found: list[tuple[bus.Elsewhere | str, list[bus.Left]]] = []
        for from_ in changed:
            each = self._changed(from_)
            if each is not None:
                found.append((each, _left(from_, reasons.get(from_, {}))))
        messages: list[bus.Here] = []
        for part in _parts(found):
            self.revision += 1
            authors = [self._as_told(one) for one, _ in part if isinstance(one, bus.Elsewhere)]
            gone = [one for one, _ in part if isinstance(one, str)]
            words = [each for _, several in part for each in several]
            messages.append(bus.Here(self._name, self.epoch, self.revision, authors, gone, words))
        return messages

    def _changed(self, from_: str) -> bus.Elsewhere | str | None:
        """Return the new record of an author; its `from` if it has gone; None if there is nothing to tell."""
        author = self._roster.here(from_)
        if author is None:
            return None if self._told.pop(from_, None) is None else from_
        record = afar.record_of(author)
        if record == self._told.get(from_):
            return None
        self._told[from_] = record
        return record

    def _everybody(self) -> list[bus.Everybody]:
        parts = list(_parts([(record, []) for record in self._told.values()])) or [[]]
        messages: list[bus.Everybody] = []
        for number, part in enumerate(parts):
            authors = [self._as_told(one) for one, _ in part if isinstance(one, bus.Elsewhere)]
            messages.append(bus.Everybody(self._name, self.epoch, self.revision, number, len(parts), authors))
        return messages

    def _as_told(self, record: bus.Elsewhere) -> bus.Elsewhere:
        author = self._roster.here(record.from_)
        active = max((one.active for one in author.sessions), default=0.0) if author is not None else 0.0
        return structs.replace(record, idle=max(0, int(self._marks.now - active)))

    def _tell_active(self) -> None:
        now = self._marks.now
        since, self._active = self._active, now
        active = {
            one.author.from_: int(now - one.active)
            for one in sorted(self._roster.all(), key=lambda each: each.active)
            if one.active > since
        }
        everybody = list(active.items())
        for first in range(0, len(everybody), 5_000):
            self._marks.told.append(bus.Active(self._name, self.epoch, dict(everybody[first : first + 5_000])))


def _left(from_: str, reasons: Mapping[tuple[str, str | None], list[str]]) -> list[bus.Left]:
    words = sum(len((text or "").encode()) for _, text in reasons)
    return [
        bus.Left(from_, tuple(rooms), reason, text if words <= WORDS else None)
        for (reason, text), rooms in reasons.items()
    ]


Found = tuple[bus.Elsewhere | str, list[bus.Left]]


def _parts(found: Iterable[Found]) -> Iterator[list[Found]]:
    """Cut what is to be told into messages that are not too large."""
    part: list[Found] = []
    size = 0
    for each in found:
        more = len(bus.encode(each))
        if part and size + more > PART:
            yield part
            part, size = [], 0
        part.append(each)
        size += more
    if part:
        yield part
