"""What is shown of a talk in one room and in many, and the commands for it: in terminals of 80 and of 40 columns."""

import asyncio
import json
import re
import signal
from pathlib import Path

import pytest

from tests.conftest import ZCHAT, Broker, RunZchat, StartBroker
from tests.integration.raw import Net
from tests.integration.terminal import Join, Terminal
from zchat import ChatClient, SyncClient

widths = pytest.mark.parametrize("columns", [80, 40])


# -- lines -----------------------------------------------------------------------------------------------------


@widths
def test_a_mention_rings_and_stands_out_and_the_bell_can_be_set(
    join: Join, zchat: RunZchat, broker: Broker, columns: int
) -> None:
    alice = join("alice", columns=columns)
    zchat("send", "--nick", "bob", "nothing for you, malice", broker=broker)
    alice.see("malice")
    assert b"\a" not in alice.raw
    zchat("send", "--nick", "bob", "hey Alice!", broker=broker)
    alice.see("hey Alice!")
    alice.wait(lambda: b"\a" in alice.raw, "the bell")
    assert b"\x1b[7mAlice" in alice.raw or b"\x1b[1m\x1b[7mAlice" in alice.raw
    alice.enter("/bell off")
    alice.see("The bell is: off.")
    rung = alice.raw.count(b"\a")
    zchat("send", "--nick", "bob", "alice again", broker=broker)
    alice.see("alice again")
    assert alice.raw.count(b"\a") == rung


def test_a_mention_is_notified_only_while_the_terminal_has_no_focus(
    join: Join, zchat: RunZchat, broker: Broker
) -> None:
    alice = join("alice")
    assert b"\x1b[?1004h" in alice.raw
    zchat("send", "--nick", "bob", "alice, one", broker=broker)
    alice.see("alice, one")
    assert b"\x1b]9;" not in alice.raw
    alice.type("\x1b[O")
    alice.type("x")
    alice.see_last("alice #general › x")
    zchat("send", "--nick", "bob", "alice, \x1b]0;two", broker=broker)
    alice.see("── new ──")
    alice.wait(lambda: b"\x1b]9;zchat: bob: alice, \\x1b]0;two\x1b\\" in alice.raw, "the notification")


def test_the_place_where_one_left_off_is_marked_in_the_next_run(join: Join, zchat: RunZchat, broker: Broker) -> None:
    alice = join("alice")
    zchat("send", "--nick", "bob", "seen", broker=broker)
    alice.see("<bob> seen")
    alice.leave()
    zchat("send", "--nick", "bob", "not seen", broker=broker)
    again = join("alice")
    again.see("<bob> not seen")
    lines = [line for line in again.lines if "bob" in line or "new" in line]
    assert [line[6:] if "<" in line else line for line in lines] == ["<bob> seen", "── new ──", "<bob> not seen"]
    again.leave()
    third = join("alice")
    third.see("<bob> not seen")
    assert "── new ──" not in third.text


LEFT = {"exit": 0, "Ctrl-C": 130, "SIGTERM": 128 + signal.SIGTERM, "SIGHUP": 128 + signal.SIGHUP}


def leave(terminal: Terminal, how: str) -> int:
    """End a prompt, and return its exit code."""
    if how.startswith("SIG"):
        terminal.child.kill(signal.Signals[how])
    elif how == "Ctrl-C":
        terminal.type("\x03")
        terminal.see("Leave? [y/N]")
        terminal.type("\x03")
    else:
        terminal.enter("exit")
    return terminal.ends()


@pytest.mark.parametrize("how", ["exit", "Ctrl-C", "SIGTERM", "SIGHUP"])
def test_what_was_read_just_before_one_left_is_read_on_ones_other_devices(
    how: str, start_broker: StartBroker, environment: dict[str, str], tmp_path: Path
) -> None:
    broker = start_broker(listen=f"ipc://{tmp_path}/b", publish=f"ipc://{tmp_path}/f")
    with SyncClient("alice", broker.listen, device="phone") as phone:
        env = environment | {"ZCHAT_BROKER": broker.listen}
        with Terminal("join", "--device", "laptop", env=env) as laptop:
            laptop.see("alice #")
            seq = phone.say("seen", room="general").seq
            laptop.see("<alice> seen")
            assert leave(laptop, how) == LEFT[how]

        async def marks() -> object:
            async with ChatClient(None, broker.listen, device="tablet") as tablet:
                return tablet.welcome and tablet.welcome.read

        assert asyncio.run(marks()) == {"general": seq}


