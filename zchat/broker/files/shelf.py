"""Who has uploaded what, and how much: what has to be known of files at once, in the event loop.

What somebody may keep here is counted by who they are: files that their messages carry, that none carries yet, and
those that are not finished, with the size that they will have. A file that no message carries is gone after a day, and
so is an upload with which nobody went on. A file whose last message is gone goes at once.

All of it is asked for at every upload, in the event loop: so sums are kept, and nothing is counted anew.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from zchat.broker.core.entries import Place
from zchat.broker.store import Attached

from .folder import Folder

QUOTA = 2 * 1024 * 1024 * 1024  # bytes of one member …
GUEST_QUOTA = 128 * 1024 * 1024  # … and of a guest: two of the largest files
MEMORY_QUOTA = 256 * 1024 * 1024  # bytes of all, where the log is in memory
DISK_LOW = 512 * 1024 * 1024  # free bytes that are left to the log
LEAST = 64 * 1024  # bytes as which any file counts: so nobody keeps millions of tiny ones
KEPT = 86_400.0  # s for which an upload is kept that nobody goes on with, or that no message carries
JUST_NOW = 600.0  # s for which a file that came just now is let alone, whoever wants it
HELD = 60.0  # s for which a message may be on its way to the log
SUMS_KEPT = 10_000  # people of whom it is remembered how much their messages carry


@dataclass(slots=True)
class Upload:
    """A file that is not finished."""

    size: int
    have: int
    at: float  # wall clock


class FileShelf:
    """What is in a folder of files, and which of it the messages of a log carry."""

    def __init__(self, folder: Folder, attached: Attached) -> None:
        self.folder, self._attached = folder, attached
        self.quota, self.guest_quota, self.disk_low = QUOTA, GUEST_QUOTA, DISK_LOW
        self.in_all: int | None = None  # bytes of all files together
        self.on_attached: Callable[[str], None] = lambda file: None
        self.unfinished: dict[tuple[str, str], Upload] = {}  # by `from` and file
        self._uploads: dict[tuple[str, str], float] = {}  # when, likewise
        self._sizes: dict[tuple[str, str], int] = {}  # of both, as they are counted
        self._loose = Counter[str]()  # the sum of these, by `from`
        self._uploaders = Counter[str]()  # how many have uploaded a file, which no message of theirs carries
        self._carried: dict[str, int] = {}  # bytes that somebody's messages carry, as far as they were asked for
        self._whole: dict[str, int] = {}  # sizes of all whole files here, where those are bounded …
        self._all = 0  # … and the sum of these, and of all that is not finished
        self._held: dict[str, tuple[int, float]] = {}  # how many messages on their way to the log have it; until when
        for file, from_, size, have, at in list(folder.unfinished()):
            self.begun(file, from_, Upload(size, have, at))
        for file, from_, at in list(folder.uploads()):
            if attached.by(file, from_):
                folder.unmark(file, from_)  # it was attached just before a crash
            else:
                self.finished(file, from_, at)

    # -- what the hub asks for

    def size(self, file: str) -> int | None:
        return self.folder.size(file)

    def uploaded(self, file: str, from_: str) -> bool:
        return (from_, file) in self._uploads

    def hold(self, file: str) -> None:
        self._held[file] = self._held.get(file, (0, 0.0))[0] + 1, time.monotonic() + HELD

    def let_go(self, file: str) -> None:
        count, until = self._held.pop(file, (0, 0.0))
        if count > 1:
            self._held[file] = count - 1, until

    def attached(self, file: str, from_: str) -> None:
        self.on_attached(file)
        self._forget(file, from_)

    def carriers(self, file: str) -> Iterator[Place]:
        return self._attached.places(file)

    # -- what other brokers ask for

    def uploads(self) -> list[tuple[str, str]]:
        """Return (file, from) of what was uploaded and is in no message yet."""
        return [(file, from_) for from_, file in self._uploads]

    def wanted(self, file: str) -> bool:
        """Return whether a message carries a file, or one that is still to be said."""
        return self._attached.wanted(file)

    def attached_after(self, file: str) -> list[tuple[str, int]]:
        """Return (file, size) of the next files that messages carry, those after a file."""
        return self._attached.after(file)

    # -- uploads

    def spent(self, from_: str) -> int:
        """Return the bytes that somebody keeps here, or will."""
        if from_ not in self._carried:
            if len(self._carried) >= SUMS_KEPT:
                self._carried.clear()
            self._carried[from_] = self._attached.size(from_, LEAST)
        return self._carried[from_] + self._loose[from_]

    def refuses(self, from_: str, size: int, *, member: bool) -> tuple[str, int] | None:
        """Return why there is no room for another file, and the bytes that there are at most."""
        quota = self.quota if member else self.guest_quota
        spent = self.spent(from_)
        if spent + max(size, LEAST) > quota:
            each = "each member may keep" if member else "a guest may keep"
            text = f"{each} {quota // 2**20} MiB of files here, and you have {spent / 2**20:.1f}: delete some"
            return text, quota
        if self.in_all is not None and self._all + size > self.in_all:
            return f"this broker keeps {self.in_all // 2**20} MiB of files at most", self.in_all
        return self.low(size)

    def low(self, size: int) -> tuple[str, int] | None:
        """Return why there is no room on the disk for so many bytes more.

        It is asked for each part, and nothing is kept free for what is only announced: else a few bytes of many uploads
        would have it refuse all others for a day.
        """
        if self.folder.free() - size < self.disk_low:
            return "the broker's disk runs low, and it takes no files now", 0
        return None

    def begun(self, file: str, from_: str, upload: Upload) -> None:
        """Note that somebody uploads a file."""
        self.unfinished[from_, file] = upload
        self._all += upload.size
        self._count(file, from_, upload.size)

    def dropped(self, file: str, from_: str) -> Upload | None:
        """Note that an upload is given up; return it, if it was not finished."""
        upload = self.unfinished.pop((from_, file), None)
        if upload is not None:
            self._all -= upload.size
            self._count(file, from_, None)
        return upload

    def finished(self, file: str, from_: str, now: float) -> None:
        """Note that somebody has uploaded a file, which is in its place, and marked."""
        self.dropped(file, from_)
        self._uploaders[file] += (from_, file) not in self._uploads
        self._uploads[from_, file] = now
        size = self.size(file) or 0
        self._count(file, from_, size)
        if self.in_all is not None and file not in self._whole:
            self._whole[file] = size
            self._all += size

    def removed(self, file: str) -> None:
        """Note that a file is here no more."""
        self._all -= self._whole.pop(file, 0)

    def _forget(self, file: str, from_: str) -> None:
        """Forget that somebody has uploaded a file, and what all that they keep sums up to."""
        self._carried.pop(from_, None)
        if self._uploads.pop((from_, file), None) is not None:
            self._uploaders[file] -= 1
            if not self._uploaders[file]:
                del self._uploaders[file]
            self._count(file, from_, None)
            self.folder.unmark(file, from_)

    def _count(self, file: str, from_: str, size: int | None) -> None:
        """Count an upload as so many bytes; with None, not any more."""
        self._loose[from_] -= self._sizes.pop((from_, file), 0)
        if size is not None:
            self._sizes[from_, file] = max(size, LEAST)
            self._loose[from_] += max(size, LEAST)
        if not self._loose[from_]:
            del self._loose[from_]

    # -- what goes

    def expired(self, now: float) -> list[tuple[str, str]]:
        """Forget the uploads that nobody goes on with or attaches. Return (file, from) of those not finished."""
        self._held = {file: held for file, held in self._held.items() if held[1] > time.monotonic()}
        gone = [key for key, each in self.unfinished.items() if now - each.at > KEPT]
        for from_, file in [key for key, at in self._uploads.items() if now - at > KEPT]:
            if not self._attached.wanted(file):  # perhaps by what is to be said later
                self._forget(file, from_)
        return [(file, from_) for from_, file in gone]

    def detached(self) -> tuple[int, list[str]]:
        """Return the files that go, since the last message that carried them is gone; and what to forget then.

        What is held waits, and so does what comes after it: it is looked at again.
        """
        rows = self._attached.detached()
        held = [at for at, (_, file, _) in enumerate(rows) if self._is_held(file)] if self._held else []
        rows = rows[: held[0]] if held else rows
        for _, file, from_ in rows:
            if not self._attached.by(file, from_):
                self._forget(file, from_)
        gone = [file for file in dict.fromkeys(file for _, file, _ in rows) if self.is_loose(file)]
        return (rows[-1][0] if rows else 0), gone

    def forget_detached(self, last: int) -> None:
        self._attached.forget(last)

    def is_loose(self, file: str) -> bool:
        """Return whether nobody has a file: no message carries it, and nobody has uploaded it lately."""
        return not self._is_held(file) and not self._attached.wanted(file) and not self._uploaders[file]

    def _is_held(self, file: str) -> bool:
        return file in self._held and time.monotonic() < self._held[file][1]
