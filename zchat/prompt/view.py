"""The view of a terminal: one target is looked at, and the others are counted.

Lines go into the terminal's own scrollback and cannot be changed there. So one room or conversation is looked at, and
its messages are shown as they come. Those of the others are counted, and shown when one turns to them. A message that
mentions the reader is shown at once, wherever it was said, also in a flood (`flood.py`). Who comes and goes waits a
moment, to become one line with others (`presence.py`). What is done to messages is told as `mending.py` has it.

A message takes three steps: `classify` says what it is to the reader, `_update` counts it and decides where it is
shown, `_render` makes the lines.
"""

import enum
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from zchat.client.core import notices
from zchat.client.core.cursors import continues
from zchat.escapes import escape_controls
from zchat.protocol import messages as m

from . import render, said
from .alerts import Alerts
from .asker import Asker
from .conversations import Conversations
from .flood import Flood
from .mending import Mending
from .output import Output
from .presence import Presence
from .quotes import Quotes
from .reading import Reading
from .recent import Recent
from .said import MENDS, Mend
from .target import Target, partner
from .targets import Targets

if TYPE_CHECKING:
    from zchat.client.client import ChatClient

READ_BEFORE = 5  # messages shown before the new ones, when one turns to a target
RECALLED = 40  # new messages shown then, at most: /history has the others
LAST_OF_FLOOD = 10  # messages shown at the end of a flood


class Classification(NamedTuple):
    """What a message is to the reader."""

    mine: bool
    direct: bool
    is_old: bool  # history of a room: neither news nor a reason to ring
    mentions_us: bool  # by name, by a word, or because it is said to us alone; never when old or our own


class Shown(enum.Enum):
    """Where a message is shown."""

    HERE = enum.auto()
    ELSEWHERE = enum.auto()  # at once, though one looks at another target
    LATER = enum.auto()  # it was counted


def classify(event: m.Durable, mine: str, history: bool, style: render.Style) -> Classification:
    """Say what a message is to the reader; `mine` is our public id."""
    own, direct = event.from_ == mine, event.room is None
    is_old = history and not direct  # what was said to us alone is news, however late it comes
    mentions_us = not own and not is_old and isinstance(event, m.Message) and (direct or _mentions(event, style))
    return Classification(own, direct, is_old, mentions_us)


def _mentions(event: m.Message, style: render.Style) -> bool:
    return style.mentions is not None and style.mentions.search(escape_controls(event.text)) is not None


