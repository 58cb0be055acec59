"""Tab offers what one may do, and for each argument and option what it may be."""

from types import SimpleNamespace
from typing import Any

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from zchat.prompt.completion import Completions
from zchat.prompt.targets import Targets
from zchat.protocol import messages as m

ALICE, BOB, CAROL = "a" * 16, "b" * 16, "c" * 16
TIME = "2026-11-22T05:30:00Z"


def said(seq: int, text: str, from_: str = BOB, **fields: Any) -> m.Message:
    nick = {ALICE: "alice", BOB: "bob", CAROL: "carol"}[from_]
    return m.Message(
        seq=seq, prev=0, room="general", time=TIME, from_=from_, nick=nick, kind="message", text=text, **fields
    )


def offered(line: str, role: str = "owner") -> list[str]:
    """Return what Tab offers at the end of a line."""
    members = {nick: m.Member(nick=nick, from_="f" * 16) for nick in ("alice", "bob", "carol")}
    client = SimpleNamespace(nick="alice", role=role, members=lambda _: members, from_=ALICE)
    targets = Targets()
    for name in ("#general", "#+ops", "@dave", "#general ↳1"):
        targets.turn_to(name).draft = "…"
    recent, gone = targets.get("#general").recent, said(5, "gone")
    for each in (said(1, "ship it?", pinned=True), said(2, "yes, 31 times", ALICE), said(3, "no", CAROL), gone):
        recent.take(each)
    recent.take(said(4, "", files=(m.Attachment(file="f" * 64, name="plan.pdf"),)))
    recent.take(said(6, "look at this", CAROL, files=(m.Attachment(file="e" * 64, name="photo.png"),)))
    recent.take(m.Tombstone(seq=5, prev=0, room="general", time=TIME, from_=BOB, nick="bob", by=BOB))
    view: Any = SimpleNamespace(client=client, targets=targets, here=targets.turn_to("#general"))
    found = Completions(view).get_completions(Document(line), CompleteEvent(completion_requested=True))
    return [each.text.rstrip() for each in found]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/ba", ["/ban"]),
        ("/devi", ["/device add", "/device list", "/device remove"]),
        ("/device ", ["add", "list", "remove"]),
        ("/device l", ["list"]),
        ("/device list b", ["bob"]),
        ("/kick b", ["bob"]),
        ("/kick bob ", []),
        ("/role bob ", ["member", "moderator", "owner"]),
        ("/mute bob --", ["--room"]),
        ("/mute --room gen", ["#general"]),
        ("/mute --room general c", ["carol"]),
        ("/invite --role mo", ["moderator"]),
        ("/invite --uses 5 --e", ["--expires"]),
        ("/invite op", ["+ops"]),
        ("/announce o", ["on", "off"]),
        ("/join op", ["+ops"]),
        ("/join +", ["+ops"]),
        ("/join #+o", ["+ops"]),
        ("look at +o", ["+ops"]),
        ("/admit bob car", ["carol"]),
        ("/help dev", ["device add", "device list", "device remove"]),
        ("da", ["dave:"]),
    ],
)
def test_tab_offers_what_fits(line: str, words: list[str]) -> None:
    assert offered(line) == words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/react ", ["6", "4", "3", "2", "1"]),
        ("/react ship", ["1"]),
        ("/react 1 :tada", [":tada:"]),
        ("/reply bob", ["4", "1"]),
        ("/edit ", ["2"]),
        ("/unpin ", ["1"]),
        ("/save ", ["6", "4"]),
        ("/save PLAN", ["4"]),
        ("/save photo", ["6"]),
        ("/save look", ["6"]),
        ("/react 3", ["3"]),
        ("/react 31", []),
    ],
)
def test_tab_offers_the_messages_that_can_be_meant(line: str, words: list[str]) -> None:
    assert offered(line) == words


@pytest.mark.parametrize(
    ("role", "commands"),
    [
        ("guest", {"/me", "/mentions", "/msg"}),
        ("member", {"/me", "/mentions", "/msg", "/members"}),
        ("moderator", {"/me", "/mentions", "/msg", "/members", "/mute"}),
        ("of a later version", {"/me", "/mentions", "/msg"}),
    ],
)
def test_tab_offers_only_what_one_may_do(role: str, commands: set[str]) -> None:
    assert set(offered("/m", role)) == commands
