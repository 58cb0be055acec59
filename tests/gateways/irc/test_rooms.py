"""Rooms and people through the IRC gateway: who is where, topics, modes, lists, names that IRC cannot carry."""

import time
from datetime import datetime
from pathlib import Path

from tests.client.real import PATIENCE, Watcher, on_loop, until
from tests.gateways.irc.raw import ALL, house, of, texts
from zchat.protocol import messages as m


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
        for odd in ("a,b", "x|away", "~root"):  # it would be shown as another one than was typed
            assert of(await bob.ask(f"NICK {odd}"), "432", "NICK")[0][0] == odd
        third = await where.connect()
        third.send("NICK a,b", "USER x 0 * :x")
        assert (await third.until("432")).params[:2] == ["*", "a,b"]
        third.send("NICK alice")
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
        assert of(whois, "317") == []  # since when carl is here nobody has told
        [[_, idle, since, _]] = of(await alice.ask("WHOIS alice"), "317")
        assert (idle, abs(int(since) - time.time()) < PATIENCE) == ("0", True)
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
        assert (await irc.until("MODE")).params == ["#dev", "+At"]
        assert of(await max_.ask("MODE #dev"), "324") == [["#dev", "+Ant"]]
        max_.send("PRIVMSG #dev :may I?")
        assert (await max_.until("404")).params[1] == "#dev"
        assert of(await max_.ask("MODE #dev -m", "MODE #dev +o max"), "482")[0][0] == "#dev"
        assert of(await irc.ask("MODE #dev +o nobody", "MODE #dev +o"), "441", "461") == [
            ["nobody", "#dev", "They aren't on that channel"], ["MODE", "Not enough parameters"],
        ]  # fmt: skip
        assert of(await irc.ask("MODE #dev +o MAX"), "482", "472") == []
        await max_.until("MODE", "#dev", "+o", "max")
        assert [set(each[-1].split()) for each in of(await irc.ask("NAMES #dev"), "353")] == [{"~olga", "@+max"}]
        assert of(await irc.ask("WHO #dev %nf"), "354") == [["olga", "H~"], ["max", "H@+"]]
        assert of(await irc.ask("WHOIS max"), "319") == [["max", "@+#dev"]]
        max_.send("PRIVMSG #dev :now I may")
        await max_.until("PRIVMSG", "now I may")
        irc.send("MODE #dev -m")
        assert (await max_.until("MODE")).params == ["#dev", "-At"]
        assert (await max_.until("MODE")).params == ["#dev", "-o", "max"]
        assert of(await max_.ask("MODE #dev"), "324") == [["#dev", "+n"]]
        for days, shown in ((30, "for 30 days"), (0, "for ever"), (None, "for as long as the broker is told to")):
            await olga.access.keep("#dev", days)
            assert (await max_.until("NOTICE")).params == ["#dev", f"[this room keeps what is said {shown}]"]
        await olga.administration.set_role("max", "moderator")
        await irc.until("MODE", "#dev", "-v+o", "max", "max")
        irc.send("KICK #dev max :enough")
        assert (await max_.until("KICK")).params[:2] == ["#dev", "max"]
        assert (await irc.until("KICK")).params == ["#dev", "max", "enough"]
        await max_.ask("JOIN #dev")
        await olga.administration.ban("max")
        told: dict[str, list[str]] = {}
        while set(told) < {"KICK", "NOTICE"}:  # they come in any order
            told |= {line.command: line.params for line in [await irc.next()] if line.command in ("KICK", "NOTICE")}
        assert told == {
            "KICK": ["#dev", "max", "sent away by a moderator"],
            "NOTICE": ["olga", "max was banned by olga."],
        }
        await olga.administration.unban("max")
        await irc.until("NOTICE", "olga", "max was unbanned by olga.")


