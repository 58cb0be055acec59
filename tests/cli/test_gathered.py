"""What waits for the end of an export: the same as if it were folded in memory, page by page or at once."""

import random
from contextlib import closing

import pytest

from zchat.cli import page
from zchat.cli.gathered import Gathered
from zchat.client.core.pages import Page
from zchat.errors import FolderError
from zchat.protocol import messages as m
from zchat.protocol import wire

STAMP = {"prev": 0, "room": "dev", "time": "2026-11-22T05:31:00Z", "from_": "a" * 16, "nick": "alice"}


def anything(rng: random.Random, seq: int) -> m.Durable | m.Opaque:
    """Return an event about what was said before, or perhaps is not there."""
    known = STAMP | {"seq": seq}
    old = rng.randrange(1, seq + 1)
    mended = known | {"target": old}
    made: list[m.Durable | m.Opaque] = [
        m.Edited(text=f"edit {seq}", **mended),  # type: ignore[arg-type]
        m.Reacted(emoji=rng.choice("👍🎉"), off=rng.random() < 0.3, **mended),  # type: ignore[arg-type]
        m.Pinned(off=rng.random() < 0.3, **mended),  # type: ignore[arg-type]
        m.Deleted(by=rng.choice(["a", "b"]) * 16, **mended),  # type: ignore[arg-type]
        m.Topic(text=f"topic {seq}", **known),  # type: ignore[arg-type]
        m.Tombstone(by="b" * 16, target=rng.choice([None, old]), thread=rng.choice([None, old]), **known),  # type: ignore[arg-type]
        m.Opaque(type="of a later version", seq=seq),
        m.Message(kind="message", text=f"answer {seq}", reply_to=old, thread=old, **known),  # type: ignore[arg-type]
    ]
    plain = m.Message(kind="message", text=f"text {seq}", **known)  # type: ignore[arg-type]
    return plain if rng.random() < 0.4 else rng.choice(made)


@pytest.mark.parametrize("seed", range(8))
def test_what_is_read_from_it_is_what_a_picture_in_memory_would_have(seed: int) -> None:
    rng = random.Random(seed)
    first = rng.choice([1, 60])  # what was before is not asked for
    events = [anything(rng, seq) for seq in range(first, first + 200)]
    picture: m.Picture = {}
    for event in events:
        if isinstance(event, m.Event):
            m.fold(picture, event)
    with closing(Gathered()) as gathered:
        gathered.take(Page((m.Topic(text="of a room before", seq=1, **STAMP),), (b"{}",), False))  # type: ignore[arg-type]
        gathered.clear()
        while events:
            cut = rng.randrange(1, 60)
            part, events = tuple(events[:cut]), events[cut:]
            gathered.take(Page(part, tuple(map(wire.encode, part)), False))
        assert list(gathered.values()) == list(picture.values())
        assert [gathered.get(seq) for seq in range(300)] == [picture.get(seq) for seq in range(300)]
        assert list(page.room(0, "dev", gathered, {})) == list(page.room(0, "dev", picture, {}))


def test_a_folder_for_temporary_files_that_takes_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "zchat.cli.gathered._BEGIN", "PRAGMA cache_size = 1; PRAGMA max_page_count = 1; CREATE TABLE x (y);"
    )
    with pytest.raises(FolderError, match="TMPDIR"):
        Gathered()
