"""What is shown of each workload, as data: its figures with their units, and which way is better.

The first figure of a workload is its headline: it stands in the summary, and a chart begins with it. Where the CPU of
the server leads, the rate would tell as much about the load beside it on the same machine.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from page.measured import Result


@dataclass(frozen=True)
class Figure:
    """One field of a result: its heading, its unit, and how it is scaled and compared."""

    field: str
    heading: str
    unit: str = ""
    more_is_better: bool = False
    scale: float = 1

    def text(self, result: Result) -> str:
        """Return the figure as a cell of a table; "–" if it was not measured."""
        value = self.of(result)
        return "–" if value is None else number(value)

    def of(self, result: Result) -> float | None:
        """Return the figure in its unit; None if it does not count."""
        value = result.value(self.field)
        return None if value is None else value * self.scale

    @property
    def label(self) -> str:
        """The heading, with the unit."""
        return f"{self.heading}, {self.unit}" if self.unit else self.heading


@dataclass(frozen=True)
class Workload:
    """One workload: its key in the results, its title, what is done, and its figures, the headline first."""

    key: str
    title: str
    what: str
    figures: tuple[Figure, ...]
    beside: str = ""  # the workload on whose chart this one is drawn, if not on its own
    suffix: str = ""  # what tells its bars from that one's
    encrypted: bool = False  # has a summary of its own


def number(value: float) -> str:
    """Return three digits of a number, as people read it: 0.199, 12.3, 104,000, 5.18 M."""
    if value == 0:
        return "0"
    if abs(value) >= 999_500:
        return f"{_three(value / 1e6)} M"
    return _three(value)


def _three(value: float) -> str:
    rounded = float(f"{value:.3g}")
    decimals = 2 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:,.{min(max(decimals, 0), 3)}f}"


CPU_DELIVERY = Figure("cpu_us_per_delivery", "server CPU a delivery", "µs")
CPU_MESSAGE = Figure("cpu_us_per_message", "server CPU a message", "µs")
DELIVERIES = Figure("deliveries_per_s", "deliveries/s", more_is_better=True)
MESSAGES = Figure("messages_per_s", "messages/s", more_is_better=True)
ACKED = Figure("messages_per_s", "acknowledged/s", more_is_better=True)
ACK_P50 = Figure("ack_p50_ms", "half acknowledged within", "ms")
ACK_P99 = Figure("ack_p99_ms", "99 % acknowledged within", "ms")
KIB = Figure("kib_per_session", "memory a session", "KiB")
IDLE_CPU = Figure("server_cpu", "server CPU", "% of a core", scale=100)
PAGE = Figure("page_ms", "a page of history", "ms")

SEEN = (
    Figure("p50_ms", "half seen within", "ms"),
    Figure("p99_ms", "99 % seen within", "ms"),
    Figure("max_ms", "all seen within", "ms"),
)
DURABLE = (ACKED, CPU_MESSAGE, ACK_P50, ACK_P99)

WORKLOADS = (
    Workload(
        "fanout",
        "Fan-out",
        "10 senders, 100 receivers, one room, 64-byte texts, windows of 64.",
        (CPU_DELIVERY, DELIVERIES),
    ),
    Workload("ingest", "Ingest", "10 senders, 1 receiver, 64-byte texts, windows of 64.", (MESSAGES, CPU_MESSAGE)),
    Workload(
        "durable",
        "Durable ingest",
        "10 senders, 64-byte texts, to be acknowledged only when on disk. One message a frame, windows of 64.",
        DURABLE,
    ),
    Workload(
        "durable64",
        "Durable ingest, 64 at once",
        "64 at once: 64 messages a frame, or a write where there are no frames; windows of 256.",
        DURABLE,
        beside="durable",
        suffix="64 at once",
    ),
    Workload(
        "paced",
        "Paced",
        "500 messages a second, evenly, to 100 receivers: from sending to sight.",
        SEEN,
    ),
    Workload(
        "rooms",
        "Many rooms",
        "100 rooms with 10 receivers each, 100 senders, one each room.",
        (DELIVERIES, CPU_DELIVERY),
    ),
    Workload(
        "idle1000", "1,000 idle sessions", "Sessions with the heartbeats that the protocol asks for.", (KIB, IDLE_CPU)
    ),
    Workload(
        "idle5000", "5,000 idle sessions", "Sessions with the heartbeats that the protocol asks for.", (KIB, IDLE_CPU)
    ),
    Workload(
        "recovery",
        "Recovery",
        "1,000 clients are cut off and miss 100,000 messages in all; the server is killed with SIGKILL and started "
        "again: until every client has every message it missed.",
        (Figure("recovery_s", "until all are complete", "s"),),
    ),
    Workload(
        "fanout-encrypted",
        "Fan-out, encrypted",
        "10 senders, 100 receivers, one room, 64-byte texts, windows of 64.",
        (CPU_DELIVERY, DELIVERIES),
        encrypted=True,
    ),
    Workload(
        "fanout64-encrypted",
        "Fan-out, encrypted, 64 at once",
        "The same, 64 messages a frame, or a write where there are no frames; windows of 256.",
        (CPU_DELIVERY, DELIVERIES),
        encrypted=True,
    ),
    Workload(
        "paced-encrypted",
        "Paced, encrypted",
        "500 messages a second, evenly, to 100 receivers: from sending to sight.",
        SEEN,
        encrypted=True,
    ),
    Workload(
        "idle1000-encrypted",
        "1,000 idle sessions, encrypted",
        "Sessions with the heartbeats that the protocol asks for.",
        (KIB, IDLE_CPU),
        encrypted=True,
    ),
    Workload(
        "handshakes",
        "Handshakes",
        "1,000 clients come back after a restart, all at once if the server's queue has room for them: from when it "
        "takes the first until all are greeted and would receive what is said.",
        (
            Figure("cpu_us_per_handshake", "server CPU a client", "µs"),
            Figure("handshakes_per_s", "clients/s", more_is_better=True),
            Figure("back_s", "until all are back", "s"),
        ),
        encrypted=True,
    ),
)


@dataclass(frozen=True)
class Growth:
    """How a cost grows with one size: `axis` is the field of the size, `sizes` and `size` say it in words."""

    axis: str
    title: str
    what: str
    sizes: str
    size: Callable[[int], str]
    figures: tuple[Figure, ...]

    def chart(self, figure: Figure) -> str:
        """Return the name of the chart of one figure."""
        return f"growth-{self.axis.partition('_')[0]}" + ("" if figure is self.figures[0] else f"-{figure.field}")


GROWTH = (
    Growth(
        "receivers",
        "Growth with receivers",
        "Fan-out, as above, to more and more receivers in one room.",
        "receivers",
        lambda n: f"{n:,} receiver" + "s" * (n > 1),
        (CPU_DELIVERY,),
    ),
    Growth(
        "rooms",
        "Growth with rooms",
        "More and more rooms that are all alike: a sender with a window of 64 and 10 receivers in each.",
        "rooms",
        lambda n: f"{n:,} room" + "s" * (n > 1),
        (CPU_MESSAGE,),
    ),
    Growth(
        "log_messages",
        "Growth with the log",
        "Ingest into a log that already holds so many messages, and a page of history from it.",
        "messages in the log",
        lambda n: f"{n:,} messages",
        (CPU_MESSAGE, PAGE),
    ),
)
