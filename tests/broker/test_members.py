"""Members, invitations, roles, bans and private rooms, told as dialogues with a whole broker in memory."""

import itertools
import json

import pytest

from tests.broker.dialogue import Json, Peer, codes
from tests.broker.team import OTHER, OWN, Team, do, key, private, who_is
from zchat.broker.core import administration
from zchat.broker.core.effects import Query
from zchat.broker.core.entrance import Terms
from zchat.broker.core.members import Members
from zchat.broker.log.local import LocalLog
from zchat.broker.store import SearchIndex
from zchat.protocol import links
from zchat.protocol import messages as m

# -- coming in


def test_a_user_of_the_machine_is_a_member_by_its_login_name_and_who_runs_the_broker_an_owner() -> None:
    team = Team()
    assert team.olga.welcome["member"] == {"from": who_is(team.olga), "nick": "olga", "role": "owner"}
    otto = team.come(OTHER, device="host")
    assert otto.welcome["member"]["role"] == "member"
    assert otto.welcome["nick"] == "otto"
    again = team.come(OWN, device="phone")
    assert who_is(again) == who_is(team.olga)


def test_a_guest_who_comes_back_as_a_member_by_the_same_client_keeps_the_nick() -> None:
    team = Team()
    guest = team.come(OTHER, nick="otto")
    back = team.come(OTHER, device="host", client=guest.welcome["client"])
    assert back.welcome["member"]["nick"] == "otto"
    assert guest.read() == [{"type": "bye", "reason": "replaced"}]
    assert codes(team.at("").ask("hello", protocol=1, nick="otto")) == ["nick_taken"]


def test_a_user_may_be_somebody_else_as_a_guest_but_no_other_member() -> None:
    team = Team()
    bot = team.come(OWN, nick="dicebot", bot=True)
    assert "member" not in bot.welcome
    assert bot.welcome["known_as"] == "olga"
    assert "known_as" not in team.olga.welcome
    assert codes(team.at("").ask("hello", protocol=1, nick="olga")) == ["nick_taken"]
    assert codes(team.at("").ask("hello", protocol=1, nick="оlga")) == ["nick_taken"], "it looks like it"
    assert team.come(OWN, nick="Olga").welcome["member"]["nick"] == "olga"


def test_an_invitation_lets_in_as_often_as_it_says_until_it_expires_or_is_revoked() -> None:
    team = Team()
    code = team.invitation(uses=2)
    assert team.come(key("a"), nick="ann", invite=code).welcome["member"]["role"] == "member"
    assert team.come(key("b"), nick="bob", invite=code).welcome["member"]["role"] == "member"
    stranger = team.at(key("c"))
    assert codes(stranger.ask("hello", protocol=1, nick="cat", invite=code)) == ["bad_invite"]
    assert team.cut == [stranger.id]
    late = team.invitation(expires="2026-11-22T05:31:00Z")
    team.now = 61.0
    assert codes(team.at(key("c")).ask("hello", protocol=1, nick="cat", invite=late)) == ["bad_invite"]
    revoked = team.invitation()
    assert do(team.olga, "revoke", hash=links.invitation_hash(revoked))["type"] == "ack"
    assert codes(team.at(key("c")).ask("hello", protocol=1, nick="cat", invite=revoked)) == ["bad_invite"]


def test_what_somebody_has_invited_to_counts_only_while_they_may_invite_to_it() -> None:
    team = Team()
    mod = team.member("mod", "moderator")
    wanted: list[Json] = [{"uses": 9}, {"role": "moderator"}, {"self": True}]
    made = [team.invitation(mod, **fields) for fields in wanted]
    assert do(team.olga, "role", **{"from": who_is(mod)}, role="member")["type"] == "ack"
    for name, code, answer in (("ann", made[0], "welcome"), ("bob", made[1], "bad_invite")):
        assert codes(team.at(key(name)).ask("hello", protocol=1, nick=name, invite=code)) == [answer]
    assert do(team.olga, "ban", **{"from": who_is(mod)})["type"] == "ack"
    for code in made:
        assert codes(team.at(key("new")).ask("hello", protocol=1, nick="new", invite=code)) == ["bad_invite"]


