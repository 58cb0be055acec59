"""`/msg *zchat`: to edit, delete, pin and react from a client that has no command for it."""

from pathlib import Path

from tests.client.real import Watcher, on_loop, until
from tests.gateways.irc.raw import ALL, Irc, house, of, texts
from zchat.gateways.irc.core.service import HELP, Sentence, sentence
from zchat.protocol import messages as m


async def wish(irc: Irc, text: str) -> list[str]:
    """Return what the service answers."""
    before = len(irc.seen)
    irc.send(f"PRIVMSG *zchat :{text}")
    await irc.until("PRIVMSG", where=lambda line: (line.source or "").startswith("*zchat!"))
    await irc.ask()
    return [line.params[-1] for line in irc.seen[before:] if (line.source or "").startswith("*zchat!")]


@on_loop
async def test_what_was_said_is_edited_pinned_deleted_and_reacted_to_in_words(tmp_path: Path) -> None:
    async with house(tmp_path, keyed=True) as where, where.member("olga", where.owner_code, rooms=["dev"]) as olga:
        watch = Watcher(olga)
        max_ = await where.irc("max", "echo-message", (await olga.administration.invite()).code)
        await max_.ask("JOIN #dev")
        max_.send("PRIVMSG #dev :see you at ten")
        await max_.until("PRIVMSG")
        theirs = (await olga.say("fine", room="dev")).seq
        await max_.until("PRIVMSG", "fine")
        (mine,) = [each.seq for each in watch.of(m.Message) if each.nick == "max"]
        assert await wish(max_, "edit #dev see you at eleven") == [f"Edited “see you at ten” (message {mine})."]
        assert await wish(max_, "React #dev 👍") == [f"Reacted with 👍 to “fine” (message {theirs})."]
        assert await wish(max_, "react #dev 👍") == [f"Took 👍 off “fine” (message {theirs})."]
        assert await wish(max_, f"pin {mine}") == [f"Pinned message {mine}."]
        assert await wish(max_, "last #dev") == [f"{mine}  max: see you at eleven [pinned]", f"{theirs}  olga: fine"]
        assert await wish(max_, f"unpin {mine}") == [f"Unpinned message {mine}."]
        assert await wish(max_, "delete #dev a typo") == [f"Deleted “see you at eleven” (message {mine})."]
        await until(lambda: [(each.target, each.reason) for each in watch.of(m.Deleted)] == [(mine, "a typo")])
        assert [each.text for each in watch.of(m.Edited)] == ["see you at eleven"]
        assert [(each.target, each.off) for each in watch.of(m.Pinned)] == [(mine, False), (mine, True)]
        assert [(each.target, each.off) for each in watch.of(m.Reacted)] == [(theirs, False), (theirs, True)]
        await olga.close()
        await watch.end()


@on_loop
async def test_what_cannot_be_done_is_told(tmp_path: Path) -> None:
    async with house(tmp_path) as where, where.terminal("carl", rooms=["dev"]) as carl:
        theirs = (await carl.say("hello", room="dev")).seq
        alice = await where.irc("alice", ALL)
        await alice.ask("JOIN #dev")
        assert await wish(alice, "help") == await wish(alice, "edit #dev") == list(HELP)
        for text, why in {
            "edit #dev x": "there is no message of yours in #dev", f"edit {theirs} x": "refused",
            "pin 99999": "refused", "delete nobody": "refused", "last 7": "name a room", "last #+x": "refused",
        }.items():  # fmt: skip
            assert why in (await wish(alice, text))[0], text
        echo = await alice.ask("@label=s PRIVMSG *ZCHAT :pin 99999")
        assert [line.command for line in echo] == ["BATCH", "PRIVMSG", "PRIVMSG", "BATCH"]
        assert texts(echo)[0] == "pin 99999"
        assert await alice.ask("NOTICE *zchat :edit #dev x") == []
        assert of(await alice.ask("WHOIS *zchat"), "311")[0][0] == "*zchat"


@on_loop
async def test_a_moderator_needs_no_terminal_to_mute_and_ban(tmp_path: Path) -> None:
    async with house(tmp_path, keyed=True) as where, where.member("olga", where.owner_code, rooms=["dev"]) as olga:
        word = (await olga.administration.invite(self_=True)).code
        irc, max_ = (
            await where.irc("olga", "", word),
            await where.irc("max", "", (await olga.administration.invite()).code),
        )
        await irc.ask("JOIN #dev")
        await max_.ask("JOIN #dev", "JOIN #ops")
        assert "refused" in (await wish(max_, "mute olga"))[0]
        [told] = await wish(irc, "mute MAX #dev 30m too loud")
        assert told.startswith("Muted MAX in #dev until 20")
        max_.send("PRIVMSG #dev :hello")
        assert "too loud" in (await max_.until("404", where=lambda line: line.params[1] == "#dev")).params[-1]
        max_.send("PRIVMSG #ops :hello")
        await max_.ask()
        assert await wish(irc, "unmute max #dev") == ["Unmuted max in #dev."]
        assert await wish(irc, "mute max spam") == ["Muted max."]
        max_.send("PRIVMSG #ops :again")
        assert "spam" in (await max_.until("404", where=lambda line: line.params[1] == "#ops")).params[-1]
        assert await wish(irc, "unmute max") == ["Unmuted max."]
        max_.send("PRIVMSG #dev :better")
        await irc.until("PRIVMSG", "better")
        for text, why in {
            "mute nobody": "nobody is called nobody",
            "mute max # why": "no room",
            "ban max #dev": "mute",
        }.items():
            assert why in (await wish(irc, text))[0], text
        [told] = await wish(irc, "ban max 1d")
        assert told.startswith("Banned max until 20")
        await max_.ended()
        assert [each.nick for each in await olga.administration.members() if each.banned] == ["max"]
        assert await wish(irc, "unban max") == ["Unbanned max."]
        assert not [each for each in await olga.administration.members() if each.banned]


def test_a_sentence_has_a_place_a_length_and_a_reason_in_this_order() -> None:
    assert sentence("") == Sentence()
    assert sentence("#dev 2h too loud") == Sentence("#dev", 7_200, "too loud")
    assert sentence("1d") == Sentence("", 86_400, "")
    assert sentence("30 minutes of noise") == Sentence("", None, "30 minutes of noise")
