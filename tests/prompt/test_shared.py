"""What one types about members, rooms and moderation becomes one command to the broker, and a sentence about it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from tests.client.real import Script, on_loop
from tests.client.script import MINE, Json
from zchat.client.client import ChatClient
from zchat.errors import RefusedError
from zchat.prompt import dispatch, render
from zchat.prompt.asker import Asker
from zchat.prompt.chat import Chat
from zchat.prompt.conversation import take_or_explain
from zchat.prompt.output import Output
from zchat.prompt.plain import PlainView
from zchat.prompt.shared import invitations
from zchat.protocol import links

BOB, CAROL = "b" * 16, "c" * 16
KEY = bytes(range(32))
LINK = links.BrokerLink((("chat.example.org", 5555),), KEY).text
PEOPLE: list[Json] = [
    {"from": MINE, "nick": "alice", "role": "owner", "since": "2026-11-01T10:00:00Z", "present": True,
     "devices": [{"credential": "key:" + "a" * 52, "name": "laptop", "seen": "2026-11-28T10:00:00Z"},
                 {"credential": "key:" + "b" * 52, "name": "phone"}, {"credential": "key:bc" + "c" * 50}]},
    {"from": BOB, "nick": "bob", "role": "member", "since": "2026-11-02T10:00:00Z", "seen": "2026-11-20T09:00:00Z"},
    {"from": CAROL, "nick": "Carol", "role": "moderator", "since": "2026-11-03T10:00:00Z", "muted": True},
]  # fmt: skip


def _acked(line: Json) -> Json:
    return {"type": "ack", "n": line["n"], "seq": 9}


def _who(line: Json) -> Json:
    here = [{"nick": "bob", "from": BOB, "role": "member", "idle": 65, "rooms": ["general", "+ops"]}]
    here += [{"nick": "guy", "from": "1" * 16, "rooms": ["general"]}]
    found = [one for one in here if line.get("nick") in (None, one["nick"])]
    unknown = {"type": "error", "ref": line["ref"], "code": "unknown_nick", "message": "nobody here is called so"}
    return {"type": "roster", "ref": line["ref"], "members": found} if found else unknown


def _members(line: Json) -> Json:
    rest = [one for one in PEOPLE if str(one["from"]) > line.get("after", "")]
    rest.sort(key=lambda one: str(one["from"]))
    limit = line.get("limit", 1000)
    return {"type": "members", "ref": line["ref"], "members": rest[:limit], "more": len(rest) > limit}


def _audit(line: Json) -> Json:
    event = {"type": "member", "seq": 5, "prev": 2, "time": "2026-11-29T12:00:00Z", "change": "banned", "nick": "bob"}
    return {
        "type": "audit",
        "ref": line["ref"],
        "events": [event | {"from": BOB, "by_nick": "al"}],
        "upto": 5,
        "more": True,
    }


NUMBERED = ("invite", "revoke", "role", "credential", "ban", "unban", "mute", "unmute", "access")


class Scene(NamedTuple):
    """A chat at a broker that is a script, and what was shown and told."""

    chat: Chat
    broker: Script
    shown: list[str]

    async def types(self, line: str) -> list[str]:
        """Type a line; return what it has shown."""
        self.shown.clear()
        await take_or_explain(line, self.chat)
        return list(self.shown)

    def last(self, type_: str) -> Json:
        """Return the last command of a type, without what every command has."""
        found = [line for line in self.broker.asked if line["type"] == type_][-1]
        return {name: value for name, value in found.items() if name not in ("type", "n", "ref")}


@asynccontextmanager
async def scene(**fields: Any) -> AsyncIterator[Scene]:
    """Let alice, an owner, sit at the prompt, in #general."""
    known = {"features": ["members", "private"], "member": {"from": MINE, "nick": "alice", "role": "owner"}}
    async with Script(**{**known, "brokers": [LINK], **fields}) as broker:
        broker.answers |= dict.fromkeys(NUMBERED, _acked) | {"who": _who, "members": _members, "audit": _audit}
        broker.answers["kick"] = lambda line: {"type": "ok", "ref": line["ref"]}
        async with ChatClient("alice", broker.listen) as client:
            shown: list[str] = []
            output, asker = Output(shown.append, shown.append, render.Style(lock="🔒")), Asker(client)
            chat = Chat(client, output, asker, PlainView(client, output, asker))
            await chat.enter("general")
            yield Scene(chat, broker, shown)


