"""Where lines go, and how they look: on a terminal's scrollback, or through a pipe."""

import dataclasses
from collections.abc import Callable

from zchat.protocol import messages as m

from . import render
from .about import About
from .preferences import Preferences


def _nothing(*_: object) -> None:
    pass


def _cannot(_: About) -> bool:
    return False


@dataclasses.dataclass
class Output:
    """`show` prints the talk, `tell` what is said about it. A pipe has no bell, and no screen to clear."""

    show: Callable[[str], None]
    tell: Callable[[str], None]
    style: render.Style
    preferences: Preferences = dataclasses.field(default_factory=Preferences)
    clear: Callable[[], None] = _nothing
    bell: Callable[[], None] = _nothing
    notify: Callable[[str], None] = _nothing
    begin: Callable[[About], bool] = _cannot  # have one type a line that is about a message; False where one cannot
    doing: tuple[str, float] | None = None  # what is in progress, and how far (0 to 1): for the status line
    _day: str = ""

    def restyle(self, nick: str, *, roles: bool = False) -> None:
        """Follow the preferences, one's own nick, and whether the broker knows of members."""
        mentions = render.mentions((nick, *self.preferences.highlight))
        self.style = dataclasses.replace(self.style, stamp=self.preferences.stamp, mentions=mentions, roles=roles)

    def look_at(self, room: str | None, thread: int | None = None) -> None:
        """Leave out the name of this room from now on, and show what is said in this thread as a whole."""
        self.style = dataclasses.replace(self.style, here=room, thread=thread)

    def tell_aside(self, text: str) -> None:
        """Tell something of little weight."""
        self.tell(self.style.dim(text))

    def progress(self, label: str, done: float) -> None:
        """Note how far something is (0 to 1)."""
        self.doing = (label, done) if done < 1 else None

    def ignores(self, event: object) -> bool:
        """Say whether an event comes from somebody whose messages one does not want to see."""
        if not self.preferences.ignore:
            return False
        nick = getattr(event, "nick", None)
        return nick is not None and nick.casefold() in {name.casefold() for name in self.preferences.ignore}

    def render(self, event: m.Durable, quote: str) -> list[str]:
        """Return a message as it is shown, after the day if it is another one; [] if it is nothing for people."""
        line = render.event(event, self.style, quote)
        return [] if line is None else [*self._new_day(event.time), line]

    def _new_day(self, time: str) -> list[str]:
        """Return a line with the day, if it is not that of the message before."""
        day = render.day(time, self.style)
        if day == self._day:
            return []
        self._day = day
        return [self.style.dim(f"— {day} —")]
