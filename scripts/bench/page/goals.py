"""The goals of the comparison, as ratios within one run, with a verdict each.

A ratio of two figures of one run says more than either: both sides had the same machine at the same time. A goal is
judged only by results that count; if one is void, failed or absent, the verdict is that, never a guess.
"""

from collections.abc import Callable
from dataclasses import dataclass

from page.measured import MEASURED, Measured, Result
from page.shown import number

MET, MISSED, UNKNOWN = "met", "NOT MET", "not measured"
OURS, OURS_COVERED = "zchat", "zchat-curve"
OWN = {OURS, OURS_COVERED, "zchat-private"}
COST = "cpu_us_per_message"


class MissingError(Exception):
    """A figure that a goal needs does not count; its text says which and why."""


@dataclass(frozen=True)
class Ratio:
    """A ratio, and the two figures it was made of, in words."""

    value: float
    working: str


@dataclass(frozen=True)
class Goal:
    """A bound for a ratio; `strictly` excludes the bound itself."""

    sentence: str
    ratio: Callable[[Measured], Ratio]
    bound: float
    at_least: bool = False
    strictly: bool = False

    @property
    def sign(self) -> str:
        """The comparison with the bound, as a sign."""
        more, less = (">", "<") if self.strictly else ("≥", "≤")
        return more if self.at_least else less

    def met(self, value: float) -> bool:
        """Say whether `value` keeps the bound."""
        if value == self.bound:
            return not self.strictly
        return value > self.bound if self.at_least else value < self.bound


@dataclass(frozen=True)
class Verdict:
    """What became of a goal; without a ratio, `why` says what is missing."""

    goal: Goal
    ratio: Ratio | None
    why: str = ""

    @property
    def word(self) -> str:
        """MET, MISSED or UNKNOWN."""
        if self.ratio is None:
            return UNKNOWN
        return MET if self.goal.met(self.ratio.value) else MISSED


def judge(measured: Measured) -> list[Verdict]:
    """Return the verdict on each goal."""
    verdicts = []
    for goal in GOALS:
        try:
            verdicts.append(Verdict(goal, goal.ratio(measured)))
        except MissingError as missing:
            verdicts.append(Verdict(goal, None, str(missing)))
    return verdicts


def _figure(measured: Measured, peer: str, workload: str, field: str) -> float:
    """Return a figure that counts and is more than nothing."""
    return _value(measured.one(peer, workload), f"{measured.name(peer)}, {workload}", field)


def _value(result: Result | None, what: str, field: str) -> float:
    if result is None:
        raise MissingError(f"{what}: not in the results")
    if result.state != MEASURED:
        raise MissingError(f"{what}: {result.state}")
    if not (value := result.value(field)):
        raise MissingError(f"{what}: without {field}")
    return value


def _against(peer: str, workload: str, field: str, unit: str) -> Callable[[Measured], Ratio]:
    def ratio(measured: Measured) -> Ratio:
        ours, theirs = (_figure(measured, who, workload, field) for who in (OURS, peer))
        return Ratio(ours / theirs, f"{number(ours)} {unit} ÷ {number(theirs)} {unit}")

    return ratio


def _covered(workload: str, field: str, unit: str) -> Callable[[Measured], Ratio]:
    """Compare zchat over CURVE with zchat without."""

    def ratio(measured: Measured) -> Ratio:
        ours, plain = (_figure(measured, who, workload, field) for who in (OURS_COVERED, OURS))
        return Ratio(ours / plain, f"{number(ours)} {unit} ÷ {number(plain)} {unit}")

    return ratio


def _against_number(workload: str, field: str, theirs: float) -> Callable[[Measured], Ratio]:
    def ratio(measured: Measured) -> Ratio:
        ours = _figure(measured, OURS, workload, field)
        return Ratio(ours / theirs, f"{number(ours)}/s ÷ {number(theirs)}/s")

    return ratio


def _ahead_of_jetstream(measured: Measured) -> Ratio:
    """Compare with the faster of its ways, if it was measured in two."""
    ours = _figure(measured, OURS, "durable64", "messages_per_s")
    many = measured.one("jetstream", "durable64")
    best = (many.value("messages_per_s") if many else None) or 0
    theirs = max(best, _figure(measured, "jetstream", "durable", "messages_per_s"))
    return Ratio(ours / theirs, f"{number(ours)}/s ÷ {number(theirs)}/s")


def _paced(measured: Measured) -> Ratio:
    ours, theirs = (_figure(measured, who, "paced", "p50_ms") for who in (OURS, "nats"))
    fsync = _figure(measured, OURS, "paced", "fsync_ms")
    return Ratio(ours / (theirs + fsync), f"{number(ours)} ms ÷ ({number(theirs)} + {number(fsync)} ms)")


def _over(axis: str, what: str) -> Callable[[Measured], Ratio]:
    """Compare the dearest message at a larger size with one at the smallest; `what` is counted."""

    def ratio(measured: Measured) -> Ratio:
        series = [r for r in measured.series(axis) if r.peer == OURS and getattr(r, axis) is not None]
        costs = {getattr(r, axis): _value(r, f"zchat, growth at {getattr(r, axis):,} {what}", COST) for r in series}
        if len(costs) < 2:
            raise MissingError(f"zchat, growth over {what}: fewer than two sizes in the results")
        small, *larger = sorted(costs)
        dear = max(larger, key=lambda size: costs[size])
        working = f"{number(costs[dear])} µs at {dear:,} {what} ÷ {number(costs[small])} µs at {small:,}"
        return Ratio(costs[dear] / costs[small], working)

    return ratio


_CPU = ("fanout", "cpu_us_per_delivery", "µs")

GOALS = (
    Goal("fan-out: CPU of a delivery below Redis pub/sub's", _against("redis", *_CPU), 1, strictly=True),
    Goal("fan-out: CPU of a delivery at most half of NATS's", _against("nats", *_CPU), 0.5),
    Goal("fan-out: CPU of a delivery at most half of ngIRCd's", _against("ngircd", *_CPU), 0.5),
    Goal(
        "durable, one message a frame: 130,000 acknowledged a second",
        _against_number("durable", "messages_per_s", 130_000),
        1,
        at_least=True,
    ),
    Goal("durable, 64 at once: ahead of JetStream", _ahead_of_jetstream, 1, at_least=True, strictly=True),
    Goal("paced: half seen no later than with NATS and one fsync more", _paced, 1),
    Goal("cost of a message flat in the size of the log", _over("log_messages", "messages"), 1.3),
    Goal("cost of a message flat in the number of rooms (each as busy)", _over("rooms", "rooms"), 1.3),
    Goal(
        "CURVE, 64 at once: CPU of a delivery at most 1.6 times that without",
        _covered("fanout64-encrypted", "cpu_us_per_delivery", "µs"),
        1.6,
    ),
    Goal(
        "CURVE: 1,000 members back after a restart within three times the time without",
        _covered("handshakes", "back_s", "s"),
        3,
    ),
)
