"""One soak from its beginning to its verdict.

All come, the nemesis strikes, everything is healed and comes to rest; then the broker is killed once more, so that what
is audited is what the disk holds, and all that was in memory only is gone. In a cluster all brokers and all nodes are.
"""

import asyncio
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.soak import carried, journal, mended, witness
from tests.soak.audit import CHECKS, Event, Evidence, audit
from tests.soak.nemesis import Nemesis, heal
from tests.soak.person import follows
from tests.soak.plan import Strike
from tests.soak.process import down
from tests.soak.view import View
from tests.soak.witness import Rooms
from tests.soak.world import COMES_WITHIN, ROOMS, SoakError, World, until
from zchat import logs
from zchat.client.core.phrases import phrase
from zchat.client.outbox import Outbox

RESTS_WITHIN = 120.0  # seconds: some of a client's longest waits, one after the other
MUTANT_RESTS_WITHIN = 20.0  # … and what is broken on purpose may never do
MEMORY_MAX = 300 * 2**20  # bytes of the broker
DESCRIPTORS_MORE = 8  # than it had at first and one for each connection: what the log keeps open when it is read
GONE_WITHIN = 40.0  # seconds: a connection that takes nothing is ended after 30
EXPECTED = re.compile(r"(sqlite3\.OperationalError|zchat\.errors\.(DiskFull|Storage)Error|OSError: \[Errno 28\])")


@dataclass
class Verdict:
    """What came of it; `breaches` by the sentence that was broken."""

    strikes: dict[str, int]
    said: int
    acked: int
    stored: int
    seen: int
    outage: float
    memory: int
    pauses: tuple[float, float]  # seconds: the longest until an answer, and without anything to see
    moves: int
    breaches: dict[str, list[str]] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        return not any(self.breaches.values())


async def soak(world: World, plan: list[Strike], seconds: float) -> Verdict:
    """Run it, and judge."""
    this = asyncio.current_task()
    if this is not None:  # clean up, as after Ctrl-C
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    nemesis = Nemesis(world)
    view = View(world, nemesis, seconds)
    nemesis.changed = view.draw
    showing = asyncio.create_task(view.show())
    try:
        async with world.running():
            view.begin()
            await _strike(world, nemesis, plan, seconds)
            view.phase = "coming to rest"
            descriptors = await _come_to_rest(world)
            presence = await world.agreed(world.presence)
            logs = await world.agreed(world.differences)  # while they run: they do not end at the same place
            log, rooms = await world.log(), await world.rooms()
            view.phase = "leaving"
            await asyncio.gather(*(crowd.leave() for crowd in world.crowds))
            descriptors += await _surplus(world)
            await asyncio.gather(*(gateway.end(signal.SIGTERM) for gateway in world.gateways))
            await asyncio.gather(*(broker.end(signal.SIGTERM) for broker in world.brokers))
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)
    evidence = gather(world, log, rooms)
    breaches = audit(evidence, (*CHECKS, *mended.CHECKS, *carried.CHECKS)) | {
        "files can be had": rooms.lost,
        "all brokers have the same log": logs,
        "all brokers know who is here": presence,
        "processes do what they are told": world.faults(),
        "no traceback is written": tracebacks(world.folder, {strike.fault for strike in plan}),
        "the broker stays within bounds": [*_memory(world), *descriptors],
    }
    return _verdict(world, nemesis, evidence, view, breaches)


async def _strike(world: World, nemesis: Nemesis, plan: list[Strike], seconds: float) -> None:
    ends = asyncio.get_running_loop().time() + seconds
    try:
        await nemesis.carry_out(plan)
        await asyncio.sleep(max(0.0, ends - asyncio.get_running_loop().time()))
    finally:
        heal(world)


async def _come_to_rest(world: World) -> list[str]:
    """Wait until all is answered and seen, and kill the broker a last time; say what it had kept too much of."""
    await _settle(world)
    surplus = await _surplus(world)
    await down(world.processes, signal.SIGKILL, 0)
    await _settle(world)
    return surplus


