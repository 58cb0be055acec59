"""The rule by which drafts become events: the same drafts in the same order make the same log, to the byte.

For each draft it assigns a `seq`, sets `prev` to the previous event of the room, and encodes the event, once. It
decides what only the order of the log can decide: whether a `once` key was used, whether there is what a reply is to,
and whether somebody may still do what was decided under an older state of the members. It looks at nothing but the
drafts, their time and the state of the log. So a log of one broker and the logs of several use it alike.
"""

from typing import Protocol, cast

from msgspec import structs

from zchat.protocol import messages as m
from zchat.protocol import wire

from . import administration, rights
from .effects import (
    Change,
    Changed,
    Claim,
    Claimed,
    Declined,
    Draft,
    Duplicate,
    Entry,
    Outcome,
    Pair,
    Refusal,
    Release,
    Stored,
    other_end,
)
from .members import Members
from .rows import CHAIN, Batch


class State(Protocol):
    """What has to be known of a log to apply the next batch to it."""

    head: int
    members: Members
    rooms: dict[str, tuple[int, int]]  # name: (id, head)
    next_room: int
    next_talk: int

    def talk(self, pair: Pair) -> tuple[int, int] | None:
        """Return (id, head) of a conversation; None if there is none yet."""

    def holds(self, room: int, seq: int) -> bool:
        """Return whether an event of a room or conversation (given by its id) is in the log."""

    def once(self, from_: str, key: str, time: int) -> int | None:
        """Return the `seq` for which this sender used this key in the 7 days before `time`."""


class Applying:
    """A batch that is being applied. Whoever owns the state adopts its changes after the commit."""

    def __init__(self, state: State, wall: float) -> None:
        self.state, self.time = state, wire.timestamp(wall)
        self.batch = Batch(state.head, wire.milliseconds(wall))
        self.wall = wall
        self.members = state.members  # a copy of its own, once something is changed
        self.rooms: dict[str, tuple[int, int]] = {}
        self.talks: dict[Pair, tuple[int, int]] = {}
        self.next_room, self.next_talk = state.next_room, state.next_talk

    def add(self, draft: Entry) -> Outcome:
        if type(draft) is not Draft:
            return self._change(draft) if type(draft) is Change else self._refusal(draft)
        batch, from_, commands, client = self.batch, draft.from_, draft.commands, draft.client
        batch.clients[client] = commands[-1].n, from_ if draft.producer else ""
        command, first = commands[0], batch.head + 1
        if draft.chain != self.members.head and (error := self._forbidden(draft)) is not None:
            return Declined(error)
        if type(command) is m.Say and command.reply_to is not None and not self._there(draft, command.reply_to):
            text = f"there is no message {command.reply_to} in this room or conversation"
            error = m.Error(code="bad_reply", message=text, n=command.n)
            batch.answers.append((client, command.n, wire.encode(error).decode()))
            return Declined(error)
        if type(command) is m.Say and command.once is not None and (seq := self._once(from_, command.once, first)):
            ack = m.Ack(n=command.n, seq=seq, duplicate=True)
            batch.answers.append((client, command.n, wire.encode(ack).decode()))
            return Duplicate(seq)
        batch.head += len(commands)
        id_, prev = self._talk(draft, batch.head) if draft.room is None else self._room(draft.room, batch.head)
        if type(command) is m.SetTopic:
            lines = [self._topic(draft, command, first, prev)]
        else:
            lines = self._messages(draft, cast("list[m.Say]", commands), first, prev)
        run = batch.runs[id_]
        run.seqs += range(first, batch.head + 1)
        run.ns += [command.n for command in commands]
        run.producers += [draft.producer] * len(commands)
        run.lines += lines
        return Stored(first, lines)

    def _refusal(self, draft: Refusal | Change | Claim | Release) -> Outcome:
        """Store a refusal; who is here is no concern of the log itself."""
        if type(draft) is not Refusal:
            return Claimed()
        batch, client, commands = self.batch, draft.client, draft.commands
        batch.clients[client] = commands[-1].n, draft.from_ if draft.producer else ""
        batch.answers.append((client, commands[0].n, wire.encode(draft.answer).decode()))
        return None

    def _forbidden(self, draft: Draft) -> m.Error | None:
        """Return the error that refuses a draft, since members have changed after it was decided."""
        error = rights.refuse_speech(self.members, draft, self.wall)
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

    def _there(self, draft: Draft, seq: int) -> bool:
        """Return whether an event is in the log, in the room or conversation of the draft."""
        known = self.state.rooms.get(draft.room) if draft.room is not None else self.state.talk(draft.pair or ("", ""))
        return known is not None and seq <= known[1] and self.state.holds(known[0], seq)

    def _once(self, from_: str, key: str, seq: int) -> int | None:
        """Return the `seq` for which the sender used the `once` key before; else note that it is `seq`."""
        batch = self.batch
        first = batch.once.get((from_, key)) or self.state.once(from_, key, batch.time // 1_000)
        if first is None:
            batch.once[from_, key] = seq
        return first

    def _messages(self, draft: Draft, says: list[m.Say], first: int, prev: int) -> list[bytes]:
        """Encode messages with consecutive `seq`s from `first` on."""
        encode, message = wire.encode, m.Message
        room, to, time, from_, nick = draft.room, draft.to, self.time, draft.from_, draft.nick
        with_ = None if draft.pair is None else other_end(draft.pair, from_)
        lines = []
        for seq, say in enumerate(says, first):
            event = message(
                seq=seq,
                prev=prev,
                room=room,
                to=to,
                with_=with_,
                time=time,
                from_=from_,
                nick=nick,
                kind=say.kind,
                text=say.text,
                reply_to=say.reply_to,
            )
            lines.append(encode(event))
            prev = seq
        return lines

    def _topic(self, draft: Draft, command: m.SetTopic, seq: int, prev: int) -> bytes:
        room, text, from_, nick = draft.room or "", command.text, draft.from_, draft.nick
        self.batch.topics.append((text, self.rooms[room][0]))
        return wire.encode(m.Topic(seq=seq, prev=prev, room=room, time=self.time, from_=from_, nick=nick, text=text))

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
