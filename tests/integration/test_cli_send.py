"""`zchat send`: exit 0 means that all of it is on the broker's disk, and anything else says why not."""

import asyncio
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import pytest

from tests.client.real import Script, on_loop, until
from tests.client.script import error
from tests.conftest import PATIENCE, ZCHAT, Broker, RunZchat, StartBroker, wait_for
from tests.integration.commands import TIMEOUTS, ends, messages, said
from zchat.cli import speaking
from zchat.cli.options import Connection
from zchat.errors import NickTakenError, UnreachableError, ZchatError


def start(environment: dict[str, str], broker: Broker, *args: str) -> "subprocess.Popen[bytes]":
    """Start a `zchat send` that is fed by the test."""
    return subprocess.Popen(
        (*ZCHAT, "send", "--broker", broker.listen, *args),
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )


@contextmanager
def fed(
    environment: dict[str, str], broker: Broker, zchat: RunZchat
) -> Iterator[tuple["subprocess.Popen[bytes]", "IO[bytes]", float]]:
    """Start a `send` that has sent a line, with as little time as it takes here to connect; yield that time, too."""
    for seconds in TIMEOUTS:
        with start(environment, broker, "--timeout", f"{seconds:g}", "-") as sending:
            assert sending.stdin is not None
            sending.stdin.write(b"one\n")
            wait_for(lambda: sending.poll() or said(zchat, broker) == ["one"], "the first line")
            if sending.poll() is None or seconds == TIMEOUTS[-1]:
                yield sending, sending.stdin, seconds
                return


@pytest.mark.parametrize("args", [("send", "caf\udce9"), ("send", "--once", "\udce9", "x"), ("search", "caf\udce9")])
def test_what_is_given_in_another_encoding_is_wrong_usage(
    zchat: RunZchat, broker: Broker, args: tuple[str, ...]
) -> None:
    result = zchat(*args, broker=broker)
    assert result.code == 2
    assert "it is not UTF-8" in result.err


def test_a_message_is_on_the_disk_when_send_returns(broker: Broker, zchat: RunZchat) -> None:
    result = zchat("send", "--nick", "alice", "--room", "Dev", "hi there", broker=broker)
    assert (result.code, result.out, result.err) == (0, "", "")
    broker.kill()
    broker.restart()
    (message,) = messages(zchat, broker, "dev")
    assert (message["nick"], message["text"], message["room"]) == ("alice", "hi there", "dev")


def test_each_line_of_standard_input_is_a_message_and_empty_ones_are_none(broker: Broker, zchat: RunZchat) -> None:
    assert zchat("send", "-", input="one\n\n  \r\ntwo\r\n - three", broker=broker).code == 0
    assert zchat("send", input="four\n", broker=broker).code == 0
    assert said(zchat, broker) == ["one", "two", " - three", "four"]


def test_what_is_refused_is_told_with_its_line_and_the_rest_is_sent(broker: Broker, zchat: RunZchat) -> None:
    lines = [b"ok", b"x" * 20_000, b"", b"\xff\xfe", "ż".encode() * 8_193, b"also ok", b"y" * 3_000_000, b"end"]
    result = zchat("send", "-", input=b"\n".join(lines), broker=broker)
    assert result.code == 1
    told = result.err.splitlines()
    assert [line.split(":")[1] for line in told] == [" line 2", " line 4", " line 5", " line 7"]
    assert said(zchat, broker) == ["ok", "also ok", "end"]


def test_a_refusal_of_the_broker_is_told_and_exits_with_1(broker: Broker, zchat: RunZchat) -> None:
    result = zchat("send", "--to", "nobody", "psst", broker=broker)
    assert result.code == 1
    assert "unknown_nick" in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    ("first_login", "login", "other"),
    [
        ("alice", "alice", "alice-2"),
        ("x" * 32, "x" * 32, "x" * 30 + "-2"),
        ("alice", "al\u0131ce", "al\u0131ce-2"),  # which looks like alice
    ],
)
def test_the_default_nick_steps_aside(
    broker: Broker, zchat: RunZchat, environment: dict[str, str], first_login: str, login: str, other: str
) -> None:
    who = {"LOGNAME": login}
    with start(environment | {"LOGNAME": first_login}, broker, "-") as first:
        assert first.stdin is not None
        first.stdin.write(b"first\n")
        wait_for(lambda: said(zchat, broker) == ["first"], "the first")
        assert zchat("send", "second", broker=broker, env=who).code == 0
        first.stdin.close()
        assert first.wait(30) == 0
    assert [message["nick"] for message in messages(zchat, broker)] == [first_login, other]


