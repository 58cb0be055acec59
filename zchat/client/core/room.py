"""One room as this client follows it: a cursor, what is held back while a gap is filled, and the roster.

The cursor is the `seq` of the last event seen. An event of the feed is a repeat (`seq` not above the cursor), the next
one (`prev` not above it), or it shows a gap. At a gap the broker is asked for what comes after the cursor, and what the
feed brings meanwhile is held back. Only the newest few thousand events are held: what falls out is a gap again when
they are released, and is asked for in its turn. A `history` answer is complete through its `upto`, whatever `prev`
says.

The feed brings hundreds of events in one payload, nearly always without a repeat or a gap. So a payload is first
checked as a whole, and event by event only if that fails.
"""

from collections import deque
from typing import Any

from msgspec import UNSET, structs

from zchat.protocol import messages as m
from zchat.protocol import names, wire

HELD_MAX = 4_000  # events held back: longer than a page of history takes to come at 200,000 a second

Delivery = tuple[list[Any], list[bytes]]  # events, and their lines
NOTHING: Delivery = ([], [])


class Room:
    """`after` is a cursor to continue from, `backlog` how many last events to ask for at the first join."""

    def __init__(self, name: str, *, quiet: bool = False, after: int | None = None, backlog: int | None = None) -> None:
        self.name, self.quiet, self.backlog = name, quiet, backlog
        self.topic = wire.room_topic(name)
        self.private = names.is_private(name)  # nothing of it is on the feed
        self.cursor = after
        self.members: dict[str, m.Member] = {}
        self.rev = 0
        self.joined_at = 0  # its head when it was joined
        self.waiters: dict[Any, float] = {}  # keys of those who wait to be in, and until when
        self.established = False  # we were in once, or it was given at the start: only a part or a refusal ends it
        self.reset()

    def reset(self) -> None:
        """The session is gone: only the cursor is left."""
        self.joined = False
        self.waiting = False  # for what is missing: all else is held back
        self.asked = False  # for what is missing
        self.catching_up = True  # since it was joined
        self.roster_gap = False
        self.roster_asked = False
        self._fruitless = 0  # answers in a row that brought nothing
        self._held: deque[tuple[Any, bytes]] = deque(maxlen=HELD_MAX)
        self._ahead: int | None = None  # where the cursor stood when the last pong told a head above it
        self._rev_ahead: int | None = None

    def go_back(self, shared: int) -> bool:
        """The log is the one that we know through `shared` only; say if more was known."""
        self.joined_at = min(self.joined_at, shared)
        if self.cursor is None or self.cursor <= shared:
            return False
        self.cursor = shared
        return True

    def join_command(self, ref: m.Ref | None = None) -> m.Join:
        """Return the command that joins, and asks for what is missing."""
        backlog = self.backlog if self.cursor is None else None
        return m.Join(room=self.name, after=self.cursor, backlog=backlog, quiet=self.quiet, ref=ref)

    def confirm(self, reply: m.Joined, history_follows: bool) -> None:
        """The broker has let us in: the roster is known, and the head of the room."""
        self.joined = self.established = True
        self.joined_at = reply.head
        self.set_roster(reply.members, reply.rev)
        self.waiting = self.asked = history_follows
        if not history_follows and self.cursor is None:
            self.cursor = reply.head

    def set_roster(self, members: tuple[m.Member, ...], rev: int) -> None:
        """Know the roster as the broker tells it."""
        self.members = {member.nick: member for member in members}
        self.rev, self.roster_gap, self._rev_ahead, self.roster_asked = rev, False, None, False

    def set_role(self, from_: str, role: str) -> None:
        """Know that somebody has another role now."""
        for nick, member in self.members.items():
            if member.from_ == from_:
                self.members[nick] = structs.replace(member, role=role)

    def set_access(self, event: m.AccessChanged) -> None:
        """Know that somebody operates the room now; or that nobody does, since it is simply public again."""
        for nick, member in self.members.items():
            if event.change == "operator" and member.from_ == event.from_:
                self.members[nick] = structs.replace(member, operator=True)
            elif event.change == "mode" and event.mode == "public":
                self.members[nick] = structs.replace(member, operator=UNSET)

    def rename(self, from_: str, nick: str) -> None:
        """Know that somebody has another nick now; the room's own event may come later, and changes nothing then."""
        for old, member in list(self.members.items()):
            if member.from_ == from_:
                del self.members[old]
                self.members[nick] = structs.replace(member, nick=nick)

    def receive(self, events: list[Any], lines: list[bytes]) -> Delivery:
        """Return what can be shown of what the feed brought; at a gap, `waiting` is set."""
        if self.waiting or not self.joined:
            self._hold(events, lines)
            return NOTHING
        cursor = self.cursor or 0
        for event in events:
            kind = event.__class__
            if (kind is not m.Message and kind is not m.Topic) or event.prev > cursor or event.seq <= cursor:
                return self._sift(events, lines, False)
            cursor = event.seq
        self.cursor = cursor
        return events, lines

    def fill(self, reply: m.History, forwards: bool) -> tuple[Delivery, bool]:
        """Return the new events of a history answer, and whether there is more to ask for.

        `forwards`: what comes after a cursor was asked for, so there is newer history. Before a backlog it is older.
        """
        cursor = before = self.cursor or 0
        shown, lines = [], []
        for raw in reply.events:
            event = wire.event(raw)
            seq = getattr(event, "seq", None)
            if seq is not None and seq > cursor:
                cursor = seq
                shown.append(event)
                lines.append(bytes(raw))
        cursor = max(cursor, reply.upto)
        self.cursor, self.asked = cursor, False
        self._fruitless = 0 if cursor > before else self._fruitless + 1
        return (shown, lines), forwards and reply.more and cursor > before

    def release(self) -> Delivery:
        """Return what was held back, as far as it can be shown; at another gap, `waiting` is set."""
        if self._fruitless > 1:
            self.skip_gap()  # the broker says, again, that there is nothing where `prev` points to
        held, self._held = self._held, deque(maxlen=HELD_MAX)
        self.waiting = False
        return self._sift([event for event, _ in held], [line for _, line in held], True)

    def skip_gap(self) -> None:
        """Move the cursor to just before what was held back: what is missing cannot be had."""
        first = next((event for event, _ in self._held if getattr(event, "seq", None) is not None), None)
        if first is not None:
            self.cursor = max(self.cursor or 0, first.prev)

    def check_head(self, head: int | None, rev: int | None) -> bool:
        """A pong told the room's head and revision; True if another pong is needed to judge them.

        Only a cursor that has not moved since the last pong shows a gap. One that has is still on its way, and what it
        passes is checked by `prev`.
        """
        if not self.joined or self.waiting:
            self._ahead = self._rev_ahead = None
            return False
        cursor = self.cursor or 0
        ahead = head is not None and head > cursor
        if ahead and self._ahead == cursor:
            self.waiting = True
        if self._rev_ahead is not None and self._rev_ahead > self.rev:
            self.roster_gap = True
        self._ahead = cursor if ahead and not self.waiting else None
        self._rev_ahead = rev if rev is not None and rev > self.rev and not self.roster_gap else None
        return self._ahead is not None or self._rev_ahead is not None

    def forget_heads(self) -> None:
        """Forget what pongs told: the feed is not being read just now."""
        self._ahead = self._rev_ahead = None

    def _hold(self, events: list[Any], lines: list[bytes]) -> None:
        for event, line in zip(events, lines, strict=True):
            if getattr(event, "seq", None) is not None or (self.joined and self._apply(event)):
                self._held.append((event, line))

    def _sift(self, events: list[Any], lines: list[bytes], applied: bool) -> Delivery:
        """Check event by event; `applied`: the roster knows the ephemeral ones among them already."""
        shown: list[Any] = []
        kept: list[bytes] = []
        cursor = self.cursor or 0
        for index, event in enumerate(events):
            seq = getattr(event, "seq", None)
            if seq is None:
                if applied or self._apply(event):
                    shown.append(event)
                    kept.append(b"")
            elif seq > cursor:
                if event.prev > cursor:
                    self.waiting = True
                    self._hold_again(events[index:], lines[index:], applied)
                    break
                cursor = seq
                shown.append(event)
                kept.append(lines[index])
        self.cursor = cursor
        return shown, kept

    def _hold_again(self, events: list[Any], lines: list[bytes], applied: bool) -> None:
        if applied:
            self._held.extend(zip(events, lines, strict=True))
        else:
            self._hold(events, lines)

    def _apply(self, event: Any) -> bool:
        """Apply an event to the roster; False for a repeat and for what is no event of a room."""
        if isinstance(event, m.MemberTyping):
            return not self.waiting
        if not isinstance(event, m.MemberJoined | m.MemberLeft | m.MemberRenamed | m.MemberAway):
            return False
        if event.rev <= self.rev:
            return False
        self.roster_gap = self.roster_gap or event.rev > self.rev + 1
        self.rev = event.rev
        _APPLY[type(event)](self.members, event)
        return True


def _joined(members: dict[str, m.Member], event: m.MemberJoined) -> None:
    members[event.nick] = m.Member(
        nick=event.nick,
        from_=event.from_,
        bot=event.bot,
        role=event.role or UNSET,
        operator=event.operator or UNSET,
    )


def _left(members: dict[str, m.Member], event: m.MemberLeft) -> None:
    members.pop(event.nick, None)


def _renamed(members: dict[str, m.Member], event: m.MemberRenamed) -> None:
    if member := members.pop(event.nick, None):
        members[event.new] = structs.replace(member, nick=event.new)


def _away(members: dict[str, m.Member], event: m.MemberAway) -> None:
    if member := members.get(event.nick):
        members[event.nick] = structs.replace(member, away=event.text)


_APPLY: dict[type, Any] = {
    m.MemberJoined: _joined,
    m.MemberLeft: _left,
    m.MemberRenamed: _renamed,
    m.MemberAway: _away,
}
