"""How the brokers are, asked without a session: they tell that also while they can let nobody in."""

import asyncio
import contextlib

from zchat.protocol import messages as m
from zchat.protocol import wire

from .addresses import Address
from .identity import Identity
from .link import Link


async def ask_status(address: Address, identity: Identity | None, seconds: float) -> m.Status | None:
    """Return what a broker says that is there: one that can store nothing, if there is such a one.

    None if none answers in time. Raises BadEndpointError.
    """
    asking = (_ask(endpoint, address.key, identity, seconds) for endpoint in address.endpoints)
    found = [each for each in await asyncio.gather(*asking) if each is not None]
    return next((each for each in found if each.stalled), found[0] if found else None)


async def _ask(endpoint: str, key: bytes | None, identity: Identity | None, seconds: float) -> m.Status | None:
    answer: asyncio.Future[m.Status | None] = asyncio.get_running_loop().create_future()

    def end(status: m.Status | None) -> None:
        if not answer.done():
            answer.set_result(status)

    def received(payload: bytes) -> None:
        for reply in wire.replies(payload):
            end(reply if isinstance(reply, m.Status) else None)

    keys = (key, identity) if key is not None and identity is not None else None
    link = Link(received, lambda *_: None, lambda _: end(None), endpoint.startswith("inproc://"), keys)
    try:
        link.connect(endpoint)
        link.send([wire.encode(m.AskStatus())])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await answer
        return None
    finally:
        await link.close()
