"""How long clients of a cluster wait when a part of it is killed: real processes on this machine, at their defaults.

Three nodes, three brokers, and clients that are members, spread over the brokers. A kill is SIGKILL. At that moment
everybody who may be hit posts a message, and so does somebody at a broker that survives. A client has failed over when
its own message is acknowledged and it has heard all the messages of that moment: so it has all that it missed. What was
killed is started again, and the next kill waits until all is well.
"""

import asyncio
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from bare import Bare

from zchat.client.addresses import Address, resolve
from zchat.client.client import ChatClient
from zchat.client.core import notices
from zchat.client.known_brokers import KnownBrokers
from zchat.protocol import links
from zchat.protocol import messages as m

NAMES = ("a", "b", "c")
ROOM = "general"
READY, DONE = 60.0, 60.0  # s for all to be well again; for a client to have failed over
FIRST_PORT = 20_000
EPILOG = """\b
Kills:
  broker   the broker at which the clients are
  leader   the node that leads the stream; the brokers live on; beside it JetStream alone, at the same nodes
  node     another node

\b
Examples:
  scripts/bench/failover
  scripts/bench/failover broker --kills 50 >figures.jsonl
"""


@dataclass
class Machine:
    """A folder with a node and a broker."""

    folder: Path
    broker: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the broker, and the node if it does not run; do not wait."""
        with (self.folder / "output").open("wb") as output:
            command = [sys.executable, "-m", "zchat", "broker", "--cluster", str(self.folder)]
            command += ["--log-dir", str(self.folder / "logs"), "--rate", "0"]
            self.broker = subprocess.Popen(command, stdout=output, stderr=output)

    def kill_broker(self) -> None:
        assert self.broker is not None
        self.broker.kill()
        self.broker.wait()

    def kill_node(self) -> None:
        os.kill(int((self.folder / "node.lock").read_text()), signal.SIGKILL)

    def start_node(self) -> None:
        """Start the node alone: its broker has lived on. It ends with the machine."""
        with (self.folder / "node.output").open("wb") as output:
            command = [sys.executable, "-m", "zchat", "cluster", "node", str(self.folder)]
            subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)

    def stop(self) -> None:
        if self.broker is not None:
            self.broker.terminate()
            self.broker.wait()
        zchat("cluster", "stop", str(self.folder))

    @property
    def owner_link(self) -> str | None:
        """The link by which the owner comes in, once the broker has told it."""
        said = (self.folder / "output").read_text().splitlines()
        return next((line.removeprefix("zchat join ") for line in said if line.startswith("zchat join ")), None)


def zchat(*words: str) -> str:
    command = [sys.executable, "-m", "zchat", *words]
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout


@dataclass
class Person:
    """A client, and when it last heard which message, and was acknowledged."""

    client: ChatClient
    heard: dict[str, float] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)  # notices of a loss
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self) -> None:
        async for batch in self.client.batches():
            for event in batch.events:
                if isinstance(event, m.Message):
                    if event.text in self.heard:
                        raise SystemExit(f"{event.text} was heard twice")
                    self.heard[event.text] = time.monotonic()
                elif isinstance(event, notices.Offline):
                    self.told.append(event.why)
            self.news.set()

    @property
    def port(self) -> int:
        """The port of the broker at which it is."""
        assert self.client._driver is not None
        return int(self.client._driver.session.endpoint.rpartition(":")[2])

    async def has(self, texts: Sequence[str], began: float) -> float:
        """Wait until all of these were heard; return after how many seconds."""
        async with asyncio.timeout(DONE):
            while not all(text in self.heard for text in texts):
                self.news.clear()
                await self.news.wait()
        return max(self.heard[text] for text in texts) - began

    async def says(self, text: str, began: float) -> float:
        """Say something; return after how many seconds it was acknowledged."""
        async with asyncio.timeout(DONE):
            await self.client.say(text, room=ROOM)
        return time.monotonic() - began


class World:
    """The machines, and the people."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.machines: dict[str, Machine] = {}
        self.ports: dict[int, str] = {}
        self.people: list[Person] = []
        self.alone: list[float] = []  # seconds for which JetStream by itself stored nothing, in each election

    async def open(self, people: int, stack: contextlib.AsyncExitStack) -> None:
        port, node, route = (FIRST_PORT + os.getpid() % 90 * 100 + offset for offset in (0, 40, 70))
        made = zchat(
            *("cluster", "init", str(self.folder / "c"), *(f"{name}=127.0.0.1" for name in NAMES)),
            *("--port", str(port), "--node-port", str(node), "--route-port", str(route)),
        )
        if not made:
            raise SystemExit("the cluster was not made")
        for index, name in enumerate(NAMES):
            self.ports[port + 10 * index] = name
            self.machines[name] = Machine(self.folder / "c" / name)
            stack.callback(self.machines[name].stop)
            self.machines[name].start()
        self.bare = Bare({name: machine.folder for name, machine in self.machines.items()})
        stack.push_async_callback(self.bare.close)
        link = await self.until(self._link, "a link for the owner")
        await self.well()
        owner = await stack.enter_async_context(self.client("owner", link))
        code = (await owner.administration.invite(uses=people)).code
        found = links.parse(link)
        invitation = links.BrokerLink(found.hosts, found.key, code).text
        for number in range(people):
            client = await stack.enter_async_context(self.client(f"person{number}", invitation))
            self.people.append(Person(client))
            listening = asyncio.create_task(self.people[-1].listen())
            stack.push_async_callback(_cancelled, listening)

    def client(self, nick: str, link: str) -> ChatClient:
        known = KnownBrokers(self.folder / "brokers.toml")
        address: Address = resolve(link, [known])
        return ChatClient(nick, address, rooms=[ROOM], timeout=READY, identity=self.folder / f"{nick}.key")

    def _link(self) -> str | None:
        return next((link for machine in self.machines.values() if (link := machine.owner_link)), None)

    async def until(self, look: Callable[[], Any], what: str) -> Any:
        deadline = time.monotonic() + READY
        while not (found := await asyncio.to_thread(look)):
            if time.monotonic() > deadline:
                raise SystemExit(f"waited {READY:g} s for {what}: {self.status()}")
            await asyncio.sleep(0.1)
        return found

    def status(self) -> dict[str, Any]:
        said = zchat("cluster", "status", str(self.machines["a"].folder), "--json")
        found: dict[str, Any] = json.loads(said) if said else {}
        return found

    async def well(self) -> None:
        """Wait until all brokers, nodes and clients are there."""

        def all_well() -> bool:
            found = self.status()
            nodes, brokers = found.get("nodes", []), found.get("brokers", [])
            return (
                sorted(each["state"] for each in nodes) == ["keeps", "keeps", "leads"]
                and all(each["lag"] == 0 for each in nodes)
                and [each["state"] for each in brokers] == ["well"] * len(NAMES)
                and all(person.client.online for person in self.people)
            )

        await self.until(all_well, "all to be well")

    def leader(self) -> str:
        return next(str(each["name"]) for each in self.status()["nodes"] if each["state"] == "leads")

    # -- kills

    async def broker(self, turn: int) -> tuple[list[float], int]:
        """Kill the broker at which the most people are."""
        at = [self.ports[person.port] for person in self.people]
        name = statistics.mode(at)
        hit = [person for person, where in zip(self.people, at, strict=True) if where == name]
        others = [person for person in self.people if person not in hit][:1]
        machine = self.machines[name]
        found = await self._measure(turn, machine.kill_broker, hit, others)
        machine.start()
        return found

    async def leads(self, turn: int) -> tuple[list[float], int]:
        """Kill the node that leads both the cluster's stream and a bare one."""
        name = self.leader()
        await self.bare.lead_at(name)
        return await self._node(turn, name, self.bare)

    async def node(self, turn: int) -> tuple[list[float], int]:
        leader = self.leader()
        return await self._node(turn, [name for name in NAMES if name != leader][turn % 2])

    async def _node(self, turn: int, name: str, bare: Bare | None = None) -> tuple[list[float], int]:
        machine, beside = self.machines[name], list[asyncio.Task[float]]()

        def kill() -> None:
            machine.kill_node()
            if bare is not None:
                beside.append(asyncio.create_task(bare.stores_again(time.monotonic())))

        found = await self._measure(turn, kill, self.people, [])
        self.alone += await asyncio.gather(*beside)
        machine.start_node()
        return found

    async def _measure(
        self, turn: int, kill: Callable[[], None], hit: list[Person], others: list[Person]
    ) -> tuple[list[float], int]:
        """Return after how many seconds each of those who were hit had all and was heard, and how many were told."""
        texts = {id(person): f"{turn}-{number}" for number, person in enumerate([*hit, *others])}
        told = sum(len(person.told) for person in hit)
        await asyncio.sleep(2.5 + turn % 7 * 0.1)  # sessions have lasted; at another moment of the heartbeats each time
        began = time.monotonic()
        kill()

        async def fail_over(person: Person) -> float:
            said = person.says(texts[id(person)], began)
            return max(await asyncio.gather(said, person.has(list(texts.values()), began)))

        took = await asyncio.gather(*map(fail_over, [*hit, *others]))
        return took[: len(hit)], sum(len(person.told) for person in hit) - told


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


