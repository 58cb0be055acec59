"""The promise, as one property: however the link and the broker fail, nothing acknowledged is lost or doubled.

Hypothesis writes the story: people say things, payloads move or are lost, repeated, cut off, a user is too slow for
what comes, and the broker or a client is killed at any step. Then everything goes well for a while, and the world is
audited: every message is in the log exactly once, in each client's order, and every client was shown each exactly once,
in log order. What is said to one alone has stories of its own, without losses within a connection: it comes over the
DEALER socket, which has none.

A private room has stories, too: it keeps the same promise to whoever is in it, and whoever is expelled at any moment is
shown nothing of what is said afterwards (`private.py`).

People edit, delete, react, pin and answer, too (`mending.py`): in the end all have the same picture of every room, that
of a model which applies the log; also when the log goes back.

All else that the log keeps has stories, with devices that share a member, conversations and a private room
(`keeping.py`, `kept.py`): files, read marks, what is said for later, and what retires.

The checker is tested too: against a broker that acknowledges before the commit, one that forgets which numbers it
took, and clients that check for no gap or forget what they left out, it must find a story that fails. `@example`s are
stories that once did.
"""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.reliability.keeping import LATEST, Keepers
from tests.reliability.mending import Menders
from tests.reliability.private import House
from tests.reliability.world import Mover, World
from zchat.broker.core import ledger
from zchat.broker.core.epochs import Epochs
from zchat.client.core.direct import Direct
from zchat.client.core.history import KnownLog
from zchat.protocol import messages as m

number = st.integers(0, 5)
STEPS = st.one_of(
    st.tuples(st.just("say"), number, number, st.integers(1, 9)),
    st.tuples(st.just("say"), number, number, st.integers(1, 3)),
    st.tuples(st.just("move_up"), st.integers(1, 3)),
    st.tuples(st.just("move_up")),
    st.tuples(st.just("move_down"), number, st.integers(1, 3)),
    st.tuples(st.just("move_down"), number),
    st.tuples(st.just("move_feed"), number, st.integers(1, 3)),
    st.tuples(st.just("move_feed"), number),
    st.tuples(st.just("wait"), st.sampled_from([0.25, 1.0, 3.0, 10.0])),
    st.tuples(st.just("turn")),
    st.tuples(st.just("drop"), number, number, number),
    st.tuples(st.just("repeat"), number, number, number),
    st.tuples(st.just("cut"), number, st.booleans()),
    st.tuples(st.just("crash"), number),
    st.tuples(st.just("die"), number),
    st.tuples(st.just("dawdle"), number, st.booleans()),
)
STORIES = st.lists(STEPS, min_size=25, max_size=100)
TWO = st.integers(0, 1)
TALK = st.one_of(
    st.tuples(st.just("whisper"), TWO, TWO, st.integers(1, 2)),
    st.tuples(st.just("whisper"), number, number, st.just(1)),
    st.tuples(st.just("move_up")),
    st.tuples(st.just("move_down"), TWO, st.integers(1, 2)),
    st.tuples(st.just("turn")),
    st.tuples(st.just("wait"), st.sampled_from([0.25, 1.0, 10.0])),
    st.tuples(st.just("dawdle"), TWO, st.booleans()),
    st.tuples(st.just("cut"), TWO, st.just(True)),
    st.tuples(st.just("die"), TWO),
    st.tuples(st.just("crash"), number),
)
TALKS = st.lists(TALK, min_size=15, max_size=60)
STRANGE_TALK = st.one_of(TALK, TALK, st.tuples(st.just("impersonate"), TWO, TWO))
STRANGE_TALKS = st.lists(STRANGE_TALK, min_size=15, max_size=60)
Story = list[tuple[Any, ...]]
BACK = st.one_of(st.tuples(st.just("copy")), st.tuples(st.just("go_back"), number))
NO_LINK_REPEATS = STEPS.filter(lambda step: step[0] != "repeat" or step[2] % 3)  # over a new connection: none does that
BACK_STORIES = st.lists(st.one_of(NO_LINK_REPEATS, NO_LINK_REPEATS, BACK), min_size=25, max_size=100)
BACK_TALKS = st.lists(st.one_of(STRANGE_TALK, STRANGE_TALK, BACK), min_size=15, max_size=60)


LOSSES = st.one_of(STEPS, STEPS, STEPS, st.tuples(st.sampled_from(["expel", "expel", "mute"])))
PRIVATE_STORIES = st.lists(LOSSES, min_size=25, max_size=100)


