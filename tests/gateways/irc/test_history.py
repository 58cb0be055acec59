"""What was said before, through the IRC gateway: CHATHISTORY, read marks, and what is told to who was away."""

import asyncio
from pathlib import Path

from irctokens.line import Line

from tests.client.real import on_loop, until
from tests.gateways.irc.raw import ALL, House, Irc, house, texts
from zchat.client.client import ChatClient


async def say(client: ChatClient, *said: str, room: str = "dev") -> list[tuple[int, str]]:
    """Say this; return the seq and the time of each, each in a millisecond of its own."""
    found = []
    for text in said:
        seq = (await client.say(text, room=room)).seq or 0
        page = await client.history(room=room, after=seq - 1, limit=1)
        found.append((seq, page.messages[0].time))
        await asyncio.sleep(0.002)
    return found


async def history(irc: Irc, asked: str) -> list[str]:
    lines = await irc.ask(f"CHATHISTORY {asked}")
    batches = [line.params[1:] for line in lines if line.command == "BATCH" and line.params[0].startswith("+")]
    assert batches[:1] == [["chathistory", asked.split()[1]]], lines
    return texts(lines)


@on_loop
async def test_history_in_all_its_ways(tmp_path: Path) -> None:
    async with house(tmp_path) as where, where.terminal("carl", rooms=["dev"]) as carl:
        at = await say(carl, "a", "b", "c", "d", "e")
        irc = await where.irc("alice", ALL)
        await irc.ask("JOIN #dev")
        msgid, time = [f"msgid={seq}" for seq, _ in at], [f"timestamp={when}" for _, when in at]
        expected = {
            "LATEST #dev * 2": "de", "LATEST #dev * 10": "abcde", f"LATEST #dev {msgid[2]} 10": "de",
            f"LATEST #dev {time[2]} 1": "e", f"BEFORE #dev {msgid[2]} 1": "b", f"BEFORE #dev {time[2]} 10": "ab",
            f"AFTER #dev {msgid[1]} 2": "cd", f"AFTER #dev {time[3]} 9": "e", f"AROUND #dev {msgid[2]} 3": "bcd",
            f"BETWEEN #dev {msgid[0]} {msgid[3]} 9": "bc", f"BETWEEN #dev {time[3]} {msgid[0]} 1": "c",
            f"BETWEEN #dev {time[0]} {time[4]} 2": "bc", f"BEFORE #dev {msgid[0]} 5": "",
        }  # fmt: skip
        for asked, found in expected.items():
            assert "".join(await history(irc, asked)) == found, asked
        fails = await irc.ask(
            "CHATHISTORY FROB #dev * 5", "CHATHISTORY LATEST nobody * 5", "CHATHISTORY LATEST #+x * 5"
        )
        assert [line.params[:2] for line in fails if line.command == "FAIL"] == [
            ["CHATHISTORY", "INVALID_PARAMS"], ["CHATHISTORY", "INVALID_TARGET"], ["CHATHISTORY", "INVALID_TARGET"],
        ]  # fmt: skip


@on_loop
async def test_history_has_what_was_done_for_those_who_want_it_and_nothing_that_was_deleted(tmp_path: Path) -> None:
    async with house(tmp_path) as where, where.terminal("carl", rooms=["dev"]) as carl:
        [(seq, _), (gone, _)] = await say(carl, "one\ntwo", "gone")
        await carl.messages.react(seq, "👍")
        await carl.messages.edit(seq, "three")
        await carl.messages.delete(gone)
        plain = await where.irc("bob", ALL.replace("draft/event-playback", ""))
        rich = await where.irc("alice", ALL)
        assert await history(plain, "LATEST #dev * 9") == ["one", "two", "* three"]
        lines = await rich.ask("CHATHISTORY LATEST #dev * 9")
        assert [line.command for line in lines] == [
            "BATCH", "BATCH", "PRIVMSG", "PRIVMSG", "BATCH", "TAGMSG", "PRIVMSG", "BATCH",
        ]  # fmt: skip
        outer = lines[0].params[0][1:]
        assert [(line.tags or {}).get("batch") == outer for line in lines] == [0, 1, 0, 0, 1, 1, 1, 0]
        assert (lines[1].tags or {})["msgid"] == str(seq)


@on_loop
async def test_targets_and_talks(tmp_path: Path) -> None:
    async with house(tmp_path) as where, where.terminal("carl", rooms=["dev"]) as carl:
        irc = await where.irc("alice", ALL)
        await irc.ask("JOIN #dev")
        [(_, first)] = await say(carl, "in the room")
        await carl.say("to you", to="alice")
        await irc.until("PRIVMSG", "to you")
        lines = await irc.ask(
            "CHATHISTORY TARGETS timestamp=2020-01-01T00:00:00.000Z timestamp=2100-01-01T00:00:00.000Z 9"
        )
        found = [line.params[1:] for line in lines if line.command == "CHATHISTORY"]
        assert [each[0] for each in found] == ["#dev", "carl"]
        assert found[0][1] == first
        assert await history(irc, "LATEST carl * 9") == ["to you"]
        none = await irc.ask(f"CHATHISTORY TARGETS timestamp=2020-01-01T00:00:00.000Z timestamp={first} 9")
        assert [line.command for line in none] == ["BATCH", "BATCH"]


