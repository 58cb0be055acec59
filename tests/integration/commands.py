"""What the tests of several commands do: read a room as the broker has it, and follow it."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import ZCHAT, Broker, RunZchat


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
