"""What is said through the IRC gateway, over real sockets: echoes, labels, several connections, every kind."""

from pathlib import Path

from irctokens.line import Line

from tests.client.real import Watcher, on_loop, until
from tests.gateways.irc.raw import ALL, House, Irc, house, texts
from zchat.protocol import messages as m


async def room_of(where: House, *clients: Irc, room: str = "#dev") -> None:
    for each in clients:
        each.send(f"JOIN {room}")
        await each.until("366")


@on_loop
async def test_a_message_is_echoed_once_it_is_stored_with_its_number_and_its_label(tmp_path: Path) -> None:
    async with house(tmp_path) as where:
        alice, bob = await where.irc("alice", ALL), await where.irc("bob")
        await room_of(where, alice, bob)
        alice.send("@label=x1 PRIVMSG #dev :hello there")
        echo = await alice.until("PRIVMSG")
        assert echo.tags is not None
        assert (echo.tags["label"], echo.params) == ("x1", ["#dev", "hello there"])
        async with where.terminal("carl") as carl:
            page = await carl.history(room="dev")
            assert [(str(e.seq), e.text, e.time) for e in page.messages] == [
                (echo.tags["msgid"], "hello there", echo.tags["time"])
            ]
        heard = await bob.until("PRIVMSG")
        assert (heard.params, heard.tags) == (["#dev", "hello there"], None)
        assert heard.source is not None
        assert heard.source.startswith("alice!~alice@")


@on_loop
async def test_who_has_no_echo_sees_nothing_of_their_own_but_what_they_said_elsewhere(tmp_path: Path) -> None:
    async with house(tmp_path, keyed=True) as where, where.member("olga", where.owner_code) as olga:
        words = [(await olga.administration.invite(self_=True)).code for _ in range(2)]
        one, two = await where.irc("olga", "", words[0]), await where.irc("other", "", words[1])
        await room_of(where, one)
        await two.until("366")  # the same person is in the same rooms
        one.send("PRIVMSG #dev :from one")
        assert (await two.until("PRIVMSG")).params == ["#dev", "from one"]
        two.send("PRIVMSG #dev :from two", "PING :x")
        heard = await one.until("PRIVMSG")
        assert heard.params == ["#dev", "from two"]
        assert heard.source is not None
        assert heard.source.startswith("olga!owner@")
        await olga.say("from the terminal", room="dev")
        assert (await one.until("PRIVMSG")).params == ["#dev", "from the terminal"]
        assert (await two.until("PRIVMSG")).params == ["#dev", "from the terminal"]
        assert texts(one.seen) == ["from two", "from the terminal"]
        assert texts(two.seen) == ["from one", "from the terminal"]


@on_loop
async def test_a_direct_message_reaches_both_ends_and_is_refused_where_nobody_is(tmp_path: Path) -> None:
    async with house(tmp_path) as where:
        alice, bob = await where.irc("alice", ALL), await where.irc("bob", ALL)
        alice.send("@label=a PRIVMSG bob :psst")
        echo, heard = await alice.until("PRIVMSG"), await bob.until("PRIVMSG")
        assert echo.params == heard.params == ["bob", "psst"]
        assert echo.tags is not None
        assert heard.tags is not None
        assert echo.tags["msgid"] == heard.tags["msgid"]
        alice.send("@label=b PRIVMSG nobody :psst")
        refused = await alice.until("401")
        assert (refused.params[:2], refused.tags) == (["alice", "nobody"], {"label": "b"})
        alice.send("PRIVMSG #elsewhere :hi")
        assert (await alice.until("404")).params[1] == "#elsewhere"
        alice.send("@label=d PRIVMSG bob,#dev,bob :twice")
        labels = [(await alice.until("PRIVMSG", "twice")).tags or {} for _ in range(2)]
        assert [each.get("label") for each in labels] == [None, "d"]
        alice.send("@label=c PRIVMSG alice :to myself")
        echo, heard = await alice.until("PRIVMSG"), await alice.until("PRIVMSG")
        assert [echo.params, "label" in (echo.tags or {})] == [["alice", "to myself"], True]
        assert [heard.params, "label" in (heard.tags or {})] == [["alice", "to myself"], False]


