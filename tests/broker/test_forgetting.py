"""Whatever is said, edited, deleted and searched for, in whatever order: search finds what counts, and nothing else."""

import json
import tempfile
from contextlib import closing
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.broker.dialogue import NOON, Broker
from zchat.broker.core.effects import Query
from zchat.broker.core.entries import Draft, Pair, Stored
from zchat.broker.log.local import LocalLog
from zchat.broker.store import SearchIndex, Store
from zchat.protocol import messages as m

ALICE = "a" * 16
PAIR: Pair = (ALICE, "b" * 16)
PLACES: list[tuple[str | None, Pair | None]] = [("general", None), ("+den", None), (None, PAIR)]


class Forgetting(RuleBasedStateMachine):
    """A log and its index, beside what each message says now."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.data = Path(self.folder.name)
        self.n = 0
        self.says: dict[int, tuple[str, int]] = {}  # by message: its word, and the event that has it
        self.places: dict[int, tuple[str | None, Pair | None]] = {}
        self.gone: set[str] = set()
        self.open()

    def open(self) -> None:
        self.store = Store(self.data, "0" * 32, 0)
        self.log = LocalLog(self.store)
        self.index = SearchIndex(self.data, self.store.path)

    def close(self) -> None:
        self.index.close()
        self.store.close()

    def teardown(self) -> None:
        self.close()
        self.folder.cleanup()

    def do(
        self, place: tuple[str | None, Pair | None], *commands: m.Say | m.Edit | m.Delete, forget: bool = False
    ) -> int:
        room, pair = place
        draft = Draft(ALICE, "alice", list(commands), room, pair, "bob", forget=forget)
        (outcome,) = self.log.write([draft], 1.0)
        assert isinstance(outcome, Stored), (outcome, self.log.trouble)
        return outcome.seq

    def word(self) -> str:
        self.n += 1
        return f"w{self.n:05}w"

    @rule(place=st.sampled_from(PLACES), count=st.integers(1, 4), long=st.booleans())
    def say(self, place: tuple[str | None, Pair | None], count: int, long: bool) -> None:
        words = [self.word() for _ in range(count)]
        texts = [" ".join([word] * (2_000 if long else 1)) for word in words]
        first = self.do(place, *(m.Say(n=self.n, text=text) for text in texts))
        for seq, word in enumerate(words, first):
            self.says[seq], self.places[seq] = (word, seq), place

    @rule(data=st.data(), forget=st.booleans(), times=st.integers(1, 3))
    def edit(self, data: st.DataObject, forget: bool, times: int) -> None:
        if self.says:
            seq = data.draw(st.sampled_from(sorted(self.says)))
            word, before = self.word(), self.says[seq][0]
            edit = m.Edit(n=self.n, seq=seq, text=" ".join([word] * times))
            self.says[seq] = word, self.do(self.places[seq], edit, forget=forget)
            self.gone.add(before)
            if forget:
                assert before.encode() not in b"".join(
                    bytes(lines) for (lines,) in self.store.connection.execute("SELECT lines FROM chunk")
                )

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        if self.says:
            seq = data.draw(st.sampled_from(sorted(self.says)))
            self.n += 1
            self.do(self.places[seq], m.Delete(n=self.n, seq=seq))
            self.gone.add(self.says.pop(seq)[0])

    @rule()
    def fill(self) -> None:
        self.index.fill()

    @rule()
    def tidy(self) -> None:
        self.index.tidy()

    @rule()
    def forget(self) -> None:
        while self.index.tidy():
            pass
        self.store.forget_scrubbed(self.index.forgotten())

    @rule(lost=st.booleans())
    def restart(self, lost: bool) -> None:
        self.close()
        if lost:
            for path in self.data.glob("search.db*"):
                path.unlink()
        self.open()

    def found(self, word: str) -> list[int]:
        query = Query(peer=b"", ref=None, text=word, asker=ALICE, visible=frozenset({"+den"}))
        events = json.loads(b"[" + self.index.search(query).events + b"]")
        assert all(word in event["text"] for event in events)
        return [event["seq"] for event in events]

    @invariant()
    def no_line_is_garbled(self) -> None:
        """Also while the index is behind."""
        for word in [*self.gone, *(word for word, _ in self.says.values())]:
            self.found(word)

    @rule()
    def search(self) -> None:
        while self.index.fill():
            pass
        for word, seq in self.says.values():
            assert self.found(word) == [seq]
        for word in self.gone:
            assert self.found(word) == []


Forgetting.TestCase.settings = settings(
    max_examples=30, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestForgetting = Forgetting.TestCase


def test_of_many_texts_of_a_message_only_the_last_is_found(tmp_path: Path) -> None:
    with closing(Store(tmp_path, "0" * 32, NOON)) as store, closing(SearchIndex(tmp_path, store.path)) as index:
        alice = Broker(store).hello("alice")
        alice.say("a first word")
        for n, text in enumerate(("second", "third", "fourth"), 2):
            alice.send(alice.line("edit", n=n, seq=1, text=f"a {text} word"))
            while index.fill():
                pass
            found = index.search(Query(peer=b"", ref=None, asked=0.0, text="word", limit=10))
            assert (found.count, text.encode() in found.events) == (1, True)
