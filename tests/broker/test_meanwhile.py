"""What changes while a command is on its way: in the same batch, or in one that the log has not answered yet.

Who is here changes when a line is received, who may do what when the log has stored it. Nothing that a member has lost
meanwhile may be told by an answer that was asked for before.
"""

from collections import deque

import pytest

from tests.broker.dialogue import Json, Peer, codes
from tests.broker.team import OTHER, OWN, Team, do, key, private, who_is
from tests.broker.test_pipeline import LateLog
from zchat.broker.sharing import SharedPipeline
from zchat.protocol import links


def together(team: Team, *lines: tuple[Peer, str, Json]) -> None:
    """Let these commands come in one batch."""
    team.take(*((peer.id, peer.line(type_, **fields)) for peer, type_, fields in lines))


def slow(team: Team) -> LateLog:
    """Give a broker that is at rest a log that answers when it is told to."""
    log = LateLog(team.store)
    log.waiting = deque()
    log.members = team.log.members
    team.log = log
    team.pipeline = SharedPipeline(team.hub, log)
    team.pipeline.on_commit = team.carry
    return log


ASKED: list[tuple[str, Json]] = [
    ("join", {"room": "+ops"}),
    ("join", {"room": "+ops", "quiet": True}),
    ("join", {"room": "+ops", "after": 0}),
    ("who", {"room": "+ops"}),
    ("who", {}),
    ("who", {"nick": "ann"}),
    ("rooms", {}),
    ("ping", {}),
    ("history", {"room": "+ops"}),
    ("search", {"text": "secret"}),
]


@pytest.mark.parametrize(("type_", "fields"), ASKED, ids=str)
@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("how", ["expelled", "banned", "removed"])
def test_no_answer_tells_of_a_private_room_that_the_asker_has_lost_meanwhile(
    type_: str, fields: Json, inside: bool, how: str
) -> None:
    team = Team()
    bob = team.member("bob")
    ann = private(team, bob)
    ann.say("a secret", room="+ops")
    if not inside:
        bob.ask("part", room="+ops")
    bob.read()
    lost: dict[str, tuple[Peer, str, Json]] = {
        "expelled": (ann, "access", {"n": ann.n + 1, "room": "+ops", "expel": who_is(bob)}),
        "banned": (team.olga, "ban", {"n": team.olga.n + 1, "from": who_is(bob)}),
        "removed": (team.olga, "credential", {"n": team.olga.n + 1, "from": who_is(bob), "remove": key("bob")}),
    }
    together(team, lost[how], (ann, "typing", {"room": "+ops"}), (bob, type_, fields))
    heard = bob.read()
    until = next(at for at, line in enumerate(heard) if line["type"] in {"parted", "bye", "access"})
    after = [line for line in heard[until:] if line["type"] not in {"parted", "access"}]
    assert all("+ops" not in str(line) or line.get("code") == "unknown_room" for line in after), after
    assert "secret" not in str(after)


def test_who_was_expelled_meanwhile_is_not_in_the_room_and_hears_nothing_of_it() -> None:
    team = Team()
    bob, cat = team.member("bob"), team.member("cat")
    ann = private(team, bob, cat)
    cat.ask("part", room="+ops")
    bob.read()
    log = slow(team)
    together(team, (ann, "access", {"n": ann.n + 1, "room": "+ops", "expel": who_is(bob)}))
    together(team, (cat, "join", {"room": "+ops"}), (bob, "join", {"room": "+ops"}))
    together(team, (cat, "typing", {"room": "+ops"}))
    while log.waiting:
        log.answer_one()
    assert codes(bob.read()) == ["told", "joined", "told", "access", "parted"], "until then he was inside"
    assert "+ops" not in bob.ask("ping")[-1].get("heads", {})


def test_a_ban_that_is_being_written_refuses_what_is_said_meanwhile() -> None:
    team = Team()
    bob = team.member("bob")
    log = slow(team)
    together(team, (team.olga, "ban", {"n": team.olga.n + 1, "from": who_is(bob)}))
    together(team, (bob, "say", {"n": 1, "room": "general", "text": "too late"}))
    while log.waiting:
        log.answer_one()
    heard = codes(bob.read())
    assert "bye" in heard
    assert "ack" not in heard
    assert team.heard("general", "message") == []