def test_an_invitation_with_one_use_lets_in_one_of_two_who_come_in_one_batch() -> None:
    team = Team()
    code = team.invitation()
    first, second = team.at(key("a")), team.at(key("b"))
    team.take(
        (first.id, first.line("hello", protocol=1, nick="ann", invite=code)),
        (second.id, second.line("hello", protocol=1, nick="bob", invite=code)),
    )
    assert codes(first.read()) == ["welcome"]
    assert codes(second.read()) == ["bad_invite"]


def test_a_new_member_without_a_nick_is_told_so_unless_the_invitation_does_not_count() -> None:
    team = Team()
    code = team.invitation()
    (answer,) = team.at(key("a")).ask("hello", protocol=1, device="d", invite=code)
    assert answer["code"] == "bad_nick"
    assert "--nick" in answer["message"]
    team.come(key("b"), nick="bob", invite=code)
    assert codes(team.at(key("a")).ask("hello", protocol=1, device="d", invite=code)) == ["bad_invite"]


def test_two_who_come_in_one_batch_do_not_get_the_same_nick() -> None:
    team = Team()
    code = team.invitation(uses=2)
    first, second = team.at(key("a")), team.at(key("b"))
    team.take(*((one.id, one.line("hello", protocol=1, nick="ann", invite=code)) for one in (first, second)))
    assert codes(first.read()) == ["welcome"]
    assert codes(second.read()) == ["nick_taken"]


def test_a_strange_key_gets_one_answer_to_whatever_it_says_and_is_cut() -> None:
    team = Team()
    for line in ("status", "ping", "rooms", "who", "bye", "nonsense"):
        stranger = team.at(key("stranger"))
        assert codes(stranger.ask(line)) == ["not_member"]
        assert team.cut.pop() == stranger.id
    assert codes(team.at(key("stranger")).ask("hello", protocol=1, nick="eve")) == ["not_member"]


def test_whoever_is_cut_leaves_nothing_to_who_takes_its_routing_id() -> None:
    team = Team()
    ann, eve = team.member("ann"), team.at(key("eve"))
    assert codes(team.olga.ask("kick", nick="ann"))[-1] == "ok"
    team.credentials[ann.id] = team.credentials[eve.id]
    assert codes(ann.ask("hello", protocol=1, device="d"))[-1] == "not_member"


def test_of_many_lines_of_a_strange_key_one_is_answered() -> None:
    team = Team()
    stranger = team.at(key("stranger"))
    assert codes(stranger.send(*[stranger.line("status")] * 100)) == ["not_member"]


def test_an_open_broker_takes_every_key_as_a_guest() -> None:
    team = Team(terms=Terms(open=True, owners=frozenset({OWN}), login=lambda _: "olga"))
    assert "member" not in team.come(key("any"), nick="ann").welcome


def test_a_broker_without_guests_takes_only_members() -> None:
    team = Team(terms=Terms(guests=False, owners=frozenset({OWN}), login=lambda _: "olga"))
    assert codes(team.at("").ask("hello", protocol=1, nick="ann")) == ["not_member"]
    assert codes(team.at(OWN).ask("hello", protocol=1, nick="bot")) == ["not_member"]
    assert team.come(OWN, nick="olga").welcome["member"]


def test_a_members_client_cannot_be_used_by_others_nor_its_from_be_forged() -> None:
    team = Team()
    ann = team.member("ann")
    guest = team.at("")
    assert codes(guest.ask("hello", protocol=1, nick="eve", client=ann.welcome["client"])) == ["forbidden"]
    assert codes(ann.ask("ping")) == ["pong"], "nobody took its session"
    stolen = team.at("").ask("hello", protocol=1, resume=ann.welcome["session"])
    assert stolen[0]["from"] != who_is(ann)
    assert codes(ann.ask("ping")) == ["pong"]


# -- several devices


def test_another_device_is_the_same_member_and_presence_is_told_once() -> None:
    team = Team()
    ann = team.member("ann")
    watcher = team.hello("watcher")
    ann.ask("join", room="general")
    code = team.invitation(ann, **{"self": True})
    phone = team.come(key("phone"), device="phone", invite=code)
    assert who_is(phone) == who_is(ann)
    phone.ask("join", room="general")
    (roster,) = watcher.ask("who", room="general")
    assert [each["nick"] for each in roster["members"]] == ["ann"]
    assert [each["type"] for each in watcher.broker.heard("general")] == ["joined"]
    ann.ask("bye")
    assert team.heard("general") == [], "one device is still here"
    phone.ask("bye")
    assert [each["type"] for each in team.heard("general")] == ["left"]


