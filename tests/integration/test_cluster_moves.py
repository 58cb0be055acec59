"""People and programs at a cluster whose brokers are killed and whose nodes are lost: real processes and terminals."""

import functools
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.cluster.machines import needs_nodes
from tests.conftest import ZCHAT, RunZchat, wait_for
from tests.integration.commands import ends
from tests.integration.machines import Machines, some
from tests.integration.terminal import Terminal
from zchat.broker.cluster import node

LONG = 60.0  # s: an election among nodes takes some, and this machine may be slow


@pytest.fixture
def cluster(zchat: RunZchat, environment: dict[str, str], tmp_path: Path) -> Iterator[Machines]:
    """Return a cluster of three machines that run."""
    with some(zchat, environment, tmp_path / "team") as machines:
        machines.start("a", "b", "c")
        yield machines


@contextmanager
def tailing(broker: str, env: dict[str, str], folder: Path) -> Iterator[Path]:
    """Follow the room; yield the file of what is printed."""
    out, err = folder / "tail.out", folder / "tail.err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        command = (*ZCHAT, "tail", "-f", "--all", "--json", "--broker", broker)
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr, env=env)
    try:
        yield out
    finally:
        process.terminate()
        process.wait()
    assert err.read_text() == ""


BOT = """from zchat import Bot

bot = Bot("echobot", rooms=["general"])


@bot.command
async def echo(ctx, *words: str):
    \"\"\"Say it.\"\"\"
    return f"echo: {' '.join(words)}"
"""


@contextmanager
def echoing(link: str, env: dict[str, str], folder: Path) -> Iterator[None]:
    """Run a bot that is a member of its own."""
    file = folder / "echobot.py"
    file.write_text(BOT)
    command = (*ZCHAT, "bot", "run", str(file), "--invite", link, "--timeout", f"{LONG:g}")
    with (folder / "bot.err").open("wb") as stderr:
        process = subprocess.Popen(command, stderr=stderr, env=env)
    try:
        yield
    finally:
        process.terminate()
        process.wait()
    assert "gone" not in (folder / "bot.err").read_text()


def at_prompt(cluster: Machines, env: dict[str, str], stack: ExitStack) -> Terminal:
    terminal = stack.enter_context(Terminal("join", cluster.link("a"), "--nick", "alice", env=env))
    terminal.see("alice #")
    return terminal


def not_shown(terminal: Terminal, text: str) -> bool:
    return text not in terminal.text


def known(cluster: Machines) -> str:
    """Return the name under which the cluster is known, once one was there."""
    return cluster.link("a").split("/")[2].split(",")[0]


@needs_nodes
def test_whichever_broker_is_killed_people_go_on_and_hear_nothing_of_it(
    cluster: Machines, environment: dict[str, str], zchat: RunZchat, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        alice = at_prompt(cluster, environment, stack)
        broker = known(cluster)
        followed = stack.enter_context(tailing(broker, environment, tmp_path))
        (invitation,) = zchat("invite", "--broker", broker).out.splitlines()
        stack.enter_context(echoing(invitation, environment, tmp_path))
        alice.see("#general 2 here", LONG)
        alice.enter("!echo first")
        alice.see("echo: first", LONG)
        expected = ["!echo first", "echo: first"]
        for name in "abc":
            cluster.end(name, signal.SIGKILL)
            alice.enter(f"!echo without {name}")
            alice.see(f"<alice> !echo without {name}", LONG)
            alice.see(f"echo: without {name}", LONG)
            gone = f" · 127.0.0.1:{cluster.folder(name).me.broker} "
            alice.wait(functools.partial(not_shown, alice, gone), "the prompt to show where one is", LONG)
            sent = zchat("send", "--broker", broker, "--timeout", f"{LONG:g}", f"sent without {name}")
            assert (sent.code, sent.err) == (0, "")
            alice.see(f"<alice> sent without {name}", LONG)
            expected += [f"!echo without {name}", f"echo: without {name}", f"sent without {name}"]
            cluster.start(name)
        alice.enter("/status")
        alice.see("sessions")
        for word in ("gone", "onnected again", "stops"):
            assert word not in alice.text
        wait_for(lambda: len(followed.read_text().splitlines()) == len(expected), "the tail to have all")
        assert [json.loads(line)["text"] for line in followed.read_text().splitlines()] == expected


@needs_nodes
def test_while_most_nodes_are_gone_what_is_typed_waits_and_the_prompt_says_why(
    cluster: Machines, environment: dict[str, str], zchat: RunZchat
) -> None:
    with ExitStack() as stack:
        alice = at_prompt(cluster, environment, stack)
        for name in "bc":
            pid = node.running(cluster.folder(name))
            assert pid
            os.kill(pid, signal.SIGKILL)
        alice.enter("wait for it")
        alice.see("the brokers cannot store now: what you type waits", LONG)
        alice.enter("and this")
        alice.see("Nothing can be stored now; this waits")
        alice.enter("/status")
        alice.see("messages of yours wait.")
        told = zchat("status", "--broker", known(cluster), "--timeout", f"{LONG:g}")
        assert (told.code, "nothing can be stored now" in told.out) == (0, True), told.err
        unsent = ends(75, zchat, "send", "in vain", broker=known(cluster))
        assert (unsent.code, "let nobody in until they can store again" in unsent.err) == (75, True), unsent.err
        for name in "bc":
            node.ensure(cluster.folder(name))
        alice.see("<alice> and this", LONG)
        alice.see("The brokers store again what you say.", LONG)
        assert alice.text.count("<alice> wait for it") == 1
