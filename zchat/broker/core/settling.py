"""What becomes of a draft once the log has decided it: acks or errors for its sender, the event for who may see it.

What the hub keeps of durable things (heads, topics, members, conversations) changes here: after the commit, in the
order of the log. What other brokers have written to a log that is shared comes by the same way.
"""

from zchat.protocol import messages as m

from . import files, later, moderation, reading
from .claiming import Claiming
from .effects import Deliver, Effect, Publish, Reply, Send, in_turn
from .entrance import Entrance
from .entries import (
    Change,
    Changed,
    Claim,
    Declined,
    Draft,
    Due,
    Entry,
    Failed,
    Noted,
    Outcome,
    Release,
    Retire,
    Stored,
    Taken,
    Told,
)
from .greeting import Greeting
from .ledger import unavailable
from .roster import new_room


class Settling:
    """Takes drafts and their outcomes; `head` is the `seq` of the last event that was shown."""

    def __init__(self, entrance: Entrance, greeting: Greeting, claiming: Claiming | None, head: int) -> None:
        self.roster, self.ledger, self.members = entrance.roster, entrance.ledger, entrance.members
        self.entrance, self.greeting, self.claiming, self.head = entrance, greeting, claiming, head

    def settle(self, draft: Entry, outcome: Outcome) -> list[Effect]:
        """Process the log's outcome for a draft: acks or errors for the sender, events for the subscribers."""
        if type(draft) is Change:
            return self._settle_change(draft, outcome)
        if type(draft) is Due:
            return self._settle_due(draft, outcome)
        if type(draft) is Retire:
            return []
        if type(draft) is Draft:
            self.roster.promised.discard(draft.room or "")
            files.arrived(self.roster, draft)
        if type(outcome) is not Stored or type(draft) is not Draft:
            answers = self.ledger.settle(draft, outcome)
            if type(outcome) is Noted and outcome.read and type(draft) is Draft:
                answers += reading.told(self.roster, draft, outcome.read)
            return answers
        return self._show(draft, outcome, self.ledger.acknowledge(draft, outcome.seq))

    def _settle_due(self, due: Due, outcome: Outcome) -> list[Effect]:
        """Process the log's outcome for what was said for later."""
        self.roster.telling.discard(due.id)
        if type(outcome) is not Told:
            return []
        if isinstance(outcome.outcome, Declined):
            return later.dropped(self.roster, outcome, outcome.outcome.answer)
        return self._show(outcome.draft, outcome.outcome, []) if isinstance(outcome.outcome, Stored) else []

    def _show(self, draft: Draft, stored: Stored, acks: list[bytes]) -> list[Effect]:
        """Return what follows from events that are stored: the acks of their sender, and who gets the events."""
        lines = stored.lines
        self.head = last = stored.seq + len(lines) - 1
        self.greeting.stored += len(lines)
        if carried := getattr(draft.commands[0], "files", ()):
            files.carried(self.roster, draft.from_, carried)
        if draft.room is None:
            seen_by = self._converse(draft, last)
            return [*(Deliver(draft.peer, ack) for ack in acks), *(Deliver(peer, lines[0]) for peer in seen_by)]
        room = self.roster.rooms.get(draft.room)
        if room is None:
            room = self.roster.rooms[draft.room] = new_room(draft.room)
        room.head = last
        if type(draft.commands[0]) is m.SetTopic:
            room.topic = draft.commands[0].text
        if room.sessions is not None:
            return [Send([draft.peer], acks), Send([session.peer.id for session in room.sessions], lines)]
        return [Publish(draft.peer, acks, draft.room, lines)]

    def observe(self, draft: Entry, outcome: Outcome) -> list[Effect]:
        """Process the log's outcome for a draft of another broker, which answers its sender."""
        if type(draft) is Claim:
            return [] if self.claiming is None else self.claiming.observe(draft, outcome)
        if type(draft) is Release or isinstance(outcome, Failed | Taken):
            return []
        return [
            effect for effect in self.settle(draft, outcome) if not isinstance(effect, Reply | Deliver) or effect.peer
        ]

    def _settle_change(self, change: Change, outcome: Outcome) -> list[Effect]:
        """Process the log's outcome for a change of members or of access to a room."""
        then = self.roster.continuations.pop(change.continuation, None)
        if not isinstance(outcome, Changed):
            if change.producer:
                return self.ledger.settle(change, outcome)
            why = outcome.why if isinstance(outcome, Failed) else ""
            answer = outcome.answer if isinstance(outcome, Declined) else unavailable(None, why=why)
            return [] if then is None else then.refused(answer)
        event = outcome.event
        self.head = event.seq
        self.members.apply(event)
        effects: list[Effect] = []
        if change.producer:
            effects += [Deliver(change.peer, ack) for ack in self.ledger.acknowledge(change, event.seq)]
        effects += moderation.consequences(self.entrance, event, outcome.line)
        if then is not None:
            effects += then.done(event)
        return in_turn(effects)

    def _converse(self, draft: Draft, seq: int) -> list[bytes]:
        """Note the new head of a conversation for both ends. Return the peers that get its new event."""
        here: list[bytes] = []
        one, two = draft.pair or ("", "")
        for from_, other in {one: two, two: one}.items():
            author = self.roster.here(from_)
            if author is not None:
                nick = draft.nick if other == draft.from_ else draft.to
                author.converse(other, nick or "", seq)
                here += [session.peer.id for session in author.sessions]
        return here
