"""What a client may ask the broker: to be let into a room, who is there, what was said before.

A question is asked again over the next connection, and given up after a time. It is in no outbox, unlike what one says.
Some answers the client has to live by from then on: a room that is joined, a nick of its own. The session sees to that.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import cast

from zchat.errors import NickTakenError, RefusedError, TimedOutError
from zchat.protocol import messages as m

from .addresses import Address
from .arguments import check_size, checked_nick, checked_place, checked_time, plain_room, room_name, text_of
from .core.pages import Page, page_of
from .core.room import Room
from .driver import Start
from .known import Known


class Asking(Known):
    """A client, as far as it asks the broker. What it says is in `saying.py`."""

    def __init__(self, nick: str | None, address: Address, epochs: m.Epochs, timeout: float) -> None:
        super().__init__(nick, address, epochs)
        self._timeout = timeout  # s for a question, unless told otherwise

    async def ask(self, command: m.Command, timeout: float | None = None) -> m.Reply:  # noqa: ASYNC109
        """Return the answer to a command that is not numbered, as `Who`, `ListRooms`, `AskStatus` or `Away`.

            roster = await chat.ask(zchat.Who(room="general"))

        It waits at most `timeout` seconds (by default those of the client). Raises RefusedError, TimedOutError,
        ClosedError, and TypeError for what is no question: for messages there is `say`.
        """
        driver = self._running()
        check_size(command, driver.session.welcome)
        start, what = _asking(command)
        try:
            return await driver.answer(start, what, self._timeout if timeout is None else timeout)
        except TimedOutError as error:
            raise (driver.session.deaf() if isinstance(command, m.Join) else None) or error from None

    async def join(
        self, room: str, *, after: int | None = None, backlog: int | None = None, quiet: bool = False
    ) -> m.Joined:
        """Follow a room: what is said there comes through `listen()`. Returns its topic and who is there.

        - `after`: a `seq`; all that came behind it comes first.
        - `backlog`: so many last events come first (0 to 1,000).
        - `quiet`: whether to join without a word of it to those who are there.

        A room that is followed already goes on from where it is. After a timeout a new room is left again, one followed
        already is not. Raises RefusedError, TimedOutError.
        """
        return cast(m.Joined, await self.ask(m.Join(room=room, quiet=quiet, after=after, backlog=backlog)))

    async def part(self, room: str, reason: str | None = None) -> m.Parted:
        """Follow a room no more; what waits of it is heard no more either.

        `reason` (at most 1,024 characters) is shown there. Raises RefusedError, TimedOutError.
        """
        return cast(m.Parted, await self.ask(m.Part(room=room, reason=reason)))

    async def rename(self, nick: str) -> None:
        """Take another nick; while the broker is away, it is asked for when it is back (else NickRefused is yielded).

        Raises NickTakenError, RefusedError for what is no nick, TimedOutError.
        """
        try:
            await self.ask(m.SetNick(nick=nick))
        except RefusedError as error:
            if error.code == "nick_taken":
                raise NickTakenError(nick, error.message) from None
            raise

    def set_bot(self, bot: bool) -> None:
        """Tell others from now on that this is a bot, or that it is none. Bots do not answer bots.

        The broker is greeted anew for it, which takes a moment. Who comes, and who asks, is told; those who are in a
        room with this client see it when they ask the next time who is there. Raises ClosedError.
        """
        self._running().be_bot(bot)

    # -- what was said before

    async def history(
        self,
        *,
        room: str | None = None,
        to: str | None = None,
        with_: str | None = None,
        before: int | None = None,
        after: int | None = None,
        since: datetime | None = None,
        limit: int = 100,
        thread: int | None = None,
        kinds: Iterable[str] | None = None,
        current: bool = False,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> Page:
        """Return a page of what was said, oldest first: the newest page, unless told where to look.

            page = await chat.history(room="general", limit=50)
            for message in page.messages:
                print(message.time, message.nick, message.text)
            if page.more:
                older = await chat.history(room="general", before=page.events[0].seq, limit=50)

        - `room` or `to`: of a room, joined or not, or of the conversation with a nick.
        - `with_`: the `from_` of the person whom `to` is to be, where the nick may have changed hands.
        - `before`: a `seq`, for the last events before it. Or `after`: a `seq`, for the first ones behind it. Or
          `since`: a time with its zone, for the first ones from then on.
        - `limit`: how many events at most (1 to 1,000). A page has at most 256 KiB, so there may be fewer.
        - `thread`: the `seq` of a message: only that, its answers, and what was done to them.
        - `kinds`: only events of these types, as `["message", "edit"]`.
        - `current`: messages as they are now, with their reactions and the number of their answers, instead of the
          events that made them so. With `kinds=["pin"]` those that are pinned.
        - `timeout`: in seconds, by default that of the client.

        Raises RefusedError, TimedOutError, ClosedError, ValueError for a place or mark that is none.
        """
        if sum(mark is not None for mark in (before, after, since)) > 1:
            raise ValueError("before, after and since exclude each other")
        since = checked_time(since, "since")
        room = checked_place(room, to, with_)
        question = m.AskHistory(
            room=room, to=to, with_=with_, before=before, after=after, since=since, limit=limit, thread=thread,
            kinds=None if kinds is None else tuple(kinds), current=current,
        )  # fmt: skip
        return page_of(cast(m.History, await self.ask(question, timeout)))

    async def search(
        self,
        text: str,
        *,
        room: str | None = None,
        nick: str | None = None,
        before: int | None = None,
        limit: int = 100,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> Page:
        """Return the newest messages and topics that hold all words of `text`, oldest first.

        They are those of public rooms, of one's private rooms, and of one's own conversations.

        - `text`: words in any order; `"several words"` in quotes stand side by side, `begin*` is a word's beginning.
        - `room`, `nick`: only what was said there, or by one who was called so.
        - `before`: a `seq`; only what came before it. If there is `more`, that of the first event leads to it.
        - `limit`: how many at most (1 to 1,000).
        - `timeout`: in seconds, by default that of the client.

        Raises RefusedError (`bad_text` where no word is in `text`), TimedOutError, ClosedError.
        """
        room = None if room is None else plain_room(room)
        question = m.Search(text=text_of(text, "text"), room=room, nick=nick, before=before, limit=limit)
        return page_of(cast(m.Found, await self.ask(question, timeout)))


def _asking(command: m.Command) -> tuple[Start, str]:
    """Return how a session starts asking this, and what it is that may time out. Raises RefusedError, TypeError."""
    if isinstance(command, m.NumberedCommand | m.Hello | m.Typing | m.SayBye):
        raise TypeError(f"{type(command).__name__} is no question")
    match command:
        case m.Join():
            room = Room(room_name(command.room), quiet=command.quiet, after=command.after, backlog=command.backlog)
            return lambda session, *how: session.join(room, *how), f"joining {room.name}"
        case m.Part(reason=reason):
            name = room_name(command.room)
            return lambda session, *how: session.part(name, reason, *how), f"leaving {name}"
        case m.SetNick():
            nick = checked_nick(command.nick)
            return lambda session, *how: session.rename(nick, *how), f"taking the nick {nick}"
    return lambda session, *how: session.ask(command, *how), f"{command.__struct_config__.tag}"