class TerminalView:
    """Shows the target one looks at, counts in the others, and alerts."""

    def __init__(self, client: "ChatClient", output: Output, asker: Asker, targets: Targets | None = None) -> None:
        self.client, self.output = client, output
        self.targets = targets or Targets()
        self.focused = True
        self.gone_since: float | None = None  # when the broker went away
        self.lag: float | None = None  # seconds from a ping to its pong
        self.on_turn: Callable[[], None] = lambda: None
        self.log = client.welcome.log if client.welcome else ""  # the log that the targets are of …
        self.epochs = client.epochs  # … and its history
        self.flood = Flood(self._flood_ended)
        self.alerts = Alerts(output)
        self.reading = Reading(client, self.targets, output.ignores)
        self.conversations = Conversations(client, output, asker, self.targets)
        self.presence = Presence(client, output, self.targets)
        self.quotes = Quotes(client, asker, self._kept_at)
        self.mending = Mending(client, output, self.targets, self.alerts)

    @property
    def here(self) -> Target | None:
        return self.targets.here

    # -- where one looks

    def turn_to(self, name: str | None) -> None:
        """Look at another target, and show what was said there meanwhile."""
        self.flood.end()  # it was counted for the target that is left
        if name is None:
            self.output.look_at(None)
            self.targets.here = None
        elif self.here is not (target := self.targets.get(name)):
            self.presence.tell()
            self.output.look_at(target.room, target.thread)
            target.with_ = target.with_ or self.id_of(target.partner or "")
            self.reading.mark(self.here)
            self.targets.turn_to(name)
            if target.thread is None:
                self._recall(target)
            self.on_turn()

    def _recall(self, target: Target) -> None:
        """Show what was said while one looked elsewhere."""
        seen = target.seen
        if not target.recent and len(self.targets.all) == 1:
            return  # the first room: its backlog is on its way
        kept = [event for event in target.recent if not self.output.ignores(event)]
        new = [event for event in kept if event.seq > seen]
        old = [event for event in kept if event.seq <= seen][-READ_BEFORE:]
        lines = [render.divider(self.output.style.place(target.name), self.output.style)]
        if len(new) > RECALLED:
            lines.append(self.output.style.dim(f"… {len(new) - RECALLED} more; /history shows them"))
        again = {event.seq for event in old}
        mends = [mend for mend in target.take_mends() if mend.target not in again]
        lines += [line for event in old for line in self._show_in(target, event)]
        for event in sorted([*mends, *new[-RECALLED:]], key=lambda event: event.seq):
            lines += self._mend_in(target, event) if isinstance(event, MENDS) else self._show_in(target, event)
        self.output.show("\n".join(lines))
        if target.recent and self.focused:
            target.mark = None  # what comes now is read as it comes

    def focus(self, focused: bool) -> None:
        """The terminal got the focus, or lost it."""
        self.focused = focused
        self.reading.mark(self.here)
        if not focused and self.here is not None:
            self.here.stop_looking()

    def leave(self, room: str) -> None:
        """Forget a room, with what was still to be told of it."""
        if self.here is not None and self.here is self.targets.find(f"#{room}"):
            self.presence.take()
            self.flood.forget()
        self.targets.drop(f"#{room}")

    async def talk_to(self, nick: str) -> None:
        """Look at a conversation, with its last messages. Raises RefusedError, TimedOutError."""
        await self.conversations.begin(nick)
        self.turn_to(f"@{nick}")

    def id_of(self, nick: str) -> str | None:
        """Return the `from` of the person one knows by this nick, None if one knows nobody."""
        target = self.targets.find(f"@{nick}")
        return None if target is None else target.with_

    # -- messages

    async def prepare(self, events: Iterable[object]) -> None:
        """Look up what these events quote."""
        await self.quotes.look_up(events)

    def message(self, event: m.Durable, history: bool) -> list[str]:
        """Take what was said or done, and return the lines to be shown now."""
        if self.here is not None and self.here.thread is not None and self.here.has_in_thread(event):
            self.here.recent.take(event)
        if isinstance(event, MENDS):
            self.quotes.take(event)
            return self._mended(event, history)
        if isinstance(event, m.Tombstone) and event.target is not None:
            return []
        kind = classify(event, self.client.from_, history, self.output.style)
        target = self._target_of(event)
        if not kind.mine and self.output.ignores(event):
            target.recent.take(event)
            return []
        if kind.direct and event.seq in target.recent:
            return []  # it was looked up before it came
        if not kind.mine and not kind.is_old and not isinstance(event, m.Tombstone):
            self.alerts.alert(event, mentions_us=kind.mentions_us, focused=self.focused)
        return self._render(event, target, self._update(event, target, kind))

    def _mended(self, event: Mend, history: bool) -> list[str]:
        target = self._target_of(event)
        in_view = self._is_in_view(event, target)
        lines = self.mending.take(event, target, old=history, in_view=in_view, focused=self.focused)
        return self._below(self.here or target, event, lines) if in_view and not target.unread else lines

    def _target_of(self, event: m.Durable) -> Target:
        other = partner(event, self.client.from_)
        return self.targets.get(f"#{event.room}") if other is None else self.conversations.with_(*other)

    def _update(self, event: m.Durable, target: Target, kind: Classification) -> Shown:
        """Keep a message in its target, count it, and decide where it is shown."""
        target.add(event, time.monotonic())
        if self._is_in_view(event, target):
            if not target.unread:
                target.see(event.seq)
            if kind.mine or kind.mentions_us:
                self.flood.note_shown(event.seq)
                return Shown.HERE
            if self.flood.admits():
                return Shown.HERE
            return Shown.LATER
        target.count(event.seq, is_old=kind.is_old, mine=kind.mine, mentions_us=kind.mentions_us)
        return Shown.ELSEWHERE if kind.mentions_us or (kind.mine and kind.direct) else Shown.LATER

    def _is_in_view(self, event: m.Durable, target: Target) -> bool:
        """Say whether one looks at the target of an event, or at its thread there."""
        here = self.here
        if here is None or here is target:
            return here is target
        return here.thread is not None and here.base == target.name and here.has_in_thread(event)

    def _render(self, event: m.Durable, target: Target, shown: Shown) -> list[str]:
        """Return the lines of a message, behind those of who came and went before it."""
        match shown:
            case Shown.HERE:
                return [*self.presence.take(), *self._show_in(self.here or target, event)]
            case Shown.ELSEWHERE:
                return [*self.presence.take(), *self.output.render(event, self.quote(event))]
            case Shown.LATER:
                return []

    def _show_in(self, target: Target, event: m.Durable) -> list[str]:
        """Return the lines of a message in the target one looks at, with the divider if it is the first new one."""
        lines = self.output.render(event, self.quote(event))
        if lines:
            target.oldest = min(target.oldest or event.seq, event.seq)
        return self._below(target, event, lines)

    def _mend_in(self, target: Target, mend: Mend) -> list[str]:
        """Return the lines of what was done to a message, likewise."""
        return self._below(target, mend, self.mending.line(mend, target))

    def _below(self, target: Target, event: m.Durable, lines: list[str]) -> list[str]:
        """Return lines of an event below the divider, if it is the first new one in the target one looks at."""
        if lines and target.pass_mark(event.seq) and event.from_ != self.client.from_:
            lines.insert(-1, render.divider("new", self.output.style))
        return lines

    def _flood_ended(self, skipped: int, shown: set[int]) -> None:
        """Tell how many lines were not shown, and show the last of them."""
        target = self.here
        kept = () if target is None else target.recent
        unseen = [event for event in kept if event.seq not in shown and not self.output.ignores(event)]
        last = unseen[-min(LAST_OF_FLOOD, skipped) :]
        lines = [line for event in last if target is not None for line in self._show_in(target, event)]
        if skipped > len(last):
            left_out = render.counted(skipped - len(last), "line")
            lines.insert(0, self.output.style.dim(f"… {left_out} skipped; /history shows all"))
        self.output.show("\n".join(lines))

    def quote(self, event: m.Durable) -> str:
        """Return what a message replies to: an excerpt if it is known, else its number, "" for no reply.

        Of what was done to a message, it is that message; of one that was deleted, who did that.
        """
        return said.context(event, self.quotes.at(event), self._nick, self.output.style)

    def _kept_at(self, event: m.Durable) -> Recent | None:
        target = self.targets.find_for(event, self.client.from_)
        return None if target is None else target.recent

    def _nick(self, event: m.Tombstone) -> str:
        """Return who deleted a message, if they are here."""
        if event.by == event.from_ or event.room is None:
            return event.nick
        members = self.client.members(event.room)
        return next((nick for nick, member in members.items() if member.from_ == event.by), "")

    # -- all other events

    def connection(self, event: object) -> None:
        """Note since when the broker is gone; once it is back, its log may be another one, or have gone back."""
        match event:
            case notices.Offline():
                self.gone_since = time.monotonic()
            case notices.Online():
                self.gone_since = None
                if event.again:
                    self._connected_again(event)
                self.reading.greeted()

    def _connected_again(self, online: notices.Online) -> None:
        if online.shared is not None or not continues(self.log, online.welcome.log, online.shared):
            self.quotes.clear()
            self.mending.revising.clear()
        if not continues(self.log, online.welcome.log, online.shared):
            self.targets.reset()
        elif online.shared is not None:
            self.targets.go_back(online.shared)
        self.log, self.epochs = online.welcome.log, online.welcome.epochs

    def other(self, event: object) -> list[str]:
        """Take any other event, and return the lines to be shown now."""
        match event:
            case m.MemberTyping():
                self.presence.typed(event)
            case m.MemberJoined() | m.MemberLeft() | m.MemberRenamed() | m.MemberAway():
                if isinstance(event, m.MemberJoined) and self.id_of(event.nick) is not None:
                    self.conversations.with_(event.nick, event.from_)  # perhaps with somebody else
                self.presence.change(event)
            case m.ReadMarked():
                self.reading.read_elsewhere(event)
            case notices.CaughtUp(room=room):
                self._caught_up(self.targets.get(f"#{room}"))
            case _:
                line = render.event(event, self.output.style)
                return [] if line is None else [line]
        return []

    def _caught_up(self, target: Target) -> None:
        """What follows in this target is live: it is read at once, or it is new."""
        if target is self.here and self.focused:
            target.mark = None
        elif target.mark is None:
            target.stop_looking()
