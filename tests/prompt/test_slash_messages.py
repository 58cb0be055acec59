"""Slash commands about messages, typed by alice at a terminal, with a real broker that bob is at, too."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from tests.client.real import Watcher, on_loop, serving, until
from tests.prompt.test_view import Terminal, terminal
from zchat import ChatClient
from zchat.prompt.about import About
from zchat.prompt.completion import Completions
from zchat.prompt.conversation import take_or_explain
from zchat.protocol import messages as m


class Sitting(NamedTuple):
    """Alice at her terminal, the messages that she began to type, bob, and what he hears."""

    at: Terminal
    begun: list[About]
    bob: ChatClient
    heard: Watcher
    broker: AsyncExitStack

    async def types(self, line: str) -> str:
        """Type a line; return what it has shown at once."""
        self.at.shown.clear()
        await take_or_explain(line, self.at.chat)
        return "\n".join(self.at.shown)

    async def says(self, text: str, **fields: object) -> int:
        """Let bob say something, and wait until alice has it."""
        ack = await self.bob.say(text, room="general", **fields)  # type: ignore[arg-type]
        await until(lambda: self.at.chat.here and ack.seq in self.at.chat.here.recent)
        return ack.seq or 0

    async def deletes(self, seq: int) -> None:
        """Let bob delete a message, and wait until alice knows."""
        await self.bob.messages.delete(seq)
        await until(lambda: self.at.chat.here and isinstance(self.at.chat.here.recent.get(seq), m.Tombstone))

    async def hears(self, kind: type, **fields: object) -> None:
        """Wait until bob hears an event that has these fields."""
        await until(
            lambda: any(all(getattr(e, name) == it for name, it in fields.items()) for e in self.heard.of(kind)),
            f"{kind.__name__} {fields}",
        )


@asynccontextmanager
async def sitting() -> AsyncIterator[Sitting]:
    async with AsyncExitStack() as broker:
        server = await broker.enter_async_context(serving())
        async with ChatClient("bob", server.listen) as bob, ChatClient("alice", server.listen) as alice:
            at, begun = terminal(alice), list[About]()
            at.chat.output.begin = lambda about: not begun.append(about)  # type: ignore[func-returns-value]
            await bob.join("general")
            hearing, heard = asyncio.create_task(at.chat.listen()), Watcher(bob)
            await at.chat.enter("general")
            try:
                yield Sitting(at, begun, bob, heard, broker)
            finally:
                at.view.flood.forget()
                hearing.cancel()
                await bob.close()
                await asyncio.gather(hearing, heard.end(), return_exceptions=True)


@on_loop
async def test_a_text_is_sent_at_once_and_without_one_it_is_begun_in_the_line() -> None:
    async with sitting() as she:
        theirs = await she.says("theirs")
        await she.types("mine")
        await she.hears(m.Message, text="mine")
        await she.types(f"/edit {theirs + 1} mended")
        await she.hears(m.Edited, target=theirs + 1, text="mended")
        await she.types(f"/reply {theirs} yes")
        await she.hears(m.Message, text="yes", reply_to=theirs)
        assert she.begun == []
        await until(lambda: she.at.chat.here and "mended" in str(list(she.at.chat.here.recent)))
        assert await she.types(f"/edit {theirs + 1}") == ""
        assert await she.types(f"/reply {theirs}") == ""
        assert [(one.how, one.seq, one.text) for one in she.begun] == [
            ("edit", theirs + 1, "mended"),
            ("reply", theirs, "theirs"),
        ]
        assert f"{theirs} is not yours: it was said by bob." in await she.types(f"/edit {theirs}")
        she.at.chat.output.begin = lambda _: False  # as in a pipe
        assert f"Say the text, too: /edit {theirs + 1} TEXT." in await she.types(f"/edit {theirs + 1}")
        await she.types(f"/pin {theirs}")
        await she.hears(m.Pinned, target=theirs, off=False)
        await she.types(f"/unpin {theirs}")
        await she.hears(m.Pinned, target=theirs, off=True)
        she.at.chat.turn_to(None)
        assert await she.types("/pins") == "You are in no room."
        assert await she.types("/later 10m x") == "You are in no room."


@on_loop
async def test_files_are_saved_to_a_name_or_a_folder_and_over_nothing_unless_told_so(tmp_path: Path) -> None:
    async with sitting() as she:
        files = []
        for name in ("a", "b"):
            (tmp_path / name).write_text(f"of bob: {name}")
            files.append(await she.bob.files.upload(tmp_path / name))
        none, one, two = await she.says("x"), await she.says("x", files=files[:1]), await she.says("x", files=files)
        assert f"{none} carries no file." in await she.types(f"/save {none}")
        place = tmp_path / "of alice"
        await she.types(f"/save {one} {place}")
        await until(lambda: not she.at.chat.transfers)
        assert place.read_text() == "of bob: a"
        place.write_text("mine")
        assert "is there already" in await she.types(f"/save {one} {place}")
        assert (place.read_text(), she.at.chat.transfers) == ("mine", set())
        await she.types(f"/save {one} {place} --overwrite")
        await until(lambda: not she.at.chat.transfers)
        assert place.read_text() == "of bob: a"
        assert f"{two} carries 2 files: PATH has to be a folder." in await she.types(f"/save {two} {tmp_path}/new")
        for more in ("", " --overwrite"):  # the second time the folder is there
            assert await she.types(f"/save {two} {tmp_path}/new/{more}") == ""
            await until(lambda: not she.at.chat.transfers)
        assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["a", "b"]
        same = await she.says("x", files=[m.Attachment(file=one.file, name="a") for one in files])
        for more in ("", " --overwrite"):
            assert await she.types(f"/save {same} {tmp_path}/same/{more}") == ""
            await until(lambda: not she.at.chat.transfers)
        saved = {path.name: path.read_text() for path in (tmp_path / "same").iterdir()}
        assert saved == {"a": "of bob: a", "a (2)": "of bob: b"}
        await she.types(f'/save {one} "{tmp_path}/in quotes"')
        await until(lambda: not she.at.chat.transfers)
        assert (tmp_path / "in quotes").read_text() == "of bob: a"


@on_loop
async def test_who_comes_into_a_room_is_shown_what_was_said_however_much_was_done_to_it_since() -> None:
    async with sitting() as she:
        said = [await she.bob.say(text, room="dev") for text in ("first", "second", "0 %")]
        for done in range(25):
            await she.bob.messages.edit(said[-1].seq or 0, f"{done} %")
        for _ in range(2):  # also after one has left
            await she.types("/join dev")
            await until(lambda: "24 %" in "\n".join(she.at.shown))
            shown = "\n".join(she.at.shown)
            assert [shown.count(f"<bob> {text}") for text in ("first", "second", "24 % (edited)")] == [1, 1, 1]
            assert ("23 %" in shown, "edited 3" in shown) == (False, False)
            await she.types("/part dev")


@on_loop
async def test_tab_offers_the_numbers_of_what_history_has_shown() -> None:
    async with sitting() as she:
        first = (await she.bob.say("the very first", room="dev")).seq
        last = [await she.bob.say(f"{at}", room="dev") for at in range(45)][-1].seq

        def offered() -> list[str]:
            event = CompleteEvent(completion_requested=True)
            found = Completions(she.at.view).get_completions(Document("/react very"), event)
            return [each.text.strip() for each in found]

        for lines in (["/history 46"], ["/older"] * 2):
            await she.types("/join dev")
            await until(lambda: she.at.chat.here and last in she.at.chat.here.recent)
            assert offered() == []
            for line in lines:
                await she.types(line)
            assert offered() == [str(first)]
            await she.types("/part dev")


@on_loop
async def test_from_a_thread_the_messages_around_it_are_at_hand(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("of bob")
    async with sitting() as she:
        file = await she.bob.files.upload(tmp_path / "a")
        root, other, carrying = await she.says("root"), await she.says("other"), await she.says("x", files=[file])
        await she.types(f"/thread {root}")
        await she.types(f"/save {carrying} {tmp_path}/saved")
        await until(lambda: not she.at.chat.transfers)
        assert (tmp_path / "saved").read_text() == "of bob"
        assert f"── around {other} ──" in await she.types(f"/jump {other}")
        assert f"── thread {other} in #general ──" in await she.types(f"/thread {other}")
        assert "There is no message 99 here, or it was deleted." in await she.types("/thread 99")


@on_loop
async def test_what_was_found_in_another_room_is_had_and_edited_and_else_it_is_told_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("of bob")
    async with sitting() as she:
        file = await she.bob.files.upload(tmp_path / "a")
        carrying = (await she.bob.say("the plan", room="dev", files=[file])).seq
        mine = (await she.at.chat.client.say("my plan", room="dev")).seq
        await she.types("/search plan")
        await she.types(f"/save {carrying} {tmp_path}/saved")
        await until(lambda: not she.at.chat.transfers)
        assert (tmp_path / "saved").read_text() == "of bob"
        assert await she.types(f"/edit {mine}") == ""
        assert [(one.how, one.text) for one in she.begun] == [("edit", "my plan")]
        for line in (f"/reply {mine}", f"/thread {mine}"):
            assert f"Message {mine} was said in #dev: /join #dev leads there." in await she.types(line)
        await she.types("/join dev")
        assert f"── thread {mine} in #dev ──" in await she.types(f"/thread {mine}")


@on_loop
async def test_who_sends_or_saves_a_file_without_a_broker_is_told_that_it_waits_and_whether_it_was_done(
    tmp_path: Path,
) -> None:
    (tmp_path / "a").write_text("of bob")
    async with sitting() as she:
        carrying = await she.says("x", files=[await she.bob.files.upload(tmp_path / "a")])
        await she.broker.aclose()
        await until(lambda: not she.at.chat.client.online)
        assert "this is sent as soon as it is back: /send a" in await she.types(f"/send {tmp_path}/a")
        assert "as soon as it is back, this is saved: a" in await she.types(f"/save {carrying} {tmp_path}/b")
        assert "No such file" not in await she.types(f"/send {tmp_path}/none")
        await until(lambda: any("No such file" in line for line in she.at.shown))
        assert not any("No broker" in line for line in she.at.shown)
        she.at.shown.clear()
        await she.at.chat.settle(0.0)
        told = "\n".join(she.at.shown)
        assert ("Broken off while sending a: " in told, "Broken off while saving a: " in told) == (True, True)


@on_loop
async def test_what_is_said_later_and_what_is_sent_belong_to_where_one_is(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    async with sitting() as she:
        root = await she.says("root")
        answer = await she.says("answer", reply_to=root)
        await she.types(f"/thread {root}")
        await she.deletes(root)  # so the last answer is answered
        assert "To be said at" in await she.types("/later 1s in the thread")
        await she.types("/query bob")
        assert "/scheduled --remove 2 takes it back" in await she.types("/later 1s to bob alone")
        assert she.at.view.here is not None
        she.at.view.here.with_ = "f" * 16  # who is bob now is another one
        assert "bob" in await she.types("/later 1s to a stranger")
        await she.types("/join general")
        await she.types(f"/thread {root}")
        await she.types(f"/send {tmp_path}/a after all")
        await she.hears(m.Message, text="after all", thread=root, reply_to=answer)
        await she.hears(m.Message, text="in the thread", room="general", thread=root, reply_to=answer)
        await she.hears(m.Message, text="to bob alone", room=None, to="bob", with_=she.bob.from_)
        await she.types("/join general")
        alone = await she.says("nobody answers")
        await she.types(f"/thread {alone}")
        await she.deletes(alone)
        for line in ("yes", "/later 1h yes", f"/send {tmp_path}/a yes"):
            await she.types(line)
            await until(lambda: "All of this thread is deleted" in str(she.at.shown))
        await she.types("/join general")
        await she.types("the end")
        await she.hears(m.Message, text="the end")
        assert not [one for one in she.heard.of(m.Message) if one.text == "yes"]
        assert not [one for one in she.heard.of(m.Message) if one.text == "to a stranger"]


@on_loop
async def test_nothing_is_said_later_while_no_broker_is_there() -> None:
    async with sitting() as she:
        await she.broker.aclose()
        await until(lambda: not she.at.chat.client.online)
        assert "No broker now" in await she.types("/later 10m x")
        assert she.at.chat.client.unanswered == 0
