"""Which broker makes the new stream after one was lost: the one that has applied most, if nobody may have more.

A broker that is not heard may have acknowledged what no other has. So nobody is passed over unless somebody says that
it will not come back: what it alone has is then not in the new stream, and its log is not taken any more.
"""

import time
from collections.abc import Collection, Sequence

from zchat.broker.core.bus import Heartbeat
from zchat.errors import EngineError, UsageError

from . import status
from .engine import NatsEngine
from .requests import Refused, Restored, RestoreWanted, decode_answer, encode
from .status import Seen
from .system import RefusesError

WAITS = 15.0  # s for a new stream to be seen


class NothingLostError(UsageError):
    """There is a stream, and it is the one that all brokers have applied."""

    def __init__(self) -> None:
        super().__init__("Nothing was lost: there is a stream, and what the brokers have applied is of it.")


def choose(seen: Seen, without: Collection[str]) -> Heartbeat:
    """Return the broker that makes the new stream. Raises UsageError if none may."""
    if seen.trouble:
        raise UsageError(f"The nodes cannot say whether the stream is lost: {seen.trouble}. Start those that are down.")
    latest = {each.broker: each for each in seen.heard}
    if not latest:
        raise UsageError("No broker is heard. Start those that you have: they come up without a stream, and wait.")
    if missing := [name for name in seen.hosts if name not in latest and name not in without]:
        raise UsageError(
            f"Not heard: {', '.join(missing)}. A broker that is missing may have what no other has. Start it; only if "
            f"it is gone for good, or never had a log, say so: {' '.join(f'--without {name}' for name in missing)}."
        )
    states = {each.name: each.state for each in status.made(seen).brokers}
    if odd := sorted(status.differing(seen.heard)):
        raise UsageError(
            f"The logs of {', '.join(odd)} are not the same at one place: stop the one that is wrong first."
        )
    lost = sorted(name for name, state in states.items() if state == "lost")
    if not lost:
        raise NothingLostError
    if follow := sorted(name for name, state in states.items() if state in status.FOLLOW):
        raise UsageError(
            f"There is a stream, and it is followed by {status.and_(follow, 'broker')}: a new one would leave out what "
            f"was said since. {status.aside(lost)}"
        )
    able = [each for name, each in latest.items() if states[name] == "lost" and each.trouble]
    if not able:
        raise UsageError("The brokers have not given the stream up yet. Wait some seconds, and try again.")
    return max(able, key=lambda each: each.applied)


async def restore(engine: NatsEngine, chosen: Heartbeat) -> int:
    """Have a broker make the new stream; return the place after which it begins. Raises EngineError, RefusesError."""
    try:
        answer = decode_answer(await engine.ask(chosen.broker, encode(RestoreWanted(chosen.applied)), WAITS))
    except EngineError as error:
        return await _seen(engine, chosen, error)
    match answer:
        case Restored():
            return answer.began
        case Refused():
            raise RefusesError(f"Broker {chosen.broker}", answer.why)
    raise RefusesError(f"Broker {chosen.broker}", "it answers something else")


async def _seen(engine: NatsEngine, chosen: Heartbeat, error: EngineError) -> int:
    """Return the place once there is a stream that goes on from it: the answer may have come too late."""
    ends = time.monotonic() + WAITS
    while time.monotonic() < ends:
        try:
            position = await engine.position()
        except EngineError:
            continue  # it waits for an answer, for a second
        if position is not None and position.parent == chosen.term and position.began >= chosen.applied:
            return position.began
    raise error


def lines(seen: Seen, chosen: Heartbeat) -> Sequence[str]:
    """Return what is about to be done."""
    each = sorted({one.broker: one for one in seen.heard}.values(), key=lambda one: -one.applied)
    rows = [f"broker {one.broker} has applied {one.applied} messages" for one in each]
    return (*rows, f"Broker {chosen.broker} makes the new stream. Brokers with less take a copy of its log.")
