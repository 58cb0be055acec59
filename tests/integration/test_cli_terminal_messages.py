"""What one does to messages at a real terminal: edit one's last line, answer, react, pin, take back; and a thread."""

import functools
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Broker, RunZchat, wait_for
from tests.integration.commands import said
from tests.integration.terminal import Join
from zchat import SyncClient

UP, DOWN, ESC = "\x1b[A", "\x1b[B", "\x1b"


@pytest.fixture
def texts(zchat: RunZchat, broker: Broker) -> Callable[..., list[str]]:
    """Return what the broker has of a room."""
    return functools.partial(said, zchat, broker)


def test_up_edits_what_one_said_last_and_all_who_are_here_see_it(join: Join) -> None:
    alice, bob = join("alice"), join("bob")
    alice.enter("helo world")
    bob.see("<alice> helo world")
    alice.see("<alice> helo world")
    alice.type(UP)
    alice.see("✎ 1 alice: helo world · Enter edits it, Esc drops this")
    alice.see_last("alice #general › helo world")
    alice.type("\x7f" * len("helo world") + "hello world\r")
    alice.see("✎ 1 alice: hello world\n")
    bob.see("✎ 1 alice: hello world")
    alice.see_last("alice #general ›")
    alice.wait(lambda: "Enter edits it" not in alice.text, "the row to go")


def test_escape_drops_an_edit_and_up_goes_on_to_what_was_typed_before(
    join: Join, texts: Callable[..., list[str]]
) -> None:
    alice = join("alice")
    alice.enter("first")
    alice.enter("second")
    alice.see("<alice> second")
    alice.type(UP)
    alice.see("✎ 2 alice: second")
    alice.type(UP)
    alice.see_last("alice #general › first")
    alice.wait(lambda: "Enter edits it" not in alice.text, "the row to go")
    alice.type(DOWN)
    alice.see("✎ 2 alice: second")
    alice.type(ESC)
    alice.see_last("alice #general ›")
    alice.wait(lambda: "Enter edits it" not in alice.text, "the row to go")
    alice.type(UP + "\r")
    alice.see("Nothing was changed.")
    alice.type("\x10\r")  # Ctrl-P brings it back to be said again
    wait_for(lambda: texts() == ["first", "second", "second"], "the line said again")


def test_what_was_dropped_comes_back_with_up_before_what_was_said(join: Join) -> None:
    alice = join("alice")
    alice.enter("said")
    alice.see("<alice> said")
    alice.type("dropped")
    alice.see_last("alice #general › dropped")
    alice.type("\x03")
    alice.see_last("alice #general ›")
    alice.type(UP)
    alice.see_last("alice #general › dropped")
    assert "Enter edits it" not in alice.text
    alice.type(UP)
    alice.see("✎ 1 alice: said · Enter edits it")


def test_a_text_that_begins_with_a_slash_is_edited_as_it_was_typed(join: Join) -> None:
    alice = join("alice")
    alice.enter("//help me")
    alice.see("<alice> /help me")
    alice.type(UP)
    alice.see("✎ 1 alice: /help me · Enter edits it")
    alice.see_last("alice #general › //help me")
    alice.type("\r")
    alice.see("Nothing was changed.")
    alice.enter("/edit 1")
    alice.see_last("alice #general › //help me")
    alice.type("!\r")
    alice.see("✎ 1 alice: /help me!\n")
    alice.enter("/edit 1")
    alice.see_last("alice #general › //help me!")
    alice.type("\x15\r")  # Ctrl-U takes all of it
    alice.see("There is no text in it: /delete 1 takes the message back.")


def test_an_answer_begun_is_dropped_by_escape_alone_and_what_was_typed_stays(join: Join) -> None:
    alice = join("alice")
    alice.enter("shall we?")
    alice.see("<alice> shall we?")
    alice.enter("/reply 1")
    alice.see("Enter answers it")
    alice.type("\rhalf")  # an empty line answers nothing
    alice.see_last("alice #general › half")
    alice.type(UP)
    alice.see_last("alice #general › /reply 1")
    alice.type(DOWN)
    alice.see_last("alice #general › half")
    assert "Enter answers it" in alice.text
    alice.type(ESC)
    alice.wait(lambda: "Enter answers it" not in alice.text, "the row to go")
    alice.see_last("alice #general › half")


