"""Rooms and people through the IRC gateway: who is where, topics, modes, lists, names that IRC cannot carry."""

from pathlib import Path

from irctokens.line import Line

from tests.client.real import Watcher, on_loop, until
from tests.gateways.irc.raw import ALL, house
from zchat.protocol import messages as m


def of(lines: list[Line], *commands: str) -> list[list[str]]:
    """Return the parameters of lines with these commands, without the nick that numerics begin with."""
    return [line.params[1 if line.command.isdigit() else 0 :] for line in lines if line.command in commands]


@on_loop
async def test_who_joins_sees_who_is_there_and_all_see_them(tmp_path: Path) -> None:
    async with house(tmp_path) as where, where.terminal("carl", rooms=["dev"]) as carl:
        await carl.set_topic("dev", "release day")
        alice = await where.irc("alice", "extended-join")
        joined = await alice.ask("JOIN #DEV")
        assert of(joined, "JOIN") == [["#dev", "*", "Real alice"]]
        assert of(joined, "332") == [["#dev", "release day"]]
        assert of(joined, "333")[0][1].startswith("carl!")
        assert [set(each[-1].split()) for each in of(joined, "353")] == [{"alice", "carl"}]
        assert of(joined, "366") == [["#dev", "End of /NAMES list"]]
        bob = await where.irc("bob")
        bob.send("JOIN #dev")
        assert (await alice.until("JOIN")).params == ["#dev", "*", "Real bob"]
        bob.send("TOPIC #dev :another day")
        assert (await alice.until("TOPIC")).params == ["#dev", "another day"]
        bob.send("PART #dev :so long")
        assert (await alice.until("PART")).params == ["#dev", "so long"]
        bob.send("JOIN #dev")
        await alice.until("JOIN")
        bob.send("QUIT :home")
        assert (await alice.until("QUIT")).params == ["home"]
        await bob.ended()
        await until(lambda: set(carl.members("dev")) == {"carl", "alice"})
        assert of(await alice.ask("JOIN #dev", "JOIN #a,b"), "JOIN") == [["#a", "*", "Real alice"]]


@on_loop
async def test_commands_that_come_together_with_registration_are_carried_out_after_it(tmp_path: Path) -> None:
    async with house(tmp_path) as where:
        alice = await where.connect()
        alice.send("CAP REQ :echo-message", "NICK alice", "USER a 0 * :a", "CAP END", "JOIN #dev", "PRIVMSG #dev :hi")
        assert (await alice.until("PRIVMSG")).params == ["#dev", "hi"]
        commands = [line.command for line in alice.seen]
        assert commands.index("001") < commands.index("JOIN") < commands.index("PRIVMSG")
        assert "404" not in commands


@on_loop
async def test_nicks_change_are_taken_or_are_none(tmp_path: Path) -> None:
    async with house(tmp_path) as where:
        alice, bob = await where.irc("alice"), await where.irc("bob")
        alice.send("JOIN #dev")
        await alice.until("366")
        bob.send("JOIN #dev")
        await alice.until("JOIN")
        bob.send("NICK robert")
        assert ((await alice.until("NICK")).params, (await bob.until("NICK")).params) == (["robert"], ["robert"])
        assert of(await bob.ask("NICK ALICE", "NICK a[b]", "NICK :", "NICK robert"), "432", "433", "431", "NICK") == [
            ["ALICE", bob.seen[-4].params[-1]], ["a[b]", bob.seen[-3].params[-1]], ["No nickname given"],
        ]  # fmt: skip
        third = await where.connect()
        third.send("NICK alice", "USER x 0 * :x")
        assert (await third.until("433")).params[:2] == ["*", "alice"]
        third.send("NICK alice2")
        await third.until("376")


