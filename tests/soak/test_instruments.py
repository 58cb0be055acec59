"""The instruments of a soak, each before something real: a fault that does nothing would prove nothing."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from textwrap import indent

import pytest

from tests.soak.crowd import ROOT
from tests.soak.disk import Disk
from tests.soak.garbage import KINDS, Random, flood
from tests.soak.journal import Acked, Journal, Kept, Life, read
from tests.soak.net import OWN_WORLD
from tests.soak.process import Process
from tests.soak.proxy import HOST, Proxy
from tests.soak.shim import Shim, can_be_built
from tests.soak.soak import tracebacks
from tests.soak.witness import differences
from tests.soak.world import until
from zchat import logs

SHORT = 0.3  # seconds in which nothing may come
LONG = 30.0  # seconds in which something must come

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.asynccontextmanager
async def echo_behind_a_proxy(arrived: list[bytes] | None = None) -> AsyncIterator[tuple[Proxy, Line]]:
    """Yield a proxy before a server that says back what has `arrived`, and a line through it that works."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while heard := await reader.read(1000):
                if arrived is not None:
                    arrived.append(heard)
                writer.write(heard)
        writer.close()

    server = await asyncio.start_server(echo, HOST, 0)
    proxy = Proxy(server.sockets[0].getsockname()[1])
    await proxy.start()
    line = await asyncio.open_connection(HOST, proxy.port)
    try:
        assert await said(line, b"hello") == b"hello"
        yield proxy, line
    finally:
        line[1].close()
        await proxy.close()
        server.close()
        assert proxy.links == 0


async def said(line: Line, words: bytes, seconds: float = LONG) -> bytes:
    """Return what comes back, b"" if nothing did in time."""
    line[1].write(words)
    return await heard(line, seconds)


async def heard(line: Line, seconds: float = LONG) -> bytes:
    try:
        return await asyncio.wait_for(line[0].read(1000), seconds)
    except TimeoutError:
        return b""


async def last_words(line: Line) -> tuple[bytes, str]:
    """Return what comes until the connection ends, and how it does: `reset` or `closed`."""
    came = b""
    try:
        async with asyncio.timeout(LONG):
            while piece := await line[0].read(1000):
                came += piece
    except ConnectionResetError:
        return came, "reset"
    return came, "closed"


def test_a_proxy_delays_what_passes() -> None:
    async def run() -> None:
        async with echo_behind_a_proxy() as (proxy, line):
            proxy.delay = 0.2
            start = time.monotonic()
            assert await said(line, b"late") == b"late"
            assert time.monotonic() - start >= 0.4
            proxy.heal()

    asyncio.run(run())


@pytest.mark.parametrize("way", ["up", "down", "both"])
def test_what_is_stalled_arrives_later(way: str) -> None:
    async def run() -> None:
        async with echo_behind_a_proxy() as (proxy, line):
            proxy.stall(way)
            assert await said(line, b"wait", SHORT) == b""
            proxy.heal()
            assert await heard(line) == b"wait"

    asyncio.run(run())


def test_a_cut_passes_half_of_what_comes_next_and_resets_the_connection() -> None:
    async def run() -> None:
        arrived: list[bytes] = []
        async with echo_behind_a_proxy(arrived) as (proxy, line):
            proxy.cut()
            line[1].write(b"twelve bytes")
            assert (await last_words(line))[1] == "reset"
            assert await until(lambda: arrived == [b"hello", b"twelve"], LONG)

    asyncio.run(run())


def test_a_partition_loses_what_is_sent_and_its_healing_resets_whom_it_touched() -> None:
    async def run() -> None:
        async with echo_behind_a_proxy() as (proxy, line):
            proxy.part()
            newcomer = await asyncio.open_connection(HOST, proxy.port)
            assert await said(line, b"lost", SHORT) == b""
            assert await said(newcomer, b"lost too", SHORT) == b""
            proxy.heal()
            assert await last_words(line) == (b"", "reset")
            assert await last_words(newcomer) == (b"", "reset")
            after = await asyncio.open_connection(HOST, proxy.port)
            assert await said(after, b"well again") == b"well again"
            after[1].close()
            newcomer[1].close()

    asyncio.run(run())


