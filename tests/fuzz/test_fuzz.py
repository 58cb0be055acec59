"""The fuzzers' corpus as a regression, and a few seconds of each fuzzer; `scripts/fuzz` runs them for longer.

The checkers are tested too: a broker that drops one reply, one that counts `prev` wrong and a decoder that takes what
it should not must be found within a few thousand inputs.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.fuzz import hub, main, ports, wire
from zchat.broker.core.applying import Applying
from zchat.broker.pipeline import Pipeline
from zchat.protocol import messages as m
from zchat.protocol import wire as real_wire

LONG = 600.0  # seconds: none of these takes as long


@contextmanager
def target(rate: float = 0.0) -> Iterator[hub.Target]:
    target = hub.Target(rate)
    try:
        yield target
    finally:
        target.close()


def check_some(kind: str, count: int, check: Callable[[bytes], None]) -> None:
    for data, _ in zip(main.made(kind, 1, main.corpus(kind)), range(count), strict=False):
        check(data)


def test_every_frame_of_the_corpus_is_read_as_it_must_be() -> None:
    frames = main.corpus("wire")
    assert len(frames) > 5
    for frame in frames:
        wire.check(frame)


@pytest.mark.parametrize("rate", [0.0, 5.0])
def test_every_story_of_the_corpus_ends_well(rate: float) -> None:
    told = main.corpus("hub")
    assert len(told) > 50
    with target(rate) as one:
        for story in told:
            one.check(story)


def test_a_few_thousand_frames_made_by_chance_are_read_as_they_must_be() -> None:
    assert main.blind("wire", 5_000, time.monotonic() + LONG, 1, main.corpus("wire")).inputs == 5_000


def test_a_few_hundred_stories_made_by_chance_end_well() -> None:
    assert main.blind("hub", 600, time.monotonic() + LONG, 1, main.corpus("hub")).inputs == 600


def test_a_running_broker_serves_its_client_beside_a_thousand_broken_connections() -> None:
    served = ports.run(1_000, time.monotonic() + LONG, seed=1)
    assert served.inputs == 1_000
    assert served.said > 10


@pytest.mark.long
def test_many_inputs_harm_nobody_and_leave_nothing_behind() -> None:
    seed = random.randrange(2**31)
    print(f"seed {seed}")
    for kind, most in (("wire", 200_000), ("hub", 15_000)):
        ran = main.blind(kind, most, time.monotonic() + LONG, seed, main.corpus(kind))
        assert ran.rss[1] - ran.rss[0] < 32, f"{kind} grew from {ran.rss[0]:.0f} to {ran.rss[1]:.0f} MiB"
    ports.run(50_000, time.monotonic() + LONG, seed)


# -- the checkers themselves


def test_the_checker_finds_a_broker_that_forgets_one_reply_in_fifty(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., None] = Pipeline._to
    sent = iter(range(10**9))

    def forgetful(self: Pipeline, peer: bytes, line: bytes) -> None:
        if next(sent) % 50 != 49:
            real(self, peer, line)

    monkeypatch.setattr(Pipeline, "_to", forgetful)
    with target() as one, pytest.raises(AssertionError, match="was answered with"):
        check_some("hub", 2_000, one.check)


def test_the_checker_finds_a_broker_that_counts_prev_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., tuple[int, int]] = Applying._room

    def wrong(self: Applying, name: str, seq: int) -> tuple[int, int]:
        id_, prev = real(self, name, seq)
        return id_, prev - 1 if prev % 5 == 4 else prev

    monkeypatch.setattr(Applying, "_room", wrong)
    with target() as one, pytest.raises(AssertionError, match="the chain of"):
        check_some("hub", 2_000, one.check)


def test_the_checker_finds_a_frame_that_is_taken_though_it_is_not_json(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[[bytes], list[Any]] = real_wire.commands

    def lax(payload: bytes) -> list[Any]:
        return [m.Ping() if isinstance(found, m.Error) and b"ping" in payload else found for found in real(payload)]

    monkeypatch.setattr(real_wire, "commands", lax)
    with pytest.raises(AssertionError):
        check_some("wire", 5_000, wire.check)


def test_the_checker_finds_a_session_that_is_never_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zchat.broker.core.roster.Roster.silent", lambda roster, since: [])
    with target() as one, pytest.raises(AssertionError):
        one.check(b'0{"type":"hello","protocol":1}')