@on_loop
async def test_names_that_irc_cannot_carry_come_back_and_stay_over_a_restart(tmp_path: Path) -> None:
    async with house(tmp_path) as where, where.terminal("a,b", rooms=["x,y"]) as odd:
        watch = Watcher(odd)
        alice = await where.irc("alice")
        assert of(await alice.ask("LIST"), "322") == [["#x_y/", "1", ""]]
        assert of(await alice.ask("JOIN #x_y/"), "JOIN", "353") == [["#x_y/"], ["=", "#x_y/", "a_b| alice"]]
        alice.send("PRIVMSG #x_y/ :to the room", "PRIVMSG A_B| :to the nick")
        await until(lambda: len(watch.of(m.Message)) == 2)  # they come over different sockets, in any order
        said = {(e.room, e.to, e.text) for e in watch.of(m.Message)}
        assert said == {("x,y", None, "to the room"), (None, "a,b", "to the nick")}
        await odd.say("back", to="alice")
        assert (await alice.until("PRIVMSG")).source == f"a_b|!~guest@{odd.from_}"
        await odd.close()
        await watch.end()
    kept = (tmp_path / "gateway" / "names.json").read_text()
    assert kept == '{"nicks":{"a,b":"a_b|"},"rooms":{"x,y":"x_y/"}}'
    assert (tmp_path / "gateway" / "names.json").stat().st_mode & 0o077 == 0


@on_loop
async def test_questions_about_people_and_rooms(tmp_path: Path) -> None:
    async with house(tmp_path) as where, where.terminal("carl", rooms=["dev", "ops"], bot=True) as carl:
        await carl.ask(m.Away(text="lunch"))
        alice = await where.irc("alice", ALL)
        await alice.ask("JOIN #dev")
        whois = await alice.ask("WHOIS CARL")
        assert of(whois, "311") == [["carl", "~guest", carl.from_, "*", "carl"]]
        assert [sorted(each[1].split()) for each in of(whois, "319")] == [["#dev", "#ops"]]
        assert of(whois, "301", "335") == [["carl", "lunch"], ["carl", "is a bot"]]
        assert of(await alice.ask("WHOIS nobody"), "401", "318")[0][0] == "nobody"
        who = await alice.ask("WHO #dev", "WHO carl %tcnuhaf,42")
        assert [each[4:6] for each in of(who, "352")] in (
            [["carl", "GB"], ["alice", "H"]],
            [["alice", "H"], ["carl", "GB"]],
        )
        assert of(who, "354") == [["42", "#dev", "~guest", carl.from_, "carl", "GB", "0"]]
        assert of(await alice.ask("ISON carl nobody Alice"), "303") == [["carl alice"]]
        assert of(await alice.ask("USERHOST carl"), "302") == [[f"carl=-~guest@{carl.from_}"]]
        listed = of(await alice.ask("LIST >1", "LIST #o*", "LIST"), "322")
        assert [each[0] for each in listed] == ["#dev", "#ops", "#dev", "#ops"]
        assert of(await alice.ask("PRIVMSG carl :hi"), "301") in ([["carl", "lunch"]], [])
        assert of(await alice.ask("AWAY :gone", "AWAY"), "306", "305") == [
            ["You have been marked as being away"], ["You are no longer marked as being away"],
        ]  # fmt: skip


@on_loop
async def test_roles_are_prefixes_and_what_they_may_is_done(tmp_path: Path) -> None:
    async with house(tmp_path, keyed=True, strangers=True) as where, where.member("olga", where.owner_code) as olga:
        word = (await olga.administration.invite(self_=True)).code
        invited = (await olga.administration.invite()).code
        irc, max_ = await where.irc("olga", ALL, word), await where.irc("max", ALL, invited)
        assert of(await irc.ask("JOIN #dev"), "353") == [["=", "#dev", "~olga"]]
        assert [set(each[-1].split()) for each in of(await max_.ask("JOIN #dev"), "353")] == [{"~olga", "+max"}]
        assert (await irc.until("MODE")).params == ["#dev", "+v", "max"]
        assert of(await max_.ask("MODE #dev +A", "KICK #dev olga :out"), "482")[0][0] == "#dev"
        irc.send("MODE #dev +A")
        assert (await irc.until("MODE")).params == ["#dev", "+A"]
        assert of(await max_.ask("MODE #dev"), "324") == [["#dev", "+An"]]
        max_.send("PRIVMSG #dev :may I?")
        assert (await max_.until("404")).params[1] == "#dev"
        await olga.administration.set_role("max", "moderator")
        assert (await irc.until("MODE")).params == ["#dev", "-qv+o", "max", "max", "max"]
        irc.send("KICK #dev max :enough")
        assert (await max_.until("KICK")).params[:2] == ["#dev", "max"]
        assert (await irc.until("KICK")).params == ["#dev", "max", "enough"]


