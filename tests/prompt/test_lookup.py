"""What was said before is shown as what is said now."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.client.real import on_loop, serving, until
from zchat import ChatClient
from zchat.errors import RefusedError
from zchat.prompt import lookup, threads
from zchat.prompt.asker import Asker
from zchat.prompt.chat import Chat
from zchat.prompt.conversation import take
from zchat.prompt.output import Output
from zchat.prompt.plain import PlainView
from zchat.prompt.preferences import Preferences
from zchat.prompt.render import Style
from zchat.prompt.threads import SHOWN, find
from zchat.protocol import messages as m


@on_loop
async def test_history_does_not_show_whom_one_ignores() -> None:
    async with serving() as server, ChatClient("alice", server.listen) as alice:
        shown: list[str] = []
        output = Output(shown.append, shown.append, Style(), Preferences(ignore=("Bob",)))
        asker = Asker(alice)
        chat = Chat(alice, output, asker, PlainView(alice, output, asker))
        await chat.enter("dev")
        for nick in ("bob", "carol"):
            async with ChatClient(nick, server.listen) as other:
                await other.say(f"{nick} was here", room="dev")
        await take("/history 10", chat)
        assert "carol was here" in shown[-1]
        assert "bob was here" not in shown[-1]


@asynccontextmanager
async def at_a_prompt() -> AsyncIterator[tuple[ChatClient, Chat, list[str]]]:
    """Let alice be at a prompt; what is shown to her is in the list."""
    async with serving() as server, ChatClient("alice", server.listen) as alice:
        shown: list[str] = []
        output, asker = Output(shown.append, shown.append, Style(), Preferences()), Asker(alice)
        yield alice, Chat(alice, output, asker, PlainView(alice, output, asker)), shown


async def pins(chat: Chat, shown: list[str]) -> list[str]:
    """Return what /pins shows, without dates."""
    shown.clear()
    await take("/pins", chat)
    return [re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d ", "", line) for text in shown for line in text.split("\n")]


@on_loop
async def test_what_is_pinned_is_shown_as_it_is_now_with_its_number() -> None:
    async with at_a_prompt() as (alice, chat, shown):
        await chat.enter("dev")
        one, two, three, four, _ = [(await alice.say(each, room="dev")).seq or 0 for each in ("a", "b", "c", "d", "e")]
        for seq in (four, one, two, three):
            await alice.messages.pin(seq)
        await alice.messages.edit(one, "first")
        await alice.messages.pin(two, off=True)
        await alice.messages.delete(three)
        found = await pins(chat, shown)
        assert found == [f"{one} <alice> first (edited, pinned)", f"{four} <alice> d (pinned)"]
        await take(f"/unpin {one}", chat)
        await take(f"/unpin {four}", chat)
        assert await pins(chat, shown) == ["Nothing is pinned here. /pin NUMBER pins a message."]


@on_loop
async def test_pins_are_those_of_where_one_is() -> None:
    async with at_a_prompt() as (alice, chat, shown):
        assert await pins(chat, shown) == ["You are in no room."]
        for room in ("dev", "ops"):
            await chat.enter(room)
            await alice.messages.pin((await alice.say(f"in {room}", room=room)).seq or 0)
        (line,) = await pins(chat, shown)
        assert line.endswith("<alice> in ops (pinned)")
        chat.turn_to("#dev")
        (line,) = await pins(chat, shown)
        assert line.endswith("<alice> in dev (pinned)")


@on_loop
async def test_what_is_pinned_is_found_however_long_ago_it_was_said() -> None:
    async with at_a_prompt() as (alice, chat, shown):
        await chat.enter("dev")
        old = (await alice.say("old", room="dev")).seq or 0
        await alice.messages.pin(old)
        for _ in range(m.LIMIT_MAX):
            await alice.post("more", room="dev")
        await alice.say("last", room="dev")
        assert await pins(chat, shown) == [f"{old} <alice> old (pinned)"]


@on_loop
async def test_a_thread_stays_a_place_when_its_first_message_is_deleted() -> None:
    async with at_a_prompt() as (alice, chat, shown):
        await chat.enter("dev")
        root, lonely = [(await alice.say(each, room="dev")).seq or 0 for each in ("root", "lonely")]
        await alice.say("answer", room="dev", reply_to=root)
        for seq in (root, lonely):
            await alice.messages.delete(seq)
        shown.clear()
        await take(f"/thread {root}", chat)
        text = "\n".join(shown)
        told = "(deleted by alice)", "<alice> answer", "What you say now answers here; /join goes back."
        assert [each in text for each in told] == [True, True, True], text
        assert chat.here is not None
        assert chat.here.thread == root
        listening = asyncio.create_task(chat.listen())
        await take("one more", chat)
        await until(lambda: "one more" in "\n".join(shown))
        said = next(one for one in reversed(chat.here.recent) if isinstance(one, m.Message))
        assert (said.text, said.thread, said.reply_to) == ("one more", root, root + 2)  # what is left is answered
        for one in (said.seq, root + 2):
            await alice.messages.delete(one)
        await until(lambda: chat.here is not None and chat.here.answered is None)
        await take("to nobody", chat)
        assert "there is nothing to answer" in shown[-1]
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        chat.turn_to("#dev")
        with pytest.raises(RefusedError):
            await threads.turn_to(chat, lonely)


@pytest.mark.parametrize(
    ("line", "name", "text"),
    [
        ("{}/report.pdf", "report.pdf", ""),
        ("{}/report.pdf  the report\nof today ", "report.pdf", "the report\nof today"),
        ("{}/my report.pdf", "my report.pdf", ""),
        ("{}/my report.pdf the report", "my report.pdf", "the report"),
        ('"{}/my report.pdf" the report', "my report.pdf", "the report"),
        ("'{}/my report.pdf'", "my report.pdf", ""),
        ("{}/none of these", "none of these", ""),
        ("{}/" + "x" * 5000, "x" * 5000, ""),
    ],
)
def test_a_path_with_spaces_may_stand_before_a_text(line: str, name: str, text: str, tmp_path: Path) -> None:
    for each in ("report.pdf", "my report.pdf", "my"):
        (tmp_path / each).touch()
    assert lookup.file_and_text(line.format(tmp_path)) == (tmp_path / name, text)


def test_the_home_of_nobody_is_no_error() -> None:
    assert lookup.file("~nobody-is-called-so/x") == Path("~nobody-is-called-so/x")


@on_loop
async def test_a_thread_is_shown_with_its_root_however_many_answers_it_has() -> None:
    async with at_a_prompt() as (alice, chat, shown):
        await chat.enter("dev")
        root = (await alice.say("the root", room="dev")).seq or 0
        answers = [(await alice.say(f"answer {at}", room="dev", reply_to=root)).seq or 0 for at in range(SHOWN + 1)]
        for line in (f"/thread {answers[0]}", f"/thread {root}"):
            shown.clear()
            await take(line, chat)
            (text,) = [text for text in shown if "answer 1\n" in text]
            assert 0 <= text.find("the root") < text.find("answer 1\n") < text.find(f"answer {SHOWN}")
            assert "answer 0" not in text
            assert chat.here is not None
            assert chat.here.thread == root
        for missing in (answers[-1] + 1, m.SEQ_MAX):
            with pytest.raises(RefusedError, match=f"there is no message {missing} here"):
                await find(chat, missing)