@on_loop
async def test_a_private_room_is_there_for_those_who_were_let_in(tmp_path: Path) -> None:
    async with house(tmp_path, keyed=True) as where, where.member("olga", where.owner_code) as olga:
        word, invited = (await olga.administration.invite(self_=True)).code, (await olga.administration.invite()).code
        await olga.access.make_private("+ops")
        irc, max_ = await where.irc("olga", ALL, word), await where.irc("max", ALL, invited)
        assert of(await max_.ask("JOIN #+ops"), "403")[0][0] == "#+ops"
        assert of(await max_.ask("LIST"), "322") == []
        assert of(await irc.ask("JOIN #+ops"), "353") == [["@", "#+ops", "~@olga"]]
        invited_ = await irc.ask("INVITE max #+ops", "MODE #+ops")
        assert of(invited_, "341", "324") == [["max", "#+ops"], ["#+ops", "+ins"]]
        assert (await max_.until("INVITE")).params == ["max", "#+ops"]
        max_.send("JOIN #+ops")
        assert set((await max_.until("353")).params[-1].split()) == {"~@olga", "+max"}
        await max_.until("366")
        max_.send("PRIVMSG #+ops :thanks")
        assert (await irc.until("PRIVMSG")).params == ["#+ops", "thanks"]
        await olga.access.expel("+ops", "max")
        assert (await max_.until("KICK")).params == ["#+ops", "max", "taken out by olga"]
        assert (await irc.until("NOTICE")).params == ["#+ops", "[took max out of this room]"]


