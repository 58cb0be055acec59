"""The numbers of a broker, and of a gateway, in the text format that Prometheus reads.

`BROKER` is the table of a broker's numbers: what each is, and what it means. A broker tells its numbers in its
`status`, to whoever may know them, so that the broker itself and a gateway show the same, by the same function. What a
broker tells and this version does not know is left out; so is what a broker of another version does not tell.

The library is loaded when something is shown: it is an extra.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from zchat.protocol import messages as m

if TYPE_CHECKING:
    from prometheus_client import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Kind(NamedTuple):
    """What a number is. `label` names what tells several of the same kind apart."""

    type: Literal["counter", "gauge", "histogram"]
    text: str
    label: str = ""


BROKER: Mapping[str, Kind] = {
    "zchat_uptime_seconds": Kind("gauge", "For how long the broker has run."),
    "zchat_stalled": Kind("gauge", "1 while nothing can be stored, else 0."),
    "zchat_sessions": Kind("gauge", "Clients that are here, each device and program of its own."),
    "zchat_connections": Kind("gauge", "Connections that have said something, or subscribed to something.", "socket"),
    "zchat_members": Kind("gauge", "Members, here or away."),
    "zchat_rooms": Kind("gauge", "Public rooms."),
    "zchat_messages_total": Kind("counter", "Events stored in rooms and conversations; in a cluster also of others."),
    "zchat_log_head": Kind("gauge", "The seq of the last event in the log."),
    "zchat_log_bytes": Kind("gauge", "The log on disk, with its journal."),
    "zchat_disk_free_bytes": Kind("gauge", "Free on the disk that holds the log."),
    "zchat_received_lines_total": Kind("counter", "Lines that clients have sent."),
    "zchat_received_bytes_total": Kind("counter", "Bytes that clients have sent."),
    "zchat_published_lines_total": Kind("counter", "Events published on the feed, each once."),
    "zchat_deliveries_total": Kind("counter", "Events published, times the sessions here that are in their rooms."),
    "zchat_sent_lines_total": Kind("counter", "Lines to single clients: answers, private rooms, conversations."),
    "zchat_refused_total": Kind("counter", "Commands that were answered with an error.", "code"),
    "zchat_sessions_begun_total": Kind("counter", "Sessions that began, or were taken up again."),
    "zchat_sessions_ended_total": Kind("counter", "Sessions that ended.", "reason"),
    "zchat_batch_frames": Kind("histogram", "Messages of the socket that were processed at once."),
    "zchat_batch_seconds": Kind("histogram", "From when a batch was read until its answers were on their way."),
    "zchat_commit_seconds": Kind("histogram", "Until a batch was on disk: COMMIT with its fsync."),
    "zchat_answer_seconds": Kind("histogram", "From a question to the log (history, search) to its answer."),
    "zchat_queue_length": Kind("gauge", "What waits: commands (in a cluster), questions, parts of files.", "queue"),
    "zchat_unread_bytes": Kind("gauge", "Sent to clients that are far behind, and not read by them yet."),
    "zchat_files": Kind("gauge", "Files of messages on disk."),
    "zchat_files_bytes": Kind("gauge", "Bytes of the files of messages."),
    "zchat_uploads": Kind("gauge", "Uploads that are not finished."),
    "zchat_uploaded_bytes_total": Kind("counter", "Bytes of files that clients have sent."),
    "zchat_downloaded_bytes_total": Kind("counter", "Bytes of files that clients were sent."),
    "zchat_replica_up": Kind("gauge", "1 for each broker of the cluster that this one hears, else 0.", "broker"),
    "zchat_replica_lag": Kind("gauge", "Messages of the cluster's stream that a broker has still to apply.", "broker"),
}


def of_broker(status: m.Status) -> dict[str, m.Figure]:
    """Return the numbers in a broker's status, those that anybody may know among them."""
    return {
        "zchat_uptime_seconds": status.uptime,
        "zchat_stalled": int(status.stalled is not None),
        "zchat_sessions": status.sessions,
        "zchat_rooms": status.rooms,
        "zchat_log_head": status.head,
        "zchat_log_bytes": status.log_bytes,
        **(status.numbers or {}),
    }


def text(figures: Mapping[str, m.Figure], kinds: Mapping[str, Kind], info: Mapping[str, str]) -> bytes:
    """Return numbers as a page, with those of this process. `info` are names of programs, and their versions."""
    from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest  # noqa: PLC0415 — an extra

    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    registry.register(_Page(list(_metrics(figures, kinds, info))))
    return generate_latest(registry)


class _Page:
    """A collector of what was collected already."""

    def __init__(self, metrics: "list[Metric]") -> None:
        self._metrics = metrics

    def collect(self) -> "Iterable[Metric]":
        return self._metrics


def _metrics(figures: Mapping[str, m.Figure], kinds: Mapping[str, Kind], info: Mapping[str, str]) -> "Iterator[Metric]":
    from prometheus_client.metrics_core import InfoMetricFamily  # noqa: PLC0415 — an extra

    for name, version in info.items():
        yield InfoMetricFamily(name, "The version that runs.", value={"version": version})
    for name, kind in kinds.items():
        if name in figures:
            yield _metric(name, kind, figures[name])


def _metric(name: str, kind: Kind, figure: m.Figure) -> "Metric":
    from prometheus_client import metrics_core as core  # noqa: PLC0415 — an extra

    if isinstance(figure, m.Histogram):
        distribution = core.HistogramMetricFamily(name, kind.text)
        distribution.add_metric([], _buckets(figure), figure.sum)
        return distribution
    family: Any = core.CounterMetricFamily if kind.type == "counter" else core.GaugeMetricFamily
    found: Metric = family(name, kind.text, labels=[kind.label] if kind.label else [])
    each = figure if isinstance(figure, dict) else {"": figure}
    for label, value in each.items():
        found.add_metric([label] if kind.label else [], value)  # type: ignore[attr-defined]
    return found


def _buckets(figure: m.Histogram) -> list[tuple[str, float]]:
    """Return the counts as Prometheus has them: of all values up to each bound."""
    buckets, below = [], 0
    for bound, count in zip([*map(str, figure.bounds), "+Inf"], figure.counts, strict=False):
        below += count
        buckets.append((bound, float(below)))
    return buckets