def test_an_edit_begun_waits_where_one_turned_away_from_it(join: Join) -> None:
    alice = join("alice")
    alice.enter("/join ops")
    alice.see_last("alice #ops ›")
    alice.turn("alice #general ›", "\x1b1")
    alice.enter("said")
    alice.see("<alice> said")
    alice.type(UP)
    alice.see("Enter edits it")
    alice.turn("alice #ops ›", "\x1b2")
    alice.wait(lambda: "Enter edits it" not in alice.text, "the row to go")
    alice.turn("alice #general › said", "\x1b1")
    alice.see("Enter edits it")
    alice.type("!\r")
    alice.see("✎ 1 alice: said!\n")


def test_a_command_is_done_beside_an_edit_begun_and_ctrl_c_drops_it(join: Join) -> None:
    alice = join("alice")
    alice.enter("said")
    alice.see("<alice> said")
    alice.enter("/edit 1")
    alice.see_last("alice #general › said")
    alice.type("\x15/pin 1\r")
    alice.see("📌 1 pinned by alice (alice: said)")
    alice.see("Enter edits it")
    alice.type("\x03")
    alice.wait(lambda: "Enter edits it" not in alice.text, "the row to go")
    alice.enter("said on")
    alice.see("<alice> said on")
    alice.enter("/reply 1")
    alice.see("Enter answers it")
    alice.type("\x03")
    alice.wait(lambda: "Enter answers it" not in alice.text, "the row to go")
    assert "Leave?" not in alice.text


def test_tab_shows_messages_by_their_words_and_the_names_of_emoji(join: Join) -> None:
    alice, bob = join("alice"), join("bob")
    alice.enter("shall we ship it?")
    bob.see("<alice> shall we ship it?")
    bob.enter("yes")
    bob.see("<bob> yes")
    bob.type("/react ship\t")
    bob.see_last("bob #general › /react 1")
    bob.type(":tad\t")
    bob.see_last("bob #general › /react 1 :tada:")
    bob.type("\r")
    bob.see("🎉 1 bob (alice: shall we ship it?)")
    alice.see("🎉 bob · 1 alice: shall we ship it?")
    bob.enter("/react 1 :frobnicate:")
    bob.see("is no emoji")
    bob.see("Tab after : shows the names.")
    bob.enter("/react 1 +1")
    bob.see("👍 1 bob")
    bob.enter("/react 1 👍")
    bob.see("Nothing was changed, for it is so already: 👍 1")
    bob.enter("/react 1 👍 --off")
    bob.see("👍 1 taken off by bob")
    bob.enter("/pin 1")
    alice.see("📌 1 pinned by bob")
    alice.enter("/unpin 1")
    bob.see("📌 1 unpinned by alice")


def test_an_answer_begins_with_its_number_and_a_thread_is_a_place(join: Join) -> None:
    alice, bob = join("alice"), join("bob")
    alice.enter("shall we ship it?")
    bob.see("<alice> shall we ship it?")
    bob.enter("/reply 1")
    bob.see("↪ 1 alice: shall we ship it? · Enter answers it, Esc drops this")
    bob.type("one\x1b\rtwo\r")
    alice.see("<bob> ↪ alice: shall we ship it?")
    alice.see("one … (/thread 1)")
    alice.enter("/thread 2")
    alice.see("thread 1 in #general")
    alice.see("alice #general ↳1 ›")
    alice.see("        two")
    alice.enter("in it")
    bob.see("<alice> ↪ alice: shall we ship it?\n        in it")
    alice.enter("/join")
    alice.see_last("alice #general ›")
    alice.enter("/reply 1 or no")
    alice.see("<alice> ↪ alice: shall we ship it?\n        or no")
    alice.type(UP)
    alice.see_last("alice #general › or no")
    alice.type("t\r")
    bob.see("✎ 4 alice: or not")