def test_who_is_killed_has_read_what_they_read(
    join: Join, zchat: RunZchat, broker: Broker, environment: dict[str, str]
) -> None:
    alice = join("alice")
    zchat("send", "--nick", "bob", "seen", broker=broker)
    alice.see("<bob> seen")
    markers = Path(environment["ZCHAT_DATA"]) / "seen"
    alice.wait(lambda: any('"#general":1' in file.read_text() for file in markers.glob("*.json")), "the marker")
    alice.child.kill(signal.SIGKILL)
    alice.ends()
    zchat("send", "--nick", "bob", "not seen", broker=broker)
    again = join("alice")
    again.see("<bob> not seen")
    lines = [line for line in again.lines if "bob" in line or "new" in line]
    assert [line[6:] if "<" in line else line for line in lines] == ["<bob> seen", "── new ──", "<bob> not seen"]


def test_joins_and_parts_are_folded_and_shown_for_those_who_spoke(join: Join, broker: Broker) -> None:
    alice = join("alice")
    net = Net(broker.listen, broker.publish)
    try:
        bob, carol = net.session("bob", "general"), net.session("carol", "general")
        net.session("lurker", "general")
        alice.see("4 here")
        for peer in (bob, carol):
            peer.say("hi", room="general")
        alice.see("<carol> hi")
        assert "joined" not in alice.text
        alice.child.kill(signal.SIGSTOP)  # what comes in one moment is one line: a busy machine makes two of it
        net.leave()
    finally:
        alice.child.kill(signal.SIGCONT)
        net.close()
    said = alice.see(" left (bye)")
    assert "← bob, carol left" in said or "← carol, bob left" in said, "in one line, whoever was faster"
    assert "lurker" not in said


# -- many rooms ------------------------------------------------------------------------------------------------


@widths
def test_news_elsewhere_are_counted_and_alt_keys_lead_there(
    join: Join, zchat: RunZchat, broker: Broker, columns: int
) -> None:
    alice = join("alice", columns=columns)
    alice.enter("/join #ops,#lab")
    alice.see_last("alice #ops ›")
    for _ in range(2):
        zchat("send", "--nick", "bob", "--room", "lab", "in the lab", broker=broker)
    alice.see("#lab 2")
    assert "in the lab" not in alice.text
    alice.turn("alice #lab ›")
    alice.wait(lambda: alice.text.count("<bob> in the lab") == 2, "both")
    alice.wait(lambda: "#lab 2" not in alice.text.replace("#lab 2 here", ""), "the count to go")
    alice.turn("alice #general ›", "\x1b1")
    zchat("send", "--nick", "bob", "--room", "ops", "alice: look at ops", broker=broker)
    alice.see("#ops <bob> alice: look at ops")
    zchat("send", "--nick", "bob", "--room", "lab", "also new", broker=broker)
    alice.see("#lab 1")
    alice.see("#ops 1")
    alice.turn("alice #ops ›")
    alice.turn("alice #lab ›")


@widths
def test_a_query_is_a_place_of_its_own(join: Join, columns: int) -> None:
    alice, bob = join("alice", columns=columns), join("bob")
    alice.enter("/query bob")
    alice.see_last("alice @bob ›")
    alice.enter("psst")
    bob.see("<alice → bob> psst")
    bob.see("@alice 1")
    bob.turn("bob @alice ›")
    bob.enter("yes?")
    alice.see("<bob → alice> yes?")
    alice.enter("/join general")
    alice.see_last("alice #general ›")


