"""The rule by which drafts become events: the same drafts in the same order make the same log, to the byte.

For each draft it assigns a `seq`, sets `prev` to the previous event of the room, and encodes the event, once. It
decides what only the order of the log can decide: whether a `once` key was used, whether there is what a reply is to
or what is to be edited, and whether somebody may still do what was decided under an older state of the members. It
looks at nothing but the drafts, their time and the state of the log. So a log of one broker and the logs of several use
it alike.
"""

from typing import Any, Protocol, cast

import msgspec
from msgspec import Struct, structs

from zchat.protocol import messages as m
from zchat.protocol import wire

from . import administration, noting, rights
from .entries import (
    Change,
    Changed,
    Claim,
    Claimed,
    Declined,
    Draft,
    Due,
    Duplicate,
    Entry,
    Failed,
    Outcome,
    Pair,
    Refusal,
    Release,
    Retire,
    Retired,
    Stored,
    Told,
    other_end,
)
from .members import Members
from .rights import Refused
from .rows import CHAIN, Batch


class State(noting.Kept, Protocol):
    """What has to be known of a log to apply the next batch to it."""

    head: int
    members: Members
    rooms: dict[str, tuple[int, int]]  # name: (id, head)
    next_room: int
    next_talk: int

    def talk(self, pair: Pair) -> tuple[int, int] | None:
        """Return (id, head) of a conversation; None if there is none yet."""

    def line(self, room: int, seq: int) -> bytes | None:
        """Return an event of a room or conversation (given by its id); None if there is none."""

    def marked(self, target: int, kind: str, key: str) -> int | None:
        """Return the `seq` of the event that left this mark on a message; None if there is none."""

    def count_marks(self, target: int, kind: str) -> int:
        """Return how many marks of a kind a message has."""

    def once(self, from_: str, key: str, time: int) -> int | None:
        """Return the `seq` for which this sender used this key in the 7 days before `time`."""


class Target(Struct, rename={"from_": "from"}):
    """The fields of an event that decide what may be done to it."""

    type: str
    from_: str
    thread: int | None = None


_target = msgspec.json.Decoder(Target).decode


