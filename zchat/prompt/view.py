"""A seat at a terminal: of all that happens, what is shown now, what is counted, and what rings.

Lines go into the terminal's own scrollback and cannot be changed there. So one place is looked at, and its messages
are shown as they come; those of the others are counted, and shown when one turns to them, except what calls the
reader, which is shown at once wherever it was said. Joins and parts wait a moment, to become one line together. And
when more comes than anybody can read, messages are counted instead of shown, for as long as the flood lasts: a bucket
of lines fills at the speed of a fast reader, and what calls the reader is never dropped.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zchat.client.core import notices
from zchat.client.core.direct import whom
from zchat.errors import RefusedError, SessionEndedError, ZchatError
from zchat.escapes import escape_controls
from zchat.protocol import messages as m
from zchat.protocol import wire

from . import lookup, render
from .chat import Chat, nick_of
from .places import KEPT, Place, Places, partner

if TYPE_CHECKING:
    from zchat.client.client import Batch

READ = 60.0  # lines a second that somebody could still skim
BURST = 200.0  # lines that may come at once: what was missed in a lunch break
RING = 3.0  # seconds between two rings, and two notifications: a hundred of them tell no more than one
FOLD = 1.0  # seconds that a join waits for others
BEFORE = 5  # messages shown before the new ones, when one turns to a place
RECALLED = 40  # new messages shown then, at most: /history has the others

_MOVES = m.MemberJoined | m.MemberLeft | m.MemberRenamed | m.MemberAway


class Seat(Chat):
    """Chat, at a terminal; `bell` and `notify` are called when somebody calls."""

    def __init__(self, *args: Any, places: Places | None = None, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.places = places or Places()
        self.focused = True
        self._listening = False
        self.gone_since: float | None = None  # when the broker went away
        self.lag: float | None = None  # seconds from a ping to its pong
        self.doing: tuple[str, float] | None = None  # what is in progress, and how far
        self.bell: Callable[[], None] = lambda: None
        self.notify: Callable[[str], None] = lambda _: None
        self.on_clear: Callable[[], None] = lambda: None
        self.on_turn: Callable[[], None] = lambda: None
        self.log = self.client.welcome.log if self.client.welcome else ""  # that the places are of …
        self.epochs = self.client.epochs  # … and its history
        self._rang = self._notified = -RING
        self._moves: list[Any] = []
        self._folding: asyncio.TimerHandle | None = None
        self._credit, self._refilled, self._skipped = BURST, time.monotonic(), 0
        self._shown: set[int] = set()  # what was shown in a flood all the same
        self._flood_ends: asyncio.TimerHandle | None = None
        self.restyle()

    # -- places

    def turn_to(self, room: str | None, partner: str | None = None) -> None:
        """Look at a place, and speak there from now on."""
        if self._flood_ends is not None:  # it was counted for the place that is left
            self._flood_ends.cancel()
            self._tell_skipped()
        super().turn_to(room, partner)
        if room is None and partner is None:
            self.places.here = None
            return
        sign = f"#{room}" if room is not None else f"@{partner}"
        if self.places.here is not self.places.get(sign):
            self._unfold()
            self._recall(self.places.turn_to(sign))
            self.on_turn()
        self._keep_to(self.places.get(sign))

    def look_at(self, place: Place | None) -> None:
        """Turn to another place, if there is one."""
        if place is not None and place is not self.places.here:
            self.turn_to(place.room, place.partner)

    def _recall(self, place: Place) -> None:
        """Show what was said in a place while one looked elsewhere."""
        seen = place.seen
        if not place.recent and len(self.places.all) == 1:
            return  # the first room: its backlog is on its way
        new = [event for event in place.recent if event.seq > seen]
        old = [event for event in place.recent if event.seq <= seen][-BEFORE:]
        lines = [render.divider(escape_controls(place.sign), self.style)]
        if len(new) > RECALLED:
            lines.append(self.style.dim(f"… {len(new) - RECALLED} more; /history shows them"))
        lines += [line for event in (*old, *new[-RECALLED:]) for line in self._line(place, event)]
        self.show("\n".join(lines))
        if place.recent and self.focused:
            place.mark = None  # what comes now is read as it comes

    async def talk_to(self, nick: str) -> None:
        """Turn to a conversation, where the last of it is shown. Raises RefusedError for a nick that nobody has."""
        place = self.places.known(f"@{nick}")
        if place is None or nick_of(nick) == nick:
            from_ = await self.look_for(self.known_partner(nick))
            place = place if from_ is None else self._person(nick, from_)
            if self.client.online and (place is None or not place.recent):
                await self._look_up(f"@{nick}", m.SEQ_MAX - 1, from_)
        self.turn_to(None, nick)
        self.tell(self.style.dim(f"Only {escape_controls(nick)} hears what you say now; /join ROOM leads back."))

    def who_is(self, partner: str) -> str | None:
        place = self.places.known(f"@{partner}")
        return None if place is None else place.with_

    def _person(self, nick: str, from_: str | None) -> Place:
        """Return the conversation with the one who is called so now; tell if that is another one than before."""
        held = self.places.known(f"@{nick}")
        place = self.places.person(nick, from_)
        if held is not None and held is not place:
            was, now = escape_controls(held.sign), escape_controls(nick)
            self.show(self.style.dim(f"{now} is somebody else now; what was said with the one before is in {was}."))
        for each in (held, place):
            if each is not None and each is self.places.here:
                self._keep_to(each)
        return place

    def _keep_to(self, place: Place) -> None:
        """Speak to the one whom the conversation in front of us is with, whatever they are called now."""
        if place.room is None:
            self.partner, self.with_ = place.partner, place.with_

    async def catch_up(self) -> None:
        """Count what was said to us alone since we last looked: the client brings only what is said from now on."""
        with contextlib.suppress(ZchatError):  # /query shows it, too
            pong = await self.ask(m.Ping(), m.Pong)
            for sign, head in pong.heads.items():
                if sign.startswith("@") and head > self.places.seen().get(sign.casefold(), 0):
                    nick, from_ = whom(sign[1:])
                    with contextlib.suppress(RefusedError):  # nobody has this nick any more
                        await self._look_up(f"@{nick}/{from_[:6]}" if from_ else sign, head, from_)

    async def _look_up(self, sign: str, through: int, from_: str | None = None) -> None:
        """Take in the last messages of a conversation through a seq; those not seen before are news."""
        page = await lookup.ask(self, to=sign[1:], with_=from_, before=through + 1, limit=KEPT)
        events = [event for event in map(wire.event, page.events) if isinstance(event, m.Message)]
        place = self.places.by_from(from_) or self.places.get(sign)
        if place.with_ is None and events:
            last = events[-1]
            place.with_ = last.with_ if last.from_ == self.client.from_ else last.from_
        place.take_in([event for event in events if not self.ignores(event)])
        if place is not self.places.here:
            place.count(self.client.from_)

    def forget(self, room: str) -> None:
        """Forget a place that was left, with what waited to be told of it."""
        super().forget(room)
        if (place := self.places.known(f"#{room}")) is not None and place is self.places.here:
            self._unfolded()
            self._skipped, self._shown = 0, set()
            if self._flood_ends is not None:
                self._flood_ends.cancel()
                self._flood_ends = None
        self.places.drop(f"#{room}")

    def patience(self) -> float | None:
        """Return how long an answer may take: no time at all while there is no broker, for somebody sits and waits."""
        return None if self.client.online or not self._listening else 0.0

    # -- what happens

    async def listen(self) -> None:
        """Show what happens until the client ends."""
        self._listening = True
        async for batch in self.client.batches():
            self._heard(batch)

    def _heard(self, batch: "Batch") -> None:
        now = time.monotonic()
        lines: list[str] = []
        for event in batch.events:
            match event:
                case m.Message() | m.Topic():
                    lines += self._said(event, batch.history, now)
                case m.MemberTyping():
                    self._typed(event, now)
                case m.MemberJoined() | m.MemberLeft() | m.MemberRenamed() | m.MemberAway():
                    self._moved(event, now)
                case notices.CaughtUp(room=room):
                    self._caught_up(self.places.get(f"#{room}"))
                case notices.Ended(reason=reason):
                    raise SessionEndedError(reason)
                case notices.Offline() | notices.Online():
                    self.gone_since = now if isinstance(event, notices.Offline) else None
                    if isinstance(event, notices.Online) and event.again:
                        self._connected(event)
                    lines += self._rendered(event, False)
                case _:
                    lines += self._rendered(event, False)
        if lines:
            self.show("\n".join(lines))

    def _connected(self, online: notices.Online) -> None:
        """Connected again, perhaps to a log that went back, or to another one."""
        if online.welcome.log != self.log and not online.shared:
            self.places.begin_anew()
        elif online.shared is not None:
            self.places.go_back(online.shared)
        self.log, self.epochs = online.welcome.log, online.welcome.epochs

    def _caught_up(self, place: Place) -> None:
        """What follows in this place is live: it is read at once, or it is news."""
        if place is self.places.here and self.focused:
            place.mark = None
        elif place.mark is None:
            place.stop_looking()

    def _said(self, event: m.Durable, history: bool, now: float) -> list[str]:
        """Take a message, and return the lines to be shown at once."""
        mine = event.from_ == self.client.from_
        self._note(event, history)
        if not mine and self.ignores(event):
            return []
        place = self._place_of(event)
        if place.partner is not None and place.has(event):
            return []  # it was looked up before it came
        place.keep(event, now)
        return self._shown_of(place, event, history and place.partner is None, mine)  # to us alone, all is news

    def _place_of(self, event: m.Durable) -> Place:
        """Return the place of something that was said just now."""
        other = partner(event, self.client.from_)
        return self.places.of(event, self.client.from_) if other is None else self._person(*other)

    def _shown_of(self, place: Place, event: m.Durable, history: bool, mine: bool) -> list[str]:
        """Return the lines of a message to be shown at once, or count it as unread."""
        fresh = not history and not mine
        calls = fresh and self._calls(event)
        if fresh:
            self._alert(event, calls)
        if place is self.places.here:
            if mine or calls or self._affords(time.monotonic()):
                if self._skipped:
                    self._shown.add(event.seq)
                return [*self._unfolded(), *self._line(place, event)]
            place.seen = max(place.seen, event.seq)
            return []
        if history and place.mark is None:
            place.seen = max(place.seen, event.seq)  # from before our first visit
        elif not mine and event.seq > place.seen:
            place.unread += 1
            place.called = place.called or calls
        if calls or (mine and place.partner is not None):
            return [*self._unfolded(), *self._line(None, event)]
        return []

    def _line(self, place: Place | None, event: m.Durable) -> list[str]:
        """Return a message as it is shown in the place it belongs to, or (None) elsewhere."""
        line = render.event(event, self.style, self.quote(event))
        if line is None:
            return []
        if place is not None:
            place.oldest = min(place.oldest or event.seq, event.seq)
        new = place is not None and place.passes_mark(event.seq) and event.from_ != self.client.from_
        return [*self._new_day(event.time), *([render.divider("new", self.style)] if new else []), line]

    def quote(self, event: m.Durable) -> str:
        """Return what a message replies to, in short."""
        wanted = getattr(event, "reply_to", None)
        if wanted is None:
            return ""
        place = self.places.find(event, self.client.from_)
        if place is None:
            return f"{wanted}"
        return next((render.excerpt(one) for one in reversed(place.recent) if one.seq == wanted), f"{wanted}")

    def _calls(self, event: m.Durable) -> bool:
        """Say whether a message is meant for us: by name, by a word, or because it is to us alone."""
        if not isinstance(event, m.Message):
            return False
        if event.room is None:
            return True
        return self.style.mentions is not None and self.style.mentions.search(escape_controls(event.text)) is not None

    def _alert(self, event: m.Durable, calls: bool) -> None:
        now = time.monotonic()
        wanted = self.preferences.bell == "all" or (calls and self.preferences.bell == "mentions")
        if wanted and now - self._rang >= RING:
            self._rang = now
            self.bell()
        wanted = calls and not self.focused and self.preferences.notify != "off"
        if wanted and now - self._notified >= RING:
            self._notified = now
            self.notify(render.excerpt(event, 100))

    def focus(self, focused: bool) -> None:
        """The terminal got the focus, or lost it."""
        self.focused = focused
        if not focused and self.places.here is not None:
            self.places.here.stop_looking()

    # -- too much at once

    def _affords(self, now: float) -> bool:
        """Say whether one more line can be read; if not, it is counted."""
        self._credit = min(BURST, self._credit + (now - self._refilled) * READ)
        self._refilled = now
        if self._credit >= 1 and not self._skipped:
            self._credit -= 1
            return True
        self._skipped += 1
        if self._flood_ends is None:
            self._flood_ends = asyncio.get_running_loop().call_later(1.0, self._tell_skipped)
        return False

    def _tell_skipped(self) -> None:
        """Say how many lines were not shown in this second, and show the last ones."""
        self._flood_ends = None
        skipped, self._skipped = self._skipped, 0
        place = self.places.here
        shown, self._shown = self._shown, set()
        unseen = [event for event in place.recent if event.seq not in shown] if place is not None else []
        last = unseen[-min(10, skipped) :]
        lines = [line for event in last for line in self._line(place, event)]
        if skipped > len(last):
            lines.insert(0, self.style.dim(f"… {skipped - len(last):,} lines skipped; /history shows them"))
        self._credit = min(self._credit, READ / 2)
        self.show("\n".join(lines))

    # -- who comes, who goes, who types

    def _typed(self, event: m.MemberTyping, now: float) -> None:
        if event.nick != self.client.nick and not self.ignores(event):
            sign = f"#{event.room}" if event.room is not None else f"@{event.nick}"
            if place := self.places.known(sign):
                place.typing[event.nick] = now

    def _moved(self, event: _MOVES, now: float) -> None:
        """Fold a change of who is there into the next line about such."""
        place = self.places.get(f"#{event.room}")
        if isinstance(event, m.MemberJoined) and self.who_is(event.nick) is not None:
            self._person(event.nick, event.from_)  # perhaps another one
        if isinstance(event, m.MemberRenamed):
            self._renamed(event)
            if event.nick in place.spoke:
                place.spoke[event.new] = place.spoke.pop(event.nick)
        lately = place.spoke_lately(event.new if isinstance(event, m.MemberRenamed) else event.nick, now)
        wanted = self.preferences.joins == "all" or (self.preferences.joins == "lately" and lately)
        if isinstance(event, m.MemberRenamed) and event.new == self.client.nick:
            wanted = True
        elif event.nick == self.client.nick:
            return
        if wanted and place is self.places.here:
            self._moves.append(event)
            if self._folding is None:
                self._folding = asyncio.get_running_loop().call_later(FOLD, self._unfold)

    def _renamed(self, event: m.MemberRenamed) -> None:
        """Go on talking to somebody who has another nick now."""
        place = self.places.known(f"@{event.nick}")
        if place is not None and self.places.rename(place, event.new) and place is self.places.here:
            self._keep_to(place)
            self.show(self.style.dim(f"{escape_controls(event.nick)} is {escape_controls(event.new)} now."))

    def _unfolded(self) -> list[str]:
        """Return the line of those who came and went, if there is one."""
        moves, self._moves = self._moves, []
        if self._folding is not None:
            self._folding.cancel()
            self._folding = None
        return [render.presence_changes(moves, self.style)] if moves else []

    def _unfold(self) -> None:
        if lines := self._unfolded():
            self.show("\n".join(lines))

    # -- the rest of a terminal

    async def older(self) -> None:
        """Show the page before the oldest message shown of this place."""
        place = self.places.here
        if place is not None:
            place.oldest = await lookup.older(self, place.oldest or m.SEQ_MAX) or place.oldest

    def clear(self) -> None:
        self.on_clear()

    def progress(self, label: str, done: float) -> None:
        self.doing = (label, done) if done < 1 else None
