"""What a talker notices of files: the time from `say` to its ack, beside transfers of 64 MiB and without, in turns.

    scripts/bench/files.py [--rounds 5] [--seconds 8]

A broker in a process of its own, a talker here, and somebody else in a third process who uploads and downloads a file
again and again. Printed are the percentiles of each turn, and the p99 of all turns together. The rates are the default
ones: they are what leaves room for talk.
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from zchat import Attachment, ChatClient

SIZE = 64 * 2**20
PAUSE = 0.02  # s between two messages: 50 a second


@contextlib.contextmanager
def broker(folder: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "zchat", "broker", "--data", str(folder / "data"), "--log-dir", str(folder)]
    command += ["--listen", "tcp://127.0.0.1:0", "--publish", "tcp://127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("listen"):
                    yield line.split()[1]
                    break
        finally:
            process.terminate()


async def move(listen: str, folder: Path) -> None:
    """Upload and download a file, another one each time, until this process is ended."""
    async with ChatClient(f"mover{os.getpid()}", listen) as mover:
        while True:
            path = folder / "file"
            path.write_bytes(os.urandom(SIZE))
            began = time.monotonic()
            one: Attachment = await mover.files.upload(path)
            up = time.monotonic() - began
            seq = (await mover.say("", room="files", files=[one])).seq
            began = time.monotonic()
            await mover.files.download(one, folder / "saved", overwrite=True)
            print(f"    64 MiB up in {up:.1f} s, down in {time.monotonic() - began:.1f} s", flush=True)
            await mover.messages.delete(seq or 0)


async def talk(listen: str, seconds: float) -> list[float]:
    async with ChatClient("talker", listen) as talker:
        took: list[float] = []
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            began = time.perf_counter()
            await talker.say("a message as people write them, of some words", room="talk")
            took.append(time.perf_counter() - began)
            await asyncio.sleep(PAUSE)
        return took


def told(name: str, took: list[float]) -> str:
    cuts = statistics.quantiles(took, n=100)
    return f"{name:8} p50 {cuts[49] * 1e3:6.2f} ms   p99 {cuts[98] * 1e3:6.2f} ms   most {max(took) * 1e3:6.2f} ms"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=float, default=8.0)
    options.add_argument("--move", nargs=2, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.move:
        asyncio.run(move(given.move[0], Path(given.move[1])))
        return
    alone: list[float] = []
    beside: list[float] = []
    with tempfile.TemporaryDirectory() as name, broker(Path(name)) as listen:
        for _ in range(given.rounds):
            alone += asyncio.run(talk(listen, given.seconds))
            print(told("alone", alone))
            with subprocess.Popen([sys.executable, __file__, "--move", listen, name]) as mover:
                time.sleep(2.0)  # until it has made its file, and uploads
                beside += asyncio.run(talk(listen, given.seconds))
                mover.kill()
            print(told("beside", beside))
    factor = statistics.quantiles(beside, n=100)[98] / statistics.quantiles(alone, n=100)[98]
    print(f"p99 beside files: {factor:.2f} times that without")


if __name__ == "__main__":
    main()