class Applying:
    """A batch that is being applied. Whoever owns the state adopts its changes after the commit.

    Before `threads`, a message had no `thread`, and could reply to anything: so it was meant then.
    """

    def __init__(self, state: State, wall: float, threads: bool = True) -> None:
        self.state, self.time = state, wire.timestamp(wall)
        self.batch = Batch(state.head, wire.milliseconds(wall))
        self.wall, self.threads = wall, threads
        self.members = state.members  # a copy of its own, once something is changed
        self.rooms: dict[str, tuple[int, int]] = {}
        self.talks: dict[Pair, tuple[int, int]] = {}
        self.next_room, self.next_talk = state.next_room, state.next_talk

    def add(self, draft: Entry) -> Outcome:
        if type(draft) is not Draft:
            return self._other(draft)
        batch, from_, commands, client = self.batch, draft.from_, draft.commands, draft.client
        batch.clients[client] = commands[-1].n, from_ if draft.producer else ""
        command = commands[0]
        kind = m.BY_COMMAND.get(type(command))
        if draft.chain != self.members.head and (error := self._forbidden(draft)) is not None:
            return Declined(error)
        if kind is None or (type(command) is m.Say and command.at is not None and noting.later(draft, self.wall)):
            return self._without_event(draft)
        thread = None
        if type(command) is m.Say:
            if command.reply_to is not None:
                thread, refused = self._thread(draft, command.reply_to)
                if refused is not None:
                    return self._decline(draft, refused)
            if command.once is not None and (seq := self._once(from_, command.once, batch.head + 1)):
                return self._repeated(draft, seq)
        return self._mend(draft, kind, cast("Any", command).seq) if kind.mends else self._store(draft, kind, thread)

    def _other(self, entry: Refusal | Change | Claim | Release | Retire | Due) -> Outcome:
        if type(entry) is Due:
            return self._tell(entry)
        return self._change(entry) if type(entry) is Change else self._refusal(entry)

    def _without_event(self, draft: Draft) -> Outcome:
        """Note what makes no event, or none now."""
        try:
            if (at := noting.later(draft, self.wall)) is not None:
                noted = noting.schedule(self.state, self.batch, draft, at, self.wall)
                self._keep_answer(draft, m.Ack(n=draft.commands[0].n, scheduled=noted.later))
                return noted
            if type(draft.commands[0]) is m.Unschedule:
                return noting.unschedule(self.state, self.batch, draft)
        except Refused as refused:
            return self._decline(draft, refused)
        return noting.mark(self.state, self.batch, draft, self._place(draft))

    def _tell(self, due: Due) -> Outcome:
        """Say now what was said for later: everything is looked at again, and nobody waits for an answer."""
        draft = noting.take(self.state, self.batch, due, self.members)
        if draft is None:
            return Failed()
        say, first = cast("m.Say", draft.commands[0]), self.batch.head + 1
        error, thread = noting.refuse(self.members, due, draft, self.wall), None
        if error is None and say.reply_to is not None:
            thread, refused = self._thread(draft, say.reply_to)
            error = None if refused is None else m.Error(code=refused.code, message=refused.message)
        if error is not None:
            return Told(due.id, draft, Declined(error))
        if say.once is not None and (seq := self._once(draft.from_, say.once, first)):
            return Told(due.id, draft, Duplicate(seq))
        return Told(due.id, draft, self._store(draft, m.BY_COMMAND[m.Say], thread))

    def _mend(self, draft: Draft, kind: m.DurableKind, seq: int) -> Outcome:
        """Do something to an earlier message."""
        if (refused := self._may_mend(draft, kind, seq)) is not None:
            return self._decline(draft, refused)
        if (same := self._same(draft, kind)) is not None:
            return self._repeated(draft, same)
        if (refused := self._count(draft, kind)) is not None:
            return self._decline(draft, refused)
        return self._store(draft, kind, None)

    def _store(self, draft: Draft, kind: m.DurableKind, thread: int | None) -> Stored:
        """Make the events of a draft."""
        batch, commands = self.batch, draft.commands
        first, batch.head = batch.head + 1, batch.head + len(commands)
        id_, prev = self._talk(draft, batch.head) if draft.room is None else self._room(draft.room, batch.head)
        events = kind.make(self._stamp(draft, first, prev, thread), commands)
        lines = list(map(wire.encode, events))
        if thread is not None or kind.command is not m.Say or cast("m.Say", commands[0]).files:
            self._note(kind, events[0], id_, draft.forget)
        run = batch.runs[id_]
        run.lines += lines
        if len(lines) == 1:  # as most drafts have; this takes a third of the time
            run.seqs.append(first)
            run.ns.append(commands[0].n)
            run.producers.append(draft.producer)
        else:
            run.seqs += range(first, batch.head + 1)
            run.ns += [command.n for command in commands]
            run.producers += [draft.producer] * len(commands)
        return Stored(first, lines)

    def _stamp(self, draft: Draft, seq: int, prev: int, thread: int | None = None) -> m.Stamp:
        with_ = None if draft.pair is None else other_end(draft.pair, draft.from_)
        return m.Stamp(seq, prev, draft.room, draft.to, with_, self.time, draft.from_, draft.nick, thread)

    def _note(self, kind: m.DurableKind, event: Any, room: int, forget: bool) -> None:
        """Note what a single event leaves behind, beside its line."""
        batch, mark = self.batch, kind.mark(event)
        for one in getattr(event, "files", ()):
            batch.attached.append((one.file, room, event.seq, event.from_, one.size))
        if mark is not None:
            batch.marks[mark.target, mark.kind, mark.key] = room, 0 if mark.off else event.seq, mark.nick
        if kind.ends == "text":
            batch.edited.append((room, event.target, event.seq, forget))
        elif kind.ends == "message":
            batch.buried[event.target] = room, event.by
        elif type(event) is m.Topic:
            batch.topics.append((event.text, room))

    def _may_mend(self, draft: Draft, kind: m.DurableKind, seq: int) -> Refused | None:
        """Return why something may not be done to the message `seq`, if so."""
        target = self._target(draft, seq)
        if target is None or target.type != "message":
            return Refused(*rights.no_target(seq))
        try:
            rights.check_mending(self.members, draft, kind, target.from_)
        except Refused as refused:
            return refused
        return None

    def _same(self, draft: Draft, kind: m.DurableKind) -> int | None:
        """Return the `seq` of what has done already what a draft wants; 0 if it wants nothing; None if it is new."""
        mark = kind.mark(kind.make(self._stamp(draft, 0, 0), draft.commands)[0])
        if mark is None:
            return None
        key = mark.target, mark.kind, mark.key
        seq = self.batch.marks[key][1] if key in self.batch.marks else self.state.marked(*key) or 0
        return (None if seq else 0) if mark.off else (seq or None)

    def _count(self, draft: Draft, kind: m.DurableKind) -> Refused | None:
        """Count what a draft leaves on its target, where that is bounded. Return why it may not, if so.

        An edit that has those before it forgotten leaves no more than one.
        """
        if kind.most is None or draft.forget:
            return None
        mark = cast("m.Mark", kind.mark(kind.make(self._stamp(draft, 0, 0), draft.commands)[0]))
        key = mark.target, mark.kind
        count = self.batch.counted[key] if key in self.batch.counted else self.state.count_marks(*key)
        if not mark.off and count >= kind.most:
            return Refused("forbidden", f"this message has {kind.most:,} {mark.kind}s already", kind.most)
        self.batch.counted[key] = count + (-1 if mark.off else 1)
        return None

    def _thread(self, draft: Draft, seq: int) -> tuple[int | None, Refused | None]:
        """Return the root of the thread to which a reply to `seq` belongs, or why there is none."""
        target = self._target(draft, seq)
        if not self.threads:
            target = target and Target(type="topic", from_="", thread=None)
        if target is None or target.type not in ("message", "topic"):
            text = f"there is no message {seq} in this room or conversation"
            return None, Refused("bad_reply", text)
        return (target.thread or seq) if self.threads else None, None

    def _target(self, draft: Draft, seq: int) -> Target | None:
        """Return what an event in the room or conversation of a draft is; None if there is none."""
        known = self.state.rooms.get(draft.room) if draft.room is not None else self.state.talk(draft.pair or ("", ""))
        if known is None or seq > known[1] or (seq in self.batch.buried and self.threads):
            return None
        line = self.state.line(known[0], seq)
        return None if line is None else _target(line)

    def _place(self, draft: Draft) -> tuple[int, int] | None:
        """Return id and head of the room or conversation of a draft, as of now; None if nothing was said there."""
        if draft.room is not None:
            return self.rooms.get(draft.room) or self.state.rooms.get(draft.room)
        pair = draft.pair or ("", "")
        return self.talks.get(pair) or self.state.talk(pair)

    def _decline(self, draft: Draft, refused: Refused) -> Outcome:
        error = m.Error(code=refused.code, message=refused.message, n=draft.commands[0].n, limit=refused.limit)
        self._keep_answer(draft, error)
        return Declined(error)

    def _keep_answer(self, draft: Draft, answer: m.Error | m.Ack) -> None:
        """Keep the answer to a number that is taken without an event."""
        self.batch.answers.append((draft.client, draft.commands[0].n, wire.encode(answer).decode()))

    def _repeated(self, draft: Draft, seq: int) -> Outcome:
        self._keep_answer(draft, m.Ack(n=draft.commands[0].n, seq=seq or None, duplicate=True))
        return Duplicate(seq)

    def _refusal(self, draft: Refusal | Change | Claim | Release | Retire) -> Outcome:
        """Store a refusal; who is here is no concern of the log itself."""
        if type(draft) is Retire:
            return self._retire(draft)
        if type(draft) is not Refusal:
            return Claimed()
        batch, client, commands = self.batch, draft.client, draft.commands
        batch.clients[client] = commands[-1].n, draft.from_ if draft.producer else ""
        batch.answers.append((client, commands[0].n, wire.encode(draft.answer).decode()))
        return None

    def _retire(self, draft: Retire) -> Outcome:
        """Have what has been kept for long enough go, as the room says now, or else the broker."""
        place, keep = draft.place, draft.keep
        if draft.room is not None:
            place = self.state.rooms.get(draft.room, (CHAIN, 0))[0]
            keep = self.members.keeps(draft.room, keep)
        if place != CHAIN and keep > 0:
            before = self.batch.time - int(keep * 1_000)
            before = before if draft.before is None else min(before, draft.before)
            self.batch.retired.append((place, draft.upto, before))
        return Retired()

    def _forbidden(self, draft: Draft) -> m.Error | None:
        """Return the error that refuses a draft, since members have changed after it was decided."""
        error = rights.refuse_draft(self.members, draft, self.wall)
        if error is not None:
            for command in draft.commands:
                answer = structs.replace(error, n=command.n)
                self.batch.answers.append((draft.client, command.n, wire.encode(answer).decode()))
        return error

    def _change(self, change: Change) -> Outcome:
        """Decide a change of members, and store its event."""
        batch, numbered = self.batch, change.producer != ""
        n = cast("m.Invite", change.commands[0]).n if numbered else 0
        if numbered:
            batch.clients[change.producer] = n, change.from_ if self.members.get(change.from_) else ""
        event = administration.decide(self.members, change, self.wall)
        if isinstance(event, m.Error):
            if numbered:
                batch.answers.append((change.producer, n, wire.encode(event).decode()))
            return Declined(event)
        batch.head += 1
        event = structs.replace(event, seq=batch.head, prev=self.members.head, time=self.time)
        if self.members is self.state.members:
            self.members = self.members.copy()
        self.members.apply(event)
        line = wire.encode(event)
        run = batch.runs[CHAIN]
        run.seqs.append(batch.head)
        run.ns.append(n)
        run.producers.append(change.producer)
        run.lines.append(line)
        batch.chain = batch.head
        return Changed(event, line)

    def _once(self, from_: str, key: str, seq: int) -> int | None:
        """Return the `seq` for which the sender used the `once` key before; else note that it is `seq`."""
        batch = self.batch
        first = batch.once.get((from_, key)) or self.state.once(from_, key, batch.time // 1_000)
        if first is None:
            batch.once[from_, key] = seq
        return first

    def _room(self, name: str, seq: int) -> tuple[int, int]:
        """Set the head of a room to `seq`. Return its id and its previous head."""
        known = self.rooms.get(name) or self.state.rooms.get(name)
        if known is None:
            known = self.next_room, 0
            self.next_room += 1
            self.batch.new_rooms.append((known[0], name, seq))
        self.rooms[name] = known[0], seq
        return known

    def _talk(self, draft: Draft, seq: int) -> tuple[int, int]:
        """Set the head of a conversation to `seq`. Return its id and its previous head."""
        pair = draft.pair or ("", "")
        known = self.talks.get(pair) or self.state.talk(pair)
        if known is None:
            known = self.next_talk, 0
            self.next_talk -= 1
        self.talks[pair] = known[0], seq
        sender_first = pair[0] == draft.from_
        nicks = (draft.nick, draft.to or "") if sender_first else (draft.to or "", draft.nick)
        self.batch.conversations.append((known[0], *pair, *nicks, seq))
        return known
