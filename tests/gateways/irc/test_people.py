"""People as clients of IRC ask for them: who is away, has another role, comes and goes, is a member and not here."""

from pathlib import Path

import pytest

from tests.client.real import on_loop, until
from tests.gateways.irc.raw import ALL, house, of
from zchat.gateways.irc import monitoring, rosters
from zchat.gateways.irc.core.numerics import MONITORED_MAX
from zchat.protocol import messages as m


@on_loop
async def test_who_comes_and_is_away_already_is_told_as_away_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rosters, "AT_MOST", 0.01)
    async with house(tmp_path) as where, where.terminal("carl") as carl:
        alice = await where.irc("alice", ALL)
        await alice.ask("JOIN #dev", "JOIN #ops")
        await carl.ask(m.Away(text="lunch"))
        await carl.join("dev")
        assert (await alice.until("AWAY")).params == ["lunch"]
        await carl.join("ops")  # by now it is known
        await alice.until("JOIN", "#ops", "*", "carl")
        assert ((await alice.next()).command, alice.seen[-1].params) == ("AWAY", ["lunch"])
        await carl.ask(m.Away())
        assert (await alice.until("AWAY")).params == []
        bob = await where.irc("bob", ALL)
        await bob.ask("AWAY :gone", "JOIN #dev")
        assert "AWAY" not in [line.command for line in bob.seen]


@on_loop
async def test_another_role_is_told_to_those_who_are_not_sent_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rosters, "EVERY", 0.05)
    async with house(tmp_path, keyed=True) as where, where.member("olga", where.owner_code, rooms=["dev"]) as olga:
        codes = [(await olga.administration.invite()).code for _ in range(2)]
        async with where.member("bob", codes[0], rooms=["dev"]):
            max_ = await where.irc("max", ALL, codes[1])
            assert [set(each[-1].split()) for each in of(await max_.ask("JOIN #dev"), "353")] == [
                {"~olga", "+bob", "+max"}
            ]
            await olga.administration.set_role("bob", "moderator")  # olga and bob are at terminals
            assert (await max_.until("MODE")).params == ["#dev", "-v+o", "bob", "bob"]
            assert [set(each[-1].split()) for each in of(await max_.ask("NAMES #dev"), "353")] == [
                {"~olga", "@bob", "+max"}
            ]
            await olga.administration.set_role("max", "moderator")
            assert (await max_.until("MODE")).params == ["#dev", "-v+o", "max", "max"]


@on_loop
async def test_who_is_monitored_is_told_as_they_come_and_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitoring, "EVERY", 1000.0)
    monkeypatch.setattr(monitoring, "AT_MOST", 0.01)
    async with house(tmp_path) as where, where.terminal("carl", rooms=["dev"]) as carl:
        alice = await where.irc("alice")
        await alice.ask("JOIN #dev")
        assert of(await alice.ask("MONITOR + Carl,bob"), "730", "731") == [[f"carl!~guest@{carl.from_}"], ["bob"]]
        assert of(await alice.ask("MONITOR L"), "732", "733") == [["carl,bob"], ["End of MONITOR list"]]
        bob = await where.irc("bob")
        assert (await alice.until("730")).params[1].startswith("bob!")
        bob.send("NICK robert")
        assert (await alice.until("731")).params[1] == "bob"
        bob.send("NICK Bob")
        assert (await alice.until("730")).params[1].startswith("Bob!")
        await bob.ask("NICK BOB")
        bob.send("QUIT")
        assert (await alice.until("731")).params[1] == "BOB"
        await carl.rename("charles")
        assert (await alice.until("731")).params[1] == "carl"
        many = ",".join(f"n{at}" for at in range(90))
        alice.send("MONITOR - bob", f"MONITOR + {many}", f"MONITOR + {many.replace('n', 'o')}")
        full = await alice.until("734")
        assert (full.params[1], full.params[2].count(",")) == (str(MONITORED_MAX), 80)
        assert of(await alice.ask("MONITOR S", "MONITOR C", "MONITOR L", "MONITOR"), "733", "461") == [
            ["End of MONITOR list"], ["MONITOR", "Not enough parameters"],
        ]  # fmt: skip


