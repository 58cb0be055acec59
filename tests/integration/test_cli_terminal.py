"""What makes a terminal one to stay in, as a person sees it: in real pseudo-terminals of 80 and of 40 columns."""

import functools
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from tests.conftest import PATIENCE, Broker, RunZchat, StartBroker, wait_for
from tests.integration.commands import said
from tests.integration.terminal import Join, Terminal

widths = pytest.mark.parametrize("columns", [80, 40])


@pytest.fixture
def texts(zchat: RunZchat, broker: Broker) -> Callable[..., list[str]]:
    """Return what the broker has of a room."""
    return functools.partial(said, zchat, broker)


Texts = Callable[..., list[str]]


def pasted(*lines: str) -> str:
    """Return what a terminal sends when these lines are pasted."""
    return "\x1b[200~" + "\r".join(lines) + "\x1b[201~"


# -- the editor ------------------------------------------------------------------------------------------------


@widths
def test_alt_enter_begins_a_line_and_enter_sends_them_together(join: Join, texts: Texts, columns: int) -> None:
    alice = join("alice", columns=columns)
    alice.type("one\x1b\rtwo")
    alice.see("\ntwo")
    alice.enter()
    alice.see("<alice> one")
    assert texts() == ["one\ntwo"]


@widths
def test_pasted_lines_are_asked_about_and_sent_one_by_one_as_one_or_not(join: Join, texts: Texts, columns: int) -> None:
    alice = join("alice", columns=columns)
    alice.type(pasted("a1", "/quit", "exit"))
    alice.see("Send 3 lines? [y/N/as (o)ne]")
    alice.type("y")
    alice.see("<alice> exit")
    assert texts() == ["a1", "/quit", "exit"]
    alice.type(pasted("b1", "b2"))
    alice.see("Send 2 lines?")
    alice.type("o")
    alice.see("<alice> b1")
    alice.type(pasted("c1", "c2"))
    alice.see("Send 2 lines?")
    alice.type("n")
    alice.see("\nc2")
    alice.type(" more\r")
    alice.see("c2 more")
    wait_for(lambda: len(texts()) == 5, "what was pasted")
    assert texts()[3:] == ["b1\nb2", "c1\nc2 more"]


def test_one_pasted_line_is_just_typed(join: Join) -> None:
    alice = join("alice")
    alice.type(pasted("just this"))
    alice.see_last("alice #general › just this")
    assert "Send" not in alice.text


def test_what_was_typed_is_found_again_with_up_and_with_control_r_in_the_next_run(join: Join) -> None:
    alice = join("alice")
    alice.enter("the first thing")
    alice.enter("another one")
    alice.see("<alice> another one")
    alice.type("half a thought\x04\x03")  # Ctrl-D deletes nothing at the end of a line; Ctrl-C drops it
    alice.see_last("alice #general ›")
    alice.type("\x04")
    assert alice.ends() == 0
    again = join("alice")
    again.type("\x1b[A")
    again.see_last("alice #general › half a thought")
    again.type("\x03")
    again.see_last("alice #general ›")
    again.type("\x12first")
    again.see("alice #general › the first thing")
    again.type("\r")
    again.see_last("alice #general › the first thing")


def test_an_edit_is_undone(join: Join) -> None:
    alice = join("alice")
    alice.type("keep this\x15")
    alice.see_last("alice #general ›")
    alice.type("\x1f")
    alice.see_last("alice #general › keep this")


@widths
def test_what_is_typed_outlives_messages_a_reconnect_and_a_resize(
    start_broker: StartBroker, environment: dict[str, str], zchat: RunZchat, columns: int
) -> None:
    broker = start_broker("--heartbeat", "0.2")
    with Terminal(
        "join", "--nick", "alice", env=environment | {"ZCHAT_BROKER": broker.listen}, columns=columns
    ) as alice:
        alice.see("alice #general ›")
        alice.type("typed before")
        alice.see_last("alice #general › typed before")
        broker.kill()
        alice.see("reconnecting, ")
        alice.see("typed before")
        alice.resize(columns - 10)
        alice.see("typed before")
        broker.restart()
        alice.see("Connected again.")
        zchat("send", "--nick", "bob", "hello", broker=broker)
        alice.see("<bob> hello")
        alice.see_last("alice #general › typed before")
        alice.enter()
        alice.see("<alice> typed before")