def test_what_one_read_is_no_news_under_another_nick(join: Join) -> None:
    alice, bob = join("alice"), join("bob")
    bob.enter("/msg alice psst")
    alice.see("<bob → alice> psst")
    alice.turn("alice @bob ›")
    alice.leave()
    bob.enter("/nick robert")
    bob.see_last("robert #general ›")
    alice = join("alice")
    bob.enter("/msg alice more")
    alice.see("@robert 1")
    alice.turn("alice @robert ›")
    assert "psst" not in alice.see("── new ──").partition("── new ──")[2]


def test_what_was_said_to_one_who_was_killed_is_news_when_they_are_back(join: Join) -> None:
    alice, bob = join("alice"), join("bob")
    bob.enter("/msg alice are you there?")
    bob.see("<bob → alice> are you there?")
    bob.child.kill(signal.SIGKILL)
    bob.ends()
    alice.enter("/msg bob while you were dead")  # within the grace he has left, he is here
    alice.see("<alice → bob> while you were dead")
    bob = join("bob")
    bob.see("@alice 1")
    assert "while you were dead" not in bob.text
    bob.turn("bob @alice ›")
    assert "── new ──\n" in bob.see("<alice → bob> while you were dead")
    bob.leave()
    bob = join("bob")
    bob.enter("/query alice")
    bob.see_last("bob @alice ›")
    bob.see("Only alice hears")
    assert bob.text.index("are you there?") < bob.text.index("while you were dead") < bob.text.index("Only alice hears")
    assert "new ──" not in bob.text
    assert "@alice 1" not in bob.text


def test_a_conversation_with_nobody_is_not_opened(join: Join) -> None:
    alice = join("alice")
    alice.enter("/query nobody")
    alice.see("nobody here is called 'nobody'")
    alice.see_last("alice #general ›")
    alice.type("/query no\t!")
    alice.see_last("alice #general › /query no!")


def test_a_reply_quotes_what_it_answers(join: Join, zchat: RunZchat, broker: Broker) -> None:
    alice = join("alice")
    zchat("send", "--nick", "bob", "shall we?\nreally?", broker=broker)
    alice.see("really?")
    alice.enter("hm")
    alice.see("<alice> hm")
    alice.type("/reply \t")
    alice.see("alice: hm")
    alice.see("bob: shall we? …")
    alice.type("1 yes, let us\r")
    alice.see("<alice> ↪ bob: shall we? …\n        yes, let us")
    alice.enter("/clear")
    alice.enter("/history 10")
    alice.see("<alice> ↪ bob: shall we? …\n")


def test_a_search_leads_to_what_was_said_around(join: Join, zchat: RunZchat, broker: Broker) -> None:
    lines = "".join(f"number {n}.\n" for n in range(60)) + "the needle is here\n" + "after it\n" * 3
    zchat("send", "--room", "hay", "-", input=lines, broker=broker)
    alice = join("alice")
    alice.enter("/search needle")
    alice.see("#hay")
    (jump,) = re.findall(r"/jump (\d+) shows", alice.see("shows what was said around it."))
    alice.enter(f"/jump {jump}")
    alice.wait(lambda: alice.text.count("after it") == 3, "all that was said after it")
    assert "number 59." in alice.text
    assert "number 54." not in alice.text


def test_page_up_shows_older_history_down_to_the_beginning(join: Join, zchat: RunZchat, broker: Broker) -> None:
    zchat("send", "-", input="".join(f"old {n}.\n" for n in range(50)), broker=broker)
    alice = join("alice")
    alice.see("old 49.")
    for page in ("old 10.", "old 0."):
        assert page not in alice.text
        alice.type("\x1b[5~")
        alice.see(page)
    alice.type("\x1b[5~")
    alice.see("This is where it begins.")
    numbers = [int(n) for n in re.findall(r"old (\d+)\.", alice.text)]
    assert sorted(numbers) == list(range(50))


