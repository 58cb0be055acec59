"""What a shell does to messages that were said before: edit, delete, react, pin, and what a tail tells of it."""

import json
from collections.abc import Callable

import pytest

from tests.conftest import Broker, RunZchat
from tests.integration.commands import events
from zchat import SyncClient


def test_a_guest_changes_what_it_has_said_and_reacts_to_what_others_have(broker: Broker, zchat: RunZchat) -> None:
    def run(*args: str, nick: str = "alice") -> str:
        done = zchat(*args, "--nick", nick, "--broker", broker.listen)
        assert done.code == 0, done.err
        return done.err

    run("send", "--once", "a", "tommorow at ten")
    run("send", "--once", "b", "oops")
    first, second = [json.loads(line)["seq"] for line in zchat("history", "--json", broker=broker).out.splitlines()]
    assert run("edit", f"{first}", "tomorrow at ten") == f"zchat: {first} has another text.\n"
    assert run("delete", f"{second}", "said", "by", "mistake") == f"zchat: {second} is deleted.\n"
    assert run("react", f"{first}", "👍", nick="bob") == f"zchat: 👍 to {first}.\n"
    assert run("react", f"{first}", "👍", nick="bob") == f"zchat: You had reacted with 👍 to {first}.\n"
    assert run("react", f"{first}", "👍", "--off", nick="bob") == f"zchat: 👍 taken off {first}.\n"
    assert run("pin", f"{first}", nick="bob") == f"zchat: {first} is pinned.\n"
    assert run("pin", f"{first}", "--off") == f"zchat: {first} is not pinned.\n"
    refused = zchat("edit", f"{first}", "mine", "--nick", "bob", broker=broker)
    assert refused.code == 1
    assert "forbidden" in refused.err
    missing = zchat("edit", f"{second}", "back", "--nick", "alice", broker=broker)
    assert (missing.code, f"there is no message {second}" in missing.err) == (1, True)
    told = [json.loads(line) for line in zchat("tail", "--all", "--json", broker=broker).out.splitlines()]
    kinds = ["message", "tombstone", "edit", "delete", "reaction", "reaction", "pin", "pin"]
    assert [one["type"] for one in told] == kinds
    assert "oops" not in str(told)
    lines = zchat("tail", "--all", broker=broker).out.splitlines()
    assert any("alice" in line and "tomorrow at ten" in line and f"{first}" in line for line in lines), lines
    assert any("bob" in line and "pinned" in line for line in lines), "a line for whatever is done to a message"
    only = zchat("tail", "--all", "--match", "ten", broker=broker).out.splitlines()
    assert len(only) == 1, "a filter is about messages, as ever"


def test_the_ack_is_what_a_script_gets(broker: Broker, zchat: RunZchat) -> None:
    zchat("send", "x", "--nick", "alice", broker=broker)
    (seq,) = [json.loads(line)["seq"] for line in zchat("history", "--json", broker=broker).out.splitlines()]
    done = zchat("react", f"{seq}", "🎉", "--json", "--nick", "bob", broker=broker)
    assert json.loads(done.out)["type"] == "ack"
    assert zchat("pin", "zero", broker=broker).code == 2
    misspelt = zchat("react", f"{seq}", ":tad:", broker=broker)
    assert (misspelt.code, "as in :tada:" in misspelt.err, "Tab" in misspelt.err) == (2, True, False), misspelt.err


@pytest.fixture
def run(broker: Broker, zchat: RunZchat) -> Callable[..., str]:
    """Run a command that succeeds, and return its output."""

    def run(*args: str, nick: str | None = None) -> str:
        done = zchat(*args, *(("--nick", nick) if nick else ()), broker=broker)
        assert done.code == 0, done.err
        return done.out

    return run


def said(run: Callable[..., str], text: str, *args: str, nick: str = "alice") -> str:
    """Say something and return its number."""
    run("send", "--once", text, text, *args, nick=nick)
    return str(events(run("history", "-n", "1", "--kinds", "message", "--json"))[0]["seq"])


