# pyright: strict
"""What a user writes against `import zchat`: run against a broker, and read by type checkers at their strictest."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import assert_type

import zchat
from zchat import AnyUpdate, ChatClient, ChatServer, Context, Message, Opaque, Page, SyncClient, Topic

bot = zchat.Bot("dicebot", rooms=["general"])


@bot.command()
async def roll(ctx: Context, sides: int = 6) -> str:
    """Roll a die."""
    assert_type(ctx.store, zchat.Store)
    return f"{ctx.nick} rolls {sides}"


@bot.on_message(r"deploy (\w+)")
async def deploy(ctx: Context, service: str) -> None:
    try:
        answer = await ctx.ask("where?", timeout=30)
    except zchat.NoAnswerError:
        return
    assert_type(await ctx.say(f"{service} to {answer}"), zchat.Ack | None)


@bot.command(edited=True)
async def build(ctx: Context, target: str) -> None:
    answer = await ctx.reply("0 %")
    await ctx.edit(f"{target}: 100 %", answer)
    await ctx.delete(ctx.target, reason="done")
    assert_type(await ctx.react("👍", off=True), zchat.Ack | None)


@bot.on_edit
@bot.on_delete
async def mended(ctx: Context) -> None:
    assert_type(ctx.target, int | None)


@bot.on_reaction()
async def nod(ctx: Context) -> str:
    return f"{ctx.nick} nods"


@bot.every(minutes=30)
async def remind(ctx: Context) -> None:
    await ctx.say("Stretch your legs.")


def shown(update: AnyUpdate) -> str:  # noqa: C901, PLR0911, PLR0912 — all there is
    """Return a line about whatever a client may yield."""
    match update:
        case zchat.Message(room=room, nick=nick, text=text):
            return f"{room} {nick} {text}"
        case zchat.Topic(text=text):
            return text
        case zchat.Edited(target=target) | zchat.Deleted(target=target) | zchat.Pinned(target=target):
            return f"{target}"
        case zchat.Reacted(target=target, emoji=emoji):
            return f"{target} {emoji}"
        case zchat.Tombstone(seq=seq) | zchat.ReadMarked(seq=seq):
            return f"{seq}"
        case zchat.Dropped(id=number):
            return f"{number}"
        case zchat.MemberJoined(nick=nick) | zchat.MemberLeft(nick=nick) | zchat.MemberAway(nick=nick):
            return nick
        case zchat.MemberRenamed(nick=nick, new=new):
            return f"{nick} {new}"
        case zchat.MemberTyping(nick=nick):
            return nick
        case zchat.Online(again=again, welcome=welcome):
            return f"{welcome.server} {again}"
        case zchat.Offline(why=why, retry_in=seconds):
            return f"{why} {seconds:.1f}"
        case zchat.CaughtUp(room=room):
            return room
        case zchat.WentBack(what=what):
            return " ".join(what)
        case zchat.KeptOut(why=why) | zchat.NickRefused(why=why) | zchat.Deferred(why=why) | zchat.Stalled(why=why):
            return why
        case zchat.Refused(what=words, code=code):
            return f"{words} {code}"
        case zchat.Removed(room=room, why=why):
            return f"{room} {why}"
        case zchat.Ended(reason=reason) | zchat.BrokerBye(reason=reason):
            return reason
        case zchat.MemberChanged(change=change, nick=nick) | zchat.AccessChanged(change=change, nick=nick):
            return f"{nick} {change}"
        case zchat.BrokerStalled(since=since, reason=reason):
            return f"{since} {reason}"
        case zchat.Echo() | zchat.Opaque() | zchat.BrokerFlowing() | zchat.Flowing():
            return ""


@asynccontextmanager
async def serving(data: Path) -> AsyncGenerator[ChatServer, None]:
    async with ChatServer("tcp://127.0.0.1:0", "tcp://127.0.0.1:0", data=data) as server:
        serving = asyncio.create_task(server.receive_connections())
        yield server
        server.stop()
        await serving


async def talk(broker: str) -> None:
    began = datetime.now(UTC) - timedelta(hours=1)
    async with ChatClient("alice", broker, rooms=["general"], timeout=30) as chat:
        ack = assert_type(await chat.say("the first", room="general"), zchat.Ack)
        answers = [await chat.post(f"line {number}", room="general", reply_to=ack.seq) for number in range(3)]
        assert all(assert_type(each, zchat.Ack).seq for each in await asyncio.gather(*answers))
        await chat.set_topic("#general", "release day")

        page = assert_type(await chat.history(room="general", limit=2), Page)
        assert_type(page.events, tuple[zchat.Durable | Opaque, ...])
        assert (len(page.events), page.more, [each.text for each in page.messages]) == (2, True, ["line 2"])
        older = await chat.history(room="#general", before=page.events[0].seq)
        assert ([each.text for each in older.messages], older.more) == (["the first", "line 0", "line 1"], False)
        newer = await chat.history(room="general", after=older.upto, limit=1)
        assert newer.lines[0].startswith(b'{"type":"message"')
        since = await chat.history(room="general", since=began, limit=1)
        assert (since.messages[0].text, since.more) == ("the first", True)
        found = assert_type(await chat.search("line", room="general", nick="alice", limit=2), Page)
        assert ([each.text for each in found.messages], found.more) == (["line 1", "line 2"], True)

        messages = assert_type(chat.messages, zchat.Messages)
        assert_type(await messages.edit(newer.messages[0].seq, "the last line"), zchat.Ack)
        await messages.react(newer.messages[0].seq, "👍")
        items = assert_type((await chat.history(room="general")).current, list[zchat.Item])
        assert [item.text for item in items if item.reactions] == ["the last line"]
        picture: zchat.Picture = {}
        for event in page.events:
            if not isinstance(event, Opaque):
                zchat.fold(picture, event)

        roster = await chat.ask(zchat.Who(room="general"))
        assert isinstance(roster, zchat.Roster)
        assert [member.nick for member in roster.members] == ["alice"] == list(chat.members("general"))
        await chat.say("to myself", to="alice", with_=chat.from_)
        assert (await chat.history(to="alice", with_=chat.from_)).messages[0].text == "to myself"

        async for update in chat.listen():
            assert_type(update, AnyUpdate)
            print(shown(update))
            if isinstance(update, Topic):
                break
        await chat.say("the last", room="general")
        async for message in chat.listen("general"):
            assert_type(message, Message)
            break
        try:
            await chat.history(room="no/room")
        except zchat.RefusedError as error:
            print(assert_type(error.code, str))


def talk_without_asyncio(broker: str) -> None:
    with SyncClient("bob", broker, rooms=["general"], backlog=10, timeout=30) as chat:
        assert_type(chat.say("hello", room="general"), zchat.Ack)
        joined = assert_type(chat.join("dev", backlog=1), zchat.Joined)
        assert (joined.room, chat.nick, chat.rooms) == ("dev", "bob", ("general", "dev"))
        for message in chat.listen("general"):
            if assert_type(message, Message).text == "hello":
                break
        for update in chat.listen():
            print(shown(assert_type(update, AnyUpdate)))
            break
        page = assert_type(chat.history(room="general", limit=1), Page)
        assert [each.text for each in page.messages] == ["hello"]
        assert [each.text for each in assert_type(chat.search("hel*"), Page).messages] == ["hello"]
        chat.messages.pin(page.messages[0].seq)
        chat.rename("robert")
        assert set(chat.members("general")) == {"robert"}
        chat.part("dev", "enough")
        try:
            chat.search("?")
        except zchat.ZchatError as error:
            print(assert_type(error, zchat.ZchatError))


async def main(data: Path) -> None:
    async with serving(data) as server:
        await talk(server.listen)
        await asyncio.to_thread(talk_without_asyncio, server.listen)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
    print("done")
