"""Ten thousand stories by people of all roles keep to the table, and the log alone tells the same; see `stories.py`."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.broker.stories import World

PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)  # to explain takes as long as all the others
STORIES = st.binary(min_size=120, max_size=480)


def tell(story: bytes, late: bool) -> None:
    world = World(late)
    try:
        world.tell(story)
    finally:
        world.store.close()


@settings(
    max_examples=600, deadline=None, phases=PHASES, report_multiple_bugs=False, suppress_health_check=list(HealthCheck)
)
@given(STORIES, st.booleans())
def test_whatever_people_do_everybody_keeps_to_what_they_may(story: bytes, late: bool) -> None:
    tell(story, late)


@pytest.mark.long
@settings(
    max_examples=10_000,
    deadline=None,
    phases=PHASES,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
@given(STORIES, st.booleans())
def test_ten_thousand_stories_keep_to_what_people_may(story: bytes, late: bool) -> None:
    tell(story, late)