def test_a_message_shows_as_pending_until_the_broker_has_it(
    start_broker: StartBroker, environment: dict[str, str]
) -> None:
    broker = start_broker("--heartbeat", "0.2")
    with Terminal("join", "--nick", "alice", env=environment | {"ZCHAT_BROKER": broker.listen}) as alice:
        alice.see("alice #general ›")
        broker.kill()
        alice.see("(no broker)")
        alice.enter("wait for me")
        alice.see("  … wait for me")
        alice.see("1 to be sent")
        assert "<alice> wait for me" not in alice.text
        broker.restart()
        alice.see("<alice> wait for me")
        alice.wait(lambda: "  … wait for me" not in alice.text, "the row to go")


def test_what_was_refused_stays_with_its_reason_and_up_edits_it_again(join: Join) -> None:
    alice = join("alice")
    alice.enter("/msg nobody are you there?")
    alice.see("Not sent (unknown_nick)")
    alice.see("✗ are you there?")
    alice.type("\x1b[A")
    alice.see_last("alice #general › /msg nobody are you there?")


def test_y_after_control_c_leaves_and_says_so(join: Join) -> None:
    alice = join("alice")
    alice.type("\x03")
    alice.see("Leave? [y/N]")
    alice.type("y")
    alice.see("Goodbye, alice.")
    assert alice.ends() == 0


def test_a_paste_is_not_lost_to_a_question_and_the_focus_answers_none(join: Join) -> None:
    alice = join("alice")
    alice.type("\x03")
    alice.see("Leave? [y/N]")
    alice.type(pasted("not lost"))
    alice.see_last("alice #general › not lost")
    alice.wait(lambda: "Leave?" not in alice.text, "the question to go")
    alice.type("\x03\x03")
    alice.see("Leave? [y/N]")
    alice.type("\x1b[O\x1b[Iy")
    alice.see("Goodbye, alice.")


def test_what_stands_in_the_line_when_the_terminal_is_closed_is_there_in_the_next_run(join: Join) -> None:
    alice = join("alice")
    alice.type("not finished")
    alice.see_last("alice #general › not finished")
    alice.child.kill(signal.SIGHUP)
    assert alice.ends() == 128 + signal.SIGHUP
    again = join("alice")
    again.type("\x1b[A")
    again.see_last("alice #general › not finished")


@widths
def test_others_see_that_one_types_unless_one_does_not_want_it(join: Join, columns: int) -> None:
    alice, bob = join("alice", columns=columns), join("bob")
    alice.see("2 here")
    bob.type("let me th")
    alice.see("bob is typing")
    bob.type("ink\r")
    alice.see("<bob> let me think")
    assert "is typing" not in alice.text
    bob.type("and")
    alice.see("bob is typing")
    alice.enter("/set typing off")
    alice.see("typing is off")
    alice.type("in secret")
    alice.see_last("alice #general › in secret")
    bob.enter(" well?")
    bob.see("<bob> and well?")
    assert "is typing" not in bob.text


# -- completion ------------------------------------------------------------------------------------------------


def test_tab_offers_nobody_for_a_new_nick_or_a_file(join: Join) -> None:
    alice, _ = join("alice"), join("bob")
    alice.see("2 here")
    for command in ("nick", "export"):
        alice.type(f"/{command} b\t!")
        alice.see_last(f"alice #general › /{command} b!")
        alice.type("\x03")


@widths
def test_tab_completes_commands_rooms_nicks_and_values(join: Join, columns: int) -> None:
    alice, _ = join("alice", columns=columns), join("bob")
    alice.see("2 here")
    alice.type("/whoi\t")
    alice.see_last("alice #general › /whois")
    alice.type("b\t")
    alice.see_last("alice #general › /whois bob")
    alice.type("\x03bo\t")
    alice.see_last("alice #general › bob:")
    alice.type("\x03ask bo\t")
    alice.see_last("alice #general › ask bob")
    alice.type("\x03/part g\t")
    alice.see_last("alice #general › /part #general")
    alice.type("\x03/bell men\t")
    alice.see_last("alice #general › /bell mentions")
    alice.type("\x03/hi\t\t")
    alice.see("/highlight")
    alice.see("Count a word as")


