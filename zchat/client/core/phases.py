"""The phases of a connection, and the table that tells where each event leads.

OFFLINE, a client waits for a new socket; GREETING, it has said `hello`; ONLINE, it sends and hears; CLOSED is the only
way out. Whatever goes wrong leads back to OFFLINE, or to GREETING where the socket still serves.

An event is a fact that somebody else has established: `Connection` looks at the clock, at the codes of errors and at
what it remembers, and then names the event. Where the event leads is decided here alone. None means that the event is
ignored in this phase: it comes too late, or is about something that this phase does not have.
"""

from enum import Enum, auto


class Phase(Enum):
    OFFLINE = auto()
    GREETING = auto()
    ONLINE = auto()
    CLOSED = auto()


class Event(Enum):
    OPENED = auto()  # there is a new socket
    CUT = auto()  # the connection of the socket is cut
    WELCOMED = auto()
    NUMBERS_UNKNOWN = auto()  # our client id cannot be used here, or its numbers: the next hello has a fresh one
    HELLO_REFUSED = auto()  # for now: it is worth another try
    HELLO_UNANSWERED = auto()
    FORGOTTEN = auto()  # the broker is there, our session is not
    FORGOTTEN_AT_ONCE = auto()  # the same, right after the welcome
    OUT_OF_STEP = auto()  # the broker wants a number next that we cannot send
    SILENT = auto()  # nothing was heard for a grace
    STOPPED = auto()  # the broker stops, and has said so
    CHANGED = auto()  # we are something else now: the broker is greeted anew
    SUPPLANTED = auto()  # the broker took an older connection of ours for the newer one
    ENDED = auto()  # the broker ended our session, for good
    FAILED = auto()  # an error that time does not heal, or the last try that we have
    LEFT = auto()  # the user has closed the client


OFFLINE, GREETING, ONLINE, CLOSED = Phase

# fmt: off
_ROWS: dict[Event, tuple[Phase | None, ...]] = {
    # in the phase:           OFFLINE   GREETING  ONLINE    CLOSED
    Event.OPENED:            (GREETING, GREETING, GREETING, None),
    Event.CUT:               (None,     OFFLINE,  OFFLINE,  None),
    Event.WELCOMED:          (None,     ONLINE,   None,     None),
    Event.NUMBERS_UNKNOWN:   (None,     GREETING, None,     None),
    Event.HELLO_REFUSED:     (None,     OFFLINE,  None,     None),
    Event.HELLO_UNANSWERED:  (None,     OFFLINE,  None,     None),
    Event.FORGOTTEN:         (None,     None,     GREETING, None),
    Event.FORGOTTEN_AT_ONCE: (None,     None,     OFFLINE,  None),
    Event.OUT_OF_STEP:       (None,     None,     OFFLINE,  None),
    Event.SILENT:            (None,     None,     OFFLINE,  None),
    Event.STOPPED:           (None,     OFFLINE,  OFFLINE,  None),
    Event.CHANGED:           (None,     None,     GREETING, None),
    Event.SUPPLANTED:        (None,     None,     OFFLINE,  None),
    Event.ENDED:             (None,     None,     CLOSED,   None),
    Event.FAILED:            (CLOSED,   CLOSED,   CLOSED,   None),
    Event.LEFT:              (CLOSED,   CLOSED,   CLOSED,   None),
}
# fmt: on

TABLE = {event: dict(zip(Phase, row, strict=True)) for event, row in _ROWS.items()}


def next_phase(phase: Phase, event: Event) -> Phase | None:
    """Return where `event` leads from `phase`; None: it is ignored there."""
    return TABLE[event][phase]
