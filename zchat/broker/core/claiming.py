"""What a hub does beside others that share its log: a client is here once its claim has come back through the log.

A `hello`, and a guest's `nick`, wait for their claim. By then the log has all that was acknowledged to the client
anywhere, and nothing that it sent elsewhere counts any more. The command goes on then as with a broker that is alone.
What the same connection sent after it waits with it (see `sharing.py`). A client that comes to another broker has its
session here replaced; whoever leaves is released.
"""

from collections.abc import Callable

from msgspec import Struct, structs

from zchat.protocol import messages as m
from zchat.protocol import names

from .announcing import MOVED
from .answers import error
from .effects import ClientRecord, Effect, Reply, in_turn
from .entrance import Entrance, Visit
from .entries import Change, Claim, Claimed, Declined, Outcome, Release
from .sessions import Peer

AGAIN = m.Error(
    code="unavailable",
    message="the brokers can store nothing at the moment, so nobody can come in: try again in a while",
    retry_after=1.0,
)


class Pending(Struct, frozen=True):
    """A command that waits for its claim."""

    peer: Peer
    command: m.Hello | m.SetNick
    client: str
    now: float
    wall: float
    given_up: bool = False  # it was answered already


class Claiming:
    """The claims of this broker that are on their way. `rename` is the handler of a guest's `nick`."""

    def __init__(self, entrance: Entrance, rename: Callable[..., list[Effect]]) -> None:
        self.entrance, self._rename = entrance, rename
        self.roster, self.ledger = entrance.roster, entrance.ledger
        self._pending: dict[int, Pending] = {}
        self._joining: dict[int, str] = {}  # clients that are to be members first, by continuation
        self._count = 0
        self._left = entrance.left = []

    def claim(self, peer: Peer, command: m.AnyCommand | m.Error, now: float, wall: float) -> Claim | Reply | None:
        """Return the claim for which a command has to wait, or its refusal; None if it need not wait."""
        session = peer.session
        if isinstance(command, m.Hello):
            if self.entrance.is_refused_anyhow(peer, command, wall):
                return None  # at once, and the stream is not written to for that
            if wait := peer.source.come(now):
                text = "too many say hello from the same address or user"
                return Reply(peer.id, error("rate_limited", text, command, retry_after=wait))
            command, claim = self.entrance.claim_of(peer, command)
        elif isinstance(command, m.SetNick) and session is not None and session.nick and not session.author.is_member:
            claim = Claim(session.producer.id, command.nick, peer.credential, peer.id, moves=False)
        else:
            return None
        if claim.nick is not None and not _is_nick(claim.nick):
            if not isinstance(command, m.Hello) or command.invite is None:
                return None  # it is refused at once; and the stream does not take whatever somebody calls a nick
            claim = structs.replace(claim, nick=None)
        self._count += 1
        self._pending[self._count] = Pending(peer, command, claim.client, now, wall)
        return structs.replace(claim, continuation=self._count)

    def needs_past(self, claim: Claim) -> tuple[str, str] | None:
        """Return the ids of the client and the author whose `ClientRecord` `settle` needs; None if it needs none."""
        pending = self._pending[claim.continuation]
        if not isinstance(pending.command, m.Hello):
            return None
        return self.entrance.needs_past(pending.peer.credential, pending.command)

    def settle(self, claim: Claim, outcome: Outcome, past: ClientRecord | None) -> list[Effect]:
        """Go on with the command that waited for a claim of this broker."""
        pending = self._pending.pop(claim.continuation)
        peer, command = pending.peer, pending.command
        self._left.append(claim.client)  # to be released, unless there is a session then
        if self.roster.peers.get(peer.id) is not peer or pending.given_up:
            return []
        if not isinstance(outcome, Claimed):
            answer = outcome.answer if isinstance(outcome, Declined) else AGAIN
            return [Reply(peer.id, structs.replace(answer, ref=command.ref))]
        if isinstance(command, m.Hello):
            producer = self.ledger.get(claim.client)
            if producer is not None and self.roster.session(claim.client) is None:
                producer.accepted = producer.committed  # what was on its way from here is decided
            effects = self.entrance.hello(Visit(peer, command, pending.now, pending.wall, past))
            self._joining |= {one.continuation: claim.client for one in effects if isinstance(one, Change)}
            return in_turn(effects)
        session = peer.session
        return [] if session is None else in_turn(self._rename(self.roster, session, command, pending.now))

    def give_up(self, entry: Claim | Change) -> list[Effect]:
        """Answer a hello of which the claim, or becoming a member, takes too long: when that comes, it is released."""
        if isinstance(entry, Change):
            then = self.roster.continuations.pop(entry.continuation, None)
            return [] if then is None else then.refused(AGAIN)
        pending = self._pending[entry.continuation]
        self._pending[entry.continuation] = structs.replace(pending, given_up=True)
        return [Reply(pending.peer.id, structs.replace(AGAIN, ref=pending.command.ref))]

    def observe(self, claim: Claim, outcome: Outcome) -> list[Effect]:
        """Process the claim of another broker: if its client was here, it is there now."""
        if not isinstance(outcome, Claimed) or not claim.moves:
            return []
        elsewhere = m.Error(code="unavailable", message="you came in by another broker meanwhile: say hello again")
        for number in [number for number, client in self._joining.items() if client == claim.client]:
            del self._joining[number]
            then = self.roster.continuations.pop(number, None)
            if then is not None:
                return then.refused(elsewhere)
        session = self.roster.session(claim.client)
        if session is None:
            return []
        return in_turn([*self.entrance.end(session, MOVED), Reply(session.peer.id, m.Bye(reason="replaced"))])

    def left(self, clients: list[str]) -> None:
        """Note clients that are to be released, unless they are here."""
        self._left += clients

    def releases(self) -> list[Release]:
        """Return the releases of the clients that are not here any more, once for each time that they left."""
        for number in [number for number in self._joining if number not in self.roster.continuations]:
            self._left.append(self._joining.pop(number))
        if not self._left:
            return []
        coming = {pending.client for pending in self._pending.values()} | set(self._joining.values())
        gone = [one for one in dict.fromkeys(self._left) if self.roster.session(one) is None and one not in coming]
        self._left.clear()
        return [Release(client) for client in gone]


def _is_nick(nick: str) -> bool:
    try:
        names.nick(nick)
    except names.BadNameError:
        return False
    return True
