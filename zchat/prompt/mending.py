"""What is done to messages, at a terminal: told at once, later, folded, or not at all.

An edit, a deletion or a pin is told where one looks; of other targets it waits until one turns there, and only if the
message it is about was shown (else that is shown as it is by then). Of edits that follow each other soon, not all are
told (`revising.py`). An edit that mentions the reader for the first time is told at once, and rings. Reactions to what
the reader has said are told wherever one looks, several in one line; reactions to what others have said are nobody's
business: they are seen where the message is shown again.
"""

from collections import deque
from typing import TYPE_CHECKING

from zchat.escapes import escape_controls
from zchat.protocol import messages as m

from . import said
from .alerts import Alerts
from .folding import Folding, folded
from .output import Output
from .revising import Revising
from .said import Mend
from .target import Target
from .targets import Targets

if TYPE_CHECKING:
    from zchat.client.client import ChatClient

WAIT = 2.0  # seconds that a reaction waits for others
REMEMBERED = 1_000  # reactions that were told, and messages that mention us: neither is told twice


class Mending:
    """Says what is told of each thing that is done to a message. It keeps what is to be told later."""

    def __init__(self, client: "ChatClient", output: Output, targets: Targets, alerts: Alerts) -> None:
        self._client, self._output, self._targets, self._alerts = client, output, targets, alerts
        self._reactions: Folding[m.Reacted] = Folding(self.tell_reactions, WAIT)
        self._told: deque[tuple[int, str, str]] = deque(maxlen=REMEMBERED)
        self.revising = Revising(self._tell_edit)
        self._calling: deque[int] = deque(maxlen=REMEMBERED)

    def take(self, event: Mend, target: Target, *, old: bool, in_view: bool, focused: bool) -> list[str]:
        """Let a message be changed, and return the lines to be shown now. `old`: it is history."""
        before = target.recent.get(event.target)
        target.recent.take(event)
        target.typing.pop(event.nick, None)  # an edit is typed, too
        if old and event.seq <= target.told:
            return []  # an earlier run has told it
        if self._output.ignores(event) or (before is not None and self._output.ignores(before)):
            return []
        if isinstance(event, m.Reacted):
            return self._reacted(event, before, target, in_view and not old)
        if not old and isinstance(event, m.Edited) and self._calls_us(event, before):
            self._alerts.alert(event, mentions_us=True, focused=focused)
            self.revising.drop(event.target)
            return self.line(event, target)
        if in_view:
            if not target.unread:
                target.see(event.seq)
            return self.line(event, target) if old or self._is_told_at_once(event, target) else []
        if event.target <= target.seen:
            target.wait(event)
        return []

    def line(self, event: Mend, target: Target) -> list[str]:
        """Return what was done to a message, as it is told."""
        return self._output.render(event, said.about(event, target.recent.get(event.target), self._output.style))

    def _is_told_at_once(self, event: Mend, target: Target) -> bool:
        if isinstance(event, m.Edited) and event.from_ != self._client.from_:
            return self.revising.admits(event, target)
        if isinstance(event, m.Deleted):
            self.revising.drop(event.target)
        return True

    def _tell_edit(self, event: m.Edited, target: Target) -> None:
        """Tell an edit that has waited: where one looks, or once one turns there again."""
        here = self._targets.here
        if here is target or (here is not None and here.base == target.name and here.has_in_thread(event)):
            self._output.show("\n".join(self.line(event, target)))
        else:
            target.wait(event)

    def _calls_us(self, event: m.Edited, before: m.Durable | None) -> bool:
        """Say whether a message mentions the reader, and did not before."""
        words = self._output.style.mentions
        if event.from_ == self._client.from_ or words is None or not words.search(escape_controls(event.text)):
            return False
        if event.target in self._calling or words.search(escape_controls(getattr(before, "text", ""))):
            return False
        self._calling.append(event.target)
        return True

    def _reacted(self, event: m.Reacted, before: m.Durable | None, target: Target, told: bool) -> list[str]:
        if event.from_ == self._client.from_:
            return self.line(event, target) if told else []
        if before is not None and before.from_ == self._client.from_:
            self._reactions.add(event)
        return []

    def tell_reactions(self) -> None:
        """Show who has reacted to what one has said."""
        taken = self._reactions.take()
        fresh = [one for one in taken if one.off or (one.target, one.emoji, one.from_) not in self._told]
        self._told.extend((one.target, one.emoji, one.from_) for one in fresh if not one.off)
        found = folded(fresh)
        lines = [self._folded(one, found.pop(one.target)) for one in fresh if one.target in found]
        if lines:
            self._output.show("\n".join(lines))

    def _folded(self, event: m.Reacted, given: dict[str, list[str]]) -> str:
        target = self._targets.find_for(event, self._client.from_)
        style = self._output.style
        about = "" if target is None else said.excerpt(target.recent.get(event.target) or event, 40)
        if target is not None and target is not self._targets.here:
            about = f"{style.place(target.name)} {about}"
        return said.folded_reactions(event.target, given, about, style)
