"""People at a gateway, over a real broker with keys: they come in, are found again, and are let go."""

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.client.real import PATIENCE, on_loop, until
from tests.gateways.people.carried import DEVICE, Team, team
from tests.soak.proxy import Proxy
from zchat.client.addresses import resolve
from zchat.client.client import ChatClient
from zchat.errors import (
    InUseError,
    NickTakenError,
    RefusedError,
    SignedOutError,
    TimedOutError,
    UnreachableError,
    ZchatError,
)
from zchat.gateways.people.feed import Feed
from zchat.gateways.people.people import People
from zchat.gateways.people.person import Person
from zchat.protocol import links
from zchat.protocol import messages as m


async def heard(feed: Feed, text: str) -> m.Message:
    """Return the message with this text, once it is heard."""
    async with asyncio.timeout(PATIENCE):
        while (batch := await feed.next()) is not None:
            for event, _ in batch:
                if isinstance(event, m.Message) and event.text == text:
                    return event
    raise AssertionError(f"it ended: {feed.why}")


async def device_code(alice: ChatClient) -> str:
    return (await alice.administration.invite(self_=True)).code


async def devices(alice: ChatClient) -> list[str]:
    members = await alice.administration.members()
    return [each.name for one in members if one.from_ == alice.from_ for each in one.devices or ()]


@asynccontextmanager
async def owner(where: Team) -> AsyncIterator[ChatClient]:
    """Give the owner at her terminal, in the room general."""
    async with where.terminal("alice", where.owner_code, rooms=["general"]) as alice:
        yield alice


@on_loop
async def test_a_code_for_another_device_makes_one_the_same_member_here(tmp_path: Path) -> None:
    async with team(tmp_path) as where, owner(where) as alice, where.gateway() as people:
        person, token = await people.redeem(await device_code(alice))
        assert (person.id, person.client.nick, person.kind) == (alice.from_, "alice", "member")
        assert sorted(await devices(alice)) == ["laptop", DEVICE]
        feed = person.attach()
        await alice.say("from the terminal", room="general")
        assert (await heard(feed, "from the terminal")).from_ == alice.from_
        assert await people.login(token) is person
        with pytest.raises(SignedOutError):
            await people.login("another token")
        person.detach(feed)


@on_loop
async def test_a_link_will_do_and_an_invitation_makes_a_member_with_a_nick_and_its_rooms(tmp_path: Path) -> None:
    async with team(tmp_path) as where, owner(where) as alice, where.gateway() as people:
        await alice.access.make_private("+ops")
        invitation = await alice.administration.invite(rooms=["+ops"])
        with pytest.raises(RefusedError):
            await people.redeem(invitation.code)  # without a nick
        person, _ = await people.redeem(f" {where.link}/{invitation.code.upper()} ", "bob")
        assert (person.client.nick, person.client.role) == ("bob", "member")
        assert set(person.rooms) == set(person.client.rooms) == {"general", "+ops"}
        with pytest.raises(RefusedError) as error:
            await people.redeem(invitation.code, "eve")
        assert error.value.code == "bad_invite"
        assert list((tmp_path / "gateway" / "coming").iterdir()) == []


@pytest.mark.parametrize("text", ["", "nothing", "a" * 29, "zchat://host/key"])
@on_loop
async def test_what_is_no_code_is_refused_before_anybody_is_asked(tmp_path: Path, text: str) -> None:
    nowhere = resolve("tcp://127.0.0.1:9")
    async with People(tmp_path, nowhere, device=DEVICE) as people:
        with pytest.raises(RefusedError, match="no link that leads in"):
            await people.redeem(text)


@on_loop
async def test_a_member_who_comes_twice_is_one_person_with_one_session_and_one_key(tmp_path: Path) -> None:
    async with team(tmp_path) as where, owner(where) as alice, where.gateway() as people:
        first, one = await people.redeem(await device_code(alice))
        second, two = await people.redeem(await device_code(alice))
        assert first is second
        assert one != two
        assert sorted(await devices(alice)) == ["laptop", DEVICE]
        assert await people.login(one) is await people.login(two) is first
        await people.leave(one)
        assert await people.login(two) is first


@on_loop
async def test_a_device_that_is_removed_elsewhere_ends_the_feeds_and_is_forgotten(tmp_path: Path) -> None:
    async with team(tmp_path) as where, owner(where) as alice, where.gateway() as people:
        person, token = await people.redeem(await device_code(alice))
        feed, key = person.attach(), person.credential
        await alice.administration.remove_credential(alice.from_, key)
        async with asyncio.timeout(PATIENCE):
            while await feed.next() is not None:
                pass
        assert "removed" in (feed.why or "")
        with pytest.raises(SignedOutError):
            await people.login(token)
        assert people.known() == {}
        person, _ = await people.redeem(await device_code(alice))  # and comes in anew
        assert person.credential != key


