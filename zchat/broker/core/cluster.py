"""Who may add to a log that several brokers share: the part of the apply rule that a single broker does not need.

The brokers read one stream of messages, in the same order, and each applies them to a log of its own. A message is a
`Post` of drafts, or tells that a broker begins an epoch, or that it is gone. A broker's posts are numbered within its
epoch, and count only one after the other. So it may publish a post again and again until it comes back: what comes too
often, too early or too late counts nowhere.

A client is at the broker that claimed it last. Only drafts from there count, and only with the client's next number. So
a broker may go on numbering by itself, as if it were alone, from the moment its claim has come back. The claims of an
epoch end with it. All this follows from the messages alone: no clock, no chance.
"""

from collections.abc import Callable
from typing import Literal, cast

import msgspec
from msgspec import Struct

from zchat.protocol import messages as m
from zchat.protocol import names

from .entries import (
    Change,
    Claim,
    Claimed,
    Declined,
    Draft,
    Due,
    Entry,
    Failed,
    Outcome,
    Refusal,
    Release,
    Retire,
    Taken,
)
from .looks import looks
from .members import Members
from .rights import Refused, free_nick


class Begin(Struct, frozen=True, tag=True):
    """A start of a broker. The epoch is the broker's last + 1; of two that want the same one, the first has it."""

    broker: str
    epoch: int
    nonce: str


class Gone(Struct, frozen=True, tag=True):
    """The verdict of another broker: this epoch is over, its clients are free."""

    broker: str
    epoch: int


class Post(Struct, frozen=True, tag=True):
    """A batch of drafts: the k-th of this epoch of this broker. `wall` is its time in seconds since 1970.

    `seen` is how far its broker had applied the stream when it published this first, and what it hashed to there.
    """

    broker: str
    epoch: int
    k: int
    wall: float
    drafts: list[Draft | Refusal | Change | Claim | Release | Retire | Due]
    seen: tuple[int, bytes] = (0, b"")


Message = Begin | Gone | Post
# Of the messages: the byte before each. Every change of what one means, or of what it hashes to, makes another version.
# All older ones go on being understood, as they were meant: whoever starts again with a newer zchat reads them, too.
# 2: what is done to messages, the threads that they belong to, and events that are kept no longer.
# 3: a room that is to be kept as the broker says again. Only what tells of one is written so: brokers of before stop
# at what they do not know, and while machines are upgraded one by one, most of what is said need not stop them.
VERSION = 3
WRITTEN = 2
_encode, _decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(Message).decode


def encode(message: Message | Struct, version: int = 0) -> bytes:
    """Return a message as it stands in the stream: its version (0: the usual one), and itself as MessagePack."""
    return bytes([version or WRITTEN]) + _encode(message)


def needed(draft: Entry) -> int:
    """Return the version of the post that has this draft."""
    new = type(draft) is Change and any(
        type(command) is m.SetAccess and command.keep == "default" for command in draft.commands
    )
    return VERSION if new else WRITTEN


def decode(payload: bytes) -> Message | None:
    """Return a message of this version or an older one; None for what is none: that counts nowhere."""
    try:
        return _decode(memoryview(payload)[1:]) if 1 <= version(payload) <= VERSION else None
    except msgspec.DecodeError:
        return None


def version(payload: bytes) -> int:
    """Return the version of a message; 0 if it has none."""
    return payload[0] if payload else 0


class Epoch(Struct, frozen=True):
    """A broker's present epoch, with the number of its last post that counted."""

    epoch: int = 0
    nonce: str = ""
    k: int = 0
    open: bool = False


class Held(Struct, frozen=True):
    """A claim that counts: at which broker a client is, with which nick, if it is a guest's, and since which place."""

    broker: str
    nick: str | None
    place: int = 0