@on_loop
async def test_a_message_of_several_lines_is_one_and_comes_as_each_client_can_take_it(tmp_path: Path) -> None:
    async with house(tmp_path) as where, where.terminal("carl", rooms=["dev"]) as carl:
        watch = Watcher(carl)
        alice, bob = await where.irc("alice", ALL), await where.irc("bob")
        await room_of(where, alice, bob)
        alice.send(
            "@label=m BATCH +7 draft/multiline #dev", "@batch=7 PRIVMSG #dev :one", "@batch=7 PRIVMSG #dev :",
            "@batch=7 PRIVMSG #dev :two ", "@batch=7;draft/multiline-concat PRIVMSG #dev :and a half", "BATCH -7",
        )  # fmt: skip
        begin = await alice.until("BATCH")
        assert begin.tags is not None
        assert (begin.tags["label"], begin.params[1:]) == ("m", ["draft/multiline", "#dev"])
        inner = [await alice.next() for _ in range(3)]
        assert [line.params[-1] for line in inner] == ["one", "", "two and a half"]
        await until(lambda: watch.texts() == ["one\n\ntwo and a half"])
        assert [(await bob.until("PRIVMSG")).params[-1] for _ in range(2)] == ["one", "two and a half"]
        alice.send(
            "BATCH +8 draft/multiline #dev", "@batch=8 PRIVMSG #dev :", "@batch=8 PRIVMSG #dev :below", "BATCH -8"
        )
        begin = await alice.until("BATCH", where=lambda line: line.params[0].startswith("+"))
        assert [(await alice.next()).params[-1] for _ in range(2)] == ["", "below"]
        assert ((await bob.until("PRIVMSG", "below")).tags, bob.seen[-1].command) == (None, "PRIVMSG")
        await until(lambda: watch.texts()[1:] == ["\nbelow"])
        long = "word " * 400
        await carl.say(long.strip() + "\nlast", room="dev")
        got = ""
        while not got.endswith("last"):
            got += (await bob.until("PRIVMSG")).params[-1]
        assert got == long.strip() + "last"
        await carl.close()
        await watch.end()


@on_loop
async def test_a_batch_that_is_wrong_is_told_so_and_nothing_is_said(tmp_path: Path) -> None:
    async with house(tmp_path) as where:
        alice = await where.irc("alice", ALL)
        await room_of(where, alice)
        too_many = [f"@batch=1 PRIVMSG #dev :{n}" for n in range(401)]
        wrong = {
            "MULTILINE_INVALID_TARGET": ["@batch=1 PRIVMSG #other :x"],
            "MULTILINE_MAX_LINES": too_many,
            "MULTILINE_MAX_BYTES": [f"@batch=1 PRIVMSG #dev :{'x' * 480}"] * 36,
            "MULTILINE_INVALID": ["@batch=1;draft/multiline-concat PRIVMSG #dev :"],
        }
        for code, lines in wrong.items():
            found = await alice.ask("BATCH +1 draft/multiline #dev", *lines, "BATCH -1")
            assert [line.params[:2] for line in found if line.command == "FAIL"] == [["BATCH", code]]
            assert texts(found) == []


@on_loop
async def test_what_irc_has_no_word_for_comes_in_plain_ones(tmp_path: Path) -> None:
    async with house(tmp_path) as where, where.terminal("carl", rooms=["dev"]) as carl:
        bob, modern = await where.irc("bob"), await where.irc("modern", ALL)
        await room_of(where, bob, modern)
        first = await carl.say("see you at ten", room="dev")
        await carl.messages.edit(first.seq or 0, "see you at eleven")
        await carl.messages.react(first.seq or 0, "👍")
        await carl.messages.pin(first.seq or 0)
        await carl.say("fine", room="dev", reply_to=first.seq)
        await carl.say("waves", room="dev", kind="action")
        plan = tmp_path / "plan.pdf"
        plan.write_bytes(b"x" * 1500)
        told = await carl.say("", room="dev", files=[await carl.files.upload(plan)])
        await carl.messages.delete(first.seq or 0, "a typo")
        await carl.say("end", room="dev")
        assert texts(await _through(bob, "end"))[:-1] == [
            "see you at ten",
            "* see you at eleven",
            "[👍 to carl: see you at eleven]",
            "[pinned carl: see you at eleven]",
            "[re carl: see you at eleven] fine",
            "\x01ACTION waves\x01",
            f"[file: plan.pdf, 1.5 kB; to get it: zchat get {told.seq} -r dev]",
            bob.seen[-2].params[-1],
        ]
        assert bob.seen[-2].params[-1].startswith("[deleted what carl said at ")
        assert bob.seen[-2].params[-1].endswith(": a typo]")
        lines = await _through(modern, "end")
        react = next(line for line in lines if line.command == "TAGMSG")
        assert react.tags is not None
        assert (react.tags["+draft/react"], react.tags["+draft/reply"]) == ("👍", str(first.seq))
        fine = next(line for line in lines if line.params[-1] == "fine")
        assert (fine.tags or {})["+draft/reply"] == str(first.seq)
        redact = next(line for line in lines if line.command == "REDACT")
        assert redact.params == ["#dev", str(first.seq), "a typo"]


