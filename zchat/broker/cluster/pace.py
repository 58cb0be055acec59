"""How long a broker of a cluster waits for what, in seconds."""

from msgspec import Struct


class Pace(Struct, frozen=True):
    """The defaults suit a network between machines; tests are quicker."""

    heartbeat: float = 1.0  # between two heartbeats
    gap: float = 2.5  # silence of one's own echo after which one knows nothing of others
    lease: float = 5.0  # silence of another after which it is given up
    again: float = 1.0  # until what has not come back is published again
    retry: float = 0.05  # until what was refused is
    silence: float = 0.5  # until what should come is read
    look: float = 1.0  # between two looks at where the stream stands, while nothing comes
    stalled: float = 2.0  # that something waits before people are told
    missing: float = 15.0  # that the stream is not there before it counts as gone: a node that starts has to read it
    patience: float = 60.0  # for a start: for nodes, for the stream, for somebody who has a copy