KILLS: dict[str, Callable[[World, int], Any]] = {"broker": World.broker, "leader": World.leads, "node": World.node}


def summary(name: str, kills: int, took: list[float], told: int) -> dict[str, Any]:
    ordered = sorted(took)
    p99 = ordered[min(len(ordered) - 1, round(0.99 * len(ordered)))]
    return {
        **{"kill": name, "kills": kills, "clients": len(took), "p50": round(statistics.median(ordered), 3)},
        **{"p99": round(p99, 3), "most": round(ordered[-1], 3), "told": told},
    }


@contextlib.asynccontextmanager
async def world(data: Path, people: int) -> AsyncIterator[World]:
    with tempfile.TemporaryDirectory(prefix="zchat-failover-", dir=data) as folder:
        os.environ["ZCHAT_CONFIG"] = folder
        async with contextlib.AsyncExitStack() as stack:
            made = World(Path(folder))
            await made.open(people, stack)
            yield made


async def run(names: Sequence[str], kills: int, people: int, data: Path) -> None:
    async with world(data, people) as made:
        turn = 0
        for name in names:
            took: list[float] = []
            told = 0
            for _ in range(kills):
                turn += 1
                await made.well()
                found, loud = await KILLS[name](made, turn)
                took += found
                told += loud
                print(f"{name} {len(found)} clients: {' '.join(f'{each:.2f}' for each in found)}", file=sys.stderr)
            print(json.dumps(summary(name, kills, took, told)), flush=True)
        if made.alone:
            print(json.dumps(summary("leader, JetStream alone", len(made.alone), made.alone, 0)), flush=True)


@click.command(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("kills", nargs=-1, metavar="[KILL]...", type=click.Choice(list(KILLS)))
@click.option("--kills", "count", default=20, show_default=True, help="How many of each.")
@click.option("--people", default=12, show_default=True, help="How many clients.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=tempfile.gettempdir(),
    show_default=True,
    help="A folder on a disk, for the logs.",
)
def main(kills: tuple[str, ...], count: int, people: int, data: Path) -> None:
    """Kill parts of a cluster, and print for each kind of KILL (all by default) a line of JSON.

    `p50`, `p99`, `most`: seconds from the kill until a client had all that it missed and its next message was
    acknowledged. `told`: how many clients told their users that the broker is gone.
    """
    asyncio.run(run(kills or list(KILLS), count, people, data))


if __name__ == "__main__":
    main()
