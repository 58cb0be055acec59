"""Which senders are bots: a bot does not answer bots, or two of them would never end.

The roster tells it of those who are in the room, `who` of those who are only connected. If somebody has left before
anybody asked, nobody knows. They are taken for a person: a script that says one line and leaves is mostly a person's.
"""

from typing import Any

from zchat.errors import RefusedError, TimedOutError
from zchat.protocol import messages as m

from .client import ChatClient

SENDERS_MAX = 10_000  # people of whom it is remembered whether they are bots


class Senders:
    """What is known of senders, by their `from`, and of those who join and leave, by nick."""

    def __init__(self) -> None:
        self._known: dict[str, bool] = {}
        self._members: dict[str, bool] = {}

    def seen(self, member: m.Member | m.MemberJoined) -> None:
        """Somebody is in one of the rooms."""
        self._note(self._members, member.nick, member.bot)

    async def is_bot(self, client: ChatClient, event: Any) -> bool:
        """Say whether a bot did this."""
        if isinstance(event, m.MemberJoined):
            return event.bot
        if isinstance(event, m.MemberLeft):
            return self._members.get(event.nick, False)
        member = client.members(event.room).get(event.nick) if event.room else None
        if member is not None and member.from_ == event.from_:
            return member.bot
        if event.from_ not in self._known:
            found: tuple[m.Member, ...] = ()
            try:
                answer = await client.ask(m.Who(nick=event.nick))
                found = answer.members if isinstance(answer, m.Roster) else ()
            except RefusedError:
                pass
            except TimedOutError:
                return False  # to be asked again the next time
            self._note(self._known, event.from_, any(each.bot and each.from_ == event.from_ for each in found))
        return self._known[event.from_]

    def _note(self, among: dict[str, bool], who: str, bot: bool) -> None:
        if len(among) >= SENDERS_MAX:
            among.clear()
        among[who] = bot
