"""Gateways for the tests: `page` at a broker that lets guests in, `own_page` at one where it is its user."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Broker
from tests.gateways.web.browser import Gateway, gateway, ipc_of


@pytest.fixture
def page(tmp_path: Path, environment: dict[str, str], broker: Broker) -> Iterator[Gateway]:
    """Return a gateway at a broker that lets guests in."""
    with gateway(tmp_path, environment, broker) as running:
        yield running


@pytest.fixture
def own_page(tmp_path: Path, environment: dict[str, str], broker: Broker) -> Iterator[Gateway]:
    """Return a gateway that is at the broker as its user."""
    with gateway(tmp_path, environment, ipc_of(environment)) as running:
        assert broker.pid
        yield running
