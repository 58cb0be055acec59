"""What a comparison measured, read back from its JSON lines.

A results file only grows: a run that is resumed appends, and a workload that was void is measured again. So the last
line of each peer, workload and size is the one that counts. A figure may be shown or compared only if every receiver
was complete: `Result.state` decides that once, for the tables, the charts and the goals alike.
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec
from board import BenchError

NAMES = {
    "zchat": "zchat",
    "forwarder": "raw libzmq forwarder",
    "redis": "Redis pub/sub",
    "redis-streams": "Redis streams",
    "nats": "NATS core",
    "jetstream": "NATS JetStream",
    "mosquitto0": "Mosquitto, QoS 0",
    "mosquitto1": "Mosquitto, QoS 1",
    "ngircd": "ngIRCd",
    "inspircd": "InspIRCd",
    "zchat-curve": "zchat, CURVE",
    "zchat-private": "zchat, CURVE, private room",
    "forwarder-curve": "raw libzmq forwarder, CURVE",
    "nats-tls": "NATS core, TLS",
    "jetstream-tls": "NATS JetStream, TLS",
    "mosquitto0-tls": "Mosquitto, QoS 0, TLS",
    "mosquitto1-tls": "Mosquitto, QoS 1, TLS",
    "ngircd-tls": "ngIRCd, TLS",
    "inspircd-tls": "InspIRCd, TLS",
}  # in the order of the tables

SIZES = ("log_messages", "rooms", "receivers")  # what growth varies, one at a time
MEASURED, VOID, FAILED, CANNOT = "measured", "void", "failed", "cannot"

NO_SIZE = (0,) * len(SIZES)


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One line: what one peer did in one workload. `us` are microseconds, `cpu` cores; absent is not measured."""

    peer: str
    workload: str
    title: str = ""
    complete: bool = False
    error: str | None = None
    cannot: str | None = None
    lost: int | None = None
    repeated: int | None = None
    seconds: float | None = None
    receivers: int | None = None
    rooms: int | None = None
    log_messages: int | None = None
    messages_per_s: float | None = None
    deliveries_per_s: float | None = None
    cpu_us_per_message: float | None = None
    cpu_us_per_delivery: float | None = None
    page_ms: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    max_ms: float | None = None
    ack_p50_ms: float | None = None
    ack_p99_ms: float | None = None
    kib_per_session: float | None = None
    recovery_s: float | None = None
    back_s: float | None = None
    handshakes_per_s: float | None = None
    cpu_us_per_handshake: float | None = None
    server_cpu: float | None = None
    load_cpu: float | None = None
    others_cpu: float | None = None
    rss_mib: float | None = None
    limit: str | None = None
    limits: str | None = None
    cipher: str | None = None
    machine: str | None = None
    python: str | None = None
    libzmq: str | None = None
    zchat: str | None = None
    fsync_ms: float | None = None
    at: str | None = None

    @property
    def state(self) -> str:
        """Whether the figures count (MEASURED), and if not, why."""
        if self.cannot:
            return CANNOT
        if self.error:
            return FAILED
        return MEASURED if self.complete and not self.lost and not self.repeated else VOID

    @property
    def name(self) -> str:
        """The peer's name, with its version where the run told it."""
        return self.title or NAMES.get(self.peer, self.peer)

    @property
    def why(self) -> str:
        """The sentence to show in place of figures; empty for a result that counts."""
        if self.state != VOID:
            return self.cannot or self.error or ""
        wrong = [f"{n:,} were {how}" for n, how in ((self.lost, "lost"), (self.repeated, "repeated")) if n]
        return f"void: {', '.join(wrong) or 'a receiver was not complete'}"

    def value(self, field: str) -> float | None:
        """Return a figure that counts, or None."""
        number: float | None = getattr(self, field)
        return number if self.state == MEASURED else None


class Measured:
    """All results of one file, each peer's last of each workload and size, in the order of the tables."""

    def __init__(self, results: Iterable[Result]) -> None:
        last: dict[tuple[str, str, *tuple[int, ...]], Result] = {}
        for result in results:
            last.pop((result.peer, result.workload, *NO_SIZE), None)  # of no size: the run that failed before this one
            last[result.peer, result.workload, *_sizes(result)] = result
        order = {peer: place for place, peer in enumerate(NAMES)}
        self.all = sorted(last.values(), key=lambda r: (order.get(r.peer, len(order)), r.peer, *_sizes(r)))
        self.peers = list(dict.fromkeys(r.peer for r in self.all))

    def of(self, workload: str) -> list[Result]:
        """Return a workload's results, a peer's together."""
        return [r for r in self.all if r.workload == workload]

    def one(self, peer: str, workload: str) -> Result | None:
        """Return one result of a workload that has no sizes."""
        return next((r for r in self.of(workload) if r.peer == peer), None)

    def series(self, axis: str) -> list[Result]:
        """Return the growth over `axis` (of SIZES), a peer's together, small sizes first.

        A line without a size speaks of all: of every axis if the run failed, of the log alone if the peer cannot. Who
        keeps no history (as said for the recovery) has no log that could grow.
        """
        growth = [r for r in self.of("growth") if getattr(r, axis) is not None or _sizes(r) == NO_SIZE]
        if axis != "log_messages":
            return [r for r in growth if getattr(r, axis) is not None or r.state != CANNOT]
        logs = growth
        peers = {r.peer for r in logs}
        none = [r for r in self.of("recovery") if logs and r.state == CANNOT and r.peer not in peers]
        return [r for r in self.all if r in logs or r in none]

    def name(self, peer: str) -> str:
        """Return what to call a peer."""
        return next((r.name for r in self.all if r.peer == peer), NAMES.get(peer, peer))


def read(path: Path) -> Measured:
    """Read a results file; BenchError if it cannot be read. Half a last line, of a run that was killed, is left out."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise BenchError(f"{path}: {error.strerror}") from None
    lines = text[: text.rfind(b"\n") + 1].splitlines()
    decoder = msgspec.json.Decoder(Result)
    results = []
    for number, line in enumerate(lines, 1):
        try:
            results.append(decoder.decode(line))
        except msgspec.MsgspecError as error:
            raise BenchError(f"{path}, line {number}: {error}") from None
    return Measured(results)


def _sizes(result: Result) -> tuple[int, ...]:
    """Return what tells two lines of one peer and workload apart: sizes, in the workload that varies them."""
    if result.workload != "growth":
        return NO_SIZE
    return tuple(getattr(result, size) or 0 for size in SIZES)
