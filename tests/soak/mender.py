"""Somebody who does things to what was said: edits, deletes, reacts, pins, answers, sends files, and mends whispers.

Only what it has said itself it edits and deletes, so nobody else's journal becomes untrue by that. It chooses among
what was acknowledged, and never touches again what it has once meant to delete: then each refusal tells of a mistake.
What it does to others' messages may come too late.
"""

import asyncio
import random

from tests.soak.journal import Acked, Mended, Said, checksum, conversation
from tests.soak.person import Task
from tests.soak.talker import Speaking, Talker
from zchat import ChatClient
from zchat.errors import RefusedError, TimedOutError
from zchat.protocol import messages as m

EMOJI = ("👍", "🎉", "👀")
RECENT = 12  # messages of a room among which one is chosen
BYTES = (1, 40_000)  # of a file


class Mender(Talker):
    """`mine` has what it has said, by `seq`, and where; what it means to delete is not in it."""

    def __init__(self, task: Task, number: int) -> None:
        super().__init__(task, number)
        before = self.journal.before
        self.said = sum(isinstance(record, Said | Mended) for record in before)
        self.chance = random.Random(f"{task.seed} mender {number} {self.said}")
        mends = {record.id for record in before if isinstance(record, Mended)}
        where = {record.id: record.room for record in before if isinstance(record, Said) and record.id not in mends}
        gone = {record.target for record in before if isinstance(record, Mended) and record.kind == "delete"}
        self.mine = {
            record.seq: where[record.id]
            for record in before
            if isinstance(record, Acked) and record.id in where and record.seq and record.seq not in gone
        }
        self.saying: dict[str, str] = {}  # what was said and is not acknowledged: id, and where

    def ways(self) -> dict[str, tuple[float, Speaking]]:
        return WAYS_TO_MEND

    def acknowledged(self, id_: str, ack: m.Ack) -> None:
        if ack.seq is not None and id_ in self.saying and not ack.duplicate:
            self.mine[ack.seq] = self.saying.pop(id_)
        seq = None if ack.duplicate else ack.seq
        self.journal.write(Acked(id_, seq))

    async def tell(
        self, client: ChatClient, to: str | None = None, reply_to: int | None = None, room: str | None = None,
        files: tuple[m.Attachment, ...] = (), maybe: str = "",
    ) -> None:  # fmt: skip
        """Say something that may be mended later."""
        id_ = self.next_id()
        room = room or self.chance.choice(self.task.rooms)
        self.saying[id_] = where = room if to is None else conversation(self.name, to)
        self.journal.write(Said(id_, where, checksum(id_), maybe=maybe))
        where_to = None if to else room
        await self.handed(id_, await client.post(id_, room=where_to, to=to, reply_to=reply_to, files=files))

    async def whisper(self, client: ChatClient) -> None:
        await self.tell(client, to=f"mender{self.chance.randrange(self.task.menders)}", maybe="unknown_nick")

    async def attach(self, client: ChatClient) -> None:
        path = self.folder / f"{self.name}.upload"
        path.write_bytes(self.chance.randbytes(self.chance.randint(*BYTES)))
        try:
            attached = await client.files.upload(path)
        except (RefusedError, TimedOutError):  # the broker's disk is full, or it is away
            return
        await self.tell(client, files=(attached,), maybe="bad_file")

    async def edit(self, client: ChatClient) -> None:
        if self.mine:
            seq, id_ = self.chance.choice(list(self.mine)), self.next_id()
            self.journal.write(Mended(id_, "edit", seq), Said(id_, self.mine[seq], checksum(id_)))
            await self.done(client, id_, m.Edit(n=1, seq=seq, text=id_))

    async def delete(self, client: ChatClient) -> None:
        if self.mine:
            seq = self.chance.choice(list(self.mine))
            del self.mine[seq]
            await self.mend(client, "delete", m.Delete(n=1, seq=seq))

    async def react(self, client: ChatClient) -> None:
        emoji, off = self.chance.choice(EMOJI), self.chance.random() < 0.3
        if (seen := await self.recent(client)) is not None:
            await self.mend(client, "reaction", m.React(n=1, seq=seen.seq, emoji=emoji, off=off), f"{emoji} {off}")

    async def pin(self, client: ChatClient) -> None:
        off = self.chance.random() < 0.3
        if (seen := await self.recent(client)) is not None:
            await self.mend(client, "pin", m.Pin(n=1, seq=seen.seq, off=off), str(off))

    async def answer(self, client: ChatClient) -> None:
        if (seen := await self.recent(client)) is not None:
            await self.tell(client, reply_to=seen.seq, room=seen.room, maybe="bad_reply")

    async def mend(self, client: ChatClient, kind: str, command: m.Delete | m.React | m.Pin, what: str = "") -> None:
        id_ = self.next_id()
        self.journal.write(Mended(id_, kind, command.seq, what))
        await self.done(client, id_, command)

    async def done(self, client: ChatClient, id_: str, command: m.Edit | m.Delete | m.React | m.Pin) -> None:
        answer = asyncio.ensure_future(client.messages.do(command))
        await asyncio.sleep(0)  # it is posted
        await self.handed(id_, answer)

    async def recent(self, client: ChatClient) -> m.Message | None:
        """Return one of the last messages of a room, whoever has said it; None where the broker is away."""
        try:
            page = await client.history(room=self.chance.choice(self.task.rooms), limit=RECENT, timeout=2)
        except (RefusedError, TimedOutError):
            return None
        return self.chance.choice(page.messages) if page.messages else None


WAYS_TO_MEND: dict[str, tuple[float, Speaking]] = {
    "say": (30, Mender.tell),
    "whisper": (8, Mender.whisper),
    "edit": (20, Mender.edit),
    "delete": (10, Mender.delete),
    "react": (15, Mender.react),
    "pin": (5, Mender.pin),
    "answer": (10, Mender.answer),
    "file": (3, Mender.attach),
}
