"""Several brokers on one stream: whatever goes wrong, their logs are the same, and nothing acknowledged is lost."""

from pathlib import Path

import pytest

from tests.cluster.simulation.world import World
from zchat.broker.core import cluster
from zchat.errors import NewerMessageError


@pytest.mark.parametrize("seed", range(40))
def test_brokers_on_one_stream_lose_nothing_double_nothing_and_have_the_same_log(seed: int) -> None:
    World(seed).run(steps=150)


@pytest.mark.parametrize("seed", range(4))
def test_the_same_holds_for_logs_on_disk(seed: int, tmp_path: Path) -> None:
    World(seed, folder=tmp_path).run(steps=150)


@pytest.mark.long
@pytest.mark.parametrize("first", range(1_000, 2_000, 50))
def test_the_same_holds_for_many_stories(first: int) -> None:
    for seed in range(first, first + 50):
        World(seed).run(steps=150)


def test_a_story_is_told_again_by_its_seed() -> None:
    one, two = World(7), World(7)
    one.run(steps=150)
    two.run(steps=150)
    assert one.stream.messages == two.stream.messages


def test_brokers_stop_before_a_message_of_the_next_version_at_the_same_place() -> None:
    world = World(11)
    for _ in range(40):
        world.say()
        world.step()
    world.stream.messages.append(bytes([cluster.VERSION + 1]) + b"of the next version")
    place = world.stream.last
    for _ in range(40):
        world.say()
        world.step()
    for node in world.nodes:
        assert isinstance(node.log.broken, NewerMessageError)
        assert node.log.applied.seq == place - 1
    world.stream.messages[place - 1 - world.stream.began :] = []  # as if this version knew it, and began again there
    for node in world.nodes:
        node.die()
        node.open()
    world.run(steps=50)
