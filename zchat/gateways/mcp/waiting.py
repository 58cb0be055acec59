"""Waiting: for a mention, an answer, anything that a person says; and for the answer to a question.

It is a loop of looking and listening: what came behind the cursor is asked of the log, and if nothing of it is meant,
the agent's bell is waited for. The bell is taken before the look, so nothing falls between the two. So nothing is kept
here either: who calls again with the cursor goes on, and who asks the same again finds the question by its key.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from zchat.client.core.history import epoch_of
from zchat.errors import RefusedError, TimedOutError
from zchat.protocol import messages as m

from . import cursors, meant, shapes
from .faults import AwayError, NotAllowedError, StaleCursorError, ToolFaultError
from .reading import Place, Reader, bounded
from .session import Agent
from .speaking import Speaker

SECONDS_MAX = 300  # one call waits: longer than that hosts give up on a tool, and the agent can call again
TELL = 10.0  # seconds until it looks again, and tells of its progress: hosts that hear nothing give up
WAITS_MAX = 16  # calls that wait at once; a host that has gone leaves its own, so the oldest gives way
LOOKED_MAX = 200  # messages of one place in one look

Progress = Callable[[float], Awaitable[None]]  # hears for how many seconds it has waited


class Look(NamedTuple):
    """What was found behind a seq: what is meant of it, through where all was seen, and whether there is more."""

    found: list[m.Message]
    through: int
    more: bool


@dataclass(eq=False)
class Wait:
    """A call that waits, since when and for how long."""

    begun: float
    seconds: float

    def left(self, now: float) -> float:
        return self.begun + self.seconds - now


class Waiter:
    """Waits for an agent. Raises ToolFaultError, RefusedError."""

    def __init__(self, agent: Agent, reader: Reader, speaker: Speaker) -> None:
        self._agent, self._reader, self._speaker = agent, reader, speaker
        self._waits: list[Wait] = []  # the oldest first

    async def wait_for(
        self, place: Place | None, what: meant.Meant, after: int | None, seconds: float, progress: Progress
    ) -> shapes.Heard:
        """Return what is meant and was said behind a seq, as soon as there is any; nothing when the time is over.

        Without a place, it is waited for everywhere.
        """
        if after is None:
            after = await self._head(place)
        look = await self._wait(place, what, after, seconds, progress)
        own, epochs = self._agent.client.from_, self._agent.client.epochs
        told, cut = bounded([shapes.said(each, own) for each in look.found], newest=False)
        through = told[-1].seq if cut else look.through
        return shapes.Heard(messages=told, cursor=cursors.write(through, epochs), timed_out=not told)

    async def ask(
        self, place: Place, question: str, key: str, person: str | None, seconds: float, progress: Progress
    ) -> shapes.Answered:
        """Ask a room or a person, and wait for the answer. Who asks the same again goes on waiting."""
        asked = await self._whom(place, person)
        if person is not None and place.room is not None:
            question = f"{person.removeprefix('@')}: {question}"
        done = await self._speaker.say(place, question, key)
        if done.seq is None:
            raise ToolFaultError("This was asked too long ago to be found again. Ask anew, with a new key.")
        return await self._answered(place, done.seq, asked, seconds, progress)

    async def go_on(
        self, seq: int, to: str | None, person: str | None, seconds: float, progress: Progress
    ) -> shapes.Answered:
        """Go on waiting for the answer to a question of one's own."""
        place, message = await self._reader.find(seq, to)
        if message.from_ != self._agent.client.from_:
            raise NotAllowedError(f"Message {seq} is no question of yours. Ask one of your own, with `question`.")
        asked = None
        with suppress(RefusedError):  # whoever was asked may have left: what refers to the question is an answer still
            asked = await self._whom(place, person)
        return await self._answered(place, seq, asked, seconds, progress)

    async def _answered(
        self, place: Place, seq: int, person: str | None, seconds: float, progress: Progress
    ) -> shapes.Answered:
        client = self._agent.client
        look = await self._wait(place, meant.answer(seq, client.nick or "", person), seq, seconds, progress)
        answer = shapes.said(look.found[0], client.from_) if look.found else None
        return shapes.Answered(question=seq, answer=answer, timed_out=answer is None)

    async def _whom(self, place: Place, person: str | None) -> str | None:
        """Return the id of whoever is asked; None for a whole room."""
        nick = person or place.to
        if nick is None:
            return None
        client = await self._agent.reached()
        try:
            return await self._agent.answer(client.administration.identify(nick))
        except RefusedError as error:
            if error.code != "forbidden":  # a guest may not ask who the members are
                raise
            raise RefusedError("unknown_member", f"nobody here is called {nick}") from None

    # -- looking and listening

    async def _wait(
        self, place: Place | None, what: meant.Meant, after: int, seconds: float, progress: Progress
    ) -> Look:
        wait = Wait(asyncio.get_running_loop().time(), seconds)
        if len(self._waits) >= WAITS_MAX:
            self._waits[0].seconds = 0.0
            self._waits.pop(0)
            self._agent.ring()
        self._waits.append(wait)
        try:
            return await self._until_found(place, what, after, wait, progress)
        finally:
            if wait in self._waits:
                self._waits.remove(wait)

    async def _until_found(
        self, place: Place | None, what: meant.Meant, after: int, wait: Wait, progress: Progress
    ) -> Look:
        clock = asyncio.get_running_loop().time
        epoch = epoch_of(self._agent.client.epochs, after)
        while True:
            bell = self._agent.bell
            look = Look([], after, more=False)
            with suppress(AwayError, TimedOutError):  # it is looked again, when the bell rings or soon
                look = await self._look(place, what, after)
            if epoch_of(self._agent.client.epochs, after) != epoch:
                raise StaleCursorError(f"{after}.{epoch[:8]}")
            after = look.through
            if look.found or (wait.left(clock()) <= 0 and not look.more):
                return look
            epoch = epoch_of(self._agent.client.epochs, after)
            if not look.more:
                await self._listen(bell, wait, progress)

    async def _listen(self, bell: asyncio.Event, wait: Wait, progress: Progress) -> None:
        """Wait for the bell, for a while or until the time is over, and tell that it waits."""
        clock = asyncio.get_running_loop().time
        with suppress(TimeoutError):
            async with asyncio.timeout(min(max(0.0, wait.left(clock())), TELL)):
                await bell.wait()
        await progress(clock() - wait.begun)

    async def _look(self, place: Place | None, what: meant.Meant, after: int) -> Look:
        """Return what is meant and is behind `after`, complete through one seq in all places."""
        places, through = ([place], m.SEQ_MAX) if place else await self._places()
        found: list[m.Message] = []
        more, upto = False, after
        for each in places:
            try:
                page = await self._reader.page(each, after=after, limit=LOOKED_MAX)
            except RefusedError as error:
                if place is not None or error.code not in {"unknown_room", "unknown_nick"}:
                    raise
                continue
            if page.more:
                more, through = True, min(through, page.upto)
            upto = max(upto, page.upto)
            found += page.messages
        through = max(after, min(through, upto))
        told = [each for each in sorted(found, key=lambda one: one.seq) if each.seq <= through]
        return Look([each for each in told if what(each) and await self._is_person(each)], through, more)

    async def _places(self) -> tuple[list[Place], int]:
        conversations, through = await self._reader.conversations()
        return [*(Place(room=room) for room in self._agent.bounds.rooms), *conversations], through

    async def _head(self, place: Place | None) -> int:
        """Return the seq of what was said last, there or anywhere."""
        if place is None:
            return (await self._reader.conversations())[1]
        return (await self._reader.page(place, limit=1)).upto

    async def _is_person(self, message: m.Message) -> bool:
        """Say whether this is to be told: no bot has said it, nor the agent itself, and an answer may be expected."""
        if message.from_ == self._agent.client.from_ or message.kind == "notice":
            return False
        return self._agent.bounds.bots or not await self._agent.is_bot(message)
