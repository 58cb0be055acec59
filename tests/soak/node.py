"""A node of the engine, as `zchat cluster node` runs it in the foreground.

A broker that is started while its node is held down starts one by itself, as it is meant to. What is done to a node
here is therefore done to whichever has its folder; and as long as that one lives, the supervised one waits.
"""

import contextlib
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from tests.soak.process import Process

IN_USE = 74  # the exit code of a node that has found its folder taken meanwhile
LOCK = "node.lock"  # the node has this open; its process is written in it
READY = "Server is ready"
# run a command once nobody is the node whose lock is $1
_WAITS = """
while ls -l "/proc/$(cat "$1" 2>/dev/null || echo none)/fd" 2>/dev/null | grep -qF "$1"; do sleep 0.2; done
shift
exec "$@"
"""


class Node(Process):
    """The node of the folder `place`."""

    def __init__(self, zchat: Sequence[str], place: Path, errors: Path, env: dict[str, str]) -> None:
        self.place, self._lock = place, (place / LOCK).resolve()
        command = ("sh", "-c", _WAITS, "sh", str(self._lock), *zchat, "cluster", "node", str(place))
        super().__init__(command, errors, env, "", IN_USE)

    @property
    def answered(self) -> bool:
        """Whether it has been ready once."""
        return self.errors.exists() and READY in self.errors.read_text(errors="replace")

    def _signal(self, number: signal.Signals) -> None:
        super()._signal(number)
        with contextlib.suppress(OSError, ValueError):  # there is none, or it has just ended
            pid = int(self._lock.read_text())
            if any(each.readlink() == self._lock for each in Path(f"/proc/{pid}/fd").iterdir()):
                os.kill(pid, number)
