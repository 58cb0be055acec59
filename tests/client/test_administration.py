"""What is asked about members, invitations and rooms: what goes over the wire, and how nicks become people."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.client.real import Script, on_loop
from tests.client.script import Json, Talk, ack, error
from zchat import ChatClient, SyncClient
from zchat.client.administration import Administration, RoomAccess
from zchat.client.core.numbered import FINAL
from zchat.errors import RefusedError
from zchat.protocol import links
from zchat.protocol import messages as m

BOB, CAROL = "b" * 16, "c" * 16
WHEN = datetime(2027, 1, 1, tzinfo=UTC)


def account(from_: str, nick: str) -> Json:
    return {"from": from_, "nick": nick, "role": "member", "since": "2026-11-22T05:30:00.000Z"}


class Broker:
    """Answers in place of a broker: bob is here, and carol is a member who is away."""

    def __init__(self, *, page: int = 1_000) -> None:
        self.asked: list[m.Command] = []
        self._page = page
        self._all = [m.MemberInfo(from_=CAROL, nick="Carol", role="member", since="")]
        self._all += [m.MemberInfo(from_=f"{n:016x}", nick=f"n{n}", role="member", since="") for n in range(5)]
        self._all.sort(key=lambda member: member.from_)

    async def post(self, command: m.NumberedCommand) -> "asyncio.Future[m.Ack]":
        self.asked.append(command)
        answer: asyncio.Future[m.Ack] = asyncio.get_running_loop().create_future()
        answer.set_result(m.Ack(n=1, seq=9))
        return answer

    async def ask(self, command: m.Command) -> m.Reply:
        self.asked.append(command)
        match command:
            case m.Who(nick=nick):
                if nick != "bob":
                    raise RefusedError("unknown_nick", f"nobody here is called {nick!r}")
                return m.Roster(members=(m.Member(nick="bob", from_=BOB),))
            case m.AskMembers(after=after):
                rest = [member for member in self._all if member.from_ > (after or "")]
                return m.Members(members=tuple(rest[: self._page]), more=len(rest) > self._page)
            case m.AskAudit():
                return m.Audit(events=(), upto=7, more=False)
        return m.Ok()


@pytest.mark.parametrize("page", [1, 2, 1_000])
@on_loop
async def test_a_nick_is_looked_up_among_those_who_are_here_and_then_among_all_members(page: int) -> None:
    broker = Broker(page=page)
    administration = Administration(broker.post, broker.ask)
    assert await administration.identify(BOB) == BOB
    assert broker.asked == [], "a `from_` stands for itself"
    assert await administration.identify("@bob") == BOB
    assert broker.asked == [m.Who(nick="bob")]
    assert await administration.identify("carol") == CAROL, "as a nick is compared"
    with pytest.raises(RefusedError, match="nobody is called dave") as caught:
        await administration.identify("dave")
    assert caught.value.code == "unknown_member"
    with pytest.raises(RefusedError) as caught:
        await administration.identify("no nick")
    assert caught.value.code == "bad_nick"


@on_loop
async def test_members_end_where_a_broker_says_more_and_tells_nothing_new() -> None:
    class Endless(Broker):
        async def ask(self, command: m.Command) -> m.Reply:
            self.asked.append(command)
            return m.Members(members=(m.MemberInfo(from_=BOB, nick="bob", role="member", since=""),), more=True)

    broker = Endless()
    await Administration(broker.post, broker.ask).members()
    assert len(broker.asked) == 2


@on_loop
async def test_each_call_is_one_command_about_a_from() -> None:
    broker = Broker()
    administration = Administration(broker.post, broker.ask)
    access = RoomAccess(administration)
    await administration.set_role("bob", "moderator")
    await administration.remove_credential("bob", "uid:1000@host")
    await administration.ban("carol", until=WHEN, reason="spam")
    await administration.ban(credential="uid:1000@host")
    await administration.unban("carol")
    await administration.mute("bob", room="#dev", until=WHEN)
    await administration.unmute("bob", room="dev")
    await administration.kick("bob", room="dev", reason="enough")
    await access.make_private("+Ops")
    await access.set_mode("dev", "announce")
    await access.admit("+ops", "bob")
    await access.expel("+ops", "bob")
    await access.make_operator("+ops", "bob")
    await access.keep("#dev", 30)
    await access.keep("#dev", None)
    assert [command for command in broker.asked if not isinstance(command, m.Who | m.AskMembers)] == [
        m.SetRole(n=1, from_=BOB, role="moderator"),
        m.RemoveCredential(n=1, from_=BOB, remove="uid:1000@host"),
        m.Ban(n=1, from_=CAROL, until=WHEN, reason="spam"),
        m.Ban(n=1, credential="uid:1000@host"),
        m.Unban(n=1, from_=CAROL),
        m.Mute(n=1, from_=BOB, room="dev", until=WHEN),
        m.Unmute(n=1, from_=BOB, room="dev"),
        m.Kick(from_=BOB, room="dev", reason="enough"),
        m.SetAccess(n=1, room="+ops", mode="private"),
        m.SetAccess(n=1, room="dev", mode="announce"),
        m.SetAccess(n=1, room="+ops", admit=BOB),
        m.SetAccess(n=1, room="+ops", expel=BOB),
        m.SetAccess(n=1, room="+ops", operator=BOB),
        m.SetAccess(n=1, room="dev", keep=30),
        m.SetAccess(n=1, room="dev", keep="default"),
    ]


@on_loop
async def test_what_could_not_be_meant_is_told_before_anything_is_asked() -> None:
    broker = Broker()
    administration = Administration(broker.post, broker.ask)
    with pytest.raises(ValueError, match="whom"):
        await administration.ban()
    with pytest.raises(ValueError, match="whom"):
        await administration.ban("bob", credential="uid:1000@host")
    with pytest.raises(ValueError, match="time zone"):
        await administration.mute(BOB, until=datetime(2027, 1, 1))
    with pytest.raises(ValueError, match="time zone"):
        await administration.invite(expires=datetime(2027, 1, 1))
    with pytest.raises(ValueError, match="exclude"):
        await administration.audit(before=1, after=1)
    with pytest.raises(RefusedError, match=r"begins with a \+"):
        await RoomAccess(administration).make_private("ops")
    assert broker.asked == []


@on_loop
async def test_the_client_makes_the_code_of_an_invitation_and_sends_its_hash() -> None:
    broker = Broker()
    administration = Administration(broker.post, broker.ask)
    one = await administration.invite(uses=3, rooms=["#+ops"], expires=WHEN)
    other = await administration.invite(self_=True)
    assert one.code != other.code
    link = links.parse(f"zchat://localhost/{links.encode_key(bytes(32))}/{one.code}")
    assert (link.code, one.hash) == (one.code, links.invitation_hash(one.code))
    assert broker.asked == [
        m.Invite(n=1, hash=one.hash, uses=3, rooms=("+ops",), expires=WHEN),
        m.Invite(n=1, hash=other.hash, self_=True),
    ]
    assert not any(one.code in str(command) for command in broker.asked)
    broker.asked.clear()
    for known in (one.code, one.code.upper(), one.hash, link.text):
        await administration.revoke(known)
    assert broker.asked == [m.Revoke(n=1, hash=one.hash)] * 4


def events(question: Json) -> Json:
    about = {"time": "2026-11-22T05:30:00.000Z", "by": BOB, "by_nick": "bob"}
    banned = {"type": "member", "seq": 5, "prev": 2, "change": "banned", "from": CAROL, **about}
    made = {"type": "access", "seq": 7, "prev": 5, "room": "+ops", "change": "mode", "mode": "private", **about}
    return {"type": "audit", "ref": question["ref"], "events": [banned, made], "upto": 7, "more": False}


@on_loop
async def test_a_client_on_sockets_asks_and_sends_again_until_it_is_answered() -> None:
    mine = {"from": "f" * 16, "nick": "alice", "role": "owner"}
    async with Script(member=mine) as script, ChatClient("alice", script.listen) as alice:
        assert (alice.role, alice.member) == ("owner", m.Account(from_="f" * 16, nick="alice", role="owner"))
        script.answers["members"] = lambda line: {
            "type": "members",
            "ref": line["ref"],
            "members": [account(BOB, "bob")],
        }
        script.answers["audit"] = events
        assert [member.nick for member in await alice.administration.members()] == ["bob"]
        page = await alice.administration.audit(limit=2)
        assert [type(event) for event in page.events] == [m.MemberChanged, m.AccessChanged]
        assert (page.upto, page.more) == (7, False)
        refusals: list[Json] = [error("rate_limited", n=1, retry_after=0.01), ack(1)]
        script.answers["role"] = lambda line: refusals.pop(0)
        assert (await alice.administration.set_role(BOB, "member")).n == 1
        assert script.count("role") == 2
        script.answers["access"] = lambda line: error("unknown_room", n=line["n"])
        with pytest.raises(RefusedError) as caught:
            await alice.access.admit("+ops", BOB)
        assert caught.value.code == "unknown_room"
        script.answers["say"] = lambda line: ack(line["n"])
        assert (await alice.say("hi", room="dev")).n == 3, "a final refusal uses up its number"
        with pytest.raises(TypeError, match="no question"):
            await alice.ask(m.Unban(n=1, from_=BOB))


@on_loop
async def test_a_guest_is_no_member() -> None:
    async with Script() as script, ChatClient("alice", script.listen) as alice:
        assert (alice.role, alice.member) == ("guest", None)


@on_loop
async def test_a_synchronous_client_does_the_same() -> None:
    async with Script() as script:
        script.answers["ban"] = lambda line: ack(line["n"])
        script.answers["access"] = lambda line: ack(line["n"])
        script.answers["audit"] = events

        def work() -> list[Any]:
            with SyncClient("alice", script.listen) as alice:
                done = [alice.administration.ban(BOB), alice.access.make_private("+ops")]
                return [*(each.n for each in done), alice.administration.audit().upto, alice.role, alice.member]

        assert await asyncio.to_thread(work) == [1, 2, 7, "guest", None]


@pytest.mark.parametrize("code", ["not_member", "muted", "banned", "bad_invite", "unknown_room", "unknown_member"])
def test_a_refusal_that_a_member_gets_uses_up_its_number(code: str) -> None:
    assert code in FINAL
    talk = Talk(("dev",))
    talk.live()
    talk.post("a")
    talk.post("b")
    talk.numbers()
    talk.reply(error(code, n=1), ack(2))
    assert isinstance(talk.answers["a"], m.Error)
    assert talk.session.unanswered == 0
    talk.tick(0.0)
    assert talk.numbers() == []