def test_what_is_said_to_a_member_reaches_all_its_devices_and_each_numbers_for_itself() -> None:
    team = Team()
    ann = team.member("ann")
    phone = team.come(key("phone"), device="phone", invite=team.invitation(ann, **{"self": True}))
    team.olga.say("psst", room=None, to="ann")
    for device in (ann, phone):
        assert [line["text"] for line in device.read() if line["type"] == "message"] == ["psst"]
    assert do(phone, "say", room="general", text="one")["n"] == 1
    ann.n = 1  # the invitation
    assert do(ann, "say", room="general", text="two")["n"] == 2


def test_a_removed_device_is_cut_and_is_nobody_any_more() -> None:
    team = Team()
    ann = team.member("ann")
    phone = team.come(key("phone"), device="phone", invite=team.invitation(ann, **{"self": True}))
    ann.n = 1
    assert do(ann, "credential", **{"from": who_is(ann), "remove": key("phone")})["type"] == "ack"
    assert codes(phone.read())[-1] == "bye"
    assert phone.id in team.cut
    assert key("phone") in team.cut
    assert codes(team.at(key("phone")).ask("hello", protocol=1, device="phone")) == ["not_member"]


def test_who_is_told_while_away_hears_it_on_the_return() -> None:
    team = Team()
    ann = team.member("ann")
    ann.ask("bye")
    assert "ack" in codes(team.olga.say("for later", room=None, to="ann"))
    back = team.come(key("ann"), device="laptop")
    (pong,) = back.ask("ping")
    assert set(pong["heads"]) == {"@olga"}
    (history,) = back.ask("history", to="olga")
    assert [event["text"] for event in history["events"]] == ["for later"]


def test_a_room_is_told_the_role_of_a_member_who_comes_and_none_of_a_guest() -> None:
    team = Team()
    team.member("ann").ask("join", room="general")
    team.hello("gus").ask("join", room="general")
    assert [(each["nick"], each.get("role")) for each in team.heard("general")] == [("ann", "member"), ("gus", None)]


# -- names


def test_a_members_nick_stays_its_own_while_it_is_away_and_thirty_days_after_it_took_another() -> None:
    team = Team()
    ann = team.member("ann")
    ann.ask("bye")
    assert codes(team.at("").ask("hello", protocol=1, nick="ANN")) == ["nick_taken"]
    ann = team.come(key("ann"), device="laptop")
    ann.ask("join", room="general")
    assert codes(ann.ask("nick", nick="anna"))[-1] == "renamed"
    assert [each["type"] for each in team.heard("general")][-1] == "renamed"
    assert codes(team.at("").ask("hello", protocol=1, nick="ann")) == ["nick_taken"]
    team.now = 31 * 86_400.0
    assert codes(team.at("").ask("hello", protocol=1, nick="ann")) == ["welcome"]


# -- private rooms


def test_who_is_let_into_a_private_room_is_told_once() -> None:
    team = Team()
    ann, bob = private(team), team.member("bob")
    assert do(ann, "access", room="+ops", admit=who_is(bob))["type"] == "ack"
    assert [line["change"] for line in bob.read()] == ["admitted"]


def test_what_is_said_in_a_private_room_goes_to_those_who_are_in_it_and_never_to_the_feed() -> None:
    team = Team()
    bob = team.member("bob")
    ann = private(team, bob)
    eve = team.member("eve")
    team.published.clear()
    assert do(ann, "say", room="+ops", text="a secret")["type"] == "ack"
    assert [line["text"] for line in bob.read()] == ["a secret"]
    bob.ask("part", room="+ops")
    assert team.published == []
    assert eve.read() == []