def test_page_up_goes_on_from_what_was_shown_when_one_turned_to_a_room(
    start_broker: StartBroker, environment: dict[str, str], zchat: RunZchat
) -> None:
    broker = start_broker("--rate", "0")
    with Terminal("join", "--nick", "alice", env=environment | {"ZCHAT_BROKER": broker.listen}) as alice:
        alice.enter("/join #ops,general")
        alice.see("You are in #general")
        alice.enter("/join ops")
        alice.see_last("alice #ops ›")
        alice.enter("/join general")
        alice.see_last("alice #general ›")
        zchat("send", "--room", "ops", "-", input="".join(f"old {n}.\n" for n in range(100)), broker=broker)
        alice.see("#ops 100")
        alice.type("\x1ba")
        alice.see("old 99.")
        assert "60 more; /history shows them" in alice.text
        assert "old 59." not in alice.text
        alice.type("\x1b[5~")
        alice.see("old 59.")
        alice.see("old 40.")


def test_what_was_missed_without_a_connection_is_counted_when_it_is_more_than_one_can_read(
    start_broker: StartBroker, environment: dict[str, str], zchat: RunZchat
) -> None:
    broker = start_broker("--rate", "0", "--heartbeat", "0.2")
    with Terminal("join", "--nick", "alice", env=environment | {"ZCHAT_BROKER": broker.listen}) as alice:
        alice.see("alice #general ›")
        alice.child.kill(signal.SIGSTOP)
        zchat("send", "-", input="".join(f"old {n}.\n" for n in range(3_000)), broker=broker)
        alice.child.kill(signal.SIGCONT)
        alice.see("lines skipped; /history shows all")
        alice.see("old 2999.")
        assert alice.text.count("old ") < 1_000


def test_history_goes_back_by_time(join: Join, zchat: RunZchat, broker: Broker) -> None:
    zchat("send", "-", input="".join(f"old {n}.\n" for n in range(40)), broker=broker)
    alice = join("alice")
    alice.see("old 39.")
    assert "old 5." not in alice.text
    alice.enter("/history 1h")
    alice.see("old 5.")


# -- commands --------------------------------------------------------------------------------------------------


def test_what_is_set_is_kept_and_a_broken_file_keeps_nobody_out(join: Join, environment: dict[str, str]) -> None:
    alice = join("alice")
    alice.enter("/highlight deploy")
    alice.see("These words mention you: deploy.")
    alice.enter("/set joins none")
    alice.see("joins is none")
    alice.leave()
    (kept,) = Path(environment["HOME"]).rglob("preferences.toml")
    assert 'joins = "none"' in kept.read_text()
    kept.write_text("joins = [")
    again = join("alice")
    again.see("is not used")
    again.enter("/set joins all")
    again.see("joins is all")
    assert kept.with_name("preferences.toml.unread").read_text() == "joins = ["


def test_whom_one_ignores_is_not_seen(join: Join, zchat: RunZchat, broker: Broker) -> None:
    alice = join("alice")
    alice.enter("/ignore Bob")
    alice.see("You ignore: Bob.")
    zchat("send", "--nick", "bob", "you cannot see me", broker=broker)
    zchat("send", "--nick", "carol", "me you can", broker=broker)
    alice.see("me you can")
    assert "you cannot see me" not in alice.text


def test_whois_tells_who_somebody_is(join: Join) -> None:
    alice, _ = join("alice"), join("bob", "--room", "dev")
    alice.enter("/whois bob")
    assert "rooms  #dev" in alice.see("id ")
    alice.enter("/whois carol")
    alice.see("Nobody is called carol")


def test_all_of_a_room_is_exported_page_by_page_to_a_new_file(
    start_broker: StartBroker, environment: dict[str, str], zchat: RunZchat, tmp_path: Path
) -> None:
    broker = start_broker("--rate", "0")
    zchat("send", "-", input="".join(f"old {n}.\n" for n in range(2_500)), broker=broker, timeout=60)
    variables = environment | {"ZCHAT_BROKER": broker.listen}
    with Terminal("join", "--nick", "alice", env=variables, columns=250) as alice:  # as long as a path may be
        alice.see("alice #general")
        alice.enter(f"/export {tmp_path}/talk.txt")
        alice.see("Wrote 2,500 messages to")
        shown = (tmp_path / "talk.txt").read_text().splitlines()
        assert [line.rpartition("> ")[2] for line in shown] == [f"old {n}." for n in range(2_500)]
        alice.enter(f"/export {tmp_path}/talk.txt")
        alice.see("there already: choose")
        alice.enter(f"/export {tmp_path}/talk.json")
        alice.wait(lambda: alice.text.count("Wrote 2,500 messages to") == 2, "the second export")
    lines = zchat("tail", "--all", "--json", broker=broker).out
    assert (tmp_path / "talk.json").read_text() == lines