def test_an_answer_to_what_is_not_on_the_screen_tells_whom_it_answers(join: Join, broker: Broker) -> None:
    alice = join("alice")
    alice.enter("shall we ship it?")
    alice.see("<alice> shall we ship it?")
    with SyncClient("carol", broker.listen) as carol:
        for k in range(30):
            carol.say(f"line {k}", room="general")
        bob = join("bob")
        bob.see("line 29")
        assert "shall we" not in bob.text
        carol.say("yes, let us", room="general", reply_to=1)
        bob.see("<carol> ↪ alice: shall we ship it?\n        yes, let us")
        bob.enter("/search let us")
        bob.see("<carol> ↪ alice: shall we ship it?\n")


def test_a_thread_goes_on_when_its_first_message_is_deleted(join: Join) -> None:
    alice, bob = join("alice"), join("bob")
    alice.enter("shall we ship it?")
    bob.see("<alice> shall we ship it?")
    bob.enter("/reply 1")
    bob.see("Enter answers it")
    bob.enter("yes")
    alice.see("<bob> ↪ alice: shall we ship it?")
    alice.enter("/delete 1")
    bob.see("⌫ 1 deleted by alice")
    bob.enter("/thread 1")
    bob.see("What you say now answers here")
    bob.enter("and on we go")
    alice.see("<bob> ↪ bob: yes\n        and on we go")
    assert "Not sent" not in bob.text


def test_what_is_taken_back_is_gone_also_for_who_comes_later(join: Join) -> None:
    alice, bob = join("alice"), join("bob")
    alice.enter("wrong room")
    bob.see("<alice> wrong room")
    alice.enter("/pin 1")
    bob.see("📌 1 pinned by alice (alice: wrong room)")
    alice.enter("/delete 1 sorry")
    bob.see("⌫ 1 deleted by alice (alice, ")
    bob.see("): sorry")
    bob.enter("/edit 1 mine")
    bob.see("Not sent")
    bob.enter("/edit 1")
    bob.see("There is no message 1 here, or it was deleted")
    carol = join("carol")
    carol.see("(deleted by alice)")
    assert "wrong room" not in carol.text


def test_a_file_is_sent_shown_by_name_and_size_and_saved_where_nothing_is(join: Join, tmp_path: Path) -> None:
    alice, bob = join("alice"), join("bob")
    (tmp_path / "report.pdf").write_bytes(b"%PDF" * 512)
    alice.type(f"/send {tmp_path}/rep\t")
    alice.see("report.pdf")
    alice.type("\r")
    bob.see("<alice> 📎 report.pdf (2.0 KiB)")
    assert "%PDF" not in bob.text
    bob.enter(f"/save 1 {tmp_path}")
    bob.see("--overwrite.")  # the path before it may be of any length, and be wrapped anywhere
    bob.enter(f"/save 1 {tmp_path}/copy.pdf")
    bob.see("KiB).")
    assert (tmp_path / "copy.pdf").read_bytes() == b"%PDF" * 512
    bob.enter(f"/send {tmp_path}/none")
    bob.see("none")
    alice.enter(f"/send {tmp_path}/copy.pdf the same again")
    bob.see("<alice> the same again")
    bob.see("📎 copy.pdf (2.0 KiB)")
    alice.enter("no file")
    bob.see("<alice> no file")
    bob.enter("/save 3")
    bob.see("3 carries no file.")


def test_an_image_is_shown_by_name_dimensions_and_size(join: Join, tmp_path: Path) -> None:
    alice, bob = join("alice"), join("bob")
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">L4sLLBBBBB", 13, b"IHDR", 640, 480, 8, 2, 0, 0, 0)
    (tmp_path / "photo.png").write_bytes(head.ljust(12_288, b"\0"))
    alice.enter(f"/send {tmp_path}/photo.png")
    bob.see("<alice> 📎 photo.png (640×480, 12.0 KiB)")


def test_what_is_to_be_said_later_is_said_then(join: Join) -> None:
    alice, bob = join("alice"), join("bob")
    alice.enter("/later 1s tea is ready")
    alice.see("To be said at ")
    bob.see("<alice> tea is ready")
    alice.enter("/later never")
    alice.see("'never' is no time.")
    alice.enter("/later 2020-01-01 x")
    alice.see("is over already")