async def _settle(world: World) -> None:
    if not await until(lambda: world.ready, COMES_WITHIN):
        raise SoakError(f"the broker did not come back within {COMES_WITHIN:g} s")
    await world.settle(MUTANT_RESTS_WITHIN if world.mutant else RESTS_WITHIN)


async def _surplus(world: World) -> list[str]:
    """Say whether a broker that is alone keeps descriptors of connections that are gone: all come by the proxies."""
    if not world.proxies:
        return []
    (broker,) = world.brokers

    def connections() -> int:
        return sum(proxy.links for proxy in world.proxies.values())

    def surplus() -> int:
        return broker.descriptors - broker.descriptors_at_first - connections()

    if await until(lambda: surplus() <= DESCRIPTORS_MORE, GONE_WITHIN):
        return []
    return [
        f"{broker.descriptors} descriptors are open for {connections()} connections,"
        f" and {broker.descriptors_at_first} were for none"
    ]


def _memory(world: World) -> list[str]:
    peak = world.memory
    return [f"it took {peak / 2**20:.0f} MiB of memory"] if peak > MEMORY_MAX else []


def gather(world: World, log: list[Event], rooms: Rooms) -> Evidence:
    """Read all that was written down."""

    def journals(kind: str) -> dict[str, list[journal.AnyRecord]]:
        return {
            f"{kind}{k}": journal.read(world.folder / f"{kind}{k}.journal")
            for k in range(getattr(world.size, f"{kind}s"))
        }  # fmt: skip

    talkers, menders = journals("talker"), journals("mender")
    pages, ircs = journals("page"), journals("irc")
    files = [each for machine in world.machines for each in machine.log.parent.glob(f"{machine.log.name}*")]
    return Evidence(
        log,
        talkers | journals("nomad") | menders | pages | ircs,
        journals("follower"),
        journals("bot"),
        pages,
        ircs,
        {f"{kind}{k}": follows(k, ROOMS) for kind, count in world.size.following.items() for k in range(count)},
        {name: _left_in(world.folder / f"{name}.outbox") for name in (*talkers, *menders)},
        rooms.lines,
        rooms.current,
        witness.remains(files),
    )


def _left_in(path: Path) -> list[int]:
    """Return the checksums of the texts in an outbox."""
    outbox = Outbox(path)
    outbox.close()
    return [journal.checksum(phrase(command)) for command in outbox.commands]


def tracebacks(folder: Path, faults: set[str]) -> list[str]:
    """Return the errors that anybody wrote a traceback of, but for those that a full disk earns."""
    found: list[str] = []
    for path in (*folder.glob("log*/*.log*"), *folder.glob("*.stderr")):
        indent = logs.INDENT if path.parent != folder else ""
        lines = [line.removeprefix(indent) for line in path.read_text(errors="replace").splitlines()]
        for error in _errors(lines):
            if not (EXPECTED.match(error) and "full" in faults):
                found.append(f"{path.name}: {error}")
    return found


def _errors(lines: list[str]) -> Iterator[str]:
    """Yield the last line of each traceback: the first one after it that is not indented."""
    inside = False
    for line in lines:
        if line.startswith("Traceback (most recent call last)"):
            inside = True
        elif inside and line and not line.startswith((" ", "\t")):
            inside = False
            yield line
    if inside:
        yield "a traceback that is cut off"


def _verdict(
    world: World, nemesis: Nemesis, evidence: Evidence, view: View, breaches: dict[str, list[str]]
) -> Verdict:  # fmt: skip
    return Verdict(
        strikes=dict(nemesis.struck),
        said=len(evidence.said),
        acked=len(evidence.acked),
        stored=len(evidence.log),
        seen=sum(isinstance(each, journal.Seen) for records in evidence.looking_on.values() for each in records),
        outage=view.outage,
        memory=world.memory,
        pauses=(world.pause("talkers"), world.pause("followers")),
        moves=world.total().moves,
        breaches=breaches,
    )
