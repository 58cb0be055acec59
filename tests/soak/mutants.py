"""Brokers and gateways that are broken on purpose: `python -m tests.soak.mutants NAME broker …`, `NAME web …`.

The audit has to find each.

A mutant is what a plausible mistake would do, as a change to one method while the rest is the real broker. Each names
the promise that it breaks.
"""

import itertools
import re
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.soak import broken_cluster, broken_gateways
from zchat.__main__ import main
from zchat.broker.core import ledger
from zchat.broker.core.applying import Applying
from zchat.broker.core.sessions import Author
from zchat.broker.log.local import LocalLog
from zchat.broker.outlet import Outlet
from zchat.broker.store import Store, mending
from zchat.broker.store.views import View


class Mutant(NamedTuple):
    """`break_it` breaks this process, `faults` bring it to light, `sentence` is the one that the audit finds broken."""

    break_it: Callable[[], None]
    faults: str
    sentence: str
    cluster: bool = False
    of: str = "broker"


def acks_leave_before_the_write() -> None:
    """Write each batch only when the next one comes."""
    real, owed = Store.write, []

    def write(self: Store, batch: Any) -> None:
        owed.append(batch)
        if len(owed) > 1:
            real(self, owed.pop(0))

    Store.write = write  # type: ignore[method-assign]


def numbers_are_not_compared() -> None:
    """Store whatever number comes, also one that was taken before."""
    real: Callable[..., Any] = ledger.check

    def check(producer: ledger.Producer, peer: bytes, command: Any) -> Any:
        return None if command.n <= producer.accepted else real(producer, peer, command)

    ledger.check = check


def numbers_are_forgotten_at_a_restart() -> None:
    real = LocalLog.past

    def past(self: LocalLog, producer: str, author: str) -> Any:
        found = real(self, producer, author)
        found.n, found.seqs, found.answers = 0, {}, {}
        return found

    LocalLog.past = past  # type: ignore[method-assign, assignment]


def prev_is_miscounted() -> None:
    """Say that nothing is missing where something may be."""
    real = Applying._room

    def room(self: Applying, name: str, seq: int) -> tuple[int, int]:
        id_, prev = real(self, name, seq)
        return id_, max(0, prev - 1)

    Applying._room = room  # type: ignore[method-assign]


def seqs_are_off_by_one() -> None:
    """Acknowledge with the `seq` of the next message."""
    real = Outlet.send

    def send(self: Outlet, peer: bytes, lines: list[bytes]) -> None:
        acks = (line.startswith(b'{"type":"ack"') for line in lines)
        real(self, peer, [_one_more(line) if ack else line for line, ack in zip(lines, acks, strict=True)])

    Outlet.send = send  # type: ignore[method-assign]


def _one_more(line: bytes) -> bytes:
    return re.sub(rb'"seq":(\d+)', lambda found: b'"seq":%d' % (int(found[1]) + 1), line)


def private_messages_get_lost() -> None:
    """Deliver two private messages of three, and tell nobody how far a conversation has come."""
    real, count = Outlet.send, itertools.count()

    def send(self: Outlet, peer: bytes, lines: list[bytes]) -> None:
        real(self, peer, [line for line in lines if not line.startswith(b'{"type":"message"') or next(count) % 3])

    Outlet.send = send  # type: ignore[method-assign]
    Author.converse = lambda *_: None  # type: ignore[method-assign]


def deleted_texts_are_kept() -> None:
    """Tell of a deletion, and leave what was said where it is."""
    mending.bury_all = lambda *_: None


def edits_are_not_told() -> None:
    """Tell messages as they were said, whatever was done to them."""
    View._now = lambda self, events: iter(events)  # type: ignore[method-assign]


STORED = "acknowledged is stored once"
SEQ = "acknowledged seq is true"
PAGES, IRCS = "pages see each once in order", "clients of irc see each message once in order"
SAME = "all brokers have the same log"
UNHEARD = "kill,cut,stall"  # acks are stalled, and lost when the broker is killed: what they were for is sent again
MUTANTS: dict[str, Mutant] = {
    "early-ack": Mutant(acks_leave_before_the_write, "kill", STORED),
    "no-dedupe": Mutant(numbers_are_not_compared, UNHEARD, STORED),
    "forgotten": Mutant(numbers_are_forgotten_at_a_restart, UNHEARD, STORED),
    "prev": Mutant(prev_is_miscounted, "cut", "the log is one chain"),
    "whisper": Mutant(private_messages_get_lost, "cut", "conversations are seen whole"),
    "kept-text": Mutant(deleted_texts_are_kept, "kill", "deleted is gone"),
    "as-said": Mutant(edits_are_not_told, "kill", "messages are what was done to them"),
    "once": Mutant(broken_gateways.keys_are_not_passed_on, "gateway-kill", STORED, of="web"),
    "late-tab": Mutant(broken_gateways.tabs_hear_late, "gateway-kill", PAGES, of="web"),
    "skips-one": Mutant(broken_gateways.history_begins_one_too_late, "gateway-kill", IRCS, of="irc"),
    "early-echo": Mutant(broken_gateways.answers_do_not_wait, "gateway-kill", STORED, of="irc"),
    "deaf": Mutant(broken_gateways.what_was_missed_is_kept_back, "kill", IRCS, of="irc"),
    "seq": Mutant(seqs_are_off_by_one, "cut", SEQ),
    "unsent-ack": Mutant(broken_cluster.acks_do_not_wait, "kill,machine", SEQ, cluster=True),
    "hello": Mutant(broken_cluster.hellos_do_not_wait, "slow", SEQ, cluster=True),
    "lost-claims": Mutant(broken_cluster.claims_are_forgotten, "kill,term", SAME, cluster=True),
    "uncounted": Mutant(broken_cluster.posts_are_not_counted, "node-kill", STORED, cluster=True),
    "late-places": Mutant(broken_cluster.places_are_written_late, "kill", SAME, cluster=True),
    "swapped": Mutant(broken_cluster.order_is_swapped, "crash", SAME, cluster=True),
}


if __name__ == "__main__":
    MUTANTS[sys.argv.pop(1)].break_it()
    main()
