"""A node of the engine, as `zchat cluster node` runs it in the foreground.

A broker that is started while its node is held down starts one by itself, as it is meant to; that one goes when the
other is to run again.
"""

import asyncio
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.soak.process import Process

IN_USE = 74  # the exit code of a node whose folder another one has
# run a command after whoever has the lock of the folder $1 is gone
_ALONE = '[ ! -e "$1/node.lock" ] || flock -n "$1/node.lock" true || kill -9 "$(cat "$1/node.lock")"; shift; exec "$@"'


class Node(Process):
    """A node of the engine, in the foreground."""

    def __init__(self, zchat: Sequence[str], place: Path, env: dict[str, str]) -> None:
        self.place = place
        command = ("sh", "-c", _ALONE, "sh", str(place), *zchat, "cluster", "node", str(place))
        super().__init__(command, place.parent / f"node-{place.name}.stderr", env, "", IN_USE)

    async def end(self, how: signal.Signals) -> None:
        """End it, and the one that the broker has started in its place."""
        await super().end(how)
        await asyncio.to_thread(subprocess.run, ["sh", "-c", _ALONE, "sh", str(self.place), "true"], check=True)
