"""The workloads as a table: what is measured on every server."""

from peers import Peer
from work.crowd import Crowd, Durable, Paced
from work.growth import Growth
from work.handshakes import Handshakes
from work.idle import Idle
from work.recovery import Recovery

WORKLOADS: dict[str, Crowd | Durable | Paced | Idle | Recovery | Growth | Handshakes] = {
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
    "fanout-encrypted": Crowd(receivers=100),
    "fanout64-encrypted": Crowd(receivers=100, lines=64, window=256),
    "paced-encrypted": Paced(),
    "idle1000-encrypted": Idle(1_000),
    "handshakes": Handshakes(),
}
KEEPING = {"durable", "durable64", "recovery"}  # only for servers that keep messages
ENCRYPTED = {name for name in WORKLOADS if name.endswith("-encrypted")}  # for covered servers, and zchat without
BOTH = {"handshakes"}  # for every server, covered or not


def suits(peer: Peer, name: str) -> bool:
    """Say whether to measure this on that server: what is encrypted is compared with its like, and with zchat."""
    if name in BOTH or (peer.key == "zchat" and name in ENCRYPTED):
        return True
    return (peer.cover is not None) == (name in ENCRYPTED)
