"""`zchat join` as people use it: in terminals of 80 and of 40 columns, and through a pipe."""

import contextlib
import json
import resource
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import zmq

from tests.conftest import PATIENCE, ZCHAT, Broker, RunZchat, StartBroker, wait_for
from tests.integration.commands import ends, said
from tests.integration.terminal import Join, Terminal


def test_two_people_talk(join: Join) -> None:
    alice, bob = join("alice"), join("bob")
    alice.see("#general 2 here")
    bob.enter("hello alice")
    alice.see("<bob> hello alice")
    bob.see("<bob> hello alice")
    alice.enter("hello bob, doesn't it work?")
    bob.see("<alice> hello bob, doesn't it work?")
    assert alice.see("<alice> hello bob").count("hello bob") == 1


@pytest.mark.parametrize("columns", [80, 40])
def test_what_others_say_does_not_garble_the_line_being_typed(
    join: Join, zchat: RunZchat, broker: Broker, columns: int
) -> None:
    alice = join("alice", columns=columns)
    alice.type("half a line")
    alice.see_last("alice #general › half a line")
    zchat("send", "--nick", "bob", "-", input="".join(f"message {n}\n" for n in range(30)), broker=broker)
    alice.see("<bob> message 29")
    alice.see_last("alice #general › half a line")
    alice.type(", and the rest")
    alice.see("half a line, and the rest")
    shown = [line[6:] for line in alice.lines if "<bob>" in line]
    assert shown == [f"<bob> message {n}" for n in range(30)]
    alice.enter()
    wait_for(lambda: "half a line, and the rest" in said(zchat, broker), "alice's line")


@pytest.mark.parametrize("way", ["exit\r", "/exit\r", "/quit\r", "\x04"])
def test_leaving_is_told_at_the_start_and_at_the_end(join: Join, way: str) -> None:
    alice = join("alice")
    alice.see("exit, /exit or Ctrl-D leaves.")
    alice.type(way)
    alice.see("Goodbye, alice.")
    assert alice.ends() == 0


def test_others_hear_that_one_leaves(join: Join) -> None:
    alice, bob = join("alice"), join("bob")
    bob.enter("I must go")
    alice.see("<bob> I must go")
    bob.enter("exit")
    alice.see("← bob left (bye")


def test_control_c_drops_the_line_and_then_asks_whether_to_leave(join: Join, zchat: RunZchat, broker: Broker) -> None:
    alice = join("alice")
    alice.type("never mind")
    alice.see_last("alice #general › never mind")
    alice.type("\x03")
    alice.see_last("alice #general ›")
    alice.type("\x03")
    alice.see("Leave? [y/N]")
    alice.type("no, I stay")
    alice.see_last("alice #general › o, I stay")
    alice.type("\x03")
    alice.see_last("alice #general ›")
    alice.type("\x03")
    alice.see("Leave? [y/N]")
    alice.type("\x03")
    assert alice.ends() == 130
    assert said(zchat, broker) == []


def test_slash_commands_work_and_are_never_sent(join: Join, zchat: RunZchat, broker: Broker) -> None:
    alice = join("alice")
    alice.enter("/help")
    alice.see("/msg NICK TEXT")
    alice.enter("/serach x")
    alice.see("Did you mean /search?")
    alice.enter("/nick")
    alice.see("Missing argument 'NICK'")
    alice.enter("/topic all about tea")
    alice.see("* alice changed the topic: all about tea")
    alice.enter("/me waves")
    alice.see("* alice waves")
    alice.enter("//me waves")
    alice.see("<alice> /me waves")
    alice.enter("/search waves")
    alice.enter("/who")
    alice.enter("/rooms")
    alice.see("#general  1  all about tea")
    alice.enter("/away lunch")
    alice.see("You are marked as away.")
    alice.enter("/who")
    alice.see("away: lunch")
    alice.enter("/nick carol")
    alice.see("carol #general ›")
    alice.enter("/join Dev")
    alice.see("carol #dev ›")
    alice.enter("over here")
    alice.see("<carol> over here")
    alice.enter("/part")
    alice.see("You left #dev.")
    alice.see_last("carol #general ›")
    alice.enter("/history 1")
    wait_for(lambda: alice.see("<alice> /me waves").count("<alice> /me waves") >= 2, "the history")
    assert said(zchat, broker) == ["all about tea", "waves", "/me waves"]
    assert said(zchat, broker, "dev") == ["over here"]


def test_what_is_typed_while_a_line_is_obeyed_is_not_echoed_by_the_terminal(join: Join) -> None:
    alice = join("alice")
    for number in range(30):
        for key in f"/who\r{number}":
            alice.type(key)
            alice.pump(0.001)
        alice.type("\x08" * 2)
    alice.type("said\rand a half")
    alice.see("<alice> said")
    alice.see_last("alice #general › and a half")
    began = next(number for number, line in enumerate(alice.lines) if line.startswith("Type to talk"))
    answers = [
        line
        for line in alice.lines[began + 1 :]
        if "<alice>" not in line and "#general" not in line and "—" not in line
    ]
    assert answers == ["alice (guest)"] * 30