QUESTIONS: list[Json] = [
    {"type": "join", "room": "+ops"},
    {"type": "join", "room": "+ops", "after": 0},
    {"type": "join", "room": "+ops", "quiet": True},
    {"type": "part", "room": "+ops"},
    {"type": "who", "room": "+ops"},
    {"type": "who"},
    {"type": "rooms"},
    {"type": "ping"},
    {"type": "status"},
    {"type": "typing", "room": "+ops"},
    {"type": "history", "room": "+ops"},
    {"type": "history", "room": "+ops", "before": 5},
    {"type": "search", "text": "secret"},
    {"type": "search", "text": "secret", "room": "+ops"},
    {"type": "say", "n": 1, "room": "+ops", "text": "hello?"},
    {"type": "say", "n": 1, "room": "+ops", "text": "hello?", "reply_to": 1},
    {"type": "topic", "n": 1, "room": "+ops", "text": "hello?"},
    {"type": "access", "n": 1, "room": "+ops", "admit": "f" * 16},
    {"type": "access", "n": 1, "room": "+ops", "expel": "f" * 16},
    {"type": "access", "n": 1, "room": "+ops", "operator": "f" * 16},
    {"type": "invite", "n": 1, "hash": "0" * 64, "rooms": ["+ops"]},
    {"type": "mute", "n": 1, "from": "f" * 16, "room": "+ops"},
    {"type": "kick", "nick": "ann", "room": "+ops"},
]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: "-".join(map(str, question)) + question["type"])
@pytest.mark.parametrize("role", ["member", "moderator", "owner", "guest"])
def test_a_private_room_answers_like_one_that_is_not_there(question: Json, role: str) -> None:
    answers = []
    for there in (True, False):
        team = Team()
        ann = private(team) if there else team.member("ann")
        if there:
            ann.say("a secret", room="+ops")
            assert do(ann, "topic", room="+ops", text="secrets")["type"] == "ack"
        else:
            for _ in range(3):  # so that all numbers are the same
                ann.say("a secret", room=None, to="ann")
        asker = team.hello("eve") if role == "guest" else team.member("eve", role)
        team.take((asker.id, json.dumps(question).encode()))
        lines = [{name: value for name, value in line.items() if name not in VARYING} for line in asker.read()]
        answers.append(json.dumps(lines))
    assert answers[0] == answers[1]


VARYING = {"uptime", "rate", "log_bytes"}


def test_a_search_does_no_work_for_what_one_may_not_read() -> None:
    team = Team()
    ann = private(team)
    for _ in range(20):
        ann.say("zebra", room="+ops")
        team.olga.say("zebra", room=None, to="ann")
    index = SearchIndex(None, team.store.path, team.store.connection)
    while index.fill():
        pass

    def steps(text: str, asker: str, *rooms: str) -> tuple[int, int]:
        """Return how many were found, and in how many steps of SQLite's machine."""
        done = itertools.count()
        team.store.connection.set_progress_handler(lambda: next(done) < 0, 1)
        query = Query(peer=b"", ref=None, text=text, asker=asker, visible=frozenset(rooms))
        found = index.search(query).count
        team.store.connection.set_progress_handler(None, 0)
        return found, next(done)

    steps("unicorn", "f" * 16)  # the first search prepares its statements
    assert steps("zebra", "f" * 16) == steps("unicorn", "f" * 16)
    assert steps(f"\ue000{who_is(ann)}\ue000zebra", "f" * 16)[0] == 0
    assert steps("zebra", who_is(ann), "+ops")[0] == 40
    assert steps("zebra", who_is(team.olga))[0] == 20


def test_an_expelled_member_is_out_at_once_and_reads_nothing_more() -> None:
    team = Team()
    bob = team.member("bob")
    ann = private(team, bob)
    assert do(ann, "access", room="+ops", expel=who_is(bob))["type"] == "ack"
    assert [line["type"] for line in bob.read()] == ["access", "parted"]
    ann.say("without bob", room="+ops")
    assert bob.read() == []
    assert codes(bob.ask("history", room="+ops")) == ["unknown_room"]


def test_a_say_decided_before_an_expulsion_in_the_same_batch_is_refused_by_the_log() -> None:
    team = Team()
    bob = team.member("bob")
    ann = private(team, bob)
    bob.n, ann.n = 0, 2
    team.take(
        (ann.id, ann.line("access", n=3, room="+ops", expel=who_is(bob))),
        (bob.id, bob.line("say", n=1, room="+ops", text="wait")),
    )
    assert codes(ann.read()) == ["ack", "access", "told"]
    assert "unknown_room" in codes(bob.read())
    (again,) = bob.ask("say", n=1, room="+ops", text="wait")
    assert again["code"] == "unknown_room", "the number is taken, and answered as before"