@on_loop
async def test_who_is_monitored_need_not_be_in_a_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitoring, "EVERY", 0.05)
    async with house(tmp_path) as where:
        alice = await where.irc("alice")
        assert of(await alice.ask("MONITOR + carl"), "731") == [["carl"]]
        async with where.terminal("carl") as carl:
            assert (await alice.until("730")).params[1] == f"carl!~guest@{carl.from_}"
        assert (await alice.until("731")).params[1] == "carl"


@on_loop
async def test_a_member_who_is_not_here_is_told_of(tmp_path: Path) -> None:
    async with house(tmp_path, keyed=True, strangers=True) as where, where.member("olga", where.owner_code) as olga:
        code, word = (await olga.administration.invite()).code, (await olga.administration.invite(self_=True)).code
        async with where.member("max", code, rooms=["dev"]) as max_:
            irc = await where.irc("olga", ALL, word)
            await irc.ask("JOIN #dev")
            from_ = max_.from_
        await irc.until("QUIT")
        whois = await irc.ask("WHOIS MAX")
        assert of(whois, "311", "330", "320") == [
            ["max", "member", from_, "*", "max"], ["max", "max", "is logged in as"], ["max", "is a member"],
        ]  # fmt: skip
        assert "not here" in of(whois, "301")[0][1]
        assert of(whois, "312")[0][2].startswith("zchat, last here 20")
        assert of(await irc.ask("WHOWAS max"), "314", "406") == [["max", "member", from_, "*", "max"]]
        assert of(await irc.ask("WHOIS nobody", "WHOWAS nobody"), "401", "406") == [
            ["nobody", "No such nick/channel"], ["nobody", "There was no such nickname"],
        ]  # fmt: skip


@on_loop
async def test_who_has_gone_is_told_of_with_what_they_called_themselves(tmp_path: Path) -> None:
    async with house(tmp_path) as where, where.terminal("carl", rooms=["dev"]) as carl:
        alice = await where.irc("alice")
        await alice.ask("JOIN #dev")
        gone = []
        for user in ("b.ob~!!", "robertson-junior", "!!"):
            bob = await where.connect()
            bob.send("NICK bob", f"USER {user} 0 * :I am {user}", "JOIN #dev", "PRIVMSG #dev :hello")
            gone.append(((await alice.until("PRIVMSG")).source or "").partition("@")[2])
            bob.send("QUIT :bye")
            await alice.until("QUIT")
            await bob.ended()
        shown = [["bob", user, host, "*", f"I am {name}"] for user, host, name in (
            ("~guest", gone[2], "!!"), ("~robertson", gone[1], "robertson-junior"), ("~b.ob", gone[0], "b.ob~!!"),
        )]  # fmt: skip
        assert of(await alice.ask("WHOWAS BOB"), "314", "369") == [*shown, ["BOB", "End of WHOWAS"]]
        assert of(await alice.ask("WHOWAS bob 1", "WHOWAS b?b 2"), "314") == [shown[0], *shown[:2]]
        assert of(await alice.ask("WHOWAS bob 0", "WHOWAS bob -1"), "314") == [*shown, *shown]
        await carl.rename("charles")
        await alice.until("NICK")
        assert of(await alice.ask("WHOWAS carl", "WHOWAS charles"), "314", "406") == [
            ["carl", "~guest", carl.from_, "*", "carl"], ["charles", "There was no such nickname"],
        ]  # fmt: skip


@on_loop
async def test_a_client_may_be_slow_to_come_in_after_its_login(tmp_path: Path) -> None:
    async with house(tmp_path, keyed=True, linger=0) as where, where.member("olga", where.owner_code) as olga:
        codes = [(await olga.administration.invite(self_=own)).code for own in (False, True)]
        for nick, code in zip(("max", "olga"), codes, strict=True):
            irc = await where.irc(nick, ALL, code)  # its session would not wait for whom nothing holds
            assert of(await irc.ask("JOIN #dev"), "JOIN") == [["#dev", nick, f"Real {nick}"]]