def test_the_audit_is_not_read_by_who_is_no_moderator_any_more() -> None:
    team = Team()
    mod = team.member("mod", "moderator")
    asked: tuple[Peer, str, Json] = (mod, "audit", {})
    together(team, (team.olga, "role", {"n": team.olga.n + 1, "from": who_is(mod), "role": "member"}), asked)
    assert "audit" not in codes(mod.read())


# -- who comes in


def test_who_was_banned_lets_nobody_in_any_more_also_by_an_invitation_of_before() -> None:
    team = Team()
    ann = team.member("ann")
    code, device = team.invitation(ann), team.invitation(ann, **{"self": True})
    assert do(team.olga, "ban", **{"from": who_is(ann)})["type"] == "ack"
    assert codes(team.at(key("eve")).ask("hello", protocol=1, nick="eve", invite=code)) == ["bad_invite"]
    assert codes(team.at(key("new")).ask("hello", protocol=1, device="new", invite=device)) == ["bad_invite"]
    assert do(team.olga, "unban", **{"from": who_is(ann)})["type"] == "ack"
    assert codes(team.at(key("eve")).ask("hello", protocol=1, nick="eve", invite=code))[-1] == "welcome"


def test_an_invitation_gives_no_role_that_its_maker_could_not_give_now() -> None:
    team = Team()
    boss = team.member("boss", "owner")
    code = team.invitation(boss, role="owner")
    assert do(team.olga, "role", **{"from": who_is(boss)}, role="member")["type"] == "ack"
    assert codes(team.at(key("eve")).ask("hello", protocol=1, nick="eve", invite=code)) == ["bad_invite"]


def test_a_new_member_with_a_client_that_is_another_members_gets_an_answer() -> None:
    team = Team()
    ann = team.member("ann")
    code = team.invitation()
    eve = team.at(key("eve"))
    answers = eve.ask("hello", protocol=1, nick="eve", client=ann.welcome["client"], invite=code)
    assert codes(answers) == ["forbidden"]
    assert codes(ann.ask("ping")) == ["pong"]
    assert team.come(key("eve"), nick="eve", invite=code).welcome["member"]["nick"] == "eve", "it is not used up"


def test_a_guest_does_not_take_the_nick_of_a_member_whom_the_log_is_making() -> None:
    team = Team()
    code = team.invitation()
    coming, guest = team.at(key("ann")), team.at("")
    alike = team.at("")
    together(
        team,
        (coming, "hello", {"protocol": 1, "nick": "ann", "invite": code}),
        (guest, "hello", {"protocol": 1, "nick": "Ann"}),
        (alike, "hello", {"protocol": 1, "nick": "аnn"}),
    )
    assert "welcome" in codes(coming.read())
    assert codes(guest.read()) == codes(alike.read()) == ["nick_taken"]


def test_a_guest_does_not_take_the_nick_that_a_member_is_about_to_take() -> None:
    team = Team()
    ann = team.member("ann")
    guest = team.hello("guest")
    log = slow(team)
    together(team, (ann, "nick", {"nick": "anna"}))
    together(team, (guest, "nick", {"nick": "anna"}))
    assert codes(guest.read()) == ["nick_taken"]
    while log.waiting:
        log.answer_one()
    assert "renamed" in codes(ann.read())
    assert codes(team.hello("other").ask("nick", nick="anna")) == ["nick_taken"]
    ann.ask("nick", nick="ann")
    while log.waiting:
        log.answer_one()


def test_a_nick_is_free_again_if_the_log_made_no_member_of_who_wanted_it() -> None:
    team = Team()
    late = team.at(key("late"))
    assert codes(late.ask("hello", protocol=1, nick="ann", invite=links.encode_code(b"no invitation at"))) == [
        "bad_invite"
    ]
    assert team.hello("ann").welcome["nick"] == "ann"


