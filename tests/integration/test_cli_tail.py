"""`zchat tail` and the questions: what is on the broker comes out whole, in order, and untouched."""

import json
import signal
import subprocess
from pathlib import Path

import pytest
import zmq

from tests.conftest import PATIENCE, ZCHAT, Broker, RunZchat, StartBroker, wait_for
from tests.integration.commands import events, following, texts
from zchat import SyncClient


@pytest.fixture
def talk(broker: Broker, zchat: RunZchat) -> Broker:
    """Return a broker on which 25 messages were said in two rooms."""
    assert zchat("send", "--nick", "alice", "-", input="".join(f"g{n}\n" for n in range(15)), broker=broker).code == 0
    assert (
        zchat(
            "send", "--nick", "bob", "-r", "dev", "-", input="".join(f"d{n}\n" for n in range(10)), broker=broker
        ).code
        == 0
    )
    return broker


STARTS: list[tuple[tuple[str, ...], list[str]]] = [
    ((), [f"g{n}" for n in range(5, 15)]),
    (("-n", "2"), ["g13", "g14"]),
    (("-n", "0"), []),
    (("-n", "16"), [f"g{n}" for n in range(15)]),  # a few more than there are
    (("-n", "5000"), [f"g{n}" for n in range(15)]),
    (("--all",), [f"g{n}" for n in range(15)]),
    (("--since", "1h", "-r", "dev"), [f"d{n}" for n in range(10)]),
    (("--since", "2999-01-01T00:00:00Z"), []),
    (("-n", "1", "-r", "dev", "-r", "general"), ["g14", "d9"]),
    (("-r", "nothing-was-said-here"), []),
    (("--all", "-r", "nothing-was-said-here"), []),
]


def test_tail_prints_from_where_it_is_told(talk: Broker, zchat: RunZchat) -> None:
    for args, expected in STARTS:
        result = zchat("tail", "--json", *args, broker=talk)
        assert (args, result.code, result.err) == (args, 0, "")
        assert (args, texts(result.out)) == (args, expected)


def test_tail_goes_on_after_a_seq(talk: Broker, zchat: RunZchat) -> None:
    lines = events(zchat("tail", "--all", "--json", broker=talk).out)
    rest = zchat("tail", "--after", str(lines[9]["seq"]), "--json", broker=talk)
    assert events(rest.out) == lines[10:]


def test_json_is_the_line_that_was_published(broker: Broker, zchat: RunZchat) -> None:
    with zmq.Context() as context, context.socket(zmq.SUB) as feed:
        feed.subscribe(b"room/general/")
        feed.connect(broker.publish)

        def published() -> list[bytes]:
            zchat("send", 'żółć "quoted" \\ \x1b', broker=broker)  # again until the subscription has arrived
            return feed.recv_multipart() if feed.poll(200) else []

        topic, payload = wait_for(published, "the feed")
    assert topic == b"room/general/"
    assert zchat("tail", "-n", "1", "--json", broker=broker).raw == payload.rstrip(b"\n") + b"\n"


def test_lines_for_people_have_no_escapes_in_a_pipe(broker: Broker, zchat: RunZchat) -> None:
    zchat("send", "--nick", "eve", "\x1b[2Jboo\u202e", broker=broker)
    result = zchat("tail", broker=broker)
    assert result.out.endswith(" <eve> \\x1b[2Jboo\\u202e\n")
    assert "\x1b" not in result.out


def test_json_has_no_character_in_it_that_acts_on_a_terminal(broker: Broker, zchat: RunZchat) -> None:
    text = "\x7f\x9b\x9d\u202e\u061c\U000e0041 é"
    zchat("send", text, broker=broker)
    zchat("join", "--nick", "alice", input=f"/topic {text}\n", broker=broker)
    for command, found in (
        (("tail", "-n", "2"), r'"text":"\u007f\u009b\u009d\u202e\u061c\udb40\udc41 é"'),
        (("history", "-n", "2"), r'"text":"\u007f\u009b\u009d\u202e\u061c\udb40\udc41 é"'),
        (("search", "é"), r'"text":"\u007f\u009b\u009d\u202e\u061c\udb40\udc41 é"'),
        (("rooms",), r'"topic":"\u007f\u009b\u009d\u202e\u061c\udb40\udc41 é"'),
    ):
        out = zchat(*command, "--json", broker=broker).out
        assert found in out
        assert not set(text[:-2]) & set(out)
        assert text in json.dumps([json.loads(line) for line in out.splitlines()], ensure_ascii=False)


def test_exclusive_starts_are_wrong_usage(zchat: RunZchat) -> None:
    result = zchat("tail", "--all", "--after", "3")
    assert result.code == 2
    assert "exclude each other" in result.err


@pytest.mark.parametrize(
    ("args", "explained"),
    [
        (("--secret", "s"), "say where to with --post"),
        (("--json", "--run", "cat"), "--run and --post do not print"),
        (("--reply",), "say which with --run"),
    ],
)
def test_an_option_that_would_do_nothing_is_wrong_usage(zchat: RunZchat, args: tuple[str, ...], explained: str) -> None:
    result = zchat("tail", *args)
    assert (result.code, result.out) == (2, "")
    assert explained in result.err