@on_loop
async def test_what_is_no_command_or_has_too_little_is_told_so(tmp_path: Path) -> None:
    async with house(tmp_path) as where:
        alice = await where.irc("alice", "labeled-response batch message-tags")
        expected = {
            "FROB": "421", "JOIN": "461", "PRIVMSG": "411", "PRIVMSG #dev": "412", "PRIVMSG #dev :": "412",
            "PART #dev": "403", "PART x": "403", "KICK #dev": "461", "TOPIC #dev :x": "403", "USER a b c d": "462",
            "MODE alice +z": "501", "MODE bob +i": "401", "NICK": "431", "OPER a b": "491",
            "KILL a": "481", "WHOIS": "431", "TOPIC #dev": "403", "MOTD": "376", "VERSION": "351", "TIME": "391",
            "ADMIN": "256", "LUSERS": "251", "WHOWAS x": "406", "INFO": "371", "STATS u": "219", "HELP": "704",
            "LINKS": "364", "MODE alice": "221", "PASS x": "462", "AUTHENTICATE PLAIN": "907", "CAP FROB": "410",
            "PRIVMSG a,b,c,d,e :x": "407",
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
        [begin, *inner, end] = await alice.ask("@label=j JOIN #a,x,#b")
        assert [line.command for line in inner] == ["JOIN", "353", "366", "403", "JOIN", "353", "366"]
        assert {(line.tags or {}).get("batch") for line in inner} == {begin.params[0][1:]} == {end.params[0][1:]}
        assert (begin.tags, end.command) == ({"label": "j"}, "BATCH")
        [ack] = await alice.ask("@label=r PONG x")
        assert (ack.command, ack.tags) == ("ACK", {"label": "r"})
        [one] = await alice.ask("@label=s FROB")
        assert (one.command, one.tags) == ("421", {"label": "s"})


@on_loop
async def test_a_mode_that_zchat_has_not_is_refused_with_what_there_is_instead(tmp_path: Path) -> None:
    async with house(tmp_path) as where:
        alice = await where.irc("alice")
        await alice.ask("JOIN #dev")
        for letter in "kl":
            [[shown, why]] = of(await alice.ask(f"MODE #dev +{letter} x"), "472")
            assert (shown, why.partition(":")[0]) == (letter, "is unknown mode char to me")
            assert len(why) > len("is unknown mode char to me: ")
        for change in ("+b bob", "-o alice", "+v alice", "+i", "-n", "+t", "+s"):
            [[channel, why]] = of(await alice.ask(f"MODE #dev {change}"), "482")
            assert (channel, len(why) > 30) == ("#dev", True), change
        assert await alice.ask("MODE #dev +n", "MODE #dev -i", "MODE #dev -s") == []
        assert [line.command for line in await alice.ask("MODE #dev +nk-t x", "MODE #dev b")] == ["472", "482", "368"]
        for command in (
            "MODE #away +A",
            "KICK #away bob",
            "TOPIC #away :x",
            "TOPIC #away",
            "PART #away",
            "INVITE b #away",
        ):
            assert of(await alice.ask(command), "403", "442") == [["#away", "No such channel"]], command
        async with where.terminal("carl", rooms=["away"]):
            for command in ("MODE #away +A", "KICK #away bob", "TOPIC #away :x", "PART #away", "INVITE bob #away"):
                assert of(await alice.ask(command), "403", "442") == [["#away", "You're not on that channel"]], command
            assert of(await alice.ask("TOPIC #away"), "331") == [["#away", "No topic is set"]]
        told = await alice.ask("HELP privmsg", "HELP frob")
        assert [line.command for line in told] == ["704", "706", "524"]
        assert told[0].params[1:] == ["privmsg", told[0].params[2]]
        assert told[0].params[2].startswith("PRIVMSG TARGET TEXT: ")


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


@on_loop
async def test_an_invitation_into_a_public_room_is_one(tmp_path: Path) -> None:
    async with house(tmp_path) as where, where.terminal("carl", rooms=["dev"]) as carl:
        watch = Watcher(carl)
        alice, bob = await where.irc("alice", ALL), await where.irc("bob", f"{ALL} invite-notify")
        assert of(await alice.ask("INVITE bob #dev"), "442")[0][0] == "#dev"
        await alice.ask("JOIN #dev", "JOIN #ops")
        asked = await alice.ask("@label=i INVITE bob #dev", "INVITE nobody #dev", "INVITE carl #dev")
        assert [(line.command, line.params[1], (line.tags or {}).get("label")) for line in asked] == [
            ("341", "bob", "i"), ("401", "nobody", None), ("443", "carl", None),
        ]  # fmt: skip
        told = await bob.until("INVITE")
        assert (told.params, (told.source or "").partition("!")[0]) == (["bob", "#dev"], "alice")
        await alice.ask("INVITE carl #ops")
        await until(lambda: watch.texts() == ["I invite you to #ops."])
        await carl.say("I invite you to #a,b.", to="bob", kind="notice")  # a name that would need another one here
        assert texts([await bob.until("NOTICE")]) == ["I invite you to #a,b."]
        assert not (tmp_path / "gateway" / "names.json").exists()
        history = await bob.ask("CHATHISTORY LATEST alice * 9")
        assert of(history, "INVITE") == [["bob", "#dev"]]
        await carl.close()
        await watch.end()


@on_loop
async def test_a_room_tells_since_when_it_is_there_who_is_in_all_of_them_and_that_it_has_no_topic_any_more(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as where, where.terminal("carl", rooms=["dev", "ops"]) as carl:
        await carl.say("hello", room="dev")
        first = (await carl.history(room="dev")).messages[0].time
        alice = await where.irc("alice")
        await alice.ask("JOIN #dev", "JOIN #ops", "JOIN #new")
        began = int(datetime.fromisoformat(first).timestamp())
        await until(lambda: time.time() >= began + 1)
        created = {each[0]: int(each[1]) for each in of(await alice.ask("MODE #dev", "MODE #new"), "329")}
        assert created["#dev"] == began < created["#new"]
        all_ = await alice.ask("NAMES")
        assert {each[1]: set(each[2].split()) for each in of(all_, "353")} == {
            "#dev": {"alice", "carl"}, "#ops": {"alice", "carl"}, "#new": {"alice"},
        }  # fmt: skip
        assert of(all_, "366") == [["*", "End of /NAMES list"]]
        alice.send("TOPIC #dev :release day")
        await alice.until("TOPIC")
        alice.send("TOPIC #dev :")
        assert (await alice.until("TOPIC")).params == ["#dev", ""]
        assert of(await alice.ask("TOPIC #dev"), "331", "332") == [["#dev", "No topic is set"]]
        again = await where.irc("bob")
        assert of(await again.ask("JOIN #dev"), "332") == []
