"""Several brokers on one stream: whatever goes wrong, their logs are the same, and nothing acknowledged is lost."""

import pytest

from tests.cluster.cluster import World


@pytest.mark.parametrize("seed", range(25))
def test_brokers_on_one_stream_lose_nothing_double_nothing_and_have_the_same_log(seed: int) -> None:
    World(seed).run(steps=150)


@pytest.mark.long
@pytest.mark.parametrize("first", range(1_000, 11_000, 500))
def test_the_same_holds_for_many_stories(first: int) -> None:
    for seed in range(first, first + 500):
        World(seed).run(steps=150)


def test_a_story_is_told_again_by_its_seed() -> None:
    one, two = World(7), World(7)
    one.run(steps=150)
    two.run(steps=150)
    assert one.stream.messages == two.stream.messages
