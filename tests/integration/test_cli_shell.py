"""Chat in a shell line: what is printed, what a command is run for, how it answers, and what a bad one costs."""

import functools
import os
import signal
from pathlib import Path

import pytest

from tests.conftest import Broker, RunZchat, wait_for
from tests.integration.commands import following, messages, texts

TALK = (("alice", "deploy web"), ("bob", "Alice: done"), ("alice", "malice"), ("bob", "deploy db, @alice"))


@pytest.fixture
def talk(broker: Broker, zchat: RunZchat) -> Broker:
    for nick, text in TALK:
        assert zchat("send", "--nick", nick, text, broker=broker).code == 0
    return broker


FILTERS: tuple[tuple[tuple[str, ...], list[int]], ...] = (
    (("--match", "^deploy"), [0, 3]),
    (("--from", "ALICE"), [0, 2]),
    (("--mentions", "--nick", "alice"), [1, 3]),
    (("--mentions", "--nick", "alice", "--match", "deploy", "--from", "bob"), [3]),
    (("--match", "nothing"), []),
)


def test_filters_take_what_is_meant(talk: Broker, zchat: RunZchat) -> None:
    for args, expected in FILTERS:
        result = zchat("tail", "--json", *args, broker=talk)
        assert (result.code, texts(result.out)) == (0, [TALK[place][1] for place in expected]), args
    assert len(zchat("tail", "--all", "--from", "bob", broker=talk).out.splitlines()) == 2


def test_a_pattern_that_is_none_is_wrong_usage(zchat: RunZchat) -> None:
    result = zchat("tail", "--match", "(")
    assert result.code == 2
    assert "no regular expression" in result.err
    assert zchat("tail", "--reply").code == 2


def test_a_command_gets_the_text_and_what_is_known_of_it(talk: Broker, zchat: RunZchat) -> None:
    show = 'printf "%s|" "$ZCHAT_SEQ" "$ZCHAT_ROOM" "$ZCHAT_SENDER" "$ZCHAT_KIND"; cat'
    result = zchat("tail", "--from", "bob", "--run", show, broker=talk)
    assert (result.code, result.out) == (
        0,
        "2|general|bob|message|Alice: done\n4|general|bob|message|deploy db, @alice\n",
    )


def test_a_command_is_not_told_what_was_meant_for_tail(talk: Broker, zchat: RunZchat) -> None:
    ours = {"ZCHAT_TO": "bob", "ZCHAT_REPLY_TO": "7", "ZCHAT_ONCE": "k", "ZCHAT_JSON": "1", "ZCHAT_FEED": talk.publish}
    ours["ZCHAT_SECRET"] = "s3cret"
    show = "env | grep ^ZCHAT_ | cut -d= -f1 | sort | tr '\n' ' '"
    result = zchat("tail", "-n", "1", "--run", show, broker=talk, env=ours)
    told = "BROKER DATA FEED KIND LOG_DIR ROOM SENDER SENDER_ID SEQ TIME"
    expected = {f"ZCHAT_{name}" for name in told.split()}
    assert set(result.out.split()) - {"ZCHAT_DATA", "ZCHAT_LOG_DIR"} == expected - {"ZCHAT_DATA", "ZCHAT_LOG_DIR"}


def test_what_somebody_wrote_is_never_read_by_the_shell(broker: Broker, zchat: RunZchat, tmp_path: Path) -> None:
    zchat("send", f"$(touch {tmp_path}/pwned); `touch {tmp_path}/pwned`", broker=broker)
    assert "$(touch" in zchat("tail", "--run", "cat", broker=broker).out
    assert not (tmp_path / "pwned").exists()


def test_a_command_that_fails_hangs_or_is_killed_is_told_and_the_next_one_runs(talk: Broker, zchat: RunZchat) -> None:
    command = "case $ZCHAT_SEQ in 1) exit 3;; 2) sleep 60 & wait;; 3) kill -9 $$;; *) cat;; esac"
    result = zchat("tail", "--run", command, "--timeout", "4", broker=talk)
    assert (result.code, result.out) == (0, "deploy db, @alice\n")
    assert [line.split("message ")[1] for line in result.err.splitlines()] == [
        "1 failed with 3",
        "2 was still running after 4 s and was killed",
        "3 was killed by signal 9",
    ]


def test_the_output_is_sent_back_as_a_reply_and_two_that_reply_never_answer_each_other(
    broker: Broker, zchat: RunZchat, environment: dict[str, str], tmp_path: Path
) -> None:
    def answered(count: int) -> bool:
        return len(messages(zchat, broker)) >= count

    def both() -> bool:
        seen = zchat("who", broker=broker).out
        return "upper" in seen and "again" in seen

    upper = ("--nick", "upper", "--run", "tr a-z A-Z", "--reply")
    again = ("--nick", "again", "--run", "sed s/^/again:/; exit 1", "--reply")
    with (
        following(environment, broker, tmp_path / "1", *upper),
        following(environment, broker, tmp_path / "2", *again),
    ):
        wait_for(both, "both to be there")
        for number, text in enumerate(("hello", "there"), 1):
            zchat("send", "--nick", "alice", text, broker=broker)
            wait_for(functools.partial(answered, 3 * number), "two answers")
    found = messages(zchat, broker)
    assert sorted(each["text"] for each in found) == [
        "HELLO",
        "THERE",
        "again:hello",
        "again:there",
        "hello",
        "there",
    ]
    assert {each.get("reply_to") for each in found if each["nick"] != "alice"} == {
        each["seq"] for each in found if each["nick"] == "alice"
    }


def test_a_command_ends_with_the_tail_that_runs_it(
    broker: Broker, zchat: RunZchat, environment: dict[str, str], tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    zchat("send", "go", broker=broker)
    with following(
        environment, broker, tmp_path / "out", "--run", f"echo $$ > {pid}.new; mv {pid}.new {pid}; sleep 60"
    ):
        wait_for(pid.exists, "the command to run")
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), signal.SIGCONT)


def test_as_one_sends_all_of_standard_input_as_one_message(broker: Broker, zchat: RunZchat) -> None:
    assert zchat("send", "--as-one", "-", input="one\n\n  two\n\n", broker=broker).code == 0
    assert texts(zchat("tail", "--json", broker=broker).out) == ["one\n\n  two"]
    assert zchat("send", "--as-one", input="", broker=broker).code == 0
    result = zchat("send", "--as-one", "-", input="x" * 20_000, broker=broker)
    assert (result.code, "longer than 16384 bytes" in result.err) == (1, True)
    result = zchat("send", "--as-one", "-", input=b"\xff", broker=broker)
    assert (result.code, "not UTF-8" in result.err) == (1, True)
    assert zchat("send", "--as-one", "text", broker=broker).code == 2
    for _ in range(2):
        assert zchat("send", "--as-one", "--once", "k", "-", input="a\nb", broker=broker).code == 0
    assert texts(zchat("tail", "--json", broker=broker).out) == ["one\n\n  two", "a\nb"]


def test_a_line_made_to_keep_a_pattern_busy_costs_a_tail_only_that_line(broker: Broker, zchat: RunZchat) -> None:
    zchat("send", "--nick", "eve", "a" * 60 + "!", broker=broker)
    zchat("send", "--nick", "alice", "aaa", broker=broker)
    result = zchat("tail", "--match", "(a|aa)+$", "--json", broker=broker)
    assert texts(result.out) == ["aaa"]
    assert "counts as not matching" in result.err