class Cluster:
    """The brokers and the claims."""

    def __init__(self) -> None:
        self.epochs: dict[str, Epoch] = {}
        self.claims: dict[str, Held] = {}  # by client
        self._by_nick: dict[str, str] = {}  # clients, by nick key
        self._by_look: dict[str, dict[str, None]] = {}  # clients, by skeleton
        self.changed: set[str] = set()  # clients whose claims have changed since somebody cleared this

    def begin(self, begin: Begin) -> bool:
        """Begin an epoch, which ends the one before. Return whether it counts."""
        if begin.epoch != self.epochs.get(begin.broker, Epoch()).epoch + 1:
            return False
        self._free_all(begin.broker)
        self.epochs[begin.broker] = Epoch(begin.epoch, begin.nonce, 0, open=True)
        return True

    def end(self, gone: Gone) -> bool:
        """End an epoch. Return whether it was not over yet."""
        known = self.epochs.get(gone.broker, Epoch())
        if known.epoch != gone.epoch or not known.open:
            return False
        self._free_all(gone.broker)
        self.epochs[gone.broker] = Epoch(known.epoch, known.nonce, known.k, open=False)
        return True

    def admit(self, post: Post) -> bool:
        """Return whether a post is the next one of its broker, and note that it was."""
        known = self.epochs.get(post.broker, Epoch())
        if not known.open or known.epoch != post.epoch or post.k != known.k + 1:
            return False
        self.epochs[post.broker] = Epoch(known.epoch, known.nonce, post.k, open=True)
        return True

    def settle(
        self, broker: str, draft: Entry, place: int, members: Members, wall: float, taken: Callable[[str], int]
    ) -> Outcome | Literal[True]:
        """Return the outcome of what makes no event; True for what is to be applied.

        `place` is that of the post, and `taken` returns the last number of a client that was taken.
        """
        match draft:
            case Claim():
                return self._claim(broker, draft, place, members, wall)
            case Release():
                if self._is_at(draft.client, broker):
                    self._set(draft.client, None)
                return Claimed()
            case Retire() | Due():
                return True  # any broker may draft it: the log knows whether it is still to be done
            case Change() if not draft.producer:
                return self._name(draft)
        return self._number(broker, draft, taken)

    def holder(self, nick: str) -> tuple[str, str] | None:
        """Return client and nick of the guest that has a nick, at whatever broker."""
        try:
            client = self._by_nick.get(names.nick_key(nick))
        except names.BadNameError:
            return None
        held = None if client is None else self.claims[client]
        return None if client is None or held is None else (client, held.nick or "")

    def restore(self, epochs: dict[str, Epoch], claims: dict[str, Held]) -> None:
        """Begin with what was stored."""
        self.epochs = epochs
        for client, held in claims.items():
            self._set(client, held)
        self.changed.clear()

    def _number(
        self, broker: str, draft: Draft | Refusal | Change, taken: Callable[[str], int]
    ) -> Outcome | Literal[True]:
        client, commands = draft.client, cast("list[m.NumberedCommand]", draft.commands)
        if not self._is_at(client, broker):
            return Failed("this client is at another broker by now")
        last = taken(client)
        if commands[0].n == last + 1:
            return True
        return Taken() if commands[-1].n <= last else Failed()

    def _claim(self, broker: str, claim: Claim, place: int, members: Members, wall: float) -> Outcome:
        held = self.claims.get(claim.client)
        at = None if held is None else held.broker
        if not claim.moves and at != broker:
            return Failed()
        if held is not None and at != broker and claim.seen < held.place:
            return Failed()  # the client has gone on meanwhile; if it has not, it says hello again
        nick = claim.nick
        if nick is not None:
            member = members.having(claim.credential)
            try:
                if member is not None and names.nick_key(nick) == names.nick_key(member.nick):
                    nick = None
                else:
                    nick = free_nick(members, nick, None, wall)  # the form that is shown: it is compared otherwise
                    self._check(nick, claim.client)
            except Refused as refused:
                return Declined(m.Error(code=refused.code, message=refused.message))
            except names.BadNameError as why:
                return Declined(m.Error(code="bad_nick", message=str(why)))
        self._set(claim.client, Held(broker, nick, place if held is None or claim.moves else held.place))
        return Claimed()

    def _name(self, change: Change) -> Outcome | Literal[True]:
        """Refuse a member a nick that a guest has at any broker."""
        command = change.commands[0]
        if not isinstance(command, m.Hello | m.SetNick):
            return True  # what a broker does by itself: it invites an owner
        try:
            self._check(names.nick(change.nick if isinstance(command, m.Hello) else command.nick), change.comes)
        except Refused as refused:
            return Declined(m.Error(code=refused.code, message=refused.message))
        except names.BadNameError:
            return True  # the log refuses it
        return True

    def _check(self, nick: str, client: str) -> None:
        """Raise Refused if another client has this nick, or one that looks like it."""
        if self._by_nick.get(names.nick_key(nick), client) != client:
            raise Refused("nick_taken", f"the nick {nick} is taken")
        for look in looks(nick):
            for other in self._by_look.get(look, ()):
                shown = self.claims[other].nick or ""
                if other != client and not (nick.isascii() and shown.isascii()):
                    raise Refused("nick_taken", f"the nick {nick} looks like {shown}, who is here")

    def _is_at(self, client: str, broker: str) -> bool:
        held = self.claims.get(client)
        return held is not None and held.broker == broker

    def _free_all(self, broker: str) -> None:
        for client in [client for client, held in self.claims.items() if held.broker == broker]:
            self._set(client, None)

    def _set(self, client: str, held: Held | None) -> None:
        """Replace the claim of a client, or free it."""
        self.changed.add(client)
        before = self.claims.pop(client, None)
        if before is not None and before.nick is not None:
            del self._by_nick[names.nick_key(before.nick)]
            for look in looks(before.nick):
                del self._by_look[look][client]
                if not self._by_look[look]:
                    del self._by_look[look]
        if held is None:
            return
        self.claims[client] = held
        if held.nick is not None:
            self._by_nick[names.nick_key(held.nick)] = client
            for look in looks(held.nick):
                self._by_look.setdefault(look, {})[client] = None
