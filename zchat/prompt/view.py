"""The view of a terminal: one target is looked at, and the others are counted.

Lines go into the terminal's own scrollback and cannot be changed there. So one room or conversation is looked at, and
its messages are shown as they come. Those of the others are counted, and shown when one turns to them. A message that
mentions the reader is shown at once, wherever it was said, also in a flood (`flood.py`). Who comes and goes waits a
moment, to become one line with others (`folding.py`).

A message takes three steps: `classify` says what it is to the reader, `_update` counts it and decides where it is
shown, `_render` makes the lines.
"""

import contextlib
import enum
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from zchat.client.core import notices
from zchat.client.core.cursors import continues
from zchat.client.core.direct import split_name
from zchat.errors import RefusedError, ZchatError
from zchat.escapes import escape_controls
from zchat.protocol import messages as m

from . import render
from .alerts import Alerts
from .asker import Asker, require_nick
from .flood import Flood
from .folding import Folding
from .output import Output
from .targets import KEPT, Target, Targets, nick_of, partner

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
    own, direct = event.from_ == mine, isinstance(event, m.Message) and event.room is None
    is_old = history and not direct  # what was said to us alone is news, however late it comes
    mentions_us = not own and not is_old and isinstance(event, m.Message) and (direct or _mentions(event, style))
    return Classification(own, direct, is_old, mentions_us)


def _mentions(event: m.Message, style: render.Style) -> bool:
    return style.mentions is not None and style.mentions.search(escape_controls(event.text)) is not None


