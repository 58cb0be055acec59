"""What was said in a place, as it is at the end, though it be more than fits into memory.

An edit comes long after the message, and a thread is told where it begins. So all events wait in a file until the last
one is there: a temporary one of SQLite, which has no name from its first moment, so that nothing is left of it. There
each event lies by the message that it is about; to read the messages as they are at the end is to read it once through.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from zchat.errors import FolderError
from zchat.protocol import messages as m
from zchat.protocol import wire

if TYPE_CHECKING:
    from zchat.client.core.pages import Page

CACHE = 8 * 1024  # KiB of the file that are in memory

_BEGIN = f"""
PRAGMA journal_mode = OFF;
PRAGMA cache_size = -{CACHE};
PRAGMA temp_store = FILE;
CREATE TABLE event (about INTEGER, seq INTEGER, line BLOB, PRIMARY KEY (about, seq)) WITHOUT ROWID;
CREATE TABLE answer (seq INTEGER PRIMARY KEY, thread INTEGER);
CREATE INDEX answer_thread ON answer (thread);
"""


class Gathered:
    """The messages, topics and tombstones of a place: a `Picture` that is not in memory, and is read only.

    All methods raise FolderError.
    """

    def __init__(self) -> None:
        with _told():
            self._connection = sqlite3.connect("", isolation_level=None)  # "": a file without a name
            self._connection.executescript(_BEGIN)

    def take(self, page: "Page") -> None:
        """Take what was said or done next."""
        events = [
            (getattr(event, "target", None) or event.seq, event.seq, line)
            for event, line in zip(page.events, page.lines, strict=True)
            if isinstance(event, m.Durable)
        ]
        answers = [(event.seq, event.thread) for event in page.messages if event.thread]
        deleted = [(event.target,) for event in page.events if isinstance(event, m.Deleted)]
        with _told():
            self._connection.execute("BEGIN")
            self._connection.executemany("INSERT INTO event VALUES (?, ?, ?)", events)
            self._connection.executemany("INSERT INTO answer VALUES (?, ?)", answers)
            self._connection.executemany("DELETE FROM answer WHERE seq = ?", deleted)
            self._connection.execute("COMMIT")

    def get(self, seq: int) -> m.Item | None:
        """Return what was said at a place of the log, as it is at the end; None if there is nothing of it."""
        with _told():
            sql = "SELECT seq, line FROM event WHERE about = ? ORDER BY seq"
            return self._item(seq, self._connection.execute(sql, (seq,)))

    def values(self) -> Iterator[m.Item]:
        """Yield all that was said, in order."""
        with _told():
            rows = self._connection.execute("SELECT about, seq, line FROM event ORDER BY about, seq")
            for about, events in groupby(rows, key=lambda row: int(row[0])):
                item = self._item(about, ((seq, line) for _, seq, line in events))
                if item is not None:
                    yield item

    def clear(self) -> None:
        """Forget all of it."""
        with _told():
            self._connection.executescript("DELETE FROM event; DELETE FROM answer;")

    def close(self) -> None:
        self._connection.close()

    def _item(self, seq: int, events: Iterable[tuple[int, bytes]]) -> m.Item | None:
        picture: m.Picture = {}
        for _, line in events:
            event = wire.event(line)
            if isinstance(event, m.Event):
                m.fold(picture, event)
        item = picture.get(seq)
        if item is not None:
            rows = self._connection.execute("SELECT seq FROM answer WHERE thread = ?", (seq,))
            item.answers.update(one for (one,) in rows)
        return item


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Return a context in which an error of SQLite is one of the folder for temporary files."""
    try:
        yield
    except sqlite3.Error as error:
        folder = os.environ.get("TMPDIR", "/var/tmp")  # noqa: S108 — where SQLite looks first
        raise FolderError(Path(folder), str(error), "TMPDIR") from error