def test_a_closed_pipe_ends_it_quietly(talk: Broker, environment: dict[str, str]) -> None:
    command = f"{' '.join(ZCHAT)} tail --all --broker {talk.listen} | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0"
    assert done.stderr == ""


def test_a_full_disk_is_an_io_error(talk: Broker, environment: dict[str, str]) -> None:
    with Path("/dev/full").open("wb") as full:
        command = (*ZCHAT, "tail", "--broker", talk.listen)
        done = subprocess.run(command, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (74, "zchat: No space left on device.\n")


def test_following_a_pipe_that_is_closed_ends_with_the_next_message(
    talk: Broker, environment: dict[str, str], zchat: RunZchat
) -> None:
    command = (*ZCHAT, "tail", "-f", "-n1", "--broker", talk.listen)
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as tail:
        assert tail.stdout is not None
        assert tail.stderr is not None
        tail.stdout.readline()
        tail.stdout.close()
        wait_for(lambda: zchat("send", "x", broker=talk).code == 0 and tail.poll() is not None, "tail to end")
        assert tail.returncode == 0
        assert tail.stderr.read() == b""


def test_following_has_no_gap_when_the_broker_is_killed_again_and_again(
    start_broker: StartBroker, environment: dict[str, str], zchat: RunZchat, tmp_path: Path
) -> None:
    broker = start_broker("--rate", "0", "--heartbeat", "0.3")
    expected = [f"line {number}" for number in range(12_000)]
    seen = tmp_path / "seen"
    with following(environment, broker, seen, "--all", "--json") as tail:
        for round_ in range(4):
            part = expected[round_ * 3_000 : (round_ + 1) * 3_000]
            with subprocess.Popen(
                (*ZCHAT, "send", "--timeout", f"{4 * PATIENCE:g}", "--broker", broker.listen, "-"),
                env=environment,
                stdin=subprocess.PIPE,
            ) as sending:
                assert sending.stdin is not None
                sending.stdin.write("".join(f"{text}\n" for text in part).encode())
                broker.kill()
                broker.restart()
                sending.stdin.close()
                assert sending.wait(4 * PATIENCE) == 0
        wait_for(lambda: seen.read_bytes().count(b"\n") >= len(expected), "all lines", 4 * PATIENCE)
        assert tail.poll() is None
    assert texts(seen.read_text()) == expected
    assert seen.read_bytes() == zchat("tail", "--all", "--json", broker=broker).raw


def test_a_broker_that_goes_is_told_on_standard_error(
    start_broker: StartBroker, environment: dict[str, str], zchat: RunZchat, tmp_path: Path
) -> None:
    broker = start_broker("--heartbeat", "0.2")
    with following(environment, broker, tmp_path / "out") as tail:
        zchat("send", "one", broker=broker)
        wait_for(lambda: b"one" in (tmp_path / "out").read_bytes(), "the first message")
        broker.kill()
        broker.restart()
        zchat("send", "two", broker=broker)
        wait_for(lambda: b"two" in (tmp_path / "out").read_bytes(), "the second message")
        tail.send_signal(signal.SIGINT)
        assert tail.stderr is not None
        told = tail.stderr.read().decode()
    assert "The broker is gone" in told
    assert "Connected again" in told


def test_more_is_told_than_one_answer_holds(start_broker: StartBroker, zchat: RunZchat) -> None:
    broker = start_broker("--rate", "0")
    expected = [f"{number} {'x' * 3_000}" for number in range(500)]  # 1.5 MB: answers are cut at 256 KiB
    assert zchat("send", "-", input="\n".join(expected), broker=broker).code == 0
    assert texts(zchat("tail", "--all", "--json", broker=broker).out) == expected
    assert texts(zchat("tail", "-n", "400", "--json", broker=broker).out) == expected[-400:]


# -- questions -------------------------------------------------------------------------------------------------


def test_history_is_a_page(talk: Broker, zchat: RunZchat) -> None:
    result = zchat("history", "-n", "3", "--json", broker=talk)
    assert texts(result.out) == ["g12", "g13", "g14"]
    first = json.loads(result.out.splitlines()[0])["seq"]
    assert texts(zchat("history", "-n", "2", "--before", str(first), "--json", broker=talk).out) == ["g10", "g11"]
    assert f"there is more: raise --limit, or go on with --before {first}." in result.err
    result = zchat("history", "-n", "1", "--after", str(first), "--json", broker=talk)
    assert texts(result.out) == ["g13"]
    assert f"or go on with --after {json.loads(result.out)['seq']}." in result.err
    assert zchat("history", "-n", "1", broker=talk).out.endswith(" <alice> g14\n")


def test_search_finds_words_in_all_rooms(talk: Broker, zchat: RunZchat) -> None:
    assert texts(zchat("search", "g7", "--json", broker=talk).out) == ["g7"]
    assert zchat("search", "d7", broker=talk).out.endswith(" #dev <bob> d7\n")
    assert zchat("search", "d7", "--room", "general", broker=talk).out == ""
    nothing = zchat("search", "d7", "--from", "alice", broker=talk)
    assert (nothing.code, nothing.out, nothing.err) == (0, "", "zchat: nothing was found.\n")


def test_who_and_rooms_and_status_answer(talk: Broker, zchat: RunZchat, environment: dict[str, str]) -> None:
    with subprocess.Popen(
        (*ZCHAT, "join", "--nick", "alice", "--broker", talk.listen),
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as alice:
        wait_for(lambda: "alice" in zchat("who", broker=talk).out, "alice to be there")
        assert zchat("who", broker=talk).out == "alice (guest)  #general\n"
        nobody = zchat("who", "--room", "dev", broker=talk)
        assert (nobody.out, nobody.err) == ("", "zchat: nothing was found.\n")
        assert json.loads(zchat("who", "alice", "--json", broker=talk).out)["members"][0]["nick"] == "alice"
        assert zchat("rooms", broker=talk).out.splitlines() == ["#dev      0", "#general  1"]
        rooms = json.loads(zchat("rooms", "--json", broker=talk).out)
        assert {room["room"]: room["members"] for room in rooms["rooms"]} == {"dev": 0, "general": 1}
        assert alice.stdin is not None
        alice.stdin.close()
        assert alice.wait(30) == 0
    status = json.loads(zchat("status", "--json", broker=talk).out)
    assert status["type"] == "status"
    assert status["head"] == 25
    shown = zchat("status", broker=talk).out
    assert "uptime" in shown
    assert "messages/s" in shown


def test_no_broker_is_told_by_every_question(zchat: RunZchat, tmp_path: Path) -> None:
    for question in (("history",), ("search", "x"), ("who",), ("rooms",), ("status",), ("tail",)):
        result = zchat(*question, "--broker", f"ipc://{tmp_path}/nobody", "--timeout", "0.2")
        assert (result.code, result.out) == (69, "")
        assert "No broker answers" in result.err


# -- backup ----------------------------------------------------------------------------------------------------


def test_a_backup_of_a_running_broker_can_be_started(
    talk: Broker, zchat: RunZchat, start_broker: StartBroker, tmp_path: Path
) -> None:
    before = zchat("tail", "--all", "--json", broker=talk).raw
    copy = tmp_path / "restored" / "log.db"
    copy.parent.mkdir()
    result = zchat("backup", "--data", str(talk.data), str(copy))
    assert (result.code, result.out) == (0, "")
    assert str(copy) in result.err
    again = zchat("backup", "--data", str(talk.data), str(copy))
    assert again.code == 2
    assert "exists already" in again.err
    restored = start_broker("--data", str(copy.parent))
    assert zchat("tail", "--all", "--json", broker=restored).raw == before


def test_a_backup_to_where_none_can_be_blames_the_file_and_no_stranger_reads_one(
    talk: Broker, zchat: RunZchat, tmp_path: Path
) -> None:
    result = zchat("backup", "--data", str(talk.data), str(tmp_path / "nowhere" / "copy.db"))
    assert result.code == 74
    assert f"{tmp_path / 'nowhere'} cannot be used" in result.err.replace("\n", " ")
    assert "another FILE" in result.err
    assert zchat("backup", "--data", str(talk.data), str(tmp_path / "copy.db")).code == 0
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600


def test_a_backup_of_no_log_is_an_error(zchat: RunZchat, tmp_path: Path) -> None:
    result = zchat("backup", "--data", str(tmp_path / "nothing"), str(tmp_path / "copy"))
    assert result.code == 74
    assert not (tmp_path / "copy").exists()


def test_tail_tells_what_an_answer_a_reaction_and_a_pin_are_about(broker: Broker, zchat: RunZchat) -> None:
    with SyncClient("bob", broker.listen) as bob:
        root = bob.say("shall we ship it?", room="general").seq or 0
        bob.say("I think so", room="general", reply_to=root)
        bob.messages.react(root, "👍")
        bob.messages.pin(root)
        bob.say("to nobody kept", room="ops", reply_to=bob.say("what?", room="ops").seq)
    told = zchat("tail", "--all", broker=broker).out
    assert "<bob> [answers bob: shall we ship it?]\n" in told
    assert f"* bob reacted with 👍 to {root} (bob: shall we ship it?)" in told
    assert f"* bob pinned {root} (bob: shall we ship it?)" in told
    assert "↪" not in told
    only = zchat("tail", "--all", "--match", "think", broker=broker).out
    assert only.splitlines()[0].endswith("<bob> [answers bob: shall we ship it?]"), "also of what is left out"
    assert "I think so" in only.splitlines()[1]
    later = zchat("tail", "--after", str(root), "-r", "general", broker=broker).out
    assert "<bob> [answers bob: shall we ship it?]" in later, "though it was said before"
    page = zchat("history", "--after", str(root), "-r", "general", broker=broker).out
    assert "<bob> [answers bob: shall we ship it?]" in page
    found = zchat("search", "think", broker=broker).out
    assert "<bob> [answers bob: shall we ship it?]" in found