def moment(at: str) -> str:
    """Return a time as it is shown here."""
    return render.stamp(at, render.Style(stamp="%Y-%m-%d %H:%M"))


@pytest.mark.parametrize(
    ("line", "type_", "sent", "told"),
    [
        ("/kick bob", "kick", {"from": BOB}, "bob was kicked."),
        ("/kick bob enough  -x", "kick", {"from": BOB, "reason": "enough -x"}, "bob was kicked: enough -x."),
        ("/kick bob --room", "kick", {"from": BOB, "room": "general"}, "bob was kicked from #general."),
        ("/mute bob", "mute", {"from": BOB}, "bob is muted."),
        ("/mute carol --room dev", "mute", {"from": CAROL, "room": "dev"}, "carol is muted in #dev."),
        ("/unmute bob --room", "unmute", {"from": BOB, "room": "general"}, "bob may speak again in #general."),
        ("/ban bob spam!", "ban", {"from": BOB, "reason": "spam!"}, "bob is banned: spam!."),
        ("/ban uid:7@h", "ban", {"credential": "uid:7@h"}, "uid:7@h is banned."),
        ("/unban bob", "unban", {"from": BOB}, "bob may come in again."),
        ("/role bob moderator", "role", {"from": BOB, "role": "moderator"}, "bob is a moderator now."),
        ("/announce on", "access", {"room": "general", "mode": "announce"},
         "Only moderators and the operators of #general speak there."),
        ("/announce off --room news", "access", {"room": "news", "mode": "public"}, "Everybody speaks in #news."),
        ("/keep 4w", "access", {"room": "general", "keep": 28}, "What is said in #general is kept for 28 days."),
        ("/keep forever --room news", "access", {"room": "news", "keep": 0}, "What is said in #news is kept for ever."),
        ("/keep default", "access", {"room": "general", "keep": "default"},
         "What is said in #general is kept for as long as the broker says."),
        ("/admit bob --room +ops", "access", {"room": "+ops", "admit": BOB}, "bob may come into 🔒+ops."),
        ("/expel bob --room +ops", "access", {"room": "+ops", "expel": BOB},
         "bob may not come into 🔒+ops any more."),
        ("/operator @bob", "access", {"room": "general", "operator": BOB},
         "bob may do in #general what its operators may."),
        ("/device remove phone", "credential", {"from": MINE, "remove": "key:" + "b" * 52},
         "phone (key:bbbbbbbbbbbb…) comes in as alice no more."),
        ("/device remove bb", "credential", {"from": MINE, "remove": "key:" + "b" * 52},
         "phone (key:bbbbbbbbbbbb…) comes in as alice no more."),
    ],
)  # fmt: skip
@on_loop
async def test_a_line_is_one_command_and_a_sentence(line: str, type_: str, sent: Json, told: str) -> None:
    async with scene() as here:
        assert await here.types(line) == [told]
        assert here.last(type_) == sent


@pytest.mark.parametrize(
    ("line", "limits", "told"),
    [
        ("/keep", {}, "What is said in #general is kept for 30 days."),
        ("/keep --room news", {}, "What is said in #news is kept for ever."),
        ("/keep --room dev", {}, "What is said in #dev is kept for as long as the broker says."),
        ("/keep --room dev", {"keep": 90.0}, "What is said in #dev is kept for 90 days, as the broker says."),
        ("/keep --room dev", {"keep": 0.0}, "What is said in #dev is kept for ever, as the broker says."),
        ("/keep --room new", {"keep": 1.5}, "What is said in #new is kept for 36 hours, as the broker says."),
        (
            "/keep --room +ops",
            {},
            "There is no room +ops that you were let into. Who is in a private room can let you in, with /admit.",
        ),
    ],
)
@on_loop
async def test_whoever_asks_is_told_for_how_long_a_room_keeps_what_is_said(line: str, limits: Json, told: str) -> None:
    async with scene(limits=limits) as here:
        rooms: list[Json] = [{"room": "general", "keep": 30}, {"room": "news", "keep": 0}, {"room": "dev"}]
        rooms = [{"topic": "", "members": 1, "head": 1, **room} for room in rooms]
        here.broker.answers["rooms"] = lambda line: {"type": "rooms", "ref": line["ref"], "rooms": rooms}
        assert await here.types(line) == [told]
        assert here.broker.count("access") == 0
        here.broker.answers["rooms"] = lambda line: {"type": "rooms", "ref": line["ref"], "rooms": [], "more": True}
        (told,) = await here.types("/keep")
        assert "more rooms than it lists, and general is not among these" in told