MENDING = st.tuples(st.just("mend"), number, number, number)
REACTING = st.tuples(st.just("mend"), TWO, st.just(2), st.just(0))  # by two, to what was said last: so also taken off
MENDING_STORIES = st.lists(
    st.one_of(STEPS, st.tuples(st.just("turn")), MENDING, MENDING, REACTING), min_size=25, max_size=100
)
BACK_MENDING_STORIES = st.lists(
    st.one_of(NO_LINK_REPEATS, st.tuples(st.just("turn")), MENDING, MENDING, REACTING, BACK), min_size=25, max_size=100
)


NOTHING_LOST_WITHIN_A_CONNECTION = STEPS.filter(lambda step: step[0] not in ("drop", "repeat") or step[2] % 3 != 1)
SOON = st.sampled_from([0.25, 1.0, 3.0, 10.0, LATEST])
FOUR = st.integers(0, 3)
KEEPING = st.one_of(
    st.tuples(st.just("mend"), FOUR, number, number),
    st.tuples(st.just("mend"), FOUR, number, st.just(0)),
    st.tuples(st.just("whisper"), FOUR, number, st.just(1)),
    st.tuples(st.just("mend"), FOUR, st.just(4), st.integers(3, 5)),  # answers, also from elsewhere
    st.tuples(st.just("read_it"), FOUR, number, number),
    st.tuples(st.just("read_it"), TWO, TWO, number),
    st.tuples(st.just("say_later"), FOUR, number, SOON),
    st.tuples(st.just("take_back"), FOUR, number),
    st.tuples(st.just("retire"), st.sampled_from([0.5, 1.0, 4.0, 10.0]), st.sampled_from([1, 2, 100])),
    st.tuples(st.just("fill_index")),
)
SENDING = st.one_of(
    st.tuples(st.just("upload"), FOUR, number, number),
    st.tuples(st.just("upload"), FOUR, number, number, st.integers(1, 3)),
    st.tuples(st.just("attach"), FOUR, TWO, number),
    st.tuples(st.just("attach"), FOUR, TWO, number, SOON),
    st.tuples(st.just("download"), FOUR, TWO),
    st.tuples(st.just("fail_disk"), number),
    st.tuples(st.just("sweep"), st.integers(0, 2)),
    st.tuples(st.just("mend"), FOUR, st.just(1), number),
    st.tuples(st.just("retire"), st.sampled_from([1.0, 4.0, 10.0]), st.sampled_from([1, 100])),
)
TURN = st.tuples(st.just("turn"))
FILING = SENDING.filter(lambda step: True)  # one of many in these stories, and not many of many
KEEPING_STORIES = st.lists(
    st.one_of(NOTHING_LOST_WITHIN_A_CONNECTION, *[TURN] * 5, KEEPING, KEEPING, FILING),
    min_size=25,
    max_size=100,
)
FILE_STORIES = st.lists(st.one_of(NOTHING_LOST_WITHIN_A_CONNECTION, *[TURN] * 4, SENDING), min_size=25, max_size=100)


def tell(story: Story, **mutations: bool) -> None:
    live(World(**mutations), story)


def live(world: World, story: Story) -> None:
    """Live through a story, heal, and audit."""
    turn(world)
    for name, *arguments in story:
        if name == "turn":
            turn(world)
        else:
            getattr(world, name)(*arguments)
    world.heal()
    world.audit()


def turn(world: World) -> None:
    """Let all that is under way arrive, and a moment pass: so that stories get somewhere."""
    for _ in range(4):
        world.wait(0.25)
        world.move_up()
        for client in world.clients:
            world.move_down(client.number)
            world.move_feed(client.number)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(STORIES)
def test_nothing_acknowledged_is_lost_or_doubled_or_shown_out_of_order(story: Story) -> None:
    tell(story)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(TALKS)
def test_nothing_said_to_one_alone_is_missed_by_who_listens_or_shown_twice(story: Story) -> None:
    tell(story)


@settings(max_examples=150, deadline=None, report_multiple_bugs=False, suppress_health_check=list(HealthCheck))
@given(STRANGE_TALKS)
def test_a_stranger_who_takes_the_nick_of_somebody_changes_nothing_for_those_who_talk_with_them(story: Story) -> None:
    tell(story)


@settings(max_examples=150, deadline=None, report_multiple_bugs=False, suppress_health_check=list(HealthCheck))
@given(BACK_STORIES)
def test_when_the_log_goes_back_what_is_lost_is_told_and_all_that_follows_is_shown_once_in_order(story: Story) -> None:
    tell(story)


