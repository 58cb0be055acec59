"""Through where oneself has read: the marks of all of one's devices, as the broker tells them.

They go by the names of `pong.heads`: a room, `@nick`, or `@nick/from` where the nick means somebody else by now. Marks
only go forward within a history of the log; each welcome tells all of them anew.
"""

from zchat.protocol import messages as m


class ReadMarks:
    """The marks, by their names."""

    def __init__(self) -> None:
        self._marks: dict[str, int] = {}

    def welcomed(self, read: dict[str, int] | None) -> None:
        """Take what a welcome tells."""
        self._marks = dict(read or {})

    def note(self, event: m.ReadMarked | m.MarkRead) -> None:
        """Take what was read on another device of oneself, or here."""
        name = event.room if event.room is not None else self._name(event.to or "", event.with_)
        self._marks[name] = max(event.seq, self._marks.get(name, 0))

    def through(self, *, room: str | None = None, to: str | None = None, with_: str | None = None) -> int:
        """Return the `seq` through which one has read a room, or the conversation with a nick; 0 if it is not known."""
        return self._marks.get(room if room is not None else self._name(to or "", with_), 0)

    @property
    def all(self) -> dict[str, int]:
        """The marks, by their names."""
        return dict(self._marks)

    def _name(self, nick: str, from_: str | None) -> str:
        sure = f"@{nick}/{from_}"
        return sure if sure in self._marks else f"@{nick}"
