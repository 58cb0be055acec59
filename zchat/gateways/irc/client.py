"""One connection that is in: what it was shown, what it is told, and in which order.

Lines come from two sides: answers to what the client sends (`commands/`), and what happens (`listening.py`). Both write
whole lines at once. A room is shown by whoever comes first to it, the answer to JOIN or the first event of the room: so
no event of a room comes before the room, and none is missed between them.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from zchat.errors import ZchatError
from zchat.protocol import messages as m
from zchat.protocol import names

from . import marks
from .carried import Carried, RoomTopic
from .core.batches import Batches
from .core.lines import Line, line
from .core.numerics import SERVER, reply, told
from .core.presence import Presence, Rosters, face_of
from .core.refusals import in_words
from .core.scene import Scene, modes_of
from .home import Home
from .kept import PlacesFile
from .wire import Wire

PIECE = 50  # lines that are sent at once; then those that do not fit yet are waited for
LABEL_MAX = 64  # bytes
UNANSWERED = 100  # messages of one connection that wait for their acks: then it is read no further


@dataclass(eq=False)
class Client:
    """A connection of a person whom the gateway carries."""

    gateway: Home
    wire: Wire
    scene: Scene
    carried: Carried
    places: PlacesFile | None  # of who has a login
    leaving: str | None = None  # what it has said when it quit
    batches: Batches = field(default_factory=Batches)
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    away_told: dict[str, str] = field(default_factory=dict)  # to nicks who are away, what was told of it

    monitored: dict[str, bool | None] = field(default_factory=dict)  # by nick, folded: was it told that they are here?
    asked_as: dict[str, str] = field(default_factory=dict)  # the same nicks, as they were written
    typed: dict[str, float] = field(default_factory=dict)  # by target, when it was told last that one types
    known: dict[str, int] = field(default_factory=dict)  # how far the login had come before, place by place
    through: dict[str, int] = field(default_factory=dict)  # the last seq of each place that the client was sent
    _fresh: dict[str, int] = field(default_factory=dict)  # of it what is not on disk yet

    def __post_init__(self) -> None:
        self.presence = Presence(self.scene)
        self.window = asyncio.Semaphore(UNANSWERED)

    @property
    def me(self) -> str:
        """One's own nick, as IRC has it."""
        return self.scene.me

    @property
    def rosters(self) -> Rosters:
        """Who is in which of the rooms that are shown, as the session knows it now."""
        session = self.carried.person.client
        return {room: session.members("#" + room) for room in self.presence.rooms}

    def send(self, lines: Iterable[Line]) -> None:
        """Send what fits this client, with the tags that it knows."""
        self.gateway.names.write()
        caps, out = self.scene.caps, []
        for each in lines:
            if not caps.takes(each.command):
                continue
            shown = each
            if each.command in ("FAIL", "WARN", "NOTE") and not caps.knows(each.params[0]):
                shown = in_words(each, self.me)
            out.append(caps.fitting(shown))
        self.wire.send(out)

    async def deliver(self, lines: Iterable[Line]) -> None:
        """Send what may be long, as fast as it is taken: whoever reads is never cut for how much there is."""
        rest = list(lines)
        for at in range(0, len(rest), PIECE):
            self.send(rest[at : at + PIECE])
            if self.wire.stream.waiting:
                await self.wire.drain()
            if at + PIECE < len(rest):
                await asyncio.sleep(0)  # others are served in between

    # -- how far it has come

    def follow(self, log_id: str) -> None:
        """Know how far the login had come in this log before."""
        if self.places is not None:
            self.places.begin(log_id)
            self.known = dict(self.places.places.through)

    def reach(self, through: dict[str, int]) -> None:
        """The client has been sent all through these, place by place."""
        self.through |= through
        self._fresh |= through

    def begin(self, through: dict[str, int]) -> None:
        """The next time, the client is told what came behind these; what comes now is told anyhow."""
        self._fresh |= through

    def note(self) -> None:
        """What was sent has left: write down how far the client has come."""
        if self._fresh and self.places is not None:
            self.places.note(self._fresh)
            self._fresh = {}

    def go_back(self, shared: int) -> None:
        """The log went back: what is above is used again."""
        self.through = {place: min(seq, shared) for place, seq in self.through.items()}
        self._fresh = {}
        if self.places is not None:
            self.places.cut(shared)

    # -- names

    def room_of(self, channel: str) -> str | None:
        """Return the room that a channel's name means, None for what is none."""
        try:
            name = names.typed_room(self.scene.world.rooms.from_irc(channel.removeprefix("#")))
        except names.BadNameError:
            return None
        return name if channel.startswith("#") else None

    def nick_of(self, name: str) -> str:
        """Return the nick in zchat that a nick in IRC means."""
        return self.scene.world.nicks.from_irc(name)

    # -- rooms

    async def show(self, room: str, answer: "Answer | None" = None) -> None:
        """Show a room that the session is in, unless it is shown already; `answer` is that to a JOIN."""
        if room in self.presence.rooms:
            return
        try:
            topic = await self.carried.topic_of(room)
        except ZchatError:
            topic = RoomTopic()  # the broker is away: it is told with the next change
        mark = await self._mark(room) if self.scene.caps.has("draft/read-marker") else None
        entered = self.presence.enter(room, self.carried.person.client.members("#" + room))
        if not entered:
            return
        channel = self.scene.channel(room)
        lines = [*entered, *self.topic_lines(channel, topic)]
        if mark is not None:
            lines.append(line(SERVER, "MARKREAD", channel, mark))
        if not (self.scene.caps.has("no-implicit-names") or self.scene.caps.has("draft/no-implicit-names")):
            lines += self.names(room)
        if answer is None:
            self.send(lines)
            self.gateway.look_at(room)
        else:
            answer.send_now(lines)

    async def _mark(self, room: str) -> str:
        return await marks.shown(self.carried, room=room)

    def topic_lines(self, channel: str, topic: RoomTopic) -> list[Line]:
        """Return the topic of a room and who set it; nothing where there is none."""
        if not topic.text:
            return []
        when = int(datetime.fromisoformat(topic.time).timestamp())
        text = " ".join(topic.text.split("\n"))
        return [
            told("332", self.me, channel, text),
            told("333", self.me, channel, self.scene.mask(topic.nick), str(when)),
        ]

    def names(self, room: str, members: Iterable[m.Member] | None = None) -> list[Line]:
        """Return who is in a room."""
        if members is None:
            members = self.carried.person.client.members("#" + room).values()
        channel, words = self.scene.channel(room), [self._named(room, member) for member in members]
        rows: list[list[str]] = [[]]
        for word in words:
            if sum(len(each.encode()) + 1 for each in rows[-1]) + len(word.encode()) > 300:
                rows.append([])
            rows[-1].append(word)
        sign = "@" if room.startswith("+") else "="
        shown = [told("353", self.me, sign, channel, " ".join(row)) for row in rows if row]
        return [*shown, reply("366", self.me, channel)]

    def _named(self, room: str, member: m.Member) -> str:
        modes, role = self.presence.modes(room, member.nick), self.presence.role_of(member.nick)
        if modes is None or role is None:
            role = face_of(member).role
            modes = modes_of(role, member.operator is True)
        nick = self.scene.called(member.nick)
        if self.scene.caps.has("userhost-in-names"):
            nick = f"{nick}!{self.scene.world.user(member.from_, role)}@{member.from_}"
        return self.scene.prefix(modes) + nick