@on_loop
async def test_until_when_is_sent_with_its_zone_and_told_as_it_is_here() -> None:
    async with scene() as here:
        (told,) = await here.types("/mute bob 10m spam")
        sent = here.last("mute")
        assert datetime.fromisoformat(sent["until"]).tzinfo is not None
        assert told == f"bob is muted until {moment(sent['until'])[-5:]}: spam." or "-" in told  # not at midnight
        (told,) = await here.types("/ban bob 2100-01-02")
        assert told == "bob is banned until 2100-01-02 00:00."


@on_loop
async def test_a_private_room_is_made_and_entered_with_all_or_not_at_all() -> None:
    async with scene() as here:
        with pytest.raises(RefusedError, match="nobody is called dave"):
            await dispatch.parse("/private ops bob dave", here.chat)
        assert here.broker.count("access") == 0
        shown = await here.types("/private ops bob Carol")
        assert shown[-1] == "🔒+ops is private, with bob, Carol."
        assert here.chat.room == "+ops"
        assert "You are in 🔒+ops" in shown[0]
        sent = [line for line in here.broker.asked if line["type"] == "access"]
        assert [{"mode", "admit"}.intersection(line) for line in sent] == [{"mode"}, {"admit"}, {"admit"}]
        assert [line.get("admit") for line in sent] == [None, BOB, CAROL]


@on_loop
async def test_an_invitation_is_a_link_whose_code_the_broker_does_not_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    async with scene() as here:
        link, told, browser = await here.types("/invite --uses 5 --expires 2100-01-02 --role moderator ops #Dev")
        made = links.parse(link)
        assert (made.hosts, made.key) == ((("chat.example.org", 5555),), KEY)
        assert told.startswith(
            "For up to 5 to come in as moderators, and into #ops, #dev, until 2100-01-02 00:00: zchat join LINK"
        )
        sent = here.last("invite")
        assert sent["hash"] == links.invitation_hash(made.code or "")
        assert (sent["uses"], sent["role"], sent["rooms"]) == (5, "moderator", ["ops", "dev"])
        assert made.code is not None
        assert made.code not in str(here.broker.asked)
        assert browser == "In a browser: paste it at the page (zchat web)."
        monkeypatch.setenv("ZCHAT_WEB", "https://chat.example.org/")
        _, told, browser = await here.types("/invite")
        _, _, code = browser.partition("In a browser: https://chat.example.org/#in=")
        assert links.invitation_hash(code) == here.last("invite")["hash"]
        for of_it in (link, f"https://chat.example.org/#in={made.code}", made.code.upper(), sent["hash"]):
            await here.types(f"/revoke {of_it}")
            assert here.last("revoke") == {"hash": sent["hash"]}
        link, told, _ = await here.types("/device add")
        assert here.last("invite")["self"] is True
        assert told.startswith("For another device of yours, until ")


@on_loop
async def test_nobody_is_invited_to_a_broker_that_nobody_else_reaches() -> None:
    async with scene(brokers=[]) as here:
        (told,) = await here.types("/invite")
        assert "reached from its own machine only" in told
        assert "--listen" in told
        assert here.broker.count("invite") == 0


