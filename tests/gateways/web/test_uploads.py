"""Places for uploads: who gets one when all are taken, and from whom."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from tests.client.real import on_loop
from zchat.errors import RefusedError
from zchat.gateways.web.uploads import OF_ALL, OF_ONE, Places


class Uploads:
    """Uploads without an end, each in a task of its own."""

    def __init__(self, closing: AsyncExitStack) -> None:
        self._places, self._closing = Places(), closing

    async def begin(self, whose: str, *, guest: bool) -> asyncio.Task[None]:
        """Begin one; return it once it has a place, or was refused."""
        has_place = asyncio.Event()

        async def upload() -> None:
            async with self._places.take(whose, guest=guest):
                has_place.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(upload())
        self._closing.callback(task.cancel)
        placed = asyncio.create_task(has_place.wait())
        await asyncio.wait([task, placed], return_when=asyncio.FIRST_COMPLETED)
        placed.cancel()
        return task


async def is_refused(task: "asyncio.Task[None]") -> bool:
    with pytest.raises(RefusedError, match="other files are on their way"):
        await asyncio.wait_for(task, 30)
    return True


@on_loop
async def test_guests_of_many_addresses_give_way_to_members_and_not_to_each_other() -> None:
    async with AsyncExitStack() as closing:
        uploads = Uploads(closing)
        strangers = [await uploads.begin(f"guests of {number}", guest=True) for number in range(OF_ALL)]
        assert await is_refused(await uploads.begin("guests of another", guest=True))
        assert not any(task.done() for task in strangers)
        members = [await uploads.begin("a member", guest=False) for _ in range(OF_ONE)]
        for task in strangers[:OF_ONE]:
            assert await is_refused(task), "the oldest ones"
        assert await is_refused(await uploads.begin("a member", guest=False))
        assert not any(task.done() for task in [*members, *strangers[OF_ONE:]])
        newcomer = await uploads.begin("guests of another", guest=True)
        assert await is_refused(members[0]), "who holds several gives way to anybody who has none"
        assert not newcomer.done()


@on_loop
async def test_members_do_not_take_the_last_place_of_each_other() -> None:
    async with AsyncExitStack() as closing:
        uploads = Uploads(closing)
        members = [await uploads.begin(f"member {number}", guest=False) for number in range(OF_ALL)]
        assert await is_refused(await uploads.begin("another member", guest=False))
        assert not any(task.done() for task in members)
