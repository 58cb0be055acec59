"""What the prompt asks the broker, and how long it waits for an answer."""

from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from zchat.client.core.pages import Page
from zchat.errors import RefusedError
from zchat.protocol import messages as m

from .target import nick_of

if TYPE_CHECKING:
    from zchat.client.client import ChatClient

R = TypeVar("R", bound=m.Reply)


def require_nick(name: str) -> None:
    """Raise RefusedError for the name of a conversation from before (`bob/9f86d0`), which one cannot look up."""
    if nick_of(name) != name:
        raise RefusedError("unknown_nick", f"there is no conversation {name} here")


class Asker:
    """Puts questions to the broker. While `impatient`, none of them waits for a broker that is not there."""

    def __init__(self, client: "ChatClient") -> None:
        self.client = client
        self.impatient = False

    async def ask(self, question: m.Command, answer: type[R]) -> R:
        """Put a question and return its answer. Raises RefusedError, TimedOutError."""
        reply = await self.client.ask(question, self._timeout)
        assert isinstance(reply, answer)  # noqa: S101 — the client matches answers to questions
        return reply

    async def history(
        self,
        *,
        room: str | None = None,
        partner: str | None = None,
        with_: str | None = None,
        before: int | None = None,
        after: int | None = None,
        since: datetime | None = None,
        limit: int = m.LIMIT_MAX,
        thread: int | None = None,
        kinds: tuple[str, ...] | None = None,
        current: bool = False,
    ) -> Page:
        """Ask for messages of a room, or of a conversation. Raises RefusedError, TimedOutError."""
        to = None if partner is None else nick_of(partner)
        timeout = self._timeout
        return await self.client.history(
            room=room, to=to, with_=with_, before=before, after=after, since=since, limit=limit, thread=thread,
            kinds=kinds, current=current, timeout=timeout,
        )  # fmt: skip

    async def search(self, text: str, limit: int) -> Page:
        """Search all rooms that one sees, and one's own conversations. Raises RefusedError, TimedOutError."""
        return await self.client.search(text, limit=limit, timeout=self._timeout)

    @property
    def _timeout(self) -> float | None:
        """How many seconds an answer may take; None: as long as the client waits."""
        return 0.0 if self.impatient and not self.client.online else None

    async def id_of(self, nick: str) -> str | None:
        """Return the `from` of the person who has a nick now, None if nobody has it or there is no broker.

        Raises TimedOutError.
        """
        if not self.client.online:
            return None
        try:
            found = await self.ask(m.Who(nick=nick), m.Roster)
        except RefusedError:
            return None
        return found.members[0].from_ if found.members else None
