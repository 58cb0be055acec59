"""The nemesis' plan: which fault when, as a pure function of a seed.

Faults are dealt like cards: a deck holds each as often as it weighs, is shuffled and dealt to its end, so that a short
run meets many kinds and a long one all of them. Faults of different targets overlap, which is where systems break;
of one target (a process cannot be stopped and killed at once) the later waits until the former is healed.

One broker and a cluster have one plan language. In a cluster a target is one of its kind on any machine, so that one
broker, one node and one line are down at a time; `which` says on what machine. Only what strikes a majority, or all,
takes all targets for itself.
"""

import random
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

Parameters = dict[str, Any]
Random = random.Random

GAP = 2.5  # seconds between two faults, on average
CALM = 2.0  # seconds at the beginning and between two faults of one target, in which all is well
DAY = 86_400.0
FAR = 6 * DAY  # a `once` key, which bots live by, is promised for seven days of the broker's clock


class Kind(NamedTuple):
    """A kind of fault: what it strikes, how often, and its parameters; `seconds` among them says how long it lasts."""

    target: str  # several with spaces
    weight: int
    draw: Callable[[Random], Parameters]

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(self.target.split())


class Strike(NamedTuple):
    """One fault, `at` seconds after the beginning."""

    at: float
    fault: str
    parameters: Parameters

    def __str__(self) -> str:
        how = " ".join(f"{name}={value}" for name, value in self.parameters.items())
        return f"{self.at:7.1f} s  {self.fault:<11} {how}"


def between(low: float, high: float) -> Callable[[Random], float]:
    return lambda chance: round(chance.uniform(low, high), 2)


def one_of(*values: Any) -> Callable[[Random], Any]:
    return lambda chance: chance.choice(values)


def drawn(**ranges: Callable[[Random], Any]) -> Callable[[Random], Parameters]:
    return lambda chance: {name: draw(chance) for name, draw in ranges.items()}


def seeded(chance: Random) -> int:
    return chance.randrange(10**6)


ALL = "process node line"
PORT = one_of("router", "feed", "both")
GATEWAY = one_of("web", "irc", "both")

KINDS: dict[str, Kind] = {
    "kill": Kind("process", 4, drawn(seconds=between(0, 2))),
    "stop": Kind("process", 2, drawn(seconds=between(0.5, 7))),
    "term": Kind("process", 2, drawn(seconds=between(0, 2))),
    "full": Kind("disk", 1, drawn(seconds=between(1, 6))),
    "slow": Kind("disk", 2, drawn(delay=one_of(0.02, 0.1, 0.5, 2.0), seconds=between(2, 6))),
    "delay": Kind("network", 1, drawn(port=PORT, delay=between(0.02, 0.4), seconds=between(2, 6))),
    "stall": Kind("network", 2, drawn(port=PORT, way=one_of("up", "down", "both"), seconds=between(0.5, 7))),
    "cut": Kind("network", 3, drawn(port=PORT, seconds=between(0.1, 1))),
    "partition": Kind("network", 2, drawn(port=PORT, seconds=between(1, 8))),
    "clock": Kind("clock", 2, drawn(offset=one_of(-FAR, -DAY, -5.0, 5.0, DAY, FAR), seconds=between(1, 8))),
    "garbage": Kind("ports", 1, drawn(seed=seeded, seconds=between(2, 5))),
    "crash": Kind("people", 3, drawn(who=seeded, seconds=between(0, 2))),
    "gateway-kill": Kind("gateway", 3, drawn(name=GATEWAY, seconds=between(0, 2))),
    "gateway-stop": Kind("gateway", 2, drawn(name=GATEWAY, seconds=between(0.5, 7))),
    "gateway-cut": Kind("gateway", 2, drawn(name=GATEWAY, how=one_of("cut", "part", "stall"), seconds=between(0.1, 7))),
    "node-kill": Kind("node", 4, drawn(seconds=between(0, 6))),
    "node-stop": Kind("node", 2, drawn(seconds=between(1, 8))),
    "node-term": Kind("node", 1, drawn(seconds=between(0, 2))),
    "machine": Kind("process node", 2, drawn(seconds=between(0, 6))),
    "unplug": Kind("line", 3, drawn(seconds=between(1, 12))),
    "apart": Kind("line", 3, drawn(pairs=one_of("one", "both", "all"), seconds=between(1, 12))),
    "majority": Kind(ALL, 1, drawn(how=one_of("kill", "stop", "unplug"), seconds=between(2, 12))),
    "blackout": Kind(ALL, 1, drawn(seconds=between(0, 2))),
    "deleted": Kind(ALL, 1, drawn(seconds=between(3, 6))),
    "rolled-back": Kind(ALL, 1, drawn(age=between(2, 5), seconds=between(3, 6))),
    "corrupted": Kind(ALL, 1, drawn(seed=seeded, seconds=between(1, 3))),
    "upgrade": Kind(ALL, 1, drawn(seconds=between(3, 6))),
}
"""kill: SIGKILL, and a start `seconds` later. stop: SIGSTOP. term: SIGTERM. full, slow: the log's disk. delay, stall,
cut (in the middle of what is sent), partition (nothing arrives, then all connections are reset): the network. clock:
the broker's, there and back; beside others it stops by that. garbage: on both ports. crash: SIGKILL for talkers,
followers, bots or those who come by gateways. gateway-…: SIGKILL, SIGSTOP, and its way to the broker: cut, parted,
stalled.

In a cluster: node-…: a node of the engine. machine: SIGKILL for a node and its broker. unplug: a machine's cable.
apart: two machines do not hear each other, or one hears no other, or none another, while people hear all. majority: two
nodes and what is beside them. blackout: SIGKILL for all. deleted: the stream, under load; rolled-back: all nodes'
files, to a copy of some seconds before; both end with `zchat cluster restore`. corrupted: files of one node. upgrade:
one broker speaks the next version of the stream's messages, which ends the others, and these are upgraded then."""

# by proxies, which those who know all brokers walk around
BROKEN_NETWORK = ("delay", "stall", "cut", "partition", "gateway-cut")
DISASTERS = ("deleted", "rolled-back", "corrupted", "upgrade")  # a person has to come
ALONE = tuple(name for name, kind in KINDS.items() if not {"node", "line"} & {*kind.targets})
CLUSTER = tuple(name for name in KINDS if name not in (*BROKEN_NETWORK, *DISASTERS))


def schedule(
    seed: int, seconds: float, names: Collection[str] = ALONE, machines: int = 1, pace: float = 1.0
) -> list[Strike]:
    """Return the faults among `names` for a run of so many seconds, in order; all are healed before its end.

    `pace` stretches the calm and the gaps: a cluster needs some seconds to agree again.
    """
    chance, free = Random(seed), {target: 0.0 for kind in KINDS.values() for target in kind.targets}
    deck: list[str] = []
    strikes: list[Strike] = []
    at = calm = CALM * pace
    while names and at < seconds:
        if not deck:
            deck = [name for name in KINDS if name in names for _ in range(KINDS[name].weight)]
            chance.shuffle(deck)
        fault = deck.pop()
        kind = KINDS[fault]
        parameters = kind.draw(chance)
        if machines > 1:
            parameters["which"] = chance.randrange(machines)
        begins = max(at, *(free[target] for target in kind.targets))
        at += chance.expovariate(1 / GAP / pace)
        if begins + parameters["seconds"] <= seconds:
            free |= dict.fromkeys(kind.targets, begins + parameters["seconds"] + calm)
            strikes.append(Strike(round(begins, 2), fault, parameters))
    return sorted(strikes, key=lambda strike: strike.at)