def test_an_export_as_json_has_no_character_in_it_that_acts_on_a_terminal(
    broker: Broker, zchat: RunZchat, tmp_path: Path
) -> None:
    zchat("send", "\x9b2J\u202e\U000e0041", broker=broker)
    zchat("join", "--nick", "alice", input=f"/export {tmp_path}/talk.json\n", broker=broker)
    line = (tmp_path / "talk.json").read_text()
    assert r'"text":"\u009b2J\u202e\udb40\udc41"' in line
    assert json.loads(line)["text"] == "\x9b2J\u202e\U000e0041"


def test_clear_empties_the_screen(join: Join) -> None:
    alice = join("alice")
    alice.enter("some words")
    alice.see("<alice> some words")
    alice.enter("/clear")
    alice.wait(lambda: "some words" not in "\n".join(alice.lines[-24:]), "an empty screen")
    alice.see_last("alice #general ›")


def test_a_line_half_typed_stays_in_the_place_it_was_typed_in(join: Join) -> None:
    join("bob")
    alice = join("alice", "--room", "general", "--room", "dev")
    alice.see_last("alice #general ›")
    alice.type("password for bob is hunter2")
    alice.see_last("alice #general › password for bob is hunter2")
    alice.turn("alice #dev ›", "\x1b1")
    alice.type("half of this")
    alice.see_last("alice #dev › half of this")
    alice.turn("alice #general › password for bob is hunter2", "\x1b2")
    alice.type("\x03")  # drops it
    alice.see_last("alice #general ›")
    alice.enter("/join dev")
    alice.see_last("alice #dev › half of this")
    alice.turn("alice #general ›", "\x1b2")
    alice.leave()
    again = join("alice")
    again.type("\x1b[A")
    again.see_last("alice #general › half of this")  # what was not sent is in the history


def test_a_text_that_is_refused_does_not_bury_why(join: Join) -> None:
    alice = join("alice")
    alice.type("\x1b[200~" + "x" * 70_000 + "\x1b[201~")
    alice.enter()
    alice.see("Not sent: A text has at most", 20)
    shown = alice.text
    assert "… (70,000 characters)" in shown
    assert shown.index("✗ xxx") < shown.index("Not sent: A text has at most")
    assert shown.count("x" * 79) < 8
    alice.enter("/reply 99 foo")
    alice.see("Not sent: There is no message 99")
    alice.enter("/jump 9999")
    alice.see("There is no message 9999 here.")


def test_stopped_by_ctrl_z_it_leaves_the_terminal_as_it_was(broker: Broker, environment: dict[str, str]) -> None:
    env = environment | {"ZCHAT_BROKER": broker.listen, "TERM": "xterm-256color", "PS1": "shell$ "}
    command = " ".join([*ZCHAT, "join", "--nick", "alice"])
    with Terminal("--norc", "--noprofile", "-i", command=["bash"], env=env) as shell:
        shell.see("shell$")
        shell.enter(command)
        shell.see("alice #general ›")
        shell.type("\x1a")
        shell.see("Stopped")
        modes = (b"\x1b[?1004", b"\x1b[?2004")
        stopped = {mode: shell.raw[: shell.raw.index(b"Stopped")].rpartition(mode)[2][:1] for mode in modes}
        assert stopped == dict.fromkeys(modes, b"l")
        before = len(shell.raw)
        shell.enter("fg")
        shell.wait(lambda: b"\x1b[?1004h" in shell.raw[before:], "the focus to be reported again")
        shell.enter("exit")
        shell.wait(lambda: b"Goodbye" in shell.raw[before:], "it to go on")
