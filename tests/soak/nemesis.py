"""The nemesis: carries out the plan. A fault is done and undone in one function, so none can be left behind.

A fault that is interrupted is undone too (`finally`), and `heal` sets everything right once more, whatever was
under way.
"""

import asyncio
import contextlib
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

from tests.soak import outages
from tests.soak.crowd import ROOT
from tests.soak.gateway import Gateway
from tests.soak.plan import KINDS, Strike
from tests.soak.process import down, paused
from tests.soak.proxy import Proxy
from tests.soak.world import World
from zchat.broker.core.clocks import WRONG

CUTS = 0.3  # seconds between two cuts
EXCUSE = 3.0  # seconds after a full disk, or a wrong clock, in which a broker may still fail to start


async def kill(world: World, *, seconds: float, which: int = 0) -> None:
    await down([world.machines[which].broker], signal.SIGKILL, seconds)


async def term(world: World, *, seconds: float, which: int = 0) -> None:
    await down([world.machines[which].broker], signal.SIGTERM, seconds)


async def stop(world: World, *, seconds: float, which: int = 0) -> None:
    await paused([world.machines[which].broker], seconds)


async def full(world: World, *, seconds: float, which: int = 0) -> None:
    machine = world.machines[which]
    machine.broker.excused += 1
    try:
        machine.disk.fill()
        await asyncio.sleep(seconds)
    finally:
        machine.disk.free()
        machine.excuse_broker(EXCUSE)


async def slow(world: World, *, delay: float, seconds: float, which: int = 0) -> None:
    shim = world.machines[which].shim
    if shim is not None:
        try:
            shim.set_delay(delay)
            await asyncio.sleep(seconds)
        finally:
            shim.set_delay(0)


async def clock(world: World, *, offset: float, seconds: float, which: int = 0) -> None:
    machine = world.machines[which]
    shim = machine.shim
    if shim is not None:
        stops = machine.node is not None and abs(offset) > WRONG  # for the others it is too far away from theirs
        try:
            machine.broker.excused += stops
            shim.set_clock(offset)
            await asyncio.sleep(seconds)
        finally:
            shim.set_clock(0)
            if stops:
                machine.excuse_broker(EXCUSE)


async def delay(world: World, *, port: str, delay: float, seconds: float) -> None:
    async with _broken(world, port, seconds) as proxies:
        for proxy in proxies:
            proxy.delay = delay


async def stall(world: World, *, port: str, way: str, seconds: float) -> None:
    async with _broken(world, port, seconds) as proxies:
        for proxy in proxies:
            proxy.stall(way)


async def partition(world: World, *, port: str, seconds: float) -> None:
    async with _broken(world, port, seconds) as proxies:
        for proxy in proxies:
            proxy.part()


async def cut(world: World, *, port: str, seconds: float) -> None:
    """Cut all connections, and those that come in their place, for so many seconds."""
    for _ in range(max(1, int(seconds / CUTS))):
        for proxy in _proxies(world, port):
            proxy.cut()
        await asyncio.sleep(CUTS)


@contextlib.asynccontextmanager
async def _broken(world: World, port: str, seconds: float) -> AsyncIterator[list[Proxy]]:
    """Yield the network's proxies to be broken; wait, and heal them."""
    proxies = _proxies(world, port)
    try:
        yield proxies
        await asyncio.sleep(seconds)
    finally:
        for proxy in proxies:
            proxy.heal()


def _proxies(world: World, port: str) -> list[Proxy]:
    return [proxy for name, proxy in world.proxies.items() if port == "both" or name.endswith(port)]


async def garbage(world: World, *, seed: int, seconds: float, which: int = 0) -> None:
    endpoints = world.machines[which].endpoints
    flood = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.soak.garbage", *endpoints, str(seconds), str(seed), cwd=ROOT,
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await flood.wait()
    finally:
        if flood.returncode is None:
            flood.kill()
            await flood.wait()


async def crash(world: World, *, who: int, seconds: float, which: int = 0) -> None:
    mortal = [crowd for crowd in world.crowds if crowd.task.kind != "nomads"]
    crowd = mortal[who % len(mortal)]
    try:
        await crowd.kill()
        await asyncio.sleep(seconds)
    finally:
        await crowd.start()


