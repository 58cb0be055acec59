"""What somebody who is in may try: times that no calendar has, invitations and nicks without number, last words."""

import logging

import pytest

from tests.broker.dialogue import codes
from tests.broker.team import OTHER, Team, do, key, who_is
from zchat.broker.core.administration import FORMER_MAX
from zchat.broker.core.looks import looks
from zchat.protocol import messages as m

NEVER = ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59.999999Z")


@pytest.mark.parametrize("time", NEVER)
def test_a_time_that_is_in_no_calendar_is_refused_and_keeps_nobody_elses_words_from_the_log(time: str) -> None:
    team = Team()
    bob, mod = team.member("bob"), team.member("mod", "moderator")
    tries = [("invite", {"hash": "0" * 64, "expires": time}), ("mute", {"from": who_is(bob), "until": time})]
    for n, (type_, fields) in enumerate(tries, 1):
        said = bob.line("say", n=n, room="general", text="hi")
        team.take((mod.id, mod.line(type_, n=n, **fields)), (bob.id, said))
        assert codes(mod.read()) == ["forbidden"]
        assert codes(bob.read()) == ["ack"]


def test_invitations_that_nobody_can_use_any_more_are_forgotten_when_their_maker_makes_another() -> None:
    team = Team()
    ann, kept = team.member("ann"), team.invitation()
    for number in range(5):
        answer = do(ann, "invite", hash=f"{number:064x}", expires="2020-01-01T00:00:00Z")
        assert answer["type"] == "ack"
    for number in range(5, 9):
        assert do(ann, "invite", hash=f"{number:064x}", expires="2026-11-22T05:31:00Z")["type"] == "ack"
    team.now = 61.0
    code = team.invitation(ann)
    assert len([one for one in team.hub.members.invitations.values() if one.by == who_is(ann)]) == 1
    for number, each in enumerate((code, kept)):
        assert team.come(f"key:{number}", nick=f"new{number}", invite=each).welcome["member"]


def test_a_member_keeps_only_so_many_nicks_from_others() -> None:
    team = Team()
    ann = team.member("ann")
    answers = [codes(ann.ask("nick", nick=f"ann{number}"))[-1] for number in range(FORMER_MAX + 2)]
    assert answers == ["renamed"] * FORMER_MAX + ["forbidden"] * 2
    assert codes(ann.ask("nick", nick="ann"))[-1] == "renamed", "a nick of one's own is no more"
    team.now = 31 * 86_400.0
    team.tick(0)
    assert codes(team.come(key("ann"), device="again").ask("nick", nick="ann99"))[-1] == "renamed"


@pytest.mark.parametrize("where", [None, "general"])
def test_who_is_muted_has_no_last_word(where: str | None) -> None:
    team = Team()
    gus = team.hello("gus")
    gus.ask("join", room="general")
    assert do(team.olga, "mute", **{"from": who_is(gus)}, **({"room": where} if where else {}))["type"] == "ack"
    team.heard("general")
    assert codes(gus.ask("away", text="one"))[-1] == "ok"
    gus.ask("part", room="general", reason="two")
    gus.ask("join", room="general")
    gus.ask("bye", reason="three")
    told = team.heard("general")
    assert [event["type"] for event in told] == ["away", "left", "joined", "left"]
    assert {event.get("text") for event in told} == {"", None}


def test_who_may_not_speak_in_a_read_only_room_has_no_last_word_there() -> None:
    team = Team()
    do(team.olga, "access", room="news", mode="announce")
    gus = team.hello("gus")
    for room in ("news", "general"):
        gus.ask("join", room=room)
        team.heard(room)
    gus.ask("away", text="one")
    gus.ask("bye", reason="two")
    assert [event.get("text") for event in team.heard("news")] == ["", None]
    assert [event.get("text") for event in team.heard("general")] == ["one", "two"]


def test_a_member_who_is_muted_does_not_speak_as_a_guest_of_the_same_user_either() -> None:
    team = Team()
    otto = team.come(OTHER, device="host")
    assert do(team.olga, "mute", **{"from": who_is(otto)})["type"] == "ack"
    guest = team.come(OTHER, nick="somebody")
    assert codes(guest.say()) == ["muted"]
    assert codes(guest.say(room=None, to="olga")) == ["muted"]


def test_marks_of_another_script_do_not_make_another_nick() -> None:
    for mark in "\U00016fe4\u1039\u2d7f\U0001bc9d":
        assert looks(f"al{mark}ice") & looks("alice"), ascii(mark)
    assert not looks("alic\u00e9") & looks("alice")
    assert not looks("\u05d0\u05b7") & looks("\u05d0"), "a mark of the letter's own script counts"


def test_what_is_said_is_not_in_the_log_file_when_it_cannot_be_processed(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = Team()
    bob = team.hello("bob")
    monkeypatch.delattr(team.hub.roster, "rooms")
    with caplog.at_level(logging.DEBUG):
        assert codes(bob.send(bob.line("topic", n=1, room="general", text="secret"))) == ["internal"]
    assert m.SetTopic.__name__ in caplog.text
    assert "secret" not in caplog.text
