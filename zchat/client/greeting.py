"""What answers at an endpoint, when a handshake ends without a reason.

CURVE tells a client nothing: a broker with another key, one that does not encrypt, and the near end of a tunnel that
leads nowhere all hang up. But each ZeroMQ socket greets first, and the greeting names the mechanism that it speaks
(ZMTP 3.1, section 2.2). It sends it as soon as it has seen our signature and version: so no more is sent here.
"""

import asyncio
import contextlib

from .core.handshake import Fault

PATIENCE = 1.0  # seconds
_SIGNATURE, _VERSION = b"\xff" + bytes(8) + b"\x7f", b"\x03"
_MECHANISM = slice(12, 32)


async def explained(fault: Fault, endpoint: str, encrypted: bool) -> Fault:
    """Return what is behind a handshake that failed at this endpoint; `encrypted` says whether we encrypt."""
    if fault is not Fault.HUNG_UP or not endpoint.startswith("tcp://"):
        return fault
    spoken = await mechanism(endpoint)
    if spoken is None:
        return Fault.HUNG_UP
    if encrypted:
        return Fault.WRONG_KEY if spoken == "CURVE" else Fault.NOT_ENCRYPTED
    return Fault.ENCRYPTED if spoken == "CURVE" else Fault.HUNG_UP


async def mechanism(endpoint: str) -> str | None:
    """Return the mechanism of the ZeroMQ socket at a `tcp://` endpoint, None where none greets."""
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    writer = None
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
            writer.write(_SIGNATURE + _VERSION)
            greeting = await reader.readexactly(_MECHANISM.stop)
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return None
    finally:
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
    if greeting[:1] != _SIGNATURE[:1] or greeting[9:10] != _SIGNATURE[9:]:
        return None
    return greeting[_MECHANISM].rstrip(b"\0").decode("ascii", "replace")
