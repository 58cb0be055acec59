"""What a soak shows while it runs, on standard error: one screen in a terminal, a plain line now and then elsewhere."""

import asyncio
import shutil
import sys
import time
from collections import deque
from typing import TextIO

from tests.soak.nemesis import Nemesis
from tests.soak.world import World

STEP = 0.5  # seconds between two looks
PLAIN = 5.0  # seconds between two lines where there is no terminal
RATE_OVER = 6  # looks over which a rate is taken
ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"  # a screen of its own, so that the plan stays in sight
HOME, END_OF_ROW, BELOW = "\x1b[H", "\x1b[K\n", "\x1b[J"  # drawn over what was there: it does not flicker


class View:
    """Looks at `world` and `nemesis` until it is cancelled; `outage` is the longest time without an ack (seconds).

    Faults, and what they bring down, may be over between two looks: `draw` is for whenever one begins or ends.
    """

    def __init__(self, world: World, nemesis: Nemesis, seconds: float, out: TextIO = sys.stderr) -> None:
        self.world, self.nemesis, self.seconds = world, nemesis, seconds
        self.phase, self.outage = "starting", 0.0
        self._out, self._terminal = out, out.isatty()
        self._began = self._acked_at = self._told_at = time.monotonic()
        self._samples: deque[tuple[float, int, int]] = deque(maxlen=RATE_OVER)

    def begin(self) -> None:
        """All are there: the clock starts, and outages count."""
        self.phase = "running"
        self._began = self._acked_at = time.monotonic()

    async def show(self) -> None:
        if self._terminal:
            self._out.write(ENTER)
        try:
            while True:
                self._look()
                await asyncio.sleep(STEP)
        finally:
            if self._terminal:
                self._out.write(LEAVE)
                self._out.flush()

    def _look(self) -> None:
        now, total = time.monotonic(), self.world.total()
        if self._samples and total.acked > self._samples[-1][1]:
            self._acked_at = now
        if self.phase == "running":
            self.outage = max(self.outage, now - self._acked_at)
        self._samples.append((now, total.acked, total.seen))
        if self._terminal:
            self.draw()
        elif now - self._told_at >= PLAIN:
            self._told_at = now
            self._out.write(" · ".join(row for row in self._rows(now) if row) + "\n")
            self._out.flush()

    def draw(self) -> None:
        """Draw the screen, where there is a terminal."""
        if self._terminal:
            size, rows = shutil.get_terminal_size(), self._rows(time.monotonic())
            self._out.write(HOME + "".join(row[: size.columns] + END_OF_ROW for row in rows[: size.lines - 1]) + BELOW)
            self._out.flush()

    def _rows(self, now: float) -> list[str]:
        """Return what is to be seen; the first rows are the most important."""
        world, (_, acked, seen) = self.world, self._samples[0]
        latest, passed = self._samples[-1], max(now - self._samples[0][0], STEP)
        total, size = world.total(), world.size
        connections = "".join(f", {name} connections {proxy.links}" for name, proxy in world.proxies.items())
        faults = "; ".join(" ".join(str(strike).split()[2:]) for strike in self.nemesis.now.values())
        return [
            f"{self.phase} {now - self._began:.0f} of {self.seconds:.0f} s",
            f"fault: {faults or 'none'}",
            f"broker: {_state(world)}, {world.memory / 2**20:.0f} MiB at most",
            f"acked/s {(latest[1] - acked) / passed:.0f}, seen/s {(latest[2] - seen) / passed:.0f}",
            f"online {total.online} of {size.all}{connections}",
            f"acked {total.acked}, seen {total.seen}, unanswered {total.unanswered}",
            *world.faults(),
        ]


def _state(world: World) -> str:
    """Return which brokers are up, and how often they and the nodes were started."""
    states = []
    for machine in world.machines:
        up = "up" if machine.broker.ready.is_set() else "down"
        node = "" if machine.node is None else f" (node {'up' if machine.node.runs else 'down'})"
        states.append(f"{machine.name} {up}{node}, start {machine.broker.starts}".strip())
    return "; ".join(states)