def test_a_say_decided_before_a_mute_in_the_same_batch_is_refused_by_the_log_and_a_mark_is_not() -> None:
    team = Team()
    bob = team.member("bob")
    assert codes(bob.say("before")) == ["ack"]
    bob.n, olga = 1, team.olga
    team.take(
        (olga.id, olga.line("mute", n=olga.n + 1, **{"from": who_is(bob)})),
        (bob.id, bob.line("say", n=2, room="general", text="wait")),
        (bob.id, bob.line("read", n=3, room="general", seq=1)),
    )
    answers = {line["n"]: codes([line])[0] for line in bob.read() if "n" in line}
    assert answers == {2: "muted", 3: "ack"}


def test_only_who_operates_a_private_room_lets_others_in_and_it_stays_private() -> None:
    team = Team()
    bob, eve = team.member("bob"), team.member("eve")
    ann = private(team, bob)
    assert do(bob, "access", room="+ops", admit=who_is(eve))["code"] == "forbidden"
    assert do(ann, "access", room="+ops", mode="public")["code"] == "forbidden"
    assert do(ann, "access", room="+ops", expel=who_is(ann))["code"] == "forbidden", "somebody has to operate it"
    assert do(ann, "access", room="+ops", operator=who_is(bob))["type"] == "ack"
    assert do(ann, "access", room="+ops", expel=who_is(ann))["type"] == "ack"
    bob.read()
    assert do(bob, "access", room="+ops", admit=who_is(eve))["type"] == "ack"
    assert [line["change"] for line in eve.read()] == ["admitted"], "told once"
    assert do(team.hello("guest"), "access", room="+mine", mode="private")["code"] == "forbidden"


def test_an_invitation_may_lead_into_a_private_room() -> None:
    team = Team()
    ann = private(team)
    code = links.encode_code(b"0123456789abcdef")
    assert do(ann, "invite", hash=links.invitation_hash(code), rooms=["+ops", "general"])["type"] == "ack"
    bob = team.come(key("bob"), nick="bob", invite=code)
    assert bob.welcome["rooms"] == ["+ops", "general"]
    assert "joined" in codes(bob.ask("join", room="+ops"))


def test_an_invitation_into_a_private_room_that_is_full_lets_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    team = Team()
    ann = private(team)
    code = team.invitation(ann, rooms=["+ops"])
    monkeypatch.setattr(administration, "ADMITTED_MAX", 1)
    (refused,) = team.at(key("bob")).ask("hello", protocol=1, nick="bob", invite=code)
    assert (refused["code"], refused["limit"]) == ("forbidden", 1)
    monkeypatch.setattr(administration, "ADMITTED_MAX", 2)
    bob = team.come(key("bob"), nick="bob", invite=code)
    assert bob.welcome["rooms"] == ["+ops"]


# -- moderation


def test_a_banned_member_is_sent_away_cut_and_kept_out_on_all_devices() -> None:
    team = Team()
    ann = team.member("ann")
    mod = team.member("mod", "moderator")
    phone = team.come(key("phone"), device="phone", invite=team.invitation(ann, **{"self": True}))
    assert do(mod, "ban", **{"from": who_is(ann)}, reason="spam")["type"] == "ack"
    for device in (ann, phone):
        assert device.read()[-1] == {"type": "bye", "reason": "banned", "by": "mod", "text": "spam"}
    assert {key("ann"), key("phone")} <= set(team.cut)
    assert codes(team.at(key("phone")).ask("hello", protocol=1, device="phone")) == ["banned"]
    assert codes(mod.ask("ping"))[-1] == "pong"
    assert do(mod, "unban", **{"from": who_is(ann)})["type"] == "ack"
    assert team.come(key("ann"), device="laptop").welcome["nick"] == "ann"