@on_loop
async def test_no_browser_gets_a_link_where_no_key_is_taken_and_it_is_told_how_one_comes_in() -> None:
    async with scene(brokers=[]) as here:
        (told,) = await here.types("/web")
        assert "`zchat web` on this machine prints a link" in told
        assert here.broker.count("invite") == 0


@on_loop
@pytest.mark.parametrize("url", ["ftp://chat.example.org", "localhost:7610", "https://", "https://chat.example.org/#a"])
async def test_a_link_for_a_browser_leads_to_a_page_or_is_not_made(url: str) -> None:
    async with scene() as here:
        (told,) = await here.types(f"/web --url {url}")
        assert "Write it as https://chat.example.org" in told
        assert here.broker.count("invite") == 0


@pytest.mark.parametrize(("columns", "rows"), [(0, 0), (44, 0), (45, 23)])
def test_a_qr_code_is_drawn_where_it_fits(columns: int, rows: int) -> None:
    link = links.BrokerLink((("chat.example.org", 5555),), KEY, links.encode_code(bytes(16))).text
    drawn = invitations._qr(link, columns, render.Style())
    assert len(drawn) == rows
    assert all(render.width(line) <= columns for line in drawn)


@on_loop
async def test_members_are_shown_with_their_roles_and_when_they_were_here() -> None:
    async with scene() as here:
        assert (await here.types("/members"))[0].split("\n") == [
            "alice  owner              here",
            f"bob    member             last here {moment('2026-11-20T09:00:00Z')}",
            "Carol  moderator (muted)",
        ]


@on_loop
async def test_whois_tells_what_is_known_of_who_is_here_who_is_away_and_of_a_guest() -> None:
    async with scene() as here:
        (bob,) = await here.types("/whois bob")
        for fact in (
            "role   member",
            "rooms  #general 🔒+ops",
            "idle   1 min 5 s",
            f"since  {moment('2026-11-02T10:00:00Z')}",
        ):
            assert fact in bob
        assert here.last("members") == {"after": "b" * 15 + "a", "limit": 1}, "one member, not all"
        assert "role   moderator (muted)" in (await here.types("/whois carol"))[0]
        assert "role   guest" in (await here.types("/whois guy"))[0]
        (alice,) = await here.types("/whois alice")
        assert f"laptop  key:aaaaaaaaaaaa…  seen {moment('2026-11-28T10:00:00Z')}" in alice
        (told,) = await here.types("/whois dave")
        assert told.startswith("Nobody is called dave")


@on_loop
async def test_a_broker_of_before_knows_no_guests() -> None:
    async with scene(features=[], member=None) as here:
        assert "guest" not in (await here.types("/whois guy"))[0]
        assert "guest" not in (await here.types("/who"))[0]
        assert here.broker.count("members") == 0
    async with scene() as here:
        bob, guy = (await here.types("/who"))[0].split("\n")
        assert (bob, guy) == ("bob          #general 🔒+ops  idle 1 min 5 s", "guy (guest)  #general")


@on_loop
async def test_a_device_is_named_or_told_by_the_beginning_of_its_key() -> None:
    async with scene() as here:
        assert (await here.types("/device list"))[0].split("\n")[0].startswith("laptop  key:aaaaaaaaaaaa…  seen ")
        for line, why in (("/device remove b", "several"), ("/device remove tablet", "no such device")):
            (told,) = await here.types(line)
            assert why in told.lower()
            assert "phone (key:bbbbbbbbbbbb…)" in told
        assert here.broker.count("credential") == 0
        (told,) = await here.types("/device remove --of bob phone")
        assert told == "Only bob and owners see the devices of bob."


@on_loop
async def test_the_only_device_of_ones_own_is_not_removed_by_oneself() -> None:
    async with scene() as here:
        alone = PEOPLE[0] | {"devices": [{"credential": "key:" + "a" * 52, "name": "laptop"}]}
        here.broker.answers["members"] = lambda line: {"type": "members", "ref": line["ref"], "members": [alone]}
        (told,) = await here.types("/device remove laptop")
        assert "laptop (key:aaaaaaaaaaaa…) is your only device" in told
        assert here.broker.count("credential") == 0


