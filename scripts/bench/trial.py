"""A short run with few receivers: what the tests of the benchmark start, to see that it works and can fail.

    python trial.py PEER FAULT FOLDER

PEER is a server of the table, FAULT what a receiver does wrong: `none`, `forgets` (one read of a receiver that
counts) or `repeats` (one read of the receiver that checks the order); with `restarts` it is the server that is started
anew, and the receivers come back. The result is one line of JSON.
"""

import dataclasses
import json
import sys
from pathlib import Path

import load
from board import BenchError
from peers import PEERS
from peers.zchat import ZCHAT, ZchatReceiver
from window import Options
from work.crowd import Crowd
from work.handshakes import Handshakes

SHORT = Crowd(receivers=6, senders=2, rooms=2)
FEW = Handshakes(20)


class Forgets(ZchatReceiver):
    """Throws away what it read once, if it is not the one that checks the order."""

    forgot = False

    def receive(self) -> int:
        """Receive once, or not."""
        count = super().receive()
        if count and self.number and not self.forgot:
            self.forgot = True
            self.seen -= count
            return 0
        return count


class Repeats(ZchatReceiver):
    """Keeps the marks of one read twice, if it is the one that checks the order."""

    def receive(self) -> int:
        """Receive once."""
        count = super().receive()
        if count and self.number == 0 and self.seen == count:
            self.marks.append(self.marks[-1])
        return count


load.PATIENCE = 3.0  # s: what is lost on purpose is not worth more
# workers import this file again, so they find these too
for _fault, _receiver in (("forgets", Forgets), ("repeats", Repeats)):
    PEERS[f"zchat {_fault}"] = dataclasses.replace(ZCHAT, key=f"zchat {_fault}", receiver=_receiver)


def main(key: str, fault: str, folder: str) -> None:
    """Run once, and print the result."""
    peer = PEERS[key if fault in {"none", "restarts"} else f"{key} {fault}"]
    work = FEW if fault == "restarts" else SHORT
    try:
        result = work.run(peer, Options(0.3, Path(folder), warm_up=0.1))
    except BenchError as error:
        result = {"complete": False, "error": str(error)}
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