def test_a_ban_and_a_mute_end_when_they_say() -> None:
    team = Team()
    ann = team.member("ann")
    assert do(team.olga, "mute", **{"from": who_is(ann)}, room="general", until="2026-11-22T05:31:00Z")["type"] == "ack"
    refused = do(ann, "say", room="general", text="x")
    assert refused["code"] == "muted"
    assert "in #general until 2026-11-22T05:31:00" in refused["message"]
    assert do(ann, "say", room="elsewhere", text="x")["type"] == "ack"
    team.now = 61.0
    assert do(ann, "say", room="general", text="x")["type"] == "ack"
    assert do(team.olga, "ban", **{"from": who_is(ann)}, until="2026-11-22T05:33:00Z")["type"] == "ack"
    assert codes(team.at(key("ann")).ask("hello", protocol=1, device="d")) == ["banned"]
    team.now = 181.0
    assert codes(team.at(key("ann")).ask("hello", protocol=1, device="d")) == ["welcome"]


def test_who_is_muted_everywhere_is_not_told_of_one_room() -> None:
    team = Team()
    ann = team.member("ann")
    assert do(team.olga, "mute", **{"from": who_is(ann)}, reason="spam")["type"] == "ack"
    assert do(ann, "say", room="general", text="x")["message"] == "you are muted: spam"
    found = {one["nick"]: one.get("muted") for one in team.olga.ask("members")[0]["members"]}
    assert found == {"olga": None, "ann": True}


def test_a_moderator_undoes_no_ban_and_no_mute_of_an_owner() -> None:
    team = Team()
    ann, mod = team.member("ann"), team.member("mod", "moderator")
    assert do(team.olga, "ban", **{"from": who_is(ann)})["type"] == "ack"
    assert do(team.olga, "mute", **{"from": who_is(ann)})["type"] == "ack"
    assert do(mod, "unban", **{"from": who_is(ann)})["code"] == "forbidden"
    assert do(mod, "unmute", **{"from": who_is(ann)})["code"] == "forbidden"
    assert do(team.olga, "unban", **{"from": who_is(ann)})["type"] == "ack"


def test_nobody_mutes_themselves() -> None:
    team = Team()
    assert do(team.olga, "mute", **{"from": who_is(team.olga)})["message"] == "you cannot mute yourself"


def test_who_is_muted_or_banned_is_so_too_as_a_guest_by_the_same_user_of_the_machine() -> None:
    team = Team()
    otto, guest = team.come(OTHER, device="host"), team.come(OTHER, nick="gus", client="c" * 32)
    assert (who_is(otto) != who_is(guest), codes(guest.say("hi"))) == (True, ["ack"])
    guest.n = 1
    assert do(team.olga, "mute", **{"from": who_is(otto)})["type"] == "ack"
    assert do(guest, "say", room="general", text="x")["code"] == "muted"
    assert do(team.olga, "unmute", **{"from": who_is(otto)})["type"] == "ack"
    assert do(team.olga, "ban", **{"from": who_is(otto)})["type"] == "ack"
    assert "bye" in codes(guest.read())


def test_a_muted_moderator_cannot_unmute_itself() -> None:
    team = Team()
    mod, other = team.member("mod", "moderator"), team.member("other", "moderator")
    assert do(other, "mute", **{"from": who_is(mod)})["type"] == "ack"
    assert do(mod, "unmute", **{"from": who_is(mod)})["code"] == "forbidden"
    assert do(other, "unmute", **{"from": who_is(mod)})["type"] == "ack"


def test_a_moderator_cannot_act_against_an_owner_and_the_last_owner_stays() -> None:
    team = Team()
    mod = team.member("mod", "moderator")
    olga = who_is(team.olga)
    for type_ in ("ban", "mute"):
        assert do(mod, type_, **{"from": olga})["code"] == "forbidden"
    assert codes(mod.ask("kick", nick="olga")) == ["forbidden"]
    assert do(mod, "role", **{"from": who_is(mod)}, role="owner")["code"] == "forbidden"
    assert do(team.olga, "role", **{"from": olga}, role="member")["code"] == "forbidden"
    assert do(team.olga, "ban", **{"from": olga})["code"] == "forbidden"


def test_two_owners_who_unmake_each_other_in_one_batch_leave_one() -> None:
    team = Team()
    ann = team.member("ann", "owner")
    team.take(
        (ann.id, ann.line("role", n=1, **{"from": who_is(team.olga)}, role="member")),
        (team.olga.id, team.olga.line("role", n=team.olga.n + 1, **{"from": who_is(ann)}, role="member")),
    )
    assert codes(ann.read())[0] == "ack"
    assert "forbidden" in codes(team.olga.read())