@pytest.mark.skipif(not can_be_built(), reason="there is no gcc")
def test_a_shimmed_process_has_another_clock_and_a_slow_disk_from_one_moment_to_the_next(tmp_path: Path) -> None:
    shim = Shim(tmp_path)
    look = (
        "import os, time, sqlite3, sys\n"
        "file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)\n"
        "while input():\n"
        "    start = time.monotonic(); os.fsync(file); took = time.monotonic() - start\n"
        "    sql = sqlite3.connect(':memory:').execute(\"select strftime('%s')\").fetchone()[0]\n"
        "    print([time.time(), float(sql), took], flush=True)\n"
    )
    command = [sys.executable, "-c", look, str(tmp_path / "file")]
    process = subprocess.Popen(
        command, env=dict(os.environ) | shim.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def seen() -> tuple[float, float, float]:
        print("look", file=process.stdin, flush=True)
        python, sqlite, took = json.loads(process.stdout.readline())  # type: ignore[union-attr]
        return python - time.time(), sqlite - time.time(), took

    with process:
        assert all(abs(value) < 2 for value in seen()[:2])
        for offset, delay in ((86_400.0, 0.3), (-86_400.0, 0.0), (0.0, 0.2)):
            shim.set_clock(offset)
            shim.set_delay(delay)
            python, sqlite, took = seen()
            assert abs(python - offset) < 2
            assert abs(sqlite - offset) < 2
            assert delay <= took < delay + LONG
        process.stdin.write("\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_filled_disk_takes_not_one_byte_until_it_is_freed(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    try:
        if not disk.small:
            pytest.skip("mounting is not allowed here")
        log = (disk.data / "log").open("ab", buffering=0)
        with log:
            disk.fill()
            with pytest.raises(OSError, match="No space left"):
                log.write(bytes(8192))
            disk.free()
            assert log.write(bytes(8192)) == 8192
    finally:
        disk.close()
    assert not os.path.ismount(disk.data)


HEARS = "import socket, sys\nprint(socket.create_connection((sys.argv[1], 7000), float(sys.argv[2])).recv(9))"
SPEAKS = (
    "import socket\nserver = socket.create_server(('', 7000))\nprint('ready', flush=True)\n"
    "while True:\n    taken, _ = server.accept()\n    taken.send(b'hello')\n    taken.close()"
)
CABLES = f"""
import subprocess, sys
from tests.soak.net import Net, address

net = Net(3)
speakers = [
    subprocess.Popen([*net.prefix(k), sys.executable, "-c", {SPEAKS!r}], stdout=subprocess.PIPE) for k in range(3)
]
for speaker in speakers:
    speaker.stdout.readline()

def hears(one, other, seconds):
    prefix = net.prefix(one) if one < 3 else ()
    asking = [*prefix, sys.executable, "-c", {HEARS!r}, address(other), str(seconds)]
    return b"hello" in subprocess.run(asking, capture_output=True).stdout

def told(silent):  # pairs that do not hear each other; 3: the people
    for one in range(4):
        for other in range(3):
            if one != other:
                quiet = {{one, other}} in silent
                assert hears(one, other, 0.5 if quiet else 30) != quiet, (one, other, silent)

told([])
net.unplug(1)
told([{{0, 1}}, {{1, 2}}, {{1, 3}}])
net.heal()
net.apart([(0, 2)])
told([{{0, 2}}])
net.heal()
told([])
net.close()
print("all is well")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has networks of its own")
def test_machines_do_not_hear_each_other_while_a_cable_is_pulled(tmp_path: Path) -> None:
    command = [*OWN_WORLD, sys.executable, "-c", CABLES]
    if subprocess.run([*OWN_WORLD, "ip", "link"], check=False, capture_output=True).returncode:
        pytest.skip("there can be no network of one's own here")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=200)
    assert done.stdout == "all is well\n", done.stdout + done.stderr


def test_a_row_that_two_logs_have_otherwise_is_found(tmp_path: Path) -> None:
    files = [tmp_path / f"{name}.db" for name in "abc"]
    for file, rows in zip(files, ("(1, 'x'), (2, 'y')", "(2, 'y'), (1, 'x')", "(1, 'x'), (2, 'z')"), strict=True):
        with contextlib.closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("CREATE TABLE room (id INTEGER, name TEXT)")
            connection.execute(f"INSERT INTO room VALUES {rows}")
    assert list(differences(files[:2])) == []
    found = list(differences(files))
    assert [each.partition(": ")[2] for each in found] == ["room has (2, 'z')", "room has not (2, 'y')"]


def test_a_flood_reaches_those_it_is_meant_for() -> None:
    with socket.create_server((HOST, 0)) as server:
        server.settimeout(LONG)
        endpoint = f"tcp://{HOST}:{server.getsockname()[1]}"
        assert flood([endpoint], 0.2, Random(1)) > 0
        taken, _ = server.accept()
        taken.close()
    samples = [kind(Random(seed)) for kind in KINDS for seed in range(20)]
    assert len(set(samples)) > len(samples) // 2
    assert not any(b'"nick": "no' in sample and b'"nick": "no/' not in sample for sample in samples)


def test_a_journal_goes_on_after_a_record_that_was_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "alice.journal"
    journal = Journal(path)
    journal.write(Kept("talker0-1"))
    journal.close()
    with path.open("ab") as file:
        file.write(b'["acked","talk')
    again = Journal(path)
    again.write(Acked("talker0-1", 1))
    again.close()
    assert again.before == [Life(1), Kept("talker0-1")]
    assert read(path) == [Life(1), Kept("talker0-1"), Life(2), Acked("talker0-1", 1)]


def test_a_traceback_is_found_wherever_it_was_written_and_a_full_disk_excuses_its_own(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    log, errors = tmp_path / "log" / "server.log", tmp_path / "talkers0.stderr"
    log.write_text("2026-01-01T00:00:00+0000 INFO zchat[1]: ready\n")
    errors.write_text("talker0: the broker is gone\n")
    assert tracebacks(tmp_path, {"full"}) == []
    start = 'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\n    run()\n'
    with log.open("a") as file:
        file.write(indent(f"{start}sqlite3.OperationalError: database or disk is full\n", logs.INDENT))
        file.write("2026-01-01T00:00:00+0000 INFO zchat[1]: all is well\n")
    assert tracebacks(tmp_path, {"full", "kill"}) == []
    assert tracebacks(tmp_path, {"kill"}) == ["server.log: sqlite3.OperationalError: database or disk is full"]
    errors.write_text(f"{start}KeyError: 'n'\n")
    assert tracebacks(tmp_path, {"full"}) == ["talkers0.stderr: KeyError: 'n'"]
    errors.write_text(start)
    assert tracebacks(tmp_path, {"full"}) == ["talkers0.stderr: a traceback that is cut off"]


ENDS_WITH_69 = "import signal; signal.signal(15, lambda *_: exit(69)); print('ready', flush=True); signal.pause()"


@pytest.mark.parametrize(("excused", "faults"), [(0, ["it ended with 69 after SIGTERM"]), (1, [])])
def test_what_may_end_by_itself_may_do_so_while_it_is_ended(tmp_path: Path, excused: int, faults: list[str]) -> None:
    async def story() -> list[str]:
        process = Process([sys.executable, "-c", ENDS_WITH_69], tmp_path / "stderr", dict(os.environ), "ready")
        process.excused = excused
        process.release()
        supervised = asyncio.create_task(process.supervise())
        await process.ready.wait()
        await process.end(signal.SIGTERM)
        supervised.cancel()
        await asyncio.wait([supervised])
        return process.faults

    assert asyncio.run(asyncio.wait_for(story(), 60)) == faults
