"""Commands that name an event by its `seq`, where the log went back: it is gone, or another one has its number.

A command keeps its number, since the broker takes numbers without gaps. But it must not be done to what happens to have
that `seq` now: a reaction would be to a stranger's message, and a moderator would delete what nobody meant. So it names
an event that never is, and the broker refuses it.
"""

from msgspec import structs

from zchat.protocol import messages as m

NOWHERE = m.SEQ_MAX  # no event has it
WHY = "the message is gone: the broker's log went back to before it was said"


def naming_nothing_above(command: m.NumberedCommand, shared: int) -> m.NumberedCommand:
    """Return a command that names no event above `shared`; the same one if it names none."""
    match command:
        case m.Say(reply_to=int(seq)) if seq > shared:
            return structs.replace(command, reply_to=None)
        case m.MarkRead(seq=seq) if seq > shared:
            return structs.replace(command, seq=shared)
        case m.Edit() | m.Delete() | m.React() | m.Pin() if NOWHERE > command.seq > shared:
            return structs.replace(command, seq=NOWHERE)
    return command


def names_nothing(command: m.NumberedCommand) -> bool:
    """Say whether what a command named is gone."""
    return getattr(command, "seq", None) == NOWHERE