def test_a_nick_given_by_name_is_waited_for(broker: Broker, zchat: RunZchat, environment: dict[str, str]) -> None:
    with start(environment, broker, "--nick", "alice", "-") as first:
        assert first.stdin is not None
        first.stdin.write(b"first\n")
        wait_for(lambda: said(zchat, broker) == ["first"], "the first", 60.0)
        refused = ends(1, zchat, "send", "--nick", "alice", "second", broker=broker)
        assert refused.code == 1
        assert "The nick alice is taken" in refused.err
        with start(environment, broker, "--nick", "alice", "--timeout", "60", "third") as third:
            first.stdin.close()
            assert first.wait(60) == 0
            assert third.wait(60) == 0
    assert [message["nick"] for message in messages(zchat, broker)] == ["alice", "alice"]


@pytest.mark.parametrize(("pause", "told"), [(0.01, UnreachableError), (1.6, NickTakenError)])
@on_loop
async def test_a_silence_that_only_the_end_of_the_time_makes_does_not_hide_that_a_nick_is_taken(
    pause: float, told: type[ZchatError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speaking, "RETRY", pause)
    async with Script() as script:
        script.silent.add("hello")
        trying = asyncio.create_task(speaking.connect(Connection(script.listen, 3.0), "alice", None))
        await until(lambda: script.count("hello") == 1)
        script.reply(error("nick_taken", ref=script.asked[0]["ref"]))
        with pytest.raises(told):
            await trying
        assert script.count("hello") == 2


def test_once_stores_a_text_only_once(broker: Broker, zchat: RunZchat) -> None:
    for _ in range(2):
        assert zchat("send", "--nick", "ci", "--once", "deploy-7", "deployed", broker=broker).code == 0
        result = zchat("send", "--nick", "ci", "--once", "log", "-", input="a\nb\n", broker=broker)
        assert result.code == 0
    assert said(zchat, broker) == ["deployed", "a", "b"]
    assert result.err == "".join(
        f"zchat: line {n}: not stored again: its key was used before, by message {n + 1}.\n" for n in (1, 2)
    )


def test_the_key_of_a_line_is_its_number_in_the_input_also_where_lines_before_it_are_empty(
    broker: Broker, zchat: RunZchat
) -> None:
    for lines in ("a\n\nb\n", "a\nnew\nb\n"):
        assert zchat("send", "--nick", "ci", "--once", "log", "-", input=lines, broker=broker).code == 0
    assert said(zchat, broker) == ["a", "b", "new"]


def test_lines_that_could_not_be_kept_to_be_sent_only_once_are_no_success(
    broker: Broker, environment: dict[str, str]
) -> None:
    limited = ("bash", "-c", 'ulimit -f 1; exec "$@"', "bash")  # files may grow to 1 KiB
    command = (*limited, *ZCHAT, "send", "--broker", broker.listen, "--once", "k", "x" * 4_000)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 74
    assert ".outbox cannot be written" in done.stderr


def test_no_broker_is_told_with_exit_code_69(zchat: RunZchat, tmp_path: Path) -> None:
    result = zchat("send", "--broker", f"ipc://{tmp_path}/nobody", "--timeout", "0.3", "hi")
    assert result.code == 69
    assert f"No broker answers at ipc://{tmp_path}/nobody" in result.err
    assert result.err.count("\n") == 1


def test_an_address_that_is_none_is_wrong_usage(zchat: RunZchat) -> None:
    result = zchat("send", "--broker", "localhost", "hi")
    assert result.code == 2
    assert "Traceback" not in result.err


def test_a_broker_that_stops_answering_ends_in_75(broker: Broker, zchat: RunZchat, environment: dict[str, str]) -> None:
    with fed(environment, broker, zchat) as (sending, stdin, timeout):
        assert sending.stderr is not None
        time.sleep(1.2 * timeout)  # not to synchronise: that nothing is due for longer than the timeout must not end it
        assert sending.poll() is None
        broker.process.send_signal(signal.SIGSTOP)
        stdin.write(b"two\n")
        assert sending.wait(timeout + PATIENCE) == 75
        assert b"1 of 2 messages not yet acknowledged" in sending.stderr.read()
    broker.process.send_signal(signal.SIGCONT)


def test_control_c_ends_in_130_without_a_traceback(
    broker: Broker, zchat: RunZchat, environment: dict[str, str]
) -> None:
    with start(environment, broker, "-") as sending:
        assert sending.stdin is not None
        assert sending.stderr is not None
        sending.stdin.write(b"one\n")
        wait_for(lambda: said(zchat, broker) == ["one"], "the first line")
        sending.send_signal(signal.SIGINT)
        assert sending.wait(30) == 130
        assert sending.stderr.read().strip() == b"zchat: interrupted; lines acknowledged: 1"


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--room", "a", "--to", "b", "hi"), "exclude each other"),
        (("--nick", "a b", "hi"), "a nick has no white space"),
        (("--room", "a/b", "hi"), "no slash"),
        (("",), "says nothing"),
        (("two", "words"), "unexpected extra argument"),
        (("--timeout", "0", "hi"), "range"),
        (("--timeout", "nan", "hi"), "no finite number"),
        (("--once", "", "hi"), "it is empty"),
        (("-r", "a", "-r", "b", "hi"), "more than once"),
        (("--bogus", "hi"), "No such option"),
    ],
)
def test_wrong_usage_is_explained_with_exit_code_2(zchat: RunZchat, args: tuple[str, ...], told: str) -> None:
    result = zchat("send", *args)
    assert result.code == 2
    assert told in result.err
    assert result.out == ""


