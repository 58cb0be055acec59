"""On the disk first, answered then: the order of a broker's system calls, as the kernel saw them.

SIGKILL cannot show this one: what was written and not synced survives it, and is lost only with the machine. So strace
looks on while people speak. Each message has a word that is only in its text and one that is only in its `ref`. The
write of the journal that first holds the one must be followed by a sync of the journal that has ended before the first
send begins that holds either of them. (Later batches write the same page of the journal again, which changes nothing
for the messages that are in it already. They may do so before a busy machine has sent what an earlier batch decided.)
"""

import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import StartBroker, wait_for
from tests.integration.conftest import NetOf

CALLS = "trace=fsync,fdatasync,pwrite64,pwritev,write,writev,sendto,sendmsg"
LINE = re.compile(r"(?P<thread>\d+) +(?:<\.\.\. )?(?P<call>\w+)(?P<resumed> resumed>)?(?P<rest>.*)")
SYNCS, WRITES, SENDS = {"fsync", "fdatasync"}, {"pwrite64", "pwritev", "write", "writev"}, {"sendto", "sendmsg"}


@dataclass(frozen=True)
class Call:
    """One system call: between which lines of the trace it began and ended, on which file, with what in it."""

    name: str
    began: int
    ended: int
    file: str
    text: str


@contextmanager
def traced(pid: int, into: Path) -> Iterator[None]:
    """Let strace look at a process, all of its threads; skip the test where it may not."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("there is no strace here")
    errors = into.with_suffix(".err")
    with errors.open("wb") as err:
        command = (strace, "-f", "-y", "-s", "1000000", "-e", CALLS, "-o", str(into), "-p", str(pid))
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=err, stderr=err)
    try:
        wait_for(lambda: "attached" in errors.read_text() or process.poll() is not None, "strace to attach")
        if process.poll() is not None:
            pytest.skip(f"strace may not look at another process here: {errors.read_text()[:200]}")
        yield
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)  # it lets go of the broker, which goes on
        process.wait(30)


def calls(trace: Path) -> list[Call]:
    """Read a trace; a call during which another thread did something takes two lines."""
    found: list[Call] = []
    open_ones: dict[str, tuple[str, int, str]] = {}  # by thread: call, line, its beginning
    for number, line in enumerate(trace.read_text(errors="replace").splitlines()):
        parts = LINE.fullmatch(line)
        if parts is None:
            continue
        thread, name, text = parts["thread"], parts["call"], parts["rest"]
        began = number
        if parts["resumed"]:
            name, began, head = open_ones.pop(thread, (name, number, ""))
            text = head + text
        elif text.endswith("<unfinished ...>"):
            open_ones[thread] = name, number, text
            continue
        found.append(Call(name, began, number, file=text.partition("<")[2].partition(">")[0], text=text))
    return found + [
        Call(name, began, 2**31, file=text.partition("<")[2].partition(">")[0], text=text)
        for name, began, text in open_ones.values()
    ]


def check_order(seen: list[Call], text: str, ref: str) -> None:
    """Hold one message's way to the rule; `text` is in its event, `ref` in its ack only."""
    written = [call for call in seen if call.name in WRITES and call.file.endswith("-wal") and text in call.text]
    assert written, f"the journal was never written with {text}: has it another form?"
    sends = [call for call in seen if call.name in SENDS]
    answered = [call for call in sends if ref in call.text]
    published = [call for call in sends if text in call.text]
    assert answered, "no ack was seen to leave"
    assert published, "no event was seen to leave"
    first = min(call.ended for call in written)
    assert answered[0].began > first, f"{text} was acknowledged before it was written"
    synced = [call for call in seen if call.name in SYNCS and call.file.endswith("-wal") and call.began > first]
    assert synced, f"{text} was written and never synced"
    for call in (answered[0], published[0]):
        assert call.began > synced[0].ended, f"{call.name} of {text} began before the journal was on the disk"


def test_every_ack_and_every_event_leaves_after_the_journal_is_on_the_disk(
    start_broker: StartBroker, net_of: NetOf, tmp_path: Path
) -> None:
    broker = start_broker("--rate", "0")
    net = net_of(broker)
    people = [net.session(f"peer{k}") for k in range(3)]
    feed = net.feed("room/den/")
    trace = tmp_path / "trace"
    messages: list[tuple[str, str]] = []
    with traced(broker.pid, trace):
        for turn in range(5):  # one at a time: a batch is a message
            text, ref = f"TEXT-{turn}-alone", f"REF-{turn}-alone"
            people[0].ask("ack", type="say", n=people[0].number(), room="den", text=text, ref=ref)
            messages.append((text, ref))
        for turn in range(5):  # several people at once: a batch is what it happens to be
            for k, peer in enumerate(people):
                says = [
                    {"type": "say", "room": "den", "text": f"TEXT-{turn}-{k}-{i}", "ref": f"REF-{turn}-{k}-{i}"}
                    for i in range(4)
                ]
                peer.send(*({**say, "n": peer.number()} for say in says))
                messages += [(str(say["text"]), str(say["ref"])) for say in says]
            for peer in people:
                peer.expect("ack", n=peer.n)
        feed.expect("message", text=messages[-1][0])
        feed.settled()
    seen = calls(trace)
    for text, ref in messages:
        check_order(seen, text, ref)
    assert len(messages) == 65
