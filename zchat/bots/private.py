"""What was said to a bot alone while it was away.

A client begins its conversations with what comes, so the bot asks for the rest by itself. All conversations are one
stream in the order of `seq`, and one place tells how far it is finished. So all are asked for through one moment: the
highest head of a single `pong`. What is later comes live, and what comes twice is dropped by its `seq`.
"""

from contextlib import suppress

from zchat.client.client import ChatClient
from zchat.client.core.direct import whom
from zchat.errors import RefusedError
from zchat.protocol import messages as m
from zchat.protocol import wire


async def missed(client: ChatClient, place: int | None) -> tuple[int, list[m.Message]]:
    """Return where to begin and the messages behind `place`; none at the first run (None). Raises TimedOutError."""
    pong = await client.ask(m.Ping())
    assert isinstance(pong, m.Pong)  # noqa: S101 — the client matches answers to questions
    heads = {name[1:]: head for name, head in pong.heads.items() if name.startswith("@")}
    most = max(heads.values(), default=0)
    if place is None:
        return most, []
    found: list[m.Message] = []
    for nick, head in heads.items():
        if head > place:
            with suppress(RefusedError):  # nobody has this nick any more
                found += [each for each in await _since(client, nick, place, head) if each.seq <= most]
    return place, sorted(found, key=lambda event: event.seq)


async def _since(client: ChatClient, nick: str, after: int, head: int) -> list[m.Message]:
    found: list[m.Message] = []
    more = True
    while more and after < head:
        to, with_ = whom(nick)
        page = await client.ask(m.AskHistory(to=to, with_=with_, after=after))
        assert isinstance(page, m.History)  # noqa: S101 — the client matches answers to questions
        events = [wire.event(line) for line in page.events]
        found += [event for event in events if isinstance(event, m.Message)]
        more, after = page.more and page.upto > after, page.upto
    return found
