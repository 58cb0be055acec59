"""Members, private rooms and moderation: from shells, and at prompts that see what was done about them."""

import json
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import ZCHAT, Broker, Result, RunZchat, StartBroker
from tests.integration.terminal import Terminal
from tests.integration.test_cli_network import owner_link
from zchat.protocol import links

As = Callable[..., Result]


@pytest.fixture
def encrypted(start_broker: StartBroker) -> Broker:
    """Return a broker that lets in only who has a key."""
    return start_broker(listen="zchat://127.0.0.1:0", publish="tcp://127.0.0.1:0")


def who(name: str, broker: Broker, tmp_path: Path) -> dict[str, str]:
    """Return the environment of somebody: a device of its own, and the broker."""
    found = links.parse(owner_link(broker))
    link = links.BrokerLink(found.hosts, found.key).text
    return {"ZCHAT_IDENTITY": str(tmp_path / f"{name}.key"), "ZCHAT_BROKER": link, "ZCHAT_DATA": str(tmp_path / name)}


@pytest.fixture
def as_(encrypted: Broker, zchat: RunZchat, tmp_path: Path) -> As:
    """Run a command as somebody: `as_("alice", "members")`. Alice is the owner, and bob a member."""

    def run(name: str, *args: str, **settings: str) -> Result:
        return zchat(*args, env=who(name, encrypted, tmp_path), **settings)

    assert run("alice", "join", owner_link(encrypted), "--nick", "alice").code == 0
    invited = run("alice", "invite", "--room", "dev")
    assert invited.code == 0, invited.err
    (link,) = invited.out.splitlines()
    assert "For one to come in as a member, and into #dev, until " in invited.err
    assert "In a browser: paste it at the page" in invited.err
    come = run("bob", "join", link, "--nick", "bob")
    assert come.code == 0, come.err
    assert "You are in #dev" in come.err, "where the invitation leads"
    return run


def test_a_shell_can_do_what_the_prompt_can(as_: As) -> None:
    listed = as_("alice", "members").out.splitlines()
    assert [line.split()[:2] for line in listed] == [["alice", "owner"], ["bob", "member"]]
    (line,) = as_("alice", "members", "--json").out.splitlines()
    ids = {one["nick"]: one["from"] for one in json.loads(line)["members"]}
    assert f"id      {ids['bob']}" in as_("alice", "whois", "bob").out
    made = as_("alice", "private", "lab", "bob")
    assert (made.code, made.err) == (0, "zchat: +lab is private, with bob.\n")
    alone = as_("alice", "private", "attic")
    assert alone.err == "zchat: +attic is private: zchat admit NICK --room +attic lets others in.\n"
    assert "bob is not here" in as_("alice", "kick", "bob").err
    said = as_("bob", "join", "--room", "+lab", input="in here\n")
    assert (said.code, "<bob> in here" in said.out) == (0, True), said.err
    assert as_("alice", "send", "--to", "bob", "psst").code == 0
    assert as_("bob", "history", "--to", "alice").out.endswith("psst\n")
    assert as_("bob", "search", "psst").out.endswith("psst\n")
    assert as_("alice", "mute", "bob", "1h", "spam").err.endswith(": spam.\n")
    muted = as_("bob", "send", "may I?")
    assert muted.code == 1
    assert "muted" in muted.err
    for done in (("unmute", "bob"), ("role", "bob", "moderator"), ("announce", "on", "--room", "news")):
        assert as_("alice", *done).code == 0
    assert as_("alice", "keep", "4w", "--room", "news").err == "zchat: What is said in #news is kept for 28 days.\n"
    assert as_("bob", "keep", "--room", "news").out == "What is said in #news is kept for 28 days.\n"
    assert json.loads(as_("bob", "keep", "--room", "news", "--json").out)["keep"] == 28
    assert as_("bob", "keep", "--room", "+lab").out == "What is said in +lab is kept for ever, as the broker says.\n"
    audited = as_("bob", "audit")
    assert "alice made bob a moderator." in audited.out
    changes = [json.loads(line) for line in as_("bob", "audit", "--json", "-n", "3").out.splitlines()]
    assert [one["change"] for one in changes] == ["role", "mode", "keep"]
    refused = as_("bob", "ban", "alice")
    assert (refused.code, refused.out) == (1, "")
    assert "a moderator cannot do this to an owner" in refused.err
    assert "a moderator cannot invite an owner" in as_("bob", "invite", "--role", "owner").err


