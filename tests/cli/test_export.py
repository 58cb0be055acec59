"""What an export takes of a room in which people go on talking."""

import asyncio

from tests.client.real import on_loop, serving
from zchat.cli.export import Place, _pages
from zchat.client.client import ChatClient
from zchat.protocol import messages as m


async def say(client: ChatClient, times: int) -> None:
    await asyncio.gather(*(client.say("hi", room="dev") for _ in range(times)))


@on_loop
async def test_what_is_said_meanwhile_does_not_keep_it_from_its_end() -> None:
    async with serving(rate=0.0) as server, ChatClient("ann", server.listen) as ann:
        await say(ann, m.LIMIT_MAX + 10)
        pages = []
        async for page, done in _pages(ann, Place("dev"), None):
            pages.append((len(page.events), done))
            assert len(pages) < 4, "it has no end"
            await say(ann, m.LIMIT_MAX)
        first, last = pages
        assert first[0] == m.LIMIT_MAX
        assert first[1] < last[1] == 1.0
        assert last[0] >= 10
