"""The workloads as a table: what is measured on every server."""

from work.crowd import Crowd, Durable, Paced
from work.growth import Growth
from work.idle import Idle
from work.recovery import Recovery

WORKLOADS: dict[str, Crowd | Durable | Paced | Idle | Recovery | Growth] = {
    "fanout": Crowd(receivers=100),
    "ingest": Crowd(receivers=1),
    "durable": Durable(),
    "durable64": Durable(lines=64, window=256),
    "paced": Paced(),
    "rooms": Crowd(receivers=1_000, senders=100, rooms=100),
    "idle1000": Idle(1_000),
    "idle5000": Idle(5_000),
    "recovery": Recovery(),
    "growth": Growth(),
}
KEEPING = {"durable", "durable64", "recovery"}  # only for servers that keep messages
