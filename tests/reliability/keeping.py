"""The same world with all that the log keeps besides: files, read marks, what is said later, conversations, retention.

Two devices of one member, another one, and a third that moderates, in a public and in a private room and in
conversations with each other. They upload files part by part, and some with another content than they say; they put
these into messages, read on one device, say things for later and take them back, and do to direct messages what is done
to others. The broker retires what is old, step by step, is killed between two steps, and its disk may fail in the
middle of an upload. Nothing gets lost within a connection to the DEALER socket, as in the stories of `whisper`.

What must be true in the end is in `kept.py`, by a model that knows the log's lines and the specification.
"""

import asyncio
import itertools
import json
import tempfile
import time
import weakref
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from unittest import mock

from tests.broker.dialogue import NOON, Broker
from tests.broker.team import TERMS
from tests.reliability import kept
from tests.reliability.library import PART, Library, Upload
from tests.reliability.mending import Mender, Menders
from tests.reliability.private import BOSS, INSIDE, KEYS, House, Member, _log
from tests.reliability.world import PRIVATE, Client
from zchat.broker.core.entries import Retire
from zchat.broker.core.rows import CHAIN
from zchat.broker.store import SearchIndex, Store, due, next_step, retiring
from zchat.client.core import effects as do
from zchat.client.core import notices
from zchat.protocol import messages as m

PLACES = ("general", INSIDE, "@ann", "@bob", "@boss")
WHO = ("ann", "ann", "bob", "boss")  # the member of each client
LATEST = 200.0  # s ahead for which something is said at most
STEP = 3  # events that retire in one step


class Keeper(Mender, Member):
    """A client of a member that keeps what became of what it has asked for."""

    world: "Keepers"

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.refused_commands: list[Any] = []
        self.marks: dict[str, int] = {}

    @property
    def name(self) -> str:
        return WHO[self.number]

    def die(self) -> None:
        super().die()
        self.marks = {}

    def carry_out(self, effects: list[do.Effect], now: float) -> None:
        super().carry_out(effects, now)
        marks = self.session.read_marks.all
        for place, seq in self.marks.items():
            assert marks.get(place, 0) >= seq, f"the mark of {self.name} in {place} went back to {marks.get(place, 0)}"
        self.marks = marks

    def answered(self, effect: do.Answered) -> None:
        key, answer = effect.key, effect.answer
        if isinstance(key, Upload):
            key.answered(answer)
        elif isinstance(key, tuple) and key[0] == "get":
            self.world.downloaded(self, key[1], answer)
        else:
            self.acked.append(key)
            if isinstance(answer, m.Error):
                self.refused_commands.append(key[1])
                assert answer.code in kept.REFUSALS[type(key[1])], (key[1], answer)
            elif isinstance(answer, m.Ack) and answer.scheduled is not None:
                self.world.scheduled[answer.scheduled] = key[1].text

    def show(self, effect: do.Deliver) -> None:
        super().show(effect)
        for event in effect.events:
            assert not isinstance(event, m.Dropped | notices.WentBack), event
            if isinstance(event, notices.Refused):
                assert event.code in kept.REFUSALS[type(event.command)], event
                self.refused_commands.append(event.command)