def test_the_environment_sets_options_and_the_command_line_wins(broker: Broker, zchat: RunZchat) -> None:
    env = {"ZCHAT_NICK": "carol", "ZCHAT_ROOM": "ops"}
    zchat("send", "a", broker=broker, env=env)
    zchat("send", "--room", "dev", "b", broker=broker, env=env)
    zchat("send", "--to", "carol", "c", broker=broker, env=env)  # not in conflict with ZCHAT_ROOM
    assert zchat("send", "--room", "dev", "d", broker=broker, env=env | {"ZCHAT_TO": "alice"}).code == 0
    assert said(zchat, broker, "ops") == ["a"]
    assert said(zchat, broker, "dev") == ["b", "d"]


def test_no_more_is_read_than_a_part_of_what_comes_in_while_the_broker_does_not_answer(
    broker: Broker, zchat: RunZchat, environment: dict[str, str]
) -> None:
    line, written = b"x" * 1_023 + b"\n", 0
    with fed(environment, broker, zchat) as (sending, stdin, timeout):
        broker.process.send_signal(signal.SIGSTOP)
        with suppress(BrokenPipeError):  # it waits for room, and ends
            while written < 32 * 2**20:
                written += stdin.write(line * 64) or 0
        assert sending.wait(timeout + PATIENCE) == 75
    assert written < 8 * 2**20  # it takes 2,000 lines, and the pipe holds some more


def test_no_line_is_lost_doubled_or_out_of_order_when_the_broker_is_killed_meanwhile(
    start_broker: StartBroker, environment: dict[str, str], zchat: RunZchat
) -> None:
    broker = start_broker("--rate", "0", "--heartbeat", "0.3")
    expected = [f"line {number}" for number in range(20_000)]
    with start(environment, broker, "--nick", "alice", "--timeout", "30", "-") as sending:
        assert sending.stdin is not None
        for round_ in range(4):
            sending.stdin.write(
                "".join(f"{text}\n" for text in expected[round_ * 5_000 : (round_ + 1) * 5_000]).encode()
            )
            broker.kill()
            broker.restart()
        sending.stdin.close()
        assert sending.wait(60) == 0
    assert said(zchat, broker) == expected