@pytest.mark.parametrize("strangers", [False, True])
@on_loop
async def test_one_that_is_removed_while_the_gateway_is_away_is_nobody_afterwards(
    tmp_path: Path, strangers: bool
) -> None:
    """Also where every key is let in, as that of a guest: that would be somebody else."""
    async with team(tmp_path, strangers=strangers) as where, owner(where) as alice:
        async with where.gateway() as people:
            person, token = await people.redeem(await device_code(alice))
        await alice.administration.remove_credential(alice.from_, person.credential)
        async with where.gateway() as people:
            with pytest.raises(SignedOutError):
                await people.login(token)
            assert people.known() == {}


@on_loop
async def test_a_gateway_that_is_begun_again_knows_all_and_their_rooms(tmp_path: Path) -> None:
    async with team(tmp_path) as where, owner(where) as alice:
        async with where.gateway() as people:
            person, token = await people.redeem(await device_code(alice))
            await person.join("dev")
            await person.part("general")
        async with where.gateway() as people:
            again = await people.login(token)
            assert again.id == person.id
            assert again.rooms == again.client.rooms == ("dev",)


@on_loop
async def test_what_is_kept_is_for_its_owner_alone_and_has_no_token_in_it(tmp_path: Path) -> None:
    async with team(tmp_path) as where, owner(where) as alice, where.gateway() as people:
        code = await device_code(alice)
        _, token = await people.redeem(code)
        found = list((tmp_path / "gateway").rglob("*"))
        assert len(found) > 5
        for each in found:
            assert stat.S_IMODE(each.stat().st_mode) == (0o700 if each.is_dir() else 0o600), each
            if each.is_file():
                assert token.encode() not in each.read_bytes()
                assert code.encode() not in each.read_bytes()
        with pytest.raises(InUseError):
            async with where.gateway():
                pass


@on_loop
async def test_who_leaves_takes_the_device_along_if_there_is_another_one(tmp_path: Path) -> None:
    async with team(tmp_path) as where, owner(where) as alice, where.gateway() as people:
        invitation = await alice.administration.invite()
        bob, bobs = await people.redeem(invitation.code, "bob")
        _, hers = await people.redeem(await device_code(alice))
        await people.leave(hers)
        assert await devices(alice) == ["laptop"]
        await people.leave(bobs)  # the only device of bob: without it nobody would ever be bob again
        assert set(people.known()) == {bob.id}
        for token in (hers, bobs):
            with pytest.raises(SignedOutError):
                await people.login(token)
        again, _ = await people.redeem(people._own_links.make(bob.id))  # who runs the gateway can help
        assert again.id == bob.id


# -- a kill in the middle