@on_loop
async def test_an_edit_tells_which_message_it_was_unless_it_was_the_last_one_of_its_author(tmp_path: Path) -> None:
    async with house(tmp_path) as where, where.terminal("carl", rooms=["dev", "ops"]) as carl:
        before = await carl.say("before anybody came", room="dev")
        bob, eve = await where.irc("bob"), await where.irc("eve")
        await room_of(where, bob, eve)
        first = await carl.say("one", room="dev")
        await carl.say("elsewhere", room="ops")
        bob.send("PRIVMSG #dev :by another")
        await carl.messages.edit(first.seq or 0, "two")
        await eve.until("PRIVMSG", "* two")
        await carl.say("three", room="dev")
        await carl.messages.edit(first.seq or 0, "four")
        await carl.messages.edit(before.seq or 0, "after")
        await carl.say("end", room="dev")
        for irc in (bob, eve):
            assert texts(await _through(irc, "end"))[-4:] == ["three", "[edited: one] four", "[edited] after", "end"]


async def _through(irc: Irc, text: str) -> list[Line]:
    before = len(irc.seen)
    await irc.until("PRIVMSG", text)
    return irc.seen[before:]


@on_loop
async def test_reactions_answers_and_what_is_taken_back_go_into_zchat(tmp_path: Path) -> None:
    async with house(tmp_path) as where, where.terminal("carl", rooms=["dev"]) as carl:
        watch = Watcher(carl)
        alice = await where.irc("alice", ALL)
        await room_of(where, alice)
        seq = (await carl.say("a question", room="dev")).seq
        await alice.until("PRIVMSG")
        alice.send(f"@+draft/react=🎉;+draft/reply={seq} TAGMSG #dev", f"@+reply={seq} PRIVMSG #dev :an answer")
        alice.send("PRIVMSG #dev :\x01ACTION nods\x01", "NOTICE #dev :\x02bold\x02 and \x0304,01red\x03")
        await until(lambda: len(watch.of(m.Message)) == 4)
        assert [(e.kind, e.text, e.reply_to) for e in watch.of(m.Message)[1:]] == [
            ("message", "an answer", seq), ("action", "nods", None), ("notice", "bold and red", None),
        ]  # fmt: skip
        assert [(e.emoji, e.target) for e in watch.of(m.Reacted)] == [("🎉", seq)]
        mine = watch.of(m.Message)[1].seq
        found = await alice.ask(f"REDACT #dev {seq}", f"REDACT #dev {mine} :oops", "REDACT #dev 99999", "REDACT #dev x")
        fails = [line.params[:2] for line in found if line.command == "FAIL"]
        assert fails == [["REDACT", "REDACT_FORBIDDEN"], ["REDACT", "UNKNOWN_MSGID"], ["REDACT", "UNKNOWN_MSGID"]]
        await until(lambda: [(e.target, e.reason) for e in watch.of(m.Deleted)] == [(mine, "oops")])
        await carl.close()
        await watch.end()


@on_loop
async def test_typing_is_told_both_ways(tmp_path: Path) -> None:
    async with house(tmp_path) as where, where.terminal("carl", rooms=["dev"]) as carl:
        watch = Watcher(carl)
        alice = await where.irc("alice", ALL)
        await room_of(where, alice)
        alice.send("@+typing=active TAGMSG #dev", "@+typing=active TAGMSG #dev", "@+typing=done TAGMSG #dev")
        await until(lambda: [e.nick for e in watch.of(m.MemberTyping)] == ["alice"])
        await carl.send_typing("dev")
        assert (await alice.until("TAGMSG")).tags == {"+typing": "active"}
        await carl.close()
        await watch.end()


@on_loop
async def test_lines_are_said_in_their_order_and_none_is_lost_when_many_come_at_once(tmp_path: Path) -> None:
    async with house(tmp_path) as where, where.terminal("carl", rooms=["dev"]) as carl:
        watch = Watcher(carl)
        alice = await where.irc("alice", "echo-message")
        await room_of(where, alice)
        wanted = [f"line {n}" for n in range(90)]
        alice.send(*(f"PRIVMSG #dev :{text}" for text in wanted))
        assert [(await alice.until("PRIVMSG")).params[-1] for _ in wanted] == wanted
        await until(lambda: watch.texts() == wanted)
        await carl.close()
        await watch.end()


@on_loop
async def test_standard_replies_go_to_whom_they_belong_and_labels_are_short(tmp_path: Path) -> None:
    async with house(tmp_path) as where:
        irc = await where.irc(
            "bob", "message-tags batch labeled-response echo-message draft/multiline draft/message-redaction"
        )
        told = [line.params for line in await irc.ask("REDACT #nowhere 7", "CHATHISTORY x") if line.command != "PONG"]
        assert told[0][:3] == ["REDACT", "INVALID_TARGET", "#nowhere"]
        assert told[1][1].startswith("*** CHATHISTORY INVALID_PARAMS")
        await irc.ask("JOIN #dev")
        irc.send(f"@label={'x' * 65} BATCH +a draft/multiline #dev", "@batch=a PRIVMSG #dev :one", "BATCH -a")
        assert "label" not in ((await irc.until("PRIVMSG", "one")).tags or {})