def test_a_guest_who_becomes_a_member_does_not_take_its_conversations_along() -> None:
    team = Team()
    guest = team.at("")
    guest.ask("hello", protocol=1, nick="otto", client="c" * 32)
    team.hello("bob")
    assert do(guest, "say", to="bob", text="psst")["type"] == "ack"
    guest.ask("bye")
    otto = team.come(OTHER, device="host", client="c" * 32)
    assert "member" in otto.welcome
    assert otto.ask("ping")[-1]["heads"] == {}, "for the history of its conversations is empty"


def test_an_invitation_names_no_room_into_which_it_does_not_lead_any_more() -> None:
    team = Team()
    bob = team.member("bob")
    ann = private(team, bob)
    assert do(ann, "access", room="+ops", operator=who_is(bob))["type"] == "ack"
    bob.n = 0
    code = links.encode_code(b"0123456789abcdef")
    assert do(bob, "invite", hash=links.invitation_hash(code), rooms=["+ops", "general"])["type"] == "ack"
    assert do(ann, "access", room="+ops", expel=who_is(bob))["type"] == "ack"
    eve = team.come(key("eve"), nick="eve", invite=code)
    assert eve.welcome["rooms"] == ["general"]


# -- what stays


def test_an_owner_who_can_come_in_remains() -> None:
    team = Team()
    boss = team.member("boss", "owner")
    olga = who_is(team.olga)
    assert do(boss, "ban", **{"from": olga})["type"] == "ack"
    assert do(boss, "role", **{"from": who_is(boss)}, role="member")["code"] == "forbidden"
    assert do(boss, "credential", **{"from": who_is(boss)}, remove=key("boss"))["code"] == "forbidden"
    assert do(boss, "unban", **{"from": olga})["type"] == "ack"
    assert do(boss, "credential", **{"from": olga}, remove=OWN)["type"] == "ack"
    assert do(boss, "role", **{"from": who_is(boss)}, role="member")["code"] == "forbidden"


def test_a_private_room_that_is_empty_and_was_never_used_stays() -> None:
    team = Team()
    ann = private(team)
    ann.ask("part", room="+ops")
    team.hub.second(1.0)
    (rooms,) = ann.ask("rooms")
    assert [room["room"] for room in rooms["rooms"]] == ["+ops"]


def test_a_member_that_only_observes_is_not_here_under_its_new_nick() -> None:
    team = Team()
    ann = team.member("ann")
    watching = team.come(key("ann"))
    assert "nick" not in watching.welcome
    log = slow(team)
    together(team, (ann, "nick", {"nick": "anna"}))
    together(team, (ann, "bye", {}))
    while log.waiting:
        log.answer_one()
    (roster,) = team.olga.ask("who")[-1:]
    assert [one["nick"] for one in roster["members"]] == ["olga"]


def test_a_ban_of_one_device_keeps_out_that_device() -> None:
    team = Team()
    ann = team.member("ann")
    phone = team.come(key("phone"), device="phone", invite=team.invitation(ann, **{"self": True}))
    assert do(team.olga, "ban", credential=key("phone"))["type"] == "ack"
    assert phone.read()[-1]["reason"] == "banned"
    assert codes(ann.ask("ping"))[-1] == "pong"
    assert codes(team.at(key("phone")).ask("hello", protocol=1, device="phone")) == ["banned"]


# -- in order


def test_rosters_are_told_in_the_order_of_their_revisions() -> None:
    team = Team()
    ann, bob = team.member("ann"), team.member("bob")
    for one in (ann, bob, team.olga):
        one.ask("join", room="general")
    team.heard("general")
    together(
        team,
        (team.olga, "ban", {"n": team.olga.n + 1, "from": who_is(ann)}),
        (bob, "part", {"room": "general"}),
    )
    assert [(event["rev"], event["nick"]) for event in team.heard("general")] == [(4, "bob"), (5, "ann")]


def test_a_device_that_is_being_removed_says_nothing_more() -> None:
    team = Team()
    ann = team.member("ann")
    together(
        team,
        (team.olga, "credential", {"n": team.olga.n + 1, "from": who_is(ann), "remove": key("ann")}),
        (ann, "say", {"n": 1, "room": "general", "text": "I am not ann"}),
    )
    assert team.heard("general", "message") == []
