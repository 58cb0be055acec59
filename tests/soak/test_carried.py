"""The audit of who came by a gateway: each story here was doctored in one way, and one sentence must be broken."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.soak import carried
from tests.soak.audit import CHECKS, Event, Evidence, audit
from tests.soak.journal import Acked, AnyRecord, Kept, Life, Said, Seen, checksum, told

ROOM = "den"


def event(seq: int, nick: str, text: str, kind: str = "message") -> Event:
    return Event(seq, seq - 1, ROOM, nick, text, False, None, 0, kind, told=told(kind, nick, text))


def said(id_: str) -> Said:
    return Said(id_, ROOM, checksum(id_))


LOG = [
    event(1, "page0", "page0-1"),
    event(2, "irc0", "irc0-1"),
    event(3, "page0", "", "reaction"),
    event(4, "mender0", "", "tombstone"),
    event(5, "mender0", "", "delete"),
    event(6, "irc0", "irc0-2"),
    event(7, "page0", "page0-2"),
]
SEEN = [Seen(ROOM, each.seq, each.told) for each in LOG]
DELETED = Seen(ROOM, 4, told("message", "mender0", "gone"))
PAGE: list[AnyRecord] = [Life(1), said("page0-1"), Kept("page0-1"), Acked("page0-1", 1)]
PAGE += [*SEEN[:3], DELETED, SEEN[4]]  # it has seen what was deleted later
PAGE += [Life(2), said("page0-2"), Kept("page0-2"), Acked("page0-2", 7), *SEEN[5:]]
IRC: list[AnyRecord] = [
    *(Life(1), said("irc0-1"), SEEN[0], SEEN[1], DELETED, Acked("irc0-1", 2)),
    *(said("irc0-2"), said("irc0-3")),  # neither of which came back: the one is in the log, the other is not
    *(Life(2), SEEN[5], SEEN[6], Life(3)),
]


def evidence(log: list[Event] = LOG, page: list[AnyRecord] = PAGE, irc: list[AnyRecord] = IRC) -> Evidence:
    """Return a story in which all went well, but for what is given otherwise."""
    return Evidence(
        log, {"page0": page, "irc0": irc, "mender0": [Life(1)]}, pages={"page0": page}, ircs={"irc0": irc},
        follows={"page0": [ROOM], "irc0": [ROOM]},
    )  # fmt: skip


def broken(found: Evidence) -> set[str]:
    return {sentence for sentence, breaches in audit(found, (*CHECKS, *carried.CHECKS)).items() if breaches}


def test_a_story_in_which_all_went_well_is_cleared() -> None:
    assert broken(evidence()) == set()
    unseen = [each for each in IRC if each != DELETED]
    assert broken(evidence(irc=unseen)) == set()


def page(change: Callable[[list[AnyRecord]], Any]) -> Evidence:
    records = list(PAGE)
    change(records)
    return evidence(page=records)


def irc(change: Callable[[list[AnyRecord]], Any]) -> Evidence:
    records = list(IRC)
    change(records)
    return evidence(irc=records)


PAGES, IRCS = "pages see each once in order", "clients of irc see each message once in order"
STORED, VANISHED = "acknowledged is stored once", "nothing intended vanishes"
TWICE = [*LOG, event(8, "page0", "page0-2")]
DOCTORED: dict[str, tuple[Evidence, set[str]]] = {
    "a page missed a reaction": (page(lambda records: records.remove(SEEN[2])), {PAGES}),
    "a page missed the last": (page(list.pop), {PAGES}),
    "a page was told twice": (page(lambda records: records.append(SEEN[6])), {PAGES}),
    "a page was told otherwise": (page(lambda records: records.__setitem__(-1, Seen(ROOM, 7, 1))), {PAGES}),
    "a page said it twice": (
        replace(
            evidence(log=TWICE),
            pages={"page0": [*PAGE, Seen(ROOM, 8, TWICE[7].told)]},
            ircs={"irc0": [*IRC, Seen(ROOM, 8, TWICE[7].told)]},
        ),
        {STORED},
    ),
    "what a page kept has vanished": (
        page(lambda records: records.extend([said("page0-3"), Kept("page0-3"), Life(3)])),
        {VANISHED},
    ),
    "a client of IRC missed a message": (irc(lambda records: records.remove(SEEN[5])), {IRCS}),
    "a client of IRC was told twice": (irc(lambda records: records.append(SEEN[6])), {IRCS}),
    "a client of IRC was told in another order": (
        irc(lambda records: records.extend([records.pop(-2), records.pop(-2)])),
        {IRCS},
    ),
    "a client of IRC was told what is not there": (irc(lambda records: records.append(Seen(ROOM, 9, 1))), {IRCS}),
    "what came back is not there": (irc(lambda records: records.append(Acked("irc0-3", 9))), {STORED}),
}


@pytest.mark.parametrize(("found", "sentences"), DOCTORED.values(), ids=DOCTORED.keys())
def test_the_audit_finds_what_was_doctored_and_nothing_else(found: Evidence, sentences: set[str]) -> None:
    assert broken(found) == sentences
