"""The audit, in the manner of Jepsen: what everybody wrote down against what the log holds. Pure.

Each check is one sentence of the promise, and yields a line of evidence for each breach. None trusts another: they go
over the same journals from different ends, so that one broken thing shows where it is broken. What a talker intended
and its outbox never had may die with its process; from `Kept` on nothing may vanish.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from tests.soak.journal import Acked, AnyRecord, Kept, Life, Mended, Over, Ran, Refused, Said, Seen, checksum

ID = re.compile(r"(?:talker|nomad|mender|page|irc)\d+-\d+")
SPOKEN = {"message", "topic", "edit"}  # kinds of events that have a text
Line = dict[str, Any]
ANSWER = re.compile(r"(tally|echo) (\S+)(?: (\d+))?")
COMMAND = re.compile(r"!(tally|echo)(\d+) (\S+)")


class Event(NamedTuple):
    """One durable event as the log has it; `sum` is of its line, `target` the message that it is about."""

    seq: int
    prev: int
    room: str
    nick: str
    text: str
    topic: bool
    reply_to: int | None
    sum: int
    kind: str = "message"
    target: int | None = None
    what: str = ""  # of a reaction, a pin: as a journal has it
    told: int = 0  # the checksum of it as it is told by a gateway


@dataclass
class Evidence:
    """All there is to judge: journals by name, the log by `seq`, what each follower follows, what outboxes hold."""

    log: Sequence[Event]
    talkers: Mapping[str, Sequence[AnyRecord]] = field(default_factory=dict)
    followers: Mapping[str, Sequence[AnyRecord]] = field(default_factory=dict)
    bots: Mapping[str, Sequence[AnyRecord]] = field(default_factory=dict)
    pages: Mapping[str, Sequence[AnyRecord]] = field(default_factory=dict)  # these are talkers, too
    ircs: Mapping[str, Sequence[AnyRecord]] = field(default_factory=dict)  # … who see messages only
    follows: Mapping[str, Sequence[str]] = field(default_factory=dict)
    outboxes: Mapping[str, Sequence[int]] = field(default_factory=dict)  # checksums of texts still in them
    lines: Mapping[str, Sequence[Line]] = field(default_factory=dict)  # of each room
    current: Mapping[str, Sequence[Line]] = field(default_factory=dict)  # the same as a broker tells it now
    remains: Collection[str] = ()  # ids of what menders said that are in the files of the log

    def __post_init__(self) -> None:
        self.stored: dict[str, list[Event]] = defaultdict(list)  # by id
        for event in self.log:
            if event.kind in SPOKEN and event.nick in self.talkers and (found := ID.search(event.text)):
                self.stored[found[0]].append(event)
        self.rooms: dict[str, list[Event]] = defaultdict(list)
        for event in self.log:
            self.rooms[event.room].append(event)
        self.said = {each.id: each for records in self.talkers.values() for each in records if isinstance(each, Said)}
        self.acked = {each.id: each for records in self.talkers.values() for each in records if isinstance(each, Acked)}
        self.mended = {
            each.id: each for records in self.talkers.values() for each in records if isinstance(each, Mended)
        }
        self.tombstones = {event.seq for event in self.log if event.kind == "tombstone"}
        self.deleting = {each.target for each in self.mended.values() if each.kind == "delete"}
        self.refused = {
            each.id: each for records in self.talkers.values() for each in records if isinstance(each, Refused)
        }

    @property
    def looking_on(self) -> Mapping[str, Sequence[AnyRecord]]:
        """The journals of all who see what is said in rooms."""
        return {**self.followers, **self.pages, **self.ircs}


Check = Callable[[Evidence], Iterator[str]]


def acknowledged_is_stored_once(found: Evidence) -> Iterator[str]:
    for id_, ack in found.acked.items():
        if id_ in found.said and not found.stored.get(id_) and ack.seq not in found.tombstones:
            yield f"{id_} was acknowledged and is not in the log"
    for id_, events in found.stored.items():
        if len(events) > 1:
            yield f"{id_} is in the log {len(events)} times, at {[event.seq for event in events]}"


def acknowledged_seq_is_true(found: Evidence) -> Iterator[str]:
    for id_, ack in found.acked.items():
        seqs = [event.seq for event in found.stored.get(id_, ())]
        if ack.seq is not None and seqs and ack.seq not in seqs:
            yield f"{id_} was acknowledged at {ack.seq} and is at {seqs[0]}"


def senders_order_is_kept(found: Evidence) -> Iterator[str]:
    for talker, records in found.talkers.items():
        order = {record.id: k for k, record in enumerate(records) if isinstance(record, Said)}
        stored = [match[0] for event in found.log if event.nick == talker and (match := ID.search(event.text))]
        known = [id_ for id_ in stored if id_ in order]
        for one, other in pairwise(known):
            if order[one] > order[other]:
                yield f"{other} was said before {one} and is in the log after it"


def nothing_is_there_that_was_never_sent(found: Evidence) -> Iterator[str]:
    for event in found.log:
        if event.nick in found.bots or event.kind not in SPOKEN:
            continue
        match = ID.search(event.text)
        said = found.said.get(match[0]) if match else None
        if said is None or not said.id.startswith(f"{event.nick}-"):
            yield f"{event.nick} never said what is at {event.seq}: {event.text[:60]!r}"
        elif (said.room, said.sum, said.topic) != (event.room, checksum(event.text), event.topic):
            yield f"{said.id} was said otherwise than it is at {event.seq}: {event.text[:60]!r} in {event.room}"


def may_be_refused(said: Said) -> tuple[str, ...]:
    """Return the codes with which this may be refused: for a whisper also that the other had gone."""
    return (*filter(None, (said.refusal, said.maybe)), *(("unknown_nick",) if said.room.startswith("@") else ()))


def refused_for_a_reason_and_not_stored(found: Evidence) -> Iterator[str]:
    for id_, said in found.said.items():
        refused = found.refused.get(id_)
        if refused is not None and refused.code not in may_be_refused(said):
            yield f"{id_} was refused with {refused.code}, which it had not earned"
        if said.refusal and id_ in found.acked:
            yield f"{id_} was acknowledged, although it had earned {said.refusal}"
        if refused is not None and found.stored.get(id_):
            yield f"{id_} was refused and is in the log at {found.stored[id_][0].seq}"


def nothing_intended_vanishes(found: Evidence) -> Iterator[str]:
    for talker, records in found.talkers.items():
        kept = {record.id for record in records if isinstance(record, Kept)}
        last_life = max((k for k, record in enumerate(records) if isinstance(record, Life)), default=0)
        left = set(found.outboxes.get(talker, ()))
        for k, said in enumerate(records):
            if not isinstance(said, Said) or may_be_refused(said):  # which is told to nobody in a later life
                continue
            if said.id in found.acked or said.id in found.refused or said.id in found.stored or said.sum in left:
                continue
            if said.id in found.mended and found.mended[said.id].target in found.deleting:
                continue  # an edit of what is gone is gone, too
            if said.id in kept or k > last_life:
                yield f"{said.id} was in the outbox, and is neither answered nor in the log nor in the outbox"


def followers_see_each_once_in_order(found: Evidence) -> Iterator[str]:
    for follower, records in found.followers.items():
        views: dict[str, list[Seen]] = defaultdict(list)
        for record in records:
            if isinstance(record, Seen):
                views[record.room].append(record)
        for room in {*found.follows[follower], *views}:
            expected = found.rooms[room] if room in found.follows[follower] else []
            yield from compared(f"{follower} in {room}", views[room], expected)


def conversations_are_seen_whole(found: Evidence) -> Iterator[str]:
    """From the first event that one life of a talker sees, it sees all: to the end, if it lived to see that."""
    for talker, records in found.talkers.items():
        lives = [k for k, record in enumerate(records) if isinstance(record, Life)]
        for begin, end in zip(lives, [*lives[1:], None], strict=True):
            views: dict[str, list[Seen]] = defaultdict(list)
            for record in records[begin:end]:
                if isinstance(record, Seen) and record.room.startswith("@"):
                    views[record.room].append(record)
            for room, view in views.items():
                events = found.rooms[room]
                upto = view[-1].seq if end or not events else events[-1].seq
                expected = [event for event in events if view[0].seq <= event.seq <= upto]
                yield from compared(f"{talker} in {room}", view, expected)
                if talker not in room[1:].split(" "):
                    yield f"{talker} saw what was said in {room}"


def compared(who: str, view: Sequence[Seen], log: Sequence[Event]) -> Iterator[str]:
    """Say in what a view differs from the log; what was deleted may have been seen before, as it was then."""
    sums = {event.seq: None if event.kind == "tombstone" else event.sum for event in log}
    if [(seen.seq, sums.get(seen.seq) and seen.sum) for seen in view] == [
        (event.seq, sums[event.seq] and event.sum) for event in log
    ]:
        return
    times = Counter(seen.seq for seen in view)
    yield from (f"{who} missed {seq}" for seq in sums if seq not in times)
    yield from (f"{who} saw {seq} {count} times" for seq, count in times.items() if count > 1)
    yield from (f"{who} saw {seq}, which is not in the log" for seq in times if seq not in sums)
    yield from (
        f"{who} saw {seen.seq} otherwise than it is" for seen in view if sums.get(seen.seq) not in {None, seen.sum}
    )
    for one, other in pairwise(view):
        if one.seq > other.seq:
            yield f"{who} saw {other.seq} after {one.seq}"


def the_log_is_one_chain(found: Evidence) -> Iterator[str]:
    heads: dict[str, int] = {}
    last = 0
    for event in found.log:
        if event.seq <= last:
            yield f"{event.seq} follows {last} in the log"
        last = event.seq
        if event.prev != heads.get(event.room, 0):
            yield f"{event.seq} says that {event.prev} is before it in {event.room}, but {heads.get(event.room, 0)} is"
        heads[event.room] = event.seq


def bots_answer_each_command_once(found: Evidence) -> Iterator[str]:
    answers: dict[tuple[str, int | None], list[Event]] = defaultdict(list)
    for event in found.log:
        if event.nick in found.bots:
            answers[event.nick, event.reply_to].append(event)
    ran = {(bot, record.seq) for bot, records in found.bots.items() for record in records if isinstance(record, Ran)}
    for command in found.log:
        match = COMMAND.fullmatch(command.text)
        bot = f"bot{match[2]}" if match else ""
        if match is None or bot not in found.bots or command.nick not in found.talkers:
            continue
        texts = [event.text for event in answers.pop((bot, command.seq), [])]
        if len(texts) != 1 or not texts[0].startswith(f"{match[1]} {match[3]}"):
            yield f"{bot} answered {command.text!r} at {command.seq} with {texts[:3]}"
        if match[1] == "echo" and (bot, command.seq) not in ran:
            yield f"{bot} never ran {command.text!r} at {command.seq}"
    for (bot, seq), events in answers.items():
        yield f"{bot} answered {events[0].text!r} to {seq}, which is no command of its"


def bots_count_each_command_exactly_once(found: Evidence) -> Iterator[str]:
    for bot in found.bots:
        texts = (ANSWER.fullmatch(event.text) for event in found.log if event.nick == bot)
        counts = sorted(int(match[3]) for match in texts if match and match[1] == "tally" and match[3])
        if counts != list(range(1, len(counts) + 1)):
            wrong = [count for count, times in Counter(counts).items() if times > 1] or counts[-1:]
            yield f"{bot} counted {len(counts)} commands, but not from 1 on without a hole: see {wrong[:5]}"


def nobody_ends_for_good(found: Evidence) -> Iterator[str]:
    for who, records in {**found.talkers, **found.followers, **found.bots}.items():
        yield from (f"{who} has ended: {record.why}" for record in records if isinstance(record, Over))


CHECKS: tuple[Check, ...] = (
    acknowledged_is_stored_once,
    acknowledged_seq_is_true,
    senders_order_is_kept,
    nothing_is_there_that_was_never_sent,
    refused_for_a_reason_and_not_stored,
    nothing_intended_vanishes,
    followers_see_each_once_in_order,
    conversations_are_seen_whole,
    the_log_is_one_chain,
    bots_answer_each_command_once,
    bots_count_each_command_exactly_once,
    nobody_ends_for_good,
)


def audit(found: Evidence, checks: Sequence[Check] = CHECKS) -> dict[str, list[str]]:
    """Return the breaches found, by the sentence that was broken."""
    return {check.__name__.replace("_", " "): list(check(found)) for check in checks}
