"""What an agent says: messages, answers, reactions; each message once, at the agent's own rate.

A `key` is the agent's name for one message. It becomes the broker's `once`, so an agent that calls again, because its
gateway was killed or its host tried again, says nothing twice. The broker answers a key that it knows with the message
of then. If that was another one, the agent has used a key twice, and would believe that it said something; so it is
told.
"""

import asyncio
import hashlib
import time

from zchat import emojis
from zchat.gateways.rates import Bucket
from zchat.protocol import messages as m

from . import shapes
from .faults import NoEmojiError, NotAllowedError, PendingError, UsedKeyError, UsedUpError
from .reading import Place, Reader
from .session import Agent


class Speaker:
    """Speaks for an agent. Raises ToolFaultError, RefusedError."""

    def __init__(self, agent: Agent, reader: Reader) -> None:
        self._agent, self._reader = agent, reader
        self._allowance = Bucket(agent.bounds.saying, time.monotonic())

    async def say(self, place: Place, text: str, key: str, reply_to: int | None = None) -> shapes.Done:
        """Say something; return once it is on the broker's disk."""
        client = await self._agent.reached()
        self._spend()
        once = "mcp." + hashlib.sha256(key.encode(errors="replace")).hexdigest()[:40]
        posted = await client.post(text, **place._asdict(), reply_to=reply_to, once=once)
        ack = await self._agent.stored(posted)
        if ack is None:
            raise PendingError(self._agent.why)
        if ack.duplicate:
            self._allowance.give_back()
            await self._check_same(place, ack.seq, key, text, reply_to)
        return shapes.Done(seq=ack.seq, duplicate=ack.duplicate)

    async def reply(self, seq: int, text: str, key: str, to: str | None) -> shapes.Done:
        """Answer a message where it was said; not one of a bot, or two would never end."""
        place, message = await self._reader.find(seq, to)
        own = message.from_ == self._agent.client.from_
        if not self._agent.bounds.bots and not own and await self._agent.is_bot(message):
            raise NotAllowedError(
                f"Message {seq} is of a bot, and bots do not answer bots. Say it without answering, if a person should "
                "read it; whoever runs you could allow it with --answer-bots."
            )
        return await self.say(place, text, key, reply_to=seq)

    async def react(self, seq: int, emoji: str, off: bool, to: str | None) -> shapes.Done:
        """React to a message with an emoji or the name of one, or take that back."""
        try:
            emoji = emojis.named(emoji)
        except ValueError as error:
            raise NoEmojiError(str(error)) from None
        await self._reader.find(seq, to)
        self._spend()
        command = m.React(n=1, seq=seq, emoji=emoji, off=off)
        waiting = asyncio.ensure_future(self._agent.client.messages.do(command))
        ack = await self._agent.stored(waiting)
        if ack is None:
            raise PendingError(self._agent.why)
        if ack.duplicate:
            self._allowance.give_back()
        return shapes.Done(duplicate=ack.duplicate)

    async def _check_same(self, place: Place, seq: int | None, key: str, text: str, reply_to: int | None) -> None:
        """Raise UsedKeyError if the message that was said with this key is another one."""
        if seq is None:
            return
        before = await self._reader.at(place, seq)
        same = isinstance(before, m.Message) and (before.text, before.reply_to) == (text, reply_to)
        if not same and not isinstance(before, m.Tombstone):
            raise UsedKeyError(key, seq)

    def _spend(self) -> None:
        if wait := self._allowance.take(time.monotonic()):
            raise UsedUpError(self._agent.bounds.rate, wait)