class TerminalView:
    """Shows the target one looks at, counts in the others, and alerts."""

    def __init__(self, client: "ChatClient", output: Output, asker: Asker, targets: Targets | None = None) -> None:
        self.client, self.output = client, output
        self._asker = asker
        self.targets = targets or Targets()
        self.focused = True
        self.gone_since: float | None = None  # when the broker went away
        self.lag: float | None = None  # seconds from a ping to its pong
        self.on_turn: Callable[[], None] = lambda: None
        self.log = client.welcome.log if client.welcome else ""  # the log that the targets are of …
        self.epochs = client.epochs  # … and its history
        self.flood = Flood(self._flood_ended)
        self.folding = Folding(self._tell_presence)
        self.alerts = Alerts(output)

    @property
    def here(self) -> Target | None:
        return self.targets.here

    # -- where one looks

    def turn_to(self, name: str | None) -> None:
        """Look at another target, and show what was said there meanwhile."""
        self.flood.end()  # it was counted for the target that is left
        self.output.look_at(name[1:] if name is not None and name.startswith("#") else None)
        if name is None:
            self.targets.here = None
        elif self.here is not self.targets.get(name):
            self._tell_presence()
            self._recall(self.targets.turn_to(name))
            self.on_turn()

    def _recall(self, target: Target) -> None:
        """Show what was said while one looked elsewhere."""
        seen = target.seen
        if not target.recent and len(self.targets.all) == 1:
            return  # the first room: its backlog is on its way
        new = [event for event in target.recent if event.seq > seen]
        old = [event for event in target.recent if event.seq <= seen][-READ_BEFORE:]
        lines = [render.divider(self.output.style.place(target.name), self.output.style)]
        if len(new) > RECALLED:
            lines.append(self.output.style.dim(f"… {len(new) - RECALLED} more; /history shows them"))
        lines += [line for event in (*old, *new[-RECALLED:]) for line in self._show_in(target, event)]
        self.output.show("\n".join(lines))
        if target.recent and self.focused:
            target.mark = None  # what comes now is read as it comes

    def focus(self, focused: bool) -> None:
        """The terminal got the focus, or lost it."""
        self.focused = focused
        if not focused and self.here is not None:
            self.here.stop_looking()

    def leave(self, room: str) -> None:
        """Forget a room, with what was still to be told of it."""
        if self.here is not None and self.here is self.targets.find(f"#{room}"):
            self.folding.take()
            self.flood.forget()
        self.targets.drop(f"#{room}")

    # -- conversations

    async def talk_to(self, nick: str) -> None:
        """Look at a conversation, with its last messages. Raises RefusedError, TimedOutError."""
        target = self.targets.find(f"@{nick}")
        if target is None or nick_of(nick) == nick:
            require_nick(nick)
            from_ = await self._asker.id_of(nick)
            target = target if from_ is None else self._conversation(nick, from_)
            if self.client.online and (target is None or not target.recent):
                await self._look_up(f"@{nick}", m.SEQ_MAX - 1, from_)
        self.turn_to(f"@{nick}")

    def id_of(self, nick: str) -> str | None:
        """Return the `from` of the person one knows by this nick, None if one knows nobody."""
        target = self.targets.find(f"@{nick}")
        return None if target is None else target.with_

    def _conversation(self, nick: str, from_: str | None) -> Target:
        """Return the conversation with a person, who has this nick now; tell if somebody else had it before."""
        held = self.targets.find(f"@{nick}")
        target = self.targets.conversation(nick, from_)
        if held is not None and held is not target:
            was, now = escape_controls(held.name), escape_controls(nick)
            told = f"{now} is somebody else now; what was said with the one before is in {was}."
            self.output.show(self.output.style.dim(told))
        return target

    async def catch_up(self) -> None:
        """Count what was said to us alone while we were away: the client brings only what is said from now on."""
        with contextlib.suppress(ZchatError):  # /query shows it, too
            pong = await self._asker.ask(m.Ping(), m.Pong)
            for name, head in pong.heads.items():
                if not name.startswith("@"):
                    continue
                nick, from_ = split_name(name[1:])
                if head > self.targets.read_through(name, from_):
                    with contextlib.suppress(RefusedError):  # nobody has this nick any more
                        await self._look_up(f"@{nick}/{from_[:6]}" if from_ else name, head, from_)

    async def _look_up(self, name: str, through: int, from_: str | None) -> None:
        """Fetch the last messages of a conversation; those not seen before are unread."""
        page = await self._asker.history(partner=name[1:], with_=from_, before=through + 1, limit=KEPT)
        events = page.messages
        target = self.targets.with_person(from_) or self.targets.get(name)
        if target.with_ is None and events:
            last = events[-1]
            self.targets.meet(target, last.with_ if last.from_ == self.client.from_ else last.from_)
        target.insert([event for event in events if not self.output.ignores(event)])
        if target is not self.here:
            target.recount(self.client.from_)

    # -- messages

    def message(self, event: m.Durable, history: bool) -> list[str]:
        """Take a message or a topic, and return the lines to be shown now."""
        kind = classify(event, self.client.from_, history, self.output.style)
        if not kind.mine and self.output.ignores(event):
            return []
        target = self._target_of(event)
        if kind.direct and target.holds(event):
            return []  # it was looked up before it came
        if not kind.mine and not kind.is_old:
            self.alerts.alert(event, mentions_us=kind.mentions_us, focused=self.focused)
        return self._render(event, target, self._update(event, target, kind))

    def _target_of(self, event: m.Durable) -> Target:
        other = partner(event, self.client.from_)
        return self.targets.get(f"#{event.room}") if other is None else self._conversation(*other)

    def _update(self, event: m.Durable, target: Target, kind: Classification) -> Shown:
        """Keep a message in its target, count it, and decide where it is shown."""
        target.add(event, time.monotonic())
        if target is self.here:
            if kind.mine or kind.mentions_us:
                self.flood.note_shown(event.seq)
                return Shown.HERE
            if self.flood.admits():
                return Shown.HERE
            target.see(event.seq)
            return Shown.LATER
        target.count(event.seq, is_old=kind.is_old, mine=kind.mine, mentions_us=kind.mentions_us)
        return Shown.ELSEWHERE if kind.mentions_us or (kind.mine and kind.direct) else Shown.LATER

    def _render(self, event: m.Durable, target: Target, shown: Shown) -> list[str]:
        """Return the lines of a message, behind those of who came and went before it."""
        match shown:
            case Shown.HERE:
                return [*self._presence(), *self._show_in(target, event)]
            case Shown.ELSEWHERE:
                return [*self._presence(), *self.output.render(event, self.quote(event))]
            case Shown.LATER:
                return []

    def _show_in(self, target: Target, event: m.Durable) -> list[str]:
        """Return the lines of a message in the target one looks at, with the divider if it is the first new one."""
        lines = self.output.render(event, self.quote(event))
        if lines:
            target.oldest = min(target.oldest or event.seq, event.seq)
            if target.pass_mark(event.seq) and event.from_ != self.client.from_:
                lines.insert(-1, render.divider("new", self.output.style))
        return lines

    def _flood_ended(self, skipped: int, shown: set[int]) -> None:
        """Tell how many lines were not shown, and show the last of them."""
        target = self.here
        unseen = [event for event in target.recent if event.seq not in shown] if target is not None else []
        last = unseen[-min(LAST_OF_FLOOD, skipped) :]
        lines = [line for event in last if target is not None for line in self._show_in(target, event)]
        if skipped > len(last):
            left_out = render.counted(skipped - len(last), "line")
            lines.insert(0, self.output.style.dim(f"… {left_out} skipped; /history shows all"))
        self.output.show("\n".join(lines))

    def quote(self, event: m.Durable) -> str:
        """Return what a message replies to: an excerpt if it is kept, else its number, "" for no reply."""
        target = self.targets.find_for(event, self.client.from_)
        return render.quote(event, () if target is None else reversed(target.recent))

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

    def _connected_again(self, online: notices.Online) -> None:
        if not continues(self.log, online.welcome.log, online.shared):
            self.targets.reset()
        elif online.shared is not None:
            self.targets.go_back(online.shared)
        self.log, self.epochs = online.welcome.log, online.welcome.epochs

    def other(self, event: object) -> list[str]:
        """Take any other event, and return the lines to be shown now."""
        match event:
            case m.MemberTyping():
                self._typed(event)
            case m.MemberJoined() | m.MemberLeft() | m.MemberRenamed() | m.MemberAway():
                self._presence_changed(event)
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

    def _typed(self, event: m.MemberTyping) -> None:
        if event.nick != self.client.nick and not self.output.ignores(event):
            name = f"#{event.room}" if event.room is not None else f"@{event.nick}"
            if target := self.targets.find(name):
                target.typing[event.nick] = time.monotonic()

    def _presence_changed(self, event: render.PresenceChange) -> None:
        """Follow who has which nick, and tell of a change if it is wanted."""
        target = self.targets.get(f"#{event.room}")
        if isinstance(event, m.MemberJoined) and self.id_of(event.nick) is not None:
            self._conversation(event.nick, event.from_)  # perhaps with somebody else
        if isinstance(event, m.MemberLeft):
            target.typing.pop(event.nick, None)
        if isinstance(event, m.MemberRenamed):
            self._renamed(event)
            if event.nick in target.spoke:
                target.spoke[event.new] = target.spoke.pop(event.nick)
        if target is self.here and self._wants(event, target):
            self.folding.add(event)

    def _wants(self, event: render.PresenceChange, target: Target) -> bool:
        """Say whether a change is to be told; of our own only a new nick is."""
        if isinstance(event, m.MemberRenamed) and event.new == self.client.nick:
            return True
        if event.nick == self.client.nick:
            return False
        nick = event.new if isinstance(event, m.MemberRenamed) else event.nick
        wanted = self.output.preferences.joins
        return wanted == "all" or (wanted == "lately" and target.spoke_lately(nick, time.monotonic()))

    def _renamed(self, event: m.MemberRenamed) -> None:
        """Let a conversation go on under the new nick."""
        target = self.targets.find(f"@{event.nick}")
        if target is not None and self.targets.rename(target, event.new) and target is self.here:
            told = f"{escape_controls(event.nick)} is {escape_controls(event.new)} now."
            self.output.show(self.output.style.dim(told))

    def _presence(self) -> list[str]:
        """Return the line of who came and went, if anybody did."""
        changes = self.folding.take()
        return [render.presence_changes(changes, self.output.style)] if changes else []

    def _tell_presence(self) -> None:
        if lines := self._presence():
            self.output.show("\n".join(lines))
