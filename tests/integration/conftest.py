"""A broker that the tests of one file share, and peers around it that leave nothing behind.

Most of what the protocol says can be asked of one broker, in rooms of a test's own; that saves starting a process for
each test. `net` is that; `net_of` puts peers around a broker that a test has started with options of its own.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from tests.conftest import Broker, folders_of
from tests.integration.raw import Net, Peer, unique
from tests.integration.terminal import Join, Terminal

PROMPT = 2.0  # seconds of work of the broker's until others are served

NetOf = Callable[[Broker], Net]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Return one broker for all tests of a file, without a bound on the rate of lines."""
    folder: Path = tmp_path_factory.mktemp("shared")
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "LC_ALL": "C.UTF-8", **folders_of(folder)}
    broker = Broker(folder, ("--rate", "0"), environment)
    broker.start()
    yield broker
    assert broker.stop() == 0


@pytest.fixture
def net(shared: Broker) -> Iterator[Net]:
    """Return peers around the shared broker."""
    net = Net(shared.listen, shared.publish)
    yield net
    assert shared.process.poll() is None, f"the broker is gone: {shared.output('stderr')}"
    net.leave()
    net.close()
    assert net.faults == []


@pytest.fixture
def net_of() -> Iterator[NetOf]:
    """Return a function that puts peers around a broker."""
    nets: list[Net] = []

    def around(broker: Broker) -> Net:
        net = Net(broker.listen, broker.publish)
        nets.append(net)
        return net

    yield around
    for net in nets:
        net.close()
    assert [fault for net in nets for fault in net.faults] == []


@pytest.fixture
def room() -> str:
    """Return the name of a room that no other test uses."""
    return unique("room")


@contextmanager
def promptly(broker: Broker) -> Iterator[None]:
    """See that the broker does little else until it has answered what is asked within.

    What counts is the time that it has used, not the time that has passed: the machine may be busy with other things.
    """

    def used() -> float:
        times = psutil.Process(broker.pid).cpu_times()
        return float(times.user + times.system)

    before = used()
    yield
    assert used() - before < PROMPT


@pytest.fixture
def bob(net: Net, shared: Broker) -> Iterator[Peer]:
    """Return somebody else, who must be served at once after whatever a test has done."""
    bob = net.session("bob")
    yield bob
    with promptly(shared):
        assert bob.say("I noticed nothing", room="bystanders")["type"] == "ack"


@pytest.fixture
def join(broker: Broker, environment: dict[str, str]) -> Iterator[Join]:
    """Open terminals: `join("alice", "--room", "dev", columns=40)`; each is ready to type in when it is returned."""
    with ExitStack() as open_ones:

        def start(nick: str, *args: str, columns: int = 80, env: dict[str, str] | None = None) -> Terminal:
            ours = environment | {"ZCHAT_BROKER": broker.listen} | (env or {})
            terminal = open_ones.enter_context(Terminal("join", "--nick", nick, *args, env=ours, columns=columns))
            terminal.see(f"{nick} #")
            return terminal

        yield start
