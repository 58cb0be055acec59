"""What is said and what is done to it: in signs at a terminal, in words elsewhere, and harmless everywhere."""

import dataclasses
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from msgspec import structs

from tests.prompt.test_render import harmless, nasty
from zchat.prompt import about, render, said
from zchat.prompt.layout import width
from zchat.prompt.recent import Recent, settle
from zchat.protocol import messages as m

WORDS = render.Style(zone=UTC, here="dev")
SIGNS = dataclasses.replace(WORDS, signs=True)
TIME = "2026-11-22T05:30:00.123Z"
ALICE, BOB = "a" * 16, "b" * 16
FILE = "f" * 64


def message(seq: int = 1, text: str = "hello", **fields: object) -> m.Message:
    known: dict[str, object] = {"from_": ALICE, "nick": "alice", "kind": "message", "room": "dev", "time": TIME}
    return m.Message(**({"seq": seq, "prev": seq - 1, "text": text} | known | fields))  # type: ignore[arg-type]


def bob(kind: type, seq: int = 9, target: int = 1, **fields: object) -> m.Durable:
    made: m.Durable = kind(
        seq=seq, prev=seq - 1, room="dev", time=TIME, from_=BOB, nick="bob", target=target, **fields
    )  # fmt: skip
    return made


def attached(name: str, size: int = 1_288_490, width: int | None = None, height: int | None = None) -> m.Attachment:
    return m.Attachment(file=FILE, name=name, size=size, width=width, height=height)


@pytest.mark.parametrize(
    ("event", "about", "signs", "words"),
    [
        (bob(m.Edited, text="new"), "", "05:30 ✎ 1 bob: new", "05:30 * bob edited 1: new"),
        (
            bob(m.Deleted, by=BOB, reason="spam"),
            "alice, 05:12",
            "05:30 ⌫ 1 deleted by bob (alice, 05:12): spam",
            "05:30 * bob deleted 1 (spam) (alice, 05:12)",
        ),
        (
            bob(m.Reacted, emoji="👍"),
            "alice: hello",
            "05:30 👍 1 bob (alice: hello)",
            "05:30 * bob reacted with 👍 to 1 (alice: hello)",
        ),
        (bob(m.Reacted, emoji="👍", off=True), "", "05:30 👍 1 taken off by bob", "05:30 * bob took 👍 off 1"),
        (bob(m.Pinned), "", "05:30 📌 1 pinned by bob", "05:30 * bob pinned 1"),
        (bob(m.Pinned, off=True), "", "05:30 📌 1 unpinned by bob", "05:30 * bob unpinned 1"),
        (
            m.Tombstone(seq=1, prev=0, room="dev", time=TIME, from_=ALICE, nick="alice", by=ALICE),
            "",
            "05:30 <alice> (deleted by alice)",
            "05:30 <alice> (deleted by alice)",
        ),
        (
            m.Tombstone(seq=1, prev=0, room="dev", time=TIME, from_=ALICE, nick="alice", by=BOB),
            "",
            "05:30 <alice> (deleted by a moderator)",
            "05:30 <alice> (deleted by a moderator)",
        ),
        (
            message(files=(attached("report.pdf"),)),
            "",
            "05:30 <alice> hello\n        📎 report.pdf (1.2 MiB)",
            "05:30 <alice> hello\n        [file report.pdf, 1.2 MiB]",
        ),
        (
            message(files=(attached("photo.png", 12_288, 640, 480), attached("half.png", 12_288, 640))),
            "",
            "05:30 <alice> hello\n        📎 photo.png (640×480, 12.0 KiB)\n        📎 half.png (12.0 KiB)",
            "05:30 <alice> hello\n        [file photo.png, 640 by 480, 12.0 KiB]\n        [file half.png, 12.0 KiB]",
        ),
        (
            message(text="", files=(attached("a/b/../plan\x1b.png"),)),
            "",
            "05:30 <alice> 📎 plan\\x1b.png (1.2 MiB)",
            "05:30 <alice> [file plan\\x1b.png, 1.2 MiB]",
        ),
        (
            message(edited=TIME, pinned=True, answers=3, reactions=(m.Reaction(emoji="👍", from_=BOB, nick="bob"),)),
            "",
            "05:30 <alice> hello (edited, pinned)\n        👍 bob\n        ↳ 3 answers (/thread 1)",
            "05:30 <alice> hello (edited, pinned)\n        [reactions: 👍 bob]\n        [3 answers]",
        ),
        (
            message(2, "first\nsecond", thread=1, reply_to=1),
            "bob: why",
            "05:30 <alice> ↪ bob: why\n        first … (/thread 1)",
            "05:30 <alice> [answers bob: why]\n        first\n        second",
        ),
    ],
)
def test_an_event_is_shown_in_signs_and_in_words(event: m.Durable, about: str, signs: str, words: str) -> None:
    assert said.event(event, SIGNS, about) == signs
    assert said.event(event, WORDS, about) == words


def test_who_deleted_a_message_is_named_where_they_are_known_and_of_a_deleted_edit_nothing_is_shown() -> None:
    gone = m.Tombstone(seq=1, prev=0, room="dev", time=TIME, from_=ALICE, nick="alice", by=BOB)
    for style in (SIGNS, WORDS):
        assert said.event(gone, style, "mod") == "05:30 <alice> (deleted by mod)"
        assert said.event(structs.replace(gone, seq=2, target=1), style) is None


def test_of_many_reactions_some_nicks_are_shown_and_of_a_long_word_its_beginning() -> None:
    given = {"👍": [f"n{number}" for number in range(said.NICKS_SHOWN + 2)], "x" * 99: ["bob"]}
    crowd, word = said.reactions(given).split("  ")
    assert crowd == "👍 n0, n1, n2, n3, n4 and 2 more"
    assert word.endswith(" bob")
    assert len(word) <= said.EMOJI_SHOWN + len(" bob")


