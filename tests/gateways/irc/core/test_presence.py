"""Who is shown where: one QUIT, one NICK, one AWAY, whatever zchat tells room by room."""

from zchat.gateways.irc.core.caps import Caps
from zchat.gateways.irc.core.lines import Line, encoded
from zchat.gateways.irc.core.presence import Presence, Rosters
from zchat.gateways.irc.core.scene import Face, Scene, World
from zchat.protocol import messages as m

ME, BOB = "0" * 16, "b" * 16


def member(nick: str, from_: str = BOB, role: str | None = None) -> m.Member:
    return m.Member(nick=nick, from_=from_) if role is None else m.Member(nick=nick, from_=from_, role=role)


def scene(*caps: str) -> Scene:
    made = Scene(World(), Caps(have=set(caps)), "me", ME)
    made.world.faces.note("me", Face(ME, "guest"))
    return made


def presence(*rooms: str) -> Presence:
    made = Presence(scene("away-notify"))
    for room in rooms:
        made.enter(room, {"me": member("me", ME), "bob": member("bob")})
    return made


def shown(lines: list[Line]) -> list[str]:
    """Return lines as they are sent to a client that knows no tags."""
    return [encoded(Caps().fitting(line)).decode().rstrip() for line in lines]


def left(room: str, reason: str = "bye", text: str | None = None) -> m.MemberLeft:
    return m.MemberLeft(room=room, rev=2, nick="bob", reason=reason, text=text)


def test_who_goes_offline_quits_once() -> None:
    here = presence("dev", "ops")
    gone: Rosters = {"dev": {}, "ops": {}}
    assert shown(here.left(left("dev", text="home"), gone)) == [f":bob!~guest@{BOB} QUIT :home"]
    assert here.left(left("ops", text="home"), gone) == []
    assert here.rooms == {"dev": {"me"}, "ops": {"me"}}


def test_who_is_still_in_another_room_parts_this_one() -> None:
    here = presence("dev", "ops")
    assert shown(here.left(left("dev"), {"dev": {}, "ops": {"bob": member("bob")}})) == [f":bob!~guest@{BOB} PART #dev"]
    assert shown(here.left(left("ops", "timeout"), {"dev": {}, "ops": {}})) == [f":bob!~guest@{BOB} QUIT :timeout"]
    here = presence("dev")
    assert shown(here.left(left("dev", "part", "so long"), {})) == [f":bob!~guest@{BOB} PART #dev :so long"]
    here = presence("dev")
    assert shown(here.left(left("dev", "kick", "spam"), {})) == [":irc.zchat KICK #dev bob :spam"]


def test_who_is_missed_is_not_told_as_gone_while_all_come_back() -> None:
    here = presence("dev")
    now: Rosters = {"dev": {"me": member("me", ME), "carl": member("carl", "c" * 16)}}
    assert shown(here.settle(now, gone=False)) == [f":carl!~guest@{'c' * 16} JOIN #dev"]
    assert shown(here.settle(now)) == [f":bob!~guest@{BOB} QUIT :gone"]


def test_another_nick_and_being_away_are_told_once() -> None:
    here = presence("dev", "ops")
    assert shown(here.renamed("bob", "bobby")) == [f":bob!~guest@{BOB} NICK bobby"]
    assert here.renamed("bob", "bobby") == []
    assert shown(here.away("bobby", "lunch")) == [f":bobby!~guest@{BOB} AWAY :lunch"]
    assert here.away("bobby", "lunch") == []
    assert shown(here.away("bobby", None)) == [f":bobby!~guest@{BOB} AWAY"]
    assert here.away("stranger", "x") == []


def test_who_operates_a_room_has_a_sign_there_alone() -> None:
    here = presence("dev", "ops")
    assert shown(here.role("bob", "member")) == [f":irc.zchat MODE #{room} +v bob" for room in ("dev", "ops")]
    assert shown(here.operates("dev", "bob", True)) == [":irc.zchat MODE #dev +o bob"]
    assert here.operates("dev", "bob", True) == []
    assert here.operates("dev", "stranger", True) == []
    assert (here.modes("dev", "bob"), here.modes("ops", "bob"), here.modes("ops", "eve")) == ("ov", "v", None)
    here.renamed("bob", "rob")
    assert here.modes("dev", "rob") == "ov"
    assert shown(here.role("rob", "moderator")) == [
        ":irc.zchat MODE #dev -v rob",
        ":irc.zchat MODE #ops -v+o rob rob",
    ], "in the one room they had the sign before"
    assert shown(here.role("rob", "member")) == [":irc.zchat MODE #dev +v rob", ":irc.zchat MODE #ops -o+v rob rob"]
    assert shown(here.simply_public("dev", "olga!owner@f")) == [":olga!owner@f MODE #dev -o rob"]
    event = m.MemberJoined(room="dev", rev=3, nick="max", from_="c" * 16, bot=False, role="member", operator=True)
    assert shown(here.joined(event))[1:] == [":irc.zchat MODE #dev +ov max max"]
    assert [scene(*caps).prefix("ov") for caps in ((), ("multi-prefix",))] == ["@", "@+"]


def test_who_comes_is_told_with_their_role_and_once() -> None:
    here = presence("dev")
    event = m.MemberJoined(room="dev", rev=3, nick="olga", from_="c" * 16, bot=False, role="owner")
    assert shown(here.joined(event)) == [f":olga!owner@{'c' * 16} JOIN #dev", ":irc.zchat MODE #dev +q olga"]
    assert here.joined(event) == []
    assert here.joined(m.MemberJoined(room="other", rev=3, nick="x", from_="d" * 16, bot=False)) == []


def test_what_was_missed_is_told_as_the_difference() -> None:
    here = presence("dev", "ops")
    now: Rosters = {
        "dev": {"me": member("me", ME), "bob": member("bob"), "eve": member("eve", "e" * 16)},
        "ops": {"me": member("me", ME)},
    }
    assert shown(here.settle(now)) == [f":eve!~guest@{'e' * 16} JOIN #dev", f":bob!~guest@{BOB} PART #ops"]
    assert here.settle(now) == []
    assert shown(here.settle({"dev": {"me": member("me", ME)}, "ops": {}})) == [
        f":bob!~guest@{BOB} QUIT :gone", f":eve!~guest@{'e' * 16} QUIT :gone",
    ]  # fmt: skip