@on_loop
async def test_who_says_so_by_a_mode_is_a_bot_for_all(tmp_path: Path) -> None:
    async with house(tmp_path) as where, where.terminal("carl", rooms=["dev"]) as carl:
        robot, bob = await where.irc("robot", ALL), await where.irc("bob", ALL)
        await bob.ask("JOIN #dev")
        assert of(await robot.ask("MODE robot +B", "MODE robot"), "MODE", "221") == [["robot", "+B"], ["+B"]]
        await robot.ask("JOIN #dev")
        await until(lambda: "robot" in carl.members("dev"))
        assert carl.members("dev")["robot"].bot
        robot.send("PRIVMSG #dev :beep")
        assert ["bot" in ((await each.until("PRIVMSG")).tags or {}) for each in (robot, bob)] == [True, True]
        asked = await bob.ask("WHOIS robot", "WHO robot")
        assert (of(asked, "335"), of(asked, "352")[0][5]) == ([["robot", "is a bot"]], "HB")
        assert of(await robot.ask("MODE robot -B", "MODE robot"), "MODE", "221") == [["robot", "-B"], ["+"]]
        assert not any(line.command in ("PART", "QUIT", "NOTICE") for line in [*robot.seen, *bob.seen])
        robot.send("PRIVMSG #dev :hello")
        assert "bot" not in ((await bob.until("PRIVMSG", "hello")).tags or {})
        assert of(await bob.ask("WHO robot"), "352")[0][5] == "H"


@on_loop
async def test_a_member_is_a_bot_if_all_of_their_devices_are(tmp_path: Path) -> None:
    async with house(tmp_path, keyed=True) as where, where.member("olga", where.owner_code) as olga:
        word = (await olga.administration.invite(self_=True)).code
        irc = await where.irc("olga", ALL, word)
        assert "another device" in of(await irc.ask("MODE olga +B"), "501")[0][-1]
        await olga.close()
        assert of(await irc.ask("MODE olga -B", "MODE olga +B"), "MODE")[-1] == ["olga", "+B"]
        await irc.close()
        await until(lambda: not where.gateway.clients)
        again = await where.irc("olga", ALL, word)
        assert of(await again.ask("MODE olga"), "221") == [["+"]]
        assert of(await again.ask("WHOIS olga"), "335") == []


@on_loop
async def test_ctcp_is_answered_by_the_gateway_and_notices_by_no_error(tmp_path: Path) -> None:
    async with house(tmp_path) as where, where.terminal("carl", rooms=["dev"]) as carl:
        alice = await where.irc("alice", ALL)
        await alice.ask("JOIN #dev")
        asked = "PRIVMSG carl :\x01{}\x01"
        told = await alice.ask(asked.format("PING 17"), asked.format("VERSION"), asked.format("TIME"))
        assert [(line.command, line.source) for line in told] == [("NOTICE", f"carl!~guest@{carl.from_}")] * 3
        assert told[0].params[1] == "\x01PING 17\x01"
        assert told[1].params[1].startswith("\x01VERSION zchat ")
        assert told[2].params[1].endswith(" UTC\x01")
        refused = await alice.ask(
            "PRIVMSG #dev :\x01VERSION\x01", asked.format("DCC SEND x"), "PRIVMSG nobody :\x01PING\x01"
        )
        assert [line.command for line in refused] == ["FAIL", "FAIL", "401"]
        quiet = await alice.ask(
            "NOTICE", "NOTICE carl", "NOTICE nobody :x", "NOTICE #nowhere :x", "NOTICE carl :\x01PING 1\x01",
            "NOTICE a,b,c,d,e :x",
        )  # fmt: skip
        assert quiet == []
        labeled = await alice.ask("@label=n NOTICE #nowhere :x")
        assert [(line.command, line.tags) for line in labeled] == [("404", {"label": "n"})]
        alice.send("@label=o NOTICE nobody :x")
        assert (await alice.until("401")).tags == {"label": "o"}


@on_loop
async def test_nicks_cannot_be_tried_without_an_end(tmp_path: Path) -> None:
    async with house(tmp_path) as where, where.terminal("carl"):
        storm = await where.connect()
        storm.send("USER x 0 * :x", *["NICK carl"] * 40)
        assert await storm.ended() == "Closing link: too many nicks were tried"
        assert [line.command for line in storm.seen].count("433") == 10
        alice = await where.irc("alice")
        told = await alice.ask(*(f"NICK alice{at}" for at in range(20)))
        assert [line.command for line in told] == ["NICK"] * 5 + ["438"] * 15
        assert "wait 5 s" in told[-1].params[-1]
        assert where.gateway.clients[0].me == "alice4"
        await until(lambda: [each.me for each in where.gateway.clients] == ["alice4"])