def test_a_long_line_goes_on_under_an_indent(join: Join, zchat: RunZchat, broker: Broker) -> None:
    alice = join("alice", columns=40)
    zchat("send", "--nick", "bob", "one two three four five six seven eight", broker=broker)
    alice.see("seven eight")
    (start,) = [row for row, line in enumerate(alice.lines) if "<bob>" in line]
    assert alice.lines[start][6:] == "<bob> one two three four five six"
    assert alice.lines[start + 1] == "        seven eight"


def test_a_session_that_is_taken_over_is_told_and_ends(join: Join, broker: Broker, environment: dict[str, str]) -> None:
    alice = join("alice")
    (outbox,) = Path(environment["ZCHAT_DATA"]).glob("outbox/*.outbox")
    client = json.loads(outbox.read_text().splitlines()[0])["client"]
    with zmq.Context() as context, context.socket(zmq.DEALER) as thief:
        thief.connect(broker.listen)
        thief.send(json.dumps({"type": "hello", "protocol": 1, "nick": "alice", "client": client}).encode())
        alice.see("The broker has ended this session: this client has connected again")
        assert alice.ends() == 1


def test_a_nick_that_is_taken_is_told_at_the_prompt(join: Join) -> None:
    alice, _ = join("alice"), join("bob")
    alice.enter("/nick Bob")
    alice.see("The nick Bob is taken.")
    alice.enter("/nick b\u043eb")
    alice.see("The nick b\u043eb looks like bob, who is here. Choose another")
    alice.see_last("alice #general ›")


def test_a_direct_message_reaches_the_other_only(join: Join, zchat: RunZchat, broker: Broker) -> None:
    alice, bob, carol = join("alice"), join("bob"), join("carol")
    alice.enter("/msg bob just for you")
    bob.see("<alice → bob> just for you")
    alice.see("<alice → bob> just for you")
    alice.enter("/msg nobody hello?")
    alice.see("Not sent (unknown_nick)")
    alice.enter("for all")
    carol.see("for all")
    assert "just for you" not in carol.text
    assert said(zchat, broker) == ["for all"]


def test_the_last_messages_are_shown_at_the_start(join: Join, zchat: RunZchat, broker: Broker) -> None:
    zchat("send", "-", input="".join(f"old {n}.\n" for n in range(30)), broker=broker)
    alice = join("alice")
    shown = alice.see("old 29.")
    assert "old 10." in shown
    assert "old 9." not in shown


def test_escape_sequences_of_others_are_harmless(join: Join, zchat: RunZchat, broker: Broker) -> None:
    alice = join("alice")
    zchat("send", "--nick", "bob", "\x1b]0;owned\x07\x1b[2J\x9b31m\rspoof\u202e", broker=broker)
    alice.see("\\x1b]0;owned\\x07\\x1b[2J\\x9b31m\\rspoof\\u202e")
    assert b"\x1b]0;owned" not in alice.raw


def test_colour_is_used_on_a_terminal_and_not_with_no_color(join: Join, zchat: RunZchat, broker: Broker) -> None:
    coloured, plain = join("alice"), join("bob", env={"NO_COLOR": "1"})
    zchat("send", "--nick", "carol", "look", broker=broker)
    coloured.see("<carol> look")
    plain.see("<carol> look")
    assert b"<carol>" not in coloured.raw
    assert b"<carol> look" in plain.raw


def test_a_broker_that_goes_and_comes_back_is_told_and_nothing_is_lost(
    start_broker: StartBroker, environment: dict[str, str], zchat: RunZchat
) -> None:
    broker = start_broker("--heartbeat", "0.2")
    with Terminal("join", "--nick", "alice", env=environment | {"ZCHAT_BROKER": broker.listen}) as alice:
        alice.see("alice #general ›")
        alice.enter("before")
        alice.see("<alice> before")
        broker.kill()
        alice.see("The broker is gone")
        alice.see("(no broker)")
        alice.enter("meanwhile")
        alice.see("this is sent as soon as it is back: meanwhile")
        broker.restart()
        alice.see("Connected again.")
        alice.see("<alice> meanwhile")
        alice.see_last("alice #general ›")
        assert alice.text.count("<alice> before") == 1, "what was seen is not shown again"
    assert said(zchat, broker) == ["before", "meanwhile"]


