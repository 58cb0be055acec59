"""What the broker tells of itself: in `welcome`, which begins a session, and in `status`."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from zchat.protocol import VERSION, wire
from zchat.protocol import messages as m
from zchat.protocol.policy import GUEST, may

from .epochs import Epochs
from .members import Members
from .roster import Roster
from .sessions import Session

FEATURES = ("members", "private", "read")


class Greeting:
    """What is the same for all, and the counters of what was stored. `feed` returns the feed for a credential."""

    def __init__(
        self,
        *,
        server: str,
        log: str,
        feed: Callable[[str], str],
        heartbeat: float,
        grace: float,
        limits: m.Limits,
        epochs: Sequence[m.Epoch],
        links: tuple[str, ...],
        roster: Roster,
        members: Members,
        now: float,
    ) -> None:
        self.server, self.log, self._feed = server, log, feed
        self.heartbeat, self.grace, self.limits = heartbeat, grace, limits
        self.epochs, self._links = Epochs(epochs), links
        self._roster, self._members = roster, members
        self.numbers: Callable[[], Mapping[str, m.Figure]] = dict  # what the broker has counted
        self.stored = self.stored_before = 0  # events in this second, and before
        self._began = self._counted = now
        self._seconds: deque[tuple[float, int]] = deque(maxlen=60)  # (duration, events stored) of each second

    def second(self, now: float) -> None:
        """Count the events that were stored in a second."""
        self._seconds.append((now - self._counted, self.stored))
        self._counted, self.stored, self.stored_before = now, 0, self.stored_before + self.stored

    def welcome(self, session: Session, hello: m.Hello, wall: float) -> m.Welcome:
        """Return the reply to a hello; `wall` is the time in seconds since 1970."""
        return m.Welcome(
            ref=hello.ref,
            protocol=VERSION,
            server=self.server,
            log=self.log,
            session=session.token,
            id=session.id,
            client=session.producer.secret,
            from_=session.author.from_,
            nick=session.nick,
            feed=self._feed(session.peer.credential),
            heartbeat=self.heartbeat,
            grace=self.grace,
            n=session.producer.committed,
            limits=self.limits,
            time=wire.timestamp(wall),
            epochs=self.epochs.latest,
            shared=self.epochs.shared(hello.epochs or ()),
            member=self._account(session),
            known_as=self._known_as(session),
            device=hello.device,
            brokers=self._links,
            features=FEATURES,
            stalled=self._roster.stalled,
        )

    def _account(self, session: Session) -> m.Account | None:
        known = self._members.get(session.author.from_)
        return None if known is None else m.Account(from_=known.from_, nick=known.nick, role=known.role)

    def _known_as(self, session: Session) -> str | None:
        """Return the nick of the member that a guest's connection proves."""
        known = self._members.having(session.peer.credential)
        return None if known is None or session.author.is_member else known.nick

    def may_count(self, credential: str) -> bool:
        """Return whether whoever proves this may know what the broker has counted."""
        known = self._members.having(credential)
        return may(GUEST if known is None else known.role, "numbers")

    def status(
        self, command: m.AskStatus, credential: str, head: int, log_bytes: int, now: float, *, numbers: bool
    ) -> m.Status:
        """Return how the broker is; private rooms are not counted. `numbers`: with what it has counted."""
        public = (room for room in self._roster.rooms.values() if room.sessions is None)
        return m.Status(
            ref=command.ref,
            server=self.server,
            uptime=round(now - self._began, 3),
            sessions=self._roster.sessions,
            rooms=sum(1 for room in public if room.members or room.head),
            head=head,
            rate=self._rate(),
            log_bytes=log_bytes,
            feed=self._feed(credential),
            stalled=self._roster.stalled,
            numbers=dict(self.numbers()) if numbers else None,
        )

    def _rate(self) -> float:
        """Return the average number of messages stored per second, over the last minute."""
        passed = sum(seconds for seconds, _ in self._seconds)
        return round(sum(stored for _, stored in self._seconds) / passed, 3) if passed else 0.0