class Answer:
    """What a command is answered with. With a label it is one logical message: a line, a batch, or ACK."""

    def __init__(self, client: Client, label: str | None) -> None:
        self._client, self.label = client, label if client.scene.caps.has("labeled-response", "batch") else None
        self._lines: list[Line] = []
        self._late = False
        self._batch: str | None = None  # that was begun with what was answered at once
        self.silent = False  # whether it may have no answer at all

    def send(self, *lines: Line) -> None:
        """Answer, now or together with what else the answer is."""
        if self.silent:
            return
        if self.label is None:
            self._client.send(lines)
        elif self._batch is not None:
            self._client.send(within(self._batch, lines))
        else:
            self._lines += lines

    async def deliver(self, lines: Iterable[Line]) -> None:
        """Answer with what may be long."""
        if self.label is None:
            await self._client.deliver(lines)
        else:
            self._lines += lines

    def send_now(self, lines: list[Line]) -> None:
        """Answer now: what happens after it may follow at once."""
        if self.label is not None:
            scene = self._client.scene
            if self._batch is None:
                self._batch = scene.batch()
                tags = {"label": self.label}
                self._client.send([line(SERVER, "BATCH", f"+{self._batch}", "labeled-response", tags=tags)])
            lines = within(self._batch, lines)
        self._client.send(lines)

    def later(self) -> str | None:
        """Leave the answer to what comes later; return the label that goes with it."""
        self._late = True
        return self.label

    async def finish(self) -> None:
        """Send what was collected."""
        if self.label is None or (self._late and not self._lines):
            return
        caps = self._client.scene.caps
        lines = [each for each in self._lines if caps.takes(each.command)]
        if self._batch is not None:
            await self._client.deliver([*within(self._batch, lines), line(SERVER, "BATCH", f"-{self._batch}")])
            return
        await self._client.deliver(labeled(lines, self.label, self._client.scene))
        self._lines = []


def label_of(tags: Mapping[str, str]) -> str | None:
    """Return the label of what a client has sent, None where there is none or it is longer than labels are."""
    label = tags.get("label") or ""
    return label if 0 < len(label.encode()) <= LABEL_MAX else None


def labeled(lines: list[Line], label: str, scene: Scene) -> list[Line]:
    """Return lines as the one answer to what had this label."""
    if not lines:
        return [line(SERVER, "ACK", tags={"label": label})]
    first = lines[0]
    if len(lines) == 1 or (first.command == "BATCH" and lines[-1].params[:1] == ["-" + first.params[0][1:]]):
        return [_tagged(first, {"label": label}), *lines[1:]]
    name = scene.batch()
    begin = line(SERVER, "BATCH", f"+{name}", "labeled-response", tags={"label": label})
    return [begin, *within(name, lines), line(SERVER, "BATCH", f"-{name}")]


def _tagged(out: Line, tags: dict[str, str]) -> Line:
    return Line((out.tags or {}) | tags, out.source, out.command, out.params)


def within(name: str, lines: Iterable[Line]) -> list[Line]:
    """Return lines as those of a batch; what is in another one already is in it by that."""
    return [each if "batch" in (each.tags or {}) else _tagged(each, {"batch": name}) for each in lines]


def batched(lines: list[Line], kind: str, scene: Scene, *params: str) -> list[Line]:
    """Return lines as one batch for a client that knows batches."""
    if not scene.caps.has("batch"):
        return lines
    name = scene.batch()
    return [line(SERVER, "BATCH", f"+{name}", kind, *params), *within(name, lines), line(SERVER, "BATCH", f"-{name}")]