def test_a_full_disk_is_told_and_what_was_said_is_stored_when_there_is_room(
    start_broker: StartBroker, environment: dict[str, str], zchat: RunZchat
) -> None:
    broker = start_broker()
    process = psutil.Process(broker.pid)
    with Terminal("join", "--nick", "alice", env=environment | {"ZCHAT_BROKER": broker.listen}) as alice:
        alice.see("alice #general ›")
        process.rlimit(psutil.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        alice.enter("where is the room?")
        alice.see("Not stored yet: the broker cannot write its log now (disk I/O error: is its disk")
        result = ends(75, zchat, "send", "me too", broker=broker)
        assert result.code == 75
        assert "(disk I/O error: is its disk full?), with 1 of 1 messages" in result.err
        process.rlimit(psutil.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        alice.see("<alice> where is the room?")
    assert said(zchat, broker) == ["where is the room?"]


def test_one_who_waits_for_a_broker_is_told_so(environment: dict[str, str], tmp_path: Path) -> None:
    nowhere = f"ipc://{tmp_path}/nobody"
    with Terminal("join", "--timeout", "3", "--broker", nowhere, env=environment, columns=200) as alice:
        alice.see("Connecting to the broker on this machine …")
        assert "No broker answers" not in alice.text
        assert alice.ends() == 69


@dataclass
class Outage:
    """A broker that dies under alice, who may come back to it."""

    broker: Broker
    env: dict[str, str]

    def alice(self) -> Terminal:
        return Terminal("join", "--nick", "alice", env=self.env)

    @contextlib.contextmanager
    def cut_off(self) -> Iterator[Terminal]:
        """Yield alice's prompt when it has noticed that the broker was killed."""
        with self.alice() as alice:
            alice.see("alice #general ›")
            self.broker.kill()
            alice.see("The broker is gone")
            yield alice

    @contextlib.contextmanager
    def taken_by_another(self, alice: Terminal) -> Iterator[Terminal]:
        """Bring the broker back, and another Alice to it before our alice notices; yield her prompt."""
        alice.child.kill(signal.SIGSTOP)
        self.broker.restart()
        data = str(self.broker.data / "other")
        with Terminal("join", "--nick", "Alice", env=self.env | {"ZCHAT_DATA": data}) as other:
            other.see("Alice #general ›")
            alice.child.kill(signal.SIGCONT)
            yield other


@pytest.fixture
def outage(start_broker: StartBroker, environment: dict[str, str]) -> Outage:
    broker = start_broker("--heartbeat", "0.2")
    return Outage(broker, environment | {"ZCHAT_BROKER": broker.listen})


def test_what_was_not_acknowledged_when_the_client_crashed_is_sent_by_the_next_one(
    outage: Outage, zchat: RunZchat
) -> None:
    with outage.cut_off() as alice:
        alice.enter("do not lose me")
        alice.see("this is sent as soon as it is back: do not lose me")
        alice.child.kill(signal.SIGKILL)
        assert alice.ends() == -signal.SIGKILL
    outage.broker.restart()
    with outage.alice() as alice:
        alice.see("<alice> do not lose me")
    assert said(zchat, outage.broker) == ["do not lose me"]


def test_without_a_broker_a_topic_waits_like_a_message_and_one_can_leave(outage: Outage, zchat: RunZchat) -> None:
    with outage.cut_off() as alice:
        for line in ("/search tea", "/join ops", "/history", "/whois bob", "/who"):
            alice.enter(line)
        alice.wait(lambda: alice.text.count("No broker now: ask again when it is back.") == 5, "five answers")
        alice.enter("/topic all about tea")
        alice.see("this is sent as soon as it is back: /topic all about tea")
        alice.enter("after it")
        alice.see("this is sent as soon as it is back: after it")
        alice.enter("exit")
        alice.see("2 of your messages")
        assert alice.ends() == 0
    outage.broker.restart()
    with outage.alice() as alice:
        alice.see("<alice> after it")
    assert said(zchat, outage.broker) == ["all about tea", "after it"]


def test_a_kept_message_that_is_refused_the_next_time_is_told(outage: Outage) -> None:
    with outage.cut_off() as alice:
        alice.enter("/msg ghost are you there?")
        alice.see("this is sent as soon as it is back")
        alice.enter("exit")
        alice.see("1 of your messages")
        assert alice.ends() == 0
    outage.broker.restart()
    with outage.alice() as alice:
        alice.see("Not sent (unknown_nick)")
        alice.see("✗ are you there?")


def test_a_nick_that_was_taken_meanwhile_is_told_and_what_was_said_is_kept(outage: Outage, zchat: RunZchat) -> None:
    with outage.cut_off() as alice:
        alice.enter("do not lose me")
        alice.see("this is sent as soon as it is back: do not lose me")
        with outage.taken_by_another(alice):
            alice.see("does not let us in: the nick alice is taken.")
            alice.see("1 of your messages")
            assert alice.ends() == 1
            assert "Not sent" not in alice.text
    with outage.alice() as alice:
        alice.see("<alice> do not lose me")
    assert said(zchat, outage.broker) == ["do not lose me"]


def test_who_is_kept_out_by_a_taken_nick_takes_another(outage: Outage) -> None:
    with outage.cut_off() as alice, outage.taken_by_another(alice) as other:
        alice.see("/nick NAME takes another.")
        alice.enter("/nick carol")
        alice.see("Connected again.")
        alice.see_last("carol #general ›")
        other.see("#general 2 here")
        rung = alice.raw.count(b"\a")
        other.enter("carol: are you there?")
        alice.wait(lambda: alice.raw.count(b"\a") == rung + 1, "the bell for the new nick")


def test_a_room_left_and_a_nick_taken_without_a_broker_are_so_when_it_is_back(outage: Outage) -> None:
    with outage.cut_off() as alice:
        alice.enter("/part")
        alice.see("You left #general.")
        alice.enter("/nick carol")
        alice.see("You are carol as soon as the broker is back.")
        alice.see_last("carol (no broker) ›")
        outage.broker.restart()
        alice.see("Connected again.")
        alice.enter("/who")
        alice.see("\ncarol (guest)\n")
        alice.see_last("carol ›")


def test_a_nick_that_is_taken_is_told_in_one_sentence(join: Join, zchat: RunZchat, broker: Broker) -> None:
    join("alice")
    result = zchat("join", "--nick", "Alice", broker=broker)
    assert (result.code, result.out) == (1, "")
    assert "The nick Alice is taken" in result.err
    assert result.err.count("\n") == 1


def test_sigterm_leaves_cleanly(join: Join) -> None:
    alice, bob = join("alice"), join("bob")
    alice.see("#general 2 here")
    bob.child.kill(signal.SIGTERM)
    assert bob.ends() == 128 + signal.SIGTERM
    alice.see("#general 1 here")


# -- through a pipe --------------------------------------------------------------------------------------------


def test_a_pipe_sends_its_lines_prints_what_is_said_and_leaves(zchat: RunZchat, broker: Broker) -> None:
    result = zchat("join", "--nick", "robot", input="hello\n\n/me waves\n//x\n", broker=broker)
    assert result.code == 0
    assert [line[6:] for line in result.out.splitlines()][-3:] == ["<robot> hello", "* robot waves", "<robot> /x"]
    assert "\x1b" not in result.out
    assert said(zchat, broker) == ["hello", "waves", "/x"]


def test_a_pipe_obeys_slash_commands_and_exit(zchat: RunZchat, broker: Broker) -> None:
    result = zchat("join", "--nick", "robot", input="/join dev\nhi dev\n/bogus\nexit\nnot this\n", broker=broker)
    assert "There is no command /bogus" in result.err
    assert said(zchat, broker, "dev") == ["hi dev"]
    assert said(zchat, broker) == []


def test_a_pipe_reports_what_was_refused(zchat: RunZchat, broker: Broker) -> None:
    result = zchat("join", "--nick", "robot", input=b"/msg nobody hi\n\xff\nstill here\n", broker=broker)
    assert result.code == 1
    assert "Not sent (unknown_nick)" in result.err
    assert "line 2: not sent: it is not UTF-8" in result.err
    assert said(zchat, broker) == ["still here"]


def test_a_pipe_whose_command_is_none_ends_with_1(zchat: RunZchat, broker: Broker) -> None:
    result = zchat("join", "--nick", "robot", input=b"/nope\nstill here\n", broker=broker)
    assert result.code == 1
    assert "There is no command /nope" in result.err
    assert said(zchat, broker) == ["still here"]


def test_a_pipe_prints_what_others_say_while_it_is_open(
    broker: Broker, environment: dict[str, str], zchat: RunZchat
) -> None:
    command = (*ZCHAT, "join", "--nick", "robot", "--broker", broker.listen)
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as robot:
        assert robot.stdin is not None
        assert robot.stdout is not None
        robot.stdin.write(b"ready\n")
        robot.stdin.flush()
        wait_for(lambda: said(zchat, broker) == ["ready"], "the robot to speak", 4 * PATIENCE)
        zchat("send", "--nick", "bob", "hi robot", broker=broker)
        heard = b""
        while b"<bob> hi robot" not in heard:
            line = robot.stdout.readline()
            assert line, heard
            heard += line
        robot.stdin.close()
        assert robot.wait(PATIENCE) == 0


@pytest.mark.parametrize("line", ["/nick bob", "/search !!!", "/whois ghost"])
def test_what_is_refused_in_a_pipe_ends_with_1(join: Join, zchat: RunZchat, broker: Broker, line: str) -> None:
    join("bob")
    result = zchat("join", "--nick", "alice", input=f"{line}\nhello\n", broker=broker)
    assert (result.code, result.err != "") == (1, True)
    assert said(zchat, broker) == ["hello"]  # the others count
