"""What a cluster costs: one broker of three nodes beside a broker alone, a bare JetStream publisher, and one SQLite.

All are measured in turns, several times in one run, so a machine that has other things to do is as slow for each. The
figures of one run are compared with each other, never with those of another one.
"""

import asyncio
import contextlib
import itertools
import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click
import nats
import psutil
import zmq
from peers.several import nodes

ZCHAT = (sys.executable, "-m", "zchat")
LINES = 300  # of which the latency is taken
SESSIONS, WINDOW = 16, 64  # that say as much as they may, and the lines that each leaves unanswered
SECONDS = 4.0  # for each measurement of what is acknowledged
SUBSCRIBERS = 25
TEXT = "x" * 100
PATIENCE = 60.0  # s

Figures = dict[str, float]
Socket = zmq.Socket[bytes]
NICKS = itertools.count()
context: zmq.Context[Socket] = zmq.Context.instance()


@dataclass
class Broker:
    """A broker that runs, and the endpoints at which guests come in."""

    process: "subprocess.Popen[str]"
    listen: str = ""
    publish: str = ""

    def cpu(self) -> float:
        """Return the seconds of processor time that it has taken."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)


@contextlib.contextmanager
def broker(folder: Path, *options: str) -> Iterator[Broker]:
    """Run a broker with a door for guests."""
    command = [*ZCHAT, "broker", *options, "--listen", "tcp://127.0.0.1:0", "--rate", "0", "--log-dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    started = Broker(process)
    try:
        for line in process.stdout or ():
            kind, _, endpoint = line.strip().partition(" ")
            if kind == "listen" and endpoint.startswith("tcp://127.0.0.1"):
                started.listen = endpoint
            if kind == "publish" and started.listen:
                started.publish = endpoint
                break
        else:
            raise click.ClickException(f"{' '.join(command)} does not start")
        yield started
    finally:
        process.terminate()
        process.wait(PATIENCE)


@dataclass
class Talker:
    """A session that says numbered lines."""

    endpoint: str
    socket: Socket = field(default_factory=lambda: context.socket(zmq.DEALER))
    n: int = 0
    acked: int = 0

    def come(self) -> None:
        self.socket.linger = 0
        self.socket.rcvtimeo = int(PATIENCE * 1_000)
        self.socket.connect(self.endpoint)
        self.socket.send(b'{"type":"hello","protocol":1,"nick":"t%d"}' % next(NICKS))
        answer = json.loads(self.socket.recv().splitlines()[-1])
        if answer["type"] != "welcome":
            raise click.ClickException(str(answer))

    def go(self) -> None:
        """Wait for what is on its way, and leave."""
        while self.acked < self.n:
            self.take()
        self.socket.send(b'{"type":"bye"}')
        self.socket.close(1_000)

    def say(self, times: int) -> None:
        for _ in range(times):
            self.n += 1
            self.socket.send(b'{"type":"say","n":%d,"room":"general","text":"%s"}' % (self.n, TEXT.encode()))

    def take(self) -> None:
        """Take answers that have come; wait for the first."""
        payload = self.socket.recv()
        while True:
            self.acked += payload.count(b'"ack"')
            if b'"error"' in payload:
                raise click.ClickException(payload.decode())
            if not self.socket.poll(0):
                return
            payload = self.socket.recv()


def latency(endpoint: str) -> list[float]:
    """Return the seconds from saying a line to its ack, one line after the other."""
    talker = Talker(endpoint)
    talker.come()
    found: list[float] = []
    for _ in range(LINES):
        began = time.perf_counter()
        talker.say(1)
        while talker.acked < talker.n:
            talker.take()
        found.append(time.perf_counter() - began)
    talker.go()
    return found


def flood(endpoint: str, seconds: float) -> float:
    """Return how many lines a second are acknowledged to sessions that say as much as they may."""
    talkers = [Talker(endpoint) for _ in range(SESSIONS)]
    poller = zmq.Poller()
    by_socket: dict[Socket, Talker] = {}
    for talker in talkers:
        talker.come()
        by_socket[talker.socket] = talker
        poller.register(talker.socket, zmq.POLLIN)
        talker.say(WINDOW)
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        for socket, _ in poller.poll(100):
            talker = by_socket[socket]
            talker.take()
            talker.say(WINDOW - (talker.n - talker.acked))
    rate = sum(talker.acked for talker in talkers) / (time.perf_counter() - began)
    for talker in talkers:
        talker.go()
    return rate


def fan_out(running: Broker, seconds: float) -> float:
    """Return the microseconds of processor time that a delivery to a subscriber costs."""
    subscribers = [context.socket(zmq.SUB) for _ in range(SUBSCRIBERS)]
    for subscriber in subscribers:
        subscriber.linger, subscriber.rcvhwm = 0, 0
        subscriber.connect(running.publish)
        subscriber.subscribe(b"room/general/")
    time.sleep(1.0)  # until all have subscribed: nobody tells
    before = running.cpu()
    rate = flood(running.listen, seconds)
    took = running.cpu() - before
    for subscriber in subscribers:
        subscriber.close()
    return took / (rate * seconds * SUBSCRIBERS) * 1e6


def of_broker(running: Broker) -> Figures:
    times = latency(running.listen)
    return _times(times) | {
        "acknowledged/s": flood(running.listen, SECONDS),
        "CPU µs/delivery": fan_out(running, SECONDS),
    }


def of_sqlite(folder: Path) -> Figures:
    """Measure one commit of one row, on the disk."""
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS line (text TEXT)")
    times = []
    for _ in range(LINES):
        began = time.perf_counter()
        connection.execute("INSERT INTO line VALUES (?)", (TEXT * 2,))
        times.append(time.perf_counter() - began)
    connection.close()
    return _times(times)


async def of_jetstream(server: str) -> Figures:
    """Measure a publisher that waits for the acknowledgement of three nodes, and 16 that do."""
    client = await nats.connect(server)
    stream = client.jetstream()
    with contextlib.suppress(Exception):
        await stream.add_stream(name="bench", subjects=["bench"], num_replicas=3, allow_direct=True)
    times = []
    payload = TEXT.encode() * 2
    for _ in range(LINES):
        began = time.perf_counter()
        await stream.publish("bench", payload)
        times.append(time.perf_counter() - began)
    ends, count = time.perf_counter() + SECONDS, 0

    async def publish() -> None:
        nonlocal count
        while time.perf_counter() < ends:
            await stream.publish("bench", payload)
            count += 1

    await asyncio.gather(*(publish() for _ in range(16)))
    await client.close()
    return _times(times) | {"acknowledged/s": count / SECONDS}


def _times(times: list[float]) -> Figures:
    ordered = sorted(times)
    return {"p50 ms": ordered[len(ordered) // 2] * 1e3, "p99 ms": ordered[len(ordered) * 99 // 100] * 1e3}


def _table(rounds: list[dict[str, Figures]]) -> None:
    """Print the median of each figure over the rounds, and how it stands to that of a broker alone."""
    names = list(rounds[0])
    figures = list(dict.fromkeys(figure for one in rounds[0].values() for figure in one))
    click.echo(f"{'':<18}" + "".join(f"{figure:>20}" for figure in figures))
    for name in names:
        cells = []
        for figure in figures:
            values = [one[name][figure] for one in rounds if figure in one[name]]
            alone = [one["broker alone"].get(figure, 0.0) for one in rounds]
            if not values:
                cells.append(f"{'-':>20}")
                continue
            value = statistics.median(values)
            ratio = value / statistics.median(alone) if statistics.median(alone) else 0.0
            cells.append(f"{value:>12.2f} × {ratio:4.2f} ")
        click.echo(f"{name:<18}" + "".join(cells))


@click.command()
@click.option("--rounds", default=3, show_default=True, help="How often all are measured, in turns.")
@click.option(
    "--disk", type=click.Path(path_type=Path), help="Where the logs are: a folder on the disk to be measured."
)
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each round, too.")
def main(*, rounds: int, disk: Path | None, as_json: bool) -> None:
    """Measure what a cluster costs, beside a broker alone, a bare JetStream publisher, and one SQLite."""
    with tempfile.TemporaryDirectory(prefix="zchat-bench-", dir=disk) as temporary:
        folder = Path(temporary)
        with nodes(folder) as server:
            alone = broker(folder, "--data", str(folder / "alone"))
            several = broker(folder, "--cluster", server, "--name", "a", "--data", str(folder / "a"))
            with alone as one, several as shared:
                measures: dict[str, Callable[[], Figures]] = {
                    "one SQLite commit": lambda: of_sqlite(folder),
                    "bare JetStream": lambda: asyncio.run(of_jetstream(server)),
                    "broker alone": lambda: of_broker(one),
                    "broker of a cluster": lambda: of_broker(shared),
                }
                found: list[dict[str, Figures]] = []
                for _ in range(rounds):
                    found.append({name: measure() for name, measure in measures.items()})
                    if as_json:
                        click.echo(json.dumps(found[-1]))
        _table(found)


if __name__ == "__main__":
    main()
