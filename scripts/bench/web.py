"""What a tab costs the page's server, and how long a message takes to be seen in it, beside a terminal's client.

    scripts/bench/web.py [--people 1000] [--messages 100] [--pause 0.2]

A broker and a `zchat web` in processes of their own, and so many people here, each with one tab, all in one room.
Printed are the server's memory for each person with a tab, its processor time while nothing is said and for each
message in each tab, and the time from `say` to sight: in all tabs, and at a ChatClient.
"""

import argparse
import asyncio
import contextlib
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
from files import broker
from websockets.asyncio.client import connect
from websockets.typing import Origin

from zchat import ChatClient, Message

ROOM = "general"
AT_ONCE = 20  # who come in at the same time


@contextlib.contextmanager
def page(folder: Path, listen: str) -> Iterator[tuple[str, psutil.Process]]:
    command = [sys.executable, "-m", "zchat", "web", "--broker", listen, "--listen", "127.0.0.1:0"]
    command += ["--data", str(folder / "web"), "--log-dir", str(folder), "--timeout", "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[1], psutil.Process(process.pid)
        finally:
            process.terminate()


class Tabs:
    """Tabs of people, and when each message was seen in each: the time that stands in its text is that of its `say`."""

    def __init__(self, url: str) -> None:
        self._url, self._seen, self.hellos = url, list[float](), 0
        self._some = asyncio.Semaphore(AT_ONCE)

    async def open(self, number: int) -> None:
        """Come in as a guest, open a tab, and read it until this is cancelled."""
        ours = {
            "Origin": self._url,
            "X-Zchat": "1",
            "X-Forwarded-For": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}",
        }
        async with self._some:
            async with httpx.AsyncClient(base_url=self._url, timeout=120) as http:
                answer = await http.post("/in", json={"nick": f"p{number}"}, headers=ours)
                answer.raise_for_status()
                cookie = "; ".join(f"{each.name}={each.value}" for each in http.cookies.jar)
            where = f"ws{self._url.removeprefix('http')}/ws"
            opening = connect(
                where, origin=Origin(self._url), additional_headers={"Cookie": cookie}, max_size=None, open_timeout=120,
                compression=None,
            )  # fmt: skip
            socket = await opening.__aenter__()
            await socket.recv()
            self.hellos += 1
        async for frame in socket:
            self._take(frame)

    def _take(self, frame: str | bytes) -> None:
        now = time.monotonic()
        for event in json.loads(frame).get("events", ()):
            if event["type"] == "message":
                self._seen.append(now - float(event["text"]))

    def take(self) -> list[float]:
        seen, self._seen = self._seen, []
        return seen


async def look(listen: str, seen: list[float]) -> None:
    async with ChatClient("terminal", listen, rooms=[ROOM]) as client:
        async for event in client.listen():
            if isinstance(event, Message):
                seen.append(time.monotonic() - float(event.text))


async def measure(listen: str, url: str, server: psutil.Process, people: int, messages: int, pause: float) -> None:
    tabs, terminal, before = Tabs(url), list[float](), server.memory_info().rss
    tasks = [asyncio.create_task(tabs.open(number)) for number in range(people)]
    while tabs.hellos < people:
        for task in tasks:
            if task.done():
                task.result()
        await asyncio.sleep(0.1)
    tasks.append(asyncio.create_task(look(listen, terminal)))
    await asyncio.sleep(5)
    print(f"{people:,} people with a tab: {(server.memory_info().rss - before) / people / 1024:.0f} KiB each")
    used, began = cpu(server), time.monotonic()
    await asyncio.sleep(10)
    print(f"while nothing is said: {(cpu(server) - used) / (time.monotonic() - began) * 100:.1f} % of a core")
    tabs.take()
    used = cpu(server)
    async with ChatClient("talker", listen) as talker:
        for _ in range(messages):
            await talker.say(f"{time.monotonic()}", room=ROOM)
            await asyncio.sleep(pause)
    await asyncio.sleep(5)
    seen = tabs.take()
    print(f"each message in each tab: {(cpu(server) - used) / messages / people * 1e6:.0f} µs")
    print(told(f"{len(seen):,} in tabs", seen), told(f"{len(terminal):,} at a terminal", terminal), sep="\n")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def told(name: str, took: list[float]) -> str:
    cuts = statistics.quantiles(took, n=100)
    return f"{name:20} p50 {cuts[49] * 1e3:7.1f} ms   p99 {cuts[98] * 1e3:7.1f} ms   most {max(took) * 1e3:7.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=1_000)
    parser.add_argument("--messages", type=int, default=100)
    parser.add_argument("--pause", type=float, default=0.2)
    given = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # the processes below have it, too
    with tempfile.TemporaryDirectory() as name, broker(Path(name)) as listen, page(Path(name), listen) as (url, server):
        asyncio.run(measure(listen, url, server, given.people, given.messages, given.pause))


if __name__ == "__main__":
    main()