# -- gateways


async def gateway_kill(world: World, *, name: str, seconds: float, which: int = 0) -> None:
    await down(_gateways(world, name), signal.SIGKILL, seconds)


async def gateway_stop(world: World, *, name: str, seconds: float, which: int = 0) -> None:
    await paused(_gateways(world, name), seconds)


async def gateway_cut(world: World, *, name: str, how: str, seconds: float) -> None:
    """Break the way of gateways to the broker, and of nobody else."""
    proxies = [proxy for gateway in _gateways(world, name) for proxy in gateway.proxies.values()]
    try:
        for proxy in proxies:
            if how == "stall":
                proxy.stall("both")
            elif how == "part":
                proxy.part()
            else:
                proxy.cut()
        await asyncio.sleep(seconds)
    finally:
        for proxy in proxies:
            proxy.heal()


def _gateways(world: World, name: str) -> list[Gateway]:
    """Return those of this name; all, if there is none or all are meant."""
    return [each for each in world.gateways if each.name == name] or world.gateways


OF_ANY: tuple[Callable[..., Awaitable[None]], ...] = (
    kill, stop, term, full, slow, delay, stall, cut, partition, clock, garbage, crash,
    gateway_kill, gateway_stop, gateway_cut,
)  # fmt: skip
FAULTS = {each.__name__.replace("_", "-"): each for each in (*OF_ANY, *outages.FAULTS)}


def cables(world: World) -> bool:
    return world.cluster is not None and world.cluster.net is not None


NEEDS: dict[str, tuple[Callable[[World], bool], str]] = {
    "full": (
        lambda world: all(machine.disk.small for machine in world.machines),
        "no small disk can be mounted here (that takes root)",
    ),
    "slow": (lambda world: world.machines[0].shim is not None, "there is no gcc to build the shim"),
    "clock": (lambda world: world.machines[0].shim is not None, "there is no gcc to build the shim"),
    **dict.fromkeys(
        ("gateway-kill", "gateway-stop", "gateway-cut"),
        (lambda world: bool(world.gateways), "nobody comes by a gateway"),
    ),
    "unplug": (cables, "there can be no network of one's own here (that takes root)"),
    "apart": (cables, "there can be no network of one's own here (that takes root)"),
}


def possible(world: World, names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the faults that can be done here, and a sentence for each that cannot."""
    lacking = {name: why for name, (has, why) in NEEDS.items() if not has(world)}
    names = list(names)
    left_out = [f"{name} is left out: {lacking[name]}" for name in names if name in lacking]
    return [name for name in names if name not in lacking], left_out


class Nemesis:
    """Strikes as planned; `now` holds the faults under way, `struck` counts those done.

    `changed` is called when a fault begins, when it ends and what it did is still to be seen, and when it is over.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.changed: Callable[[], None] = lambda: None
        self.now: dict[str, Strike] = {}
        self.struck: Counter[str] = Counter()

    async def carry_out(self, plan: list[Strike]) -> None:
        """Do it all; raises what a fault raises."""
        clock = asyncio.get_running_loop().time
        began = clock()
        last: dict[str, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as tasks:
            for strike in plan:
                await asyncio.sleep(max(0.0, began + strike.at - clock()))
                targets = KINDS[strike.fault].targets
                former = [last[target] for target in targets if target in last]
                last |= dict.fromkeys(targets, tasks.create_task(self._strike(strike, former)))

    async def _strike(self, strike: Strike, former: "Sequence[asyncio.Task[None]]") -> None:
        if former:
            await asyncio.wait(former)
        self.now[strike.fault] = strike
        self.changed()
        try:
            await FAULTS[strike.fault](self.world, **strike.parameters)
            self.struck[strike.fault] += 1
            self.changed()
        finally:
            del self.now[strike.fault]
            self.changed()


def heal(world: World) -> None:
    """Set everything right."""
    for proxy in world.proxies.values():
        proxy.heal()
    if world.cluster is not None and world.cluster.net is not None:
        world.cluster.net.heal()
    for machine in world.machines:
        machine.heal()
    for gateway in world.gateways:
        gateway.heal()
