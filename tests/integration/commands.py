"""What the tests of several commands do: read a room as the broker has it, and follow it."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import ZCHAT, Broker, Result, RunZchat

TIMEOUTS = (3.0, 12.0, 48.0)  # seconds: a slow machine needs longer until a command knows what it is to tell


def events(out: str) -> list[dict[str, Any]]:
    """Return what a command has printed with --json."""
    return [json.loads(line) for line in out.splitlines()]


def texts(out: str) -> list[str]:
    """Return the texts of the messages that a command has printed with --json."""
    return [event["text"] for event in events(out)]


def messages(zchat: RunZchat, broker: Broker, room: str = "general") -> list[dict[str, Any]]:
    """Return all messages in a room, as the broker has them."""
    found = zchat("tail", "--all", "--json", "--room", room, broker=broker)
    assert found.code == 0, found.err
    return events(found.out)


def said(zchat: RunZchat, broker: Broker, room: str = "general") -> list[str]:
    """Return all texts in a room, as the broker has them."""
    return [message["text"] for message in messages(zchat, broker, room)]


def ends(code: int, zchat: RunZchat, *args: str, broker: Broker | str) -> Result:
    """Run a command that is not served before its time is over, and is to say why with this code."""
    where = broker if isinstance(broker, str) else broker.listen
    for seconds in TIMEOUTS:
        result = zchat(*args, "--broker", where, "--timeout", f"{seconds:g}")
        if result.code == code:
            break
    return result


@contextmanager
def following(
    environment: dict[str, str], broker: Broker, into: Path, *args: str
) -> "Iterator[subprocess.Popen[bytes]]":
    """Run a `zchat tail -f` into a file."""
    with into.open("wb") as out:
        command = (*ZCHAT, "tail", "-f", "--broker", broker.listen, *args)
        with subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.PIPE) as tail:
            try:
                yield tail
                tail.send_signal(signal.SIGINT)
                assert tail.wait(30) == 130
            finally:
                tail.kill()