@on_loop
async def test_a_private_room_is_there_for_those_who_were_let_in(tmp_path: Path) -> None:
    async with house(tmp_path, keyed=True) as where, where.member("olga", where.owner_code) as olga:
        word, invited = (await olga.administration.invite(self_=True)).code, (await olga.administration.invite()).code
        await olga.access.make_private("+ops")
        irc, max_ = await where.irc("olga", ALL, word), await where.irc("max", ALL, invited)
        assert of(await max_.ask("JOIN #+ops"), "403")[0][0] == "#+ops"
        assert of(await max_.ask("LIST"), "322") == []
        assert of(await irc.ask("JOIN #+ops"), "353") == [["@", "#+ops", "~olga"]]
        assert of(await irc.ask("INVITE max #+ops", "MODE #+ops"), "341", "324") == [
            ["max", "#+ops"],
            ["#+ops", "+ins"],
        ]
        assert (await max_.until("INVITE")).params == ["max", "#+ops"]
        max_.send("JOIN #+ops")
        await max_.until("366")
        max_.send("PRIVMSG #+ops :thanks")
        assert (await irc.until("PRIVMSG")).params == ["#+ops", "thanks"]
        await olga.access.expel("+ops", "max")
        assert (await max_.until("KICK")).params[:2] == ["#+ops", "max"]


@on_loop
async def test_what_is_no_command_or_has_too_little_is_told_so(tmp_path: Path) -> None:
    async with house(tmp_path) as where:
        alice = await where.irc("alice", "labeled-response batch message-tags")
        expected = {
            "FROB": "421", "JOIN": "461", "PRIVMSG": "411", "PRIVMSG #dev": "412", "PRIVMSG #dev :": "412",
            "PART #dev": "442", "PART x": "403", "KICK #dev": "461", "TOPIC #dev :x": "442", "USER a b c d": "462",
            "MODE alice +z": "501", "MODE bob +i": "401", "NICK": "431", "OPER a b": "481", "WHOIS": "431",
            "TOPIC #dev": "331", "MOTD": "376", "VERSION": "351", "TIME": "391", "ADMIN": "256", "LUSERS": "251",
            "WHOWAS x": "406", "INFO": "371", "STATS u": "219", "HELP": "704", "LINKS": "364", "MODE alice": "221",
            "PASS x": "462", "AUTHENTICATE PLAIN": "907", "CAP FROB": "410", "PRIVMSG a,b,c,d,e :x": "407",
        }  # fmt: skip
        for asked, numeric in expected.items():
            assert numeric in {line.command for line in await alice.ask(asked)}, asked
        [begin, *inner, end] = await alice.ask("@label=q WHOIS alice")
        assert (begin.tags, begin.params[1], end.params) == (
            {"label": "q"},
            "labeled-response",
            ["-" + begin.params[0][1:]],
        )
        assert {(line.tags or {})["batch"] for line in inner} == {begin.params[0][1:]}
        [ack] = await alice.ask("@label=r PONG x")
        assert (ack.command, ack.tags) == ("ACK", {"label": "r"})
        [one] = await alice.ask("@label=s FROB")
        assert (one.command, one.tags) == ("421", {"label": "s"})


@on_loop
async def test_a_topic_is_asked_for_anew_where_its_changes_are_not_heard(tmp_path: Path) -> None:
    async with house(tmp_path) as where, where.terminal("carl", rooms=["dev", "ops"]) as carl:
        await carl.set_topic("dev", "one")
        await carl.set_topic("ops", "a")
        irc = await where.irc("bob")
        assert of(await irc.ask("JOIN #dev"), "332") == [["#dev", "one"]]
        assert of(await irc.ask("TOPIC #ops"), "332") == [["#ops", "a"]]
        await irc.ask("PART #dev")
        await carl.set_topic("dev", "two")
        await carl.set_topic("ops", "b")
        assert of(await irc.ask("JOIN #dev"), "332") == [["#dev", "two"]]
        assert of(await irc.ask("TOPIC #ops"), "332") == [["#ops", "b"]]
        assert of(await irc.ask("TOPIC #+ops"), "403")[0][0] == "#+ops"