@settings(max_examples=150, deadline=None, report_multiple_bugs=False, suppress_health_check=list(HealthCheck))
@given(BACK_TALKS)
def test_when_the_log_goes_back_nothing_said_to_one_alone_afterwards_is_missed_or_shown_twice(story: Story) -> None:
    tell(story)


@settings(max_examples=100, deadline=None, report_multiple_bugs=False, suppress_health_check=list(HealthCheck))
@given(PRIVATE_STORIES)
def test_a_private_room_keeps_the_same_promise_to_who_is_in_it_and_tells_nothing_to_who_is_not(story: Story) -> None:
    live(House(), story)


@settings(max_examples=100, deadline=None, report_multiple_bugs=False, suppress_health_check=list(HealthCheck))
@given(MENDING_STORIES)
def test_whatever_is_done_to_messages_all_have_the_same_picture_of_each_room(story: Story) -> None:
    live(Menders(), story)


@settings(max_examples=100, deadline=None, report_multiple_bugs=False, suppress_health_check=list(HealthCheck))
@given(BACK_MENDING_STORIES)
def test_when_the_log_goes_back_all_have_the_picture_that_it_has_then(story: Story) -> None:
    live(Menders(), story)


@settings(max_examples=150, deadline=None, report_multiple_bugs=False, suppress_health_check=list(HealthCheck))
@given(KEEPING_STORIES)
def test_all_that_the_log_keeps_is_kept_and_told_as_it_should_be_and_what_is_to_go_goes(story: Story) -> None:
    live(Keepers(), story)


@settings(max_examples=100, deadline=None, report_multiple_bugs=False, suppress_health_check=list(HealthCheck))
@given(FILE_STORIES)
def test_files_are_whole_and_there_as_long_as_a_message_carries_them_and_only_for_its_readers(story: Story) -> None:
    live(Keepers(), story)


def test_the_checker_finds_clients_that_forget_edits(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., None] = m.fold

    def forgetful(picture: m.Picture, event: m.Event) -> None:
        if not isinstance(event, m.Edited):
            real(picture, event)

    monkeypatch.setattr(m, "fold", forgetful)
    fails_for_some_story(MENDING_STORIES, Menders)


def test_the_checker_finds_clients_that_take_no_reaction_off(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., None] = m.fold

    def deaf(picture: m.Picture, event: m.Event) -> None:
        if not (isinstance(event, m.Reacted) and event.off):
            real(picture, event)

    monkeypatch.setattr(m, "fold", deaf)
    fails_for_some_story(MENDING_STORIES, Menders)


class Movers(World):
    """Where all have two ways to the broker."""

    client = Mover


@settings(max_examples=100, deadline=None, report_multiple_bugs=False, suppress_health_check=list(HealthCheck))
@given(st.one_of(STORIES, TALKS, BACK_STORIES))
def test_those_who_go_on_at_another_place_when_they_lose_the_broker_are_promised_the_same(story: Story) -> None:
    live(Movers(), story)


def fails_for_some_story(
    stories: st.SearchStrategy[Story] = STORIES, world: type[World] = World, **mutations: bool
) -> None:
    """Look for a story that such a broker or client does not survive."""

    @settings(
        max_examples=400,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(stories)
    def search(story: Story) -> None:
        live(world(**mutations), story)

    with pytest.raises(AssertionError):
        search()


def test_the_checker_finds_a_broker_that_acknowledges_before_the_commit() -> None:
    fails_for_some_story(ack_before_commit=True)


def test_the_checker_finds_clients_that_check_for_no_gap() -> None:
    fails_for_some_story(no_gap_check=True)


def test_the_checker_finds_clients_that_forget_what_they_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Direct, "miss", lambda _: None)
    fails_for_some_story(TALKS)


def test_the_checker_finds_a_broker_that_forgets_which_numbers_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., Any] = ledger.check

    def forgetful(producer: ledger.Producer, peer: bytes, command: Any) -> Any:
        return None if command.n <= producer.accepted else real(producer, peer, command)

    monkeypatch.setattr(ledger, "check", forgetful)
    fails_for_some_story()


def test_the_checker_finds_clients_that_ignore_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KnownLog, "compare", lambda *_: None)
    fails_for_some_story(BACK_STORIES)
    fails_for_some_story(BACK_MENDING_STORIES, Menders)


def test_the_checker_finds_a_broker_that_says_that_all_histories_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Epochs, "shared", lambda *_: None)
    fails_for_some_story(BACK_STORIES)