def test_a_kick_ends_all_sessions_of_somebody_or_a_stay_in_a_room() -> None:
    team = Team()
    guest = team.hello("guest")
    guest.ask("join", room="general")
    assert codes(team.olga.ask("kick", nick="guest", room="general")) == ["ok"]
    assert codes(guest.read()) == ["parted"]
    assert team.heard("general", "left")[0]["reason"] == "kick"
    assert codes(team.olga.ask("kick", nick="guest", reason="noise")) == ["ok"]
    assert guest.read() == [{"type": "bye", "reason": "kick", "by": "olga", "text": "noise"}]


def test_only_operators_and_moderators_speak_in_an_announce_room_and_all_read() -> None:
    team = Team()
    ann, guest = team.member("ann"), team.hello("guest")
    assert do(ann, "access", room="news", mode="announce")["code"] == "forbidden"
    assert do(team.olga, "access", room="news", mode="announce")["type"] == "ack"
    (joined,) = guest.ask("join", room="news")
    assert joined["mode"] == "announce"
    assert do(guest, "say", room="news", text="x")["code"] == "forbidden"
    refused = do(ann, "say", room="news", text="x")
    assert (refused["code"], refused["message"][:21]) == ("forbidden", "#news is read-only: i")
    assert do(team.olga, "access", room="news", operator=who_is(ann))["type"] == "ack"
    ann.read()
    assert do(ann, "say", room="news", text="release")["type"] == "ack"
    assert [each["text"] for each in team.heard("news", "message")] == ["release"]
    for mode in ("public", "announce"):
        assert do(team.olga, "access", room="news", mode=mode)["type"] == "ack"
    ann.read()
    assert do(ann, "say", room="news", text="x")["code"] == "forbidden", "operators are named anew"


def test_all_who_are_in_a_room_are_told_who_speaks_there_and_how_long_it_keeps_what_is_said() -> None:
    team = Team()
    mod, guest, elsewhere = team.member("mod", "moderator"), team.come("", nick="gus"), team.member("eve")
    assert "joined" in codes(guest.ask("join", room="news"))
    for peer in (mod, guest, elsewhere):
        peer.read()
    for fields in ({"mode": "announce"}, {"operator": who_is(mod)}, {"keep": 30}):
        assert do(team.olga, "access", room="news", **fields)["type"] == "ack"
        for peer in (mod, guest):
            assert [line["change"] for line in peer.read()] == list(fields), "a moderator need not be in it"
        assert elsewhere.read() == []


def operators(peer: Peer, room: str) -> list[str]:
    """Return who operates a room, as `joined` and `who` tell."""
    peer.read()
    (joined,), (roster,) = peer.ask("join", room=room), peer.ask("who", room=room)
    listed = [one["nick"] for one in joined["members"] if one.get("operator")]
    assert listed == [one["nick"] for one in roster["members"] if one.get("operator")]
    return listed


def test_a_roster_tells_who_operates_the_room_until_it_is_simply_public_again() -> None:
    team = Team()
    ann, bob = team.member("ann"), team.member("bob")
    for peer in (ann, bob):
        peer.ask("join", room="news")
    assert operators(bob, "news") == []
    for fields in ({"mode": "announce"}, {"operator": who_is(ann)}):
        assert do(team.olga, "access", room="news", **fields)["type"] == "ack"
    assert operators(bob, "news") == ["ann"], "at once, whatever was listed before"
    ann.ask("part", room="news")
    ann.ask("join", room="news")
    came = [(event["nick"], event.get("operator")) for event in team.heard("news", "joined")]
    assert came == [("ann", None), ("bob", None), ("ann", True)]
    assert "operator" not in bob.ask("who", nick="ann")[0]["members"][0], "it is said of a room alone"
    assert do(team.olga, "access", room="news", mode="public")["type"] == "ack"
    assert operators(bob, "news") == []


def test_a_roster_of_a_private_room_tells_who_operates_it() -> None:
    team = Team()
    bob = team.member("bob")
    ann = private(team, bob)
    assert operators(bob, "+ops") == ["ann"]
    assert do(ann, "access", room="+ops", operator=who_is(bob))["type"] == "ack"
    assert operators(bob, "+ops") == ["ann", "bob"]


