"""What was done about members and rooms is told in sentences, to whom it is about and to others, in local time."""

from datetime import timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.prompt.test_render import harmless, nasty
from zchat.prompt import changes, render
from zchat.protocol import messages as m

ME, CAROL, BOB = "a" * 16, "c" * 16, "b" * 16
STYLE = render.Style(zone=timezone(timedelta(hours=1)), lock="🔒")
TIME = "2026-11-29T12:00:00.000Z"


def member(change: str, from_: str | None = ME, **fields: Any) -> m.MemberChanged:
    known = {"by": CAROL, "by_nick": "carol", "nick": "bob"} | fields
    return m.MemberChanged(seq=7, prev=3, time=TIME, change=change, from_=from_, **known)


def access(change: str, from_: str | None = ME, **fields: Any) -> m.AccessChanged:
    known = {"by": BOB, "by_nick": "bob", "nick": "carol", "room": "+ops"} | fields
    return m.AccessChanged(seq=7, prev=3, time=TIME, change=change, from_=from_, **known)


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (member("role", role="moderator"), "carol made you a moderator."),
        (member("muted", room="general", until="2026-11-29T13:05:00.000Z", reason="spam"),
         "You are muted in #general until 14:05: spam (by carol)."),
        (member("muted", until="2026-11-30T13:05:00.000Z"), "You are muted until 2026-11-30 14:05 (by carol)."),
        (member("muted"), "You are muted (by carol)."),
        (member("unmuted", room="general"), "You may speak again in #general (by carol)."),
        (member("banned", until="2026-11-29T13:05:00.000Z", reason="spam."), "carol banned you until 14:05: spam."),
        (member("removed", device="laptop", credential="key:" + "a" * 52),
         "carol removed your device laptop (key:aaaaaaaaaaaa…)."),
        (member("device", by=ME, device="phone", credential="key:" + "a" * 52),
         "A device of yours came in: phone (key:aaaaaaaaaaaa…)."),
        (access("admitted"), "You were let into 🔒+ops by bob: /join +ops"),
        (access("expelled"), "bob took you out of 🔒+ops."),
        (access("operator", room="news"), "bob made you an operator of #news."),
    ],
)  # fmt: skip
def test_one_is_told_what_was_done_about_oneself(event: m.Administrative, told: str) -> None:
    assert changes.heard(event, ME, STYLE) == [told]


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (member("banned", BOB, until="2026-12-06T12:00:00Z", reason="spam"),
         "carol banned bob until 2026-12-06 13:00: spam."),
        (member("banned", None, nick=None, credential="uid:1003@host"), "carol banned uid:1003@host."),
        (member("role", BOB, role="owner"), "carol made bob an owner."),
        (member("removed", BOB, by=BOB, by_nick="bob", device="pc", credential="key:b"),
         "bob removed a device of their own: pc (key:b)."),
        (access("expelled", BOB, nick="bob"), "bob left 🔒+ops for good."),
        (member("role", BOB, role="owner", by="", by_nick=""), "The broker made bob an owner."),
        (member("joined", BOB, role="member"), "bob came in as a member, invited by carol."),
        (member("joined", BOB, role="owner", by="", by_nick=""), "bob came in as an owner."),
        (member("invited", None, role="member", uses=5, expires="2026-12-06T12:00:00Z", rooms=("+ops", "dev")),
         "carol made an invitation for up to 5 members and lets them into 🔒+ops, #dev until 2026-12-06 13:00."),
        (member("invited", None, role="moderator", uses=1), "carol made an invitation for a moderator."),
        (member("joined", BOB, role="member", by=ME), "bob came in as a member, invited by carol."),
        (member("revoked", None, nick=None), "carol took an invitation back."),
        (access("admitted", CAROL), "bob let carol into 🔒+ops."),
        (access("mode", None, mode="announce", room="news"),
         "bob made #news read-only: its operators and moderators speak there."),
        (access("keep", None, keep=1, room="news"), "bob has #news keep what is said for 1 day."),
        (access("keep", None, keep=0, room="news"), "bob has #news keep what is said for ever."),
        (access("keep", None, room="news"), "bob has #news keep what is said for as long as the broker says."),
        (access("mode", None, mode="public", room="news"), "bob lets everybody speak in #news again."),
    ],
)  # fmt: skip
def test_others_are_told_who_did_what_to_whom(event: m.Administrative, told: str) -> None:
    assert changes.heard(event, ME, STYLE) == [told]


@pytest.mark.parametrize(
    "event",
    [
        member("banned", BOB, by=ME),  # the command has told it
        member("nick", BOB),  # nobody needs to know at once
        member("device", BOB),
        member("joined"),
        member("of a later version", BOB),
    ],
)
def test_nothing_is_told_twice_or_to_whom_it_is_no_news(event: m.Administrative) -> None:
    assert changes.heard(event, ME, STYLE) == []


def test_the_audit_tells_of_every_change_also_of_those_of_a_later_version() -> None:
    for event in (member("nick", BOB), member("device", BOB, credential="key:x"), member("banned", BOB, by=ME)):
        assert changes.recorded(event, STYLE).startswith("13:00 ")
    assert changes.recorded(member("device", BOB, credential="key:x"), STYLE).endswith("with another device: key:x.")
    assert changes.recorded(member("promoted", BOB), STYLE) == "13:00 carol: promoted."


@given(nasty, st.sampled_from(sorted(changes._MEMBERS)), st.sampled_from([ME, BOB, None]))
def test_what_others_wrote_is_harmless_in_every_sentence(text: str, change: str, from_: str | None) -> None:
    fields = dict.fromkeys(
        ("by_nick", "nick", "role", "credential", "device", "room", "until", "reason", "expires"), text
    )
    event = member(change, from_, **fields, rooms=(text,))
    for line in (*changes.heard(event, ME, STYLE), changes.recorded(event, STYLE)):
        assert harmless(line, newlines=False)


@given(nasty, st.sampled_from(["mode", "admitted", "expelled", "operator"]), st.sampled_from(["announce", "private"]))
def test_what_others_wrote_is_harmless_in_every_sentence_about_a_room(text: str, change: str, mode: str) -> None:
    event = access(change, ME, by_nick=text, nick=text, room=text, mode=mode)
    for line in (*changes.heard(event, ME, STYLE), changes.recorded(event, STYLE)):
        assert harmless(line, newlines=False)