# -- plain terminals -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("args", "env"), [(("--plain",), {}), ((), {"TERM": "dumb"})])
def test_a_plain_terminal_gets_lines_without_any_sequence(
    broker: Broker, environment: dict[str, str], zchat: RunZchat, args: tuple[str, ...], env: dict[str, str]
) -> None:
    ours = environment | {"ZCHAT_BROKER": broker.listen}
    with Terminal("join", "--nick", "alice", *args, env=ours, term=env.get("TERM", "xterm-256color")) as alice:
        alice.see("You are in #general")
        zchat("send", "--nick", "bob", "hello", broker=broker)
        alice.see("<bob> hello")
        alice.enter("hi bob")
        alice.see("<alice> hi bob")
        alice.type("\x04")
        alice.see("Goodbye, alice.")
        assert alice.ends() == 0
        assert b"\x1b" not in alice.raw


def test_no_color_leaves_no_colour_at_all(join: Join, zchat: RunZchat, broker: Broker) -> None:
    alice = join("alice", env={"NO_COLOR": "1"})
    zchat("send", "--nick", "bob", "alice: `look` https://example.org", broker=broker)
    alice.see("https://example.org")
    codes = {int(code) for found in re.findall(rb"\x1b\[([\d;]*)m", alice.raw) for code in found.split(b";") if code}
    assert not {code for code in codes if 30 <= code <= 49 or 90 <= code <= 107}


# -- how fast --------------------------------------------------------------------------------------------------


def test_the_prompt_comes_and_goes_and_tells_how_long_that_took(join: Join) -> None:
    walls, works = [], []
    for _ in range(3):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        alice = join("alice")
        walls.append(time.monotonic() - start)
        alice.leave()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        works.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    print(f"first prompt after {min(walls):.2f} s; {min(works):.2f} s of work from start to end")


FLOOD = """
import asyncio, sys, time
from zchat import ChatClient
async def main():
    async with ChatClient("flood", sys.argv[1]) as client:
        start = time.monotonic()
        for turn in range(60):
            for n in range(250):
                answer = await client.post(f"line {turn * 250 + n} of a flood", room="general")
            await asyncio.sleep(max(0, start + (turn + 1) * 0.05 - time.monotonic()))
        await client.drain()
        print(15_000 / (time.monotonic() - start))
asyncio.run(main())
"""


def test_each_key_is_echoed_while_5000_messages_a_second_come_in_and_the_skipped_are_told(
    start_broker: StartBroker, environment: dict[str, str]
) -> None:
    broker = start_broker("--rate", "0")
    with Terminal("join", "--nick", "alice", env=environment | {"ZCHAT_BROKER": broker.listen}) as alice:
        alice.see("alice #general ›")
        command = (sys.executable, "-c", FLOOD, broker.listen)
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as flood:
            alice.see("of a flood")
            times = sorted(echo(alice, key) for key in "абвгдежзиклмнопрстуф")
            out, _ = flood.communicate(timeout=4 * PATIENCE)
        print(f"{float(out):.0f} messages/s; echo: median {times[10] * 1000:.1f} ms, most {times[-1] * 1000:.1f} ms")
        alice.see("lines skipped; /history shows all")
        alice.see("line 14999 of a flood")
        alice.see_last("alice #general › абвгдежзиклмнопрстуф")


def echo(terminal: Terminal, key: str) -> float:
    """Press a key and return the seconds until it was drawn."""
    while terminal.pump(0.001):
        pass
    before = len(terminal.raw)
    start = time.monotonic()
    terminal.type(key)
    while key.encode() not in terminal.raw[before:]:
        terminal.take_in(0.5)
        assert time.monotonic() - start < PATIENCE, "it is not drawn at all"
    return time.monotonic() - start