@on_loop
async def test_a_code_whose_answer_was_lost_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the gateway had been killed after the broker had said who it is, and before a login was written."""
    async with team(tmp_path) as where, owner(where) as alice:
        invitation = await alice.administration.invite(uses=2)

        class Killed(BaseException):
            pass

        def killed(*_: Any, **__: Any) -> str:
            raise Killed

        async with where.gateway() as people:
            monkeypatch.setattr(people.logins, "add", killed)
            with pytest.raises(Killed):
                await people.redeem(invitation.code, "bob")
        async with where.gateway() as people:
            eve, _ = await people.redeem(invitation.code, "eve")
            assert eve.client.nick == "eve", "who has the same code is not who has it, too"
            bob, token = await people.redeem(invitation.code, "bob")
            assert bob.client.nick == "bob"
            assert await people.login(token) is bob
            assert [each.nick for each in await alice.administration.members()].count("bob") == 1


# -- guests, and who runs the gateway


@on_loop
async def test_guests_come_in_by_a_nick_where_the_broker_has_them_and_stay_who_they_are(tmp_path: Path) -> None:
    async with team(tmp_path, "tcp://127.0.0.1:0") as where:
        there = resolve(where.server.listen)
        async with People(tmp_path / "g", there, device=DEVICE, timeout=30.0) as people:
            assert await people.takes_guests()
            gus, token = await people.guest("gus")
            with pytest.raises(NickTakenError):
                await people.guest("gus")
            await gus.rename("gustav")
            with pytest.raises(RefusedError, match="nobody by a key"):
                await people.redeem(links.encode_code(bytes(16)))
        async with People(tmp_path / "g", there, device=DEVICE, timeout=30.0) as people:
            again = await people.login(token)
            assert (again.id, again.client.nick, again.kind) == (gus.id, "gustav", "guest")
            await people.leave(token)
            assert people.known() == {}


@on_loop
async def test_where_many_are_known_a_guest_who_never_came_back_goes_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zchat.gateways.people.people.KNOWN_MAX", 3)
    now = [1_000_000.0]
    async with team(tmp_path, "tcp://127.0.0.1:0") as at:
        where = resolve(at.server.listen)
        async with People(tmp_path / "guests", where, device=DEVICE, linger=0, clock=lambda: now[0]) as gateway:
            there, token = await gateway.guest("gina")
            feed = there.attach()
            regular = (await gateway.guest("gus"))[1]
            now[0] += 7_000
            assert gateway.logins.find(regular), "came back"
            flood = (await gateway.guest("mallory"))[1]
            with pytest.raises(RefusedError, match="known here already"):
                await gateway.guest("mallory2")
            async with asyncio.timeout(30):
                while gateway.sessions > 1:  # noqa: ASYNC110 — nobody uses the others, and they end by themselves
                    await asyncio.sleep(0.01)
            now[0] += 7_000
            await gateway.guest("mallory2")
            assert [gateway.logins.find(each) is not None for each in (token, regular, flood)] == [True, True, False]
            there.detach(feed)


@on_loop
async def test_the_feed_may_be_elsewhere_than_the_broker_tells(tmp_path: Path) -> None:
    async with team(tmp_path, "tcp://127.0.0.1:0") as where:
        proxy = Proxy(int(where.server.publish.rpartition(":")[2]))
        await proxy.start()
        there, feed = resolve(where.server.listen), f"tcp://127.0.0.1:{proxy.port}"
        async with People(tmp_path / "g", there, device=DEVICE, timeout=30.0, feed=feed) as people:
            assert proxy.links == 0
            await people.guest("gus")
            assert proxy.links == 1
        await proxy.close()


@on_loop
async def test_where_only_members_come_in_no_guest_does(tmp_path: Path) -> None:
    async with team(tmp_path) as where, where.gateway() as people:
        assert not await people.takes_guests()
        with pytest.raises(RefusedError) as error:
            await people.guest("gus")
        assert error.value.code == "not_member"
        assert list((tmp_path / "gateway" / "coming").iterdir()) == []


@on_loop
async def test_a_broker_that_is_open_takes_guests_with_keys(tmp_path: Path) -> None:
    async with team(tmp_path, strangers=True) as where, where.gateway() as people:
        assert await people.takes_guests()
        gus, token = await people.guest("gus")
        assert gus.client.role == "guest"
        assert await people.login(token) is gus


@on_loop
async def test_who_runs_the_gateway_comes_in_as_themselves_over_ipc_and_nobody_else_does(tmp_path: Path) -> None:
    socket = f"ipc://{tmp_path}/zchat.sock"
    async with team(tmp_path, socket) as where:
        async with People(tmp_path / "g", resolve(socket), device=DEVICE, timeout=30.0) as people:
            code = people.own_code()
            assert code is not None
            me, token = await people.redeem(code)
            assert (me.kind, me.client.role) == ("own", "owner")
            with pytest.raises(RefusedError):
                await people.redeem(code)  # it counts once
            with pytest.raises(RefusedError):
                await people.guest(me.client.nick or "")  # whom the kernel would take for the same
            assert not await people.takes_guests()
            invitation = await me.client.administration.invite()
            bob, _ = await people.redeem(invitation.code, "bob")  # by the door for keys, which the broker tells
            assert (bob.kind, bob.client.role) == ("member", "member")
        async with People(tmp_path / "g", resolve(socket), device=DEVICE, timeout=30.0) as people:
            assert (await people.login(token)).id == me.id
        assert where.link


# -- sessions


@on_loop
async def test_a_session_outlives_its_last_connection_for_a_while_and_no_longer(tmp_path: Path) -> None:
    async with team(tmp_path) as where, owner(where) as alice, where.gateway(linger=0.05) as people:
        person, token = await people.redeem(await device_code(alice))
        feed = person.attach()
        person.detach(feed)
        feed = person.attach()  # a page that is loaded anew: the timer is set, and finds somebody
        await asyncio.gather(*people._sessions._tasks)
        await until(lambda: not people._sessions._timers)
        assert await people.login(token) is person
        assert person.client.online
        person.detach(feed)
        await until(lambda: person.client.over)
        again = await people.login(token)
        assert again is not person
        again.hold()
        await until(lambda: not people._sessions._timers)
        assert again.client.online
        again.release()
        await until(lambda: again.client.over)


@on_loop
async def test_a_slow_connection_is_cut_and_the_person_and_others_go_on(tmp_path: Path) -> None:
    async with team(tmp_path) as where, owner(where) as alice, where.gateway() as people:
        person, _ = await people.redeem(await device_code(alice))
        slow, quick = person.attach(bytes_max=10_000), person.attach()
        for number in range(60):
            await alice.say(f"{number} " + 300 * "x", room="general")
        await alice.say("the end", room="general")
        await heard(quick, "the end")
        assert slow.slow
        assert await slow.next() is None
        assert "slow" in (slow.why or "")
        person.detach(slow)
        assert person.in_use
        assert (await person.client.say("still here", room="general")).seq
        person.detach(quick)


@on_loop
async def test_whom_a_moderator_sends_away_is_told_and_may_come_back(tmp_path: Path) -> None:
    async with team(tmp_path) as where, owner(where) as alice, where.gateway() as people:
        bob, token = await people.redeem((await alice.administration.invite()).code, "bob")
        feed = bob.attach()
        await alice.administration.kick("bob", reason="enough")
        async with asyncio.timeout(PATIENCE):
            while await feed.next() is not None:
                pass
        assert "enough" in (feed.why or "")
        assert feed.why == bob.attach().why
        again = await people.login(token)
        assert again is not bob
        assert again.id == bob.id


@on_loop
async def test_a_room_from_which_one_was_let_out_meanwhile_is_not_entered_again(tmp_path: Path) -> None:
    async with team(tmp_path) as where, owner(where) as alice:
        async with where.gateway() as people:
            await alice.access.make_private("+ops")
            invitation = await alice.administration.invite(rooms=["+ops"])
            bob, token = await people.redeem(invitation.code, "bob")
        await alice.access.expel("+ops", bob.id)
        async with where.gateway() as people:
            assert (await people.login(token)).rooms == ("general",)
            assert people.known()[bob.id].rooms == ("general",)


@on_loop
async def test_while_the_broker_is_away_one_is_told_so_and_stays_known(tmp_path: Path) -> None:
    async with team(tmp_path) as where, owner(where) as alice:
        async with where.gateway() as people:
            _, token = await people.redeem(await device_code(alice))
        known, there = where.known, where.link
    async with People(tmp_path / "gateway", resolve(there, known), device=DEVICE, timeout=0.3) as people:
        with pytest.raises(UnreachableError):
            await people.login(token)
        assert people.logins.find(token) is not None
        assert len(people.known()) == 1


@on_loop
async def test_two_who_ask_at_once_get_one_session(tmp_path: Path) -> None:
    async with team(tmp_path) as where, owner(where) as alice:
        async with where.gateway() as people:
            _, token = await people.redeem(await device_code(alice))
        async with where.gateway() as people:
            found: list[Person] = await asyncio.gather(*(people.login(token) for _ in range(5)))
            assert len(set(map(id, found))) == 1


# -- what strangers, and outages, cost


@on_loop
async def test_a_broker_that_is_away_costs_no_code_no_folder_and_one_session_for_all_who_ask(tmp_path: Path) -> None:
    nobody = resolve(f"ipc://{tmp_path}/nobody")
    async with People(tmp_path / "own", nobody, device=DEVICE, timeout=0.3) as people:
        code = people.own_code()
        assert code is not None
        for _ in range(2):
            with pytest.raises((UnreachableError, TimedOutError)):
                await people.redeem(code)
    closed = resolve("tcp://127.0.0.1:1")
    async with People(tmp_path / "open", closed, device=DEVICE, timeout=0.3) as people:
        with pytest.raises((UnreachableError, TimedOutError)):
            await people.guest("gus")
        assert list((tmp_path / "open" / "coming").iterdir()) == []
        told = await asyncio.gather(*(people.takes_guests() for _ in range(20)), return_exceptions=True)
        assert isinstance(told[0], ZchatError)
        assert all(each is told[0] for each in told), "one has asked for all"


@on_loop
async def test_codes_that_anybody_thinks_up_while_the_broker_is_away_fill_no_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zchat.gateways.people.people.COMING_MAX", 3)
    async with team(tmp_path) as where:
        known, there = where.known, where.link
    async with People(tmp_path / "g", resolve(there, known), device=DEVICE, timeout=0.05) as people:
        for number in range(6):
            with pytest.raises((UnreachableError, TimedOutError)):
                await people.redeem(links.encode_code(bytes([number] * 16)))
        assert len(list((tmp_path / "g" / "coming").iterdir())) == 3


@on_loop
async def test_who_is_here_too_often_stays_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with team(tmp_path) as where, owner(where) as alice:
        async with where.gateway() as people:
            _, token = await people.redeem(await device_code(alice))
        monkeypatch.setattr("zchat.broker.core.entrance.SESSIONS_EACH", 1)
        async with where.gateway() as people:
            with pytest.raises(RefusedError, match="too often"):
                await people.login(token)
            monkeypatch.setattr("zchat.broker.core.entrance.SESSIONS_EACH", 64)
            assert (await people.login(token)).id == alice.from_