def test_whoever_sees_a_room_may_ask_for_how_long_it_keeps_what_is_said() -> None:
    team = Team(keep=1.5 * 86_400)
    mod, guest = team.member("mod", "moderator"), team.come("", nick="gus")
    ann = private(team, mod)

    def told(peer: Peer) -> Json:
        return {one["room"]: one.get("keep") for one in peer.ask("rooms")[-1]["rooms"]}

    assert guest.welcome["limits"]["keep"] == 1.5
    assert do(mod, "access", room="news", mode="announce")["type"] == "ack"
    assert (told(guest), told(ann)) == ({}, {"+ops": None})
    for peer, room, days in ((mod, "news", 0), (mod, "empty", 30), (ann, "+ops", 7)):
        assert do(peer, "access", room=room, keep=days)["type"] == "ack"
    for _ in range(2):
        assert told(guest) == {"news": 0, "empty": 30}, "a room has its word, also before anybody was there"
        assert told(mod) == {"news": 0, "empty": 30, "+ops": 7}
        team.open()  # again, from the log
        mod, guest = team.come(key("mod"), device="mod"), team.come("", nick="gus")
    assert do(team.come(OWN, device="host"), "access", room="empty", keep="default")["type"] == "ack"
    assert told(guest) == {"news": 0}


def test_the_audit_is_for_moderators_and_names_no_private_room_that_they_are_not_in() -> None:
    team = Team()
    ann = private(team)
    mod = team.member("mod", "moderator")
    assert codes(ann.ask("audit")) == ["forbidden"]
    (audit,) = mod.ask("audit")
    assert [event["change"] for event in audit["events"]] == [
        "joined",
        "invited",
        "joined",
        "mode",
        "invited",
        "joined",
    ]
    assert "+ops" not in json.dumps(audit)
    seqs = [event["seq"] for event in audit["events"]]
    assert [event["prev"] for event in audit["events"]] == [0, *seqs[:-1]]
    (page,) = mod.ask("audit", before=seqs[2], limit=1)
    assert [event["seq"] for event in page["events"]] == [seqs[1]]


# -- the log


def test_a_broker_that_starts_again_knows_members_rooms_and_bans_from_the_log_alone() -> None:
    team = Team()
    bob = team.member("bob")
    private(team, bob)
    assert do(team.olga, "ban", **{"from": who_is(bob)})["type"] == "ack"
    before = vars(team.hub.members)
    team.open()
    assert vars(team.hub.members) == before
    assert vars(LocalLog(team.store).members) == before
    assert codes(team.at(key("bob")).ask("hello", protocol=1, device="d")) == ["banned"]
    ann = team.come(key("ann"), device="d")
    assert "joined" in codes(ann.ask("join", room="+ops"))


def test_a_batch_that_cannot_be_written_changes_no_member() -> None:
    team = Team()
    team.store.connection.execute("CREATE TRIGGER full BEFORE INSERT ON chunk BEGIN SELECT RAISE(ABORT, 'full'); END")
    stranger = team.at(OTHER)
    assert codes(stranger.ask("hello", protocol=1, device="host")) == ["unavailable"]
    assert do(team.olga, "invite", hash="0" * 64)["code"] == "unavailable"
    assert len(team.hub.members.members) == len(team.log.members.members) == 1
    team.store.connection.execute("DROP TRIGGER full")
    assert codes(stranger.ask("hello", protocol=1, device="host")) == ["welcome"]
    team.olga.n = 0
    assert do(team.olga, "invite", hash="0" * 64)["type"] == "ack"


def test_a_repeated_command_is_answered_as_before_and_done_once() -> None:
    team = Team()
    ann = team.member("ann")
    line = team.olga.line("role", n=team.olga.n + 1, **{"from": who_is(ann)}, role="moderator")
    first = next(one for one in team.olga.send(line) if one["type"] == "ack")
    assert team.olga.send(line) == [first]
    team.open()
    olga = team.come(OWN, device="host", client=team.olga.welcome["client"])
    assert olga.send(line)[0] == first


def test_an_unknown_change_of_a_later_version_moves_the_chain_and_nothing_else() -> None:
    team = Team()
    copy: Members = team.hub.members.copy()
    event = next(iter(team.store.chain()))
    copy.apply(m.MemberChanged(seq=99, prev=1, time=event.time, change="knighted"))
    assert copy.head == 99
    assert copy.members == team.hub.members.members
