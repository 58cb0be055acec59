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
    found = [each for each in await ask(address, identity, seconds) if isinstance(each, m.Status)]
    return next((each for each in found if each.stalled), found[0] if found else None)


async def ask(
    address: Address, identity: Identity | None, seconds: float, *, numbers: bool = False
) -> list[m.AnyReply | m.Opaque]:
    """Return the answers of all brokers that are there: a status, or a refusal. Raises BadEndpointError.

    `numbers`: with what they have counted, where they tell it.
    """
    command = wire.encode(m.AskStatus(numbers=numbers))
    asking = (_ask(endpoint, address.key, identity, seconds, command) for endpoint in address.endpoints)
    return [each for each in await asyncio.gather(*asking) if each is not None]


async def _ask(
    endpoint: str, key: bytes | None, identity: Identity | None, seconds: float, command: bytes
) -> m.AnyReply | m.Opaque | None:
    answer: asyncio.Future[m.AnyReply | m.Opaque | None] = asyncio.get_running_loop().create_future()

    def end(found: m.AnyReply | m.Opaque | None) -> None:
        if not answer.done():
            answer.set_result(found)

    def received(payload: bytes) -> None:
        for reply in wire.replies(payload):
            end(reply)

    keys = (key, identity) if key is not None and identity is not None else None
    link = Link(received, lambda *_: None, lambda _: end(None), endpoint.startswith("inproc://"), keys)
    try:
        link.connect(endpoint)
        link.send([command])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await answer
        return None
    finally:
        await link.close()