@on_loop
async def test_the_audit_shows_who_did_what_and_how_to_see_more() -> None:
    async with scene() as here:
        shown, told = await here.types("/audit")
        assert shown == f"{moment('2026-11-29T12:00:00Z')} al banned bob."
        assert told == "There is more: --before 5 shows it."
        await here.types("/audit --limit 3 --before 5")
        assert here.last("audit") == {"limit": 3, "before": 5}


@pytest.mark.parametrize(
    ("line", "explained"),
    [
        ("/mute", "Missing argument 'NICK'"),
        ("/mute bob 10min", "'10min' is no time"),
        ("/kick", "Usage: /kick [--room [ROOM]] NICK [REASON]..."),
        ("/role bob admin", "'admin' is not one of"),
        ("/invite --uses 0", "1 to 10000"),
        ("/invite --use 5", "No such option"),
        ("/admit", "Missing argument 'NICK...'"),
        ("/private +", "a private room has a name behind the +"),
        ("/device", "Say what to do: /device add, /device list or /device remove."),
        ("/device foo", "Say what to do"),
        ("/devise", "no command /devise"),
    ],
)
@on_loop
async def test_a_wrong_line_is_explained_and_asks_nothing(line: str, explained: str) -> None:
    async with scene() as here:
        asked = len([each for each in here.broker.asked if each["type"] != "ping"])
        assert explained in "\n".join(await here.types(line))
        assert len([each for each in here.broker.asked if each["type"] != "ping"]) == asked


@pytest.mark.parametrize(
    ("line", "type_", "message", "told"),
    [
        ("/admit bob", "access", "there is no member with this `from`", "No member is called bob."),
        ("/operator bob", "access", "no member with this `from` is in +ops: admit them first",
         "Nobody called bob is in +ops: admit them first."),
        ("/admit bob carol", "access", "there is no member with this `from`", "One of them is no member."),
        ("/ban bob", "ban", "no member has this `from`: mute it", "No member is called bob: mute it."),
        ("/unmute bob", "unmute", "there is no such mute", "There is no such mute."),
    ],
)  # fmt: skip
@on_loop
async def test_a_refusal_names_whom_it_is_about(line: str, type_: str, message: str, told: str) -> None:
    async with scene() as here:
        refusal = {"type": "error", "code": "unknown_member", "message": message}
        here.broker.answers[type_] = lambda asked: refusal | {"n": asked["n"]}
        assert await here.types(line) == [told]


@on_loop
async def test_a_command_about_this_room_says_when_there_is_none() -> None:
    async with scene() as here:
        here.chat.turn_to(None)
        assert "so nobody would hear it" in (await here.types("hello"))[0]
        assert (here.chat.refused, here.broker.count("say")) == (1, 0)
        assert "You are in no room: name it, as in --room dev." in (await here.types("/admit bob"))[0]
        assert "You are in no room" in (await here.types("/kick bob --room"))[0]


@on_loop
async def test_nothing_is_done_later_by_surprise() -> None:
    async with scene() as here:
        told: list[str] = []
        style = render.Style()
        chat: Any = SimpleNamespace(client=SimpleNamespace(online=False), tell=told.append, style=style, refused=0)
        await take_or_explain("/ban bob", chat)
        assert told == ["No broker now: ask again when it is back."]
        assert here.broker.count("ban") == 0


@on_loop
async def test_help_shows_what_one_may_do_and_says_who_may_do_the_rest() -> None:
    async with scene() as here:
        assert "/ban" in (await here.types("/help"))[0]
        assert "One has to be" not in (await here.types("/help ban"))[0]
    async with scene(member={"from": MINE, "nick": "alice", "role": "member"}) as here:
        (listed,) = await here.types("/help")
        assert "/invite" in listed
        assert "/ban" not in listed
        assert "One has to be a moderator to keep somebody out." in (await here.types("/help ban"))[0]
        assert "Usage: /device add" in (await here.types("/help /device add"))[0]
    for role in (None, {"from": MINE, "nick": "alice", "role": "of a later version"}):
        async with scene(member=role) as here:
            (listed,) = await here.types("/help")
            assert "/whois" in listed
            assert "/invite" not in listed
