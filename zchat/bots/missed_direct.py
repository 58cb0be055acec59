"""Direct messages that were sent to a bot while it was away.

The client brings only direct messages that are sent from now on, so the bot asks for the others by itself. All of them
together are one stream in the order of `seq`, with one cursor. So all are asked for through the same moment: the
highest head of a single `pong`. Later ones come live. One that comes twice is dropped by its `seq`.
"""

from contextlib import suppress
from typing import Any

from zchat.client.client import ChatClient
from zchat.client.core.direct import split_name
from zchat.errors import RefusedError
from zchat.protocol import messages as m


async def missed_messages(client: ChatClient, cursor: int | None) -> tuple[int, list[Any]]:
    """Return the cursor to begin with, and the events behind it; none on the first run (None).

    Raises TimedOutError.
    """
    pong = await client.ask(m.Ping())
    assert isinstance(pong, m.Pong)  # noqa: S101 — the client matches answers to questions
    heads = {name[1:]: head for name, head in pong.heads.items() if name.startswith("@")}
    last = max(heads.values(), default=0)
    if cursor is None:
        return last, []
    found: list[Any] = []
    for nick, head in heads.items():
        if head > cursor:
            with suppress(RefusedError):  # nobody has this nick any more
                found += [each for each in await _since(client, nick, cursor, head) if (each.seq or 0) <= last]
    return cursor, sorted(found, key=lambda event: event.seq)


async def _since(client: ChatClient, nick: str, after: int, head: int) -> list[Any]:
    found: list[Any] = []
    more = True
    while more and after < head:
        to, with_ = split_name(nick)
        page = await client.history(to=to, with_=with_, after=after, limit=m.LIMIT_MAX)
        found += page.events
        more, after = page.more and page.upto > after, page.upto
    return found