def test_in_its_thread_an_answer_is_shown_whole_and_does_not_say_what_it_answers() -> None:
    answer = message(2, "first\nsecond", thread=1, reply_to=1)
    shown = said.event(answer, dataclasses.replace(SIGNS, thread=1), "bob: why")
    assert shown == "05:30 <alice> first\n        second"
    assert said.event(message(answers=1), dataclasses.replace(SIGNS, thread=1)) == "05:30 <alice> hello"


@given(nasty, nasty)
def test_nothing_that_is_done_to_a_message_puts_a_control_on_the_terminal(text: str, nick: str) -> None:
    kinds: tuple[tuple[Any, dict[str, str]], ...] = (
        (m.Edited, {"text": text}),
        (m.Deleted, {"by": text, "reason": text}),
        (m.Reacted, {"emoji": text}),
        (m.Pinned, {}),
    )
    for kind, fields in kinds:
        made = kind(seq=2, prev=1, room=nick, time=text, from_=nick, nick=nick, target=1, **fields)
        kept = Recent()
        kept.take(message(text=text, nick=nick, files=(attached(text or "x"),)))
        for style in (SIGNS, WORDS):
            shown = said.event(made, style, said.context(made, kept, lambda _: nick, style))
            assert shown is not None
            assert harmless(shown)
            shown = said.event(message(text=text, files=(attached(text or "x"),)), style)
            assert shown is not None
            assert harmless(shown)
            assert all(line.startswith("        ") for line in shown.split("\n")[1:])
    assert harmless(said.folded_reactions(1, {text: [nick]}, "", SIGNS), newlines=False)


def test_what_is_kept_is_as_it_is_now() -> None:
    kept = Recent()
    for event in (
        message(1, "helo"),
        message(2, "answer", thread=1, reply_to=1),
        bob(m.Edited, 3, text="hello"),
        bob(m.Reacted, 4, emoji="👍"),
        bob(m.Reacted, 5, emoji="🎉"),
        bob(m.Reacted, 6, emoji="🎉", off=True),
        bob(m.Pinned, 7),
        message(8, "gone"),
        bob(m.Deleted, 9, 8, by=BOB),
        message(10, "gone, too", thread=1, reply_to=1),
        bob(m.Deleted, 11, 10, by=BOB),
    ):
        kept.take(event)
    first, answer, gone, answer_gone = kept
    assert isinstance(first, m.Message)
    assert (first.text, first.edited, first.pinned, first.answers) == ("hello", TIME, True, 1)
    assert [(one.emoji, one.nick) for one in first.reactions] == [("👍", "bob")]
    assert kept.get(2) == answer
    assert isinstance(gone, m.Tombstone)
    assert isinstance(answer_gone, m.Tombstone)
    assert answer_gone.thread == 1
    assert "gone" not in repr(list(kept))


def test_what_is_looked_up_changes_nothing_that_is_known_better_and_only_the_newest_are_kept() -> None:
    kept = Recent(most=3)
    for event in (message(8, "helo"), bob(m.Edited, 9, 8, text="hello")):
        kept.take(event)
    kept.insert([message(seq, "helo", answers=seq) for seq in range(5, 9)])
    found = [(one.seq, one.text, one.answers) for one in kept if isinstance(one, m.Message)]
    assert found == [(6, "helo", 6), (7, "helo", 7), (8, "hello", 0)]


def test_what_comes_in_one_piece_is_as_it_is_now_and_only_what_was_done_to_others_stays() -> None:
    one, two = message(1, "helo"), message(4, "next")
    edit, other = bob(m.Edited, 2, 1, text="hello"), bob(m.Edited, 3, 77, text="x")
    found = settle([one, edit, other, two])
    assert [event.seq for event in found] == [1, 3, 4]
    assert found[0].text == "hello"
    assert found[0].edited == TIME
    edits = [bob(m.Edited, seq, target, text=f"{seq}") for seq, target in ((5, 77), (6, 77), (7, 78), (8, 77), (9, 78))]
    gone = bob(m.Deleted, 10, 78, by="b")
    assert settle([*edits, gone]) == [edits[3], gone]


@pytest.mark.parametrize(
    "text", ["short", "a long message that has many words and is cut " * 2, "日本語テスト" * 10, "two\nlines"]
)
@pytest.mark.parametrize("columns", [200, 100, 80, 60, 40, 20])
def test_what_the_keys_do_is_seen_above_the_line_however_long_the_message_and_narrow_the_terminal(
    text: str, columns: int
) -> None:
    for how, does in (("edit", "Enter edits it"), ("reply", "Enter answers it")):
        row = about.about(how, message(1042, text)).row(columns)  # type: ignore[arg-type]
        assert width(row) <= columns
        if columns >= 40:
            assert row.endswith("Esc drops this")
            assert row[2:].startswith("1042 alice: ")
        if columns >= 80:
            assert row.endswith(f" · {does}, Esc drops this")
        if columns == 80 and text.startswith("a long"):
            assert " … · " in row


def test_an_excerpt_of_files_is_their_names_and_of_what_is_deleted_nothing() -> None:
    assert said.excerpt(message(text="", files=(attached("a.pdf"), attached("b.pdf")))) == "alice: a.pdf, b.pdf"
    gone = m.Tombstone(seq=1, prev=0, room="dev", time=TIME, from_=ALICE, nick="alice", by=ALICE)
    assert said.excerpt(gone) == "alice: (deleted)"