@on_loop
async def test_what_one_has_read_is_known_on_all_devices(tmp_path: Path) -> None:
    async with house(tmp_path, keyed=True) as where, where.member("olga", where.owner_code, rooms=["dev"]) as olga:
        at = await say(olga, "a", "b", "c")
        irc, other = await as_olga(where, olga, ALL), await as_olga(where, olga, ALL)
        assert marks(await irc.ask("JOIN #dev")) == [["#dev", "*"]]
        assert marks(await irc.ask(f"MARKREAD #dev timestamp={at[1][1]}")) == [["#dev", f"timestamp={at[1][1]}"]]
        await other.until("MARKREAD", "#dev", f"timestamp={at[1][1]}")
        assert olga.read_marks.through(room="dev") == at[1][0]
        assert marks(await irc.ask(f"MARKREAD #dev timestamp={at[0][1]}")) == [["#dev", f"timestamp={at[1][1]}"]]
        await olga.messages.mark_read(at[2][0], room="dev")
        await irc.until("MARKREAD", "#dev", f"timestamp={at[2][1]}")
        fails = await irc.ask("MARKREAD", "MARKREAD #dev yesterday", "MARKREAD nobody")
        assert [line.params[1] for line in fails if line.command == "FAIL"] == ["NEED_MORE_PARAMS", "INVALID_PARAMS"]
        assert marks(fails) == [["nobody", "*"]]


@on_loop
async def test_a_read_mark_is_told_as_it_was_set_and_never_for_what_is_still_to_be_said(tmp_path: Path) -> None:
    async with house(tmp_path) as where, where.terminal("carl", rooms=["dev"]) as carl:
        irc = await where.irc("bob", ALL)
        early, late, later = (f"timestamp=20{year}-01-02T03:04:05.678Z" for year in (19, 20, 99))
        await irc.ask("JOIN #dev", "JOIN #void")
        for place in ("#dev", "carl", "#void"):
            assert marks(await irc.ask(f"MARKREAD {place} {late}", f"MARKREAD {place} {early}")) == [[place, late]] * 2
        assert marks(await irc.ask("PART #void", "JOIN #void")) == [["#void", late]]
        [[_, first]] = marks(await irc.ask(f"MARKREAD #void {later}"))
        assert late < first < later
        [(_, time)] = await say(carl, "hello")
        await irc.until("PRIVMSG", "hello")
        assert marks(await irc.ask("MARKREAD #dev")) == [["#dev", late]]
        assert marks(await irc.ask(f"MARKREAD #dev timestamp={time}", f"MARKREAD #dev {late}")) == [
            ["#dev", f"timestamp={time}"]
        ] * 2  # fmt: skip
        [[_, now]] = marks(await irc.ask(f"MARKREAD #dev {later}"))
        assert f"timestamp={time}" <= now < later


def marks(lines: list[Line]) -> list[list[str]]:
    return [line.params for line in lines if line.command == "MARKREAD"]


async def as_olga(where: House, olga: ChatClient, caps: str = "", password: str | None = None) -> Irc:
    word = password or (await olga.administration.invite(self_=True)).code
    return await where.irc("olga", caps, word)


@on_loop
async def test_who_was_away_is_told_what_they_missed_each_once(tmp_path: Path) -> None:
    async with house(tmp_path, keyed=True) as where, where.member("olga", where.owner_code, rooms=["dev"]) as olga:
        invited = (await olga.administration.invite()).code
        async with where.member("max", invited) as max_:
            word = (await olga.administration.invite(self_=True)).code
            first = await as_olga(where, olga, "", word)
            await first.ask("JOIN #dev", "JOIN #ops")
            await say(max_, "seen")
            await first.until("PRIVMSG", "seen")
            await first.close()
            await until(lambda: not where.gateway.clients)
            deleted = (await max_.say("never mind", room="dev")).seq
            await max_.messages.delete(deleted or 0)
            await say(max_, "missed one", "missed two")
            await say(max_, "missed in ops", room="ops")
            await max_.say("missed by you", to="olga")
            await olga.say("said elsewhere", room="dev")
            for expected in (["missed by you", "missed in ops", "missed one", "missed two", "said elsewhere"], []):
                again = await as_olga(where, olga, "server-time batch", word)
                await max_.say("end", room="dev")
                while sorted(texts(again.seen)) != sorted([*expected, "end"]):
                    await again.next()
                told = [line for line in again.seen if line.command == "PRIVMSG"]
                assert all((line.tags or {})["time"] for line in told)
                await again.close()
                await until(lambda: not where.gateway.clients)
            modern = await as_olga(where, olga, ALL, word)
            await max_.say("last", room="dev")
            await modern.until("PRIVMSG", "last")
            assert texts(modern.seen) == ["last"]
