"""Is the feed alive? Only its echo proves it: first after connecting, then once a grace.

A SUB socket never says when it has connected and subscribed, and a half-open connection looks like a silent room. So a
`ping` with `feed` is repeated until its echo arrives, and once a `grace` another one asks again. Whatever arrives on
the feed counts as its echo.

The first ping leaves at once, which is soon enough within one process. The second leaves when the feed should be there:
to connect it takes about as long as to connect and say hello, whether the way is long or the broker is busy.

The same pings tell the broker that we are here, and their pongs what there is: one leaves each heartbeat, and a quick
one where a pong left a doubt.
"""

from collections.abc import Callable

from zchat.errors import FeedUnreachableError, ZchatError
from zchat.protocol import endpoints, wire
from zchat.protocol import messages as m

from . import effects as do
from .brokers import Brokers
from .connection import HELLO_WAIT, Connection
from .following import Following
from .handshake import Fault
from .outgoing import Outgoing

FIRST_WAIT = 0.002  # seconds between the first two pings at least; each wait is twice as long as the one before
LAST_WAIT = 1.0
QUICK = 0.1  # seconds to the next ping when a pong left a doubt
HEARTBEAT_LEAST = 0.05  # seconds between two pings at least, whatever the broker asks for


class Feed:
    """The feed is closed, open (its proof is awaited), or live. Times are seconds of one clock.

    `endpoint` is where it is; None: where the broker says.
    """

    def __init__(
        self,
        connection: Connection,
        brokers: Brokers,
        following: Following,
        outgoing: Outgoing,
        emit: Callable[[do.Effect], None],
        endpoint: str | None,
    ) -> None:
        self.is_open = self.live = False
        self._connection, self._brokers, self._following, self._outgoing = connection, brokers, following, outgoing
        self._emit, self._endpoint = emit, endpoint
        self._fault = ""
        self._since = self._next = self._wait = 0.0
        self._heard = 0.0  # when something was last heard
        self._asked: float | None = None  # when a check was sent whose echo is awaited
        self._next_ping = 0.0
        self._quick = False  # the last ping was a quick one

    def open(self, now: float) -> None:
        """Connect the feed and subscribe, our own topic last: its echo proves the others too."""
        welcome = self._connection.welcome
        if welcome is None:
            return
        self.is_open, self.live = True, False
        self._since = self._next = now
        self._wait = min(max(FIRST_WAIT, self._connection.hello_took), LAST_WAIT / 2)
        self._fault = ""
        self._following.reset_public()
        self._emit(do.ConnectFeed(self._where(welcome)))
        for topic in (wire.BROKER_TOPIC, *self._following.topics(), wire.session_topic(welcome.id)):
            self._emit(do.Subscribe(topic))
        self.ping(now)

    def close(self) -> None:
        self.is_open = self.live = False

    def heard(self, now: float) -> None:
        """Something arrived."""
        self._heard, self._asked = now, None

    def prove(self, now: float) -> bool:
        """The echo arrived; True if it was the first one."""
        self.heard(now)
        first = self.is_open and not self.live
        self.live = self.is_open
        return first

    def failed(self, fault: Fault) -> bool:
        """It could not be connected; return whether this is new."""
        before, self._fault = self._fault, fault.value
        return before != fault.value

    def deaf(self) -> ZchatError | None:
        """Return what is wrong if the broker answers, and its feed is not heard."""
        welcome = self._connection.welcome
        if welcome is None or not self._connection.online or self.live or not self.is_open:
            return None
        return FeedUnreachableError(self._where(welcome), self._fault)

    def is_dead(self, now: float) -> bool:
        """Say whether no echo came for a grace, though it is read."""
        since = self._asked if self.live else self._since
        grace = max(self._connection.grace, HELLO_WAIT)
        return self.is_open and since is not None and now - since > grace and not self._following.paused

    def ping(self, now: float) -> None:
        """Send a ping if one is due, or if the feed has to be proved."""
        proof, due = self._wants_proof(now), now >= self._next_ping
        if proof or due:
            check = not self._following.paused and self._wants_check(now)
            self._outgoing.send_now(m.Ping(feed=proof or check))
        if due and (welcome := self._connection.welcome):
            self._quick = False
            self._next_ping = now + max(welcome.heartbeat, HEARTBEAT_LEAST)

    def ping_by(self, at: float) -> None:
        """Have the next ping sent then at the latest."""
        self._next_ping = min(self._next_ping, at)

    def doubt(self, now: float) -> None:
        """A pong left a doubt: send a quick ping, unless that was one."""
        if not self._quick:
            self._quick = True
            self.ping_by(now + QUICK)

    def wait(self, now: float) -> float:
        """Return the seconds until a ping is due, at most 1."""
        return min(self._next_ping - now, self._next - now if self.is_open and not self.live else 1.0)

    def _where(self, welcome: m.Welcome) -> str:
        return self._endpoint or endpoints.reachable(welcome.feed, self._brokers.current)

    def _wants_proof(self, now: float) -> bool:
        """Say whether a ping is due that proves a new feed."""
        if not self.is_open or self.live or now < self._next:
            return False
        self._next = now + self._wait
        self._wait = min(self._wait * 2, LAST_WAIT)
        return True

    def _wants_check(self, now: float) -> bool:
        """Say whether the next ping should ask for an echo."""
        if not self.live or self._asked is not None or now - self._heard < self._connection.grace:
            return False
        self._asked = now
        return True
