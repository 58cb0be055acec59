"""What a shell does to messages that were said before: edit, delete, react, pin, and what a tail tells of it."""

import json

from tests.conftest import Broker, RunZchat


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