def test_history_tells_messages_as_they_are_now_a_thread_and_pins(
    run: Callable[..., str], broker: Broker, zchat: RunZchat
) -> None:
    root = said(run, "tommorow at ten")
    other = said(run, "something else")
    with SyncClient("bob", broker.listen) as bob:
        bob.say("fine\nwith me", room="general", reply_to=int(root))
    run("edit", root, "tomorrow at ten", nick="alice")
    run("react", root, "👍", nick="bob")
    run("pin", root, nick="alice")
    run("pin", other, nick="alice")
    run("pin", other, "--off", nick="alice")
    now = [line.partition(" <")[2] for line in run("history", "--current").splitlines()]
    assert run("history", "--current").startswith(f"{root} 2"), "the number, for edit, and then the date"
    assert now[0] == "alice> tomorrow at ten (edited, pinned)"
    assert run("history", "--current").splitlines()[1:3] == [
        " " * len(f"{root} ") + " " * 20 + "  [reactions: 👍 bob]",
        " " * len(f"{root} ") + " " * 20 + "  [1 answer]",
    ]
    assert now[3] == "alice> something else"
    assert now[4] == "bob> [answers alice: tomorrow at ten]"
    assert "↪" not in run("history") + run("history", "--current"), "signs are for terminals"
    empty = zchat("edit", root, " ", "--nick", "alice", broker=broker)
    assert (empty.code, "To take the message back, delete it." in empty.err) == (2, True)
    thread = run("history", "--current", "--thread", root)
    assert "something else" not in thread
    assert "answer]" not in thread, "they follow"
    assert "<bob> fine\n" in thread
    done = run("history", "--thread", root)
    assert "* alice edited" in done
    assert f"* bob reacted with 👍 to {root} (alice: tommorow at ten)" in done
    (pinned,) = events(run("history", "--pins", "--json"))
    assert (pinned["text"], pinned["pinned"], pinned["answers"]) == ("tomorrow at ten", True, 1)
    kinds = [event["type"] for event in events(run("history", "--kinds", "edit, pin", "--json"))]
    assert kinds == ["edit", "pin", "pin", "pin"]
    assert [event["off"] for event in events(run("history", "--kinds", "pin", "-n", "1", "--json"))] == [True]


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (("--kinds", "mesage"), "there is no kind 'mesage'. Write one or more of message, "),
        (("--kinds", "edit", "--current"), "--kinds goes with neither --current nor --pins"),
        (("--pins", "--thread", "3"), "--pins and --thread exclude each other"),
        (("--thread", "0"), "--thread"),
    ],
)
def test_a_page_that_cannot_be_is_wrong_usage(args: tuple[str, ...], why: str, broker: Broker, zchat: RunZchat) -> None:
    done = zchat("history", *args, broker=broker)
    assert (done.code, why in done.err) == (2, True), done.err


def test_mentions_are_what_others_called_one_by_name_page_by_page(run: Callable[..., str]) -> None:
    first = said(run, "Bob: are you there?")
    said(run, "bobby is not meant")
    said(run, "I am bob", nick="bob")
    last = said(run, "ask bob", "--room", "general", nick="carol")
    lines = run("mentions", nick="bob").splitlines()
    assert [line.partition("<")[2] for line in lines] == ["alice> Bob: are you there?", "carol> ask bob"]
    assert all("#general" in line for line in lines)
    assert [f"{event['seq']}" for event in events(run("mentions", "-n", "1", "--json", nick="bob"))] == [last]
    assert [f"{event['seq']}" for event in events(run("mentions", "--before", last, "--json", nick="bob"))] == [first]
    assert run("mentions", nick="alice") == ""


def test_a_conversation_is_read_and_searched_by_its_two_ends_alone(
    run: Callable[..., str], broker: Broker, zchat: RunZchat
) -> None:
    def texts(*args: str, nick: str) -> list[str]:
        return [event["text"] for event in events(run(*args, "--json", nick=nick))]

    with SyncClient("bob", broker.listen):
        for text in ("psst, bob", "the word is xyzzy"):
            said = zchat("send", "--once", text, "--to", "bob", text, "--nick", "ann", broker=broker)
            assert said.code == 0, said.err
        assert texts("history", "--to", "bob", nick="ann") == ["psst, bob", "the word is xyzzy"]
        assert run("history", "--to", "bob", "-n", "1", nick="ann").endswith("the word is xyzzy\n")
        assert texts("search", "xyzzy", nick="ann") == ["the word is xyzzy"]
        assert texts("history", "--to", "bob", nick="eve") == texts("search", "xyzzy", nick="eve") == []
    wrong = zchat("history", "--to", "bob", "--room", "dev", broker=broker)
    assert (wrong.code, "--room and --to exclude each other" in wrong.err) == (2, True)
    nobody = zchat("history", "--to", "nobody", broker=broker)
    assert (nobody.code, "nobody here is called 'nobody'" in nobody.err) == (1, True)