class Keepers(Menders, House):
    """Where all of it happens."""

    client = Keeper
    people = len(WHO)

    def __init__(self, **mutations: bool) -> None:
        self.archive: dict[int, dict[str, Any]] = {}  # all that ever was in the log, as it was first
        self._archived = 0  # the last chunk of it
        super().__init__(**mutations)
        for client in self.keepers:
            client.world = self
        self.texts: set[str] = set()  # all that anybody wanted to have there
        self.posted: dict[str, tuple[str, m.Say]] = {}  # by text: who said it
        self.scheduled: dict[int, str] = {}  # what is said later, by its id
        self.taken_back: set[int] = set()  # ids of which that was tried
        self.read: dict[tuple[str, str], int] = {}  # through where each member has read, by room or other end
        self.uploads: list[Upload] = []
        self.had: dict[tuple[int, str], bool] = {}  # whether a client was given a file, when it asked last
        self._numbers = itertools.count(1)
        self.index = SearchIndex(None, self.broker.store.path, self.broker.store.connection)
        members = self.broker.log.members
        self.ends = {name: members.named(name, self.wall) or "" for name in WHO}  # the `from` of each

    def begin(self) -> Broker:
        store, _ = _log()
        own = Store(None, "0" * 32, NOON)
        store.connection.backup(own.connection)
        own._begin("")
        self.waiting: list[bytes] = []
        folder, loop = tempfile.TemporaryDirectory(), asyncio.new_event_loop()
        broker = Library(Path(folder.name), loop, store=own, grace=6.0, heartbeat=2.0, terms=TERMS)
        weakref.finalize(self, _clean_up, folder, loop)
        broker._fresh = itertools.count(1_000_000)
        return broker

    @property
    def keepers(self) -> list[Keeper]:
        return cast("list[Keeper]", self.clients)

    @property
    def library(self) -> Library:
        assert isinstance(self.broker, Library)
        return self.broker

    def _connected(self, client: Client) -> bool:
        there = super(House, self)._connected(client)
        if there:
            self.broker.credentials[client.peer] = (*KEYS, BOSS)[client.number]
        return there

    def _write(self, batch: list[tuple[bytes, bytes]]) -> None:
        super(House, self)._write(batch)
        self._note()

    def _spread(self) -> None:
        self._note()
        super()._spread()
        while self.broker.pipeline.transfers:
            self.library.transfer()
            super()._spread()

    # -- what people do

    def _post(self, client: Keeper, command: Any) -> None:
        client.session.post(command, (next(self._numbers), command))
        client.carry_out(client.session.flush(self.now), self.now)

    def _say(self, client: Keeper, where: str, text: str, **fields: Any) -> None:
        place: dict[str, Any] = {"to": where[1:]} if where.startswith("@") else {"room": where}
        say = m.Say(n=1, text=text, **place, **fields)
        self.posted[text] = client.name, say
        self.texts.add(text)
        self._post(client, say)

    def say(self, who: int, room: int, times: int) -> None:
        for _ in range(times):
            self._say(self.keepers[who % len(WHO)], PLACES[room % 2], f"text {next(self._texts)}")

    def whisper(self, who: int, whom: int, times: int) -> None:
        for _ in range(times):
            self._say(self.keepers[who % len(WHO)], PLACES[2 + whom % 3], f"text {next(self._texts)}")

    def mend(self, who: int, how: int, which: int) -> None:
        """Let somebody do something to one of the last messages that it may read, or to somebody else's."""
        client = self.keepers[who % len(WHO)]
        said = [event for event in self._log() if event["type"] in ("message", "tombstone")]
        said = [event for event in said if which > 3 or kept.reads(client.name, event, self.ends)]
        if not said:
            return
        event, number = said[-1 - which % min(6, len(said))], next(self._marks)
        if how % 5 == 4:
            here = which < 4 and kept.reads(client.name, event, self.ends)
            where = kept.place(event, client.name, self.ends) if here else PLACES[number % len(PLACES)]
            self._say(client, where, f"answer {number}", reply_to=event["seq"])
            return
        seq, text = event["seq"], f"edit {number}"
        self.texts.add(text)
        commands: tuple[Any, ...] = (
            m.Edit(n=1, seq=seq, text=text),
            m.Delete(n=1, seq=seq),
            m.React(n=1, seq=seq, emoji="👍", off=number % 4 == 0),
            m.Pin(n=1, seq=seq, off=number % 3 == 0),
        )
        self._post(client, commands[how % 5])

    def read_it(self, who: int, where: int, back: int) -> None:
        """Let somebody read a room or a conversation up to one of the last events that it was shown."""
        client = self.keepers[who % len(WHO)]
        there = sorted((event for shown in client.shown.values() for event in shown), key=lambda event: event["seq"])
        places = sorted({kept.place(event, client.name, self.ends) for event in there})
        if not places:
            return
        place = places[where % len(places)]
        seqs = [event["seq"] for event in there if kept.place(event, client.name, self.ends) == place]
        seq = seqs[-1 - back % len(seqs)]
        self.read[client.name, place] = max(seq, self.read.get((client.name, place), 0))
        target = {"to": place[1:], "with_": self.ends[place[1:]]} if place.startswith("@") else {"room": place}
        self._post(client, m.MarkRead(n=1, seq=seq, **target))

    def say_later(self, who: int, where: int, seconds: float) -> None:
        at = datetime.fromtimestamp(self.wall + seconds, UTC)
        self._say(self.keepers[who % len(WHO)], PLACES[where % len(PLACES)], f"later {next(self._texts)}", at=at)

    def take_back(self, who: int, which: int) -> None:
        """Let somebody take back something that it, or somebody else, has said for later."""
        ids = [id_ for id_ in self.scheduled if id_ not in self.taken_back]
        if ids:
            id_ = ids[-1 - which % len(ids)]
            author = self.posted[self.scheduled[id_]][0]
            client = self.keepers[who % len(WHO)]
            if client.name == author:
                self.taken_back.add(id_)
            self._post(client, m.Unschedule(n=1, id=id_))

    def upload(self, who: int, which: int, damaged: int, parts: int = 3) -> None:
        """Let somebody send the next parts of a file: of a new one, or of one that is on its way, or was."""
        client = self.keepers[who % len(WHO)]
        mine = [one for one in self.uploads if one.owner == client.name][-3:]
        if which >= len(mine):
            mine = [Upload(len(self.uploads), client.name, damaged=damaged == 0)]
            self.uploads += mine
        one = mine[which % len(mine)]
        offsets = range(one.have, min(one.have + parts * PART, len(one.sent)), PART)
        for offset in offsets or [one.have]:
            part = m.Put(file=one.file, size=len(one.sent), offset=offset, data=one.sent[offset : offset + PART])
            client.carry_out(client.session.ask(part, one, self.now, 20.0), self.now)

    def attach(self, who: int, which: int, where: int, seconds: float = 0.0) -> None:
        """Let somebody put a file into a message: one's own or another one's, which may be here or not."""
        if self.uploads:
            one, number = self.uploads[-1 - which % len(self.uploads)], next(self._texts)
            files = (m.Attachment(file=one.file, name=f"f{number}.bin"),)
            fields: dict[str, Any] = {"at": datetime.fromtimestamp(self.wall + seconds, UTC)} if seconds else {}
            self._say(
                self.keepers[who % len(WHO)], PLACES[where % len(PLACES)], f"file {number}", files=files, **fields
            )

    def download(self, who: int, which: int) -> None:
        if self.uploads:
            one, client = self.uploads[-1 - which % len(self.uploads)], self.keepers[who % len(WHO)]
            ask = m.Get(file=one.file, offset=0, limit=1_000)
            client.carry_out(client.session.ask(ask, ("get", one), self.now, 60.0), self.now)

    def downloaded(self, client: Keeper, one: Upload, answer: m.Reply | None) -> None:
        if isinstance(answer, m.Error) and answer.code == "no_session":  # of a client that was lost again and again
            return
        if answer is not None:
            self.had[client.number, one.file] = isinstance(answer, m.FilePart)
        if isinstance(answer, m.FilePart):
            assert answer.data == one.content
            assert kept.may_have(client.name, one, self.archive.values(), self.ends), "that was not for everybody"
        elif isinstance(answer, m.Error):
            assert answer.code == "bad_file", answer

    # -- what the broker does, and what goes wrong

    def retire(self, keep: float, most: int) -> None:
        """Let the broker retire what is older, in so many steps: whatever is left then is left as if it were killed."""
        connection, now = self.broker.store.connection, self.wall
        with mock.patch.object(retiring, "STEP_EVENTS", STEP):
            for one in due(connection, int(now * 1_000), keep, {}):
                assert one.place != CHAIN
                if one.room == "hall":
                    continue
                while most and (upto := next_step(connection, one)) is not None:
                    most -= 1
                    before = self._now()
                    self.broker.pipeline.change(Retire(one.place, upto, keep, one.room, one.before), now)
                    self._spread()
                    kept.audit_step(before, self._now(), now - keep)
                if most:
                    kept.audit_rest(self._log(), one.room, now - keep)

    def fill_index(self) -> None:
        """Let the broker bring its index forward, by some steps."""
        self.index.fill()
        self.index.tidy()

    def fail_disk(self, after: int) -> None:
        """Let the disk of the files fail; then the broker is killed, with the next crash."""
        self.library.folder.left = after

    def sweep(self, days: int) -> None:
        self.library.sweep(time.time() + days * 86_400.0)

    # -- what must be true in the end

    def _note(self) -> None:
        """Note what has come into the log."""
        rows = self.broker.store.connection.execute("SELECT id, lines FROM chunk WHERE id > ?", (self._archived,))
        for id_, lines in rows.fetchall():
            events = [json.loads(line) for line in lines.split(b"\n")]
            self.archive |= {event["seq"]: event for event in events if kept.is_theirs(event)}
            self._archived = max(self._archived, id_)

    def _now(self) -> dict[int, dict[str, Any]]:
        """Return what is in the log, by `seq`."""
        return {int(event["seq"]): event for event in self._log()}

    def _log(self) -> list[dict[str, Any]]:
        return [event for event in super()._log() if kept.is_theirs(event)]

    def _missed(self, client: Client, log: list[dict[str, Any]]) -> set[int]:
        if client.news_from is None:
            return {0}
        mine = [event for event in log if "to" in event and kept.reads(WHO[client.number], event, self.ends)]
        found = {int(event["seq"]) for event in mine if event["seq"] > client.news_from}
        return found - {event["seq"] for event in client.shown[PRIVATE]}

    def _followed(self, client: Client) -> tuple[str, ...]:
        return client.rooms

    def heal(self) -> None:
        """Let everything go well, until also what was said for later is told, and files were had, or were not."""
        self.library.folder.left = None
        super().heal()
        self.wait(LATEST)
        self._come()
        super().heal()
        self.library.sweep(time.time() + kept.DAYS * 86_400.0)
        self.had.clear()
        for _ in range(10):
            places = itertools.product(self.clients, enumerate(reversed(self.uploads)))
            missing = [(client, at) for client, (at, one) in places if (client.number, one.file) not in self.had]
            if not missing:
                return
            for client, at in missing:
                self.download(client.number, at)
            self._come()
        raise AssertionError("somebody was told nothing of a file")

    def _come(self) -> None:
        """Let all be there, and a moment pass."""
        rounds = 0
        for _ in range(400):
            self.wait(0.25)
            self.move_up()
            for client in self.clients:
                self.move_down(client.number)
                self.move_feed(client.number)
            rounds = rounds + 1 if all(client.session.online for client in self.clients) else 0
            if rounds == 4:
                return
        raise AssertionError("somebody stays away")

    def audit(self) -> None:
        self._note()
        kept.audit(self)


def _clean_up(folder: "tempfile.TemporaryDirectory[str]", loop: asyncio.AbstractEventLoop) -> None:
    loop.close()
    folder.cleanup()
