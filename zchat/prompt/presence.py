"""Who comes and goes, types and takes another nick, as a terminal tells it: several in one line."""

import time
from typing import TYPE_CHECKING

from zchat.escapes import escape_controls
from zchat.protocol import messages as m

from . import render
from .folding import Folding
from .output import Output
from .target import Target
from .targets import Targets

if TYPE_CHECKING:
    from zchat.client.client import ChatClient


class Presence:
    """Follows who is where, and tells of changes in the target that is looked at."""

    def __init__(self, client: "ChatClient", output: Output, targets: Targets) -> None:
        self._client, self._output, self._targets = client, output, targets
        self.folding: Folding[render.PresenceChange] = Folding(self.tell)

    def typed(self, event: m.MemberTyping) -> None:
        """Note that somebody types."""
        if event.nick != self._client.nick and not self._output.ignores(event):
            name = f"#{event.room}" if event.room is not None else f"@{event.nick}"
            if target := self._targets.find(name):
                target.typing[event.nick] = time.monotonic()

    def change(self, event: render.PresenceChange) -> None:
        """Follow who has which nick, and tell of a change if it is wanted."""
        target = self._targets.get(f"#{event.room}")
        if isinstance(event, m.MemberLeft):
            target.typing.pop(event.nick, None)
        if isinstance(event, m.MemberRenamed):
            self._renamed(event)
            if event.nick in target.spoke:
                target.spoke[event.new] = target.spoke.pop(event.nick)
        if target is self._targets.here and self._wants(event, target):
            self.folding.add(event)

    def _wants(self, event: render.PresenceChange, target: Target) -> bool:
        """Say whether a change is to be told; of our own only a new nick is."""
        if isinstance(event, m.MemberRenamed) and event.new == self._client.nick:
            return True
        if event.nick == self._client.nick:
            return False
        nick = event.new if isinstance(event, m.MemberRenamed) else event.nick
        wanted = self._output.preferences.joins
        return wanted == "all" or (wanted == "lately" and target.spoke_lately(nick, time.monotonic()))

    def _renamed(self, event: m.MemberRenamed) -> None:
        """Let a conversation go on under the new nick."""
        target = self._targets.find(f"@{event.nick}")
        if target is not None and self._targets.rename(target, event.new) and target is self._targets.here:
            told = f"{escape_controls(event.nick)} is {escape_controls(event.new)} now."
            self._output.show(self._output.style.dim(told))

    def take(self) -> list[str]:
        """Return the line of who came and went, if anybody did."""
        changes = self.folding.take()
        return [render.presence_changes(changes, self._output.style)] if changes else []

    def tell(self) -> None:
        """Show who came and went."""
        if lines := self.take():
            self._output.show("\n".join(lines))