def test_who_is_banned_is_out_and_a_link_that_is_taken_back_leads_nowhere(as_: As) -> None:
    banned = as_("alice", "ban", "bob", "1h", "spam", "--json")
    assert json.loads(banned.out)["type"] == "ack"
    out = as_("bob", "send", "hello?")
    assert out.code == 1
    assert "ask a moderator or an owner" in out.err.lower()
    assert as_("alice", "unban", "bob").code == 0
    assert as_("bob", "send", "hello").code == 0
    found = json.loads(as_("alice", "invite", "--uses", "2", "--json").out)
    assert found["hash"] == links.invitation_hash(links.parse(found["link"]).code or "")
    assert as_("alice", "revoke", found["link"]).code == 0
    late = as_("carol", "join", found["link"], "--nick", "carol")
    assert late.code == 1
    assert "ask for a new link" in late.err


def test_another_device_comes_in_as_the_same_member_until_it_is_removed(as_: As) -> None:
    (link,) = as_("bob", "device", "add").out.splitlines()
    assert as_("phone", "join", link, "--device", "phone").code == 0
    listed = as_("bob", "device", "list").out
    assert len(listed.splitlines()) == 2
    assert "phone" in listed
    assert as_("phone", "send", "from the phone").code == 0
    assert "phone" in as_("bob", "device", "remove", "phone").err
    assert as_("phone", "send", "still?").code == 1
    (anew,) = as_("alice", "invite").out.splitlines()
    found = as_("phone", "join", anew, "--nick", "carol", input="somebody else now\n")
    assert (found.code, "<carol> somebody else now" in found.out) == (0, True), found.err
    assert "<bob> from the phone" in as_("bob", "tail").out


def test_who_follows_a_room_is_told_when_they_are_taken_out_of_it(
    as_: As, encrypted: Broker, environment: dict[str, str], tmp_path: Path
) -> None:
    assert as_("alice", "private", "lab", "bob").code == 0
    assert as_("alice", "send", "--room", "+lab", "psst").code == 0
    env = environment | who("bob", encrypted, tmp_path)
    command = (*ZCHAT, "tail", "-f", "--room", "+lab")
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tail:
        try:
            assert tail.stdout is not None
            assert "<alice> psst" in tail.stdout.readline()
            assert as_("alice", "send", "--room", "+lab", "now it follows").code == 0
            assert "<alice> now it follows" in tail.stdout.readline()
            assert as_("alice", "expel", "bob", "--room", "+lab").code == 0
            told = tail.communicate(timeout=30)[1]
        finally:
            tail.kill()
    assert (tail.returncode, " +lab cannot be followed any more" in told) == (1, True), told


def test_prompts_are_told_what_is_done_about_them(
    as_: As, encrypted: Broker, environment: dict[str, str], tmp_path: Path
) -> None:
    with ExitStack() as open_ones:
        alice, bob = (
            open_ones.enter_context(Terminal("join", env=environment | who(name, encrypted, tmp_path)))
            for name in ("alice", "bob")
        )
        alice.see("you are alice (owner)")
        for terminal, name in ((alice, "alice"), (bob, "bob")):
            terminal.see_last(f"{name} #general ›")
        alice.enter("/private ops bob")
        alice.see_last("alice 🔒+ops ›")
        bob.see("You were let into 🔒+ops by alice: /join +ops")
        bob.enter("/join +ops")
        bob.see_last("bob 🔒+ops ›")
        alice.enter("between us")
        bob.see("<alice> between us")
        bob.enter("/help")
        bob.see("/invite")
        assert "/ban" not in bob.text
        alice.enter("/mute bob 1h spam")
        bob.see(": spam (by alice).")
        bob.enter("may I?")
        bob.see("Not sent: You are muted")
        alice.enter("/role bob moderator")
        bob.see("alice made you a moderator.")
        bob.enter("/help")
        bob.see("/ban NICK")
        alice.enter("/ban bob 1h enough")
        alice.see("bob is banned until ")
        assert bob.ends() == 1
        assert "alice banned you until " in bob.text
        assert "alice keeps you out from now on (enough)" in " ".join(bob.text.split())
